/* SPDX-License-Identifier: GPL-3.0-or-later
 * Convolutions along time for windows of sensor signals: stages of convolution, normalisation, ReLU and halving, then the
 * mean over time. */
#include "blocks.h"

#define KERNEL 5

static const struct param channels = {
    .name = "channels", .type = PARAM_DIMS, .fallback = "32-64-64", .min = 1, .max = 4096, .source = "ours",
    .help = "Channels of the stages joined by '-': 32-64-64; each stage halves the length."};

static const char *check(const struct settings *settings, const struct dataset *described)
{
    long widths[MAX_DIMS];
    size_t count = setting_dims(settings, "channels", widths, MAX_DIMS);
    if (described->rank != 2)
        return "conv1d takes windows of signals (rank 2: channels x length)";
    return described->shape[1] >> count > 0 ? NULL : "conv1d takes windows of length 2^stages or more: each stage halves it";
}

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    struct table table = {.nodes = out};
    long widths[MAX_DIMS];
    size_t count = setting_dims(settings, "channels", widths, MAX_DIMS);
    for (size_t i = 0; i < count; i++) {
        char number[NAME_SIZE], pool[NAME_SIZE];
        write_name(number, "%zu", i + 1);
        write_name(pool, "pool%zu", i + 1);
        const struct convolution convolution = {
            NODE_CONV, (size_t)widths[i], KERNEL, 1, ACTIVATION_RELU, NODE_PREVIOUS, NODE_NONE};
        add_convolution(&table, &convolution, INIT_HE, "", number);
        add_pool(&table, NODE_MAX_POOL, 2, 2, 0, pool);
    }
    add_pool(&table, NODE_MEAN_POOL, 0, 1, 0, "pool");
    add_dense(&table, "fc", (size_t)dataset->classes, ACTIVATION_NONE, INIT_FAN_IN);
    return table.count;
}

/* The last stage; with one alone nothing would be left in common. */
static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    long widths[MAX_DIMS];
    char name[NAME_SIZE];
    write_name(name, "conv%zu", setting_dims(settings, "channels", widths, MAX_DIMS));
    return first_called(name, nodes, settings, dataset);
}

const struct model_ops model_conv1d = {
    .plug = {.name = "conv1d", .version = 1,
             .help = "Convolutions of 5 along the length of sensor windows, each with normalisation, ReLU and max pooling "
                     "by 2; mean over the rest.",
             .params = (const struct param *const[]){&channels, 0}},
    .check = check,
    .nodes = nodes,
    .block = block,
};
