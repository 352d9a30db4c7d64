/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every kind of node against finite differences of an independent double-precision network; running statistics; the pool. */
#include "naive_net.h"
#include "support.h"
#include "../bench/parallel.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 9
#define CLASSES 3

/* ---- small networks ---- */

#define NONE NODE_NONE
#define LAST NODE_PREVIOUS
#define CONV(in, out, k, s, p) \
    {.kind = NODE_CONV, .input = in, .add = NONE, .outputs = out, .kernel = k, .stride = s, .pad = p, .init = INIT_HE}
#define BIASED(out, k, act) \
    {.kind = NODE_CONV, .input = LAST, .add = NONE, .outputs = out, .kernel = k, .stride = 1, .pad = k / 2, .bias = true, \
     .activation = act, .init = INIT_HE}
#define DEPTHWISE(k, s, p) \
    {.kind = NODE_DEPTHWISE, .input = LAST, .add = NONE, .kernel = k, .stride = s, .pad = p, .init = INIT_HE}
#define DENSE(out, with_bias, act) \
    {.kind = NODE_DENSE, .input = LAST, .add = NONE, .outputs = out, .bias = with_bias, .activation = act, .init = INIT_HE}
#define NORM(sum, act) {.kind = NODE_NORM, .input = LAST, .add = sum, .activation = act}
#define POOL(what, k, s, p) {.kind = what, .input = LAST, .add = NONE, .kernel = k, .stride = s, .pad = p}
#define ACTIVATE(in, sum, act) {.kind = NODE_ACTIVATE, .input = in, .add = sum, .activation = act}
#define SHORTCUT(in, out, s) {.kind = NODE_SHORTCUT, .input = in, .add = NONE, .outputs = out, .stride = s}
#define LINEAR ACTIVATION_NONE
#define RELU ACTIVATION_RELU
#define RELU6 ACTIVATION_RELU6
#define HEAD DENSE(CLASSES, true, LINEAR)
#define GLOBAL_MEAN POOL(NODE_MEAN_POOL, 0, 1, 0)
#define MOST 16

