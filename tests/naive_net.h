/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network's loss in double precision from the definitions of its nodes, to compare with. */
#ifndef BITSWEEP_NAIVE_NET_H
#define BITSWEEP_NAIVE_NET_H
#include "../bench/nn/nodes.h"

/* Mean cross entropy of the samples in net->input with *changed (an input or a parameter) moved by `by`. evaluating:
 * normalise with running statistics. Where there is an auxiliary classifier its own is added, its labels standing behind
 * the others. */
double naive_loss(const struct net *, size_t samples, const int32_t *labels, bool evaluating, const float *changed,
                  double by);
/* Finite difference of that in training. */
double naive_gradient(const struct net *, size_t samples, const int32_t *labels, const float *changed);
/* Every parameter's and (where there is one) every input's gradient, as net_backward has left it, against finite
 * differences. */
void expect_gradients(const struct net *, size_t samples, const int32_t *labels);
#endif
