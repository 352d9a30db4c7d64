/* SPDX-License-Identifier: GPL-3.0-or-later
 * The sets of sensor data: real files where they are at hand, small ones in their layouts, good and bad. */
#include "../bench/settings.h"
#include "../datasets/sensors.h"
#include "../results/h5.h"
#include "dataset_files.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 4
/* "key=value", ..., NULL after the data set's name. */
static bool read_set(const char *name, bool samples, const char *const *keys, struct dataset *dataset, struct error *error)
{
    char *named = format_text("dataset=%s", name);
    const char *k[KEYS] = {NULL};
    for (size_t i = 0; keys && keys[i]; i++)
        k[i] = keys[i];
    struct settings settings = make_settings(named, "budget=4", k[0], k[0] ? k[1] : NULL, k[1] ? k[2] : NULL, NULL);
    const struct dataset_ops *ops = setting_plug(&settings, "dataset");
    bool ok = (samples ? ops->load : ops->describe)(&settings, dataset, error);
    settings_free(&settings);
    free(named);
    return ok;
}

/* Loads, and checks that the description says the same. */
static void load_set(const char *name, const char *const *keys, struct dataset *dataset)
{
    struct error error = {""};
    struct dataset described;
    cr_assert(read_set(name, false, keys, &described, &error), "%s", error.text);
    cr_assert(read_set(name, true, keys, dataset, &error), "%s", error.text);
    cr_expect_str_eq(described.name, name);
    cr_expect_str_eq(described.sha256, dataset->sha256);
    cr_expect_str_eq(described.attributes, dataset->attributes);
    cr_expect(described.train.count == dataset->train.count && described.test.count == dataset->test.count);
    cr_expect(described.classes == dataset->classes && described.features == dataset->features);
    cr_expect(described.rank == 1 && described.shape[0] == described.features);
    cr_expect(!described.train.x && !described.train.y && !described.train.user && !described.test.x && !described.test.y);
    dataset_free(&described);
}

static void expect_bad(const char *name, const char *const *keys, const char *expected)
{
    struct error error = {""};
    struct dataset dataset;
    cr_expect(!read_set(name, true, keys, &dataset, &error), "accepted, instead of: %s", expected);
    cr_expect(strstr(error.text, expected) != NULL, "expected '%s' in: %s", expected, error.text);
    char *start = format_text("data set %s: ", name);
    cr_expect(strstr(error.text, start) == error.text && strstr(error.text, "into $BITSWEEP_DATA"), "%s", error.text);
    cr_expect(!dataset.train.x && !dataset.train.y && !dataset.attributes);
    free(start);
}

static void expect_attribute(const struct dataset *dataset, const char *line)
{
    cr_expect(attribute_line(dataset, line) != NULL, "no '%s' in: %s", line, dataset->attributes);
}

static void expect_checksum(const struct dataset *dataset, const char *folder, const char *files)
{
    char *sum = shell_word(format_text("cd '%s' && cat %s | sha256sum", folder, files));
    cr_expect_str_eq(dataset->sha256, sum);
    free(sum);
}

static size_t count_class(const struct dataset *dataset, int class_number)
{
    const struct part *parts[] = {&dataset->train, &dataset->test};
    size_t count = 0;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            count += parts[p]->y[i] == class_number;
    return count;
}

/* Opens FOLDER/PATH to be written, with the folders above it. */
static FILE *create_file(const char *folder, const char *path)
{
    run_shell(format_text("cd '%s' && mkdir -p \"$(dirname '%s')\"", folder, path));
    char *full = file_in(folder, path);
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    free(full);
    return file;
}

static void put_file(const char *folder, const char *path, const char *text)
{
    FILE *file = create_file(folder, path);
    cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

/* ---- DSADS ------------------------------------------------------------------------------------------------- */

static double made_value(int key, size_t row, size_t column) { return rng_normal((uint64_t)key, 100 * row + column); }

static void write_segment(const char *folder, int activity, int user, int segment, size_t rows)
{
    char path[64];
    snprintf(path, sizeof path, "dsads/data/a%02d/p%d/s%02d.txt", activity, user, segment);
    FILE *file = create_file(folder, path);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 45; c++)
            fprintf(file, "%.9g%c", made_value(activity * 100 + user * 10 + segment, r, c), c < 44 ? ',' : '\n');
    cr_assert_eq(fclose(file), 0);
}

