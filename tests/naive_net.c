/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "naive_net.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

struct naive {
    const struct net *net;
    size_t samples;
    bool evaluating;
    const float *changed;
    double by;
    double *values[MAX_NODES + 1]; /* of node i at i + 1: samples × h × w × c */
};

static double read(const struct naive *n, const float *x) { return *x + (x == n->changed ? n->by : 0); }

static double parameter(const struct naive *n, const struct node *node, size_t which, size_t row, size_t col)
{
    const struct parameter *p = &n->net->parameters[node->parameter + which];
    return read(n, p->value + row * p->stride + col);
}

static double *values_of(const struct naive *n, int node) { return n->values[node + 1]; }
static size_t count_of(struct shape s) { return s.h * s.w * s.c; }

static double activated(double v, enum activation activation)
{
    if (activation != ACTIVATION_NONE && v < 0)
        return 0;
    return activation == ACTIVATION_RELU6 && v > 6 ? 6 : v;
}

/* The value at (y, x, c) of one sample, 0 outside. */
static double at(const double *sample, struct shape s, long y, long x, size_t c)
{
    bool inside = y >= 0 && x >= 0 && y < (long)s.h && x < (long)s.w;
    return inside ? sample[((size_t)y * s.w + (size_t)x) * s.c + c] : 0;
}

static double convolve(const struct naive *n, const struct node *node, const double *x, size_t y0, size_t x0, size_t out)
{
    const struct geometry *g = &node->window;
    double sum = node->spec.bias ? parameter(n, node, 1, 0, out) : 0;
    for (size_t ky = 0; ky < g->kernel_h; ky++)
        for (size_t kx = 0; kx < g->kernel_w; kx++) {
            long iy = (long)(y0 * g->stride + ky) - (long)g->pad_h, ix = (long)(x0 * g->stride + kx) - (long)g->pad_w;
            size_t tap = ky * g->kernel_w + kx;
            if (g->depthwise)
                sum += at(x, node->in, iy, ix, out) * parameter(n, node, 0, out, tap);
            for (size_t c = 0; !g->depthwise && c < node->in.c; c++)
                sum += at(x, node->in, iy, ix, c) * parameter(n, node, 0, out, tap * node->in.c + c);
        }
    return activated(sum, node->spec.activation);
}

static double dense(const struct naive *n, const struct node *node, const double *x, size_t out)
{
    double sum = node->spec.bias ? parameter(n, node, 1, 0, out) : 0;
    for (size_t k = 0; k < count_of(node->in); k++)
        sum += x[k] * parameter(n, node, 0, out, k);
    return activated(sum, node->spec.activation);
}

static double pool(const struct node *node, const double *x, size_t y0, size_t x0, size_t c)
{
    const struct geometry *g = &node->window;
    double largest = -INFINITY, sum = 0, count = 0;
    for (size_t ky = 0; ky < g->kernel_h; ky++)
        for (size_t kx = 0; kx < g->kernel_w; kx++) {
            long iy = (long)(y0 * g->stride + ky) - (long)g->pad_h, ix = (long)(x0 * g->stride + kx) - (long)g->pad_w;
            if (iy < 0 || ix < 0 || iy >= (long)node->in.h || ix >= (long)node->in.w)
                continue;
            double v = at(x, node->in, iy, ix, c);
            largest = fmax(largest, v);
            sum += v;
            count++;
        }
    return node->spec.kind == NODE_MAX_POOL ? largest : sum / count;
}

static double shortcut(const struct node *node, const double *x, size_t y0, size_t x0, size_t c)
{
    size_t before = (node->out.c - node->in.c) / 2, s = node->spec.stride;
    bool new = c < before || c >= before + node->in.c;
    return new ? 0 : at(x, node->in, (long)(y0 * s), (long)(x0 * s), c - before);
}

/* The own features are positions × channels already, as values here have no padding. */
static double joined(const struct naive *n, const double *x, size_t sample, size_t c)
{
    size_t outside = n->net->outside_width;
    return c < outside ? n->net->outside[sample * row_stride(outside) + c] : x[c - outside];
}

static double window_value(const struct naive *n, const struct node *node, const double *x, size_t y0, size_t x0, size_t c)
{
    switch (node->spec.kind) {
    case NODE_CONV:
    case NODE_DEPTHWISE: return convolve(n, node, x, y0, x0, c);
    case NODE_DENSE: return dense(n, node, x, c);
    case NODE_SHORTCUT: return shortcut(node, x, y0, x0, c);
    case NODE_ACTIVATE: return at(x, node->in, (long)y0, (long)x0, c);
    default: return pool(node, x, y0, x0, c);
    }
}

