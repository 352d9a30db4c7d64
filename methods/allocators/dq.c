/* SPDX-License-Identifier: GPL-3.0-or-later
 * DQ (Uhlich et al., ICLR 2020): learned-gradient allocation. Every tensor learns a step d (a power of two in the forward)
 * and a range xmax, its width follows from them, and penalties on the budgets pull it. No guarantee. METHODS 4.
 * Approximations on this substrate: values beyond the range become the largest code times d, not xmax itself, so that
 * operands are integer codes; the width in force is the nearest allowed one at or above the derived one, in a group of tied
 * tensors that of the largest member; the penalties act on the budgeted costs, in bits. */
#include "penalty.h"
#include "../../bench/kernels/kernels.h"
#include "../../bench/params.h"
#include <math.h>
#include <string.h>

#define START_BITS 4
#define SMALLEST_STEP 0x1p-8
#define LARGEST_STEP 1.0
#define ACTIVATION_STEP 0x1p-3
#define LARGEST_WEIGHT_RANGE 127.0
#define LARGEST_ACTIVATION_RANGE 255.0

/* Not just a mean width: limits of costs, which may be about activations alone. */
static bool names_costs(const struct settings *s) { return strchr(setting_text(s, "budget"), '=') != NULL; }

static const struct param penalty = {
    .name = "dq_penalty", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight in the loss of each budget's squared excess, in bits: so scaled that all tensors at 8 bits cost 8 "
            "[ours]."};
static const struct param penalty_a = {
    .name = "dq_penalty_a", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 1e6, .used = names_costs,
    .source = "pub",
    .help = "The same of budgets that are about activations alone (published: 0.1, also 1)."};
static const struct param rate = {
    .name = "dq_lr", .type = PARAM_REAL, .fallback = "0.01", .min = 0, .max = 10, .source = "pub",
    .help = "Learning rate of steps and ranges; follows the schedule of lr."};
static const struct param log_every = {
    .name = "dq_log_every", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "ours",
    .help = "Steps between recorded allocations (the widths may move on every step)."};

/* ---- the quantiser ---- */

/* The step in force: the learned one rounded to a power of two, straight through. */
static double power_of_two(double step) { return exp2(rint(log2(step))); }

/* METHODS 4: ceil(log2(round(xmax/d)+1) + 1) signed, without the sign bit unsigned; whatever is allowed. */
static int derived_bits(const struct range *range)
{
    double levels = rint(range->top / power_of_two(range->step)) + 1;
    return (int)ceil(log2(levels)) + (range->is_signed ? 1 : 0);
}

/* A step and range of the width in force. */
static void start(struct range *range, const float *x, size_t padded_count)
{
    float largest = kernels()->max_abs(x, padded_count, &range->is_signed);
    double codes = code_limit(range->bits, range->is_signed);
    range->step = ACTIVATION_STEP;
    if (range->kind == TENSOR_WEIGHT)
        range->step = largest > 0 ? exp2(ceil(log2(largest / codes))) : SMALLEST_STEP;
    range->step = fmin(fmax(range->step, SMALLEST_STEP), LARGEST_STEP);
    range->top = range->step * codes;
    range->learned = true;
}

/* The allocator sets the width; the step and range as they are now make the codes. */
static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    (void)count;
    if (!range->learned)
        start(range, x, padded_count);
    double step = power_of_two(range->step);
    range->scale = (float)step;
    range->hi = (int)fmin(rint(range->top / step), code_limit(range->bits, range->is_signed));
    range->lo = range->is_signed ? -range->hi : 0;
    range->limit = range->scale * (float)range->hi;
}

static void backward(struct range *range, const struct settings *settings, const float *x, float *grad,
                     size_t padded_count)
{
    (void)settings; /* the mask is part of the method */
    struct learned_range_sums sums;
    kernels()->learned_range(x, grad, padded_count, range->scale, range->lo, range->hi, &sums);
    range->step_grad += sums.inside;
    range->top_grad += sums.above - (range->is_signed ? sums.below : 0);
}

static const struct quantiser_ops quantiser = {
    .plug = {.name = "dq", .version = 1, .help = "DQ's learned step and range."},
    .learns = true,
    .fit = fit, .backward = backward,
};

/* ---- the allocator ---- */

struct state {
    const struct allocation *allocation;
    struct penalty penalty;
    double weight[MAX_BUDGETS];
    double rate, momentum;
    long log_every;
    int *owner;             /* count: penalty.h */
    uint64_t *choices;
    int *wanted;            /* count: at owners, the largest derived width of the group */
    float *bits;            /* count */
    double *slope;          /* count: of the loss, by the penalties; at owners, of the group's width */
};

