/* SPDX-License-Identifier: GPL-3.0-or-later
 * The features of a sensor's window: against their definitions summed plainly in long double, and values worked by hand. */
#include "../datasets/sensor_features.h"
#include "../bench/bitsweep.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { MEAN, STD, MIN, MAX, MODE, RANGE, CROSSINGS, DC, PEAKS, PEAK_FREQUENCIES = PEAKS + SIGNAL_PEAKS,
       ENERGY = PEAK_FREQUENCIES + SIGNAL_PEAKS, SPECTRUM, AMPLITUDES = SPECTRUM + 4 };

static long double circle(size_t k, size_t t, size_t n)
{
    return 2 * acosl(-1) * (long double)(k * t % n) / (long double)n;
}

/* |Σ x exp(-2πikt/n)| / n by its definition. */
static long double amplitude_of(const double *x, size_t n, size_t k)
{
    long double re = 0, im = 0;
    for (size_t t = 0; t < n; t++) {
        re += (long double)x[t] * cosl(circle(k, t, n));
        im -= (long double)x[t] * sinl(circle(k, t, n));
    }
    return sqrtl(re * re + im * im) / (long double)n;
}

/* The p-th moment about `centre` of values with weights. */
static long double moment(const long double *values, const long double *weights, size_t count, long double centre, int p)
{
    long double sum = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i] * powl(values[i] - centre, p);
        total += weights[i];
    }
    return sum / total;
}

static void expect_moments(const float *out, const long double *values, const long double *weights, size_t count)
{
    long double mean = moment(values, weights, count, 0, 1), deviation = sqrtl(moment(values, weights, count, mean, 2));
    cr_expect_float_eq(out[0], (double)mean, 1e-6 * (1 + fabs((double)mean)));
    cr_expect_float_eq(out[1], (double)deviation, 1e-6 * (1 + (double)deviation));
    cr_expect_float_eq(out[2], (double)(moment(values, weights, count, mean, 3) / powl(deviation, 3)), 1e-5);
    cr_expect_float_eq(out[3], (double)(moment(values, weights, count, mean, 4) / powl(deviation, 4) - 3), 1e-4);
}

static void expect_spectrum(const float *out, const double *x, size_t n, double rate)
{
    long double amplitude[300], frequency[300], equal[300], energy = 0;
    size_t bins = n / 2;
    bool used[300] = {false};
    for (size_t k = 1; k <= bins; k++) {
        amplitude[k - 1] = amplitude_of(x, n, k);
        frequency[k - 1] = (long double)k * (long double)rate / (long double)n;
        equal[k - 1] = 1;
        energy += amplitude[k - 1] * amplitude[k - 1];
    }
    cr_expect_float_eq(out[DC], (double)amplitude_of(x, n, 0), 1e-6 * (1 + fabsf(out[DC])));
    cr_expect_float_eq(out[ENERGY], (double)energy, 1e-6 * (1 + (double)energy));
    for (size_t p = 0; p < SIGNAL_PEAKS; p++) {
        size_t best = bins;
        for (size_t k = 0; k < bins; k++)
            if (!used[k] && (best == bins || amplitude[k] > amplitude[best]))
                best = k;
        used[best] = true;
        cr_expect_float_eq(out[PEAKS + p], (double)amplitude[best], 1e-6);
        cr_expect_float_eq(out[PEAK_FREQUENCIES + p], (double)frequency[best], 1e-5);
    }
    expect_moments(out + SPECTRUM, frequency, amplitude, bins);
    expect_moments(out + AMPLITUDES, amplitude, equal, bins);
}

