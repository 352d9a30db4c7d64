/* SPDX-License-Identifier: GPL-3.0-or-later
 * MobileNetV2 (Sandler et al., CVPR 2018, table 2): inverted residuals with depthwise convolutions, linear bottlenecks and
 * ReLU6. */
#include "blocks.h"

#define FULL_SIDE 96 /* images at least so large are brought down 32 times, smaller ones 8 times */
#define STEM 32
#define LAST 1280

static const struct { size_t expansion, outputs, blocks, stride, small_stride; } stages[] = {
    {1, 16, 1, 1, 1}, {6, 24, 2, 2, 1}, {6, 32, 3, 2, 2}, {6, 64, 4, 2, 2}, {6, 96, 3, 1, 1}, {6, 160, 3, 2, 2},
    {6, 320, 1, 1, 1},
};

static const struct param multiplier = {
    .name = "width_multiplier", .type = PARAM_REAL, .fallback = "1", .min = 0.1, .max = 4, .source = "pub",
    .help = "Factor on the numbers of channels, which are rounded to multiples of 8; the last 1280 never become fewer."};

static const char *check(const struct settings *settings, const struct dataset *described)
{
    (void)settings;
    return images_of(described, 16) ? NULL : "mobilenetv2 takes images of at least 16 x 16";
}

/* The nearest multiple of 8 that is not smaller by more than a tenth. */
static size_t scaled(double factor, size_t channels)
{
    double wanted = factor * (double)channels;
    size_t rounded = (size_t)(wanted + 4) / 8 * 8;
    rounded = rounded < 8 ? 8 : rounded;
    return (double)rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

struct bottleneck { int stage, block; size_t inputs, outputs, stride, expansion; };

static void add_bottleneck(struct table *table, const struct bottleneck *b)
{
    char prefix[NAME_SIZE];
    write_name(prefix, "stage%d.block%d.", b->stage, b->block);
    int input = (int)table->count - 1, add = b->inputs == b->outputs && b->stride == 1 ? input : NODE_NONE;
    size_t inner = b->inputs * b->expansion;
    const struct convolution expand = {NODE_CONV, inner, 1, 1, ACTIVATION_RELU6, NODE_PREVIOUS, NODE_NONE},
                             depth = {NODE_DEPTHWISE, inner, 3, b->stride, ACTIVATION_RELU6, NODE_PREVIOUS, NODE_NONE},
                             project = {NODE_CONV, b->outputs, 1, 1, ACTIVATION_NONE, NODE_PREVIOUS, add};
    if (b->expansion > 1)
        add_convolution(table, &expand, INIT_HE_OUT, prefix, "_expand");
    add_convolution(table, &depth, INIT_HE_OUT, prefix, "_depth");
    add_convolution(table, &project, INIT_HE_OUT, prefix, "_project");
}

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    struct table table = {.nodes = out};
    double factor = setting_real(settings, "width_multiplier");
    bool full = images_of(dataset, FULL_SIDE);
    size_t channels = scaled(factor, STEM), last = scaled(factor > 1 ? factor : 1, LAST);
    const struct convolution first = {NODE_CONV, channels, 3, full ? 2 : 1, ACTIVATION_RELU6, NODE_PREVIOUS, NODE_NONE},
                             final = {NODE_CONV, last, 1, 1, ACTIVATION_RELU6, NODE_PREVIOUS, NODE_NONE};
    add_convolution(&table, &first, INIT_HE_OUT, "", "1");
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
        for (size_t block = 0; block < stages[s].blocks; block++) {
            size_t outputs = scaled(factor, stages[s].outputs), stride = full ? stages[s].stride : stages[s].small_stride;
            add_bottleneck(&table, &(struct bottleneck){(int)s + 1, (int)block + 1, channels, outputs, block ? 1 : stride,
                                                        stages[s].expansion});
            channels = outputs;
        }
    add_convolution(&table, &final, INIT_HE_OUT, "", "2");
    add_pool(&table, NODE_MEAN_POOL, 0, 1, 0, "pool");
    add_dense(&table, "fc", (size_t)dataset->classes, ACTIVATION_NONE, INIT_NORMAL);
    return table.count;
}

/* Everything at the lowest resolution, as a ResNet's last stage is: the stages of 160 and 320 channels and the last
 * convolution. */
static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    return first_called("stage6.", nodes, settings, dataset);
}

const struct model_ops model_mobilenetv2 = {
    .plug = {.name = "mobilenetv2", .version = 1,
             .help = "MobileNetV2; images smaller than 96 x 96 take the CIFAR form: stride 1 in the first convolution and "
                     "in the 24-channel stage.",
             .params = (const struct param *const[]){&multiplier, 0}},
    .check = check,
    .nodes = nodes,
    .block = block,
};
