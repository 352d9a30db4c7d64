/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's integer product against its definition, written out here in int64; byte transposition. */
#include "int_product_support.h"

/* ---- operand B: one of the two layouts, with gaps between its lines ---- */

struct made_matrix { struct int_matrix matrix; struct fenced bytes; };

static struct made_matrix made_matrix(size_t rows, size_t k, bool is_unsigned, bool along_k, enum fill fill)
{
    size_t lines = along_k ? rows : k, line = along_k ? k : rows, stride = line + draw_below(4);
    size_t size = lines * line > 0 ? (lines - 1) * stride + line : 0;
    struct made_matrix x = {.bytes = fenced_new(size, draw() & 1, 1)};
    for (size_t i = 0; i < size; i++)
        x.bytes.data[i] = draw_code(is_unsigned, fill);
    x.matrix = (struct int_matrix){x.bytes.data, along_k ? stride : 1, along_k ? 1 : stride, is_unsigned};
    return x;
}

/* ---- one product ---- */

struct trial {
    struct int_product p;
    struct int_panel panel;
    struct int_matrix b;
    int64_t *sums;      /* m × n, as they must be */
    uint64_t limited;
};

static void expect_sums(struct trial *t)
{
    const struct int_rows *a = &t->p.a;
    size_t n = t->panel.n, k = t->panel.k;
    int64_t *products = xmalloc((k + 1) * sizeof *products);
    t->sums = xmalloc((t->p.m * n + 1) * sizeof *t->sums);
    t->limited = 0;
    for (size_t i = 0; i < t->p.m; i++)
        for (size_t j = 0; j < n; j++) {
            for (size_t at = 0; at < k; at++)
                products[at] =
                    code_value(a->data, (ptrdiff_t)a->row[i] + a->unit[at / 4] + (ptrdiff_t)(at % 4), a->is_unsigned)
                    * code_value(t->b.data, (ptrdiff_t)(j * t->b.row + at * t->b.col), t->b.is_unsigned);
            t->sums[i * n + j] = limited_total(products, k, &t->panel.acc, &t->limited);
        }
    free(products);
}

static void expect_element(const struct trial *t, const char *isa, const uint8_t *got, float before, size_t i, size_t j)
{
    const struct int_product *p = &t->p;
    const struct accumulator *acc = &t->panel.acc;
    int32_t sum = (int32_t)t->sums[i * t->panel.n + j];
    float v = (float)sum * p->scale;
    v = v * (p->row_scale ? p->row_scale[i] : 1.0f);
    v = v + (p->bias ? p->bias[j] : 0.0f);
    v = p->add ? before + v : v;
    cr_assert_eq(memcmp(got, p->out ? (void *)&v : (void *)&sum, 4), 0,
                 "%s: C[%zu,%zu] of %zu x %zu x %zu, %s x %s, B %s, %d bits, tile %d, %s at %s, %s%s", isa, i, j, p->m,
                 t->panel.n, t->panel.k, p->a.is_unsigned ? "u" : "s", t->b.is_unsigned ? "u" : "s",
                 t->b.col == 1 ? "along k" : "across k", acc->bits, acc->tile,
                 acc->overflow == ACC_WRAP ? "wrap" : "saturate", acc->at == ACC_AT_ADD ? "add" : "tile",
                 p->out ? "floats" : "sums", p->add ? ", added" : "");
}

/* Runs it as sums (real = 0) or floats and compares; what is not to be written holds what it held. */
static void run_trial(struct trial *t, const struct kernels *k, bool real, bool counted)
{
    size_t n = t->panel.n, count = t->p.m > 0 ? (t->p.m - 1) * t->p.ld + n : 0;
    struct fenced out = fenced_new(4 * count, draw() & 1, 4), before = draw_reals(count);
    struct fenced panel = fenced_new(k->ints->panel_size(n, t->panel.k), true, 64);
    uint64_t limited_sums = 1000;
    memcpy(out.data, before.data, 4 * count);
    t->panel.memory = panel.data;
    t->p.sums = real ? NULL : (int32_t *)out.data;
    t->p.out = real ? (float *)out.data : NULL;
    t->p.saturated = counted ? &limited_sums : NULL;
    k->ints->pack(&t->panel, &t->b);
    k->ints->multiply(&t->p);
    for (size_t at = 0; at < count; at++) {
        size_t i = at / t->p.ld, j = at % t->p.ld;
        if (j < n)
            expect_element(t, k->isa, out.data + 4 * at, ((float *)before.data)[at], i, j);
        else
            cr_assert_eq(memcmp(out.data + 4 * at, before.data + 4 * at, 4), 0, "%s wrote between rows", k->isa);
    }
    cr_assert_eq(limited_sums, counted ? 1000 + t->limited : 1000, "%s counted %zu instead of %zu", k->isa,
                 (size_t)limited_sums - 1000, (size_t)t->limited);
    fenced_free(&out), fenced_free(&before), fenced_free(&panel);
}

