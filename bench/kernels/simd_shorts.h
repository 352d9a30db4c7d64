/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytes to 16-bit integers and their largest magnitude; included by one file per instruction set after its words_*.h. */
#ifndef BITSWEEP_SIMD_SHORTS_H
#define BITSWEEP_SIMD_SHORTS_H
#include "kernels.h"
#include <string.h>

/* `count` bytes widened: 4, 8, 16 or 32. */
INLINE void widen_some(const uint8_t *q, bool is_unsigned, const int count, int16_t *out)
{
    if (count == 4) {
        int32_t four;
        memcpy(&four, q, sizeof four);
        __m128i bytes = _mm_cvtsi32_si128(four);
        _mm_storel_epi64((__m128i *)out, is_unsigned ? _mm_cvtepu8_epi16(bytes) : _mm_cvtepi8_epi16(bytes));
    } else if (count == 8) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)q);
        _mm_storeu_si128((__m128i *)out, is_unsigned ? _mm_cvtepu8_epi16(bytes) : _mm_cvtepi8_epi16(bytes));
    } else if (count == 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)q);
        _mm256_storeu_si256((__m256i *)out, is_unsigned ? _mm256_cvtepu8_epi16(bytes) : _mm256_cvtepi8_epi16(bytes));
    } else {
        for (int i = 0; i < count; i += WORDS)
            words_store(out + i, words_widen(q + i, is_unsigned));
    }
}

/* Rows of one step, of at most two or of any number of them from one on; the last reaches back into the one before it. */
enum steps { ONE, TWO, MANY };
INLINE void widen_rows(const uint8_t *q, bool is_unsigned, size_t rows, size_t cols, size_t stride, int16_t *out,
                       size_t out_stride, const int step, const enum steps steps)
{
    size_t last = cols - (size_t)step;
    for (; rows > 0; rows--, q += stride, out += out_stride) {
        if (steps == TWO)
            widen_some(q, is_unsigned, step, out);
        for (size_t j = 0; steps == MANY && j < last; j += (size_t)step)
            widen_some(q + j, is_unsigned, step, out + j);
        widen_some(q + last, is_unsigned, step, out + last);
    }
}

INLINE void widen_matrix(const uint8_t *q, bool is_unsigned, size_t rows, size_t cols, size_t stride, int16_t *out,
                         size_t out_stride)
{
    if (cols == 8)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 8, ONE);
    else if (cols == 16)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 16, ONE);
    else if (cols == 32)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 32, ONE);
    else if (cols > 32)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 32, MANY);
    else if (cols > 16)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 16, TWO);
    else if (cols > 8)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 8, TWO);
    else if (cols >= 4)
        widen_rows(q, is_unsigned, rows, cols, stride, out, out_stride, 4, TWO);
    else
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < cols; j++)
                out[i * out_stride + j] = is_unsigned ? q[i * stride + j] : (int8_t)q[i * stride + j];
}

static void widen_bytes(const void *q, bool is_unsigned, size_t rows, size_t cols, size_t stride, int16_t *out,
                        size_t out_stride)
{
    if (stride == cols && out_stride == cols) { /* no gaps: one long row */
        cols *= rows;
        rows = cols > 0;
    }
    if (is_unsigned)
        widen_matrix(q, true, rows, cols, stride, out, out_stride);
    else
        widen_matrix(q, false, rows, cols, stride, out, out_stride);
}

static int max_abs_shorts(const int16_t *x, size_t n)
{
    enum { WAYS = 4 };
    words largest[WAYS] = {words_zero(), words_zero(), words_zero(), words_zero()};
    size_t i = 0;
    for (; i + WAYS * WORDS <= n; i += WAYS * WORDS)
        for (int w = 0; w < WAYS; w++)
            largest[w] = words_max_abs(largest[w], words_load(x + i + w * WORDS));
    for (; i + WORDS <= n; i += WORDS)
        largest[0] = words_max_abs(largest[0], words_load(x + i));
    int16_t lanes[WORDS] = {0};
    if (i < n)
        memcpy(lanes, x + i, (n - i) * sizeof *x);
    largest[0] = words_max_abs(largest[0], words_load(lanes));
    for (int w = 1; w < WAYS; w++)
        largest[0] = words_max_abs(largest[0], largest[w]); /* 32768, as -32768, stays what it is */
    words_store(lanes, largest[0]);
    int result = 0;
    for (int lane = 0; lane < WORDS; lane++)
        result = (uint16_t)lanes[lane] > result ? (uint16_t)lanes[lane] : result;
    return result;
}
#endif
