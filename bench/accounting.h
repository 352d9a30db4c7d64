/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run's widths cost, forward and in training. METHODS 5. */
#ifndef BITSWEEP_ACCOUNTING_H
#define BITSWEEP_ACCOUNTING_H
#include "../results/record.h"
#include "nn/net.h"

/* Bit operations a sample of one training step at the widths in force: the forward product, both backward products, Hadamard
 * additions and re-quantisations. Float32 operands count 32 bits. */
double training_bops(const struct net *);

/* /tensors, /bits and /costs. mean_training_bops: average of training_bops over the steps. */
void record_costs(struct record *, const struct net *, double mean_training_bops);
#endif