/* The reference is the whole set: x ordered by activity, user and segment (60 each). */
static void expect_reference_rows(const struct part *part, const float *reference)
{
    for (size_t i = 0; i < part->count; i++) {
        size_t segment = i % 3, row = ((size_t)part->y[i] * 8 + (size_t)part->user[i] - 1) * 60 + segment;
        for (size_t f = 0; f < 405; f++) {
            double expected = (double)reference[row * 405 + f];
            cr_assert_float_eq((double)part->x[i * 405 + f], expected, 1e-6 * (1e-3 + fabs(expected)),
                               "row %zu, feature %zu", row, f);
        }
    }
}

Test(sensors, dsads_reproduces_the_reference_rows, .timeout = 120)
{
    char *archive = shared_file("data/har/dsads_raw_sample.tar.xz"), *rows = shared_file("data/har/dsads_features.h5");
    char *folder = data_folder();
    struct error error = {""};
    struct dataset dataset;
    float *reference = xmalloc((size_t)9120 * 405 * sizeof *reference);
    struct h5 *file = h5_open(rows, &error);
    cr_assert(file && h5_read(file, "x", RECORD_F32, reference, &error), "%s", error.text);
    h5_close(file);
    run_shell(format_text("mkdir %s/dsads && tar xJf %s -C %s/dsads", folder, archive, folder));
    load_set("dsads", NULL, &dataset);
    cr_expect(dataset.classes == 19 && dataset.features == 405 && dataset.train.count == 57 && dataset.test.count == 57);
    expect_attribute(&dataset, "segments=114; the official set has 9120\n");
    expect_attribute(&dataset, "class_names=sitting, standing, ");
    expect_reference_rows(&dataset.train, reference);
    expect_reference_rows(&dataset.test, reference);
    dataset_free(&dataset);
    free(reference);
    free(rows);
    free(archive);
    remove_folder(folder);
}

/* Three users, so that 2 train; a segment is missing. */
static char *write_dsads(void)
{
    char *folder = data_folder();
    for (int activity = 1; activity <= 2; activity++)
        for (int user = 1; user <= 3; user++)
            for (int segment = 1; segment <= 2; segment++)
                if (activity + user + segment != 7)
                    write_segment(folder, activity, user, segment, 125);
    return folder;
}

Test(sensors, dsads_small)
{
    char *folder = write_dsads();
    struct dataset dataset;
    load_set("dsads", NULL, &dataset);
    cr_expect(dataset.train.count + dataset.test.count == 11 && dataset.classes == 19);
    expect_attribute(&dataset, "segments=11; the official set has 9120\n");
    expect_checksum(&dataset, folder, "dsads/data/a01/p*/s* dsads/data/a02/p*/s*");
    for (size_t i = 0; i < dataset.train.count; i++)
        for (size_t j = 0; j < dataset.test.count; j++)
            cr_expect_neq(dataset.train.user[i], dataset.test.user[j]);
    dataset_free(&dataset);
    load_set("dsads", OPTIONS("sensor_features=axes", "drop_users=2", "drop_classes=1,19"), &dataset);
    cr_expect(dataset.features == 45 * 36 && dataset.classes == 17 && dataset.train.count + dataset.test.count == 3);
    cr_expect_eq(count_class(&dataset, 0), 3);
    expect_attribute(&dataset, "labels=2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n");
    dataset_free(&dataset);
    remove_folder(folder);
}

Test(sensors, dsads_bad)
{
    char *folder = write_dsads();
    write_segment(folder, 2, 1, 1, 124);
    expect_bad("dsads", NULL, "a02/p1/s01.txt:125:1: the segment has 124 rows; valid: 125");
    write_segment(folder, 2, 1, 1, 126);
    expect_bad("dsads", NULL, "a02/p1/s01.txt:126:1: the segment has more than 125 rows; valid: 125");
    put_file(folder, "dsads/data/a02/p1/s01.txt", "1,2,3\n");
    expect_bad("dsads", NULL, "a02/p1/s01.txt:1:6: the row has 3 values; valid: 45");
    put_file(folder, "dsads/data/a02/p1/s01.txt", "1,2,oh,4\n");
    expect_bad("dsads", NULL, "a02/p1/s01.txt:1:5: value 3 of the row is 'oh'; valid: a number");
    write_segment(folder, 2, 1, 1, 125);
    expect_bad("dsads", OPTIONS("drop_users=1,2"), "samples of one user only");
    expect_bad("dsads", OPTIONS("drop_users=1,2,3"), "holds no samples of the classes and users that are kept");
    expect_bad("dsads", OPTIONS("drop_users=9"), "drop_users: there is no user 9; valid: 1 to 8");
    expect_bad("dsads", OPTIONS("drop_classes=0"), "drop_classes: 0 is no label; valid: 1 2 3 ");
    expect_bad("dsads", OPTIONS("drop_classes=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18"),
               "drop_classes leaves 1 classes; at least two are needed");
    run_shell(format_text("rm -r %s/dsads/data/*", folder));
    expect_bad("dsads", NULL, "dsads/data/a01/p1/s01.txt is not there, nor any other segment");
    run_shell(format_text("rm -r %s/dsads", folder));
    expect_bad("dsads", NULL, "no folder dsads/data or dsads in ");
    remove_folder(folder);
}

