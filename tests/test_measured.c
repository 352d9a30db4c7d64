/* SPDX-License-Identifier: GPL-3.0-or-later
 * Widths measured from codes and values, and what a run records of them. */
#include "support.h"
#include "../bench/measured.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

static int width(int from, int to, bool is_signed, bool twos_complement)
{
    bool used[256] = {false};
    used[(uint8_t)from] = used[(uint8_t)to] = true;
    return width_of_codes(used, is_signed, twos_complement);
}

Test(measured, codes)
{
    cr_assert_eq(width(0, 0, false, false), 1);
    cr_assert_eq(width(0, 0, true, false), 1);
    for (int bits = 2; bits <= 8; bits++) {
        int half = 1 << (bits - 1);
        cr_assert_eq(width(0, 2 * half - 1, false, false), bits);
        cr_assert_eq(width(half, half, false, false), bits, "one above what %d bits hold", bits - 1);
        cr_assert_eq(width(-half + 1, 0, true, false), bits);
        cr_assert_eq(width(0, half - 1, true, false), bits);
        cr_assert_eq(width(-half, half - 1, true, true), bits);
        if (bits < 8)
            cr_assert_eq(width(-half, half - 1, true, false), bits + 1);
    }
}

Test(measured, values)
{
    float x[4 * 16] = {0};
    cr_assert_eq(width_of_values(x, 4, 5, 16), 1);
    x[0] = -0.0f;
    x[1] = 0.5f;
    x[5] = 7; /* in the padding */
    cr_assert_eq(width_of_values(x, 4, 5, 16), 1, "0 and 0.5");
    x[16] = 0.25f;
    cr_assert_eq(width_of_values(x, 4, 5, 16), 2);
    for (int i = 0; i < 5; i++)
        x[48 + i] = (float)i + 1.5f;
    cr_assert_eq(width_of_values(x, 4, 5, 16), 3, "eight values");
    x[32] = 100;
    cr_assert_eq(width_of_values(x, 4, 5, 16), 4, "nine values");
    float *many = xmalloc(70000 * sizeof *many);
    for (int i = 0; i < 70000; i++)
        many[i] = (float)(i % 40000);
    cr_assert_eq(width_of_values(many, 7, 10000, 10000), 16);
    for (int i = 0; i < 70000; i++)
        many[i] = (float)i * 0.125f;
    cr_assert_eq(width_of_values(many, 7, 10000, 10000), 32);
    free(many);
}

static struct record run(const char *mode, const char *quantiser, const char *allocator, const char *budget)
{
    struct record record = {0};
    struct error error;
    struct train_hooks hooks = {0};
    struct settings settings = make_settings("samples=300", "epochs=1", "batch=32", "model=mlp", "hidden=24", mode,
                                             quantiser, allocator, budget, NULL);
    cr_assert(train_run(&settings, &hooks, &record, &error), "%s", error.text);
    settings_free(&settings);
    return record;
}

/* No tensor's codes need more than its width, the widest code of some tensor needs all of it, and the cost is that of the
 * codes. */
static void check_run(const char *mode, const char *quantiser, const char *allocator)
{
    struct record record = run(mode, quantiser, allocator, "budget=weight_bytes=60%,mean_bits=5");
    const struct field *measured = record_find(&record, "/bits/measured"), *final = record_find(&record, "/bits/final");
    const struct field *prices = record_find(&record, "/budgets/measured"), *limits = record_find(&record, "/budgets/limit");
    const struct field *elements = record_find(&record, "/tensors/elements");
    cr_assert(measured && final && prices && limits && elements);
    cr_assert_eq(field_count(measured), 4);
    double bytes = 0, mean = 0;
    size_t full = 0;
    for (size_t i = 0; i < 4; i++) {
        float m = ((float *)measured->data)[i], f = ((float *)final->data)[i];
        cr_assert_leq(m, f, "tensor %zu: %g of %g bits", i, m, f);
        full += m == f;
        mean += m / 4;
        bytes += i % 2 ? 0 : (double)((int64_t *)elements->data)[i] * m / 8;
    }
    cr_assert_gt(full, 0);
    expect_near(((double *)prices->data)[0], mean);
    expect_near(((double *)prices->data)[1], bytes);
    expect_near(record_get_real(&record, "/costs/measured", 0), mean);
    for (size_t b = 0; b < 2; b++)
        cr_assert_leq(((double *)prices->data)[b], ((double *)limits->data)[b] * (1 + 1e-12));
    record_free(&record);
}

Test(measured, of_runs)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    static const char *const quantisers[] = {"quantiser=max", "quantiser=lsq"};
    for (int i = 0; i < 6; i++)
        check_run(modes[i % 3], quantisers[i / 3], i % 2 ? "allocator=qbitopt" : "allocator=uniform");
}

Test(measured, nothing_of_the_float_reference)
{
    struct record record = run("mode=fp", "quantiser=max", "allocator=none", "budget=4");
    cr_assert_null(record_find(&record, "/bits/measured"));
    record_free(&record);
}

/* A quantiser that cheats: its codes reach one bit beyond the width in force. */
extern const struct quantiser_ops quantiser_max;

static void fit_wider(struct range *range, const float *x, size_t padded_count, size_t count)
{
    float bits = range->bits;
    range->bits = bits + 1;
    quantiser_max.fit(range, x, padded_count, count);
    range->bits = bits;
}

Test(measured, codes_beyond_the_width_end_a_guarantee, .exit_code = 1)
{
    struct settings settings = make_settings("model=mlp", "hidden=8", "budget=4", "mode=fp", NULL);
    const struct dataset dataset = {.rank = 1, .shape = {12}, .features = 12, .classes = 4};
    struct quantiser_ops cheat = quantiser_max;
    struct arena arena = {0};
    struct net *net = xcalloc(1, sizeof *net);
    struct allocator *allocator = xcalloc(1, sizeof *allocator);
    struct error error;
    cheat.fit = fit_wider;
    net_build(net, &settings, &dataset, setting_plug(&settings, "mode"), &cheat, 4, &arena);
    size_t size = net_pool_size(net);
    net_use_pool(net, (struct pool){arena_alloc(&arena, size), size});
    net_initialise(net);
    for (size_t i = 0; i < 4 * row_stride(12); i++)
        net->input[i] = i % 16 < 12 ? (float)rng_normal(1, i) : 0;
    cr_assert(allocator_begin(allocator, net, &settings, &dataset, 1, NULL, &arena, &error), "%s", error.text);
    allocator_step(allocator, 0);
    measure_widths(allocator, 4, 0);
    exit(0);
}
