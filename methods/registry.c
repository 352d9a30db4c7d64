/* SPDX-License-Identifier: GPL-3.0-or-later
 * The plugin tables: one row an entry. A new plugin is one file and one row here. */
#include "../bench/bitsweep.h"
#include "../bench/budgets.h"
#include "../bench/decisions.h"
#include "../bench/learner.h"
#include "../bench/nn/net.h"
#include "../bench/plugins.h"
#include "../datasets/datasets.h"
#include "allocators/allocation.h"
#include <stdlib.h>
#include <string.h>

extern const struct model_ops model_mlp, model_fcnet, model_lenet5, model_resnet20, model_resnet32, model_resnet18,
    model_mobilenetv2, model_conv1d;
extern const struct mode_ops mode_fp, mode_fqt, mode_hfqt, mode_luq;
extern const struct alloc_ops allocator_none, allocator_uniform, allocator_dq, allocator_fracbits, allocator_hawq,
    allocator_qbitopt, allocator_exhaustive, allocator_random, allocator_fixed, allocator_template;
extern const struct quantiser_ops quantiser_max, quantiser_lsq, quantiser_sawb, quantiser_dorefa;
extern const struct solver_ops solver_auto, solver_knapsack, solver_greedy, solver_ilp, solver_exhaustive, solver_relaxed;
extern const struct cost_ops cost_mean_bits, cost_mean_bits_w, cost_mean_bits_a, cost_mean_bits_g, cost_numel_bits_w,
    cost_weight_bytes,
    cost_act_bytes_max, cost_act_bytes_sum, cost_bops, cost_bops_train, cost_train_bytes, cost_energy_pj, cost_latency_ms;
extern const struct strategy_ops strategy_finetune, strategy_joint, strategy_er, strategy_lwf, strategy_icarl, strategy_bic,
    strategy_der, strategy_memo, strategy_template;

const char *const plug_kind_names[PLUG_KINDS] = {
    [PLUG_DATASET] = "dataset", [PLUG_MODEL] = "model", [PLUG_MODE] = "mode", [PLUG_ALLOCATOR] = "allocator",
    [PLUG_QUANTISER] = "quantiser", [PLUG_SOLVER] = "solver", [PLUG_COST] = "cost", [PLUG_STRATEGY] = "strategy",
};

#define MAX_PLUGS 24
static const struct plug *tables[PLUG_KINDS][MAX_PLUGS] = {
    [PLUG_DATASET] = {&dataset_fashion_mnist.plug, &dataset_mnist.plug, &dataset_cifar10.plug,
                      &dataset_cifar100.plug, &dataset_dsads.plug, &dataset_hapt.plug, &dataset_pamap2.plug,
                      &dataset_uci_har.plug, &dataset_wisdm.plug, &dataset_synthetic.plug, &dataset_hdf5.plug},
    [PLUG_MODEL] = {&model_mlp.plug, &model_fcnet.plug, &model_lenet5.plug, &model_resnet20.plug, &model_resnet32.plug,
                    &model_resnet18.plug, &model_mobilenetv2.plug, &model_conv1d.plug},
    [PLUG_MODE] = {&mode_fp.plug, &mode_fqt.plug, &mode_hfqt.plug, &mode_luq.plug},
    [PLUG_ALLOCATOR] = {&allocator_none.plug, &allocator_uniform.plug, &allocator_dq.plug, &allocator_fracbits.plug,
                        &allocator_hawq.plug, &allocator_qbitopt.plug,
                        &allocator_exhaustive.plug, &allocator_random.plug, &allocator_fixed.plug, &allocator_template.plug},
    [PLUG_QUANTISER] = {&quantiser_max.plug, &quantiser_lsq.plug, &quantiser_sawb.plug, &quantiser_dorefa.plug},
    [PLUG_SOLVER] = {&solver_auto.plug, &solver_knapsack.plug, &solver_greedy.plug, &solver_ilp.plug,
                     &solver_exhaustive.plug, &solver_relaxed.plug},
    [PLUG_COST] = {&cost_mean_bits.plug, &cost_mean_bits_w.plug, &cost_mean_bits_a.plug, &cost_mean_bits_g.plug,
                   &cost_numel_bits_w.plug,
                   &cost_weight_bytes.plug, &cost_act_bytes_max.plug, &cost_act_bytes_sum.plug, &cost_bops.plug,
                   &cost_bops_train.plug, &cost_train_bytes.plug, &cost_energy_pj.plug, &cost_latency_ms.plug},
    [PLUG_STRATEGY] = {&strategy_finetune.plug, &strategy_joint.plug, &strategy_er.plug, &strategy_lwf.plug,
                       &strategy_icarl.plug, &strategy_bic.plug, &strategy_der.plug, &strategy_memo.plug,
                       &strategy_template.plug},
};

const struct plug *plug_at(enum plug_kind kind, size_t index)
{
    return index < MAX_PLUGS ? tables[kind][index] : NULL;
}

