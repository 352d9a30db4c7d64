/* SPDX-License-Identifier: GPL-3.0-or-later
 * Products, quantisers and transforms: a portable reference, overridden once at start by
 * what the CPU has. Every implementation gives bit for bit the same results as the scalar one. */
#ifndef BITSWEEP_KERNELS_H
#define BITSWEEP_KERNELS_H
#include "../bitsweep.h"

/* ---- integer products -------------------------------------------------------------------- */

/* An integer operand read where it lies, rows overlapping if need be, as the unfolded rows of a convolution do: element
 * (i, k) is the byte at data + row[i] + unit[k / 4] + k % 4, int8_t or, when is_unsigned, uint8_t. Where k is no multiple
 * of 4 the last unit is read whole (B's padding there is zero). Offsets may be negative. */
struct int_rows { const void *data; const int32_t *row /* m */, *unit /* ceil(k / 4) */; bool is_unsigned; };

/* The other operand before it is packed: element (j, k) is data[j*row + k*col]. One of the strides is 1. */
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

/* B (n × k) as int_multiply reads it, and what its layout was made for. */
struct int_panel {
    void *memory;               /* int_kernels.panel_size() bytes, 64-byte aligned */
    size_t n, k;
    struct accumulator acc;
    bool a_is_unsigned, is_unsigned;
};

/* C (m × n) = A (m × k) · B (n × k)ᵀ; tiles are added in int32: max|A| · max|B| · k must stay below 2^31, which the caller
 * answers for (k ≤ 65,536, or 33,025 when both operands are unsigned, is safe for any 8-bit codes; more is a program fault
 * unless `bounded` says that the caller knows its codes to be small enough). Exactly one of sums and out is set.
 *   sums[i*ld + j] = the integer;   v = (float)integer * scale * (row_scale ? row_scale[i] : 1) + (bias ? bias[j] : 0),
 *   out[i*ld + j] = add ? out[i*ld + j] + v : v, all evaluated left to right in float32, no fma.
 * Only columns j < n are written. saturated: NULL, or a count to which the number of limited partial sums is added (may be
 * slower). */
struct int_product {
    size_t m, ld;
    struct int_rows a;
    const struct int_panel *b;
    int32_t *sums;
    float *out;
    bool add, bounded;
    float scale;
    const float *row_scale, *bias;
    uint64_t *saturated;
};

/* A depthwise convolution: sum over the taps t of x(i, t, c) · w(t, c) for every position i and channel c, with
 *   x(i, t, c) = the byte at x.data + x.row[i] + x.unit[t] + c (here unit holds one offset a tap), w(t, c) = w[t*ldw + c].
 * Partial sums are limited as above (K = taps; tile 0 or >= taps: one). v and out as in int_product, without bias:
 * out[i*ld + c]. */
struct int_depthwise {
    size_t m, taps, channels, ld, ldw;
    struct int_rows x;
    const void *w;
    bool w_is_unsigned;
    struct accumulator acc;
    float *out;
    bool add;
    float scale;
    uint64_t *saturated;
};

/* Its weight gradient: out[t*ld + c] (+)= scale · sum over i of x(i, t, c) · g(i, c), g(i, c) = g[i*ldg + c] signed;
 * K = m, k ascending; same limits on max|x| · max|g| · m. */
struct int_depthwise_gradient {
    size_t m, taps, channels, ld, ldg;
    struct int_rows x;
    const int8_t *g;
    struct accumulator acc;
    float *out;
    bool add, bounded;
    float scale;
    uint64_t *saturated;
};

struct int_kernels {
    size_t (*panel_size)(size_t n, size_t k);
    /* b of panel->n × panel->k and panel->is_unsigned into panel->memory. */
    void (*pack)(const struct int_panel *panel, const struct int_matrix *b);
    void (*multiply)(const struct int_product *);
    void (*depthwise)(const struct int_depthwise *);
    void (*depthwise_gradient)(const struct int_depthwise_gradient *);
    /* out[j*out_stride + i] = x[i*stride + j] for i < rows, j < cols. */
    void (*transpose)(const void *x, size_t rows, size_t cols, size_t stride, void *out, size_t out_stride);
    /* For the benchmark, NULL in scalar: a loop of the innermost operation on registers alone, which returns its number of
     * operations (two per multiply-accumulate). */
    double (*peak)(void);
};

