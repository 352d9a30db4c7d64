/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batch normalisation and what follows it in AVX-512: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx512vnni.h"
#include "norms_simd.h"

const struct norm_kernels norm_avx512vnni = NORM_KERNELS;
