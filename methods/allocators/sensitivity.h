/* SPDX-License-Identifier: GPL-3.0-or-later
 * How much each tensor's width matters, as a run shows it while it trains: what all allocators share that solve for widths.
 * METHODS 3. */
#ifndef BITSWEEP_SENSITIVITY_H
#define BITSWEEP_SENSITIVITY_H
#include "problem.h"

/* Omega(b) = T D(b)²/12, D the step of a quantiser of b bits.
 * Weights and activations: T is the trace of the empirical Fisher, the mean over samples of ‖dL/dθ‖² (FIT, arXiv
 * 2210.08502), estimated by n‖g‖² of a batch of n with mean loss. Exact for activations, whose batch axis is summed, without
 * batch norm. For weights it also holds the products of different samples' gradients: the mean over i of ‖g_i‖² plus the sum
 * over j ≠ i of g_i·g_j.
 * Gradients: T = 2 N ‖X‖²/‖dW‖², so that Omega = D²/6 N ‖X‖²/‖dW‖², the relative variance of dW = Gᵀ·X from stochastic
 * rounding of G, with N outputs, X unfolded [ours]; dW is the run's own, so it holds the noise of the width in force. In
 * hfqt what is rounded is the transformed G, whose range is another: there it is an approximation. */
struct sensitivity {
    const struct allocation *allocation;
    double momentum;      /* memory of the averages, per observation */
    bool paper_step;
    double weight;        /* of the averages so far: bias correction divides by it */
    double *trace;        /* count: average of T */
    double *largest;      /* count: average of a gradient tensor's limit, max|G| */
    double *probed;       /* count: T of weights and activations by the last float pass; NULL: the averages are used */
};

/* Memory from the run's arena; the averages are kept in checkpoints. probing: weights and activations are measured by
 * sensitivity_probe (allocation->probe) and not by the averages. */
void sensitivity_begin(struct sensitivity *, const struct allocation *, double momentum, bool paper_step, bool probing);
/* Goes on from another's averages, of as many tensors. */
void sensitivity_continue(struct sensitivity *, const struct sensitivity *from);
/* The averages follow one training step. */
void sensitivity_observe(struct sensitivity *, const struct observation *);
/* Where probing: T from all batches of allocation->probe at the present weights, unquantised. */
void sensitivity_probe(struct sensitivity *);

/* Every tensor's sensitivity at its allowed widths. */
struct sensitivity_tables {
    double *omega;        /* count × (MOST_WIDTH + 1), as struct problem has it */
    struct noise *noise;  /* count */
    double *trace, *limit; /* count: what it is made of */
};
void sensitivity_tables_make(struct sensitivity_tables *, const struct allocation *);
/* False: one is not finite, as in a diverging run; the tables are then of no use, but for trace and limit. */
bool sensitivity_fill(const struct sensitivity *, struct sensitivity_tables *);
/* One tensor's row of omega from its noise; INFINITY where the width is not allowed. False: not finite where it is. */
bool sensitivity_row(const struct tensor *, struct noise, double *omega /* MOST_WIDTH + 1 */);

/* The largest magnitude that a tensor's quantiser represents: a weight's or a learned one as it is, an activation's running
 * one. */
double limit_of(const struct range *);
#endif
