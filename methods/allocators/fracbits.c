/* SPDX-License-Identifier: GPL-3.0-or-later
 * FracBits (Yang & Jin, AAAI 2021): learned-gradient allocation. Every tensor learns a real width lambda; its values are
 * those of the two allowed widths a <= lambda < b around it (published: neighbours), (1-f) Q_a + f Q_b, f = (lambda-a) /
 * (b-a). The loss has kappa |cost - budget| added; late in training the widths are rounded and frozen. No guarantee. METHODS
 * 4. Tied tensors share one lambda, whose gradient is the sum of theirs. */
#include "penalty.h"
#include "../../bench/kernels/kernels.h"
#include "../../bench/params.h"
#include "../quantisers/range.h"
#include <math.h>
#include <string.h>

#define START_ABOVE 0.5    /* bits above the budget */
#define ROUNDING 1e-12     /* of a price */

static const struct param quantiser_param = {
    .name = "quantiser", .type = PARAM_PLUG, .kind = PLUG_QUANTISER, .fallback = "dorefa", .source = "pub",
    .help = "Quantiser between whose values at two widths allocator fracbits interpolates; both take the range of the "
            "lower."};
static const struct param kappa = {
    .name = "fracbits_kappa", .type = PARAM_REAL, .fallback = "1", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight in the loss of each budget's |cost - budget|, in bits: so scaled that all tensors at 8 bits cost 8 "
            "[ours]."};
static const struct param rate = {
    .name = "fracbits_lr", .type = PARAM_REAL, .fallback = "lr", .choices = (const char *const[]){"lr", 0},
    .min = 0, .max = 1e3, .source = "ours",
    .help = "Learning rate of the real widths, which have the run's momentum and no decay; follows the schedule of lr."};
static const struct param round_at = {
    .name = "fracbits_round", .type = PARAM_REAL, .fallback = "0.8", .min = 0, .max = 1, .source = "pub",
    .help = "Share of the steps after which the widths are rounded and frozen."};
static const struct param bisections = {
    .name = "fracbits_bisections", .type = PARAM_INT, .fallback = "10", .min = 0, .max = 50, .source = "pub",
    .help = "Halvings of the offset, between 0 and minus the widest gap of allowed widths (published: minus 1), that all "
            "real widths get before they are rounded, so that the cost meets the budget."};
static const struct param tolerance = {
    .name = "fracbits_tolerance", .type = PARAM_REAL, .fallback = "0.01", .min = 0, .max = 1, .source = "pub",
    .help = "Relative distance from the budget that ends the bisection, so the cost may be above it by as much; 0: never "
            "above where the bisection finds such widths."};
static const struct param log_every = {
    .name = "fracbits_log_every", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "ours",
    .help = "Steps between recorded allocations (the widths move on every step)."};

/* ---- the quantiser between two widths ---- */

#define CHUNK 1024 /* values at a time */

static const struct quantiser_ops *inner_of(const struct range *range)
{
    return (const struct quantiser_ops *)plug_at(PLUG_QUANTISER, (size_t)range->inner);
}

static void begin_range(struct range *range, const struct settings *settings, bool dense)
{
    const struct plug *inner = setting_plug(settings, "quantiser");
    range->inner = 0;
    while (plug_at(PLUG_QUANTISER, (size_t)range->inner) != inner)
        range->inner++;
    if (inner_of(range)->begin)
        inner_of(range)->begin(range, settings, dense);
}

/* The range as the inner quantiser has it at one of the widths, without gradients. */
static struct range at_width(const struct range *range, int bits)
{
    const struct quantiser_ops *inner = inner_of(range);
    struct range copy = *range;
    copy.bits = (float)bits;
    copy.step_grad = copy.top_grad = 0;
    if (inner->quantise)
        return copy;
    if (!range->learned) {
        range_set(&copy, range->limit, range->is_signed);
        return copy;
    }
    if (bits != range->lower && inner->resize)
        inner->resize(&copy, (float)range->lower);
    inner->fit(&copy, NULL, 0, 0);
    return copy;
}

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    float real = range->bits;
    range->bits = (float)range->lower;
    inner_of(range)->fit(range, x, padded_count, count);
    range->bits = real;
}

