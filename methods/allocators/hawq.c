/* SPDX-License-Identifier: GPL-3.0-or-later
 * HAWQ-V3 (Yao et al. 2021): sensitivities once, before the first step, from the curvature of the loss, then an integer
 * programme. Minimise Omega = sum over layers of (trace of the Hessian of W / elements of W) × ‖W - Q_b(W)‖² subject to the
 * budgets. METHODS 3, 4. */
#include "allocation.h"
#include "hessian.h"
#include "../../bench/params.h"
#include "../../bench/rules.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS(...) (const char *const[]){__VA_ARGS__, 0}
#define PINNED "first.*=8,last.*=8"
#define RANGE_BITS 8 /* widest codes: what the activations' ranges are looked at with */

static const struct param pin = {
    .name = "pin", .type = PARAM_TEXT, .parse = pin_parse, .pairs = true, .fallback = PINNED, .source = "pub",
    .form = "none, or PATTERN=WIDTH,... like " PINNED,
    .help = "Fixed widths by name pattern, outside the means over tensors; hawq's own default excludes the first and the "
            "last layer. none: nothing is pinned."};
static const struct param widths = {
    .name = "hawq_widths", .type = PARAM_DIMS, .fallback = "4-8", .min = 2, .max = 8, .source = "pub",
    .help = "Widths that hawq chooses from, joined by '-', of those from min_bits to max_bits: 2-4-8. Pinned tensors keep "
            "theirs."};
static const struct param activations = {
    .name = "hawq_activations", .type = PARAM_CHOICE, .fallback = "weight", .choices = WORDS("weight", "allocated"),
    .source = "pub",
    .help = "Widths of the activations: that of their layer's weight (published), or chosen by themselves with Fisher "
            "traces as sensitivities (ours)."};
static const struct param draws = {
    .name = "hawq_draws", .type = PARAM_INT, .fallback = "32", .min = 1, .max = 1e6, .source = "ours",
    .help = "Random vectors of Hutchinson's estimator of the Hessian's traces; each takes two backward passes over the "
            "probe's samples."};
static const struct param step = {
    .name = "hawq_step", .type = PARAM_REAL, .fallback = "0.001", .min = 1e-6, .max = 1, .source = "ours",
    .help = "Step of the finite differences of gradients that stand for the Hessian's products, over the weights' root mean "
            "square."};
static const struct param solver = {
    .name = "solver", .type = PARAM_PLUG, .kind = PLUG_SOLVER, .fallback = "ilp", .source = "pub",
    .help = "Solver of the allocation problem; published is the integer programme."};

/* ---- what hawq makes of the tensors ---- */

static uint64_t chosen_widths(const struct settings *settings)
{
    long list[MAX_DIMS];
    size_t count = setting_dims(settings, "hawq_widths", list, MAX_DIMS);
    uint64_t choices = 0;
    for (size_t i = 0; i < count; i++)
        choices |= (uint64_t)1 << list[i];
    return choices;
}

/* An activation that is allocated has its weight's width: both are tied, and whatever they are tied with already. */
static void tie(struct tensor *tensors, int count, struct tensor *weight, struct tensor *input)
{
    int last = 0, before = input->group;
    for (int i = 0; i < count; i++)
        last = tensors[i].group > last ? tensors[i].group : last;
    if (!weight->group)
        weight->group = last + 1;
    input->group = weight->group;
    for (int i = 0; before && i < count; i++)
        if (tensors[i].group == before)
            tensors[i].group = weight->group;
}

static void tie_layers(struct tensor *tensors, int count)
{
    for (int w = 0; w < count; w++)
        for (int x = 0; x < count; x++) {
            bool pair = tensors[w].kind == TENSOR_WEIGHT && tensors[x].kind == TENSOR_ACTIVATION;
            if (pair && tensors[w].layer == tensors[x].layer && (tensors[w].counted || tensors[x].counted))
                tie(tensors, count, &tensors[w], &tensors[x]);
        }
}

/* Leaves tied tensors the widths that all of them allow. */
static bool share_choices(struct tensor *tensors, int count, struct error *error)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; tensors[i].group && k < count; k++)
            if (tensors[k].group == tensors[i].group)
                tensors[i].choices &= tensors[k].choices;
    for (int i = 0; i < count; i++)
        if (!tensors[i].choices)
            return fail(error,
                        "hawq gives a layer's input the width of its weight, and ties make groups of them, but %s has "
                        "no width in common with the others; give them common widths in limits and pin, or choose "
                        "hawq_activations=allocated", tensors[i].name);
    return true;
}

