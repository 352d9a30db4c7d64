/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "decisions.h"
#include "clock.h"
#include "../methods/allocators/problem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path;
    enum record_type type;
    enum { ONE, TENSORS, BUDGETS } of;     /* values a decision */
    const char *unit, *meaning;
} columns[LOG_COLUMNS] = {
    [LOG_STEP] = {"/reallocation/step", RECORD_I64, ONE, "", "step before which it was decided"},
    [LOG_BITS] = {"/reallocation/bits", RECORD_F32, TENSORS, "bit", "width of each tensor from then on"},
    [LOG_TRACE] = {"/reallocation/trace", RECORD_F64, TENSORS, "", "trace of the empirical Fisher T (hawq: of the weights' "
                                                                   "Hessian)"},
    [LOG_RANGE] = {"/reallocation/range", RECORD_F64, TENSORS, "", "largest magnitude that the quantiser represents"},
    [LOG_SIGNED] = {"/reallocation/signed", RECORD_I8, TENSORS, "", "1: signed codes"},
    [LOG_COST] = {"/reallocation/cost", RECORD_F64, BUDGETS, "", "cost of the widths, of each budget in /budgets"},
    [LOG_OMEGA] = {"/reallocation/omega", RECORD_F64, ONE, "", "sensitivity Omega of the chosen widths"},
    [LOG_OMEGA_UNIFORM] = {"/reallocation/omega_uniform", RECORD_F64, ONE, "",
                           "Omega of the uniform widths at the same budget and state"},
    [LOG_SOLVER] = {"/reallocation/solver", RECORD_TEXT, ONE, "", "who solved"},
    [LOG_OPTIMAL] = {"/reallocation/optimal", RECORD_I8, ONE, "", "1: proven optimal"},
    [LOG_MICROSECONDS] = {"/timing/reallocation_microseconds", RECORD_F64, ONE, "µs", "time of each decision"},
};

const struct quantiser_ops *run_quantiser(const struct settings *settings)
{
    const struct alloc_ops *allocator = setting_plug(settings, "allocator");
    const struct mode_ops *mode = setting_plug(settings, "mode");
    if (!allocator->begin)
        return NULL;
    if (allocator->quantiser)
        return allocator->quantiser;
    return mode->quantiser ? mode->quantiser : setting_plug(settings, "quantiser");
}

static void register_state(struct allocator *a)
{
    keep(&a->kept, "allocator.largest_cost", a->largest_cost, sizeof a->largest_cost);
    keep(&a->kept, "allocator.seconds", &a->seconds, sizeof a->seconds);
    keep(&a->kept, "allocator.first_step", &a->first_step, sizeof a->first_step);
    keep(&a->kept, "allocator.decisions", &a->log.count, sizeof a->log.count);
    for (int c = 0; c < LOG_COLUMNS; c++)
        keep_growing(&a->kept, columns[c].path, &a->log.columns[c]);
}

bool allocator_begin(struct allocator *a, struct net *net, const struct settings *settings, const struct dataset *described,
                     long steps, struct probe *probe, struct arena *arena, struct error *error)
{
    *a = (struct allocator){0};
    return allocator_follow(a, net, settings, described, steps, 0, probe, arena, error);
}

/* What was decided for other tensors stands in no row of these. */
static void forget(struct allocator *a)
{
    for (int c = 0; c < LOG_COLUMNS; c++)
        growing_free(&a->log.columns[c]);
    a->log.count = 0;
    a->state = NULL;
}

bool allocator_follow(struct allocator *a, struct net *net, const struct settings *settings, const struct dataset *described,
                      long steps, long first_step, struct probe *probe, struct arena *arena, struct error *error)
{
    budgets_close(&a->budgets);
    kept_free(&a->kept);
    if (a->allocation.count != (int)net->tensor_count)
        forget(a);
    a->ops = setting_plug(settings, "allocator");
    a->net = net;
    a->first_step = first_step;
    a->allocation = (struct allocation){
        .settings = settings, .described = described, .tensors = net->tensors, .ranges = net->ranges,
        .count = (int)net->tensor_count, .steps = steps, .arena = arena, .kept = &a->kept, .probe = probe,
        .previous = a->state};
    a->sum_squares = arena_alloc(arena, 2 * net->count * sizeof(double));
    memset(a->priced, 0, sizeof a->priced);
    if (!a->ops->begin)
        return true;
    if (!budgets_open(settings, described, net->tensors, a->allocation.count, &a->budgets, error))
        return false;
    a->allocation.budgets = a->budgets.items;
    a->allocation.budget_count = a->budgets.count;
    register_state(a);
    a->state = a->ops->begin(&a->allocation);
    return true;
}

