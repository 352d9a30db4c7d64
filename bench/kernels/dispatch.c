/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chooses the kernels once, by what the CPU has and what BITSWEEP_ISA allows. */
#include "isa.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_scalar(void) { return true; }

static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512vnni(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
           && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
           && __builtin_cpu_supports("avx512vnni");
}

/* Slowest first. */
static const struct { const struct kernels *kernels; bool (*has)(void); } table[] = {
    {&kernels_scalar, has_scalar},
    {&kernels_avx2, has_avx2},
    {&kernels_avx512vnni, has_avx512vnni},
};
enum { TABLE_ROWS = sizeof table / sizeof *table };

const struct kernels *kernels_at(size_t index)
{
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (table[i].has() && index-- == 0)
            return table[i].kernels;
    return NULL;
}

static const struct kernels *chosen;

static void choose(void)
{
    const char *cap = getenv("BITSWEEP_ISA");
    size_t rows = TABLE_ROWS;
    if (cap && *cap) {
        size_t row = 0;
        while (row < TABLE_ROWS && strcmp(table[row].kernels->isa, cap) != 0)
            row++;
        if (row == TABLE_ROWS) {
            fprintf(stderr, "bitsweep: BITSWEEP_ISA is '%s'; valid: scalar, avx2, avx512vnni\n", cap);
            exit(2);
        }
        rows = row + 1;
    }
    while (!table[rows - 1].has())
        rows--;
    chosen = table[rows - 1].kernels;
}

const struct kernels *kernels(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return chosen;
}