/* ---- the list parameters ------------------------------------------------------------------------------------- */

Test(sensors, lists_have_one_spelling)
{
    static const struct { const char *text, *canonical; } lists[] = {
        {"28,7", "7,28"}, {"7, 28", "7,28"}, {"10 9,9", "9,10"}, {"C,A", "A,C"}, {"none", "none"},
        {"published", "published"}};
    struct error error = {""};
    char *canonical;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        cr_assert(param_parse(&param_drop_users, lists[i].text, &canonical, &error), "%s", error.text);
        cr_expect_str_eq(canonical, lists[i].canonical);
        free(canonical);
    }
    cr_expect(!param_parse(&param_drop_users, "7;8", &canonical, &error));
    cr_expect(!param_parse(&param_drop_users, ",", &canonical, &error));
}

/* ---- UCI-HAR, and HAPT's published features --------------------------------------------------------------------- */

enum { PUBLISHED = 561 };

static double published_value(size_t row, size_t feature) { return (double)((row * 31 + feature * 7) % 200) / 100 - 1; }

/* Rows `first` .. first + count - 1 as the official files write numbers; row i has label i % classes + 1 and user
 * users[i % 4]. */
static void write_published(const char *folder, const char *x, const char *y, const char *subject, size_t first,
                            size_t count, int classes, const int *users)
{
    FILE *features = create_file(folder, x), *labels = create_file(folder, y), *people = create_file(folder, subject);
    for (size_t i = first; i < first + count; i++) {
        for (size_t f = 0; f < PUBLISHED; f++)
            fprintf(features, " %15.7e", published_value(i, f));
        fprintf(features, "\n");
        fprintf(labels, "%d\n", (int)i % classes + 1);
        fprintf(people, "%d\n", users[i % 4]);
    }
    cr_assert(fclose(features) == 0 && fclose(labels) == 0 && fclose(people) == 0);
}

static const int train_people[] = {1, 3, 7, 28}, test_people[] = {2, 4, 9, 10};
enum { PUBLISHED_TRAIN = 48, PUBLISHED_TEST = 24 };

static void write_uci_har(const char *folder)
{
    write_published(folder, "UCI HAR Dataset/train/X_train.txt", "UCI HAR Dataset/train/y_train.txt",
                    "UCI HAR Dataset/train/subject_train.txt", 0, PUBLISHED_TRAIN, 6, train_people);
    write_published(folder, "UCI HAR Dataset/test/X_test.txt", "UCI HAR Dataset/test/y_test.txt",
                    "UCI HAR Dataset/test/subject_test.txt", PUBLISHED_TRAIN, PUBLISHED_TEST, 6, test_people);
}

static void write_hapt_features(const char *folder)
{
    write_published(folder, "hapt/Train/X_train.txt", "hapt/Train/y_train.txt", "hapt/Train/subject_id_train.txt", 0,
                    PUBLISHED_TRAIN, 12, train_people);
    write_published(folder, "hapt/Test/X_test.txt", "hapt/Test/y_test.txt", "hapt/Test/subject_id_test.txt", PUBLISHED_TRAIN,
                    PUBLISHED_TEST, 12, test_people);
}

static void expect_published_row(const struct part *part, size_t i, size_t row)
{
    for (size_t f = 0; f < PUBLISHED; f++)
        cr_assert_float_eq(part->x[i * PUBLISHED + f], (float)published_value(row, f), 1e-6);
}

Test(sensors, uci_har_official_parts)
{
    char *folder = data_folder(), *inside = file_in(folder, "UCI HAR Dataset");
    struct dataset dataset;
    write_uci_har(folder);
    load_set("uci-har", NULL, &dataset);
    cr_expect(dataset.features == PUBLISHED && dataset.classes == 6);
    cr_assert(dataset.train.count == PUBLISHED_TRAIN && dataset.test.count == PUBLISHED_TEST);
    for (size_t i = 0; i < PUBLISHED_TRAIN; i++) {
        cr_expect(dataset.train.y[i] == (int)i % 6 && dataset.train.user[i] == train_people[i % 4]);
        expect_published_row(&dataset.train, i, i);
    }
    for (size_t i = 0; i < PUBLISHED_TEST; i++) {
        cr_expect(dataset.test.y[i] == (int)i % 6 && dataset.test.user[i] == test_people[i % 4]);
        expect_published_row(&dataset.test, i, PUBLISHED_TRAIN + i);
    }
    expect_attribute(&dataset, "test_part=official, users 2 4 9 10\n");
    expect_checksum(&dataset, inside, "train/y_train.txt train/subject_train.txt train/X_train.txt test/y_test.txt "
                                      "test/subject_test.txt test/X_test.txt");
    dataset_free(&dataset);
    free(inside);
    remove_folder(folder);
}

