/* SPDX-License-Identifier: GPL-3.0-or-later
 * What this build is made of: printed by --version and stored with every run. */
#include "version.h"
#include "../results/store.h"
#include "kernels/kernels.h"
#include "version.inc"
#include <cblas.h>
#include <cjson/cJSON.h>
#include <glpk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <yaml.h>
#include <zlib.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *build_commit(void) { return BITSWEEP_COMMIT; }

static const char *openblas_config(void) { return openblas_get_config(); }
static const char *openblas_core(void) { return openblas_get_corename(); }
static const char *compiler(void) { return COMPILER; }
static const char *isa(void) { return kernels()->isa; }

static const struct component {
    const char *label, *path, *meaning;
    const char *(*version)(void);
} components[] = {
    {"OpenBLAS", "/provenance/openblas", "OpenBLAS version and build options", openblas_config},
    {"OpenBLAS core", "/provenance/openblas_core", "CPU core that OpenBLAS tuned itself to", openblas_core},
    {"GLPK", "/provenance/glpk", "GLPK version", glp_version},
    {"HDF5", "/provenance/hdf5", "HDF5 version", store_hdf5_version},
    {"zlib", "/provenance/zlib", "zlib version", zlibVersion},
    {"libyaml", "/provenance/libyaml", "libyaml version", yaml_get_version_string},
    {"cJSON", "/provenance/cjson", "cJSON version", cJSON_Version},
    {"compiler", "/provenance/compiler", "compiler that built bitsweep", compiler},
    {"kernels", "/provenance/isa", "instruction set of the integer kernels", isa},
};
enum { COMPONENTS = sizeof components / sizeof *components };

/* x86 names the model in /proc/cpuinfo; elsewhere the architecture has to do. */
static void cpu_model(char *buffer, size_t size)
{
    struct utsname host;
    uname(&host);
    snprintf(buffer, size, "%s", host.machine);
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512], model[256];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %255[^\n]", model) == 1) {
            snprintf(buffer, size, "%s", model);
            break;
        }
    if (file)
        fclose(file);
}

static void print_gnuplot(void)
{
    char line[128];
    FILE *pipe = popen("gnuplot --version 2>/dev/null", "r");
    bool found = pipe && fgets(line, sizeof line, pipe);
    if (pipe)
        pclose(pipe);
    line[found ? strcspn(line, "\n") : 0] = '\0';
    const char *version = found && strncmp(line, "gnuplot ", 8) == 0 ? line + 8 : line;
    printf("  %-14s %s\n", "gnuplot", found ? version : "not found (bitsweep plot needs it)");
}

void print_version(void)
{
    printf("bitsweep %s\n", BITSWEEP_VERSION);
    printf("  %-14s %s%s\n", "commit", BITSWEEP_COMMIT, BITSWEEP_DIRTY ? " with local changes" : "");
    for (size_t i = 0; i < COMPONENTS; i++)
        printf("  %-14s %s\n", components[i].label, components[i].version());
    print_gnuplot();
}

void record_build(struct record *record)
{
    char cpu[256];
    cpu_model(cpu, sizeof cpu);
    record_text(record, "/provenance/version", BITSWEEP_VERSION, "bitsweep version");
    record_text(record, "/provenance/git_commit", BITSWEEP_COMMIT, "git commit that was built");
    record_int(record, "/provenance/git_dirty", BITSWEEP_DIRTY, "",
               "1 if the built tree had changes after that commit");
    record_text(record, "/provenance/flags", BITSWEEP_CFLAGS, "compiler flags that vary between builds");
    for (size_t i = 0; i < COMPONENTS; i++)
        record_text(record, components[i].path, components[i].version(), components[i].meaning);
    record_int(record, "/provenance/openblas_threads", openblas_get_num_threads(), "",
               "OpenBLAS threads of the run");
    record_text(record, "/provenance/cpu", cpu, "CPU model");
}
