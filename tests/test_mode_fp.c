/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode fp's three products against the definition of a convolution in double precision: plain and quantised, every output
 * alone, and the same bits for any number of threads. */
#include "definition.h"
#include "../bench/parallel.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct mode_ops mode_fp;
extern const struct quantiser_ops quantiser_max;

struct layer_test {
    struct arena arena;
    struct geometry g;
    struct product p;
    struct range x_range, w_range;
    size_t x_size, w_size, y_size; /* of all samples */
    float *x, *w, *bias, *gradient, *scratch;
};

static float *random_matrix(size_t rows, size_t cols, uint64_t stream, bool positive)
{
    float *x = xcalloc(rows * row_stride(cols), sizeof *x);
    uint64_t key = rng_key(17, STREAM_DATA, stream, 0);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float v = (float)rng_normal(key, i * cols + j);
            x[i * row_stride(cols) + j] = positive ? fmaxf(v, 0) : v;
        }
    return x;
}

/* bits 0: nothing is quantised. Memory has exactly the sizes that are asked for. */
static void begin(struct layer_test *t, const struct geometry *g, bool dense, size_t samples, float bits, bool positive)
{
    *t = (struct layer_test){.g = *g, .x_size = samples * in_size(g), .y_size = samples * out_size(g),
                             .w_size = g->out_c * row_stride(kernel_inputs(g))};
    t->x = random_matrix(samples * in_positions(g), g->in_c, 1, positive);
    t->w = random_matrix(g->out_c, kernel_inputs(g), 2, false);
    t->gradient = random_matrix(samples * out_positions(g), g->out_c, 3, false);
    t->bias = random_matrix(1, g->out_c, 4, false);
    t->x_range = (struct range){.kind = TENSOR_ACTIVATION, .bits = bits, .elements = in_positions(g) * g->in_c};
    t->w_range = (struct range){.kind = TENSOR_WEIGHT, .bits = bits, .elements = g->out_c * kernel_inputs(g)};
    t->p = (struct product){
        .shape = &t->g, .dense = dense, .samples = samples, .samples_max = samples + 3, .m = samples * out_positions(g),
        .n = g->out_c, .k = kernel_inputs(g), .x = t->x, .w = t->w, .bias = t->bias, .g = t->gradient,
        .x_range = &t->x_range, .w_range = &t->w_range, .quantiser = bits > 0 ? &quantiser_max : NULL,
    };
    t->p.y = xcalloc(t->y_size, sizeof *t->p.y);
    t->p.dx = xcalloc(t->x_size, sizeof *t->p.dx);
    t->p.dw = xcalloc(t->w_size, sizeof *t->p.dw);
    t->p.state = mode_fp.prepare(NULL, &t->p, &t->arena);
    t->p.scratch_step = (mode_fp.scratch_size(&t->p) + 63) / 64 * 64;
    size_t size = parallel_threads() * t->p.scratch_step;
    t->p.scratch = memset(aligned_alloc(64, size ? size : 64), 0x5a, size);
}

static void end(struct layer_test *t)
{
    free(t->x), free(t->w), free(t->gradient), free(t->bias);
    free(t->p.y), free(t->p.dx), free(t->p.dw), free(t->p.scratch);
    arena_free(&t->arena);
}

/* ---- what it should be ---- */

static double *values_used(const float *x, size_t size, const struct range *range)
{
    double *values = xcalloc(size, sizeof *values);
    for (size_t i = 0; i < size; i++) {
        values[i] = (double)x[i];
        if (range->bits > 0)
            values[i] = fmin(fmax((double)nearbyintf(x[i] / range->scale), range->lo), range->hi) * (double)range->scale;
    }
    return values;
}

static void expect_equal(const float *found, const double *expected, size_t rows, size_t cols, const char *what,
                         size_t index)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < row_stride(cols); j++) {
            size_t at = i * row_stride(cols) + j;
            double slack = j < cols ? 1e-4 * (1 + fabs(expected[at])) : 0; /* the padding is zero */
            cr_assert(fabs((double)found[at] - expected[at]) <= slack,
                      "%s of geometry %zu, row %zu, column %zu: %g, not %g", what, index, i, j, (double)found[at],
                      expected[at]);
        }
}

static void expect_products(struct layer_test *t, size_t index)
{
    const struct geometry *g = &t->g;
    mode_fp.forward(&t->p);
    mode_fp.backward(&t->p);
    double *x = values_used(t->x, t->x_size, &t->x_range), *w = values_used(t->w, t->w_size, &t->w_range);
    double *gradient = values_used(t->gradient, t->y_size, &(struct range){.bits = 0});
    double *y = xcalloc(t->y_size, sizeof *y), *dx = xcalloc(t->x_size, sizeof *dx), *dw = xcalloc(t->w_size, sizeof *dw);
    for (size_t i = 0; i < t->p.samples; i++)
        naive_products(g, x + i * in_size(g), w, gradient + i * out_size(g), y + i * out_size(g), dx + i * in_size(g), dw);
    for (size_t i = 0; t->p.bias && i < t->p.m; i++)
        for (size_t n = 0; n < g->out_c; n++)
            y[i * row_stride(g->out_c) + n] += (double)t->bias[n];
    expect_equal(t->p.y, y, t->p.m, g->out_c, "y", index);
    expect_equal(t->p.dx, dx, t->p.samples * in_positions(g), g->in_c, "dx", index);
    expect_equal(t->p.dw, dw, g->out_c, kernel_inputs(g), "dw", index);
    free(x), free(w), free(gradient), free(y), free(dx), free(dw);
}