/* Eight users: ceil(0.8 · 8) = 7 train. */
Test(sensors, uci_har_by_users)
{
    char *folder = data_folder();
    struct dataset dataset;
    write_uci_har(folder);
    load_set("uci-har", OPTIONS("har_split=users"), &dataset);
    cr_expect(dataset.train.count + dataset.test.count == PUBLISHED_TRAIN + PUBLISHED_TEST);
    for (size_t i = 1; i < dataset.test.count; i++)
        cr_expect_eq(dataset.test.user[i], dataset.test.user[0]);
    for (size_t i = 0; i < dataset.train.count; i++)
        cr_expect_neq(dataset.train.user[i], dataset.test.user[0]);
    expect_attribute(&dataset, "test_part=users ");
    dataset_free(&dataset);
    load_set("uci-har", OPTIONS("har_split=users", "test_split=0.5", "drop_users=1,2"), &dataset);
    size_t left = 3 * PUBLISHED_TRAIN / 4 + 3 * PUBLISHED_TEST / 4;
    cr_expect(dataset.train.count + dataset.test.count == left);
    dataset_free(&dataset);
    remove_folder(folder);
}

Test(sensors, uci_har_bad)
{
    char *folder = data_folder();
    expect_bad("uci-har", NULL, "no folder uci-har/UCI HAR Dataset or UCI HAR Dataset or uci-har in ");
    write_uci_har(folder);
    put_file(folder, "UCI HAR Dataset/test/y_test.txt", "1\n7\n");
    expect_bad("uci-har", NULL, "UCI HAR Dataset/test/y_test.txt:2:1: value 1 of the row is '7'; valid: a label, a whole "
                                "number from 1 to 6");
    put_file(folder, "UCI HAR Dataset/test/y_test.txt", "1\n2\n");
    expect_bad("uci-har", NULL, "UCI HAR Dataset/test/subject_test.txt has 24 rows, but test/y_test.txt has 2");
    put_file(folder, "UCI HAR Dataset/test/subject_test.txt", "1\n31\n");
    expect_bad("uci-har", NULL, "subject_test.txt:2:1: value 1 of the row is '31'; valid: a user, a whole number from 1 to "
                                "30");
    put_file(folder, "UCI HAR Dataset/test/subject_test.txt", "1\n3\n");
    expect_bad("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt has more than 2 rows, but test/y_test.txt has 2");
    put_file(folder, "UCI HAR Dataset/test/X_test.txt", " 1 2 3\n");
    expect_bad("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt:1:7: the row has 3 values; valid: 561");
    put_file(folder, "UCI HAR Dataset/test/X_test.txt", "");
    expect_bad("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt has 0 rows, but test/y_test.txt has 2");
    run_shell(format_text("rm '%s/UCI HAR Dataset/train/subject_train.txt'", folder));
    expect_bad("uci-har", NULL, "UCI HAR Dataset/train/subject_train.txt: No such file");
    write_uci_har(folder);
    expect_bad("uci-har", OPTIONS("drop_users=2,4,9,10"), "the official test part holds no samples");
    remove_folder(folder);
}

/* Class 8 and users 7 and 28 are left out; classes behind 8 move up. */
Test(sensors, hapt_features)
{
    char *folder = data_folder();
    struct dataset dataset;
    size_t kept = 0;
    write_hapt_features(folder);
    load_set("hapt", NULL, &dataset);
    cr_expect(dataset.features == PUBLISHED && dataset.classes == 11);
    for (size_t i = 0; i < PUBLISHED_TRAIN; i++) {
        int label = (int)i % 12 + 1, user = train_people[i % 4];
        if (label == 8 || user == 7 || user == 28)
            continue;
        cr_assert_lt(kept, dataset.train.count);
        cr_expect(dataset.train.y[kept] == label - 1 - (label > 8) && dataset.train.user[kept] == user);
        expect_published_row(&dataset.train, kept++, i);
    }
    cr_expect_eq(dataset.train.count, kept);
    expect_attribute(&dataset, "source=published features\n");
    expect_attribute(&dataset, "labels=1 2 3 4 5 6 7 9 10 11 12\n");
    dataset_free(&dataset);
    load_set("hapt", OPTIONS("drop_users=none", "drop_classes=none"), &dataset);
    cr_expect(dataset.classes == 12 && dataset.train.count == PUBLISHED_TRAIN && dataset.test.count == PUBLISHED_TEST);
    dataset_free(&dataset);
    expect_bad("hapt", OPTIONS("hapt_source=raw"), "hapt/RawData/labels.txt: No such file");
    remove_folder(folder);
}