bool plug_put(enum plug_kind kind, const struct plug *plug)
{
    size_t i = 0;
    while (i < MAX_PLUGS && tables[kind][i] && strcmp(tables[kind][i]->name, plug->name) != 0)
        i++;
    if (i == MAX_PLUGS)
        return false;
    tables[kind][i] = plug;
    return true;
}

static bool is_dataset_file(const char *name)
{
    char *file = format_text("%s.h5", name), *path = strchr(name, '/') ? NULL : dataset_find(file);
    bool found = path != NULL;
    free(file);
    free(path);
    return found;
}

const struct plug *plug_find(enum plug_kind kind, const char *name)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(kind, i)); i++)
        if (strcmp(plug->name, name) == 0 || (plug->alias && strcmp(plug->alias, name) == 0))
            return plug;
    return kind == PLUG_DATASET && is_dataset_file(name) ? &dataset_hdf5.plug : NULL;
}

const char *plug_check(const struct settings *settings)
{
    const struct mode_ops *mode = setting_plug(settings, "mode");
    const struct alloc_ops *allocator = setting_plug(settings, "allocator");
    const char *why = mode->check ? mode->check(settings) : NULL;
    if (!why && !mode->integer && net_allocates(settings, TENSOR_GRADIENT))
        why = "the gradients of this mode are float32: only fqt and hfqt have widths of gradients to allocate";
    if (!why && allocator->check)
        why = allocator->check(settings);
    const struct strategy_ops *strategy = setting_has(settings, "strategy") ? setting_plug(settings, "strategy") : NULL;
    if (!why && strategy && strategy->check)
        why = strategy->check(settings);
    const struct quantiser_ops *quantiser = run_quantiser(settings);
    if (!why && mode->integer && quantiser && quantiser->quantise)
        why = "the quantiser's values are no integer codes times a scale, which integer modes need; mode fp is valid";
    return why;
}

const char *model_check(const struct settings *settings, const struct dataset *described)
{
    const struct model_ops *model = setting_plug(settings, "model");
    const char *why = model->check ? model->check(settings, described) : NULL;
    if (why || net_addressable(settings, described))
        return why;
    return "layers have at most 2^30 values a sample, in integer modes dense layers also a batch";
}

static bool tensors_meet_budgets(const struct settings *settings, const struct dataset *described,
                                 const struct tensor *tensors, int count, struct error *error)
{
    float bits[MAX_TENSORS];
    struct budgets budgets;
    if (!budgets_open(settings, described, tensors, count, &budgets, error))
        return false;
    bool met = uniform_bits(tensors, count, budgets.items, budgets.count, bits);
    char *text = xstrdup("");
    for (int b = 0; !met && b < budgets.count; b++) {
        const struct budget *budget = &budgets.items[b];
        double least, most;
        budget_range(budget, tensors, count, &least, &most);
        if (budget_met(budget, least))
            continue;
        char *name = budget->cost == &cost_mean_bits ? xstrdup("") : format_text("%s = ", budget->cost->plug.name);
        char *longer = format_text("%s%sbudget %s%.10g is infeasible for model %s: feasible are %.10g (all at their least "
                                   "width) to %.10g (all at their most) %s", text, *text ? "; " : "", name, budget->limit,
                                   setting_text(settings, "model"), least, most, budget->cost->unit);
        free(name);
        free(text);
        text = longer;
    }
    if (!met)
        fail(error, "%s", text);
    const struct alloc_ops *allocator = setting_plug(settings, "allocator");
    if (met && allocator->solvable)
        met = allocator->solvable(settings, tensors, count, budgets.items, budgets.count, error);
    free(text);
    budgets_close(&budgets);
    return met;
}

static bool task_meets_budgets(const struct settings *settings, const struct dataset *described, const struct tasks *tasks,
                               size_t task, struct error *error)
{
    struct tensor tensors[MAX_TENSORS];
    struct error problem;
    struct dataset seen = *described;
    seen.classes = (int)tasks->first[task + 1];
    struct cut cut = task_cut(settings, tasks, task, &seen);
    int count = cut_tensors(settings, &seen, &cut, tensors);
    return tensors_meet_budgets(settings, &seen, tensors, count, &problem)
           || fail(error, "in task %zu of %zu, with %d classes: %s", task + 1, tasks->count, seen.classes, problem.text);
}

/* From the second task on networks only grow, so the first and the last are the extremes. */
static bool tasks_meet_budgets(const struct settings *settings, const struct dataset *described, struct error *error)
{
    struct tasks tasks;
    tasks_make(&tasks, settings, (size_t)described->classes);
    bool good = task_meets_budgets(settings, described, &tasks, 0, error)
                && task_meets_budgets(settings, described, &tasks, tasks.count - 1, error);
    tasks_free(&tasks);
    return good;
}

bool budget_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    struct tensor tensors[MAX_TENSORS];
    if (!setting_has(settings, "budget"))
        return true;
    if (is_incremental(settings))
        return tasks_meet_budgets(settings, described, error);
    return tensors_meet_budgets(settings, described, tensors, net_tensors(settings, described, tensors), error);
}
