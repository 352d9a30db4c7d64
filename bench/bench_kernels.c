/* SPDX-License-Identifier: GPL-3.0-or-later
 * Timings of the integer products, transforms and quantisers, as ratios to something that the same machine does at the same
 * time: OpenBLAS's float product, a loop on registers alone, scaling the same memory. */
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

static bool is_scalar(void) { return kernels()->ints->peak == NULL; }

struct sgemm { size_t m, n, k; float *a, *b, *c; };

static void run_sgemm(void *context)
{
    struct sgemm *p = context;
    int m = (int)p->m, n = (int)p->n, k = (int)p->k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, p->a, k, p->b, k, 0, p->c, n);
}

/* An integer product, its panel and what is packed into that; `samples` times in a row on inputs next to each other. */
struct packed_product {
    struct int_product p;
    struct int_panel panel;
    struct int_matrix b;
    size_t samples, sample_bytes;
};

static void run_packed(void *context)
{
    struct packed_product *packed = context;
    struct int_product p = packed->p;
    for (size_t i = 0; i < packed->samples; i++) {
        p.a.data = (const char *)packed->p.a.data + i * packed->sample_bytes;
        kernels()->ints->multiply(&p);
    }
}
static void run_product(void *context)
{
    struct packed_product *packed = context;
    kernels()->ints->pack(&packed->panel, &packed->b);
    run_packed(context);
}
static void run_peak(void *context) { *(double *)context = kernels()->ints->peak(); }

/* The second is what `auto` gives to operands of up to 4 bits. */
static const struct accumulator no_limit = {.bits = 32}, eight_bits = {8, 32, ACC_SATURATE, ACC_AT_TILE};

/* The same product with its own panel, packed, for another accumulator and A of another signedness. */
static void variant_of(struct packed_product *out, const struct packed_product *from, struct accumulator acc,
                       bool a_is_unsigned)
{
    *out = *from;
    out->panel.acc = acc;
    out->panel.a_is_unsigned = out->p.a.is_unsigned = a_is_unsigned;
    out->panel.memory = aligned_memory(kernels()->ints->panel_size(out->panel.n, out->panel.k));
    out->p.b = &out->panel;
    kernels()->ints->pack(&out->panel, &out->b);
}

static void bench_shape(struct bench_rows *rows, size_t m, size_t n, size_t k)
{
    struct sgemm real = {m, n, k, aligned_memory(m * k * 4), aligned_memory(n * k * 4), aligned_memory(m * n * 4)};
    uint8_t *a = aligned_memory(m * k);
    int8_t *b = aligned_memory(n * k);
    int32_t *row = aligned_memory(m * 4), *unit = aligned_memory(k);
    uint64_t key = rng_key(1, STREAM_DATA, m, n);
    for (size_t i = 0; i < m * k; i++)
        real.a[i] = a[i] = (uint8_t)(rng_bits(key, i) % 256);
    for (size_t i = 0; i < n * k; i++)
        real.b[i] = b[i] = (int8_t)(rng_bits(key + 1, i) % 255 - 127);
    for (size_t i = 0; i < m; i++)
        row[i] = (int32_t)(i * k);
    for (size_t i = 0; i < k / 4; i++)
        unit[i] = (int32_t)(i * 4);
    struct packed_product base = {
        .p = {.m = m, .ld = n, .a = {a, row, unit, true}, .out = real.c, .scale = 1e-3f}, .panel = {.n = n, .k = k},
        .b = {b, k, 1, false}, .samples = 1,
    }, plain, saturating, both_signed;
    variant_of(&plain, &base, no_limit, true);
    variant_of(&saturating, &base, eight_bits, true);
    variant_of(&both_signed, &base, no_limit, false);
    double operations = 2.0 * (double)m * (double)n * (double)k, peak_operations = 0, seconds[6];
    const struct variant variants[] = {{run_sgemm, &real}, {run_product, &plain},
                                       {run_product, &saturating}, {run_product, &both_signed},
                                       {run_packed, &plain}, {run_peak, &peak_operations}};
    bench_interleaved(variants, is_scalar() ? 4 : 6, is_scalar() ? 3 : 41, seconds);

    char shape[48];
    snprintf(shape, sizeof shape, "gemm/%zux%zux%zu", m, n, k);
    bench_add(rows, operations / seconds[0] * 1e-9, "Gop/s", NAN, NAN, "%s/sgemm", shape);
    bench_add(rows, operations / seconds[1] * 1e-9, "Gop/s", NAN, NAN, "%s/int8", shape);
    bench_add(rows, operations / seconds[3] * 1e-9, "Gop/s", NAN, NAN, "%s/int8_both_signed", shape);
    /* Byte dot products do at most 4 times the float operations; other instruction sets have no bound. */
    bool bytes = strcmp(kernels()->isa, "avx512vnni") == 0;
    bench_add(rows, seconds[0] / seconds[1], "ratio", bytes ? 3.0 : NAN, bytes ? 4.0 : NAN,
              "%s/int8_speed_over_sgemm", shape);
    if (!is_scalar()) {
        double peak = peak_operations / seconds[5];
        bench_add(rows, operations / seconds[4] / peak, "ratio", 0.75, 0.92,
                  "%s/packed_speed_over_registers", shape);
    }
    bench_add(rows, seconds[2] / seconds[1], "ratio", 1.3, 1.1, "%s/saturating_time_over_plain", shape);
    free(real.a), free(real.b), free(real.c), free(a), free(b), free(row), free(unit);
    free(plain.panel.memory), free(saturating.panel.memory), free(both_signed.panel.memory);
}

