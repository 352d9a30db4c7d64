/* SPDX-License-Identifier: GPL-3.0-or-later
 * DSADS and WISDM: real files where they are at hand, small ones in their layouts, good and bad. */
#include "../bench/settings.h"
#include "../datasets/sensors.h"
#include "../results/h5.h"
#include "sensor_support.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* ---- DSADS ------------------------------------------------------------------------------------------------- */

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
    expect_bad_files("dsads", NULL, "a02/p1/s01.txt:125:1: the segment has 124 rows; valid: 125");
    write_segment(folder, 2, 1, 1, 126);
    expect_bad_files("dsads", NULL, "a02/p1/s01.txt:126:1: the segment has more than 125 rows; valid: 125");
    put_file(folder, "dsads/data/a02/p1/s01.txt", "1,2,3\n");
    expect_bad_files("dsads", NULL, "a02/p1/s01.txt:1:6: the row has 3 values; valid: 45");
    put_file(folder, "dsads/data/a02/p1/s01.txt", "1,2,oh,4\n");
    expect_bad_files("dsads", NULL, "a02/p1/s01.txt:1:5: value 3 of the row is 'oh'; valid: a number");
    write_segment(folder, 2, 1, 1, 125);
    expect_bad_settings("dsads", OPTIONS("drop_users=1,2"), "samples of one user only");
    expect_bad_settings("dsads", OPTIONS("drop_users=1,2,3"), "holds no samples of the classes and users that are kept");
    expect_bad_settings("dsads", OPTIONS("drop_users=9"), "drop_users: there is no user 9; valid: 1 to 8");
    expect_bad_settings("dsads", OPTIONS("drop_classes=0"), "drop_classes: 0 is no label; valid: 1 2 3 ");
    expect_bad_settings("dsads", OPTIONS("drop_classes=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18"),
                        "drop_classes leaves 1 classes; at least two are needed");
    run_shell(format_text("rm -r %s/dsads/data/*", folder));
    expect_bad_files("dsads", NULL, "dsads/data/a01/p1/s01.txt is not there, nor any other segment");
    run_shell(format_text("rm -r %s/dsads", folder));
    expect_bad_files("dsads", NULL, "no folder dsads/data or dsads in ");
    remove_folder(folder);
}

/* ---- the list parameters ------------------------------------------------------------------------------------- */

Test(sensors, lists_have_one_spelling)
{
    static const struct { const char *text, *canonical; } lists[] = {
        {"28,7", "7,28"}, {"7, 28", "7,28"}, {"10 9,9", "9,10"}, {"C,A", "A,C"}, {"none", "none"},
        {"published", "published"}, {"007,70,7", "7,70"}};
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
    expect_bad_files("wisdm", NULL, "data_1601_accel_phone.arff:97:1: the header has 92 attributes; valid: 93");
    write_wisdm(folder, 1601, 1601, 93, "N,1\n");
    expect_bad_files("wisdm", NULL,
                     "data_1601_accel_phone.arff:102:1: the label is N; valid: A B C D E F G H I J K L M O P Q R S");
    write_wisdm(folder, 1601, 1601, 93, "A,1,2\n");
    expect_bad_files("wisdm", NULL, "data_1601_accel_phone.arff:102:6: the row has 3 values; valid: 93");
    write_wisdm(folder, 1601, 1601, 93, "A,1,?\n");
    expect_bad_files("wisdm", NULL, "data_1601_accel_phone.arff:102:5: value 3 of the row is '?'; valid: a number");
    put_file(folder, "wisdm/data_1601_accel_phone.arff", "@relation x\n");
    expect_bad_files("wisdm", NULL, "data_1601_accel_phone.arff:2:1: there is no line @data");
    run_shell(format_text("rm %s/wisdm/*", folder));
    expect_bad_files("wisdm", NULL, "data_1600_accel_phone.arff is not there, nor any other user's file");
    remove_folder(folder);
}
