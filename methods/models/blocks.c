/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "blocks.h"
#include <stdio.h>
#include <string.h>

void write_name(char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(name, NAME_SIZE, format, args);
    va_end(args);
    if (length >= (int)NAME_SIZE)
        die("the name of a node is too long: %s...", name);
}

struct node_spec *add_node(struct table *table, struct node_spec node)
{
    if (table->count == MAX_NODES)
        die("a model with more than %d nodes", MAX_NODES);
    table->nodes[table->count] = node;
    return &table->nodes[table->count++];
}

static int last(const struct table *table) { return (int)table->count - 1; }

int add_pool(struct table *table, enum node_kind kind, size_t kernel, size_t stride, size_t pad, const char *name)
{
    struct node_spec *node = add_node(table, (struct node_spec){
        .kind = kind, .input = NODE_PREVIOUS, .add = NODE_NONE, .kernel = kernel, .stride = stride, .pad = pad});
    write_name(node->name, "%s", name);
    return last(table);
}

int add_dense(struct table *table, const char *name, size_t outputs, enum activation activation, enum weight_init init)
{
    struct node_spec *node = add_node(table, (struct node_spec){
        .kind = NODE_DENSE, .input = NODE_PREVIOUS, .add = NODE_NONE, .outputs = outputs, .bias = true,
        .activation = activation, .init = init});
    write_name(node->name, "%s", name);
    return last(table);
}

int add_convolution(struct table *table, const struct convolution *c, enum weight_init init, const char *prefix,
                    const char *suffix)
{
    struct node_spec *node = add_node(table, (struct node_spec){
        .kind = c->kind, .input = c->input, .add = NODE_NONE, .outputs = c->outputs, .kernel = c->kernel,
        .stride = c->stride, .pad = c->kernel / 2, .init = init});
    write_name(node->name, "%sconv%s", prefix, suffix);
    node = add_node(table, (struct node_spec){
        .kind = NODE_NORM, .input = NODE_PREVIOUS, .add = c->add, .activation = c->activation});
    write_name(node->name, "%snorm%s", prefix, suffix);
    return last(table);
}

/* The block's input as it is added: of the outputs' shape. */
static int add_shortcut(struct table *table, const struct residual *r, const char *prefix, int input)
{
    if (r->inputs == r->outputs && r->stride == 1)
        return input;
    const struct convolution projection = {NODE_CONV, r->outputs, 1, r->stride, ACTIVATION_NONE, input, NODE_NONE};
    if (r->projects)
        return add_convolution(table, &projection, INIT_HE_OUT, prefix, "_shortcut");
    struct node_spec *node = add_node(table, (struct node_spec){
        .kind = NODE_SHORTCUT, .input = input, .add = NODE_NONE, .outputs = r->outputs, .stride = r->stride});
    write_name(node->name, "%sshortcut", prefix);
    return last(table);
}

int add_residual(struct table *table, const struct residual *r)
{
    char prefix[NAME_SIZE];
    write_name(prefix, "stage%d.block%d.", r->stage, r->block);
    int input = last(table);
    struct convolution convolution = {NODE_CONV, r->outputs, 3, r->stride, ACTIVATION_RELU, input, NODE_NONE};
    convolution.input = add_convolution(table, &convolution, INIT_HE_OUT, prefix, "1");
    convolution.stride = 1;
    convolution.add = add_shortcut(table, r, prefix, input);
    return add_convolution(table, &convolution, INIT_HE_OUT, prefix, "2");
}

void add_stages(struct table *table, const struct stages *s)
{
    size_t channels = s->channels;
    for (int stage = 1; stage <= s->count; stage++)
        for (int block = 1; block <= s->blocks; block++) {
            size_t outputs = s->channels << (stage - 1), stride = outputs == channels ? 1 : 2;
            add_residual(table, &(struct residual){stage, block, channels, outputs, stride, s->project});
            channels = outputs;
        }
}

size_t first_called(const char *start,
                    size_t (*nodes)(const struct settings *, const struct dataset *, struct node_spec *),
                    const struct settings *settings, const struct dataset *described)
{
    struct node_spec specs[MAX_NODES];
    size_t count = nodes(settings, described, specs);
    for (size_t i = 0; i < count; i++)
        if (strncmp(specs[i].name, start, strlen(start)) == 0)
            return i;
    return 0;
}

bool images_of(const struct dataset *described, size_t least)
{
    return described->rank == 3 && described->shape[1] >= least && described->shape[2] >= least;
}
