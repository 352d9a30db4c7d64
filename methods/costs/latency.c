/* SPDX-License-Identifier: GPL-3.0-or-later
 * Latency of one sample's forward pass: the sum of the layers' times in a measured table. */
#include "latency.h"
#include "table_file.h"
#include "../../bench/nn/net.h"
#include "../../bench/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_TABLE "none"

const char *const latency_kind_names[LATENCY_KINDS] = {
    [LATENCY_DENSE] = "dense", [LATENCY_CONVOLUTION] = "convolution", [LATENCY_DEPTHWISE] = "depthwise",
};

enum { COLUMN_KIND, COLUMN_SIZES, COLUMN_W = COLUMN_SIZES + SHAPE_SIZES, COLUMN_A, COLUMN_MILLISECONDS, COLUMNS };
const char *const latency_columns[COLUMNS + 1] = {
    "kind", "in_h", "in_w", "in_c", "out_c", "kernel", "stride", "weight_bits", "input_bits", "milliseconds",
};

/* ---- shapes ---- */

struct latency_shape latency_shape(const struct geometry *g)
{
    bool point = g->in_h * g->in_w * g->kernel_h * g->kernel_w == 1;
    return (struct latency_shape){
        g->depthwise ? LATENCY_DEPTHWISE : point ? LATENCY_DENSE : LATENCY_CONVOLUTION,
        {(double)g->in_h, (double)g->in_w, (double)g->in_c, (double)g->out_c, (double)g->kernel_w, (double)g->stride},
    };
}

bool latency_shapes_equal(const struct latency_shape *a, const struct latency_shape *b)
{
    return a->kind == b->kind && memcmp(a->sizes, b->sizes, sizeof a->sizes) == 0;
}

static double work(const struct latency_shape *shape)
{
    const double *s = shape->sizes;
    double positions = ceil(s[SHAPE_IN_H] / s[SHAPE_STRIDE]) * ceil(s[SHAPE_IN_W] / s[SHAPE_STRIDE]);
    double kernel = s[SHAPE_KERNEL] * (s[SHAPE_IN_H] > 1 ? s[SHAPE_KERNEL] : 1);
    return positions * kernel * s[SHAPE_OUT_C] * (shape->kind == LATENCY_DEPTHWISE ? 1 : s[SHAPE_IN_C]);
}

static double distance(const struct latency_shape *a, const struct latency_shape *b)
{
    double sum = 0;
    for (int i = 0; i < SHAPE_SIZES; i++)
        sum += pow(log(a->sizes[i] / b->sizes[i]), 2);
    return sum;
}

int latency_nearest(const struct latency_table *table, const struct latency_shape *shape, double *factor)
{
    int nearest = -1;
    double least = INFINITY;
    for (int i = 0; i < table->shape_count; i++) {
        if (table->shapes[i].kind != shape->kind || distance(shape, &table->shapes[i]) >= least)
            continue;
        nearest = i;
        least = distance(shape, &table->shapes[i]);
    }
    if (nearest >= 0)
        *factor = work(shape) / work(&table->shapes[nearest]);
    return nearest;
}

double latency_at(const struct latency_table *table, int shape, double w, double a)
{
    double fastest = INFINITY, slowest = 0;
    for (const struct latency_row *row = table->rows; row < table->rows + table->row_count; row++) {
        if (row->shape != shape)
            continue;
        if (row->w >= w && row->a >= a)
            fastest = fmin(fastest, row->milliseconds);
        slowest = fmax(slowest, row->milliseconds);
    }
    return isinf(fastest) ? slowest : fastest;
}

/* ---- the table ---- */

static bool read_kind(const struct table_file *file, const char *field, enum latency_kind *kind, struct error *error)
{
    for (*kind = 0; *kind < LATENCY_KINDS; ++*kind)
        if (strcmp(field, latency_kind_names[*kind]) == 0)
            return true;
    return table_file_fail(file, error, "the kind is '%.40s'; valid: dense, convolution, depthwise", field);
}

static bool read_shape(const struct table_file *file, const char *const *fields, struct latency_shape *shape,
                       struct error *error)
{
    if (!read_kind(file, fields[COLUMN_KIND], &shape->kind, error))
        return false;
    for (int i = 0; i < SHAPE_SIZES; i++) {
        const char *name = latency_columns[COLUMN_SIZES + i], *field = fields[COLUMN_SIZES + i];
        if (!table_file_number(file, name, field, &shape->sizes[i], error))
            return false;
        if (floor(shape->sizes[i]) != shape->sizes[i])
            return table_file_fail(file, error, "%s is '%.40s'; valid: a whole number above 0", name, field);
    }
    return true;
}

static int add_shape(struct latency_table *table, const struct latency_shape *shape)
{
    for (int i = 0; i < table->shape_count; i++)
        if (latency_shapes_equal(&table->shapes[i], shape))
            return i;
    table->shapes = xrealloc(table->shapes, ((size_t)table->shape_count + 1) * sizeof *table->shapes);
    table->shapes[table->shape_count] = *shape;
    return table->shape_count++;
}

