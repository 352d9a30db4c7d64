/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reallocation while a run trains: what qbitopt does with the solver that the settings name, and exhaustive with its own. */
#ifndef BITSWEEP_QBITOPT_H
#define BITSWEEP_QBITOPT_H
#include "allocation.h"
#include "../../bench/probe.h"

/* Parameters of both, in the order in which they depend on each other. */
extern const struct param qbitopt_fit_source, qbitopt_fit_momentum, qbitopt_fit_every, qbitopt_tau, qbitopt_warm_up,
    qbitopt_freeze, qbitopt_reallocate;
#define QBITOPT_PARAMS ALLOCATION_PARAMS, &param_quantiser, &param_noise, &qbitopt_fit_source, &param_probe_samples, \
                       &qbitopt_fit_momentum, &qbitopt_fit_every, &qbitopt_tau, &qbitopt_warm_up, &qbitopt_freeze, \
                       &qbitopt_reallocate

/* The members of struct alloc_ops; begin also takes the solver. */
bool qbitopt_probes(const struct settings *);
void *qbitopt_begin(const struct allocation *, const struct solver_ops *);
bool qbitopt_assign(void *state, long step, struct decision *);
bool qbitopt_wants(void *state, long step);
void qbitopt_observe(void *state, const struct observation *);

/* Whether the solver takes the allocation problems of these tensors and budgets, whatever their sensitivities; else the
 * error says why not. The budgets can be met. */
bool qbitopt_solvable(const struct settings *, const struct solver_ops *, const struct tensor *, int count,
                      const struct budget *, int budget_count, struct error *);
#endif
