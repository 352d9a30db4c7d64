/* SPDX-License-Identifier: GPL-3.0-or-later
 * The integer products' reference: what kernels.h says, element by element, in plain C. A panel is a copy of B,
 * row after row, padded with zeros to whole units. */
#include "product.h"
#include <string.h>

static int32_t code(const void *data, ptrdiff_t at, bool is_unsigned)
{
    return is_unsigned ? ((const uint8_t *)data)[at] : ((const int8_t *)data)[at];
}

/* A sum in the making: add every product in the order of k, then take the total. */
struct sum {
    const struct accumulator *acc;
    size_t tile, in_tile;
    int32_t part, total;
    uint64_t *limited;
};

static struct sum sum_new(const struct accumulator *acc, size_t k, uint64_t *limited)
{
    return (struct sum){.acc = acc, .tile = tile_length(acc, k), .limited = limited};
}

/* Brings the partial sum into the accumulator's range. */
static void sum_limit(struct sum *sum)
{
    if (sum->acc->bits >= 32)
        return;
    int32_t hi = largest_sum(sum->acc), part = sum->part;
    if (sum->acc->overflow == ACC_SATURATE) {
        sum->part = part > hi ? hi : part < -hi ? -hi : part;
    } else {
        uint32_t low = (uint32_t)part & ((uint32_t)hi * 2 + 1);
        sum->part = low > (uint32_t)hi ? (int32_t)low - hi - hi - 2 : (int32_t)low;
    }
    *sum->limited += sum->part != part;
}

static void sum_end_tile(struct sum *sum)
{
    if (sum->acc->at == ACC_AT_TILE)
        sum_limit(sum);
    sum->total += sum->part;
    sum->part = 0;
    sum->in_tile = 0;
}

static void sum_add(struct sum *sum, int32_t product)
{
    sum->part += product;
    if (sum->acc->at == ACC_AT_ADD)
        sum_limit(sum);
    if (++sum->in_tile == sum->tile)
        sum_end_tile(sum);
}

static int32_t sum_total(struct sum *sum)
{
    if (sum->in_tile > 0)
        sum_end_tile(sum);
    return sum->total;
}

/* ---- products ---- */

static size_t padded(size_t k) { return (k + 3) / 4 * 4; }

static size_t panel_size(size_t n, size_t k) { return n * padded(k); }

static void pack(const struct int_panel *panel, const struct int_matrix *b)
{
    check_panel(panel, b);
    memset(panel->memory, 0, panel_size(panel->n, panel->k));
    for (size_t j = 0; j < panel->n; j++)
        for (size_t k = 0; k < panel->k; k++)
            ((uint8_t *)panel->memory)[j * padded(panel->k) + k] = ((const uint8_t *)b->data)[j * b->row + k * b->col];
}

static int32_t product_element(const struct int_product *p, size_t i, size_t j, uint64_t *limited)
{
    const struct int_panel *b = p->b;
    struct sum sum = sum_new(&b->acc, b->k, limited);
    for (size_t k = 0; k < b->k; k++) {
        ptrdiff_t at = (ptrdiff_t)p->a.row[i] + p->a.unit[k / 4] + (ptrdiff_t)(k % 4);
        sum_add(&sum, code(p->a.data, at, p->a.is_unsigned)
                      * code(b->memory, (ptrdiff_t)(j * padded(b->k) + k), b->is_unsigned));
    }
    return sum_total(&sum);
}

static void multiply(const struct int_product *p)
{
    check_product(p);
    uint64_t limited = 0;
    for (size_t i = 0; i < p->m; i++) {
        float row_scale = p->row_scale ? p->row_scale[i] : 1;
        for (size_t j = 0; j < p->b->n; j++) {
            int32_t sum = product_element(p, i, j, &limited);
            size_t at = i * p->ld + j;
            if (p->sums) {
                p->sums[at] = sum;
                continue;
            }
            float v = (float)sum * p->scale * row_scale + (p->bias ? p->bias[j] : 0);
            p->out[at] = p->add ? p->out[at] + v : v;
        }
    }
    if (p->saturated)
        *p->saturated += limited;
}

/* ---- depthwise ---- */

static int32_t depthwise_code(const struct int_rows *x, size_t i, size_t tap, size_t channel)
{
    return code(x->data, (ptrdiff_t)x->row[i] + x->unit[tap] + (ptrdiff_t)channel, x->is_unsigned);
}

static void depthwise(const struct int_depthwise *p)
{
    check_depthwise(p);
    uint64_t limited = 0;
    for (size_t i = 0; i < p->m; i++)
        for (size_t c = 0; c < p->channels; c++) {
            struct sum sum = sum_new(&p->acc, p->taps, &limited);
            for (size_t tap = 0; tap < p->taps; tap++)
                sum_add(&sum, depthwise_code(&p->x, i, tap, c)
                              * code(p->w, (ptrdiff_t)(tap * p->ldw + c), p->w_is_unsigned));
            float v = (float)sum_total(&sum) * p->scale, *out = p->out + i * p->ld + c;
            *out = p->add ? *out + v : v;
        }
    if (p->saturated)
        *p->saturated += limited;
}

static void depthwise_gradient(const struct int_depthwise_gradient *p)
{
    check_depthwise_gradient(p);
    uint64_t limited = 0;
    for (size_t tap = 0; tap < p->taps; tap++)
        for (size_t c = 0; c < p->channels; c++) {
            struct sum sum = sum_new(&p->acc, p->m, &limited);
            for (size_t i = 0; i < p->m; i++)
                sum_add(&sum, depthwise_code(&p->x, i, tap, c) * p->g[i * p->ldg + c]);
            float v = (float)sum_total(&sum) * p->scale, *out = p->out + tap * p->ld + c;
            *out = p->add ? *out + v : v;
        }
    if (p->saturated)
        *p->saturated += limited;
}

static void transpose(const void *x, size_t rows, size_t cols, size_t stride, void *out, size_t out_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            ((uint8_t *)out)[j * out_stride + i] = ((const uint8_t *)x)[i * stride + j];
}

const struct int_kernels int_scalar = {
    .panel_size = panel_size,
    .pack = pack,
    .multiply = multiply,
    .depthwise = depthwise,
    .depthwise_gradient = depthwise_gradient,
    .transpose = transpose,
};
