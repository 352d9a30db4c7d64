/* SPDX-License-Identifier: GPL-3.0-or-later
 * DQ (Uhlich et al., ICLR 2020): learned-gradient allocation. Every tensor learns a step d (a power of two in the forward) and a
 * range xmax, its width follows from them, and a penalty on the budget pulls it. No guarantee. METHODS 4.
 * Approximations on this substrate: values beyond the range become the largest code times d, not xmax itself, so that
 * operands are integer codes; widths stay within min_bits .. max_bits; the penalty acts on the budgeted cost. */
#include "allocation.h"
#include "../../bench/kernels/kernels.h"
#include "../../bench/params.h"
#include <math.h>

#define START_BITS 4
#define SMALLEST_STEP 0x1p-8
#define LARGEST_STEP 1.0
#define ACTIVATION_STEP 0x1p-3
#define LARGEST_WEIGHT_RANGE 127.0
#define LARGEST_ACTIVATION_RANGE 255.0

static const struct param penalty = {
    .name = "dq_penalty", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight of the squared excess of the cost over the budget in the loss."};
static const struct param rate = {
    .name = "dq_lr", .type = PARAM_REAL, .fallback = "0.01", .min = 0, .max = 10, .source = "pub",
    .help = "Learning rate of steps and ranges; follows the schedule of lr."};
static const struct param log_every = {
    .name = "dq_log_every", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "ours",
    .help = "Steps between recorded allocations (the widths may move on every step)."};

/* ---- the quantiser ---- */

/* The step in force: the learned one rounded to a power of two, straight through. */
static double power_of_two(double step) { return exp2(rint(log2(step))); }

/* METHODS 4: ceil(log2(round(xmax/d)+1) + 1) signed, without the sign bit unsigned; the unclamped width. */
static int derived_bits(const struct range *range)
{
    double levels = rint(range->top / power_of_two(range->step)) + 1;
    return (int)ceil(log2(levels)) + (range->is_signed ? 1 : 0);
}

static void start(struct range *range, const float *x, size_t padded_count)
{
    float largest = kernels()->max_abs(x, padded_count, &range->is_signed);
    double codes = code_limit(START_BITS, range->is_signed);
    range->step = ACTIVATION_STEP;
    if (range->kind == TENSOR_WEIGHT)
        range->step = largest > 0 ? exp2(ceil(log2(largest / codes))) : SMALLEST_STEP;
    range->step = fmin(fmax(range->step, SMALLEST_STEP), LARGEST_STEP);
    range->top = range->step * codes;
    range->learned = true;
}

/* Width and codes of the step and range as they are now. */
static void derive(struct range *range)
{
    int bits = derived_bits(range);
    range->bits = (float)(bits < range->min_bits ? range->min_bits : bits > range->max_bits ? range->max_bits : bits);
    double step = power_of_two(range->step);
    range->scale = (float)step;
    range->hi = (int)fmin(rint(range->top / step), code_limit(range->bits, range->is_signed));
    range->lo = range->is_signed ? -range->hi : 0;
    range->limit = range->scale * (float)range->hi;
}

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    (void)count;
    if (!range->learned)
        start(range, x, padded_count);
    derive(range);
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
    double penalty, rate, momentum;
    long log_every;
    float *bits;
};

static void *begin(const struct allocation *a)
{
    struct state *s = arena_alloc(a->arena, sizeof *s);
    *s = (struct state){
        .allocation = a,
        .penalty = setting_real(a->settings, "dq_penalty"),
        .rate = setting_real(a->settings, "dq_lr"),
        .momentum = setting_real(a->settings, "momentum"),
        .log_every = setting_int(a->settings, "dq_log_every"),
        .bits = arena_alloc(a->arena, (size_t)a->count * sizeof(float)),
    };
    return s;
}

/* The quantiser sets the widths; this only reports them. Before the first step none has been derived yet. */
static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    if (step % s->log_every != 0 && step != a->steps)
        return false;
    for (int i = 0; i < a->count; i++) {
        decision->bits[i] = step == 0 ? START_BITS : a->ranges[i].bits;
        decision->limit[i] = a->ranges[i].learned ? a->ranges[i].limit : NAN;
    }
    decision->solver = "learned";
    return true;
}

static double one_bit_costs(const struct state *s, int index)
{
    const struct allocation *a = s->allocation;
    double now = a->cost->price(a->tensors, a->count, s->bits);
    s->bits[index]++;
    double more = a->cost->price(a->tensors, a->count, s->bits);
    s->bits[index]--;
    return more - now;
}

static void descend(double *value, double *velocity, double *grad, double step, double rate, double momentum)
{
    double clipped = fmin(fmax(*grad, -step), step);
    *velocity = momentum * *velocity + clipped;
    *value -= rate * *velocity;
    *grad = 0;
}

static void update(void *memory, long step, double lr_factor)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    (void)step;
    for (int i = 0; i < a->count; i++)
        s->bits[i] = a->ranges[i].bits;
    double excess = fmax(a->cost->price(a->tensors, a->count, s->bits) - a->budget, 0);
    for (int i = 0; i < a->count; i++) {
        struct range *range = &a->ranges[i];
        if (!range->learned)
            continue;
        /* Straight through the ceiling; a width that is clamped cannot move the cost that way. */
        if (excess > 0 && derived_bits(range) > range->min_bits) {
            double pull = 2 * s->penalty * excess * one_bit_costs(s, i);
            range->top_grad += pull / (M_LN2 * (range->top + range->step));
            range->step_grad -= pull * range->top / (range->step * M_LN2 * (range->top + range->step));
        }
        double d = range->step;
        descend(&range->step, &range->step_velocity, &range->step_grad, d, s->rate * lr_factor, s->momentum);
        descend(&range->top, &range->top_velocity, &range->top_grad, d, s->rate * lr_factor, s->momentum);
        double largest = range->kind == TENSOR_WEIGHT ? LARGEST_WEIGHT_RANGE : LARGEST_ACTIVATION_RANGE;
        range->step = fmin(fmax(range->step, SMALLEST_STEP), LARGEST_STEP);
        range->top = fmin(fmax(range->top, nextafter(range->step, INFINITY)), largest);
        derive(range);
    }
}

const struct alloc_ops allocator_dq = {
    .plug = {.name = "dq", .version = 1,
             .help = "DQ: learns a power-of-two step and a range per tensor by gradient, with a penalty above the budget; no guarantee, the miss is recorded.",
             .params = (const struct param *const[]){&param_budget, &param_min_bits, &param_max_bits, &penalty,
                                                     &rate, &log_every, 0}},
    .guarantees = false,
    .quantiser = &quantiser,
    .check = check_widths, .begin = begin, .assign = assign, .update = update,
};
