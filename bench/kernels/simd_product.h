/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer product in vectors; included by one file per instruction set after its lanes_*.h.
 * Both operands are packed in panels of units (UNIT consecutive k of one row in 32 bits): A in panels of
 * LANES rows, B of 2 * LANES, [group of UNIT k][row], zeros behind the ends. A block of A stays in L2 while
 * every panel of B passes; a strip of a few rows of A times one panel of B is summed in registers over all of
 * k, so limits of partial sums cost three operations per tile.
 * The byte dot product takes one unsigned and one signed operand. When both are signed or both unsigned, A is
 * packed with 128 added or subtracted (its top bits flipped), and every tile's sums start at the
 * compensation, ∓128 times the tile's sums of B. That keeps each tile exact before it is limited. */
#ifndef BITSWEEP_SIMD_PRODUCT_H
#define BITSWEEP_SIMD_PRODUCT_H
#include "isa.h"
#include <string.h>

enum limit { LIMIT_NONE, LIMIT_SATURATE, LIMIT_WRAP };
enum { WIDTH = 2 * LANES, A_BLOCK_BYTES = 256 * 1024, UNROLLED = 4 };

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
INLINE size_t round_up(size_t x, size_t step) { return (x + step - 1) / step * step; }

/* ---- packing ---- */

/* Rows first .. first+rows-1 (rows ≤ LANES) of x into panel[group * step], contiguous along k. */
static void pack_along_k(const struct int_matrix *x, size_t first, size_t rows, size_t k, ints flip,
                         size_t step, ints *panel)
{
    enum { CHUNK = LANES * UNIT };
    for (size_t from = 0; from < k; from += CHUNK, panel += LANES * step) {
        const uint8_t *data = (const uint8_t *)x->data + first * x->row + from;
        size_t count = smaller(CHUNK, k - from), groups = (count + UNIT - 1) / UNIT;
        uint8_t edge[LANES][CHUNK];
        ints r[LANES];
        if (rows == LANES && count == CHUNK) {
            for (size_t i = 0; i < LANES; i++)
                r[i] = units_load(data + i * x->row, x->is_unsigned);
        } else {
            memset(edge, 0, sizeof edge);
            for (size_t i = 0; i < rows; i++)
                memcpy(edge[i], data + i * x->row, count);
            for (size_t i = 0; i < LANES; i++)
                r[i] = units_load(edge[i], x->is_unsigned);
        }
        ints_transpose(r);
        if (groups == LANES)
            for (size_t g = 0; g < LANES; g++)
                panel[g * step] = ints_xor(r[g], flip);
        else
            for (size_t g = 0; g < groups; g++)
                panel[g * step] = ints_xor(r[g], flip);
    }
}

/* The same from a matrix that is contiguous along its rows. */
static void pack_across_k(const struct int_matrix *x, size_t first, size_t rows, size_t k, ints flip,
                          size_t step, ints *panel)
{
    for (size_t from = 0; from < k; from += UNIT, panel += step) {
        const uint8_t *data = (const uint8_t *)x->data + first + from * x->col, *lines[UNIT];
        size_t count = smaller(UNIT, k - from);
        uint8_t edge[UNIT][LANES];
        if (rows == LANES && count == UNIT) {
            for (size_t i = 0; i < UNIT; i++)
                lines[i] = data + i * x->col;
        } else {
            memset(edge, 0, sizeof edge);
            for (size_t i = 0; i < UNIT; i++) {
                if (i < count)
                    memcpy(edge[i], data + i * x->col, rows);
                lines[i] = edge[i];
            }
        }
        *panel = ints_xor(units_interleave(lines, x->is_unsigned), flip);
    }
}

static void pack(const struct int_matrix *x, size_t first, size_t rows, size_t k, ints flip, size_t step,
                 ints *panel)
{
    (x->col == 1 ? pack_along_k : pack_across_k)(x, first, smaller(rows, LANES), k, flip, step, panel);
}

/* ---- one product, packed ---- */

