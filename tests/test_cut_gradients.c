/* SPDX-License-Identifier: GPL-3.0-or-later
 * Gradients through joined features and the auxiliary classifier, against finite differences and, in an integer mode,
 * products in double. */
#include "cut_support.h"
#include "naive_net.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* L = CE(logits) + CE(auxiliary logits), as der's; the labels of both one after the other. */
static double fill_gradients(struct net *net, const int32_t *labels, size_t samples)
{
    size_t correct = 0;
    memset(net->logits_gradient, 0, samples * row_stride(net->classes) * sizeof(float));
    double loss = softmax_cross_entropy(net->logits, samples, net->classes, row_stride(net->classes), labels,
                                        net->logits_gradient, &correct);
    if (net->auxiliary) {
        size_t stride = row_stride(net->auxiliary_classes);
        memset(net->auxiliary_gradient, 0, samples * stride * sizeof(float));
        loss += softmax_cross_entropy(net->auxiliary, samples, net->auxiliary_classes, stride, labels + samples,
                                      net->auxiliary_gradient, &correct);
    }
    return loss / (double)samples;
}

static double train(struct net *net, const int32_t *labels, size_t samples)
{
    double squares[2 * MAX_LAYERS];
    net_forward(net, samples, 0, PASS_TRAIN);
    double loss = fill_gradients(net, labels, samples);
    net_backward(net, samples, squares);
    return loss;
}

static void expect_layers(const struct net *net, const char *expected)
{
    char *names = xstrdup("");
    for (size_t i = 0; i < net->count; i++) {
        char *longer = format_text("%s%s ", names, net->nodes[net->layers[i].node].spec.name);
        free(names);
        names = longer;
    }
    cr_assert_str_eq(names, expected);
    free(names);
}

Test(cut, gradients_match_finite_differences)
{
    for (size_t i = 0; i < cut_case_count; i++) {
        const struct cut_case *c = &cut_cases[i];
        const size_t samples = SAMPLES - 1; /* a partial batch */
        int32_t labels[2 * SAMPLES];
        struct built b;
        build_cut_case(&b, c);
        struct net *net = &b.net;
        expect_layers(net, c->layers);
        cr_assert_eq(net->classes, c->cut.classes ? c->cut.classes : CLASSES);
        cr_assert_eq(net->auxiliary_classes, c->cut.auxiliary);
        for (size_t j = 0; j < samples; j++) {
            labels[j] = (int32_t)(j % net->classes);
            labels[samples + j] = c->cut.auxiliary ? (int32_t)((j + 1) % c->cut.auxiliary) : 0;
        }
        cr_log_info("%s", c->name);
        double loss = train(net, labels, samples), expected = naive_loss(net, samples, labels, false, NULL, 0);
        cr_assert(fabs(loss - expected) < 1e-5, "%s: loss %.9g instead of %.9g", c->name, loss, expected);
        expect_gradients(net, samples, labels);
        drop_part(&b);
    }
}

/* Without an auxiliary loss of its own the auxiliary classifier has no part in what net_pass learns. */
Test(cut, passes_for_the_plain_loss_leave_the_auxiliary_classifier_alone)
{
    const int32_t labels[SAMPLES] = {0, 1, 2, 0, 1};
    size_t correct = 0;
    struct built with, without;
    build_cut_case(&with, &(struct cut_case){.cut = {.outside = 3, .auxiliary = 2}});
    build_cut_case(&without, &(struct cut_case){.cut = {.outside = 3}});
    net_take_over(&with.net, &without.net);
    double loss = net_pass(&with.net, SAMPLES, labels, 0, PASS_TRAIN, NULL, &correct);
    cr_assert_eq(loss, net_pass(&without.net, SAMPLES, labels, 0, PASS_TRAIN, NULL, &correct));
    for (size_t i = 0; i < with.net.layers[4].n * row_stride(7); i++)
        cr_assert_eq(with.net.layers[4].dw[i], 0);
    for (size_t i = 0; i < 7 * row_stride(7); i++)
        cr_assert_eq(with.net.layers[3].dw[i], without.net.layers[3].dw[i]);
    drop_part(&with);
    drop_part(&without);
}

