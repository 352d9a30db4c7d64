/* SPDX-License-Identifier: GPL-3.0-or-later
 * The budgets of a run: `budget` is a mean width (4), or costs with limits (weight_bytes=70KiB,bops=25%; in a sweep file
 * also a map). A share is of the cost with every tensor at 8 bits. */
#ifndef BITSWEEP_BUDGETS_H
#define BITSWEEP_BUDGETS_H
#include "bitsweep.h"

#define MAX_BUDGETS 8
struct budgets { struct budget items[MAX_BUDGETS]; void *contexts[MAX_BUDGETS]; int count; };

/* One COST=AMOUNT as users write it: a number, with B, KiB, MiB, GiB, k, M, G or T, or a percentage. */
struct amount { const struct cost_ops *cost; double value; bool relative; };
bool amount_parse(const char *cost, const char *amount, struct amount *, struct error *);
/* The same of a cost that is no plugin: the amount alone. */
bool amount_value(const char *cost, const char *amount, struct amount *, struct error *);

/* Parser of PARAM_TEXT budget: canonical text has the costs in alphabetical order, plain numbers, and just the number for
 * mean_bits alone. */
bool budget_parse(const char *text, char **canonical, struct error *);

/* The run's budgets for its tensors; count 0 where the run has none. Where gradients' widths are allocated and no budget is
 * about them, mean_bits_g = grad_bits is added. */
bool budgets_open(const struct settings *, const struct dataset *described, const struct tensor *, int count,
                  struct budgets *, struct error *);
void budgets_close(struct budgets *);
#endif
