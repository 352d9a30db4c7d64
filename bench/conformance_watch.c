/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conformance_watch.h"
#include "plugins.h"
#include "../methods/allocators/problem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- guarded memory ---- */

#define GUARD 512 /* bytes before and behind */
#define PATTERN 0xA5

/* Memory with room on both sides that must stay as it is. */
struct guarded { unsigned char *block; void *data; size_t size; };

static struct guarded guarded_make(const void *content, size_t size)
{
    struct guarded g = {.block = xmalloc(size + 2 * GUARD), .size = size};
    memset(g.block, PATTERN, size + 2 * GUARD);
    g.data = g.block + GUARD;
    if (size)
        memcpy(g.data, content, size);
    return g;
}

static bool guard_intact(const struct guarded *g)
{
    for (size_t i = 0; i < GUARD; i++)
        if (g->block[i] != PATTERN || g->block[GUARD + g->size + i] != PATTERN)
            return false;
    return true;
}

static void guarded_free(struct guarded *g) { free(g->block); }

/* ---- the run under way ---- */

/* A process watches one run at a time, and the functions of a table have nothing else to know it by. */
static struct watch {
    const struct alloc_ops *ops;
    struct alloc_ops table;
    struct quantiser_ops quantiser;
    const struct watching *how;
    struct watched *seen;
    void *state;                       /* the allocator's */
    struct allocation allocation;      /* that it was given */
    const struct allocation *original;
    struct guarded tensors, budgets, bits, trace, limit;
    float *asked, *given;              /* tensors */
    double *squares, *input_squares;   /* poisoned */
    bool integer;
    long steps_done;
} watch;

static void note_outside(const char *what, long step)
{
    if (!watch.seen->outside[0])
        snprintf(watch.seen->outside, sizeof watch.seen->outside, "step %ld: %s", step, what);
}

static void check_memory(long step)
{
    const struct { const struct guarded *memory; const char *name; } arrays[] = {
        {&watch.bits, "decision.bits"}, {&watch.trace, "decision.trace"}, {&watch.limit, "decision.limit"},
        {&watch.tensors, "allocation.tensors"}, {&watch.budgets, "allocation.budgets"},
    };
    char text[96];
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (!guard_intact(arrays[i].memory)) {
            snprintf(text, sizeof text, "it wrote outside %s", arrays[i].name);
            note_outside(text, step);
        }
    if (memcmp(watch.tensors.data, watch.original->tensors, watch.tensors.size) != 0)
        note_outside("it changed allocation.tensors", step);
    if (watch.budgets.size && memcmp(watch.budgets.data, watch.original->budgets, watch.budgets.size) != 0)
        note_outside("it changed allocation.budgets", step);
}

/* ---- what is noted ---- */

static void make_rows(struct watched *seen, const struct allocation *a)
{
    size_t rows = (size_t)a->steps + 1, tensors = (size_t)a->count, budgets = (size_t)a->budget_count;
    seen->tensors = a->count;
    seen->budgets = a->budget_count;
    seen->steps = a->steps;
    seen->tensor = xmalloc(tensors * sizeof *seen->tensor);
    memcpy(seen->tensor, a->tensors, tensors * sizeof *seen->tensor);
    seen->budget = xcalloc(budgets + 1, sizeof *seen->budget);
    for (size_t b = 0; b < budgets; b++) {
        snprintf(seen->budget[b].cost, sizeof seen->budget[b].cost, "%s", a->budgets[b].cost->plug.name);
        seen->budget[b].limit = a->budgets[b].limit;
    }
    seen->filled = xcalloc(rows, sizeof *seen->filled);
    seen->bits = xcalloc(rows * tensors, sizeof *seen->bits);
    seen->prices = xcalloc(rows * budgets + 1, sizeof *seen->prices);
    seen->met = xcalloc(rows * budgets + 1, sizeof *seen->met);
    seen->learned = xcalloc(rows * tensors, sizeof *seen->learned);
}

