/* SPDX-License-Identifier: GPL-3.0-or-later
 * Means, deviations and Student's t. */
#include "stats.h"
#include <math.h>

/* P(|T| < sqrt(freedom) tan(angle)): the finite series for whole degrees of freedom (Abramowitz and Stegun,
 * 26.7.3 and 26.7.4). Terms shrink by more than cos² from one to the next. */
static double student_inside(size_t freedom, double angle)
{
    double sine = sin(angle), cosine = cos(angle), square = cosine * cosine;
    size_t first = freedom % 2 ? 3 : 2;
    double term = freedom % 2 ? cosine : 1, sum = freedom > 1 ? term : 0;
    for (size_t k = first; k + 1 < freedom && term > 0; k += 2) {
        term *= square * (double)(k - 1) / (double)k;
        sum += term;
    }
    return freedom % 2 ? 2 / M_PI * (angle + sine * sum) : sine * sum;
}

double student_t95(size_t freedom)
{
    double low = 0, high = M_PI / 2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (student_inside(freedom, middle) < 0.95)
            low = middle;
        else
            high = middle;
    }
    return sqrt((double)freedom) * tan(low);
}

/* Two passes, with the rounding error of the mean taken out of the squares. */
struct summary summarise(const double *values, size_t count)
{
    struct summary summary = {count, NAN, NAN, NAN, NAN};
    double sum = 0, squares = 0, remainder = 0;
    if (count == 0)
        return summary;
    for (size_t i = 0; i < count; i++)
        sum += values[i] - values[0];
    summary.mean = values[0] + sum / (double)count;
    if (count < 2)
        return summary;
    for (size_t i = 0; i < count; i++) {
        double difference = values[i] - summary.mean;
        squares += difference * difference;
        remainder += difference;
    }
    double variance = (squares - remainder * remainder / (double)count) / (double)(count - 1);
    summary.deviation = sqrt(variance < 0 ? 0 : variance);
    summary.error = summary.deviation / sqrt((double)count);
    summary.interval = student_t95(count - 1) * summary.error;
    return summary;
}
