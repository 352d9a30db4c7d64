/* SPDX-License-Identifier: GPL-3.0-or-later
 * Traces of the loss's Hessian, from gradients alone. */
#ifndef BITSWEEP_HESSIAN_H
#define BITSWEEP_HESSIAN_H
#include "../../bench/probe.h"

/* Fills the trace of the Hessian of the probe's mean loss with respect to each layer's weights (Hutchinson's estimator: mean
 * of v·Hv over `draws` random vectors of ±1, for all layers at once). Hv is the central difference of the gradient at w ± h
 * v, h = step × the root mean square of all layers' weights (1 where that is 0). key: of the random vectors. Leaves the
 * probe refreshed. Traces can be negative, from noise or at a point that is no minimum, and are not finite where the loss is
 * not. METHODS 3. */
void hessian_traces(struct probe *, int draws, double step, uint64_t key, double *trace /* layers */);
#endif
