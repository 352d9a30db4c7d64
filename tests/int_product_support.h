/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the integer products' tests share: codes, operands in memory that ends where they end, limited sums in int64. */
#ifndef BITSWEEP_TEST_INT_PRODUCT_SUPPORT_H
#define BITSWEEP_TEST_INT_PRODUCT_SUPPORT_H
#include "kernel_support.h"
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory that cannot be touched before, or behind, its bytes ---- */

struct fenced { uint8_t *map, *data; size_t pages; };

static inline struct fenced fenced_new(size_t size, bool behind, size_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (size / page + 1) * page;
    struct fenced f = {.pages = inside + 2 * page};
    f.map = mmap(NULL, f.pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(f.map != MAP_FAILED && mprotect(f.map + page, inside, PROT_READ | PROT_WRITE) == 0, "no memory with fences");
    f.data = f.map + page + (behind ? (inside - size) / alignment * alignment : 0);
    return f;
}
static inline void fenced_free(struct fenced *f) { munmap(f->map, f->pages); }

/* ---- codes ---- */

enum fill { FILL_ALL, FILL_EXTREMES, FILL_LOWEST, FILL_HIGHEST, FILL_SMALL, FILL_KINDS };

static inline uint8_t draw_code(bool is_unsigned, enum fill fill)
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

static inline int64_t code_value(const void *data, ptrdiff_t at, bool is_unsigned)
{
    int64_t byte = ((const uint8_t *)data)[at];
    return !is_unsigned && byte > 127 ? byte - 256 : byte;
}

/* ---- rows read where they lie ---- */

enum rows_kind { ROWS_APART, ROWS_OVERLAPPING, ROWS_ANYWHERE, ROWS_KINDS };
struct made_rows { struct int_rows rows; struct fenced bytes, row, unit; };

/* count × units offsets, each the start of `run` bytes; the bytes that they reach and no others can be read. */
static inline struct made_rows made_rows(size_t count, size_t units, size_t run, bool is_unsigned, enum rows_kind kind,
                                         enum fill fill)
{
    struct made_rows made = {.row = fenced_new(count * 4, true, 4), .unit = fenced_new(units * 4, true, 4)};
    int32_t *row = (int32_t *)made.row.data, *unit = (int32_t *)made.unit.data;
    int32_t length = (int32_t)(units * run), step = kind == ROWS_OVERLAPPING ? (int32_t)draw_below(9) : length + 1;
    int32_t lowest[2] = {0, 0}, highest[2] = {0, 0};
    for (size_t i = 0; i < count; i++)
        row[i] = kind == ROWS_ANYWHERE ? (int32_t)draw_below(2000) - 1000 : (int32_t)i * step;
    for (size_t i = 0; i < units; i++)
        unit[i] = kind == ROWS_APART ? (int32_t)(i * run) : (int32_t)draw_below(600) - 300;
    for (size_t i = 0; i < count; i++) {
        lowest[0] = i == 0 || row[i] < lowest[0] ? row[i] : lowest[0];
        highest[0] = i == 0 || row[i] > highest[0] ? row[i] : highest[0];
    }
    for (size_t i = 0; i < units; i++) {
        lowest[1] = i == 0 || unit[i] < lowest[1] ? unit[i] : lowest[1];
        highest[1] = i == 0 || unit[i] > highest[1] ? unit[i] : highest[1];
    }
    ptrdiff_t first = (ptrdiff_t)lowest[0] + lowest[1];
    size_t size = (size_t)((ptrdiff_t)highest[0] + highest[1] - first) + run;
    made.bytes = fenced_new(size, draw() & 1, 1);
    for (size_t i = 0; i < size; i++)
        made.bytes.data[i] = draw_code(is_unsigned, fill);
    made.rows = (struct int_rows){made.bytes.data - first, row, unit, is_unsigned};
    return made;
}
static inline void made_rows_free(struct made_rows *made)
{
    fenced_free(&made->bytes), fenced_free(&made->row), fenced_free(&made->unit);
}

/* ---- sums ---- */

static inline int64_t limited(int64_t sum, const struct accumulator *acc, uint64_t *count)
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

/* The limited sum of `length` products. */
static inline int64_t limited_total(const int64_t *products, size_t length, const struct accumulator *acc, uint64_t *count)
{
    int64_t total = 0, sum = 0;
    for (size_t k = 0; k < length; k++) {
        bool last = k + 1 == length || (acc->tile && (k + 1) % (size_t)acc->tile == 0);
        sum += products[k];
        if (acc->at == ACC_AT_ADD || last)
            sum = limited(sum, acc, count);
        if (last) {
            total += sum;
            sum = 0;
        }
    }
    return total;
}

static const int tile_lengths[] = {0, 1, 2, 3, 4, 5, 8, 12, 31, 32, 33, 64, 1000};
enum { TILE_LENGTHS = sizeof tile_lengths / sizeof *tile_lengths };

static inline struct accumulator draw_accumulator(void)
{
    return (struct accumulator){
        .bits = draw() % 3 ? 4 + (int)draw_below(28) : 32,
        .tile = tile_lengths[draw_below(TILE_LENGTHS)],
        .overflow = draw() & 1 ? ACC_WRAP : ACC_SATURATE,
        .at = draw() % 4 ? ACC_AT_TILE : ACC_AT_ADD,
    };
}

static inline struct fenced draw_reals(size_t count)
{
    struct fenced f = fenced_new(count * 4, true, 4);
    for (size_t i = 0; i < count; i++)
        ((float *)f.data)[i] = draw_real();
    return f;
}
#endif
