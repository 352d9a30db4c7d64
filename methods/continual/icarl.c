/* SPDX-License-Identifier: GPL-3.0-or-later
 * iCaRL (Rebuffi et al. 2017), as the HDQT authors have it: CE + KD, the nearest mean of exemplars as second head. */
#include "losses.h"
#include "../../bench/exemplars.h"

static const struct param kd_weight = {
    .name = "kd_weight", .type = PARAM_REAL, .fallback = "1", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight of the distillation beside the cross entropy."};

static double loss(const struct lesson *l)
{
    double sum = seen_cross_entropy(l);
    return l->old ? sum + add_distillation(l, setting_real(l->settings, kd_weight.name)) : sum;
}

const struct strategy_ops strategy_icarl = {
    .plug = {.name = "icarl", .version = 1,
             .help = "iCaRL: cross entropy and distillation on new samples and exemplars (the original paper has binary "
                     "cross entropy); linear classifier and nearest mean of exemplars.",
             .params = (const struct param *const[]){&kd_weight, &param_kd_temperature, 0}},
    .keeps_exemplars = true, .wants_old = true, .nme = true, .check = exemplars_check, .loss = loss,
};
