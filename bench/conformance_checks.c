/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conformance_judges.h"
#include "plugins.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIST(...) (const char *const[]){__VA_ARGS__, NULL}
#define ROUNDING 1e-9        /* relative, in a comparison of sums [ours] */
#define SLOW 5.0             /* seconds of processor time that a decision on six tensors may take [ours] */

/* 36 steps of 3 layers, 6 tensors; intervals of the known allocators short enough that they decide several times. */
const char conformance_defaults[] =
    "dataset=synthetic samples=96 features=12 classes=4 validation=0 model=mlp hidden=16-8 batch=8 epochs=3 lr=0.02 "
    "tau=6 fit_every=2 template_every=6 dq_log_every=3";
const char *const conformance_keys[] = {"allocator", "mode", "budget", "min_bits", "max_bits",
                                        "allocate",  "pin",  "limits", "tie",      NULL};

/* ---- one run ---- */

typedef enum verdict judge_watched(const struct trial *, const struct watched *, struct tally *);

/* Judges one run. */
static enum verdict judge_run(const struct trial *trial, const struct watching *how, judge_watched *judge,
                              struct tally *tally)
{
    struct watched seen;
    enum verdict verdict = watch_run(trial, how, &seen, tally);
    if (verdict == VERDICT_PASS)
        verdict = judge(trial, &seen, tally);
    watched_free(&seen);
    return verdict;
}

static const float *row_of(const struct watched *seen, long step) { return seen->bits + step * seen->tensors; }

static enum verdict judge_entry(const struct trial *trial, struct tally *tally)
{
    char *fault = plug_fault(&trial->ops->plug);
    enum verdict verdict = fault ? say(tally, VERDICT_FAIL, "%s", fault) : VERDICT_PASS;
    free(fault);
    return verdict;
}

static enum verdict decides(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    (void)trial;
    if (!seen->decision_count || seen->decisions[0].step != 0)
        return say(tally, VERDICT_FAIL, "assign does not decide at step 0, so the run would begin in float32");
    for (size_t d = 0; d < seen->decision_count; d++)
        if (!seen->decisions[d].solver[0])
            return say(tally, VERDICT_FAIL, "step %ld: decision.solver says nothing", seen->decisions[d].step);
    return VERDICT_PASS;
}

static enum verdict judge_decisions(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, decides, tally);
}

static enum verdict meets_budgets(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    char when[40];
    if (!seen->budgets)
        return say(tally, VERDICT_NONE, "it has no budget");
    for (long step = trial->ops->guarantees ? 0 : seen->steps; step <= seen->steps; step++)
        for (int b = 0; seen->filled[step] && b < seen->budgets; b++) {
            double price = seen->prices[step * seen->budgets + b], limit = seen->budget[b].limit;
            tally->largest = fmax(tally->largest, 100 * price / limit);
            if (trial->ops->guarantees && !seen->met[step * seen->budgets + b])
                return say(tally, VERDICT_FAIL, "%s: %s is %.6g, its budget %.6g", step_name(seen, step, when, sizeof when),
                           seen->budget[b].cost, price, limit);
        }
    if (trial->ops->guarantees)
        return VERDICT_PASS;
    return say(tally, VERDICT_NONE, "it guarantees no budget; at the end the largest cost is %.4g %% of its limit",
               tally->largest);
}

static enum verdict judge_budgets(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, meets_budgets, tally);
}

/* Pinned tensors are the business of another check. */
static enum verdict keeps_bounds(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    char when[40];
    (void)trial;
    for (long step = 0; step <= seen->steps; step++)
        for (int i = 0; seen->filled[step] && i < seen->tensors; i++) {
            const struct tensor *tensor = &seen->tensor[i];
            float bits = row_of(seen, step)[i];
            int least = tensor_least(tensor), most = tensor_most(tensor);
            bool whole = bits == floorf(bits), allowed = bits >= (float)least && bits <= (float)most
                                                         && (!whole || tensor_allows(tensor, (int)bits));
            if (least < most && !allowed)
                return say(tally, VERDICT_FAIL, "%s: %s has %g bits, allowed are %d to %d",
                           step_name(seen, step, when, sizeof when), tensor->name, bits, least, most);
        }
    return VERDICT_PASS;
}

static enum verdict judge_bounds(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, keeps_bounds, tally);
}

static enum verdict keeps_pins(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    char when[40];
    int pinned = 0;
    (void)trial;
    for (int i = 0; i < seen->tensors; i++) {
        int width = tensor_least(&seen->tensor[i]);
        bool fixed = width == tensor_most(&seen->tensor[i]);
        pinned += fixed;
        for (long step = 0; fixed && step <= seen->steps; step++)
            if (seen->filled[step] && row_of(seen, step)[i] != (float)width)
                return say(tally, VERDICT_FAIL, "%s: %s has %g bits, its only width is %d",
                           step_name(seen, step, when, sizeof when), seen->tensor[i].name, row_of(seen, step)[i], width);
    }
    return pinned ? VERDICT_PASS : say(tally, VERDICT_NONE, "no tensor is pinned");
}

