/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "losses.h"
#include <math.h>
#include <stdlib.h>

const struct param param_kd_temperature = {
    .name = "kd_temperature", .type = PARAM_REAL, .fallback = "2", .min = 0.01, .max = 1000, .source = "pub",
    .help = "Temperature of the distillation, by which old and new logits are divided; its loss is not multiplied by the "
            "temperature's square."};

/* The shares exp(z/T) / Σ exp(z/T) of a row; returns log Σ exp(z/T). */
static double softmax(const float *z, size_t count, double temperature, double *shares)
{
    double largest = z[0], sum = 0;
    for (size_t c = 1; c < count; c++)
        largest = z[c] > largest ? z[c] : largest;
    for (size_t c = 0; c < count; c++)
        sum += shares[c] = exp((z[c] - largest) / temperature);
    for (size_t c = 0; c < count; c++)
        shares[c] /= sum;
    return largest / temperature + log(sum);
}

/* Cross entropy of one row and its gradient times `factor`. */
static double add_row(const float *z, size_t count, size_t label, double factor, double *shares, float *gradient)
{
    double loss = softmax(z, count, 1, shares) - z[label];
    for (size_t c = 0; c < count; c++)
        gradient[c] += (float)(factor * (shares[c] - (c == label)));
    return loss;
}

double add_cross_entropy(const struct lesson *l, size_t first, size_t last, double weight)
{
    size_t stride = row_stride(l->all);
    double loss = 0, *shares = xmalloc((last - first) * sizeof *shares);
    for (size_t i = 0; i < l->rows; i++) {
        size_t label = (size_t)l->labels[i];
        if (label < first || label >= last)
            die("a label of class %zu, where classes %zu to %zu are learned", label, first, last - 1);
        loss += add_row(l->logits + i * stride + first, last - first, label - first, weight / (double)l->rows, shares,
                        l->gradient + i * stride + first);
    }
    free(shares);
    return weight * loss;
}

double seen_cross_entropy(const struct lesson *l) { return add_cross_entropy(l, 0, l->all, 1); }

double add_double_cross_entropy(const struct lesson *l, double weight)
{
    size_t stride = row_stride(l->all);
    double loss = 0, *p = xmalloc(2 * l->all * sizeof *p), *q = p + l->all;
    for (size_t i = 0; i < l->rows; i++) {
        size_t label = (size_t)l->labels[i];
        double sum = 0, along = 0;
        softmax(l->logits + i * stride, l->all, 1, p);
        for (size_t c = 0; c < l->all; c++) /* shares are at most 1: nothing can overflow */
            sum += q[c] = exp(p[c]);
        loss += log(sum) - p[label];
        /* dL/dp = q - onehot; through the first softmax: dL/dz = p (dL/dp - Σ p dL/dp). */
        for (size_t c = 0; c < l->all; c++) {
            q[c] = q[c] / sum - (c == label);
            along += p[c] * q[c];
        }
        for (size_t c = 0; c < l->all; c++)
            l->gradient[i * stride + c] += (float)(weight / (double)l->rows * p[c] * (q[c] - along));
    }
    free(p);
    return weight * loss;
}

double add_distillation(const struct lesson *l, double weight)
{
    size_t stride = row_stride(l->all), old_stride = row_stride(l->old);
    double temperature = setting_real(l->settings, param_kd_temperature.name), loss = 0;
    double *now = xmalloc(2 * l->old * sizeof *now), *before = now + l->old;
    double factor = weight / (temperature * (double)l->rows);
    for (size_t i = 0; i < l->rows; i++) {
        const float *logits = l->logits + i * stride;
        double log_sum = softmax(logits, l->old, temperature, now);
        softmax(l->old_logits + i * old_stride, l->old, temperature, before);
        for (size_t c = 0; c < l->old; c++) {
            loss += before[c] * (log_sum - logits[c] / temperature);
            l->gradient[i * stride + c] += (float)(factor * (now[c] - before[c]));
        }
    }
    free(now);
    return weight * loss;
}

double add_auxiliary_cross_entropy(const struct lesson *l, double weight)
{
    size_t outputs = l->all - l->old + 1, stride = row_stride(outputs);
    double loss = 0, *shares = xmalloc(outputs * sizeof *shares);
    for (size_t i = 0; i < l->rows; i++) {
        size_t label = (size_t)l->labels[i];
        loss += add_row(l->auxiliary + i * stride, outputs, label < l->old ? 0 : label - l->old + 1,
                        weight / (double)l->rows, shares, l->auxiliary_gradient + i * stride);
    }
    free(shares);
    return weight * loss;
}
