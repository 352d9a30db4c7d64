/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading CIFAR's binary layouts from files made here, good and bad. */
#include "../bench/settings.h"
#include "dataset_files.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGE = 3 * 32 * 32, BATCH = 4, TESTS = 20 };

/* Both layouts. The training records are numbered from 0 on, those for testing from 1000 on. */
static const struct layout {
    const char *name, *folder, *other_folder;
    const struct dataset_ops *ops;
    size_t labels; /* bytes before the pixels */
    const char *files[7];
} layouts[] = {
    {"cifar10", "cifar-10-batches-bin", "cifar10", &dataset_cifar10, 1,
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
      "test_batch.bin"}},
    {"cifar100", "cifar-100-binary", "cifar100", &dataset_cifar100, 2, {"train.bin", "test.bin"}},
};
enum { CIFAR10, CIFAR100, LAYOUTS };

static unsigned char image_byte(size_t record, size_t pixel)
{
    return (unsigned char)(record * 71 + pixel * 13 + pixel / 1024 * 101);
}
static unsigned char ten_label(size_t record) { return (unsigned char)(record * 7 % 10); }
static unsigned char coarse_label(size_t record) { return (unsigned char)(record * 3 % 20); }
static unsigned char fine_label(size_t record) { return (unsigned char)(99 - record % 100); }

static size_t train_files(const struct layout *layout) { return layout == &layouts[CIFAR10] ? 5 : 1; }
static size_t train_records(const struct layout *layout) { return train_files(layout) * BATCH; }

static void write_records(const struct layout *layout, const char *path, size_t first, size_t count)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    for (size_t i = first; i < first + count; i++) {
        putc(layout->labels == 1 ? ten_label(i) : coarse_label(i), file);
        if (layout->labels == 2)
            putc(fine_label(i), file);
        for (size_t p = 0; p < IMAGE; p++)
            putc(image_byte(i, p), file);
    }
    cr_assert_eq(fclose(file), 0);
}

/* FOLDER/NAME with all files of the layout: BATCH records in each training file, TESTS for testing. */
static void write_set(const struct layout *layout, const char *folder, const char *name)
{
    run_shell(format_text("mkdir -p %s/%s", folder, name));
    for (size_t f = 0; layout->files[f]; f++) {
        bool test = f == train_files(layout);
        char *path = format_text("%s/%s/%s", folder, name, layout->files[f]);
        write_records(layout, path, test ? 1000 : f * BATCH, test ? TESTS : BATCH);
        free(path);
    }
}

/* labels: "labels=coarse", or NULL for the default. */
static bool load_set(const struct layout *layout, const char *labels, struct dataset *dataset,
                     struct error *error)
{
    char *name = format_text("dataset=%s", layout->name);
    struct settings settings = make_settings(name, "budget=4", labels, NULL);
    bool ok = layout->ops->load(&settings, dataset, error);
    settings_free(&settings);
    free(name);
    return ok;
}

static void load_or_stop(const struct layout *layout, const char *labels, struct dataset *dataset)
{
    struct error error = {""};
    cr_assert(load_set(layout, labels, dataset, &error), "%s", error.text);
}

/* Loading fails, the error says `expected` and how to get the set, and nothing is left. */
static void expect_bad(const struct layout *layout, const char *expected)
{
    struct dataset dataset;
    struct error error = {""};
    const char *help = layout == &layouts[CIFAR10]
                           ? "cifar-10-binary.tar.gz (md5 c32a1d4ab5d03f1284b67883e8d87530"
                           : "cifar-100-binary.tar.gz (md5 03b5dce01913d631647c71ecec9e9cb8";
    cr_expect(!load_set(layout, NULL, &dataset, &error), "accepted, instead of: %s", expected);
    cr_expect(strstr(error.text, expected) != NULL, "expected '%s' in: %s", expected, error.text);
    cr_expect(strstr(error.text, help) && strstr(error.text, "into $BITSWEEP_DATA"), "no help in: %s",
              error.text);
    cr_expect(strstr(error.text, layout->name) == error.text + strlen("data set "), "%s", error.text);
    cr_expect(!dataset.train.x && !dataset.train.y && !dataset.attributes, "%s: something is left", expected);
}