/* Prices of the widths in force, which only other widths change; a guarantee that is broken ends the program. */
static void price_in_force(struct allocator *a, long step)
{
    float bits[MAX_TENSORS];
    size_t size = a->net->tensor_count * sizeof *bits;
    net_get_bits(a->net, bits);
    if (memcmp(bits, a->priced, size) == 0)
        return;
    memcpy(a->priced, bits, size);
    for (int b = 0; b < a->budgets.count; b++) {
        const struct budget *budget = &a->budgets.items[b];
        a->prices[b] = budget_price(budget, a->allocation.tensors, a->allocation.count, bits);
        if (a->ops->guarantees && !budget_met(budget, a->prices[b]))
            die("allocator %s exceeds its budget of %g %s at step %ld: %s is %g", a->ops->plug.name, budget->limit,
                budget->cost->unit, step, budget->cost->plug.name, a->prices[b]);
    }
}

static void log_decision(struct allocator *a, long step, const struct decision *decision, const int8_t *is_signed)
{
    struct growing *to = a->log.columns;
    size_t tensors = (size_t)a->allocation.count;
    struct solver_name solver = {""};
    snprintf(solver.text, sizeof solver.text, "%s", decision->solver);
    growing_add(&to[LOG_STEP], &(int64_t){a->first_step + step}, sizeof(int64_t));
    growing_add(&to[LOG_BITS], decision->bits, tensors * sizeof(float));
    growing_add(&to[LOG_TRACE], decision->trace, tensors * sizeof(double));
    growing_add(&to[LOG_RANGE], decision->limit, tensors * sizeof(double));
    growing_add(&to[LOG_SIGNED], is_signed, tensors);
    growing_add(&to[LOG_COST], a->prices, (size_t)a->budgets.count * sizeof *a->prices);
    growing_add(&to[LOG_OMEGA], &decision->omega, sizeof(double));
    growing_add(&to[LOG_OMEGA_UNIFORM], &decision->omega_uniform, sizeof(double));
    growing_add(&to[LOG_SOLVER], &solver, sizeof solver);
    growing_add(&to[LOG_OPTIMAL], &(int8_t){decision->optimal}, 1);
    growing_add(&to[LOG_MICROSECONDS], &(double){1e6 * decision->seconds}, sizeof(double));
    a->log.count++;
}

void allocator_step(struct allocator *a, long step)
{
    if (!a->ops->begin)
        return;
    size_t tensors = (size_t)a->allocation.count;
    float bits[MAX_TENSORS];
    double trace[MAX_TENSORS], limit[MAX_TENSORS];
    int8_t is_signed[MAX_TENSORS];
    struct decision decision = {
        .bits = bits, .trace = trace, .limit = limit, .omega = NAN, .omega_uniform = NAN, .solver = "",
    };
    for (size_t i = 0; i < tensors; i++) {
        trace[i] = limit[i] = NAN;
        is_signed[i] = a->net->ranges[i].is_signed;
    }
    double start = now_seconds();
    bool decided = a->ops->assign(a->state, step, &decision);
    decision.seconds = now_seconds() - start;
    a->seconds += decision.seconds;
    if (!decided)
        return;
    net_set_bits(a->net, bits);
    price_in_force(a, step);
    log_decision(a, step, &decision, is_signed);
}

double *allocator_wants(struct allocator *a, long step)
{
    return a->ops->wants && a->ops->wants(a->state, step) ? a->sum_squares : NULL;
}

