/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's integer product against its definition, written out here in int64. */
#include "kernel_support.h"

static void *aligned(size_t size) { return aligned_alloc(64, (size + 127) / 64 * 64); }

/* An operand in memory of its own, in one of the two layouts, with gaps between its lines. */
struct operand { struct int_matrix matrix; uint8_t *memory; };

enum fill { FILL_ALL, FILL_EXTREMES, FILL_LOWEST, FILL_HIGHEST, FILL_SMALL, FILL_KINDS };

static uint8_t code(bool is_unsigned, enum fill fill)
{
    int lo = is_unsigned ? 0 : -128, hi = is_unsigned ? 255 : 127;
    switch (fill) {
    case FILL_EXTREMES: return (uint8_t)(draw() & 1 ? lo : hi);
    case FILL_LOWEST: return (uint8_t)lo;
    case FILL_HIGHEST: return (uint8_t)hi;
    case FILL_SMALL: return (uint8_t)(is_unsigned ? draw_below(16) : draw_below(15) - 7);
    default: return (uint8_t)draw();
    }
}

static struct operand operand_new(size_t rows, size_t k, bool is_unsigned, bool along_k, enum fill fill)
{
    size_t lines = along_k ? rows : k, line = along_k ? k : rows, stride = line + draw_below(4);
    size_t shift = draw_below(5);
    struct operand x = {.memory = xmalloc(lines * stride + shift + 1)};
    for (size_t i = 0; i < lines * stride + shift; i++)
        x.memory[i] = code(is_unsigned, fill);
    x.matrix = (struct int_matrix){x.memory + shift, along_k ? stride : 1, along_k ? 1 : stride, is_unsigned};
    return x;
}

static int64_t value(const struct int_matrix *x, size_t i, size_t k)
{
    int64_t byte = ((const uint8_t *)x->data)[i * x->row + k * x->col];
    return !x->is_unsigned && byte > 127 ? byte - 256 : byte;
}

static int64_t limited(int64_t sum, const struct accumulator *acc, uint64_t *count)
{
    if (acc->bits >= 32)
        return sum;
    int64_t range = (int64_t)1 << acc->bits, top = range / 2 - 1, result = sum;
    if (acc->overflow == ACC_SATURATE) {
        result = sum > top ? top : sum < -top ? -top : sum;
    } else {
        while (result > top)
            result -= (result - top + range - 1) / range * range;
        while (result < -top - 1)
            result += (-top - 1 - result + range - 1) / range * range;
    }
    *count += result != sum;
    return result;
}

static void expect_product(const struct int_product *p, int64_t *sums, uint64_t *count)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            int64_t total = 0, tile_sum = 0;
            for (size_t k = 0; k < p->k; k++) {
                bool last = k + 1 == p->k || (p->acc.tile && (k + 1) % (size_t)p->acc.tile == 0);
                tile_sum += value(&p->a, i, k) * value(&p->b, j, k);
                if (p->acc.at == ACC_AT_ADD || last)
                    tile_sum = limited(tile_sum, &p->acc, count);
                if (last) {
                    total += tile_sum;
                    tile_sum = 0;
                }
            }
            sums[i * p->n + j] = total;
        }
}

/* Runs one product on every ISA, as sums and as floats, counted and not, and compares. */
static void check_product(struct int_product p, bool counted)
{
    float *row_scale = xmalloc((p.m + 1) * sizeof(float)), *bias = xmalloc((p.n + 1) * sizeof(float));
    int64_t *expected = xmalloc((p.m * p.n + 1) * sizeof *expected);
    uint64_t expected_count = 0;
    expect_product(&p, expected, &expected_count);
    for (size_t i = 0; i < p.m; i++)
        row_scale[i] = draw_real();
    for (size_t j = 0; j < p.n; j++)
        bias[j] = draw_real();
    p.scale = draw_real();
    p.row_scale = draw() & 1 ? row_scale : NULL;
    p.bias = draw() & 1 ? bias : NULL;
    p.ld = p.n + draw_below(3);
    size_t size = p.m > 0 ? ((p.m - 1) * p.ld + p.n) * 4 : 0;
    for (EACH_ISA(k))
        for (int real = 0; real < 2; real++) {
            struct guarded c = guarded_new(size, 4 * draw_below(16));
            uint64_t count = 1000;
            p.workspace = aligned(k->int_product_workspace(p.m, p.n, p.k));
            p.sums = real ? NULL : (int32_t *)c.data;
            p.out = real ? (float *)c.data : NULL;
            p.saturated = counted ? &count : NULL;
            k->int_product(&p);
            for (size_t i = 0; i < p.m; i++) {
                for (size_t j = 0; j < p.n; j++) {
                    int32_t sum = (int32_t)expected[i * p.n + j];
                    float v = (float)sum * p.scale;
                    v = v * (p.row_scale ? row_scale[i] : 1.0f);
                    v = v + (p.bias ? bias[j] : 0.0f);
                    if (!real)
                        memcpy(&v, &sum, 4);
                    cr_assert_eq(memcmp(c.data + 4 * (i * p.ld + j), &v, 4), 0,
                                 "%s: C[%zu,%zu] of %zu x %zu x %zu, %s x %s, A %s, B %s, %d bits, tile %d, "
                                 "%s at %s, %s",
                                 k->isa, i, j, p.m, p.n, p.k, p.a.is_unsigned ? "u" : "s",
                                 p.b.is_unsigned ? "u" : "s", p.a.col == 1 ? "along k" : "across k",
                                 p.b.col == 1 ? "along k" : "across k", p.acc.bits, p.acc.tile,
                                 p.acc.overflow == ACC_WRAP ? "wrap" : "saturate",
                                 p.acc.at == ACC_AT_ADD ? "add" : "tile", real ? "floats" : "sums");
                }
                for (size_t at = i * p.ld + p.n; i + 1 < p.m && at < (i + 1) * p.ld; at++)
                    cr_assert_eq(c.data[4 * at], 0x5a, "%s wrote between rows", k->isa);
            }
            cr_assert_eq(count, counted ? 1000 + expected_count : 1000, "%s counted %zu instead of %zu",
                         k->isa, (size_t)count - 1000, (size_t)expected_count);
            guarded_free(&c, k->isa);
            free(p.workspace);
        }
    free(row_scale), free(bias), free(expected);
}

