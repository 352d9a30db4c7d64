/* SPDX-License-Identifier: GPL-3.0-or-later
 * A layer in the integer modes: its memory, its forward product, and its two ways back: on the operands as they are (fqt,
 * luq), or transformed (hfqt). */
#ifndef BITSWEEP_INTEGER_H
#define BITSWEEP_INTEGER_H
#include "transform.h"

/* The codes of x or w, laid out as these are. */
struct codes {
    int8_t *data;       /* uint8_t where not is_signed */
    size_t stride;      /* between rows, or positions */
    float scale;
    int largest;        /* magnitude of any code */
    bool is_signed;
    bool packed;        /* two to a byte */
};

struct integer_layer {
    struct accumulator_options accumulators;
    struct gradient_options gradient;
    bool transforms;
    struct transform_options transform;
    struct codes x, w;              /* forward operands, kept for the way back */
    struct int_panel forward_panel; /* W packed for the forward product (depthwise: without memory); remade when it was for
                                     * other accumulators or inputs */
    void *forward_weights;          /* W's codes in the order of the forward product, where that is not their own */
    float *signs;                   /* ±1 for the outputs' axis (padded), then for the positions' axis */

    /* Convolutions. */
    const struct convolution *tables;
    const struct convolution *gradient_tables; /* of the input gradient: with the outputs' axis padded */
    struct int_panel *gradient_panels;         /* W, a panel a residue */
    const int32_t *unfolded_row, *unfolded_unit; /* X transformed, as operand of the weight gradient */

    /* Dense layers: tables of X, of G by rows, and of G transposed. */
    const int32_t *x_row, *x_unit, *g_row, *g_unit, *columns_row, *columns_unit;
};

/* How the layer's sums run over outputs and positions: blocks as chosen, or of 1 where nothing is transformed. */
struct axis outputs_axis(const struct product *, const struct integer_layer *);
struct axis positions_axis(const struct product *, const struct integer_layer *, size_t samples);

/* Reads the accumulators' settings; the caller says how G is quantised, and whether operands are transformed (or NULL). */
struct integer_layer *prepare_integer_layer(const struct settings *, const struct product *, struct arena *,
                                            const struct gradient_options *, const struct transform_options *);
/* The memory of a layer whose options are set. */
void lay_out_integer_layer(struct integer_layer *, const struct product *, struct arena *);
size_t integer_scratch_size(const struct product *);

void integer_forward(struct product *);
/* The same with ranges that were fitted already. */
void forward_on_codes(struct product *);
void integer_backward(struct product *);
double integer_backward_bops(const struct product *, double w, double a, double g);

/* A product's panel made of b in `memory`. */
struct int_panel pack_panel(void *memory, size_t n, size_t k, struct int_matrix b, bool a_is_unsigned, struct accumulator);

static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The two kinds of layers. */
void dense_forward(struct product *);
void dense_backward(struct product *);
size_t dense_scratch_size(const struct product *);
void convolution_forward(struct product *);
void convolution_backward(struct product *);
size_t convolution_forward_scratch(const struct product *), convolution_backward_scratch(const struct product *);

/* W's panel for the forward product, or its memory (depthwise), up to date. */
void prepare_forward_weights(const struct product *);
/* Width of W or X re-quantised. */
double operand_bits(const struct integer_layer *, const struct range *);
#endif
