/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sensor_support.h"
#include "../bench/settings.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 4
bool read_set(const char *name, bool samples, const char *const *keys, struct dataset *dataset, struct error *error)
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

void load_set(const char *name, const char *const *keys, struct dataset *dataset)
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

/* The error says `expected` and names the set; nothing is left. */
static void expect_failed_load(const char *name, const char *const *keys, const char *expected, struct error *error)
{
    struct dataset dataset;
    *error = (struct error){""};
    cr_expect(!read_set(name, true, keys, &dataset, error), "accepted, instead of: %s", expected);
    cr_expect(strstr(error->text, expected) != NULL, "expected '%s' in: %s", expected, error->text);
    char *start = format_text("data set %s: ", name);
    cr_expect(strstr(error->text, start) == error->text, "%s", error->text);
    cr_expect(!dataset.train.x && !dataset.train.y && !dataset.attributes);
    free(start);
}

void expect_bad_files(const char *name, const char *const *keys, const char *expected)
{
    struct error error;
    char *help = format_text("; `bitsweep data fetch %s` gets it, or unpack ", name);
    expect_failed_load(name, keys, expected, &error);
    cr_expect(strstr(error.text, help) && strstr(error.text, "into $BITSWEEP_DATA"), "%s", error.text);
    free(help);
}

void expect_bad_settings(const char *name, const char *const *keys, const char *expected)
{
    struct error error;
    expect_failed_load(name, keys, expected, &error);
    cr_expect_null(strstr(error.text, "data fetch"), "%s", error.text);
}

void expect_attribute(const struct dataset *dataset, const char *line)
{
    cr_expect(attribute_line(dataset, line) != NULL, "no '%s' in: %s", line, dataset->attributes);
}

void expect_checksum(const struct dataset *dataset, const char *folder, const char *files)
{
    char *sum = shell_word(format_text("cd '%s' && cat %s | sha256sum", folder, files));
    cr_expect_str_eq(dataset->sha256, sum);
    free(sum);
}

size_t count_class(const struct dataset *dataset, int class_number)
{
    const struct part *parts[] = {&dataset->train, &dataset->test};
    size_t count = 0;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            count += parts[p]->y[i] == class_number;
    return count;
}

FILE *create_file(const char *folder, const char *path)
{
    run_shell(format_text("cd '%s' && mkdir -p \"$(dirname '%s')\"", folder, path));
    char *full = file_in(folder, path);
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    free(full);
    return file;
}

void put_file(const char *folder, const char *path, const char *text)
{
    FILE *file = create_file(folder, path);
    cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

double made_value(int key, size_t row, size_t column) { return rng_normal((uint64_t)key, 100 * row + column); }
