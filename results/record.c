/* SPDX-License-Identifier: GPL-3.0-or-later
 * Results in memory: an array of fields, few enough that a path is found by looking at each. */
#include "record.h"
#include <stdlib.h>
#include <string.h>

size_t record_type_size(enum record_type type)
{
    static const size_t sizes[] = {
        [RECORD_F64] = sizeof(double), [RECORD_F32] = sizeof(float), [RECORD_I64] = sizeof(int64_t),
        [RECORD_I8] = sizeof(int8_t), [RECORD_TEXT] = sizeof(char *),
    };
    return sizes[type];
}

size_t field_count(const struct field *field)
{
    size_t count = 1;
    for (int i = 0; i < field->rank; i++)
        count *= field->shape[i];
    return count;
}

static void field_clear(struct field *field)
{
    if (field->type == RECORD_TEXT)
        for (size_t i = 0; i < field_count(field); i++)
            free(((char **)field->data)[i]);
    free(field->path);
    free(field->data);
    free(field->unit);
    free(field->meaning);
}

static void *copy_data(enum record_type type, size_t count, const void *data)
{
    /* At least a byte, so that an empty array still has a pointer. */
    void *copy = xmalloc(count * record_type_size(type) + 1);
    if (type == RECORD_TEXT)
        for (size_t i = 0; i < count; i++)
            ((char **)copy)[i] = xstrdup(((const char *const *)data)[i]);
    else if (count > 0)
        memcpy(copy, data, count * record_type_size(type));
    return copy;
}

void record_put(struct record *record, const char *path, enum record_type type, int rank, const size_t *shape,
                const void *data, const char *unit, const char *meaning)
{
    struct field field = {.type = type, .rank = rank};
    for (int i = 0; i < rank; i++)
        field.shape[i] = shape[i];
    field.path = xstrdup(path);
    field.data = copy_data(type, field_count(&field), data);
    field.unit = xstrdup(unit ? unit : "");
    field.meaning = xstrdup(meaning ? meaning : "");

    struct field *old = (struct field *)record_find(record, path);
    if (old) {
        field_clear(old);
        *old = field;
        return;
    }
    if (record->count == record->capacity) {
        record->capacity = record->capacity ? 2 * record->capacity : 64;
        record->fields = xrealloc(record->fields, record->capacity * sizeof *record->fields);
    }
    record->fields[record->count++] = field;
}

void record_real(struct record *record, const char *path, double value, const char *unit, const char *meaning)
{
    record_put(record, path, RECORD_F64, 0, NULL, &value, unit, meaning);
}

void record_int(struct record *record, const char *path, int64_t value, const char *unit, const char *meaning)
{
    record_put(record, path, RECORD_I64, 0, NULL, &value, unit, meaning);
}

void record_text(struct record *record, const char *path, const char *text, const char *meaning)
{
    record_put(record, path, RECORD_TEXT, 0, NULL, &text, "", meaning);
}

const struct field *record_find(const struct record *record, const char *path)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].path, path) == 0)
            return &record->fields[i];
    return NULL;
}

double record_get_real(const struct record *record, const char *path, double if_absent)
{
    const struct field *field = record_find(record, path);
    if (!field || field_count(field) != 1)
        return if_absent;
    switch (field->type) {
    case RECORD_F64: return *(const double *)field->data;
    case RECORD_F32: return *(const float *)field->data;
    case RECORD_I64: return (double)*(const int64_t *)field->data;
    case RECORD_I8: return *(const int8_t *)field->data;
    case RECORD_TEXT: break;
    }
    return if_absent;
}

const char *record_get_text(const struct record *record, const char *path, const char *if_absent)
{
    const struct field *field = record_find(record, path);
    if (!field || field->type != RECORD_TEXT || field_count(field) != 1)
        return if_absent;
    return *(const char *const *)field->data;
}

void record_free(struct record *record)
{
    for (size_t i = 0; i < record->count; i++)
        field_clear(&record->fields[i]);
    free(record->fields);
    *record = (struct record){0};
}
