/* SPDX-License-Identifier: GPL-3.0-or-later
 * How long solvers take for 200 tensors of 2 to 8 bits: layer sizes of networks, sensitivities over six decades, budgets
 * that are no multiple of anything. */
#include "bench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TENSORS = 200, LEAST = 2, WIDTHS = 7, ROWS = 2, INSTANCES = 20 };

struct instance {
    double omega[TENSORS][WIDTHS], cost[ROWS][TENSORS][WIDTHS], budget[ROWS];
};

static void make(struct instance *in, uint64_t number)
{
    uint64_t key = rng_key(number, STREAM_DATA, 0, 0), draws = 0;
    double least[ROWS] = {0}, most[ROWS] = {0};
    for (int t = 0; t < TENSORS; t++) {
        double trace = pow(10, 6 * rng_uniform(key, draws++) - 3), range = exp(0.5 * rng_normal(key, draws++));
        double in_c = floor(exp2(3 + 6 * rng_uniform(key, draws++))), out_c = floor(exp2(3 + 6 * rng_uniform(key, draws++)));
        double kernel = rng_uniform(key, draws++) < 0.7 ? 9 : 1, side = exp2(floor(2 + 4 * rng_uniform(key, draws++)));
        double size[ROWS] = {in_c * out_c * kernel, in_c * out_c * kernel * side * side};
        for (int k = 0; k < WIDTHS; k++) {
            in->omega[t][k] = trace * range * range / 12 / pow(exp2(LEAST + k) - 2, 2);
            for (int row = 0; row < ROWS; row++)
                in->cost[row][t][k] = size[row] * (LEAST + k);
        }
        for (int row = 0; row < ROWS; row++) {
            least[row] += in->cost[row][t][0];
            most[row] += in->cost[row][t][WIDTHS - 1];
        }
    }
    double part = 0.15 + 0.5 * rng_uniform(key, draws++);
    for (int row = 0; row < ROWS; row++)
        in->budget[row] = least[row] + part * (0.95 + 0.1 * rng_uniform(key, draws++)) * (most[row] - least[row]);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of this thread alone, so that a busy machine shows the same. */
static double cpu_milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void time_solver(struct bench_rows *rows, const struct solver_ops *solver, struct instance *in, int budgets)
{
    double milliseconds[INSTANCES];
    for (int i = 0; i < INSTANCES; i++) {
        int bits[TENSORS];
        struct solver_info info;
        make(in, (uint64_t)i);
        const struct choice_problem problem = {TENSORS, LEAST, WIDTHS, budgets, in->omega[0], in->cost[0][0], in->budget};
        double start = cpu_milliseconds();
        if (!solver->solve(&problem, bits, &info))
            die("%s finds nothing", solver->plug.name);
        milliseconds[i] = cpu_milliseconds() - start;
    }
    qsort(milliseconds, INSTANCES, sizeof *milliseconds, ascending);
    bench_add(rows, milliseconds[INSTANCES / 2], "ms", budgets == 1 ? 50 : 150, NAN, "solver/%s/%dx%d", solver->plug.name,
              TENSORS, budgets);
}

void bench_solvers(struct bench_rows *rows)
{
    static const struct { const char *name; int budgets; } cases[] = {
        {"greedy", 1}, {"knapsack", 1}, {"ilp", 1}, {"ilp", 2}};
    struct instance *in = xmalloc(sizeof *in);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        time_solver(rows, (const struct solver_ops *)plug_find(PLUG_SOLVER, cases[i].name), in, cases[i].budgets);
    free(in);
}
