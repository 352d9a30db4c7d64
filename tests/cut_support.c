/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cut_support.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct dataset made_data(int rank, size_t channels, size_t height, size_t width)
{
    return (struct dataset){.rank = rank, .shape = {channels, height, width}, .features = channels * height * width,
                            .classes = CLASSES};
}

struct settings part_settings(const char *model, const char *mode)
{
    char *model_key = format_text("model=%s", model), *mode_key = format_text("mode=%s", mode);
    const char *allocator = strcmp(mode, "fp") == 0 ? "allocator=none" : "allocator=uniform";
    struct settings settings = make_settings(model_key, mode_key, allocator, "budget=4", "depth=4", "width=7",
                                             "channels=6-5", "hidden=9-8-7", "width_multiplier=0.25", NULL);
    free(model_key);
    free(mode_key);
    return settings;
}

void fill_values(float *x, size_t count, uint64_t seed, float middle, float spread)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t mixed = (uint32_t)(i + seed) * 2654435761u;
        mixed = (mixed ^ mixed >> 15) * 2246822519u;
        x[i] = middle + spread * ((float)(mixed >> 8) / (1 << 23) - 1);
    }
}

void fill_parameters(struct net *net)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        float middle = strstr(p->name, ".scale") || strstr(p->name, ".variance") ? 1 : 0;
        float spread = p->decays ? sqrtf(6 / (float)p->cols) : 0.3f;
        for (size_t row = 0; row < p->rows; row++)
            fill_values(p->value + row * p->stride, p->cols, 31 * i + row * p->cols, middle, spread);
    }
    net_weights_changed(net);
}

static void fill_rows(float *x, size_t rows, size_t cols, uint64_t seed)
{
    for (size_t i = 0; i < rows; i++)
        fill_values(x + i * row_stride(cols), cols, seed + i * cols, 0.2f, 1);
}

void fill_input(struct net *net, uint64_t seed)
{
    fill_rows(net->input, net->batch * positions(net->input_shape), net->input_shape.c, seed);
    if (net->outside_width)
        fill_rows(net->outside, net->batch, net->outside_width, seed + 7);
}

static void give_pool(struct built *b)
{
    size_t size = net_pool_size(&b->net);
    net_use_pool(&b->net, (struct pool){arena_alloc(&b->arena, size), size});
}

void set_all_bits(struct net *net, float bits)
{
    float widths[MAX_TENSORS];
    for (size_t i = 0; i < net->tensor_count; i++)
        widths[i] = bits;
    if (net->quantiser)
        net_set_bits(net, widths);
}

void build_part(struct built *b, struct settings settings, const struct dataset *data, struct cut cut)
{
    *b = (struct built){.settings = settings};
    const struct mode_ops *mode = setting_plug(&b->settings, "mode");
    const struct quantiser_ops *quantiser =
        setting_has(&b->settings, "quantiser") ? setting_plug(&b->settings, "quantiser") : NULL;
    net_build_cut(&b->net, &b->settings, data, &cut, mode, quantiser, SAMPLES, &b->arena);
    give_pool(b);
    set_all_bits(&b->net, 4);
}

void drop_part(struct built *b)
{
    arena_free(&b->arena);
    settings_free(&b->settings);
}

/* ---- a changed classifier ---- */

/* The classifier stands behind a residual block. */
static size_t nodes_of_positions(const struct settings *settings, const struct dataset *described, struct node_spec *out)
{
    (void)settings;
    const struct node_spec convolution = {.kind = NODE_CONV, .input = NODE_PREVIOUS, .add = NODE_NONE, .outputs = 5,
                                          .kernel = 3, .stride = 1, .pad = 1};
    out[0] = out[1] = convolution;
    strcpy(out[0].name, "conv1");
    strcpy(out[1].name, "conv2");
    out[2] = (struct node_spec){.name = "norm", .kind = NODE_NORM, .input = NODE_PREVIOUS, .activation = ACTIVATION_RELU};
    out[3] = (struct node_spec){.name = "fc", .kind = NODE_DENSE, .input = NODE_PREVIOUS, .add = NODE_NONE,
                                .outputs = (size_t)described->classes, .bias = true};
    return 4;
}

static const struct model_ops positions_model = {.nodes = nodes_of_positions};

const struct cut_case cut_cases[] = {
    {"joined, auxiliary and bias", false, {.classes = 4, .head_bias = true, .outside = 3, .auxiliary = 2},
     "fc1 fc2 fc3 fc4 auxiliary head "},
    {"joined, wide", false, {.classes = 2, .outside = 21}, "fc1 fc2 fc3 fc4 head "},
    {"auxiliary alone", false, {.auxiliary = 3}, "fc1 fc2 fc3 fc4 auxiliary head "},
    {"a block with both", false, {.first = 2, .classes = 5, .outside = 4, .auxiliary = 3}, "fc3 fc4 auxiliary head "},
    {"the classifier alone", false, {.first = 4, .outside = 4, .auxiliary = 3}, "auxiliary head "},
    {"positions, joined and auxiliary", true, {.outside = 3, .auxiliary = 2}, "conv1 conv2 auxiliary fc "},
    {"positions, joined", true, {.outside = 17, .classes = 2}, "conv1 conv2 fc "},
    {"positions, auxiliary", true, {.auxiliary = 2}, "conv1 conv2 auxiliary fc "},
};
const size_t cut_case_count = sizeof cut_cases / sizeof *cut_cases;

void build_cut_case(struct built *b, const struct cut_case *c)
{
    const struct dataset image = made_data(3, 2, 4, 4), vector = made_data(1, 6, 1, 1);
    if (!c->positions) {
        build_part(b, part_settings("fcnet", "fp"), &vector, c->cut);
    } else {
        *b = (struct built){.settings = part_settings("mlp", "fp")};
        net_build_part(&b->net, &positions_model, &b->settings, &image, &c->cut, setting_plug(&b->settings, "mode"), NULL,
                       SAMPLES, &b->arena);
        give_pool(b);
    }
    fill_parameters(&b->net);
    fill_input(&b->net, 5);
}