static const struct case_net {
    const char *name;
    int rank;
    size_t shape[3];
    struct node_spec nodes[MOST];
} cases[] = {
    {"convolution with bias, flattened dense", 3, {3, 5, 4}, {BIASED(4, 3, RELU), HEAD}},
    {"uneven stride without pads", 3, {2, 8, 7}, {CONV(LAST, 5, 3, 2, 0), GLOBAL_MEAN, HEAD}},
    {"two dense layers after positions", 3, {3, 2, 2}, {DENSE(7, true, RELU6), DENSE(CLASSES, false, LINEAR)}},
    {"norm", 3, {3, 4, 4}, {CONV(LAST, 4, 3, 1, 1), NORM(NONE, LINEAR), GLOBAL_MEAN, HEAD}},
    {"norm of the input", 3, {3, 4, 4}, {NORM(NONE, RELU), HEAD}},
    {"depthwise, relu6", 3, {3, 6, 6},
     {CONV(LAST, 6, 1, 1, 0), NORM(NONE, RELU6), DEPTHWISE(3, 2, 1), NORM(NONE, RELU6), CONV(LAST, 4, 1, 1, 0),
      NORM(NONE, LINEAR), HEAD}},
    {"residual block", 3, {3, 4, 4},
     {CONV(LAST, 4, 3, 1, 1), NORM(NONE, RELU), CONV(LAST, 4, 3, 1, 1), NORM(NONE, RELU), CONV(LAST, 4, 3, 1, 1),
      NORM(1, RELU), GLOBAL_MEAN, HEAD}},
    {"residual block with shortcut", 3, {3, 6, 6},
     {CONV(LAST, 4, 3, 1, 1), NORM(NONE, RELU), CONV(LAST, 7, 3, 2, 1), NORM(NONE, RELU), SHORTCUT(1, 7, 2),
      CONV(3, 7, 3, 1, 1), NORM(4, RELU), GLOBAL_MEAN, HEAD}},
    {"residual block with projection", 3, {3, 5, 5},
     {CONV(LAST, 4, 3, 1, 1), NORM(NONE, RELU), CONV(LAST, 5, 3, 2, 1), NORM(NONE, RELU), CONV(1, 5, 1, 2, 0),
      NORM(NONE, LINEAR), CONV(3, 5, 3, 1, 1), NORM(5, RELU), POOL(NODE_MEAN_POOL, 2, 1, 0), HEAD}},
    {"linear bottleneck", 3, {3, 4, 4},
     {CONV(LAST, 4, 1, 1, 0), NORM(NONE, LINEAR), CONV(LAST, 8, 1, 1, 0), NORM(NONE, RELU6), DEPTHWISE(3, 1, 1),
      NORM(NONE, RELU6), CONV(LAST, 4, 1, 1, 0), NORM(1, LINEAR), HEAD}},
    {"max pool with pads", 3, {3, 7, 6}, {CONV(LAST, 4, 3, 1, 1), POOL(NODE_MAX_POOL, 3, 2, 1), HEAD}},
    {"max pool that overlaps, of the input", 3, {3, 5, 5}, {POOL(NODE_MAX_POOL, 3, 1, 0), HEAD}},
    {"mean pool with pads", 3, {3, 5, 6}, {CONV(LAST, 4, 3, 1, 1), POOL(NODE_MEAN_POOL, 3, 2, 1), HEAD}},
    {"activation", 3, {3, 4, 4}, {CONV(LAST, 4, 3, 1, 1), ACTIVATE(LAST, NONE, RELU6), HEAD}},
    {"activation of a sum, both from one node", 3, {3, 4, 4},
     {CONV(LAST, 4, 3, 1, 1), CONV(LAST, 4, 3, 1, 1), ACTIVATE(LAST, 0, RELU), HEAD}},
    {"nodes added to themselves", 3, {3, 4, 4},
     {CONV(LAST, 4, 3, 1, 1), ACTIVATE(0, 0, RELU6), CONV(LAST, 4, 1, 1, 0), NORM(2, RELU), HEAD}},
    {"the input taken three times", 3, {4, 4, 4},
     {CONV(NODE_INPUT, 4, 3, 1, 1), CONV(NODE_INPUT, 4, 1, 1, 0), NORM(0, RELU), ACTIVATE(2, NODE_INPUT, LINEAR), HEAD}},
    {"four consumers of many kinds", 3, {3, 4, 4},
     {CONV(LAST, 4, 3, 1, 1), POOL(NODE_MAX_POOL, 3, 1, 1), SHORTCUT(0, 4, 1), CONV(0, 4, 3, 1, 1), NORM(0, RELU),
      ACTIVATE(4, 2, RELU), ACTIVATE(5, 1, LINEAR), HEAD}},
    {"flattened beside another consumer", 3, {3, 2, 2},
     {CONV(LAST, 4, 1, 1, 0), DENSE(4, true, LINEAR), POOL(NODE_MEAN_POOL, 1, 1, 0), CONV(0, 4, 2, 1, 0),
      ACTIVATE(2, 3, RELU), HEAD}},
    {"sensor windows", 2, {3, 11},
     {CONV(LAST, 5, 5, 1, 2), NORM(NONE, RELU), POOL(NODE_MAX_POOL, 2, 2, 0), CONV(LAST, 4, 3, 2, 1), NORM(NONE, RELU),
      GLOBAL_MEAN, HEAD}},
};
#define CASES (sizeof cases / sizeof *cases)

static const struct case_net *current;

static size_t nodes_of_case(const struct settings *settings, const struct dataset *described, struct node_spec *out)
{
    (void)settings, (void)described;
    static const struct node_spec past_the_end;
    size_t count = MOST;
    while (memcmp(&current->nodes[count - 1], &past_the_end, sizeof past_the_end) == 0)
        count--;
    for (size_t i = 0; i < count; i++) {
        out[i] = current->nodes[i];
        snprintf(out[i].name, sizeof out[i].name, "node%zu", i);
    }
    return count;
}

static const struct model_ops model = {.nodes = nodes_of_case};
static const struct mode_ops *fp(void) { return (const struct mode_ops *)plug_find(PLUG_MODE, "fp"); }

struct fixture { struct settings settings; struct arena arena; struct net net; int32_t labels[SAMPLES]; };