/* ---- float products of convolutions ------------------------------------------------------ */

/* Element (i, k) = data[row[i] + col[k]]: like int_rows, one offset a k. */
struct float_rows { const float *data; const int32_t *row /* m */, *col /* k */; };

/* out[i*ld + j] = sum over k of A(i, k) · b[k*ldb + j], j < n. The sum is one chain of fused multiply-adds over k
 * ascending from 0, so every ISA gives the same bits; then v = sum + (bias ? bias[j] : 0), out = add ? out + v : v. b may
 * be read up to column round_up(n, 16) - 1 of every row. */
struct float_product {
    size_t m, n, k, ld, ldb;
    struct float_rows a;
    const float *b, *bias;
    float *out;
    bool add;
};

/* Depthwise: out[i*ld + c] (+)= sum over the taps, ascending, fused from 0, of
 * x.data[x.row[i] + x.col[t] + c] · w[t*ldw + c]. */
struct float_depthwise {
    size_t m, taps, channels, ld, ldw;
    struct float_rows x;
    const float *w;
    float *out;
    bool add;
};
/* out[t*ld + c] (+)= sum over i, ascending, fused from 0, of x(i, t, c) · g[i*ldg + c]. */
struct float_depthwise_gradient {
    size_t m, taps, channels, ld, ldg;
    struct float_rows x;
    const float *g;
    float *out;
    bool add;
};

struct float_kernels {
    void (*multiply)(const struct float_product *);
    void (*depthwise)(const struct float_depthwise *);
    void (*depthwise_gradient)(const struct float_depthwise_gradient *);
    /* out[j*out_stride + i] = x[i*stride + j] for i < rows, j < cols. */
    void (*transpose)(const float *x, size_t rows, size_t cols, size_t stride, float *out, size_t out_stride);
};

/* ---- batch normalisation and what follows it --------------------------------------------- */

/* Per-channel sums run down the rows in order, one float chain a channel and call; callers add calls up in double.
 * x, g, ...: rows × stride, stride a multiple of 16; all `stride` columns are computed, so coefficients have stride entries,
 * 0 in the padding. Nothing is fused unless it says so. */
struct norm_kernels {
    /* sum[c] += sum of (x - shift[c]), square[c] += sum of (x - shift[c])². */
    void (*sums)(const float *x, size_t rows, size_t stride, const float *shift, float *sum, float *square);
    /* v = x * a[c] + b[c] (+ other); out = act(v); mask: NULL, or bit (c % 16) of word (row * stride + c) / 16 says
     * whether the activation passes gradients there (v > 0; relu6: 0 < v < 6; none: all set). out may be x. */
    void (*apply)(const float *x, size_t rows, size_t stride, const float *a, const float *b, const float *other,
                  enum activation, float *out, uint16_t *mask);
    /* g (in place) = 0 where the mask says so; mask NULL: as it is. sum_g[c] += sum of g, sum_gx[c] += sum of
     * g * (x - mean[c]). */
    void (*gradient_sums)(float *g, const uint16_t *mask, const float *x, size_t rows, size_t stride, const float *mean,
                          float *sum_g, float *sum_gx);
    /* dx = g * a[c] + (x - mean[c]) * b[c] + d[c]; dx may be g. */
    void (*gradient_apply)(const float *g, const float *x, size_t rows, size_t stride, const float *mean, const float *a,
                           const float *b, const float *d, float *dx);
    /* x = act(x), mask as above; count a multiple of 16. */
    void (*activate)(float *x, size_t count, enum activation, uint16_t *mask);
    /* g = 0 where the mask says so. */
    void (*mask)(float *g, const uint16_t *mask, size_t count);
    /* y += x. */
    void (*add)(const float *x, size_t count, float *y);
    /* velocity = momentum * velocity + (gradient + decay * w); w -= rate * velocity. */
    void (*descend)(float *w, float *velocity, const float *gradient, size_t count, float rate, float momentum, float decay);
    /* Sum of x² over a multiple of 16 values: 16 float lanes for 1,024 values at a time, these in double. */
    double (*sum_of_squares)(const float *x, size_t count);
};

