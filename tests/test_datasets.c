/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where data sets are found, the synthetic and the real ones, splits, standardisation, `bitsweep data`. */
#include "../bench/cli.h"
#include "../bench/settings.h"
#include "../datasets/split.h"
#include "../datasets/standardise.h"
#include "dataset_files.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_data;

/* ---- where sets are searched ------------------------------------------------------------------ */

Test(datasets, search_order)
{
    char *folder = temporary_folder(), *other = format_text("%s/own", folder);
    run_shell(format_text("mkdir -p %s/own %s/datasets/data", folder, folder));
    free(write_file(other, "a.h5", ""));
    run_shell(format_text(
        "cd %s && touch datasets/data/a.h5 datasets/data/b.h5 datasets/data/.c.h5 datasets/data/h5", folder));
    cr_assert_eq(chdir(folder), 0);
    setenv("BITSWEEP_DATA", "own", 1);
    char *found = dataset_find("a.h5"), *second = dataset_find("b.h5"),
         *none = dataset_find("no such set.h5");
    cr_expect_str_eq(found, "own/a.h5");
    cr_expect_str_eq(second, "datasets/data/b.h5");
    cr_expect_null(none);
    char **names;
    size_t count = dataset_files(&names);
    cr_assert_geq(count, 2); /* the machine's own /usr/share/datasets may have more */
    size_t ours = 0;
    for (size_t i = 0; i < count; i++) {
        ours += strcmp(names[i], "a") == 0 || strcmp(names[i], "b") == 0;
        free(names[i]);
    }
    cr_expect_eq(ours, 2);
    char *places = dataset_search_places();
    cr_expect_str_eq(places, "own ($BITSWEEP_DATA), datasets/data, /usr/share/datasets");
    unsetenv("BITSWEEP_DATA");
    char *unset = dataset_search_places();
    cr_expect_str_eq(unset, "$BITSWEEP_DATA (not set), datasets/data, /usr/share/datasets");
    free(unset);
    free(places);
    free(names);
    free(found);
    free(second);
    free(other);
    remove_folder(folder);
}

/* ---- synthetic ------------------------------------------------------------------------------ */

static void make_synthetic(const char *difficulty, const char *features, const char *classes,
                           const char *samples, const char *seed, struct dataset *dataset)
{
    struct error error = {""};
    struct settings settings =
        settings_of("dataset", "synthetic", "difficulty", difficulty, "sample_shape", "flat", "features", features,
                    "classes", classes, "samples", samples, "data_seed", seed, NULL);
    cr_assert(dataset_synthetic.load(&settings, dataset, &error), "%s", error.text);
    settings_free(&settings);
}

Test(datasets, synthetic_is_deterministic)
{
    struct dataset a, b;
    make_synthetic("medium", "20", "5", "402", "3", &a);
    make_synthetic("medium", "20", "5", "402", "3", &b);
    cr_assert(a.train.count == 402 && a.test.count == 100 && a.features == 20 && a.rank == 1 &&
              a.classes == 5);
    cr_expect_arr_eq(a.train.x, b.train.x, 402 * 20 * sizeof(float));
    cr_expect_arr_eq(a.test.x, b.test.x, 100 * 20 * sizeof(float));
    cr_expect_str_eq(a.sha256, b.sha256);
    cr_expect_eq(strlen(a.sha256), 64);
    size_t per_class[5] = {0};
    for (size_t i = 0; i < a.test.count; i++)
        per_class[a.test.y[i]]++;
    for (int c = 0; c < 5; c++)
        cr_expect_eq(per_class[c], 20);
    dataset_free(&b);

    static const char *const others[][5] = {{"hard", "20", "5", "402", "3"},
                                            {"medium", "21", "5", "402", "3"},
                                            {"medium", "20", "6", "402", "3"},
                                            {"medium", "20", "5", "401", "3"},
                                            {"medium", "20", "5", "402", "4"}};
    for (size_t i = 0; i < 5; i++) {
        make_synthetic(others[i][0], others[i][1], others[i][2], others[i][3], others[i][4], &b);
        cr_expect_str_neq(a.sha256, b.sha256);
        if (i != 3) /* fewer samples are the first of the others */
            cr_expect_neq(memcmp(a.train.x, b.train.x, 100 * 20 * sizeof(float)), 0);
        dataset_free(&b);
    }
    dataset_free(&a);
}

