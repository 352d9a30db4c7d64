/* SPDX-License-Identifier: GPL-3.0-or-later
 * The quantiser dorefa by hand and against finite differences; mode fp with quantisers that give values; real widths of the
 * others. */
#include "support.h"
#include "definition.h"
#include "../bench/kernels/kernels.h"
#include "../bench/parallel.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct mode_ops mode_fp;
extern const struct quantiser_ops quantiser_max, quantiser_lsq, quantiser_dorefa;

#define COUNT 64

static void draw(float *x, size_t count, uint64_t stream, double size)
{
    uint64_t key = rng_key(21, STREAM_DATA, stream, 0);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(size * rng_normal(key, i));
}

static struct range begun(enum tensor_kind kind, float bits, const char *scale, bool dense)
{
    struct settings settings = make_settings("mode=fp", "budget=4", "quantiser=dorefa", scale, NULL);
    struct range range = {.kind = kind, .bits = bits, .elements = COUNT};
    quantiser_dorefa.begin(&range, &settings, dense);
    settings_free(&settings);
    return range;
}

/* ---- weights ---- */

/* t = 1, 1/2, -1, 0 of the largest; 3 u = 3, 2.25, 0, 1.5 (to even: 2). */
Test(dorefa, weights_by_hand)
{
    static const double expected[4] = {1, 1 / 3.0, -1, 1 / 3.0};
    float x[16] = {(float)atanh(0.9), (float)atanh(0.45), (float)-atanh(0.9), 0}, y[16];
    for (int rescaled = 0; rescaled < 2; rescaled++) {
        struct range range = begun(TENSOR_WEIGHT, 2, rescaled ? "dorefa_scale=max" : "dorefa_scale=none", true);
        quantiser_dorefa.fit(&range, x, 16, 4);
        quantiser_dorefa.quantise(&range, x, y, 16);
        for (int i = 0; i < 4; i++)
            cr_expect(fabs((double)y[i] - expected[i] * (rescaled ? 0.9 : 1)) < 1e-6, "%d: %g", i, (double)y[i]);
        cr_expect(fabs((double)range.limit - (rescaled ? 0.9 : 1)) < 1e-6);
    }
}

Test(dorefa, weights_at_any_width)
{
    float x[COUNT], y[COUNT];
    draw(x, COUNT, 1, 0.8);
    for (float bits = 2; bits <= 8; bits += 0.75f) {
        struct range range = begun(TENSOR_WEIGHT, bits, "dorefa_scale=none", true);
        double largest = 0, levels = exp2((double)bits) - 1;
        quantiser_dorefa.fit(&range, x, COUNT, COUNT);
        quantiser_dorefa.quantise(&range, x, y, COUNT);
        for (int i = 0; i < COUNT; i++)
            largest = fmax(largest, fabs(tanh((double)x[i])));
        for (int i = 0; i < COUNT; i++) {
            double t = tanh((double)x[i]) / largest, code = (double)(y[i] + 1) * levels / 2;
            cr_expect(fabs(code - rint(code)) < 1e-3, "%g bits: %g is between codes", (double)bits, (double)y[i]);
            cr_expect(fabs((double)y[i] - t) <= 1.001 / levels, "%g bits: %g for %g", (double)bits, (double)y[i], t);
        }
    }
}

/* Without the rounding, and with the maximum as it is, Q(w) = size tanh(w) / max|tanh|. */
Test(dorefa, weight_gradients)
{
    for (int rescaled = 0; rescaled < 2; rescaled++) {
        float x[COUNT], grad[COUNT], upstream[COUNT];
        struct range range = begun(TENSOR_WEIGHT, 3, rescaled ? "dorefa_scale=max" : "dorefa_scale=none", true);
        draw(x, COUNT, 2, 0.7);
        draw(upstream, COUNT, 3, 1);
        memcpy(grad, upstream, sizeof grad);
        quantiser_dorefa.fit(&range, x, COUNT, COUNT);
        quantiser_dorefa.backward(&range, NULL, x, grad, COUNT);
        double largest = 0, h = 1e-4;
        for (int i = 0; i < COUNT; i++)
            largest = fmax(largest, fabs(tanh((double)x[i])));
        for (int i = 0; i < COUNT; i++) {
            double slope = (tanh((double)x[i] + h) - tanh((double)x[i] - h)) / (2 * h) / (rescaled ? 1 : largest);
            cr_expect(fabs((double)grad[i] - (double)upstream[i] * slope) < 1e-5, "%d: %g", i, (double)grad[i]);
        }
    }
}

