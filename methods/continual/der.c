/* SPDX-License-Identifier: GPL-3.0-or-later
 * DER (Yan et al. 2021), as the HDQT authors have it: a new extractor a task. */
#include "expansion.h"
#include "../../bench/exemplars.h"

const struct strategy_ops strategy_der = {
    .plug = {.name = "der", .version = 1,
             .help = "DER: a new extractor a task, copied from the last, beside the earlier ones, which are frozen; an "
                     "auxiliary classifier while training, then the new classes' weights aligned. Approximation: no masks, "
                     "no pruning.",
             .params = (const struct param *const[]){&param_auxiliary_weight, 0}},
    .growth = GROWS_EXTRACTOR, .keeps_exemplars = true,
    .check = exemplars_check, .loss = expansion_loss, .finish = expansion_finish,
};
