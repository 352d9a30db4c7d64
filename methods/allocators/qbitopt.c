/* SPDX-License-Identifier: GPL-3.0-or-later
 * QBitOpt (Peters et al. 2023, arXiv 2307.04535): sensitivities from the running training (FIT, arXiv 2210.08502), and a
 * solver that reallocates the bits every tau steps and always meets the budgets. METHODS 3 and 4.
 * Minimise Omega = sum T_i D_i(b_i)²/12 subject to the budgets. Gradients are no loss variables: their sensitivity is
 * another one, so they are a problem of their own, solved first, and each problem has the other's widths fixed. */
#include "qbitopt.h"
#include "sensitivity.h"
#include "../costs/price.h"
#include "../../bench/nn/net.h"
#include "../../bench/params.h"
#include "../../bench/tasks.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Gradients always come from the backward pass. */
static bool averages(const struct settings *s)
{
    return setting_is(s, "fit_source", "backward") || net_allocates(s, TENSOR_GRADIENT);
}

const struct param qbitopt_tau = {
    .name = "tau", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "rec",
    .help = "Steps between reallocations."};
const struct param qbitopt_warm_up = {
    .name = "warm_up", .type = PARAM_INT, .fallback = "tau", .choices = (const char *const[]){"tau", 0},
    .min = 1, .max = 1e9, .source = "rec",
    .help = "Steps before the first reallocation, trained at the uniform allocation; tau = one interval."};
const struct param qbitopt_freeze = {
    .name = "freeze", .type = PARAM_REAL, .fallback = "0.75", .min = 0, .max = 1, .source = "rec",
    .help = "Share of the steps after which the widths stay as they are; the last reallocation is made there."};
const struct param qbitopt_fit_source = {
    .name = "fit_source", .type = PARAM_CHOICE, .fallback = "backward", .source = "ours",
    .choices = (const char *const[]){"backward", "float", 0},
    .help = "Where the Fisher traces come from: moving averages over the training's own backward passes (an approximation "
            "for weights, whose gradients are summed over the batch), or an unquantised pass apart before each "
            "reallocation."};
const struct param qbitopt_fit_momentum = {
    .name = "fit_momentum", .type = PARAM_REAL, .fallback = "0.99", .min = 0, .max = 0.999999, .source = "rec",
    .used = averages,
    .help = "Memory of the moving average of the Fisher traces, per step (bias-corrected)."};
const struct param qbitopt_fit_every = {
    .name = "fit_every", .type = PARAM_INT, .fallback = "12", .min = 1, .max = 1e6, .source = "ours", .used = averages,
    .help = "Estimate the traces on every n-th step only, an approximation that saves the input gradient of the first "
            "layer; the memory in steps stays. 1: every step."};
const struct param qbitopt_reallocate = {
    .name = "reallocate", .type = PARAM_CHOICE, .fallback = "within", .source = "ours", .used = is_incremental,
    .choices = (const char *const[]){"within", "between", "first", 0},
    .help = "Incremental runs: decide before every task from what the ones before showed and then within it (within), only "
            "before tasks (between), or only within the first task (first)."};
static const struct param fractional = {
    .name = "fractional", .type = PARAM_BOOL, .fallback = "false", .source = "rec",
    .help = "Real widths until the freeze, whole ones from there on (mode fp only): real widths cannot be stored, so until "
            "then the cost is a surrogate."};
static const struct param solver = {
    .name = "solver", .type = PARAM_PLUG, .kind = PLUG_SOLVER, .fallback = "auto", .source = "ours",
    .help = "Solver of the integer allocation problem."};

/* The two problems, in the order of solving. */
enum side { BACKWARD, FORWARD, SIDES };

struct state {
    const struct allocation *allocation;
    const struct solver_ops *solver;
    long tau, warm_up, freeze, fit_every;
    bool averages, fractional;
    bool decides_at_once, decides_within; /* incremental: before the first step, and in the task */
    struct sensitivity sensitivity;
    struct sensitivity_tables tables;
    struct { bool free; struct budget *budgets; int budget_count; } sides[SIDES]; /* free: some tensor has a choice */
    float *current, *uniform, *next;  /* count */
    char said[48];                    /* decision.solver */
    /* The problem under way. */
    struct tensor *tensors;
    double *omega, *real;
    struct noise *noise;
    int *whole;
};

/* ---- the sides ---- */

static bool on_side(const struct tensor *tensor, enum side side)
{
    return (tensor->kind == TENSOR_GRADIENT) == (side == BACKWARD);
}

