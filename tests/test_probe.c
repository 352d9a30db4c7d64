/* SPDX-License-Identifier: GPL-3.0-or-later
 * The probe: losses and gradients against the double-precision network, single tensors quantised against the definition of
 * the quantiser, all of them against the run's own network. */
#include "naive_net.h"
#include "probe_support.h"
#include "../bench/memory.h"
#include "../bench/parallel.h"
#include "../bench/settings.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 24
#define SMALL "samples=24", "batch=24", "features=6", "classes=3", "explain=true", "budget=4"

Test(probe, loss_and_gradients_are_those_of_the_float_network)
{
    struct probe_test t;
    probe_test_begin(&t, make_settings("model=mlp", "hidden=5-4", SMALL, NULL), NULL);
    cr_assert(probe_batches(t.probe) == 1 && probe_batch_size(t.probe, 0) == SAMPLES && probe_samples(t.probe) == SAMPLES);
    double loss = probe_pass(t.probe, 0, NULL);
    cr_assert_lt(fabs(loss - naive_loss(&t.net, SAMPLES, t.labels, false, NULL, 0)), 1e-5);
    cr_assert_eq(probe_layers(t.probe), 3);
    for (int layer = 0; layer < 3; layer++) {
        size_t rows, cols;
        const float *w = probe_weights(t.probe, layer, &rows, &cols), *g = probe_gradient(t.probe, layer);
        const struct layer *own = &t.net.layers[layer];
        cr_assert(rows == own->n && cols == own->k && w != own->w);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < cols; j++) {
                size_t at = i * row_stride(cols) + j;
                cr_assert_lt(fabs(g[at] - naive_gradient(&t.net, SAMPLES, t.labels, own->w + at)), 2e-5);
            }
    }
    probe_test_end(&t);
}

/* Of an activation: the mean over samples of squared gradients of the sample's own loss, which is SAMPLES × that of the mean
 * loss. Of a weight: SAMPLES × squared gradients of the mean loss. */
Test(probe, traces_are_those_of_the_definition)
{
    struct probe_test t;
    double trace[6], input = 0, weight = 0;
    probe_test_begin(&t, make_settings("model=mlp", "hidden=5-4", SMALL, NULL), NULL);
    probe_traces(t.probe, trace);
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t j = 0; j < 6; j++) {
            double g = SAMPLES * naive_gradient(&t.net, SAMPLES, t.labels, t.net.input + i * row_stride(6) + j);
            input += g * g / SAMPLES;
        }
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++) {
            double g = naive_gradient(&t.net, SAMPLES, t.labels, t.net.layers[1].w + i * row_stride(5) + j);
            weight += SAMPLES * g * g;
        }
    cr_assert_lt(fabs(trace[1] - input), 1e-4 * input, "%g, not %g", trace[1], input);
    cr_assert_lt(fabs(trace[2] - weight), 1e-4 * weight, "%g, not %g", trace[2], weight);
    probe_test_end(&t);
}

Test(probe, samples_are_a_fixed_subset_in_batches)
{
    struct probe_test a, b, other;
    const float all_float[4] = {0};
    probe_test_begin(&a, make_settings("hidden=4", "samples=24", "batch=4", "features=6", "classes=3", "explain=true",
                                       "budget=4", "probe_samples=10", "seed=3", NULL), NULL);
    probe_test_begin(&b, make_settings("hidden=4", "samples=24", "batch=4", "features=6", "classes=3", "explain=true",
                                       "budget=4", "probe_samples=10", "seed=3", "mode=fqt", NULL), NULL);
    probe_test_begin(&other, make_settings("hidden=4", "samples=24", "batch=4", "features=6", "classes=3", "explain=true",
                                           "budget=4", "probe_samples=10", "seed=4", NULL), NULL);
    cr_assert(probe_samples(a.probe) == 10 && probe_batches(a.probe) == 3);
    cr_assert(probe_batch_size(a.probe, 0) == 4 && probe_batch_size(a.probe, 1) == 4 && probe_batch_size(a.probe, 2) == 2);
    double mean = 0;
    for (size_t i = 0; i < 3; i++)
        mean += probe_pass(a.probe, i, NULL) * (double)probe_batch_size(a.probe, i) / 10;
    double loss = probe_loss(a.probe, all_float);
    cr_assert_lt(fabs(mean - loss), 1e-12, "no normalisation, so training and evaluation agree");
    cr_assert_eq(loss, probe_loss(a.probe, all_float), "it repeats");
    cr_assert_eq(loss, probe_loss(b.probe, all_float), "the same samples whatever the mode");
    memcpy(other.net.values, a.net.values, a.net.value_count * sizeof(float));
    probe_refresh(other.probe);
    cr_assert_neq(loss, probe_loss(other.probe, all_float), "other samples with another seed");
    probe_test_end(&a);
    probe_test_end(&b);
    probe_test_end(&other);
}

