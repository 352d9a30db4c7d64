/* SPDX-License-Identifier: GPL-3.0-or-later
 * HAPT (Reyes-Ortiz et al. 2016): a smartphone's raw signals at 50 Hz with labelled stretches, or the 561 features that its
 * authors publish of the same windows. */
#include "feature_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISHED_FEATURES 561
#define SENSORS 2 /* accelerometer, gyroscope */
#define COLUMNS (3 * SENSORS)
#define RATE 50.0
#define MAX_EXPERIMENT 99
#define USERS 30

static const struct feature_files parts[2] = {
    {"Train/X_train.txt", "Train/y_train.txt", "Train/subject_id_train.txt"},
    {"Test/X_test.txt", "Test/y_test.txt", "Test/subject_id_test.txt"},
};

/* The users of Test/subject_id_test.txt. */
static bool tests_officially(int user)
{
    static const int users[] = {2, 4, 9, 10, 12, 13, 18, 20, 24};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (users[i] == user)
            return true;
    return false;
}

static const struct sensor_set hapt;

static bool has_features(const char *folder)
{
    return sensor_file_exists(&(const struct sensor_reading){.folder = (char *)folder}, parts[0].features);
}

/* While the settings are being read the folder may be absent: then reading it says so. */
static bool reads_raw(const struct settings *settings)
{
    struct error ignored;
    if (!setting_is(settings, "hapt_source", "auto"))
        return setting_is(settings, "hapt_source", "raw");
    char *folder = dataset_find_folder(hapt.folders, &ignored);
    bool raw = !folder || !has_features(folder);
    free(folder);
    return raw;
}

/* ---- raw signals --------------------------------------------------------------------------------------- */

/* A line of labels.txt; first and last are rows of the recording, counted from 1. */
struct stretch { long experiment, user, label, first, last; size_t line; };
struct stretches { struct stretch *items; size_t count; };

/* One experiment's signals. */
struct recording { long experiment, user; double *rows; size_t count, room; /* rows × COLUMNS */ };

static bool read_stretch(struct text *text, struct stretch *stretch, struct error *error)
{
    stretch->line = text->line;
    return text_whole(text, "an experiment", 1, MAX_EXPERIMENT, &stretch->experiment, error) &&
           text_whole(text, "a user", 1, USERS, &stretch->user, error) &&
           text_whole(text, "a label", 1, (long)hapt.class_count, &stretch->label, error) &&
           text_whole(text, "a row", 1, INT32_MAX, &stretch->first, error) &&
           text_whole(text, "a row not before the first", stretch->first, INT32_MAX, &stretch->last, error) &&
           text_end_row(text, error);
}

static bool read_stretches(struct sensor_reading *reading, struct stretches *list, struct error *error)
{
    struct sensor_file file;
    bool ok = sensor_file_open(reading, "RawData/labels.txt", ' ', 5, &file, error);
    while (ok && text_more(&file.text)) {
        list->items = xrealloc(list->items, (list->count + 1) * sizeof *list->items);
        ok = read_stretch(&file.text, &list->items[list->count], error);
        list->count += ok;
    }
    sensor_file_close(&file);
    return ok;
}

/* Puts the sensor's three columns into the rows. All files of a recording have equally many. */
static bool read_signals(struct recording *recording, size_t sensor, struct text *text, const char *path,
                         struct error *error)
{
    size_t row = 0;
    for (; text_more(text); row++) {
        if (row == recording->room) {
            recording->room = recording->room ? 2 * recording->room : 16384;
            recording->rows = xrealloc(recording->rows, recording->room * COLUMNS * sizeof *recording->rows);
        }
        if (!text_numbers(text, 3, recording->rows + row * COLUMNS + 3 * sensor, error) || !text_end_row(text, error))
            return false;
    }
    if (sensor > 0 && row != recording->count)
        return fail(error, "%s has %zu rows, but the accelerometer's file has %zu", path, row, recording->count);
    recording->count = row;
    return true;
}

static bool read_recording(struct sensor_reading *reading, const struct stretch *stretch, struct recording *recording,
                           struct error *error)
{
    static const char *const sensors[SENSORS] = {"acc", "gyro"};
    bool ok = true;
    recording->experiment = stretch->experiment;
    recording->user = stretch->user;
    for (size_t s = 0; s < SENSORS && ok; s++) {
        struct sensor_file file;
        char name[64];
        snprintf(name, sizeof name, "RawData/%s_exp%02ld_user%02ld.txt", sensors[s], stretch->experiment, stretch->user);
        ok = sensor_file_open(reading, name, ' ', 3, &file, error) &&
             (!reading->samples || read_signals(recording, s, &file.text, file.path, error));
        sensor_file_close(&file);
    }
    return ok;
}

