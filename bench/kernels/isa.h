/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside bench/kernels only: the implementations that dispatch.c chooses from, and what they all demand of a
 * product. */
#ifndef BITSWEEP_ISA_H
#define BITSWEEP_ISA_H
#include "kernels.h"

extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512vnni;

/* Dies where the caller broke the contract of struct int_product. */
static inline void product_check(const struct int_product *p)
{
    size_t longest = p->a.is_unsigned && p->b.is_unsigned ? INT32_MAX / (255 * 255) : 65536;
    if (p->k > longest)
        die("an integer product over k = %zu can overflow 32 bits; at most %zu", p->k, longest);
    if ((p->a.row != 1 && p->a.col != 1) || (p->b.row != 1 && p->b.col != 1))
        die("an operand of an integer product has no stride of 1");
    if (!p->sums == !p->out)
        die("an integer product needs exactly one of sums and out");
    if (p->acc.bits < 4 || p->acc.tile < 0)
        die("no such accumulator: %d bits, tile %d", p->acc.bits, p->acc.tile);
}

/* learned_range's order of additions. */
enum { RANGE_LANES = 16, RANGE_CHUNK = 1024 };
static inline double add_range_lanes(const float lanes[RANGE_LANES], double sum)
{
    for (int i = 0; i < RANGE_LANES; i++)
        sum += lanes[i];
    return sum;
}
#endif