static double nearest_neighbour_accuracy(const struct dataset *d)
{
    size_t right = 0;
    for (size_t t = 0; t < d->test.count; t++) {
        double best = INFINITY;
        int class = -1;
        for (size_t i = 0; i < d->train.count; i++) {
            double distance = 0;
            for (size_t f = 0; f < d->features; f++) {
                double difference = d->test.x[t * d->features + f] - d->train.x[i * d->features + f];
                distance += difference * difference;
            }
            if (distance < best) {
                best = distance;
                class = d->train.y[i];
            }
        }
        right += class == d->test.y[t];
    }
    return (double)right / (double)d->test.count;
}

Test(datasets, synthetic_difficulties)
{
    struct dataset easy, medium, hard;
    make_synthetic("easy", "64", "10", "1200", "0", &easy);
    make_synthetic("medium", "64", "10", "1200", "0", &medium);
    make_synthetic("hard", "64", "10", "1200", "0", &hard);
    double a = nearest_neighbour_accuracy(&easy), b = nearest_neighbour_accuracy(&medium),
           c = nearest_neighbour_accuracy(&hard);
    cr_expect(a > 0.93 && a > b + 0.08 && b > c + 0.08 && c > 0.3, "easy %.3f, medium %.3f, hard %.3f", a, b,
              c);
    dataset_free(&easy);
    dataset_free(&medium);
    dataset_free(&hard);
}

Test(datasets, synthetic_needs_samples_of_each_class)
{
    struct dataset dataset;
    struct error error;
    struct settings settings = settings_of("dataset", "synthetic", "difficulty", "easy", "sample_shape", "flat",
                                           "features", "4", "classes", "10", "samples", "39", "data_seed", "0", NULL);
    cr_expect_not(dataset_synthetic.load(&settings, &dataset, &error));
    cr_expect(strstr(error.text, "valid: at least 40"), "%s", error.text);
    settings_free(&settings);
}

Test(datasets, synthetic_shapes)
{
    static const struct { const char *shape; int rank; size_t axes[3]; } cases[] = {
        {"sample_shape=6-20", 2, {6, 20}}, {"sample_shape=3-8-5", 3, {3, 8, 5}}, {"sample_shape=flat", 1, {120}},
    };
    for (size_t i = 0; i < 3; i++) {
        struct settings settings = make_settings("budget=4", "samples=80", cases[i].shape, i < 2 ? NULL : "features=120",
                                                 NULL);
        struct dataset dataset;
        struct error error = {""};
        cr_assert(dataset_synthetic.load(&settings, &dataset, &error), "%s", error.text);
        cr_expect(dataset.rank == cases[i].rank && dataset.features == 120 && dataset.train.count == 80);
        for (int axis = 0; axis < cases[i].rank; axis++)
            cr_expect_eq(dataset.shape[axis], cases[i].axes[axis]);
        cr_expect(isfinite(dataset.train.x[80 * 120 - 1]) && isfinite(dataset.test.x[20 * 120 - 1]));
        dataset_free(&dataset);
        settings_free(&settings);
    }
    struct settings settings = make_settings("budget=4", "sample_shape=2-3-4-5", NULL);
    struct dataset dataset;
    struct error error = {""};
    cr_expect_not(dataset_synthetic.describe(&settings, &dataset, &error));
    cr_expect(strstr(error.text, "4 axes; valid: channels-length or channels-height-width"), "%s", error.text);
    settings_free(&settings);
}

/* ---- validation and standardisation ---------------------------------------------------------- */