/* ---- HAPT's raw signals ------------------------------------------------------------------------------------------ */

static void write_signals(const char *folder, const char *sensor, int experiment, int user, size_t rows)
{
    char path[64];
    snprintf(path, sizeof path, "hapt/RawData/%s_exp%02d_user%02d.txt", sensor, experiment, user);
    FILE *file = create_file(folder, path);
    for (size_t r = 0; r < rows; r++)
        fprintf(file, "%.17g %.17g %.17g\n", made_value(experiment, r, *sensor), made_value(experiment, r, *sensor + 100u),
                made_value(experiment, r, *sensor + 200u));
    cr_assert_eq(fclose(file), 0);
}

/* Users 1 and 3 train, 2 tests. Stretches of 20, 19 and 45 rows: with windows of 20 and a step of 10 they hold 1, 0 and
 * 3. */
static char *write_hapt_raw(void)
{
    char *folder = data_folder();
    for (int user = 1; user <= 3; user++) {
        write_signals(folder, "acc", user, user, 100);
        write_signals(folder, "gyro", user, user, 100);
    }
    put_file(folder, "hapt/RawData/labels.txt",
             "1 1 5 1 20\n1 1 4 21 39\n1 1 9 56 100\n2 2 5 3 22\n2 2 8 30 60\n3 3 12 11 30\n");
    return folder;
}

Test(sensors, hapt_windows)
{
    char *folder = write_hapt_raw();
    struct dataset dataset;
    float expected[216];
    double rows[20 * 6];
    load_set("hapt", OPTIONS("window=20", "window_step=10"), &dataset);
    static const int classes[] = {4, 7, 7, 7, 10};
    cr_assert(dataset.train.count == 5 && dataset.test.count == 1 && dataset.features == 216);
    for (size_t i = 0; i < 5; i++)
        cr_expect_eq(dataset.train.y[i], classes[i]);
    cr_expect(dataset.test.y[0] == 4 && dataset.test.user[0] == 2 && dataset.train.user[4] == 3);
    /* the second window of the third stretch starts at row 66, which is 65 from 0 */
    for (size_t r = 0; r < 20; r++)
        for (size_t c = 0; c < 6; c++)
            rows[r * 6 + c] = made_value(1, 65 + r, (c < 3 ? 'a' : 'g') + 100 * (c % 3));
    struct signal_tables *tables = signal_tables_make(20, 50);
    sensor_features(tables, rows, 2, true, expected);
    for (size_t f = 0; f < 216; f++)
        cr_expect_float_eq(dataset.train.x[2 * 216 + f], expected[f], 1e-5 * (1 + fabsf(expected[f])), "feature %zu", f);
    expect_attribute(&dataset, "source=raw signals\n");
    expect_attribute(&dataset, "test_part=official, users 2\n");
    char *inside = file_in(folder, "hapt/RawData");
    expect_checksum(&dataset, inside, "labels.txt acc_exp01* gyro_exp01* acc_exp02* gyro_exp02* acc_exp03* gyro_exp03*");
    dataset_free(&dataset);
    free(inside);
    load_set("hapt", OPTIONS("window=20", "window_step=10", "sensor_features=magnitude"), &dataset);
    cr_expect(dataset.features == 54 && dataset.train.x[2 * 54] == expected[3 * 27] &&
              dataset.train.x[2 * 54 + 27] == expected[7 * 27]);
    dataset_free(&dataset);
    signal_tables_free(tables);
    remove_folder(folder);
}

Test(sensors, hapt_bad)
{
    char *folder = write_hapt_raw();
    const char *const *small = OPTIONS("window=20");
    expect_bad("hapt", OPTIONS("hapt_source=features"), "hapt/Train/y_train.txt: No such file");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 1 20\n1 1 5 90 101\n");
    expect_bad("hapt", small, "RawData/labels.txt:2: the stretch ends at row 101, but experiment 1 has 100 rows");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 13 1 20\n");
    expect_bad("hapt", small, "RawData/labels.txt:1:5: value 3 of the row is '13'; valid: a label, a whole number from 1 to "
                              "12");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 20 1\n");
    expect_bad("hapt", small, "RawData/labels.txt:1:10: value 5 of the row is '1'; valid: a row not before the first");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 1 20\n");
    write_signals(folder, "gyro", 1, 1, 99);
    expect_bad("hapt", small, "gyro_exp01_user01.txt has 99 rows, but the accelerometer's file has 100");
    put_file(folder, "hapt/RawData/acc_exp01_user01.txt", "1 2 3\n1 2\n");
    expect_bad("hapt", small, "acc_exp01_user01.txt:2:4: the row has 2 values; valid: 3");
    run_shell(format_text("rm %s/hapt/RawData/acc_exp01_user01.txt", folder));
    expect_bad("hapt", small, "hapt/RawData/acc_exp01_user01.txt: No such file");
    remove_folder(folder);
}

