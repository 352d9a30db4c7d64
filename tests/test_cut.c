/* SPDX-License-Identifier: GPL-3.0-or-later
 * Parts of models: in a chain against the whole, the features that a classifier reads, what a network takes over from
 * another. */
#include "cut_support.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- parts in a chain ---- */

#define CHAINED 2 /* samples */

static const struct chain_case {
    const char *model, *block; /* the first specialised node */
    struct { int rank; size_t channels, height, width; } data;
} chains[] = {
    {"mlp", "fc3", {1, 12, 1, 1}},        {"fcnet", "fc3", {1, 6, 1, 1}},
    {"lenet5", "fc1", {3, 1, 28, 28}},    {"conv1d", "conv2", {2, 5, 16, 1}},
    {"resnet20", "stage3.block1.conv1", {3, 3, 8, 8}},  {"resnet32", "stage3.block1.conv1", {3, 3, 8, 8}},
    {"resnet18", "stage4.block1.conv1", {3, 3, 32, 32}}, {"mobilenetv2", "stage6.block1.conv_expand", {3, 3, 16, 16}},
};

static const struct chain_case *chain_of(const char *model)
{
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        if (strcmp(chains[i].model, model) == 0)
            return &chains[i];
    cr_assert_fail("%s has a block, but no row in this test", model);
    return NULL;
}

static void expect_chain(const struct chain_case *c, const char *mode)
{
    struct dataset data = made_data(c->data.rank, c->data.channels, c->data.height, c->data.width);
    struct built whole, base, special;
    build_part(&whole, part_settings(c->model, mode), &data, (struct cut){0});
    size_t block = model_block(&whole.settings, &data);
    cr_assert_str_eq(whole.net.nodes[block].spec.name, c->block);
    cr_assert_eq(model_head(&whole.settings, &data) + 1, whole.net.node_count);
    build_part(&base, part_settings(c->model, mode), &data, (struct cut){.end = block});
    build_part(&special, part_settings(c->model, mode), &data, (struct cut){.first = block});
    cr_assert_eq(base.net.parameter_count + special.net.parameter_count, whole.net.parameter_count, "%s", c->model);
    fill_parameters(&whole.net);
    fill_input(&whole.net, 1);
    net_forward(&whole.net, CHAINED, 0, PASS_TRAIN); /* running ranges and statistics */
    net_take_over(&base.net, &whole.net);
    net_take_over(&special.net, &whole.net);

    fill_input(&whole.net, 100);
    fill_input(&base.net, 100);
    size_t values = CHAINED * sample_size(special.net.input_shape);
    cr_assert_eq(net_feature_count(&base.net), positions(special.net.input_shape) * special.net.input_shape.c);
    memcpy(special.net.input, net_forward(&base.net, CHAINED, 1, PASS_EVALUATE), values * sizeof(float));
    const float *logits = net_forward(&special.net, CHAINED, 1, PASS_EVALUATE);
    const float *expected = net_forward(&whole.net, CHAINED, 1, PASS_EVALUATE);
    cr_assert(expected[0] != expected[1] && isfinite(expected[0]));
    cr_assert(memcmp(logits, expected, CHAINED * row_stride(CLASSES) * sizeof *logits) == 0, "%s in %s", c->model, mode);
    drop_part(&whole);
    drop_part(&base);
    drop_part(&special);
}

static void expect_chains(const char *mode)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_MODEL, i)); i++)
        if (((const struct model_ops *)plug)->block)
            expect_chain(chain_of(plug->name), mode);
}

Test(cut, parts_in_a_chain_are_the_whole_in_floats) { expect_chains("fp"); }
Test(cut, parts_in_a_chain_are_the_whole_at_4_bits) { expect_chains("fqt"); }

static size_t block_of(const char *first, const char *second, const struct dataset *data)
{
    struct settings settings = make_settings("mode=fp", "allocator=none", first, second, NULL);
    size_t block = model_block(&settings, data);
    settings_free(&settings);
    return block;
}