static void normalise(const struct naive *n, const struct node *node, const double *x, double *y)
{
    size_t c = node->out.c, count = n->samples * node->out.h * node->out.w;
    for (size_t j = 0; j < c; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < count; i++)
            mean += x[i * c + j] / (double)count;
        for (size_t i = 0; i < count; i++)
            variance += (x[i * c + j] - mean) * (x[i * c + j] - mean) / (double)count;
        if (n->evaluating) {
            mean = parameter(n, node, NORM_MEAN, 0, j);
            variance = parameter(n, node, NORM_VARIANCE, 0, j);
        }
        for (size_t i = 0; i < count; i++)
            y[i * c + j] = parameter(n, node, NORM_SCALE, 0, j) * (x[i * c + j] - mean) / sqrt(variance + 1e-5)
                           + parameter(n, node, NORM_SHIFT, 0, j);
    }
}

static void compute(const struct naive *n, int index)
{
    const struct node *node = &n->net->nodes[index];
    const double *x = values_of(n, node->spec.input);
    double *y = values_of(n, index);
    size_t count = count_of(node->out);
    if (node->spec.kind == NODE_NORM)
        normalise(n, node, x, y);
    else if (node->spec.kind == NODE_JOIN)
        for (size_t i = 0; i < n->samples * count; i++)
            y[i] = joined(n, x + i / count * count_of(node->in), i / count, i % count);
    else
        for (size_t i = 0; i < n->samples * count; i++) {
            size_t position = i % count / node->out.c;
            y[i] = window_value(n, node, x + i / count * count_of(node->in), position / node->out.w,
                                position % node->out.w, i % node->out.c);
        }
    if (node->spec.kind != NODE_NORM && node->spec.kind != NODE_ACTIVATE)
        return;
    for (size_t i = 0; i < n->samples * count; i++) {
        double sum = y[i] + (node->spec.add == NODE_NONE ? 0 : values_of(n, node->spec.add)[i]);
        y[i] = activated(sum, node->spec.activation);
    }
}

static void read_input(struct naive *n)
{
    struct shape s = n->net->input_shape;
    size_t positions = n->samples * s.h * s.w;
    for (size_t i = 0; i < positions; i++)
        for (size_t c = 0; c < s.c; c++)
            n->values[0][i * s.c + c] = read(n, n->net->input + i * row_stride(s.c) + c);
}

static double cross_entropy(const double *logits, size_t samples, size_t classes, const int32_t *labels)
{
    double loss = 0;
    for (size_t i = 0; i < samples; i++) {
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += exp(logits[i * classes + c]);
        loss += log(sum) - logits[i * classes + (size_t)labels[i]];
    }
    return loss;
}

double naive_loss(const struct net *net, size_t samples, const int32_t *labels, bool evaluating, const float *changed,
                  double by)
{
    struct naive n = {.net = net, .samples = samples, .evaluating = evaluating, .changed = changed, .by = by};
    for (int i = NODE_INPUT; i < (int)net->node_count; i++)
        n.values[i + 1] = xcalloc(samples * count_of(net->nodes[i].out), sizeof(double));
    read_input(&n);
    for (int i = 0; i < (int)net->node_count; i++)
        compute(&n, i);
    double loss = cross_entropy(values_of(&n, (int)net->node_count - 1), samples, net->classes, labels);
    if (net->auxiliary_classes)
        loss += cross_entropy(values_of(&n, (int)net->node_count - 2), samples, net->auxiliary_classes, labels + samples);
    for (size_t i = 0; i <= net->node_count; i++)
        free(n.values[i]);
    return loss / (double)samples;
}

double naive_gradient(const struct net *net, size_t samples, const int32_t *labels, const float *changed)
{
    const double h = 1e-6;
    double more = naive_loss(net, samples, labels, false, changed, h);
    return (more - naive_loss(net, samples, labels, false, changed, -h)) / (2 * h);
}

static void expect_gradient(const struct net *net, size_t samples, const int32_t *labels, const float *value, float gradient,
                            const char *what)
{
    double expected = naive_gradient(net, samples, labels, value);
    cr_assert(fabs(gradient - expected) < 2e-5 * fmax(1, fabs(expected)), "%s: %g instead of %g", what, gradient, expected);
}

void expect_gradients(const struct net *net, size_t samples, const int32_t *labels)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct parameter *p = &net->parameters[i];
        for (size_t j = 0; p->gradient && j < p->rows * p->stride; j++)
            if (j % p->stride < p->cols)
                expect_gradient(net, samples, labels, p->value + j, p->gradient[j], p->name);
            else
                cr_assert(p->value[j] == 0 && p->gradient[j] == 0, "the padding of %s", p->name);
    }
    struct shape s = net->input_shape;
    size_t stride = row_stride(s.c);
    for (size_t i = 0; net->input_gradient && i < samples * s.h * s.w * stride; i++)
        if (i % stride < s.c)
            expect_gradient(net, samples, labels, net->input + i, net->input_gradient[i], "network input");
}
