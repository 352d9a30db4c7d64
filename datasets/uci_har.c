/* SPDX-License-Identifier: GPL-3.0-or-later
 * UCI-HAR: the 561 features of a smartphone's windows that its authors publish (Anguita et al. 2013). */
#include "feature_files.h"

#define FEATURES 561

static bool read_files(struct sensor_reading *reading, struct error *error)
{
    static const struct feature_files parts[2] = {
        {"train/X_train.txt", "train/y_train.txt", "train/subject_train.txt"},
        {"test/X_test.txt", "test/y_test.txt", "test/subject_test.txt"},
    };
    return feature_files_read(reading, parts, FEATURES, error);
}

static const struct sensor_class classes[] = {{"1", "walking"}, {"2", "walking upstairs"}, {"3", "walking downstairs"},
                                              {"4", "sitting"}, {"5", "standing"}, {"6", "laying"}};

static const struct sensor_set uci_har = {
    .name = "uci-har",
    .get = "unpack \"UCI HAR Dataset.zip\" from https://archive.ics.uci.edu/dataset/240 into $BITSWEEP_DATA",
    .folders = (const char *const[]){"uci-har/UCI HAR Dataset", "UCI HAR Dataset", "uci-har", NULL},
    .classes = classes, .class_count = sizeof classes / sizeof *classes,
    .first_user = 1, .last_user = 30,
    .dropped_classes = "none", .dropped_users = "none",
    .read = read_files,
};

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&uci_har, settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return sensor_set_read(&uci_har, settings, true, dataset, error);
}

static const struct param *const params[] = {&param_drop_classes, &param_drop_users, &param_har_split,
                                             &param_sensor_test_split, NULL};

const struct dataset_ops dataset_uci_har = {
    .plug = {.name = "uci-har",
             .help = "Smartphone windows, 561 published features, 6 activities, 30 users, 10,299 samples (Anguita et al. "
                     "2013).",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