static void draw(float *x, size_t count, uint64_t key, double mean, double deviation)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(mean + deviation * rng_normal(key, i));
}

/* All parameters matter: biases, scales and shifts are drawn too. */
static void build(struct fixture *f, const struct case_net *c, const struct mode_ops *mode, size_t batch)
{
    *f = (struct fixture){.settings = make_settings("model=mlp", "mode=fp", "allocator=none", NULL)};
    current = c;
    struct dataset described = {.rank = c->rank, .shape = {c->shape[0], c->shape[1], c->shape[2]}, .classes = CLASSES};
    described.features = c->shape[0] * c->shape[1] * (c->rank == 3 ? c->shape[2] : 1);
    net_build_model(&f->net, &model, &f->settings, &described, mode, NULL, batch, &f->arena);
    struct net *net = &f->net;
    size_t size = net_pool_size(net);
    net_use_pool(net, (struct pool){arena_alloc(&f->arena, size), size});
    net_initialise(net);
    uint64_t key = rng_key(3, STREAM_DATA, 1, 2);
    for (size_t i = 0; i < net->parameter_count; i++) {
        struct parameter *p = &net->parameters[i];
        if (p->rows == 1 && p->gradient)
            draw(p->value, p->cols, key + i + 1, strstr(p->name, "scale") ? 1 : 0.1, 0.3);
    }
    size_t channels = net->input_shape.c, rows = batch * positions(net->input_shape);
    for (size_t i = 0; i < rows; i++)
        draw(net->input + i * row_stride(channels), channels, key + 1000 + i, 0.3, 1);
    for (size_t i = 0; i < SAMPLES; i++)
        f->labels[i] = (int32_t)(i * i % CLASSES);
}

static void drop(struct fixture *f)
{
    arena_free(&f->arena);
    settings_free(&f->settings);
}

static double pass(struct fixture *f, size_t samples, double *squares)
{
    size_t correct = 0;
    return net_pass(&f->net, samples, f->labels, 0, PASS_TRAIN, squares, &correct);
}

/* ---- gradients ---- */

Test(nodes, gradients_match_finite_differences)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        double squares[2 * MAX_LAYERS];
        build(&f, &cases[i], fp(), SAMPLES);
        const size_t samples = SAMPLES - 2; /* a partial batch */
        double loss = pass(&f, samples, squares) / (double)samples;
        double expected = naive_loss(&f.net, samples, f.labels, false, NULL, 0);
        cr_assert(fabs(loss - expected) < 1e-5, "%s: loss %.9g instead of %.9g", cases[i].name, loss, expected);
        cr_log_info("%s", cases[i].name);
        expect_gradients(&f.net, samples, f.labels);
        for (size_t l = 0; l < f.net.count; l++) {
            const struct parameter *w = &f.net.parameters[f.net.nodes[f.net.layers[l].node].parameter];
            double sum = 0;
            for (size_t j = 0; j < w->rows * w->stride; j++)
                sum += (double)w->gradient[j] * w->gradient[j];
            cr_assert(fabs(squares[2 * l] - sum) <= 1e-5 * sum && squares[2 * l + 1] > 0, "%s", cases[i].name);
        }
        drop(&f);
    }
}

/* The input's gradient is computed only when somebody wants it; nothing else depends on that. */
Test(nodes, the_input_gradient_is_made_on_request)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        double squares[2 * MAX_LAYERS];
        build(&f, &cases[i], fp(), SAMPLES);
        pass(&f, SAMPLES, squares);
        float *first = xmalloc(f.net.trained_count * sizeof *first);
        memcpy(first, f.net.gradients, f.net.trained_count * sizeof *first);
        cr_assert_not_null(f.net.input_gradient);
        pass(&f, SAMPLES, NULL);
        cr_assert_null(f.net.input_gradient);
        cr_assert(memcmp(first, f.net.gradients, f.net.trained_count * sizeof *first) == 0, "%s", cases[i].name);
        free(first);
        drop(&f);
    }
}

/* ---- a mode that looks on ---- */

/* Products by fp; beside that, what the tests set. */
static struct {
    struct net *net;
    double squares[MAX_LAYERS];  /* of the input gradients as the mode wrote them */
    bool keeps;                  /* plays a mode that keeps its input: forward copies it, backward gets none */
    float *kept[MAX_LAYERS];
    bool spoils;                 /* fills what must not live at the time with NaN */
} onlooker;