/* The tensors as hawq chooses for them. False: one has no width left. */
static bool narrow(const struct settings *settings, struct tensor *tensors, int count, struct error *error)
{
    uint64_t choices = chosen_widths(settings);
    if (setting_is(settings, "hawq_activations", "weight") && setting_is(settings, "allocate", "weights-activations"))
        tie_layers(tensors, count);
    if (!share_choices(tensors, count, error))
        return false;
    for (int i = 0; i < count; i++) {
        struct tensor *t = &tensors[i];
        if (tensor_least(t) == tensor_most(t)) /* pinned, or tied to a pinned one */
            continue;
        if (!(t->choices & choices))
            return fail(error, "hawq_widths=%s has no width that %s may have (%d to %d); add one, or change min_bits, "
                        "max_bits or limits", setting_text(settings, "hawq_widths"), t->name, tensor_least(t),
                        tensor_most(t));
        t->choices &= choices;
    }
    return true;
}

static const char *check(const struct settings *settings)
{
    const char *allocate = setting_text(settings, "allocate");
    if (strcmp(allocate, "weights") != 0 && strcmp(allocate, "weights-activations") != 0)
        return "hawq measures the sensitivity of weights: allocate must be weights or weights-activations";
    return check_widths(settings);
}

static bool solvable(const struct settings *settings, const struct tensor *tensors, int count, const struct budget *budgets,
                     int budget_count, struct error *error)
{
    struct tensor *own = xmalloc((size_t)count * sizeof *own);
    memcpy(own, tensors, (size_t)count * sizeof *own);
    bool good = narrow(settings, own, count, error);
    for (int b = 0; good && b < budget_count; b++) {
        double least, most;
        budget_range(&budgets[b], own, count, &least, &most);
        if (!budget_met(&budgets[b], least))
            good = fail(error, "budget %s = %.10g is infeasible for hawq with hawq_widths=%s: feasible are %.10g to %.10g "
                               "%s",
                        budgets[b].cost->plug.name, budgets[b].limit, setting_text(settings, "hawq_widths"), least, most,
                        budgets[b].cost->unit);
    }
    double *omega = xcalloc((size_t)count * (MOST_WIDTH + 1), sizeof *omega);
    const struct problem problem = {.tensors = own, .count = count, .budgets = budgets, .budget_count = budget_count,
                                    .omega = omega};
    good = good && problem_suits(&problem, setting_plug(settings, "solver"), error);
    free(omega);
    free(own);
    return good;
}

/* ---- sensitivities ---- */

struct state {
    const struct allocation *allocation;
    const struct solver_ops *solver;
    struct tensor *tensors;      /* count: as hawq chooses for them */
    bool by_themselves;          /* the activations */
    double *trace;               /* count: Hessian for weights; Fisher matrix for activations by themselves, else 0 */
    double *omega;               /* count × (MOST_WIDTH + 1) */
    float *uniform;              /* count */
    int *choice;                 /* count */
    char solver_text[48];
};

static void *begin(const struct allocation *a)
{
    size_t count = (size_t)a->count;
    struct error error;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    s->allocation = a;
    s->solver = setting_plug(a->settings, "solver");
    s->by_themselves = setting_is(a->settings, "hawq_activations", "allocated");
    s->tensors = arena_alloc(a->arena, count * sizeof *s->tensors);
    s->trace = arena_alloc(a->arena, count * sizeof *s->trace);
    s->omega = arena_alloc(a->arena, count * (MOST_WIDTH + 1) * sizeof *s->omega);
    s->uniform = arena_alloc(a->arena, count * sizeof *s->uniform);
    s->choice = arena_alloc(a->arena, count * sizeof *s->choice);
    memcpy(s->tensors, a->tensors, count * sizeof *s->tensors);
    if (!narrow(a->settings, s->tensors, a->count, &error))
        die("%s", error.text); /* budget_check has refused it before */
    if (!uniform_bits(s->tensors, a->count, a->budgets, a->budget_count, s->uniform))
        die("the budgets are infeasible"); /* the same */
    return s;
}

static void measure_weights(struct state *s)
{
    const struct allocation *a = s->allocation;
    double trace[MAX_LAYERS];
    uint64_t seed = (uint64_t)setting_int(a->settings, "seed");
    hessian_traces(a->probe, (int)setting_int(a->settings, "hawq_draws"), setting_real(a->settings, "hawq_step"),
                   rng_key(seed, STREAM_ALLOCATOR, 2, 0), trace);
    for (int i = 0; i < a->count; i++)
        if (s->tensors[i].kind == TENSOR_WEIGHT)
            s->trace[i] = trace[s->tensors[i].layer];
}

