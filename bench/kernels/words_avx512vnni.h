/* SPDX-License-Identifier: GPL-3.0-or-later
 * Vectors of 16-bit lanes, AVX-512; twice as many as the 32-bit lanes of lanes_avx512vnni.h. */
#ifndef BITSWEEP_WORDS_H
#define BITSWEEP_WORDS_H
#include "lanes_avx512vnni.h"

enum { WORDS = 2 * LANES };
typedef __m512i words;
INLINE words words_load(const int16_t *x) { return _mm512_loadu_si512(x); }
INLINE void words_store(int16_t *x, words v) { _mm512_storeu_si512(x, v); }
INLINE words words_zero(void) { return _mm512_setzero_si512(); }
INLINE words words_add(words a, words b) { return _mm512_add_epi16(a, b); }
INLINE words words_subtract(words a, words b) { return _mm512_sub_epi16(a, b); }
/* The larger of a and |b|, as unsigned numbers. */
INLINE words words_max_abs(words a, words b) { return _mm512_max_epu16(a, _mm512_abs_epi16(b)); }
INLINE words words_widen(const uint8_t *x, bool is_unsigned)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)x);
    return is_unsigned ? _mm512_cvtepu8_epi16(bytes) : _mm512_cvtepi8_epi16(bytes);
}
/* a[0], b[0], a[1], b[1], ...: the first and the second half of it. */
INLINE words words_interleave_low(words a, words b)
{
    ints twice = _mm512_mullo_epi32(ints_count_up(), ints_set(0x10001));
    return _mm512_permutex2var_epi16(a, _mm512_add_epi32(twice, ints_set(WORDS << 16)), b);
}
INLINE words words_interleave_high(words a, words b)
{
    ints twice = _mm512_mullo_epi32(ints_count_up(), ints_set(0x10001));
    return _mm512_permutex2var_epi16(a, _mm512_add_epi32(twice, ints_set((WORDS + LANES) << 16 | LANES)), b);
}

/* ---- what rounding needs of the 32-bit lanes ---- */
INLINE reals reals_of_bits(ints v) { return _mm512_castsi512_ps(v); }
/* rounding_draw of the low and of the high half r of every hash: 128 + r / 65536 is put together from bits, so that taking
 * 128 - 0.5 / 65536 from it is exact. */
INLINE reals draws_low(ints hash)
{
    ints bits = _mm512_mask_blend_epi16(0x55555555, ints_set(0x43000000), hash);
    return _mm512_sub_ps(reals_of_bits(bits), reals_set(128 - 0.5f / 65536));
}
INLINE reals draws_high(ints hash)
{
    const ints upper = _mm512_broadcast_i32x4(_mm_setr_epi8(2, 3, 0, 0, 6, 7, 0, 0, 10, 11, 0, 0, 14, 15, 0, 0));
    ints bits = _mm512_mask_shuffle_epi8(ints_set(0x43000000), 0x3333333333333333, hash, upper);
    return _mm512_sub_ps(reals_of_bits(bits), reals_set(128 - 0.5f / 65536));
}
/* As bytes between lo and hi, each of which is repeated 16 times. */
INLINE void ints_store_clamped(uint8_t *x, ints v, __m128i lo, __m128i hi)
{
    _mm_storeu_si128((__m128i *)x, _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(v), lo), hi));
}
#endif
