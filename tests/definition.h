/* SPDX-License-Identifier: GPL-3.0-or-later
 * A convolution by its definition (struct geometry's comment), in double precision, and shapes to try it on. */
#ifndef BITSWEEP_TEST_DEFINITION_H
#define BITSWEEP_TEST_DEFINITION_H
#include "../bench/nn/geometry.h"

static inline struct geometry test_geometry(size_t in_h, size_t in_w, size_t in_c, size_t out_c, size_t kernel_h,
                                            size_t kernel_w, size_t stride, size_t pad_h, size_t pad_w, bool depthwise)
{
    return (struct geometry){
        .in_h = in_h, .in_w = in_w, .in_c = in_c, .out_c = out_c, .kernel_h = kernel_h, .kernel_w = kernel_w,
        .stride = stride,
        .pad_h = pad_h, .pad_w = pad_w, .depthwise = depthwise,
        .out_h = (in_h + 2 * pad_h - kernel_h) / stride + 1, .out_w = (in_w + 2 * pad_w - kernel_w) / stride + 1,
    };
}

/* The index-th shape; false past the end. */
static inline bool geometry_to_try(size_t index, struct geometry *g)
{
    static const struct {
        size_t in_h, in_w, in_c, out_c, kernel_h, kernel_w, stride, pad_h, pad_w;
        bool depthwise;
    } shapes[] = {
        {8, 8, 16, 16, 3, 3, 1, 1, 1, false}, {8, 8, 16, 32, 3, 3, 2, 1, 1, false}, {8, 8, 3, 16, 3, 3, 1, 1, 1, false},
        {7, 9, 5, 10, 3, 3, 1, 1, 1, false}, {9, 7, 8, 12, 3, 3, 2, 1, 1, false}, {6, 6, 24, 40, 1, 1, 1, 0, 0, false},
        {6, 6, 24, 40, 1, 1, 2, 0, 0, false}, {7, 7, 12, 8, 1, 1, 2, 0, 0, false}, {12, 12, 3, 6, 5, 5, 1, 0, 0, false},
        {12, 12, 1, 6, 5, 5, 1, 2, 2, false}, {15, 13, 3, 20, 7, 7, 2, 3, 3, false}, {1, 30, 6, 8, 1, 5, 1, 0, 2, false},
        {1, 31, 9, 16, 1, 5, 2, 0, 2, false}, {1, 1, 20, 1000, 1, 1, 1, 0, 0, false}, {1, 1, 7, 10, 1, 1, 1, 0, 0, false},
        {1, 1, 16, 8, 3, 3, 1, 1, 1, false}, {2, 2, 512, 33, 3, 3, 1, 1, 1, false}, {4, 4, 64, 64, 3, 3, 1, 1, 1, false},
        {10, 10, 8, 8, 3, 3, 3, 1, 1, false}, {11, 8, 4, 4, 3, 3, 3, 0, 0, false}, {9, 9, 8, 16, 2, 2, 2, 0, 0, false},
        {6, 10, 128, 17, 3, 3, 1, 1, 1, false}, {5, 5, 6, 7, 5, 3, 1, 2, 1, false}, {4, 32, 16, 16, 3, 3, 1, 1, 1, false},
        {8, 8, 32, 32, 3, 3, 1, 1, 1, true}, {8, 8, 24, 24, 3, 3, 2, 1, 1, true}, {7, 5, 19, 19, 3, 3, 1, 1, 1, true},
        {9, 9, 17, 17, 5, 5, 2, 2, 2, true}, {1, 20, 12, 12, 1, 3, 1, 0, 1, true}, {3, 3, 130, 130, 3, 3, 1, 1, 1, true},
    };
    if (index >= sizeof shapes / sizeof *shapes)
        return false;
    *g = test_geometry(shapes[index].in_h, shapes[index].in_w, shapes[index].in_c, shapes[index].out_c,
                       shapes[index].kernel_h,
                       shapes[index].kernel_w, shapes[index].stride, shapes[index].pad_h, shapes[index].pad_w,
                       shapes[index].depthwise);
    return true;
}

/* Where in a sample (padded channels) output position `position` reads its tap, or -1 outside. */
static inline long naive_input(const struct geometry *g, size_t position, size_t tap, size_t channel)
{
    long y = (long)(position / g->out_w * g->stride + tap / g->kernel_w) - (long)g->pad_h;
    long x = (long)(position % g->out_w * g->stride + tap % g->kernel_w) - (long)g->pad_w;
    if (y < 0 || x < 0 || y >= (long)g->in_h || x >= (long)g->in_w)
        return -1;
    return (y * (long)g->in_w + x) * (long)row_stride(g->in_c) + (long)channel;
}

/* One sample: y, dx overwritten, dw added to; all laid out as struct product says. */
static inline void naive_products(const struct geometry *g, const double *x, const double *w, const double *gradient,
                                  double *y, double *dx, double *dw)
{
    size_t channels = g->depthwise ? 1 : g->in_c, stride_w = row_stride(kernel_positions(g) * channels);
    for (size_t i = 0; i < in_positions(g) * row_stride(g->in_c); i++)
        dx[i] = 0;
    for (size_t position = 0; position < out_positions(g); position++)
        for (size_t n = 0; n < g->out_c; n++) {
            size_t out = position * row_stride(g->out_c) + n;
            y[out] = 0;
            for (size_t tap = 0; tap < kernel_positions(g); tap++)
                for (size_t c = 0; c < channels; c++) {
                    long from = naive_input(g, position, tap, g->depthwise ? n : c);
                    size_t weight = n * stride_w + tap * channels + c;
                    if (from < 0)
                        continue;
                    y[out] += x[from] * w[weight];
                    dx[from] += gradient[out] * w[weight];
                    dw[weight] += gradient[out] * x[from];
                }
        }
}
#endif
