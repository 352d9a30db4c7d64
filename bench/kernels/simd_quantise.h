/* SPDX-License-Identifier: GPL-3.0-or-later
 * The quantisers' inner loops in vectors; included by one file per instruction set after its words_*.h. */
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

/* Lets NaN pass, which the conversion to integers then turns into a number whose low byte is 0. */
INLINE reals clamp_but_nan(reals v, reals low, reals high) { return reals_at_most(high, reals_at_least(low, v)); }

struct nearest { reals divisor, low, high; };

INLINE void nearest_lanes(const struct nearest *to, reals x, uint8_t *q)
{
    ints_store_bytes(q, reals_round(clamp_but_nan(reals_divide(x, to->divisor), to->low, to->high)));
}

static void quantise_nearest(const float *x, size_t n, float scale, int lo, int hi, void *q)
{
    const struct nearest to = {reals_set(scale), reals_set((float)lo), reals_set((float)hi)};
    uint8_t *codes = q, last[LANES];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        nearest_lanes(&to, reals_load(x + i), codes + i);
    if (i < n) {
        nearest_lanes(&to, reals_load_some(x + i, n - i), last);
        memcpy(codes + i, last, n - i);
    }
}

static void quantise_nearest_shorts(const int16_t *x, size_t n, float scale, int lo, int hi, int8_t *q)
{
    const struct nearest to = {reals_set(scale), reals_set((float)lo), reals_set((float)hi)};
    uint8_t *codes = (uint8_t *)q, last[LANES];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        nearest_lanes(&to, ints_to_reals(ints_load_shorts(x + i)), codes + i);
    if (i < n) {
        int16_t rest[LANES] = {0};
        memcpy(rest, x + i, (n - i) * sizeof *x);
        nearest_lanes(&to, ints_to_reals(ints_load_shorts(rest)), last);
        memcpy(codes + i, last, n - i);
    }
}

/* ---- with random draws ---- */

enum { BLOCKS = 4 }; /* at once */

/* rounding_hash of count * LANES counters from `first` on, in step, since one alone is a long chain of operations. */
INLINE void hash_lanes(uint32_t first, uint64_t key, const int count, ints *h)
{
    ints start = ints_set((int32_t)(first + (uint32_t)key));
    for (int i = 0; i < count; i++)
        h[i] = ints_add(start, ints_add(ints_count_up(), ints_set(i * LANES)));
    for (int i = 0; i < count; i++)
        h[i] = ints_xor(h[i], ints_shift_right(h[i], 16));
    for (int i = 0; i < count; i++)
        h[i] = ints_multiply(h[i], ints_set(0x21f0aaad));
    for (int i = 0; i < count; i++)
        h[i] = ints_xor(h[i], ints_shift_right(h[i], 15));
    for (int i = 0; i < count; i++)
        h[i] = ints_add(h[i], ints_set((int32_t)(uint32_t)(key >> 32)));
    for (int i = 0; i < count; i++)
        h[i] = ints_multiply(h[i], ints_set(0x735a2d97));
    for (int i = 0; i < count; i++)
        h[i] = ints_xor(h[i], ints_shift_right(h[i], 15));
}

struct rounding {
    reals factor, low, high;
    ints highest;
    __m128i lowest_byte, highest_byte;
    uint64_t key;
};

/* LANES elements at x with their draws u. */
typedef void round_lanes(const struct rounding *r, const void *x, reals u, uint8_t *q);

INLINE void round_reals(const struct rounding *r, const void *x, reals u, uint8_t *q)
{
    reals v = clamp_but_nan(reals_multiply(reals_load(x), r->factor), r->low, r->high);
    ints_store_bytes(q, ints_min(reals_floor(reals_add(v, u)), r->highest));
}

/* With factors up to this, products are in the range of 32 bits, so that clamping can wait until they are bytes; larger
 * factors would give the same codes. */
enum { LARGEST_SHORT_FACTOR = 60000 };

INLINE void round_shorts(const struct rounding *r, const void *x, reals u, uint8_t *q)
{
    reals v = reals_multiply(ints_to_reals(ints_load_shorts(x)), r->factor);
    ints_store_clamped(q, reals_floor(reals_add(v, u)), r->lowest_byte, r->highest_byte);
}

