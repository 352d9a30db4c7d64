/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network: nodes in the order of computation, of which the quantised layers hand their products to the mode. */
#ifndef BITSWEEP_NET_H
#define BITSWEEP_NET_H
#include "../bitsweep.h"

struct shape { size_t h, w, c; };    /* of one sample, channels last */

/* What SGD moves, or what evaluation needs beside it: rows × cols, stride between rows row_stride(cols) (rows 1: cols
 * padded to 16). */
struct parameter {
    char name[64];                   /* "conv1.weight", "conv1.bias", "norm1.scale", "norm1.shift", ".mean", ".variance" */
    size_t rows, cols, stride;
    float *value;
    float *gradient, *velocity;      /* NULL: running statistics */
    bool trained;                    /* else running statistics */
    bool decays;                     /* weight decay acts on it: weights of layers only */
};
#define MAX_PARAMETERS (4 * MAX_NODES)

/* A quantised layer. Its output and gradient are the node's. */
struct layer {
    int node;
    struct geometry shape;
    size_t n, k;                     /* outputs, inputs of one output */
    float *w, *dw, *bias, *dbias;    /* n × row_stride(k); n, or NULL */
    struct product product;
};

enum pass {
    PASS_TRAIN,     /* fits ranges, keeps running ranges and statistics, may be followed by backward */
    PASS_DIAGNOSE,  /* as train, but leaves running ranges and statistics alone */
    PASS_EVALUATE   /* frozen activation ranges and statistics */
};

struct net {
    const struct settings *settings;
    const struct model_ops *model;
    const struct cut *cut;           /* cut.h: which part of the model */
    const struct mode_ops *mode;
    const struct quantiser_ops *quantiser; /* NULL: float32 */
    size_t batch;                    /* samples that the buffers hold */
    size_t count;                    /* quantised layers */
    struct layer layers[MAX_LAYERS];
    /* Layer i's weight at 2i, its input at 2i + 1, its output gradient at 2 layers + i. */
    struct tensor tensors[MAX_TENSORS];
    struct range ranges[MAX_TENSORS];
    size_t tensor_count;             /* of allocatable ones: with or without the gradients */
    size_t node_count;
    struct node *nodes;              /* nodes.h; nodes[NODE_INPUT] stands for the network's input */
    size_t parameter_count;
    struct parameter parameters[MAX_PARAMETERS];
    struct shape input_shape;        /* flat models: {1, 1, features} */
    bool flat_input;                 /* the model takes the data set's own order */
    float *input;                    /* batch × positions × row_stride(channels) */
    float *input_gradient;           /* the same, when it was asked for */
    /* What the last node gives, and what is filled in for net_backward. Of a part without classifier: its output,
     * positions × row_stride(classes) a sample, and its channels. */
    bool has_classifier;
    size_t classes;
    float *logits, *logits_gradient; /* batch × row_stride(classes) */
    size_t outside_width;            /* cut.outside */
    float *outside;                  /* batch × row_stride(outside_width), filled before forward, padding zero; NULL: none */
    size_t auxiliary_classes;        /* cut.auxiliary */
    float *auxiliary, *auxiliary_gradient; /* batch × row_stride(auxiliary_classes); NULL: none */
    double input_squares[MAX_LAYERS]; /* sums of squares of the unfolded inputs, of net_backward with sum_squares where
                                        gradients' widths are allocated */
    double observing_seconds;        /* spent on what only the allocator asks for: squares, the input's gradient */

    /* Everything trained in one block, so that a checkpoint holds few pieces; running statistics lie among the values. */
    size_t value_count, trained_count;
    float *values, *gradients, *velocities;
    struct buffer *buffers;          /* nodes.h: what lies in the pool */
    size_t buffer_count;
    size_t scratch_offset;           /* in the pool: the modes' scratch memory */
    size_t scratch_step, threads;
    double *chunk_sums;              /* CHUNKS × 2 × widest stride */
    float *block_sums;               /* the same */
    size_t widest;                   /* largest row_stride(channels) */
    /* The pass under way. */
    size_t samples;
    long step;
    enum pass pass;
    bool wants_input_gradient;
    double *sum_squares;             /* of net_backward */
};

