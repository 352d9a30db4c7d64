/* SPDX-License-Identifier: GPL-3.0-or-later
 * Training the correction of the newest classes' logits, BiC's second stage (Wu et al. 2019, section 3.4). METHODS 6. */
#ifndef BITSWEEP_CORRECTION_H
#define BITSWEEP_CORRECTION_H
#include "../../bench/learner.h"

/* From lesson->gradient, that of the loss with respect to the corrected logits, to that with respect to the newest task's
 * scale (Σ gradient × logit over the classes old .. all - 1) and shift (Σ gradient). logits: as lesson->logits, without that
 * correction. */
struct correction correction_gradient(const struct lesson *, const float *logits);

/* SGD as on any parameter: v = momentum v + (g + decay c); c -= lr v. */
void correction_step(struct correction *, struct correction *velocity, struct correction gradient, double lr,
                     double momentum, double decay);

/* Trains learner->corrections[task], from (1, 0), on learner->held_out alone: `epochs` epochs at the run's batch, lr,
 * schedule, momentum and decay, the network in training mode. `loss` fills a lesson's gradient as strategy_ops.loss does. */
void correction_train(struct learner *, double (*loss)(const struct lesson *));
#endif
