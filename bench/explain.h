/* SPDX-License-Identifier: GPL-3.0-or-later
 * What explains a run's result, measured after training at the final weights and widths: does the sensitivity that
 * allocators work with order the tensors as their quantisation changes the loss, and how far are the widths from its
 * optimum? */
#ifndef BITSWEEP_EXPLAIN_H
#define BITSWEEP_EXPLAIN_H
#include "probe.h"
#include "../results/record.h"

struct explanation {
    size_t tensors;                   /* weights and activations, layer by layer; 0: nothing has been explained */
    size_t samples;                   /* of the probe */
    double predicted[2 * MAX_LAYERS]; /* Omega at the final width and range: T D²/12, T by the probe (FIT, METHODS 3) */
    double measured[2 * MAX_LAYERS];  /* loss with this tensor alone quantised, less the loss in float32 */
    double float_loss, total;         /* loss in float32; loss with all quantised, less that */
    double tau, tau_weights, tau_activations;       /* Kendall's tau-b between predicted and measured */
    double omega, omega_optimal, omega_uniform;     /* sum of Omega: of the final widths, the optimum within the same
                                                       budgets and limits, uniform widths; NaN: none is known */
    double regret;                    /* omega / omega_optimal - 1; below 0 where the widths miss the budget */
    double seconds;
};

/* probe: of the trained network. bits: final widths of all tensors of the allocation. */
void explain(struct explanation *, struct probe *, const struct allocation *, const float *bits);
/* /explain and /timing/explain_seconds; nothing if nothing has been explained. */
void explain_record(const struct explanation *, struct record *);

/* Kendall's tau-b: (concordant - discordant pairs) / √(pairs untied in x × pairs untied in y). NaN when all are tied in one,
 * or a value is not finite. */
double kendall_tau(const double *x, const double *y, size_t count);
#endif
