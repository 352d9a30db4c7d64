/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diagnostics.h"
#include "kernels/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draws of diagnostic passes come from steps that no training reaches. */
#define DIAGNOSTIC_STEPS (1L << 40)

enum figure {
    SATURATED_FORWARD, SATURATED_INPUT_GRADIENT, SATURATED_WEIGHT_GRADIENT, ZERO_GRADIENTS, GRADIENT_COSINE,
    GRADIENT_NOISE_RATIO, WEIGHT_CODES_USED, INPUT_CODES_USED, FIGURES
};
static const struct { const char *path, *meaning; } figures[FIGURES] = {
    {"/diagnostics/saturated_forward", "share of the forward product's partial sums that hit the accumulator's limit"},
    {"/diagnostics/saturated_input_gradient", "the same in the input gradient (NaN: not computed)"},
    {"/diagnostics/saturated_weight_gradient", "the same in the weight gradient"},
    {"/diagnostics/zero_gradients", "share of non-zero output gradients that became code 0"},
    {"/diagnostics/gradient_cosine", "cosine between the weight gradient and the float32 network's on the same batch"},
    {"/diagnostics/gradient_noise_ratio", "squared norm of the float32 weight gradient over that of the difference"},
    {"/diagnostics/weight_codes_used", "share of the codes that some weight has"},
    {"/diagnostics/input_codes_used", "share of the codes that some input has"},
};

void diagnostics_begin(struct diagnostics *d, struct net *net, const struct dataset *dataset, struct arena *arena)
{
    *d = (struct diagnostics){.net = net};
    if (!net->quantiser)
        return;
    d->shadow = arena_alloc(arena, sizeof *d->shadow);
    const struct mode_ops *fp = (const struct mode_ops *)plug_find(PLUG_MODE, "fp");
    net_build(d->shadow, net->settings, dataset, fp, NULL, net->batch, arena);
    for (size_t i = 0; i < net->count; i++) {
        d->shadow->layers[i].product.w = net->layers[i].w;
        d->shadow->layers[i].product.bias = net->layers[i].bias;
    }
}

static double share(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : NAN; }

static double codes_used(const struct range *range, const float *x, size_t rows, size_t cols)
{
    bool seen[256] = {false};
    int8_t *codes = xmalloc(cols);
    for (size_t i = 0; i < rows; i++) {
        kernels()->quantise_nearest(x + i * row_stride(cols), cols, range->scale, range->lo, range->hi, codes);
        for (size_t j = 0; j < cols; j++)
            seen[(uint8_t)codes[j]] = true;
    }
    free(codes);
    int used = 0;
    for (int i = 0; i < 256; i++)
        used += seen[i];
    return (double)used / (range->hi - range->lo + 1);
}

static void compare_gradients(const struct layer *layer, const struct layer *exact, size_t layers, double *row)
{
    double dot = 0, norm = 0, exact_norm = 0, difference = 0;
    for (size_t i = 0; i < layer->n * row_stride(layer->k); i++) {
        double g = layer->dw[i], e = exact->dw[i];
        dot += g * e;
        norm += g * g;
        exact_norm += e * e;
        difference += (g - e) * (g - e);
    }
    row[GRADIENT_COSINE * layers] = dot / sqrt(norm * exact_norm);
    row[GRADIENT_NOISE_RATIO * layers] = exact_norm / difference;
}

void diagnose(struct diagnostics *d, size_t samples, const int32_t *labels, long step)
{
    struct net *net = d->net;
    size_t layers = net->count;
    if (!d->shadow)
        return;
    if (d->rows == d->capacity) {
        d->capacity = d->capacity ? 2 * d->capacity : 16;
        d->values = xrealloc(d->values, d->capacity * FIGURES * layers * sizeof *d->values);
    }
    size_t inputs = net->layers[0].k;
    memcpy(d->shadow->input, net->input, samples * row_stride(inputs) * sizeof(float));
    size_t correct = 0;
    net_pass(d->shadow, samples, labels, step, PASS_DIAGNOSE, NULL, &correct);

    struct product_counts counts[MAX_LAYERS] = {0};
    for (size_t i = 0; i < layers; i++)
        net->layers[i].product.counts = &counts[i];
    net_pass(net, samples, labels, DIAGNOSTIC_STEPS + step, PASS_DIAGNOSE, NULL, &correct);
    for (size_t i = 0; i < layers; i++) {
        double *row = d->values + d->rows * FIGURES * layers + i;
        struct layer *layer = &net->layers[i];
        layer->product.counts = NULL;
        for (int which = 0; which < 3; which++)
            row[(size_t)which * layers] = share(counts[i].saturated[which], counts[i].partial_sums[which]);
        row[ZERO_GRADIENTS * layers] = share(counts[i].zero_gradients, counts[i].gradients);
        compare_gradients(layer, &d->shadow->layers[i], layers, row);
        row[WEIGHT_CODES_USED * layers] = codes_used(layer->product.w_range, layer->w, layer->n, layer->k);
        row[INPUT_CODES_USED * layers] = codes_used(layer->product.x_range, layer->product.x, samples, layer->k);
    }
    for (size_t i = 0; i < 2 * layers; i++)
        net->ranges[i].step_grad = net->ranges[i].top_grad = 0;
    d->rows++;
}

void diagnostics_record(const struct diagnostics *d, struct record *record)
{
    size_t layers = d->net->count;
    if (!d->rows)
        return;
    const char *names[MAX_LAYERS];
    for (size_t i = 0; i < layers; i++)
        names[i] = d->net->layers[i].spec.name;
    record_put(record, "/diagnostics/layer", RECORD_TEXT, 1, &layers, names, "", "columns of the other fields");
    const size_t shape[2] = {d->rows, layers};
    double *values = xmalloc(d->rows * layers * sizeof *values);
    for (size_t f = 0; f < FIGURES; f++) {
        for (size_t e = 0; e < d->rows; e++)
            memcpy(values + e * layers, d->values + (e * FIGURES + f) * layers, layers * sizeof *values);
        record_put(record, figures[f].path, RECORD_F64, 2, shape, values, "", figures[f].meaning);
    }
    free(values);
}

void diagnostics_end(struct diagnostics *d) { free(d->values); }
