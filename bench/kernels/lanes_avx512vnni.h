/* SPDX-License-Identifier: GPL-3.0-or-later
 * Vectors of 16 lanes, AVX-512 with VNNI: what the simd_*.h algorithms are written in.
 * A unit of an integer product's operand is 4 consecutive k, one 32-bit lane of bytes.
 */
#ifndef BITSWEEP_LANES_H
#define BITSWEEP_LANES_H
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
enum {
    LANES = 16,
    PARTS = 1,         /* vectors that hold the units of LANES rows */
    WIDE_ROWS = 4,     /* rows of a register tile that is two vectors wide; enough to hide the latency of dot */
    NARROW_ROWS = 10,  /* of one that is one vector wide */
    LIMITED_WIDE_ROWS = 4, LIMITED_NARROW_ROWS = 10, /* with limits, which need a second set of registers */
    OFFSETS = true     /* operands of equal signedness need one of them offset by 128 */
};
typedef __m512 reals;
typedef __m512i ints;

/* ---- float lanes ---- */
INLINE reals reals_set(float x) { return _mm512_set1_ps(x); }
INLINE reals reals_load(const float *x) { return _mm512_loadu_ps(x); }
INLINE void reals_store(float *x, reals v) { _mm512_storeu_ps(x, v); }
/* The first `count` (up to LANES) lanes; the others are 0 or left alone. */
INLINE reals reals_load_some(const float *x, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), x);
}
INLINE void reals_store_some(float *x, size_t count, reals v)
{
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << count) - 1), v);
}
INLINE reals reals_add(reals a, reals b) { return _mm512_add_ps(a, b); }
INLINE reals reals_subtract(reals a, reals b) { return _mm512_sub_ps(a, b); }
INLINE reals reals_multiply(reals a, reals b) { return _mm512_mul_ps(a, b); }
/* a * b + c where both results are exact, so that fusing them changes nothing. */
INLINE reals reals_exact_multiply_add(reals a, reals b, reals c) { return _mm512_fmadd_ps(a, b, c); }
INLINE reals reals_fused_multiply_add(reals a, reals b, reals c) { return _mm512_fmadd_ps(a, b, c); }
INLINE reals reals_divide(reals a, reals b) { return _mm512_div_ps(a, b); }
INLINE reals reals_clamp(reals v, reals lo, reals hi) { return _mm512_min_ps(_mm512_max_ps(v, lo), hi); }
/* v where the bound is NaN, too. */
INLINE reals reals_at_least(reals bound, reals v) { return _mm512_max_ps(bound, v); }
INLINE reals reals_at_most(reals bound, reals v) { return _mm512_min_ps(bound, v); }
/* A bit a lane: low < v, and not v >= high. */
INLINE unsigned reals_within(reals v, reals low, reals high)
{
    __mmask16 above_low = _mm512_cmp_ps_mask(v, low, _CMP_GT_OQ);
    return _mm512_mask_cmp_ps_mask(above_low, v, high, _CMP_NGE_UQ);
}
/* 0 in the lanes whose bit is 0. */
INLINE reals reals_keep(reals v, unsigned bits) { return _mm512_maskz_mov_ps((__mmask16)bits, v); }
/* v where low < at < high, at >= high, at <= low; elsewhere, and where `at` is NaN, 0. */
INLINE reals reals_inside(reals v, reals at, reals low, reals high)
{
    __mmask16 above_low = _mm512_cmp_ps_mask(at, low, _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above_low, at, high, _CMP_LT_OQ), v);
}
INLINE reals reals_from(reals v, reals at, reals high)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(at, high, _CMP_GE_OQ), v);
}
INLINE reals reals_up_to(reals v, reals at, reals low)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(at, low, _CMP_LE_OQ), v);
}
INLINE ints reals_round(reals v) { return _mm512_cvtps_epi32(v); } /* half to even */
INLINE ints reals_floor(reals v)
{
    return _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
INLINE ints reals_bits(reals v) { return _mm512_castps_si512(v); }
INLINE bool reals_any_below_zero(reals v)
{
    return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ) != 0;
}