static void spoil(int moment)
{
    struct net *net = onlooker.net;
    char *memory = net->buffers[0].memory, *pool = memory - net->buffers[0].offset;
    bool *live = xcalloc(net->scratch_offset, 1);
    for (size_t i = 0; i < net->buffer_count; i++) {
        const struct buffer *b = &net->buffers[i];
        if (b->first <= moment && moment <= b->last)
            memset(live + b->offset, true, b->size);
    }
    for (size_t i = 0; i < net->scratch_offset; i++)
        if (!live[i])
            pool[i] = (char)0xff; /* four of them are NaN */
    free(live);
}

static void onlooker_forward(struct product *p)
{
    int node = onlooker.net->layers[p->layer].node;
    if (onlooker.spoils)
        spoil(node);
    fp()->forward(p);
    if (onlooker.keeps)
        memcpy(onlooker.kept[p->layer], p->x, p->samples * in_size(p->shape) * sizeof(float));
}

static void onlooker_backward(struct product *p)
{
    const struct net *net = onlooker.net;
    if (onlooker.spoils)
        spoil(2 * (int)net->node_count - net->layers[p->layer].node);
    cr_assert_eq(p->x == NULL, onlooker.keeps);
    if (onlooker.keeps)
        p->x = onlooker.kept[p->layer];
    fp()->backward(p);
    if (onlooker.keeps)
        p->x = NULL;
    double sum = 0;
    for (size_t i = 0; p->dx && i < p->samples * in_size(p->shape); i++)
        sum += (double)p->dx[i] * p->dx[i];
    onlooker.squares[p->layer] = p->dx ? sum : onlooker.squares[p->layer];
}

static struct mode_ops onlooker_mode(struct fixture *f, bool keeps, bool spoils)
{
    onlooker.net = &f->net;
    onlooker.keeps = keeps;
    onlooker.spoils = spoils;
    struct mode_ops mode = *fp();
    mode.keeps_input = keeps;
    mode.forward = onlooker_forward;
    mode.backward = onlooker_backward;
    return mode;
}

/* A tensor's squared gradient is that of its own layer, before other consumers' are added. */
Test(nodes, squares_are_of_the_layers_own_input_gradient)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        double squares[2 * MAX_LAYERS];
        const struct mode_ops mode = onlooker_mode(&f, false, false);
        build(&f, &cases[i], &mode, SAMPLES);
        pass(&f, SAMPLES, squares);
        for (size_t l = 0; l < f.net.count; l++)
            cr_assert(fabs(squares[2 * l + 1] - onlooker.squares[l]) <= 1e-5 * onlooker.squares[l], "%s", cases[i].name);
        drop(&f);
    }
}

static float *gradients_of(const struct case_net *c, const struct mode_ops *mode, struct fixture *f, float *logits)
{
    double squares[2 * MAX_LAYERS];
    build(f, c, mode, SAMPLES);
    for (size_t l = 0; l < f->net.count; l++)
        onlooker.kept[l] = arena_alloc(&f->arena, SAMPLES * in_size(&f->net.layers[l].shape) * sizeof(float));
    pass(f, SAMPLES, squares);
    memcpy(logits, net_forward(&f->net, SAMPLES, 0, PASS_DIAGNOSE), SAMPLES * row_stride(CLASSES) * sizeof *logits);
    pass(f, SAMPLES, squares);
    float *copy = xmalloc(f->net.trained_count * sizeof *copy);
    return memcpy(copy, f->net.gradients, f->net.trained_count * sizeof *copy);
}

/* Two ways to compute the same network give the same bits. */
static void expect_same(const struct case_net *c, const struct mode_ops *one, const struct mode_ops *other,
                        struct fixture *second, size_t threads)
{
    struct fixture first;
    float a[SAMPLES * 16], b[SAMPLES * 16], *g = gradients_of(c, one, &first, a);
    parallel_use(threads);
    float *h = gradients_of(c, other, second, b);
    parallel_use(1);
    cr_assert(memcmp(a, b, sizeof a) == 0, "%s: logits", c->name);
    cr_assert(memcmp(g, h, first.net.trained_count * sizeof *g) == 0, "%s: gradients", c->name);
    cr_assert(memcmp(first.net.values, second->net.values, first.net.value_count * sizeof *g) == 0, "%s: statistics",
              c->name);
    free(g);
    free(h);
    drop(&first);
    drop(second);
}

