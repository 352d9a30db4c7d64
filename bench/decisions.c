/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "decisions.h"
#include "clock.h"
#include "../methods/allocators/allocation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct quantiser_ops *run_quantiser(const struct settings *settings)
{
    const struct alloc_ops *ops =
        setting_plug(settings, "allocator");
    if (!ops->begin)
        return NULL;
    if (ops->quantiser)
        return ops->quantiser;
    return setting_plug(settings, "quantiser");
}

void allocator_begin(struct allocator *a, struct net *net, const struct settings *settings, long steps,
                     struct arena *arena)
{
    *a = (struct allocator){
        .ops = setting_plug(settings, "allocator"),
        .net = net,
        .allocation = {.settings = settings, .tensors = net->tensors, .ranges = net->ranges,
                       .count = (int)(2 * net->count), .steps = steps, .arena = arena,
                       .cost = (const struct cost_ops *)plug_find(PLUG_COST, "mean_bits")},
        .sum_squares = arena_alloc(arena, 2 * net->count * sizeof(double)),
    };
    if (!a->ops->begin)
        return;
    a->allocation.budget = setting_real(settings, "budget");
    a->state = a->ops->begin(&a->allocation);
}

static double cost_in_force(const struct allocator *a)
{
    float bits[2 * MAX_LAYERS];
    net_get_bits(a->net, bits);
    return a->allocation.cost->price(a->allocation.tensors, a->allocation.count, bits);
}

static void grow(struct decision_log *log, size_t tensors)
{
    log->capacity = log->capacity ? 2 * log->capacity : 16;
    size_t rows = log->capacity, cells = rows * tensors;
    log->step = xrealloc(log->step, rows * sizeof *log->step);
    log->bits = xrealloc(log->bits, cells * sizeof *log->bits);
    log->trace = xrealloc(log->trace, cells * sizeof *log->trace);
    log->limit = xrealloc(log->limit, cells * sizeof *log->limit);
    log->is_signed = xrealloc(log->is_signed, cells);
    log->cost = xrealloc(log->cost, rows * sizeof *log->cost);
    log->omega = xrealloc(log->omega, rows * sizeof *log->omega);
    log->omega_uniform = xrealloc(log->omega_uniform, rows * sizeof *log->omega_uniform);
    log->microseconds = xrealloc(log->microseconds, rows * sizeof *log->microseconds);
    log->solver = xrealloc(log->solver, rows * sizeof *log->solver);
    log->optimal = xrealloc(log->optimal, rows);
}

void allocator_step(struct allocator *a, long step)
{
    if (!a->ops->begin)
        return;
    size_t tensors = (size_t)a->allocation.count, row = a->log.count;
    struct decision_log *log = &a->log;
    if (row == log->capacity)
        grow(log, tensors);
    struct decision decision = {
        .bits = log->bits + row * tensors, .trace = log->trace + row * tensors, .limit = log->limit + row * tensors,
        .omega = NAN, .omega_uniform = NAN, .solver = "",
    };
    for (size_t i = 0; i < tensors; i++)
        decision.trace[i] = decision.limit[i] = NAN;
    double start = now_seconds();
    bool decided = a->ops->assign(a->state, step, &decision);
    double seconds = now_seconds() - start;
    a->seconds += seconds;
    if (!decided)
        return;
    log->step[row] = step;
    log->omega[row] = decision.omega;
    log->omega_uniform[row] = decision.omega_uniform;
    log->microseconds[row] = 1e6 * seconds;
    log->solver[row] = xstrdup(decision.solver);
    log->optimal[row] = decision.optimal;
    for (size_t i = 0; i < tensors; i++)
        log->is_signed[row * tensors + i] = a->net->ranges[i].is_signed;
    net_set_bits(a->net, decision.bits);
    log->cost[row] = cost_in_force(a);
    log->count++;
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

void allocator_record(struct allocator *a, struct record *record)
{
    struct decision_log *log = &a->log;
    if (!log->count)
        return;
    const size_t rows[1] = {log->count}, cells[2] = {log->count, (size_t)a->allocation.count};
    double *budget = xmalloc(log->count * sizeof *budget);
    for (size_t i = 0; i < log->count; i++)
        budget[i] = a->allocation.budget;
    record_put(record, "/reallocation/step", RECORD_I64, 1, rows, log->step, "", "step before which it was decided");
    record_put(record, "/reallocation/bits", RECORD_F32, 2, cells, log->bits, "bit", "width of each tensor from then on");
    record_put(record, "/reallocation/trace", RECORD_F64, 2, cells, log->trace, "", a->net->mode->integer ? "trace of the empirical Fisher T, from gradients that quantised products gave"
                                      : "trace of the empirical Fisher T");
    record_put(record, "/reallocation/range", RECORD_F64, 2, cells, log->limit, "", "largest magnitude that the quantiser represents");
    record_put(record, "/reallocation/signed", RECORD_I8, 2, cells, log->is_signed, "", "1: signed codes");
    record_put(record, "/reallocation/cost", RECORD_F64, 1, rows, log->cost, "bit", "cost of the widths (mean bits)");
    record_put(record, "/reallocation/budget", RECORD_F64, 1, rows, budget, "bit", "budget");
    record_put(record, "/reallocation/omega", RECORD_F64, 1, rows, log->omega, "", "sensitivity Omega of the chosen widths");
    record_put(record, "/reallocation/omega_uniform", RECORD_F64, 1, rows, log->omega_uniform, "", "Omega of the uniform widths at the same budget and state");
    record_put(record, "/reallocation/solver", RECORD_TEXT, 1, rows, log->solver, "", "who solved");
    record_put(record, "/reallocation/optimal", RECORD_I8, 1, rows, log->optimal, "", "1: proven optimal");
    record_put(record, "/timing/reallocation_microseconds", RECORD_F64, 1, rows, log->microseconds, "µs", "time of each decision");
    record_real(record, "/costs/budget", a->allocation.budget, "bit", "budget asked for");
    record_real(record, "/costs/budget_miss", fmax(0, cost_in_force(a) - a->allocation.budget), "bit",
                "final cost above the budget, 0 if met");
    record_real(record, "/costs/largest_in_force", a->largest_cost, "bit", "largest cost in force at any step");
    free(budget);
}

void allocator_end(struct allocator *a)
{
    struct decision_log *log = &a->log;
    for (size_t i = 0; i < log->count; i++)
        free(log->solver[i]);
    free(log->step);
    free(log->bits);
    free(log->trace);
    free(log->limit);
    free(log->is_signed);
    free(log->cost);
    free(log->omega);
    free(log->omega_uniform);
    free(log->microseconds);
    free(log->solver);
    free(log->optimal);
}
