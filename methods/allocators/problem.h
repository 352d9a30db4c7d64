/* SPDX-License-Identifier: GPL-3.0-or-later
 * One allocation problem: minimise the sum of omega_i(b_i) subject to budgets, each tensor's allowed widths and ties.
 * Conventions of the solvers: methods/solvers/choice.h. */
#ifndef BITSWEEP_PROBLEM_H
#define BITSWEEP_PROBLEM_H
#include "../../bench/bitsweep.h"

/* A tensor's sensitivity at real widths: scale / (2^b - offset)^2, offset 2 for signed and 1 for unsigned codes. METHODS
 * 3, 4. */
struct noise { double scale, offset; };

struct problem {
    const struct tensor *tensors;
    int count;
    const struct budget *budgets;
    int budget_count;
    const double *omega;          /* count × (MOST_WIDTH + 1), by width; INFINITY: not allowed; read where choices allow */
    const struct noise *noise;    /* count: what omega tabulates; NULL where it has no formula */
};
static inline double omega_at(const struct problem *p, int tensor, int bits)
{
    return p->omega[(size_t)tensor * (MOST_WIDTH + 1) + (size_t)bits];
}

/* Whether the solver takes problems of these tensors and budgets, which does not depend on the sensitivities (any finite
 * ones); else the error says why not. The budgets can be met. */
bool problem_suits(const struct problem *, const struct solver_ops *, struct error *);

/* Fills bits (count). False: the error says that nothing meets the budgets, with the range of each that is feasible by
 * itself, or why the solver cannot take the problem; info->optimal tells whether infeasibility is proven. */
bool problem_solve(const struct problem *, const struct solver_ops *, int *bits, struct solver_info *, struct error *);

/* The optimum in real widths between each tensor's least and most, for any costs that are convex in the widths or their
 * logarithms (KKT, METHODS 4); needs noise. Fills bits (count) and the objective, a lower bound of the whole widths' one.
 * False: infeasible. Ties hold; a budget on the largest layer holds where it looks at one width a layer, else it is left
 * out; other costs are taken at real widths as they come, and the objective is then that of the bits, no bound.
 * (methods/solvers/relax.c) */
bool problem_relax(const struct problem *, double *bits, double *objective);

/* Sum of omega at whole widths. */
double problem_omega(const struct problem *, const int *bits);

/* The price of one budget at whole or real widths. */
double budget_price(const struct budget *, const struct tensor *, int count, const float *bits);
/* Whether a price meets the limit, but for the rounding of its sum: a relative 1e-12. */
bool budget_met(const struct budget *, double price);
/* Whether these widths meet all of them. */
bool budgets_met(const struct budget *, int budget_count, const struct tensor *, int count, const float *bits);
/* What the cost can be at all, each tensor at its least and at its most. */
void budget_range(const struct budget *, const struct tensor *, int count, double *least, double *most);
/* Whether widths of this kind change it. */
bool budget_concerns(const struct budget *, const struct tensor *, int count, enum tensor_kind);
/* The price of all tensors at REFERENCE_BITS: what a limit in % is a share of, and what different costs are compared by. */
#define REFERENCE_BITS 8
double budget_reference(const struct budget *, const struct tensor *, int count);

/* ---- joint choices ---- */

/* Tensors whose widths are chosen together, because they are tied or because a cost takes the product of their widths:
 * each class picks one option, which is a width for each of its tensors. The classes are the `tensors` of a
 * choice_problem with lo = 0, whose rows are the budgets on sums, or where there is none, one row of zeros (budgets on a
 * largest layer have removed options instead). */
struct classes {
    struct choice_problem problem;
    int count;                    /* tensors of the allocation problem */
    int *class_of, *place;        /* count: the tensor's class, and its group's place in the class's options */
    int *options;                 /* problem.tensors: options of each class */
    int *places;                  /* problem.tensors: groups of tensors in each class */
    uint8_t **widths;             /* problem.tensors: options × places */
    double *memory;               /* problem.omega, cost and budget */
};
/* False: a class would have more than MOST_OPTIONS options, or a tensor has no width that a budget on the largest layer
 * allows. */
#define MOST_OPTIONS 4096
bool classes_make(const struct problem *, struct classes *, struct error *);
/* The widths of the chosen options (problem.tensors). */
void classes_bits(const struct classes *, const int *chosen, int *bits /* count */);
void classes_free(struct classes *);
#endif