static bool read_row(const struct table_file *file, const char *const *fields, struct latency_table *table,
                     struct error *error)
{
    static const int columns[] = {COLUMN_W, COLUMN_A, COLUMN_MILLISECONDS};
    struct latency_shape shape;
    double numbers[3];
    if (!read_shape(file, fields, &shape, error))
        return false;
    for (int i = 0; i < 3; i++)
        if (!table_file_number(file, latency_columns[columns[i]], fields[columns[i]], &numbers[i], error))
            return false;
    struct latency_row row = {add_shape(table, &shape), numbers[0], numbers[1], numbers[2]};
    for (int i = 0; i < table->row_count; i++)
        if (table->rows[i].shape == row.shape && table->rows[i].w == row.w && table->rows[i].a == row.a)
            return table_file_fail(file, error, "this shape is there already at %g-bit weights and %g-bit inputs", row.w,
                                   row.a);
    table->rows = xrealloc(table->rows, ((size_t)table->row_count + 1) * sizeof *table->rows);
    table->rows[table->row_count++] = row;
    return true;
}

static bool read_file(struct table_file *file, struct latency_table *table, struct error *error)
{
    const char *fields[COLUMNS];
    int count;
    if (!table_file_header(file, latency_columns, error))
        return false;
    while ((count = table_file_row(file, fields, COLUMNS)) != 0) {
        if (count != COLUMNS)
            return table_file_fail(file, error, "%d fields; valid: %d, as in the header", count, COLUMNS);
        if (!read_row(file, fields, table, error))
            return false;
    }
    return table->row_count || fail(error, "the latency table %s has no rows", file->path);
}

/* canonical: NULL, or where the setting's canonical text goes. */
static bool read_table(const char *setting, struct latency_table *table, char **canonical, struct error *error)
{
    struct table_file file;
    *table = (struct latency_table){0};
    bool good = table_file_open(setting, &file, error) && read_file(&file, table, error);
    if (good && canonical)
        *canonical = table_file_canonical(&file);
    if (!good)
        latency_table_free(table);
    table_file_close(&file);
    return good;
}

bool latency_table_read(const char *setting, struct latency_table *table, struct error *error)
{
    return read_table(setting, table, NULL, error);
}

void latency_table_free(struct latency_table *table)
{
    free(table->shapes);
    free(table->rows);
    *table = (struct latency_table){0};
}

static bool parse(const char *text, char **canonical, struct error *error)
{
    struct latency_table table = {0};
    bool good = true;
    if (strcmp(text, NO_TABLE) == 0)
        *canonical = xstrdup(text);
    else
        good = read_table(text, &table, canonical, error);
    latency_table_free(&table);
    return good;
}

static bool has_allocator(const struct settings *settings) { return !setting_is(settings, "allocator", "none"); }

const struct param param_latency_table = {
    .name = "latency_table", .type = PARAM_TEXT, .parse = parse, .fallback = NO_TABLE, .used = has_allocator,
    .form = "none, or the path of a CSV file",
    .source = "ours", .help = "Measured latencies for the cost latency_ms, as `bitsweep bench kernels --write-latency FILE` "
                              "writes them (docs/costs.md).",
};

/* ---- the cost ---- */

struct latency {
    struct latency_table table;
    struct { int shape; double factor; } layers[MAX_LAYERS];
};

static void close_latency(void *context)
{
    struct latency *latency = context;
    latency_table_free(&latency->table);
    free(latency);
}

/* Finds the layers in the table, once. */
static bool find_layers(struct latency *latency, const char *setting, const struct settings *settings,
                        const struct dataset *described, struct error *error)
{
    struct tensor tensors[TENSOR_KINDS * MAX_LAYERS];
    int count = net_tensors(settings, described, tensors);
    for (int i = 0; i < count; i++) {
        struct latency_shape shape = latency_shape(&tensors[i].shape);
        double factor = 1;
        int nearest = latency_nearest(&latency->table, &shape, &factor);
        if (nearest < 0)
            return fail(error, "the latency table %s has no rows of kind %s, which %s needs", setting,
                        latency_kind_names[shape.kind], tensors[i].name);
        latency->layers[tensors[i].layer].shape = nearest;
        latency->layers[tensors[i].layer].factor = factor;
    }
    return true;
}

static bool open_latency(const struct settings *settings, const struct dataset *described, void **context,
                         struct error *error)
{
    bool given = settings && setting_has(settings, "latency_table") && !setting_is(settings, "latency_table", NO_TABLE);
    if (!given || !described)
        return fail(error, "the cost latency_ms needs a table of measured latencies; give a run's latency_table a CSV file "
                    "as `bitsweep bench kernels --write-latency FILE` writes it");
    struct latency *latency = xcalloc(1, sizeof *latency);
    const char *setting = setting_text(settings, "latency_table");
    bool good = latency_table_read(setting, &latency->table, error)
                && find_layers(latency, setting, settings, described, error);
    if (good)
        *context = latency;
    else
        close_latency(latency);
    return good;
}

static double layer(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)totals;
    const struct latency *latency = context;
    const struct tensor *tensor = layer->weight ? layer->weight : layer->input;
    if (!tensor)
        return 0;
    int index = tensor->layer;
    return latency->layers[index].factor * latency_at(&latency->table, latency->layers[index].shape, layer->w, layer->a);
}

const struct cost_ops cost_latency_ms = {
    .plug = {.name = "latency_ms", .alias = "latency", .version = 1,
             .help = "Latency of one sample's forward pass: sum of the layers' times in a measured table (latency_table); a "
                     "shape that was not measured takes the nearest one's time per MAC, which is an approximation.",
             .params = (const struct param *const[]){&param_latency_table, 0}},
    .unit = "ms", .joint = true, .open = open_latency, .close = close_latency, .layer = layer,
};
