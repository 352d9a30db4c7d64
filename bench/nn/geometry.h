/* SPDX-License-Identifier: GPL-3.0-or-later
 * A convolution as products on matrices that are read where they lie: offset tables, a sample with its zero border,
 * and the forms the backward products need. Shared by all modes; knows no arithmetic.
 *
 * Everything is for one sample at a time. Offsets count elements, so the same tables serve floats and codes. Samples are
 * positions × row_stride(channels), codes as well. K order of the forward product: kernel row, kernel column, channel
 * (channel fastest), without padding; the codes may be asked for channel-major, as torch.nn.Unfold has them.
 *
 * One sample of the forward product, floats:
 *     border_clear(&c->x_border, sizeof(float), memory)                       once, the border stays
 *     data = border_floats(&c->x_border, sample, memory)                      memory: border_size() floats
 *     multiply {m, n, k; a = {data, c->forward.row, c->forward.col}}          b = W transposed
 * and codes:
 *     data = border_bytes(&c->x_border, sample, memory)                       memory: border_size() bytes, cleared once
 *     data = unfold_bytes(&c->forward, data, copy)                            copy: c->forward.copy_size bytes
 *     multiply {m; a = {data, c->forward.byte_row, c->forward.unit}}          b = forward_weight_bytes(), packed */
#ifndef BITSWEEP_GEOMETRY_H
#define BITSWEEP_GEOMETRY_H
#include "../bitsweep.h"

static inline size_t out_positions(const struct geometry *g) { return g->out_h * g->out_w; }
static inline size_t in_positions(const struct geometry *g) { return g->in_h * g->in_w; }
static inline size_t kernel_positions(const struct geometry *g) { return g->kernel_h * g->kernel_w; }
/* Elements of one sample of x and dx, and of y and g. */
static inline size_t in_size(const struct geometry *g) { return in_positions(g) * row_stride(g->in_c); }
static inline size_t out_size(const struct geometry *g) { return out_positions(g) * row_stride(g->out_c); }
/* Columns of w: k of the product. */
static inline size_t kernel_inputs(const struct geometry *g)
{
    return kernel_positions(g) * (g->depthwise ? 1 : g->in_c);
}

/* ---- a sample with its border ------------------------------------------------------------ */

/* Where windows leave the sample, it is copied into a frame of zeros: rows × cols positions of `stride` elements. */
struct border {
    size_t sample_w;            /* columns of the sample */
    size_t kept_h, kept_w;      /* its rows and columns that are copied: the last ones may lie in no window */
    size_t top, left;           /* rows above it, columns to its left */
    size_t rows, cols, stride;
    bool in_place;              /* no window leaves the sample: it is read where it lies, and the frame is not needed */
};
/* Elements of the frame; 0 in place. */
size_t border_size(const struct border *);
/* Zeroes a frame; needed once for any number of samples, as these only write the inside. */
void border_clear(const struct border *, size_t element, void *memory);
/* Copies a sample in and returns what the tables refer to: memory, or the sample itself. */
const float *border_floats(const struct border *, const float *sample, float *memory);
const void *border_bytes(const struct border *, const void *sample, void *memory);
/* The values code × scale. Always into memory: in place, a whole sample's floats (border_value_size). */
size_t border_value_size(const struct border *);
const float *border_values(const struct border *, const void *codes, bool is_unsigned, float scale, float *memory);

/* ---- unfolded matrices ------------------------------------------------------------------- */

enum k_order { TAP_MAJOR, CHANNEL_MAJOR };

/* The matrix rows × k of a bordered sample: element (i, k) is at row[i] + col[k].
 * Codes are read in units of 4 along k: byte (i, k) is at byte_row[i] + unit[k / 4] + k % 4 of what unfold_bytes returns.
 * Where 4 consecutive k do not lie together (channels no multiple of 4, or channel-major), that is a copy, rows ×
 * copy_stride.
 * Depthwise: k = taps; col and unit are both one offset a tap, to which the channel is added; never a copy. */
struct unfolding {
    size_t rows, k;
    const int32_t *row, *col;
    const int32_t *byte_row, *unit;
    size_t copy_stride, copy_size; /* in bytes; 0: no copy */
    const int32_t *copy_col;    /* what is copied, in the order asked for: as col, `run` consecutive k lying together */
    size_t run;
};
const void *unfold_bytes(const struct unfolding *, const void *bordered, void *copy);

/* ---- the input gradient ------------------------------------------------------------------ */

/* dX at the input positions (first_y + a*stride, first_x + b*stride), a < h, b < w: row a*w + b of the product of `g`, read
 * out of the bordered G with k = (tap, output), and these taps' weights. Taps are listed with ky, then kx, ascending. */
struct residue {
    size_t first_y, first_x, h, w;
    struct unfolding g;
    size_t taps;
    const uint16_t *tap;        /* taps: ky * kernel_w + kx */
    size_t weights;             /* where its matrix starts in gradient_weights(): k × in_c (depthwise: taps × in_c) */
};