static void expect_time(const float *out, const double *x, size_t n)
{
    long double sum = 0, squares = 0;
    double low = INFINITY, high = -INFINITY, best_edge = 0;
    size_t crossings = 0, best = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (long double)x[i];
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    double mean = (double)(sum / (long double)n);
    for (size_t i = 0; i < n; i++) {
        squares += ((long double)x[i] - (long double)mean) * ((long double)x[i] - (long double)mean);
        crossings += i > 0 && (x[i] - mean) * (x[i - 1] - mean) < 0;
    }
    for (int b = 0; b < 10; b++) {
        double from = low + (high - low) * b / 10, to = low + (high - low) * (b + 1) / 10;
        size_t inside = 0;
        for (size_t i = 0; i < n; i++)
            inside += x[i] >= from && (x[i] < to || b == 9);
        if (inside > best) {
            best = inside;
            best_edge = from;
        }
    }
    cr_expect_float_eq(out[MEAN], mean, 1e-6 * (1 + fabs(mean)));
    cr_expect_float_eq(out[STD], sqrt((double)squares / (double)n), 1e-6);
    cr_expect_float_eq(out[MIN], low, 1e-6);
    cr_expect_float_eq(out[MAX], high, 1e-6);
    cr_expect_float_eq(out[RANGE], high - low, 1e-6);
    cr_expect_float_eq(out[MODE], best_edge + (high - low) / 20, 1e-6);
    cr_expect_float_eq(out[CROSSINGS], (double)crossings / (double)(n - 1), 1e-7);
}

/* Lengths that are halved down to a direct sum, odd, prime, powers of two. */
static const size_t lengths[] = {16, 17, 18, 31, 34, 48, 66, 96, 100, 125, 128, 250, 256, 512};

static double *made_signal(size_t n, double offset)
{
    double *x = xmalloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = offset + rng_normal(n, i) + 2 * sin(0.7 * (double)i);
    return x;
}

Test(sensor_features, amplitudes)
{
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t n = lengths[l];
        struct signal_tables *tables = signal_tables_make(n, 50);
        double *x = made_signal(n, 9), *amplitude = xmalloc((n / 2 + 1) * sizeof *amplitude);
        signal_amplitudes(tables, x, amplitude);
        for (size_t k = 0; k <= n / 2; k++)
            cr_expect_float_eq(amplitude[k], (double)amplitude_of(x, n, k), 1e-13, "length %zu, bin %zu", n, k);
        free(amplitude);
        free(x);
        signal_tables_free(tables);
    }
}

/* The negative offset: the feature dc is an amplitude. */
Test(sensor_features, all_by_their_definitions)
{
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t n = lengths[l];
        double rate = l % 2 ? 25 : 100, *x = made_signal(n, l % 3 ? 9.8 : -3);
        struct signal_tables *tables = signal_tables_make(n, rate);
        float out[SIGNAL_FEATURES];
        signal_features(tables, x, out);
        expect_time(out, x, n);
        expect_spectrum(out, x, n, rate);
        free(x);
        signal_tables_free(tables);
    }
}

/* 2 + cos(2π·3t/16): all of its spectrum is bin 3. */
Test(sensor_features, a_cosine_by_hand)
{
    double x[16];
    float out[SIGNAL_FEATURES];
    struct signal_tables *tables = signal_tables_make(16, 32);
    for (int t = 0; t < 16; t++)
        x[t] = 2 + cos(2 * acos(-1) * 3 * t / 16);
    signal_features(tables, x, out);
    cr_expect_float_eq(out[MEAN], 2, 1e-6);
    cr_expect_float_eq(out[STD], sqrt(0.5), 1e-6);
    cr_expect_float_eq(out[MIN], 1, 1e-6);
    cr_expect_float_eq(out[MAX], 3, 1e-6);
    cr_expect_float_eq(out[RANGE], 2, 1e-6);
    cr_expect_float_eq(out[DC], 2, 1e-6);
    cr_expect_float_eq(out[PEAKS], 0.5, 1e-6);
    cr_expect_float_eq(out[PEAKS + 1], 0, 1e-6);
    cr_expect_float_eq(out[PEAK_FREQUENCIES], 6, 1e-6);
    cr_expect_float_eq(out[ENERGY], 0.25, 1e-6);
    cr_expect_float_eq(out[SPECTRUM], 6, 1e-4);
    cr_expect_float_eq(out[AMPLITUDES], 0.5 / 8, 1e-6);
    cr_expect_float_eq(out[AMPLITUDES + 1], 0.5 * sqrt(7) / 8, 1e-6);
    signal_tables_free(tables);
}

