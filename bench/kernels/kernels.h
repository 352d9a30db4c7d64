/* SPDX-License-Identifier: GPL-3.0-or-later
 * Integer kernels and the quantisers' inner loops: a portable reference, overridden once at start by
 * what the CPU has. Every implementation gives bit for bit the same results as the scalar one. */
#ifndef BITSWEEP_KERNELS_H
#define BITSWEEP_KERNELS_H
#include "../bitsweep.h"

/* An integer matrix seen through strides, so that one product serves X·Wᵀ, G·W and Gᵀ·X.
 * Element (i, k) is data[i*row + k*col], int8_t or, when is_unsigned, uint8_t. One of the strides is 1. */
struct int_matrix { const void *data; size_t row, col; bool is_unsigned; };

/* Limits of a partial sum of `tile` consecutive k: METHODS "Accumulators". */
enum acc_overflow { ACC_SATURATE, ACC_WRAP };
enum acc_at { ACC_AT_TILE, ACC_AT_ADD };
struct accumulator {
    int bits;                   /* 4 .. 31; 32 and more: no limit */
    int tile;                   /* k per partial sum; 0: all of K in one */
    enum acc_overflow overflow; /* saturate to ±(2^(bits-1)-1), or wrap in two's complement */
    enum acc_at at;             /* limit the finished tile, or after every single addition in it (k ascending) */
};

/* C (m × n) = A (m × k) · B (n × k)ᵀ; tiles are added in int32 (k ≤ 65,536, or 33,025 when both operands
 * are unsigned, so that 8-bit operands cannot overflow it; more is a program fault). Exactly one of sums and out is set.
 *   sums[i*ld + j] = the integer;   out[i*ld + j] = (float)integer * scale * (row_scale ? row_scale[i] : 1)
 *                                                   + (bias ? bias[j] : 0), evaluated left to right in float32, no fma.
 * saturated: NULL, or a count to which the number of limited partial sums is added (may be slower). */
struct int_product {
    size_t m, n, k, ld;
    struct int_matrix a, b;
    struct accumulator acc;
    int32_t *sums;
    float *out;
    float scale;
    const float *row_scale, *bias;
    uint64_t *saturated;
    void *workspace;            /* int_product_workspace() bytes, 64-byte aligned */
};

struct learned_range_sums { double inside, above, below; };

struct kernels {
    const char *isa;            /* "scalar", "avx2", "avx512vnni" */
    void (*int_product)(const struct int_product *);
    size_t (*int_product_workspace)(size_t m, size_t n, size_t k);

    /* Largest |x|, 0 for n = 0; *negative becomes whether any x < 0. NaN anywhere gives NaN. */
    float (*max_abs)(const float *x, size_t n, bool *negative);

    /* q = clamp(round half to even(x / scale), lo, hi), the quotient by float32 division. q is the low byte:
     * int8_t for lo < 0, uint8_t for lo = 0. NaN becomes 0. */
    void (*quantise_nearest)(const float *x, size_t n, float scale, int lo, int hi, void *q);
    /* q = clamp(floor(clamp(x * (1/scale), lo, hi) + u), lo, hi), u of element i = rounding_draw(key, first + i). Unbiased
     * inside the range. 1/scale is rounded to float32 first. NaN becomes 0 before u is added. */
    void (*quantise_stochastic)(const float *x, size_t n, float scale, int lo, int hi,
                                uint64_t key, uint64_t first, int8_t *q);
    /* x = code * scale. */
    void (*dequantise)(const void *q, bool is_unsigned, size_t n, float scale, float *x);

    /* The sums behind a learned range: over v = x / scale (float32 division) strictly between lo and hi, grad × (round half to
     * even(v) - v); grad where v >= hi; grad where v <= lo. Zeroes grad outside. n is a multiple of 16; added up in 16 float
     * lanes for 1,024 elements at a time, these in double. */
    void (*learned_range)(const float *x, float *grad, size_t n, float scale, int lo, int hi,
                          struct learned_range_sums *);

    /* Unnormalised Sylvester-Hadamard transform of every run of `block` (a power of two, 1: copies) elements in
     * place; butterflies in float32 in the order half = 1, 2, 4, ... so results are equal on every ISA.
     * rows: runs along each row of a rows × cols matrix (block divides cols);
     * columns: runs down each column (block divides rows). Stride: elements between rows. */
    void (*hadamard_rows)(float *x, size_t rows, size_t cols, size_t stride, size_t block);
    void (*hadamard_columns)(float *x, size_t rows, size_t cols, size_t stride, size_t block);

    /* For the benchmark, NULL in scalar: the time of int_product without packing, on the workspace as int_product left
     * it (the results are then of no use); and a loop of the innermost operation on registers alone, which returns its
     * number of operations (two per multiply-accumulate). */
    void (*int_product_packed)(const struct int_product *);
    double (*int_product_peak)(void);
};

/* u in (0, 1): (r + 0.5) / 65536 with r the 16-bit half (element / 16 % 2; 0 = low) of
 * rounding_hash(key, element / 32 * 16 + element % 16). Shared by every ISA. */
static inline uint32_t rounding_hash(uint64_t key, uint32_t counter)
{
    uint32_t h = counter + (uint32_t)key;
    h ^= h >> 16;
    h *= 0x21f0aaadu;
    h ^= h >> 15;
    h += (uint32_t)(key >> 32);
    h *= 0x735a2d97u;
    h ^= h >> 15;
    return h;
}
static inline float rounding_draw(uint64_t key, uint64_t element)
{
    uint32_t h = rounding_hash(key, (uint32_t)(element / 32 * 16 + element % 16));
    uint32_t r = element / 16 % 2 ? h >> 16 : h & 0xffff;
    return ((float)r + 0.5f) * (1.0f / 65536.0f);
}

/* The kernels in use: the best that the CPU has, at most what BITSWEEP_ISA (scalar, avx2, avx512vnni) names;
 * an unknown name
 * ends the program with exit code 2. */
const struct kernels *kernels(void);
/* All that this machine can run, for tests: index 0 is scalar; NULL past the end. */
const struct kernels *kernels_at(size_t index);
#endif
