/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multilayer perceptron of any widths with biases and ReLU. */
#include "../../bench/bitsweep.h"
#include <stdio.h>

static const struct param hidden = {
    .name = "hidden", .type = PARAM_DIMS, .fallback = "512-256", .min = 1, .max = 65536, .source = "ours",
    .help = "Hidden widths joined by '-': 512-256."};

static size_t layers(const struct settings *settings, const struct dataset *dataset, struct layer_spec *out)
{
    long widths[MAX_DIMS];
    size_t count = setting_dims(settings, "hidden", widths, MAX_DIMS);
    for (size_t i = 0; i <= count; i++) {
        bool head = i == count;
        out[i] = (struct layer_spec){
            .outputs = head ? (size_t)dataset->classes : (size_t)widths[i],
            .bias = true, .relu = !head, .init = INIT_HE,
        };
        snprintf(out[i].name, sizeof out[i].name, "fc%zu", i + 1);
    }
    return count + 1;
}

const struct model_ops model_mlp = {
    .plug = {.name = "mlp", .version = 1, .help = "Multilayer perceptron with biases and ReLU, He initialisation.",
             .params = (const struct param *const[]){&hidden, 0}},
    .layers = layers,
};
