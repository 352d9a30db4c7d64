/* SPDX-License-Identifier: GPL-3.0-or-later
 * PAMAP2 (Reiss and Stricker 2012): three inertial units at 100 Hz, a file a user; features of windows of one activity. */
#include "sensors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_COLUMNS 54
#define UNITS 3        /* hand, chest, ankle */
#define UNIT_SENSORS 3 /* accelerometer of ±16 g, gyroscope, magnetometer */
#define SENSORS (UNITS * UNIT_SENSORS)
#define COLUMNS (3 * SENSORS)
#define RATE 100.0
#define USERS 9
#define TRANSIENT 0    /* the label between activities */

/* One user's file: its labels, and the sensors' columns with NaN where a value is missing. */
struct recording { double *rows; int *labels; size_t count, room; };

/* Column of the file, from 0, of the i-th of the COLUMNS. A unit has 17: temperature, accelerometer of ±16 g, of ±6 g,
 * gyroscope, magnetometer, orientation (4). */
static size_t file_column(size_t i)
{
    static const size_t starts[UNIT_SENSORS] = {1, 7, 10};
    size_t sensor = i / 3;
    return 3 + sensor / UNIT_SENSORS * 17 + starts[sensor % UNIT_SENSORS] + i % 3;
}

static void make_room(struct recording *recording, bool samples)
{
    if (recording->count < recording->room)
        return;
    recording->room = recording->room ? 2 * recording->room : 65536;
    recording->labels = xrealloc(recording->labels, recording->room * sizeof *recording->labels);
    if (samples)
        recording->rows = xrealloc(recording->rows, recording->room * COLUMNS * sizeof *recording->rows);
}

static bool check_label(const struct sensor_reading *reading, const struct text *text, long label, struct error *error)
{
    char code[24];
    size_t ignored;
    snprintf(code, sizeof code, "%ld", label);
    return label == TRANSIENT || sensor_class_find(reading->set, code, text, &ignored, error);
}

/* Of a row the label is always read, the rest only for samples. */
static bool read_row(struct sensor_reading *reading, struct text *text, struct recording *recording, struct error *error)
{
    double values[FILE_COLUMNS];
    long label;
    make_room(recording, reading->samples);
    if (!text_numbers(text, 1, values, error) || !text_whole(text, "a label", 0, 99, &label, error))
        return false;
    bool same = recording->count && recording->labels[recording->count - 1] == label;
    if (!same && !check_label(reading, text, label, error))
        return false;
    recording->labels[recording->count] = (int)label;
    if (!reading->samples) {
        text_skip_row(text);
    } else {
        if (!text_numbers(text, FILE_COLUMNS - 2, values + 2, error) || !text_end_row(text, error))
            return false;
        for (size_t i = 0; i < COLUMNS; i++)
            recording->rows[recording->count * COLUMNS + i] = values[file_column(i)];
    }
    recording->count++;
    return true;
}

/* Fills one column's gaps on straight lines between their neighbours; before the first value and behind the last one these
 * stay. False: there is no value. */
static bool fill_gaps(struct recording *recording, size_t column)
{
    double *x = recording->rows + column;
    size_t known = recording->count; /* the last row with a value */
    for (size_t i = 0; i < recording->count; i++) {
        if (isnan(x[i * COLUMNS]))
            continue;
        size_t from = known == recording->count ? 0 : known + 1;
        double right = x[i * COLUMNS], left = from ? x[known * COLUMNS] : right;
        for (size_t j = from; j < i; j++)
            x[j * COLUMNS] = left + (right - left) * (double)(j + 1 - from) / (double)(i + 1 - from);
        known = i;
    }
    for (size_t i = known + 1; i < recording->count; i++)
        x[i * COLUMNS] = x[known * COLUMNS];
    return known < recording->count;
}

static bool fill_all_gaps(struct recording *recording, const char *path, struct error *error)
{
    for (size_t c = 0; c < COLUMNS; c++)
        if (!fill_gaps(recording, c))
            return fail(error, "%s: column %zu holds no number", path, file_column(c) + 1);
    return true;
}

