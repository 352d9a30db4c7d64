/* SPDX-License-Identifier: GPL-3.0-or-later
 * Batches as networks read them: rows of planes are spread over channels-last positions, and on the way there cropped,
 * mirrored and brightened. */
#include "batches.h"
#include "params.h"
#include <string.h>

/* Settings alone do not tell whether the samples are images, so every run reads these; batches_check refuses what asks for
 * them without images. */
const struct param param_augment_crop = {.name = "augment_crop", .type = PARAM_INT, .fallback = "0", .min = 0, .max = 1024,
    .source = "pub", .help = "Training images are shifted by up to so many pixels each way, as if cropped out of the image "
                             "with a black border of that width; 0: not."};
const struct param param_augment_flip = {.name = "augment_flip", .type = PARAM_BOOL, .fallback = "false",
    .source = "pub", .help = "Half of the training images, drawn anew each epoch, are mirrored left to right."};
const struct param param_augment_brightness = {.name = "augment_brightness", .type = PARAM_REAL, .fallback = "0",
    .min = 0, .max = 1,
    .source = "pub", .help = "Training images (0..1) are multiplied by a factor drawn from 1 ± this and limited to 0..1; 0: "
                             "not."};

bool batches_augment(const struct settings *s)
{
    return setting_int(s, "augment_crop") > 0 || setting_bool(s, "augment_flip")
           || setting_real(s, "augment_brightness") > 0;
}

bool batches_check(const struct settings *s, const struct dataset *described, struct error *error)
{
    if (!batches_augment(s))
        return true;
    if (described->rank != 3)
        return fail(error, "the samples of %s have rank %d, and augment_crop, augment_flip and augment_brightness are for "
                    "images only (rank 3: channels x height x width); leave them out of this data set's block",
                    described->name, described->rank);
    size_t crop = (size_t)setting_int(s, "augment_crop"), height = described->shape[1], width = described->shape[2];
    size_t side = height < width ? height : width;
    return crop < side || fail(error, "augment_crop is %zu, but the images of %s are %zu x %zu; valid: less than %zu", crop,
                               described->name, height, width, side);
}

void batches_begin(struct batches *b, const struct settings *s, const struct dataset *dataset, const struct net *net,
                   const struct standardisation *standardisation)
{
    struct error error;
    if (!batches_check(s, dataset, &error))
        die("%s", error.text); /* the plan has refused it before, unless the data set has changed */
    *b = (struct batches){.dataset = dataset, .shape = net->input_shape, .flat = net->flat_input,
                          .standardisation = standardisation, .seed = (uint64_t)setting_int(s, "seed"),
                          .crop_pad = (size_t)setting_int(s, "augment_crop"), .flip = setting_bool(s, "augment_flip"),
                          .brightness = (float)setting_real(s, "augment_brightness")};
    if (b->shape.h * b->shape.w * b->shape.c != dataset->features || (!b->flat && b->shape.c != dataset->shape[0]))
        die("the network's input does not have the samples' shape");
}

/* What is done to all of one sample's pixels; all zero: nothing. */
struct change {
    ptrdiff_t down, right; /* output (y, x) is pixel (y + down, x + right), or the border */
    bool mirrored;         /* and then x counts from the right */
    bool brightened;
    float factor;
};

enum draw { DRAW_DOWN, DRAW_RIGHT, DRAW_MIRROR, DRAW_FACTOR };

static ptrdiff_t draw_shift(uint64_t key, enum draw draw, size_t pad)
{
    return (ptrdiff_t)(rng_uniform(key, draw) * (double)(2 * pad + 1)) - (ptrdiff_t)pad;
}

static struct change draw_change(const struct batches *b, long epoch, size_t sample)
{
    uint64_t key = rng_key(b->seed, STREAM_AUGMENT, (uint64_t)epoch, sample);
    return (struct change){
        .down = draw_shift(key, DRAW_DOWN, b->crop_pad), .right = draw_shift(key, DRAW_RIGHT, b->crop_pad),
        .mirrored = b->flip && rng_uniform(key, DRAW_MIRROR) < 0.5,
        .brightened = b->brightness > 0, .factor = 1 + b->brightness * (float)(2 * rng_uniform(key, DRAW_FACTOR) - 1),
    };
}

/* Raw values are x * deviation + mean; `black` is x of raw 0. */
struct channel { float mean, deviation, black; };