/* Whether a tensor's width changes what the budget is about, the others of its layer at their least. */
static bool prices(const struct budget *budget, const struct cost_totals *totals, const struct allocation *a, int tensor)
{
    struct layer_widths layer = no_widths;
    for (int i = 0; i < a->count; i++)
        if (a->tensors[i].layer == a->tensors[tensor].layer)
            layer_take(&layer, &a->tensors[i], tensor_least(&a->tensors[i]));
    double share = budget->cost->layer(budget->context, totals, &layer);
    for (int bits = 1; bits <= MOST_WIDTH; bits++) {
        if (!tensor_allows(&a->tensors[tensor], bits))
            continue;
        layer_take(&layer, &a->tensors[tensor], bits);
        if (budget->cost->layer(budget->context, totals, &layer) != share)
            return true;
    }
    return false;
}

/* A side has the budgets that its widths can change; solvers that take one need no more than that. */
static void make_sides(struct state *s)
{
    const struct allocation *a = s->allocation;
    struct cost_totals totals = cost_totals(a->tensors, a->count);
    for (enum side side = 0; side < SIDES; side++) {
        int found = 0;
        struct budget *budgets = arena_alloc(a->arena, (size_t)a->budget_count * sizeof *budgets);
        for (int b = 0; b < a->budget_count; b++)
            for (int i = 0; i < a->count; i++)
                if (on_side(&a->tensors[i], side) && prices(&a->budgets[b], &totals, a, i)) {
                    budgets[found++] = a->budgets[b];
                    break;
                }
        s->sides[side].budgets = budgets;
        s->sides[side].budget_count = found;
        for (int i = 0; i < a->count; i++)
            s->sides[side].free |= on_side(&a->tensors[i], side)
                                   && tensor_least(&a->tensors[i]) < tensor_most(&a->tensors[i]);
    }
}

/* The other side's tensors have their widths, and so do those that are tied to one of them. */
static bool is_fixed(const struct allocation *a, enum side side, int tensor)
{
    for (int i = 0; a->tensors[tensor].group && i < a->count; i++)
        if (a->tensors[i].group == a->tensors[tensor].group && !on_side(&a->tensors[i], side))
            return true;
    return !on_side(&a->tensors[tensor], side);
}

/* All tensors are there, because a cost can take widths of both sides together; the other side's count nothing. */
static struct problem problem_of(struct state *s, enum side side, const float *widths)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        double *omega = s->omega + (size_t)i * (MOST_WIDTH + 1);
        int bits = (int)widths[i];
        s->tensors[i] = a->tensors[i];
        s->noise[i] = s->tables.noise[i];
        memcpy(omega, s->tables.omega + (size_t)i * (MOST_WIDTH + 1), (MOST_WIDTH + 1) * sizeof *omega);
        if (is_fixed(a, side, i)) {
            s->tensors[i].choices = (uint64_t)1 << bits;
            s->tensors[i].group = 0;
        }
        if (!on_side(&a->tensors[i], side))
            s->noise[i].scale = omega[bits] = 0;
    }
    return (struct problem){.tensors = s->tensors, .count = a->count, .budgets = s->sides[side].budgets,
                            .budget_count = s->sides[side].budget_count, .omega = s->omega, .noise = s->noise};
}

static double omega_of(const struct state *s, enum side side, const float *widths)
{
    double sum = 0;
    for (int i = 0; i < s->allocation->count; i++)
        if (on_side(&s->allocation->tensors[i], side))
            sum += noise_at(s->tables.noise[i], (double)widths[i]);
    return sum;
}

/* ---- before training ---- */

static struct state *prepare(const struct allocation *a, const struct solver_ops *ops)
{
    size_t count = (size_t)a->count;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    s->allocation = a;
    s->solver = ops;
    s->fractional = setting_has(a->settings, "fractional") && setting_bool(a->settings, "fractional");
    s->current = arena_alloc(a->arena, count * sizeof *s->current);
    s->uniform = arena_alloc(a->arena, count * sizeof *s->uniform);
    s->next = arena_alloc(a->arena, count * sizeof *s->next);
    s->tensors = arena_alloc(a->arena, count * sizeof *s->tensors);
    s->omega = arena_alloc(a->arena, count * (MOST_WIDTH + 1) * sizeof *s->omega);
    s->real = arena_alloc(a->arena, count * sizeof *s->real);
    s->noise = arena_alloc(a->arena, count * sizeof *s->noise);
    s->whole = arena_alloc(a->arena, count * sizeof *s->whole);
    sensitivity_tables_make(&s->tables, a);
    make_sides(s);
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, s->uniform))
        die("the budgets are infeasible"); /* budget_check has refused it before */
    memcpy(s->current, s->uniform, count * sizeof *s->current);
    return s;
}