/* Runs one product on every ISA, as sums and as floats, counted or not. */
static void check_product(size_t m, struct int_rows a, struct int_panel panel, struct int_matrix b, bool counted)
{
    struct fenced row_scale = draw_reals(m), bias = draw_reals(panel.n);
    struct trial t = {.panel = panel, .b = b};
    t.p = (struct int_product){
        .m = m, .ld = panel.n + draw_below(3), .a = a, .b = &t.panel, .scale = draw_real(), .add = draw() & 1,
        .row_scale = draw() & 1 ? (float *)row_scale.data : NULL, .bias = draw() & 1 ? (float *)bias.data : NULL,
    };
    expect_sums(&t);
    for (EACH_ISA(k))
        for (int real = 0; real < 2; real++)
            run_trial(&t, k, real, counted);
    free(t.sums);
    fenced_free(&row_scale), fenced_free(&bias);
}

static void check_shape(size_t m, size_t n, size_t k, struct accumulator acc, enum fill fill_a, enum fill fill_b)
{
    bool a_unsigned = draw() & 1, b_unsigned = draw() & 1;
    struct made_rows a = made_rows(m, (k + 3) / 4, 4, a_unsigned, draw_below(ROWS_KINDS), fill_a);
    struct made_matrix b = made_matrix(n, k, b_unsigned, draw() & 1, fill_b);
    struct int_panel panel = {.n = n, .k = k, .acc = acc, .a_is_unsigned = a_unsigned, .is_unsigned = b_unsigned};
    check_product(m, a.rows, panel, b.matrix, draw() & 1);
    made_rows_free(&a), fenced_free(&b.bytes);
}

Test(product, random_shapes)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 10, 11, 15, 16, 17, 20, 23, 31, 32, 33, 47, 48, 61, 64, 65, 67};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int round = 0; round < 600; round++)
        check_shape(sizes[draw_below(SIZES)], sizes[draw_below(SIZES)], sizes[draw_below(SIZES)],
                    draw_accumulator(), draw_below(FILL_KINDS), draw_below(FILL_KINDS));
}

Test(product, longer_shapes)
{
    for (int round = 0; round < 24; round++)
        check_shape(1 + draw_below(40), 1 + draw_below(80), 200 + draw_below(500), draw_accumulator(),
                    draw_below(FILL_KINDS), draw_below(FILL_KINDS));
}

Test(product, empty_sides)
{
    for (int round = 0; round < 32; round++)
        check_shape(round & 1 ? 0 : 3, round & 2 ? 0 : 5, round & 4 ? 0 : 7, draw_accumulator(), FILL_ALL, FILL_ALL);
}

/* More rows than stay in a cache together. */
Test(product, many_rows)
{
    struct accumulator acc = {32, 0, ACC_SATURATE, ACC_AT_TILE};
    check_shape(700, 3, 1021, acc, FILL_ALL, FILL_EXTREMES);
    acc = (struct accumulator){8, 32, ACC_SATURATE, ACC_AT_TILE};
    check_shape(611, 5, 1024, acc, FILL_ALL, FILL_SMALL);
}

/* Every accumulator option on operands large and small enough that some limits bind and others do not. */
Test(product, all_accumulators)
{
    for (int bits = 4; bits <= 33; bits++)
        for (size_t t = 0; t < TILE_LENGTHS; t++)
            for (int option = 0; option < 4; option++)
                check_shape(3, 35, 70,
                            (struct accumulator){bits, tile_lengths[t], option & 1 ? ACC_WRAP : ACC_SATURATE,
                                                 option & 2 ? ACC_AT_ADD : ACC_AT_TILE},
                            bits < 12 ? FILL_SMALL : FILL_ALL, bits < 20 ? FILL_ALL : FILL_EXTREMES);
}

