/* SPDX-License-Identifier: GPL-3.0-or-later
 * When each buffer of a step lives, and where: buffers that never live together share memory. */
#include "nodes.h"
#include <stdlib.h>

#define LINE 64
#define PAGE 4096
#define MOST_BUFFERS (6 * (MAX_NODES + 1))

struct planner { struct net *net; int count, loss, end; };

static int index_of(const struct planner *p, const struct node *node) { return (int)(node - p->net->nodes); }
static int backward_moment(const struct planner *p, int index) { return 2 * p->count - index; }

static struct buffer *add_buffer(const struct planner *p, size_t sample_bytes, int first, int last)
{
    struct buffer *buffer = &p->net->buffers[p->net->buffer_count++];
    *buffer = (struct buffer){.size = p->net->batch * sample_bytes, .first = first, .last = last};
    return buffer;
}

static void outlive(struct buffer *buffer, int moment)
{
    if (buffer && moment > buffer->last)
        buffer->last = moment;
}

static void plan_forward(const struct planner *p, int index)
{
    struct node *nodes = p->net->nodes, *node = &nodes[index], *in = &nodes[node->spec.input];
    size_t values = sample_size(node->out);
    int back = backward_moment(p, index);
    bool ends = index == p->count - 1 || node == auxiliary_node(p->net);
    node->y = add_buffer(p, values * sizeof(float), index, ends ? p->loss : index);
    if (node->spec.activation != ACTIVATION_NONE)
        node->mask = add_buffer(p, values / 8, index, back);
    if (node->spec.kind == NODE_MAX_POOL)
        node->picks = add_buffer(p, values, index, back);
    bool reads = node->ops->reads_input && node->ops->reads_input(p->net, node);
    if (node->spec.kind == NODE_DENSE && positions(node->in) > 1) {
        node->flat = add_buffer(p, row_stride(node->window.in_c) * sizeof(float), index, reads ? back : index);
        reads = false;
    }
    outlive(in->y, reads ? back : index);
    if (node->spec.add != NODE_NONE)
        outlive(nodes[node->spec.add].y, index);
}

static void begin_gradient(const struct planner *p, struct node *node, int moment)
{
    int last = node == &p->net->nodes[NODE_INPUT] ? p->end : backward_moment(p, index_of(p, node));
    node->dy = add_buffer(p, sample_size(node->out) * sizeof(float), moment, last);
}

/* The node that may take over this one's gradient buffer: its gradient is the masked one itself (add), or is made in
 * place. */
static struct node *heir_of(const struct planner *p, const struct node *node)
{
    struct node *nodes = p->net->nodes;
    if (!node->ops->hands_on)
        return NULL;
    if (node->spec.add >= 0 && !nodes[node->spec.add].dy)
        return &nodes[node->spec.add];
    return node->spec.input >= 0 && !nodes[node->spec.input].dy ? &nodes[node->spec.input] : NULL;
}

static void plan_backward(const struct planner *p, int index)
{
    struct node *nodes = p->net->nodes, *node = &nodes[index], *in = &nodes[node->spec.input], *heir = heir_of(p, node);
    int moment = backward_moment(p, index);
    if (heir) {
        heir->dy = node->dy;
        outlive(heir->dy, backward_moment(p, index_of(p, heir)));
    }
    if (node->spec.add != NODE_NONE && !nodes[node->spec.add].dy)
        begin_gradient(p, &nodes[node->spec.add], moment);
    bool shared = in->dy && (in != heir || node->spec.add == node->spec.input);
    if (!in->dy)
        begin_gradient(p, in, moment);
    if (node->flat)
        node->own = add_buffer(p, row_stride(node->window.in_c) * sizeof(float), moment, moment);
    else if (shared)
        node->own = add_buffer(p, sample_size(node->in) * sizeof(float), moment, moment);
}

static int larger_first(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x < y ? -1 : 1;
}

/* The first place at or after `offset` that lies apart from other buffers' by more than whole pages: streams a multiple of
 * 4 KiB apart slow each other down. */
static size_t next_place(size_t offset, size_t index)
{
    size_t phase = index * 5 % 16 * (PAGE / 16);
    size_t place = offset / PAGE * PAGE + phase;
    return place < offset ? place + PAGE : place;
}

/* Moves up past every placed buffer that it would meet. */
static void place(struct buffer *buffer, struct buffer *const *placed, size_t count, size_t index)
{
    buffer->offset = next_place(0, index);
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            const struct buffer *other = placed[i];
            bool together = other->first <= buffer->last && buffer->first <= other->last;
            if (together && other->offset < buffer->offset + buffer->size && buffer->offset < other->offset + other->size) {
                buffer->offset = next_place(other->offset + other->size, index);
                moved = true;
            }
        }
    }
}

void plan_pool(struct net *net, struct arena *arena)
{
    int count = (int)net->node_count;
    struct planner p = {.net = net, .count = count, .loss = count, .end = 2 * count + 1};
    net->buffers = arena_alloc(arena, MOST_BUFFERS * sizeof *net->buffers);
    for (int i = 0; i < count; i++)
        plan_forward(&p, i);
    begin_gradient(&p, &net->nodes[count - 1], p.loss);
    if (auxiliary_node(net))
        begin_gradient(&p, auxiliary_node(net), p.loss);
    for (int i = count; i-- > 0;)
        plan_backward(&p, i);
    struct buffer **order = xmalloc(net->buffer_count * sizeof *order);
    for (size_t i = 0; i < net->buffer_count; i++)
        order[i] = &net->buffers[i];
    qsort(order, net->buffer_count, sizeof *order, larger_first);
    size_t end = 0;
    for (size_t i = 0; i < net->buffer_count; i++) {
        place(order[i], order, i, i);
        end = order[i]->offset + order[i]->size > end ? order[i]->offset + order[i]->size : end;
    }
    free(order);
    net->scratch_offset = (end + LINE - 1) / LINE * LINE;
}

size_t net_pool_size(const struct net *net) { return net->scratch_offset + net->threads * net->scratch_step; }

void net_use_pool(struct net *net, struct pool pool)
{
    if (pool.size < net_pool_size(net))
        die("a pool of %zu bytes for a network that needs %zu", pool.size, net_pool_size(net));
    for (size_t i = 0; i < net->buffer_count; i++)
        net->buffers[i].memory = pool.memory + net->buffers[i].offset;
    for (size_t i = 0; i < net->count; i++) {
        net->layers[i].product.scratch = pool.memory + net->scratch_offset;
        net->layers[i].product.scratch_step = net->scratch_step;
    }
    const struct node *last = &net->nodes[net->node_count - 1];
    net->logits = last->y->memory;
    net->logits_gradient = last->dy->memory;
    const struct node *auxiliary = auxiliary_node(net);
    net->auxiliary = auxiliary ? auxiliary->y->memory : NULL;
    net->auxiliary_gradient = auxiliary ? auxiliary->dy->memory : NULL;
}
