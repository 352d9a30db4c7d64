/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hessian.h"
#include <math.h>
#include <string.h>

/* One random vector: an element of a layer is the next bit of its own stream. */
struct direction { uint64_t key; double length; /* of each element */ };

static uint64_t layer_key(const struct direction *v, int layer) { return rng_bits(v->key, (uint64_t)layer); }

static double element(uint64_t key, size_t index)
{
    return rng_bits(key, index / 64) >> index % 64 & 1 ? 1 : -1;
}

/* The probe's weights, from the run's, by sign × length × v. */
static void displace(struct probe *probe, const struct direction *v, int sign)
{
    probe_refresh(probe);
    for (int layer = 0; layer < probe_layers(probe); layer++) {
        size_t rows, cols;
        float *w = probe_weights(probe, layer, &rows, &cols);
        uint64_t key = layer_key(v, layer);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < cols; j++) {
                float *value = &w[i * row_stride(cols) + j];
                *value = (float)(*value + sign * v->length * element(key, i * cols + j));
            }
    }
}

static double along(struct probe *probe, const struct direction *v, int layer)
{
    size_t rows, cols;
    probe_weights(probe, layer, &rows, &cols);
    const float *g = probe_gradient(probe, layer);
    uint64_t key = layer_key(v, layer);
    double sum = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            sum += g[i * row_stride(cols) + j] * element(key, i * cols + j);
    return sum;
}

/* Adds weight × sign × v·g, g the gradient of the mean loss at the displaced weights, to each layer's sum. */
static void add_slopes(struct probe *probe, const struct direction *v, int sign, double weight, double *sum)
{
    displace(probe, v, sign);
    for (size_t b = 0; b < probe_batches(probe); b++) {
        double share = (double)probe_batch_size(probe, b) / (double)probe_samples(probe);
        probe_pass(probe, b, NULL);
        for (int layer = 0; layer < probe_layers(probe); layer++)
            sum[layer] += weight * sign * share * along(probe, v, layer);
    }
}

static double root_mean_square(struct probe *probe)
{
    double sum = 0, count = 0;
    for (int layer = 0; layer < probe_layers(probe); layer++) {
        size_t rows, cols;
        const float *w = probe_weights(probe, layer, &rows, &cols);
        for (size_t i = 0; i < rows * row_stride(cols); i++)
            sum += (double)w[i] * w[i];
        count += (double)(rows * cols);
    }
    return sqrt(sum / count);
}

void hessian_traces(struct probe *probe, int draws, double step, uint64_t key, double *trace)
{
    probe_refresh(probe);
    double scale = root_mean_square(probe);
    memset(trace, 0, (size_t)probe_layers(probe) * sizeof *trace);
    for (int d = 0; d < draws; d++) {
        const struct direction v = {rng_bits(key, (uint64_t)d), step * (scale > 0 ? scale : 1)};
        for (int sign = -1; sign <= 1; sign += 2)
            add_slopes(probe, &v, sign, 1 / (2 * v.length * draws), trace);
    }
    probe_refresh(probe);
}
