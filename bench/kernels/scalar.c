/* SPDX-License-Identifier: GPL-3.0-or-later
 * The reference: what kernels.h says, element by element, in plain C. */
#include "nibbles.h"
#include <math.h>
#include <stdlib.h>

static float max_abs(const float *x, size_t n, bool *negative)
{
    float largest = 0;
    *negative = false;
    for (size_t i = 0; i < n; i++) {
        if (x[i] < 0)
            *negative = true;
        if (isnan(x[i]))
            largest = NAN;
        else if (fabsf(x[i]) > largest)
            largest = fabsf(x[i]);
    }
    return largest;
}

static float clamp(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

static long nearest_code(float x, float scale, int lo, int hi)
{
    float v = x / scale;
    return isnan(v) ? 0 : lrintf(clamp(v, (float)lo, (float)hi));
}

static void quantise_nearest(const float *x, size_t n, float scale, int lo, int hi, void *q)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)q)[i] = (uint8_t)nearest_code(x[i], scale, lo, hi);
}

static void learned_range(const float *x, float *grad, size_t n, float scale, int lo, int hi,
                          struct learned_range_sums *sums)
{
    *sums = (struct learned_range_sums){0};
    for (size_t start = 0; start < n; start += RANGE_CHUNK) {
        float inside[RANGE_LANES] = {0}, above[RANGE_LANES] = {0}, below[RANGE_LANES] = {0};
        for (size_t i = start; i < n && i < start + RANGE_CHUNK; i++) {
            float v = x[i] / scale;
            above[i % RANGE_LANES] += v >= (float)hi ? grad[i] : 0;
            below[i % RANGE_LANES] += v <= (float)lo ? grad[i] : 0;
            grad[i] = v > (float)lo && v < (float)hi ? grad[i] : 0;
            inside[i % RANGE_LANES] += grad[i] != 0 ? grad[i] * (rintf(v) - v) : 0;
        }
        sums->inside = add_range_lanes(inside, sums->inside);
        sums->above = add_range_lanes(above, sums->above);
        sums->below = add_range_lanes(below, sums->below);
    }
}

static int8_t stochastic_code(float x, float inverse, int lo, int hi, float u)
{
    float v = x * inverse;
    v = clamp(isnan(v) ? 0 : v, (float)lo, (float)hi);
    return (int8_t)(int)clamp(floorf(v + u), (float)lo, (float)hi);
}

static void quantise_stochastic(const float *x, size_t n, float scale, int lo, int hi,
                                uint64_t key, uint64_t first, int8_t *q)
{
    float inverse = 1 / scale;
    for (size_t i = 0; i < n; i++)
        q[i] = stochastic_code(x[i], inverse, lo, hi, rounding_draw(key, first + i));
}

static void dequantise(const void *q, bool is_unsigned, size_t n, float scale, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(is_unsigned ? ((const uint8_t *)q)[i] : ((const int8_t *)q)[i]) * scale;
}

/* One run of `block` elements, `step` apart. */
static void hadamard(float *x, size_t step, size_t block)
{
    for (size_t half = 1; half < block; half *= 2)
        for (size_t i = 0; i < block; i++)
            if (!(i & half)) {
                float a = x[i * step], b = x[(i + half) * step];
                x[i * step] = a + b;
                x[(i + half) * step] = a - b;
            }
}

static void hadamard_rows(float *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col += block)
            hadamard(x + row * stride + col, 1, block);
}

static void hadamard_columns(float *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    for (size_t row = 0; row < rows; row += block)
        for (size_t col = 0; col < cols; col++)
            hadamard(x + row * stride + col, stride, block);
}

/* As above; the caller has seen to it that no sum leaves 16 bits. */
static void hadamard_short_run(int16_t *x, size_t block)
{
    for (size_t half = 1; half < block; half *= 2)
        for (size_t i = 0; i < block; i++)
            if (!(i & half)) {
                int a = x[i], b = x[i + half];
                x[i] = (int16_t)(a + b);
                x[i + half] = (int16_t)(a - b);
            }
}

static void hadamard_shorts(int16_t *x, size_t rows, size_t cols, size_t stride, size_t block)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col += block)
            hadamard_short_run(x + row * stride + col, block);
}

static void widen(const void *q, bool is_unsigned, size_t rows, size_t cols, size_t stride, int16_t *out,
                  size_t out_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            size_t at = i * stride + j;
            out[i * out_stride + j] = is_unsigned ? ((const uint8_t *)q)[at] : ((const int8_t *)q)[at];
        }
}

static int max_abs_shorts(const int16_t *x, size_t n)
{
    int largest = 0;
    for (size_t i = 0; i < n; i++)
        if (abs(x[i]) > largest)
            largest = abs(x[i]);
    return largest;
}

static void quantise_nearest_shorts(const int16_t *x, size_t n, float scale, int lo, int hi, int8_t *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)nearest_code((float)x[i], scale, lo, hi);
}

static void quantise_stochastic_shorts(const int16_t *x, size_t n, float scale, int lo, int hi, uint64_t key,
                                       uint64_t first, int8_t *q)
{
    float inverse = 1 / scale;
    for (size_t i = 0; i < n; i++)
        q[i] = stochastic_code((float)x[i], inverse, lo, hi, rounding_draw(key, first + i));
}

/* Of a = |x| / alpha, not above 2^(levels-1), beyond which all codes are that. */
static int logarithmic_code(float a, float u)
{
    if (a < 1)
        return u < a;
    float power = ldexpf(1, ilogbf(a)), v = a + (u - 0.5f) * power;
    return (int)fmaxf(power, ldexpf(1, ilogbf(4 * v / 3)));
}

static void quantise_logarithmic(const float *x, size_t n, float alpha, int levels, uint64_t key, uint64_t first, int8_t *q)
{
    int highest = 1 << (levels - 1);
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]) / alpha;
        int code = isnan(a) ? 0 : logarithmic_code(fminf(a, (float)highest), rounding_draw(key, first + i));
        code = code < highest ? code : highest;
        q[i] = (int8_t)(x[i] < 0 ? -code : code);
    }
}

const struct kernels kernels_scalar = {
    .isa = "scalar",
    .ints = &int_scalar,
    .floats = &float_scalar,
    .norms = &norm_scalar,
    .max_abs = max_abs,
    .quantise_nearest = quantise_nearest,
    .quantise_stochastic = quantise_stochastic,
    .dequantise = dequantise,
    .learned_range = learned_range,
    .hadamard_rows = hadamard_rows,
    .hadamard_columns = hadamard_columns,
    .hadamard_shorts = hadamard_shorts,
    .widen = widen,
    .pack_nibbles = pack_nibbles,
    .unpack_nibbles = unpack_nibbles,
    .max_abs_shorts = max_abs_shorts,
    .quantise_nearest_shorts = quantise_nearest_shorts,
    .quantise_stochastic_shorts = quantise_stochastic_shorts,
    .quantise_logarithmic = quantise_logarithmic,
};
