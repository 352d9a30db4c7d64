/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading IDX and HDF5 files made here, good and bad. */
#include "../bench/settings.h"
#include "dataset_files.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- IDX --------------------------------------------------------------------------------- */

static void check_made_part(const struct part *part, size_t count)
{
    cr_assert_eq(part->count, count);
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(part->y[i], made_label(i));
        for (size_t p = 0; p < PIXELS; p++)
            cr_assert_float_eq(part->x[i * PIXELS + p], made_pixel(i, p) / 255.0, 1e-7);
    }
}

Test(dataset_files, idx_plain_and_gzip)
{
    for (int zipped = 0; zipped < 2; zipped++) {
        char *folder = data_folder();
        struct dataset dataset, described;
        struct error error = {""};
        write_idx_set(folder, zipped);
        load_or_fail(&dataset_mnist, "mnist", &dataset);
        check_made_part(&dataset.train, MADE_TRAIN);
        check_made_part(&dataset.test, MADE_TEST);
        cr_expect_eq(dataset.rank, 3);
        cr_expect(dataset.shape[0] == 1 && dataset.shape[1] == 28 && dataset.shape[2] == 28 &&
                  dataset.features == PIXELS);
        cr_expect_eq(dataset.classes, 10);
        cr_expect_null(dataset.train.user);
        cr_expect_str_eq(dataset.name, "mnist");

        const char *z = zipped ? ".gz" : "";
        char *sum = shell_word(format_text("cd %s/mnist && cat %s%s %s%s %s%s %s%s | sha256sum", folder,
                                           idx_names[0], z, idx_names[1], z, idx_names[2], z, idx_names[3],
                                           z));
        cr_expect_str_eq(dataset.sha256, sum);
        cr_assert(dataset_mnist.describe(NULL, &described, &error), "%s", error.text);
        cr_expect_str_eq(described.sha256, sum);
        cr_expect(described.train.count == MADE_TRAIN && described.test.count == MADE_TEST &&
                  !described.train.x);
        free(sum);
        dataset_free(&described);
        dataset_free(&dataset);
        remove_folder(folder);
    }
}

Test(dataset_files, gzip_of_several_members)
{
    char *folder = data_folder();
    struct dataset dataset;
    write_idx_set(folder, false);
    run_shell(format_text(
        "cd %s/mnist && (head -c 500 %s | gzip; tail -c +501 %s | gzip) > m.gz && rm %s && mv m.gz %s.gz",
        folder, idx_names[0], idx_names[0], idx_names[0], idx_names[0]));
    load_or_fail(&dataset_mnist, "mnist", &dataset);
    check_made_part(&dataset.train, MADE_TRAIN);
    dataset_free(&dataset);
    remove_folder(folder);
}

enum { SET, CUT, ADD, REMOVE, GARBLE, FOLDER };
static const struct {
    bool zipped;
    int file, action;
    long at;
    int value;
    const char *expected;
} bad_idx[] = {
    {false, 0, FOLDER, 0, 0, "no folder mnist in"},
    {false, 0, REMOVE, 0, 0, "mnist/train-images-idx3-ubyte.gz is not there"},
    {true, 3, REMOVE, 0, 0, "mnist/t10k-labels-idx1-ubyte.gz is not there"},
    {false, 0, CUT, 10, 0, "train-images-idx3-ubyte is cut off: 10 bytes are fewer than an IDX header"},
    {false, 0, CUT, 1000, 0, "is cut off: it holds 1000 bytes, but its header promises 20 images"},
    {false, 3, CUT, 17, 0, "t10k-labels-idx1-ubyte is cut off: it holds 17 bytes"},
    {false, 1, CUT, 0, 0, "train-labels-idx1-ubyte is cut off"},
    {false, 0, ADD, 0, 'x', "train-images-idx3-ubyte: 1 bytes follow the 20 images"},
    {false, 0, SET, 3, 1,
     "its magic number is 0x00000801, but an IDX file of images starts with 0x00000803 (it holds labels)"},
    {false, 1, SET, 2, 9, "its magic number is 0x00000901"},
    {false, 2, SET, 11, 27, "t10k-images-idx3-ubyte: its images have 27 × 28 pixels"},
    {false, 2, SET, 7, 0, "holds no images"},
    {false, 1, SET, 7, 19, "train-labels-idx1-ubyte: 1 bytes follow"},
    {false, 1, SET, 8 + 4, 10, "train-labels-idx1-ubyte: label 4 is 10; valid: 0 to 9"},
    {false, 3, SET, 8 + 9, 255, "t10k-labels-idx1-ubyte: label 9 is 255"},
    {true, 0, CUT, 300, 0, "train-images-idx3-ubyte.gz is cut off: its gzip data ends early"},
    {true, 1, CUT, 2, 0, "train-labels-idx1-ubyte.gz is cut off"},
    {true, 0, SET, 0, 0, "train-images-idx3-ubyte.gz is not a gzip file"},
    {true, 1, SET, -8, -1,
     "train-labels-idx1-ubyte.gz is damaged: its gzip data is bad (incorrect data check)"},
    {true, 1, SET, -4, -1, "incorrect length check"},
    {true, 2, ADD, 0, 'x', "t10k-images-idx3-ubyte.gz: 1 bytes follow the end of the gzip data"},
};