/* Tries equal sensitivities: whether a solver can take a problem does not depend on them. */
static bool try_side(struct state *s, enum side side, struct error *error)
{
    const struct problem p = problem_of(s, side, s->uniform);
    double objective;
    if (s->fractional && !problem_relax(&p, s->real, &objective))
        return fail(error, "the budgets have no optimum in real widths: fractional cannot be true");
    return problem_suits(&p, s->solver, error);
}

static bool try_sides(struct state *s, struct error *error)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        s->tables.noise[i] = noise_of(1, 1, true, false);
        sensitivity_row(&a->tensors[i], s->tables.noise[i], s->tables.omega + (size_t)i * (MOST_WIDTH + 1));
    }
    for (enum side side = 0; side < SIDES; side++)
        if (s->sides[side].free && !try_side(s, side, error))
            return false;
    return true;
}

bool qbitopt_solvable(const struct settings *settings, const struct solver_ops *ops, const struct tensor *tensors, int count,
                      const struct budget *budgets, int budget_count, struct error *error)
{
    struct arena arena = {0};
    const struct allocation a = {.settings = settings, .tensors = tensors, .count = count, .budgets = budgets,
                                 .budget_count = budget_count, .arena = &arena};
    bool good = try_sides(prepare(&a, ops), error);
    arena_free(&arena);
    return good;
}

/* Asked before fit_source is resolved, too. */
bool qbitopt_probes(const struct settings *s)
{
    return setting_has(s, "fit_source") && setting_is(s, "fit_source", "float");
}

static bool reallocates(const struct settings *s, const char *when)
{
    return setting_has(s, "reallocate") && setting_is(s, "reallocate", when);
}

/* The next task of an incremental run starts with what the last one knew. */
static void follow(struct state *s, const struct state *previous)
{
    const struct allocation *a = s->allocation;
    s->decides_within = !reallocates(a->settings, "between");
    if (!previous)
        return;
    s->decides_within = reallocates(a->settings, "within");
    s->decides_at_once = !reallocates(a->settings, "first");
    sensitivity_continue(&s->sensitivity, &previous->sensitivity);
    if (budgets_met(a->budgets, a->budget_count, a->tensors, a->count, previous->current))
        memcpy(s->current, previous->current, (size_t)a->count * sizeof *s->current);
}

void *qbitopt_begin(const struct allocation *a, const struct solver_ops *ops)
{
    struct error error;
    struct state *s = prepare(a, ops);
    if (!try_sides(s, &error))
        die("%s", error.text);
    s->tau = setting_int(a->settings, "tau");
    s->warm_up = setting_is(a->settings, "warm_up", "tau") ? s->tau : setting_int(a->settings, "warm_up");
    s->freeze = (long)(setting_real(a->settings, "freeze") * (double)a->steps);
    s->averages = averages(a->settings);
    s->fit_every = s->averages ? setting_int(a->settings, "fit_every") : 1;
    double momentum = s->averages ? setting_real(a->settings, "fit_momentum") : 0;
    sensitivity_begin(&s->sensitivity, a, pow(momentum, (double)s->fit_every), setting_is(a->settings, "noise", "paper"),
                      qbitopt_probes(a->settings));
    keep(a->kept, "qbitopt.current", s->current, (size_t)a->count * sizeof *s->current);
    follow(s, a->previous);
    return s;
}

/* ---- observing ---- */

bool qbitopt_wants(void *memory, long step)
{
    struct state *s = memory;
    return s->averages && step % s->fit_every == 0 && step <= s->freeze;
}

void qbitopt_observe(void *memory, const struct observation *seen)
{
    struct state *s = memory;
    sensitivity_observe(&s->sensitivity, seen);
}

/* ---- reallocating ---- */

/* Budgets must hold for the rounded number too. */
static float float_below(double x)
{
    float rounded = (float)x;
    return (double)rounded > x ? nextafterf(rounded, 0) : rounded;
}

/* *by: who solved. */
static bool solve_side(struct state *s, enum side side, bool real, float *widths, bool *optimal, const char **by)
{
    const struct problem p = problem_of(s, side, widths);
    struct solver_info info = {0};
    struct error error;
    bool solved = real ? problem_relax(&p, s->real, &info.objective) : problem_solve(&p, s->solver, s->whole, &info, &error);
    *optimal = *optimal && solved && info.optimal;
    *by = real ? "relaxed, real widths" : info.solver;
    for (int i = 0; solved && i < p.count; i++)
        if (on_side(&p.tensors[i], side))
            widths[i] = real ? float_below(s->real[i]) : (float)s->whole[i];
    return solved;
}

