/* SPDX-License-Identifier: GPL-3.0-or-later
 * What strategies share whose networks grow by an extractor or a block a task: DER (Yan et al. 2021) and MEMO (Zhou et al.
 * 2023). METHODS 6. */
#ifndef BITSWEEP_EXPANSION_H
#define BITSWEEP_EXPANSION_H
#include "../../bench/strategy.h"

extern const struct param param_auxiliary_weight;

/* Cross entropy over all classes seen, and auxiliary_weight × that of the auxiliary classifier. */
double expansion_loss(const struct lesson *);

/* From the second task on the classifier's rows of the new classes are scaled by the mean length of the old ones' rows over
 * that of their own (weight alignment, Zhao et al. 2020). Biases stay. */
void expansion_finish(struct learner *);
#endif
