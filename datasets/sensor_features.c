/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sensor_features.h"
#include "../bench/bitsweep.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODE_BINS 10
/* A transform is halved while its length is even and longer than this; what is left is summed directly. */
#define DIRECT_LENGTH 32

const char *const signal_feature_names[SIGNAL_FEATURES] = {
    "mean", "std", "min", "max", "mode", "range", "mean_crossing_rate", "dc", "peak_amplitude_1", "peak_amplitude_2",
    "peak_amplitude_3", "peak_amplitude_4", "peak_amplitude_5", "peak_frequency_1", "peak_frequency_2", "peak_frequency_3",
    "peak_frequency_4", "peak_frequency_5", "energy", "spectrum_mean", "spectrum_std", "spectrum_skewness",
    "spectrum_kurtosis", "amplitude_mean", "amplitude_std", "amplitude_skewness", "amplitude_kurtosis"};

struct signal_tables {
    size_t window, base;        /* base: length of the direct sums */
    double *cosine, *sine;      /* window / 2 + 1: of 2π·j / window */
    double *base_cosine, *base_sine; /* t × k, (base / 2 + 1) squared: of 2π·k·t / base */
    double *frequency;          /* window / 2 + 1, in Hz */
    double *re, *im;            /* window / 2 + 1 */
    double *amplitude, *weight; /* window / 2 + 1 */
    double *scratch;            /* of the transform's levels */
    double *signals;            /* 4 × window: x, y, z, magnitude of one sensor */
};

/* cos and sin of the first `count` multiples of `step` of a circle with `parts` parts; whole circles are left out first. */
static void fill_circle(size_t count, size_t step, size_t parts, double *cosine, double *sine)
{
    for (size_t i = 0; i < count; i++) {
        double angle = 2 * acos(-1) * (double)(i * step % parts) / (double)parts;
        cosine[i] = cos(angle);
        sine[i] = sin(angle);
    }
}

static double *doubles(size_t count) { return xcalloc(count, sizeof(double)); }

struct signal_tables *signal_tables_make(size_t window, double rate)
{
    struct signal_tables *t = xcalloc(1, sizeof *t);
    size_t bins = window / 2 + 1;
    t->window = t->base = window;
    while (t->base % 2 == 0 && t->base > DIRECT_LENGTH)
        t->base /= 2;
    size_t base_bins = t->base / 2 + 1;
    t->cosine = doubles(bins), t->sine = doubles(bins);
    fill_circle(bins, 1, window, t->cosine, t->sine);
    t->base_cosine = doubles(base_bins * base_bins), t->base_sine = doubles(base_bins * base_bins);
    for (size_t i = 0; i < base_bins; i++)
        fill_circle(base_bins, i, t->base, t->base_cosine + i * base_bins, t->base_sine + i * base_bins);
    t->frequency = doubles(bins);
    for (size_t k = 0; k < bins; k++)
        t->frequency[k] = (double)k * rate / (double)window;
    t->re = doubles(bins), t->im = doubles(bins), t->amplitude = doubles(bins), t->weight = doubles(bins);
    t->scratch = doubles(2 * window + 256); /* a level of length n takes 4(n/4 + 1) */
    t->signals = doubles(4 * window);
    return t;
}

void signal_tables_free(struct signal_tables *t)
{
    if (!t)
        return;
    double *all[] = {t->cosine, t->sine, t->base_cosine, t->base_sine, t->frequency, t->re, t->im, t->amplitude, t->weight,
                     t->scratch, t->signals};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(t);
}

/* ---- Fourier transform of a real signal: bins 0 .. n/2 ------------------------------------------------- */