Test(cut, blocks_of_other_depths)
{
    struct dataset vectors = made_data(1, 12, 1, 1), windows = made_data(2, 5, 16, 1);
    cr_assert_eq(block_of("model=mlp", "hidden=8", &vectors), 0);
    cr_assert_eq(block_of("model=mlp", "hidden=8-7", &vectors), 1);
    cr_assert_eq(block_of("model=mlp", "hidden=8-7-6-5", &vectors), 2);
    cr_assert_eq(block_of("model=fcnet", "depth=2", &vectors), 1);
    cr_assert_eq(block_of("model=conv1d", "channels=4", &windows), 0);
    struct built deep;
    build_part(&deep, part_settings("fcnet", "fp"), &vectors, (struct cut){0});
    static const size_t widths[] = {7, 7, 7, 7, CLASSES};
    for (size_t i = 0; i < 5; i++)
        cr_assert(deep.net.layers[i].n == widths[i] && !deep.net.layers[i].bias);
    drop_part(&deep);
}

/* ---- features ---- */

/* The classifier's products of the taken features are the logits; a network without classifier gives the same features. */
static void expect_features(const struct cut_case *c, size_t expected)
{
    struct built whole, extractor;
    build_cut_case(&whole, c);
    struct cut_case rest = *c;
    rest.cut = (struct cut){.first = c->cut.first, .end = c->positions ? 3 : 4};
    build_cut_case(&extractor, &rest);
    net_take_over(&extractor.net, &whole.net);
    size_t outside = whole.net.outside_width, count = net_feature_count(&whole.net), stride = outside + count + 2;
    cr_assert(count == expected && net_feature_count(&extractor.net) == expected, "%s: %zu features", c->name, count);
    float *features = xcalloc(SAMPLES * stride, sizeof *features), *same = xcalloc(SAMPLES * count, sizeof *same);
    const float *logits = net_forward(&whole.net, SAMPLES, 0, PASS_EVALUATE);
    net_take_features(&whole.net, SAMPLES, features + outside, stride);
    net_forward(&extractor.net, SAMPLES, 0, PASS_EVALUATE);
    net_take_features(&extractor.net, SAMPLES, same, count);
    const struct layer *head = &whole.net.layers[whole.net.count - 1];
    for (size_t i = 0; i < SAMPLES; i++) {
        float *row = features + i * stride;
        cr_assert(memcmp(row + outside, same + i * count, count * sizeof *same) == 0, "%s", c->name);
        cr_assert(row[outside + count] == 0 && row[outside + count + 1] == 0);
        for (size_t j = 0; j < outside; j++)
            row[j] = whole.net.outside[i * row_stride(outside) + j];
        for (size_t n = 0; n < head->n; n++) {
            double sum = head->bias ? head->bias[n] : 0;
            for (size_t k = 0; k < head->k; k++)
                sum += (double)row[k] * head->w[n * row_stride(head->k) + k];
            cr_assert(fabs(sum - logits[i * row_stride(head->n) + n]) < 1e-5, "%s", c->name);
        }
    }
    free(features);
    free(same);
    drop_part(&whole);
    drop_part(&extractor);
}

Test(cut, features_are_what_the_classifier_reads)
{
    for (size_t i = 0; i < cut_case_count; i++)
        if (cut_cases[i].cut.first < 4)
            expect_features(&cut_cases[i], cut_cases[i].positions ? 4 * 4 * 5 : 7);
}

Test(cut, networks_share_an_input)
{
    struct dataset data = made_data(1, 6, 1, 1);
    struct built b, other;
    build_part(&b, part_settings("fcnet", "fp"), &data, (struct cut){0});
    build_part(&other, part_settings("fcnet", "fp"), &data, (struct cut){.end = 4});
    fill_parameters(&b.net);
    net_take_over(&other.net, &b.net);
    net_share_input(&other.net, &b.net);
    cr_assert_eq(other.net.input, b.net.input);
    fill_input(&b.net, 3);
    net_forward(&b.net, SAMPLES, 0, PASS_EVALUATE);
    const float *read = b.net.nodes[3].y->memory, *features = net_forward(&other.net, SAMPLES, 0, PASS_EVALUATE);
    cr_assert(features[0] != features[1] && memcmp(read, features, SAMPLES * row_stride(7) * sizeof *read) == 0);
    drop_part(&b);
    drop_part(&other);
}

/* ---- what is taken over ---- */