/* ---- the weight gradient on codes -------------------------------------------------------- */

/* X by channel, so that neighbouring output positions of one (tap, channel) lie together: element (c, y, x) of the bordered
 * sample stands in plane (y % stride, x % stride, c) at row y / stride, column x / stride. The sum over K runs over output
 * positions, each row of them padded to a multiple of 4 with G zero: byte ((tap, c), position) is at
 * row[tap * in_c + c] + unit[position / 4] + position % 4. Not for depthwise layers, which take the forward tables. */
struct planes {
    size_t rows, cols;          /* of one plane */
    size_t phases_y, phases_x;  /* residues that the kernel reaches: planes are phases_y × phases_x × channels */
    size_t size;                /* bytes of all */
    size_t row_positions;       /* output positions of one row, padded */
    size_t k;                   /* all output positions, padded */
    const int32_t *row, *unit;  /* kernel positions × channels; k / 4 */
};

/* ---- all of one layer -------------------------------------------------------------------- */

struct convolution {
    struct geometry shape;
    struct border x_border, g_border;
    struct unfolding forward;
    const uint32_t *order;      /* channel-major: index in W's own order of the k-th input; else NULL */
    struct residue *residues;   /* those with positions and taps */
    size_t residue_count;
    bool scatters;              /* the rows of a residue are not dX as it is: scatter_rows */
    bool uncovered;             /* dX has positions in no residue: zero it first */
    size_t residue_size;        /* floats that the rows of any residue take, row_stride(in_c) apart; 0 if not scatters */
    size_t residue_copy_size;   /* bytes of the largest copy that any residue's codes need */
    struct planes planes;
};

/* Made at prepare; lives in the arena. The order is that of the forward product's codes. For a mode that pads the outputs (a
 * transform along them), out_c may be the padded number. */
struct convolution *convolution_tables(const struct geometry *, enum k_order, struct arena *);

/* W (n × row_stride(k)) as the forward product on codes takes it: n × row_stride(k) in the K order asked for (w itself if
 * tap-major); depthwise: taps × row_stride(channels). */
const void *forward_weight_bytes(const struct convolution *, const void *w, void *memory);
size_t forward_weight_size(const struct convolution *); /* bytes of memory; 0: none */
/* The same for floats: W transposed, k × row_stride(n) (depthwise: taps × row_stride(channels)). */
void forward_weight_floats(const struct convolution *, const float *w, float *out);

/* W for the input gradient: [tap, the residues' taps one after another][output][input channel], row_stride(in_c) apart
 * (depthwise: [tap][channel]). gradient_weight_size elements. As b of a product on codes: row 1, col row_stride(in_c). */
size_t gradient_weight_size(const struct convolution *);
void gradient_weight_floats(const struct convolution *, const float *w, float *out);
void gradient_weight_bytes(const struct convolution *, const void *w, void *out);

/* Copies the rows (row_stride(in_c) apart) of a residue to their positions in one sample's dx. */
void scatter_rows(const struct convolution *, const struct residue *, const float *rows, float *dx);

/* Zeroes planes; needed once, as samples only write the inside. */
void planes_clear(const struct convolution *, void *planes);
/* From one sample of codes, without a border. */
void planes_fill(const struct convolution *, const void *sample, void *planes);
/* One sample of G's codes (output positions × row_stride(out_c)) in the padded order of positions: g itself, or memory
 * (padded_gradient_size bytes; 0: g itself). */
size_t padded_gradient_size(const struct convolution *);
const int8_t *padded_gradient(const struct convolution *, const int8_t *g, int8_t *memory);

/* Rows first .. first + count - 1 of X unfolded and transposed, [(tap, channel)][output position], positions without
 * padding, rows out_stride apart; what lies past the positions is left alone. */
void unfold_shorts(const struct convolution *, const void *planes, bool is_unsigned, size_t first, size_t count,
                   int16_t *out, size_t out_stride);
void unfold_floats(const struct convolution *, const void *planes, bool is_unsigned, size_t first, size_t count,
                   float *out, size_t out_stride);

/* ---- plain matrices ---------------------------------------------------------------------- */

/* Tables of a matrix that lies in memory as it is: i * stride for i < rows; 4 * i for i < ceil(k / 4). */
const int32_t *plain_rows(size_t rows, size_t stride, struct arena *);
const int32_t *plain_units(size_t k, struct arena *);

/* ---- sums of the weight gradient --------------------------------------------------------- */

/* Every chunk of samples sums its own dW transposed, k × row_stride(n) floats (n, k: of the product). They lie in the
 * threads' scratch, spread over the threads there are, each matrix in one place whoever computes it: a mode's scratch_size
 * adds weight_sums_size() bytes behind its own `offset` bytes (a multiple of 64). */
size_t weight_sums_size(const struct product *);
float *weight_sums(const struct product *, size_t offset, size_t chunk);
/* dw = the sums of the chunks that have samples, added in order, transposed; overwrites the sums. */
void add_weight_sums(const struct product *, size_t offset);
#endif
