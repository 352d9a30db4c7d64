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

void straight_through(struct range *range, const struct settings *settings, const float *x, float *grad,
                      size_t padded_count)
{
    float bound = range->limit;
    if (setting_is(settings, "ste", "pass"))
        return;
    if (setting_is(settings, "ste", "published"))
        bound = (float)code_limit(range->bits, true);
    for (size_t i = 0; i < padded_count; i++)
        if (fabsf(x[i]) > bound)
            grad[i] = 0;
}

/* Half to even for |v| < 2^22, without a call, so that the loop vectorises. Codes are far smaller where it is used. */
static float round_small(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

enum { LANES = 16, CHUNK = 1024 };

struct learned_sums learned_gradient(const struct range *range, const float *x, float *grad, size_t padded_count)
{
    struct learned_sums sums = {0};
    float scale = range->scale, lo = (float)range->lo, hi = (float)range->hi;
    for (size_t start = 0; start < padded_count; start += CHUNK) {
        size_t end = start + CHUNK < padded_count ? start + CHUNK : padded_count;
        float inside[LANES] = {0}, above[LANES] = {0}, below[LANES] = {0}; /* a fixed order of additions */
        for (size_t i = start; i < end; i += LANES)
            for (size_t lane = 0; lane < LANES; lane++) {
                float v = x[i + lane] / scale, g = grad[i + lane];
                float kept = v > lo && v < hi ? g : 0, bounded = v > hi ? hi : v < lo ? lo : v;
                above[lane] += v >= hi ? g : 0;
                below[lane] += v <= lo ? g : 0;
                inside[lane] += kept * (round_small(bounded) - bounded);
                grad[i + lane] = kept;
            }
        for (size_t lane = 0; lane < LANES; lane++) {
            sums.inside += inside[lane];
            sums.above += above[lane];
            sums.below += below[lane];
        }
    }
    return sums;
}
