/* SPDX-License-Identifier: GPL-3.0-or-later
 * HAPT's raw signals and PAMAP2: windows of recordings, good and bad ones. */
#include "../datasets/sensors.h"
#include "sensor_support.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    expect_bad_files("hapt", OPTIONS("hapt_source=features"), "hapt/Train/y_train.txt: No such file");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 1 20\n1 1 5 90 101\n");
    expect_bad_files("hapt", small, "RawData/labels.txt:2: the stretch ends at row 101, but experiment 1 has 100 rows");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 13 1 20\n");
    expect_bad_files("hapt", small,
                     "RawData/labels.txt:1:5: value 3 of the row is '13'; valid: a label, a whole number from 1 to 12");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 20 1\n");
    expect_bad_files("hapt", small, "RawData/labels.txt:1:10: value 5 of the row is '1'; valid: a row not before the first");
    put_file(folder, "hapt/RawData/labels.txt", "1 1 5 1 20\n");
    write_signals(folder, "gyro", 1, 1, 99);
    expect_bad_files("hapt", small, "gyro_exp01_user01.txt has 99 rows, but the accelerometer's file has 100");
    put_file(folder, "hapt/RawData/acc_exp01_user01.txt", "1 2 3\n1 2\n");
    expect_bad_files("hapt", small, "acc_exp01_user01.txt:2:4: the row has 2 values; valid: 3");
    run_shell(format_text("rm %s/hapt/RawData/acc_exp01_user01.txt", folder));
    expect_bad_files("hapt", small, "hapt/RawData/acc_exp01_user01.txt: No such file");
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
    expect_bad_settings("pamap2", NULL, "holds no samples of the classes and users that are kept");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 8 NaN\n");
    expect_bad_files("pamap2", small, "subject102.dat:1:5: the label is 8; valid: 1 2 3 4 5 6 7 12 13 16 17 24");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 1 NaN 3\n");
    expect_bad_files("pamap2", small, "subject102.dat:1:12: the row has 4 values; valid: 54");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "0.1 1 NaN 3 oops\n");
    expect_bad_files("pamap2", small, "subject102.dat:1:13: value 5 of the row is 'oops'; valid: a number or NaN");
    put_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat", "");
    expect_bad_files("pamap2", small, "subject102.dat is empty");
    FILE *file = create_file(folder, "PAMAP2_Dataset/Protocol/subject102.dat");
    for (int c = 0; c < 54; c++)
        fprintf(file, "%s ", c == 10 ? "NaN" : "1");
    cr_assert_eq(fclose(file), 0);
    expect_bad_files("pamap2", small, "subject102.dat: column 11 holds no number");
    run_shell(format_text("rm %s/PAMAP2_Dataset/Protocol/*", folder));
    expect_bad_files("pamap2", small, "Protocol/subject101.dat is not there, nor any other user's file");
    remove_folder(folder);
}