struct packed {
    size_t groups, tile_groups, tiles, block_rows;
    bool offset;        /* A is packed with its top bits flipped */
    bool a_is_unsigned; /* as packed */
    ints *b;            /* panels × groups × 2 */
    ints *start;        /* panels × tiles × 2 where offset; else one pair of zeros */
    ints *a;            /* block_rows / LANES × groups */
};

static size_t block_rows(size_t m, size_t groups)
{
    size_t rows = A_BLOCK_BYTES / (groups * sizeof(int32_t) + 1) / LANES * LANES;
    return smaller(rows > LANES ? rows : LANES, round_up(m, LANES));
}

static size_t b_vectors(size_t n, size_t groups) { return round_up(n, WIDTH) / LANES * groups; }

static size_t int_product_workspace(size_t m, size_t n, size_t k)
{
    size_t groups = (k + UNIT - 1) / UNIT, b = b_vectors(n, groups), start = OFFSETS ? b : 0;
    return (b + start + 2 + block_rows(m, groups) / LANES * groups) * sizeof(ints);
}

static void plan_packing(const struct int_product *p, struct packed *packed)
{
    size_t groups = (p->k + UNIT - 1) / UNIT, tile = (size_t)p->acc.tile / UNIT;
    bool one_tile = p->acc.bits >= 32 || p->acc.tile == 0 || (size_t)p->acc.tile >= p->k;
    bool offset = OFFSETS && p->a.is_unsigned == p->b.is_unsigned;
    *packed = (struct packed){
        .groups = groups,
        .tile_groups = one_tile ? groups : tile,
        .tiles = one_tile ? groups > 0 : (groups + tile - 1) / tile,
        .block_rows = block_rows(p->m, groups),
        .offset = offset,
        .a_is_unsigned = p->a.is_unsigned != offset,
        .b = p->workspace,
    };
    packed->start = packed->b + b_vectors(p->n, groups);
    packed->a = packed->start + (offset ? b_vectors(p->n, groups) : 2);
}

/* Where the sums of one half of one panel start, tile after tile. */
static void compensate(const struct packed *packed, const ints *b, ints *start)
{
    ints one = units_of_ones();
    for (size_t tile = 0; tile < packed->tiles; tile++, start += 2) {
        ints sum = ints_set(0);
        size_t end = smaller((tile + 1) * packed->tile_groups, packed->groups);
        for (size_t g = tile * packed->tile_groups; g < end; g++)
            sum = dot(sum, one, b[2 * g], packed->a_is_unsigned);
        *start = ints_multiply(sum, ints_set(packed->a_is_unsigned ? -128 : 128));
    }
}

static void pack_b(const struct int_product *p, const struct packed *packed)
{
    ints zero = ints_set(0);
    if (!packed->offset)
        packed->start[0] = packed->start[1] = zero;
    for (size_t j = 0, half = 0; j < round_up(p->n, WIDTH); j += LANES, half = !half) {
        ints *panel = packed->b + j / WIDTH * packed->groups * 2 + half;
        if (j < p->n)
            pack(&p->b, j, p->n - j, p->k, zero, 2, panel);
        else
            for (size_t g = 0; g < packed->groups; g++)
                panel[2 * g] = zero;
        if (packed->offset)
            compensate(packed, panel, packed->start + j / WIDTH * packed->tiles * 2 + half);
    }
}

static void pack_a(const struct int_product *p, const struct packed *packed, size_t first, size_t rows)
{
    ints flip = ints_set(packed->offset ? (int32_t)0x80808080u : 0);
    for (size_t i = 0; i < rows; i += LANES)
        pack(&p->a, first + i, rows - i, p->k, flip, 1, packed->a + i / LANES * packed->groups);
}

/* ---- register tiles ---- */

struct strip {
    const int32_t *a;          /* groups × LANES, from the strip's first row on */
    const ints *b, *start;     /* groups × 2; tiles × 2, or 1 × 2 */
    size_t groups, tile_groups, start_step;
    int32_t largest, shift;    /* limits: ±largest, or 32 - bits */
    int32_t *sums;             /* rows × WIDTH */
    uint64_t *limited;         /* NULL: not counted */
};