/* Two values in turn: every neighbour crosses the mean, bins 0 and 9 hold as many and the lower one counts. */
Test(sensor_features, ties)
{
    double x[20];
    float out[SIGNAL_FEATURES];
    struct signal_tables *tables = signal_tables_make(20, 20);
    for (int t = 0; t < 20; t++)
        x[t] = t % 2 ? 10 : 0;
    signal_features(tables, x, out);
    cr_expect_float_eq(out[MODE], 0.5, 1e-6);
    cr_expect_float_eq(out[CROSSINGS], 1, 1e-6);
    cr_expect_float_eq(out[PEAKS], 5, 1e-6);
    cr_expect_float_eq(out[PEAK_FREQUENCIES], 10, 1e-6);
    signal_tables_free(tables);
}

/* Also a value that sums do not hold exactly, so that its mean would be off by rounding. */
Test(sensor_features, constant_signals)
{
    static const double values[] = {0, 0.1, -9.81, 1e-300, 1e30};
    struct signal_tables *tables = signal_tables_make(125, 25);
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        double x[125];
        float out[SIGNAL_FEATURES];
        for (int t = 0; t < 125; t++)
            x[t] = values[v];
        signal_features(tables, x, out);
        for (size_t i = 0; i < SIGNAL_FEATURES; i++) {
            bool kept = i == MEAN || i == MIN || i == MAX || i == MODE, dc = i == DC;
            cr_expect_eq(out[i], (float)(kept ? values[v] : dc ? fabs(values[v]) : 0), "%s", signal_feature_names[i]);
        }
    }
    signal_tables_free(tables);
}

/* Nearly constant, tiny and huge signals, a step and an impulse: no feature is NaN or infinite. */
Test(sensor_features, always_finite)
{
    for (int kind = 0; kind < 6; kind++) {
        struct signal_tables *tables = signal_tables_make(64, 50);
        double x[64];
        float out[SIGNAL_FEATURES];
        for (int t = 0; t < 64; t++) {
            double step = t >= 32, impulse = t == 5;
            x[t] = kind == 0   ? 1 + impulse * 0x1p-52
                   : kind == 1 ? impulse * 5e-324
                   : kind == 2 ? impulse * 1e-200
                   : kind == 3 ? 1e15 * step
                   : kind == 4 ? step
                               : impulse;
        }
        signal_features(tables, x, out);
        for (size_t i = 0; i < SIGNAL_FEATURES; i++)
            cr_expect(isfinite(out[i]), "kind %d: %s is %g", kind, signal_feature_names[i], (double)out[i]);
        signal_tables_free(tables);
    }
}

/* Sensor by sensor: x, y, z, magnitude; or the magnitude alone. */
Test(sensor_features, order_of_signals)
{
    enum { WINDOW = 20, SENSORS = 3 };
    double rows[WINDOW * SENSORS * 3];
    float all[SENSORS * 4 * SIGNAL_FEATURES], magnitudes[SENSORS * SIGNAL_FEATURES], expected[SIGNAL_FEATURES];
    struct signal_tables *tables = signal_tables_make(WINDOW, 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows[i] = rng_normal(3, i);
    cr_expect_eq(sensor_feature_count(SENSORS, true), sizeof all / sizeof *all);
    cr_expect_eq(sensor_feature_count(SENSORS, false), sizeof magnitudes / sizeof *magnitudes);
    sensor_features(tables, rows, SENSORS, true, all);
    sensor_features(tables, rows, SENSORS, false, magnitudes);
    for (size_t s = 0; s < SENSORS; s++)
        for (size_t a = 0; a < 4; a++) {
            double signal[WINDOW];
            for (size_t i = 0; i < WINDOW; i++) {
                const double *v = rows + i * SENSORS * 3 + s * 3;
                signal[i] = a < 3 ? v[a] : sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
            }
            signal_features(tables, signal, expected);
            for (size_t i = 0; i < SIGNAL_FEATURES; i++) {
                cr_expect_eq(all[(s * 4 + a) * SIGNAL_FEATURES + i], expected[i]);
                cr_expect(a < 3 || magnitudes[s * SIGNAL_FEATURES + i] == expected[i]);
            }
        }
    signal_tables_free(tables);
}
