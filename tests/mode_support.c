/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mode_support.h"
#include "../bench/nn/geometry.h"
#include "../bench/parallel.h"
#include <math.h>
#include <string.h>

static void fill(float *x, size_t rows, size_t cols, uint64_t stream, bool positive)
{
    uint64_t key = rng_key(11, STREAM_DATA, stream, rows);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float v = (float)rng_normal(key, i * cols + j);
            x[i * row_stride(cols) + j] = positive ? fmaxf(v, 0) : v;
        }
}

static float *matrix(struct layer_test *t, size_t rows, size_t cols)
{
    return arena_alloc(&t->arena, rows * row_stride(cols) * sizeof(float));
}

void give_scratch(struct layer_test *t)
{
    t->p.scratch_step = (t->mode->scratch_size(&t->p) + 63) / 64 * 64;
    t->p.scratch = arena_alloc(&t->arena, parallel_threads() * t->p.scratch_step);
    memset(t->p.scratch, 0x5a, parallel_threads() * t->p.scratch_step);
}

void begin_shape(struct layer_test *t, struct settings settings, struct geometry shape, bool dense, size_t samples,
                 float bits_w, float bits_a, bool positive)
{
    size_t inputs = samples * in_positions(&shape), m = samples * out_positions(&shape), n = shape.out_c,
           k = kernel_inputs(&shape);
    *t = (struct layer_test){.settings = settings, .shape = shape};
    t->mode = setting_plug(&t->settings, "mode");
    t->x_range = (struct range){.kind = TENSOR_ACTIVATION, .bits = bits_a, .elements = in_positions(&shape) * shape.in_c};
    t->w_range = (struct range){.kind = TENSOR_WEIGHT, .bits = bits_w, .elements = n * k};
    t->g_range = (struct range){.kind = TENSOR_GRADIENT};
    if (setting_has(&t->settings, "grad_bits"))
        t->g_range.bits = (float)setting_int(&t->settings, "grad_bits");
    t->x = matrix(t, inputs, shape.in_c), t->w = matrix(t, n, k), t->g = matrix(t, m, n);
    t->bias = arena_alloc(&t->arena, n * sizeof(float));
    fill(t->x, inputs, shape.in_c, 1, positive);
    fill(t->w, n, k, 2, false);
    fill(t->g, m, n, 3, false);
    for (size_t j = 0; j < n; j++)
        t->bias[j] = (float)j / 4;
    t->p = (struct product){
        .shape = &t->shape, .dense = dense, .samples = samples, .samples_max = samples, .m = m, .n = n, .k = k,
        .x = t->x, .w = t->w, .bias = t->bias, .g = t->g,
        .y = matrix(t, m, n), .dx = matrix(t, inputs, shape.in_c), .dw = matrix(t, n, k),
        .x_range = &t->x_range, .w_range = &t->w_range, .g_range = &t->g_range, .observing = true, .seed = 1,
        .settings = &t->settings,
        .quantiser = t->mode->quantiser ? t->mode->quantiser
                                        : (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, "max"),
    };
    t->p.state = t->mode->prepare(&t->settings, &t->p, &t->arena);
    give_scratch(t);
}

void begin(struct layer_test *t, struct settings settings, size_t m, size_t n, size_t k, float bits_w, float bits_a,
           bool positive)
{
    struct geometry shape =
        {.in_h = 1, .in_w = 1, .in_c = k, .out_h = 1, .out_w = 1, .out_c = n, .kernel_h = 1, .kernel_w = 1, .stride = 1};
    begin_shape(t, settings, shape, true, m, bits_w, bits_a, positive);
}

void end(struct layer_test *t)
{
    arena_free(&t->arena);
    settings_free(&t->settings);
}

float padding_of(const float *x, size_t rows, size_t cols)
{
    float largest = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = cols; j < row_stride(cols); j++)
            largest = fmaxf(largest, fabsf(x[i * row_stride(cols) + j]));
    return largest;
}

struct naive naive_quantise(const float *x, size_t rows, size_t cols, size_t stride, double bits, float quantile,
                            bool always_signed)
{
    struct naive n = {.q = xmalloc(rows * cols * sizeof(double)), .is_signed = always_signed};
    float largest = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            largest = fmaxf(largest, fabsf(x[i * stride + j]));
            n.is_signed |= x[i * stride + j] < 0;
        }
    float qmax = (float)(n.is_signed ? pow(2, bits - 1) - 1 : pow(2, bits) - 1);
    float scale = quantile * largest / qmax;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            double v = nearbyintf(x[i * stride + j] / scale);
            n.q[i * cols + j] = fmin(fmax(v, n.is_signed ? -qmax : 0), qmax);
        }
    n.scale = scale;
    return n;
}

double naive_limit(double sum, int bits, bool wrap)
{
    double top = pow(2, bits - 1);
    if (wrap)
        return sum - 2 * top * floor((sum + top) / (2 * top));
    return fmin(fmax(sum, -(top - 1)), top - 1);
}

double *naive_transform(const double *x, size_t rows, size_t cols, size_t block)
{
    double *out = xcalloc(rows * cols, sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < block; j++) {
            size_t from = i / block * block + j;
            double sign = __builtin_popcountll((i % block) & j) % 2 ? -1 : 1;
            for (size_t c = 0; c < cols; c++)
                out[i * cols + c] += sign * x[from * cols + c];
        }
    return out;
}
