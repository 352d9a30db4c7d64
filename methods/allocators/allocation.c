/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "allocation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void set_tied(const struct tensor *tensors, int count, int index, float width, float *bits)
{
    int group = tensors[index].group;
    for (int i = 0; i < count; i++)
        if (i == index || (group && tensors[i].group == group))
            bits[i] = width;
}

uint64_t tied_choices(const struct tensor *tensors, int count, int index)
{
    uint64_t choices = tensors[index].choices;
    int group = tensors[index].group;
    for (int i = 0; group && i < count; i++)
        if (tensors[i].group == group)
            choices &= tensors[i].choices;
    return choices;
}

/* ---- the uniform allocation ---- */

struct filling {
    const struct tensor *tensors;
    int count;
    const struct budget *budgets;
    int budget_count;
    float *bits;
};

/* The largest width allowed up to `width`; if there is none, the least. */
static int allowed_below(const struct tensor *tensor, int width)
{
    while (width > 0 && !tensor_allows(tensor, width))
        width--;
    return width ? width : tensor_least(tensor);
}

/* 0 if there is none. */
static int allowed_above(const struct tensor *tensor, int width)
{
    do
        width++;
    while (width <= MOST_WIDTH && !tensor_allows(tensor, width));
    return width <= MOST_WIDTH ? width : 0;
}

static struct tensor joined(const struct filling *f, int index)
{
    struct tensor tensor = f->tensors[index];
    tensor.choices = tied_choices(f->tensors, f->count, index);
    return tensor;
}

static bool met(const struct filling *f)
{
    return budgets_met(f->budgets, f->budget_count, f->tensors, f->count, f->bits);
}

static void set_kinds(const struct filling *f, const bool *kinds, int width)
{
    for (int i = 0; i < f->count; i++)
        if (kinds[f->tensors[i].kind]) {
            struct tensor tensor = joined(f, i);
            f->bits[i] = (float)allowed_below(&tensor, width);
        }
}

static bool is_first_of_group(const struct filling *f, int index)
{
    for (int i = 0; f->tensors[index].group && i < index; i++)
        if (f->tensors[i].group == f->tensors[index].group)
            return false;
    return true;
}

/* The tensor not yet raised where the next width costs least, as a share of the limits, or -1 if none fits. */
static int cheapest_raise(const struct filling *f, const bool *kinds, const bool *raised)
{
    int best = -1;
    double best_cost = INFINITY;
    for (int i = 0; i < f->count; i++) {
        if (!kinds[f->tensors[i].kind] || raised[i] || !is_first_of_group(f, i))
            continue;
        struct tensor tensor = joined(f, i);
        float before = f->bits[i], after = (float)allowed_above(&tensor, (int)before);
        if (after == 0)
            continue;
        set_tied(f->tensors, f->count, i, after, f->bits);
        double cost = 0;
        bool fits = true;
        for (int b = 0; b < f->budget_count; b++) {
            double price = budget_price(&f->budgets[b], f->tensors, f->count, f->bits);
            fits &= budget_met(&f->budgets[b], price);
            cost += f->budgets[b].limit > 0 ? price / f->budgets[b].limit : 0; /* 0: a share of what pins leave nothing of */
        }
        set_tied(f->tensors, f->count, i, before, f->bits);
        if (fits && cost < best_cost * (1 - 1e-12)) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

static void fill_kinds(const struct filling *f, const bool *kinds)
{
    int least = MOST_WIDTH, width = 0;
    for (int i = 0; i < f->count; i++)
        if (kinds[f->tensors[i].kind]) {
            least = tensor_least(&f->tensors[i]) < least ? tensor_least(&f->tensors[i]) : least;
            width = tensor_most(&f->tensors[i]) > width ? tensor_most(&f->tensors[i]) : width;
        }
    for (; width >= least; width--) {
        set_kinds(f, kinds, width);
        if (met(f))
            break;
    }
    bool *raised = xcalloc((size_t)f->count + 1, sizeof *raised);
    int next;
    while ((next = cheapest_raise(f, kinds, raised)) >= 0) {
        raised[next] = true;
        struct tensor tensor = joined(f, next);
        set_tied(f->tensors, f->count, next, (float)allowed_above(&tensor, (int)f->bits[next]), f->bits);
    }
    free(raised);
}

/* Joins the kinds that some budget or tie has in common: together[k] lists the kinds that are filled with k. */
static void join_kinds(const struct filling *f, bool together[TENSOR_KINDS][TENSOR_KINDS])
{
    for (int i = 0; i < f->count; i++)
        for (int k = 0; k < f->count; k++)
            if (f->tensors[i].group && f->tensors[i].group == f->tensors[k].group)
                together[f->tensors[i].kind][f->tensors[k].kind] = true;
    for (int k = 0; k < TENSOR_KINDS; k++)
        together[k][k] = true;
    for (int b = 0; b < f->budget_count; b++) {
        bool own[TENSOR_KINDS];
        for (int k = 0; k < TENSOR_KINDS; k++)
            own[k] = budget_concerns(&f->budgets[b], f->tensors, f->count, (enum tensor_kind)k);
        for (int k = 0; k < TENSOR_KINDS; k++)
            for (int other = 0; other < TENSOR_KINDS; other++)
                together[k][other] |= own[k] && own[other];
    }
    for (int via = 0; via < TENSOR_KINDS; via++)
        for (int k = 0; k < TENSOR_KINDS; k++)
            for (int other = 0; other < TENSOR_KINDS; other++)
                together[k][other] |= together[k][via] && together[via][other];
}

bool uniform_bits(const struct tensor *tensors, int count, const struct budget *budgets, int budget_count, float *bits)
{
    const struct filling f = {tensors, count, budgets, budget_count, bits};
    bool together[TENSOR_KINDS][TENSOR_KINDS] = {{false}}, all[TENSOR_KINDS], filled[TENSOR_KINDS] = {false};
    join_kinds(&f, together);
    memset(all, true, sizeof all);
    set_kinds(&f, all, 0);
    if (!met(&f))
        return false;
    for (int k = 0; k < TENSOR_KINDS; k++) {
        if (!filled[k])
            fill_kinds(&f, together[k]);
        for (int other = 0; other < TENSOR_KINDS; other++)
            filled[other] |= together[k][other];
    }
    return true;
}

/* ---- sensitivity ---- */

static double range_of(double limit, bool is_signed) { return is_signed ? 2 * limit : limit; }

/* A range of b bits has 2^b - this many steps. */
static double offset_of(bool is_signed, bool paper_step) { return is_signed && !paper_step ? 2 : 1; }

struct noise noise_of(double trace, double limit, bool is_signed, bool paper_step)
{
    double range = range_of(limit, is_signed);
    return (struct noise){trace * range * range / 12, offset_of(is_signed, paper_step)};
}

double noise_at(struct noise noise, double bits)
{
    double levels = exp2(bits) - noise.offset;
    return noise.scale / (levels * levels);
}

double noise_variance(double bits, double limit, bool is_signed, bool paper_step)
{
    double step = range_of(limit, is_signed) / (exp2(bits) - offset_of(is_signed, paper_step));
    return step * step / 12;
}

const char *check_widths(const struct settings *settings)
{
    return setting_int(settings, "min_bits") > setting_int(settings, "max_bits") ? "min_bits is above max_bits" : NULL;
}