/* Windows of each stretch of equal labels. */
static void add_stretches(struct sensor_reading *reading, const struct sensor_windows *windows,
                          const struct recording *recording, int user)
{
    for (size_t first = 0, end; first < recording->count; first = end) {
        char code[24];
        struct error ignored;
        size_t class_index;
        for (end = first + 1; end < recording->count && recording->labels[end] == recording->labels[first];)
            end++;
        snprintf(code, sizeof code, "%d", recording->labels[first]);
        if (sensor_class_find(reading->set, code, NULL, &class_index, &ignored) && sensor_keeps_class(reading, class_index))
            sensor_windows_add(windows, reading, reading->samples ? recording->rows + first * COLUMNS : NULL, end - first,
                               class_index, user, false);
    }
}

static bool read_user(struct sensor_reading *reading, const struct sensor_windows *windows, const char *name, int user,
                      struct recording *recording, struct error *error)
{
    struct sensor_file file;
    recording->count = 0;
    bool ok = sensor_file_open(reading, name, ' ', FILE_COLUMNS, &file, error);
    file.text.missing = true;
    while (ok && text_more(&file.text))
        ok = read_row(reading, &file.text, recording, error);
    ok = ok && (recording->count || fail(error, "%s is empty", file.path)) &&
         (!reading->samples || fill_all_gaps(recording, file.path, error));
    if (ok)
        add_stretches(reading, windows, recording, user);
    sensor_file_close(&file);
    return ok;
}

static bool read_files(struct sensor_reading *reading, struct error *error)
{
    struct sensor_windows windows;
    struct recording recording = {0};
    int found = 0;
    bool ok = true;
    sensor_windows_begin(&windows, reading, SENSORS, RATE);
    reading->features = sensor_feature_count(SENSORS, windows.axes);
    for (int user = 1; user <= USERS && ok; user++) {
        char name[64];
        snprintf(name, sizeof name, "Protocol/subject%d.dat", 100 + user);
        if (!sensor_file_exists(reading, name))
            continue;
        found++;
        ok = !sensor_keeps_user(reading, user) || read_user(reading, &windows, name, user, &recording, error);
    }
    sensor_windows_end(&windows);
    free(recording.rows);
    free(recording.labels);
    if (ok && found == 0)
        return fail(error, "%s/Protocol/subject101.dat is not there, nor any other user's file", reading->folder);
    if (found < USERS)
        sensor_note(reading, "files=%d; the official set has %d", found, USERS);
    return ok;
}

static const struct sensor_class classes[] = {
    {"1", "lying"}, {"2", "sitting"}, {"3", "standing"}, {"4", "walking"}, {"5", "running"}, {"6", "cycling"},
    {"7", "Nordic walking"}, {"12", "ascending stairs"}, {"13", "descending stairs"}, {"16", "vacuum cleaning"},
    {"17", "ironing"}, {"24", "rope jumping"}};

static const struct sensor_set pamap2 = {
    .name = "pamap2",
    .get = "unpack PAMAP2_Dataset.zip from https://archive.ics.uci.edu/dataset/231 into $BITSWEEP_DATA",
    .folders = (const char *const[]){"pamap2/PAMAP2_Dataset", "PAMAP2_Dataset", "pamap2", NULL},
    .classes = classes, .class_count = sizeof classes / sizeof *classes,
    .first_user = 1, .last_user = USERS,
    .dropped_classes = "24", .dropped_users = "3,4,9",
    .read = read_files,
};

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&pamap2, settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&pamap2, settings, true, dataset, error);
}

static const struct param *const params[] = {
    &(const struct param)SENSOR_FEATURES_PARAM("magnitude", NULL),
    &(const struct param)WINDOW_PARAM("512", "ours", NULL),
    &(const struct param)WINDOW_STEP_PARAM("256", "ours", NULL),
    &param_drop_classes, &param_drop_users, &param_sensor_test_split, NULL
};

const struct dataset_ops dataset_pamap2 = {
    .plug = {.name = "pamap2",
             .help = "Three inertial units at 100 Hz: 243 features of 9 sensors, 12 activities (11 kept), 9 users (6 kept) "
                     "(Reiss and Stricker 2012).",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