/* The labels alone give the official counts, so most files of signals may be empty. User 1's windows have the labels of the
 * official feature files, in their order. */
Test(sensors, hapt_original, .timeout = 120)
{
    char *archive = shared_file("data/har/hapt_raw.tar.xz"), *folder = data_folder();
    struct dataset dataset;
    struct error error = {""};
    size_t size, i = 0;
    run_shell(format_text("tar xJf %s -C %s --wildcards 'HAPT_Data_Set/RawData/*_exp0[1-4]_*' "
                          "HAPT_Data_Set/RawData/labels.txt 'HAPT_Data_Set/*/subject_id_*' 'HAPT_Data_Set/*/y_*'", archive,
                          folder));
    run_shell(format_text("cd %s/HAPT_Data_Set/RawData && awk '{u = sprintf(\"_exp%%02d_user%%02d.txt\", $1, $2); "
                          "print \"acc\" u; print \"gyro\" u}' labels.txt | xargs touch", folder));
    cr_assert(read_set("hapt", false, OPTIONS("drop_classes=none", "drop_users=none"), &dataset, &error), "%s", error.text);
    cr_expect(dataset.train.count == 7767 && dataset.test.count == 3162 && dataset.classes == 12);
    dataset_free(&dataset);
    cr_assert(read_set("hapt", false, NULL, &dataset, &error), "%s", error.text);
    cr_expect(dataset.train.count == 7032 && dataset.test.count == 3152 && dataset.classes == 11);
    dataset_free(&dataset);
    run_shell(format_text("cd %s/HAPT_Data_Set && paste -d ' ' Train/subject_id_train.txt Train/y_train.txt | "
                          "sed -n 's/^1 //p' >expected && sed -i '/^[1-4] /!d' RawData/labels.txt", folder));
    load_set("hapt", OPTIONS("drop_classes=none", "drop_users=none"), &dataset);
    char *path = file_in(folder, "HAPT_Data_Set/expected"), *labels = read_bytes(path, &size), *rest = labels, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        cr_assert(i < dataset.train.count && dataset.train.user[i] == 1);
        cr_expect_eq(dataset.train.y[i++], atoi(line) - 1);
    }
    cr_expect(i > 300 && i == dataset.train.count);
    expect_attribute(&dataset, "test_part=official, users 2\n");
    dataset_free(&dataset);
    free(labels);
    free(path);
    free(archive);
    remove_folder(folder);
}

/* ---- PAMAP2 --------------------------------------------------------------------------------------------------------- */

/* What stands in row r, column c of a made file: gaps inside, at the start and at the end of used columns, and, as in the
 * original, in most rows of the heart rate. */
static double pamap_value(int user, size_t row, size_t column)
{
    bool gap = (column == 4 && row >= 10 && row < 15) || (column == 5 && row < 3) || (column == 49 && row >= 95);
    return gap || (column == 2 && row % 11) ? NAN : made_value(user, row, column);
}

/* What takes its place. */
static double pamap_filled(int user, size_t row, size_t column)
{
    if (column == 4 && row >= 10 && row < 15)
        return made_value(user, 9, 4) + (made_value(user, 15, 4) - made_value(user, 9, 4)) * (double)(row - 9) / 6;
    if (column == 49 && row >= 95)
        row = 94;
    return column == 5 && row < 3 ? made_value(user, 3, 5) : made_value(user, row, column);
}

/* 100 rows: 40 of activity 1, 10 between, 20 of activity 24, 30 of activity 12. */
static int pamap_label(size_t row) { return row < 40 ? 1 : row < 50 ? 0 : row < 70 ? 24 : 12; }

static void write_pamap(const char *folder, int user)
{
    char path[64];
    snprintf(path, sizeof path, "PAMAP2_Dataset/Protocol/subject%d.dat", 100 + user);
    FILE *file = create_file(folder, path);
    for (size_t r = 0; r < 100; r++) {
        fprintf(file, "%.2f %d", 8.38 + (double)r / 100, pamap_label(r));
        for (size_t c = 2; c < 54; c++) {
            if (isnan(pamap_value(user, r, c)))
                fprintf(file, " NaN");
            else
                fprintf(file, " %.9g", pamap_value(user, r, c));
        }
        fprintf(file, "\n");
    }
    cr_assert_eq(fclose(file), 0);
}

