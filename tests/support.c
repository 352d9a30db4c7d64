/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "support.h"
#include "../bench/plan.h"
#include "../bench/settings.h"
#include "../results/record.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void skip_test(const char *format, ...)
{
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    const char *log = getenv("BITSWEEP_SKIP_LOG");
    FILE *file = log ? fopen(log, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", why);
        fclose(file);
    }
    fprintf(stderr, "SKIPPED: %s\n", why);
    cr_skip_test("%s", why);
    abort();
}

char *shared_file(const char *path)
{
    const char *shared = getenv("BITSWEEP_SHARED");
    char *full = format_text("%s/%s", shared ? shared : "../shared", path);
    if (access(full, R_OK) != 0)
        skip_test("%s is not there (set BITSWEEP_SHARED)", full);
    return full;
}

char *temporary_folder(void)
{
    char *folder = xstrdup("/tmp/bitsweep-test-XXXXXX");
    if (!mkdtemp(folder))
        die("cannot make a temporary folder");
    return folder;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void remove_folder(char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

struct settings make_settings(const char *first, ...)
{
    struct choice choices[32] = {{.key = "dataset", .text = "synthetic"}};
    char *texts[32];
    size_t count = 1, given = 0;
    va_list args;
    va_start(args, first);
    for (const char *text = first; text; text = va_arg(args, const char *)) {
        char *key = texts[given++] = xstrdup(text), *value = strchr(key, '=');
        *value++ = 0;
        choices[strcmp(key, "dataset") == 0 ? 0 : count++] = (struct choice){.key = key, .text = value};
    }
    va_end(args);
    struct settings settings;
    struct error error;
    const struct choice *wrong;
    if (!settings_resolve(choices, count, &settings, &wrong, &error))
        die("%s", error.text);
    for (size_t i = 0; i < given; i++)
        free(texts[i]);
    return settings;
}

char *write_file(const char *folder, const char *name, const char *text)
{
    char *path = format_text("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        die("cannot write %s", path);
    return path;
}

char *file_in(const char *folder, const char *name) { return format_text("%s/%s", folder, name); }

char *read_bytes(const char *path, size_t *size)
{
    char *bytes = NULL;
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s is not there", path);
    *size = 0;
    for (size_t got = 1; got > 0; *size += got) {
        bytes = xrealloc(bytes, *size + 65537);
        got = fread(bytes + *size, 1, 65536, file);
    }
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

void expect_near(double value, double expected)
{
    cr_assert_lt(fabs(value - expected), 1e-6 * fmax(1, fabs(expected)), "%.9g, not %.9g", value, expected);
}

static bool is_content(const struct field *field)
{
    return strncmp(field->path, "/timing/", 8) != 0 && strncmp(field->path, "/provenance/", 12) != 0;
}

static bool same_data(const struct field *a, const struct field *b)
{
    size_t count = field_count(a);
    if (a->type != b->type || a->rank != b->rank ||
        memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) != 0)
        return false;
    for (size_t i = 0; a->type == RECORD_TEXT && i < count; i++)
        if (strcmp(((char **)a->data)[i], ((char **)b->data)[i]) != 0)
            return false;
    return a->type == RECORD_TEXT || memcmp(a->data, b->data, count * record_type_size(a->type)) == 0;
}

size_t expect_content_of(const struct record *a, const struct record *b)
{
    size_t content = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (!is_content(&a->fields[i]))
            continue;
        const struct field *other = record_find(b, a->fields[i].path);
        cr_assert(other && same_data(&a->fields[i], other), "%s differs in run %s", a->fields[i].path,
                  record_get_text(a, "/id", "(without id)"));
        content++;
    }
    return content;
}

size_t expect_same_content(const struct record *a, const struct record *b)
{
    size_t content = expect_content_of(a, b);
    cr_assert_eq(content, expect_content_of(b, a));
    return content;
}

struct plan plan_of(const char *text, const char *const *options)
{
    struct plan plan;
    struct error error;
    size_t count = 0;
    while (options && options[count])
        count++;
    char *folder = temporary_folder(), *path = write_file(folder, "tested.sweep.yaml", text);
    bool good = plan_load(path, options, count, &plan, &error);
    free(path);
    remove_folder(folder);
    cr_assert(good, "%s\nfrom:\n%s", error.text, text);
    return plan;
}
