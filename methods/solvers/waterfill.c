/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "waterfill.h"
#include "root.h"
#include <math.h>

struct relaxed {
    const double *c, *weight;
    const bool *is_signed;
    const double *lo, *hi;
    int count;
};

static double offset(const struct relaxed *r, int i) { return r->is_signed[i] ? 2 : 1; }

/* log2 of the gain per cost of a further bit: -dOmega/db / weight = 2 ln2 c u / (u - k)^3 / weight with u =
 * 2^b. */
static double log_gain(const struct relaxed *r, int i, double b)
{
    return log2(2 * M_LN2) + log2(r->c[i]) - log2(r->weight[i]) + b - 3 * log2(exp2(b) - offset(r, i));
}

/* The width at which tensor i gains lambda per cost (KKT), clipped. With t = lambda weight / (2 ln2 c) and v
 * = u - k the condition u / (u - k)^3 = t is the cubic v^3 - v/t - k/t = 0 with one positive root, in closed
 * form. */
static double width_at(const struct relaxed *r, int i, double log_lambda)
{
    double k = offset(r, i);
    if (!(r->c[i] > 0))
        return r->lo[i];
    if (!(r->weight[i] > 0))
        return r->hi[i];
    double log_t = log_lambda + log2(r->weight[i]) - log2(2 * M_LN2) - log2(r->c[i]);
    double t = exp2(fmax(-900, fmin(900, log_t))); /* beyond, every width is clipped anyway */
    double argument = 1.5 * sqrt(3 * t) * k;
    double v = 2 / sqrt(3 * t) * (argument < 1 ? cos(acos(argument) / 3) : cosh(acosh(argument) / 3));
    return fmax(r->lo[i], fmin(r->hi[i], log2(v + k)));
}

static double cost_at(const struct relaxed *r, double log_lambda, double *bits)
{
    double cost = 0;
    for (int i = 0; i < r->count; i++) {
        bits[i] = width_at(r, i, log_lambda);
        cost += r->weight[i] * bits[i];
    }
    return cost;
}

static double noise(const struct relaxed *r, const double *bits)
{
    double sum = 0;
    for (int i = 0; i < r->count; i++) {
        double levels = exp2(bits[i]) - offset(r, i);
        sum += r->c[i] > 0 ? r->c[i] / (levels * levels) : 0;
    }
    return sum;
}

/* The range of log2 lambda from all widths at hi to all at lo. */
static void bracket(const struct relaxed *r, double *low, double *high)
{
    *low = 1000;
    *high = -1000;
    for (int i = 0; i < r->count; i++)
        if (r->c[i] > 0 && r->weight[i] > 0) {
            *low = fmin(*low, log_gain(r, i, r->hi[i]));
            *high = fmax(*high, log_gain(r, i, r->lo[i]));
        }
    *low = fmax(*low - 1, -2000);
    *high = fmin(*high + 1, 2000);
}

struct filling { const struct relaxed *relaxed; double budget, *bits; };

/* Almost linear in log lambda. */
static double excess(void *context, double log_lambda)
{
    const struct filling *f = context;
    return cost_at(f->relaxed, log_lambda, f->bits) - f->budget;
}

double waterfill(const double *c, const double *weight, const bool *is_signed, const double *lo,
                 const double *hi, int count, double budget, double *bits)
{
    struct relaxed r = {c, weight, is_signed, lo, hi, count};
    double low, high, cheapest = 0;
    for (int i = 0; i < count; i++) {
        bits[i] = lo[i];
        cheapest += weight[i] * lo[i];
    }
    if (!(budget >= cheapest))
        return INFINITY;
    bracket(&r, &low, &high);
    struct filling f = {&r, budget, bits};
    double over = excess(&f, low);
    if (over > 0)
        excess(&f, falling_root(excess, &f, low, over, high, excess(&f, high), 1e-14 * budget));
    return noise(&r, bits);
}