Test(datasets, validation_split)
{
    static const struct {
        size_t count;
        double share;
        size_t kept;
    } cases[] = {{1000, 0.1, 100}, {1000, 0, 0}, {7, 0.5, 4}, {60000, 0.1, 6000},
                 {15, 0.1, 2},     {1, 0.9, 0},  {3, 0.9, 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct split split, same, other;
        dataset_split(cases[c].count, cases[c].share, 5, &split);
        dataset_split(cases[c].count, cases[c].share, 5, &same);
        dataset_split(cases[c].count, cases[c].share, 6, &other);
        cr_assert_eq(split.validation_count, cases[c].kept);
        cr_assert_eq(split.train_count, cases[c].count - cases[c].kept);
        unsigned char *seen = xcalloc(cases[c].count, 1);
        for (size_t i = 0; i < split.train_count; i++)
            seen[split.train[i]]++;
        for (size_t i = 0; i < split.validation_count; i++)
            seen[split.validation[i]]++;
        for (size_t i = 0; i < cases[c].count; i++)
            cr_assert_eq(seen[i], 1, "sample %zu is there %d times", i, seen[i]);
        for (size_t i = 0; i < split.validation_count; i++)
            cr_assert_eq(split.validation[i], same.validation[i]);
        if (cases[c].kept >= 100)
            cr_expect_neq(memcmp(split.validation, other.validation, 100 * sizeof *split.validation), 0);
        free(seen);
        split_free(&split);
        split_free(&same);
        split_free(&other);
    }
}

Test(datasets, subset)
{
    static const struct { const char *setting; size_t count; bool good; } cases[] = {
        {"subset=all", 500, true}, {"subset=1", 1, true}, {"subset=500", 500, true}, {"subset=120", 120, true},
        {"subset=501", 500, false},
    };
    const struct dataset described = {.name = "made", .train = {.count = 500}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct settings settings = make_settings("budget=4", cases[c].setting, NULL);
        struct error error = {""};
        cr_expect_eq(subset_count(&settings, &described), cases[c].count);
        cr_expect_eq(subset_check(&settings, &described, &error), cases[c].good);
        cr_expect(cases[c].good || strstr(error.text, "made has 500 training samples"), "%s", error.text);
        settings_free(&settings);
    }
    struct split split;
    dataset_split(120, 0.25, 3, &split);
    cr_assert(split.train_count == 90 && split.validation_count == 30);
    for (size_t i = 0; i < 90; i++)
        cr_expect_lt(split.train[i], 120, "only the first of the set");
    for (size_t i = 0; i < 30; i++)
        cr_expect_lt(split.validation[i], 120);
    split_free(&split);
}

/* 30 training and 5 test samples; channel 1 is constant. */
static void make_numbers(struct dataset *dataset, int rank)
{
    *dataset = (struct dataset){.rank = rank, .shape = {3, 4, 5}};
    dataset->features = rank == 1 ? 3 : rank == 2 ? 12 : 60;
    size_t plane = dataset->features / 3;
    struct part *parts[] = {&dataset->train, &dataset->test};
    for (uint64_t p = 0; p < 2; p++) {
        parts[p]->count = p ? 5 : 30;
        parts[p]->x = xmalloc(parts[p]->count * dataset->features * sizeof(float));
        for (size_t i = 0; i < parts[p]->count * dataset->features; i++) {
            size_t channel = i / plane % 3;
            parts[p]->x[i] = channel == 1 ? 0.1f : (float)(100.0 * (double)channel + 3 * rng_normal(p, i));
        }
    }
}

Test(datasets, standardisation_against_naive)
{
    const uint32_t indices[] = {0, 3, 4, 11, 17, 29, 8, 2};
    for (int rank = 1; rank <= 3; rank++) {
        struct dataset dataset, raw;
        struct standardisation s;
        make_numbers(&dataset, rank);
        make_numbers(&raw, rank);
        size_t plane = dataset.features / 3;
        standardise_measure(&dataset, indices, 8, &s);
        standardise_apply(&s, &dataset);
        cr_assert_eq(s.channels, 3);
        for (size_t c = 0; c < 3; c++) {
            long double sum = 0, squares = 0, n = 8 * (long double)plane;
            for (size_t i = 0; i < 8; i++)
                for (size_t k = 0; k < plane; k++) {
                    long double value = raw.train.x[indices[i] * raw.features + c * plane + k];
                    sum += value;
                    squares += value * value;
                }
            double mean = (double)(sum / n), deviation = (double)sqrtl(squares / n - sum / n * (sum / n));
            cr_expect_float_eq(s.mean[c], mean, 1e-12);
            if (c == 1)
                cr_expect_eq(s.deviation[c], 1.0);
            else
                cr_expect_float_eq(s.deviation[c], deviation, 1e-9);
            for (size_t i = 0; i < 35 * plane; i++) {
                bool test = i >= 30 * plane;
                size_t sample = i / plane - (test ? 30 : 0),
                       at = sample * raw.features + c * plane + i % plane;
                double before = test ? raw.test.x[at] : raw.train.x[at],
                       after = test ? dataset.test.x[at] : dataset.train.x[at];
                cr_expect_float_eq(after, (before - mean) / (c == 1 ? 1 : deviation), 1e-5);
            }
        }
        standardise_free(&s);
        dataset_free(&dataset);
        dataset_free(&raw);
    }
}

Test(datasets, ranges_become_0_to_1_for_the_measured_samples)
{
    const uint32_t indices[] = {0, 3, 4, 11, 17, 29, 8, 2};
    for (int rank = 1; rank <= 3; rank++) {
        struct dataset dataset, raw;
        struct standardisation s;
        make_numbers(&dataset, rank);
        make_numbers(&raw, rank);
        size_t plane = dataset.features / 3;
        standardise_range(&dataset, indices, 8, &s);
        standardise_apply(&s, &dataset);
        for (size_t c = 0; c < 3; c++) {
            float least = INFINITY, most = -INFINITY;
            for (size_t i = 0; i < 8; i++)
                for (size_t k = 0; k < plane; k++) {
                    size_t at = indices[i] * raw.features + c * plane + k;
                    least = fminf(least, dataset.train.x[at]);
                    most = fmaxf(most, dataset.train.x[at]);
                    double span = c == 1 ? 1 : s.deviation[c];
                    cr_expect_float_eq(dataset.train.x[at], ((double)raw.train.x[at] - s.mean[c]) / span, 1e-6);
                }
            cr_expect(least == 0 && most == (c == 1 ? 0 : 1), "channel %zu: %g to %g", c, (double)least, (double)most);
            cr_expect(c != 1 || s.deviation[c] == 1, "a constant channel keeps its scale");
        }
        standardise_free(&s);
        dataset_free(&dataset);
        dataset_free(&raw);
    }
}

/* ---- real sets --------------------------------------------------------------------------------- */

Test(datasets, real_fashion_mnist)
{
    if (access("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", R_OK) != 0)
        skip_test("the package dataset-fashion-mnist is not installed");
    struct dataset dataset;
    size_t train[10] = {0}, test[10] = {0};
    unsetenv("BITSWEEP_DATA");
    load_or_fail(&dataset_fashion_mnist, "fashion-mnist", &dataset);
    cr_assert(dataset.train.count == 60000 && dataset.test.count == 10000);
    for (size_t i = 0; i < 60000; i++)
        train[dataset.train.y[i]]++;
    for (size_t i = 0; i < 10000; i++)
        test[dataset.test.y[i]]++;
    for (int c = 0; c < 10; c++)
        cr_expect(train[c] == 6000 && test[c] == 1000);
    double sum = 0;
    for (size_t i = 0; i < 60000 * (size_t)PIXELS; i++)
        sum += dataset.train.x[i];
    cr_expect_float_eq(sum / (60000.0 * PIXELS), 0.2860, 5e-4); /* published mean of the training images */
    dataset_free(&dataset);
}

/* The shared MNIST has no training part: it must say so, and with one made here its test part loads. */
Test(datasets, real_mnist_test_part)
{
    static const size_t known[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    char *images = shared_file("data/mnist/t10k-images-idx3-ubyte.gz"), *shared = xstrdup(images);
    shared[strlen(shared) - strlen("/mnist/t10k-images-idx3-ubyte.gz")] = '\0';
    setenv("BITSWEEP_DATA", shared, 1);
    expect_failure(&dataset_mnist, "mnist", "mnist/train-images-idx3-ubyte.gz is not there",
                   "without training part");

    char *folder = data_folder();
    struct dataset dataset;
    size_t per_class[10] = {0};
    write_idx_set(folder, false);
    run_shell(format_text("rm %s/mnist/t10k* && cp %s/mnist/t10k* %s/mnist", folder, shared, folder));
    load_or_fail(&dataset_mnist, "mnist", &dataset);
    cr_assert_eq(dataset.test.count, 10000);
    for (size_t i = 0; i < 10000; i++)
        per_class[dataset.test.y[i]]++;
    for (int c = 0; c < 10; c++)
        cr_expect_eq(per_class[c], known[c]);
    dataset_free(&dataset);
    free(images);
    free(shared);
    remove_folder(folder);
}

Test(datasets, real_dsads_features)
{
    char *path = shared_file("data/har/dsads_features.h5"), *folder = xstrdup(path);
    *strrchr(folder, '/') = '\0';
    setenv("BITSWEEP_DATA", folder, 1);
    struct dataset dataset;
    load_or_fail(&dataset_hdf5, "dsads_features", &dataset);
    cr_expect(dataset.train.count == 7 * 1140 && dataset.test.count == 1140, "whole users are split 7 to 1");
    cr_expect(dataset.classes == 19 && dataset.features == 405 && dataset.rank == 1);
    size_t users[9] = {0};
    for (size_t i = 0; i < dataset.train.count; i++)
        users[dataset.train.user[i]]++;
    for (size_t i = 0; i < dataset.test.count; i++) {
        cr_assert_eq(users[dataset.test.user[i]], 0);
        cr_assert_eq(dataset.test.user[i], dataset.test.user[0]);
    }
    cr_expect(attribute_line(&dataset, "title=Daily and Sports Activities"));
    dataset_free(&dataset);
    free(path);
    free(folder);
}

/* ---- the verb ------------------------------------------------------------------------------------ */

/* Runs `bitsweep data ...` (words separated by blanks); its standard output goes to FOLDER/out, the rest to
 * FOLDER/err. */
static int run_verb(const char *folder, const char *line)
{
    char *text = xstrdup(line), *rest = text, *argv[16] = {(char *)"data"};
    char *out = format_text("%s/out", folder), *err = format_text("%s/err", folder);
    int argc = 1;
    while (rest && argc < 16)
        argv[argc++] = strsep(&rest, " ");
    cr_assert(freopen(out, "w", stdout) && freopen(err, "w", stderr));
    int code = cmd_data.run(argc, argv);
    fflush(stdout);
    fflush(stderr);
    free(out);
    free(err);
    free(text);
    return code;
}

static bool output_has(const char *folder, const char *file, const char *text)
{
    char *path = format_text("%s/%s", folder, file);
    struct bytes bytes;
    struct error error;
    bool read = bytes_read(path, &bytes, &error);
    if (read)
        bytes.data[bytes.size] = '\0';
    bool found = read && strstr((char *)bytes.data, text);
    bytes_free(&bytes);
    free(path);
    return found;
}

static void check_same(const struct part *a, const struct part *b, size_t features)
{
    cr_assert_eq(a->count, b->count);
    cr_expect_arr_eq(a->x, b->x, a->count * features * sizeof *a->x);
    cr_expect_arr_eq(a->y, b->y, a->count * sizeof *a->y);
    cr_assert_eq(a->user != NULL, b->user != NULL);
    if (a->user)
        cr_expect_arr_eq(a->user, b->user, a->count * sizeof *a->user);
}

/* Images of IDX, and a file with users that has to be split and mapped. */
Test(datasets, convert_round_trip)
{
    char *folder = data_folder();
    struct dataset before, after;
    write_idx_set(folder, true);
    char *line = format_text("convert mnist %s/copy.h5", folder);
    cr_assert_eq(run_verb(folder, line), EXIT_DONE);
    load_or_fail(&dataset_mnist, "mnist", &before);
    load_or_fail(&dataset_hdf5, "copy", &after);
    cr_expect(after.rank == 3 && after.shape[1] == 28 && after.classes == 10);
    check_same(&before.train, &after.train, PIXELS);
    check_same(&before.test, &after.test, PIXELS);
    char *sum = format_text("converted_from_sha256=%s\n", before.sha256);
    cr_expect(attribute_line(&after, "converted_from=mnist\n") && attribute_line(&after, sum));
    dataset_free(&before);
    dataset_free(&after);

    cr_expect_eq(run_verb(folder, line), EXIT_USAGE, "overwrites without --force");
    cr_expect(output_has(folder, "err", "--force"));
    char *forced = format_text("%s --force", line);
    cr_expect_eq(run_verb(folder, forced), EXIT_DONE);

    write_numbered(folder, 60, 5);
    char *second = format_text("convert made %s/copy.h5 --force -s test_split=0.4", folder);
    cr_assert_eq(run_verb(folder, second), EXIT_DONE);
    struct error error;
    cr_assert(load_dataset(&dataset_hdf5, "made", "0.4", &before, &error));
    load_or_fail(&dataset_hdf5, "copy", &after);
    check_same(&before.train, &after.train, 1);
    check_same(&before.test, &after.test, 1);
    cr_expect_eq(after.test.count, 24);
    dataset_free(&before);
    dataset_free(&after);
    free(line);
    free(sum);
    free(forced);
    free(second);
    remove_folder(folder);
}

Test(datasets, verb_exit_codes_and_messages)
{
    static const struct { const char *line; int code; const char *file, *expected; } cases[] = {
        {"check synthetic -s classes=4", EXIT_DONE, "out", "classes    4"},
        {"check synthetic --format json", EXIT_DONE, "out", "\"per_class\""},
        {"check mnist", EXIT_USAGE, "err", "no folder mnist"},
        {"check nonsense", EXIT_USAGE, "err", "no data set 'nonsense'"},
        {"check synthetic -s clases=4", EXIT_USAGE, "err", "no parameter 'clases'; valid: difficulty"},
        {"check synthetic -s classes=1", EXIT_USAGE, "err", "classes"},
        {"check synthetic -s classes=4 -s classes=5", EXIT_USAGE, "err", "classes twice"},
        {"check synthetic -s classes", EXIT_USAGE, "err", "key=value"},
        {"check synthetic -s", EXIT_USAGE, "err", "-s needs a value"},
        {"check synthetic --format csv", EXIT_USAGE, "err", "text or json"},
        {"check", EXIT_USAGE, "err", "check takes one name"},
        {"list --force", EXIT_USAGE, "err", "list does not take --force"},
        {"list --nonsense", EXIT_USAGE, "err", "unknown option --nonsense"},
        {"turn", EXIT_USAGE, "err", "unknown action 'turn'; valid: list, check, convert"},
        {"convert synthetic /nonexistent/a.h5", EXIT_TROUBLE, "err", "/nonexistent/a.h5 cannot be written"},
        {"check made", EXIT_DONE, "err", "class 2 of made has no training samples"},
        {"list", EXIT_DONE, "out", "made"},
        {"list --format json", EXIT_DONE, "out", "\"found\":\tfalse"},
        {"list --format csv", EXIT_DONE, "out", "name,found,train,test,classes,shape,path,sha256,error\n"},
    };
    char *folder = data_folder();
    const hsize_t dims[] = {4, 1};
    const double x[] = {1, 2, 3, 4}, y[] = {0, 1, 0, 1}, y_test[] = {0, 1, 2, 2};
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y", 4, y);
    put_array(file, "x_test", H5T_IEEE_F32LE, 2, dims, x);
    put_column(file, "y_test", 4, y_test);
    H5Fclose(file);
    cr_assert_eq(chdir(folder), 0); /* away from what datasets/data may hold */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = run_verb(folder, cases[i].line);
        cr_expect_eq(code, cases[i].code, "%s: exit code %d", cases[i].line, code);
        cr_expect(output_has(folder, cases[i].file, cases[i].expected), "%s: no '%s'", cases[i].line,
                  cases[i].expected);
    }
    remove_folder(folder);
}