INLINE ints limited_sum(ints sum, enum limit limit, ints lo, ints hi, ints shift)
{
    return limit == LIMIT_WRAP ? ints_wrap(sum, shift) : ints_max(ints_min(sum, hi), lo);
}

/* One unit of every row times one unit of every column. */
INLINE void add_group(ints sum[][2], const int32_t *a, const ints *b, const int rows,
                      const bool a_is_unsigned)
{
    ints left = b[0], right = b[1];
    for (int i = 0; i < rows; i++) {
        ints row = ints_set(a[i]);
        sum[i][0] = in_place(dot(sum[i][0], row, left, a_is_unsigned));
        sum[i][1] = in_place(dot(sum[i][1], row, right, a_is_unsigned));
    }
}

INLINE void sum_strip(const struct strip *s, const int rows, const enum limit limit, const bool a_is_unsigned,
                      const bool counted)
{
    const int32_t *a = s->a;
    const ints *b = s->b, *start = s->start;
    ints hi = ints_set(s->largest), lo = ints_set(-s->largest), shift = ints_set(s->shift);
    ints total[PLAIN_ROWS][2], sum[PLAIN_ROWS][2];
    for (int i = 0; i < rows; i++)
        total[i][0] = total[i][1] = ints_set(0);
    for (size_t left = s->groups; left > 0; start += s->start_step) {
        size_t groups = smaller(s->tile_groups, left);
        left -= groups;
        for (int i = 0; i < rows; i++)
            for (int half = 0; half < 2; half++)
                sum[i][half] = start[half];
        for (; groups >= UNROLLED; groups -= UNROLLED)
            for (int g = 0; g < UNROLLED; g++, a += LANES, b += 2)
                add_group(sum, a, b, rows, a_is_unsigned);
        for (; groups > 0; groups--, a += LANES, b += 2)
            add_group(sum, a, b, rows, a_is_unsigned);
        for (int i = 0; i < rows; i++)
            for (int half = 0; half < 2; half++) {
                ints whole = sum[i][half];
                ints kept = limit == LIMIT_NONE ? whole : limited_sum(whole, limit, lo, hi, shift);
                if (counted)
                    *s->limited += ints_differ(kept, whole);
                total[i][half] = limit == LIMIT_NONE ? kept : ints_add(total[i][half], kept);
            }
    }
    for (int i = 0; i < rows; i++)
        for (int half = 0; half < 2; half++)
            ints_store(s->sums + i * WIDTH + half * LANES, total[i][half]);
}

#define STRIP(name, rows, limit, a_is_unsigned, counted) \
    static void name(const struct strip *s) { sum_strip(s, rows, limit, a_is_unsigned, counted); }
STRIP(plain_signed, PLAIN_ROWS, LIMIT_NONE, false, false)
STRIP(plain_unsigned, PLAIN_ROWS, LIMIT_NONE, true, false)
STRIP(saturate_signed, LIMITED_ROWS, LIMIT_SATURATE, false, false)
STRIP(saturate_unsigned, LIMITED_ROWS, LIMIT_SATURATE, true, false)
STRIP(saturate_signed_counted, LIMITED_ROWS, LIMIT_SATURATE, false, true)
STRIP(saturate_unsigned_counted, LIMITED_ROWS, LIMIT_SATURATE, true, true)
STRIP(wrap_signed, LIMITED_ROWS, LIMIT_WRAP, false, false)
STRIP(wrap_unsigned, LIMITED_ROWS, LIMIT_WRAP, true, false)
STRIP(wrap_signed_counted, LIMITED_ROWS, LIMIT_WRAP, false, true)
STRIP(wrap_unsigned_counted, LIMITED_ROWS, LIMIT_WRAP, true, true)

static void (*const strips[3][2][2])(const struct strip *) = { /* limit, counted, A unsigned */
    {{plain_signed, plain_unsigned}, {plain_signed, plain_unsigned}},
    {{saturate_signed, saturate_unsigned}, {saturate_signed_counted, saturate_unsigned_counted}},
    {{wrap_signed, wrap_unsigned}, {wrap_signed_counted, wrap_unsigned_counted}},
};

