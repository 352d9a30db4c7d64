/* SPDX-License-Identifier: GPL-3.0-or-later
 * The three products of every mode against METHODS' formulas written out naively: float32 quantisation, 64-bit sums. */
#include "mode_support.h"
#include "../methods/modes/operands.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Σ_k a[i,k] b[j,k] with element strides, in tiles of limited partial sums; bits 0: no limit. */
static double naive_dot(const double *a, size_t a_step, const double *b, size_t b_step, size_t depth, int bits, size_t tile,
                        bool wrap, bool at_add)
{
    double total = 0, partial = 0;
    for (size_t k = 0; k < depth; k++) {
        partial += a[k * a_step] * b[k * b_step];
        if (bits && at_add)
            partial = naive_limit(partial, bits, wrap);
        if (k + 1 == depth || (tile && (k + 1) % tile == 0)) {
            total += bits ? naive_limit(partial, bits, wrap) : partial;
            partial = 0;
        }
    }
    return total;
}

static void expect_close(const float *ours, size_t rows, size_t cols, const double *expected, const char *what)
{
    double largest = 0;
    for (size_t i = 0; i < rows * cols; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            cr_assert(fabs(ours[i * row_stride(cols) + j] - expected[i * cols + j]) <= 1e-6 * largest + 1e-12,
                      "%s[%zu,%zu]: %g instead of %g", what, i, j, ours[i * row_stride(cols) + j], expected[i * cols + j]);
}

struct limits { int forward, input_gradient, weight_gradient; size_t tile, backward_tile; bool wrap, at_add; };

static double *naive_product(const struct naive *a, size_t a_row, size_t a_step, size_t rows, const struct naive *b,
                             size_t b_row, size_t b_step, size_t cols, size_t depth, int bits, size_t tile,
                             const struct limits *limits, double factor)
{
    double *out = xmalloc(rows * cols * sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[i * cols + j] = factor * a->scale * b->scale
                                * naive_dot(a->q + i * a_row, a_step, b->q + j * b_row, b_step, depth, bits, tile,
                                            limits->wrap, limits->at_add);
    return out;
}

/* fqt with rounding to nearest, all three products. */
static void check_fqt(struct layer_test *t, int grad_bits, const struct limits *limits)
{
    size_t m = t->p.m, n = t->p.n, k = t->p.k;
    struct naive x = naive_quantise(t->x, m, k, row_stride(k), t->x_range.bits, 0.975f, false);
    struct naive w = naive_quantise(t->w, n, k, row_stride(k), t->w_range.bits, 0.975f, false);
    struct naive g = naive_quantise(t->g, m, n, row_stride(n), grad_bits, 0.975f, true);
    t->mode->forward(&t->p);
    t->mode->backward(&t->p);
    double *y = naive_product(&x, k, 1, m, &w, k, 1, n, k, limits->forward, limits->tile, limits, 1);
    for (size_t i = 0; i < m * n; i++)
        y[i] += t->bias[i % n];
    double *dx = naive_product(&g, n, 1, m, &w, 1, k, k, n, limits->input_gradient, limits->backward_tile, limits, 1);
    double *dw = naive_product(&g, 1, n, n, &x, 1, k, k, m, limits->weight_gradient, limits->backward_tile, limits, 1);
    expect_close(t->p.y, m, n, y, "y");
    expect_close(t->p.dx, m, k, dx, "dx");
    expect_close(t->p.dw, n, k, dw, "dw");
    free(y), free(dx), free(dw), free(x.q), free(w.q), free(g.q);
}

Test(modes, fqt_products_follow_every_accumulator_option)
{
    static const struct { const char *bits, *tile, *overflow, *at, *backward; struct limits limits; } rows[] = {
        {"32", "32", "saturate", "tile", "tile", {0}},
        {"8", "32", "saturate", "tile", "tile", {8, 8, 8, 32, 32, false, false}},
        {"6", "16", "wrap", "tile", "tile", {6, 6, 6, 16, 16, true, false}},
        {"8", "8", "saturate", "add", "tile", {8, 8, 8, 8, 8, false, true}},
        {"10", "32", "saturate", "tile", "whole", {10, 10, 10, 32, 0, false, false}},
        {"8", "32", "saturate", "tile", "off", {8, 0, 0, 32, 0, false, false}},
        {"auto", "32", "saturate", "tile", "tile", {9, 8, 9, 32, 32, false, false}}, /* 4+5, max(8, 4+4), 4+5 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int positive = 0; positive < 2; positive++) {
            char *texts[5] = {format_text("acc_bits=%s", rows[i].bits), format_text("acc_tile=%s", rows[i].tile),
                              format_text("acc_overflow=%s", rows[i].overflow), format_text("acc_at=%s", rows[i].at),
                              format_text("acc_backward=%s", rows[i].backward)};
            struct layer_test t;
            begin(&t,
                  make_settings("mode=fqt", "budget=4", "grad_rounding=nearest", "grad_bits=4", texts[0], texts[1], texts[2],
                                texts[3], texts[4], NULL),
                  70, 21, 37, 4, 5, positive);
            check_fqt(&t, 4, &rows[i].limits);
            end(&t);
            for (int k = 0; k < 5; k++)
                free(texts[k]);
        }
}

Test(modes, fqt_works_at_every_width)
{
    for (int bits = 2; bits <= 8; bits++) {
        char *grad = format_text("grad_bits=%d", bits);
        struct layer_test t;
        begin(&t, make_settings("mode=fqt", "budget=4", "grad_rounding=nearest", "acc_bits=32", grad, NULL), 19, 10, 33,
              (float)bits, (float)(10 - bits), true);
        check_fqt(&t, bits, &(struct limits){0});
        end(&t);
        free(grad);
    }
}

static double *dense(const float *x, size_t rows, size_t cols, size_t padded_rows, bool transpose)
{
    double *out = xcalloc(padded_rows * (transpose ? rows : cols), sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[transpose ? j * rows + i : i * cols + j] = x[i * row_stride(cols) + j];
    return out;
}

/* Transforms down `rows`, then quantises (to nearest) in float32. */
static struct naive transform_and_quantise(double *x, size_t rows, size_t cols, size_t block, double bits, float quantile)
{
    double *h = naive_transform(x, rows, cols, block);
    float *single = xmalloc(rows * cols * sizeof *single);
    for (size_t i = 0; i < rows * cols; i++)
        single[i] = (float)h[i];
    struct naive n = naive_quantise(single, rows, cols, cols, bits, quantile, true);
    free(h), free(single), free(x);
    return n;
}

/* The share of results that a different order of float additions, and so another rounding of a tie, may change. */
static void expect_mostly_close(const float *ours, size_t rows, size_t cols, const double *expected, double step,
                                const char *what)
{
    double largest = 0;
    size_t off = 0;
    for (size_t i = 0; i < rows * cols; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            double difference = fabs(ours[i * row_stride(cols) + j] - expected[i * cols + j]);
            off += difference > 1e-5 * largest;
            cr_assert(difference <= 1e-5 * largest + step, "%s[%zu,%zu] is off by %g", what, i, j, difference);
        }
    cr_assert(off * 50 <= rows * cols, "%s: %zu of %zu differ", what, off, rows * cols);
}

static void check_hfqt(const char *cap_text, const char *pad_text, bool at_gradient_width, size_t m, size_t n, size_t k,
                       size_t block_n, size_t padded_n, size_t block_m, size_t padded_m)
{
    struct layer_test t;
    begin(&t,
          make_settings("mode=hfqt", "budget=4", "grad_rounding=nearest", "grad_bits=5", "acc_bits=32", cap_text, pad_text,
                        at_gradient_width ? "requant_bits=grad" : "requant_bits=forward", NULL),
          m, n, k, 4, 6, true);
    t.mode->forward(&t.p);
    t.mode->backward(&t.p);
    struct naive x = naive_quantise(t.x, m, k, row_stride(k), 6, 0.975f, false);
    struct naive w = naive_quantise(t.w, n, k, row_stride(k), 4, 0.975f, false);
    double *padded_x = xcalloc(padded_m * k, sizeof *padded_x), *padded_w = xcalloc(padded_n * k, sizeof *padded_w);
    memcpy(padded_x, x.q, m * k * sizeof *padded_x);
    memcpy(padded_w, w.q, n * k * sizeof *padded_w);
    struct naive x_hat = transform_and_quantise(padded_x, padded_m, k, block_m, at_gradient_width ? 5 : 6, 1);
    struct naive w_hat = transform_and_quantise(padded_w, padded_n, k, block_n, at_gradient_width ? 5 : 4, 1);
    struct naive g_rows = transform_and_quantise(dense(t.g, m, n, padded_n, true), padded_n, m, block_n, 5, 0.975f);
    struct naive g_columns = transform_and_quantise(dense(t.g, m, n, padded_m, false), padded_m, n, block_m, 5, 0.975f);
    struct limits none = {0};
    double *dx = naive_product(&g_rows, 1, m, m, &w_hat, 1, k, k, padded_n, 0, 0, &none, w.scale / (double)block_n);
    double *dw = naive_product(&g_columns, 1, n, n, &x_hat, 1, k, k, padded_m, 0, 0, &none, x.scale / (double)block_m);
    expect_mostly_close(t.p.dx, m, k, dx, g_rows.scale * w_hat.scale * w.scale / (double)block_n * 64, "dx");
    expect_mostly_close(t.p.dw, n, k, dw, g_columns.scale * x_hat.scale * x.scale / (double)block_m * 64, "dw");
    free(dx), free(dw), free(x.q), free(w.q), free(x_hat.q), free(w_hat.q), free(g_rows.q), free(g_columns.q);
    end(&t);
}

Test(modes, hfqt_products_are_the_transformed_ones)
{
    check_hfqt("hadamard_block=largest", "hadamard_pad=false", false, 32, 12, 17, 4, 12, 32, 32);
    check_hfqt("hadamard_block=16", "hadamard_pad=false", false, 32, 48, 20, 16, 48, 16, 32);
    check_hfqt("hadamard_block=16", "hadamard_pad=true", false, 30, 10, 20, 16, 16, 16, 32);
    check_hfqt("hadamard_block=largest", "hadamard_pad=true", false, 30, 10, 20, 16, 16, 32, 32);
    check_hfqt("hadamard_block=largest", "hadamard_pad=false", false, 31, 11, 20, 1, 11, 1, 31);
    check_hfqt("hadamard_block=largest", "hadamard_pad=false", true, 32, 12, 17, 4, 12, 32, 32);
}

/* The mean over many steps of a stochastic mode's dX and dW must be the product of what is not rounded stochastically. */
static void check_unbiased(struct settings settings)
{
    enum { M = 16, N = 8, K = 12, STEPS = 4000 };
    struct layer_test t;
    begin(&t, settings, M, N, K, 4, 4, true);
    bool hfqt = setting_is(&t.settings, "mode", "hfqt");
    struct naive x = naive_quantise(t.x, M, K, row_stride(K), 4, 0.975f, false);
    struct naive w = naive_quantise(t.w, N, K, row_stride(K), 4, 0.975f, false);
    double w_effective[N * K];
    memcpy(w_effective, w.q, sizeof w_effective);
    if (hfqt) { /* the weights are re-quantised to nearest in the transformed domain */
        double *copy = xmalloc(sizeof w_effective);
        memcpy(copy, w.q, sizeof w_effective);
        struct naive w_hat = transform_and_quantise(copy, N, K, N, 4, 1);
        double *back = naive_transform(w_hat.q, N, K, N);
        for (int i = 0; i < N * K; i++)
            w_effective[i] = back[i] * w_hat.scale / N;
        free(back), free(w_hat.q);
    }
    double dx[M * K] = {0}, dx2[M * K] = {0}, dw[N * K] = {0}, dw2[N * K] = {0};
    t.mode->forward(&t.p);
    for (t.p.step = 0; t.p.step < STEPS; t.p.step++) {
        t.mode->backward(&t.p);
        for (int i = 0; i < M * K; i++) {
            double v = t.p.dx[i / K * (int)row_stride(K) + i % K];
            dx[i] += v, dx2[i] += v * v;
        }
        for (int i = 0; i < N * K; i++) {
            double v = t.p.dw[i / K * (int)row_stride(K) + i % K];
            dw[i] += v, dw2[i] += v * v;
        }
    }
    for (int i = 0; i < M * K; i++) {
        double expected = 0, mean = dx[i] / STEPS, deviation = sqrt(fmax(dx2[i] / STEPS - mean * mean, 0) / STEPS);
        for (int j = 0; j < N; j++)
            expected += t.g[i / K * (int)row_stride(N) + j] * w_effective[j * K + i % K] * w.scale;
        cr_assert(fabs(mean - expected) < 5.5 * deviation + 1e-5, "dx[%d]: %g, expected %g ± %g", i, mean, expected,
                  deviation);
    }
    for (int i = 0; i < N * K; i++) {
        double expected = 0, mean = dw[i] / STEPS, deviation = sqrt(fmax(dw2[i] / STEPS - mean * mean, 0) / STEPS);
        for (int j = 0; j < M; j++)
            expected += t.g[j * (int)row_stride(N) + i / K] * x.q[j * K + i % K] * x.scale;
        cr_assert(fabs(mean - expected) < 5.5 * deviation + 1e-5, "dw[%d]: %g, expected %g ± %g", i, mean, expected,
                  deviation);
    }
    free(x.q), free(w.q);
    end(&t);
}

Test(modes, stochastic_gradients_are_unbiased)
{
    check_unbiased(make_settings("mode=fqt", "budget=4", "grad_bits=3", "acc_bits=32", NULL));
    check_unbiased(make_settings("mode=fqt", "budget=4", "grad_bits=3", "acc_bits=32", "grad_scale=sample", NULL));
    check_unbiased(make_settings("mode=hfqt", "budget=4", "grad_bits=3", "acc_bits=32", NULL));
    check_unbiased(make_settings("mode=hfqt", "budget=4", "grad_bits=3", "acc_bits=32", "grad_scale=sample", NULL));
}

/* With a scale a sample, equal rows of G become different codes. */
Test(modes, rows_draw_their_own)
{
    for (int hfqt = 0; hfqt < 2; hfqt++) {
        struct layer_test t;
        begin(&t, make_settings(hfqt ? "mode=hfqt" : "mode=fqt", "budget=4", "grad_scale=sample", NULL), 2, 16, 40, 4, 4,
              true);
        memcpy(t.g + row_stride(16), t.g, row_stride(16) * sizeof *t.g);
        t.mode->forward(&t.p);
        t.mode->backward(&t.p);
        cr_assert_arr_neq(t.p.dx, t.p.dx + row_stride(40), 40 * sizeof *t.p.dx);
        end(&t);
    }
}

Test(modes, random_signs_cancel)
{
    /* 8-bit operands: with and without signs the products agree to the quantisation noise. */
    struct layer_test plain, flipped;
    begin(&plain, make_settings("mode=hfqt", "budget=8", "grad_bits=8", "acc_bits=32", "grad_rounding=nearest", NULL), 32,
          16, 20, 8, 8, true);
    begin(&flipped,
          make_settings("mode=hfqt", "budget=8", "grad_bits=8", "acc_bits=32", "grad_rounding=nearest",
                        "hadamard_signs=true", NULL),
          32, 16, 20, 8, 8, true);
    struct layer_test *tests[] = {&plain, &flipped};
    for (int i = 0; i < 2; i++) {
        tests[i]->mode->forward(&tests[i]->p);
        tests[i]->mode->backward(&tests[i]->p);
    }
    double difference = 0, norm = 0;
    bool equal = true;
    for (size_t i = 0; i < 16 * row_stride(20); i++) {
        difference += pow(plain.p.dw[i] - flipped.p.dw[i], 2);
        norm += pow(plain.p.dw[i], 2);
        equal &= plain.p.dw[i] == flipped.p.dw[i];
    }
    cr_assert(!equal && difference < 1e-3 * norm, "relative difference %g", difference / norm);
    end(&plain);
    end(&flipped);
}

Test(modes, evaluation_does_not_depend_on_the_batch)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt", "mode=luq"};
    for (int i = 0; i < 4; i++) {
        struct layer_test t;
        begin(&t, make_settings(modes[i], "budget=4", NULL), 24, 9, 40, 4, 4, false);
        t.mode->forward(&t.p); /* one training batch sets the running range */
        t.p.evaluating = true, t.p.observing = false, t.p.weights_ready = true;
        t.mode->forward(&t.p);
        float *whole = xmalloc(24 * row_stride(9) * sizeof *whole);
        memcpy(whole, t.p.y, 24 * row_stride(9) * sizeof *whole);
        t.p.samples = t.p.m = 1;
        for (size_t row = 0; row < 24; row++) {
            t.p.x = t.x + row * row_stride(40);
            t.mode->forward(&t.p);
            for (size_t j = 0; j < 9; j++)
                cr_assert(fabs(t.p.y[j] - whole[row * row_stride(9) + j]) <= 1e-5 * fabs(t.p.y[j]) + 1e-6, "%s row %zu",
                          modes[i], row);
        }
        free(whole);
        end(&t);
    }
}

Test(modes, batch_range_at_evaluation_does_depend_on_it)
{
    struct layer_test t;
    begin(&t, make_settings("mode=fqt", "budget=3", "act_range=batch", NULL), 24, 9, 40, 3, 3, false);
    t.mode->forward(&t.p);
    t.p.evaluating = true, t.p.observing = false;
    float before = t.x_range.scale;
    t.p.samples = t.p.m = 1;
    t.mode->forward(&t.p);
    cr_assert_neq(t.x_range.scale, before);
    end(&t);
}

Test(modes, running_range_is_the_bias_corrected_average)
{
    struct layer_test t;
    begin(&t, make_settings("mode=fqt", "budget=4", NULL), 8, 4, 16, 4, 4, false);
    double average = 0, weight = 0;
    for (int step = 0; step < 5; step++) {
        for (size_t i = 0; i < 8 * row_stride(16); i++)
            t.x[i] *= 1.25f;
        t.mode->forward(&t.p);
        double largest = 0;
        for (size_t i = 0; i < 8 * row_stride(16); i++)
            largest = fmax(largest, fabs(t.x[i]));
        average = 0.99 * average + 0.01 * 0.975 * largest;
        weight = 0.99 * weight + 0.01;
    }
    t.p.evaluating = true, t.p.observing = false;
    t.mode->forward(&t.p);
    cr_assert(fabs(t.x_range.limit - average / weight) < 1e-5 * average / weight);
    end(&t);
}

static struct product_counts counted_saturations(const char *acc_at)
{
    struct layer_test t;
    struct product_counts counts = {0};
    begin(&t, make_settings("mode=fqt", "budget=8", "grad_bits=8", "acc_bits=8", "acc_tile=32", acc_at, NULL), 16, 8, 70, 8, 8,
          true);
    t.p.counts = &counts;
    t.mode->forward(&t.p);
    t.mode->backward(&t.p);
    cr_assert(counts.saturated[0] > 0);
    for (int which = 0; which < 3; which++)
        cr_assert_leq(counts.saturated[which], counts.partial_sums[which]);
    cr_assert_eq(counts.gradients, 16 * 8);
    end(&t);
    return counts;
}

Test(modes, saturations_are_counted)
{
    struct product_counts tiles = counted_saturations("acc_at=tile"), additions = counted_saturations("acc_at=add");
    cr_assert_eq(tiles.partial_sums[0], 16 * 8 * 3); /* 70 = 32 + 32 + 6 */
    cr_assert_eq(tiles.partial_sums[1], 16 * 70 * 1);
    cr_assert_eq(tiles.partial_sums[2], 8 * 70 * 1);
    cr_assert(tiles.saturated[0] > tiles.partial_sums[0] / 2, "8-bit products do not fit 8-bit sums");
    cr_assert_eq(additions.partial_sums[0], 16 * 8 * 70);
    cr_assert_eq(additions.partial_sums[1], 16 * 70 * 8);
    cr_assert_eq(additions.partial_sums[2], 8 * 70 * 16);
}

/* auto: never below 8 bits, and luq's 4 bits are codes of 8. */
Test(modes, automatic_accumulators_hold_a_product)
{
    static const struct { const char *mode, *budget; float bits; size_t n, k; } rows[] = {
        {"mode=fqt", "budget=2", 2, 8, 32}, {"mode=luq", "budget=8", 8, 1, 1}};
    for (int i = 0; i < 2; i++) {
        struct layer_test t;
        struct product_counts counts = {0};
        begin(&t, make_settings(rows[i].mode, rows[i].budget, NULL), 16, rows[i].n, rows[i].k, rows[i].bits, rows[i].bits,
              true);
        t.w[0] = -1; /* W is signed */
        t.p.counts = &counts;
        t.mode->forward(&t.p);
        t.mode->backward(&t.p);
        cr_assert(counts.partial_sums[1] > 0 && counts.saturated[0] + counts.saturated[1] == 0, "%s", rows[i].mode);
        end(&t);
    }
}

Test(modes, sums_beyond_32_bits_are_a_fault, .exit_code = 1)
{
    multiply_depthwise_gradient(NULL, &(struct int_depthwise_gradient){.m = 70000, .acc.bits = 32}, 255, 127);
}

/* Kept weights serve inputs of another signedness or width as new ones do. */
Test(modes, kept_weights_serve_any_inputs)
{
    static const struct geometry shapes[] = {
        {1, 1, 70, 1, 1, 9, 1, 1, 1, 0, 0, false},
        {6, 6, 8, 6, 6, 9, 3, 3, 1, 1, 1, false},
        {6, 6, 9, 6, 6, 9, 3, 3, 1, 1, 1, true},
    };
    for (int i = 0; i < 3; i++) {
        struct layer_test kept, fresh;
        begin_shape(&kept, make_settings("mode=fqt", "budget=4", NULL), shapes[i], i == 0, 4, 4, 4, true);
        begin_shape(&fresh, make_settings("mode=fqt", "budget=4", NULL), shapes[i], i == 0, 4, 4, 4, true);
        kept.mode->forward(&kept.p);
        kept.p.weights_ready = true;
        for (int change = 0; change < 2; change++) {
            if (change == 0)
                kept.x[0] = fresh.x[0] = -1;
            else
                kept.x_range.bits = fresh.x_range.bits = 6;
            kept.mode->forward(&kept.p);
            fresh.mode->forward(&fresh.p);
            cr_assert_arr_eq(kept.p.y, fresh.p.y, kept.p.m * row_stride(9) * sizeof *kept.p.y, "shape %d, change %d", i,
                             change);
        }
        end(&kept);
        end(&fresh);
    }
}

Test(modes, published_ablation_shrinks_gradients)
{
    struct layer_test plain, published;
    begin(&plain, make_settings("mode=fqt", "budget=8", "grad_bits=8", "acc_bits=32", NULL), 32, 16, 20, 8, 8, true);
    begin(&published, make_settings("mode=fqt", "budget=8", "grad_bits=8", "acc_bits=32", "published_ablation=true", NULL),
          32, 16, 20, 8, 8, true);
    plain.mode->forward(&plain.p), plain.mode->backward(&plain.p);
    published.mode->forward(&published.p), published.mode->backward(&published.p);
    double a = 0, b = 0;
    for (size_t i = 0; i < 16 * row_stride(20); i++)
        a += fabs(plain.p.dw[i]), b += fabs(published.p.dw[i]);
    cr_assert(fabs(a / b - 32) < 1, "divided by the block of 32 samples: %g", a / b);
    end(&plain);
    end(&published);
}

Test(modes, straight_through_options)
{
    static const struct { const char *ste; int kept; } rows[] = {{"ste=pass", 4}, {"ste=clip", 3}, {"ste=published", 2}};
    for (int i = 0; i < 6; i++) {
        struct settings s = make_settings("mode=fqt", "budget=3", rows[i % 3].ste, NULL);
        const struct quantiser_ops *max = (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, "max");
        struct range range = {.bits = 3};
        float x[4] = {1, i < 3 ? -2 : 2, 9, 10}, grad[4] = {1, 1, 1, 1}; /* limit 9.75; 2^(3-1)-1 = 3, signed or not */
        max->fit(&range, x, 4, 4);
        max->backward(&range, &s, x, grad, 4);
        cr_assert_eq((int)(grad[0] + grad[1] + grad[2] + grad[3]), rows[i % 3].kept, "%s", rows[i % 3].ste);
        settings_free(&s);
    }
}
