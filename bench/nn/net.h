/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network of quantised layers: forward, backward, update. The float side; products belong to the mode. */
#ifndef BITSWEEP_NET_H
#define BITSWEEP_NET_H
#include "../bitsweep.h"

struct layer {
    struct layer_spec spec;
    size_t n, k;                     /* outputs, inputs */
    float *w, *dw, *w_velocity;      /* n × row_stride(k) */
    float *bias, *dbias, *bias_velocity; /* n, or NULL */
    float *y, *dy;                   /* batch × row_stride(n), after ReLU */
    struct product product;
};

struct net {
    const struct settings *settings;
    const struct mode_ops *mode;
    const struct quantiser_ops *quantiser; /* NULL: float32 */
    size_t count, batch;             /* layers; rows that the buffers hold */
    struct layer layers[MAX_LAYERS];
    struct tensor tensors[2 * MAX_LAYERS]; /* layer i's weight at 2i, its input at 2i + 1 */
    struct range ranges[2 * MAX_LAYERS];
    float *input, *input_gradient;   /* batch × row_stride(features) */
    double observing_seconds;        /* spent on what only the allocator asks for: squares, the input's gradient */
};

/* Builds the layers, initialises the weights from the run's seed (the same for every mode and allocator). `quantiser` NULL: nothing
 * is quantised. batch: rows a step or an evaluation may have. */
void net_build(struct net *, const struct settings *, const struct dataset *, const struct mode_ops *,
               const struct quantiser_ops *, size_t batch, struct arena *);

/* Name, sizes and allowed widths of a layer's weight or input. */
void tensor_describe(struct tensor *, const struct settings *, const struct layer_spec *, int layer, size_t inputs,
                     enum tensor_kind);

enum pass {
    PASS_TRAIN,     /* fits ranges, keeps running ranges, may be followed by backward */
    PASS_DIAGNOSE,  /* as train, but leaves running ranges alone */
    PASS_EVALUATE   /* frozen activation ranges */
};
/* Logits (rows × row_stride(classes)) for the samples in net->input. */
const float *net_forward(struct net *, size_t rows, long step, enum pass);

/* From the last layer's dy (dL/dlogits) to every dw and dbias. sum_squares: NULL, or 2 × layers sums over all elements of the squared
 * gradient of each tensor, before any straight-through mask; asks for the network input's gradient too. */
void net_backward(struct net *, size_t rows, double *sum_squares);

/* Forward, loss and backward on the samples in net->input: the sum of the losses; *correct counts. For sum_squares see
 * net_backward. */
double net_pass(struct net *, size_t rows, const int32_t *labels, long step, enum pass, double *sum_squares,
                size_t *correct);

/* SGD with momentum: v = momentum v + (g + weight_decay w), w -= lr v; no decay on biases; learned ranges follow. */
void net_update(struct net *, double lr);

/* Width at which the weights are kept between steps; 32: float32. */
int net_stored_bits(const struct net *);

/* Gives the tensors new widths. */
void net_set_bits(struct net *, const float *bits /* 2 × layers */);
void net_get_bits(const struct net *, float *bits);

/* Mean cross entropy's sum over the rows; *correct counts right arg maxima (the first of equals). grad: NULL or
 * dL/dlogits of the mean loss (rows × stride). */
double softmax_cross_entropy(const float *logits, size_t rows, size_t classes, size_t stride, const int32_t *labels,
                             float *grad, size_t *correct);
#endif
