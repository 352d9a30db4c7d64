/* SPDX-License-Identifier: GPL-3.0-or-later
 * Vectors of 8 lanes, AVX2: what the simd_*.h algorithms are written in.
 * A unit of an integer product's operand is 4 consecutive k, here in two parts: k 0 and 2, and k 1 and 3, widened to
 * 16 bits in one 32-bit lane each. vpmaddwd on those is exact and as fast as vpmaddubsw on bytes, whose 16-bit pair sums
 * saturate.
 */
#ifndef BITSWEEP_LANES_H
#define BITSWEEP_LANES_H
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
enum {
    LANES = 8,
    PARTS = 2,         /* vectors that hold the units of LANES rows */
    WIDE_ROWS = 4,     /* rows of a register tile that is two vectors wide */
    NARROW_ROWS = 8,   /* of one that is one vector wide */
    LIMITED_WIDE_ROWS = 2, LIMITED_NARROW_ROWS = 4, /* with limits, which need a second set of registers */
    OFFSETS = false    /* widened operands need no offset, whatever their signs */
};
typedef __m256 reals;
typedef __m256i ints;

/* ---- float lanes ---- */
INLINE __m256i first_lanes(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE reals reals_set(float x) { return _mm256_set1_ps(x); }
INLINE reals reals_load(const float *x) { return _mm256_loadu_ps(x); }
INLINE void reals_store(float *x, reals v) { _mm256_storeu_ps(x, v); }
/* The first `count` (up to LANES) lanes; the others are 0 or left alone. */
INLINE reals reals_load_some(const float *x, size_t count)
{
    return _mm256_maskload_ps(x, first_lanes(count));
}
INLINE void reals_store_some(float *x, size_t count, reals v)
{
    _mm256_maskstore_ps(x, first_lanes(count), v);
}
INLINE reals reals_add(reals a, reals b) { return _mm256_add_ps(a, b); }
INLINE reals reals_subtract(reals a, reals b) { return _mm256_sub_ps(a, b); }
INLINE reals reals_multiply(reals a, reals b) { return _mm256_mul_ps(a, b); }
/* a * b + c where both results are exact, so that fusing them changes nothing. */
INLINE reals reals_exact_multiply_add(reals a, reals b, reals c)
{
    return _mm256_add_ps(_mm256_mul_ps(a, b), c);
}
INLINE reals reals_fused_multiply_add(reals a, reals b, reals c) { return _mm256_fmadd_ps(a, b, c); }
INLINE reals reals_divide(reals a, reals b) { return _mm256_div_ps(a, b); }
INLINE reals reals_clamp(reals v, reals lo, reals hi) { return _mm256_min_ps(_mm256_max_ps(v, lo), hi); }
/* v where the bound is NaN, too. */
INLINE reals reals_at_least(reals bound, reals v) { return _mm256_max_ps(bound, v); }
INLINE reals reals_at_most(reals bound, reals v) { return _mm256_min_ps(bound, v); }
/* A bit a lane: low < v, and not v >= high. */
INLINE unsigned reals_within(reals v, reals low, reals high)
{
    return (unsigned)_mm256_movemask_ps(
        _mm256_and_ps(_mm256_cmp_ps(v, low, _CMP_GT_OQ), _mm256_cmp_ps(v, high, _CMP_NGE_UQ)));
}
/* 0 in the lanes whose bit is 0. */
INLINE reals reals_keep(reals v, unsigned bits)
{
    __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i kept = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), bit), bit);
    return _mm256_and_ps(v, _mm256_castsi256_ps(kept));
}
/* v where low < at < high, at >= high, at <= low; elsewhere, and where `at` is NaN, 0. */
INLINE reals reals_inside(reals v, reals at, reals low, reals high)
{
    return _mm256_and_ps(v, _mm256_and_ps(_mm256_cmp_ps(at, low, _CMP_GT_OQ), _mm256_cmp_ps(at, high, _CMP_LT_OQ)));
}
INLINE reals reals_from(reals v, reals at, reals high)
{
    return _mm256_and_ps(v, _mm256_cmp_ps(at, high, _CMP_GE_OQ));
}
INLINE reals reals_up_to(reals v, reals at, reals low)
{
    return _mm256_and_ps(v, _mm256_cmp_ps(at, low, _CMP_LE_OQ));
}
INLINE ints reals_round(reals v) { return _mm256_cvtps_epi32(v); } /* half to even */
INLINE ints reals_floor(reals v) { return _mm256_cvtps_epi32(_mm256_floor_ps(v)); }
INLINE ints reals_bits(reals v) { return _mm256_castps_si256(v); }
INLINE bool reals_any_below_zero(reals v)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ)) != 0;
}

