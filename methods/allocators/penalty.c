/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "penalty.h"
#include "../../bench/nn/net.h"
#include <math.h>

/* In bits: small enough to stay on one side of most kinks. */
#define DIFFERENCE 0x1p-6f

void penalty_begin(struct penalty *p, const struct allocation *a)
{
    p->allocation = a;
    for (int b = 0; b < a->budget_count; b++) {
        double bits = REFERENCE_BITS / budget_reference(&a->budgets[b], a->tensors, a->count);
        p->bits_per_unit[b] = isfinite(bits) ? bits : 0; /* a cost that is zero at any width pulls nothing */
    }
}

static double price(const struct penalty *p, int budget, const float *bits)
{
    const struct allocation *a = p->allocation;
    return budget_price(&a->budgets[budget], a->tensors, a->count, bits);
}

double penalty_excess(const struct penalty *p, int budget, const float *bits)
{
    return (price(p, budget, bits) - p->allocation->budgets[budget].limit) * p->bits_per_unit[budget];
}

void penalty_slope(const struct penalty *p, int budget, double weight, float *bits, double *slope)
{
    for (int i = 0; i < p->allocation->count; i++) {
        float here = bits[i], below = here - DIFFERENCE, above = here + DIFFERENCE;
        bits[i] = above;
        double rise = price(p, budget, bits);
        bits[i] = below;
        rise -= price(p, budget, bits);
        bits[i] = here;
        slope[i] += weight * p->bits_per_unit[budget] * rise / ((double)above - (double)below);
    }
}

void find_ties(const struct tensor *tensors, int count, int *owner, uint64_t *choices)
{
    for (int i = 0; i < count; i++) {
        owner[i] = i;
        choices[i] = tensors[i].choices;
        for (int k = 0; tensors[i].group && owner[i] == i && k < i; k++)
            if (tensors[k].group == tensors[i].group)
                owner[i] = owner[k];
        choices[owner[i]] &= tensors[i].choices;
        if (!choices[owner[i]])
            die("%s is tied to tensors with which it has no width in common", tensors[i].name);
    }
}

int allowed_from(uint64_t choices, int width)
{
    uint64_t above = width > 0 ? choices >> width << width : choices;
    return above ? __builtin_ctzll(above) : 63 - __builtin_clzll(choices);
}

const char *check_learned_widths(const struct settings *settings)
{
    if (net_allocates(settings, TENSOR_GRADIENT))
        return "widths of gradients cannot be learned by gradient, as no loss depends on them; allocate = "
               "weights-activations, weights or activations";
    return check_widths(settings);
}