static enum verdict judge_pins(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, keeps_pins, tally);
}

static enum verdict keeps_ties(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    char when[40];
    bool tied = false;
    (void)trial;
    for (int i = 0; i < seen->tensors; i++)
        for (int j = 0; j < i; j++) {
            bool together = seen->tensor[i].group && seen->tensor[i].group == seen->tensor[j].group;
            tied |= together;
            for (long step = 0; together && step <= seen->steps; step++)
                if (seen->filled[step] && row_of(seen, step)[i] != row_of(seen, step)[j])
                    return say(tally, VERDICT_FAIL, "%s: %s has %g bits, %s has %g; they are tied",
                               step_name(seen, step, when, sizeof when), seen->tensor[j].name, row_of(seen, step)[j],
                               seen->tensor[i].name, row_of(seen, step)[i]);
        }
    return tied ? VERDICT_PASS : say(tally, VERDICT_NONE, "no tensors are tied");
}

static enum verdict judge_ties(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, keeps_ties, tally);
}

/* In a mode with integer operands always, else when the training ends: only whole widths can be stored. */
static enum verdict has_whole_widths(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    char when[40];
    bool always = ((const struct mode_ops *)setting_plug(&trial->settings, "mode"))->integer;
    for (long step = always ? 0 : seen->steps; step <= seen->steps; step++)
        for (int i = 0; seen->filled[step] && i < seen->tensors; i++) {
            float bits = row_of(seen, step)[i];
            if (bits != floorf(bits))
                return say(tally, VERDICT_FAIL, "%s: %s has %g bits", step_name(seen, step, when, sizeof when),
                           seen->tensor[i].name, bits);
        }
    return VERDICT_PASS;
}

static enum verdict judge_whole_widths(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, has_whole_widths, tally);
}

static enum verdict is_valid(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    enum verdict verdict = keeps_bounds(trial, seen, tally);
    if (verdict == VERDICT_PASS && trial->ops->guarantees && seen->budgets)
        verdict = meets_budgets(trial, seen, tally);
    return verdict;
}

static enum verdict judge_extremes(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, is_valid, tally);
}

static enum verdict judge_infeasible(const struct trial *trial, struct tally *tally)
{
    struct dataset described;
    struct error error;
    const struct dataset_ops *dataset = setting_plug(&trial->settings, "dataset");
    if (!dataset->describe(&trial->settings, &described, &error))
        return say(tally, VERDICT_FAIL, "%s", error.text);
    bool refused = !budget_check(&trial->settings, &described, &error);
    dataset_free(&described);
    return refused ? VERDICT_PASS : say(tally, VERDICT_FAIL, "the budget cannot be met and is not refused before training");
}

static enum verdict judge_not_finite(const struct trial *trial, struct tally *tally)
{
    const double poisons[] = {NAN, INFINITY, 0};
    enum verdict verdict = VERDICT_PASS;
    if (!trial->ops->observe)
        return say(tally, VERDICT_NONE, "it observes no gradients");
    for (size_t i = 0; verdict == VERDICT_PASS && i < sizeof poisons / sizeof *poisons; i++) {
        const struct watching how = {.poisoned = true, .poison = poisons[i]};
        verdict = judge_run(trial, &how, is_valid, tally);
        if (verdict == VERDICT_FAIL) {
            char *why = xstrdup(tally->text);
            say(tally, VERDICT_FAIL, "observed sums are %g: %s", poisons[i], why);
            free(why);
        }
    }
    return verdict;
}

static enum verdict is_no_worse(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    int compared = 0;
    (void)trial;
    for (size_t d = 0; d < seen->decision_count; d++) {
        const struct noted_decision *decision = &seen->decisions[d];
        if (isnan(decision->omega) || isnan(decision->omega_uniform))
            continue;
        compared++;
        if (!(decision->omega <= decision->omega_uniform * (1 + ROUNDING)))
            return say(tally, VERDICT_FAIL, "step %ld: Omega is %.9g, that of the uniform widths %.9g", decision->step,
                       decision->omega, decision->omega_uniform);
        if (decision->omega_uniform > 0)
            tally->largest = fmax(tally->largest, 100 * decision->omega / decision->omega_uniform);
    }
    return compared ? VERDICT_PASS : say(tally, VERDICT_NONE, "it reports no Omega beside that of the uniform widths");
}

static enum verdict judge_quality(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, is_no_worse, tally);
}

static enum verdict writes_its_own(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    (void)trial;
    return seen->outside[0] ? say(tally, VERDICT_FAIL, "%s", seen->outside) : VERDICT_PASS;
}

static enum verdict judge_memory(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, writes_its_own, tally);
}

static enum verdict is_quick(const struct trial *trial, const struct watched *seen, struct tally *tally)
{
    (void)trial;
    for (size_t d = 0; d < seen->decision_count; d++) {
        tally->largest = fmax(tally->largest, 1e3 * seen->decisions[d].seconds);
        if (seen->decisions[d].seconds > SLOW)
            return say(tally, VERDICT_FAIL, "step %ld: deciding on %d tensors takes %.3g s", seen->decisions[d].step,
                       seen->tensors, seen->decisions[d].seconds);
    }
    return VERDICT_PASS;
}