static void check_shape(size_t m, size_t n, size_t k, struct accumulator acc, enum fill fill_a,
                        enum fill fill_b)
{
    bool a_unsigned = draw() & 1, b_unsigned = draw() & 1;
    struct operand a = operand_new(m, k, a_unsigned, draw() & 1, fill_a);
    struct operand b = operand_new(n, k, b_unsigned, draw() & 1, fill_b);
    check_product((struct int_product){.m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .acc = acc},
                  draw() & 1);
    free(a.memory), free(b.memory);
}

static const int tiles[] = {0, 1, 2, 3, 4, 5, 8, 12, 31, 32, 33, 64, 1000};

static struct accumulator draw_accumulator(void)
{
    return (struct accumulator){
        .bits = draw() % 3 ? 4 + (int)draw_below(28) : 32,
        .tile = tiles[draw_below(sizeof tiles / sizeof *tiles)],
        .overflow = draw() & 1 ? ACC_WRAP : ACC_SATURATE,
        .at = draw() % 4 ? ACC_AT_TILE : ACC_AT_ADD,
    };
}

Test(product, random_shapes)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 17, 23, 31, 32, 33, 47, 61, 64, 65, 67};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int round = 0; round < 500; round++)
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
        check_shape(round & 1 ? 0 : 3, round & 2 ? 0 : 5, round & 4 ? 0 : 7, draw_accumulator(), FILL_ALL,
                    FILL_ALL);
}

/* More rows than one block of A holds. */
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
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++)
            for (int option = 0; option < 4; option++)
                check_shape(3, 35, 70,
                            (struct accumulator){bits, tiles[t], option & 1 ? ACC_WRAP : ACC_SATURATE,
                                                 option & 2 ? ACC_AT_ADD : ACC_AT_TILE},
                            bits < 12 ? FILL_SMALL : FILL_ALL, bits < 20 ? FILL_ALL : FILL_EXTREMES);
}

/* The largest sums there are; every combination of signs, layouts and extremes. */
Test(product, largest_sums)
{
    for (int signs = 0; signs < 4; signs++)
        for (int fills = 0; fills < 4; fills++) {
            size_t k = signs == 3 ? 33025 : 65536;
            struct operand a =
                operand_new(1, k, signs & 1, fills & 1, fills & 1 ? FILL_LOWEST : FILL_HIGHEST);
            struct operand b =
                operand_new(2, k, signs & 2, fills & 2, fills & 2 ? FILL_LOWEST : FILL_HIGHEST);
            struct int_product p = {.m = 1, .n = 2, .k = k, .a = a.matrix, .b = b.matrix, .acc.bits = 32};
            check_product(p, false);
            p.acc = (struct accumulator){31, 0, ACC_WRAP, ACC_AT_TILE};
            check_product(p, true);
            free(a.memory), free(b.memory);
        }
}

static void product_of_length(size_t k, size_t col)
{
    static int8_t one[1];
    int32_t sum;
    struct int_matrix x = {one, 0, col, true};
    kernels()->int_product(
        &(struct int_product){.m = 1, .n = 1, .k = k, .ld = 1, .a = x, .b = x, .acc.bits = 32, .sums = &sum});
}
Test(product, too_long_is_a_fault, .exit_code = 1) { product_of_length(33026, 1); }
Test(product, no_unit_stride_is_a_fault, .exit_code = 1) { product_of_length(1, 2); }
