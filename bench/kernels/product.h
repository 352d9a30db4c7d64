/* SPDX-License-Identifier: GPL-3.0-or-later
 * What every integer product shares: the limits of partial sums, and what callers must keep to. */
#ifndef BITSWEEP_PRODUCT_H
#define BITSWEEP_PRODUCT_H
#include "isa.h"

/* k of a partial sum when the whole sum has `k`. */
static inline size_t tile_length(const struct accumulator *acc, size_t k)
{
    return acc->bits < 32 && acc->tile > 0 && (size_t)acc->tile < k ? (size_t)acc->tile : k;
}

static inline int32_t largest_sum(const struct accumulator *acc)
{
    return acc->bits >= 32 ? INT32_MAX : (int32_t)((1u << (acc->bits - 1)) - 1);
}

/* Dies where 32 bits could overflow, or where there is no such accumulator. */
static inline void check_sums(const struct accumulator *acc, size_t k, bool both_unsigned, bool bounded)
{
    size_t longest = both_unsigned ? INT32_MAX / (255 * 255) : 65536;
    if (k > longest && !bounded)
        die("an integer product over k = %zu can overflow 32 bits; at most %zu unless its codes are known to be small", k,
            longest);
    if (acc->bits < 4 || acc->tile < 0)
        die("no such accumulator: %d bits, tile %d; at least 4 bits and a tile of 0 or more", acc->bits, acc->tile);
}

static inline void check_panel(const struct int_panel *panel, const struct int_matrix *b)
{
    if (b->row != 1 && b->col != 1)
        die("an operand of an integer product has strides %zu and %zu; one of them must be 1", b->row, b->col);
    if (b->is_unsigned != panel->is_unsigned)
        die("an operand of an integer product differs from its panel in signedness");
}

static inline void check_product(const struct int_product *p)
{
    check_sums(&p->b->acc, p->b->k, p->a.is_unsigned && p->b->is_unsigned, p->bounded);
    if (!p->sums == !p->out)
        die("an integer product needs exactly one of sums and out");
    if (p->a.is_unsigned != p->b->a_is_unsigned)
        die("the panel of an integer product was made for another signedness of its first operand");
}

static inline void check_depthwise(const struct int_depthwise *p)
{
    check_sums(&p->acc, p->taps, p->x.is_unsigned && p->w_is_unsigned, false);
}

static inline void check_depthwise_gradient(const struct int_depthwise_gradient *p)
{
    check_sums(&p->acc, p->m, false, p->bounded);
}
#endif
