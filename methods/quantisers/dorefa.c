/* SPDX-License-Identifier: GPL-3.0-or-later
 * The quantisers of FracBits (METHODS 4), with n = 2^b - 1:
 * weights as DoReFa-Net has them (Zhou et al. 2016, arXiv 1606.06160): u = tanh(w) / (2 max|tanh(w)|) + 1/2,
 * Q = 2 round(n u) / n - 1, here times max|tanh(w)| unless dorefa_scale says otherwise;
 * activations with PACT's learned clip (Choi et al. 2018, arXiv 1805.06085): Q = s round(x/s) on [0, alpha], s = alpha/n.
 * Weights have no code for 0 and so are no codes times a scale. */
#include "range.h"
#include "../../bench/kernels/kernels.h"
#include <math.h>

#define CONVOLUTION_CLIP 8
#define DENSE_CLIP 10
/* One update could overshoot a small clip; past zero the tensor would never recover. */
#define SMALLEST_FACTOR 0.5

static const struct param scale = {
    .name = "dorefa_scale", .type = PARAM_CHOICE, .fallback = "max", .choices = (const char *const[]){"none", "max", 0},
    .source = "ours",
    .help = "Weights of quantiser dorefa in [-1, 1], as published for networks with normalisation and too large for others "
            "(none); or times max|tanh(w)|, so that they keep their size (max)."};

static void begin(struct range *range, const struct settings *settings, bool dense)
{
    range->first_clip = dense ? DENSE_CLIP : CONVOLUTION_CLIP;
    range->rescaled = setting_is(settings, "dorefa_scale", "max");
}

/* Half to even, below 2^22; unlike rintf it is vectorised on any processor. */
static inline float nearest(float v) { return v + 0x1.8p23f - 0x1.8p23f; }

/* ---- weights ---- */

/* The largest value; tanh is monotonous. */
static void fit_weights(struct range *range, const float *x, size_t padded_count)
{
    bool negative;
    float largest = tanhf(kernels()->max_abs(x, padded_count, &negative)), levels = (float)code_limit(range->bits, false);
    range->norm = largest > 0 ? largest : 1;
    range->is_signed = true;
    range->limit = range->rescaled ? range->norm : 1;
    range->hi = (int)rintf(levels);
    range->lo = -range->hi;
    range->scale = range->limit / levels;
}

static void quantise_weights(const struct range *range, const float *x, float *y, size_t count)
{
    float levels = (float)code_limit(range->bits, false), size = range->rescaled ? range->norm : 1;
    for (size_t i = 0; i < count; i++) {
        float u = tanhf(x[i]) / (2 * range->norm) + 0.5f;
        y[i] = size * (2 * nearest(levels * u) / levels - 1);
    }
}

/* Straight through the rounding; the maximum is taken for a constant. */
static void backward_weights(const struct range *range, const float *x, float *grad, size_t count)
{
    float factor = range->rescaled ? 1 : 1 / range->norm;
    for (size_t i = 0; i < count; i++) {
        float t = tanhf(x[i]);
        grad[i] *= factor * (1 - t * t);
    }
}

/* ---- activations ---- */

static void fit_activation(struct range *range, const float *x, size_t padded_count)
{
    if (!range->learned) {
        kernels()->max_abs(x, padded_count, &range->is_signed);
        range->top = range->first_clip;
        range->learned = true;
    }
    range_set(range, (float)range->top, range->is_signed);
}

/* Comparisons, not fminf, so that NaN stays and a diverging run is found out. */
static void quantise_activation(const struct range *range, const float *x, float *y, size_t count)
{
    float top = (float)range->top, least = range->is_signed ? -top : 0;
    float step = top / (float)code_limit(range->bits, range->is_signed);
    for (size_t i = 0; i < count; i++) {
        float clipped = x[i] > top ? top : x[i] < least ? least : x[i];
        y[i] = nearest(clipped / step) * step;
    }
}

/* Gradients of clipped values are the clip's. */
static void backward_activation(struct range *range, const float *x, float *grad, size_t count)
{
    float top = (float)range->top;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        bool above = x[i] >= top, below = range->is_signed ? x[i] <= -top : x[i] < 0;
        if (above || (below && range->is_signed))
            sum += above ? (double)grad[i] : -(double)grad[i];
        grad[i] = above || below ? 0 : grad[i];
    }
    range->top_grad += sum;
}

/* ---- both ---- */

static void fit(struct range *range, const float *x, size_t padded_count, size_t count)
{
    (void)count;
    (range->kind == TENSOR_WEIGHT ? fit_weights : fit_activation)(range, x, padded_count);
}

static void quantise(const struct range *range, const float *x, float *y, size_t padded_count)
{
    (range->kind == TENSOR_WEIGHT ? quantise_weights : quantise_activation)(range, x, y, padded_count);
}

static void backward(struct range *range, const struct settings *settings, const float *x, float *grad, size_t padded_count)
{
    (void)settings; /* the masks are part of the methods */
    if (range->kind == TENSOR_WEIGHT)
        backward_weights(range, x, grad, padded_count);
    else
        backward_activation(range, x, grad, padded_count);
}

static void update(struct range *range, double lr, double momentum)
{
    if (!range->learned)
        return;
    range->top_velocity = momentum * range->top_velocity + range->top_grad;
    double top = range->top - lr * range->top_velocity, least = range->top * SMALLEST_FACTOR;
    range->top_grad = 0;
    if (top < least)
        range->top_velocity = 0;
    range->top = fmax(top, least);
}

const struct quantiser_ops quantiser_dorefa = {
    .plug = {.name = "dorefa", .version = 1,
             .help = "Weights as DoReFa-Net (tanh over its largest magnitude, which the gradient takes for a constant), "
                     "activations with PACT's learned clip, from 8 in convolutions and 10 in dense layers, without decay; "
                     "in mode fp. Ours: a signed activation is clipped on both sides; one update at most halves a clip.",
             .params = (const struct param *const[]){&scale, 0}},
    .learns = true,
    .begin = begin, .fit = fit, .backward = backward, .update = update, .quantise = quantise,
};
