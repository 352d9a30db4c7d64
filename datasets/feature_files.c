/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "feature_files.h"
#include <stdio.h>
#include <stdlib.h>

struct column { size_t count; long *values; };

static void append(struct column *column, long value)
{
    if ((column->count & (column->count - 1)) == 0) /* full: room is a power of two */
        column->values = xrealloc(column->values, (column->count ? 2 * column->count : 1) * sizeof *column->values);
    column->values[column->count++] = value;
}

/* One whole number a line. */
static bool read_column(struct sensor_reading *reading, const char *name, const char *what, long least, long most,
                        struct column *column, struct error *error)
{
    struct sensor_file file;
    bool ok = sensor_file_open(reading, name, ' ', 1, &file, error);
    while (ok && text_more(&file.text)) {
        long value;
        ok = text_whole(&file.text, what, least, most, &value, error) && text_end_row(&file.text, error);
        if (ok)
            append(column, value);
    }
    sensor_file_close(&file);
    return ok;
}

static bool fail_rows(const struct sensor_file *file, size_t rows, const char *name, size_t expected, struct error *error)
{
    return fail(error, "%s has %s%zu rows, but %s has %zu", file->path, rows > expected ? "more than " : "",
                rows > expected ? expected : rows, name, expected);
}

static void take_row(struct sensor_reading *reading, const double *row, size_t class_index, int user, bool test)
{
    if (!sensor_keeps_class(reading, class_index) || !sensor_keeps_user(reading, user))
        return;
    float *out = sensor_add(reading, class_index, user, test);
    for (size_t i = 0; out && i < reading->features; i++)
        out[i] = (float)row[i];
}

static bool read_features(struct sensor_reading *reading, const char *name, const char *labels_name,
                          const struct column *labels, const struct column *users, bool test, struct error *error)
{
    struct sensor_file file;
    size_t rows = 0;
    double *row = xmalloc(reading->features * sizeof *row);
    bool ok = sensor_file_open(reading, name, ' ', reading->features, &file, error);
    while (ok && text_more(&file.text)) {
        if (rows == labels->count) {
            ok = fail_rows(&file, rows + 1, labels_name, labels->count, error);
        } else if (reading->samples) {
            ok = text_numbers(&file.text, reading->features, row, error) && text_end_row(&file.text, error);
        } else {
            text_skip_row(&file.text);
        }
        if (ok)
            take_row(reading, row, (size_t)labels->values[rows] - 1, (int)users->values[rows], test);
        rows += ok;
    }
    ok = ok && (rows == labels->count || fail_rows(&file, rows, labels_name, labels->count, error));
    sensor_file_close(&file);
    free(row);
    return ok;
}

static bool read_part(struct sensor_reading *reading, const struct feature_files *files, bool test, struct error *error)
{
    const struct sensor_set *set = reading->set;
    struct column labels = {0}, users = {0};
    bool ok = read_column(reading, files->labels, "a label", 1, (long)set->class_count, &labels, error) &&
              read_column(reading, files->users, "a user", set->first_user, set->last_user, &users, error) &&
              (users.count == labels.count || fail(error, "%s/%s has %zu rows, but %s has %zu", reading->folder,
                                                   files->users, users.count, files->labels, labels.count)) &&
              read_features(reading, files->features, files->labels, &labels, &users, test, error);
    free(labels.values);
    free(users.values);
    return ok;
}

bool feature_files_read(struct sensor_reading *reading, const struct feature_files parts[2], size_t features,
                        struct error *error)
{
    reading->features = features;
    return read_part(reading, &parts[0], false, error) && read_part(reading, &parts[1], true, error);
}
