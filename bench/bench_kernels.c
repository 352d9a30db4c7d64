/* SPDX-License-Identifier: GPL-3.0-or-later
 * Timings of the integer kernels, each as a ratio to something that the same machine does at the same time:
 * OpenBLAS's float product, a loop on registers alone, scaling the same memory. */
#include "bench.h"
#include "kernels/kernels.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double time_calls(const struct variant *variant, int calls)
{
    double start = now();
    for (int i = 0; i < calls; i++)
        variant->run(variant->context);
    return (now() - start) / calls;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_interleaved(const struct variant *variants, size_t count, int rounds, double *median_seconds)
{
    enum { MANY = 1000000 };
    int *calls = xmalloc(count * sizeof *calls);
    double *seconds = xmalloc(count * (size_t)rounds * sizeof *seconds);
    for (size_t v = 0; v < count; v++) {
        time_calls(&variants[v], 1); /* warms caches and pages */
        for (calls[v] = 1; calls[v] < MANY && time_calls(&variants[v], calls[v]) * calls[v] < 1e-3;)
            calls[v] *= 2;
    }
    for (int round = 0; round < rounds; round++)
        for (size_t v = 0; v < count; v++)
            seconds[v * (size_t)rounds + (size_t)round] = time_calls(&variants[v], calls[v]);
    for (size_t v = 0; v < count; v++) {
        double *own = seconds + v * (size_t)rounds;
        qsort(own, (size_t)rounds, sizeof *own, compare_doubles);
        median_seconds[v] = rounds % 2 ? own[rounds / 2] : (own[rounds / 2 - 1] + own[rounds / 2]) / 2;
    }
    free(calls);
    free(seconds);
}

void bench_add(struct bench_rows *rows, double value, const char *unit, double required, double aim,
               const char *name_format, ...)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 32;
        rows->rows = xrealloc(rows->rows, rows->capacity * sizeof *rows->rows);
    }
    struct bench_row *row = &rows->rows[rows->count++];
    *row = (struct bench_row){.value = value, .unit = unit, .required = required, .aim = aim};
    va_list args;
    va_start(args, name_format);
    vsnprintf(row->name, sizeof row->name, name_format, args);
    va_end(args);
}

static void *aligned_memory(size_t size)
{
    void *memory = aligned_alloc(64, (size + 127) / 64 * 64);
    if (!memory)
        die("out of memory: %zu bytes asked for", size);
    return memory;
}

/* ---- integer product ---- */

struct float_product { size_t m, n, k; float *a, *b, *c; };

static void run_sgemm(void *context)
{
    struct float_product *p = context;
    int m = (int)p->m, n = (int)p->n, k = (int)p->k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, p->a, k, p->b, k, 0, p->c, n);
}

static void run_product(void *context) { kernels()->int_product(context); }
static void run_packed(void *context) { kernels()->int_product_packed(context); }
static void run_peak(void *context) { *(double *)context = kernels()->int_product_peak(); }

