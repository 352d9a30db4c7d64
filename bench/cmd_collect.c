/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep collect: the run files of a sweep into results/<sweep>.h5. */
#include "../results/collect.h"
#include "options.h"
#include <stdio.h>
#include <stdlib.h>

static int run_collect(int argc, char **argv);

const struct command cmd_collect = {
    .name = "collect",
    .arguments = "SWEEP.yaml [-s KEY=VALUE]...",
    .summary = "Gather the run files of a sweep into results/NAME.h5.",
    .details = "Takes every run of the plan that has ended, failed ones too, and notes the skipped ones. Prints the\n"
               "file's path; counts go to standard error. The file is replaced in one step.\n\n"
               "  -s KEY=VALUE   as given to bitsweep run; may be repeated\n\n"
               "Example: bitsweep collect bench/sweeps/demo.yaml",
    .run = run_collect,
};

static int collect_plan(const struct plan *plan)
{
    struct collect_counts counts;
    struct error error;
    char *path;
    bool ok = collect_runs(plan, "results", &path, &counts, &error);
    fprintf(stderr, "collected %zu runs (%zu done, %zu failed); %zu missing, %zu damaged, %zu skipped\n",
            counts.done + counts.failed, counts.done, counts.failed, counts.missing, counts.damaged, counts.skipped);
    if (ok)
        puts(path);
    else
        fprintf(stderr, "bitsweep collect: %s\n", error.text);
    free(path);
    return ok && counts.damaged == 0 ? EXIT_DONE : EXIT_TROUBLE;
}

static int run_collect(int argc, char **argv)
{
    struct plan plan;
    if (!read_sweep(&cmd_collect, (const struct option[]){{0}}, argc, argv, &plan))
        return EXIT_USAGE;
    int code = collect_plan(&plan);
    plan_free(&plan);
    return code;
}