static char *write_pamap2(void)
{
    char *folder = data_folder();
    for (int user = 1; user <= 5; user++)
        write_pamap(folder, user);
    return folder;
}

/* Columns, from 0, of the nine sensors' x as the set's readme has them, from 1: 5, 11, 14; 22, 28, 31; 39, 45, 48. */
static const size_t pamap_columns[9] = {4, 10, 13, 21, 27, 30, 38, 44, 47};

/* Windows of 20, step 10: 3 of activity 1, then 2 of activity 12; users 3 and 4 are left out. */
Test(sensors, pamap2_windows)
{
    char *folder = write_pamap2();
    struct dataset dataset;
    float expected[243];
    double rows[20 * 27];
    struct signal_tables *tables = signal_tables_make(20, 100);
    load_set("pamap2", OPTIONS("window=20", "window_step=10"), &dataset);
    cr_assert(dataset.train.count == 10 && dataset.test.count == 5 && dataset.features == 243 && dataset.classes == 11);
    for (size_t i = 0; i < 10; i++) {
        int user = dataset.train.user[i];
        size_t window = i % 5, start = window < 3 ? 10 * window : 70 + 10 * (window - 3);
        cr_expect(user != 3 && user != 4 && dataset.train.y[i] == (window < 3 ? 0 : 7));
        for (size_t r = 0; r < 20; r++)
            for (size_t c = 0; c < 27; c++)
                rows[r * 27 + c] = pamap_filled(user, start + r, pamap_columns[c / 3] + c % 3);
        sensor_features(tables, rows, 9, false, expected);
        for (size_t f = 0; f < 243; f++)
            cr_assert_float_eq(dataset.train.x[i * 243 + f], expected[f], 1e-5 * (1 + fabsf(expected[f])),
                               "window %zu, feature %zu", i, f);
    }
    expect_attribute(&dataset, "labels=1 2 3 4 5 6 7 12 13 16 17\n");
    expect_attribute(&dataset, "files=5; the official set has 9\n");
    char *inside = file_in(folder, "PAMAP2_Dataset/Protocol");
    expect_checksum(&dataset, inside, "subject101.dat subject102.dat subject105.dat");
    free(inside);
    dataset_free(&dataset);
    load_set("pamap2", OPTIONS("window=20", "drop_classes=none", "drop_users=none"), &dataset);
    cr_expect(dataset.classes == 12 && count_class(&dataset, 11) == 5); /* the step is 256: one window a stretch */
    dataset_free(&dataset);
    signal_tables_free(tables);
    remove_folder(folder);
}

Test(sensors, pamap2_bad)
{
    char *folder = write_pamap2();
    const char *const *small = OPTIONS("window=20");
    expect_bad("pamap2", NULL, "holds no samples of the classes and users that are kept");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 8 NaN\n");
    expect_bad("pamap2", small, "subject102.dat:1:5: the label is 8; valid: 1 2 3 4 5 6 7 12 13 16 17 24");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 1 NaN 3\n");
    expect_bad("pamap2", small, "subject102.dat:1:12: the row has 4 values; valid: 54");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 1 NaN 3 oops\n");
    expect_bad("pamap2", small, "subject102.dat:1:13: value 5 of the row is 'oops'; valid: a number or NaN");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "");
    expect_bad("pamap2", small, "subject102.dat is empty");
    FILE *file = create_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat");
    for (int c = 0; c < 54; c++)
        fprintf(file, "%s ", c == 10 ? "NaN" : "1");
    cr_assert_eq(fclose(file), 0);
    expect_bad("pamap2", small, "subject102.dat: column 11 holds no number");
    run_shell(format_text("rm %s/PAMAP2_Dataset/Protocol/*", folder));
    expect_bad("pamap2", small, "Protocol/subject101.dat is not there, nor any other user's file");
    remove_folder(folder);
}

/* ---- WISDM ---------------------------------------------------------------------------------------------------------- */