void allocator_after(struct allocator *a, long step, size_t batch, double lr_factor)
{
    if (!a->ops->begin)
        return;
    price_in_force(a, step);
    for (int b = 0; b < a->budgets.count; b++)
        a->largest_cost[b] = fmax(a->largest_cost[b], a->prices[b]);
    double start = now_seconds();
    if (allocator_wants(a, step))
        a->ops->observe(a->state, &(struct observation){
            .step = step, .batch = batch, .sum_squares = a->sum_squares,
            .input_squares = net_has_gradients(a->net) ? a->net->input_squares : NULL});
    if (a->ops->update)
        a->ops->update(a->state, step, lr_factor);
    a->seconds += now_seconds() - start;
}

const void *allocator_logged(const struct allocator *a, enum logged column) { return a->log.columns[column].data; }

static void record_solvers(const struct allocator *a, struct record *record, const size_t *shape)
{
    const struct solver_name *solvers = allocator_logged(a, LOG_SOLVER);
    const char **names = xmalloc(shape[0] * sizeof *names);
    for (size_t i = 0; i < shape[0]; i++)
        names[i] = solvers[i].text;
    record_put(record, columns[LOG_SOLVER].path, RECORD_TEXT, 1, shape, names, "", columns[LOG_SOLVER].meaning);
    free(names);
}

static const char *meaning_of(const struct allocator *a, enum logged column)
{
    bool apart = a->ops->probes && a->ops->probes(a->allocation.settings);
    bool of_integers = column == LOG_TRACE && a->net->mode->integer && !apart;
    return of_integers ? "trace of the empirical Fisher T, from gradients that quantised products gave"
                       : columns[column].meaning;
}

/* The first budget's figures also stand by themselves, as most runs have one. */
static void record_budgets(const struct allocator *a, struct record *record)
{
    const size_t count = (size_t)a->budgets.count;
    const char *names[MAX_BUDGETS], *units[MAX_BUDGETS];
    double limits[MAX_BUDGETS], achieved[MAX_BUDGETS], misses[MAX_BUDGETS];
    float bits[MAX_TENSORS];
    net_get_bits(a->net, bits);
    for (size_t b = 0; b < count; b++) {
        const struct budget *budget = &a->budgets.items[b];
        names[b] = budget->cost->plug.name;
        units[b] = budget->cost->unit;
        limits[b] = budget->limit;
        achieved[b] = budget_price(budget, a->allocation.tensors, a->allocation.count, bits);
        misses[b] = budget_met(budget, achieved[b]) ? 0 : achieved[b] - limits[b];
    }
    if (!count)
        return;
    record_put(record, "/budgets/name", RECORD_TEXT, 1, &count, names, "", "cost that is limited");
    record_put(record, "/budgets/unit", RECORD_TEXT, 1, &count, units, "", "unit of the cost");
    record_put(record, "/budgets/limit", RECORD_F64, 1, &count, limits, "", "budget asked for");
    record_put(record, "/budgets/achieved", RECORD_F64, 1, &count, achieved, "", "cost of the final widths");
    record_put(record, "/budgets/miss", RECORD_F64, 1, &count, misses, "", "final cost above the budget, 0 if met");
    record_put(record, "/budgets/largest_in_force", RECORD_F64, 1, &count, a->largest_cost, "",
               "largest cost in force at any step");
    record_real(record, "/costs/budget", limits[0], units[0], "first budget asked for");
    record_real(record, "/costs/budget_miss", misses[0], units[0], "final cost above the first budget, 0 if met");
    record_real(record, "/costs/largest_in_force", a->largest_cost[0], units[0],
                "largest cost in force at any step, of the first budget");
}

void allocator_record(const struct allocator *a, struct record *record)
{
    if (!a->log.count)
        return;
    for (enum logged c = 0; c < LOG_COLUMNS; c++) {
        const size_t shape[2] = {(size_t)a->log.count,
                                 (size_t)(columns[c].of == BUDGETS ? a->budgets.count : a->allocation.count)};
        if (c == LOG_SOLVER)
            record_solvers(a, record, shape);
        else if (shape[1])
            record_put(record, columns[c].path, columns[c].type, columns[c].of == ONE ? 1 : 2, shape,
                       allocator_logged(a, c), columns[c].unit, meaning_of(a, c));
    }
    record_budgets(a, record);
}

void allocator_end(struct allocator *a)
{
    for (int c = 0; c < LOG_COLUMNS; c++)
        growing_free(&a->log.columns[c]);
    budgets_close(&a->budgets);
    kept_free(&a->kept);
}