static bool add_stretch(struct sensor_reading *reading, const struct sensor_windows *windows, const struct stretch *stretch,
                        struct recording *recording, struct error *error)
{
    size_t label = (size_t)stretch->label - 1, first = (size_t)stretch->first - 1, last = (size_t)stretch->last;
    if (!sensor_keeps_user(reading, (int)stretch->user))
        return true;
    bool other = recording->experiment != stretch->experiment || recording->user != stretch->user;
    if (other && !read_recording(reading, stretch, recording, error))
        return false;
    if (reading->samples && last > recording->count)
        return fail(error, "%s/RawData/labels.txt:%zu: the stretch ends at row %zu, but experiment %ld has %zu rows",
                    reading->folder, stretch->line, last, stretch->experiment, recording->count);
    if (sensor_keeps_class(reading, label))
        sensor_windows_add(windows, reading, reading->samples ? recording->rows + first * COLUMNS : NULL, last - first,
                           label, (int)stretch->user, tests_officially((int)stretch->user));
    return true;
}

static bool read_raw(struct sensor_reading *reading, struct error *error)
{
    struct sensor_windows windows;
    struct stretches list = {0};
    struct recording recording = {0};
    sensor_windows_begin(&windows, reading, SENSORS, RATE);
    reading->features = sensor_feature_count(SENSORS, windows.axes);
    bool ok = read_stretches(reading, &list, error);
    for (size_t i = 0; i < list.count && ok; i++)
        ok = add_stretch(reading, &windows, &list.items[i], &recording, error);
    sensor_windows_end(&windows);
    free(recording.rows);
    free(list.items);
    return ok;
}

/* ---- the set --------------------------------------------------------------------------------------------- */

static bool read_files(struct sensor_reading *reading, struct error *error)
{
    const char *source = setting_text(reading->settings, "hapt_source");
    bool raw = strcmp(source, "raw") == 0 || (strcmp(source, "auto") == 0 && !has_features(reading->folder));
    sensor_note(reading, "source=%s", raw ? "raw signals" : "published features");
    return raw ? read_raw(reading, error) : feature_files_read(reading, parts, PUBLISHED_FEATURES, error);
}

static const struct sensor_class classes[] = {
    {"1", "walking"}, {"2", "walking upstairs"}, {"3", "walking downstairs"}, {"4", "sitting"}, {"5", "standing"},
    {"6", "laying"}, {"7", "stand to sit"}, {"8", "sit to stand"}, {"9", "sit to lie"}, {"10", "lie to sit"},
    {"11", "stand to lie"}, {"12", "lie to stand"}};

static const struct sensor_set hapt = {
    .name = "hapt",
    .get = "unpack the archive of https://archive.ics.uci.edu/dataset/341 into $BITSWEEP_DATA/hapt",
    .folders = (const char *const[]){"hapt/HAPT Data Set", "hapt/HAPT_Data_Set", "hapt", "HAPT Data Set", "HAPT_Data_Set",
                                     NULL},
    .classes = classes, .class_count = sizeof classes / sizeof *classes,
    .first_user = 1, .last_user = USERS,
    .dropped_classes = "8", .dropped_users = "7,28",
    .read = read_files,
};

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&hapt, settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&hapt, settings, true, dataset, error);
}

static const struct param *const params[] = {
    &(const struct param){.name = "hapt_source", .type = PARAM_CHOICE, .fallback = "auto",
        .choices = (const char *const[]){"auto", "raw", "features", NULL}, .source = "ours",
        .help = "Features of the raw signals computed here, or the 561 published ones; auto: these if Train/X_train.txt is "
                "there."},
    &(const struct param)SENSOR_FEATURES_PARAM("axes", reads_raw),
    &(const struct param)WINDOW_PARAM("128", "pub", reads_raw),
    &(const struct param)WINDOW_STEP_PARAM("64", "pub", reads_raw),
    &param_drop_classes, &param_drop_users, &param_har_split, &param_sensor_test_split, NULL
};

const struct dataset_ops dataset_hapt = {
    .plug = {.name = "hapt",
             .help = "Smartphone windows with postural transitions: 216 features of the raw signals or 561 published ones, "
                     "12 activities (11 kept), 30 users (28 kept), 10,929 windows (Reyes-Ortiz et al. 2016).",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
