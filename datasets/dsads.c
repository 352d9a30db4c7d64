/* SPDX-License-Identifier: GPL-3.0-or-later
 * Daily and Sports Activities (Barshan and Yüksek 2014): a text file a segment of 5 s, 125 rows of 45 values; features of
 * the 15 sensors. */
#include "sensors.h"
#include <stdio.h>
#include <stdlib.h>

#define SENSORS 15
#define COLUMNS (3 * SENSORS)
#define ROWS 125
#define RATE 25.0
#define ACTIVITIES 19
#define USERS 8
#define SEGMENTS 60

/* rows: ROWS × COLUMNS. */
static bool read_rows(struct sensor_file *file, double *rows, struct error *error)
{
    struct text *text = &file->text;
    size_t count = 0;
    for (; text_more(text); count++) {
        if (count == ROWS)
            return text_fail(text, error, "the segment has more than %d rows; valid: %d", ROWS, ROWS);
        if (!text_numbers(text, COLUMNS, rows + count * COLUMNS, error) || !text_end_row(text, error))
            return false;
    }
    return count == ROWS || text_fail(text, error, "the segment has %zu rows; valid: %d", count, ROWS);
}

static bool read_segment(struct sensor_reading *reading, const struct signal_tables *tables, const char *name,
                         size_t class_index, int user, struct error *error)
{
    double rows[ROWS * COLUMNS];
    struct sensor_file file;
    bool ok = sensor_file_open(reading, name, ',', COLUMNS, &file, error) &&
              (!reading->samples || read_rows(&file, rows, error));
    if (ok) {
        float *out = sensor_add(reading, class_index, user, false);
        if (out)
            sensor_features(tables, rows, SENSORS, setting_is(reading->settings, "sensor_features", "axes"), out);
    }
    sensor_file_close(&file);
    return ok;
}

/* Counts the segments of one activity and user that are there, and reads them if they are wanted. */
static bool read_segments(struct sensor_reading *reading, const struct signal_tables *tables, size_t class_index, int user,
                          size_t *found, struct error *error)
{
    bool wanted = sensor_keeps_class(reading, class_index) && sensor_keeps_user(reading, user), ok = true;
    for (int s = 1; s <= SEGMENTS && ok; s++) {
        char name[64];
        snprintf(name, sizeof name, "a%02zu/p%d/s%02d.txt", class_index + 1, user, s);
        if (!sensor_file_exists(reading, name))
            continue;
        ++*found;
        ok = !wanted || read_segment(reading, tables, name, class_index, user, error);
    }
    return ok;
}

static bool read_files(struct sensor_reading *reading, struct error *error)
{
    struct signal_tables *tables = reading->samples ? signal_tables_make(ROWS, RATE) : NULL;
    size_t found = 0, all = (size_t)ACTIVITIES * USERS * SEGMENTS;
    bool ok = true;
    reading->features = sensor_feature_count(SENSORS, setting_is(reading->settings, "sensor_features", "axes"));
    for (size_t c = 0; c < ACTIVITIES && ok; c++)
        for (int user = 1; user <= USERS && ok; user++)
            ok = read_segments(reading, tables, c, user, &found, error);
    signal_tables_free(tables);
    if (ok && found == 0)
        return fail(error, "%s/a01/p1/s01.txt is not there, nor any other segment", reading->folder);
    if (found < all)
        sensor_note(reading, "segments=%zu; the official set has %zu", found, all);
    return ok;
}

static const struct sensor_class classes[ACTIVITIES] = {
    {"1", "sitting"}, {"2", "standing"}, {"3", "lying on the back"}, {"4", "lying on the right side"},
    {"5", "ascending stairs"}, {"6", "descending stairs"}, {"7", "standing in a lift"}, {"8", "moving in a lift"},
    {"9", "walking in a parking lot"}, {"10", "walking on a flat treadmill"}, {"11", "walking on an inclined treadmill"},
    {"12", "running on a treadmill"}, {"13", "stepper"}, {"14", "cross trainer"}, {"15", "cycling horizontally"},
    {"16", "cycling vertically"}, {"17", "rowing"}, {"18", "jumping"}, {"19", "playing basketball"}};

static const struct sensor_set dsads = {
    .name = "dsads",
    .get = "unpack the archive of https://archive.ics.uci.edu/dataset/256 into $BITSWEEP_DATA/dsads",
    .folders = (const char *const[]){"dsads/data", "dsads", NULL},
    .classes = classes, .class_count = ACTIVITIES,
    .first_user = 1, .last_user = USERS,
    .dropped_classes = "none", .dropped_users = "none",
    .read = read_files,
};

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&dsads, settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&dsads, settings, true, dataset, error);
}

static const struct param *const params[] = {
    &(const struct param)SENSOR_FEATURES_PARAM("magnitude", NULL),
    &param_drop_classes, &param_drop_users, &param_sensor_test_split, NULL
};

const struct dataset_ops dataset_dsads = {
    .plug = {.name = "dsads",
             .help = "Daily and Sports Activities: 405 features of 15 sensors, 19 activities, 8 users, 9,120 samples "
                     "(Barshan and Yüksek 2014).",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
