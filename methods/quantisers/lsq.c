/* SPDX-License-Identifier: GPL-3.0-or-later
 * Learned step size (LSQ, Esser et al., ICLR 2020): the scale is a parameter trained with the weights. */
#include "range.h"
#include "../../bench/kernels/kernels.h"
#include <math.h>

#define SMALLEST_STEP 1e-8
/* A small 8-bit step can be overshot in one update; past zero the tensor would never recover. */
#define SMALLEST_FACTOR 0.5

/* LSQ's codes: -2^(b-1) .. 2^(b-1)-1 when signed. */
static void use_step(struct range *range)
{
    range->hi = (int)rint(code_limit(range->bits, range->is_signed));
    range->lo = range->is_signed ? -range->hi - 1 : 0;
    range->scale = (float)range->step;
    range->limit = range->scale * (float)code_limit(range->bits, range->is_signed); /* held by resize at real widths too */
}

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    if (!range->learned) {
        double sum = 0;
        kernels()->max_abs(x, padded_count, &range->is_signed);
        for (size_t i = 0; i < padded_count; i++)
            sum += fabsf(x[i]);
        range->step = 2 * sum / (double)count / sqrt(code_limit(range->bits, range->is_signed));
        if (!(range->step > SMALLEST_STEP))
            range->step = SMALLEST_STEP;
        range->learned = true;
    }
    use_step(range);
}

/* Esser et al., equations 3 and 5 and section 2.2: the gradient of the step is scaled by 1/√(N qmax). */
static void backward(struct range *range, const struct settings *settings, const float *x, float *grad,
                     size_t padded_count)
{
    (void)settings; /* the mask is part of the method */
    struct learned_range_sums sums;
    kernels()->learned_range(x, grad, padded_count, range->scale, range->lo, range->hi, &sums);
    double sum = sums.inside + sums.above * range->hi + sums.below * range->lo;
    range->step_grad += sum / sqrt((double)range->elements * range->hi);
}

static void update(struct range *range, double lr, double momentum)
{
    range->step_velocity = momentum * range->step_velocity + range->step_grad;
    double step = range->step - lr * range->step_velocity;
    range->step_grad = 0;
    if (step < range->step * SMALLEST_FACTOR) {
        step = range->step * SMALLEST_FACTOR;
        range->step_velocity = 0;
    }
    range->step = fmax(step, SMALLEST_STEP);
}

static void resize(struct range *range, float before)
{
    range->step *= code_limit(before, range->is_signed) / code_limit(range->bits, range->is_signed);
    range->step_velocity = 0;
}

const struct quantiser_ops quantiser_lsq = {
    .plug = {.name = "lsq", .version = 1,
             .help = "Learned step size (LSQ), trained by the network's SGD without weight decay; one update at most halves "
                     "a step [ours], so that it stays above 0."},
    .learns = true,
    .fit = fit, .backward = backward, .update = update, .resize = resize,
};
