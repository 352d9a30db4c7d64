/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every instruction set's conversions between nibbles, bytes and 16-bit integers, and the largest of these. */
#include "kernel_support.h"

static uint8_t *draw_bytes(size_t n)
{
    uint8_t *bytes = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)draw();
    return bytes;
}

static void check_widen(const struct kernels *k, bool is_unsigned, size_t rows, size_t cols, size_t stride,
                        size_t out_stride)
{
    size_t count = (rows - 1) * out_stride + cols;
    uint8_t *q = draw_bytes((rows - 1) * stride + cols);
    struct guarded m = guarded_new(count * 2, 2 * draw_below(20));
    int16_t *out = (int16_t *)m.data;
    k->widen(q, is_unsigned, rows, cols, stride, out, out_stride);
    for (size_t i = 0; i < count; i++) {
        size_t row = i / out_stride, col = i % out_stride;
        int code = col >= cols ? 0x5a5a : is_unsigned ? q[row * stride + col] : (int8_t)q[row * stride + col];
        cr_assert_eq(out[i], code, "%s: %zu x %zu (strides %zu, %zu) at %zu,%zu", k->isa, rows, cols, stride, out_stride,
                     row, col);
    }
    free(q);
    guarded_free(&m, k->isa);
}

Test(shorts, widen)
{
    for (EACH_ISA(k))
        for (size_t cols = 1; cols <= 100; cols++)
            for (int round = 0; round < 8; round++) {
                size_t gap = round & 2 ? draw_below(9) : 0, out_gap = round & 4 ? draw_below(9) : 0;
                check_widen(k, round & 1, 1 + draw_below(9), cols, cols + gap, cols + out_gap);
            }
}

Test(shorts, widen_nothing)
{
    int16_t out = 7;
    for (EACH_ISA(k)) {
        k->widen(NULL, false, 0, 0, 0, &out, 0);
        k->widen("", true, 0, 5, 5, &out, 5);
        k->widen("", true, 5, 0, 1, &out, 1);
        cr_assert_eq(out, 7);
    }
}

Test(shorts, nibbles)
{
    for (size_t n = 0; n < 300; n += 2) {
        uint8_t *codes = draw_bytes(n);
        bool is_unsigned = n / 2 % 2;
        for (size_t i = 0; i < n; i++)
            codes[i] = (uint8_t)(is_unsigned ? codes[i] % 16 : codes[i] % 16 - 8);
        for (EACH_ISA(k)) {
            struct guarded packed = guarded_new(n / 2, n % 3), back = guarded_new(n, n % 5);
            k->pack_nibbles(codes, n, packed.data);
            for (size_t i = 0; i < n; i++)
                cr_assert_eq(packed.data[i / 2] >> (i % 2 * 4) & 15, codes[i] & 15, "%s: code %zu", k->isa, i);
            k->unpack_nibbles(packed.data, is_unsigned, n, back.data);
            cr_assert(n == 0 || memcmp(back.data, codes, n) == 0, "%s: %zu codes differ", k->isa, n);
            guarded_free(&packed, k->isa), guarded_free(&back, k->isa);
        }
        free(codes);
    }
}

Test(shorts, max_abs)
{
    for (size_t n = 0; n < 300; n++) {
        int16_t *x = xmalloc(n * sizeof *x);
        int largest = 0, limit = n % 7 == 0 ? 32768 : 1 + (int)draw_below(3000);
        for (size_t i = 0; i < n; i++) {
            x[i] = (int16_t)((int)draw_below((size_t)limit * 2) - limit);
            largest = abs(x[i]) > largest ? abs(x[i]) : largest;
        }
        if (n % 7 == 0 && n > 0) {
            x[draw_below(n)] = INT16_MIN;
            largest = 32768;
        }
        for (EACH_ISA(k))
            cr_assert_eq(k->max_abs_shorts(x, n), largest, "%s: %zu elements", k->isa, n);
        free(x);
    }
}
