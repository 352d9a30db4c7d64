/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a training step costs at given widths, as bench/accounting.h counts it on a network that is laid out for that.
 * METHODS 5. */
#include "../../bench/accounting.h"
#include "../../bench/decisions.h"
#include "../../bench/strategy.h"
#include "../../bench/tasks.h"
#include <stdlib.h>

struct laid_out { struct arena arena; struct net net; };

static void close_network(void *context)
{
    struct laid_out *laid_out = context;
    arena_free(&laid_out->arena);
    free(laid_out);
}

/* For one sample, as no product will be computed, but with the counts of the run's batch. */
static bool open_network(const struct settings *settings, const struct dataset *described, void **context,
                         struct error *error)
{
    if (!settings || !described)
        return fail(error, "the costs of training follow from a run's model and mode; they have no price for a table of "
                    "tensors");
    if (is_incremental(settings) && ((const struct strategy_ops *)setting_plug(settings, "strategy"))->growth != GROWS_HEAD)
        return fail(error, "strategy %s trains another network in each task, of which the costs of training cannot be told",
                    setting_text(settings, "strategy"));
    size_t batch = (size_t)setting_int(settings, "batch");
    struct laid_out *laid_out = xcalloc(1, sizeof *laid_out);
    struct net *net = &laid_out->net;
    net_build(net, settings, described, setting_plug(settings, "mode"), run_quantiser(settings), 1, &laid_out->arena);
    net->batch = batch;
    for (size_t i = 0; i < net->count; i++)
        net->layers[i].product.samples_max = batch;
    *context = laid_out;
    return true;
}

static int index_of(const struct layer_widths *layer)
{
    const struct tensor *tensor = layer->weight ? layer->weight : layer->input ? layer->input : layer->gradient;
    return tensor ? tensor->layer : -1;
}

static double operations(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)totals;
    const struct net *net = &((const struct laid_out *)context)->net;
    int index = index_of(layer);
    if (index < 0)
        return 0;
    double g = layer->gradient ? layer->g : net->layers[index].product.g_range->bits;
    return layer_training_bops(net, (size_t)index, layer->w, layer->a, g);
}

static double bytes(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)totals;
    const struct net *net = &((const struct laid_out *)context)->net;
    return layer->input ? layer_training_bytes(net, (size_t)layer->input->layer, layer->a) : 0;
}

static double constant_bytes(const void *context)
{
    return constant_training_bytes(&((const struct laid_out *)context)->net);
}

const struct cost_ops cost_bops_train = {
    .plug = {.name = "bops_train", .version = 1,
             .help = "Bit operations per sample of training: all three products at their widths, the transforms' additions, "
                     "re-quantisations."},
    .unit = "bit operation", .joint = true, .open = open_network, .close = close_network, .layer = operations,
};

const struct cost_ops cost_train_bytes = {
    .plug = {.name = "train_bytes", .version = 1,
             .help = "Bytes of training: parameters, velocities, gradients, and what one batch keeps for its backward pass: "
                     "inputs, masks."},
    .unit = "byte", .open = open_network, .close = close_network, .layer = bytes, .constant = constant_bytes,
};
