/* SPDX-License-Identifier: GPL-3.0-or-later
 * Float products in AVX2: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx2.h"
/* 6 × 2 sums, 2 vectors of b and an element of A leave one of the 16 registers. */
enum { ROWS = 6 };
#include "floats_simd.h"

const struct float_kernels float_avx2 = FLOAT_KERNELS;