/* ---- convolutions: 3 × 3, as many inputs as outputs, on a square with its border ---- */

/* Forward: rows are positions, k = (tap, channel); the panel is packed once for all samples.
 * Weight gradient: rows are (tap, channel) of an input channel by channel, k = positions; packed for each sample. */
static void convolution_tables(size_t side, size_t channels, bool gradient, int32_t *row, int32_t *unit)
{
    size_t line = side + 2, positions = side * side;
    if (gradient) {
        for (size_t i = 0; i < 9 * channels; i++)
            row[i] = (int32_t)(i % channels * line * line + i / channels / 3 * line + i / channels % 3);
        for (size_t i = 0; i < positions; i += 4)
            unit[i / 4] = (int32_t)(i / side * line + i % side);
    } else {
        for (size_t i = 0; i < positions; i++)
            row[i] = (int32_t)((i / side * line + i % side) * channels);
        for (size_t i = 0; i < 9 * channels; i += 4)
            unit[i / 4] = (int32_t)((i / channels / 3 * line + i / channels % 3) * channels + i % channels);
    }
}

static void run_gradients(void *context)
{
    struct packed_product *packed = context, one = *packed;
    one.samples = 1;
    for (size_t i = 0; i < packed->samples; i++) {
        one.p.a.data = (const char *)packed->p.a.data + i * packed->sample_bytes;
        run_product(&one);
    }
}

static void bench_convolution(struct bench_rows *rows, size_t side, size_t channels, bool gradient)
{
    enum { SAMPLES = 16 };
    size_t positions = side * side, taps = 9 * channels, sample = (side + 2) * (side + 2) * channels;
    size_t m = gradient ? taps : positions, k = gradient ? positions : taps, n = channels;
    uint8_t *x = aligned_memory(SAMPLES * sample), *b = aligned_memory(n * k);
    int32_t *row = aligned_memory(m * 4), *unit = aligned_memory(k);
    float *out = aligned_memory(m * n * 4);
    uint64_t key = rng_key(1, STREAM_DATA, m, n);
    for (size_t i = 0; i < SAMPLES * sample; i++)
        x[i] = (uint8_t)(rng_bits(key, i) % 128);
    for (size_t i = 0; i < n * k; i++)
        b[i] = (uint8_t)rng_bits(key + 1, i);
    memset(out, 0, m * n * 4);
    convolution_tables(side, channels, gradient, row, unit);
    struct packed_product base = {
        .p = {.m = m, .ld = n, .a = {x, row, unit, true}, .out = out, .add = gradient, .scale = 1e-3f},
        .panel = {.n = n, .k = k}, .b = {b, gradient ? 1 : k, gradient ? n : 1, false},
        .samples = SAMPLES, .sample_bytes = sample,
    }, made[4];
    static const char *const names[4] = {"", "_saturating", "_both_signed", "_both_signed_saturating"};
    struct variant variants[4];
    double seconds[4], operations = 2.0 * SAMPLES * (double)m * (double)n * (double)k;
    for (int i = 0; i < 4; i++) {
        variant_of(&made[i], &base, i & 1 ? eight_bits : no_limit, !(i & 2));
        variants[i] = (struct variant){gradient ? run_gradients : run_packed, &made[i]};
    }
    bench_interleaved(variants, 4, is_scalar() ? 3 : 21, seconds);
    for (int i = 0; i < 4; i++) {
        bench_add(rows, operations / seconds[i] * 1e-9, "Gop/s", NAN, NAN, "int8_conv%s_gops_%zux%zux%zu%s",
                  gradient ? "_gradient" : "", m, k, n, names[i]);
        free(made[i].panel.memory);
    }
    free(x), free(b), free(row), free(unit), free(out);
}