static void try_geometries(size_t samples, float bits)
{
    struct geometry g;
    for (size_t index = 0; geometry_to_try(index, &g); index++) {
        struct layer_test t;
        begin(&t, &g, false, samples, bits, index % 2);
        if (index % 3 == 0)
            t.p.bias = NULL;
        expect_products(&t, index);
        cr_assert(bits == 0 || t.x_range.is_signed == (index % 2 == 0));
        end(&t);
    }
}

Test(mode_fp, convolutions) { try_geometries(3, 0); }
Test(mode_fp, more_samples_than_chunks) { try_geometries(11, 0); }
Test(mode_fp, quantised_convolutions) { try_geometries(3, 4); }

static void try_dense(float bits)
{
    static const size_t sizes[][2] = {{10, 7}, {784, 512}, {130, 1000}, {1, 1}};
    for (size_t i = 0; i < 4; i++)
        for (size_t samples = 1; samples <= 33; samples += 16) {
            struct geometry g = test_geometry(1, 1, sizes[i][0], sizes[i][1], 1, 1, 1, 0, 0, false);
            struct layer_test t;
            begin(&t, &g, true, samples, bits, samples == 1);
            if (i == 0)
                t.p.bias = NULL;
            expect_products(&t, i);
            end(&t);
        }
}

Test(mode_fp, dense) { try_dense(0); }
Test(mode_fp, quantised_dense) { try_dense(5); }

/* ---- how it is called ---- */

Test(mode_fp, one_gradient_at_a_time)
{
    for (int dense = 0; dense <= 1; dense++) {
        struct geometry g = dense ? test_geometry(1, 1, 40, 24, 1, 1, 1, 0, 0, false)
                                  : test_geometry(6, 6, 8, 12, 3, 3, 2, 1, 1, false);
        struct layer_test both, single;
        begin(&both, &g, dense, 4, 0, false);
        begin(&single, &g, dense, 4, 0, false);
        float *dx = single.p.dx, *dw = single.p.dw;
        mode_fp.forward(&both.p);
        mode_fp.backward(&both.p);
        mode_fp.forward(&single.p);
        single.p.dx = NULL;
        mode_fp.backward(&single.p);
        single.p.dx = dx, single.p.dw = NULL;
        mode_fp.backward(&single.p);
        single.p.dw = dw;
        cr_assert(memcmp(dx, both.p.dx, both.x_size * sizeof *dx) == 0);
        cr_assert(memcmp(dw, both.p.dw, both.w_size * sizeof *dw) == 0);
        end(&both);
        end(&single);
    }
}

/* Between weight updates a convolution keeps the weights as the products take them. */
Test(mode_fp, weights_are_kept_until_they_change)
{
    for (int bits = 0; bits <= 4; bits += 4) {
        struct geometry g = test_geometry(6, 6, 8, 12, 3, 3, 1, 1, 1, false);
        struct layer_test t;
        begin(&t, &g, false, 4, (float)bits, false);
        float *first = xmalloc(t.y_size * sizeof *first);
        mode_fp.forward(&t.p);
        memcpy(first, t.p.y, t.y_size * sizeof *first);
        memset(t.w, 0, t.w_size * sizeof *t.w);
        t.p.bias = NULL;
        t.p.weights_ready = true;
        mode_fp.forward(&t.p);
        cr_assert(t.p.y[0] + t.bias[0] == first[0]);
        t.p.weights_ready = false;
        mode_fp.forward(&t.p);
        cr_assert(t.p.y[0] == 0);
        free(first);
        end(&t);
    }
}

Test(mode_fp, threads_change_nothing)
{
    struct geometry g;
    for (size_t index = 0; geometry_to_try(index, &g); index += 5)
        for (float bits = 0; bits <= 4; bits += 4) {
            struct layer_test one, three;
            begin(&one, &g, false, 21, bits, false);
            mode_fp.forward(&one.p);
            mode_fp.backward(&one.p);
            parallel_use(3);
            begin(&three, &g, false, 21, bits, false);
            mode_fp.forward(&three.p);
            mode_fp.backward(&three.p);
            parallel_use(1);
            cr_assert(memcmp(one.p.y, three.p.y, one.y_size * sizeof(float)) == 0, "y of geometry %zu", index);
            cr_assert(memcmp(one.p.dx, three.p.dx, one.x_size * sizeof(float)) == 0, "dx of geometry %zu", index);
            cr_assert(memcmp(one.p.dw, three.p.dw, one.w_size * sizeof(float)) == 0, "dw of geometry %zu", index);
            end(&one);
            end(&three);
        }
}

Test(mode_fp, cost_of_backward)
{
    struct geometry g = test_geometry(8, 8, 16, 32, 3, 3, 1, 1, 1, false);
    struct layer_test t;
    begin(&t, &g, false, 2, 0, false);
    cr_assert(mode_fp.backward_bops(&t.p, 4, 4, 4) == 2.0 * 64 * 32 * 144 * 1024);
    end(&t);
}
