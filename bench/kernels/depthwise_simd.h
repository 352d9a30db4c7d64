/* SPDX-License-Identifier: GPL-3.0-or-later
 * Depthwise products in vectors of channels. Forward and weight gradient are the same sum: out(v, c) = sum over k of
 * x(v, k, c) · y(k, c), with v the positions and k the taps, or the other way round. Codes are widened to 16 bits; two k
 * of a channel make one 32-bit lane, so a lane's product and sum is exact whatever the signs. */
#ifndef BITSWEEP_DEPTHWISE_SIMD_H
#define BITSWEEP_DEPTHWISE_SIMD_H
#include "product_simd.h"

enum { CHANNELS = 2 * LANES, SETS = 3 /* v that share what is read of y */ };

/* SETS v of one vector of channels. */
struct channel_block {
    const struct int_depthwise *p;
    size_t v, sets, channel, count;
};

/* What is known when the kernel is compiled: all channels of the vector exist and k go in pairs; signs. */
struct known { bool whole, x_is_unsigned, y_is_unsigned; };

/* The codes at k and k + 1 (zeros unless `pair`), as pairs of 16 bits. */
INLINE void load_pairs(const uint8_t *first, const uint8_t *second, bool pair, size_t count, bool is_unsigned, ints pairs[2])
{
    shorts_interleave(shorts_load(first, count, is_unsigned),
                      pair ? shorts_load(second, count, is_unsigned) : ints_set(0), pairs);
}

INLINE void add_pair(const struct channel_block *b, const uint8_t *const at[SETS], size_t k, bool pair, ints sum[SETS][2],
                     const struct known known)
{
    const struct int_depthwise *p = b->p;
    const uint8_t *y = (const uint8_t *)p->w + k * p->ldw + b->channel;
    ptrdiff_t first = p->x.unit[k], second = p->x.unit[k + pair];
    size_t count = known.whole ? CHANNELS : b->count;
    ints codes[2], others[2];
    load_pairs(y, y + p->ldw, pair, count, known.y_is_unsigned, others);
    EACH(v, SETS) {
        load_pairs(at[v] + first, at[v] + second, pair, count, known.x_is_unsigned, codes);
        EACH(half, 2)
            sum[v][half] = in_place(dot_shorts(sum[v][half], codes[half], others[half]));
    }
}

INLINE void limit_sets(const struct channel_block *b, const struct limits *limits, ints sum[SETS][2])
{
    EACH(v, SETS)
        EACH(half, 2) {
            ints kept = limited_sum(sum[v][half], limits, limits->wraps);
            if (b->p->saturated && (size_t)v < b->sets)
                *b->p->saturated += ints_differ(kept, sum[v][half]);
            sum[v][half] = kept;
        }
}

INLINE void finish_half(const struct int_depthwise *p, float *out, size_t count, ints total)
{
    reals value = reals_multiply(ints_to_reals(total), reals_set(p->scale));
    if (count == LANES)
        reals_store(out, p->add ? reals_add(reals_load(out), value) : value);
    else
        reals_store_some(out, count, p->add ? reals_add(reals_load_some(out, count), value) : value);
}

INLINE void finish_sets(const struct channel_block *b, ints total[SETS][2], const bool whole)
{
    float *out = b->p->out + b->v * b->p->ld + b->channel;
    EACH(v, SETS)
        if ((size_t)v < b->sets) {
            ints_deinterleave(total[v]);
            for (size_t half = 0; half < 2 && (whole || half * LANES < b->count); half++)
                finish_half(b->p, out + half * LANES, whole ? LANES : smaller(LANES, b->count - half * LANES),
                            total[v][half]);
            out += b->p->ld;
        }
}

/* A tile's last k has no partner where the tile is odd; no k has one where every addition is limited. */
INLINE void sum_channels(const struct channel_block *b, const struct known known)
{
    const struct int_depthwise *p = b->p;
    const struct accumulator *acc = &p->acc;
    bool limited = acc->bits < 32, at_add = !known.whole && limited && acc->at == ACC_AT_ADD;
    size_t tile = tile_length(acc, p->taps), k = 0, step = at_add ? 1 : 2;
    struct limits limits = limits_of(acc);
    const uint8_t *at[SETS];
    ints total[SETS][2];
    EACH(v, SETS) {
        at[v] = (const uint8_t *)p->x.data + p->x.row[b->v + smaller((size_t)v, b->sets - 1)] + b->channel;
        total[v][0] = total[v][1] = ints_set(0);
    }
    while (k < p->taps) {
        size_t end = smaller(k + tile, p->taps);
        ints sum[SETS][2];
        EACH(v, SETS)
            sum[v][0] = sum[v][1] = ints_set(0);
        for (; k + step <= end; k += step) {
            add_pair(b, at, k, step == 2, sum, known);
            if (at_add)
                limit_sets(b, &limits, sum);
        }
        if (k < end)
            add_pair(b, at, k++, false, sum, known);
        if (limited && !at_add)
            limit_sets(b, &limits, sum);
        EACH(v, SETS)
            EACH(half, 2)
                total[v][half] = ints_add(total[v][half], sum[v][half]);
    }
    finish_sets(b, total, known.whole);
}

#define SUM_CHANNELS(whole, x, y) \
    static void sum_channels_##whole##x##y(const struct channel_block *b) { sum_channels(b, (struct known){whole, x, y}); }
SUM_CHANNELS(0, 0, 0) SUM_CHANNELS(0, 0, 1) SUM_CHANNELS(0, 1, 0) SUM_CHANNELS(0, 1, 1)
SUM_CHANNELS(1, 0, 0) SUM_CHANNELS(1, 0, 1) SUM_CHANNELS(1, 1, 0) SUM_CHANNELS(1, 1, 1)
static void (*const channel_sums[2][2][2])(const struct channel_block *) = { /* whole, x unsigned, y unsigned */
    {{sum_channels_000, sum_channels_001}, {sum_channels_010, sum_channels_011}},
    {{sum_channels_100, sum_channels_101}, {sum_channels_110, sum_channels_111}},
};

static void sum_all_channels(const struct int_depthwise *p)
{
    struct channel_block b = {.p = p};
    bool in_pairs = p->acc.bits >= 32 || p->acc.at == ACC_AT_TILE;
    for (b.channel = 0; b.channel < p->channels; b.channel += CHANNELS) {
        b.count = smaller(CHANNELS, p->channels - b.channel);
        for (b.v = 0; b.v < p->m; b.v += SETS) {
            b.sets = smaller(SETS, p->m - b.v);
            channel_sums[in_pairs && b.count == CHANNELS][p->x.is_unsigned][p->w_is_unsigned](&b);
        }
    }
}

static void depthwise(const struct int_depthwise *p)
{
    check_depthwise(p);
    sum_all_channels(p);
}

static void depthwise_gradient(const struct int_depthwise_gradient *p)
{
    check_depthwise_gradient(p);
    struct int_depthwise turned = {
        .m = p->taps, .taps = p->m, .channels = p->channels, .ld = p->ld, .ldw = p->ldg,
        .x = {p->x.data, p->x.unit, p->x.row, p->x.is_unsigned}, .w = p->g,
        .acc = p->acc, .out = p->out, .add = p->add, .scale = p->scale, .saturated = p->saturated,
    };
    sum_all_channels(&turned);
}
#endif
