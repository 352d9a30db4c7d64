/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "exemplars.h"
#include "strategy.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

static bool keeps_exemplars(const struct settings *s)
{
    const struct strategy_ops *strategy = setting_has(s, "strategy") ? setting_plug(s, "strategy") : NULL;
    return strategy && strategy->keeps_exemplars;
}

const struct param param_memory = {.name = "memory", .type = PARAM_INT, .fallback = "200", .min = 0, .max = 1e9,
    .used = keeps_exemplars,
    .source = "pub", .help = "Exemplars that may be kept (published: 200 for activity recognition, 2000 for CIFAR-100)."};
const struct param param_memory_of = {.name = "memory_of", .type = PARAM_CHOICE, .fallback = "all",
    .choices = (const char *const[]){"all", "class", 0}, .used = keeps_exemplars,
    .source = "pub", .help = "What the memory is for: all classes seen, which share it equally, or each class."};
const struct param param_exemplars = {.name = "exemplars", .type = PARAM_CHOICE, .fallback = "herding",
    .choices = (const char *const[]){"herding", "random", 0}, .used = keeps_exemplars,
    .source = "pub",
    .help = "How a class's exemplars are chosen: those whose mean feature follows the class's (herding), or by chance."};

const char *exemplars_check(const struct settings *s)
{
    return setting_int(s, param_memory.name) > 0
               ? NULL : "the strategy keeps exemplars, for which memory 0 has no room; memory must be 1 or more";
}

/* ---- the lists ---- */

size_t exemplars_quota(const struct settings *s, size_t seen)
{
    if (!setting_has(s, param_memory.name))
        return 0;
    size_t memory = (size_t)setting_int(s, param_memory.name);
    return setting_is(s, param_memory_of.name, "class") ? memory : memory / seen;
}

void exemplars_begin(struct exemplars *e, const struct settings *s, size_t classes, size_t first, size_t largest,
                     struct arena *arena)
{
    size_t quota = exemplars_quota(s, first);
    *e = (struct exemplars){.classes = classes, .capacity = quota < largest ? quota : largest};
    e->count = arena_alloc(arena, classes * sizeof *e->count);
    e->samples = arena_alloc(arena, classes * e->capacity * sizeof *e->samples);
}

void exemplars_keep(struct exemplars *e, struct kept *kept)
{
    keep(kept, "exemplars.count", e->count, e->classes * sizeof *e->count);
    keep(kept, "exemplars.samples", e->samples, e->classes * e->capacity * sizeof *e->samples);
}

void exemplars_truncate(struct exemplars *e, size_t quota)
{
    for (size_t c = 0; c < e->classes; c++)
        e->count[c] = e->count[c] < quota ? e->count[c] : quota;
}

/* ---- choosing ---- */

/* A zero vector stays. */
static void divide_by_length(double *v, size_t width)
{
    double squares = 0;
    for (size_t i = 0; i < width; i++)
        squares += v[i] * v[i];
    for (size_t i = 0; squares > 0 && i < width; i++)
        v[i] /= sqrt(squares);
}

static void take_unit_row(const float *row, size_t width, double *out)
{
    for (size_t i = 0; i < width; i++)
        out[i] = row[i];
    divide_by_length(out, width);
}

static double squared_distance(const double *a, const double *b, size_t width)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* What herding works on: the rows divided by their lengths, and at the k-th choice k × mean - S: ‖mean - (v + S)/k‖ is the
 * distance of v to that, over k. */
struct herd { double *rows, *mean, *target; bool *taken; size_t count, width; };

static void herd_begin(struct herd *h, const float *features, size_t count, size_t width, size_t stride)
{
    *h = (struct herd){.count = count, .width = width, .rows = xmalloc(count * width * sizeof(double)),
                       .mean = xcalloc(width, sizeof(double)), .target = xcalloc(width, sizeof(double)),
                       .taken = xcalloc(count, sizeof(bool))};
    for (size_t r = 0; r < count; r++) {
        take_unit_row(features + r * stride, width, h->rows + r * width);
        for (size_t i = 0; i < width; i++)
            h->mean[i] += h->rows[r * width + i] / (double)count;
    }
}

static void herd_end(struct herd *h)
{
    free(h->rows);
    free(h->mean);
    free(h->target);
    free(h->taken);
}

static size_t herd_nearest(const struct herd *h)
{
    size_t best = h->count;
    double least = 0;
    for (size_t r = 0; r < h->count; r++) {
        if (h->taken[r])
            continue;
        double distance = squared_distance(h->target, h->rows + r * h->width, h->width);
        if (best == h->count || distance < least) {
            best = r;
            least = distance;
        }
    }
    return best;
}

static void refuse_excess(size_t wanted, size_t count)
{
    if (wanted > count)
        die("%zu exemplars of %zu samples", wanted, count);
}

void herding(const float *features, size_t count, size_t width, size_t stride, size_t wanted, uint32_t *chosen)
{
    struct herd h;
    refuse_excess(wanted, count);
    herd_begin(&h, features, count, width, stride);
    for (size_t k = 0; k < wanted; k++) {
        for (size_t i = 0; i < width; i++)
            h.target[i] += h.mean[i];
        size_t next = herd_nearest(&h);
        for (size_t i = 0; i < width; i++)
            h.target[i] -= h.rows[next * width + i];
        h.taken[next] = true;
        chosen[k] = (uint32_t)next;
    }
    herd_end(&h);
}

#define DRAW UINT64_MAX /* apart from the other draws of STREAM_SPLIT */

void draw_exemplars(uint64_t seed, size_t class, size_t count, size_t wanted, uint32_t *chosen)
{
    refuse_excess(wanted, count);
    uint32_t *order = xmalloc(count * sizeof *order);
    rng_permutation(rng_key(seed, STREAM_SPLIT, DRAW, class), count, order);
    memcpy(chosen, order, wanted * sizeof *order);
    free(order);
}

/* ---- nearest mean ---- */

void class_mean(const float *features, size_t count, size_t width, size_t stride, double *mean)
{
    double *row = xmalloc(width * sizeof *row);
    memset(mean, 0, width * sizeof *mean);
    for (size_t r = 0; r < count; r++) {
        take_unit_row(features + r * stride, width, row);
        for (size_t i = 0; i < width; i++)
            mean[i] += row[i];
    }
    divide_by_length(mean, width);
    for (size_t i = 0; count == 0 && i < width; i++)
        mean[i] = NAN;
    free(row);
}

size_t nearest_mean(const float *row, const double *means, size_t classes, size_t width)
{
    double *unit = xmalloc(width * sizeof *unit), least = INFINITY;
    size_t best = 0;
    take_unit_row(row, width, unit);
    for (size_t c = 0; c < classes; c++) {
        double distance = squared_distance(unit, means + c * width, width);
        if (distance < least) {
            least = distance;
            best = c;
        }
    }
    free(unit);
    return best;
}
