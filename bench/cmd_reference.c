/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep reference`: cases of one linear layer that the HDQT authors' code has computed, against the same code paths that
 * training uses. METHODS 7. */
#include "kernels/kernels.h"
#include "options.h"
#include "../methods/modes/integer.h"
#include "../methods/quantisers/range.h"
#include "../results/h5.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-5
#define REFERENCE_NO_LIMIT 16   /* acc_bits of this and more: no clamp, METHODS 7 */
#define MOST_SIDE 65536         /* rows or columns of a matrix */

extern const struct command cmd_reference;

struct reference {
    struct h5 *file;
    char *group;
    size_t m, n, k;
    int bits, acc_bits, tile;
    double hadamard, quantile;
    struct arena arena;
    struct geometry shape;
    struct product product;
    struct range x_range, w_range, g_range;
    struct integer_layer layer;
};

static double attribute(struct reference *r, const char *name, bool *found)
{
    double value = NAN;
    *found &= h5_attribute_real(r->file, r->group, name, &value);
    return value;
}

/* A rows × cols data set into padded rows; NULL and an error when absent or of another shape. */
static float *read_matrix(struct reference *r, const char *name, size_t rows, size_t cols, struct error *error)
{
    char *path = format_text("%s/%s", r->group, name);
    size_t shape[4], stride = row_stride(cols);
    int rank;
    float *padded = NULL;
    if (!h5_shape(r->file, path, &rank, shape) || rank != 2 || shape[0] != rows || shape[1] != cols) {
        fail(error, "%s: expected a data set of %zu x %zu", path, rows, cols);
    } else {
        float *values = xmalloc(rows * cols * sizeof *values);
        if (h5_read(r->file, path, RECORD_F32, values, error)) {
            padded = arena_alloc(&r->arena, rows * stride * sizeof *padded);
            for (size_t i = 0; i < rows; i++)
                memcpy(padded + i * stride, values + i * cols, cols * sizeof *padded);
        }
        free(values);
    }
    free(path);
    return padded;
}

static void fit(struct range *range, const float *x, size_t count, int bits, double quantile)
{
    bool negative;
    float largest = kernels()->max_abs(x, count, &negative);
    range->bits = (float)bits;
    range_set(range, (float)quantile * largest, negative);
}

static bool read_attributes(struct reference *r, struct error *error)
{
    bool found = true;
    double m = attribute(r, "M", &found), n = attribute(r, "N", &found), k = attribute(r, "K", &found);
    double bits = attribute(r, "bits", &found), acc_bits = attribute(r, "acc_bits", &found),
           tile = attribute(r, "block", &found);
    r->hadamard = attribute(r, "hadamard", &found);
    r->quantile = attribute(r, "quantile", &found);
    if (!found)
        return fail(error, "%s: one of the attributes M, N, K, bits, acc_bits, block, hadamard, quantile is missing",
                    r->group);
    if (!(m >= 1 && m <= MOST_SIDE && n >= 1 && n <= MOST_SIDE && k >= 1 && k <= MOST_SIDE))
        return fail(error, "%s: M %g, N %g, K %g; each may be from 1 to %d", r->group, m, n, k, MOST_SIDE);
    if (!(bits >= 2 && bits <= 8 && tile >= 1 && tile <= INT_MAX && acc_bits >= 4 && acc_bits <= INT_MAX))
        return fail(error, "%s: bits %g (valid 2 to 8), block %g (valid from 1) or acc_bits %g (valid from 4)", r->group,
                    bits, tile, acc_bits);
    r->m = (size_t)m, r->n = (size_t)n, r->k = (size_t)k;
    r->bits = (int)bits, r->acc_bits = (int)acc_bits, r->tile = (int)tile;
    return true;
}

static bool load(struct reference *r, struct error *error)
{
    if (!read_attributes(r, error))
        return false;
    struct product *p = &r->product;
    size_t stride_k = row_stride(r->k);
    r->shape = (struct geometry){.in_h = 1, .in_w = 1, .in_c = r->k, .out_h = 1, .out_w = 1, .out_c = r->n, .kernel_h = 1,
                                 .kernel_w = 1, .stride = 1};
    *p = (struct product){.shape = &r->shape, .dense = true, .samples = r->m, .samples_max = r->m, .m = r->m, .n = r->n,
                          .k = r->k, .x_range = &r->x_range, .w_range = &r->w_range, .g_range = &r->g_range,
                          .state = &r->layer};
    p->x = read_matrix(r, "x", r->m, r->k, error);
    p->w = p->x ? read_matrix(r, "w", r->n, r->k, error) : NULL;
    p->g = p->w ? read_matrix(r, "dy", r->m, r->n, error) : NULL;
    if (!p->g)
        return false;
    p->y = arena_alloc(&r->arena, r->m * row_stride(r->n) * sizeof(float));
    p->dx = arena_alloc(&r->arena, r->m * stride_k * sizeof(float));
    p->dw = arena_alloc(&r->arena, r->n * stride_k * sizeof(float));
    return true;
}

/* The published code: every rounding to nearest, backward sums limited whole, and without the transform its factors and
 * re-quantisation stay. */
static void compute(struct reference *r)
{
    struct integer_layer *layer = &r->layer;
    struct product *p = &r->product;
    size_t stride_k = row_stride(r->k);
    *layer = (struct integer_layer){
        .accumulators = {.bits = r->acc_bits >= REFERENCE_NO_LIMIT ? 32 : r->acc_bits, .tile = r->tile,
                         .backward = BACKWARD_WHOLE},
        .gradient = {.bits = r->bits, .quantile = (float)r->quantile},
        .transforms = true,
        .transform = {.identity = r->hadamard == 0},
    };
    r->g_range.bits = (float)r->bits;
    fit(&r->x_range, p->x, r->m * stride_k, r->bits, r->quantile);
    fit(&r->w_range, p->w, r->n * stride_k, r->bits, r->quantile);
    lay_out_integer_layer(layer, p, &r->arena);
    p->scratch = arena_alloc(&r->arena, integer_scratch_size(p));
    forward_on_codes(p);
    integer_backward(p);
}

/* Largest difference from the reference matrix over its largest magnitude; INFINITY when it cannot be read, or where either
 * is not a number. */
static double compare_floats(struct reference *r, const char *name, const float *ours, size_t rows, size_t cols,
                             struct error *error)
{
    const float *theirs = read_matrix(r, name, rows, cols, error);
    double largest = 0, difference = 0;
    if (!theirs)
        return INFINITY;
    for (size_t i = 0; i < rows * row_stride(cols); i++) {
        double apart = fabs((double)ours[i] - theirs[i]);
        largest = fmax(largest, fabs(theirs[i]));
        difference = fmax(difference, isnan(apart) ? INFINITY : apart);
    }
    return largest > 0 ? difference / largest : difference;
}

static size_t compare_codes(struct reference *r, const char *name, const struct codes *ours, size_t rows, size_t cols,
                            struct error *error)
{
    const float *theirs = read_matrix(r, name, rows, cols, error);
    size_t different = 0;
    for (size_t i = 0; theirs && i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            int8_t code = ours->data[i * ours->stride + j];
            different += theirs[i * ours->stride + j] != (ours->is_signed ? code : (uint8_t)code);
        }
    return theirs ? different : rows * cols;
}

/* Runs one case; prints a line when it disagrees. */
static bool agrees(struct reference *r, struct error *error)
{
    if (!load(r, error))
        return false;
    compute(r);
    size_t x_codes = compare_codes(r, "x_q", &r->layer.x, r->m, r->k, error);
    size_t w_codes = compare_codes(r, "w_q", &r->layer.w, r->n, r->k, error);
    double y = compare_floats(r, "y", r->product.y, r->m, r->n, error);
    double dx = compare_floats(r, "dx", r->product.dx, r->m, r->k, error);
    double dw = compare_floats(r, "dw", r->product.dw, r->n, r->k, error);
    if (error->text[0])
        return false;
    if (x_codes == 0 && w_codes == 0 && y <= TOLERANCE && dx <= TOLERANCE && dw <= TOLERANCE)
        return true;
    printf("%s: %zu x, %zu w codes differ; relative difference y %.2g, dx %.2g, dw %.2g (allowed %.0g)\n", r->group + 1,
           x_codes, w_codes, y, dx, dw, TOLERANCE);
    return false;
}

static int run(int argc, char **argv)
{
    if (read_options(&cmd_reference, (const struct option[]){{0}}, (struct operands){"file", 1, 1}, argc, argv) < 0)
        return EXIT_USAGE;
    struct error error = {""};
    struct h5 *file = h5_open(argv[1], &error);
    if (!file)
        return input_error(&cmd_reference, &error);
    char **names;
    size_t cases = h5_children(file, "/", &names), agreeing = 0;
    for (size_t i = 0; i < cases; i++) {
        struct reference r = {.file = file, .group = format_text("/%s", names[i])};
        agreeing += !error.text[0] && agrees(&r, &error);
        arena_free(&r.arena);
        free(r.group);
        free(names[i]);
    }
    free(names);
    h5_close(file);
    if (error.text[0] || !cases) {
        if (!cases)
            fail(&error, "no cases in it");
        fprintf(stderr, "bitsweep reference: %s: %s\n", argv[1], error.text);
        return EXIT_USAGE;
    }
    printf("%zu of %zu cases agree\n", agreeing, cases);
    return agreeing == cases ? EXIT_DONE : EXIT_TROUBLE;
}

const struct command cmd_reference = {
    .name = "reference",
    .arguments = "FILE.h5",
    .summary = "Check the integer products against cases computed by the HDQT authors' code.",
    .details = "Prints a line for each case that disagrees and a closing count; exit code 1 on disagreement.\n"
               "A case agrees when the forward codes are equal and y, dx and dw differ by at most 1e-5 of their largest "
               "magnitude.\n\n"
               "The file: a group a case with data sets x (M x K), w (N x K), dy (M x N), the codes x_q and w_q, the "
               "results y (M x N),\n"
               "dx (M x K), dw (N x K), and attributes M, N, K, bits, acc_bits (16 and more: no limit), block (the "
               "accumulator's tile),\n"
               "hadamard (0 or 1), quantile. All rounding is to nearest; backward sums are limited whole.\n\n"
               "Example: bitsweep reference hdqt_linear_reference.h5",
    .run = run,
};