static void bench_shape(struct bench_rows *rows, size_t m, size_t n, size_t k)
{
    struct float_product real = {
        m, n, k, aligned_memory(m * k * 4), aligned_memory(n * k * 4), aligned_memory(m * n * 4)};
    uint8_t *a = aligned_memory(m * k);
    int8_t *b = aligned_memory(n * k);
    uint64_t key = rng_key(1, STREAM_DATA, m, n);
    for (size_t i = 0; i < m * k; i++)
        real.a[i] = a[i] = (uint8_t)(rng_bits(key, i) % 256);
    for (size_t i = 0; i < n * k; i++)
        real.b[i] = b[i] = (int8_t)(rng_bits(key + 1, i) % 255 - 127);
    struct int_product plain = {
        .m = m, .n = n, .k = k, .ld = n, .a = {a, k, 1, true}, .b = {b, k, 1, false}, .acc.bits = 32,
        .out = real.c, .scale = 1e-3f, .workspace = aligned_memory(kernels()->int_product_workspace(m, n, k)),
    }, saturating = plain, both_signed = plain;
    saturating.acc = (struct accumulator){8, 32, ACC_SATURATE, ACC_AT_TILE};
    both_signed.a.is_unsigned = false;
    double operations = 2.0 * (double)m * (double)n * (double)k, peak_operations = 0, seconds[6];
    const struct variant variants[] = {{run_sgemm, &real}, {run_product, &plain},
                                       {run_product, &saturating}, {run_product, &both_signed},
                                       {run_packed, &plain}, {run_peak, &peak_operations}};
    bool parts = kernels()->int_product_packed != NULL;
    bench_interleaved(variants, parts ? 6 : 4, parts ? 41 : 3, seconds);

    char shape[48];
    snprintf(shape, sizeof shape, "gemm/%zux%zux%zu", m, n, k);
    bench_add(rows, operations / seconds[0] * 1e-9, "Gop/s", NAN, NAN, "%s/sgemm", shape);
    bench_add(rows, operations / seconds[1] * 1e-9, "Gop/s", NAN, NAN, "%s/int8", shape);
    bench_add(rows, operations / seconds[3] * 1e-9, "Gop/s", NAN, NAN, "%s/int8_both_signed", shape);
    /* Byte dot products do at most 4 times the float operations; other instruction sets have no bound. */
    bool bytes = strcmp(kernels()->isa, "avx512vnni") == 0;
    bench_add(rows, seconds[0] / seconds[1], "ratio", bytes ? 3.0 : NAN, bytes ? 4.0 : NAN,
              "%s/int8_speed_over_sgemm", shape);
    if (parts) {
        double peak = peak_operations / seconds[5];
        bench_add(rows, operations / seconds[4] / peak, "ratio", 0.75, 0.92, "%s/packed_speed_over_registers",
                  shape);
    }
    bench_add(rows, seconds[2] / seconds[1], "ratio", 1.3, 1.1, "%s/saturating_time_over_plain", shape);
    free(real.a), free(real.b), free(real.c), free(a), free(b), free(plain.workspace);
}

void bench_gemm(struct bench_rows *rows)
{
    bench_shape(rows, 512, 512, 512);
    bench_shape(rows, 1024, 1024, 1024);
    bench_shape(rows, 128, 512, 784);
}

/* ---- Hadamard, quantisers ---- */

enum { BLOCK = 64, MEMORY = 192 << 20, QUANTISED = 1 << 16 };

static void run_hadamard(void *context)
{
    kernels()->hadamard_rows(context, MEMORY / 4 / BLOCK, BLOCK, BLOCK, BLOCK);
}

/* Takes back the growth of a transform. */
static void run_scale(void *context) { cblas_sscal(MEMORY / 4, 0.125f, context, 1); }

struct quantised { float *x; int8_t *q; };

static void run_nearest(void *context)
{
    struct quantised *data = context;
    kernels()->quantise_nearest(data->x, QUANTISED, 0.01f, -127, 127, data->q);
}

static void run_stochastic(void *context)
{
    struct quantised *data = context;
    kernels()->quantise_stochastic(data->x, QUANTISED, 0.01f, -127, 127, 1, 0, data->q);
}

void bench_hadamard(struct bench_rows *rows)
{
    double seconds[2];
    float *memory = aligned_memory(MEMORY);
    for (size_t i = 0; i < MEMORY / 4; i++)
        memory[i] = (float)(i % 255) - 127;
    const struct variant transforms[] = {{run_hadamard, memory}, {run_scale, memory}};
    bench_interleaved(transforms, 2, kernels()->int_product_packed ? 11 : 3, seconds);
    bench_add(rows, MEMORY * 1e-9 / seconds[0], "GB/s", NAN, NAN, "hadamard/64/in_place");
    bench_add(rows, seconds[1] / seconds[0], "ratio", 0.6, 0.85, "hadamard/64/speed_over_scaling");

    struct quantised data = {memory, aligned_memory(QUANTISED)};
    for (size_t i = 0; i < QUANTISED; i++)
        data.x[i] = (float)rng_normal(1, i);
    const struct variant quantisers[] = {{run_nearest, &data}, {run_stochastic, &data}};
    bench_interleaved(quantisers, 2, 21, seconds);
    bench_add(rows, QUANTISED * 1e-9 / seconds[0], "Gelem/s", NAN, NAN, "quantise/nearest");
    bench_add(rows, QUANTISED * 1e-9 / seconds[1], "Gelem/s", NAN, NAN, "quantise/stochastic");
    free(data.q);
    free(memory);
}