/* x[t] and x[n-t] share their cosine, and their sine but for its sign. */
static void transform_directly(const struct signal_tables *t, const double *x, size_t stride, double *re, double *im)
{
    size_t n = t->base, bins = n / 2 + 1;
    for (size_t k = 0; k < bins; k++) {
        re[k] = x[0];
        im[k] = 0;
    }
    for (size_t i = 1; i < bins; i++) {
        bool middle = 2 * i == n;
        double first = x[i * stride], last = middle ? 0 : x[(n - i) * stride], sum = first + last, difference = first - last;
        const double *restrict cosine = t->base_cosine + i * bins, *restrict sine = t->base_sine + i * bins;
        for (size_t k = 0; k < bins; k++) {
            re[k] += sum * cosine[k];
            im[k] -= difference * sine[k];
        }
    }
}

/* From the transforms of the even and the odd samples, of length n/2 each, which are conjugate-symmetric:
 * X[k] = E[k] + exp(-2πik/n)·O[k]. */
static void transform(const struct signal_tables *t, const double *x, size_t stride, size_t n, double *scratch, double *re,
                      double *im)
{
    if (n == t->base) {
        transform_directly(t, x, stride, re, im);
        return;
    }
    size_t half = n / 2, bins = half / 2 + 1;
    double *even_re = scratch, *even_im = even_re + bins, *odd_re = even_im + bins, *odd_im = odd_re + bins;
    transform(t, x, 2 * stride, half, scratch + 4 * bins, even_re, even_im);
    transform(t, x + stride, 2 * stride, half, scratch + 4 * bins, odd_re, odd_im);
    for (size_t k = 0; k <= half; k++) {
        bool mirrored = k >= bins;
        size_t j = mirrored ? half - k : k;
        double sign = mirrored ? -1 : 1, c = t->cosine[k * (t->window / n)], s = t->sine[k * (t->window / n)];
        re[k] = even_re[j] + c * odd_re[j] + s * sign * odd_im[j];
        im[k] = sign * even_im[j] + c * sign * odd_im[j] - s * odd_re[j];
    }
}

void signal_amplitudes(const struct signal_tables *t, const double *signal, double *amplitude)
{
    transform(t, signal, 1, t->window, t->scratch, t->re, t->im);
    for (size_t k = 0; k <= t->window / 2; k++)
        amplitude[k] = sqrt(t->re[k] * t->re[k] + t->im[k] * t->im[k]) / (double)t->window;
}

/* ---- features -------------------------------------------------------------------------------------------- */

struct moments { double mean, deviation, skewness, kurtosis; };

/* Of values with weights that sum to 1 (NULL: equal ones). The kurtosis is 0 for a normal distribution. */
static struct moments moments_of(const double *values, const double *weights, size_t count)
{
    struct moments m = {0};
    double equal = 1 / (double)count, variance = 0;
    for (size_t i = 0; i < count; i++)
        m.mean += (weights ? weights[i] : equal) * values[i];
    for (size_t i = 0; i < count; i++)
        variance += (weights ? weights[i] : equal) * (values[i] - m.mean) * (values[i] - m.mean);
    m.deviation = sqrt(variance);
    if (m.deviation < DBL_MIN)
        return m;
    for (size_t i = 0; i < count; i++) {
        double z = (values[i] - m.mean) / m.deviation, part = (weights ? weights[i] : equal) * z * z * z;
        m.skewness += part;
        m.kurtosis += part * z;
    }
    m.kurtosis -= 3;
    return m;
}

/* Centre of the fullest of MODE_BINS equal bins from low to high; the lowest of several. */
static double mode_of(const double *signal, size_t count, double low, double range)
{
    size_t filled[MODE_BINS] = {0}, fullest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)((signal[i] - low) / range * MODE_BINS);
        filled[bin < MODE_BINS ? bin : MODE_BINS - 1]++;
    }
    for (size_t b = 1; b < MODE_BINS; b++)
        fullest = filled[b] > filled[fullest] ? b : fullest;
    return low + ((double)fullest + 0.5) * range / MODE_BINS;
}

static double crossing_rate(const double *signal, size_t count, double mean)
{
    size_t crossings = 0;
    for (size_t i = 1; i < count; i++)
        crossings += (signal[i] > mean) != (signal[i - 1] > mean);
    return (double)crossings / (double)(count - 1);
}

