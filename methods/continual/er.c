/* SPDX-License-Identifier: GPL-3.0-or-later
 * Experience replay: exemplars are trained on like any other samples. */
#include "losses.h"
#include "../../bench/exemplars.h"

const struct strategy_ops strategy_er = {
    .plug = {.name = "er", .version = 1,
             .help = "Experience replay: cross entropy on the new samples and the exemplars together."},
    .keeps_exemplars = true, .check = exemplars_check, .loss = seen_cross_entropy,
};
