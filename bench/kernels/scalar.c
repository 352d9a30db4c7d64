/* SPDX-License-Identifier: GPL-3.0-or-later
 * The reference: what kernels.h says, element by element, in plain C. */
#include "isa.h"
#include <math.h>

static int32_t element(const struct int_matrix *x, size_t i, size_t k)
{
    size_t at = i * x->row + k * x->col;
    return x->is_unsigned ? ((const uint8_t *)x->data)[at] : ((const int8_t *)x->data)[at];
}

/* One partial sum brought into the accumulator's range. */
static int32_t limit(const struct int_product *p, int32_t sum, uint64_t *limited)
{
    if (p->acc.bits >= 32)
        return sum;
    int32_t hi = (int32_t)((1u << (p->acc.bits - 1)) - 1), kept;
    if (p->acc.overflow == ACC_SATURATE) {
        kept = sum > hi ? hi : sum < -hi ? -hi : sum;
    } else {
        uint32_t low = (uint32_t)sum & ((uint32_t)hi * 2 + 1);
        kept = low > (uint32_t)hi ? (int32_t)low - hi - hi - 2 : (int32_t)low;
    }
    *limited += kept != sum;
    return kept;
}

static int32_t product_element(const struct int_product *p, size_t i, size_t j, uint64_t *limited)
{
    size_t tile = p->acc.tile > 0 ? (size_t)p->acc.tile : p->k;
    bool each = p->acc.at == ACC_AT_ADD;
    int32_t total = 0;
    for (size_t first = 0; first < p->k; first += tile) {
        size_t end = tile < p->k - first ? first + tile : p->k;
        int32_t sum = 0;
        for (size_t k = first; k < end; k++) {
            sum += element(&p->a, i, k) * element(&p->b, j, k);
            if (each)
                sum = limit(p, sum, limited);
        }
        total += each ? sum : limit(p, sum, limited);
    }
    return total;
}

static void int_product(const struct int_product *p)
{
    product_check(p);
    uint64_t limited = 0;
    for (size_t i = 0; i < p->m; i++) {
        float row_scale = p->row_scale ? p->row_scale[i] : 1;
        for (size_t j = 0; j < p->n; j++) {
            int32_t sum = product_element(p, i, j, &limited);
            if (p->sums)
                p->sums[i * p->ld + j] = sum;
            else
                p->out[i * p->ld + j] = (float)sum * p->scale * row_scale + (p->bias ? p->bias[j] : 0);
        }
    }
    if (p->saturated)
        *p->saturated += limited;
}

static size_t int_product_workspace(size_t m, size_t n, size_t k)
{
    (void)m, (void)n, (void)k;
    return 0;
}

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

static void quantise_nearest(const float *x, size_t n, float scale, int lo, int hi, void *q)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] / scale;
        ((uint8_t *)q)[i] = (uint8_t)(isnan(v) ? 0 : lrintf(clamp(v, (float)lo, (float)hi)));
    }
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

static void quantise_stochastic(const float *x, size_t n, float scale, int lo, int hi,
                                uint64_t key, uint64_t first, int8_t *q)
{
    float inverse = 1 / scale;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * inverse;
        v = clamp(isnan(v) ? 0 : v, (float)lo, (float)hi);
        q[i] = (int8_t)(int)clamp(floorf(v + rounding_draw(key, first + i)), (float)lo, (float)hi);
    }
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

const struct kernels kernels_scalar = {
    .isa = "scalar",
    .int_product = int_product,
    .int_product_workspace = int_product_workspace,
    .max_abs = max_abs,
    .quantise_nearest = quantise_nearest,
    .quantise_stochastic = quantise_stochastic,
    .dequantise = dequantise,
    .learned_range = learned_range,
    .hadamard_rows = hadamard_rows,
    .hadamard_columns = hadamard_columns,
};
