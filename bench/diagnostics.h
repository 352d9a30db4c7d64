/* SPDX-License-Identifier: GPL-3.0-or-later
 * Once an epoch, on the first samples of one training batch: what quantisation does to each layer. Changes nothing in the
 * training. At most DIAGNOSED samples, so that the float activations to compare with do not set a run's peak memory. */
#ifndef BITSWEEP_DIAGNOSTICS_H
#define BITSWEEP_DIAGNOSTICS_H
#include "../results/record.h"
#include "checkpoint.h"
#include "nn/net.h"

#define DIAGNOSED 32

struct diagnostics {
    struct net *net, *shadow;   /* the shadow: the same weights in float32; NULL: nothing is quantised, nothing to see */
    size_t layers;              /* of both */
    int64_t rows;               /* epochs recorded */
    struct growing values;      /* doubles: rows × figures × layers */
};
/* Looks at this network from now on; zeroed at first. Rows of an earlier network stay if it had as many layers. */
void diagnostics_follow(struct diagnostics *, struct net *, const struct dataset *described, struct arena *);
void diagnostics_end(struct diagnostics *);
/* The pool that both nets can use in turn, at least; diagnostics_use_pool gives it to the shadow. */
size_t diagnostics_pool_size(const struct diagnostics *);
void diagnostics_use_pool(struct diagnostics *, struct pool);
/* Registers the rows recorded so far. */
void diagnostics_keep(struct diagnostics *, struct kept *);
/* net->input holds the batch. */
void diagnose(struct diagnostics *, size_t samples, const int32_t *labels, long step);
void diagnostics_record(const struct diagnostics *, struct record *);
#endif