/* `at` below 0 counts from the end; value -1: another byte than the one there. */
static void spoil(const char *path, int action, long at, int value)
{
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file, "%s", path);
    fseek(file, at, action == ADD || at < 0 ? SEEK_END : SEEK_SET);
    if (action == CUT) {
        cr_assert_eq(ftruncate(fileno(file), at), 0);
    } else if (value < 0) {
        int old = getc(file);
        fseek(file, -1, SEEK_CUR);
        putc(old ^ 0x55, file);
    } else {
        putc(value, file);
    }
    fclose(file);
}

Test(dataset_files, bad_idx_files)
{
    for (size_t i = 0; i < sizeof bad_idx / sizeof *bad_idx; i++) {
        char *folder = data_folder();
        cr_assert_eq(chdir(folder), 0); /* away from what datasets/data may hold */
        if (bad_idx[i].action != FOLDER)
            write_idx_set(folder, bad_idx[i].zipped);
        char *path =
            format_text("%s/mnist/%s%s", folder, idx_names[bad_idx[i].file], bad_idx[i].zipped ? ".gz" : "");
        if (bad_idx[i].action == REMOVE)
            cr_assert_eq(unlink(path), 0);
        else if (bad_idx[i].action != FOLDER)
            spoil(path, bad_idx[i].action, bad_idx[i].at, bad_idx[i].value);
        expect_failure(&dataset_mnist, "mnist", bad_idx[i].expected, path);
        expect_failure(&dataset_mnist, "mnist", "into $BITSWEEP_DATA/mnist", path);
        free(path);
        remove_folder(folder);
    }
}

Test(dataset_files, idx_counts_and_missing_class)
{
    char *folder = data_folder();
    write_idx_set(folder, false);
    write_idx(folder, 1, false, MADE_TRAIN + 1);
    expect_failure(&dataset_mnist, "mnist", "holds 20 images, but", "one label more");
    write_idx(folder, 0, false, 9);
    write_idx(folder, 1, false, 9); /* labels 0 3 6 9 2 5 8 1 4 */
    expect_failure(&dataset_mnist, "mnist", "no sample has label 7", "a class less");
    remove_folder(folder);
}

Test(dataset_files, fashion_mnist_says_how_to_get_it)
{
    char *folder = data_folder();
    run_shell(format_text("mkdir %s/fashion-mnist", folder));
    expect_failure(&dataset_fashion_mnist, "fashion-mnist",
                   "apt-get install --reinstall dataset-fashion-mnist", "empty folder");
    remove_folder(folder);
}

/* ---- HDF5 -------------------------------------------------------------------------------- */

