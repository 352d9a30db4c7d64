/* SPDX-License-Identifier: GPL-3.0-or-later
 * A second network of float32 products, each operand of which can be quantised by itself on its way to the product. */
#include "probe.h"
#include "batches.h"
#include "nn/nodes.h"
#include "params.h"
#include "../methods/modes/operands.h"
#include <stdlib.h>
#include <string.h>

struct probe {
    const struct net *run;
    struct net net;
    const struct quantiser_ops *quantiser;
    struct batches batches;
    uint32_t *samples;        /* indices into the training part */
    size_t count, batch;
    int32_t *labels;          /* batch */
    uint8_t *codes;           /* of one operand */
    float *input;             /* values of one quantised input */
};

static bool explains(const struct settings *s) { return setting_has(s, "explain") && setting_bool(s, "explain"); }

bool probe_wanted(const struct settings *s)
{
    const struct alloc_ops *allocator = setting_plug(s, "allocator");
    return explains(s) || (allocator->probes && allocator->probes(s));
}

/* Part of core_params; an allocator that wants a probe only for some value of a key of its own lists it behind that key. */
const struct param param_probe_samples = {
    .name = "probe_samples", .type = PARAM_INT, .fallback = "512", .min = 1, .max = 1e9, .used = probe_wanted,
    .source = "ours",
    .help = "Training samples, drawn from the seed, on which sensitivities are measured apart from training (all, if there "
            "are fewer)."};

/* ---- products with operands of any width ---- */

/* The memory that mode fp has for a layer, and the layer's quantised weights. */
struct operands { struct probe *probe; void *fp; float *w; };

static const struct mode_ops *mode_fp(void) { return (const struct mode_ops *)plug_find(PLUG_MODE, "fp"); }

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    struct operands *operands = arena_alloc(arena, sizeof *operands);
    operands->fp = mode_fp()->prepare(settings, p, arena);
    operands->w = arena_alloc(arena, p->n * row_stride(p->k) * sizeof(float));
    return operands;
}

static struct product as_fp(const struct product *p)
{
    struct product inner = *p;
    inner.state = ((const struct operands *)p->state)->fp;
    return inner;
}

static size_t scratch_size(const struct product *p)
{
    const struct product inner = as_fp(p);
    return mode_fp()->scratch_size(&inner);
}

/* y = Q(x) under a range that has been fitted; rows × row_stride(cols). */
static void quantise(const struct probe *probe, const struct range *range, const float *x, size_t rows, size_t cols,
                     float *y)
{
    size_t count = rows * row_stride(cols);
    if (probe->quantiser->quantise) {
        probe->quantiser->quantise(range, x, y, count);
        clear_padding(y, rows, cols);
        return;
    }
    quantise_in_range(range, x, count, probe->codes);
    kernels()->dequantise(probe->codes, range->lo == 0, count, range->scale, y);
}

static const float *quantised_weights(const struct probe *probe, const struct product *p, float *w)
{
    if (!p->weights_ready) {
        fit_weight_range(p);
        quantise(probe, p->w_range, p->w, p->n, p->k, w);
    }
    return w;
}

static const float *quantised_input(const struct probe *probe, const struct product *p)
{
    fit_input_range(p);
    quantise(probe, p->x_range, p->x, p->samples * in_positions(p->shape), p->shape->in_c, probe->input);
    return probe->input;
}

static void forward(struct product *p)
{
    const struct operands *operands = p->state;
    struct product inner = as_fp(p);
    inner.quantiser = operands->probe->quantiser;
    const float *w = p->w_range->bits > 0 ? quantised_weights(operands->probe, &inner, operands->w) : p->w;
    const float *x = p->x_range->bits > 0 ? quantised_input(operands->probe, &inner) : p->x;
    inner.quantiser = NULL;
    inner.w = w;
    inner.x = x;
    mode_fp()->forward(&inner);
}

static void backward(struct product *p)
{
    struct product inner = as_fp(p);
    mode_fp()->backward(&inner);
}

static const struct mode_ops mode_probe = {
    .plug = {.name = "probe"}, .prepare = prepare, .scratch_size = scratch_size, .forward = forward, .backward = backward,
};

/* ---- building ---- */

static void draw_samples(struct probe *probe, const uint32_t *indices, size_t count, uint64_t seed)
{
    uint32_t *order = xmalloc(count * sizeof *order);
    rng_permutation(rng_key(seed, STREAM_ALLOCATOR, 1, 0), count, order);
    for (size_t i = 0; i < probe->count; i++)
        probe->samples[i] = indices[order[i]];
    free(order);
}

struct probe *probe_begin(const struct net *run, const struct dataset *described, size_t count, struct arena *arena)
{
    struct probe *probe = arena_alloc(arena, sizeof *probe);
    const struct settings *settings = run->settings;
    size_t wanted = (size_t)setting_int(settings, "probe_samples"), largest = 0, largest_input = 0;
    probe->run = run;
    probe->quantiser = run->quantiser;
    probe->count = wanted < count ? wanted : count;
    probe->batch = run->batch < probe->count ? run->batch : probe->count;
    net_build_part(&probe->net, run->model, settings, described, run->cut, &mode_probe, NULL, probe->batch, arena);
    for (size_t i = 0; i < probe->net.count; i++) {
        const struct product *p = &probe->net.layers[i].product;
        size_t input = probe->batch * in_size(p->shape), weights = p->n * row_stride(p->k);
        largest_input = input > largest_input ? input : largest_input;
        largest = weights > largest ? weights : largest;
        ((struct operands *)p->state)->probe = probe;
    }
    largest = largest_input > largest ? largest_input : largest;
    probe->codes = arena_alloc(arena, largest);
    probe->input = arena_alloc(arena, largest_input * sizeof *probe->input);
    probe->labels = arena_alloc(arena, probe->batch * sizeof *probe->labels);
    probe->samples = arena_alloc(arena, probe->count * sizeof *probe->samples);
    return probe;
}