/* Widths as the allocator asked for them, unless its quantiser has chosen others since. just_decided: they come next. */
static void note_row(long step, bool just_decided)
{
    struct watched *seen = watch.seen;
    const struct allocation *a = watch.original;
    size_t first = (size_t)step * (size_t)seen->tensors;
    for (int i = 0; i < seen->tensors; i++) {
        const struct range *range = &a->ranges[i];
        bool as_asked = just_decided || range->bits == watch.given[i];
        seen->bits[first + (size_t)i] = as_asked ? watch.asked[i] : range->bits;
        seen->learned[first + (size_t)i] =
            (struct learned){just_decided ? watch.given[i] : range->bits, range->step, range->top};
    }
    for (int b = 0; b < seen->budgets; b++) {
        size_t at = (size_t)step * (size_t)seen->budgets + (size_t)b;
        seen->prices[at] = budget_price(&a->budgets[b], a->tensors, seen->tensors, seen->bits + first);
        seen->met[at] = budget_met(&a->budgets[b], seen->prices[at]);
    }
    seen->filled[step] = true;
}

static void note_decision(long step, const struct decision *decision, double seconds)
{
    struct watched *seen = watch.seen;
    seen->decisions = xrealloc(seen->decisions, (seen->decision_count + 1) * sizeof *seen->decisions);
    struct noted_decision *noted = &seen->decisions[seen->decision_count++];
    *noted = (struct noted_decision){.step = step, .omega = decision->omega, .omega_uniform = decision->omega_uniform,
                                     .seconds = seconds, .optimal = decision->optimal};
    snprintf(noted->solver, sizeof noted->solver, "%s", decision->solver ? decision->solver : "");
}

/* A width that the network can be given, however bad the one asked for is: the check of it comes after the run. */
static float usable(const struct tensor *tensor, float bits)
{
    float least = (float)tensor_least(tensor), most = (float)tensor_most(tensor);
    if (!(bits >= least)) /* also NaN */
        return least;
    bits = bits > most ? most : bits;
    return watch.integer ? floorf(bits) : bits;
}

/* ---- the table's functions ---- */

static void *begin(const struct allocation *a)
{
    const size_t count = (size_t)a->count;
    double *nothing = xmalloc(count * sizeof *nothing);
    for (size_t i = 0; i < count; i++)
        nothing[i] = NAN;
    make_rows(watch.seen, a);
    watch.original = a;
    watch.allocation = *a;
    watch.tensors = guarded_make(a->tensors, count * sizeof *a->tensors);
    watch.budgets = guarded_make(a->budgets, (size_t)a->budget_count * sizeof *a->budgets);
    watch.bits = guarded_make(nothing, count * sizeof(float));
    watch.trace = guarded_make(nothing, count * sizeof(double));
    watch.limit = guarded_make(nothing, count * sizeof(double));
    free(nothing);
    watch.allocation.tensors = watch.tensors.data;
    watch.allocation.budgets = watch.budgets.data;
    watch.asked = xcalloc(count, sizeof *watch.asked);
    watch.given = xcalloc(count, sizeof *watch.given);
    watch.squares = xmalloc(count * sizeof *watch.squares);
    watch.input_squares = xmalloc(count * sizeof *watch.input_squares);
    for (size_t i = 0; i < count; i++)
        watch.squares[i] = watch.input_squares[i] = watch.how->poison;
    watch.integer = ((const struct mode_ops *)setting_plug(a->settings, "mode"))->integer;
    watch.state = watch.ops->begin(&watch.allocation);
    check_memory(0);
    return watch.state;
}

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool assign(void *state, long step, struct decision *decision)
{
    const struct allocation *a = watch.original;
    struct decision own = *decision;
    float *bits = own.bits = watch.bits.data;
    own.trace = watch.trace.data;
    own.limit = watch.limit.data;
    for (int i = 0; i < a->count; i++) {
        bits[i] = NAN;
        own.trace[i] = own.limit[i] = NAN;
    }
    double start = processor_seconds();
    bool decided = watch.ops->assign(state, step, &own);
    double seconds = processor_seconds() - start;
    check_memory(step);
    if (decided) {
        note_decision(step, &own, seconds);
        for (int i = 0; i < a->count; i++) {
            watch.asked[i] = bits[i];
            watch.given[i] = decision->bits[i] = usable(&a->tensors[i], bits[i]);
            decision->trace[i] = own.trace[i];
            decision->limit[i] = own.limit[i];
        }
        decision->omega = own.omega;
        decision->omega_uniform = own.omega_uniform;
        decision->solver = own.solver ? own.solver : "";
        decision->optimal = own.optimal;
    }
    if (step == a->steps)
        note_row(step, decided);
    return decided;
}

