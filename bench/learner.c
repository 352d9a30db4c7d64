/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "learner.h"
#include "nn/nodes.h"
#include <stdlib.h>
#include <string.h>

/* ---- the networks of a task ---- */

static struct net *build(struct learner *l, const struct cut *cut, const struct quantiser_ops *quantiser,
                         struct arena *arena)
{
    struct net *net = arena_alloc(arena, sizeof *net);
    net_build_cut(net, l->settings, &l->seen, cut, setting_plug(l->settings, "mode"), quantiser, l->batch, arena);
    return net;
}

/* A copy of a part of the network of the task that ends. */
static struct net *freeze(struct learner *l, const struct net *trained, const struct cut *cut)
{
    struct net *copy = build(l, cut, trained->quantiser, &l->frozen.arena);
    net_take_over(copy, trained);
    return copy;
}

static void freeze_task(struct learner *l, const struct net *trained)
{
    struct frozen *f = &l->frozen;
    size_t head = model_head(l->settings, &l->seen), block = 0;
    if (l->strategy->growth == GROWS_BLOCK)
        block = model_block(l->settings, &l->seen);
    if (block && !f->base)
        f->base = freeze(l, trained, &(struct cut){.end = block});
    f->extractors[f->count++] = freeze(l, trained, &(struct cut){.first = block, .end = head});
}

struct cut task_cut(const struct settings *s, const struct tasks *tasks, size_t task, const struct dataset *seen)
{
    const struct strategy_ops *strategy = setting_plug(s, "strategy");
    size_t old = tasks->first[task], all = tasks->first[task + 1];
    struct cut cut = {.classes = all, .head_bias = strategy->head_bias};
    if (task == 0 || strategy->growth == GROWS_HEAD)
        return cut;
    cut.first = strategy->growth == GROWS_BLOCK ? model_block(s, seen) : 0;
    cut.outside = task * model_feature_count(s, seen);
    cut.auxiliary = all - old + 1;
    return cut;
}

/* Whether a frozen network says the same of a sample whenever it is asked. */
static bool is_constant(const struct learner *l)
{
    bool by_batch = setting_has(l->settings, "act_range") && setting_is(l->settings, "act_range", "batch");
    return !by_batch && !batches_augment(l->settings);
}

void learner_enter(struct learner *l, size_t task, struct net *net, const struct quantiser_ops *quantiser,
                   struct arena *arena)
{
    struct net *trained = l->net;
    if (trained && l->strategy->growth != GROWS_HEAD)
        freeze_task(l, trained);
    l->task = task;
    l->old = l->tasks.first[task];
    l->all = l->tasks.first[task + 1];
    l->seen.classes = (int)l->all;
    struct cut cut = task_cut(l->settings, &l->tasks, task, &l->seen);
    net_build_cut(net, l->settings, &l->seen, &cut, setting_plug(l->settings, "mode"), quantiser, l->batch, arena);
    net_initialise(net);
    if (trained)
        net_take_over(net, trained);
    l->net = net;
    l->before = l->strategy->wants_old ? trained : NULL;
    if (l->before) {
        net_share_input(l->before, net);
        net_weights_changed(l->before);
        size_t row = row_stride(l->old) * sizeof *l->old_logits;
        l->old_logits = arena_alloc(arena, l->batch * row);
        l->old_table = is_constant(l) ? arena_alloc(arena, l->seen.train.count * row) : NULL;
    }
    for (size_t i = 0; i < l->frozen.count; i++)
        net_share_input(l->frozen.extractors[i], net);
    batches_begin(&l->batches, l->settings, l->dataset, l->frozen.base ? l->frozen.base : net, l->batches.standardisation);
}

static struct net *other_net(const struct learner *l, size_t index)
{
    return index < l->frozen.count ? l->frozen.extractors[index]
           : index == l->frozen.count ? l->frozen.base : l->before;
}

size_t learner_pool_size(const struct learner *l)
{
    size_t size = net_pool_size(l->net);
    for (size_t i = 0; i < l->frozen.count + 2; i++) {
        const struct net *net = other_net(l, i);
        size = net && net_pool_size(net) > size ? net_pool_size(net) : size;
    }
    return size;
}

void learner_use_pool(struct learner *l, struct pool pool)
{
    net_use_pool(l->net, pool);
    for (size_t i = 0; i < l->frozen.count + 2; i++)
        if (other_net(l, i))
            net_use_pool(other_net(l, i), pool);
}

void learner_keep(struct learner *l, struct kept *kept)
{
    keep(kept, "corrections", l->corrections, sizeof l->corrections);
    if (l->strategy->keeps_exemplars)
        exemplars_keep(&l->exemplars, kept);
    for (size_t i = 0; i < l->frozen.count + 2; i++)
        if (other_net(l, i))
            net_keep_values(other_net(l, i), kept);
}

/* ---- a batch ---- */

