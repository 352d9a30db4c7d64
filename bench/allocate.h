/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep allocate`: widths for a layer table, what they cost and what a little more would bring. */
#ifndef BITSWEEP_ALLOCATE_H
#define BITSWEEP_ALLOCATE_H
#include "cli.h"
#include "layer_table.h"

/* What is asked for. */
struct request {
    struct layer_table table;
    struct budget *budgets;           /* in the order of the command line; of a sweep, the swept one last */
    int budget_count;
    const struct solver_ops *solver;
};

/* How an attempt ended. */
enum verdict {
    ALLOCATED,
    INFEASIBLE,  /* nothing meets the budgets, or nothing was found */
    REFUSED      /* the solver cannot take the problem */
};

struct answer {
    int *bits;                        /* tensors */
    double *costs;                    /* budgets: summed again from the widths */
    double objective;                 /* likewise */
    struct solver_info info;          /* info.objective: the same number */
};
/* The error says why not, with the range that is feasible for each budget. */
enum verdict allocate(const struct request *, struct answer *, struct error *);
void answer_free(struct answer *);

/* By how much the objective falls per unit of each budget, in the linear relaxation, where a class of tensors may mix its
 * options: the dual prices. NAN for budgets on the largest layer, which are no sums. */
void allocate_prices(const struct request *, const struct answer *, double *prices /* budgets */);

/* The next wider (or narrower) width that the tensor and those tied to it can have, 0 if there is none, and what it changes
 * in the objective. */
int allocate_neighbour(const struct layer_table *, const int *bits, int tensor, bool wider, double *change);

/* ---- the Pareto front over the last budget (pareto.c) ---- */

struct point { double budget, cost, objective; bool optimal; int *bits; };
struct front { struct point *points; int count; bool all_feasible; };
/* points 0: every efficient allocation between from and to, ascending; else the best at so many budgets from..to, those that
 * are infeasible left out. */
enum verdict pareto_front(struct request *, double from, double to, int points, struct front *, struct error *);
void front_free(struct front *);
/* Draws the objective over the budget; format by the file's extension. Names of what was written go to stderr. */
bool pareto_plot(const struct request *, const struct front *, const char *path, struct error *);

/* ---- output (allocate_print.c) ---- */

/* To stdout. prices: as allocate_prices fills it. */
void print_answer(const struct request *, const struct answer *, const double *prices, enum format);
void print_front(const struct request *, const struct front *, enum format);
struct cJSON *json_answer(const struct request *, const struct answer *, const double *prices);
struct cJSON *json_front(const struct request *, const struct front *);
#endif