static void check_part(const struct part *part, size_t first, size_t count, unsigned char (*label)(size_t))
{
    cr_assert_eq(part->count, count);
    cr_expect_null(part->user);
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(part->y[i], label(first + i));
        for (size_t p = 0; p < IMAGE; p++)
            cr_assert_float_eq(part->x[i * IMAGE + p], image_byte(first + i, p) / 255.0, 1e-7);
    }
}

static void check_set(const struct layout *layout, const struct dataset *dataset, int classes,
                      unsigned char (*label)(size_t))
{
    cr_expect_str_eq(dataset->name, layout->name);
    cr_expect_eq(dataset->classes, classes);
    cr_expect_eq(dataset->rank, 3);
    cr_expect(dataset->shape[0] == 3 && dataset->shape[1] == 32 && dataset->shape[2] == 32 &&
              dataset->features == IMAGE);
    check_part(&dataset->train, 0, train_records(layout), label);
    check_part(&dataset->test, 1000, TESTS, label);
}

Test(cifar, ten_batches_in_order)
{
    char *folder = data_folder();
    struct dataset dataset;
    write_set(&layouts[CIFAR10], folder, "cifar-10-batches-bin");
    load_or_stop(&layouts[CIFAR10], NULL, &dataset);
    check_set(&layouts[CIFAR10], &dataset, 10, ten_label);
    cr_expect(attribute_line(&dataset, "records=20 training, 20 test; the official set has 50000"));
    cr_expect_null(attribute_line(&dataset, "class_kind="));
    dataset_free(&dataset);
    remove_folder(folder);
}

Test(cifar, hundred_fine_and_coarse)
{
    char *folder = data_folder();
    struct dataset dataset;
    write_set(&layouts[CIFAR100], folder, "cifar-100-binary");
    load_or_stop(&layouts[CIFAR100], NULL, &dataset);
    check_set(&layouts[CIFAR100], &dataset, 100, fine_label);
    cr_expect(attribute_line(&dataset, "class_kind=fine label\n"));
    dataset_free(&dataset);
    load_or_stop(&layouts[CIFAR100], "labels=coarse", &dataset);
    check_set(&layouts[CIFAR100], &dataset, 20, coarse_label);
    cr_expect(attribute_line(&dataset, "class_kind=coarse label\n"));
    dataset_free(&dataset);
    remove_folder(folder);
}

Test(cifar, checksum_and_description)
{
    for (size_t l = 0; l < LAYOUTS; l++) {
        const struct layout *layout = &layouts[l];
        char *folder = data_folder(), *files = xstrdup("");
        struct dataset dataset, described;
        struct error error = {""};
        write_set(layout, folder, layout->folder);
        for (size_t f = 0; layout->files[f]; f++) {
            char *longer = format_text("%s %s", files, layout->files[f]);
            free(files);
            files = longer;
        }
        char *sum = shell_word(format_text("cd %s/%s && cat %s | sha256sum", folder, layout->folder, files));
        load_or_stop(layout, NULL, &dataset);
        cr_expect_str_eq(dataset.sha256, sum);
        struct settings settings = settings_of("labels", "fine", NULL);
        cr_assert(layout->ops->describe(&settings, &described, &error), "%s", error.text);
        cr_expect_str_eq(described.sha256, sum);
        cr_expect_str_eq(described.attributes, dataset.attributes);
        cr_expect(described.train.count == train_records(layout) && described.test.count == TESTS);
        cr_expect(described.classes == dataset.classes && !described.train.x && !described.test.y);
        settings_free(&settings);
        dataset_free(&described);
        dataset_free(&dataset);
        free(sum);
        free(files);
        remove_folder(folder);
    }
}

