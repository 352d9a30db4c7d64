/* SPDX-License-Identifier: GPL-3.0-or-later
 * MNIST's IDX files, gzipped or plain: a big-endian magic number (type and rank), the dimensions, the bytes.
 * Format: http://yann.lecun.com/exdb/mnist */
#include "datasets.h"
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 28
#define CLASSES 10

struct idx_set { const char *name, *get; };

/* A part's labels follow its images. */
enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

/* What a file of the four must be. */
struct idx_kind { const char *holds; uint32_t magic; size_t header, item; };
static const struct idx_kind images = {"images", 0x803, 16, SIDE * SIDE}, labels = {"labels", 0x801, 8, 1};

static const struct { const char *name; const struct idx_kind *kind; } standard_files[FILES] = {
    [TRAIN_IMAGES] = {"train-images-idx3-ubyte", &images},
    [TRAIN_LABELS] = {"train-labels-idx1-ubyte", &labels},
    [TEST_IMAGES] = {"t10k-images-idx3-ubyte", &images},
    [TEST_LABELS] = {"t10k-labels-idx1-ubyte", &labels},
};

struct idx_file {
    char *path;
    struct bytes content; /* unpacked; of a gzip file that is only described, its header alone */
    size_t count;
};

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* FOLDER/NAME, else FOLDER/NAME.gz. */
static char *find_file(const char *folder, const char *name, struct error *error)
{
    static const char *const endings[] = {"", ".gz"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *path = format_text("%s/%s%s", folder, name, endings[i]);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    fail(error, "%s/%s.gz is not there, nor %s without .gz", folder, name, name);
    return NULL;
}

static bool ends_in_gz(const char *path)
{
    size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".gz") == 0;
}

/* Adds the file's bytes to the checksum and unpacks them, up to `limit`. */
static bool unpack(struct idx_file *file, size_t limit, SHA2_CTX *checksum, struct error *error)
{
    struct bytes raw;
    if (!bytes_read(file->path, &raw, error))
        return false;
    SHA256Update(checksum, raw.data, raw.size);
    if (!bytes_are_gzip(&raw)) {
        file->content = raw;
        return !ends_in_gz(file->path) || fail(error, "%s is not a gzip file", file->path);
    }
    bool ok = bytes_inflate(&raw, limit, file->path, &file->content, error);
    bytes_free(&raw);
    return ok;
}

static bool check_header(struct idx_file *file, const struct idx_kind *kind, struct error *error)
{
    const unsigned char *data = file->content.data;
    if (file->content.size < kind->header)
        return fail(error, "%s is cut off: %zu bytes are fewer than an IDX header of %s has (%zu)",
                    file->path, file->content.size, kind->holds, kind->header);
    uint32_t magic = big_endian(data);
    if (magic != kind->magic)
        return fail(error, "%s: its magic number is 0x%08x, but an IDX file of %s starts with 0x%08x%s",
                    file->path, magic, kind->holds, kind->magic,
                    magic == images.magic   ? " (it holds images)"
                    : magic == labels.magic ? " (it holds labels)"
                                            : "");
    file->count = big_endian(data + 4);
    if (file->count == 0)
        return fail(error, "%s holds no %s", file->path, kind->holds);
    if (kind == &images && (big_endian(data + 8) != SIDE || big_endian(data + 12) != SIDE))
        return fail(error, "%s: its images have %u × %u pixels; valid: %d × %d", file->path,
                    big_endian(data + 8), big_endian(data + 12), SIDE, SIDE);
    return true;
}

static bool check_size(const struct idx_file *file, const struct idx_kind *kind, struct error *error)
{
    size_t promised = kind->header + file->count * kind->item;
    if (file->content.size < promised)
        return fail(error, "%s is cut off: it holds %zu bytes, but its header promises %zu %s, which are %zu",
                    file->path, file->content.size, file->count, kind->holds, promised);
    if (file->content.size > promised)
        return fail(error, "%s: %zu bytes follow the %zu %s that its header promises", file->path,
                    file->content.size - promised, file->count, kind->holds);
    return true;
}

static bool read_file(const char *folder, int which, bool samples, SHA2_CTX *checksum, struct idx_file *file,
                      struct error *error)
{
    const struct idx_kind *kind = standard_files[which].kind;
    file->path = find_file(folder, standard_files[which].name, error);
    return file->path && unpack(file, samples ? SIZE_MAX : kind->header, checksum, error) &&
           check_header(file, kind, error) && (!samples || check_size(file, kind, error));
}

