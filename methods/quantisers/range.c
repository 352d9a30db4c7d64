/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the quantisers share: code limits, signedness and the straight-through mask. */
#include "range.h"
#include <math.h>

double code_limit(double bits, bool is_signed)
{
    return is_signed ? exp2(bits - 1) - 1 : exp2(bits) - 1;
}

void range_set(struct range *range, float limit, bool is_signed)
{
    float largest = (float)code_limit(range->bits, is_signed);
    range->is_signed = is_signed;
    range->hi = (int)rintf(largest);
    range->lo = is_signed ? -range->hi : 0;
    range->limit = limit;
    range->scale = limit > 0 ? limit / largest : 1;
}

bool straight_through_needs_values(const struct settings *settings) { return !setting_is(settings, "ste", "pass"); }

void straight_through(struct range *range, const struct settings *settings, const float *x, float *grad,
                      size_t padded_count)
{
    float bound = range->limit;
    if (setting_is(settings, "ste", "pass"))
        return;
    if (setting_is(settings, "ste", "published"))
        bound = (float)code_limit(range->bits, true);
    for (size_t i = 0; i < padded_count; i++)
        grad[i] = fabsf(x[i]) > bound ? 0 : grad[i];
}
