/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain.h"
#include "clock.h"
#include "../methods/allocators/allocation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kendall's tau ---- */

static int sign_of(double difference) { return (difference > 0) - (difference < 0); }

double kendall_tau(const double *x, const double *y, size_t count)
{
    double sum = 0, untied_x = 0, untied_y = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            return NAN;
        for (size_t j = 0; j < i; j++) {
            int dx = sign_of(x[i] - x[j]), dy = sign_of(y[i] - y[j]);
            sum += dx * dy;
            untied_x += dx != 0;
            untied_y += dy != 0;
        }
    }
    return untied_x > 0 && untied_y > 0 ? sum / sqrt(untied_x * untied_y) : NAN;
}

/* Of every `step`-th tensor from `first` on. */
static double tau_of(const struct explanation *e, size_t first, size_t step)
{
    double predicted[2 * MAX_LAYERS] = {0}, measured[2 * MAX_LAYERS] = {0};
    size_t count = 0;
    for (size_t i = first; i < e->tensors; i += step) {
        predicted[count] = e->predicted[i];
        measured[count++] = e->measured[i];
    }
    return kendall_tau(predicted, measured, count);
}

/* ---- the surrogate and its optimum ---- */

struct surrogate {
    struct tensor *tensors;  /* count: gradients, which it says nothing about, keep their widths */
    double *omega;           /* count × (MOST_WIDTH + 1) */
    struct problem problem;
};

static bool paper_step(const struct settings *s) { return setting_has(s, "noise") && setting_is(s, "noise", "paper"); }

static void make_surrogate(struct surrogate *s, const struct allocation *a, const struct probe *probe, const double *trace,
                           const float *bits)
{
    size_t count = (size_t)a->count;
    s->tensors = xmalloc(count * sizeof *s->tensors);
    s->omega = xcalloc(count * (MOST_WIDTH + 1), sizeof *s->omega);
    memcpy(s->tensors, a->tensors, count * sizeof *s->tensors);
    for (int i = 0; i < a->count; i++) {
        if (s->tensors[i].kind == TENSOR_GRADIENT) {
            s->tensors[i].choices = (uint64_t)1 << (int)bits[i];
            continue;
        }
        const struct range *range = probe_range(probe, i);
        for (int b = 1; b <= MOST_WIDTH; b++)
            s->omega[(size_t)i * (MOST_WIDTH + 1) + (size_t)b] =
                trace[i] * noise_variance(b, range->limit, range->is_signed, paper_step(a->settings));
    }
    s->problem = (struct problem){.tensors = s->tensors, .count = a->count, .budgets = a->budgets,
                                  .budget_count = a->budget_count, .omega = s->omega};
}

static void free_surrogate(struct surrogate *s)
{
    free(s->tensors);
    free(s->omega);
}

/* NAN where no exact solver proves its answer. */
static double optimal_omega(const struct problem *p)
{
    const struct solver_ops *solver = (const struct solver_ops *)plug_find(PLUG_SOLVER, "auto");
    int *bits = xmalloc(((size_t)p->count + 1) * sizeof *bits);
    struct solver_info info;
    struct error error;
    bool proven = problem_solve(p, solver, bits, &info, &error) && info.optimal;
    double omega = proven ? problem_omega(p, bits) : NAN;
    free(bits);
    return omega;
}

static double uniform_omega(const struct problem *p)
{
    float *bits = xmalloc(((size_t)p->count + 1) * sizeof *bits);
    double sum = NAN;
    if (uniform_bits(p->tensors, p->count, p->budgets, p->budget_count, bits)) {
        sum = 0;
        for (int i = 0; i < p->count; i++)
            sum += omega_at(p, i, (int)bits[i]);
    }
    free(bits);
    return sum;
}

static void find_regret(struct explanation *e, const struct problem *p)
{
    e->omega = 0;
    for (size_t i = 0; i < e->tensors; i++)
        e->omega += e->predicted[i];
    e->omega_optimal = e->omega_uniform = e->regret = NAN;
    if (!isfinite(e->omega))
        return;
    e->omega_optimal = optimal_omega(p);
    e->omega_uniform = uniform_omega(p);
    e->regret = e->omega == e->omega_optimal ? 0 : e->omega / e->omega_optimal - 1;
}

/* ---- the run ---- */

static void measure(struct explanation *e, struct probe *probe, const float *bits)
{
    float alone[2 * MAX_LAYERS] = {0};
    e->float_loss = probe_loss(probe, alone);
    for (size_t i = 0; i < e->tensors; i++) {
        alone[i] = bits[i];
        e->measured[i] = probe_loss(probe, alone) - e->float_loss;
        alone[i] = 0;
    }
    e->total = probe_loss(probe, bits) - e->float_loss; /* last: leaves all ranges in force */
}

void explain(struct explanation *e, struct probe *probe, const struct allocation *a, const float *bits)
{
    double start = now_seconds(), trace[2 * MAX_LAYERS];
    struct surrogate surrogate;
    *e = (struct explanation){.tensors = 2 * (size_t)probe_layers(probe), .samples = probe_samples(probe)};
    probe_refresh(probe);
    probe_traces(probe, trace);
    measure(e, probe, bits);
    for (size_t i = 0; i < e->tensors; i++) {
        const struct range *range = probe_range(probe, (int)i);
        e->predicted[i] = trace[i] * noise_variance(bits[i], range->limit, range->is_signed, paper_step(a->settings));
    }
    e->tau = tau_of(e, 0, 1);
    e->tau_weights = tau_of(e, 0, 2);
    e->tau_activations = tau_of(e, 1, 2);
    make_surrogate(&surrogate, a, probe, trace, bits);
    find_regret(e, &surrogate.problem);
    free_surrogate(&surrogate);
    e->seconds = now_seconds() - start;
}

void explain_record(const struct explanation *e, struct record *record)
{
    const struct { const char *path; double value; const char *unit, *meaning; } figures[] = {
        {"/explain/float_loss", e->float_loss, "nat",
         "mean cross entropy of the final weights in float32 on the probe's samples"},
        {"/explain/measured_total", e->total, "nat", "change of that loss with all weights and activations quantised"},
        {"/explain/kendall_tau", e->tau, "", "Kendall's tau-b between predicted and measured"},
        {"/explain/kendall_tau_weights", e->tau_weights, "", "the same over the weights alone"},
        {"/explain/kendall_tau_activations", e->tau_activations, "", "the same over the activations alone"},
        {"/explain/omega", e->omega, "", "sum of predicted"},
        {"/explain/omega_optimal", e->omega_optimal, "",
         "the least such sum within the same budgets and limits (NaN: not proven)"},
        {"/explain/omega_uniform", e->omega_uniform, "", "the sum for uniform widths within them"},
        {"/explain/regret", e->regret, "fraction", "omega above omega_optimal; below 0: the widths miss the budget"},
    };
    if (!e->tensors)
        return;
    record_put(record, "/explain/predicted", RECORD_F64, 1, &e->tensors, e->predicted, "",
               "sensitivity Omega of each weight and activation at its final width, in the order of /tensors; traces of the "
               "empirical Fisher from float32 passes");
    record_put(record, "/explain/measured", RECORD_F64, 1, &e->tensors, e->measured, "nat",
               "change of the loss when this tensor alone is quantised; accumulators without limit");
    record_int(record, "/explain/samples", (int64_t)e->samples, "", "training samples of these measurements");
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        record_real(record, figures[i].path, figures[i].value, figures[i].unit, figures[i].meaning);
    record_real(record, "/timing/explain_seconds", e->seconds, "s",
                "measuring what explains the result; not part of training");
}
