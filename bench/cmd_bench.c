/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep bench: what the kernels and training steps cost on this machine. */
#include "bench.h"
#include "kernels/kernels.h"
#include "options.h"
#include <cblas.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static int run(int argc, char **argv);

#define PART_TABLE(PART)                                                                                   \
    PART(GEMM, "gemm", bench_gemm, "integer products against OpenBLAS's float product")                    \
    PART(HADAMARD, "hadamard", bench_hadamard, "Hadamard transform against scaling the same memory, and the quantisers") \
    PART(STEPS, "steps", bench_steps, "one training step in each mode against mode fp")                    \
    PART(ALLOCATORS, "allocators", bench_allocators, "what an allocator itself costs in a run")            \
    PART(SOLVERS, "solvers", bench_solvers, "finding the widths of 200 tensors")                           \
    PART(KERNELS, "kernels", bench_latency, "the forward product of every layer of the built-in models, one sample")

#define INDEX_OF(index, name, function, help) index,
#define ROW_OF(index, name, function, help) {name, function},
#define HELP_OF(index, name, function, help) "  " name ": " help "\n"
enum { PART_TABLE(INDEX_OF) PARTS };
static const struct { const char *name; void (*run)(struct bench_rows *); } parts[PARTS] = {PART_TABLE(ROW_OF)};

const struct command cmd_bench = {
    .name = "bench",
    .arguments = "[PART]... [--write-latency FILE] [--format text|json|csv]",
    .summary = "Time the integer products, the transforms and the training steps, as ratios within one run.",
    .details =
        "Parts; all of them when none is named:\n"
        PART_TABLE(HELP_OF)
        "\n"
        "  --write-latency FILE  with kernels: write them as a table for the key latency_table\n"
        "  --format FORMAT  text (default), json or csv; a row without a bound has null or nothing there\n"
        "\n"
        "Runs on one CPU and one thread. BITSWEEP_ISA=scalar|avx2|avx512vnni caps the instruction set.\n"
        "Rows named ..._time_over_... and those in ms have upper bounds (smaller is better), the others lower ones.\n\n"
        "Example: bitsweep bench gemm --format csv",
    .run = run,
};

static void pin(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();
    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fprintf(stderr, "bitsweep bench: cannot stay on one CPU; the timings may vary more\n");
    openblas_set_num_threads(1);
}

void bench_cpu_model(char *model, size_t size)
{
    snprintf(model, size, "unknown CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, size, "%s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = 0;
            break;
        }
    if (file)
        fclose(file);
}

static void print_bound(double bound)
{
    if (isnan(bound))
        printf(" %9s", "");
    else
        printf(" %9.4g", bound);
}

static void print_text(const struct bench_rows *rows)
{
    char model[BENCH_CPU_MODEL];
    bench_cpu_model(model, sizeof model);
    printf("CPU       %s\nkernels   %s\ncompiler  %s\nOpenBLAS  %s, core %s, 1 thread\n\n", model,
           kernels()->isa, COMPILER, openblas_get_config(), openblas_get_corename());
    printf("%-52s %10s %-9s %9s %9s\n", "name", "value", "unit", "required", "aim");
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        printf("%-52s %10.4g %-9s", row->name, row->value, row->unit);
        print_bound(row->required);
        print_bound(row->aim);
        putchar('\n');
    }
}

static void print_csv(const struct bench_rows *rows)
{
    puts("name,value,unit,required,aim");
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        print_csv_field(row->name, false);
        print_csv_real(row->value, false);
        print_csv_field(row->unit, false);
        print_csv_real(row->required, false);
        print_csv_real(row->aim, true);
    }
}

static void print_as_json(const struct bench_rows *rows)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", row->name);
        cJSON_AddNumberToObject(object, "value", row->value);
        cJSON_AddStringToObject(object, "unit", row->unit);
        cJSON_AddNumberToObject(object, "required", row->required); /* NaN is printed as null */
        cJSON_AddNumberToObject(object, "aim", row->aim);
        cJSON_AddItemToArray(list, object);
    }
    print_json(list);
}

static int unknown_part(const char *name)
{
    char *valid = xstrdup(parts[0].name);
    for (size_t part = 1; part < PARTS; part++) {
        char *longer = format_text("%s, %s", valid, parts[part].name);
        free(valid);
        valid = longer;
    }
    int code = usage_error(&cmd_bench, "unknown part '%s'; valid: %s", name, valid);
    free(valid);
    return code;
}

static int choose_parts(int count, char **names, bool *chosen)
{
    for (int i = 0; i < count; i++) {
        size_t part = 0;
        while (part < PARTS && strcmp(parts[part].name, names[i]) != 0)
            part++;
        if (part == PARTS)
            return unknown_part(names[i]);
        chosen[part] = true;
    }
    for (size_t part = 0; count == 0 && part < PARTS; part++)
        chosen[part] = true;
    return EXIT_DONE;
}

/* Written beside its place and moved there when it is whole. */
struct latency_file { const char *path; char *temporary; };

static bool open_latency(struct latency_file *file, struct bench_rows *rows, struct error *error)
{
    if (!file->path)
        return true;
    file->temporary = format_text("%s.part", file->path);
    rows->latency = fopen(file->temporary, "we");
    return rows->latency || fail(error, "%s cannot be written: %s", file->path, strerror(errno));
}

static bool close_latency(struct latency_file *file, struct bench_rows *rows, struct error *error)
{
    if (!file->path)
        return true;
    bool written = !ferror(rows->latency);
    written = fclose(rows->latency) == 0 && written;
    written = written && rename(file->temporary, file->path) == 0;
    return written || fail(error, "%s cannot be written: %s", file->path, strerror(errno));
}

static int run(int argc, char **argv)
{
    enum format format = FORMAT_TEXT;
    bool chosen[PARTS] = {false};
    struct latency_file latency = {0};
    const struct option options[] = {
        {"--format", set_format_csv, &format}, {"--write-latency", set_text, &latency.path}, {0}};
    int count = read_options(&cmd_bench, options, (struct operands){"part", 0, argc}, argc, argv);
    int status = count < 0 ? EXIT_USAGE : choose_parts(count, argv + 1, chosen);
    if (status != EXIT_DONE)
        return status;
    if (latency.path && !chosen[KERNELS])
        return usage_error(&cmd_bench, "--write-latency writes what the part kernels measures; name that part too");

    static void (*const print[])(const struct bench_rows *) = {
        [FORMAT_TEXT] = print_text, [FORMAT_JSON] = print_as_json, [FORMAT_CSV] = print_csv,
    };
    struct bench_rows rows = {0};
    struct error error;
    bool good = open_latency(&latency, &rows, &error);
    if (good) {
        pin();
        for (size_t part = 0; part < PARTS; part++)
            if (chosen[part])
                parts[part].run(&rows);
        print[format](&rows);
        good = close_latency(&latency, &rows, &error);
    }
    if (!good)
        fprintf(stderr, "bitsweep bench: %s\n", error.text);
    free(latency.temporary);
    free(rows.rows);
    return good ? EXIT_DONE : EXIT_TROUBLE;
}
