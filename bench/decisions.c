/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "decisions.h"
#include "clock.h"
#include "../methods/allocators/allocation.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *path;
    enum record_type type;
    bool of_tensors;     /* a value for each tensor */
    const char *unit, *meaning;
} columns[LOG_COLUMNS] = {
    [LOG_STEP] = {"/reallocation/step", RECORD_I64, false, "", "step before which it was decided"},
    [LOG_BITS] = {"/reallocation/bits", RECORD_F32, true, "bit", "width of each tensor from then on"},
    [LOG_TRACE] = {"/reallocation/trace", RECORD_F64, true, "", "trace of the empirical Fisher T"},
    [LOG_RANGE] = {"/reallocation/range", RECORD_F64, true, "", "largest magnitude that the quantiser represents"},
    [LOG_SIGNED] = {"/reallocation/signed", RECORD_I8, true, "", "1: signed codes"},
    [LOG_COST] = {"/reallocation/cost", RECORD_F64, false, "bit", "cost of the widths (mean bits)"},
    [LOG_BUDGET] = {"/reallocation/budget", RECORD_F64, false, "bit", "budget"},
    [LOG_OMEGA] = {"/reallocation/omega", RECORD_F64, false, "", "sensitivity Omega of the chosen widths"},
    [LOG_OMEGA_UNIFORM] = {"/reallocation/omega_uniform", RECORD_F64, false, "",
                           "Omega of the uniform widths at the same budget and state"},
    [LOG_SOLVER] = {"/reallocation/solver", RECORD_TEXT, false, "", "who solved"},
    [LOG_OPTIMAL] = {"/reallocation/optimal", RECORD_I8, false, "", "1: proven optimal"},
    [LOG_MICROSECONDS] = {"/timing/reallocation_microseconds", RECORD_F64, false, "µs", "time of each decision"},
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
    keep(&a->kept, "allocator.largest_cost", &a->largest_cost, sizeof a->largest_cost);
    keep(&a->kept, "allocator.seconds", &a->seconds, sizeof a->seconds);
    keep(&a->kept, "allocator.decisions", &a->log.count, sizeof a->log.count);
    for (int c = 0; c < LOG_COLUMNS; c++)
        keep_growing(&a->kept, columns[c].path, &a->log.columns[c]);
}

void allocator_begin(struct allocator *a, struct net *net, const struct settings *settings, long steps,
                     struct arena *arena)
{
    *a = (struct allocator){
        .ops = setting_plug(settings, "allocator"),
        .net = net,
        .allocation = {.settings = settings, .tensors = net->tensors, .ranges = net->ranges,
                       .count = (int)(2 * net->count), .steps = steps, .arena = arena, .kept = &a->kept,
                       .cost = (const struct cost_ops *)plug_find(PLUG_COST, "mean_bits")},
        .sum_squares = arena_alloc(arena, 2 * net->count * sizeof(double)),
    };
    if (!a->ops->begin)
        return;
    a->allocation.budget = setting_real(settings, "budget");
    register_state(a);
    a->state = a->ops->begin(&a->allocation);
}

static double cost_in_force(const struct allocator *a)
{
    float bits[2 * MAX_LAYERS];
    net_get_bits(a->net, bits);
    return a->allocation.cost->price(a->allocation.tensors, a->allocation.count, bits);
}

static void log_decision(struct allocator *a, long step, const struct decision *decision, const int8_t *is_signed,
                         double cost)
{
    struct growing *to = a->log.columns;
    size_t tensors = (size_t)a->allocation.count;
    struct solver_name solver = {""};
    snprintf(solver.text, sizeof solver.text, "%s", decision->solver);
    growing_add(&to[LOG_STEP], &(int64_t){step}, sizeof(int64_t));
    growing_add(&to[LOG_BITS], decision->bits, tensors * sizeof(float));
    growing_add(&to[LOG_TRACE], decision->trace, tensors * sizeof(double));
    growing_add(&to[LOG_RANGE], decision->limit, tensors * sizeof(double));
    growing_add(&to[LOG_SIGNED], is_signed, tensors);
    growing_add(&to[LOG_COST], &cost, sizeof cost);
    growing_add(&to[LOG_BUDGET], &a->allocation.budget, sizeof(double));
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
    float bits[2 * MAX_LAYERS];
    double trace[2 * MAX_LAYERS], limit[2 * MAX_LAYERS];
    int8_t is_signed[2 * MAX_LAYERS];
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
    log_decision(a, step, &decision, is_signed, cost_in_force(a));
}

double *allocator_wants(struct allocator *a, long step)
{
    return a->ops->wants && a->ops->wants(a->state, step) ? a->sum_squares : NULL;
}

void allocator_after(struct allocator *a, long step, size_t batch, double lr_factor)
{
    if (!a->ops->begin)
        return;
    double cost = cost_in_force(a);
    a->largest_cost = fmax(a->largest_cost, cost);
    if (a->ops->guarantees && !fits(cost, a->allocation.budget))
        die("allocator %s exceeds its budget %g at step %ld: %g", a->ops->plug.name, a->allocation.budget, step, cost);
    double start = now_seconds();
    if (allocator_wants(a, step))
        a->ops->observe(a->state, step, batch, a->sum_squares);
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
    bool of_integers = column == LOG_TRACE && a->net->mode->integer;
    return of_integers ? "trace of the empirical Fisher T, from gradients that quantised products gave"
                       : columns[column].meaning;
}

void allocator_record(const struct allocator *a, struct record *record)
{
    if (!a->log.count)
        return;
    const size_t shape[2] = {(size_t)a->log.count, (size_t)a->allocation.count};
    for (enum logged c = 0; c < LOG_COLUMNS; c++)
        if (c == LOG_SOLVER)
            record_solvers(a, record, shape);
        else
            record_put(record, columns[c].path, columns[c].type, columns[c].of_tensors ? 2 : 1, shape,
                       allocator_logged(a, c), columns[c].unit, meaning_of(a, c));
    record_real(record, "/costs/budget", a->allocation.budget, "bit", "budget asked for");
    record_real(record, "/costs/budget_miss", fmax(0, cost_in_force(a) - a->allocation.budget), "bit",
                "final cost above the budget, 0 if met");
    record_real(record, "/costs/largest_in_force", a->largest_cost, "bit", "largest cost in force at any step");
}

void allocator_end(struct allocator *a)
{
    for (int c = 0; c < LOG_COLUMNS; c++)
        growing_free(&a->log.columns[c]);
    kept_free(&a->kept);
}