/* An inexact solver, or budgets that both sides share, must not make a side worse than no solver would. Returns whether they
 * have. */
static bool improve_on_uniform(struct state *s, float *widths)
{
    const struct allocation *a = s->allocation;
    bool worse = false;
    for (enum side side = 0; side < SIDES; side++) {
        if (!(omega_of(s, side, widths) > omega_of(s, side, s->uniform)))
            continue;
        worse = true;
        for (int i = 0; i < a->count; i++)
            widths[i] = on_side(&a->tensors[i], side) ? s->uniform[i] : widths[i];
    }
    if (worse && !budgets_met(a->budgets, a->budget_count, a->tensors, a->count, widths))
        memcpy(widths, s->uniform, (size_t)a->count * sizeof *widths);
    return worse;
}

/* The new widths and what is said of them; false: the text says why there are none. */
static bool reallocate(struct state *s, bool real, struct decision *decision)
{
    const struct allocation *a = s->allocation;
    enum side shown = s->sides[BACKWARD].free && !s->sides[FORWARD].free ? BACKWARD : FORWARD;
    memcpy(s->next, s->current, (size_t)a->count * sizeof *s->next);
    decision->optimal = true;
    for (enum side side = 0; side < SIDES; side++)
        if (s->sides[side].free && !solve_side(s, side, real, s->next, &decision->optimal, &decision->solver)) {
            decision->optimal = false;
            return false;
        }
    if (improve_on_uniform(s, s->next)) {
        decision->optimal = false;
        decision->solver = "uniform, which the solver's is worse than";
    }
    decision->omega = omega_of(s, shown, s->next);
    decision->omega_uniform = omega_of(s, shown, s->uniform);
    memcpy(s->current, s->next, (size_t)a->count * sizeof *s->current);
    return true;
}

static void solve(struct state *s, bool last, struct decision *decision)
{
    size_t count = (size_t)s->allocation->count;
    if (s->sensitivity.probed)
        sensitivity_probe(&s->sensitivity);
    bool finite = sensitivity_fill(&s->sensitivity, &s->tables);
    memcpy(decision->trace, s->tables.trace, count * sizeof *decision->trace);
    memcpy(decision->limit, s->tables.limit, count * sizeof *decision->limit);
    if (finite && reallocate(s, s->fractional && !last, decision))
        return;
    bool whole = !(s->fractional && last);
    if (!whole) /* what is kept may be real widths, which must end here */
        memcpy(s->current, s->uniform, count * sizeof *s->current);
    snprintf(s->said, sizeof s->said, "%s: %s", whole ? "kept" : "uniform",
             finite ? "solver found no allocation" : "sensitivity not finite");
    decision->solver = s->said;
}

static bool due(const struct state *s, long step)
{
    bool in_turn = step >= s->warm_up && step <= s->freeze && (step - s->warm_up) % s->tau == 0;
    bool known = !s->averages || s->sensitivity.weight > 0;
    if (step == 0)
        return known && s->decides_at_once;
    return known && s->decides_within && (in_turn || step == s->freeze);
}

bool qbitopt_assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    if (due(s, step))
        solve(s, step == s->freeze || !s->decides_within, decision);
    else if (step == 0)
        decision->solver = s->allocation->previous ? "kept" : "uniform";
    else
        return false;
    memcpy(decision->bits, s->current, (size_t)s->allocation->count * sizeof *s->current);
    return true;
}

/* ---- the allocator ---- */

static const char *check(const struct settings *s)
{
    const struct mode_ops *mode = setting_plug(s, "mode");
    if (setting_bool(s, "fractional") && mode->integer)
        return "real widths have no integer codes: fractional = true takes mode fp";
    return check_widths(s);
}

static bool solvable(const struct settings *s, const struct tensor *tensors, int count, const struct budget *budgets,
                     int budget_count, struct error *error)
{
    return qbitopt_solvable(s, setting_plug(s, "solver"), tensors, count, budgets, budget_count, error);
}

static void *begin(const struct allocation *a) { return qbitopt_begin(a, setting_plug(a->settings, "solver")); }

const struct alloc_ops allocator_qbitopt = {
    .plug = {.name = "qbitopt", .version = 1,
             .help = "QBitOpt: sensitivities from the training and a solver reallocate bits every tau steps, always within "
                     "the budget.",
             .params = (const struct param *const[]){QBITOPT_PARAMS, &fractional, &solver, 0}},
    .guarantees = true,
    .check = check, .probes = qbitopt_probes, .solvable = solvable, .begin = begin, .assign = qbitopt_assign,
    .wants = qbitopt_wants, .observe = qbitopt_observe,
};