/* ---- 32-bit lanes ---- */
INLINE ints ints_set(int32_t x) { return _mm256_set1_epi32(x); }
INLINE ints ints_count_up(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
INLINE ints ints_load(const void *x) { return _mm256_loadu_si256((const __m256i *)x); }
INLINE void ints_store(void *x, ints v) { _mm256_storeu_si256((__m256i *)x, v); }
INLINE void ints_store_some(int32_t *x, size_t count, ints v)
{
    _mm256_maskstore_epi32(x, first_lanes(count), v);
}
INLINE ints ints_add(ints a, ints b) { return _mm256_add_epi32(a, b); }
INLINE ints ints_multiply(ints a, ints b) { return _mm256_mullo_epi32(a, b); }
INLINE ints ints_min(ints a, ints b) { return _mm256_min_epi32(a, b); }
INLINE ints ints_max(ints a, ints b) { return _mm256_max_epi32(a, b); }
INLINE ints ints_and(ints a, ints b) { return _mm256_and_si256(a, b); }
INLINE ints ints_xor(ints a, ints b) { return _mm256_xor_si256(a, b); }
#define ints_shift_left(v, count) _mm256_slli_epi32(v, count)
#define ints_shift_right(v, count) _mm256_srli_epi32(v, count) /* zeros come in */
/* Keeps the low 32 - shift bits of each lane, sign-extended. */
INLINE ints ints_wrap(ints v, ints shift) { return _mm256_srav_epi32(_mm256_sllv_epi32(v, shift), shift); }
INLINE unsigned ints_differ(ints a, ints b)
{
    int equal = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)));
    return (unsigned)(LANES - __builtin_popcount((unsigned)equal));
}
INLINE reals ints_to_reals(ints v) { return _mm256_cvtepi32_ps(v); }
INLINE void ints_store_bytes(uint8_t *x, ints v)
{
    v = _mm256_and_si256(v, _mm256_set1_epi32(0xff));
    __m128i shorts = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)x, _mm_packus_epi16(shorts, shorts));
}
INLINE ints ints_load_bytes(const uint8_t *x, bool is_unsigned)
{
    __m128i bytes = _mm_loadl_epi64((const __m128i *)x);
    return is_unsigned ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes);
}
INLINE ints ints_load_shorts(const int16_t *x)
{
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)x));
}
/* Products of lanes that hold 16-bit values, the upper half of every lane of b being 0. */
INLINE ints ints_multiply_shorts(ints a, ints b) { return _mm256_madd_epi16(a, b); }

/* ---- Hadamard: lane i becomes v[i ^ half] + v[i], or v[i ^ half] - v[i] where i has the bit `half` ---- */
/* Adding a number with its sign flipped rounds as the subtraction does. */
INLINE reals negate_lanes(reals v, int lanes)
{
    __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i chosen = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(lanes), bit), bit);
    return _mm256_xor_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(chosen, 31)));
}
INLINE reals butterfly_1(reals v) { return _mm256_add_ps(_mm256_permute_ps(v, 0xb1), negate_lanes(v, 0xaa)); }
INLINE reals butterfly_2(reals v) { return _mm256_add_ps(_mm256_permute_ps(v, 0x4e), negate_lanes(v, 0xcc)); }
INLINE reals butterfly_4(reals v)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(v, v, 1), negate_lanes(v, 0xf0));
}
INLINE reals butterfly_8(reals v) { return v; } /* wider than a vector: never asked for */

/* ---- integer products ---- */
/* acc plus the products of one part of every unit of a and b. */
INLINE ints dot(ints acc, ints a, ints b, bool a_is_unsigned)
{
    (void)a_is_unsigned;
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
}
/* Stops gcc from copying the sums of an unrolled loop from register to register. */
INLINE ints in_place(ints v)
{
    __asm__("" : "+x"(v));
    return v;
}
INLINE ints part_of_ones(void) { return _mm256_set1_epi16(1); }
INLINE ints unit_part(ints bytes, int part, bool is_unsigned)
{
    if (part == 0)
        return is_unsigned ? _mm256_and_si256(bytes, _mm256_set1_epi16(0xff))
                           : _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
    return is_unsigned ? _mm256_srli_epi16(bytes, 8) : _mm256_srai_epi16(bytes, 8);
}
/* The code at k % 4 of every unit, as 32 bits, from its parts. */
INLINE ints unit_code(const ints *parts, size_t k, bool is_unsigned)
{
    (void)is_unsigned;
    ints top = k % 4 < 2 ? _mm256_slli_epi32(parts[k % 2], 16) : parts[k % 2];
    return _mm256_srai_epi32(top, 16);
}

/* One unit of LANES rows: rows[k] holds LANES bytes of one k. */
INLINE ints units_interleave(const uint8_t *const rows[4])
{
    __m128i a = _mm_loadl_epi64((const __m128i *)rows[0]), b = _mm_loadl_epi64((const __m128i *)rows[1]);
    __m128i c = _mm_loadl_epi64((const __m128i *)rows[2]), d = _mm_loadl_epi64((const __m128i *)rows[3]);
    __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    return _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd));
}

/* The first `count` (up to 2 * LANES) bytes as 16 bits, zeros behind them. */
INLINE ints shorts_load(const uint8_t *x, size_t count, bool is_unsigned)
{
    uint8_t padded[2 * LANES] = {0};
    if (count < 2 * LANES) {
        for (size_t i = 0; i < count; i++)
            padded[i] = x[i];
        x = padded;
    }
    __m128i bytes = _mm_loadu_si128((const __m128i *)x);
    return is_unsigned ? _mm256_cvtepu8_epi16(bytes) : _mm256_cvtepi8_epi16(bytes);
}
/* The pairs (a[i], b[i]) of 16 bits; and 32-bit lanes in that order brought back into the order of i. */
INLINE void shorts_interleave(ints a, ints b, ints pairs[2])
{
    pairs[0] = _mm256_unpacklo_epi16(a, b);
    pairs[1] = _mm256_unpackhi_epi16(a, b);
}
INLINE void ints_deinterleave(ints v[2])
{
    ints low = _mm256_permute2x128_si256(v[0], v[1], 0x20);
    v[1] = _mm256_permute2x128_si256(v[0], v[1], 0x31);
    v[0] = low;
}
INLINE ints dot_shorts(ints acc, ints a, ints b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }

/* The LANES × LANES matrix of 32-bit lanes, transposed. */
INLINE void ints_transpose(ints r[LANES])
{
    ints pairs[LANES], fours[LANES];
    for (int i = 0; i < LANES; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}
#endif