/* Between the powers of two p and 2p, the definition's 4v/3 reaches 2p where v reaches 1.5p. */
INLINE void round_to_powers(const struct rounding *r, const void *x, reals u, uint8_t *q)
{
    reals one = reals_set(1), given = reals_load(x);
    ints sign = ints_and(reals_bits(given), ints_set(INT32_MIN));
    reals magnitude = reals_of_bits(ints_xor(reals_bits(given), sign));
    reals a = reals_divide(magnitude, r->factor);
    reals p = reals_of_bits(ints_and(reals_bits(a), ints_set(0x7f800000)));
    reals v = reals_exact_multiply_add(reals_subtract(u, reals_set(0.5f)), p, a);
    reals power = reals_add(p, reals_from(p, v, reals_multiply(p, reals_set(1.5f))));
    reals code = reals_add(reals_from(power, a, one), reals_inside(one, a, u, one));
    code = reals_at_most(r->high, code);
    ints_store_bytes(q, reals_round(reals_of_bits(ints_xor(reals_bits(code), sign))));
}

/* Blocks of 32 elements, `size` bytes each, that share 16 hashes. */
INLINE void round_blocks(const struct rounding *r, round_lanes *round, const char *x, size_t size, uint64_t block,
                         const int blocks, uint8_t *q)
{
    ints hash[BLOCKS * 16 / LANES];
    hash_lanes((uint32_t)block * 16, r->key, blocks * 16 / LANES, hash);
    for (int i = 0; i < blocks * 16 / LANES; i++) {
        int at = i * LANES % 16 + i * LANES / 16 * 32;
        round(r, x + (size_t)at * size, draws_low(hash[i]), q + at);
        round(r, x + (size_t)(at + 16) * size, draws_high(hash[i]), q + at + 16);
    }
}

INLINE void round_all(const struct rounding *r, round_lanes *round, const void *x, size_t size, size_t n, uint64_t first,
                      int8_t *q)
{
    const char *elements = x;
    uint8_t *codes = (uint8_t *)q;
    for (size_t i = 0; i < n;) {
        size_t skipped = (first + i) % 32, rest = n - i, count = 32 - skipped < rest ? 32 - skipped : rest;
        uint64_t block = (first + i) / 32;
        if (skipped == 0 && rest >= 32 * BLOCKS) {
            count = 32 * BLOCKS;
            round_blocks(r, round, elements + i * size, size, block, BLOCKS, codes + i);
        } else if (count == 32) {
            round_blocks(r, round, elements + i * size, size, block, 1, codes + i);
        } else {
            char part[32 * sizeof(float)] = {0};
            uint8_t rounded[32];
            memcpy(part + skipped * size, elements + i * size, count * size);
            round_blocks(r, round, part, size, block, 1, rounded);
            memcpy(codes + i, rounded + skipped, count);
        }
        i += count;
    }
}

static void quantise_stochastic(const float *x, size_t n, float scale, int lo, int hi,
                                uint64_t key, uint64_t first, int8_t *q)
{
    const struct rounding r = {
        .factor = reals_set(1 / scale), .low = reals_set((float)lo), .high = reals_set((float)hi),
        .highest = ints_set(hi), .key = key,
    };
    round_all(&r, round_reals, x, sizeof *x, n, first, q);
}

static void quantise_stochastic_shorts(const int16_t *x, size_t n, float scale, int lo, int hi, uint64_t key,
                                       uint64_t first, int8_t *q)
{
    float factor = isnan(scale) ? 0 : 1 / scale;
    factor = fminf(fmaxf(factor, -LARGEST_SHORT_FACTOR), LARGEST_SHORT_FACTOR);
    const struct rounding r = {
        .factor = reals_set(factor), .lowest_byte = _mm_set1_epi8((char)lo), .highest_byte = _mm_set1_epi8((char)hi),
        .key = key,
    };
    round_all(&r, round_shorts, x, sizeof *x, n, first, q);
}

static void quantise_logarithmic(const float *x, size_t n, float alpha, int levels, uint64_t key, uint64_t first, int8_t *q)
{
    const struct rounding r = {
        .factor = reals_set(alpha), .high = reals_set((float)(1 << (levels - 1))), .key = key,
    };
    round_all(&r, round_to_powers, x, sizeof *x, n, first, q);
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