Test(dataset_files, hdf5_ranks_and_types)
{
    const hid_t types[] = {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_I64LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    const hsize_t dims[4] = {6, 2, 3, 4};
    char *folder = data_folder();
    for (int rank = 2; rank <= 4; rank++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            size_t size = rank == 2 ? 12 : rank == 3 ? 36 : 144;
            double *values = count_up(size, 7, 120), *labels = count_up(6, 1, 3);
            const double tests[] = {0, 2};
            const hsize_t test_dims[4] = {2, 2, 3, 4};
            hid_t file = create_h5(folder, "made");
            put_array(file, "x", types[t], rank, dims, values);
            put_column(file, "y", 6, labels);
            put_array(file, "x_test", types[t], rank, test_dims, values);
            put_column(file, "y_test", 2, tests);
            H5Fclose(file);

            struct dataset dataset;
            double scale = rank == 4 && t == 0 ? 255 : 1;
            load_or_fail(&dataset_hdf5, "made", &dataset);
            cr_expect_eq(dataset.rank, rank - 1);
            cr_expect_eq(dataset.features, size / 6);
            for (int i = 1; i < rank; i++)
                cr_expect_eq(dataset.shape[i - 1], dims[i]);
            cr_assert(dataset.train.count == 6 && dataset.test.count == 2 && dataset.classes == 3);
            for (size_t i = 0; i < size; i++)
                cr_expect_float_eq(dataset.train.x[i], values[i] / scale, 1e-6);
            for (size_t i = 0; i < size / 3; i++)
                cr_expect_float_eq(dataset.test.x[i], values[i] / scale, 1e-6);
            for (size_t i = 0; i < 6; i++)
                cr_expect_eq(dataset.train.y[i], (int)labels[i]);
            cr_expect(dataset.test.y[0] == 0 && dataset.test.y[1] == 2);
            cr_expect(!dataset.train.user && !dataset.test.user);
            dataset_free(&dataset);
            free(values);
            free(labels);
        }
    remove_folder(folder);
}

Test(dataset_files, hdf5_labels_users_attributes)
{
    char *folder = data_folder();
    const double x[] = {1, 2, 3, 4}, y[] = {40, -5, 40, -5}, user[] = {7, 7, 9, -1}, y_test[] = {3, 40},
                 user_test[] = {2, 2};
    const hsize_t dims[] = {4, 1}, test_dims[] = {2, 1};
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y", 4, y);
    put_column(file, "user", 4, user);
    put_array(file, "x_test", H5T_IEEE_F32LE, 2, test_dims, x);
    put_column(file, "y_test", 2, y_test);
    put_column(file, "user_test", 2, user_test);
    put_attribute(file, "license", "CC BY 4.0");
    H5Fclose(file);

    struct dataset dataset, described;
    struct error error = {""};
    load_or_fail(&dataset_hdf5, "made", &dataset);
    cr_expect_eq(dataset.classes, 3); /* -5, 3, 40 */
    const int classes[] = {2, 0, 2, 0};
    for (size_t i = 0; i < 4; i++)
        cr_expect(dataset.train.y[i] == classes[i] && dataset.train.user[i] == (int)user[i]);
    cr_expect(dataset.test.y[0] == 1 && dataset.test.y[1] == 2 && dataset.test.user[1] == 2);
    cr_expect(attribute_line(&dataset, "labels=-5 3 40\n") &&
              attribute_line(&dataset, "license=CC BY 4.0\n"));
    char *sum = shell_word(format_text("sha256sum < %s/made.h5", folder));
    cr_expect_str_eq(dataset.sha256, sum);

    struct settings settings = settings_of("dataset", "made", NULL);
    cr_expect_not(dataset_hdf5.plug.params[0]->used(&settings), "test_split is of no use with x_test");
    cr_assert(dataset_hdf5.describe(&settings, &described, &error), "%s", error.text);
    cr_expect(described.train.count == 4 && described.test.count == 2 && described.classes == 3 &&
              !described.train.x);
    cr_expect_str_eq(described.sha256, sum);
    settings_free(&settings);
    free(sum);
    dataset_free(&described);
    dataset_free(&dataset);
    remove_folder(folder);
}

/* Each sample of the file once, with its own label and user; flags[i]: in the test part. */
static void check_numbered(const struct dataset *dataset, size_t count, size_t users, bool *flags)
{
    const struct part *parts[] = {&dataset->train, &dataset->test};
    bool *seen = xcalloc(count, sizeof *seen);
    cr_assert_eq(dataset->train.count + dataset->test.count, count);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            size_t sample = (size_t)parts[p]->x[i];
            cr_assert_not(seen[sample]);
            seen[sample] = true;
            flags[sample] = p == 1;
            cr_expect_eq(parts[p]->y[i], (int)(sample % 4));
            if (users)
                cr_expect_eq(parts[p]->user[i], (int)(sample % users));
        }
    free(seen);
}

Test(dataset_files, hdf5_split_by_samples)
{
    char *folder = data_folder();
    bool flags[101], again[101];
    struct dataset dataset;
    struct error error;
    write_numbered(folder, 101, 0);
    load_or_fail(&dataset_hdf5, "made", &dataset);
    cr_expect_eq(dataset.test.count, 20);
    cr_expect(attribute_line(&dataset, "test_part=20 samples of x\n"));
    check_numbered(&dataset, 101, 0, flags);
    dataset_free(&dataset);
    load_or_fail(&dataset_hdf5, "made", &dataset);
    check_numbered(&dataset, 101, 0, again);
    cr_expect_arr_eq(flags, again, sizeof flags);
    dataset_free(&dataset);
    cr_assert(load_dataset(&dataset_hdf5, "made", "0.5", &dataset, &error));
    cr_expect_eq(dataset.test.count, 51);
    dataset_free(&dataset);
    remove_folder(folder);
}

