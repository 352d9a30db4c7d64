/* SPDX-License-Identifier: GPL-3.0-or-later
 * The quantisers' inner loops in vectors; included by one file per instruction set after its lanes_*.h. */
#ifndef BITSWEEP_SIMD_QUANTISE_H
#define BITSWEEP_SIMD_QUANTISE_H
#include "isa.h"
#include <math.h>
#include <string.h>

/* As integers, the magnitudes of floats have the floats' order, and NaN is above infinity. */
static float max_abs(const float *x, size_t n, bool *negative)
{
    enum { WAYS = 4 };
    ints magnitude = ints_set(INT32_MAX), largest[WAYS];
    bool below = false;
    for (int w = 0; w < WAYS; w++)
        largest[w] = ints_set(0);
    size_t i = 0;
    for (; i + WAYS * LANES <= n; i += WAYS * LANES)
        for (int w = 0; w < WAYS; w++) {
            reals v = reals_load(x + i + w * LANES);
            largest[w] = ints_max(largest[w], ints_and(reals_bits(v), magnitude));
            below |= reals_any_below_zero(v);
        }
    for (; i < n; i += LANES) {
        reals v = reals_load_some(x + i, n - i < LANES ? n - i : LANES);
        largest[0] = ints_max(largest[0], ints_and(reals_bits(v), magnitude));
        below |= reals_any_below_zero(v);
    }
    float lanes[LANES], result = 0;
    for (int w = 1; w < WAYS; w++)
        largest[0] = ints_max(largest[0], largest[w]);
    ints_store(lanes, largest[0]);
    for (int lane = 0; lane < LANES; lane++)
        result = isnan(lanes[lane]) || lanes[lane] > result ? lanes[lane] : result;
    *negative = below;
    return isnan(result) ? NAN : result;
}

static void quantise_nearest(const float *x, size_t n, float scale, int lo, int hi, void *q)
{
    reals divisor = reals_set(scale), low = reals_set((float)lo), high = reals_set((float)hi);
    uint8_t *codes = q, last[LANES];
    for (size_t i = 0; i < n; i += LANES) {
        bool whole = n - i >= LANES;
        reals v = whole ? reals_load(x + i) : reals_load_some(x + i, n - i);
        v = reals_zero_nan(reals_divide(v, divisor));
        ints_store_bytes(whole ? codes + i : last, reals_round(reals_clamp(v, low, high)));
        if (!whole)
            memcpy(codes + i, last, n - i);
    }
}

/* rounding_hash of LANES counters. */
INLINE ints hash_lanes(ints counter, uint64_t key)
{
    ints h = ints_add(counter, ints_set((int32_t)(uint32_t)key));
    h = ints_xor(h, ints_shift_right(h, 16));
    h = ints_multiply(h, ints_set(0x21f0aaad));
    h = ints_xor(h, ints_shift_right(h, 15));
    h = ints_add(h, ints_set((int32_t)(uint32_t)(key >> 32)));
    h = ints_multiply(h, ints_set(0x735a2d97));
    return ints_xor(h, ints_shift_right(h, 15));
}

struct stochastic { reals inverse, low, high; ints highest; uint64_t key; };

/* LANES elements, rounded up where the 16 bits of `random` are large. */
INLINE void round_lanes(const struct stochastic *s, const float *x, ints random, uint8_t *q)
{
    reals u =
        reals_exact_multiply_add(ints_to_reals(random), reals_set(1.0f / 65536), reals_set(0.5f / 65536));
    reals v = reals_zero_nan(reals_multiply(reals_load(x), s->inverse));
    v = reals_add(reals_clamp(v, s->low, s->high), u);
    ints_store_bytes(q, ints_min(reals_floor(v), s->highest));
}

