/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batch normalisation and what follows it in AVX2: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx2.h"
#include "norms_simd.h"

const struct norm_kernels norm_avx2 = NORM_KERNELS;
