/* SPDX-License-Identifier: GPL-3.0-or-later
 * Statistics-aware weight binning: clip = c1 √E[x²] - c2 E|x|, coefficients per width (METHODS 1; 4 bits as in the
 * LUQ authors' code). */
#include "range.h"
#include "../../bench/kernels/kernels.h"
#include "../../bench/params.h"
#include <math.h>

/* 6 and 7 bits have no published pair: ours lie on the line from 5 to 8. */
static const struct { float c1, c2; } coefficients[9] = {
    [2] = {3.12f, 2.064f}, [3] = {7.509f, 6.892f}, [4] = {12.1f, 12.2f}, [5] = {17.74f, 18.64f},
    [6] = {22.413f, 24.107f}, [7] = {27.087f, 29.573f}, [8] = {31.76f, 35.04f},
};

/* Sum of |x| of a multiple of 16 values, added up as sum_of_squares does: in lanes that compilers keep in a register. */
static double sum_of_magnitudes(const float *x, size_t count)
{
    double sum = 0;
    for (size_t first = 0; first < count; first += 1024) {
        size_t end = first + 1024 < count ? first + 1024 : count;
        float lanes[16] = {0};
        for (size_t i = first; i < end; i += 16)
            for (size_t lane = 0; lane < 16; lane++)
                lanes[lane] += fabsf(x[i + lane]);
        for (size_t lane = 0; lane < 16; lane++)
            sum += lanes[lane];
    }
    return sum;
}

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    bool negative;
    float largest = kernels()->max_abs(x, padded_count, &negative);
    double sum = sum_of_magnitudes(x, padded_count), squares = kernels()->norms->sum_of_squares(x, padded_count);
    int bits = (int)range->bits;
    double clip = coefficients[bits].c1 * sqrt(squares / (double)count) - coefficients[bits].c2 * sum / (double)count;
    if (!negative)
        clip *= 2; /* s = 2 clip / (qmax - qmin): the unsigned range is [0, 2 clip] */
    /* Sparse or peaked tensors can make the fit negative, or larger than any value. */
    if (!(clip > 0 && clip < largest))
        clip = largest;
    range_set(range, (float)clip, negative);
}

const struct quantiser_ops quantiser_sawb = {
    .plug = {.name = "sawb", .version = 2,
             .help = "Range from the tensor's first two absolute moments (SAWB); coefficients for 6 and 7 bits are "
                     "interpolated [ours].",
             .params = (const struct param *const[]){&param_act_range, &param_ste, 0}},
    .needs_values = straight_through_needs_values,
    .fit = fit,
    .backward = straight_through,
};
