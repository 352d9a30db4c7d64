/* SPDX-License-Identifier: GPL-3.0-or-later
 * The generic HDF5 layout: x (samples × features, × channels × length, or × channels × height × width), y
 * (labels), and perhaps user, x_test, y_test, user_test. docs/datasets.md describes it for users. */
#include "../results/h5.h"
#include "datasets.h"
#include "users.h"
#include <inttypes.h>
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_WHOLE 0x1p53 /* doubles hold every whole number up to here */

enum { TRAIN, TEST, PARTS };
static const struct {
    const char *x, *y, *user;
} names[PARTS] = {{"x", "y", "user"}, {"x_test", "y_test", "user_test"}};

struct file_part { size_t count; int64_t *label, *user; /* count each; user: or NULL */ };

/* A file's content without its samples. */
struct content {
    const char *path;
    struct h5 *file;
    bool has_test, pixels; /* pixels: 8-bit images, to be scaled to 0..1 */
    struct file_part part[PARTS];
    bool *in_test; /* part[TRAIN].count: the samples kept for testing; NULL if the file has a test part */
    char *test_note;
    int64_t *labels;       /* the labels of classes 0, 1, ... */
    size_t classes;
};

static void close_content(struct content *content)
{
    if (content->file)
        h5_close(content->file);
    for (int i = 0; i < PARTS; i++) {
        free(content->part[i].label);
        free(content->part[i].user);
    }
    free(content->in_test);
    free(content->test_note);
    free(content->labels);
}

static bool exists(struct content *content, const char *name)
{
    int rank;
    size_t shape[4];
    return h5_shape(content->file, name, &rank, shape);
}