/* ---- activations ---- */

Test(dorefa, activations_by_hand)
{
    float x[16] = {0, 1, 1.4f, 4, 8, 20, -3}, y[16];
    const float unsigned_values[7] = {0, 0, 2.66666667f, 5.33333333f, 8, 8, 0}; /* 2 bits: steps of 8/3; 4 is 1.5 steps */
    const float signed_values[7] = {0, 0, 0, 0, 8, 8, 0};                       /* -8, 0, 8; half a step is even */
    struct range range = begun(TENSOR_ACTIVATION, 2, "dorefa_scale=none", false);
    quantiser_dorefa.fit(&range, x, 6, 6); /* without the negative one */
    quantiser_dorefa.quantise(&range, x, y, 16);
    cr_assert(range.top == 8 && !range.is_signed && range.lo == 0 && range.hi == 3 && range.limit == 8);
    for (int i = 0; i < 7; i++)
        cr_expect(fabsf(y[i] - unsigned_values[i]) < 1e-5f, "%d: %g", i, (double)y[i]);
    struct range other = begun(TENSOR_ACTIVATION, 2, "dorefa_scale=none", false);
    quantiser_dorefa.fit(&other, x, 16, 7);
    quantiser_dorefa.quantise(&other, x, y, 16);
    cr_assert(other.is_signed && other.lo == -1 && other.hi == 1);
    for (int i = 0; i < 7; i++)
        cr_expect(fabsf(y[i] - signed_values[i]) < 1e-5f, "%d: %g", i, (double)y[i]);
    struct range dense = begun(TENSOR_ACTIVATION, 2, "dorefa_scale=none", true);
    quantiser_dorefa.fit(&dense, x, 16, 7);
    cr_assert_eq(dense.top, 10);
    x[0] = NAN;
    quantiser_dorefa.quantise(&dense, x, y, 16);
    cr_assert(isnan(y[0]), "what has diverged stays so");
}

static double clipped_sum(const float *x, const float *c, double top, bool is_signed)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += (double)c[i] * fmin(fmax((double)x[i], is_signed ? -top : 0), top);
    return sum;
}

Test(dorefa, clip_gradients)
{
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        float x[COUNT], grad[COUNT], upstream[COUNT];
        struct range range = begun(TENSOR_ACTIVATION, 3, "dorefa_scale=none", true);
        draw(x, COUNT, 4, 9);
        draw(upstream, COUNT, 5, 1);
        for (int i = 0; i < COUNT && !is_signed; i++)
            x[i] = fabsf(x[i]);
        memcpy(grad, upstream, sizeof grad);
        quantiser_dorefa.fit(&range, x, COUNT, COUNT);
        quantiser_dorefa.backward(&range, NULL, x, grad, COUNT);
        double h = 1e-4, above = clipped_sum(x, upstream, 10 + h, is_signed),
               below = clipped_sum(x, upstream, 10 - h, is_signed);
        double slope = (above - below) / (2 * h);
        int clipped = 0;
        for (int i = 0; i < COUNT; i++) {
            bool inside = fabsf(x[i]) < 10;
            cr_expect_eq(grad[i], inside ? upstream[i] : 0);
            clipped += !inside;
        }
        cr_assert(clipped > 5 && fabs(range.top_grad - slope) < 1e-4, "%g instead of %g", range.top_grad, slope);
    }
}

Test(dorefa, clips_learn_without_decay_and_stay_above_zero)
{
    struct range range = {.kind = TENSOR_ACTIVATION, .learned = true, .top = 4, .top_grad = 2, .top_velocity = 1};
    quantiser_dorefa.update(&range, 0.1, 0.5);
    cr_assert(fabs(range.top - (4 - 0.1 * 2.5)) < 1e-12 && range.top_grad == 0 && range.top_velocity == 2.5);
    range.top_grad = 1e6;
    double before = range.top;
    quantiser_dorefa.update(&range, 0.1, 0.5);
    cr_assert(range.top == before / 2 && range.top_velocity == 0);
    struct range weight = {.kind = TENSOR_WEIGHT, .norm = 1};
    quantiser_dorefa.update(&weight, 0.1, 0.5);
    cr_assert_eq(weight.top, 0, "weights have nothing to learn");
}

