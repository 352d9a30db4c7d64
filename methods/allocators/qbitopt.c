/* SPDX-License-Identifier: GPL-3.0-or-later
 * QBitOpt (Peters et al. 2023, arXiv 2307.04535): sensitivities from the running training (FIT, arXiv 2210.08502), and a
 * solver that reallocates the bits every tau steps and always meets the budget. METHODS 3 and 4.
 * Minimise Omega = sum T_i D_i(b_i)²/12 subject to cost(b) <= budget; T_i = moving average of batch × sum g². */
#include "allocation.h"
#include "../../bench/params.h"
#include <math.h>
#include <string.h>

static const struct param tau = {
    .name = "tau", .type = PARAM_INT, .fallback = "250", .min = 1, .max = 1e9, .source = "rec",
    .help = "Steps between reallocations."};
static const struct param warm_up = {
    .name = "warm_up", .type = PARAM_INT, .fallback = "tau", .choices = (const char *const[]){"tau", 0},
    .min = 1, .max = 1e9, .source = "rec",
    .help = "Steps before the first reallocation, trained at the uniform allocation; tau = one interval."};
static const struct param freeze = {
    .name = "freeze", .type = PARAM_REAL, .fallback = "0.75", .min = 0, .max = 1, .source = "rec",
    .help = "Share of the steps after which the widths stay as they are; the last reallocation is made there."};
static const struct param fit_momentum = {
    .name = "fit_momentum", .type = PARAM_REAL, .fallback = "0.99", .min = 0, .max = 0.999999, .source = "rec",
    .help = "Memory of the moving average of the Fisher traces, per step (bias-corrected)."};
static const struct param fit_every = {
    .name = "fit_every", .type = PARAM_INT, .fallback = "12", .min = 1, .max = 1e6, .source = "ours",
    .help = "Estimate the traces on every n-th step only, an approximation that saves the input gradient of the first layer; the memory in steps stays. 1: every step."};
static const struct param solver = {
    .name = "solver", .type = PARAM_PLUG, .kind = PLUG_SOLVER, .fallback = "knapsack", .source = "ours",
    .help = "Solver of the integer allocation problem."};

struct state {
    const struct allocation *allocation;
    const struct solver_ops *solver;
    long tau, warm_up, freeze, fit_every;
    double momentum;
    bool paper_step;
    double weight;          /* of the moving average so far */
    double *trace;          /* count: not yet divided by weight */
    float *current, *uniform;
    double *omega, *cost;   /* count × widths */
    int *choice;
    int lo, widths;
};

static void *begin(const struct allocation *a)
{
    size_t count = (size_t)a->count;
    struct state *s = arena_alloc(a->arena, sizeof *s);
    s->allocation = a;
    s->solver = setting_plug(a->settings, "solver");
    s->tau = setting_int(a->settings, "tau");
    s->warm_up = setting_is(a->settings, "warm_up", "tau") ? s->tau : setting_int(a->settings, "warm_up");
    s->freeze = (long)(setting_real(a->settings, "freeze") * (double)a->steps);
    s->fit_every = setting_int(a->settings, "fit_every");
    s->momentum = pow(setting_real(a->settings, "fit_momentum"), (double)s->fit_every);
    s->paper_step = setting_is(a->settings, "noise", "paper");
    s->lo = (int)setting_int(a->settings, "min_bits");
    s->widths = (int)setting_int(a->settings, "max_bits") - s->lo + 1;
    s->trace = arena_alloc(a->arena, count * sizeof *s->trace);
    s->current = arena_alloc(a->arena, count * sizeof *s->current);
    s->uniform = arena_alloc(a->arena, count * sizeof *s->uniform);
    s->omega = arena_alloc(a->arena, count * (size_t)s->widths * sizeof *s->omega);
    s->cost = arena_alloc(a->arena, count * (size_t)s->widths * sizeof *s->cost);
    s->choice = arena_alloc(a->arena, count * sizeof *s->choice);
    if (!uniform_bits(a->tensors, a->count, a->cost, a->budget, s->uniform))
        die("the budget %g is infeasible", a->budget); /* budget_check has refused it before */
    memcpy(s->current, s->uniform, count * sizeof *s->current);
    keep(a->kept, "qbitopt.weight", &s->weight, sizeof s->weight);
    keep(a->kept, "qbitopt.trace", s->trace, count * sizeof *s->trace);
    keep(a->kept, "qbitopt.current", s->current, count * sizeof *s->current);
    return s;
}

