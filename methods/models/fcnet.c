/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dense net of the HDQT authors' sensor experiments: in -> h -> in -> classes without biases; for strategy memo in
 * -> h -> h, h -> h -> h -> classes. METHODS 6. */
#include "blocks.h"

static const struct param width = {
    .name = "width", .type = PARAM_INT, .fallback = "input", .choices = (const char *const[]){"input", 0},
    .min = 1, .max = 65536, .source = "pub",
    .help = "Width h of the first layer (of all at depth 4); input = the number of features (published for DSADS)."};

static const struct param depth = {
    .name = "depth", .type = PARAM_CHOICE, .fallback = "2", .choices = (const char *const[]){"2", "4", 0}, .source = "pub",
    .help = "Layers before the head: 2 is in-h-in; 4 is in-h-h-h-h, as published for strategy memo, whose specialised "
            "block is the later half (at 2 the second layer: ours)."};

static bool is_deep(const struct settings *settings) { return setting_is(settings, "depth", "4"); }

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    struct table table = {.nodes = out};
    size_t h = setting_is(settings, "width", "input") ? dataset->features : (size_t)setting_int(settings, "width");
    add_dense(&table, "fc1", h, ACTIVATION_RELU, INIT_FAN_IN);
    add_dense(&table, "fc2", is_deep(settings) ? h : dataset->features, ACTIVATION_RELU, INIT_FAN_IN);
    if (is_deep(settings)) {
        add_dense(&table, "fc3", h, ACTIVATION_RELU, INIT_FAN_IN);
        add_dense(&table, "fc4", h, ACTIVATION_RELU, INIT_FAN_IN);
    }
    add_dense(&table, "head", (size_t)dataset->classes, ACTIVATION_NONE, INIT_HEAD);
    for (size_t i = 0; i < table.count; i++)
        out[i].bias = false;
    return table.count;
}

static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    (void)dataset;
    return is_deep(settings) ? 2 : 1;
}

const struct model_ops model_fcnet = {
    .plug = {.name = "fcnet", .version = 1,
             .help = "Dense net in-h-in and a linear head, ReLU, no biases (HDQT's sensor experiments).",
             .params = (const struct param *const[]){&width, &depth, 0}},
    .flat = true,
    .nodes = nodes,
    .block = block,
};