Test(sensors, wisdm_original, .timeout = 120)
{
    char *archive = shared_file("data/har/wisdm2_phone_accel_arff.tar.xz"), *folder = data_folder();
    struct dataset dataset;
    struct error error = {""};
    run_shell(format_text("mkdir -p %s/wisdm-dataset/arff_files/phone && tar xJf %s -C %s/wisdm-dataset/arff_files/phone && "
                          "mv %s/wisdm-dataset/arff_files/phone/wisdm2_arff %s/wisdm-dataset/arff_files/phone/accel",
                          folder, archive, folder, folder, folder));
    load_set("wisdm", NULL, &dataset);
    cr_expect(dataset.features == 91 && dataset.classes == 18);
    cr_expect_eq(dataset.train.count + dataset.test.count, 23074 - 6 * 404);
    cr_expect_float_eq(dataset.train.x[0], 0.235f, 0); /* the first row of user 1600 */
    cr_expect(dataset.train.user[0] == 1600 && dataset.train.y[0] == 0);
    expect_attribute(&dataset, "user_1617=left out, its file is the same as that of user 1610\n");
    cr_expect_null(attribute_line(&dataset, "files="));
    dataset_free(&dataset);
    cr_assert(read_set("wisdm", false, OPTIONS("duplicate_users=keep"), &dataset, &error), "%s", error.text);
    cr_expect_eq(dataset.train.count + dataset.test.count, 23074);
    dataset_free(&dataset);
    free(archive);
    remove_folder(folder);
}

static void write_wisdm(const char *folder, int user, int named, int attributes, const char *end)
{
    static const char letters[] = "ABO";
    char path[64];
    snprintf(path, sizeof path, "wisdm/data_%d_accel_phone.arff", user);
    FILE *file = create_file(folder, path);
    fprintf(file, "%% a comment\n@relation person\n\n@ATTRIBUTE \"ACTIVITY\" {A, B, O}\n");
    for (int a = 1; a < attributes - 1; a++)
        fprintf(file, "@attribute \"F%d\" numeric\n", a);
    fprintf(file, "@attribute \"class\" { %d }\n\n@data\n", named);
    for (int row = 0; row < 3; row++) {
        fprintf(file, "%c", letters[row]);
        for (int f = 0; f < 91; f++)
            fprintf(file, ",%g", named - 1600 + row + f / 100.0);
        fprintf(file, ",%d\n", named);
    }
    fprintf(file, "%s", end);
    cr_assert_eq(fclose(file), 0);
}

Test(sensors, wisdm_small)
{
    char *folder = data_folder();
    struct dataset dataset;
    write_wisdm(folder, 1600, 1600, 93, "");
    write_wisdm(folder, 1601, 1601, 93, "");
    write_wisdm(folder, 1610, 1600, 93, ""); /* the same bytes as 1600 */
    load_set("wisdm", OPTIONS("test_split=0.5", "drop_classes=B"), &dataset);
    cr_assert(dataset.train.count == 2 && dataset.test.count == 2 && dataset.classes == 17);
    cr_expect(dataset.train.y[0] == 0 && dataset.train.y[1] == 12); /* O is the 14th label, without B the 13th */
    for (size_t f = 0; f < 91; f++)
        cr_expect_float_eq(dataset.train.x[91 + f], (float)(dataset.train.user[0] - 1600 + 2 + (double)f / 100), 1e-6);
    expect_attribute(&dataset, "files=3; the official set has 50\n");
    expect_attribute(&dataset, "user_1610=left out, its file is the same as that of user 1600\n");
    expect_checksum(&dataset, folder, "wisdm/*");
    dataset_free(&dataset);
    load_set("wisdm", OPTIONS("duplicate_users=keep"), &dataset);
    cr_expect_eq(dataset.train.count + dataset.test.count, 9);
    dataset_free(&dataset);
    remove_folder(folder);
}

Test(sensors, wisdm_bad)
{
    char *folder = data_folder();
    write_wisdm(folder, 1600, 1600, 93, "");
    write_wisdm(folder, 1601, 1601, 92, "");
    expect_bad("wisdm", NULL, "data_1601_accel_phone.arff:97:1: the header has 92 attributes; valid: 93");
    write_wisdm(folder, 1601, 1601, 93, "N,1\n");
    expect_bad("wisdm", NULL, "data_1601_accel_phone.arff:102:1: the label is N; valid: A B C D E F G H I J K L M O P Q R "
                              "S");
    write_wisdm(folder, 1601, 1601, 93, "A,1,2\n");
    expect_bad("wisdm", NULL, "data_1601_accel_phone.arff:102:6: the row has 3 values; valid: 93");
    write_wisdm(folder, 1601, 1601, 93, "A,1,?\n");
    expect_bad("wisdm", NULL, "data_1601_accel_phone.arff:102:5: value 3 of the row is '?'; valid: a number");
    put_file(folder, "wisdm/data_1601_accel_phone.arff", "@relation x\n");
    expect_bad("wisdm", NULL, "data_1601_accel_phone.arff:2:1: there is no line @data");
    run_shell(format_text("rm %s/wisdm/*", folder));
    expect_bad("wisdm", NULL, "data_1600_accel_phone.arff is not there, nor any other user's file");
    remove_folder(folder);
}