/* ---- 32-bit lanes ---- */
INLINE ints ints_set(int32_t x) { return _mm512_set1_epi32(x); }
INLINE ints ints_count_up(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
INLINE ints ints_load(const void *x) { return _mm512_loadu_si512(x); }
INLINE void ints_store(void *x, ints v) { _mm512_storeu_si512(x, v); }
INLINE void ints_store_some(int32_t *x, size_t count, ints v)
{
    _mm512_mask_storeu_epi32(x, (__mmask16)((1u << count) - 1), v);
}
INLINE ints ints_add(ints a, ints b) { return _mm512_add_epi32(a, b); }
INLINE ints ints_multiply(ints a, ints b) { return _mm512_mullo_epi32(a, b); }
INLINE ints ints_min(ints a, ints b) { return _mm512_min_epi32(a, b); }
INLINE ints ints_max(ints a, ints b) { return _mm512_max_epi32(a, b); }
INLINE ints ints_and(ints a, ints b) { return _mm512_and_si512(a, b); }
INLINE ints ints_xor(ints a, ints b) { return _mm512_xor_si512(a, b); }
#define ints_shift_left(v, count) _mm512_slli_epi32(v, count)
#define ints_shift_right(v, count) _mm512_srli_epi32(v, count) /* zeros come in */
/* Keeps the low 32 - shift bits of each lane, sign-extended. */
INLINE ints ints_wrap(ints v, ints shift) { return _mm512_srav_epi32(_mm512_sllv_epi32(v, shift), shift); }
INLINE unsigned ints_differ(ints a, ints b)
{
    return (unsigned)__builtin_popcount(_mm512_cmpneq_epi32_mask(a, b));
}
INLINE reals ints_to_reals(ints v) { return _mm512_cvtepi32_ps(v); }
INLINE void ints_store_bytes(uint8_t *x, ints v) { _mm_storeu_si128((__m128i *)x, _mm512_cvtepi32_epi8(v)); }
INLINE ints ints_load_bytes(const uint8_t *x, bool is_unsigned)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)x);
    return is_unsigned ? _mm512_cvtepu8_epi32(bytes) : _mm512_cvtepi8_epi32(bytes);
}
INLINE ints ints_load_shorts(const int16_t *x)
{
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)x));
}
/* Products of lanes that hold 16-bit values, the upper half of every lane of b being 0. */
INLINE ints ints_multiply_shorts(ints a, ints b) { return _mm512_madd_epi16(a, b); }

/* ---- Hadamard: lane i becomes v[i ^ half] + v[i], or v[i ^ half] - v[i] where i has the bit `half` ---- */
/* A product with ±1 is exact, so the fused operation rounds as the addition or subtraction does. */
#define SIGNS(half) \
    _mm512_mask_blend_ps((half) == 1 ? 0xaaaa : (half) == 2 ? 0xcccc : (half) == 4 ? 0xf0f0 : 0xff00, \
                         _mm512_set1_ps(1), _mm512_set1_ps(-1))
INLINE reals butterfly_1(reals v) { return _mm512_fmadd_ps(v, SIGNS(1), _mm512_permute_ps(v, 0xb1)); }
INLINE reals butterfly_2(reals v) { return _mm512_fmadd_ps(v, SIGNS(2), _mm512_permute_ps(v, 0x4e)); }
INLINE reals butterfly_4(reals v) { return _mm512_fmadd_ps(v, SIGNS(4), _mm512_shuffle_f32x4(v, v, 0xb1)); }
INLINE reals butterfly_8(reals v) { return _mm512_fmadd_ps(v, SIGNS(8), _mm512_shuffle_f32x4(v, v, 0x4e)); }

