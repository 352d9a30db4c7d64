/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "measured.h"
#include "nn/nodes.h"
#include "../methods/allocators/problem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLOAT_BITS 32

/* ---- codes and values ---- */

static bool holds(int bits, int code, bool is_signed, bool twos_complement)
{
    int top = (1 << (is_signed ? bits - 1 : bits)) - 1;
    return code <= top && (code >= -top || (twos_complement && code == -top - 1));
}

int width_of_codes(const bool used[256], bool is_signed, bool twos_complement)
{
    int bits = 1;
    for (int byte = 0; byte < 256; byte++)
        while (used[byte] && !holds(bits, is_signed ? (int8_t)byte : byte, is_signed, twos_complement))
            bits++;
    return bits;
}

/* A hash set of the floats seen, by their bits; a slot's top half tells that it is taken. */
#define MOST_VALUES 65536
#define SLOTS (2 * MOST_VALUES)
struct values { uint64_t *slots; size_t count; };

static void add_value(struct values *set, float value)
{
    uint32_t bits;
    value += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    const uint64_t taken = (uint64_t)1 << 32 | bits;
    size_t slot = (bits * UINT32_C(2654435769)) >> 15; /* the top 17 bits: SLOTS of them */
    while (set->slots[slot] && set->slots[slot] != taken)
        slot = (slot + 1) % SLOTS;
    set->count += set->slots[slot] == 0;
    set->slots[slot] = taken;
}

int width_of_values(const float *x, size_t rows, size_t cols, size_t stride)
{
    struct values set = {.slots = xcalloc(SLOTS, sizeof *set.slots)};
    int bits = 1;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols && set.count < MOST_VALUES; j++)
            add_value(&set, x[i * stride + j]);
    free(set.slots);
    if (set.count == MOST_VALUES)
        return FLOAT_BITS;
    while ((size_t)1 << bits < set.count)
        bits++;
    return bits;
}

/* ---- a pass over the network ---- */

static int width_of_range(const struct range *range, const bool used[256])
{
    return width_of_codes(used, range->lo < 0, range->lo < -range->hi);
}

/* Of a quantiser that makes values itself. */
static int width_of_quantised(const struct quantiser_ops *quantiser, const struct range *range, const float *x, size_t rows,
                              size_t cols)
{
    size_t stride = row_stride(cols);
    float *values = xmalloc(rows * stride * sizeof *values);
    quantiser->quantise(range, x, values, rows * stride);
    int bits = width_of_values(values, rows, cols, stride);
    free(values);
    return bits;
}

/* Right after a layer's forward product, while its input is there. */
static void measure_layer(const struct net *net, size_t index, const struct product_counts *counts, float *bits)
{
    const struct product *p = &net->layers[index].product;
    const struct quantiser_ops *quantiser = net->quantiser;
    if (quantiser->quantise && !net->mode->integer) {
        bits[2 * index] = (float)width_of_quantised(quantiser, p->w_range, p->w, p->n, p->k);
        bits[2 * index + 1] = (float)width_of_quantised(quantiser, p->x_range, p->x, p->samples * in_positions(p->shape),
                                                        p->shape->in_c);
    } else {
        bits[2 * index] = (float)width_of_range(p->w_range, counts->weight_codes);
        bits[2 * index + 1] = (float)width_of_range(p->x_range, counts->input_codes);
    }
}

/* net_forward, with a look at every layer. */
static void pass(struct net *net, size_t samples, long step, float *bits)
{
    net->samples = samples;
    net->step = step;
    net->pass = PASS_DIAGNOSE;
    for (size_t i = 0; i < net->node_count; i++) {
        struct node *node = &net->nodes[i];
        struct product_counts counts = {0};
        struct product *p = is_layer(node) ? &net->layers[node->layer].product : NULL;
        if (p)
            p->counts = &counts;
        node->ops->forward(net, node);
        if (!p)
            continue;
        p->counts = NULL;
        measure_layer(net, (size_t)node->layer, &counts, bits);
    }
}

/* The prices of the widths in force are checked at every step; codes that fit these widths cost no more. Widths between
 * whole ones are stored in the next whole one. METHODS 1. */
static void check(const struct allocator *a, const float *in_force, long step)
{
    for (int i = 0; i < a->allocation.count; i++)
        if (in_force[i] > 0 && a->measured[i] > ceilf(in_force[i]))
            die("allocator %s gave %s %g bits at step %ld, but what it holds needs %g", a->ops->plug.name,
                a->allocation.tensors[i].name, in_force[i], step, a->measured[i]);
}

void measure_widths(struct allocator *a, size_t samples, long step)
{
    float in_force[MAX_TENSORS];
    struct net *net = a->net;
    if (!net->quantiser || !a->ops->begin)
        return;
    net_get_bits(net, in_force);
    memcpy(a->measured, in_force, net->tensor_count * sizeof *in_force);
    pass(net, samples < MEASURED_SAMPLES ? samples : MEASURED_SAMPLES, step, a->measured);
    if (a->ops->guarantees)
        check(a, in_force, step);
}

void measured_record(const struct allocator *a, struct record *record)
{
    const size_t tensors = a->net->tensor_count, budgets = (size_t)a->budgets.count;
    double prices[MAX_BUDGETS];
    if (a->measured[0] == 0)
        return;
    for (size_t b = 0; b < budgets; b++)
        prices[b] = budget_price(&a->budgets.items[b], a->allocation.tensors, a->allocation.count, a->measured);
    record_put(record, "/bits/measured", RECORD_F32, 1, &tensors, a->measured, "bit",
               "widths that the codes of up to 32 samples need at the end; of gradients the widths in force");
    if (!budgets)
        return;
    record_put(record, "/budgets/measured", RECORD_F64, 1, &budgets, prices, "", "cost of the measured widths");
    record_real(record, "/costs/measured", prices[0], a->budgets.items[0].cost->unit,
                "cost of the measured widths, of the first budget");
}