static const struct parameter *parameter_of(const struct net *net, const char *name)
{
    for (size_t i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            return &net->parameters[i];
    cr_assert_fail("no %s", name);
    return NULL;
}

/* The first rows and columns are `from`'s bit by bit, the others `start`'s: the network's before it took over. */
static void expect_taken(const struct net *net, const float *start, const struct net *from, const char *name)
{
    const struct parameter *p = parameter_of(net, name), *old = parameter_of(from, name);
    size_t others = 0;
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < p->stride; j++) {
            bool both = i < old->rows && j < old->cols;
            const float *before = start + (p->value - net->values);
            float expected = both ? old->value[i * old->stride + j] : before[i * p->stride + j];
            cr_assert_eq(p->value[i * p->stride + j], expected, "%s: row %zu, column %zu", name, i, j);
            others += !both && expected != 0;
        }
    cr_assert(others > 0 || (p->rows == old->rows && p->cols == old->cols), "%s: the new part is zero", name);
}

static float *copy_values(const struct net *net)
{
    float *copy = xmalloc(net->value_count * sizeof *copy);
    return memcpy(copy, net->values, net->value_count * sizeof *copy);
}

/* der's second task: two more classes, the first task's features from outside. */
Test(cut, a_grown_classifier_keeps_its_rows_and_columns)
{
    struct dataset data = made_data(1, 6, 1, 1);
    struct built old, new;
    build_part(&old, part_settings("fcnet", "fp"), &data, (struct cut){.classes = 2, .auxiliary = 2});
    build_part(&new, part_settings("fcnet", "fp"), &data, (struct cut){.classes = 4, .outside = 7, .auxiliary = 2});
    fill_parameters(&old.net);
    net_initialise(&new.net);
    fill_values(new.net.velocities, new.net.trained_count, 3, 0, 1);
    float *start = copy_values(&new.net), velocity = new.net.velocities[5];
    net_take_over(&new.net, &old.net);
    static const char *const taken[] = {"fc1.weight", "fc4.weight", "head.weight"};
    for (size_t i = 0; i < 3; i++)
        expect_taken(&new.net, start, &old.net, taken[i]);
    const struct parameter *auxiliary = parameter_of(&new.net, "auxiliary.weight");
    cr_assert(memcmp(auxiliary->value, start + (auxiliary->value - new.net.values),
                     auxiliary->rows * auxiliary->stride * sizeof *start) == 0);
    cr_assert(auxiliary->value[0] != 0 && auxiliary->value[0] != parameter_of(&old.net, "auxiliary.weight")->value[0]);
    cr_assert_eq(new.net.velocities[5], velocity);
    free(start);
    drop_part(&old);
    drop_part(&new);
}

/* By element, so a classifier that grows by rows draws its old rows alike. */
Test(cut, a_grown_bias_running_statistics_and_first_draws)
{
    struct dataset data = made_data(2, 5, 16, 1);
    struct built old, new;
    build_part(&old, part_settings("conv1d", "fp"), &data, (struct cut){.classes = 2});
    build_part(&new, part_settings("conv1d", "fp"), &data, (struct cut){.classes = 5});
    net_initialise(&old.net);
    net_initialise(&new.net);
    const struct parameter *w = parameter_of(&new.net, "fc.weight");
    cr_assert(memcmp(w->value, parameter_of(&old.net, "fc.weight")->value, 2 * w->stride * sizeof(float)) == 0);
    fill_values(parameter_of(&new.net, "fc.bias")->value, 5, 9, 3, 1);
    fill_parameters(&old.net);
    float *start = copy_values(&new.net);
    net_take_over(&new.net, &old.net);
    static const char *const taken[] = {"fc.weight", "fc.bias", "norm1.mean", "norm2.variance"};
    for (size_t i = 0; i < 4; i++)
        expect_taken(&new.net, start, &old.net, taken[i]);
    free(start);
    drop_part(&old);
    drop_part(&new);
}

