/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer product in vectors; included by one file per instruction set after its lanes_*.h.
 * A is read where it lies: four bytes of a row are broadcast and meet a unit of every column of the panel. A strip of a few
 * rows times one or two vectors of columns is summed in registers over all of k, so limits of partial sums cost three
 * operations per tile. */
#ifndef BITSWEEP_PRODUCT_SIMD_H
#define BITSWEEP_PRODUCT_SIMD_H
#include "panel_simd.h"

enum limit { LIMIT_NONE, LIMIT_SATURATE, LIMIT_OTHER /* either, perhaps counted */ };
enum { A_BLOCK_BYTES = 64 * 1024, UNROLLED = 4, MOST_ROWS = 10 };

/* What one strip reads and writes. */
struct strip {
    const struct int_product *p;
    struct layout layout;
    size_t i, rows, j, columns;     /* first row, how many there are; first column, how many */
    const int32_t *row;             /* the rows' offsets; behind the last row, the last again */
    const ints *b, *start;          /* of the columns' block */
    const float *row_scale, *bias;  /* of row i (or NULL), of column j */
    int32_t *sums;                  /* MOST_ROWS × WIDTH, in rows of one or two vectors */
};

/* ---- limits ---- */

struct limits { ints hi, lo, shift; bool wraps; };

INLINE struct limits limits_of(const struct accumulator *acc)
{
    int32_t largest = largest_sum(acc);
    return (struct limits){ints_set(largest), ints_set(-largest), ints_set(acc->bits < 32 ? 32 - acc->bits : 0),
                           acc->overflow == ACC_WRAP};
}

INLINE ints limited_sum(ints sum, const struct limits *limits, bool wraps)
{
    return wraps ? ints_wrap(sum, limits->shift) : ints_max(ints_min(sum, limits->hi), limits->lo);
}

/* A loop over registers, which has to be unrolled; not with sanitizers, which then take minutes to compile. */
#ifdef __clang__
#if __has_feature(address_sanitizer)
#define UNROLL
#else
#define UNROLL _Pragma("clang loop unroll(full)")
#endif
#elif defined __SANITIZE_ADDRESS__
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define EACH(i, count) UNROLL for (int i = 0; i < (count); i++)

/* ---- results ---- */

/* A whole strip of floats, from registers. For all that a compiler knows, a vector store may change *s: hence the locals. */
INLINE void finish_floats(const struct strip *s, ints total[][2], const int rows, const int vectors, const bool add)
{
    const float *row_scale = s->row_scale;
    size_t ld = s->p->ld;
    float *out = s->p->out + s->i * ld + s->j;
    reals scale = reals_set(s->p->scale), bias[2];
    EACH(v, vectors)
        bias[v] = reals_load(s->bias + v * LANES);
    EACH(i, rows) {
        EACH(v, vectors) {
            reals value = reals_multiply(ints_to_reals(total[i][v]), scale);
            if (row_scale)
                value = reals_multiply(value, reals_set(row_scale[i]));
            value = reals_add(value, bias[v]);
            reals_store(out + v * LANES, add ? reals_add(reals_load(out + v * LANES), value) : value);
        }
        out += ld;
    }
}

/* Any strip, from s->sums. */
static void finish_sums(const struct strip *s, size_t vectors)
{
    const struct int_product *p = s->p;
    reals scale = reals_set(p->scale);
    for (size_t i = 0; i < s->rows; i++)
        for (size_t v = 0; v * LANES < s->columns; v++) {
            size_t count = smaller(LANES, s->columns - v * LANES), at = (s->i + i) * p->ld + s->j + v * LANES;
            ints sum = ints_load(s->sums + (i * vectors + v) * LANES);
            if (p->sums) {
                ints_store_some(p->sums + at, count, sum);
                continue;
            }
            reals value = reals_multiply(ints_to_reals(sum), scale);
            if (s->row_scale)
                value = reals_multiply(value, reals_set(s->row_scale[i]));
            value = reals_add(value, reals_load_some(s->bias + v * LANES, count));
            if (p->add)
                value = reals_add(reals_load_some(p->out + at, count), value);
            reals_store_some(p->out + at, count, value);
        }
}