void probe_choose(struct probe *probe, const struct dataset *dataset, const uint32_t *indices, size_t count)
{
    batches_begin(&probe->batches, probe->run->settings, dataset, &probe->net, NULL);
    draw_samples(probe, indices, count, (uint64_t)setting_int(probe->run->settings, "seed"));
}

size_t probe_pool_size(const struct probe *probe) { return probe ? net_pool_size(&probe->net) : 0; }

void probe_use_pool(struct probe *probe, struct pool pool)
{
    if (probe)
        net_use_pool(&probe->net, pool);
}

/* ---- use ---- */

size_t probe_samples(const struct probe *probe) { return probe->count; }
size_t probe_batches(const struct probe *probe) { return (probe->count + probe->batch - 1) / probe->batch; }

size_t probe_batch_size(const struct probe *probe, size_t batch)
{
    size_t left = probe->count - batch * probe->batch;
    return left < probe->batch ? left : probe->batch;
}

void probe_refresh(struct probe *probe)
{
    memcpy(probe->net.values, probe->run->values, probe->net.value_count * sizeof *probe->net.values);
}

int probe_layers(const struct probe *probe) { return (int)probe->net.count; }

float *probe_weights(struct probe *probe, int layer, size_t *rows, size_t *cols)
{
    *rows = probe->net.layers[layer].n;
    *cols = probe->net.layers[layer].k;
    return probe->net.layers[layer].w;
}

const float *probe_gradient(const struct probe *probe, int layer) { return probe->net.layers[layer].dw; }

/* The run's ranges, at these widths; NULL: all float32. */
static void set_ranges(struct probe *probe, const float *bits)
{
    for (size_t i = 0; i < 2 * probe->net.count; i++) {
        struct range *range = &probe->net.ranges[i];
        *range = probe->run->ranges[i];
        float before = range->bits;
        range->bits = bits ? bits[i] : 0;
        if (range->bits > 0 && range->learned && range->bits != before && probe->quantiser->resize)
            probe->quantiser->resize(range, before);
    }
    net_weights_changed(&probe->net);
}

static void take_batch(struct probe *probe, size_t batch)
{
    batch_take(&probe->batches, &probe->batches.dataset->train, probe->samples, batch * probe->batch,
               probe_batch_size(probe, batch), -1, probe->net.input, probe->labels);
}

double probe_pass(struct probe *probe, size_t batch, double *sum_squares)
{
    size_t rows = probe_batch_size(probe, batch), correct = 0;
    set_ranges(probe, NULL);
    take_batch(probe, batch);
    return net_pass(&probe->net, rows, probe->labels, 0, PASS_DIAGNOSE, sum_squares, &correct) / (double)rows;
}

void probe_traces(struct probe *probe, double *trace)
{
    double squares[2 * MAX_LAYERS];
    size_t tensors = 2 * probe->net.count;
    memset(trace, 0, tensors * sizeof *trace);
    for (size_t b = 0; b < probe_batches(probe); b++) {
        double n = (double)probe_batch_size(probe, b);
        probe_pass(probe, b, squares);
        for (size_t i = 0; i < tensors; i++)
            trace[i] += n / (double)probe->count * n * squares[i];
    }
}

double probe_loss(struct probe *probe, const float *bits)
{
    size_t classes = probe->net.classes, correct = 0;
    double loss = 0;
    set_ranges(probe, bits);
    for (size_t b = 0; b < probe_batches(probe); b++) {
        size_t rows = probe_batch_size(probe, b);
        take_batch(probe, b);
        const float *logits = net_forward(&probe->net, rows, 0, PASS_EVALUATE);
        loss += softmax_cross_entropy(logits, rows, classes, row_stride(classes), probe->labels, NULL, &correct);
    }
    return loss / (double)probe->count;
}

const struct range *probe_range(const struct probe *probe, int tensor) { return &probe->net.ranges[tensor]; }

double probe_error(struct probe *probe, int layer, int bits)
{
    const struct product *p = &probe->net.layers[layer].product;
    const struct range *run = &probe->run->ranges[2 * layer];
    float *q = ((const struct operands *)p->state)->w;
    struct range range = *run; /* with what the quantiser's options have set there */
    range.bits = (float)bits;
    range.learned = false;
    size_t stride = row_stride(p->k);
    probe->quantiser->fit(&range, p->w, p->n * stride, p->n * p->k);
    quantise(probe, &range, p->w, p->n, p->k, q);
    double sum = 0;
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->k; j++) {
            double difference = (double)p->w[i * stride + j] - (double)q[i * stride + j];
            sum += difference * difference;
        }
    return sum;
}