Test(nodes, threads_do_not_change_a_bit)
{
    struct fixture f;
    for (size_t i = 0; i < CASES; i++)
        expect_same(&cases[i], fp(), fp(), &f, 3);
}

Test(nodes, a_mode_that_keeps_its_input_gets_none_back)
{
    struct fixture f;
    const struct mode_ops mode = onlooker_mode(&f, true, false);
    for (size_t i = 0; i < CASES; i++)
        expect_same(&cases[i], fp(), &mode, &f, 1);
}

/* ---- the pool ---- */

/* Whatever lies in memory outside a buffer's planned life is never read; nor is what the last step left. */
Test(nodes, nothing_outlives_its_plan)
{
    struct fixture f;
    for (int keeps = 0; keeps < 2; keeps++) {
        const struct mode_ops mode = onlooker_mode(&f, keeps, true);
        for (size_t i = 0; i < CASES; i++)
            expect_same(&cases[i], fp(), &mode, &f, 1);
    }
}

Test(nodes, a_step_reads_nothing_of_the_step_before)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        build(&f, &cases[i], fp(), SAMPLES);
        double squares[2 * MAX_LAYERS], loss = pass(&f, SAMPLES, squares);
        float *before = xmalloc(f.net.trained_count * sizeof *before);
        memcpy(before, f.net.gradients, f.net.trained_count * sizeof *before);
        memset((char *)f.net.buffers[0].memory - f.net.buffers[0].offset, 0xff, net_pool_size(&f.net));
        cr_assert(pass(&f, SAMPLES, squares) == loss, "%s", cases[i].name);
        cr_assert(memcmp(before, f.net.gradients, f.net.trained_count * sizeof *before) == 0, "%s", cases[i].name);
        free(before);
        drop(&f);
    }
}

Test(nodes, living_buffers_do_not_overlap)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        build(&f, &cases[i], fp(), SAMPLES);
        const struct net *net = &f.net;
        for (size_t a = 0; a < net->buffer_count; a++) {
            const struct buffer *x = &net->buffers[a];
            cr_assert(x->offset % 64 == 0 && x->offset + x->size <= net->scratch_offset && x->first <= x->last);
            for (size_t b = 0; b < a; b++) {
                const struct buffer *y = &net->buffers[b];
                bool together = x->first <= y->last && y->first <= x->last;
                bool meet = x->offset < y->offset + y->size && y->offset < x->offset + x->size;
                cr_assert(!together || !meet, "%s: buffers %zu and %zu", cases[i].name, a, b);
            }
        }
        drop(&f);
    }
}

/* ---- running statistics ---- */

Test(nodes, running_statistics_follow_their_formulas)
{
    static const struct case_net c = {"", 3, {3, 4, 4}, {NORM(NONE, RELU), HEAD}};
    struct fixture f;
    build(&f, &c, fp(), SAMPLES);
    const struct parameter *p = f.net.parameters;
    const size_t stride = row_stride(3), n = SAMPLES * 16;
    double mean[3] = {0}, variance[3] = {0}, running_mean[3] = {0}, running_variance[3] = {1, 1, 1};
    for (size_t i = 0; i < n; i++)
        for (size_t ch = 0; ch < 3; ch++) {
            f.net.input[i * stride + ch] += (float)(100 * ch); /* far from 0 the variance must not cancel */
            mean[ch] += f.net.input[i * stride + ch] / (double)n;
        }
    for (size_t i = 0; i < n; i++)
        for (size_t ch = 0; ch < 3; ch++)
            variance[ch] += pow(f.net.input[i * stride + ch] - mean[ch], 2) / (double)(n - 1);
    for (int step = 0; step < 3; step++) {
        net_forward(&f.net, SAMPLES, step, PASS_TRAIN);
        net_forward(&f.net, SAMPLES, step, PASS_DIAGNOSE);
        net_forward(&f.net, SAMPLES, step, PASS_EVALUATE);
        for (size_t ch = 0; ch < 3; ch++) {
            running_mean[ch] = 0.9 * running_mean[ch] + 0.1 * mean[ch];
            running_variance[ch] = 0.9 * running_variance[ch] + 0.1 * variance[ch];
            cr_assert(fabs(p[NORM_MEAN].value[ch] - running_mean[ch]) < 1e-5 * fmax(1, mean[ch]));
            cr_assert(fabs(p[NORM_VARIANCE].value[ch] - running_variance[ch]) < 1e-5);
        }
    }
    cr_assert(p[NORM_MEAN].gradient == NULL && !p[NORM_SCALE].decays && p[NORM_SCALE].velocity);
    drop(&f);
}

