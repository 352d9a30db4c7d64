/* SPDX-License-Identifier: GPL-3.0-or-later
 * Once an epoch, on the first samples of one training batch: what quantisation does to each layer. Changes nothing in the
 * training. At most DIAGNOSED samples, so that the float activations to compare with do not set a run's peak memory. */
#ifndef BITSWEEP_DIAGNOSTICS_H
#define BITSWEEP_DIAGNOSTICS_H
#include "../results/record.h"
#include "nn/net.h"

#define DIAGNOSED 32

struct diagnostics {
    struct net *net, *shadow;   /* the shadow: the same weights in float32; NULL: nothing is quantised, nothing to see */
    int64_t rows;               /* epochs recorded */
    size_t capacity;            /* epochs */
    double *values;             /* rows × figures × layers */
};
void diagnostics_begin(struct diagnostics *, struct net *, const struct dataset *described, size_t epochs, struct arena *);
/* The pool that both nets can use in turn, at least; diagnostics_use_pool gives it to the shadow. */
size_t diagnostics_pool_size(const struct diagnostics *);
void diagnostics_use_pool(struct diagnostics *, struct pool);
/* Registers the rows recorded so far. */
void diagnostics_keep(struct diagnostics *, struct kept *);
/* net->input holds the batch. */
void diagnose(struct diagnostics *, size_t samples, const int32_t *labels, long step);
void diagnostics_record(const struct diagnostics *, struct record *);
#endif