/* ---- quantisers and transforms ------------------------------------------------------------ */

struct learned_range_sums { double inside, above, below; };

struct kernels {
    const char *isa;            /* "scalar", "avx2", "avx512vnni" */
    const struct int_kernels *ints;
    const struct float_kernels *floats;
    const struct norm_kernels *norms;

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

    /* The sums behind a learned range: over v = x / scale (float32 division) strictly between lo and hi, grad × (round
     * half to even(v) - v); grad where v >= hi; grad where v <= lo. Zeroes grad outside. n is a multiple of 16; added up
     * in 16 float lanes for 1,024 elements at a time, these in double. */
    void (*learned_range)(const float *x, float *grad, size_t n, float scale, int lo, int hi,
                          struct learned_range_sums *);

    /* Unnormalised Sylvester-Hadamard transform of every run of `block` (a power of two, 1: copies) elements in
     * place; butterflies in float32 in the order half = 1, 2, 4, ... so results are equal on every ISA.
     * rows: runs along each row of a rows × cols matrix (block divides cols);
     * columns: runs down each column (block divides rows). Stride: elements between rows. */
    void (*hadamard_rows)(float *x, size_t rows, size_t cols, size_t stride, size_t block);
    void (*hadamard_columns)(float *x, size_t rows, size_t cols, size_t stride, size_t block);

    /* The same for 16-bit integers, along rows (cols a multiple of block, and of 32 unless block is smaller); the caller
     * sees to it that block × max|x| ≤ 32,767, so that nothing overflows. */
    void (*hadamard_shorts)(int16_t *x, size_t rows, size_t cols, size_t stride, size_t block);
    /* out[i*out_stride + j] = q[i*stride + j]: bytes of either signedness as 16 bits. */
    void (*widen)(const void *q, bool is_unsigned, size_t rows, size_t cols, size_t stride, int16_t *out, size_t out_stride);
    /* Codes of at most 4 bits, two to a byte (low half: the even element); n is even. */
    void (*pack_nibbles)(const void *q, size_t n, uint8_t *out);
    void (*unpack_nibbles)(const uint8_t *packed, bool is_unsigned, size_t n, void *q);
    int (*max_abs_shorts)(const int16_t *x, size_t n);
    /* As quantise_nearest and quantise_stochastic on (float)x; signed. */
    void (*quantise_nearest_shorts)(const int16_t *x, size_t n, float scale, int lo, int hi, int8_t *q);
    void (*quantise_stochastic_shorts)(const int16_t *x, size_t n, float scale, int lo, int hi, uint64_t key, uint64_t first,
                                       int8_t *q);
    /* LUQ (Chmiel et al., ICLR 2023; METHODS 2): codes 0, ±1, ±2, ±4 .. ±2^(levels-1) in units of alpha > 0. With
     * a = |x|/alpha and u = rounding_draw(key, first + i): a < 1 becomes 1 if u < a, else 0; else n = floor(log2 a),
     * v = a + (u - 1/2) 2^n, code = max(2^n, 2^floor(log2(4v/3))), at most 2^(levels-1). All in float32, a by division.
     * levels ≤ 7. NaN becomes 0. */
    void (*quantise_logarithmic)(const float *x, size_t n, float alpha, int levels, uint64_t key, uint64_t first, int8_t *q);
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
 * an unknown name ends the program with exit code 2. */
const struct kernels *kernels(void);
/* All that this machine can run, for tests: index 0 is scalar; NULL past the end. */
const struct kernels *kernels_at(size_t index);
#endif
