/* SPDX-License-Identifier: GPL-3.0-or-later
 * Learning without forgetting (Li and Hoiem 2016), as the HDQT authors have it: CE(new classes) + 3 KD, no memory. */
#include "losses.h"

static const struct param kd_weight = {
    .name = "kd_weight", .type = PARAM_REAL, .fallback = "3", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight of the distillation beside the cross entropy."};

/* In the first task the new classes are all classes. */
static double loss(const struct lesson *l)
{
    double sum = add_cross_entropy(l, l->old, l->all, 1);
    return l->old ? sum + add_distillation(l, setting_real(l->settings, kd_weight.name)) : sum;
}

const struct strategy_ops strategy_lwf = {
    .plug = {.name = "lwf", .version = 1,
             .help = "Learning without forgetting: cross entropy over the new classes' logits alone and distillation of the "
                     "old ones, both on the new samples; no memory.",
             .params = (const struct param *const[]){&kd_weight, &param_kd_temperature, 0}},
    .wants_old = true, .loss = loss,
};