INLINE void finish(const struct strip *s, ints total[][2], const int rows, const int vectors)
{
    if (s->p->out && s->rows == (size_t)rows && s->columns == (size_t)vectors * LANES) {
        if (s->p->add)
            finish_floats(s, total, rows, vectors, true);
        else
            finish_floats(s, total, rows, vectors, false);
        return;
    }
    EACH(i, rows)
        EACH(v, vectors)
            ints_store(s->sums + (i * vectors + v) * LANES, total[i][v]);
    finish_sums(s, (size_t)vectors);
}

/* ---- register tiles ---- */

INLINE ints broadcast(const uint8_t *x)
{
    int32_t bytes;
    memcpy(&bytes, x, 4);
    return ints_set(bytes);
}

/* One unit of every row times one unit of every column. */
INLINE void add_unit(ints sum[][2], const uint8_t *const at[], ptrdiff_t offset, const ints *b, const int rows,
                     const int vectors, const bool a_is_unsigned, const bool b_is_unsigned)
{
    ints columns[PARTS * 2], flip = ints_set((int32_t)0x80808080u);
    EACH(i, PARTS * vectors)
        columns[i] = b[i];
    EACH(i, rows) {
        ints row = broadcast(at[i] + offset);
        if (OFFSETS && a_is_unsigned == b_is_unsigned)
            row = ints_xor(row, flip);
        EACH(part, PARTS) {
            ints a = unit_part(row, part, a_is_unsigned);
            EACH(v, vectors)
                sum[i][v] = in_place(dot(sum[i][v], a, columns[part * vectors + v], !b_is_unsigned));
        }
    }
}

/* Limits a finished tile's sums and adds them to the totals. */
INLINE void end_tile(const struct strip *s, ints total[][2], ints sum[][2], const int rows, const int vectors,
                     const enum limit limit, const struct limits *limits)
{
    EACH(i, rows)
        EACH(v, vectors) {
            ints kept = limited_sum(sum[i][v], limits, limit == LIMIT_OTHER && limits->wraps);
            if (limit == LIMIT_OTHER && s->p->saturated && (size_t)i < s->rows)
                *s->p->saturated += ints_differ(kept, sum[i][v]);
            total[i][v] = ints_add(total[i][v], kept);
        }
}

INLINE void sum_strip(const struct strip *s, const int vectors, const enum limit limit, const bool a_is_unsigned,
                      const bool b_is_unsigned)
{
    const int rows = limit == LIMIT_NONE ? (vectors == 2 ? WIDE_ROWS : NARROW_ROWS)
                                         : (vectors == 2 ? LIMITED_WIDE_ROWS : LIMITED_NARROW_ROWS);
    const struct int_rows *a = &s->p->a;
    const uint8_t *at[MOST_ROWS];
    const int32_t *offset = a->unit;
    const ints *b = s->b, *start = s->start;
    struct limits limits = limits_of(&s->p->b->acc);
    ints total[MOST_ROWS][2], sum[MOST_ROWS][2];
    EACH(i, rows) {
        at[i] = (const uint8_t *)a->data + s->row[i];
        __asm__("" : "+r"(at[i])); /* stops gcc from computing these in vectors */
        EACH(v, vectors)
            total[i][v] = sum[i][v] = ints_set(0);
    }
    for (size_t left = s->layout.units; left > 0; start += s->layout.offset ? vectors : 0) {
        size_t units = smaller(s->layout.tile_units, left);
        left -= units;
        EACH(i, rows)
            EACH(v, vectors)
                sum[i][v] = start[v];
        for (; units >= UNROLLED; units -= UNROLLED)
            EACH(u, UNROLLED) {
                add_unit(sum, at, *offset++, b, rows, vectors, a_is_unsigned, b_is_unsigned);
                b += PARTS * vectors;
            }
        for (; units > 0; units--, b += PARTS * vectors)
            add_unit(sum, at, *offset++, b, rows, vectors, a_is_unsigned, b_is_unsigned);
        if (limit != LIMIT_NONE)
            end_tile(s, total, sum, rows, vectors, limit, &limits);
    }
    finish(s, limit == LIMIT_NONE ? sum : total, rows, vectors);
}