Test(nodes, evaluation_uses_running_statistics)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        build(&f, &cases[i], fp(), SAMPLES);
        for (int step = 0; step < 5; step++)
            pass(&f, SAMPLES, NULL);
        for (size_t samples = 1; samples <= SAMPLES; samples += SAMPLES - 1) {
            const float *logits = net_forward(&f.net, samples, 0, PASS_EVALUATE);
            size_t correct = 0;
            double loss = softmax_cross_entropy(logits, samples, CLASSES, row_stride(CLASSES), f.labels, NULL, &correct);
            double expected = naive_loss(&f.net, samples, f.labels, true, NULL, 0);
            cr_assert(fabs(loss / (double)samples - expected) < 2e-5, "%s: %g instead of %g", cases[i].name,
                      loss / (double)samples, expected);
        }
        drop(&f);
    }
}

/* ---- the shadow ---- */

Test(nodes, a_shadow_computes_the_same_on_shared_parameters)
{
    for (size_t i = 0; i < CASES; i++) {
        struct fixture f;
        build(&f, &cases[i], fp(), SAMPLES);
        struct net *shadow = arena_alloc(&f.arena, sizeof *shadow);
        struct dataset described = {.rank = cases[i].rank, .classes = CLASSES};
        memcpy(described.shape, cases[i].shape, sizeof described.shape);
        net_build_shadow(shadow, &f.net, &described, SAMPLES - 2, &f.arena);
        size_t size = net_pool_size(shadow), correct = 0;
        cr_assert(size <= net_pool_size(&f.net), "%s", cases[i].name);
        net_use_pool(shadow, (struct pool){(char *)f.net.buffers[0].memory - f.net.buffers[0].offset, size});
        double loss = pass(&f, SAMPLES - 2, NULL);
        double same = net_pass(shadow, SAMPLES - 2, f.labels, 0, PASS_DIAGNOSE, NULL, &correct);
        cr_assert(loss == same, "%s", cases[i].name);
        cr_assert(memcmp(shadow->gradients, f.net.gradients, f.net.trained_count * sizeof(float)) == 0, "%s", cases[i].name);
        drop(&f);
    }
}

/* ---- tables that make no network ---- */

static void lay_out(const struct case_net *c)
{
    struct fixture f;
    build(&f, c, fp(), SAMPLES);
}

#define REFUSED(name, ...) \
    Test(nodes, refused_##name, .exit_code = 1) { lay_out(&(struct case_net){"", 3, {3, 4, 4}, {__VA_ARGS__, HEAD}}); }
REFUSED(later_node, CONV(1, 4, 3, 1, 1))
REFUSED(unresolved_sum, CONV(LAST, 3, 3, 1, 1), NORM(NODE_PREVIOUS, RELU))
REFUSED(sum_in_a_convolution, CONV(LAST, 3, 3, 1, 1),
        {.kind = NODE_CONV, .input = LAST, .add = 0, .outputs = 3, .kernel = 3, .stride = 1, .pad = 1})
REFUSED(sum_of_other_shape, CONV(LAST, 4, 3, 1, 1), NORM(NODE_INPUT, RELU))
REFUSED(no_outputs, CONV(LAST, 0, 3, 1, 1))
REFUSED(no_kernel, CONV(LAST, 4, 0, 1, 0))
REFUSED(fewer_channels_in_a_shortcut, SHORTCUT(LAST, 2, 1))
REFUSED(large_kernel, CONV(LAST, 4, 9, 1, 1))