static enum verdict judge_time(const struct trial *trial, struct tally *tally)
{
    return judge_run(trial, &undisturbed, is_quick, tally);
}

/* ---- the table ---- */

const struct check conformance_checks[] = {
    {.name = "entry",
     .promise = "name, help, version, and parameters with help, source and canonical defaults",
     .scenarios = LIST("budget=6"),
     .unchecked = true,
     .judge = judge_entry},
    {.name = "decisions",
     .promise = "decides on all widths before the first step, and says how",
     .scenarios = LIST("budget=3.5", "budget=6"),
     .judge = judge_decisions},
    {.name = "budgets",
     .promise = "no budget is exceeded at any step",
     .needs = "budget",
     .scenarios =
         LIST("budget=2.25", "budget=3.5", "budget=5.75", "budget=weight_bytes=40%", "budget=weight_bytes=90%",
              "budget=bops=20%", "budget=weight_bytes=45%,bops=30% solver=ilp", "budget=act_bytes_max=60%",
              "budget=mean_bits_w=3.5,mean_bits_a=4.5 solver=ilp",
              "model=conv1d channels=4-4 sample_shape=2-16 budget=weight_bytes=35%,act_bytes_sum=60% solver=ilp",
              "allocate=weights budget=mean_bits_w=3.4", "allocate=weights-activations-gradients budget=3.5 grad_bits=4",
              "pin=first.*=8 tie=*.input budget=numel_bits_w=5"),
     .figure = "cost at most",
     .unit = "% of its limit",
     .judge = judge_budgets},
    {.name = "bounds",
     .promise = "widths stay within min_bits, max_bits and limits",
     .scenarios = LIST("budget=3.5", "budget=5 min_bits=3 max_bits=6", "budget=4 limits=*.input=4..5,fc1.weight=..3"),
     .judge = judge_bounds},
    {.name = "pins",
     .promise = "pinned tensors keep their width",
     .needs = "pin",
     .scenarios = LIST("budget=4 pin=first.*=8", "budget=4 pin=fc2.weight=3,last.*=6"),
     .judge = judge_pins},
    {.name = "ties",
     .promise = "tied tensors have equal widths",
     .needs = "tie",
     .scenarios = LIST("budget=3.5 tie=fc[12].weight", "budget=4.25 tie=*.input", "budget=6 tie=*.input"),
     .judge = judge_ties},
    {.name = "whole widths",
     .promise = "whole numbers in integer modes, and at the end in every mode",
     .scenarios = LIST("budget=3.5", "budget=4.75"),
     .judge = judge_whole_widths},
    {.name = "extremes",
     .promise = "budgets that leave one choice, and budgets that leave all",
     .needs = "budget",
     .scenarios = LIST("budget=2", "budget=8", "budget=weight_bytes=25%", "budget=weight_bytes=100%", "budget=bops=6.25%",
                       "budget=bops=100%", "budget=4 min_bits=4 max_bits=4"),
     .judge = judge_extremes},
    {.name = "infeasible",
     .promise = "budgets that nothing meets are refused before training",
     .needs = "budget",
     .scenarios = LIST("budget=1.5", "budget=weight_bytes=20%", "budget=3 pin=first.*=8 min_bits=4"),
     .unchecked = true,
     .judge = judge_infeasible},
    {.name = "not finite",
     .promise = "widths stay valid when observed gradients are NaN, infinite or zero",
     .scenarios = LIST("budget=3.5", "budget=6"),
     .judge = judge_not_finite},
    {.name = "quality",
     .promise = "Omega is never above that of the uniform widths",
     .scenarios = LIST("budget=2.75", "budget=3.5", "budget=5.25", "budget=6", "budget=weight_bytes=45%"),
     .figure = "Omega at most",
     .unit = "% of the uniform widths'",
     .judge = judge_quality},
    {.name = "determinism",
     .promise = "the same seed gives the same run, bit for bit",
     .scenarios = LIST("budget=3.5", "budget=6"),
     .judge = judge_determinism},
    {.name = "resuming",
     .promise = "an interrupted run goes on as if it had not been",
     .scenarios = LIST("budget=3.5", "budget=6"),
     .judge = judge_resuming},
    {.name = "learning",
     .promise = "widths that are learned feel the loss and the budget",
     .scenarios = LIST("budget=2.5"),
     .judge = judge_learning},
    {.name = "memory",
     .promise = "writes nothing but its own and the decision",
     .scenarios = LIST("budget=3.5", "budget=6", "budget=weight_bytes=45%,bops=30% solver=ilp"),
     .judge = judge_memory},
    {.name = "time",
     .promise = "a decision on a small network takes little time",
     .scenarios = LIST("budget=3.5", "budget=6"),
     .figure = "at most",
     .unit = "ms of processor time",
     .judge = judge_time},
};
const size_t conformance_check_count = sizeof conformance_checks / sizeof *conformance_checks;