/* What ranges learned goes with their layers, though these have other indices; how many values there are does not. */
Test(cut, ranges_go_by_the_names_of_layers)
{
    struct dataset data = made_data(1, 6, 1, 1);
    struct built old, new;
    build_part(&old, part_settings("fcnet", "fqt"), &data, (struct cut){.classes = 2});
    build_part(&new, part_settings("fcnet", "fqt"), &data,
               (struct cut){.first = 2, .classes = 4, .outside = 7, .auxiliary = 2});
    for (size_t i = 0; i < 3 * old.net.count; i++) {
        struct range *range = &old.net.ranges[i];
        range->bits = 3 + (float)(i % 4);
        range->average = 100 + (double)i;
        range->weight = 1;
        range->step_velocity = range->top_velocity = 5;
    }
    for (size_t i = 0; i < 3 * new.net.count; i++)
        new.net.ranges[i].max_bits = 7;
    net_take_over(&new.net, &old.net);
    static const int from[] = {2, 3, -1, 4}; /* fc3, fc4, auxiliary, head */
    for (size_t i = 0; i < 4; i++) {
        const size_t mine[] = {2 * i, 2 * i + 1, 2 * 4 + i};
        const size_t layer = (size_t)from[i], theirs[] = {2 * layer, 2 * layer + 1, 2 * 5 + layer};
        for (size_t kind = 0; kind < 3; kind++) {
            const struct range *range = &new.net.ranges[mine[kind]];
            cr_assert_eq(range->average, from[i] < 0 ? 0 : old.net.ranges[theirs[kind]].average);
            cr_assert(from[i] < 0 || range->bits == old.net.ranges[theirs[kind]].bits);
            cr_assert(range->kind == (enum tensor_kind)kind && range->max_bits == 7);
            cr_assert(range->step_velocity == 0 && range->top_velocity == 0);
        }
    }
    cr_assert_eq(new.net.ranges[7].elements, 14);
    cr_assert_eq(new.net.tensors[6].elements, 4 * 14);
    drop_part(&old);
    drop_part(&new);
}

/* ---- demands by name ---- */

static const struct tensor *tensor_of(const struct net *net, const char *name)
{
    for (size_t i = 0; i < net->tensor_count; i++)
        if (strcmp(net->tensors[i].name, name) == 0)
            return &net->tensors[i];
    cr_assert_fail("no %s", name);
    return NULL;
}

static void expect_widths(const struct net *net, const char *name, int least, int most)
{
    const struct tensor *tensor = tensor_of(net, name);
    cr_assert(tensor_least(tensor) == least && tensor_most(tensor) == most, "%s", name);
    cr_assert_eq(tensor->counted, least != most);
}

/* A block's first layer is not the model's, and a pattern for the base demands nothing of the block. */
Test(cut, parts_are_under_the_rules_for_the_whole)
{
    static const char depth[] = "depth=4", pin[] = "pin=first.*=7,last.*=6,fc2.weight=5";
    struct dataset data = made_data(1, 6, 1, 1);
    struct built base, block;
    build_part(&base, make_settings("model=fcnet", depth, "mode=fqt", "budget=4", pin, NULL), &data, (struct cut){.end = 2});
    build_part(&block, make_settings("model=fcnet", depth, "mode=fqt", "budget=4", pin, NULL), &data,
               (struct cut){.first = 2, .outside = 6, .auxiliary = 2});
    expect_widths(&base.net, "fc1.input", 7, 7);
    expect_widths(&base.net, "fc2.weight", 5, 5);
    expect_widths(&base.net, "fc2.input", 2, 8);
    expect_widths(&block.net, "fc3.weight", 2, 8);
    expect_widths(&block.net, "auxiliary.weight", 6, 6);
    expect_widths(&block.net, "head.input", 6, 6);
    drop_part(&base);
    drop_part(&block);
}

/* ---- what is no part ---- */

static void refuse(const char *model, struct dataset data, struct cut cut)
{
    struct built b;
    build_part(&b, part_settings(model, "fp"), &data, cut);
}

#define REFUSED(name, model, data, ...) \
    Test(cut, refused_##name, .exit_code = 1) { refuse(model, data, (struct cut){__VA_ARGS__}); }
/* Nodes of resnet20: conv1, norm1, then conv1, norm1, conv2, norm2 of a block, whose last adds the block's input. */
REFUSED(part_that_begins_within_a_block, "resnet20", made_data(3, 3, 8, 8), .first = 4)
REFUSED(part_that_ends_before_what_reads_it, "resnet20", made_data(3, 3, 8, 8), .first = 2, .end = 30)
REFUSED(empty_part, "mlp", made_data(1, 6, 1, 1), .first = 2, .end = 2)
REFUSED(part_past_the_end, "mlp", made_data(1, 6, 1, 1), .end = 9)
REFUSED(classes_without_classifier, "mlp", made_data(1, 6, 1, 1), .end = 2, .classes = 4)
