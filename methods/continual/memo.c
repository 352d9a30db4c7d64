/* SPDX-License-Identifier: GPL-3.0-or-later
 * MEMO (Zhou et al. 2023), as the HDQT authors have it: a new specialised block a task on generalised blocks that are frozen
 * after the first. */
#include "expansion.h"
#include "../../bench/exemplars.h"

const struct strategy_ops strategy_memo = {
    .plug = {.name = "memo", .version = 1,
             .help = "MEMO: the model's first blocks train in the first task and are frozen then, the last ones are added "
                     "anew for each task; losses and alignment as in der.",
             .params = (const struct param *const[]){&param_auxiliary_weight, 0}},
    .growth = GROWS_BLOCK, .keeps_exemplars = true,
    .check = exemplars_check, .loss = expansion_loss, .finish = expansion_finish,
};