/* "9120 × 405" */
static char *shape_text(int rank, const size_t *shape)
{
    char *text = xstrdup("");
    for (int i = 0; i < rank; i++) {
        char *longer = format_text("%s%s%zu", text, i ? " × " : "", shape[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* The shape of x or x_test; both parts must agree on all but the number of samples. */
static bool read_shape(struct content *content, int which, struct dataset *dataset, struct error *error)
{
    const char *name = names[which].x;
    int rank;
    size_t shape[4];
    if (!h5_shape(content->file, name, &rank, shape))
        return fail(error, "%s has no data set %s of rank 2 to 4", content->path, name);
    if (rank < 2)
        return fail(error, "%s: %s has rank %d; valid: 2 (samples × features), 3 (× channels × length), "
                    "4 (× channels × height × width)", content->path, name, rank);
    char *text = shape_text(rank, shape);
    bool ok = true;
    for (int i = 0; i < rank && ok; i++)
        ok = shape[i] > 0 || fail(error, "%s: %s is empty (%s)", content->path, name, text);
    if (ok && which == TEST) {
        bool same = rank - 1 == dataset->rank &&
                    memcmp(shape + 1, dataset->shape, sizeof *shape * (size_t)(rank - 1)) == 0;
        char *train = shape_text(dataset->rank, dataset->shape);
        ok = same || fail(error, "%s: x and x_test do not match: x_test is %s, a sample of x is %s",
                          content->path, text, train);
        free(train);
    }
    free(text);
    if (!ok)
        return false;
    content->part[which].count = shape[0];
    dataset->rank = rank - 1;
    dataset->features = 1;
    for (int i = 1; i < rank; i++) {
        dataset->shape[i - 1] = shape[i];
        dataset->features *= shape[i];
    }
    return true;
}

static bool check_whole(const struct content *content, const char *name, const double *values, size_t count,
                        double largest, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!(values[i] == floor(values[i]) && fabs(values[i]) <= largest))
            return fail(error, "%s: %s[%zu] is %g; valid: whole numbers between ±%.0f", content->path, name,
                        i, values[i], largest);
    return true;
}

/* One whole number a sample. */
static bool read_column(struct content *content, const char *name, size_t count, double largest,
                        int64_t **out, struct error *error)
{
    int rank;
    size_t shape[4];
    if (!h5_shape(content->file, name, &rank, shape))
        return fail(error, "%s has no data set %s", content->path, name);
    if (rank != 1)
        return fail(error, "%s: %s has rank %d; valid: 1 (a number a sample)", content->path, name, rank);
    if (shape[0] != count)
        return fail(error, "%s: %s has %zu entries for %zu samples", content->path, name, shape[0], count);
    double *values = xmalloc(count * sizeof *values);
    bool ok = h5_read(content->file, name, RECORD_F64, values, error) &&
              check_whole(content, name, values, count, largest, error);
    if (ok) {
        *out = xmalloc(count * sizeof **out);
        for (size_t i = 0; i < count; i++)
            (*out)[i] = (int64_t)values[i];
    }
    free(values);
    return ok;
}

static bool read_part_header(struct content *content, int which, struct dataset *dataset, struct error *error)
{
    struct file_part *part = &content->part[which];
    return read_shape(content, which, dataset, error) &&
           read_column(content, names[which].y, part->count, LARGEST_WHOLE, &part->label, error) &&
           (!exists(content, names[which].user) ||
            read_column(content, names[which].user, part->count, INT32_MAX, &part->user, error));
}

/* ---- the test part of a file without one: always the same samples -------------------------------- */

#define SPLIT_SEED 0

static bool keep_samples(struct content *content, double share, struct error *error)
{
    size_t count = content->part[TRAIN].count, wanted = (size_t)llround(share * (double)count);
    if (count < 2)
        return fail(error, "%s: x holds one sample, so none can be kept for testing", content->path);
    wanted = wanted < 1 ? 1 : wanted < count ? wanted : count - 1;
    uint32_t *order = xmalloc(count * sizeof *order);
    rng_permutation(rng_key(SPLIT_SEED, STREAM_SPLIT, 1, 0), count, order);
    for (size_t i = 0; i < wanted; i++)
        content->in_test[order[i]] = true;
    free(order);
    content->test_note = format_text("%zu samples of x", wanted);
    return true;
}

static bool keep_users(struct content *content, double share, struct error *error)
{
    const struct file_part *part = &content->part[TRAIN];
    int64_t *users, *chosen;
    size_t count = distinct_values(part->user, part->count, &users);
    if (count < 2) {
        free(users);
        return fail(error,
                    "%s: user names one user only, so no whole user can be kept for testing; add x_test and "
                    "y_test, or leave user out to split by samples",
                    content->path);
    }
    size_t testing = choose_test_users(users, count, share, SPLIT_SEED, &chosen);
    for (size_t i = 0; i < part->count; i++)
        content->in_test[i] = is_among(chosen, testing, part->user[i]);
    char *list = value_list(chosen, testing);
    content->test_note = format_text("users %s", list);
    free(list);
    free(chosen);
    free(users);
    return true;
}

static bool keep_test_part(struct content *content, double share, struct error *error)
{
    content->in_test = xcalloc(content->part[TRAIN].count, sizeof *content->in_test);
    return content->part[TRAIN].user ? keep_users(content, share, error)
                                     : keep_samples(content, share, error);
}

/* ---- classes --------------------------------------------------------------------------------------- */

static bool find_classes(struct content *content, struct error *error)
{
    const struct file_part *train = &content->part[TRAIN], *test = &content->part[TEST];
    int64_t *all = xmalloc((train->count + test->count) * sizeof *all);
    memcpy(all, train->label, train->count * sizeof *all);
    if (test->count)
        memcpy(all + train->count, test->label, test->count * sizeof *all);
    content->classes = distinct_values(all, train->count + test->count, &content->labels);
    free(all);
    if (content->classes < 2)
        return fail(error, "%s: every label is %" PRId64 "; at least two classes are needed", content->path,
                    content->labels[0]);
    return true;
}

/* Labels that are not 0 .. classes-1 already are worth noting. */
static char *label_note(const struct content *content)
{
    if (content->labels[0] == 0 && content->labels[content->classes - 1] == (int64_t)content->classes - 1)
        return xstrdup("");
    char *list = value_list(content->labels, content->classes), *note = format_text("labels=%s\n", list);
    free(list);
    return note;
}

static char *attribute_lines(const struct content *content)
{
    char *own = h5_attribute_lines(content->file, "/"), *labels = label_note(content);
    char *test = content->test_note ? format_text("test_part=%s\n", content->test_note) : xstrdup("");
    char *lines = format_text("path=%s\n%s%s%s", content->path, own, labels, test);
    free(test);
    free(own);
    free(labels);
    return lines;
}

/* ---- the whole set --------------------------------------------------------------------------------- */

static bool check_test_names(struct content *content, struct error *error)
{
    content->has_test = exists(content, names[TEST].x);
    const char *const needy[] = {names[TEST].y, names[TEST].user};
    for (size_t i = 0; i < 2 && !content->has_test; i++)
        if (exists(content, needy[i]))
            return fail(error, "%s has %s but no x_test", content->path, needy[i]);
    return true;
}

static bool check_pixels(struct content *content, const struct dataset *dataset, struct error *error)
{
    content->pixels = dataset->rank == 3 && h5_is_byte(content->file, names[TRAIN].x);
    if (dataset->rank == 3 && content->has_test &&
        h5_is_byte(content->file, names[TEST].x) != content->pixels)
        return fail(error, "%s: of x and x_test one holds 8-bit images, which are scaled, the other not",
                    content->path);
    return true;
}

/* Everything but the samples: fills content and the dataset's description. */
static bool read_content(struct content *content, const struct settings *settings, struct dataset *dataset,
                         struct error *error)
{
    content->file = h5_open(content->path, error);
    if (!content->file || !check_test_names(content, error) ||
        !read_part_header(content, TRAIN, dataset, error) ||
        (content->has_test && !read_part_header(content, TEST, dataset, error)) ||
        (!content->has_test && !keep_test_part(content, setting_real(settings, "test_split"), error)) ||
        !check_pixels(content, dataset, error) || !find_classes(content, error))
        return false;
    dataset->classes = (int)content->classes;
    dataset->train.count = content->part[TRAIN].count;
    dataset->test.count = content->part[TEST].count;
    for (size_t i = 0; content->in_test && i < content->part[TRAIN].count; i++)
        dataset->test.count += content->in_test[i];
    if (content->in_test)
        dataset->train.count -= dataset->test.count;
    dataset->attributes = attribute_lines(content);
    if (!SHA256File(content->path, dataset->sha256))
        return fail(error, "%s cannot be read", content->path);
    return true;
}

static bool check_finite(const struct content *content, const char *name, const float *x, size_t count,
                         size_t features, struct error *error)
{
    for (size_t i = 0; i < count * features; i++)
        if (!isfinite(x[i]))
            return fail(error, "%s: %s is not finite at sample %zu, value %zu (%g as float32)", content->path,
                        name, i / features, i % features, (double)x[i]);
    return true;
}

static bool read_samples(struct content *content, int which, size_t features, float **out,
                         struct error *error)
{
    size_t count = content->part[which].count;
    float *x = xmalloc(count * features * sizeof *x);
    if (!h5_read(content->file, names[which].x, RECORD_F32, x, error) ||
        !check_finite(content, names[which].x, x, count, features, error)) {
        free(x);
        return false;
    }
    for (size_t i = 0; content->pixels && i < count * features; i++)
        x[i] /= 255.0f;
    *out = x;
    return true;
}

/* Takes the samples kept for testing out of x, which becomes the training part: there may be no room for a copy. */
static void divide_samples(struct dataset *dataset, const struct content *content, float *x)
{
    size_t features = dataset->features, size = features * sizeof *x, train = 0, test = 0;
    dataset->test.x = xmalloc(dataset->test.count * size);
    for (size_t i = 0; i < content->part[TRAIN].count; i++) {
        if (content->in_test[i])
            memcpy(dataset->test.x + test++ * features, x + i * features, size);
        else
            memmove(x + train++ * features, x + i * features, size);
    }
    dataset->train.x = xrealloc(x, dataset->train.count * size);
}

/* Classes and users of one part of the file: all, or with flags those whose flag is `test`. */
static void fill_columns(struct part *part, const struct content *content, int which, bool test)
{
    const struct file_part *source = &content->part[which];
    size_t next = 0;
    part->y = xmalloc(part->count * sizeof *part->y);
    part->user = source->user ? xmalloc(part->count * sizeof *part->user) : NULL;
    for (size_t i = 0; i < source->count; i++) {
        if (content->in_test && content->in_test[i] != test)
            continue;
        part->y[next] = (int32_t)value_index(content->labels, content->classes, source->label[i]);
        if (part->user)
            part->user[next] = (int32_t)source->user[i];
        next++;
    }
}

static bool fill_dataset(struct content *content, struct dataset *dataset, struct error *error)
{
    float *x;
    fill_columns(&dataset->train, content, TRAIN, false);
    fill_columns(&dataset->test, content, content->has_test ? TEST : TRAIN, true);
    if (content->has_test)
        return read_samples(content, TRAIN, dataset->features, &dataset->train.x, error) &&
               read_samples(content, TEST, dataset->features, &dataset->test.x, error);
    if (!read_samples(content, TRAIN, dataset->features, &x, error))
        return false;
    divide_samples(dataset, content, x);
    return true;
}

static char *find_file(const char *name)
{
    char *relative = format_text("%s.h5", name), *path = dataset_find(relative);
    free(relative);
    return path;
}

static bool read_set(const struct settings *settings, bool samples, struct dataset *dataset,
                     struct error *error)
{
    const char *name = setting_text(settings, "dataset");
    char *path = find_file(name);
    struct content content = {.path = path};
    bool ok = false;
    *dataset = (struct dataset){0};
    snprintf(dataset->name, sizeof dataset->name, "%s", name);
    if (path) {
        ok = read_content(&content, settings, dataset, error) &&
             (!samples || fill_dataset(&content, dataset, error));
    } else {
        char *places = dataset_search_places();
        fail(error, "no file %s.h5 in %s", name, places);
        free(places);
    }
    close_content(&content);
    free(path);
    return ok || dataset_fail(dataset, name, "docs/datasets.md describes the layout", error);
}

static bool describe(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return read_set(settings, false, dataset, error);
}

static bool load(const struct settings *settings, struct dataset *dataset, struct error *error)
{
    return read_set(settings, true, dataset, error);
}

/* True as well for a file that is absent or bad: reading it says so. */
static bool divides_samples(const struct settings *settings)
{
    struct error ignored;
    char *path = find_file(setting_text(settings, "dataset"));
    struct content content = {.path = path, .file = path ? h5_open(path, &ignored) : NULL};
    bool divides = !content.file || !exists(&content, names[TEST].x) ||
                   (draws_test_users(settings) && exists(&content, names[TRAIN].user) && exists(&content, names[TEST].user));
    close_content(&content);
    free(path);
    return divides;
}

static const struct param *const params[] = {
    &(const struct param)TEST_SPLIT(divides_samples),
    NULL
};

const struct dataset_ops dataset_hdf5 = {
    .plug = {.name = "hdf5",
             .help = "Any file NAME.h5 in a data folder with x and y, and perhaps user, x_test, y_test, "
                     "user_test; its name as a data set is NAME.",
             .version = 1, .params = params},
    .describe = describe,
    .load = load,
};
