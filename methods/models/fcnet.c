/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dense net of the HDQT authors' sensor experiments: in -> h -> in -> classes without biases. METHODS 6. */
#include "../../bench/bitsweep.h"

static const struct param width = {
    .name = "width", .type = PARAM_INT, .fallback = "input", .choices = (const char *const[]){"input", 0},
    .min = 1, .max = 65536, .source = "pub",
    .help = "Width h of the first layer; input = the number of features (published for DSADS)."};

#define DENSE .kind = NODE_DENSE, .input = NODE_PREVIOUS, .add = NODE_NONE

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    size_t h = setting_is(settings, "width", "input") ? dataset->features : (size_t)setting_int(settings, "width");
    out[0] = (struct node_spec){DENSE, .name = "fc1", .outputs = h, .activation = ACTIVATION_RELU, .init = INIT_FAN_IN};
    out[1] = (struct node_spec){DENSE, .name = "fc2", .outputs = dataset->features, .activation = ACTIVATION_RELU,
                                .init = INIT_FAN_IN};
    out[2] = (struct node_spec){DENSE, .name = "head", .outputs = (size_t)dataset->classes, .init = INIT_HEAD};
    return 3;
}

const struct model_ops model_fcnet = {
    .plug = {.name = "fcnet", .version = 1,
             .help = "Dense net in-h-in and a linear head, ReLU, no biases (HDQT's sensor experiments).",
             .params = (const struct param *const[]){&width, 0}},
    .flat = true,
    .nodes = nodes,
};
