/* SPDX-License-Identifier: GPL-3.0-or-later
 * Problems of choosing a width for every tensor, for the tests of solvers and relaxation. */
#ifndef BITSWEEP_TEST_CHOICE_INSTANCES_H
#define BITSWEEP_TEST_CHOICE_INSTANCES_H
#include "../bench/bitsweep.h"

#define MOST_TENSORS 1000
#define MAX_WIDTHS 7
#define MAX_ROWS 3

/* A problem that owns its arrays. */
struct instance {
    struct choice_problem problem;
    double omega[MOST_TENSORS * MAX_WIDTHS], cost[MAX_ROWS * MOST_TENSORS * MAX_WIDTHS], budget[MAX_ROWS];
};
struct instance *instance_new(int tensors, int widths, int rows); /* free() it */

/* Random numbers, the same after each seed. */
void seed(uint64_t value);
double draw(double low, double high);
int draw_int(int low, int high);
/* `count`, or twenty times as many where BITSWEEP_LONG is set. */
int many(int count);

/* Exact in whole numbers: the tests only use costs below 2^53. */
bool within_budgets(const struct choice_problem *, const int *bits);
double objective(const struct choice_problem *, const int *bits);
/* Solves, and checks what holds for every solver and problem. */
bool solve(const struct solver_ops *, const struct choice_problem *, int *bits, struct solver_info *);
#endif