/* Writes a strip's integers (rows × WIDTH) to C at row i, column j. */
static void finish(const struct int_product *p, size_t i, size_t j, size_t rows, const int32_t *sums)
{
    reals scale = reals_set(p->scale), zero = reals_set(0);
    for (size_t end = i + rows; i < end; i++, sums += WIDTH)
        for (size_t part = 0; part < WIDTH && j + part < p->n; part += LANES) {
            size_t count = smaller(LANES, p->n - j - part), at = i * p->ld + j + part;
            ints sum = ints_load(sums + part);
            if (p->sums) {
                ints_store_some(p->sums + at, count, sum);
                continue;
            }
            reals v = reals_multiply(ints_to_reals(sum), scale);
            v = reals_multiply(v, reals_set(p->row_scale ? p->row_scale[i] : 1));
            v = reals_add(v, p->bias ? reals_load_some(p->bias + j + part, count) : zero);
            reals_store_some(p->out + at, count, v);
        }
}

static enum limit limit_of(const struct accumulator *acc)
{
    return acc->bits >= 32 ? LIMIT_NONE : acc->overflow == ACC_SATURATE ? LIMIT_SATURATE : LIMIT_WRAP;
}

static int32_t largest_sum(const struct accumulator *acc)
{
    return acc->bits >= 32 ? INT32_MAX : (int32_t)((1u << (acc->bits - 1)) - 1);
}

static void multiply_block(const struct int_product *p, const struct packed *packed, size_t first,
                           size_t rows)
{
    enum limit limit = limit_of(&p->acc);
    void (*sum)(const struct strip *) = strips[limit][p->saturated != NULL][packed->a_is_unsigned];
    size_t strip_rows = limit == LIMIT_NONE ? PLAIN_ROWS : LIMITED_ROWS;
    _Alignas(64) int32_t sums[PLAIN_ROWS * WIDTH];
    struct strip s = {
        .groups = packed->groups, .tile_groups = packed->tile_groups, .start_step = packed->offset ? 2 : 0,
        .largest = largest_sum(&p->acc), .shift = limit == LIMIT_NONE ? 0 : 32 - p->acc.bits,
        .sums = sums, .limited = p->saturated,
    };
    for (size_t j = 0; j < p->n; j += WIDTH) {
        s.b = packed->b + j / WIDTH * packed->groups * 2;
        s.start = packed->start + (packed->offset ? j / WIDTH * packed->tiles * 2 : 0);
        for (size_t i = 0; i < rows; i += strip_rows) {
            s.a = (const int32_t *)(packed->a + i / LANES * packed->groups) + i % LANES;
            sum(&s);
            finish(p, first + i, j, smaller(strip_rows, rows - i), sums);
        }
    }
}

/* ---- one k at a time: limits at every addition, and tiles that are no multiple of UNIT ---- */

static int32_t element(const struct int_matrix *x, size_t i, size_t k)
{
    size_t at = i * x->row + k * x->col;
    return x->is_unsigned ? ((const uint8_t *)x->data)[at] : ((const int8_t *)x->data)[at];
}

enum { STEP_ROWS = 4 };

