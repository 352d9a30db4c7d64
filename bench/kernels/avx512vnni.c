/* SPDX-License-Identifier: GPL-3.0-or-later
 * The kernels in AVX-512 with VNNI: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx512vnni.h"
#include "simd_hadamard.h"
#include "simd_product.h"
#include "simd_quantise.h"

const struct kernels kernels_avx512vnni = {
    .isa = "avx512vnni",
    .int_product = int_product,
    .int_product_workspace = int_product_workspace,
    .max_abs = max_abs,
    .quantise_nearest = quantise_nearest,
    .quantise_stochastic = quantise_stochastic,
    .dequantise = dequantise,
    .learned_range = learned_range,
    .hadamard_rows = hadamard_rows,
    .hadamard_columns = hadamard_columns,
    .int_product_packed = int_product_packed,
    .int_product_peak = int_product_peak,
};
