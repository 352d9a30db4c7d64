/* SPDX-License-Identifier: GPL-3.0-or-later
 * ResNet-18 (He et al. 2016, table 1): four stages of two blocks, 64 to 512 channels, strided 1 × 1 convolutions as
 * shortcuts where the shape changes. */
#include "blocks.h"

static const char *check(const struct settings *settings, const struct dataset *described)
{
    (void)settings;
    return images_of(described, 32) ? NULL : "resnet18 takes images of at least 32 x 32 (it was made for 224 x 224)";
}

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    (void)settings;
    struct table table = {.nodes = out};
    const struct convolution first = {NODE_CONV, 64, 7, 2, ACTIVATION_RELU, NODE_PREVIOUS, NODE_NONE};
    add_convolution(&table, &first, INIT_HE_OUT, "", "1");
    add_pool(&table, NODE_MAX_POOL, 3, 2, 1, "pool1");
    add_stages(&table, &(struct stages){.count = 4, .blocks = 2, .channels = 64, .project = true});
    add_pool(&table, NODE_MEAN_POOL, 0, 1, 0, "pool2");
    add_dense(&table, "fc", (size_t)dataset->classes, ACTIVATION_NONE, INIT_FAN_IN);
    return table.count;
}

/* The last stage. */
static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    return first_called("stage4.", nodes, settings, dataset);
}

const struct model_ops model_resnet18 = {
    .plug = {.name = "resnet18", .version = 1,
             .help = "ResNet-18 for large images (224 x 224): four stages of two blocks, 64 to 512 channels, projection "
                     "shortcuts."},
    .check = check,
    .nodes = nodes,
    .block = block,
};