static bool check_labels(const struct idx_file *file, bool every_class, struct error *error)
{
    size_t occurs[CLASSES] = {0};
    const unsigned char *values = file->content.data + labels.header;
    for (size_t i = 0; i < file->count; i++) {
        if (values[i] >= CLASSES)
            return fail(error, "%s: label %zu is %d; valid: 0 to %d", file->path, i, values[i], CLASSES - 1);
        occurs[values[i]]++;
    }
    for (int c = 0; every_class && c < CLASSES; c++)
        if (occurs[c] == 0)
            return fail(error, "%s: no sample has label %d; the set promises every label from 0 to %d",
                        file->path, c, CLASSES - 1);
    return true;
}

static void fill_part(struct part *part, const struct idx_file *image_file, const struct idx_file *label_file)
{
    const unsigned char *pixels = image_file->content.data + images.header;
    const unsigned char *values = label_file->content.data + labels.header;
    part->x = xmalloc(part->count * images.item * sizeof *part->x);
    part->y = xmalloc(part->count * sizeof *part->y);
    bytes_scale(pixels, part->count * images.item, part->x);
    for (size_t i = 0; i < part->count; i++)
        part->y[i] = values[i];
}

/* Of one part's two files, already read. */
static bool take_part(struct part *part, const struct idx_file files[2], bool samples, bool every_class,
                      struct error *error)
{
    if (files[0].count != files[1].count)
        return fail(error, "%s holds %zu images, but %s holds %zu labels", files[0].path, files[0].count,
                    files[1].path, files[1].count);
    if (samples && !check_labels(&files[1], every_class, error))
        return false;
    part->count = files[0].count;
    if (samples)
        fill_part(part, &files[0], &files[1]);
    return true;
}

/* The bytes of one part are gone before the next part's are read: with the floats they set a run's peak memory. */
static bool read_part(const char *folder, int images_file, bool samples, SHA2_CTX *checksum, struct part *part,
                      struct error *error)
{
    struct idx_file files[2] = {0};
    bool ok = read_file(folder, images_file, samples, checksum, &files[0], error) &&
              read_file(folder, images_file + 1, samples, checksum, &files[1], error) &&
              take_part(part, files, samples, images_file == TRAIN_IMAGES, error);
    for (int i = 0; i < 2; i++) {
        free(files[i].path);
        bytes_free(&files[i].content);
    }
    return ok;
}

static bool read_set(const struct idx_set *set, bool samples, struct dataset *dataset, struct error *error)
{
    char *folder = dataset_find_folder((const char *const[]){set->name, NULL}, error);
    SHA2_CTX checksum;
    *dataset = (struct dataset){
        .rank = 3, .shape = {1, SIDE, SIDE}, .features = SIDE * SIDE, .classes = CLASSES};
    SHA256Init(&checksum);
    bool ok = folder && read_part(folder, TRAIN_IMAGES, samples, &checksum, &dataset->train, error) &&
              read_part(folder, TEST_IMAGES, samples, &checksum, &dataset->test, error);
    if (ok) {
        snprintf(dataset->name, sizeof dataset->name, "%s", set->name);
        SHA256End(&checksum, dataset->sha256);
        dataset->attributes = format_text("path=%s\n", folder);
    }
    free(folder);
    return ok || dataset_fail(dataset, set->name, set->get, error);
}

static const struct idx_set fashion_mnist = {
    .name = "fashion-mnist",
    .get = "`apt-get install --reinstall dataset-fashion-mnist` installs the four files",
};

static const struct idx_set mnist = {
    .name = "mnist",
    .get = "put the four original files (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
           "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz) into $BITSWEEP_DATA/mnist",
};

static bool describe_fashion_mnist(const struct settings *settings, struct dataset *dataset,
                                   struct error *error)
{
    (void)settings;
    return read_set(&fashion_mnist, false, dataset, error);
}

static bool load_fashion_mnist(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    (void)settings;
    return read_set(&fashion_mnist, true, dataset, error);
}

static bool describe_mnist(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    (void)settings;
    return read_set(&mnist, false, dataset, error);
}

static bool load_mnist(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    (void)settings;
    return read_set(&mnist, true, dataset, error);
}

const struct dataset_ops dataset_fashion_mnist = {
    .plug = {.name = "fashion-mnist",
             .help = "28×28 grey images of clothes, 10 classes, 60,000 + 10,000 (Xiao et al. 2017).",
             .version = 1},
    .describe = describe_fashion_mnist,
    .load = load_fashion_mnist,
};

const struct dataset_ops dataset_mnist = {
    .plug = {.name = "mnist",
             .help = "28×28 grey images of digits, 10 classes, 60,000 + 10,000 (LeCun et al. 1998).",
             .version = 1},
    .describe = describe_mnist,
    .load = load_mnist,
};
