/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gradient.h"

/* Published: only a gradient rounded to nearest is clipped (HDQT authors' code). */
#define NEAREST_GRADIENT_QUANTILE 0.975f

struct gradient_options read_gradient_options(const struct settings *settings, const struct product *p)
{
    bool by_kind = setting_is(settings, "grad_scale", "auto");
    return (struct gradient_options){
        .bits = (int)p->g_range->bits,
        .stochastic = setting_is(settings, "grad_rounding", "stochastic"),
        .quantile = NEAREST_GRADIENT_QUANTILE,
        .per_sample = by_kind ? !p->dense : setting_is(settings, "grad_scale", "sample"),
    };
}

struct gradient_options read_logarithmic_options(const struct settings *settings, const struct product *p)
{
    return (struct gradient_options){
        .bits = (int)p->g_range->bits,
        .stochastic = true,
        .logarithmic = true,
        .per_sample = setting_is(settings, "grad_scale", "sample"),
    };
}

/* Magnitudes besides 0 that b bits hold: at 4 bits 2^0 .. 2^6. */
static int levels(const struct gradient_options *options) { return (1 << (options->bits - 1)) - 1; }

int largest_gradient_code(const struct gradient_options *options)
{
    return options->logarithmic ? 1 << (levels(options) - 1) : (int)code_limit(options->bits, true);
}

int gradient_code_bits(const struct gradient_options *options)
{
    return options->logarithmic ? levels(options) + 1 : options->bits;
}

uint64_t rounding_key(const struct product *p, enum rounded_operand operand)
{
    return rng_key(p->seed, STREAM_ROUNDING, p->step, (uint64_t)p->layer * 8 + operand);
}

/* Chmiel et al.: alpha = max|G| / 2^(levels-1), so that nothing is above the largest level. */
float gradient_scale(const struct gradient_options *options, float largest)
{
    float limit = options->stochastic ? largest : options->quantile * largest;
    return limit > 0 ? limit / (float)largest_gradient_code(options) : 1;
}

static void count_zeros(struct product_counts *counts, const float *g, const int8_t *q, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        counts->gradients += g[i] != 0;
        counts->zero_gradients += g[i] != 0 && q[i] == 0;
    }
}

void quantise_gradient(const struct gradient_options *options, uint64_t key, const float *g, size_t first, size_t count,
                       float scale, int8_t *q, struct product_counts *counts)
{
    int largest = largest_gradient_code(options);
    if (options->logarithmic)
        kernels()->quantise_logarithmic(g, count, scale, levels(options), key, first, q);
    else if (options->stochastic)
        kernels()->quantise_stochastic(g, count, scale, -largest, largest, key, first, q);
    else
        kernels()->quantise_nearest(g, count, scale, -largest, largest, q);
    if (counts)
        count_zeros(counts, g, q, count);
}

float requantised_scale(float largest, double bits)
{
    return largest > 0 ? largest / (float)code_limit(bits, true) : 1;
}
