/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "allocation.h"
#include <math.h>

bool fits(double cost, double budget) { return cost <= budget * (1 + 1e-12); }

static int clamp(int bits, const struct tensor *tensor)
{
    return bits < tensor->lo ? tensor->lo : bits > tensor->hi ? tensor->hi : bits;
}

static double set_all(const struct tensor *tensors, int count, const struct cost_ops *cost, int width, float *bits)
{
    for (int i = 0; i < count; i++)
        bits[i] = (float)clamp(width, &tensors[i]);
    return cost->price(tensors, count, bits);
}

/* The tensor not yet raised where one more bit costs least, or -1 if none fits. */
static int cheapest_raise(const struct tensor *tensors, int count, const struct cost_ops *cost, double budget,
                          float *bits, const bool *raised)
{
    int best = -1;
    double best_cost = INFINITY;
    for (int i = 0; i < count; i++) {
        if (raised[i] || bits[i] + 1 > (float)tensors[i].hi)
            continue;
        bits[i]++;
        double total = cost->price(tensors, count, bits);
        bits[i]--;
        if (fits(total, budget) && total < best_cost * (1 - 1e-12)) {
            best = i;
            best_cost = total;
        }
    }
    return best;
}

bool uniform_bits(const struct tensor *tensors, int count, const struct cost_ops *cost, double budget, float *bits)
{
    int lowest = tensors[0].lo, width = tensors[0].hi;
    for (int i = 1; i < count; i++) {
        lowest = tensors[i].lo < lowest ? tensors[i].lo : lowest;
        width = tensors[i].hi > width ? tensors[i].hi : width;
    }
    while (width > lowest && !fits(set_all(tensors, count, cost, width, bits), budget))
        width--;
    if (!fits(set_all(tensors, count, cost, width, bits), budget))
        return false;
    bool raised[2 * MAX_LAYERS] = {false};
    int next;
    while ((next = cheapest_raise(tensors, count, cost, budget, bits, raised)) >= 0) {
        raised[next] = true;
        bits[next]++;
    }
    return true;
}

double noise_variance(double bits, double limit, bool is_signed, bool paper_step)
{
    double range = is_signed ? 2 * limit : limit;
    double step = range / (exp2(bits) - (is_signed && !paper_step ? 2 : 1));
    return step * step / 12;
}

const char *check_widths(const struct settings *settings)
{
    return setting_int(settings, "min_bits") > setting_int(settings, "max_bits") ? "min_bits is above max_bits" : NULL;
}
