/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ranges and learned steps of the forward quantisers. */
#include "support.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>

static const struct quantiser_ops *quantiser(const char *name)
{
    return (const struct quantiser_ops *)plug_find(PLUG_QUANTISER, name);
}

Test(quantisers, all_zero_tensors_get_scale_one)
{
    const float zeros[32] = {0};
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_QUANTISER, i)); i++) {
        const struct quantiser_ops *ops = (const struct quantiser_ops *)plug;
        struct range range = {.bits = 4, .elements = 32};
        ops->fit(&range, zeros, 32, 32);
        cr_assert(range.scale > 0 && isfinite(range.scale), "%s", plug->name);
        if (!ops->learns)
            cr_assert(range.scale == 1 && range.lo == 0 && range.hi == 15, "%s", plug->name);
    }
}

Test(quantisers, max_takes_0975_of_the_maximum)
{
    struct range range = {.bits = 4};
    const float positive[16] = {0, 1, 4}, mixed[16] = {-8, 2};
    quantiser("max")->fit(&range, positive, 16, 3);
    cr_assert(!range.is_signed && range.lo == 0 && range.hi == 15);
    cr_assert(fabs(range.scale - 0.975 * 4 / 15) < 1e-7);
    quantiser("max")->fit(&range, mixed, 16, 2);
    cr_assert(range.is_signed && range.lo == -7 && range.hi == 7);
    cr_assert(fabs(range.scale - 0.975 * 8 / 7) < 1e-6);
}

/* METHODS 1; 6 and 7 bits on the line from 5 to 8. */
static const double sawb_table[9][2] = {
    [2] = {3.12, 2.064},
    [3] = {7.509, 6.892},
    [4] = {12.1, 12.2},
    [5] = {17.74, 18.64},
    [6] = {17.74 + (31.76 - 17.74) / 3, 18.64 + (35.04 - 18.64) / 3},
    [7] = {31.76 - (31.76 - 17.74) / 3, 35.04 - (35.04 - 18.64) / 3},
    [8] = {31.76, 35.04},
};

Test(quantisers, sawb_follows_the_moments)
{
    for (int bits = 2; bits <= 8; bits++)
        for (int positive = 0; positive < 2; positive++) {
            float x[4096];
            uint64_t key = rng_key(5, STREAM_DATA, 0, 0);
            double squares = 0, sum = 0;
            for (int i = 0; i < 4096; i++) {
                float v = (float)rng_normal(key, (uint64_t)i);
                x[i] = positive ? fabsf(v) : v;
                squares += (double)x[i] * x[i], sum += fabs(x[i]);
            }
            x[0] = 100; /* above any range, so that none is cut at the largest value */
            squares += 1e4 - pow(rng_normal(key, 0), 2), sum += 100 - fabs(rng_normal(key, 0));
            struct range range = {.bits = (float)bits};
            quantiser("sawb")->fit(&range, x, 4096, 4096);
            double clip = sawb_table[bits][0] * sqrt(squares / 4096) - sawb_table[bits][1] * sum / 4096;
            clip *= positive ? 2 : 1;
            int codes = positive ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
            cr_assert(fabs(range.limit - clip) < 1e-4 * clip && fabs(range.scale - clip / codes) < 1e-4 * clip,
                      "%d bits: %g instead of %g", bits, (double)range.limit, clip);
            cr_assert(range.hi == codes && range.lo == (positive ? 0 : -codes));
        }
}

/* d/ds of Σ c_i Q(x_i; s), with Q's rounding passed straight through, by METHODS' three cases. */
Test(quantisers, lsq_step_gradient)
{
    enum { COUNT = 64 };
    float x[COUNT], grad[COUNT], upstream[COUNT];
    uint64_t key = rng_key(6, STREAM_DATA, 0, 0);
    double absolute = 0;
    for (int i = 0; i < COUNT; i++) {
        x[i] = (i % 8 ? 1 : 20) * (float)rng_normal(key, (uint64_t)i);
        grad[i] = upstream[i] = (float)rng_normal(key, 1000 + (uint64_t)i);
        absolute += fabs(x[i]);
    }
    struct settings settings = make_settings("mode=fqt", "budget=3", "quantiser=lsq", NULL);
    struct range range = {.bits = 3, .elements = COUNT};
    quantiser("lsq")->fit(&range, x, COUNT, COUNT);
    cr_assert(fabs(range.step - 2 * absolute / COUNT / sqrt(3)) < 1e-6);
    quantiser("lsq")->backward(&range, &settings, x, grad, COUNT);
    double expected = 0;
    int clipped = 0;
    for (int i = 0; i < COUNT; i++) {
        double v = x[i] / (double)(float)range.step;
        bool outside = v >= 3 || v <= -4;
        expected += upstream[i] * (v >= 3 ? 3 : v <= -4 ? -4 : rint(v) - v);
        cr_assert_eq(grad[i], outside ? 0 : upstream[i]);
        clipped += outside;
    }
    cr_assert(clipped > 0);
    cr_assert(fabs(range.step_grad - expected / sqrt(COUNT * 3)) < 1e-5);
    double before = range.step, gradient = range.step_grad;
    quantiser("lsq")->update(&range, 0.1, 0.9);
    cr_assert(fabs(range.step - (before - 0.1 * gradient)) < 1e-12 && range.step_grad == 0);
    range.step_grad = 1e6;
    before = range.step;
    quantiser("lsq")->update(&range, 0.1, 0.9);
    cr_assert(range.step == before / 2 && range.step_velocity == 0, "never past zero");
    settings_free(&settings);
}

Test(quantisers, lsq_holds_the_range_when_the_width_changes)
{
    const float x[16] = {-1, 1, 0.5f};
    struct range range = {.bits = 4, .elements = 16};
    quantiser("lsq")->fit(&range, x, 16, 16);
    double limit = range.step * 7;
    range.step_velocity = 1;
    range.bits = 6;
    quantiser("lsq")->resize(&range, 4);
    cr_assert(fabs(range.step * 31 - limit) < 1e-9 && range.step_velocity == 0);
    for (float bits = 2, before = 6; bits < 5; before = bits, bits += 0.25f) { /* real widths: 7/4 codes are 2 */
        range.bits = bits;
        quantiser("lsq")->resize(&range, before);
        quantiser("lsq")->fit(&range, NULL, 0, 0);
        cr_assert(fabs((double)range.limit - limit) < 1e-6 * limit, "%g bits: limit %g, not %g", bits, range.limit, limit);
    }
}

/* Where backward does not read the values, a mode need not keep them. */
Test(quantisers, values_are_needed_by_masks_and_learned_steps)
{
    static const struct { const char *ste; bool needed; } rows[] = {{"ste=pass", false}, {"ste=clip", true},
                                                                    {"ste=published", true}};
    for (int i = 0; i < 3; i++) {
        struct settings settings = make_settings("mode=fqt", "budget=4", rows[i].ste, NULL);
        struct range range = {.bits = 4};
        float grad[16] = {1};
        cr_assert_eq(quantiser("max")->needs_values(&settings), rows[i].needed, "%s", rows[i].ste);
        cr_assert_eq(quantiser("sawb")->needs_values(&settings), rows[i].needed, "%s", rows[i].ste);
        if (!rows[i].needed)
            quantiser("max")->backward(&range, &settings, NULL, grad, 16);
        cr_assert_eq(grad[0], 1);
        settings_free(&settings);
    }
    cr_assert_null(quantiser("lsq")->needs_values);
}