/* Memory of activations and gradients, which holds nothing from one step to the next, so nets that run in turn share it. */
struct pool { char *memory; size_t size; };

/* Lays the network out: nodes, parameters, ranges, the mode's memory. `quantiser` NULL: nothing is quantised. batch:
 * samples a step or an evaluation may have. The pool is the caller's, of at least net_pool_size(); it may be given later
 * by net_use_pool. Weights are zero. */
void net_build(struct net *, const struct settings *, const struct dataset *described, const struct mode_ops *,
               const struct quantiser_ops *, size_t batch, struct arena *);
/* parallel_threads() must not grow afterwards: each thread has its scratch memory in the pool. */
size_t net_pool_size(const struct net *);
void net_use_pool(struct net *, struct pool);
/* The same network in float32 on the same input and parameter values, with its own gradients, for at most `batch`
 * samples: not to be updated. */
void net_build_shadow(struct net *, const struct net *original, const struct dataset *described, size_t batch,
                      struct arena *);
/* Draws the first weights from the run's seed, the same for every mode and allocator. */
void net_initialise(struct net *);
/* Registers what carries over to the next step: parameters, velocities, ranges. */
void net_keep(struct net *, struct kept *);
/* The same of a network that is not trained any more. */
void net_keep_values(struct net *, struct kept *);

/* The allocatable tensors of the model for this data set, without building it; returns their number. As they are in a run,
 * with the widths that its rules (bench/rules.h) leave, which must be good; and with min_bits .. max_bits alone. */
int net_tensors(const struct settings *, const struct dataset *described, struct tensor *out /* MAX_TENSORS */);
int net_plain_tensors(const struct settings *, const struct dataset *described, struct tensor *out /* MAX_TENSORS */);
/* Whether the run allocates the widths of this kind of tensors. */
bool net_allocates(const struct settings *, enum tensor_kind);

/* The same of the widths of the layers' output gradients, of a network. */
static inline bool net_has_gradients(const struct net *net) { return net->tensor_count > 2 * net->count; }

/* False if one sample is too large for the 32-bit offsets of a layer, or a batch for those of an integer mode's dense layer.
 * The model takes the data set. */
bool net_addressable(const struct settings *, const struct dataset *described);

/* Logits (samples × row_stride(classes)) for the samples in net->input. */
const float *net_forward(struct net *, size_t samples, long step, enum pass);

/* From logits_gradient (dL/dlogits), and auxiliary_gradient where there is one, to every parameter's gradient; their
 * padding is zero. sum_squares: NULL, or 2 × layers sums over all elements of the squared gradient of each tensor,
 * before any straight-through mask; asks for the network input's gradient too. */
void net_backward(struct net *, size_t samples, double *sum_squares);

/* Forward, loss and backward on the samples in net->input: the sum of the losses; *correct counts. An auxiliary
 * classifier has no part in the loss. For sum_squares see net_backward. */
double net_pass(struct net *, size_t samples, const int32_t *labels, long step, enum pass pass, double *sum_squares,
                size_t *correct);

/* SGD with momentum: v = momentum v + (g + weight_decay w), w -= lr v; decay on layers' weights only; learned ranges
 * follow. */
void net_update(struct net *, double lr);

/* Width at which the weights are kept between steps; 32: float32. */
int net_stored_bits(const struct net *);
/* Weights were changed: rounds them to that width. Codes made of them no longer hold. */
void net_store_weights(struct net *);

/* Gives the tensors new widths. */
void net_set_bits(struct net *, const float *bits /* tensor_count */);
void net_get_bits(const struct net *, float *bits);
/* Weights were changed from outside: codes made of them no longer hold. */
void net_weights_changed(struct net *);

/* Index of the largest value, the first of equals. */
size_t largest_of(const float *values, size_t count);
/* Mean cross entropy's sum over the rows; *correct counts right arg maxima (the first of equals). grad: NULL or
 * dL/dlogits of the mean loss (rows × stride). */
double softmax_cross_entropy(const float *logits, size_t rows, size_t classes, size_t stride, const int32_t *labels,
                             float *grad, size_t *correct);
#endif
