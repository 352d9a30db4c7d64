/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's depthwise products and their weight gradients against their definitions, in int64. */
#include "int_product_support.h"

/* A matrix of codes, lines × channels, with gaps between the lines. */
struct made_lines { struct fenced bytes; size_t stride; bool is_unsigned; };

static struct made_lines made_lines(size_t lines, size_t channels, bool is_unsigned, enum fill fill)
{
    struct made_lines made = {.stride = channels + draw_below(3), .is_unsigned = is_unsigned};
    size_t size = lines * channels > 0 ? (lines - 1) * made.stride + channels : 0;
    made.bytes = fenced_new(size, draw() & 1, 1);
    for (size_t i = 0; i < size; i++)
        made.bytes.data[i] = draw_code(is_unsigned, fill);
    return made;
}

/* What the forward product and the gradient have in common: out(v, c) = sum over k of x(v, k, c) · y(k, c). */
struct trial {
    size_t count, length, channels; /* of v, k, c */
    bool gradient;                  /* v are the taps, k the positions; else the other way round */
    struct int_rows x;
    const struct made_lines *y;
    struct accumulator acc;
    int64_t *sums;                  /* count × channels, as they must be */
    uint64_t limited;
};

static void expect_sums(struct trial *t)
{
    const int32_t *of_v = t->gradient ? t->x.unit : t->x.row, *of_k = t->gradient ? t->x.row : t->x.unit;
    int64_t *products = xmalloc((t->length + 1) * sizeof *products);
    t->sums = xmalloc((t->count * t->channels + 1) * sizeof *t->sums);
    t->limited = 0;
    for (size_t v = 0; v < t->count; v++)
        for (size_t c = 0; c < t->channels; c++) {
            for (size_t k = 0; k < t->length; k++)
                products[k] = code_value(t->x.data, (ptrdiff_t)of_v[v] + of_k[k] + (ptrdiff_t)c, t->x.is_unsigned)
                              * code_value(t->y->bytes.data, (ptrdiff_t)(k * t->y->stride + c), t->y->is_unsigned);
            t->sums[v * t->channels + c] = limited_total(products, t->length, &t->acc, &t->limited);
        }
    free(products);
}

static void run_kernel(const struct trial *t, const struct kernels *k, float *out, size_t ld, bool add, float scale,
                       uint64_t *count)
{
    if (t->gradient)
        k->ints->depthwise_gradient(&(struct int_depthwise_gradient){
            .m = t->length, .taps = t->count, .channels = t->channels, .ld = ld, .ldg = t->y->stride, .x = t->x,
            .g = (const int8_t *)t->y->bytes.data, .acc = t->acc, .out = out, .add = add, .scale = scale,
            .saturated = count});
    else
        k->ints->depthwise(&(struct int_depthwise){
            .m = t->count, .taps = t->length, .channels = t->channels, .ld = ld, .ldw = t->y->stride, .x = t->x,
            .w = t->y->bytes.data, .w_is_unsigned = t->y->is_unsigned, .acc = t->acc, .out = out, .add = add, .scale = scale,
            .saturated = count});
}

static void run_trial(const struct trial *t, const struct kernels *k, bool counted)
{
    size_t ld = t->channels + draw_below(3), count = t->count * t->channels > 0 ? (t->count - 1) * ld + t->channels : 0;
    struct fenced out = fenced_new(4 * count, draw() & 1, 4), before = draw_reals(count);
    uint64_t limited_sums = 1000;
    bool add = draw() & 1;
    float scale = draw_real();
    memcpy(out.data, before.data, 4 * count);
    run_kernel(t, k, (float *)out.data, ld, add, scale, counted ? &limited_sums : NULL);
    for (size_t at = 0; at < count; at++) {
        size_t v = at / ld, c = at % ld;
        float expected = ((float *)before.data)[at];
        if (c < t->channels) {
            float value = (float)(int32_t)t->sums[v * t->channels + c] * scale;
            expected = add ? expected + value : value;
        }
        cr_assert_eq(memcmp(out.data + 4 * at, &expected, 4), 0,
                     "%s: out[%zu,%zu] of %zu x %zu, %zu channels%s, %s x %s, %d bits, tile %d, %s at %s", k->isa, v, c,
                     t->count, t->length, t->channels, t->gradient ? ", gradient" : "", t->x.is_unsigned ? "u" : "s",
                     t->y->is_unsigned ? "u" : "s", t->acc.bits, t->acc.tile,
                     t->acc.overflow == ACC_WRAP ? "wrap" : "saturate", t->acc.at == ACC_AT_ADD ? "add" : "tile");
    }
    cr_assert_eq(limited_sums, counted ? 1000 + t->limited : 1000, "%s counted %zu instead of %zu", k->isa,
                 (size_t)limited_sums - 1000, (size_t)t->limited);
    fenced_free(&out), fenced_free(&before);
}