/* The 32 elements from 32 * block on, which share 16 hashes. */
INLINE void round_block(const struct stochastic *s, const float *x, uint64_t block, uint8_t *q)
{
    for (int i = 0; i < 16; i += LANES) {
        ints counter = ints_add(ints_count_up(), ints_set((int32_t)((uint32_t)block * 16 + (uint32_t)i)));
        ints h = hash_lanes(counter, s->key);
        round_lanes(s, x + i, ints_and(h, ints_set(0xffff)), q + i);
        round_lanes(s, x + i + 16, ints_shift_right(h, 16), q + i + 16);
    }
}

static void quantise_stochastic(const float *x, size_t n, float scale, int lo, int hi,
                                uint64_t key, uint64_t first, int8_t *q)
{
    const struct stochastic s = {
        .inverse = reals_set(1 / scale), .low = reals_set((float)lo), .high = reals_set((float)hi),
        .highest = ints_set(hi), .key = key,
    };
    uint8_t *codes = (uint8_t *)q;
    size_t i = 0;
    while (i < n) {
        size_t skipped = (first + i) % 32, count = 32 - skipped < n - i ? 32 - skipped : n - i;
        if (count == 32) {
            round_block(&s, x + i, (first + i) / 32, codes + i);
        } else {
            float part[32] = {0};
            uint8_t rounded[32];
            memcpy(part + skipped, x + i, count * sizeof *x);
            round_block(&s, part, (first + i) / 32, rounded);
            memcpy(codes + i, rounded + skipped, count);
        }
        i += count;
    }
}

static void learned_range(const float *x, float *grad, size_t n, float scale, int lo, int hi,
                          struct learned_range_sums *sums)
{
    enum { VECTORS = RANGE_LANES / LANES };
    reals divisor = reals_set(scale), low = reals_set((float)lo), high = reals_set((float)hi);
    *sums = (struct learned_range_sums){0};
    for (size_t start = 0; start < n; start += RANGE_CHUNK) {
        size_t end = n - start < RANGE_CHUNK ? n : start + RANGE_CHUNK;
        reals inside[VECTORS], above[VECTORS], below[VECTORS];
        for (int k = 0; k < VECTORS; k++)
            inside[k] = above[k] = below[k] = reals_set(0);
        for (size_t i = start; i < end; i += RANGE_LANES)
            for (int k = 0; k < VECTORS; k++) {
                reals v = reals_divide(reals_load(x + i + k * LANES), divisor);
                reals g = reals_load(grad + i + k * LANES), kept = reals_inside(g, v, low, high);
                reals error = reals_subtract(ints_to_reals(reals_round(reals_clamp(v, low, high))), v);
                above[k] = reals_add(above[k], reals_from(g, v, high));
                below[k] = reals_add(below[k], reals_up_to(g, v, low));
                inside[k] = reals_add(inside[k], reals_inside(reals_multiply(kept, error), v, low, high));
                reals_store(grad + i + k * LANES, kept);
            }
        float lanes[3][RANGE_LANES];
        for (int k = 0; k < VECTORS; k++) {
            reals_store(lanes[0] + k * LANES, inside[k]);
            reals_store(lanes[1] + k * LANES, above[k]);
            reals_store(lanes[2] + k * LANES, below[k]);
        }
        sums->inside = add_range_lanes(lanes[0], sums->inside);
        sums->above = add_range_lanes(lanes[1], sums->above);
        sums->below = add_range_lanes(lanes[2], sums->below);
    }
}

static void dequantise(const void *q, bool is_unsigned, size_t n, float scale, float *x)
{
    const uint8_t *codes = q;
    reals factor = reals_set(scale);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        reals_store(x + i, reals_multiply(ints_to_reals(ints_load_bytes(codes + i, is_unsigned)), factor));
    if (i < n) {
        uint8_t last[LANES] = {0};
        memcpy(last, codes + i, n - i);
        reals_store_some(x + i, n - i,
                         reals_multiply(ints_to_reals(ints_load_bytes(last, is_unsigned)), factor));
    }
}
#endif
