/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside bench/kernels only: the implementations that dispatch.c chooses from. */
#ifndef BITSWEEP_ISA_H
#define BITSWEEP_ISA_H
#include "kernels.h"

extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512vnni;
extern const struct int_kernels int_scalar, int_avx2, int_avx512vnni;          /* product_*.c */
extern const struct float_kernels float_scalar, float_avx2, float_avx512vnni;  /* floats_*.c */
extern const struct norm_kernels norm_scalar, norm_avx2, norm_avx512vnni;      /* norms_*.c */

/* The order of additions in learned_range and sum_of_squares. */
enum { RANGE_LANES = 16, RANGE_CHUNK = 1024 };
static inline double add_range_lanes(const float lanes[RANGE_LANES], double sum)
{
    for (int i = 0; i < RANGE_LANES; i++)
        sum += lanes[i];
    return sum;
}
#endif