Test(probe, its_weights_are_its_own_until_refreshed)
{
    struct probe_test t;
    const float all_float[4] = {0};
    size_t rows, cols;
    probe_test_begin(&t, make_settings("hidden=4", SMALL, NULL), NULL);
    double before = probe_loss(t.probe, all_float);
    float *w = probe_weights(t.probe, 0, &rows, &cols), own = t.net.layers[0].w[1];
    w[1] += 1;
    cr_assert(probe_loss(t.probe, all_float) != before && t.net.layers[0].w[1] == own);
    probe_refresh(t.probe);
    cr_assert_eq(probe_loss(t.probe, all_float), before);
    t.net.layers[0].w[1] += 1;
    cr_assert_eq(probe_loss(t.probe, all_float), before);
    probe_refresh(t.probe);
    cr_assert_neq(probe_loss(t.probe, all_float), before);
    probe_test_end(&t);
}

/* METHODS 1: m = 0.975 max|x|, signed when any x < 0. */
static double naive_quantised(double x, double largest, bool is_signed, double bits)
{
    double top = is_signed ? exp2(bits - 1) - 1 : exp2(bits) - 1, scale = 0.975 * largest / top;
    return fmin(fmax(nearbyint(x / scale), is_signed ? -top : 0), top) * scale;
}

/* Quantises rows × cols in place, and returns the squared error. */
static double quantise_matrix(float *x, size_t rows, size_t cols, double bits)
{
    double largest = 0, error = 0;
    bool is_signed = false;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            largest = fmax(largest, fabs(x[i * row_stride(cols) + j]));
            is_signed |= x[i * row_stride(cols) + j] < 0;
        }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float *value = &x[i * row_stride(cols) + j];
            double q = naive_quantised(*value, largest, is_signed, bits);
            error += (*value - q) * (*value - q);
            *value = (float)q;
        }
    return error;
}

Test(probe, one_quantised_tensor_changes_the_loss_as_its_values_say)
{
    struct probe_test t;
    probe_test_begin(&t, make_settings("hidden=5", SMALL, NULL), NULL);
    double error = probe_error(t.probe, 1, 3);
    const float weight_alone[4] = {0, 0, 3, 0}, input_alone[4] = {0, 3, 0, 0};
    double of_weight = probe_loss(t.probe, weight_alone), of_input = probe_loss(t.probe, input_alone);
    float *w = t.net.layers[1].w, kept[3 * 64];
    cr_assert(row_stride(5) <= 64);
    memcpy(kept, w, 3 * row_stride(5) * sizeof *w);
    double expected_error = quantise_matrix(w, 3, 5, 3);
    cr_assert_lt(fabs(error - expected_error), 1e-5 * expected_error);
    cr_assert_lt(fabs(of_weight - naive_loss(&t.net, SAMPLES, t.labels, true, NULL, 0)), 1e-5);
    memcpy(w, kept, 3 * row_stride(5) * sizeof *w);
    quantise_matrix(t.net.input, SAMPLES, 6, 3);
    cr_assert_lt(fabs(of_input - naive_loss(&t.net, SAMPLES, t.labels, true, NULL, 0)), 1e-5);
    probe_test_end(&t);
}

static double run_loss(struct probe_test *t)
{
    size_t correct = 0, classes = t->net.classes;
    const float *logits = net_forward(&t->net, SAMPLES, 0, PASS_EVALUATE);
    return softmax_cross_entropy(logits, SAMPLES, classes, row_stride(classes), t->labels, NULL, &correct) / SAMPLES;
}

/* With every tensor quantised the probe is the run's network in mode fp, running ranges and statistics included. */
static void expect_the_run_itself(struct settings settings)
{
    struct probe_test t;
    float bits[MAX_TENSORS] = {0}, more[MAX_TENSORS] = {0};
    probe_test_begin(&t, settings, NULL);
    for (size_t i = 0; i < 2 * t.net.count; i++)
        bits[i] = (float)(3 + i % 3);
    probe_test_train(&t, bits, 5);
    double loss = run_loss(&t);
    cr_assert_lt(fabs(probe_loss(t.probe, bits) - loss), 1e-6 * loss, "%.9g, not %.9g", probe_loss(t.probe, bits), loss);
    for (size_t i = 0; i < 2 * t.net.count; i++) {
        const struct range *range = probe_range(t.probe, (int)i);
        cr_assert(range->limit == t.net.ranges[i].limit && range->is_signed == t.net.ranges[i].is_signed);
        cr_assert_eq(t.net.ranges[i].bits, bits[i], "the run's ranges are left alone");
        more[i] = bits[i] + 1;
    }
    probe_loss(t.probe, more);
    cr_assert_eq(run_loss(&t), loss, "the run is not disturbed");
    net_set_bits(&t.net, more);
    loss = run_loss(&t);
    cr_assert_lt(fabs(probe_loss(t.probe, more) - loss), 1e-6 * loss, "other widths");
    probe_test_end(&t);
}