static void check_depthwise(size_t positions, size_t taps, size_t channels, bool gradient, struct accumulator acc,
                            enum fill fill_x, enum fill fill_y)
{
    struct made_rows x = made_rows(positions, taps, channels, draw() & 1, draw_below(ROWS_KINDS), fill_x);
    struct made_lines y = made_lines(gradient ? positions : taps, channels, !gradient && (draw() & 1), fill_y);
    struct trial t = {.count = gradient ? taps : positions, .length = gradient ? positions : taps, .channels = channels,
                      .gradient = gradient, .x = x.rows, .y = &y, .acc = acc};
    bool counted = draw() & 1;
    expect_sums(&t);
    for (EACH_ISA(k))
        run_trial(&t, k, counted);
    free(t.sums);
    made_rows_free(&x), fenced_free(&y.bytes);
}

Test(depthwise, random_shapes)
{
    static const size_t channels[] = {1, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65};
    for (int round = 0; round < 800; round++)
        check_depthwise(1 + draw_below(40), 1 + draw_below(draw() & 1 ? 9 : 49), channels[draw_below(15)], draw() & 1,
                        draw_accumulator(), draw_below(FILL_KINDS), draw_below(FILL_KINDS));
}

Test(depthwise, empty_sides)
{
    for (int round = 0; round < 32; round++)
        check_depthwise(round & 1 ? 0 : 3, round & 2 ? 0 : 5, round & 4 ? 0 : 7, round & 8, draw_accumulator(), FILL_ALL,
                        FILL_ALL);
}

/* Every accumulator option on operands large and small enough that some limits bind and others do not. */
Test(depthwise, all_accumulators)
{
    for (int bits = 4; bits <= 33; bits++)
        for (size_t t = 0; t < TILE_LENGTHS; t++)
            for (int option = 0; option < 8; option++)
                check_depthwise(option & 4 ? 70 : 4, 9, 19, option & 4,
                                (struct accumulator){bits, tile_lengths[t], option & 1 ? ACC_WRAP : ACC_SATURATE,
                                                     option & 2 ? ACC_AT_ADD : ACC_AT_TILE},
                                bits < 12 ? FILL_SMALL : FILL_ALL, bits < 20 ? FILL_ALL : FILL_EXTREMES);
}

/* The largest sums of as many positions as are allowed. */
Test(depthwise, largest_sums)
{
    struct accumulator none = {.bits = 32};
    for (int round = 0; round < 4; round++)
        check_depthwise(65536, 1, 2, true, none, round & 1 ? FILL_LOWEST : FILL_HIGHEST,
                        round & 2 ? FILL_LOWEST : FILL_HIGHEST);
}

static void gradient_of_length(size_t m, bool bounded)
{
    int32_t *row = xcalloc(m, 4), unit = 0;
    int8_t *codes = xcalloc(m, 1);
    float out = 1;
    kernels()->ints->depthwise_gradient(&(struct int_depthwise_gradient){
        .m = m, .taps = 1, .channels = 1, .ld = 1, .ldg = 1, .x = {codes, row, &unit, true}, .g = codes, .acc.bits = 32,
        .out = &out, .scale = 1, .bounded = bounded});
    cr_assert_eq(out, 0);
    free(row), free(codes);
}
Test(depthwise, small_codes_may_be_many) { gradient_of_length(65537, true); }
Test(depthwise, too_many_positions_are_a_fault, .exit_code = 1) { gradient_of_length(65537, false); }
