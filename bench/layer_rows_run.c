/* SPDX-License-Identifier: GPL-3.0-or-later
 * A run file as a layer table: its tensors with the last traces and ranges that its allocator saw, and the widths that its
 * settings allow. Gradients have a sensitivity scale of their own and stay out. */
#include "../results/grouping.h"
#include "layer_rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A column of a run file with as many values as there are tensors, or of its last decision; NULL: not there. */
static const void *column(const struct record *run, const char *path, enum record_type type, size_t tensors)
{
    const struct field *field = record_find(run, path);
    if (!field || field->type != type || field->rank < 1 || field->shape[field->rank - 1] != tensors
        || field_count(field) == 0)
        return NULL;
    return (const char *)field->data + (field_count(field) - tensors) * record_type_size(type);
}

struct columns {
    size_t count;
    char *const *name, *const *kind;
    const int64_t *layer, *elements;
    const double *macs, *trace, *range;
    const int8_t *is_signed;
};

static bool find_columns(const struct record *run, const char *path, struct columns *c, struct error *error)
{
    const struct field *names = record_find(run, "/tensors/name");
    if (!names || names->type != RECORD_TEXT || field_count(names) == 0)
        return fail(error, "%s has no tensors; only finished runs have them", path);
    c->count = field_count(names);
    c->name = (char *const *)names->data;
    c->kind = column(run, "/tensors/kind", RECORD_TEXT, c->count);
    c->layer = column(run, "/tensors/layer", RECORD_I64, c->count);
    c->elements = column(run, "/tensors/elements", RECORD_I64, c->count);
    c->macs = column(run, "/tensors/macs", RECORD_F64, c->count);
    c->trace = column(run, "/reallocation/trace", RECORD_F64, c->count);
    c->range = column(run, "/reallocation/range", RECORD_F64, c->count);
    c->is_signed = column(run, "/reallocation/signed", RECORD_I8, c->count);
    if (!c->kind || !c->layer || !c->elements || !c->macs)
        return fail(error, "%s has no /tensors/kind, layer, elements and macs of its %zu tensors", path, c->count);
    if (!c->trace || !c->range || !c->is_signed)
        return fail(error, "%s has no traces and ranges (/reallocation/trace, range, signed): its allocator %s measures no "
                    "sensitivities", path, run_setting(run, "allocator") ? run_setting(run, "allocator") : "");
    return true;
}

static long limit_setting(const struct record *run, const char *key, long fallback)
{
    const char *text = run_setting(run, key);
    return text ? strtol(text, NULL, 10) : fallback;
}

static bool is_allocated(const struct record *run, const char *kind)
{
    const char *list = run_setting(run, "allocate");
    return !list || strstr(list, kind); /* "weights" holds "weight" */
}

static bool add_row(const struct record *run, const char *path, const struct columns *c, size_t i, struct layer_rows *rows,
                    struct error *error)
{
    if (isnan(c->trace[i]) || isnan(c->range[i]))
        return fail(error, "%s: %s has no trace or range in the last entry of /reallocation: its allocator %s measures no "
                    "sensitivities", path, c->name[i], run_setting(run, "allocator") ? run_setting(run, "allocator") : "");
    struct layer_row *row = layer_rows_add(rows, format_text("%s: %s", path, c->name[i]));
    bool allocated = is_allocated(run, c->kind[i]);
    long most = limit_setting(run, "max_bits", 8), least = allocated ? limit_setting(run, "min_bits", 2) : most;
    row->is_signed = c->is_signed[i];
    row->uncounted = !allocated;
    char *values[] = {xstrdup(c->name[i]), xstrdup(c->kind[i]), format_text("%ld", (long)c->layer[i]),
                      format_text("%ld", (long)c->elements[i]), format_text("%.17g", c->macs[i]),
                      format_text("%.17g", c->trace[i]), format_text("%.17g", c->range[i])};
    static const char *const fields[] = {"name", "kind", "layer", "elements", "macs", "trace", "range"};
    bool good = true;
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        good = good && layer_row_set(row, fields[f], values[f], error);
        free(values[f]);
    }
    for (long bits = least; bits <= most && bits <= MOST_WIDTH; bits++)
        row->choices |= (uint64_t)1 << bits;
    return good;
}

/* What the table does not have of the run. */
static void add_notes(const struct record *run, const char *path, bool gradients, struct layer_rows *rows)
{
    static const char *const rules[] = {"pin", "limits", "tie"};
    if (gradients)
        layer_rows_note(rows, "%s: gradients are left out, their sensitivity is on a scale of its own", path);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *value = run_setting(run, rules[i]);
        if (value && strcmp(value, "none") != 0)
            layer_rows_note(rows, "%s: the run's %s=%s is not in force here", path, rules[i], value);
    }
}

bool layer_rows_of_run(const char *path, struct layer_rows *rows, bool *paper_step, struct error *error)
{
    struct results results;
    struct columns c = {0};
    if (!results_load(path, &results, error))
        return false;
    const struct record *run = &results.runs[0];
    bool good = results.count == 1 || fail(error, "%s holds %zu runs; an allocation is made from the file of one, "
                                           "results/SWEEP/runs/ID.h5", path, results.count);
    good = good && find_columns(run, path, &c, error);
    bool gradients = false;
    for (size_t i = 0; good && i < c.count; i++) {
        bool gradient = strcmp(c.kind[i], tensor_kind_names[TENSOR_GRADIENT]) == 0;
        gradients |= gradient;
        good = gradient || add_row(run, path, &c, i, rows, error);
    }
    if (good) {
        const char *noise = run_setting(run, "noise");
        *paper_step = noise && strcmp(noise, "paper") == 0;
        add_notes(run, path, gradients, rows);
    }
    results_free(&results);
    return good;
}