/* At most CHUNK values. */
static void values_at(const struct range *range, const float *x, float *y, size_t count)
{
    const struct quantiser_ops *inner = inner_of(range);
    uint8_t codes[CHUNK];
    if (inner->quantise) {
        inner->quantise(range, x, y, count);
        return;
    }
    kernels()->quantise_nearest(x, count, range->scale, range->lo, range->hi, codes);
    kernels()->dequantise(codes, range->lo == 0, count, range->scale, y);
}

static void quantise(const struct range *range, const float *x, float *y, size_t padded_count)
{
    const struct range lower = at_width(range, range->lower), upper = at_width(range, range->upper);
    float share = (float)range->share, more[CHUNK];
    for (size_t first = 0; first < padded_count; first += CHUNK) {
        size_t count = padded_count - first < CHUNK ? padded_count - first : CHUNK;
        values_at(range->share < 1 ? &lower : &upper, x + first, y + first, count);
        if (range->share <= 0 || range->share >= 1)
            continue;
        values_at(&upper, x + first, more, count);
        for (size_t i = 0; i < count; i++)
            y[first + i] += share * (more[i] - y[first + i]);
    }
}

/* A learned parameter is that of the lower width; the upper one's is its multiple, since resizing holds the range. */
static double chain(double at_lower, double at_upper) { return at_lower != 0 ? at_upper / at_lower : 0; }

static void backward(struct range *range, const struct settings *settings, const float *x, float *grad, size_t padded_count)
{
    const struct quantiser_ops *inner = inner_of(range);
    struct range lower = at_width(range, range->lower), upper = at_width(range, range->upper);
    float share = (float)range->share, below[CHUNK], above[CHUNK];
    double rise = 0;
    for (size_t first = 0; first < padded_count; first += CHUNK) {
        size_t count = padded_count - first < CHUNK ? padded_count - first : CHUNK;
        float *g = grad + first;
        if (range->lower == range->upper) {
            inner->backward(&lower, settings, x + first, g, count);
            continue;
        }
        values_at(&lower, x + first, below, count);
        values_at(&upper, x + first, above, count);
        for (size_t i = 0; i < count; i++)
            rise += (double)(g[i] * (above[i] - below[i]));
        memcpy(below, g, count * sizeof *g);
        memcpy(above, g, count * sizeof *g);
        inner->backward(&lower, settings, x + first, below, count);
        inner->backward(&upper, settings, x + first, above, count);
        for (size_t i = 0; i < count; i++)
            g[i] = below[i] + share * (above[i] - below[i]);
    }
    double f = range->share;
    range->step_grad += (1 - f) * lower.step_grad + f * upper.step_grad * chain(lower.step, upper.step);
    range->top_grad += (1 - f) * lower.top_grad + f * upper.top_grad * chain(lower.top, upper.top);
    if (range->lower < range->upper)
        range->width_grad += rise / (range->upper - range->lower);
}

static void update_range(struct range *range, double lr, double momentum)
{
    if (inner_of(range)->update)
        inner_of(range)->update(range, lr, momentum);
}

static const struct quantiser_ops quantiser = {
    .plug = {.name = "fracbits", .version = 1,
             .help = "FracBits' interpolation between a quantiser's values at two widths."},
    .learns = true,
    .begin = begin_range, .fit = fit, .backward = backward, .update = update_range, .quantise = quantise,
};

/* ---- widths ---- */

/* The allowed widths around a real one: lower <= width < upper, but for the largest, and equal where there is only one. */
static void find_neighbours(uint64_t choices, double width, int *lower, int *upper)
{
    *upper = allowed_from(choices, (int)floor(width) + 1);
    uint64_t below = choices & ((UINT64_C(1) << *upper) - 1);
    *lower = below ? 63 - __builtin_clzll(below) : *upper;
}

static void place(struct range *range, uint64_t choices, double width)
{
    int before = range->lower;
    find_neighbours(choices, width, &range->lower, &range->upper);
    range->share = range->lower < range->upper ? (width - range->lower) / (range->upper - range->lower) : 0;
    if (!range->learned || before == range->lower || !inner_of(range)->resize)
        return;
    float real = range->bits;
    range->bits = (float)range->lower;
    inner_of(range)->resize(range, (float)before);
    range->bits = real;
}