static struct channel channel_of(const struct standardisation *s, size_t c)
{
    if (!s || !s->channels)
        return (struct channel){0, 1, 0};
    return (struct channel){(float)s->mean[c], (float)s->deviation[c], (float)((0 - s->mean[c]) / s->deviation[c])};
}

static void spread(const float *x, size_t count, float *out, ptrdiff_t step)
{
    for (size_t i = 0; i < count; i++)
        out[(ptrdiff_t)i * step] = x[i];
}

static void spread_one(float x, size_t count, float *out, ptrdiff_t step)
{
    for (size_t i = 0; i < count; i++)
        out[(ptrdiff_t)i * step] = x;
}

/* In pieces, so that the arithmetic runs on whole vectors whatever the step. */
static void spread_brightened(const float *x, size_t count, struct channel channel, float factor, float *out, ptrdiff_t step)
{
    enum { PIECE = 64 };
    float gain = channel.deviation * factor, offset = channel.mean * factor, per_deviation = 1 / channel.deviation;
    float piece[PIECE];
    for (size_t first = 0; first < count; first += PIECE) {
        size_t some = count - first < PIECE ? count - first : PIECE;
        for (size_t i = 0; i < some; i++) {
            float raw = x[first + i] * gain + offset;
            raw = raw > 0 ? raw : 0;
            raw = raw < 1 ? raw : 1;
            piece[i] = (raw - channel.mean) * per_deviation;
        }
        spread(piece, some, out + (ptrdiff_t)first * step, step);
    }
}

/* Row y of one channel's plane, changed, to out, out + step, ... */
static void put_row(const float *plane, size_t height, size_t width, size_t y, const struct change *change,
                    struct channel channel, float *out, ptrdiff_t step)
{
    ptrdiff_t from = (ptrdiff_t)y + change->down;
    size_t left = change->right < 0 ? (size_t)-change->right : 0, right = change->right > 0 ? (size_t)change->right : 0;
    size_t kept = width - left - right; /* `left` border pixels, then these, then `right` more of the border */
    if (change->mirrored) {
        out += (ptrdiff_t)(width - 1) * step;
        step = -step;
    }
    if (from < 0 || from >= (ptrdiff_t)height) {
        spread_one(channel.black, width, out, step);
        return;
    }
    const float *x = plane + (size_t)from * width + right;
    float *inner = out + (ptrdiff_t)left * step;
    spread_one(channel.black, left, out, step);
    if (change->brightened)
        spread_brightened(x, kept, channel, change->factor, inner, step);
    else
        spread(x, kept, inner, step);
    spread_one(channel.black, right, inner + (ptrdiff_t)kept * step, step);
}

/* One sample row by row, so that the positions of a row stay in the first cache until all channels are there. */
static void put_sample(const struct batches *b, const float *x, const struct change *change, float *out)
{
    const struct dataset *d = b->dataset;
    size_t channels = d->shape[0], plane = d->features / channels, width = d->shape[d->rank - 1], height = plane / width;
    size_t position = b->flat ? 1 : row_stride(channels), next_channel = b->flat ? plane : 1;
    for (size_t y = 0; y < height; y++) {
        float *row = out + y * width * position;
        if (!b->flat)
            memset(row, 0, width * position * sizeof *row);
        for (size_t c = 0; c < channels; c++)
            put_row(x + c * plane, height, width, y, change, channel_of(b->standardisation, c), row + c * next_channel,
                    (ptrdiff_t)position);
    }
}

void batch_take(const struct batches *b, const struct part *part, const uint32_t *indices, size_t first, size_t rows,
                long epoch, float *input, int32_t *labels)
{
    size_t features = b->dataset->features, positions = b->shape.h * b->shape.w, size = positions * row_stride(b->shape.c);
    bool augmented = epoch >= 0 && (b->crop_pad > 0 || b->flip || b->brightness > 0);
    for (size_t i = 0; i < rows; i++) {
        size_t sample = indices ? indices[first + i] : first + i;
        const float *x = part->x + sample * features;
        float *out = input + i * size;
        labels[i] = part->y[sample];
        if (positions == 1)
            memset(out + features, 0, (size - features) * sizeof *out);
        if (positions == 1 && !augmented) {
            memcpy(out, x, features * sizeof *out);
        } else {
            struct change change = augmented ? draw_change(b, epoch, sample) : (struct change){0};
            put_sample(b, x, &change, out);
        }
    }
}
