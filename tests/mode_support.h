/* SPDX-License-Identifier: GPL-3.0-or-later
 * One layer on random values, and METHODS 1 and 2 written out naively, for the tests of the modes. */
#ifndef BITSWEEP_TEST_MODE_SUPPORT_H
#define BITSWEEP_TEST_MODE_SUPPORT_H
#include "support.h"
#include "../bench/settings.h"

struct layer_test {
    struct settings settings;
    struct arena arena;
    const struct mode_ops *mode;
    struct geometry shape;
    struct product p;
    struct range x_range, w_range, g_range;
    float *x, *w, *bias, *g;
};

/* A dense layer of m samples, n outputs, k inputs; bits of weights and inputs; positive: no input is negative. The settings
 * are the test's from here on. Scratch holds rubbish. */
void begin(struct layer_test *, struct settings, size_t m, size_t n, size_t k, float bits_w, float bits_a, bool positive);
/* The same for a convolution, or a dense layer as a convolution of one position. */
void begin_shape(struct layer_test *, struct settings, struct geometry, bool dense, size_t samples, float bits_w,
                 float bits_a, bool positive);
/* Scratch as the mode asks for it now; needed again when the number of threads has changed. */
void give_scratch(struct layer_test *);
void end(struct layer_test *);

/* Largest magnitude of any number in the padding of a matrix. */
float padding_of(const float *x, size_t rows, size_t cols);

/* A sum's or partial sum's limit. */
double naive_limit(double sum, int bits, bool wrap);

struct naive { double *q; double scale; bool is_signed; }; /* codes rows × cols, dense */
struct naive naive_quantise(const float *x, size_t rows, size_t cols, size_t stride, double bits, float quantile,
                            bool always_signed);

/* H·x down `rows` in blocks, by the definition H[i][j] = (-1)^popcount(i & j). */
double *naive_transform(const double *x, size_t rows, size_t cols, size_t block);
#endif
