/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run's widths cost, forward and in training. METHODS 5. */
#ifndef BITSWEEP_ACCOUNTING_H
#define BITSWEEP_ACCOUNTING_H
#include "../results/record.h"
#include "nn/net.h"

/* Bit operations a sample of a layer's three products in training at these widths (32: float32), with Hadamard additions and
 * re-quantisations; transforms across the batch are those of product.samples_max. */
double layer_training_bops(const struct net *, size_t layer, double w, double a, double g);
/* The same of all layers at the widths in force. */
double training_bops(const struct net *);

/* Bit operations a sample of the forward pass at the widths in force. */
double forward_bops(const struct net *);

/* Bytes that training holds: master weights, velocities and gradients in float32 (layers' weights at their stored width),
 * and what stays of one batch (net->batch) from forward to backward: layers' inputs, the activations' masks, the inputs of
 * normalisations, the maxima's places. Here what no width changes, and a layer's input at width a in an integer mode. */
double constant_training_bytes(const struct net *);
double layer_training_bytes(const struct net *, size_t layer, double a);

/* /tensors, /bits and /costs, of every cost that can be priced. mean_training_bops: average of training_bops over the steps.
 * */
void record_costs(struct record *, const struct net *, const struct dataset *described, double mean_training_bops);
#endif
