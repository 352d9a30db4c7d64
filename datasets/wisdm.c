/* SPDX-License-Identifier: GPL-3.0-or-later
 * WISDM's second set, phone accelerometer (Weiss et al. 2019): its 91 published features of 10 s, an ARFF file a user. */
#include "sensors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FEATURES 91
#define COLUMNS (FEATURES + 2) /* activity, features, user */
#define FIRST_USER 1600
#define LAST_USER 1650
#define USERS (LAST_USER - FIRST_USER + 1)
#define OFFICIAL_FILES 50      /* there is no user 1614 */

/* The checksums of the files read so far. */
struct seen { char sums[USERS][SHA256_DIGEST_STRING_LENGTH]; int users[USERS]; size_t count; };

/* Goes behind the line @data. */
static bool read_header(struct text *text, struct error *error)
{
    size_t attributes = 0;
    while (text_more(text)) {
        bool data = strncasecmp(text->next, "@data", 5) == 0;
        attributes += strncasecmp(text->next, "@attribute", 10) == 0;
        if (data && attributes != COLUMNS)
            return text_fail(text, error, "the header has %zu attributes; valid: %d (activity, %d features, user)",
                             attributes, COLUMNS, FEATURES);
        text_skip_row(text);
        if (data)
            return true;
    }
    return text_fail(text, error, "there is no line @data, so this is no ARFF file");
}

static bool read_row(struct sensor_reading *reading, struct text *text, int user, struct error *error)
{
    char label[8];
    double row[FEATURES];
    long named;
    size_t class_index;
    if (!text_word(text, label, sizeof label, error) || !sensor_class_find(reading->set, label, text, &class_index, error) ||
        !text_numbers(text, FEATURES, row, error) || !text_whole(text, "a user", FIRST_USER, LAST_USER, &named, error) ||
        !text_end_row(text, error))
        return false;
    if (!sensor_keeps_class(reading, class_index))
        return true;
    float *out = sensor_add(reading, class_index, user, false);
    for (size_t i = 0; out && i < FEATURES; i++)
        out[i] = (float)row[i];
    return true;
}

/* The user whose file had the same bytes, or 0. */
static int same_file(struct seen *seen, const struct bytes *content, int user)
{
    char *sum = seen->sums[seen->count];
    SHA256Data(content->data, content->size, sum);
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->sums[i], sum) == 0)
            return seen->users[i];
    seen->users[seen->count++] = user;
    return 0;
}

static void file_name(int user, char *name, size_t size) { snprintf(name, size, "data_%d_accel_phone.arff", user); }

static bool read_user(struct sensor_reading *reading, int user, struct seen *seen, struct error *error)
{
    char name[64];
    struct sensor_file file;
    int first = 0;
    file_name(user, name, sizeof name);
    bool ok = sensor_file_open(reading, name, ',', COLUMNS, &file, error);
    if (ok && setting_is(reading->settings, "duplicate_users", "drop"))
        first = same_file(seen, &file.content, user);
    if (ok && first)
        sensor_note(reading, "user_%d=left out, its file is the same as that of user %d", user, first);
    else
        ok = ok && read_header(&file.text, error);
    while (ok && !first && text_more(&file.text))
        ok = read_row(reading, &file.text, user, error);
    sensor_file_close(&file);
    return ok;
}

static bool read_files(struct sensor_reading *reading, struct error *error)
{
    struct seen seen = {.count = 0};
    int found = 0;
    bool ok = true;
    reading->features = FEATURES;
    for (int user = FIRST_USER; user <= LAST_USER && ok; user++) {
        char name[64];
        file_name(user, name, sizeof name);
        if (!sensor_file_exists(reading, name))
            continue;
        found++;
        ok = !sensor_keeps_user(reading, user) || read_user(reading, user, &seen, error);
    }
    if (ok && found == 0)
        return fail(error, "%s/data_%d_accel_phone.arff is not there, nor any other user's file", reading->folder,
                    FIRST_USER);
    if (found < OFFICIAL_FILES)
        sensor_note(reading, "files=%d; the official set has %d", found, OFFICIAL_FILES);
    return ok;
}

static const struct sensor_class classes[] = {
    {"A", "walking"}, {"B", "jogging"}, {"C", "stairs"}, {"D", "sitting"}, {"E", "standing"}, {"F", "typing"},
    {"G", "brushing teeth"}, {"H", "eating soup"}, {"I", "eating chips"}, {"J", "eating pasta"}, {"K", "drinking"},
    {"L", "eating a sandwich"}, {"M", "kicking a ball"}, {"O", "catching a ball"}, {"P", "dribbling a ball"},
    {"Q", "writing"}, {"R", "clapping"}, {"S", "folding clothes"}};

static const struct sensor_set wisdm = {
    .name = "wisdm",
    .get = "unpack wisdm-dataset.zip from https://archive.ics.uci.edu/dataset/507 into $BITSWEEP_DATA",
    .folders = (const char *const[]){"wisdm/wisdm-dataset/arff_files/phone/accel", "wisdm-dataset/arff_files/phone/accel",
                                     "wisdm/arff_files/phone/accel", "wisdm", NULL},
    .classes = classes, .class_count = sizeof classes / sizeof *classes,
    .first_user = FIRST_USER, .last_user = LAST_USER,
    .dropped_classes = "none", .dropped_users = "none",
    .read = read_files,
};

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&wisdm, settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&wisdm, settings, true, dataset, error);
}

static const struct param *const params[] = {
    &(const struct param){.name = "duplicate_users", .type = PARAM_CHOICE, .fallback = "drop",
        .choices = (const char *const[]){"drop", "keep", NULL}, .source = "ours",
        .help = "Of users whose files have the same bytes (the official set has seven) keep the first, or all."},
    &param_drop_classes, &param_drop_users, &param_sensor_test_split,
    NULL
};

const struct dataset_ops dataset_wisdm = {
    .plug = {.name = "wisdm",
             .help = "WISDM 2019, phone accelerometer: 91 published features, 18 activities, 44 users, 20,650 samples "
                     "(Weiss et al. 2019).",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