#define STRIP(vectors, limit, a, b) \
    static void strip_##vectors##_##limit##_##a##b(const struct strip *s) { sum_strip(s, vectors, limit, a, b); }
#define STRIPS(vectors, limit) \
    STRIP(vectors, limit, 0, 0) STRIP(vectors, limit, 0, 1) STRIP(vectors, limit, 1, 0) STRIP(vectors, limit, 1, 1)
STRIPS(1, LIMIT_NONE) STRIPS(1, LIMIT_SATURATE) STRIPS(1, LIMIT_OTHER)
STRIPS(2, LIMIT_NONE) STRIPS(2, LIMIT_SATURATE) STRIPS(2, LIMIT_OTHER)

#define STRIP_ROW(vectors, limit) \
    [limit] = {{strip_##vectors##_##limit##_00, strip_##vectors##_##limit##_01}, \
               {strip_##vectors##_##limit##_10, strip_##vectors##_##limit##_11}}
static void (*const strips[2][3][2][2])(const struct strip *) = { /* vectors - 1, limit, A unsigned, B unsigned */
    {STRIP_ROW(1, LIMIT_NONE), STRIP_ROW(1, LIMIT_SATURATE), STRIP_ROW(1, LIMIT_OTHER)},
    {STRIP_ROW(2, LIMIT_NONE), STRIP_ROW(2, LIMIT_SATURATE), STRIP_ROW(2, LIMIT_OTHER)},
};

/* ---- one k at a time: limits at every addition, and tiles that are no multiple of 4 ---- */

enum { STEP_ROWS = 4 };

INLINE int32_t a_code(const struct int_rows *a, ptrdiff_t row, size_t k)
{
    const uint8_t *at = (const uint8_t *)a->data + row + a->unit[k / 4] + k % 4;
    return a->is_unsigned ? *at : *(const int8_t *)at;
}

/* STEP_ROWS rows times one vector of columns, of which b holds every step-th. */
static void sum_steps(const struct strip *s, const ints *b, size_t step, int32_t *sums)
{
    const struct int_product *p = s->p;
    const struct accumulator *acc = &p->b->acc;
    size_t k = 0, length = p->b->k, tile = tile_length(acc, length);
    struct limits limits = limits_of(acc);
    ints total[STEP_ROWS];
    for (size_t r = 0; r < STEP_ROWS; r++)
        total[r] = ints_set(0);
    while (k < length) {
        ints sum[STEP_ROWS];
        for (size_t r = 0; r < STEP_ROWS; r++)
            sum[r] = ints_set(0);
        for (size_t end = smaller(k + tile, length); k < end; k++) {
            ints parts[PARTS];
            for (size_t part = 0; part < PARTS; part++)
                parts[part] = b[(k / 4 * PARTS + part) * step];
            ints column = unit_code(parts, k, p->b->is_unsigned);
            for (size_t r = 0; r < STEP_ROWS; r++) {
                ints a = ints_set((uint16_t)a_code(&p->a, s->row[r], k));
                ints next = ints_add(sum[r], ints_multiply_shorts(column, a));
                sum[r] = acc->at == ACC_AT_ADD || k + 1 == end ? limited_sum(next, &limits, limits.wraps) : next;
                if (p->saturated && r < s->rows)
                    *p->saturated += ints_differ(sum[r], next);
            }
        }
        for (size_t r = 0; r < STEP_ROWS; r++)
            total[r] = ints_add(total[r], sum[r]);
    }
    for (size_t r = 0; r < STEP_ROWS; r++)
        ints_store(sums + r * step * LANES, total[r]);
}

static void sum_strip_in_steps(const struct strip *s, size_t vectors)
{
    for (size_t v = 0; v < vectors; v++)
        sum_steps(s, s->b + v, vectors, s->sums + v * LANES);
    finish_sums(s, vectors);
}
static void sum_in_steps_1(const struct strip *s) { sum_strip_in_steps(s, 1); }
static void sum_in_steps_2(const struct strip *s) { sum_strip_in_steps(s, 2); }

/* Wrapping at every addition gives what wrapping once gives, but another count. */
static bool needs_steps(const struct int_product *p, const struct layout *layout)
{
    const struct accumulator *acc = &p->b->acc;
    return layout->in_steps
           || (acc->bits < 32 && acc->at == ACC_AT_ADD && (acc->overflow == ACC_SATURATE || p->saturated));
}

/* ---- the product ---- */

/* How strips of one or two vectors are summed, and how many rows they have. */
struct plan { void (*sum[2])(const struct strip *); size_t rows[2]; };

static struct plan plan_of(const struct int_product *p, const struct layout *layout)
{
    if (needs_steps(p, layout))
        return (struct plan){{sum_in_steps_1, sum_in_steps_2}, {STEP_ROWS, STEP_ROWS}};
    const struct accumulator *acc = &p->b->acc;
    enum limit limit = acc->bits >= 32 ? LIMIT_NONE
                       : acc->overflow == ACC_SATURATE && !p->saturated ? LIMIT_SATURATE : LIMIT_OTHER;
    bool a = p->a.is_unsigned, b = p->b->is_unsigned, limited = limit != LIMIT_NONE;
    return (struct plan){
        {strips[0][limit][a][b], strips[1][limit][a][b]},
        {limited ? LIMITED_NARROW_ROWS : NARROW_ROWS, limited ? LIMITED_WIDE_ROWS : WIDE_ROWS},
    };
}

static const float no_bias[WIDTH];

/* Rows s->i .. end-1 of one block of columns. */
static void multiply_columns(struct strip *s, const struct plan *plan, size_t end)
{
    const struct int_product *p = s->p;
    size_t vectors = vectors_of(s->columns), rows = plan->rows[vectors - 1];
    int32_t last_rows[MOST_ROWS];
    for (; s->i < end; s->i += rows) {
        s->rows = smaller(rows, end - s->i);
        s->row = p->a.row + s->i;
        s->row_scale = p->row_scale ? p->row_scale + s->i : NULL;
        if (s->rows < rows) {
            for (size_t i = 0; i < rows; i++)
                last_rows[i] = s->row[smaller(i, s->rows - 1)];
            s->row = last_rows;
        }
        plan->sum[vectors - 1](s);
    }
}

static void multiply(const struct int_product *p)
{
    enum { STRIPS = 4 * MOST_ROWS }; /* a block's rows are a multiple of this, so of every strip's */
    check_product(p);
    _Alignas(64) int32_t sums[MOST_ROWS * WIDTH];
    struct strip s = {.p = p, .layout = layout_of(p->b), .sums = sums};
    struct plan plan = plan_of(p, &s.layout);
    /* A block of A stays in L2 while every block of columns passes. */
    size_t block = A_BLOCK_BYTES / (p->b->k + 1) / STRIPS * STRIPS + STRIPS;
    for (size_t i = 0; i < p->m; i += block) {
        s.b = p->b->memory;
        s.start = s.layout.start;
        for (s.j = 0; s.j < p->b->n; s.j += WIDTH) {
            s.i = i;
            s.columns = smaller(WIDTH, p->b->n - s.j);
            s.bias = p->bias ? p->bias + s.j : no_bias;
            multiply_columns(&s, &plan, smaller(i + block, p->m));
            s.b += s.layout.units * PARTS * vectors_of(s.columns);
            s.start += s.layout.offset ? s.layout.tiles * vectors_of(s.columns) : 0;
        }
    }
}

/* ---- for the benchmark ---- */

static double peak(void)
{
    enum { SUMS = 12, ROUNDS = 20000 };
    ints a = part_of_ones(), b = part_of_ones(), sums[SUMS];
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
    return lanes[0] ? 2.0 * LANES * 4 / PARTS * SUMS * ROUNDS : 0;
}
#endif