/* STEP_ROWS rows times LANES columns; a row behind the last repeats the last. b: k × LANES. */
INLINE void sum_steps(const struct int_product *p, size_t i, const int16_t *b, bool at_add,
                      const enum limit limit, int32_t *sums)
{
    size_t tile = p->acc.tile > 0 ? (size_t)p->acc.tile : p->k, rows = smaller(STEP_ROWS, p->m - i);
    int32_t largest = largest_sum(&p->acc);
    ints hi = ints_set(largest), lo = ints_set(-largest), shift = ints_set(32 - p->acc.bits);
    ints total[STEP_ROWS];
    for (size_t r = 0; r < STEP_ROWS; r++)
        total[r] = ints_set(0);
    uint64_t limited[STEP_ROWS] = {0};
    for (size_t first = 0; first < p->k; first += tile) {
        size_t end = smaller(first + tile, p->k);
        ints sum[STEP_ROWS];
        for (size_t r = 0; r < STEP_ROWS; r++)
            sum[r] = ints_set(0);
        for (size_t k = first; k < end; k++) {
            ints column = ints_load_shorts(b + k * LANES);
            for (size_t r = 0; r < STEP_ROWS; r++) {
                ints a = ints_set((uint16_t)element(&p->a, i + smaller(r, rows - 1), k));
                ints next = ints_add(sum[r], ints_multiply_shorts(column, a));
                sum[r] = at_add || k + 1 == end ? limited_sum(next, limit, lo, hi, shift) : next;
                if (p->saturated)
                    limited[r] += ints_differ(sum[r], next);
            }
        }
        for (size_t r = 0; r < STEP_ROWS; r++)
            total[r] = ints_add(total[r], sum[r]);
    }
    for (size_t r = 0; r < STEP_ROWS; r++)
        ints_store(sums + r * WIDTH, total[r]);
    for (size_t r = 0; p->saturated && r < rows; r++)
        *p->saturated += limited[r];
}

static void product_in_steps(const struct int_product *p)
{
    _Alignas(64) int32_t sums[STEP_ROWS * WIDTH];
    int16_t *b = p->workspace;
    struct int_product part = *p;
    bool at_add = p->acc.at == ACC_AT_ADD;
    for (size_t j = 0; j < p->n; j += LANES) {
        part.n = smaller(p->n, j + LANES);
        for (size_t k = 0; k < p->k; k++)
            for (size_t c = 0; c < LANES; c++)
                b[k * LANES + c] = (int16_t)(j + c < p->n ? element(&p->b, j + c, k) : 0);
        for (size_t i = 0; i < p->m; i += STEP_ROWS) {
            if (p->acc.overflow == ACC_SATURATE)
                sum_steps(p, i, b, at_add, LIMIT_SATURATE, sums);
            else
                sum_steps(p, i, b, at_add, LIMIT_WRAP, sums);
            finish(&part, i, j, smaller(STEP_ROWS, p->m - i), sums);
        }
    }
}

/* Wrapping at every addition gives what wrapping once gives, but another count. */
static bool needs_steps(const struct int_product *p)
{
    bool at_add = p->acc.at == ACC_AT_ADD && (p->acc.overflow == ACC_SATURATE || p->saturated);
    bool odd_tile = p->acc.tile % UNIT != 0 && (size_t)p->acc.tile < p->k;
    return p->acc.bits < 32 && (at_add || odd_tile);
}

static void int_product(const struct int_product *p)
{
    product_check(p);
    if (p->m == 0 || p->n == 0)
        return;
    if (needs_steps(p)) {
        product_in_steps(p);
        return;
    }
    struct packed packed;
    plan_packing(p, &packed);
    pack_b(p, &packed);
    for (size_t i = 0; i < p->m; i += packed.block_rows) {
        size_t rows = smaller(packed.block_rows, p->m - i);
        pack_a(p, &packed, i, rows);
        multiply_block(p, &packed, i, rows);
    }
}

/* ---- for the benchmark ---- */

/* Every block of A is taken to be the one that was packed last. */
static void int_product_packed(const struct int_product *p)
{
    struct packed packed;
    plan_packing(p, &packed);
    for (size_t i = 0; i < p->m; i += packed.block_rows)
        multiply_block(p, &packed, i, smaller(packed.block_rows, p->m - i));
}

static double int_product_peak(void)
{
    enum { SUMS = 12, ROUNDS = 20000 };
    ints a = units_of_ones(), b = units_of_ones(), sums[SUMS];
    int32_t lanes[LANES];
    for (int i = 0; i < SUMS; i++)
        sums[i] = ints_set(0);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < SUMS; i++) {
            b = in_place(b); /* so that no product is taken out of the loop */
            sums[i] = in_place(dot(sums[i], a, b, true));
        }
    for (int i = 1; i < SUMS; i++)
        sums[0] = ints_add(sums[0], sums[i]);
    ints_store(lanes, sums[0]);
    return lanes[0] ? 2.0 * LANES * UNIT * SUMS * ROUNDS : 0;
}
#endif
