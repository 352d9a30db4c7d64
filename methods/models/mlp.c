/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multilayer perceptron of any widths with biases and ReLU. */
#include "blocks.h"

static const struct param hidden = {
    .name = "hidden", .type = PARAM_DIMS, .fallback = "512-256", .min = 1, .max = 65536, .source = "ours",
    .help = "Hidden widths joined by '-': 512-256."};

static size_t nodes(const struct settings *settings, const struct dataset *dataset, struct node_spec *out)
{
    struct table table = {.nodes = out};
    long widths[MAX_DIMS];
    size_t count = setting_dims(settings, "hidden", widths, MAX_DIMS);
    for (size_t i = 0; i <= count; i++) {
        char name[NAME_SIZE];
        bool head = i == count;
        write_name(name, "fc%zu", i + 1);
        add_dense(&table, name, head ? (size_t)dataset->classes : (size_t)widths[i],
                  head ? ACTIVATION_NONE : ACTIVATION_RELU, INIT_HE);
    }
    return table.count;
}

/* The later half of the hidden layers, the smaller one; with one hidden layer there is none. */
static size_t block(const struct settings *settings, const struct dataset *dataset)
{
    (void)dataset;
    long widths[MAX_DIMS];
    size_t count = setting_dims(settings, "hidden", widths, MAX_DIMS);
    return count > 1 ? count - count / 2 : 0;
}

const struct model_ops model_mlp = {
    .plug = {.name = "mlp", .version = 1, .help = "Multilayer perceptron with biases and ReLU, He initialisation.",
             .params = (const struct param *const[]){&hidden, 0}},
    .flat = true,
    .nodes = nodes,
    .block = block,
};
