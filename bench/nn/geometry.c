/* SPDX-License-Identifier: GPL-3.0-or-later
 * The offset tables of a convolution. */
#include "geometry.h"

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

/* Offsets are 32 bits wide. */
static size_t addressable(size_t size)
{
    if (size > INT32_MAX)
        die("a layer's matrix of %zu elements is too large for 32-bit offsets", size);
    return size;
}

static struct border make_border(size_t sample_h, size_t sample_w, size_t channels, size_t top, size_t left, size_t rows,
                                 size_t cols)
{
    struct border b = {.sample_w = sample_w, .top = top, .left = left, .rows = rows, .cols = cols,
                       .stride = row_stride(channels)};
    b.in_place = top == 0 && left == 0 && rows <= sample_h && cols <= sample_w;
    if (b.in_place) {
        b.rows = sample_h;
        b.cols = sample_w;
    }
    b.kept_h = b.rows > top ? smaller(sample_h, b.rows - top) : 0;
    b.kept_w = b.cols > left ? smaller(sample_w, b.cols - left) : 0;
    addressable(b.rows * b.cols * b.stride);
    return b;
}

/* ---- unfolded matrices ------------------------------------------------------------------- */

/* Row a*w + b starts at the bordered position (a, b) * step. */
static const int32_t *position_offsets(const struct border *border, size_t h, size_t w, size_t step, struct arena *arena)
{
    int32_t *row = arena_alloc(arena, h * w * sizeof *row);
    for (size_t a = 0; a < h; a++)
        for (size_t b = 0; b < w; b++)
            row[a * w + b] = (int32_t)((a * border->cols + b) * step * border->stride);
    return row;
}

static void byte_tables(struct unfolding *u, size_t channels, enum k_order order, struct arena *arena)
{
    if (channels % 4 == 0 && order == TAP_MAJOR) {
        int32_t *unit = arena_alloc(arena, u->k / 4 * sizeof *unit);
        for (size_t i = 0; i < u->k / 4; i++)
            unit[i] = u->col[4 * i];
        u->unit = unit;
        u->byte_row = u->row;
        return;
    }
    u->copy_col = u->col;
    u->run = order == TAP_MAJOR ? channels : 1;
    u->copy_stride = round_up(u->k, 4);
    u->copy_size = addressable(u->rows * u->copy_stride) + 4; /* runs are written in fours */
    u->unit = plain_units(u->k, arena);
    u->byte_row = plain_rows(u->rows, u->copy_stride, arena);
}

/* taps: where each tap's position lies relative to a row's first, in elements. */
static struct unfolding unfold(const int32_t *row, size_t rows, const int32_t *taps, size_t tap_count, size_t channels,
                               bool depthwise, enum k_order order, struct arena *arena)
{
    struct unfolding u = {.rows = rows, .k = tap_count, .row = row, .byte_row = row, .col = taps, .unit = taps};
    if (depthwise)
        return u;
    u.k = tap_count * channels;
    int32_t *col = arena_alloc(arena, u.k * sizeof *col);
    for (size_t tap = 0; tap < tap_count; tap++)
        for (size_t c = 0; c < channels; c++)
            col[order == TAP_MAJOR ? tap * channels + c : c * tap_count + tap] = taps[tap] + (int32_t)c;
    u.col = col;
    byte_tables(&u, channels, order, arena);
    return u;
}

static void make_forward(struct convolution *c, enum k_order order, struct arena *arena)
{
    const struct geometry *g = &c->shape;
    struct border *border = &c->x_border;
    *border = make_border(g->in_h, g->in_w, g->in_c, g->pad_h, g->pad_w, (g->out_h - 1) * g->stride + g->kernel_h,
                          (g->out_w - 1) * g->stride + g->kernel_w);
    int32_t *taps = arena_alloc(arena, kernel_positions(g) * sizeof *taps);
    for (size_t ky = 0; ky < g->kernel_h; ky++)
        for (size_t kx = 0; kx < g->kernel_w; kx++)
            taps[ky * g->kernel_w + kx] = (int32_t)((ky * border->cols + kx) * border->stride);
    const int32_t *row = position_offsets(border, g->out_h, g->out_w, g->stride, arena);
    c->forward = unfold(row, out_positions(g), taps, kernel_positions(g), g->in_c, g->depthwise, TAP_MAJOR, arena);
    if (order == TAP_MAJOR || g->depthwise)
        return;
    struct unfolding ordered = unfold(row, out_positions(g), taps, kernel_positions(g), g->in_c, false, order, arena);
    ordered.col = c->forward.col;
    c->forward = ordered;
    uint32_t *from = arena_alloc(arena, c->forward.k * sizeof *from);
    for (size_t k = 0; k < c->forward.k; k++)
        from[k] = (uint32_t)(k % kernel_positions(g) * g->in_c + k / kernel_positions(g));
    c->order = from;
}

/* ---- the input gradient ------------------------------------------------------------------ */

/* One axis: the index-th of the input coordinates first, first + stride, ... takes output coordinate index + offset(tap). */
struct axis { size_t in, kernel, stride, pad; };

static size_t class_count(const struct axis *axis, size_t first)
{
    return first < axis->in ? (axis->in - first + axis->stride - 1) / axis->stride : 0;
}

static bool takes(const struct axis *axis, size_t first, size_t tap)
{
    return ((long)(first + axis->pad) - (long)tap) % (long)axis->stride == 0;
}

static long output_offset(const struct axis *axis, size_t first, size_t tap)
{
    return ((long)(first + axis->pad) - (long)tap) / (long)axis->stride;
}