/* Colour images of 224 x 224 in bytes, of which some are kept for testing: each is where its label says, whole. */
Test(dataset_files, hdf5_large_images)
{
    enum { COUNT = 10, SIDE = 224, IMAGE = 3 * SIDE * SIDE };
    const hsize_t dims[] = {COUNT, 3, SIDE, SIDE};
    char *folder = data_folder();
    double *values = xmalloc(COUNT * IMAGE * sizeof *values), *labels = count_up(COUNT, 1, 0);
    for (size_t i = 0; i < COUNT * IMAGE; i++)
        values[i] = (double)((i / IMAGE * 89 + i % IMAGE * 7) % 256);
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_STD_U8LE, 4, dims, values);
    put_column(file, "y", COUNT, labels);
    H5Fclose(file);
    struct dataset dataset;
    load_or_fail(&dataset_hdf5, "made", &dataset);
    cr_assert(dataset.rank == 3 && dataset.features == IMAGE && dataset.train.count == 8 && dataset.test.count == 2);
    size_t seen = 0;
    const struct part *parts[] = {&dataset.train, &dataset.test};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            size_t sample = (size_t)parts[p]->y[i];
            seen |= (size_t)1 << sample;
            for (size_t k = 0; k < IMAGE; k++)
                cr_assert_float_eq(parts[p]->x[i * IMAGE + k], values[sample * IMAGE + k] / 255, 1e-7);
        }
    cr_expect_eq(seen, (1 << COUNT) - 1);
    dataset_free(&dataset);
    free(values);
    free(labels);
    remove_folder(folder);
}

