/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terms that the strategies' losses are sums of. METHODS 6. Each returns weight × the sum of the rows' losses and adds
 * weight × the gradient of their mean to the lesson's; columns that it does not speak of and paddings stay as they are. */
#ifndef BITSWEEP_LOSSES_H
#define BITSWEEP_LOSSES_H
#include "../../bench/strategy.h"

/* T of the distillation. */
extern const struct param param_kd_temperature;

/* Cross entropy of the softmax over the logits of classes first .. last - 1 alone, among which all labels must be. */
double add_cross_entropy(const struct lesson *, size_t first, size_t last, double weight);

/* A strategy's whole loss: cross entropy over all classes seen. */
double seen_cross_entropy(const struct lesson *);

/* Cross entropy over all classes seen whose logits are the softmax's shares: softmax twice, as in BiC's published code. */
double add_double_cross_entropy(const struct lesson *, double weight);

/* Knowledge distillation from the old logits (Hinton et al. 2015; Li and Hoiem 2016): -Σ softmax(old/T) log softmax(new/T)
 * over the classes before this task, new being the first logits of the row, T = kd_temperature, without the factor T². */
double add_distillation(const struct lesson *, double weight);

/* Cross entropy of the auxiliary classifier (DER, Yan et al. 2021): 0 for any old class, 1, 2, ... for the new ones. */
double add_auxiliary_cross_entropy(const struct lesson *, double weight);
#endif