Test(dorefa, is_for_float_products)
{
    static const char *const modes[] = {"mode=fqt", "mode=hfqt"};
    struct settings good = make_settings("mode=fp", "budget=4", "quantiser=dorefa", NULL);
    cr_assert_null(plug_check(&good));
    settings_free(&good);
    for (int i = 0; i < 2; i++) {
        struct settings bad = make_settings(modes[i], "budget=4", "quantiser=dorefa", NULL);
        const char *why = plug_check(&bad);
        cr_assert(why && strstr(why, "mode fp"), "%s", why ? why : "accepted");
        settings_free(&bad);
    }
}

/* ---- mode fp with quantisers that give values ---- */

/* Quantiser max that gives its values itself: must be the same as its codes, bit for bit. */
static void max_values(const struct range *range, const float *x, float *y, size_t count)
{
    uint8_t *codes = xmalloc(count);
    kernels()->quantise_nearest(x, count, range->scale, range->lo, range->hi, codes);
    kernels()->dequantise(codes, range->lo == 0, count, range->scale, y);
    free(codes);
}

struct products { struct arena arena; struct range x_range, w_range; float *x, *w, *g, *y, *dx, *dw; };

static float *matrix(struct arena *arena, size_t rows, size_t cols, uint64_t stream)
{
    float *x = arena_alloc(arena, rows * row_stride(cols) * sizeof *x);
    uint64_t key = rng_key(22, STREAM_DATA, stream, 0);
    for (size_t i = 0; stream && i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            x[i * row_stride(cols) + j] = (float)rng_normal(key, i * cols + j);
    return x;
}

static void compute(struct products *t, const struct geometry *g, bool dense, size_t samples,
                    const struct quantiser_ops *quantiser)
{
    size_t k = kernel_inputs(g);
    *t = (struct products){.x_range = begun(TENSOR_ACTIVATION, 4, "dorefa_scale=none", dense),
                           .w_range = begun(TENSOR_WEIGHT, 4, "dorefa_scale=none", dense)};
    t->x = matrix(&t->arena, samples * in_positions(g), g->in_c, 1);
    t->w = matrix(&t->arena, g->out_c, k, 2);
    t->g = matrix(&t->arena, samples * out_positions(g), g->out_c, 3);
    t->y = matrix(&t->arena, samples * out_positions(g), g->out_c, 0);
    t->dx = matrix(&t->arena, samples * in_positions(g), g->in_c, 0);
    t->dw = matrix(&t->arena, g->out_c, k, 0);
    struct product p = {
        .shape = g, .dense = dense, .samples = samples, .samples_max = samples, .m = samples * out_positions(g),
        .n = g->out_c,
        .k = k, .x = t->x, .w = t->w, .y = t->y, .g = t->g, .dx = t->dx, .dw = t->dw, .x_range = &t->x_range,
        .w_range = &t->w_range, .quantiser = quantiser,
    };
    p.state = mode_fp.prepare(NULL, &p, &t->arena);
    p.scratch_step = (mode_fp.scratch_size(&p) + 63) / 64 * 64;
    p.scratch = arena_alloc(&t->arena, parallel_threads() * p.scratch_step);
    memset(p.scratch, 0x5a, parallel_threads() * p.scratch_step);
    mode_fp.forward(&p);
    mode_fp.backward(&p);
}

static bool same(const float *a, const float *b, size_t count) { return memcmp(a, b, count * sizeof *a) == 0; }

/* A dense layer, then convolutions of all kinds. */
static bool layer_to_try(size_t index, struct geometry *g, bool *dense)
{
    *dense = index == 0;
    *g = test_geometry(1, 1, 37, 10, 1, 1, 1, 0, 0, false);
    return *dense || geometry_to_try(index - 1, g);
}

Test(dorefa, values_in_mode_fp_equal_codes)
{
    struct quantiser_ops values = quantiser_max;
    values.quantise = max_values;
    struct geometry g;
    bool dense;
    for (size_t index = 0; layer_to_try(index, &g, &dense); index++) {
        struct products by_codes, by_values;
        compute(&by_codes, &g, dense, 3, &quantiser_max);
        compute(&by_values, &g, dense, 3, &values);
        cr_expect(same(by_codes.y, by_values.y, 3 * out_size(&g)), "y of layer %zu", index);
        cr_expect(same(by_codes.dx, by_values.dx, 3 * in_size(&g)), "dx of layer %zu", index);
        cr_expect(same(by_codes.dw, by_values.dw, g.out_c * row_stride(kernel_inputs(&g))), "dw of layer %zu", index);
        arena_free(&by_codes.arena);
        arena_free(&by_values.arena);
    }
}

/* dorefa's products are those of its values; the padding, whose value is no zero, does not come in. */
Test(dorefa, products_are_those_of_the_values)
{
    struct geometry g;
    bool dense;
    for (size_t index = 0; layer_to_try(index, &g, &dense); index++) {
        struct products quantised;
        size_t w_size = g.out_c * row_stride(kernel_inputs(&g)), x_size = 3 * in_size(&g);
        compute(&quantised, &g, dense, 3, &quantiser_dorefa);
        double *x = xcalloc(x_size, sizeof *x), *w = xcalloc(w_size, sizeof *w),
                *gradient = xcalloc(3 * out_size(&g), sizeof *w);
        double *y = xcalloc(3 * out_size(&g), sizeof *y), *dx = xcalloc(x_size, sizeof *dx),
                *dw = xcalloc(w_size, sizeof *dw);
        double norm = 0, step = quantised.x_range.top / 7;
        for (size_t i = 0; i < w_size; i++)
            norm = fmax(norm, fabs(tanh((double)quantised.w[i])));
        for (size_t n = 0; n < g.out_c; n++)
            for (size_t k = 0; k < kernel_inputs(&g); k++) {
                size_t at = n * row_stride(kernel_inputs(&g)) + k;
                w[at] = 2 * (double)rintf(15 * (float)(tanh((double)quantised.w[at]) / (2 * norm) + 0.5)) / 15 - 1;
            }
        for (size_t i = 0; i < x_size; i++)
            x[i] = rint((double)quantised.x[i] / step) * step;
        for (size_t i = 0; i < 3 * out_size(&g); i++)
            gradient[i] = (double)quantised.g[i];
        for (size_t i = 0; i < 3; i++)
            naive_products(&g, x + i * in_size(&g), w, gradient + i * out_size(&g), y + i * out_size(&g),
                           dx + i * in_size(&g), dw);
        cr_assert(quantised.x_range.is_signed);
        for (size_t i = 0; i < 3 * out_size(&g); i++)
            cr_assert(fabs((double)quantised.y[i] - y[i]) < 1e-3 * (1 + fabs(y[i])), "y of layer %zu: %g, %g", index,
                      (double)quantised.y[i], y[i]);
        for (size_t i = 0; i < x_size; i++)
            cr_assert(fabs((double)quantised.dx[i] - dx[i]) < 1e-3 * (1 + fabs(dx[i])), "dx of layer %zu", index);
        for (size_t i = 0; i < w_size; i++)
            cr_assert(fabs((double)quantised.dw[i] - dw[i]) < 1e-3 * (1 + fabs(dw[i])), "dw of layer %zu", index);
        free(x), free(w), free(gradient), free(y), free(dx), free(dw);
        arena_free(&quantised.arena);
    }
}

/* ---- real widths of the other quantisers: METHODS 1 ---- */

Test(dorefa, max_has_real_widths)
{
    float x[16] = {0.3f, 1.7f, -4, 0.9f};
    static const float widths[] = {2.25f, 2.5f, 3.7f, 5.5f, 7.9f};
    for (size_t i = 0; i < 5; i++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            struct range range = {.bits = widths[i]};
            quantiser_max.fit(&range, is_signed ? x : x + 3, is_signed ? 16 : 1, 1);
            double top = is_signed ? exp2((double)widths[i] - 1) - 1 : exp2((double)widths[i]) - 1;
            double limit = 0.975 * (is_signed ? 4 : (double)0.9f);
            cr_expect(fabs((double)range.scale - limit / top) < 1e-6 * limit, "%g bits", (double)widths[i]);
            cr_expect_eq(range.hi, (int)rint(top));
            cr_expect_eq(range.lo, is_signed ? -range.hi : 0);
            cr_expect(range.hi <= (is_signed ? 127 : 255));
        }
}

Test(dorefa, lsq_has_real_widths)
{
    float x[16] = {0.3f, 1.7f, -4, 0.9f}, grad[16] = {1, 1, 1, 1};
    struct range range = {.bits = 3.5f, .elements = 16};
    double top = exp2(2.5) - 1;
    quantiser_lsq.fit(&range, x, 16, 4);
    cr_assert(fabs(range.step - 2 * (0.3 + 1.7 + 4 + 0.9) / 4 / sqrt(top)) < 1e-6);
    cr_assert(range.hi == 5 && range.lo == -6);
    quantiser_lsq.backward(&range, NULL, x, grad, 16);
    cr_assert(isfinite(range.step_grad));
    double limit = range.step * top;
    range.bits = 4.25f;
    quantiser_lsq.resize(&range, 3.5f);
    cr_assert(fabs(range.step * (exp2(3.25) - 1) - limit) < 1e-9, "the range is held");
}