static double clamped(uint64_t choices, double width)
{
    return fmin(fmax(width, allowed_from(choices, 0)), allowed_from(choices, MOST_WIDTH));
}

/* The nearest allowed width, of two the larger. */
static int rounded(uint64_t choices, double width)
{
    int lower, upper;
    find_neighbours(choices, width, &lower, &upper);
    return width - lower < upper - width ? lower : upper;
}

/* ---- the allocator ---- */

struct state {
    const struct allocation *allocation;
    struct penalty penalty;
    double kappa, rate, momentum, tolerance;
    long round_step, log_every;
    int bisections;
    int *owner;             /* count: penalty.h */
    uint64_t *choices;
    double *width;          /* count */
    double *velocity;       /* count: at owners */
    double *slope;          /* count: of the loss along the width; at owners, of the group's */
    float *bits;            /* count */
    bool frozen;
};

/* The width at which all tensors, each clamped to its own limits, exhaust one budget. */
static double uniform_width(struct state *s, const struct budget *budget)
{
    const struct allocation *a = s->allocation;
    double low = 0, high = MOST_WIDTH;
    for (int halving = 0; halving < 40; halving++) {
        double middle = (low + high) / 2;
        for (int i = 0; i < a->count; i++)
            s->bits[i] = (float)clamped(s->choices[s->owner[i]], middle);
        *(budget_price(budget, a->tensors, a->count, s->bits) <= budget->limit ? &low : &high) = middle;
    }
    return low;
}

/* Within the tightest of the budgets that are about the tensor's kind. */
static void start_widths(struct state *s)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++)
        s->width[i] = MOST_WIDTH;
    for (int b = 0; b < a->budget_count; b++) {
        double width = uniform_width(s, &a->budgets[b]);
        for (int i = 0; i < a->count; i++)
            if (budget_concerns(&a->budgets[b], a->tensors, a->count, a->tensors[i].kind))
                s->width[i] = fmin(s->width[i], width);
    }
    for (int i = 0; i < a->count; i++) {
        int owner = s->owner[i];
        s->width[i] = owner == i ? clamped(s->choices[i], s->width[i] + START_ABOVE) : s->width[owner];
        place(&a->ranges[i], s->choices[owner], s->width[i]);
    }
}

static void *begin(const struct allocation *a)
{
    size_t count = (size_t)a->count;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    *s = (struct state){
        .allocation = a,
        .kappa = setting_real(a->settings, "fracbits_kappa"),
        .rate = setting_real(a->settings, setting_is(a->settings, "fracbits_lr", "lr") ? "lr" : "fracbits_lr"),
        .momentum = setting_real(a->settings, "momentum"),
        .tolerance = setting_real(a->settings, "fracbits_tolerance"),
        .round_step = (long)(setting_real(a->settings, "fracbits_round") * (double)a->steps),
        .log_every = setting_int(a->settings, "fracbits_log_every"),
        .bisections = (int)setting_int(a->settings, "fracbits_bisections"),
        .owner = arena_alloc(a->arena, count * sizeof *s->owner),
        .choices = arena_alloc(a->arena, count * sizeof *s->choices),
        .width = arena_alloc(a->arena, count * sizeof *s->width),
        .velocity = arena_alloc(a->arena, count * sizeof *s->velocity),
        .slope = arena_alloc(a->arena, count * sizeof *s->slope),
        .bits = arena_alloc(a->arena, count * sizeof *s->bits),
    };
    penalty_begin(&s->penalty, a);
    find_ties(a->tensors, a->count, s->owner, s->choices);
    start_widths(s);
    keep(a->kept, "fracbits.width", s->width, count * sizeof *s->width);
    keep(a->kept, "fracbits.velocity", s->velocity, count * sizeof *s->velocity);
    keep(a->kept, "fracbits.frozen", &s->frozen, sizeof s->frozen);
    return s;
}

/* Fills bits with the rounded widths at this offset; the largest share of a budget that they use. */
static double share_used(struct state *s, double offset)
{
    const struct allocation *a = s->allocation;
    double most = 0;
    for (int i = 0; i < a->count; i++)
        s->bits[i] = (float)rounded(s->choices[s->owner[i]], s->width[i] + offset);
    for (int b = 0; b < a->budget_count; b++)
        most = fmax(most, budget_price(&a->budgets[b], a->tensors, a->count, s->bits) / a->budgets[b].limit);
    return most;
}

