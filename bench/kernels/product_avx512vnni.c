/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer products in AVX-512 with VNNI: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx512vnni.h"
#include "depthwise_simd.h"
#include "product_simd.h"
#include "transpose_simd.h"

const struct int_kernels int_avx512vnni = {
    .panel_size = panel_size,
    .pack = pack,
    .multiply = multiply,
    .depthwise = depthwise,
    .depthwise_gradient = depthwise_gradient,
    .transpose = transpose,
    .peak = peak,
};
