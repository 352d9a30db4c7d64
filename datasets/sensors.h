/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the sets of sensor data share: samples come one by one, some classes and users are left out, whole users test. */
#ifndef BITSWEEP_SENSORS_H
#define BITSWEEP_SENSORS_H
#include "sensor_features.h"
#include "text_table.h"
#include <sha2.h>

#define MAX_SENSOR_CLASSES 32
#define MAX_SENSOR_USERS 64

/* A class as the files write it, and what it is. */
struct sensor_class { const char *code, *name; };

struct sensor_reading;
struct sensor_set {
    const char *name, *get;                      /* get: how to have it by hand, as a phrase */
    const char *const *folders;                  /* its names, NULL-terminated */
    const struct sensor_class *classes;
    size_t class_count;
    int first_user, last_user;
    const char *dropped_classes, *dropped_users; /* what `published` leaves out: "8", "7,28", or "none" */
    /* Sets features, reads the files and adds the samples. */
    bool (*read)(struct sensor_reading *, struct error *);
};

/* One reading of a set. */
struct sensor_reading {
    const struct sensor_set *set;
    const struct settings *settings;
    bool samples;                        /* wanted, not only counted */
    bool official;                       /* the set's own division into training and test users */
    char *folder;
    size_t features;
    SHA2_CTX checksum;
    struct part part[2];                 /* training, test */
    size_t room[2];
    bool drops_class[MAX_SENSOR_CLASSES];
    bool drops_user[MAX_SENSOR_USERS];   /* counted from first_user */
    char *notes;                         /* attribute lines */
};

/* The set as a data set's describe (samples: false) and load do it. Reads drop_classes, drop_users, test_split, and, where
 * the run has it, har_split. */
bool sensor_set_read(const struct sensor_set *, const struct settings *, bool samples, struct dataset *, struct error *);

/* Index of the class with this code. The error has the place in the text, unless that is NULL, and the valid codes. */
bool sensor_class_find(const struct sensor_set *, const char *code, const struct text *, size_t *index, struct error *);
/* Whether the run uses samples of this class, of this user. */
bool sensor_keeps_class(const struct sensor_reading *, size_t class_index);
bool sensor_keeps_user(const struct sensor_reading *, int user);

/* Adds a sample of a class and a user that are kept; `test`: in the official test part. Its features are to be filled; NULL
 * if only counts are wanted. */
float *sensor_add(struct sensor_reading *, size_t class_index, int user, bool test);
/* An attribute line "key=...". */
void sensor_note(struct sensor_reading *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A file of the set. */
struct sensor_file { char *path; struct bytes content; struct text text; };
bool sensor_file_exists(const struct sensor_reading *, const char *name);
/* Reads FOLDER/NAME and adds its bytes to the checksum. Close it in any case. */
bool sensor_file_open(struct sensor_reading *, const char *name, char separator, size_t columns, struct sensor_file *,
                      struct error *);
void sensor_file_close(struct sensor_file *);

/* Signals of one recording: rows of 3 × sensors values. */
struct sensor_windows {
    struct signal_tables *tables;
    size_t window, step, sensors;
    bool axes;
};
void sensor_windows_begin(struct sensor_windows *, const struct sensor_reading *, size_t sensors, double rate);
void sensor_windows_end(struct sensor_windows *);
/* One sample for each whole window in `count` rows of one class and user; rows: NULL if only counts are wanted. */
void sensor_windows_add(const struct sensor_windows *, struct sensor_reading *, const double *rows, size_t count,
                        size_t class_index, int user, bool test);

/* Parameters of several sets. A set with windows names its own length and step. */
extern const struct param param_drop_classes, param_drop_users, param_har_split, param_sensor_test_split;
#define SENSOR_FEATURES_PARAM(usual, when)                                                                              \
    {.name = "sensor_features", .type = PARAM_CHOICE, .fallback = usual,                                                \
     .choices = (const char *const[]){"magnitude", "axes", NULL}, .used = (when), .source = "ours",                     \
     .help = "27 features of each three-axis sensor's magnitude, or of its x, y and z too."}
#define WINDOW_PARAM(usual, where, when)                                                                                \
    {.name = "window", .type = PARAM_INT, .fallback = usual, .min = LEAST_WINDOW, .max = 2048, .used = (when),          \
     .source = where, .help = "Samples of a window, from which one feature vector is computed."}
#define WINDOW_STEP_PARAM(usual, where, when)                                                                           \
    {.name = "window_step", .type = PARAM_INT, .fallback = usual, .min = 1, .max = 2048, .used = (when),                \
     .source = where, .help = "Samples from one window's start to the next one's."}
#endif
