/* SPDX-License-Identifier: GPL-3.0-or-later
 * UCI-HAR, and HAPT's published features: small files in their layouts, good and bad. */
#include "sensor_support.h"
#include "support.h"
#include <criterion/criterion.h>

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
    expect_bad_files("uci-har", NULL, "no folder uci-har/UCI HAR Dataset or UCI HAR Dataset or uci-har in ");
    write_uci_har(folder);
    put_file(folder, "UCI HAR Dataset/test/y_test.txt", "1\n7\n");
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/test/y_test.txt:2:1: value 1 of the row is '7'; valid: a label, a "
                                      "whole number from 1 to 6");
    put_file(folder, "UCI HAR Dataset/test/y_test.txt", "1\n2\n");
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/test/subject_test.txt has 24 rows, but test/y_test.txt has 2");
    put_file(folder, "UCI HAR Dataset/test/subject_test.txt", "1\n31\n");
    expect_bad_files("uci-har", NULL,
                     "subject_test.txt:2:1: value 1 of the row is '31'; valid: a user, a whole number from 1 to 30");
    put_file(folder, "UCI HAR Dataset/test/subject_test.txt", "1\n3\n");
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt has more than 2 rows, but test/y_test.txt has 2");
    put_file(folder, "UCI HAR Dataset/test/X_test.txt", " 1 2 3\n");
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt:1:7: the row has 3 values; valid: 561");
    put_file(folder, "UCI HAR Dataset/test/X_test.txt", "");
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/test/X_test.txt has 0 rows, but test/y_test.txt has 2");
    run_shell(format_text("rm '%s/UCI HAR Dataset/train/subject_train.txt'", folder));
    expect_bad_files("uci-har", NULL, "UCI HAR Dataset/train/subject_train.txt: No such file");
    write_uci_har(folder);
    expect_bad_settings("uci-har", OPTIONS("drop_users=2,4,9,10"), "the official test part holds no samples");
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
    expect_bad_files("hapt", OPTIONS("hapt_source=raw"), "hapt/RawData/labels.txt: No such file");
    remove_folder(folder);
}
