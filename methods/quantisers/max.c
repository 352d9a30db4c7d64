/* SPDX-License-Identifier: GPL-3.0-or-later
 * Maximum range (HDQT, arXiv 2310.03675, and its authors' code): m = 0.975 max|x|; signed codes when any x < 0. */
#include "range.h"
#include "../../bench/kernels/kernels.h"
#include "../../bench/params.h"

#define FORWARD_QUANTILE 0.975f

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    (void)count; /* the padding's zeros change neither the maximum nor the sign */
    bool negative;
    float largest = kernels()->max_abs(x, padded_count, &negative);
    range_set(range, FORWARD_QUANTILE * largest, negative);
}

const struct quantiser_ops quantiser_max = {
    .plug = {.name = "max", .version = 1,
             .help = "Range 0.975 of the largest magnitude of the tensor (HDQT).",
             .params = (const struct param *const[]){&param_act_range, &param_ste, 0}},
    .needs_values = straight_through_needs_values,
    .fit = fit,
    .backward = straight_through,
};
