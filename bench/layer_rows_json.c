/* SPDX-License-Identifier: GPL-3.0-or-later
 * Layer tables in JSON: {"tensors": [{"name": ..., ...}]}. */
#include "layer_rows.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* One member of a tensor's object whose value is an object or an array. */
typedef bool read_member(struct layer_row *, const cJSON *, struct error *);

static bool no_twins(const char *place, const cJSON *object, struct error *error)
{
    for (const cJSON *item = object->child; item; item = item->next)
        for (const cJSON *other = object->child; other != item; other = other->next)
            if (strcmp(item->string, other->string) == 0)
                return fail(error, "%s: '%.60s' is given twice", place, item->string);
    return true;
}

/* A number, text or truth value as text, free() it; NULL for anything else. */
static char *text_of(const cJSON *value)
{
    if (cJSON_IsString(value))
        return xstrdup(value->valuestring);
    if (cJSON_IsNumber(value))
        return format_text("%.17g", value->valuedouble);
    return cJSON_IsBool(value) ? xstrdup(cJSON_IsTrue(value) ? "true" : "false") : NULL;
}

/* {"4": 0.46, "8": 0.002}; cost NULL: omega. */
static bool read_widths(struct layer_row *row, const char *cost, const cJSON *map, struct error *error)
{
    if (!cJSON_IsObject(map))
        return fail(error, "%s: %s must be an object from widths to numbers, like {\"4\": 0.46, \"8\": 0.002}", row->place,
                    cost ? cost : "omega");
    bool good = true;
    for (const cJSON *item = map->child; good && item; item = item->next) {
        char *text = cJSON_IsNumber(item) ? text_of(item) : NULL;
        good = text ? layer_row_set_width(row, cost, item->string, text, error)
                    : fail(error, "%s: %s at width %.40s is not a number", row->place, cost ? cost : "omega", item->string);
        free(text);
    }
    return good;
}

static bool read_omega(struct layer_row *row, const cJSON *value, struct error *error)
{
    return read_widths(row, NULL, value, error);
}

static bool read_costs(struct layer_row *row, const cJSON *value, struct error *error)
{
    if (!cJSON_IsObject(value))
        return fail(error, "%s: costs must be an object like {\"latency_ms\": {\"4\": 0.21, \"8\": 0.36}}", row->place);
    if (!no_twins(row->place, value, error))
        return false;
    for (const cJSON *cost = value->child; cost; cost = cost->next)
        if (!read_widths(row, cost->string, cost, error))
            return false;
    return true;
}

static bool read_choices(struct layer_row *row, const cJSON *value, struct error *error)
{
    char *joined = xstrdup("");
    bool good = cJSON_IsArray(value) && value->child;
    for (const cJSON *item = value->child; good && item; item = item->next) {
        good = cJSON_IsNumber(item);
        char *longer = format_text("%s%s%.17g", joined, *joined ? "-" : "", item->valuedouble);
        free(joined);
        joined = longer;
    }
    good = good ? layer_row_set(row, "choices", joined, error)
                : fail(error, "%s: choices must be an array of widths, like [2, 4, 8]", row->place);
    free(joined);
    return good;
}

static const struct { const char *name; read_member *read; } members[] = {
    {"omega", read_omega}, {"costs", read_costs}, {"choices", read_choices},
};

static bool read_field(struct layer_row *row, const cJSON *item, struct error *error)
{
    if (cJSON_IsNull(item)) /* how many programs write what they do not have; but of a field that there is */
        return layer_row_known(row->place, item->string, error);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name, item->string) == 0)
            return members[i].read(row, item, error);
    if (!layer_row_known(row->place, item->string, error))
        return false;
    char *text = text_of(item);
    bool good = text ? layer_row_set(row, item->string, text, error)
                     : fail(error, "%s: %s must be a number or a text", row->place, item->string);
    free(text);
    return good;
}

static bool read_tensor(const char *path, int number, const cJSON *object, struct layer_rows *rows, struct error *error)
{
    if (!cJSON_IsObject(object))
        return fail(error, "%s: tensor %d is not an object", path, number);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "name");
    bool named = cJSON_IsString(name);
    char *place = named ? format_text("%s: tensor %d (%.80s)", path, number, name->valuestring)
                        : format_text("%s: tensor %d", path, number);
    struct layer_row *row = layer_rows_add(rows, place);
    if (!no_twins(row->place, object, error))
        return false;
    for (const cJSON *item = object->child; item; item = item->next)
        if (!read_field(row, item, error))
            return false;
    return true;
}

static bool fail_syntax(const char *path, const char *text, const char *at, struct error *error)
{
    int line = 1, column = 1;
    for (const char *c = text; c < at && *c; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return fail(error, "%s:%d:%d: not JSON from here on%s", path, line, column, *at ? "" : ": the file ends early");
}

/* Texts beside the tensors are notes for people; anything else there would be ignored without anyone noticing. */
static bool read_root(const char *path, const cJSON *root, struct layer_rows *rows, struct error *error)
{
    const cJSON *tensors = cJSON_GetObjectItemCaseSensitive(root, "tensors");
    if (!cJSON_IsArray(tensors))
        return fail(error, "%s: there is no array 'tensors'; valid: {\"tensors\": [{\"name\": ...}, ...]}", path);
    if (!no_twins(path, root, error))
        return false;
    for (const cJSON *item = root->child; item; item = item->next)
        if (item != tensors && !cJSON_IsString(item))
            return fail(error, "%s: unknown '%.60s' beside 'tensors'; only texts may stand there, as notes", path,
                        item->string);
    int number = 1;
    for (const cJSON *item = tensors->child; item; item = item->next)
        if (!read_tensor(path, number++, item, rows, error))
            return false;
    return true;
}

bool layer_rows_of_json(const char *path, const char *text, struct layer_rows *rows, struct error *error)
{
    const char *end = text;
    cJSON *root = cJSON_ParseWithOpts(text, &end, true);
    bool good = root ? read_root(path, root, rows, error) : fail_syntax(path, text, end, error);
    cJSON_Delete(root);
    return good;
}