/* Options of the quantiser count: here dorefa's values keep the weights' size. */
Test(probe, error_of_values_that_are_no_codes)
{
    struct probe_test t;
    probe_test_begin(&t, make_settings("hidden=5", SMALL, "quantiser=dorefa", NULL), NULL);
    const struct layer *layer = &t.net.layers[1];
    double norm = 0, expected = 0;
    for (size_t i = 0; i < layer->n; i++)
        for (size_t j = 0; j < layer->k; j++)
            norm = fmax(norm, fabs(tanh((double)layer->w[i * row_stride(layer->k) + j])));
    for (size_t i = 0; i < layer->n; i++)
        for (size_t j = 0; j < layer->k; j++) {
            double w = layer->w[i * row_stride(layer->k) + j], u = tanh(w) / (2 * norm) + 0.5;
            double difference = w - norm * (2 * rint(7 * u) / 7 - 1);
            expected += difference * difference;
        }
    double error = probe_error(t.probe, 1, 3);
    cr_assert_lt(fabs(error - expected), 1e-4 * expected, "%g, not %g", error, expected);
    probe_test_end(&t);
}

Test(probe, all_quantised_is_what_the_run_does)
{
    static const char *const quantisers[] = {"quantiser=max", "quantiser=lsq", "quantiser=sawb"};
    for (int i = 0; i < 3; i++) {
        expect_the_run_itself(make_settings("hidden=5-4", SMALL, quantisers[i], NULL));
        expect_the_run_itself(make_settings("model=conv1d", "channels=3-4", "sample_shape=2-12", "samples=24", "batch=24",
                                            "classes=3", "explain=true", "budget=4", quantisers[i], NULL));
    }
    expect_the_run_itself(make_settings("hidden=5", SMALL, "act_range=batch", NULL));
}

Test(probe, results_do_not_depend_on_threads)
{
    double loss[2], trace[2][2 * MAX_LAYERS];
    for (size_t i = 0; i < 2; i++) {
        struct probe_test t;
        float bits[MAX_TENSORS];
        parallel_use(1 + 2 * i);
        probe_test_begin(&t, make_settings("model=conv1d", "channels=3-4", "sample_shape=2-12", "samples=24", "batch=9",
                                           "classes=3", "explain=true", "budget=4", NULL), NULL);
        for (size_t k = 0; k < 2 * t.net.count; k++)
            bits[k] = (float)(k % 2 ? 3 : 0);
        loss[i] = probe_loss(t.probe, bits);
        memset(trace[i], 0, sizeof trace[i]);
        probe_traces(t.probe, trace[i]);
        probe_test_end(&t);
    }
    parallel_use(1);
    cr_assert(loss[0] == loss[1] && memcmp(trace[0], trace[1], sizeof trace[0]) == 0);
}

Test(probe, memory_is_counted)
{
    double bytes[2];
    for (int i = 0; i < 2; i++) {
        struct settings s = make_settings("hidden=64", "samples=200", "budget=4", i ? "explain=true" : "explain=false",
                                          NULL);
        struct dataset described;
        struct error error;
        const struct dataset_ops *data = setting_plug(&s, "dataset");
        cr_assert(data->describe(&s, &described, &error));
        bytes[i] = run_memory(&s, &described);
        dataset_free(&described);
        settings_free(&s);
    }
    /* At least the parameters' copy and their gradients. */
    cr_assert_geq(bytes[1] - bytes[0], 2 * sizeof(float) * (64 * 64 + 64 * 10));
}

Test(probe, is_read_only_where_it_is_wanted)
{
    struct settings none = make_settings("allocator=none", NULL), uniform = make_settings("budget=4", NULL),
                    explained = make_settings("budget=4", "explain=true", NULL),
                    hawq = make_settings("allocator=hawq", "budget=5", NULL);
    cr_assert(!setting_has(&none, "explain") && !setting_has(&none, "probe_samples") && !probe_wanted(&none));
    cr_assert(setting_has(&uniform, "explain") && !setting_has(&uniform, "probe_samples") && !probe_wanted(&uniform));
    cr_assert(setting_int(&explained, "probe_samples") == 512 && probe_wanted(&explained));
    cr_assert(setting_int(&hawq, "probe_samples") == 512 && probe_wanted(&hawq));
    settings_free(&none);
    settings_free(&uniform);
    settings_free(&explained);
    settings_free(&hawq);
}
