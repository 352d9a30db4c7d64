/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verbs and what concerns all of them. */
#include "cli.h"
#include "kernels/kernels.h"
#include "plugins.h"
#include "version.h"
#include <cblas.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

extern const struct command cmd_list, cmd_plan, cmd_run, cmd_status, cmd_collect, cmd_table, cmd_plot,
    cmd_diff, cmd_data, cmd_reference, cmd_bench, cmd_test, cmd_allocate;

static const struct command *const commands[] = {
    &cmd_list, &cmd_plan, &cmd_run, &cmd_status, &cmd_collect, &cmd_table, &cmd_plot,
    &cmd_diff, &cmd_data, &cmd_reference, &cmd_bench, &cmd_test, &cmd_allocate,
};

static void print_overview(FILE *out)
{
    fputs("usage: bitsweep VERB [ARGUMENTS]   (bitsweep VERB --help says more)\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n  --plugin FILE.so (with any verb, also several times) adds an allocator, solver, cost, quantiser or\n"
          "  model from a shared object: docs/adding-an-allocator.md\n"
          "  bitsweep --version names the libraries in use\n", out);
}

int main(int argc, char **argv)
{
    /* glibc would raise this threshold to 32 MB as blocks are freed, and then keep freed blocks and clear them for new ones:
     * workers would inherit what planning has freed, and arenas' memory that nothing touches would be there. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    kernels(); /* a bad BITSWEEP_ISA ends the program before anything starts */
    openblas_set_num_threads(1); /* products are one thread's; sweeps run several, and --threads is ours */
    struct error error;
    if (!plugins_take(&argc, argv, &error)) {
        fprintf(stderr, "bitsweep: %s\n", error.text);
        return EXIT_USAGE;
    }
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        print_overview(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i]->name) == 0) {
            for (int a = 2; a < argc; a++) {
                if (strcmp(argv[a], "--") == 0)
                    break;
                if (strcmp(argv[a], "-h") == 0 || strcmp(argv[a], "--help") == 0)
                    return print_help(commands[i]);
            }
            int code = commands[i]->run(argc - 1, argv + 1);
            if (fflush(stdout) != 0 && code == EXIT_DONE) {
                perror("bitsweep: writing to standard output");
                code = EXIT_TROUBLE;
            }
            return code;
        }
    fprintf(stderr, "bitsweep: unknown verb '%s'\n", argv[1]);
    print_overview(stderr);
    return EXIT_USAGE;
}
