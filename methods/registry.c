/* SPDX-License-Identifier: GPL-3.0-or-later
 * The plugin tables: one row an entry. A new plugin is one file and one row here. */
#include "../bench/bitsweep.h"
#include "../bench/nn/net.h"
#include "../datasets/datasets.h"
#include "allocators/allocation.h"
#include <stdlib.h>
#include <string.h>

extern const struct model_ops model_mlp, model_fcnet, model_lenet5, model_resnet20, model_resnet32, model_resnet18,
    model_mobilenetv2, model_conv1d;
extern const struct mode_ops mode_fp, mode_fqt, mode_hfqt, mode_luq;
extern const struct alloc_ops allocator_none, allocator_uniform, allocator_dq, allocator_qbitopt;
extern const struct quantiser_ops quantiser_max, quantiser_lsq, quantiser_sawb;
extern const struct solver_ops solver_knapsack, solver_greedy, solver_ilp;
extern const struct cost_ops cost_mean_bits, cost_mean_bits_w, cost_mean_bits_a, cost_numel_bits_w, cost_weight_bytes,
    cost_act_bytes_max, cost_act_bytes_sum, cost_bops;

const char *const plug_kind_names[PLUG_KINDS] = {
    [PLUG_DATASET] = "dataset", [PLUG_MODEL] = "model", [PLUG_MODE] = "mode", [PLUG_ALLOCATOR] = "allocator",
    [PLUG_QUANTISER] = "quantiser", [PLUG_SOLVER] = "solver", [PLUG_COST] = "cost",
};

#define MAX_PLUGS 12
static const struct plug *const tables[PLUG_KINDS][MAX_PLUGS] = {
    [PLUG_DATASET] = {&dataset_fashion_mnist.plug, &dataset_mnist.plug, &dataset_cifar10.plug,
                      &dataset_cifar100.plug, &dataset_synthetic.plug, &dataset_hdf5.plug},
    [PLUG_MODEL] = {&model_mlp.plug, &model_fcnet.plug, &model_lenet5.plug, &model_resnet20.plug, &model_resnet32.plug,
                    &model_resnet18.plug, &model_mobilenetv2.plug, &model_conv1d.plug},
    [PLUG_MODE] = {&mode_fp.plug, &mode_fqt.plug, &mode_hfqt.plug, &mode_luq.plug},
    [PLUG_ALLOCATOR] = {&allocator_none.plug, &allocator_uniform.plug, &allocator_dq.plug, &allocator_qbitopt.plug},
    [PLUG_QUANTISER] = {&quantiser_max.plug, &quantiser_lsq.plug, &quantiser_sawb.plug},
    [PLUG_SOLVER] = {&solver_knapsack.plug, &solver_greedy.plug, &solver_ilp.plug},
    [PLUG_COST] = {&cost_mean_bits.plug, &cost_mean_bits_w.plug, &cost_mean_bits_a.plug, &cost_numel_bits_w.plug,
                   &cost_weight_bytes.plug, &cost_act_bytes_max.plug, &cost_act_bytes_sum.plug, &cost_bops.plug},
};

const struct plug *plug_at(enum plug_kind kind, size_t index)
{
    return index < MAX_PLUGS ? tables[kind][index] : NULL;
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
        if (strcmp(plug->name, name) == 0)
            return plug;
    return kind == PLUG_DATASET && is_dataset_file(name) ? &dataset_hdf5.plug : NULL;
}

const char *plug_check(const struct settings *settings)
{
    const struct mode_ops *mode = setting_plug(settings, "mode");
    const struct alloc_ops *allocator = setting_plug(settings, "allocator");
    const char *why = mode->check ? mode->check(settings) : NULL;
    return why || !allocator->check ? why : allocator->check(settings);
}

const char *model_check(const struct settings *settings, const struct dataset *described)
{
    const struct model_ops *model = setting_plug(settings, "model");
    const char *why = model->check ? model->check(settings, described) : NULL;
    if (why || net_addressable(settings, described))
        return why;
    return "layers have at most 2^30 values a sample, in integer modes dense layers also a batch";
}

bool budget_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    if (!setting_has(settings, "budget"))
        return true;
    const struct cost_ops *cost = &cost_mean_bits;
    struct tensor tensors[2 * MAX_LAYERS];
    float bits[2 * MAX_LAYERS];
    int count = net_tensors(settings, described, tensors);
    double budget = setting_real(settings, "budget");
    if (uniform_bits(tensors, count, cost, budget, bits))
        return true;
    double least = 0, most = 0;
    for (int high = 0; high < 2; high++) {
        for (int i = 0; i < count; i++)
            bits[i] = (float)(high ? tensors[i].hi : tensors[i].lo);
        *(high ? &most : &least) = cost->price(tensors, count, bits);
    }
    return fail(error, "budget %g is infeasible for model %s: feasible are %g (all at min_bits) to %g (all at max_bits) %s",
                budget, setting_text(settings, "model"), least, most, cost->unit);
}
