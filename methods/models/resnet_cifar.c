/* SPDX-License-Identifier: GPL-3.0-or-later
 * Residual networks for CIFAR (He et al. 2016, section 4.2): three stages of n blocks, 16, 32 and 64 channels, shortcut
 * A, with the HDQT authors' initialisation of convolutions. */
#include "blocks.h"

static const char *check_20(const struct settings *settings, const struct dataset *described)
{
    (void)settings;
    return images_of(described, 8) ? NULL : "resnet20 takes images of at least 8 x 8";
}

static const char *check_32(const struct settings *settings, const struct dataset *described)
{
    (void)settings;
    return images_of(described, 8) ? NULL : "resnet32 takes images of at least 8 x 8";
}

static size_t stages(const struct dataset *dataset, int blocks, struct node_spec *out)
{
    struct table table = {.nodes = out};
    const struct convolution first = {NODE_CONV, 16, 3, 1, ACTIVATION_RELU, NODE_PREVIOUS, NODE_NONE};
    add_convolution(&table, &first, INIT_HE_OUT, "", "1");
    add_stages(&table, &(struct stages){.count = 3, .blocks = blocks, .channels = 16});
    add_pool(&table, NODE_MEAN_POOL, 0, 1, 0, "pool");
    add_dense(&table, "fc", (size_t)dataset->classes, ACTIVATION_NONE, INIT_FAN_IN);
    return table.count;
}

static size_t nodes_20(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    (void)settings;
    return stages(dataset, 3, out);
}

static size_t nodes_32(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    (void)settings;
    return stages(dataset, 5, out);
}

/* METHODS 6: the stem and stages 1 and 2 are the base, stage 3 is specialised. */
static size_t block_20(const struct settings *settings, const struct dataset *dataset)
{
    return first_called("stage3.", nodes_20, settings, dataset);
}

static size_t block_32(const struct settings *settings, const struct dataset *dataset)
{
    return first_called("stage3.", nodes_32, settings, dataset);
}

const struct model_ops model_resnet20 = {
    .plug = {.name = "resnet20", .version = 1,
             .help = "ResNet-20 for small images: three stages of three blocks, 16-32-64 channels, shortcut A (subsampling, "
                     "zero channels)."},
    .check = check_20,
    .nodes = nodes_20,
    .block = block_20,
};

const struct model_ops model_resnet32 = {
    .plug = {.name = "resnet32", .version = 1,
             .help = "ResNet-32 for small images: three stages of five blocks, 16-32-64 channels, shortcut A (subsampling, "
                     "zero channels)."},
    .check = check_32,
    .nodes = nodes_32,
    .block = block_32,
};
