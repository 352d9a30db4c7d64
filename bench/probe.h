/* SPDX-License-Identifier: GPL-3.0-or-later
 * The float network at the run's present weights on samples of the training part, apart from training: gradients and losses
 * for those who measure sensitivities. It has its own copy of the parameters, which may be changed and are restored by
 * probe_refresh. It works in the pool of activations that the run's network uses, so only between steps. */
#ifndef BITSWEEP_PROBE_H
#define BITSWEEP_PROBE_H
#include "nn/net.h"

/* Whether the run has one: its allocator asks for it, or `explain` does. */
bool probe_wanted(const struct settings *);

/* A probe of this network (already built), for some of `count` training samples. */
struct probe *probe_begin(const struct net *run, const struct dataset *described, size_t count, struct arena *);
/* Draws its samples from these, as many as it was begun for, before it is used; the data set stays where it is. */
void probe_choose(struct probe *, const struct dataset *, const uint32_t *indices, size_t count);
/* The pool it needs at least; probe_use_pool gives it one. NULL has none. */
size_t probe_pool_size(const struct probe *);
void probe_use_pool(struct probe *, struct pool);

/* The same samples of the training part every time, drawn from the run's seed, unaugmented, in batches of the run's size. */
size_t probe_samples(const struct probe *);
size_t probe_batches(const struct probe *);
size_t probe_batch_size(const struct probe *, size_t batch);
/* Takes the run's parameters and running statistics as they are now. */
void probe_refresh(struct probe *);
int probe_layers(const struct probe *);
/* A layer's weights (rows × row_stride(cols), padding zero): to be read or changed. */
float *probe_weights(struct probe *, int layer, size_t *rows, size_t *cols);
/* Mean loss of a batch, in float32; batch statistics as in training. Leaves the gradients. sum_squares: NULL, or 2 × layers
 * sums over the batch of the squared gradients of the mean loss, as in struct observation. */
double probe_pass(struct probe *, size_t batch, double *sum_squares);
/* dL/dw of the last probe_pass; laid out as the weights. */
const float *probe_gradient(const struct probe *, int layer);
/* The traces of the empirical Fisher over the probe's samples (FIT, METHODS 3): of each tensor the mean over the batches of
 * n × sum of squared gradients, as the running estimate has it. */
void probe_traces(struct probe *, double *trace /* 2 × layers */);
/* Mean loss over all samples at evaluation (running statistics), the tensors with bits > 0 quantised to that width and their
 * range as in the run, the others float32. Accumulators have no limit, whatever the mode. */
double probe_loss(struct probe *, const float *bits /* 2 × layers */);
/* A tensor's range as the last probe_loss, which has quantised it, has used it. */
const struct range *probe_range(const struct probe *, int tensor);
/* ||W - Q_b(W)||² of a layer's weights with the run's quantiser, its range fitted anew. */
double probe_error(struct probe *, int layer, int bits);
#endif