/* The bins after the first with the largest amplitudes, falling; of equal ones the lower frequency first. */
static void find_peaks(const double *amplitude, size_t bins, size_t *peaks)
{
    size_t found = 0;
    for (size_t k = 1; k < bins; k++) {
        size_t place = found < SIGNAL_PEAKS ? found : SIGNAL_PEAKS;
        while (place > 0 && amplitude[k] > amplitude[peaks[place - 1]])
            place--;
        if (place == SIGNAL_PEAKS)
            continue;
        found += found < SIGNAL_PEAKS;
        memmove(peaks + place + 1, peaks + place, (found - place - 1) * sizeof *peaks);
        peaks[place] = k;
    }
}

static float *put_moments(float *out, struct moments m)
{
    *out++ = (float)m.mean;
    *out++ = (float)m.deviation;
    *out++ = (float)m.skewness;
    *out++ = (float)m.kurtosis;
    return out;
}

static void put_spectrum(const struct signal_tables *t, const double *signal, float *out)
{
    size_t bins = t->window / 2 + 1, peaks[SIGNAL_PEAKS];
    double energy = 0, total = 0, *amplitude = t->amplitude;
    signal_amplitudes(t, signal, amplitude);
    find_peaks(amplitude, bins, peaks);
    for (size_t k = 1; k < bins; k++) {
        energy += amplitude[k] * amplitude[k];
        total += amplitude[k];
    }
    *out++ = (float)amplitude[0];
    for (size_t i = 0; i < SIGNAL_PEAKS; i++)
        *out++ = (float)amplitude[peaks[i]];
    for (size_t i = 0; i < SIGNAL_PEAKS; i++)
        *out++ = (float)t->frequency[peaks[i]];
    *out++ = (float)energy;
    for (size_t k = 1; k < bins; k++)
        t->weight[k] = total > 0 ? amplitude[k] / total : 0;
    out = put_moments(out, total > 0 ? moments_of(t->frequency + 1, t->weight + 1, bins - 1) : (struct moments){0});
    put_moments(out, moments_of(amplitude + 1, NULL, bins - 1));
}

enum { MEAN, DEVIATION, LEAST, MOST, MODE, RANGE, CROSSINGS, DC };

void signal_features(const struct signal_tables *t, const double *signal, float *out)
{
    double low = signal[0], high = signal[0];
    for (size_t i = 1; i < t->window; i++) {
        low = signal[i] < low ? signal[i] : low;
        high = signal[i] > high ? signal[i] : high;
    }
    memset(out, 0, SIGNAL_FEATURES * sizeof *out);
    out[LEAST] = (float)low;
    out[MOST] = (float)high;
    if (low == high) { /* what rounding leaves of the spectrum would be noise */
        out[MEAN] = out[MODE] = (float)low;
        out[DC] = (float)fabs(low);
        return;
    }
    struct moments m = moments_of(signal, NULL, t->window);
    out[MEAN] = (float)m.mean;
    out[DEVIATION] = (float)m.deviation;
    out[MODE] = (float)mode_of(signal, t->window, low, high - low);
    out[RANGE] = (float)(high - low);
    out[CROSSINGS] = (float)crossing_rate(signal, t->window, m.mean);
    put_spectrum(t, signal, out + DC);
}

size_t sensor_feature_count(size_t sensors, bool axes) { return sensors * (axes ? 4 : 1) * SIGNAL_FEATURES; }

void sensor_features(const struct signal_tables *t, const double *rows, size_t sensors, bool axes, float *out)
{
    size_t n = t->window, first = axes ? 0 : 3;
    for (size_t s = 0; s < sensors; s++) {
        for (size_t i = 0; i < n; i++) {
            const double *v = rows + (i * sensors + s) * 3;
            for (size_t a = 0; a < 3; a++)
                t->signals[a * n + i] = v[a];
            t->signals[3 * n + i] = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        }
        for (size_t a = first; a < 4; a++, out += SIGNAL_FEATURES)
            signal_features(t, t->signals + a * n, out);
    }
}