/* ---- integer products ---- */
/* acc plus the products of one part of every unit of a and b; one of them holds unsigned bytes, the other signed. */
INLINE ints dot(ints acc, ints a, ints b, bool a_is_unsigned)
{
    return a_is_unsigned ? _mm512_dpbusd_epi32(acc, a, b) : _mm512_dpbusd_epi32(acc, b, a);
}
/* Stops gcc from copying the sums of an unrolled loop from register to register. */
INLINE ints in_place(ints v)
{
    __asm__("" : "+v"(v));
    return v;
}
INLINE ints part_of_ones(void) { return _mm512_set1_epi8(1); }
INLINE ints unit_part(ints bytes, int part, bool is_unsigned)
{
    (void)part, (void)is_unsigned;
    return bytes;
}
/* The code at k % 4 of every unit, as 32 bits, from its parts. */
INLINE ints unit_code(const ints *parts, size_t k, bool is_unsigned)
{
    ints top = _mm512_sllv_epi32(*parts, _mm512_set1_epi32(24 - 8 * (int)(k % 4)));
    return is_unsigned ? _mm512_srli_epi32(top, 24) : _mm512_srai_epi32(top, 24);
}

/* One unit of LANES rows: rows[k] holds LANES bytes of one k. */
INLINE ints units_interleave(const uint8_t *const rows[4])
{
    __m128i a = _mm_loadu_si128((const __m128i *)rows[0]), b = _mm_loadu_si128((const __m128i *)rows[1]);
    __m128i c = _mm_loadu_si128((const __m128i *)rows[2]), d = _mm_loadu_si128((const __m128i *)rows[3]);
    __m128i ab = _mm_unpacklo_epi8(a, b), ab_high = _mm_unpackhi_epi8(a, b);
    __m128i cd = _mm_unpacklo_epi8(c, d), cd_high = _mm_unpackhi_epi8(c, d);
    ints all = _mm512_castsi128_si512(_mm_unpacklo_epi16(ab, cd));
    all = _mm512_inserti32x4(all, _mm_unpackhi_epi16(ab, cd), 1);
    all = _mm512_inserti32x4(all, _mm_unpacklo_epi16(ab_high, cd_high), 2);
    return _mm512_inserti32x4(all, _mm_unpackhi_epi16(ab_high, cd_high), 3);
}

/* The first `count` (up to 2 * LANES) bytes as 16 bits, zeros behind them. */
INLINE ints shorts_load(const uint8_t *x, size_t count, bool is_unsigned)
{
    __m256i bytes = _mm256_maskz_loadu_epi8((__mmask32)(0xffffffffu >> (2 * LANES - count)), x);
    return is_unsigned ? _mm512_cvtepu8_epi16(bytes) : _mm512_cvtepi8_epi16(bytes);
}
/* The pairs (a[i], b[i]) of 16 bits; and 32-bit lanes in that order brought back into the order of i. */
INLINE void shorts_interleave(ints a, ints b, ints pairs[2])
{
    pairs[0] = _mm512_unpacklo_epi16(a, b);
    pairs[1] = _mm512_unpackhi_epi16(a, b);
}
INLINE void ints_deinterleave(ints v[2])
{
    ints low = _mm512_permutex2var_epi64(v[0], _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), v[1]);
    v[1] = _mm512_permutex2var_epi64(v[0], _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), v[1]);
    v[0] = low;
}
INLINE ints dot_shorts(ints acc, ints a, ints b) { return _mm512_dpwssd_epi32(acc, a, b); }

/* The LANES × LANES matrix of 32-bit lanes, transposed. */
INLINE void ints_transpose(ints r[LANES])
{
    ints pairs[LANES], fours[LANES];
    for (int i = 0; i < LANES; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        ints even = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0x88);
        ints odd = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0xdd);
        ints even_high = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0x88);
        ints odd_high = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0xdd);
        r[i] = _mm512_shuffle_i32x4(even, even_high, 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(odd, odd_high, 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(even, even_high, 0xdd);
        r[i + 12] = _mm512_shuffle_i32x4(odd, odd_high, 0xdd);
    }
}
#endif
