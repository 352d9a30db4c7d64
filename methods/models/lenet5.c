/* SPDX-License-Identifier: GPL-3.0-or-later
 * LeNet-5 (LeCun et al., 1998) in today's form: ReLU and maxima. */
#include "blocks.h"

/* Smaller images get a border, so that both sizes lead to 5 × 5 × 16 values before the dense layers. */
#define SIDE 32
#define SIDE_WITH_BORDER 28

static const char *check(const struct settings *settings, const struct dataset *described)
{
    (void)settings;
    size_t side = described->shape[1];
    bool square = described->rank == 3 && described->shape[2] == side;
    return square && (side == SIDE || side == SIDE_WITH_BORDER) ? NULL : "lenet5 takes images of 28 x 28 or 32 x 32";
}

static void add_stage(struct table *table, const char *name, const char *pool, size_t outputs, size_t pad)
{
    struct node_spec *node = add_node(table, (struct node_spec){
        .kind = NODE_CONV, .input = NODE_PREVIOUS, .add = NODE_NONE, .outputs = outputs, .kernel = 5, .stride = 1,
        .pad = pad, .bias = true, .activation = ACTIVATION_RELU, .init = INIT_HE});
    write_name(node->name, "%s", name);
    add_pool(table, NODE_MAX_POOL, 2, 2, 0, pool);
}

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    (void)settings;
    struct table table = {.nodes = out};
    add_stage(&table, "conv1", "pool1", 6, dataset->shape[1] == SIDE ? 0 : 2);
    add_stage(&table, "conv2", "pool2", 16, 0);
    add_dense(&table, "fc1", 120, ACTIVATION_RELU, INIT_HE);
    add_dense(&table, "fc2", 84, ACTIVATION_RELU, INIT_HE);
    add_dense(&table, "fc3", (size_t)dataset->classes, ACTIVATION_NONE, INIT_HE);
    return table.count;
}

/* The dense layers: the convolutions are what all classes have in common. */
static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    return first_called("fc1", nodes, settings, dataset);
}

const struct model_ops model_lenet5 = {
    .plug = {.name = "lenet5", .version = 1,
             .help = "LeNet-5 with ReLU and max pooling for images of 28 x 28 or 32 x 32: two 5 x 5 convolutions, three "
                     "dense layers."},
    .check = check,
    .nodes = nodes,
    .block = block,
};
