/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity.h"
#include "plugins.h"
#include "settings.h"
#include "../methods/costs/table_file.h"
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN_DIGITS 16 /* of the SHA-256 of a loaded plugin's file [ours] */

static FILE *open_text(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);
    if (!stream)
        die("out of memory");
    return stream;
}

/* ---- data sets ---- */

static void print_plug_settings(FILE *out, const struct settings *settings, const struct setting *setting)
{
    fprintf(out, "%s=%s\n", setting->param->name, setting->value);
    if (setting->param->type != PARAM_PLUG)
        return;
    const struct plug *plug = plug_find(setting->param->kind, setting->value);
    for (size_t i = 0; plug->params && plug->params[i]; i++) {
        const struct setting *own = settings_find(settings, plug->params[i]->name);
        if (own)
            print_plug_settings(out, settings, own);
    }
}

char *plug_settings(const struct settings *settings, const char *key)
{
    char *text;
    size_t size;
    FILE *stream = open_text(&text, &size);
    const struct setting *setting = settings_find(settings, key);
    if (setting)
        print_plug_settings(stream, settings, setting);
    fclose(stream);
    return text;
}

const struct dataset *described_find(const struct described *list, const struct settings *settings)
{
    char *key = plug_settings(settings, "dataset");
    while (list && strcmp(list->key, key) != 0)
        list = list->next;
    free(key);
    return list ? &list->dataset : NULL;
}

const struct dataset *described_add(struct described **list, const struct settings *settings,
                                    struct error *error)
{
    const struct dataset *known = described_find(*list, settings);
    if (known)
        return known;
    const struct plug *plug = setting_plug(settings, "dataset");
    struct dataset dataset = {0};
    if (!((const struct dataset_ops *)plug)->describe(settings, &dataset, error)) {
        dataset_free(&dataset);
        return NULL;
    }
    struct described *added = xmalloc(sizeof *added);
    *added = (struct described){*list, plug_settings(settings, "dataset"), dataset};
    *list = added;
    return &added->dataset;
}

void described_free(struct described *list)
{
    while (list) {
        struct described *next = list->next;
        dataset_free(&list->dataset);
        free(list->key);
        free(list);
        list = next;
    }
}

/* ---- canonical text ---- */

struct line { char *key, *value; };

static int compare_lines(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static char *joined_lines(struct line *lines, size_t count)
{
    char *text;
    size_t size;
    FILE *stream = open_text(&text, &size);
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        fprintf(stream, "%s=%s\n", lines[i].key, lines[i].value);
        free(lines[i].key);
        free(lines[i].value);
    }
    fclose(stream);
    return text;
}

char *canonical_text(const struct settings *settings, const struct dataset *dataset, const char *initial)
{
    size_t count = 0;
    struct line *lines = xmalloc((3 * settings->count + 2) * sizeof *lines);
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->items[i];
        const char *key = setting->param->name;
        const char *value = setting->param->type == PARAM_TEXT ? table_file_identity(setting->value) : setting->value;
        lines[count++] = (struct line){xstrdup(key), xstrdup(value)};
        if (setting->param->type == PARAM_PLUG) {
            const struct plug *plug = plug_find(setting->param->kind, setting->value);
            const struct plugin *plugin = plugin_of(plug);
            lines[count++] = (struct line){format_text("%s.version", key), format_text("%d", plug->version)};
            if (plugin)
                lines[count++] = (struct line){format_text("%s.file", key),
                                               format_text("%.*s", PLUGIN_DIGITS, plugin->sha256)};
        }
    }
    lines[count++] = (struct line){xstrdup("dataset.sha256"), xstrdup(dataset->sha256)};
    if (initial)
        lines[count++] = (struct line){xstrdup("init.run"), xstrdup(initial)};
    char *text = joined_lines(lines, count);
    free(lines);
    return text;
}

void canonical_id(const char *canonical, char id[RUN_ID_LENGTH + 1])
{
    char digest[SHA256_DIGEST_STRING_LENGTH];
    SHA256Data((const uint8_t *)canonical, strlen(canonical), digest);
    memcpy(id, digest, RUN_ID_LENGTH);
    id[RUN_ID_LENGTH] = '\0';
}
