/* SPDX-License-Identifier: GPL-3.0-or-later
 * A complete allocator to start from: docs/adding-an-allocator.md. Every template_every steps all tensors begin at their
 * least width, and each further bit goes to the tensor whose rounding hurts most by then (largest T D²/12, METHODS 3), as
 * long as the budgets allow. [ours]: simple and never worse than uniform widths by its own measure, but not the optimum, as
 * qbitopt is. */
#include "allocation.h"
#include "sensitivity.h"
#include "../../bench/params.h"
#include "../../bench/plugin.h"
#include <math.h>
#include <string.h>

/* ---- parameters: a number that the method leaves open is one, never a constant ---- */

static const struct param template_every = {
    .name = "template_every", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "ours",
    .help = "Steps between reallocations; until the first one the widths are uniform."};
static const struct param template_momentum = {
    .name = "template_momentum", .type = PARAM_REAL, .fallback = "0.9", .min = 0, .max = 0.999999, .source = "ours",
    .help = "Memory of the moving average of the sensitivities, per step (bias-corrected)."};

/* ---- state: all from the run's arena, nothing is freed ---- */

struct state {
    const struct allocation *allocation;
    long every;
    struct sensitivity sensitivity;
    struct sensitivity_tables tables;
    float *bits, *uniform; /* count */
    bool *full;            /* count: one bit more would exceed a budget */
};

static void *begin(const struct allocation *a)
{
    size_t count = (size_t)a->count;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    s->allocation = a;
    s->every = setting_int(a->settings, "template_every");
    s->bits = arena_alloc(a->arena, count * sizeof *s->bits);
    s->uniform = arena_alloc(a->arena, count * sizeof *s->uniform);
    s->full = arena_alloc(a->arena, count * sizeof *s->full);
    sensitivity_begin(&s->sensitivity, a, setting_real(a->settings, "template_momentum"),
                      setting_is(a->settings, "noise", "paper"), false);
    sensitivity_tables_make(&s->tables, a);
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, s->uniform))
        die("the budgets are infeasible"); /* budget_check has refused them before */
    memcpy(s->bits, s->uniform, count * sizeof *s->bits);
    /* What a run that is interrupted must still know; the averages are kept by sensitivity_begin. */
    keep(a->kept, "template.bits", s->bits, count * sizeof *s->bits);
    return s;
}

/* ---- one allocation ---- */

static double omega_at_width(const struct state *s, int index, float bits)
{
    return s->tables.omega[(size_t)index * (MOST_WIDTH + 1) + (size_t)bits];
}

/* The tensor whose present width hurts most of those that may still have more; -1 if there is none. */
static int neediest(const struct state *s)
{
    int worst = -1;
    for (int i = 0; i < s->allocation->count; i++)
        if (!s->full[i] && (worst < 0 || omega_at_width(s, i, s->bits[i]) > omega_at_width(s, worst, s->bits[worst])))
            worst = i;
    return worst;
}

/* The next width that is allowed (tied tensors allow the same ones), if the budgets allow it too; else no more is tried. */
static void raise_width(struct state *s, int index)
{
    const struct allocation *a = s->allocation;
    int before = (int)s->bits[index], after = before + 1;
    while (after <= MOST_WIDTH && !tensor_allows(&a->tensors[index], after))
        after++;
    s->full[index] = after > MOST_WIDTH;
    if (s->full[index])
        return;
    set_tied(a->tensors, a->count, index, (float)after, s->bits);
    s->full[index] = !budgets_met(a->budgets, a->budget_count, a->tensors, a->count, s->bits);
    if (s->full[index])
        set_tied(a->tensors, a->count, index, (float)before, s->bits);
}

/* Gradients have a budget of their own, and their sensitivity is none of the loss: it is not summed with the others'. */
static double total_omega(const struct state *s, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < s->allocation->count; i++)
        if (s->allocation->tensors[i].kind != TENSOR_GRADIENT)
            sum += omega_at_width(s, i, bits[i]);
    return sum;
}

static void reallocate(struct state *s, struct decision *decision)
{
    const struct allocation *a = s->allocation;
    size_t count = (size_t)a->count;
    bool finite = sensitivity_fill(&s->sensitivity, &s->tables);
    memcpy(decision->trace, s->tables.trace, count * sizeof *decision->trace);
    memcpy(decision->limit, s->tables.limit, count * sizeof *decision->limit);
    decision->solver = finite ? "neediest first" : "kept: sensitivity not finite";
    if (!finite)
        return;
    for (int i = 0; i < a->count; i++)
        s->bits[i] = (float)tensor_least(&a->tensors[i]);
    memset(s->full, 0, count * sizeof *s->full);
    for (int next = neediest(s); next >= 0; next = neediest(s))
        raise_width(s, next);
    decision->omega_uniform = total_omega(s, s->uniform);
    if (total_omega(s, s->bits) > decision->omega_uniform)
        memcpy(s->bits, s->uniform, count * sizeof *s->bits);
    decision->omega = total_omega(s, s->bits);
}

/* ---- what the run asks ---- */

static bool wants(void *memory, long step)
{
    (void)memory, (void)step;
    return true;
}

static void observe(void *memory, const struct observation *seen)
{
    struct state *s = memory;
    sensitivity_observe(&s->sensitivity, seen);
}

static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    if (step == 0)
        decision->solver = "uniform"; /* nothing has been observed yet */
    else if (step % s->every == 0)
        reallocate(s, decision);
    else
        return false;
    memcpy(decision->bits, s->bits, (size_t)s->allocation->count * sizeof *s->bits);
    return true;
}

const struct alloc_ops allocator_template = {
    .plug = {.name = "template", /* unique among allocators: what sweep files call it */
             .version = 1,       /* raise it when results change: it is part of a run's identity */
             .help =
                 "A start for new allocators: each further bit to the tensor whose rounding hurts most, within the budgets.",
             /* All settings that the functions below read, and no others. ALLOCATION_PARAMS: budgets, limits, pins and ties,
              * which then stand in tensors' choices and groups. */
             .params = (const struct param *const[]){ALLOCATION_PARAMS, &param_quantiser, &param_noise, &template_every,
                                                     &template_momentum, 0}},
    .guarantees = true,    /* promises that no budget is exceeded at any step; the run ends where that fails */
    .quantiser = NULL,     /* the run's; an allocator that learns widths may bring its own */
    .check = check_widths, /* NULL or a sentence: why these settings cannot run; before any work, without side effects */
    .probes = NULL,        /* true for settings where allocation.probe is used (a float copy of the network) */
    .begin = begin,        /* once: all memory, all settings; keep() what must outlive an interruption */
    .assign = assign,   /* before every step and once after the last: true with widths for all tensors. Always at step 0 */
    .wants = wants,     /* whether observe shall see this step's gradients; they cost time, so only as often as needed */
    .observe = observe, /* after the backward pass of such a step; sums may be infinite or NaN in a diverging run */
    .update = NULL,     /* after every backward pass, for widths that are learned: their own descent */
};

/* Exports the entry when this file is compiled by itself, as a shared object for --plugin. */
EXPORT_PLUGIN(PLUG_ALLOCATOR, allocator_template);
