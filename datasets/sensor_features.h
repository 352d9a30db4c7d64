/* SPDX-License-Identifier: GPL-3.0-or-later
 * 27 features of one signal of a sensor over a window, in time and frequency; docs/datasets.md defines each. */
#ifndef BITSWEEP_SENSOR_FEATURES_H
#define BITSWEEP_SENSOR_FEATURES_H
#include <stdbool.h>
#include <stddef.h>

#define SIGNAL_FEATURES 27
#define SIGNAL_PEAKS 5
#define LEAST_WINDOW 16
extern const char *const signal_feature_names[SIGNAL_FEATURES];

/* What depends on the window's length and sampling rate alone, and room to work in. */
struct signal_tables;
/* window: samples, at least LEAST_WINDOW; rate: in Hz. */
struct signal_tables *signal_tables_make(size_t window, double rate);
void signal_tables_free(struct signal_tables *);

/* amplitude[k] = |Σ_t signal[t]·exp(-2πikt/n)| / n, k = 0 .. n/2, of the n = window values. */
void signal_amplitudes(const struct signal_tables *, const double *signal, double *amplitude);

/* Of a signal whose values are all equal, all features but mean, minimum, maximum, mode and dc are 0. Skewness and kurtosis
 * are 0 wherever the deviation is. */
void signal_features(const struct signal_tables *, const double *signal /* window */, float *out /* SIGNAL_FEATURES */);

/* Features of a sensor with `axes`: of x, y, z and the magnitude √(x² + y² + z²); else of the magnitude alone. */
size_t sensor_feature_count(size_t sensors, bool axes);
/* rows: window × 3·sensors, a sensor's x, y, z side by side; out: sensor_feature_count, sensor by sensor. */
void sensor_features(const struct signal_tables *, const double *rows, size_t sensors, bool axes, float *out);
#endif
