/* SPDX-License-Identifier: GPL-3.0-or-later
 * Once an epoch, on one training batch: what quantisation does to each layer. Changes nothing in the training. */
#ifndef BITSWEEP_DIAGNOSTICS_H
#define BITSWEEP_DIAGNOSTICS_H
#include "../results/record.h"
#include "nn/net.h"

struct diagnostics {
    struct net *net, *shadow;   /* the shadow: the same weights in float32 */
    size_t rows, capacity;      /* epochs recorded, room */
    double *values;             /* rows × figures × layers */
};
void diagnostics_begin(struct diagnostics *, struct net *, const struct dataset *, struct arena *);
/* net->input holds the batch. */
void diagnose(struct diagnostics *, size_t samples, const int32_t *labels, long step);
void diagnostics_record(const struct diagnostics *, struct record *);
void diagnostics_end(struct diagnostics *);
#endif