void bench_gemm(struct bench_rows *rows)
{
    bench_shape(rows, 512, 512, 512);
    bench_shape(rows, 1024, 1024, 1024);
    bench_shape(rows, 128, 512, 784);
    for (int gradient = 0; gradient < 2; gradient++) {
        bench_convolution(rows, 32, 16, gradient);
        bench_convolution(rows, 16, 32, gradient);
        bench_convolution(rows, 8, 64, gradient);
    }
}

/* ---- Hadamard, quantisers ---- */

enum { BLOCK = 64, MEMORY = 192 << 20, QUANTISED = 1 << 16, COLS = 512 };

static void run_hadamard(void *context)
{
    kernels()->hadamard_rows(context, MEMORY / 4 / BLOCK, BLOCK, BLOCK, BLOCK);
}

/* Takes back the growth of a transform. */
static void run_scale(void *context) { cblas_sscal(MEMORY / 4, 0.125f, context, 1); }

struct quantised { float *x; int8_t *q; int16_t *shorts, *zeros; };

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

static void run_stochastic_shorts(void *context)
{
    struct quantised *data = context;
    kernels()->quantise_stochastic_shorts(data->shorts, QUANTISED, 3, -127, 127, 1, 0, data->q);
}

/* Of zeros, so that repeating it never overflows. */
static void run_hadamard_shorts(void *context)
{
    struct quantised *data = context;
    kernels()->hadamard_shorts(data->zeros, QUANTISED / COLS, COLS, COLS, BLOCK);
}

void bench_hadamard(struct bench_rows *rows)
{
    double seconds[4];
    float *memory = aligned_memory(MEMORY);
    for (size_t i = 0; i < MEMORY / 4; i++)
        memory[i] = (float)(i % 255) - 127;
    const struct variant transforms[] = {{run_hadamard, memory}, {run_scale, memory}};
    bench_interleaved(transforms, 2, is_scalar() ? 3 : 11, seconds);
    bench_add(rows, MEMORY * 1e-9 / seconds[0], "GB/s", NAN, NAN, "hadamard/64/in_place");
    bench_add(rows, seconds[1] / seconds[0], "ratio", 0.6, 0.85, "hadamard/64/speed_over_scaling");

    struct quantised data = {memory, aligned_memory(QUANTISED), aligned_memory(QUANTISED * 2),
                             aligned_memory(QUANTISED * 2)};
    for (size_t i = 0; i < QUANTISED; i++) {
        data.x[i] = (float)rng_normal(1, i);
        data.shorts[i] = (int16_t)(rng_bits(1, i) % 801 - 400);
        data.zeros[i] = 0;
    }
    const struct variant others[] = {
        {run_nearest, &data}, {run_stochastic, &data}, {run_hadamard_shorts, &data}, {run_stochastic_shorts, &data}};
    static const char *const names[] = {"quantise/nearest", "quantise/stochastic", "hadamard/64/shorts",
                                        "quantise/stochastic_shorts"};
    bench_interleaved(others, 4, 21, seconds);
    for (int i = 0; i < 4; i++)
        bench_add(rows, QUANTISED * 1e-9 / seconds[i], "Gelem/s", NAN, NAN, "%s", names[i]);
    free(data.q), free(data.shorts), free(data.zeros);
    free(memory);
}
