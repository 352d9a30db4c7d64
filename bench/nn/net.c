/* SPDX-License-Identifier: GPL-3.0-or-later
 * One training step of a network, product by product. */
#include "net.h"
#include "../clock.h"
#include "../kernels/kernels.h"
#include <math.h>

static void relu(float *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] > 0 ? y[i] : 0;
}

static void relu_mask(const float *y, float *dy, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

const float *net_forward(struct net *net, size_t rows, long step, enum pass pass)
{
    for (size_t i = 0; i < net->count; i++) {
        struct layer *layer = &net->layers[i];
        struct product *p = &layer->product;
        p->m = rows;
        p->step = (uint64_t)step;
        p->evaluating = pass == PASS_EVALUATE;
        p->observing = pass == PASS_TRAIN;
        net->mode->forward(p);
        p->weights_ready = true;
        if (layer->spec.relu)
            relu(layer->y, rows * row_stride(layer->n));
    }
    return net->layers[net->count - 1].y;
}

static double sum_of_squares(const float *x, size_t count)
{
    double sum = 0;
    for (size_t start = 0; start < count; start += 1024) {
        size_t end = start + 1024 < count ? start + 1024 : count;
        float part[16] = {0}; /* lanes, so that the loop vectorises in a fixed order */
        for (size_t i = start; i < end; i += 16)
            for (size_t lane = 0; lane < 16; lane++)
                part[lane] += x[i + lane] * x[i + lane];
        for (size_t lane = 0; lane < 16; lane++)
            sum += part[lane];
    }
    return sum;
}

static void bias_gradient(struct layer *layer, size_t rows)
{
    size_t stride = row_stride(layer->n);
    for (size_t j = 0; j < layer->n; j++)
        layer->dbias[j] = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < layer->n; j++)
            layer->dbias[j] += layer->dy[i * stride + j];
}

/* The first layer's input gradient serves only those who estimate or learn something about the input. */
static void first_input_gradient(struct net *net, bool learning)
{
    struct product *p = &net->layers[0].product;
    double start = now_seconds();
    p->dx = net->input_gradient;
    p->dw = NULL;
    net->mode->backward(p);
    if (!learning)
        net->observing_seconds += now_seconds() - start;
}

void net_backward(struct net *net, size_t rows, double *sum_squares)
{
    bool learning = net->quantiser && net->quantiser->learns;
    for (size_t i = net->count; i-- > 0;) {
        struct layer *layer = &net->layers[i];
        struct product *p = &layer->product;
        size_t inputs = rows * row_stride(layer->k), weights = layer->n * row_stride(layer->k);
        if (layer->spec.relu)
            relu_mask(layer->y, layer->dy, rows * row_stride(layer->n));
        if (layer->bias)
            bias_gradient(layer, rows);
        p->g = layer->dy;
        p->dw = layer->dw;
        p->dx = i ? net->layers[i - 1].dy : NULL;
        net->mode->backward(p);
        if (i == 0 && (learning || sum_squares))
            first_input_gradient(net, learning);
        if (sum_squares) {
            double start = now_seconds();
            sum_squares[2 * i] = sum_of_squares(layer->dw, weights);
            sum_squares[2 * i + 1] = sum_of_squares(p->dx, inputs);
            net->observing_seconds += now_seconds() - start;
        }
        if (net->quantiser) {
            net->quantiser->backward(p->w_range, net->settings, layer->w, layer->dw, weights);
            if (p->dx)
                net->quantiser->backward(p->x_range, net->settings, p->x, p->dx, inputs);
        }
    }
}

double net_pass(struct net *net, size_t rows, const int32_t *labels, long step, enum pass pass, double *sum_squares,
                size_t *correct)
{
    struct layer *last = &net->layers[net->count - 1];
    const float *logits = net_forward(net, rows, step, pass);
    double loss = softmax_cross_entropy(logits, rows, last->n, row_stride(last->n), labels, last->dy, correct);
    net_backward(net, rows, sum_squares);
    return loss;
}

static void descend(float *w, float *velocity, const float *gradient, size_t count, float lr, float momentum, float decay)
{
    for (size_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + (gradient[i] + decay * w[i]);
        w[i] -= lr * velocity[i];
    }
}

int net_stored_bits(const struct net *net)
{
    bool given = setting_has(net->settings, "weight_store_bits");
    return given ? (int)setting_int(net->settings, "weight_store_bits") : 32;
}

/* Up to 31 bits, so not as 8-bit codes. */
static void restore_stored_width(struct layer *layer, int bits)
{
    size_t count = layer->n * row_stride(layer->k);
    bool negative;
    float largest = kernels()->max_abs(layer->w, count, &negative), top = (float)code_limit(bits, true);
    float scale = largest > 0 ? largest / top : 1;
    for (size_t i = 0; i < count; i++)
        layer->w[i] = rintf(layer->w[i] / scale) * scale;
}

void net_update(struct net *net, double lr)
{
    float momentum = (float)setting_real(net->settings, "momentum");
    float decay = (float)setting_real(net->settings, "weight_decay");
    int stored = net_stored_bits(net);
    for (size_t i = 0; i < net->count; i++) {
        struct layer *layer = &net->layers[i];
        descend(layer->w, layer->w_velocity, layer->dw, layer->n * row_stride(layer->k), (float)lr, momentum, decay);
        if (layer->bias)
            descend(layer->bias, layer->bias_velocity, layer->dbias, layer->n, (float)lr, momentum, 0);
        if (stored < 32)
            restore_stored_width(layer, stored);
        layer->product.weights_ready = false;
    }
    if (net->quantiser && net->quantiser->update)
        for (size_t i = 0; i < 2 * net->count; i++)
            net->quantiser->update(&net->ranges[i], lr, momentum);
}

void net_set_bits(struct net *net, const float *bits)
{
    for (size_t i = 0; i < 2 * net->count; i++) {
        float before = net->ranges[i].bits;
        if (before == bits[i])
            continue;
        net->ranges[i].bits = bits[i];
        if (net->ranges[i].learned && net->quantiser->resize)
            net->quantiser->resize(&net->ranges[i], before);
        net->layers[i / 2].product.weights_ready = false;
    }
}

void net_get_bits(const struct net *net, float *bits)
{
    for (size_t i = 0; i < 2 * net->count; i++)
        bits[i] = net->ranges[i].bits;
}
