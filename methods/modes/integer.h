/* SPDX-License-Identifier: GPL-3.0-or-later
 * A layer's memory in the integer modes, and their two ways back: on the operands as they are (fqt), or transformed (hfqt). */
#ifndef BITSWEEP_INTEGER_H
#define BITSWEEP_INTEGER_H
#include "gradient.h"

/* One axis that a product contracts over, cut into blocks of a power of two. */
struct axis { size_t length, block, padded; };

struct transform_options {
    size_t largest_block;       /* cap; 0: none */
    bool pad, signs;
    bool identity;              /* published ablation: no transform, but its factors and re-quantisation */
    bool requantise_at_gradient_width;
};

/* The largest power of two that divides `length` and is at most the cap; with padding the cap itself (without a cap the
 * smallest power of two that holds the axis). */
struct axis choose_axis(size_t length, const struct transform_options *);

struct integer_layer {
    struct accumulator_options accumulators;
    struct gradient_options gradient;
    struct transform_options transform;
    struct codes x, w;          /* forward operands: m_max × stride(k), n × stride(k) */
    int8_t *gradient_codes;     /* m × stride(n), or transformed */
    float *row_scales;          /* m_max */
    void *workspace;
    /* Transformed operands only. */
    float *transformed;         /* the operand at hand as floats */
    int8_t *operand_codes;      /* re-quantised input or weights */
    float *signs;               /* ±1 for the outputs' axis (padded), then for the samples' axis */
};

/* Allocates what the direct backward needs, or, with transform, what the transformed one needs. */
struct integer_layer *prepare_integer_layer(const struct settings *, const struct product *, struct arena *,
                                            const struct transform_options *transform /* or NULL */);
/* The part of it that the transformed backward needs; layer->transform and layer->gradient are set. */
void allocate_transformed(struct integer_layer *, const struct product *, struct arena *);
void integer_forward(struct product *);
void direct_backward(struct product *);
void transformed_backward(struct product *);
double transform_bops(const struct transform_options *, size_t m, size_t n, size_t k, double w, double a, double g);
#endif
