/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network on synthetic data with a probe of it, for the tests of what measures sensitivities. */
#ifndef BITSWEEP_TEST_PROBE_SUPPORT_H
#define BITSWEEP_TEST_PROBE_SUPPORT_H
#include "support.h"
#include "../bench/batches.h"
#include "../bench/probe.h"

struct probe_test {
    struct settings settings;
    struct arena arena;
    struct dataset dataset;
    struct net net;            /* of the run */
    struct batches batches;
    int32_t *labels;           /* batch */
    struct probe *probe;
};

/* The run's network with drawn weights and biases, and a probe on the training part. The settings are the test's from here
 * on; model NULL: theirs. net.input holds the first samples, a batch of them. */
void probe_test_begin(struct probe_test *, struct settings, const struct model_ops *model);
void probe_test_end(struct probe_test *);

/* One dense layer without hidden ones, with biases. */
extern const struct model_ops model_linear;

/* Gives all tensors a width and takes steps of training on the first samples, so that running ranges are there. */
void probe_test_train(struct probe_test *, const float *bits, int steps);
#endif