/* The short name of a folder in an earlier place goes before the official name in a later one; in one place
 * the official name goes first. */
Test(cifar, folders)
{
    for (size_t l = 0; l < LAYOUTS; l++) {
        const struct layout *layout = &layouts[l];
        char *folder = temporary_folder(), *later = format_text("%s/datasets/data", folder);
        struct dataset dataset;
        cr_assert_eq(chdir(folder), 0);
        setenv("BITSWEEP_DATA", "own", 1);
        write_set(layout, later, layout->folder);
        write_set(layout, "own", layout->other_folder);
        load_or_stop(layout, NULL, &dataset);
        char *expected = format_text("path=own/%s\n", layout->other_folder);
        cr_expect(attribute_line(&dataset, expected), "%s", dataset.attributes);
        dataset_free(&dataset);
        free(expected);
        write_set(layout, "own", layout->folder);
        load_or_stop(layout, NULL, &dataset);
        expected = format_text("path=own/%s\n", layout->folder);
        cr_expect(attribute_line(&dataset, expected), "%s", dataset.attributes);
        dataset_free(&dataset);
        free(expected);
        free(later);
        remove_folder(folder);
    }
}

/* One record, so 99 classes without any training sample. */
Test(cifar, smallest_set)
{
    char *folder = data_folder(), *path = format_text("%s/cifar100/train.bin", folder);
    struct dataset dataset;
    write_set(&layouts[CIFAR100], folder, "cifar100");
    write_records(&layouts[CIFAR100], path, 0, 1);
    load_or_stop(&layouts[CIFAR100], NULL, &dataset);
    check_part(&dataset.train, 0, 1, fine_label);
    cr_expect_eq(dataset.classes, 100);
    cr_expect(attribute_line(&dataset, "records=1 training, 20 test"));
    dataset_free(&dataset);
    free(path);
    remove_folder(folder);
}

enum { SET, CUT, REMOVE, DIRECTORY, NO_FOLDER };
static const struct {
    int layout, file, action;
    long at;
    int value;
    const char *expected;
} bad[] = {
    {CIFAR10, 0, NO_FOLDER, 0, 0, "no folder cifar-10-batches-bin or cifar10 in "},
    {CIFAR100, 0, NO_FOLDER, 0, 0, "no folder cifar-100-binary or cifar100 in "},
    {CIFAR10, 2, REMOVE, 0, 0, "cifar-10-batches-bin/data_batch_3.bin: No such file"},
    {CIFAR10, 5, REMOVE, 0, 0, "cifar-10-batches-bin/test_batch.bin: No such file"},
    {CIFAR100, 0, REMOVE, 0, 0, "cifar-100-binary/train.bin: No such file"},
    {CIFAR100, 1, REMOVE, 0, 0, "cifar-100-binary/test.bin: No such file"},
    {CIFAR100, 1, DIRECTORY, 0, 0, "cifar-100-binary/test.bin is not a regular file"},
    {CIFAR10, 0, CUT, 0, 0, "data_batch_1.bin is empty"},
    {CIFAR100, 1, CUT, 0, 0, "test.bin is empty"},
    {CIFAR10, 4, CUT, 3072, 0,
     "data_batch_5.bin is cut off, or not of cifar10: 0 whole records of 3073 bytes, then 3072 bytes more"},
    {CIFAR10, 1, CUT, 3 * 3073 + 1, 0, "data_batch_2.bin is cut off, or not of cifar10: 3 whole records"},
    {CIFAR100, 0, CUT, 4 * 3074 - 1, 0,
     "train.bin is cut off, or not of cifar100: 3 whole records of 3074 bytes, then 3073 bytes"},
    {CIFAR10, 1, SET, 2 * 3073, 10,
     "data_batch_2.bin: the label of record 2 (the first is 0) is 10; valid: 0 to 9"},
    {CIFAR10, 5, SET, 19 * 3073, 255, "test_batch.bin: the label of record 19 (the first is 0) is 255"},
    {CIFAR100, 0, SET, 3 * 3074, 20,
     "train.bin: the coarse label of record 3 (the first is 0) is 20; valid: 0 to 19"},
    {CIFAR100, 1, SET, 3074 + 1, 100,
     "test.bin: the fine label of record 1 (the first is 0) is 100; valid: 0 to 99"},
};