/* Omega(b) = T D(b)²/12 (FIT, arXiv 2210.08502), with the ranges that the activations have at 8 bits. */
static void measure_activations(struct state *s)
{
    const struct allocation *a = s->allocation;
    double trace[2 * MAX_LAYERS];
    float bits[2 * MAX_LAYERS];
    probe_traces(a->probe, trace);
    for (int i = 0; i < 2 * probe_layers(a->probe); i++)
        bits[i] = i % 2 ? RANGE_BITS : 0;
    probe_loss(a->probe, bits);
    for (int i = 0; i < a->count; i++)
        if (s->tensors[i].kind == TENSOR_ACTIVATION)
            s->trace[i] = trace[2 * s->tensors[i].layer + 1];
}

static double sensitivity(const struct state *s, int tensor, int bits)
{
    const struct tensor *t = &s->tensors[tensor];
    struct probe *probe = s->allocation->probe;
    double trace = s->trace[tensor] < 0 ? 0 : s->trace[tensor]; /* as noise can make it */
    if (t->kind == TENSOR_WEIGHT)
        return trace / (double)t->elements * probe_error(probe, t->layer, bits);
    const struct range *range = probe_range(probe, 2 * t->layer + 1);
    return s->by_themselves ? trace * noise_variance(bits, range->limit, range->is_signed, false) : 0;
}

/* False when a sensitivity is not finite. */
static bool fill_table(struct state *s)
{
    bool finite = true;
    for (int i = 0; i < s->allocation->count; i++)
        for (int bits = 1; bits <= MOST_WIDTH; bits++) {
            double *omega = &s->omega[(size_t)i * (MOST_WIDTH + 1) + (size_t)bits];
            *omega = tensor_allows(&s->tensors[i], bits) ? sensitivity(s, i, bits) : INFINITY;
            finite &= !tensor_allows(&s->tensors[i], bits) || isfinite(*omega);
        }
    return finite;
}

/* ---- allocation ---- */

static double omega_of(const struct problem *p, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += omega_at(p, i, (int)bits[i]);
    return sum;
}

/* Incremental runs have no init: from the second task on they start from trained weights. */
static bool starts_untrained(const struct allocation *a)
{
    return setting_has(a->settings, "init") ? setting_is(a->settings, "init", "scratch") : !a->previous;
}

/* Widths and solver's name of the decision: the solver's, unless they are worse than uniform ones. */
static void solve(struct state *s, struct decision *decision)
{
    const struct allocation *a = s->allocation;
    const struct problem problem = {.tensors = s->tensors, .count = a->count, .budgets = a->budgets,
                                    .budget_count = a->budget_count, .omega = s->omega};
    struct solver_info info;
    struct error error;
    if (!problem_solve(&problem, s->solver, s->choice, &info, &error)) {
        decision->solver = "uniform: solver found no allocation";
        return;
    }
    decision->omega = problem_omega(&problem, s->choice);
    decision->omega_uniform = omega_of(&problem, s->uniform);
    decision->optimal = info.optimal;
    snprintf(s->solver_text, sizeof s->solver_text, "%s%s", info.solver,
             starts_untrained(a) ? ", from untrained weights" : "");
    decision->solver = s->solver_text;
    if (decision->omega > decision->omega_uniform) {
        decision->omega = decision->omega_uniform;
        decision->optimal = false;
        decision->solver = "uniform, which the solver's is worse than";
        return;
    }
    for (int i = 0; i < a->count; i++)
        decision->bits[i] = (float)s->choice[i];
}

static bool assign(void *memory, long at, struct decision *decision)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    if (at != 0)
        return false;
    memcpy(decision->bits, s->uniform, (size_t)a->count * sizeof *s->uniform);
    measure_weights(s);
    if (s->by_themselves)
        measure_activations(s);
    for (int i = 0; i < a->count; i++)
        if (s->by_themselves || s->tensors[i].kind == TENSOR_WEIGHT)
            decision->trace[i] = s->trace[i];
    if (fill_table(s))
        solve(s, decision);
    else
        decision->solver = "uniform: sensitivity not finite";
    return true;
}

static bool probes(const struct settings *settings)
{
    (void)settings;
    return true;
}

const struct alloc_ops allocator_hawq = {
    .plug = {.name = "hawq", .version = 1,
             .help = "HAWQ-V3: Hessian traces and quantisation errors of the weights, measured once before training "
                     "(published: of a trained float net, init=float), and an integer programme; the network is then "
                     "trained at these widths.",
             .params = (const struct param *const[]){
                 &param_budget, &param_min_bits, &param_max_bits, &param_allocate, &pin, &param_limits, &param_tie,
                 &param_quantiser, &param_probe_samples, &widths, &activations, &draws, &step, &solver, 0}},
    .guarantees = true,
    .check = check, .probes = probes, .solvable = solvable, .begin = begin, .assign = assign,
};
