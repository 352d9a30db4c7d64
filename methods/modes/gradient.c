/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gradient.h"

/* Published: only a gradient rounded to nearest is clipped (HDQT authors' code). */
#define NEAREST_GRADIENT_QUANTILE 0.975f

struct gradient_options read_gradient_options(const struct settings *settings)
{
    return (struct gradient_options){
        .bits = (int)setting_int(settings, "grad_bits"),
        .stochastic = setting_is(settings, "grad_rounding", "stochastic"),
        .quantile = NEAREST_GRADIENT_QUANTILE,
        .per_sample = setting_is(settings, "grad_scale", "sample"),
    };
}

uint64_t rounding_key(const struct product *p, enum rounded_operand operand)
{
    return rng_key(p->seed, STREAM_ROUNDING, p->step, (uint64_t)p->layer * 8 + operand);
}

static float signed_scale(const float *x, size_t count, double bits, float quantile, int *largest_code)
{
    bool negative;
    float limit = quantile * kernels()->max_abs(x, count, &negative);
    *largest_code = (int)code_limit(bits, true);
    return limit > 0 ? limit / (float)*largest_code : 1;
}

float quantise_nearest_signed(const float *x, size_t count, double bits, float quantile, int8_t *q)
{
    int largest;
    float scale = signed_scale(x, count, bits, quantile, &largest);
    kernels()->quantise_nearest(x, count, scale, -largest, largest, q);
    return scale;
}

float quantise_stochastic_signed(const float *x, size_t count, double bits, uint64_t key, uint64_t first, int8_t *q)
{
    int largest;
    float scale = signed_scale(x, count, bits, 1, &largest);
    kernels()->quantise_stochastic(x, count, scale, -largest, largest, key, first, q);
    return scale;
}

static void count_zeros(const struct product *p, const float *g, const int8_t *q, size_t count)
{
    if (!p->counts)
        return;
    for (size_t i = 0; i < count; i++) {
        p->counts->gradients += g[i] != 0;
        p->counts->zero_gradients += g[i] != 0 && q[i] == 0;
    }
}

static float quantise_run(const struct product *p, const struct gradient_options *options, uint64_t key,
                          const float *g, size_t first, size_t count, int8_t *q)
{
    float scale = options->stochastic
                      ? quantise_stochastic_signed(g, count, options->bits, key, first, q)
                      : quantise_nearest_signed(g, count, options->bits, options->quantile, q);
    count_zeros(p, g, q, count);
    return scale;
}

float quantise_gradient(const struct product *p, const struct gradient_options *options,
                        enum rounded_operand operand, const float *g, size_t rows, size_t stride, int8_t *q)
{
    return quantise_run(p, options, rounding_key(p, operand), g, 0, rows * stride, q);
}

void quantise_gradient_rows(const struct product *p, const struct gradient_options *options, const float *g,
                            size_t rows, size_t stride, int8_t *q, float *scales)
{
    uint64_t key = rounding_key(p, ROUND_GRADIENT_ROWS);
    for (size_t i = 0; i < rows; i++)
        scales[i] = quantise_run(p, options, key, g + i * stride, i * stride, stride, q + i * stride);
}
