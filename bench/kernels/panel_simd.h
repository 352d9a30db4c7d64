/* SPDX-License-Identifier: GPL-3.0-or-later
 * B packed for the integer product: blocks of WIDTH columns, two vectors wide, the last one vector where that is enough;
 * in a block [unit][part][vector], zeros behind the ends.
 * The byte dot product takes one unsigned and one signed operand. When both are signed or both unsigned, A is offset as it
 * is read, 128 added or subtracted (its top bits flipped), and every tile's sums start at the compensation, ∓128 times the
 * tile's sums of B, which lies behind the panel. That keeps each tile exact before it is limited. */
#ifndef BITSWEEP_PANEL_SIMD_H
#define BITSWEEP_PANEL_SIMD_H
#include "product.h"
#include <string.h>

enum { WIDTH = 2 * LANES };

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ---- layout ---- */

struct layout {
    size_t units, tile_units, tiles;
    bool in_steps;     /* tiles end inside a unit */
    bool offset;
    ints *start;       /* where sums start: [block][tile][vector]; without offset two zeros for all */
};

INLINE size_t vectors_of(size_t n) { return (n + LANES - 1) / LANES; }

static size_t panel_size(size_t n, size_t k)
{
    size_t units = (k + 3) / 4;
    return (vectors_of(n) * units * (PARTS + OFFSETS) + 2) * sizeof(ints);
}

static struct layout layout_of(const struct int_panel *panel)
{
    size_t tile = tile_length(&panel->acc, panel->k), units = (panel->k + 3) / 4;
    bool one_tile = tile == panel->k, in_steps = !one_tile && tile % 4 != 0;
    size_t tile_units = one_tile || in_steps ? units : tile / 4;
    return (struct layout){
        .units = units,
        .tile_units = tile_units,
        .tiles = units > 0 ? (units + tile_units - 1) / tile_units : 0,
        .in_steps = in_steps,
        .offset = OFFSETS && panel->a_is_unsigned == panel->is_unsigned,
        .start = (ints *)panel->memory + vectors_of(panel->n) * units * PARTS,
    };
}

/* ---- packing ---- */

/* Vector `vector` of the units from `unit` on. */
struct target { ints *to; size_t step; bool is_unsigned; };

INLINE void put_units(const struct target *target, size_t unit, ints bytes)
{
    for (size_t part = 0; part < PARTS; part++)
        target->to[(unit * PARTS + part) * target->step] = unit_part(bytes, (int)part, target->is_unsigned);
}

/* LANES columns of B (fewer at the end), contiguous along k. */
static void pack_along_k(const struct int_matrix *b, size_t first, size_t columns, size_t k, const struct target *target)
{
    enum { CHUNK = LANES * 4 };
    for (size_t from = 0; from < k; from += CHUNK) {
        const uint8_t *data = (const uint8_t *)b->data + first * b->row + from;
        size_t count = smaller(CHUNK, k - from), units = (count + 3) / 4;
        uint8_t edge[LANES][CHUNK];
        ints r[LANES];
        if (columns == LANES && count == CHUNK) {
            for (size_t i = 0; i < LANES; i++)
                r[i] = ints_load(data + i * b->row);
        } else {
            memset(edge, 0, sizeof edge);
            for (size_t i = 0; i < columns; i++)
                memcpy(edge[i], data + i * b->row, count);
            for (size_t i = 0; i < LANES; i++)
                r[i] = ints_load(edge[i]);
        }
        ints_transpose(r);
        for (size_t unit = 0; unit < units; unit++)
            put_units(target, from / 4 + unit, r[unit]);
    }
}

/* The same from a matrix that is contiguous along its columns. */
static void pack_across_k(const struct int_matrix *b, size_t first, size_t columns, size_t k, const struct target *target)
{
    for (size_t from = 0; from < k; from += 4) {
        const uint8_t *data = (const uint8_t *)b->data + first + from * b->col, *lines[4];
        size_t count = smaller(4, k - from);
        uint8_t edge[4][LANES];
        if (columns == LANES && count == 4) {
            for (size_t i = 0; i < 4; i++)
                lines[i] = data + i * b->col;
        } else {
            memset(edge, 0, sizeof edge);
            for (size_t i = 0; i < 4; i++) {
                if (i < count)
                    memcpy(edge[i], data + i * b->col, columns);
                lines[i] = edge[i];
            }
        }
        put_units(target, from / 4, units_interleave(lines));
    }
}

/* Where the sums of one vector of columns start, tile after tile. */
static void compensate(const struct layout *layout, const ints *b, size_t step, bool b_is_unsigned, ints *start)
{
    ints one = part_of_ones(), factor = ints_set(b_is_unsigned ? 128 : -128);
    for (size_t tile = 0; tile < layout->tiles; tile++, start += step) {
        ints sum = ints_set(0);
        size_t end = smaller((tile + 1) * layout->tile_units, layout->units);
        for (size_t unit = tile * layout->tile_units; unit < end; unit++)
            sum = dot(sum, one, b[unit * step], !b_is_unsigned);
        *start = ints_multiply(sum, factor);
    }
}

static void pack(const struct int_panel *panel, const struct int_matrix *b)
{
    check_panel(panel, b);
    struct layout layout = layout_of(panel);
    ints *to = panel->memory, *start = layout.start;
    for (size_t j = 0; j < panel->n; j += WIDTH) {
        size_t width = smaller(2, vectors_of(panel->n - j));
        for (size_t vector = 0; vector < width; vector++) {
            size_t first = j + vector * LANES, columns = smaller(LANES, panel->n - first);
            struct target target = {to + vector, width, panel->is_unsigned};
            (b->col == 1 ? pack_along_k : pack_across_k)(b, first, columns, panel->k, &target);
            if (layout.offset)
                compensate(&layout, to + vector, width, panel->is_unsigned, start + vector);
        }
        to += layout.units * PARTS * width;
        start += layout.tiles * width;
    }
    if (!layout.offset)
        layout.start[0] = layout.start[1] = ints_set(0);
}
#endif