/* The output coordinates that any input coordinate takes: -before .. after - 1. */
static void reach(const struct axis *axis, size_t *before, size_t *after)
{
    *before = *after = 0;
    for (size_t first = 0; first < axis->stride && first < axis->in; first++)
        for (size_t tap = 0; tap < axis->kernel; tap++)
            if (takes(axis, first, tap)) {
                long offset = output_offset(axis, first, tap), end = offset + (long)class_count(axis, first);
                *before = larger(*before, (size_t)(offset < 0 ? -offset : 0));
                *after = larger(*after, (size_t)(end > 0 ? end : 0));
            }
}

static bool make_residue(struct convolution *c, struct residue *residue, const struct axis *y, const struct axis *x,
                         struct arena *arena)
{
    const struct geometry *g = &c->shape;
    const struct border *border = &c->g_border;
    residue->h = class_count(y, residue->first_y);
    residue->w = class_count(x, residue->first_x);
    uint16_t *tap = arena_alloc(arena, kernel_positions(g) * sizeof *tap);
    int32_t *offset = arena_alloc(arena, kernel_positions(g) * sizeof *offset);
    for (size_t ky = 0; ky < g->kernel_h; ky++)
        for (size_t kx = 0; kx < g->kernel_w; kx++)
            if (takes(y, residue->first_y, ky) && takes(x, residue->first_x, kx)) {
                long row = (long)border->top + output_offset(y, residue->first_y, ky);
                long col = (long)border->left + output_offset(x, residue->first_x, kx);
                offset[residue->taps] = (int32_t)((row * (long)border->cols + col) * (long)border->stride);
                tap[residue->taps++] = (uint16_t)(ky * g->kernel_w + kx);
            }
    size_t rows = residue->h * residue->w;
    if (rows == 0 || residue->taps == 0)
        return false;
    residue->tap = tap;
    residue->g = unfold(position_offsets(border, residue->h, residue->w, 1, arena), rows, offset, residue->taps, g->out_c,
                        g->depthwise, TAP_MAJOR, arena);
    return true;
}

static void make_residues(struct convolution *c, struct arena *arena)
{
    const struct geometry *g = &c->shape;
    struct axis y = {g->in_h, g->kernel_h, g->stride, g->pad_h}, x = {g->in_w, g->kernel_w, g->stride, g->pad_w};
    size_t above, below, left, right, covered = 0, weights = 0;
    reach(&y, &above, &below);
    reach(&x, &left, &right);
    c->g_border = make_border(g->out_h, g->out_w, g->out_c, above, left, above + below, left + right);
    c->residues = arena_alloc(arena, g->stride * g->stride * sizeof *c->residues);
    c->scatters = g->stride > 1;
    for (size_t i = 0; i < g->stride * g->stride; i++) {
        struct residue residue = {.first_y = i / g->stride, .first_x = i % g->stride, .weights = weights};
        if (!make_residue(c, &residue, &y, &x, arena))
            continue;
        c->residues[c->residue_count++] = residue;
        covered += residue.g.rows;
        weights += residue.taps * (g->depthwise ? 1 : g->out_c) * row_stride(g->in_c);
        if (c->scatters)
            c->residue_size = larger(c->residue_size, residue.g.rows * row_stride(g->in_c));
        c->residue_copy_size = larger(c->residue_copy_size, residue.g.copy_size);
    }
    c->uncovered = covered < in_positions(g);
}

/* ---- the weight gradient on codes -------------------------------------------------------- */

static void make_planes(struct convolution *c, struct arena *arena)
{
    const struct geometry *g = &c->shape;
    struct planes *p = &c->planes;
    p->phases_y = smaller(g->stride, g->kernel_h);
    p->phases_x = smaller(g->stride, g->kernel_w);
    p->row_positions = round_up(g->out_w, 4);
    p->rows = g->out_h + (g->kernel_h - 1) / g->stride;
    p->cols = p->row_positions + (g->kernel_w - 1) / g->stride;
    p->size = addressable(p->phases_y * p->phases_x * g->in_c * p->rows * p->cols);
    p->k = g->out_h * p->row_positions;

    int32_t *row = arena_alloc(arena, kernel_inputs(g) * sizeof *row);
    for (size_t i = 0; i < kernel_inputs(g); i++) {
        size_t channel = i % g->in_c, ky = i / g->in_c / g->kernel_w, kx = i / g->in_c % g->kernel_w;
        size_t plane = (ky % g->stride * p->phases_x + kx % g->stride) * g->in_c + channel;
        row[i] = (int32_t)((plane * p->rows + ky / g->stride) * p->cols + kx / g->stride);
    }
    int32_t *unit = arena_alloc(arena, p->k / 4 * sizeof *unit);
    for (size_t i = 0; i < p->k / 4; i++)
        unit[i] = (int32_t)(4 * i / p->row_positions * p->cols + 4 * i % p->row_positions);
    p->row = row;
    p->unit = unit;
}

struct convolution *convolution_tables(const struct geometry *shape, enum k_order order, struct arena *arena)
{
    struct convolution *c = arena_alloc(arena, sizeof *c);
    c->shape = *shape;
    make_forward(c, order, arena);
    make_residues(c, arena);
    if (!shape->depthwise)
        make_planes(c, arena);
    return c;
}

/* ---- plain matrices ---------------------------------------------------------------------- */

static const int32_t *multiples(size_t count, size_t step, struct arena *arena)
{
    int32_t *offset = arena_alloc(arena, count * sizeof *offset);
    addressable(count * step);
    for (size_t i = 0; i < count; i++)
        offset[i] = (int32_t)(i * step);
    return offset;
}

const int32_t *plain_rows(size_t rows, size_t stride, struct arena *arena) { return multiples(rows, stride, arena); }

const int32_t *plain_units(size_t k, struct arena *arena) { return multiples((k + 3) / 4, 4, arena); }