static bool wants(void *memory, long step)
{
    struct state *s = memory;
    return step % s->fit_every == 0 && step <= s->freeze;
}

static void observe(void *memory, long step, size_t batch, const double *sum_squares)
{
    struct state *s = memory;
    (void)step;
    s->weight = s->momentum * s->weight + (1 - s->momentum);
    for (int i = 0; i < s->allocation->count; i++)
        s->trace[i] = s->momentum * s->trace[i] + (1 - s->momentum) * (double)batch * sum_squares[i];
}

/* Range that the sensitivity assumes: a weight's or a learned one as it is, an activation's running one. */
static double limit_of(const struct range *range)
{
    bool running = range->kind == TENSOR_ACTIVATION && !range->learned && range->weight > 0;
    return running ? range->average / range->weight : range->limit;
}

/* Fills the problem's tables; false when a sensitivity is not finite (a diverging run). */
static bool fill_tables(struct state *s, struct decision *decision)
{
    const struct allocation *a = s->allocation;
    for (int i = 0; i < a->count; i++) {
        decision->trace[i] = s->trace[i] / s->weight;
        decision->limit[i] = limit_of(&a->ranges[i]);
        for (int c = 0; c < s->widths; c++) {
            int bits = s->lo + c;
            double omega = decision->trace[i]
                           * noise_variance(bits, decision->limit[i], a->ranges[i].is_signed, s->paper_step);
            if (!isfinite(omega))
                return false;
            bool allowed = bits >= a->tensors[i].lo && bits <= a->tensors[i].hi;
            s->omega[i * s->widths + c] = allowed ? omega : INFINITY;
            s->cost[i * s->widths + c] = a->cost->share(a->tensors, a->count, i, (float)bits);
        }
    }
    return true;
}

static double omega_of(const struct state *s, const float *bits)
{
    double sum = 0;
    for (int i = 0; i < s->allocation->count; i++)
        sum += s->omega[i * s->widths + (int)bits[i] - s->lo];
    return sum;
}

static void solve(struct state *s, struct decision *decision)
{
    const struct allocation *a = s->allocation;
    struct choice_problem problem = {
        .tensors = a->count, .lo = s->lo, .widths = s->widths, .rows = 1,
        .omega = s->omega, .cost = s->cost, .budget = &a->budget,
    };
    struct solver_info info = {0};
    decision->solver = s->solver->plug.name;
    if (!fill_tables(s, decision)) {
        decision->solver = "kept: sensitivity not finite";
    } else if (s->solver->check(&problem) || !s->solver->solve(&problem, s->choice, &info)) {
        decision->solver = "kept: solver found no allocation";
    } else {
        for (int i = 0; i < a->count; i++)
            s->current[i] = (float)s->choice[i];
        decision->optimal = info.optimal;
        decision->omega_uniform = omega_of(s, s->uniform);
        /* An inexact solver must not be worse than no solver. */
        if (omega_of(s, s->current) > decision->omega_uniform)
            memcpy(s->current, s->uniform, (size_t)a->count * sizeof *s->current);
        decision->omega = omega_of(s, s->current);
    }
}

static bool due(const struct state *s, long step)
{
    bool in_turn = step >= s->warm_up && step <= s->freeze && (step - s->warm_up) % s->tau == 0;
    return s->weight > 0 && (in_turn || step == s->freeze);
}

static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    if (step == 0)
        decision->solver = "uniform";
    else if (due(s, step))
        solve(s, decision);
    else
        return false;
    memcpy(decision->bits, s->current, (size_t)s->allocation->count * sizeof *s->current);
    return true;
}

const struct alloc_ops allocator_qbitopt = {
    .plug = {.name = "qbitopt", .version = 1,
             .help = "QBitOpt: sensitivities from the training and a solver reallocate bits every tau steps, always within the budget.",
             .params = (const struct param *const[]){
                 &param_budget, &param_min_bits, &param_max_bits, &param_quantiser, &param_noise, &tau, &warm_up,
                 &freeze, &fit_momentum, &fit_every, &solver, 0}},
    .guarantees = true,
    .check = check_widths, .begin = begin, .assign = assign, .wants = wants, .observe = observe,
};