Test(dataset_files, hdf5_split_by_users)
{
    static const struct {
        size_t users;
        const char *share;
        size_t in_test;
    } cases[] = {{8, "0.2", 1},  {10, "0.2", 2}, {30, "0.2", 6}, {6, "0.2", 1},
                 {10, "0.3", 3}, {2, "0.9", 1},  {2, "0.01", 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char *folder = data_folder();
        bool flags[120];
        size_t in_test = 0;
        struct dataset dataset;
        struct error error;
        write_numbered(folder, 120, cases[c].users);
        cr_assert(load_dataset(&dataset_hdf5, "made", cases[c].share, &dataset, &error), "%s", error.text);
        check_numbered(&dataset, 120, cases[c].users, flags);
        for (size_t i = 0; i < 120; i++)
            cr_expect_eq(flags[i], flags[i % cases[c].users], "a user is cut in two");
        for (size_t u = 0; u < cases[c].users; u++)
            in_test += flags[u];
        cr_expect_eq(in_test, cases[c].in_test, "case %zu: %zu users", c, in_test);
        cr_expect(attribute_line(&dataset, "test_part=users "));
        dataset_free(&dataset);
        remove_folder(folder);
    }
}

/* A good file of 10 samples × 3 features with one array replaced (rank -1: left out) or added. */
static const struct {
    const char *array;
    int rank;
    hsize_t dims[5];
    double step, modulus;
    size_t odd_index; /* one entry is another value */
    double odd;
    const char *expected;
} bad_h5[] = {
    {"x", -1, {0}, 0, 0, 0, 0, "made.h5 has no data set x of rank 2 to 4"},
    {"x", 5, {10, 1, 1, 1, 1}, 1, 0, 0, 0, "has no data set x of rank 2 to 4"},
    {"x", 1, {10}, 1, 0, 0, 0, "x has rank 1; valid: 2 (samples × features)"},
    {"x", 2, {10, 0}, 1, 0, 0, 0, "x is empty (10 × 0)"},
    {"x", 2, {0, 3}, 1, 0, 0, 0, "x is empty (0 × 3)"},
    {"x", 2, {9, 3}, 1, 0, 0, 0, "y has 10 entries for 9 samples"},
    {"x", 2, {10, 3}, 1, 0, 7, NAN, "x is not finite at sample 2, value 1 (nan"},
    {"x", 2, {10, 3}, 1, 0, 29, -INFINITY, "x is not finite at sample 9, value 2 (-inf"},
    {"x", 2, {10, 3}, 1, 0, 0, 1e300, "x is not finite at sample 0, value 0 (inf as float32)"},
    {"y", -1, {0}, 0, 0, 0, 0, "made.h5 has no data set y"},
    {"y", 1, {9}, 1, 2, 0, 0, "y has 9 entries for 10 samples"},
    {"y", 2, {10, 1}, 1, 2, 0, 0, "y has rank 2; valid: 1"},
    {"y", 1, {10}, 1, 2, 4, 0.5, "y[4] is 0.5; valid: whole numbers"},
    {"y", 1, {10}, 1, 2, 4, NAN, "y[4] is nan"},
    {"y", 1, {10}, 1, 2, 4, 1e17, "y[4] is 1e+17; valid: whole numbers between ±9007199254740992"},
    {"y", 1, {10}, 0, 0, 0, 0, "every label is 0; at least two classes are needed"},
    {"user", 1, {11}, 1, 3, 0, 0, "user has 11 entries for 10 samples"},
    {"user", 1, {10}, 1, 3, 0, 1.5, "user[0] is 1.5"},
    {"user", 1, {10}, 1, 3, 0, 3e9, "user[0] is 3e+09; valid: whole numbers between ±2147483647"},
    {"user", 1, {10}, 0, 0, 0, 0, "user names one user only"},
    {"x_test", 2, {5, 3}, 1, 0, 0, 0, "has no data set y_test"},
    {"x_test", 2, {5, 4}, 1, 0, 0, 0, "x_test is 5 × 4, a sample of x is 3"},
    {"x_test", 3, {5, 1, 3}, 1, 0, 0, 0, "x_test is 5 × 1 × 3, a sample of x is 3"},
    {"y_test", 1, {5}, 1, 2, 0, 0, "has y_test but no x_test"},
    {"user_test", 1, {5}, 1, 2, 0, 0, "has user_test but no x_test"},
};

Test(dataset_files, bad_hdf5_files)
{
    for (size_t i = 0; i < sizeof bad_h5 / sizeof *bad_h5; i++) {
        char *folder = data_folder();
        const hsize_t dims[] = {10, 3};
        double *x = count_up(30, 1, 0), *y = count_up(10, 1, 2);
        hid_t file = create_h5(folder, "made");
        if (strcmp(bad_h5[i].array, "x") != 0)
            put_array(file, "x", H5T_IEEE_F64LE, 2, dims, x);
        if (strcmp(bad_h5[i].array, "y") != 0)
            put_array(file, "y", H5T_IEEE_F64LE, 1, dims, y);
        if (bad_h5[i].rank > 0) {
            double *values = count_up(64, bad_h5[i].step, bad_h5[i].modulus);
            if (bad_h5[i].odd != 0)
                values[bad_h5[i].odd_index] = bad_h5[i].odd;
            put_array(file, bad_h5[i].array, H5T_IEEE_F64LE, bad_h5[i].rank, bad_h5[i].dims, values);
            free(values);
        }
        H5Fclose(file);
        expect_failure(&dataset_hdf5, "made", bad_h5[i].expected, bad_h5[i].expected);
        expect_failure(&dataset_hdf5, "made", "docs/datasets.md", bad_h5[i].expected);
        free(x);
        free(y);
        remove_folder(folder);
    }
}

Test(dataset_files, hdf5_damaged_absent_mixed)
{
    char *folder = data_folder();
    expect_failure(&dataset_hdf5, "made", "no file made.h5 in", "absent");
    write_numbered(folder, 2000, 0);
    char *path = format_text("%s/made.h5", folder);
    cr_assert_eq(truncate(path, 3000), 0);
    expect_failure(&dataset_hdf5, "made", "made.h5 is damaged or cut off", "cut");
    free(path);
    free(write_file(folder, "made.h5", "x,y\n1,2\n"));
    expect_failure(&dataset_hdf5, "made", "made.h5 is not an HDF5 file", "text");

    const hsize_t dims[] = {4, 1, 2, 2};
    double *values = count_up(16, 1, 0);
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_STD_U8LE, 4, dims, values);
    put_column(file, "y", 4, values);
    put_array(file, "x_test", H5T_IEEE_F32LE, 4, dims, values);
    put_column(file, "y_test", 4, values);
    H5Fclose(file);
    expect_failure(&dataset_hdf5, "made", "of x and x_test one holds 8-bit images", "mixed types");
    free(values);
    remove_folder(folder);
}