static void *begin(const struct allocation *a)
{
    size_t count = (size_t)a->count;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    *s = (struct state){
        .allocation = a,
        .rate = setting_real(a->settings, "dq_lr"),
        .momentum = setting_real(a->settings, "momentum"),
        .log_every = setting_int(a->settings, "dq_log_every"),
        .owner = arena_alloc(a->arena, count * sizeof *s->owner),
        .choices = arena_alloc(a->arena, count * sizeof *s->choices),
        .wanted = arena_alloc(a->arena, count * sizeof *s->wanted),
        .bits = arena_alloc(a->arena, count * sizeof *s->bits),
        .slope = arena_alloc(a->arena, count * sizeof *s->slope),
    };
    penalty_begin(&s->penalty, a);
    find_ties(a->tensors, a->count, s->owner, s->choices);
    for (int b = 0; b < a->budget_count; b++) {
        bool of_activations = !budget_concerns(&a->budgets[b], a->tensors, a->count, TENSOR_WEIGHT);
        bool separate = of_activations && setting_has(a->settings, "dq_penalty_a");
        s->weight[b] = setting_real(a->settings, separate ? "dq_penalty_a" : "dq_penalty");
    }
    return s;
}

/* Learning sets the widths; this only reports them. Before the first step none has been derived yet. */
static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    if (step % s->log_every != 0 && step != a->steps)
        return false;
    for (int i = 0; i < a->count; i++) {
        decision->bits[i] = step == 0 ? (float)allowed_from(s->choices[s->owner[i]], START_BITS) : a->ranges[i].bits;
        decision->limit[i] = a->ranges[i].learned ? a->ranges[i].limit : NAN;
    }
    decision->solver = "learned";
    return true;
}

/* The largest width that a member of each group derives. */
static void find_wanted(struct state *s)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        int bits = derived_bits(&a->ranges[i]), owner = s->owner[i];
        if (owner == i || bits > s->wanted[owner])
            s->wanted[owner] = bits;
    }
}

/* What the budgets' excess adds to the slope of the loss along each group's width. */
static void find_slopes(struct state *s)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        s->bits[i] = a->ranges[i].bits;
        s->slope[i] = 0;
    }
    for (int b = 0; b < a->budget_count; b++) {
        double excess = penalty_excess(&s->penalty, b, s->bits);
        if (excess > 0)
            penalty_slope(&s->penalty, b, 2 * s->weight[b] * excess, s->bits, s->slope);
    }
    for (int i = 0; i < a->count; i++)
        if (s->owner[i] != i)
            s->slope[s->owner[i]] += s->slope[i];
}

/* Straight through the ceiling and the maximum over tied tensors; a width that is clamped cannot move the cost that way. */
static void pull(const struct state *s, int index)
{
    struct range *range = &s->allocation->ranges[index];
    int owner = s->owner[index], bits = derived_bits(range);
    if (s->slope[owner] == 0 || bits < s->wanted[owner] || bits <= allowed_from(s->choices[owner], 0))
        return;
    double by_top = 1 / (M_LN2 * (range->top + range->step));
    range->top_grad += s->slope[owner] * by_top;
    range->step_grad -= s->slope[owner] * by_top * range->top / range->step;
}

static void descend(double *value, double *velocity, double *grad, double step, double rate, double momentum)
{
    double clipped = fmin(fmax(*grad, -step), step);
    *velocity = momentum * *velocity + clipped;
    *value -= rate * *velocity;
    *grad = 0;
}

static void learn(struct range *range, double rate, double momentum)
{
    double d = range->step;
    double largest = range->kind == TENSOR_WEIGHT ? LARGEST_WEIGHT_RANGE : LARGEST_ACTIVATION_RANGE;
    descend(&range->step, &range->step_velocity, &range->step_grad, d, rate, momentum);
    descend(&range->top, &range->top_velocity, &range->top_grad, d, rate, momentum);
    range->step = fmin(fmax(range->step, SMALLEST_STEP), LARGEST_STEP);
    range->top = fmin(fmax(range->top, nextafter(range->step, INFINITY)), largest);
}

static void update(void *memory, long step, double lr_factor)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    (void)step;
    find_wanted(s);
    find_slopes(s);
    for (int i = 0; i < a->count; i++) {
        pull(s, i);
        learn(&a->ranges[i], s->rate * lr_factor, s->momentum);
    }
    find_wanted(s);
    for (int i = 0; i < a->count; i++) {
        a->ranges[i].bits = (float)allowed_from(s->choices[s->owner[i]], s->wanted[s->owner[i]]);
        fit(&a->ranges[i], NULL, 0, 0);
    }
}

const struct alloc_ops allocator_dq = {
    .plug = {.name = "dq", .version = 2,
             .help = "DQ: learns a power-of-two step and a range per tensor by gradient, with penalties above the budgets; "
                     "tied tensors have the width of their largest member [ours]; no guarantee, the miss is recorded.",
             .params = (const struct param *const[]){ALLOCATION_PARAMS, &penalty, &penalty_a, &rate, &log_every, 0}},
    .guarantees = false,
    .quantiser = &quantiser,
    .check = check_learned_widths, .begin = begin, .assign = assign, .update = update,
};
