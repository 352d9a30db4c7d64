/* SPDX-License-Identifier: GPL-3.0-or-later
 * Vectors of 16-bit lanes, AVX2; twice as many as the 32-bit lanes of lanes_avx2.h. */
#ifndef BITSWEEP_WORDS_H
#define BITSWEEP_WORDS_H
#include "lanes_avx2.h"

enum { WORDS = 2 * LANES };
typedef __m256i words;
INLINE words words_load(const int16_t *x) { return _mm256_loadu_si256((const __m256i *)x); }
INLINE void words_store(int16_t *x, words v) { _mm256_storeu_si256((__m256i *)x, v); }
INLINE words words_zero(void) { return _mm256_setzero_si256(); }
INLINE words words_add(words a, words b) { return _mm256_add_epi16(a, b); }
INLINE words words_subtract(words a, words b) { return _mm256_sub_epi16(a, b); }
/* The larger of a and |b|, as unsigned numbers. */
INLINE words words_max_abs(words a, words b) { return _mm256_max_epu16(a, _mm256_abs_epi16(b)); }
INLINE words words_widen(const uint8_t *x, bool is_unsigned)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)x);
    return is_unsigned ? _mm256_cvtepu8_epi16(bytes) : _mm256_cvtepi8_epi16(bytes);
}
/* a[0], b[0], a[1], b[1], ...: the first and the second half of it. */
INLINE words words_interleave_low(words a, words b)
{
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b), 0x20);
}
INLINE words words_interleave_high(words a, words b)
{
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b), 0x31);
}

/* ---- what rounding needs of the 32-bit lanes ---- */
INLINE reals reals_of_bits(ints v) { return _mm256_castsi256_ps(v); }
/* rounding_draw of the low and of the high half r of every hash: 128 + r / 65536 is put together from bits, so that taking
 * 128 - 0.5 / 65536 from it is exact. */
INLINE reals draws_low(ints hash)
{
    ints bits = _mm256_blend_epi16(ints_set(0x43000000), hash, 0x55);
    return _mm256_sub_ps(reals_of_bits(bits), reals_set(128 - 0.5f / 65536));
}
INLINE reals draws_high(ints hash)
{
    ints bits = _mm256_or_si256(_mm256_srli_epi32(hash, 16), ints_set(0x43000000));
    return _mm256_sub_ps(reals_of_bits(bits), reals_set(128 - 0.5f / 65536));
}
/* As bytes between lo and hi, each of which is repeated 16 times. */
INLINE void ints_store_clamped(uint8_t *x, ints v, __m128i lo, __m128i hi)
{
    __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)x, _mm_min_epi8(_mm_max_epi8(_mm_packs_epi16(pairs, pairs), lo), hi));
}
#endif
