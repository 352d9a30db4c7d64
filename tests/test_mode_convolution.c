/* SPDX-License-Identifier: GPL-3.0-or-later
 * Convolutions in the integer modes: the three products under every accumulator option, scale and transform; stochastic
 * rounding; what must not depend on threads or batches. */
#include "naive_convolution.h"
#include "../bench/nn/geometry.h"
#include "../bench/parallel.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w, stride, pad_h, pad_w */
static const struct geometry shapes[] = {
    {8, 8, 8, 8, 8, 16, 3, 3, 1, 1, 1, false},
    {8, 8, 8, 4, 4, 16, 3, 3, 2, 1, 1, false},
    {8, 8, 16, 4, 4, 8, 1, 1, 2, 0, 0, false},   /* no input position between the strides is read */
    {6, 6, 16, 6, 6, 8, 1, 1, 1, 0, 0, false},
    {9, 7, 3, 9, 7, 10, 5, 5, 1, 2, 2, false},
    {11, 9, 3, 4, 3, 6, 5, 5, 2, 0, 0, false},   /* the last rows and columns lie in no window */
    {1, 20, 6, 1, 20, 8, 1, 3, 1, 0, 1, false},
    {1, 19, 5, 1, 10, 10, 1, 3, 2, 0, 1, false},
    {8, 8, 12, 8, 8, 12, 3, 3, 1, 1, 1, true},
    {7, 7, 20, 4, 4, 20, 3, 3, 2, 1, 1, true},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const char *const modes[] = {"mode=fqt", "mode=hfqt", "mode=luq"};

Test(mode_convolution, fqt_products)
{
    for (size_t i = 0; i < SHAPES; i++)
        for (int positive = 0; positive < 2; positive++) {
            struct layer_test t;
            begin_shape(&t,
                        make_settings("mode=fqt", "budget=4", "grad_rounding=nearest", "grad_bits=5", "acc_bits=32", NULL),
                        shapes[i], false, 9, 5, positive ? 4 : 7, positive);
            check_products(&t, &(struct expected){.grad_bits = 5});
            end(&t);
        }
}

Test(mode_convolution, fqt_works_at_every_width)
{
    for (int bits = 2; bits <= 8; bits++) {
        char *grad = format_text("grad_bits=%d", bits);
        struct layer_test t;
        begin_shape(&t, make_settings("mode=fqt", "budget=4", "grad_rounding=nearest", "acc_bits=32", "grad_scale=tensor",
                                      grad, NULL), shapes[1], false, 3, (float)(10 - bits), (float)bits, true);
        check_products(&t, &(struct expected){.grad_bits = bits, .tensor_scale = true});
        end(&t);
        free(grad);
    }
}

Test(mode_convolution, every_accumulator_option)
{
    static const struct { const char *bits, *tile, *overflow, *at, *backward, *order; struct expected expected;
    } rows[] = {
        {"8", "32", "saturate", "tile", "tile", "kernel", {.limits = {8, 8, 8, 32, 32, false, false}}},
        {"8", "32", "saturate", "tile", "tile", "channel",
         {.limits = {8, 8, 8, 32, 32, false, false}, .channel_major = true}},
        {"6", "16", "wrap", "tile", "tile", "channel", {.limits = {6, 6, 6, 16, 16, true, false}, .channel_major = true}},
        {"6", "5", "wrap", "add", "tile", "kernel", {.limits = {6, 6, 6, 5, 5, true, true}}},
        {"7", "8", "saturate", "add", "tile", "kernel", {.limits = {7, 7, 7, 8, 8, false, true}}},
        {"9", "32", "saturate", "tile", "whole", "kernel", {.limits = {9, 9, 9, 32, 0, false, false}}},
        {"8", "32", "saturate", "tile", "off", "kernel", {.limits = {8, 0, 0, 32, 0, false, false}}},
        /* 4+5, 4+4, 4+5 */
        {"auto", "32", "saturate", "tile", "tile", "kernel", {.limits = {9, 8, 9, 32, 32, false, false}}},
    };
    static const size_t tested[] = {0, 1, 4, 7, 8, 9};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof tested / sizeof *tested; k++) {
            char *texts[6] = {format_text("acc_bits=%s", rows[i].bits), format_text("acc_tile=%s", rows[i].tile),
                              format_text("acc_overflow=%s", rows[i].overflow), format_text("acc_at=%s", rows[i].at),
                              format_text("acc_backward=%s", rows[i].backward), format_text("acc_order=%s", rows[i].order)};
            struct expected expected = rows[i].expected;
            struct layer_test t;
            expected.grad_bits = 4;
            begin_shape(&t,
                        make_settings("mode=fqt", "budget=4", "grad_rounding=nearest", "grad_bits=4", texts[0], texts[1],
                                      texts[2], texts[3], texts[4], texts[5], NULL),
                        shapes[tested[k]], false, 3, 4, 5, k % 2 == 0);
            check_products(&t, &expected);
            end(&t);
            for (int text = 0; text < 6; text++)
                free(texts[text]);
        }
}

