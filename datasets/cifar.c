/* SPDX-License-Identifier: GPL-3.0-or-later
 * CIFAR's binary files: records of one byte a label and then the red, green and blue plane, nothing else.
 * Format: https://www.cs.toronto.edu/~kriz/cifar.html */
#include "datasets.h"
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 3
#define SIDE 32
#define PIXELS (CHANNELS * SIDE * SIDE)
#define MAX_LABELS 2

struct cifar_label { const char *name; int classes; };

struct cifar_set {
    const char *name, *get;
    const char *folders[3];                 /* its names, NULL-terminated */
    const char *train_files[6], *test_file; /* in the order in which they are read, NULL-terminated */
    size_t train, test;                     /* official counts */
    size_t label_count;                     /* bytes before a record's pixels */
    struct cifar_label labels[MAX_LABELS];
};

/* One reading of a set. */
struct reading {
    const struct cifar_set *set;
    size_t label; /* which of the labels becomes the class */
    bool samples; /* wanted, not only counted */
    char *folder;
    SHA2_CTX checksum;
};

static size_t record_size(const struct cifar_set *set) { return set->label_count + PIXELS; }

static bool check_size(const struct cifar_set *set, const char *path, size_t size, struct error *error)
{
    size_t record = record_size(set);
    if (size == 0)
        return fail(error, "%s is empty", path);
    return size % record == 0 ||
           fail(error, "%s is cut off, or not of %s: %zu whole records of %zu bytes, then %zu bytes more",
                path, set->name, size / record, record, size % record);
}

/* Those too that are not asked for: a label out of range shows a wrong layout. */
static bool check_labels(const struct cifar_set *set, const char *path, const struct bytes *content,
                         struct error *error)
{
    for (size_t i = 0; i < content->size / record_size(set); i++)
        for (size_t l = 0; l < set->label_count; l++) {
            int value = content->data[i * record_size(set) + l];
            if (value >= set->labels[l].classes)
                return fail(error, "%s: the %s of record %zu (the first is 0) is %d; valid: 0 to %d", path,
                            set->labels[l].name, i, value, set->labels[l].classes - 1);
        }
    return true;
}

/* Copies the last `count` samples of the part from their records. */
static void add_samples(const struct reading *reading, const unsigned char *record, size_t count,
                        struct part *part)
{
    size_t labels = reading->set->label_count;
    part->x = xrealloc(part->x, part->count * PIXELS * sizeof *part->x);
    part->y = xrealloc(part->y, part->count * sizeof *part->y);
    for (size_t i = part->count - count; i < part->count; i++, record += record_size(reading->set)) {
        part->y[i] = record[reading->label];
        bytes_scale(record + labels, PIXELS, part->x + i * PIXELS);
    }
}

static bool read_file(struct reading *reading, const char *name, struct part *part, struct error *error)
{
    const struct cifar_set *set = reading->set;
    struct bytes content;
    char *path = format_text("%s/%s", reading->folder, name);
    bool ok = bytes_read(path, &content, error) && check_size(set, path, content.size, error) &&
              check_labels(set, path, &content, error);
    if (ok) {
        size_t count = content.size / record_size(set);
        SHA256Update(&reading->checksum, content.data, content.size);
        part->count += count;
        if (reading->samples)
            add_samples(reading, content.data, count, part);
    }
    bytes_free(&content);
    free(path);
    return ok;
}

/* Part of a set is as good as a whole one, but its results are others. */
static char *attribute_lines(const struct reading *reading, const struct dataset *dataset)
{
    const struct cifar_set *set = reading->set;
    bool official = dataset->train.count == set->train && dataset->test.count == set->test;
    char *records = format_text("records=%zu training, %zu test; the official set has %zu and %zu\n",
                                dataset->train.count, dataset->test.count, set->train, set->test);
    char *kind = format_text("class_kind=%s\n", set->labels[reading->label].name);
    char *lines = format_text("path=%s\n%s%s", reading->folder, official ? "" : records,
                              set->label_count > 1 ? kind : "");
    free(records);
    free(kind);
    return lines;
}

static bool read_set(const struct cifar_set *set, size_t label, bool samples, struct dataset *dataset,
                     struct error *error)
{
    struct reading reading = {.set = set, .label = label, .samples = samples,
                              .folder = dataset_find_folder(set->folders, error)};
    bool ok = reading.folder != NULL;
    *dataset = (struct dataset){.rank = 3, .shape = {CHANNELS, SIDE, SIDE}, .features = PIXELS,
                                .classes = set->labels[label].classes};
    snprintf(dataset->name, sizeof dataset->name, "%s", set->name);
    SHA256Init(&reading.checksum);
    for (size_t i = 0; ok && set->train_files[i]; i++)
        ok = read_file(&reading, set->train_files[i], &dataset->train, error);
    ok = ok && read_file(&reading, set->test_file, &dataset->test, error);
    if (ok) {
        SHA256End(&reading.checksum, dataset->sha256);
        dataset->attributes = attribute_lines(&reading, dataset);
    }
    free(reading.folder);
    return ok || dataset_fail(dataset, set->name, set->get, error);
}

#define GET(ARCHIVE, MD5) \
    "unpack the official archive " ARCHIVE " (md5 " MD5 \
    ", from https://www.cs.toronto.edu/~kriz/cifar.html) into $BITSWEEP_DATA"

static const struct cifar_set cifar10 = {
    .name = "cifar10",
    .get = GET("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    .folders = {"cifar-10-batches-bin", "cifar10"},
    .train_files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                    "data_batch_5.bin"},
    .test_file = "test_batch.bin",
    .train = 50000, .test = 10000,
    .label_count = 1, .labels = {{"label", 10}},
};

enum { COARSE, FINE };
static const struct cifar_set cifar100 = {
    .name = "cifar100",
    .get = GET("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
    .folders = {"cifar-100-binary", "cifar100"},
    .train_files = {"train.bin"},
    .test_file = "test.bin",
    .train = 50000, .test = 10000,
    .label_count = 2, .labels = {[COARSE] = {"coarse label", 20}, [FINE] = {"fine label", 100}},
};

static bool describe_cifar10(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    (void)settings;
    return read_set(&cifar10, 0, false, dataset, error);
}

static bool load_cifar10(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    (void)settings;
    return read_set(&cifar10, 0, true, dataset, error);
}

static size_t wanted_label(const struct settings *settings)
{
    return setting_is(settings, "labels", "coarse") ? COARSE : FINE;
}

static bool describe_cifar100(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return read_set(&cifar100, wanted_label(settings), false, dataset, error);
}

static bool load_cifar100(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return read_set(&cifar100, wanted_label(settings), true, dataset, error);
}

static const struct param *const cifar100_params[] = {
    &(const struct param){.name = "labels", .type = PARAM_CHOICE, .fallback = "fine",
        .choices = (const char *const[]){"fine", "coarse", NULL}, .source = "ours",
        .help = "The classes: CIFAR-100's 100 fine labels, or its 20 coarse ones."},
    NULL
};

const struct dataset_ops dataset_cifar10 = {
    .plug = {.name = "cifar10",
             .help = "32×32 colour images, 10 classes, 50,000 + 10,000 (Krizhevsky 2009).",
             .version = 1},
    .describe = describe_cifar10,
    .load = load_cifar10,
};

const struct dataset_ops dataset_cifar100 = {
    .plug = {.name = "cifar100",
             .help = "32×32 colour images, 100 classes in 20 groups, 50,000 + 10,000 (Krizhevsky 2009).",
             .version = 1, .params = cifar100_params},
    .describe = describe_cifar100,
    .load = load_cifar100,
};
