/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diagnostics.h"
#include "nn/nodes.h"
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
    {"/diagnostics/gradient_cosine", "cosine between the weight gradient and the float32 network's on the same samples"},
    {"/diagnostics/gradient_noise_ratio", "squared norm of the float32 weight gradient over that of the difference"},
    {"/diagnostics/weight_codes_used", "share of the codes that some weight has (NaN: the quantiser has none)"},
    {"/diagnostics/input_codes_used", "share of the codes that some input has"},
};

void diagnostics_follow(struct diagnostics *d, struct net *net, const struct dataset *described, struct arena *arena)
{
    if (d->net && d->layers != net->count)
        diagnostics_end(d);
    d->net = net;
    d->layers = net->count;
    if (!net->quantiser)
        return;
    d->shadow = arena_alloc(arena, sizeof *d->shadow);
    net_build_shadow(d->shadow, net, described, net->batch < DIAGNOSED ? net->batch : DIAGNOSED, arena);
}

void diagnostics_end(struct diagnostics *d)
{
    growing_free(&d->values);
    d->rows = 0;
}

size_t diagnostics_pool_size(const struct diagnostics *d) { return d->shadow ? net_pool_size(d->shadow) : 0; }

void diagnostics_use_pool(struct diagnostics *d, struct pool pool)
{
    if (d->shadow)
        net_use_pool(d->shadow, pool);
}

void diagnostics_keep(struct diagnostics *d, struct kept *kept)
{
    if (!d->shadow)
        return;
    keep_growing(kept, "diagnostics", &d->values);
    keep(kept, "diagnosed epochs", &d->rows, sizeof d->rows);
}

static double share(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : NAN; }

static double codes_used(const struct range *range, const bool *seen)
{
    int used = 0;
    for (int i = 0; i < 256; i++)
        used += seen[i];
    return used ? (double)used / (range->hi - range->lo + 1) : NAN; /* none: the values are not codes */
}

/* Sums of every LANES-th product: one chain of additions would take longer than a diagnostic step's products. */
enum { LANES = 8 };

static double total(const double sums[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += sums[l];
    return sum;
}

static void compare_gradients(const struct layer *layer, const struct layer *exact, size_t layers, double *row)
{
    double dot[LANES] = {0}, norm[LANES] = {0}, exact_norm[LANES] = {0}, difference[LANES] = {0};
    for (size_t i = 0; i < layer->n * row_stride(layer->k); i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            double g = layer->dw[i + l], e = exact->dw[i + l];
            dot[l] += g * e;
            norm[l] += g * g;
            exact_norm[l] += e * e;
            difference[l] += (g - e) * (g - e);
        }
    row[GRADIENT_COSINE * layers] = total(dot) / sqrt(total(norm) * total(exact_norm));
    row[GRADIENT_NOISE_RATIO * layers] = total(exact_norm) / total(difference);
}

static void fill_row(const struct diagnostics *d, const struct product_counts *counts, double *row)
{
    size_t layers = d->net->count;
    for (size_t i = 0; i < layers; i++, row++, counts++) {
        const struct layer *layer = &d->net->layers[i];
        for (int which = 0; which < 3; which++)
            row[(size_t)which * layers] = share(counts->saturated[which], counts->partial_sums[which]);
        row[ZERO_GRADIENTS * layers] = share(counts->zero_gradients, counts->gradients);
        compare_gradients(layer, &d->shadow->layers[i], layers, row);
        row[WEIGHT_CODES_USED * layers] = codes_used(layer->product.w_range, counts->weight_codes);
        row[INPUT_CODES_USED * layers] = codes_used(layer->product.x_range, counts->input_codes);
    }
}

void diagnose(struct diagnostics *d, size_t samples, const int32_t *labels, long step)
{
    struct net *net = d->net;
    size_t layers = net->count, correct = 0;
    if (!d->shadow)
        return;
    samples = samples < DIAGNOSED ? samples : DIAGNOSED;
    net_weights_changed(d->shadow); /* by the training of the other */
    net_pass(d->shadow, samples, labels, step, PASS_DIAGNOSE, NULL, &correct);

    struct product_counts counts[MAX_LAYERS] = {0};
    for (size_t i = 0; i < layers; i++)
        net->layers[i].product.counts = &counts[i];
    net_pass(net, samples, labels, DIAGNOSTIC_STEPS + step, PASS_DIAGNOSE, NULL, &correct);
    double *row = xmalloc(FIGURES * layers * sizeof *row);
    fill_row(d, counts, row);
    growing_add(&d->values, row, FIGURES * layers * sizeof *row);
    free(row);
    for (size_t i = 0; i < layers; i++)
        net->layers[i].product.counts = NULL;
    for (size_t i = 0; i < 2 * layers; i++)
        net->ranges[i].step_grad = net->ranges[i].top_grad = net->ranges[i].width_grad = 0;
    d->rows++;
}

void diagnostics_record(const struct diagnostics *d, struct record *record)
{
    size_t layers = d->net->count;
    if (!d->rows)
        return;
    const char *names[MAX_LAYERS];
    for (size_t i = 0; i < layers; i++)
        names[i] = d->net->nodes[d->net->layers[i].node].spec.name;
    record_put(record, "/diagnostics/layer", RECORD_TEXT, 1, &layers, names, "",
               "columns of the other fields, which are of up to 32 samples an epoch");
    size_t epochs = (size_t)d->rows;
    const size_t shape[2] = {epochs, layers};
    double *values = xmalloc(epochs * layers * sizeof *values);
    for (size_t f = 0; f < FIGURES; f++) {
        for (size_t e = 0; e < epochs; e++)
            memcpy(values + e * layers, d->values.data + (e * FIGURES + f) * layers * sizeof *values,
                   layers * sizeof *values);
        record_put(record, figures[f].path, RECORD_F64, 2, shape, values, "", figures[f].meaning);
    }
    free(values);
}