static bool wants(void *state, long step)
{
    bool wanted = watch.ops->wants(state, step);
    check_memory(step);
    return wanted;
}

static void observe(void *state, const struct observation *observation)
{
    struct observation own = *observation;
    if (watch.how->poisoned && 3 * own.step >= watch.allocation.steps) {
        own.sum_squares = watch.squares;
        own.input_squares = own.input_squares ? watch.input_squares : NULL;
    }
    watch.ops->observe(state, &own);
    check_memory(own.step);
}

/* After every step. */
static void update(void *state, long step, double lr_factor)
{
    note_row(step, false);
    watch.steps_done++;
    if (watch.ops->update)
        watch.ops->update(state, step, lr_factor);
    check_memory(step);
}

static void blind_backward(struct range *range, const struct settings *settings, const float *x, float *grad,
                           size_t padded_count)
{
    memset(grad, 0, padded_count * sizeof *grad);
    watch.ops->quantiser->backward(range, settings, x, grad, padded_count);
}

static bool shall_stop(void *context)
{
    (void)context;
    return watch.how->stop_after && watch.steps_done >= watch.how->stop_after;
}

/* ---- */

void watch_install(const struct alloc_ops *ops)
{
    watch.ops = ops;
    watch.table = *ops;
    watch.table.guarantees = false; /* what exceeds a budget is noted, and does not end the run */
    watch.table.begin = begin;
    watch.table.assign = assign;
    watch.table.wants = ops->wants ? wants : NULL;
    watch.table.observe = ops->observe ? observe : NULL;
    watch.table.update = update;
    if (!plug_put(PLUG_ALLOCATOR, &watch.table.plug))
        die("no room for one more allocator");
}

bool watched_run(const struct settings *settings, const struct watching *how, struct watched *seen, struct error *error)
{
    const struct checkpoint checkpoint = {.path = how->checkpoint, .identity = "conformance", .seconds = 0};
    const struct train_hooks hooks = {.stopping = shall_stop, .checkpoint = how->checkpoint ? &checkpoint : NULL};
    *seen = (struct watched){0};
    watch.seen = seen;
    watch.how = how;
    watch.steps_done = 0;
    if (watch.ops->quantiser) {
        watch.quantiser = *watch.ops->quantiser;
        watch.quantiser.backward = how->blind ? blind_backward : watch.ops->quantiser->backward;
        watch.table.quantiser = &watch.quantiser;
    }
    bool good = train_run(settings, &hooks, &seen->record, error);
    guarded_free(&watch.tensors);
    guarded_free(&watch.budgets);
    guarded_free(&watch.bits);
    guarded_free(&watch.trace);
    guarded_free(&watch.limit);
    free(watch.asked);
    free(watch.given);
    free(watch.squares);
    free(watch.input_squares);
    watch.tensors = watch.budgets = watch.bits = watch.trace = watch.limit = (struct guarded){0};
    watch.asked = watch.given = NULL;
    watch.squares = watch.input_squares = NULL;
    return good;
}

void watched_free(struct watched *seen)
{
    free(seen->tensor);
    free(seen->budget);
    free(seen->filled);
    free(seen->bits);
    free(seen->prices);
    free(seen->met);
    free(seen->learned);
    free(seen->decisions);
    record_free(&seen->record);
}