Test(mode_convolution, hfqt_products_are_the_transformed_ones)
{
    static const struct { const char *cap, *pad, *scale, *requant; struct expected expected; } rows[] = {
        {"largest", "false", "auto", "forward", {.transforms = true}},
        {"16", "false", "auto", "grad", {.transforms = true, .cap = 16, .requantise_at_gradient_width = true}},
        {"16", "true", "sample", "forward", {.transforms = true, .cap = 16, .pad = true}},
        {"largest", "true", "tensor", "forward", {.transforms = true, .pad = true, .tensor_scale = true}},
        {"largest", "false", "tensor", "forward", {.transforms = true, .tensor_scale = true}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < SHAPES; k++) {
            char *texts[4] = {format_text("hadamard_block=%s", rows[i].cap), format_text("hadamard_pad=%s", rows[i].pad),
                              format_text("grad_scale=%s", rows[i].scale), format_text("requant_bits=%s", rows[i].requant)};
            struct expected expected = rows[i].expected;
            struct layer_test t;
            expected.grad_bits = 5;
            begin_shape(&t,
                        make_settings("mode=hfqt", "budget=4", "grad_rounding=nearest", "grad_bits=5", "acc_bits=32",
                                      texts[0], texts[1], texts[2], texts[3], NULL),
                        shapes[k], false, 3, 4, i % 2 ? 4 : 6, k % 2 == 0);
            check_products(&t, &expected);
            end(&t);
            for (int text = 0; text < 4; text++)
                free(texts[text]);
        }
}

/* 8-bit codes in blocks of 256 do not fit 16 bits. */
Test(mode_convolution, hfqt_is_exact_where_16_bits_are_too_few)
{
    struct layer_test t;
    struct geometry shape = {16, 16, 4, 16, 16, 4, 3, 3, 1, 1, 1, false};
    begin_shape(&t, make_settings("mode=hfqt", "budget=8", "grad_rounding=nearest", "grad_bits=8", "acc_bits=32", NULL),
                shape, false, 2, 8, 8, true);
    check_products(&t, &(struct expected){.transforms = true, .grad_bits = 8});
    end(&t);
}

Test(mode_convolution, hfqt_accumulators)
{
    for (size_t k = 0; k < 2; k++) {
        struct layer_test t;
        begin_shape(&t, make_settings("mode=hfqt", "budget=4", "grad_rounding=nearest", "grad_bits=4", "acc_bits=8", NULL),
                    shapes[k], false, 3, 4, 4, true);
        check_products(&t,
                       &(struct expected){.limits = {8, 8, 8, 32, 32, false, false}, .transforms = true, .grad_bits = 4});
        end(&t);
    }
}

Test(mode_convolution, random_signs_cancel)
{
    for (size_t k = 0; k < SHAPES; k++) {
        struct layer_test tests[2];
        for (int i = 0; i < 2; i++) {
            begin_shape(&tests[i],
                        make_settings("mode=hfqt", "budget=8", "grad_bits=8", "acc_bits=32", "grad_rounding=nearest",
                                      "hadamard_pad=true", i ? "hadamard_signs=true" : "hadamard_signs=false", NULL),
                        shapes[k], false, 2, 8, 8, k % 2 == 0);
            tests[i].mode->forward(&tests[i].p);
            tests[i].mode->backward(&tests[i].p);
        }
        const float *results[2][2] = {{tests[0].p.dw, tests[1].p.dw}, {tests[0].p.dx, tests[1].p.dx}};
        size_t sizes[2] = {tests[0].p.n * row_stride(tests[0].p.k), 2 * in_size(&shapes[k])};
        for (int which = 0; which < 2; which++) {
            double difference = 0, norm = 0;
            for (size_t i = 0; i < sizes[which]; i++) {
                difference += pow(results[which][0][i] - results[which][1][i], 2);
                norm += pow(results[which][0][i], 2);
            }
            /* A depthwise dX has no transform; six signs of this seed are a row of H, which only permutes what it
             * transforms. */
            bool signs_act = which == 0 || (!shapes[k].depthwise && shapes[k].out_c != 6);
            cr_assert((difference > 0) == signs_act && difference < 3e-3 * norm, "shape %zu, %s: relative difference %g", k,
                      which ? "dx" : "dw", difference / norm);
        }
        end(&tests[0]);
        end(&tests[1]);
    }
}

/* ---- stochastic rounding ---- */

/* W as hfqt's dX takes it: rounded to nearest in the transformed domain, and transformed back. */
static void take_requantised_weights(struct operands *o, size_t k)
{
    double *back = naive_transform(o->w_hat.q, o->outputs, k, o->block_n);
    for (size_t i = 0; i < o->outputs * k; i++)
        o->w.q[i] = back[i] * o->w_hat.scale / (double)o->block_n;
    free(back);
}

/* The means over many steps of dX and dW are the products of G as it is with the forward codes (in hfqt's dX: of what
 * they became). */
static void check_unbiased(struct settings settings, const struct geometry *shape)
{
    enum { SAMPLES = 2, STEPS = 3000 };
    struct layer_test t;
    begin_shape(&t, settings, *shape, false, SAMPLES, 4, 4, true);
    size_t dx_size = SAMPLES * in_size(shape), dw_size = t.p.n * row_stride(t.p.k);
    double *mean = xcalloc(2 * (dx_size + dw_size), sizeof *mean), *square = mean + dx_size + dw_size;
    t.mode->forward(&t.p);
    for (t.p.step = 0; t.p.step < STEPS; t.p.step++) {
        t.mode->backward(&t.p);
        for (size_t i = 0; i < dx_size + dw_size; i++) {
            double v = i < dx_size ? t.p.dx[i] : t.p.dw[i - dx_size];
            mean[i] += v / STEPS, square[i] += v * v / STEPS;
        }
    }
    bool requantises = setting_is(&t.settings, "mode", "hfqt") && !shape->depthwise;
    struct expected exact = {.grad_bits = 8}, transformed = {.grad_bits = 8, .transforms = true};
    struct operands o = make_operands(&t, requantises ? &transformed : &exact);
    o.x.scale = t.x_range.scale, o.w.scale = t.w_range.scale;
    for (size_t i = 0; i < SAMPLES * in_positions(shape) * shape->in_c; i++)
        o.x.q[i] = fmin(fmax(nearbyintf(t.x[i / shape->in_c * row_stride(shape->in_c) + i % shape->in_c] / t.x_range.scale),
                             t.x_range.lo), t.x_range.hi);
    for (size_t i = 0; i < t.p.n * t.p.k; i++)
        o.w.q[i] = fmin(fmax(nearbyintf(t.w[i / t.p.k * row_stride(t.p.k) + i % t.p.k] / t.w_range.scale), t.w_range.lo),
                        t.w_range.hi);
    if (requantises)
        take_requantised_weights(&o, t.p.k);
    for (size_t i = 0; i < SAMPLES * o.positions * o.outputs; i++) {
        size_t s = i / (o.positions * o.outputs);
        o.g_rows[s].scale = o.g_columns[s].scale = 1;
        o.g_rows[s].q[i % (o.positions * o.outputs)] = o.g_columns[s].q[i % (o.positions * o.outputs)] =
            t.g[i / o.outputs * row_stride(o.outputs) + i % o.outputs];
    }
    for (size_t i = 0; i < SAMPLES * in_positions(shape) * shape->in_c; i++) {
        size_t row = i / shape->in_c, at = row * row_stride(shape->in_c) + i % shape->in_c,
               position = row % in_positions(shape);
        double e = input_gradient_at(&o, &exact, row / in_positions(shape), position / shape->in_w, position % shape->in_w,
                                     i % shape->in_c);
        double deviation = sqrt(fmax(square[at] - mean[at] * mean[at], 0) / STEPS);
        cr_assert(fabs(mean[at] - e) < 5.5 * deviation + 1e-4, "dx %zu: %g, expected %g ± %g", i, mean[at], e, deviation);
    }
    for (size_t i = 0; i < t.p.n * t.p.k; i++) {
        size_t at = dx_size + i / t.p.k * row_stride(t.p.k) + i % t.p.k, input = i % t.p.k;
        double e = shape->depthwise ? weight_gradient_at(&o, &exact, i / t.p.k, input, i / t.p.k)
                                    : weight_gradient_at(&o, &exact, i / t.p.k, input / shape->in_c, input % shape->in_c);
        double deviation = sqrt(fmax(square[at] - mean[at] * mean[at], 0) / STEPS);
        cr_assert(fabs(mean[at] - e) < 5.5 * deviation + 1e-4, "dw %zu: %g, expected %g ± %g", i, mean[at], e, deviation);
    }
    free(mean);
    free_operands(&o);
    end(&t);
}

static const struct geometry small = {4, 4, 4, 4, 4, 4, 3, 3, 1, 1, 1, false},
                             small_depthwise = {4, 4, 4, 4, 4, 4, 3, 3, 1, 1, 1, true};

Test(mode_convolution, fqt_is_unbiased)
{
    check_unbiased(make_settings("mode=fqt", "budget=4", "grad_bits=3", "acc_bits=32", NULL), &small);
    check_unbiased(make_settings("mode=fqt", "budget=4", "grad_bits=3", "acc_bits=32", "grad_scale=tensor", NULL), &small);
    check_unbiased(make_settings("mode=fqt", "budget=4", "grad_bits=3", "acc_bits=32", NULL), &small_depthwise);
}

Test(mode_convolution, luq_is_unbiased)
{
    check_unbiased(make_settings("mode=luq", "budget=4", "acc_bits=32", NULL), &small);
    check_unbiased(make_settings("mode=luq", "budget=4", "acc_bits=32", "grad_bits=2", "grad_scale=sample", NULL), &small);
    check_unbiased(make_settings("mode=luq", "budget=4", "acc_bits=32", "grad_bits=3", NULL), &small_depthwise);
}

Test(mode_convolution, hfqt_is_unbiased)
{
    check_unbiased(make_settings("mode=hfqt", "budget=4", "grad_bits=4", "acc_bits=32", NULL), &small);
    check_unbiased(make_settings("mode=hfqt", "budget=4", "grad_bits=4", "acc_bits=32", NULL), &small_depthwise);
    check_unbiased(make_settings("mode=hfqt", "budget=4", "grad_bits=4", "acc_bits=32", "hadamard_signs=true", NULL),
                   &small_depthwise);
}

/* Two backward products of a layer whose samples are alike; p.step and p.layer as they are given. */
struct twins { struct layer_test t; size_t dx, dw; float *kept; };

static void begin_twins(struct twins *twins, struct settings settings)
{
    struct layer_test *t = &twins->t;
    begin_shape(t, settings, shapes[0], false, 2, 4, 4, true);
    twins->dx = in_size(&t->shape), twins->dw = t->p.n * row_stride(t->p.k);
    memcpy(t->x + twins->dx, t->x, twins->dx * sizeof *t->x);
    memcpy(t->g + out_size(&t->shape), t->g, out_size(&t->shape) * sizeof *t->g);
    t->mode->forward(&t->p);
    t->mode->backward(&t->p);
    twins->kept = xmalloc(2 * twins->dx * sizeof(float));
    memcpy(twins->kept, t->p.dx, 2 * twins->dx * sizeof(float));
}

Test(mode_convolution, samples_steps_and_layers_draw_their_own)
{
    for (size_t mode = 0; mode < 3; mode++) {
        struct twins twins;
        begin_twins(&twins, make_settings(modes[mode], "budget=4", "acc_bits=32", NULL));
        struct product *p = &twins.t.p;
        size_t size = twins.dx * sizeof(float);
        cr_assert_arr_neq(p->dx, p->dx + twins.dx, size, "%s: samples", modes[mode]);
        for (int other = 0; other < 3; other++) {
            p->step = other == 1, p->layer = other == 2;
            twins.t.mode->backward(p);
            cr_assert_eq(memcmp(p->dx, twins.kept, 2 * size) == 0, other == 0, "%s: %d", modes[mode], other);
        }
        free(twins.kept);
        end(&twins.t);
    }
}

/* A constant G has one value in the transformed domain, its maximum, which is a code: what is left is how X was rounded. */
Test(mode_convolution, samples_round_their_inputs_their_own_way)
{
    struct twins twins;
    begin_twins(&twins, make_settings("mode=hfqt", "budget=4", "acc_bits=32", NULL));
    struct product *p = &twins.t.p;
    float *of_first = xmalloc(twins.dw * sizeof(float));
    size_t size = out_size(&twins.t.shape);
    for (size_t sample = 0; sample < 2; sample++) {
        for (size_t i = 0; i < 2 * size; i++)
            twins.t.g[i] = i / size == sample && i % row_stride(p->n) < p->n;
        twins.t.mode->backward(p);
        if (sample == 0)
            memcpy(of_first, p->dw, twins.dw * sizeof(float));
    }
    cr_assert_arr_neq(p->dw, of_first, twins.dw * sizeof(float));
    free(of_first), free(twins.kept);
    end(&twins.t);
}

/* ---- luq ---- */

Test(mode_convolution, luq_gradients_are_powers_of_two)
{
    for (int bits = 2; bits <= 4; bits++)
        for (int per_sample = 0; per_sample < 2; per_sample++) {
            char *grad = format_text("grad_bits=%d", bits);
            struct layer_test t;
            struct geometry shape = {4, 4, 4, 4, 4, 4, 1, 1, 1, 0, 0, false};
            begin_shape(&t,
                        make_settings("mode=luq", "budget=4", "acc_bits=32", grad,
                                      per_sample ? "grad_scale=sample" : "grad_scale=auto", NULL),
                        shape, false, 2, 4, 4, true);
            for (size_t i = 0; i < 4 * row_stride(4); i++)
                t.w[i] = i % (row_stride(4) + 1) == 0; /* the identity: dX is G's codes */
            t.mode->forward(&t.p);
            t.mode->backward(&t.p);
            float largest[2] = {0}, weight = t.w_range.scale * (float)t.w_range.hi;
            size_t size = 16 * row_stride(4);
            for (size_t i = 0; i < 2 * size; i++)
                largest[per_sample ? i / size : 0] = fmaxf(largest[per_sample ? i / size : 0], fabsf(t.g[i]));
            int top = 1 << ((1 << (bits - 1)) - 2), seen = 0;
            for (size_t i = 0; i < 2 * size; i++) {
                double alpha = largest[per_sample ? i / size : 0] / top, level = fabs(t.p.dx[i] / alpha / weight);
                double power = level > 0.5 ? exp2(rint(log2(level))) : 0;
                cr_assert(fabs(level - power) < 1e-4 && power <= top, "%d bits: level %g", bits, level);
                seen |= (int)power;
            }
            cr_assert_eq(seen, 2 * top - 1, "%d bits: every level occurs", bits);
            end(&t);
            free(grad);
        }
}

Test(mode_convolution, luq_says_which_widths_it_takes)
{
    struct settings good = make_settings("mode=luq", "budget=4", NULL),
                    bad = make_settings("mode=luq", "budget=4", "grad_bits=5", NULL);
    const struct mode_ops *luq = setting_plug(&good, "mode");
    cr_assert_null(luq->check(&good));
    cr_assert(strstr(luq->check(&bad), "grad_bits 2, 3 or 4"));
    cr_assert(!setting_has(&good, "quantiser") && setting_has(&good, "act_range"));
    settings_free(&good);
    settings_free(&bad);
}

/* ---- what results must not depend on, and what is counted ---- */

Test(mode_convolution, threads_change_nothing)
{
    for (size_t mode = 0; mode < 3; mode++)
        for (size_t k = 0; k < SHAPES; k++) {
            struct layer_test t;
            begin_shape(&t, make_settings(modes[mode], "budget=4", k % 2 ? "grad_scale=tensor" : "grad_scale=sample", NULL),
                        shapes[k], false, 11, 4, 4, true);
            size_t y = t.p.m * row_stride(t.p.n), dx = 11 * in_size(&shapes[k]), dw = t.p.n * row_stride(t.p.k);
            float *first = xcalloc(y + dx + dw, sizeof *first);
            for (size_t threads = 1; threads <= 3; threads += 2) {
                parallel_use(threads);
                give_scratch(&t);
                t.mode->forward(&t.p);
                t.mode->backward(&t.p);
                if (threads == 1) {
                    memcpy(first, t.p.y, y * sizeof *first);
                    memcpy(first + y, t.p.dx, dx * sizeof *first);
                    memcpy(first + y + dx, t.p.dw, dw * sizeof *first);
                }
                cr_assert_arr_eq(first, t.p.y, y * sizeof *first);
                cr_assert_arr_eq(first + y, t.p.dx, dx * sizeof *first);
                cr_assert_arr_eq(first + y + dx, t.p.dw, dw * sizeof *first);
            }
            parallel_use(1);
            free(first);
            end(&t);
        }
}

/* A layer whose input gradient alone, or weight gradient alone, is wanted gets the same as with both. */
Test(mode_convolution, one_product_alone_is_the_same)
{
    for (size_t mode = 0; mode < 3; mode++) {
        struct layer_test t;
        begin_shape(&t, make_settings(modes[mode], "budget=4", NULL), shapes[1], false, 5, 4, 4, true);
        size_t dx_size = 5 * in_size(&shapes[1]) * sizeof(float), dw_size = t.p.n * row_stride(t.p.k) * sizeof(float);
        float *dx = t.p.dx, *dw = t.p.dw, *kept_dx = xmalloc(dx_size), *kept_dw = xmalloc(dw_size);
        t.mode->forward(&t.p);
        t.mode->backward(&t.p);
        memcpy(kept_dx, dx, dx_size), memcpy(kept_dw, dw, dw_size);
        t.p.dw = NULL;
        t.mode->backward(&t.p);
        cr_assert_arr_eq(dx, kept_dx, dx_size);
        t.p.dw = dw, t.p.dx = NULL;
        t.mode->backward(&t.p);
        cr_assert_arr_eq(dw, kept_dw, dw_size);
        free(kept_dx), free(kept_dw);
        end(&t);
    }
}

Test(mode_convolution, evaluation_does_not_depend_on_the_batch)
{
    for (size_t mode = 0; mode < 3; mode++)
        for (size_t k = 0; k < SHAPES; k++) {
            struct layer_test t;
            begin_shape(&t, make_settings(modes[mode], "budget=4", NULL), shapes[k], false, 6, 4, 4, k % 2 == 0);
            size_t size = out_size(&shapes[k]);
            t.mode->forward(&t.p); /* one training batch sets the running range */
            t.p.evaluating = true, t.p.observing = false, t.p.weights_ready = true;
            t.mode->forward(&t.p);
            float *whole = xmalloc(6 * size * sizeof *whole);
            memcpy(whole, t.p.y, 6 * size * sizeof *whole);
            t.p.samples = 1, t.p.m = out_positions(&shapes[k]);
            for (size_t s = 0; s < 6; s++) {
                t.p.x = t.x + s * in_size(&shapes[k]);
                t.mode->forward(&t.p);
                cr_assert_arr_eq(t.p.y, whole + s * size, size * sizeof *whole, "%s sample %zu", modes[mode], s);
            }
            free(whole);
            end(&t);
        }
}

Test(mode_convolution, counts)
{
    for (size_t k = 0; k < 10; k += 8) { /* 3×3, and depthwise */
        struct layer_test t;
        struct product_counts counts = {0};
        begin_shape(&t, make_settings("mode=fqt", "budget=2", "grad_bits=8", "acc_bits=4", "acc_tile=32", NULL), shapes[k],
                    false, 3, 3, 2, true);
        t.p.counts = &counts;
        t.mode->forward(&t.p);
        t.mode->backward(&t.p);
        size_t m = t.p.m, n = t.p.n, c = shapes[k].in_c, tiles = (t.p.k + 31) / 32;
        size_t depth = shapes[k].depthwise ? 9 : 9 * n;
        cr_assert_eq(counts.partial_sums[0], m * n * tiles);
        cr_assert_eq(counts.partial_sums[1], m * c * ((depth + 31) / 32)); /* as many input as output positions */
        cr_assert_eq(counts.partial_sums[2], 3 * n * t.p.k * 2); /* 64 positions */
        cr_assert(counts.saturated[0] > 0 && counts.saturated[1] > 0 && counts.saturated[2] > 0);
        cr_assert_eq(counts.gradients, m * n);
        cr_assert(counts.zero_gradients > 0 && counts.zero_gradients < counts.gradients / 4);
        for (int code = 0; code < 256; code++) {
            cr_assert_eq(counts.input_codes[code], code <= 3, "input code %d", code);
            bool valid = code <= 3 || code >= 253;
            cr_assert(k == 0 ? counts.weight_codes[code] == valid : valid || !counts.weight_codes[code], "weight code %d",
                      code);
        }
        end(&t);
    }
}

Test(mode_convolution, published_ablation_shrinks_gradients)
{
    struct layer_test tests[2];
    double sums[2] = {0};
    for (int i = 0; i < 2; i++) {
        begin_shape(&tests[i],
                    make_settings("mode=fqt", "budget=8", "grad_bits=8", "acc_bits=32",
                                  i ? "published_ablation=true" : "published_ablation=false", NULL),
                    shapes[0], false, 4, 8, 8, true);
        tests[i].mode->forward(&tests[i].p);
        tests[i].mode->backward(&tests[i].p);
        for (size_t j = 0; j < tests[i].p.n * row_stride(tests[i].p.k); j++)
            sums[i] += fabs(tests[i].p.dw[j]);
        end(&tests[i]);
    }
    cr_assert(fabs(sums[0] / sums[1] - 64) < 2, "divided by the block of 64 positions: %g", sums[0] / sums[1]);
}

Test(mode_convolution, costs_of_the_way_back)
{
    struct layer_test plain, transformed;
    begin_shape(&plain, make_settings("mode=fqt", "budget=4", "grad_bits=4", NULL), shapes[0], false, 4, 4, 4, true);
    begin_shape(&transformed, make_settings("mode=hfqt", "budget=4", "grad_bits=4", NULL), shapes[0], false, 4, 4, 4, true);
    double macs = 64.0 * 16 * 72, g = 64 * 16, x = 64 * 72, w = 16 * 72 / 4.0; /* x: unfolded; w: once a batch of 4 */
    double additions = g * (4 + 6) * 32 + x * 6 * (5 + 6) + w * 4 * (3 + 4),
           requantised = 32 * (2 * g * 32 + x * (5 + 6) + w * (3 + 4));
    expect_near(plain.mode->backward_bops(&plain.p, 3, 5, 4), macs * 4 * (3 + 5));
    expect_near(transformed.mode->backward_bops(&transformed.p, 3, 5, 4), macs * 4 * (3 + 5) + additions + requantised);
    end(&plain);
    end(&transformed);
}
