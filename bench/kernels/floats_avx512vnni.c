/* SPDX-License-Identifier: GPL-3.0-or-later
 * Float products in AVX-512: the vector algorithms in this instruction set's lanes. */
#include "lanes_avx512vnni.h"
/* Enough to hide 4 cycles of latency on two ports; more addresses of rows would not stay in registers. */
enum { ROWS = 8 };
#include "floats_simd.h"

const struct float_kernels float_avx512vnni = FLOAT_KERNELS;
