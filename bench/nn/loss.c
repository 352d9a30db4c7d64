/* SPDX-License-Identifier: GPL-3.0-or-later
 * The loss of a batch and its gradient. */
#include "net.h"
#include <math.h>

size_t largest_of(const float *values, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

double softmax_cross_entropy(const float *logits, size_t rows, size_t classes, size_t stride, const int32_t *labels,
                             float *grad, size_t *correct)
{
    double loss = 0;
    for (size_t i = 0; i < rows; i++) {
        const float *z = logits + i * stride;
        size_t best = largest_of(z, classes);
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += exp((double)z[c] - z[best]);
        size_t label = (size_t)labels[i];
        *correct += best == label;
        loss += log(sum) - ((double)z[label] - z[best]);
        for (size_t c = 0; grad && c < classes; c++) {
            double share = exp((double)z[c] - z[best]) / sum;
            grad[i * stride + c] = (float)((share - (c == label)) / (double)rows);
        }
    }
    return loss;
}