/* dW = GᵀX of a layer in double, of the gradient of its output and what it reads. */
static void expect_weight_gradient(const struct layer *layer, const float *g, const float *x)
{
    double product = 0, expected_squares = 0, squares = 0;
    for (size_t n = 0; n < layer->n; n++)
        for (size_t k = 0; k < layer->k; k++) {
            double expected = 0, dw = layer->dw[n * row_stride(layer->k) + k];
            for (size_t i = 0; i < SAMPLES; i++)
                expected += (double)g[i * row_stride(layer->n) + n] * x[i * layer->k + k];
            product += expected * dw;
            expected_squares += expected * expected;
            squares += dw * dw;
        }
    double cosine = product / sqrt(expected_squares * squares);
    cr_assert(cosine > 0.99 && cosine < 1, "k %zu: %g", layer->k, cosine);
}

/* Codes of joined features, and of the network's own for the auxiliary classifier: at 8 bits nearly the values. */
Test(cut, an_integer_mode_joins_and_has_an_auxiliary_classifier)
{
    enum { FEATURES = 7, OUTSIDE = 9, JOINED = OUTSIDE + FEATURES };
    const int32_t labels[2 * SAMPLES] = {0, 1, 2, 0, 1, 0, 1, 1, 0, 1};
    struct dataset data = made_data(1, 6, 1, 1);
    struct built b;
    struct settings settings = make_settings("model=fcnet", "mode=fqt", "allocator=uniform", "budget=8", "grad_bits=8",
                                             "depth=4", "width=7", NULL);
    build_part(&b, settings, &data, (struct cut){.outside = OUTSIDE, .auxiliary = 2, .head_bias = true});
    set_all_bits(&b.net, 8);
    fill_parameters(&b.net);
    fill_input(&b.net, 5);
    train(&b.net, labels, SAMPLES);
    float own[SAMPLES * FEATURES], joined[SAMPLES * JOINED];
    net_forward(&b.net, SAMPLES, 0, PASS_DIAGNOSE);
    net_take_features(&b.net, SAMPLES, own, FEATURES);
    net_take_features(&b.net, SAMPLES, joined + OUTSIDE, JOINED);
    fill_gradients(&b.net, labels, SAMPLES);
    for (size_t i = 0; i < SAMPLES; i++)
        memcpy(joined + i * JOINED, b.net.outside + i * row_stride(OUTSIDE), OUTSIDE * sizeof *joined);
    expect_weight_gradient(&b.net.layers[4], b.net.auxiliary_gradient, own);
    expect_weight_gradient(&b.net.layers[5], b.net.logits_gradient, joined);
    drop_part(&b);
}

Test(cut, a_shadow_is_of_the_same_cut)
{
    const int32_t labels[SAMPLES] = {0, 1, 2, 0, 1};
    struct dataset data = made_data(1, 6, 1, 1);
    struct built b;
    build_cut_case(&b, &(struct cut_case){.cut = {.first = 2, .outside = 3, .auxiliary = 2, .classes = 4}});
    struct net *shadow = arena_alloc(&b.arena, sizeof *shadow);
    net_build_shadow(shadow, &b.net, &data, SAMPLES, &b.arena);
    size_t size = net_pool_size(shadow), correct = 0;
    net_use_pool(shadow, (struct pool){arena_alloc(&b.arena, size), size});
    double loss = net_pass(&b.net, SAMPLES, labels, 0, PASS_TRAIN, NULL, &correct);
    cr_assert_eq(loss, net_pass(shadow, SAMPLES, labels, 0, PASS_DIAGNOSE, NULL, &correct));
    cr_assert(memcmp(shadow->gradients, b.net.gradients, b.net.trained_count * sizeof(float)) == 0);
    drop_part(&b);
}
