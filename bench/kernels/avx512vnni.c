/* SPDX-License-Identifier: GPL-3.0-or-later
 * The kernels in AVX-512 with VNNI: the vector algorithms in this instruction set's lanes. */
#include "words_avx512vnni.h"
#include "nibbles.h"
#include "simd_hadamard.h"
#include "simd_quantise.h"
#include "simd_shorts.h"

const struct kernels kernels_avx512vnni = {
    .isa = "avx512vnni",
    .ints = &int_avx512vnni,
    .floats = &float_avx512vnni,
    .norms = &norm_avx512vnni,
    .max_abs = max_abs,
    .quantise_nearest = quantise_nearest,
    .quantise_stochastic = quantise_stochastic,
    .dequantise = dequantise,
    .learned_range = learned_range,
    .hadamard_rows = hadamard_rows,
    .hadamard_columns = hadamard_columns,
    .hadamard_shorts = hadamard_shorts,
    .widen = widen_bytes,
    .pack_nibbles = pack_nibbles,
    .unpack_nibbles = unpack_nibbles,
    .max_abs_shorts = max_abs_shorts,
    .quantise_nearest_shorts = quantise_nearest_shorts,
    .quantise_stochastic_shorts = quantise_stochastic_shorts,
    .quantise_logarithmic = quantise_logarithmic,
};