static void spoil(const char *path, int action, long at, int value)
{
    if (action == REMOVE || action == DIRECTORY) {
        cr_assert_eq(unlink(path), 0);
        if (action == DIRECTORY)
            run_shell(format_text("mkdir %s", path));
    } else if (action == CUT) {
        cr_assert_eq(truncate(path, at), 0);
    } else {
        FILE *file = fopen(path, "r+b");
        cr_assert(file && fseek(file, at, SEEK_SET) == 0 && putc(value, file) == value && fclose(file) == 0);
    }
}

Test(cifar, bad_files)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct layout *layout = &layouts[bad[i].layout];
        char *folder = data_folder();
        char *path = format_text("%s/%s/%s", folder, layout->folder, layout->files[bad[i].file]);
        cr_assert_eq(chdir(folder), 0); /* away from what datasets/data may hold */
        if (bad[i].action != NO_FOLDER) {
            write_set(layout, folder, layout->folder);
            spoil(path, bad[i].action, bad[i].at, bad[i].value);
        }
        expect_bad(layout, bad[i].expected);
        free(path);
        remove_folder(folder);
    }
}

/* The record of the other layout is one byte longer or shorter, so a file of the wrong set is seen. */
Test(cifar, wrong_layout)
{
    char *folder = data_folder(), *path = format_text("%s/cifar100/test.bin", folder);
    write_set(&layouts[CIFAR100], folder, "cifar100");
    write_records(&layouts[CIFAR10], path, 0, 10);
    expect_bad(&layouts[CIFAR100], "test.bin is cut off, or not of cifar100");
    free(path);
    remove_folder(folder);
}

Test(cifar, labels_key)
{
    struct error error;
    char *value;
    const struct param *param = dataset_cifar100.plug.params[0];
    cr_expect_str_eq(param->fallback, "fine");
    cr_expect_not(param_parse(param, "medium", &value, &error));
    cr_expect(strstr(error.text, "fine") && strstr(error.text, "coarse"), "%s", error.text);
    cr_expect_null(dataset_cifar10.plug.params);
    for (size_t l = 0; l < LAYOUTS; l++)
        cr_expect_eq(plug_find(PLUG_DATASET, layouts[l].name), &layouts[l].ops->plug);
}

Test(cifar, convert_round_trip)
{
    for (size_t l = 0; l < LAYOUTS; l++) {
        char *folder = data_folder(), *path = format_text("%s/copy.h5", folder);
        struct dataset before, after;
        struct error error = {""};
        write_set(&layouts[l], folder, layouts[l].other_folder);
        load_or_stop(&layouts[l], l == CIFAR100 ? "labels=coarse" : NULL, &before);
        cr_assert(dataset_write(path, &before, &error), "%s", error.text);
        load_or_fail(&dataset_hdf5, "copy", &after);
        cr_expect(after.classes == before.classes && after.rank == 3 && after.features == IMAGE);
        check_part(&after.train, 0, train_records(&layouts[l]), l == CIFAR10 ? ten_label : coarse_label);
        check_part(&after.test, 1000, TESTS, l == CIFAR10 ? ten_label : coarse_label);
        char *origin = format_text("converted_from=%s\n", layouts[l].name);
        cr_expect(attribute_line(&after, origin));
        free(origin);
        cr_expect_eq(attribute_line(&after, "class_kind=coarse label\n") != NULL, l == CIFAR100);
        dataset_free(&before);
        dataset_free(&after);
        free(path);
        remove_folder(folder);
    }
}
