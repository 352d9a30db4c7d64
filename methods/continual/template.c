/* SPDX-License-Identifier: GPL-3.0-or-later
 * A complete strategy to start from: docs/adding-a-method.md. Replay with smoothed labels (Szegedy et al. 2016): of its
 * label's share of 1 a sample gives `template_smoothing` to all classes seen alike. */
#include "losses.h"
#include "../../bench/exemplars.h"
#include <math.h>

/* ---- parameters: a number that the method leaves open is one, never a constant ---- */

static const struct param template_smoothing = {
    .name = "template_smoothing", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 0.999, .source = "pub",
    .help = "Share of the label that is spread over all classes seen."};

/* ---- the loss of one batch ---- */

/* log Σ exp z of a row, without overflow. */
static double log_sum(const float *z, size_t count)
{
    double largest = z[0], sum = 0;
    for (size_t c = 1; c < count; c++)
        largest = fmax(largest, z[c]);
    for (size_t c = 0; c < count; c++)
        sum += exp(z[c] - largest);
    return largest + log(sum);
}

/* -Σ target log softmax(z), and (softmax(z) - target) / rows as the gradient of the mean. Rows are row_stride(columns)
 * apart; only the columns are written. With smoothing 0 this is seen_cross_entropy; losses.h has it and other terms,
 * distillation among them. */
static double loss(const struct lesson *l)
{
    size_t stride = row_stride(l->all);
    double smoothing = setting_real(l->settings, template_smoothing.name), sum = 0;
    for (size_t i = 0; i < l->rows; i++) {
        const float *z = l->logits + i * stride;
        double partition = log_sum(z, l->all);
        for (size_t c = 0; c < l->all; c++) {
            double target = smoothing / (double)l->all + (c == (size_t)l->labels[i] ? 1 - smoothing : 0);
            sum += target * (partition - z[c]);
            l->gradient[i * stride + c] = (float)((exp(z[c] - partition) - target) / (double)l->rows);
        }
    }
    return sum;
}

/* ---- the entry: what the harness shall do for the strategy ---- */

const struct strategy_ops strategy_template = {
    .plug = {.name = "template", .version = 1,
             .help = "A documented example to copy: replay of exemplars with smoothed labels (docs/adding-a-method.md).",
             .params = (const struct param *const[]){&template_smoothing, 0}},
    .growth = GROWS_HEAD,         /* one network whose classifier grows */
    .keeps_exemplars = true,      /* a memory, which is trained on */
    .nme = true,                  /* report the nearest mean of exemplars too */
    .check = exemplars_check,     /* a memory of 0 is refused */
    .loss = loss,
};