/* The largest sums there are; every combination of signs, layouts and extremes. */
Test(product, largest_sums)
{
    for (int signs = 0; signs < 4; signs++)
        for (int fills = 0; fills < 4; fills++) {
            size_t k = signs == 3 ? 33025 : 65536;
            struct made_rows a = made_rows(1, (k + 3) / 4, 4, signs & 1, ROWS_APART, fills & 1 ? FILL_LOWEST : FILL_HIGHEST);
            struct made_matrix b = made_matrix(2, k, signs & 2, fills & 2, fills & 2 ? FILL_LOWEST : FILL_HIGHEST);
            struct int_panel panel = {.n = 2, .k = k, .acc.bits = 32, .a_is_unsigned = signs & 1, .is_unsigned = signs & 2};
            check_product(1, a.rows, panel, b.matrix, false);
            panel.acc = (struct accumulator){31, 0, ACC_WRAP, ACC_AT_TILE};
            check_product(1, a.rows, panel, b.matrix, true);
            made_rows_free(&a), fenced_free(&b.bytes);
        }
}

/* ---- faults of the caller ---- */

/* A product of one row with itself, right but for what the arguments say. */
static void product_of(size_t k, size_t col, bool bounded, bool panel_is_unsigned, int bits)
{
    uint8_t *codes = xcalloc(k + 4, 1);
    int32_t sum, row = 0, *unit = xcalloc((k + 3) / 4 + 1, 4);
    struct int_matrix b = {codes, 0, col, true};
    struct int_panel panel = {.n = 1, .k = k, .acc.bits = bits, .a_is_unsigned = panel_is_unsigned, .is_unsigned = true};
    panel.memory = aligned_alloc(64, kernels()->ints->panel_size(1, k) / 64 * 64 + 64);
    kernels()->ints->pack(&panel, &b);
    kernels()->ints->multiply(&(struct int_product){
        .m = 1, .ld = 1, .a = {codes, &row, unit, true}, .b = &panel, .sums = &sum, .bounded = bounded});
    cr_assert_eq(sum, 0);
    free(codes), free(unit), free(panel.memory);
}
Test(product, small_codes_may_be_long) { product_of(33026, 1, true, true, 32); }
Test(product, too_long_is_a_fault, .exit_code = 1) { product_of(33026, 1, false, true, 32); }
Test(product, no_unit_stride_is_a_fault, .exit_code = 1) { product_of(1, 2, false, true, 32); }
Test(product, a_panel_for_other_signs_is_a_fault, .exit_code = 1) { product_of(1, 1, false, false, 32); }
Test(product, three_bits_are_a_fault, .exit_code = 1) { product_of(1, 1, false, true, 3); }

/* ---- transposition ---- */

Test(product, transpose)
{
    static const size_t sizes[] = {0, 1, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 48, 65};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (size_t pair = 0; pair < SIZES * SIZES; pair++) {
        size_t rows = sizes[pair / SIZES], cols = sizes[pair % SIZES];
        size_t stride = cols + draw_below(3), step = rows + draw_below(3);
        struct fenced x = fenced_new(rows * cols > 0 ? (rows - 1) * stride + cols : 0, draw() & 1, 1);
        for (size_t i = 0; i < rows && cols > 0; i++)
            for (size_t j = 0; j < cols; j++)
                x.data[i * stride + j] = (uint8_t)draw();
        for (EACH_ISA(k)) {
            size_t size = rows * cols > 0 ? (cols - 1) * step + rows : 0;
            struct fenced out = fenced_new(size, draw() & 1, 1);
            memset(out.data, 0x5a, size);
            k->ints->transpose(x.data, rows, cols, stride, out.data, step);
            for (size_t at = 0; at < size; at++) {
                size_t i = at % step, j = at / step;
                cr_assert_eq(out.data[at], i < rows ? x.data[i * stride + j] : 0x5a, "%s: [%zu,%zu] of %zu x %zu", k->isa,
                             i, j, rows, cols);
            }
            fenced_free(&out);
        }
        fenced_free(&x);
    }
}
