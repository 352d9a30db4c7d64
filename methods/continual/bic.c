/* SPDX-License-Identifier: GPL-3.0-or-later
 * BiC (Wu et al. 2019), as the HDQT authors have it: λ KD + (1 - λ) CE, then a linear correction of the new classes' logits,
 * trained on samples that the first stage has not seen. */
#include "correction.h"
#include "losses.h"
#include <stdio.h>

static const struct param bic_validation = {
    .name = "bic_validation", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 0.9, .source = "pub",
    .help = "Share of a class's memory (memory / old classes; all of it with memory_of class) that each class, old or new, "
            "holds out of the first stage for the correction, rounded down."};
static const struct param bic_softmax = {
    .name = "bic_softmax", .type = PARAM_CHOICE, .fallback = "plain", .choices = (const char *const[]){"plain", "double", 0},
    .source = "ours",
    .help = "The correction's loss: cross entropy of the logits, or of their softmax (double, as in the published code)."};

static size_t holds_out(const struct settings *s, size_t old)
{
    if (old == 0)
        return 0;
    double share = setting_real(s, bic_validation.name) * (double)setting_int(s, param_memory.name);
    return (size_t)(setting_is(s, param_memory_of.name, "class") ? share : share / (double)old);
}

/* Old logits and these come with their corrections, and the harness takes the gradient back through them. */
static double loss(const struct lesson *l)
{
    double lambda = (double)l->old / (double)l->all;
    double sum = add_cross_entropy(l, 0, l->all, 1 - lambda);
    return l->old ? sum + add_distillation(l, lambda) : sum;
}

static double double_loss(const struct lesson *l) { return add_double_cross_entropy(l, 1); }

/* Once nothing is held out, nothing will be: the share a class only falls. */
static void tell_of_no_correction(const struct learner *l)
{
    if (l->task == 1 || holds_out(l->settings, l->tasks.first[l->task - 1]) > 0)
        fprintf(stderr, "bitsweep: note: strategy bic: from task %zu on bic_validation of a class's memory is less than a "
                "sample, so the logits of new classes stay uncorrected\n", l->task + 1);
}

static void finish(struct learner *l)
{
    if (l->old == 0)
        return;
    if (l->held_out_count == 0)
        tell_of_no_correction(l);
    else
        correction_train(l, setting_is(l->settings, bic_softmax.name, "double") ? double_loss : seen_cross_entropy);
}

const struct strategy_ops strategy_bic = {
    .plug = {.name = "bic", .version = 1,
             .help = "BiC: cross entropy and distillation weighted by the share of old classes, then a scale and a shift of "
                     "the new classes' logits, trained on held out samples (momentum and weight decay act on both [rec]); "
                     "linear classifier and nearest mean of exemplars.",
             .params = (const struct param *const[]){&param_kd_temperature, &bic_validation, &bic_softmax, 0}},
    .keeps_exemplars = true, .wants_old = true, .head_bias = true, .nme = true,
    .check = exemplars_check, .holds_out = holds_out, .loss = loss, .finish = finish,
};
