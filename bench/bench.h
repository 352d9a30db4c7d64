/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep bench`: timings as ratios inside one run, variants interleaved, medians. */
#ifndef BITSWEEP_BENCH_H
#define BITSWEEP_BENCH_H
#include "bitsweep.h"
#include <stdio.h>

struct bench_row {
    char name[64];
    double value;
    const char *unit;
    double required, aim; /* NAN if none */
};
struct bench_rows {
    struct bench_row *rows;
    size_t count, capacity;
    FILE *latency;        /* where bench_latency also writes its table; NULL: nowhere */
};
void bench_add(struct bench_rows *, double value, const char *unit, double required, double aim, const char *name_format,
               ...)
    __attribute__((format(printf, 6, 7)));

/* Runs the variants in turn, `rounds` times, and fills the median seconds of one call of each. Each call is repeated inside
 * a round until it takes about a millisecond at least. */
struct variant { void (*run)(void *context); void *context; };
void bench_interleaved(const struct variant *variants, size_t count, int rounds, double *median_seconds);

void bench_gemm(struct bench_rows *);
void bench_hadamard(struct bench_rows *);
void bench_steps(struct bench_rows *);
void bench_allocators(struct bench_rows *);
void bench_solvers(struct bench_rows *);
void bench_latency(struct bench_rows *);

#define BENCH_CPU_MODEL 128
void bench_cpu_model(char *model, size_t size);
#endif