static int widest_gap(const struct state *s)
{
    int widest = 0;
    for (int i = 0; i < s->allocation->count; i++)
        for (int width = allowed_from(s->choices[s->owner[i]], 0), next; ; width = next) {
            next = allowed_from(s->choices[s->owner[i]], width + 1);
            if (next <= width)
                break;
            widest = next - width > widest ? next - width : widest;
        }
    return widest;
}

/* Published: offset by bisection until the cost is within the tolerance. Where none is found: the largest offset that was
 * seen to stay below [ours]. */
static void freeze(struct state *s)
{
    double slack = s->tolerance + ROUNDING, low = -widest_gap(s), high = 0, offset = 0, used = share_used(s, 0);
    for (int i = 0; i < s->bisections && fabs(used - 1) > slack && (used > 1 || offset < 0); i++) {
        offset = (low + high) / 2;
        used = share_used(s, offset);
        *(used > 1 ? &high : &low) = offset;
    }
    if (used > 1 + slack)
        share_used(s, low);
    for (int i = 0; i < s->allocation->count; i++) {
        s->width[i] = s->bits[i];
        place(&s->allocation->ranges[i], UINT64_C(1) << (int)s->bits[i], s->width[i]);
    }
    s->frozen = true;
}

static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    bool freezes = !s->frozen && step >= s->round_step;
    if (!freezes && step % s->log_every != 0 && step != a->steps)
        return false;
    if (freezes)
        freeze(s);
    for (int i = 0; i < a->count; i++) {
        decision->bits[i] = (float)s->width[i];
        decision->limit[i] = step > 0 ? a->ranges[i].limit : NAN;
    }
    decision->solver = freezes ? "rounded by bisection" : s->frozen ? "frozen" : "learned";
    return true;
}

/* The slope of the loss along each tensor's width, of tied ones at their owner. */
static void find_slopes(struct state *s)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        s->bits[i] = (float)s->width[i];
        s->slope[i] = a->ranges[i].width_grad;
    }
    for (int b = 0; b < a->budget_count; b++) {
        double excess = penalty_excess(&s->penalty, b, s->bits);
        if (excess != 0)
            penalty_slope(&s->penalty, b, excess > 0 ? s->kappa : -s->kappa, s->bits, s->slope);
    }
    for (int i = 0; i < a->count; i++)
        if (s->owner[i] != i)
            s->slope[s->owner[i]] += s->slope[i];
}

static void update(void *memory, long step, double lr_factor)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    (void)step;
    if (s->frozen)
        return;
    find_slopes(s);
    for (int i = 0; i < a->count; i++) {
        struct range *range = &a->ranges[i];
        int owner = s->owner[i];
        if (owner == i) {
            s->velocity[i] = s->momentum * s->velocity[i] + s->slope[i];
            s->width[i] = clamped(s->choices[i], s->width[i] - s->rate * lr_factor * s->velocity[i]);
        }
        s->width[i] = s->width[owner];
        range->bits = (float)s->width[i];
        range->width_grad = 0;
        place(range, s->choices[owner], s->width[i]);
    }
}

static const char *check(const struct settings *settings)
{
    if (((const struct mode_ops *)setting_plug(settings, "mode"))->integer)
        return "fracbits mixes the values of two widths while it learns, which integer codes cannot hold; mode fp is valid";
    return check_learned_widths(settings);
}

const struct alloc_ops allocator_fracbits = {
    .plug = {.name = "fracbits", .version = 1,
             .help = "FracBits: learns a real width per tensor by gradient, with a penalty on the distance from the "
                     "budgets, then rounds and freezes; tied tensors share one width, gaps between allowed widths are "
                     "interpolated over [ours]; no guarantee, the miss is recorded.",
             .params = (const struct param *const[]){ALLOCATION_PARAMS, &quantiser_param, &kappa, &rate, &round_at,
                                                     &bisections, &tolerance, &log_every, 0}},
    .guarantees = false,
    .quantiser = &quantiser,
    .check = check, .begin = begin, .assign = assign, .update = update,
};
