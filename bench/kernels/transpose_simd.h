/* SPDX-License-Identifier: GPL-3.0-or-later
 * Transposition of byte matrices in blocks of 16 × 16, in registers of 16 bytes, which every vector instruction set has. */
#ifndef BITSWEEP_TRANSPOSE_SIMD_H
#define BITSWEEP_TRANSPOSE_SIMD_H
#include <immintrin.h>
#include <string.h>

enum { BLOCK = 16 };

/* Four rounds of interleaving row i with row i + 8: a perfect shuffle of all 256 bytes each. */
INLINE void transpose_registers(__m128i r[BLOCK])
{
    __m128i next[BLOCK];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < BLOCK / 2; i++) {
            next[2 * i] = _mm_unpacklo_epi8(r[i], r[i + BLOCK / 2]);
            next[2 * i + 1] = _mm_unpackhi_epi8(r[i], r[i + BLOCK / 2]);
        }
        memcpy(r, next, sizeof next);
    }
}

INLINE void store_bytes(uint8_t *out, size_t count, __m128i v)
{
    if (count == BLOCK)
        _mm_storeu_si128((__m128i *)out, v);
    else if (count == BLOCK / 2)
        _mm_storel_epi64((__m128i *)out, v);
    else
        memcpy(out, &v, count);
}

static void transpose_block(const uint8_t *x, size_t rows, size_t cols, size_t stride, uint8_t *out, size_t out_stride)
{
    __m128i r[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) {
        r[i] = _mm_setzero_si128();
        if (i < rows)
            memcpy(&r[i], x + i * stride, cols);
    }
    transpose_registers(r);
    for (size_t j = 0; j < cols; j++)
        store_bytes(out + j * out_stride, rows, r[j]);
}

static void transpose_whole_block(const uint8_t *x, size_t stride, uint8_t *out, size_t out_stride)
{
    __m128i r[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        r[i] = _mm_loadu_si128((const __m128i *)(x + i * stride));
    transpose_registers(r);
    for (size_t j = 0; j < BLOCK; j++)
        _mm_storeu_si128((__m128i *)(out + j * out_stride), r[j]);
}

static void transpose(const void *x, size_t rows, size_t cols, size_t stride, void *out, size_t out_stride)
{
    for (size_t i = 0; i < rows; i += BLOCK)
        for (size_t j = 0; j < cols; j += BLOCK) {
            const uint8_t *from = (const uint8_t *)x + i * stride + j;
            uint8_t *to = (uint8_t *)out + j * out_stride + i;
            size_t block_rows = rows - i < BLOCK ? rows - i : BLOCK, block_cols = cols - j < BLOCK ? cols - j : BLOCK;
            if (block_rows == BLOCK && block_cols == BLOCK)
                transpose_whole_block(from, stride, to, out_stride);
            else
                transpose_block(from, block_rows, block_cols, stride, to, out_stride);
        }
}
#endif
