/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runs.h"
#include "../results/grouping.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---------------------------------------------------------------------------- */

size_t words_add(struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], text) == 0)
            return i;
    words->items = xrealloc(words->items, (words->count + 1) * sizeof *words->items);
    words->items[words->count] = text;
    return words->count++;
}

bool words_have(const struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], text) == 0)
            return true;
    return false;
}

void words_free(struct words *words) { free(words->items); }

/* ---- settings of runs ----------------------------------------------------------------- */

#define PREFIX "/settings/"

const char *setting_of(const struct record *run, const char *key)
{
    char path[256];
    snprintf(path, sizeof path, PREFIX "%s", key);
    const char *value = record_get_text(run, path, "");
    return strcmp(key, "class_seed") == 0 && *value && draws_classes(value) ? "drawn" : value;
}

bool run_is_reference(const struct record *run) { return strcmp(setting_of(run, "allocator"), "none") == 0; }

bool run_is_finished(const struct record *run)
{
    return strcmp(record_get_text(run, "/status", ""), "done") == 0 &&
           isfinite(record_get_real(run, "/metrics/test_accuracy", NAN));
}

bool run_is_incremental(const struct record *run) { return strcmp(setting_of(run, "scenario"), "incremental") == 0; }

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct words setting_keys(const struct record **runs, size_t count)
{
    struct words keys = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < runs[i]->count; f++) {
            const char *path = runs[i]->fields[f].path;
            if (strncmp(path, PREFIX, strlen(PREFIX)) == 0)
                words_add(&keys, path + strlen(PREFIX));
        }
    if (keys.count > 0)
        qsort(keys.items, keys.count, sizeof *keys.items, compare_texts);
    return keys;
}

char *run_signature(const struct record *run, const struct words *keys, const struct words *except)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die("no memory stream");
    for (size_t k = 0; k < keys->count; k++)
        if (!words_have(except, keys->items[k]))
            fprintf(out, "%s=%s\n", keys->items[k], setting_of(run, keys->items[k]));
    fclose(out);
    return text;
}

/* ---- arrays that grow ----------------------------------------------------------------- */

void *grow(void *items, size_t count, size_t size)
{
    char *larger = xrealloc(items, (count + 1) * size);
    memset(larger + count * size, 0, size);
    return larger;
}

void runs_add(const struct record ***runs, size_t *count, const struct record *run)
{
    *runs = grow(*runs, *count, sizeof **runs);
    (*runs)[(*count)++] = run;
}
