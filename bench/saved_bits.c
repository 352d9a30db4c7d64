/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "saved_bits.h"
#include "../results/grouping.h"
#include "layer_rows.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends NAME=WIDTH; a width that no integer code has is an error. */
static bool add_width(const char *path, const char *name, double width, char **bits, struct error *error)
{
    if (!(width >= 1 && width <= MOST_WIDTH && floor(width) == width))
        return width == 0 ? fail(error, "%s: %s is float32, so the run has no widths to take over", path, name)
                          : fail(error, "%s: %s has %g bits; valid: whole numbers", path, name, width);
    if (!*name || strpbrk(name, "=,* ?[\\"))
        return fail(error, "%s: '%.60s' is no name of a tensor that a run can have", path, name);
    char *longer = format_text("%s%s%s=%.0f", *bits, **bits ? "," : "", name, width);
    free(*bits);
    *bits = longer;
    return true;
}

static bool is_gradient(const char *kind) { return kind && strcmp(kind, tensor_kind_names[TENSOR_GRADIENT]) == 0; }

static bool of_json(const char *path, const char *text, char **bits, bool *gradients, struct error *error)
{
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(root, "bits"), *item;
    bool good = (cJSON_IsObject(map) && map->child)
                || fail(error, "%s has no widths (a map 'bits' from names to numbers), as `bitsweep allocate -o` has",
                        path);
    for (item = good ? map->child : NULL; good && item; item = item->next)
        good = cJSON_IsNumber(item) ? add_width(path, item->string, item->valuedouble, bits, error)
                                    : fail(error, "%s: the width of %.60s is not a number", path, item->string);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "tensors"))
        *gradients |= is_gradient(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "kind")));
    cJSON_Delete(root);
    return good;
}

static bool of_run(const char *path, char **bits, bool *gradients, struct error *error)
{
    struct results results;
    if (!results_load(path, &results, error))
        return false;
    const struct record *run = &results.runs[0];
    const struct field *widths = record_find(run, "/bits/final"), *names = record_find(run, "/tensors/name"),
                       *kinds = record_find(run, "/tensors/kind");
    bool good = results.count == 1 || fail(error, "%s holds %zu runs; give the file of one, results/SWEEP/runs/ID.h5", path,
                                           results.count);
    if (good && !(widths && names && widths->type == RECORD_F32 && names->type == RECORD_TEXT && field_count(widths) > 0
                  && field_count(widths) == field_count(names)))
        good = fail(error, "%s has no final widths; only finished runs have them", path);
    for (size_t i = 0; good && i < field_count(names); i++) {
        good = add_width(path, ((char *const *)names->data)[i], ((const float *)widths->data)[i], bits, error);
        if (kinds && kinds->type == RECORD_TEXT && field_count(kinds) > i)
            *gradients |= is_gradient(((char *const *)kinds->data)[i]);
    }
    results_free(&results);
    return good;
}

bool saved_bits(const char *path, char **bits, bool *gradients, struct error *error)
{
    size_t size;
    char *text = read_table_file(path, &size);
    if (!text)
        return fail(error, "cannot read %s: %s", path, strerror(errno));
    *bits = xstrdup("");
    *gradients = false;
    bool good = is_run_file(text, size) ? of_run(path, bits, gradients, error) : of_json(path, text, bits, gradients, error);
    free(text);
    if (!good) {
        free(*bits);
        *bits = NULL;
    }
    return good;
}
