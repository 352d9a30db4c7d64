/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "standardise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds each value of one sample to its channel's sum. */
static void add_values(const float *x, size_t channels, size_t plane, double *sum)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++)
            sum[c] += (double)x[c * plane + i];
}

static void add_squares(const float *x, size_t channels, size_t plane, const double *mean, double *sum)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++) {
            double distance = (double)x[c * plane + i] - mean[c];
            sum[c] += distance * distance;
        }
}

void standardise_measure(const struct dataset *dataset, const uint32_t *indices, size_t count,
                         struct standardisation *out)
{
    size_t channels = dataset->shape[0], plane = dataset->features / channels;
    double values = (double)count * (double)plane;
    *out = (struct standardisation){channels, xcalloc(channels, sizeof *out->mean),
                                    xcalloc(channels, sizeof *out->deviation)};
    for (size_t i = 0; i < count; i++)
        add_values(dataset->train.x + indices[i] * dataset->features, channels, plane, out->mean);
    for (size_t c = 0; c < channels; c++)
        out->mean[c] /= values;
    for (size_t i = 0; i < count; i++)
        add_squares(dataset->train.x + indices[i] * dataset->features, channels, plane, out->mean,
                    out->deviation);
    for (size_t c = 0; c < channels; c++) {
        out->deviation[c] = sqrt(out->deviation[c] / values);
        if (out->deviation[c] == 0)
            out->deviation[c] = 1;
    }
}

void standardise_range(const struct dataset *dataset, const uint32_t *indices, size_t count, struct standardisation *out)
{
    size_t channels = dataset->shape[0], plane = dataset->features / channels;
    *out = (struct standardisation){channels, xcalloc(channels, sizeof *out->mean), xcalloc(channels, sizeof *out->deviation)};
    for (size_t c = 0; c < channels; c++) {
        double least = INFINITY, most = -INFINITY;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < plane; j++) {
                double x = (double)dataset->train.x[indices[i] * dataset->features + c * plane + j];
                least = fmin(least, x);
                most = fmax(most, x);
            }
        out->mean[c] = least;
        out->deviation[c] = most > least ? most - least : 1;
    }
}

static void apply_to_part(const struct standardisation *s, size_t features, struct part *part)
{
    size_t plane = features / s->channels;
    float *x = part->x;
    for (size_t i = 0; i < part->count; i++)
        for (size_t c = 0; c < s->channels; c++)
            for (size_t end = plane; end > 0; end--, x++)
                *x = (float)(((double)*x - s->mean[c]) / s->deviation[c]);
}

void standardise_apply(const struct standardisation *s, struct dataset *dataset)
{
    apply_to_part(s, dataset->features, &dataset->train);
    apply_to_part(s, dataset->features, &dataset->test);
}

void standardise_free(struct standardisation *s)
{
    free(s->mean);
    free(s->deviation);
    memset(s, 0, sizeof *s);
}