static void run_frozen(struct learner *l, size_t rows)
{
    const struct frozen *f = &l->frozen;
    if (f->base) {
        const float *output = net_forward(f->base, rows, l->step, PASS_EVALUATE);
        memcpy(l->net->input, output, rows * sample_size(l->net->nodes[NODE_INPUT].out) * sizeof *output);
    }
    for (size_t i = 0; i < f->count; i++) {
        net_forward(f->extractors[i], rows, l->step, PASS_EVALUATE);
        net_take_features(f->extractors[i], rows, l->net->outside + i * net_feature_count(f->extractors[i]),
                          row_stride(l->net->outside_width));
    }
}

void learner_take(struct learner *l, const struct part *part, const uint32_t *samples, size_t first, size_t rows, long epoch)
{
    float *input = l->frozen.base ? l->frozen.base->input : l->net->input;
    batch_take(&l->batches, part, samples, first, rows, epoch, input, l->labels);
    l->taken = samples + first;
    run_frozen(l, rows);
}

const float *learner_forward(struct learner *l, const struct part *part, const uint32_t *samples, size_t first, size_t rows,
                             long epoch, enum pass pass)
{
    learner_take(l, part, samples, first, rows, epoch);
    return net_forward(l->net, rows, l->step, pass);
}

size_t learner_feature_count(const struct learner *l) { return l->net->outside_width + net_feature_count(l->net); }

void learner_features(const struct learner *l, size_t rows, float *out, size_t stride)
{
    size_t outside = l->net->outside_width;
    for (size_t i = 0; outside && i < rows; i++)
        memcpy(out + i * stride, l->net->outside + i * row_stride(outside), outside * sizeof *out);
    net_take_features(l->net, rows, out + outside, stride);
}

/* ---- corrections ---- */

static void correct(const struct learner *l, size_t classes, float *values, size_t rows, bool shifts)
{
    size_t stride = row_stride(classes);
    for (size_t task = 0; task < l->tasks.count && l->tasks.first[task] < classes; task++) {
        const struct correction c = l->corrections[task];
        if (c.scale == 1 && c.shift == 0)
            continue;
        for (size_t i = 0; i < rows; i++)
            for (size_t j = l->tasks.first[task]; j < l->tasks.first[task + 1]; j++)
                values[i * stride + j] = (float)(c.scale * values[i * stride + j] + (shifts ? c.shift : 0));
    }
}

void correct_logits(const struct learner *l, size_t classes, float *logits, size_t rows)
{
    correct(l, classes, logits, rows, true);
}

void correct_gradient(const struct learner *l, size_t classes, float *gradient, size_t rows)
{
    correct(l, classes, gradient, rows, false);
}

/* ---- a training pass ---- */

static size_t count_right(const float *logits, size_t classes, const int32_t *labels, size_t rows)
{
    size_t right = 0;
    for (size_t i = 0; i < rows; i++)
        right += largest_of(logits + i * row_stride(classes), classes) == (size_t)labels[i];
    return right;
}

/* What the network of the task before says of the samples taken. */
static void ask_before(struct learner *l, size_t rows)
{
    const float *logits = net_forward(l->before, rows, l->step, PASS_EVALUATE);
    memcpy(l->old_logits, logits, rows * row_stride(l->old) * sizeof *logits);
    correct_logits(l, l->old, l->old_logits, rows);
}

void learner_tabulate(struct learner *l)
{
    size_t stride = row_stride(l->old), rows;
    for (size_t first = 0; l->before && l->old_table && first < l->sample_count; first += rows) {
        rows = l->sample_count - first < l->batch ? l->sample_count - first : l->batch;
        learner_take(l, &l->dataset->train, l->samples, first, rows, -1);
        ask_before(l, rows);
        for (size_t i = 0; i < rows; i++)
            memcpy(l->old_table + l->taken[i] * stride, l->old_logits + i * stride, stride * sizeof *l->old_table);
    }
}

static void find_old_logits(struct learner *l, size_t rows)
{
    size_t stride = row_stride(l->old);
    if (!l->old_table)
        ask_before(l, rows);
    for (size_t i = 0; l->old_table && i < rows; i++)
        memcpy(l->old_logits + i * stride, l->old_table + l->taken[i] * stride, stride * sizeof *l->old_table);
}

double learner_pass(struct learner *l, size_t rows, double *sum_squares, size_t *correct_count)
{
    struct net *net = l->net;
    if (l->before)
        find_old_logits(l, rows);
    net_forward(net, rows, l->step, PASS_TRAIN);
    correct_logits(l, l->all, net->logits, rows);
    memset(net->logits_gradient, 0, rows * row_stride(l->all) * sizeof *net->logits_gradient);
    if (net->auxiliary)
        memset(net->auxiliary_gradient, 0, rows * row_stride(net->auxiliary_classes) * sizeof *net->auxiliary_gradient);
    double loss = l->strategy->loss(&(struct lesson){
        .settings = l->settings, .task = l->task, .old = l->old, .all = l->all, .rows = rows, .labels = l->labels,
        .logits = net->logits, .old_logits = l->before ? l->old_logits : NULL, .auxiliary = net->auxiliary,
        .gradient = net->logits_gradient, .auxiliary_gradient = net->auxiliary_gradient});
    correct_gradient(l, l->all, net->logits_gradient, rows);
    *correct_count += count_right(net->logits, l->all, l->labels, rows);
    net_backward(net, rows, sum_squares);
    return loss;
}
