/* SPDX-License-Identifier: GPL-3.0-or-later
 * A run's settings: what plugins ask of them, and which of a sweep file's keys a run reads. */
#include "settings.h"
#include <stdlib.h>
#include <string.h>

/* ---- access ---- */

/* Index of the first key that is not before this one. */
static size_t position_of(const struct settings *settings, const char *key)
{
    size_t from = 0, to = settings->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(settings->items[middle].param->name, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

const struct setting *settings_find(const struct settings *settings, const char *key)
{
    size_t at = position_of(settings, key);
    bool found = at < settings->count && strcmp(settings->items[at].param->name, key) == 0;
    return found ? &settings->items[at] : NULL;
}

bool setting_has(const struct settings *settings, const char *key)
{
    return settings_find(settings, key) != NULL;
}

const char *setting_text(const struct settings *settings, const char *key)
{
    const struct setting *setting = settings_find(settings, key);
    if (!setting)
        die("this run does not read the setting '%s'", key);
    return setting->value;
}

bool setting_is(const struct settings *settings, const char *key, const char *text)
{
    return strcmp(setting_text(settings, key), text) == 0;
}

double setting_real(const struct settings *settings, const char *key)
{
    const char *text = setting_text(settings, key);
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end)
        die("setting %s is '%s', not a number", key, text);
    return value;
}

long setting_int(const struct settings *settings, const char *key)
{
    const char *text = setting_text(settings, key);
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end)
        die("setting %s is '%s', not a whole number", key, text);
    return value;
}

bool setting_bool(const struct settings *settings, const char *key)
{
    return setting_is(settings, key, "true");
}

size_t setting_dims(const struct settings *settings, const char *key, long *out, size_t capacity)
{
    const char *text = setting_text(settings, key);
    size_t count = 0;
    for (char *end; *text; text = *end == '-' ? end + 1 : end) {
        long value = strtol(text, &end, 10);
        if (end == text) /* a word: no numbers */
            return 0;
        if (count == capacity)
            die("setting %s has more than %zu numbers", key, capacity);
        out[count++] = value;
    }
    return count;
}

const void *setting_plug(const struct settings *settings, const char *key)
{
    const char *name = setting_text(settings, key);
    return plug_find(settings_find(settings, key)->param->kind, name);
}

/* ---- filling ---- */

void settings_put(struct settings *settings, const struct param *param, char *value, int line, int column)
{
    size_t at = position_of(settings, param->name);
    settings->items = xrealloc(settings->items, (settings->count + 1) * sizeof *settings->items);
    memmove(settings->items + at + 1, settings->items + at, (settings->count - at) * sizeof *settings->items);
    settings->items[at] = (struct setting){param, value, line, column};
    settings->count++;
}

void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->items[i].value);
    free(settings->items);
    *settings = (struct settings){0};
}

/* ---- which keys a run reads ---- */

/* Plugins that the run uses and whose parameters are still to be read. */
#define MAX_PLUGS 32
struct queue { const struct plug *plugs[MAX_PLUGS]; size_t count; };

struct resolution {
    const struct choice *choices;
    size_t count;
    struct settings *settings;
    struct queue queue;
    const struct choice *wrong;
    struct error *error;
};

static const struct choice *find_choice(const struct resolution *r, const char *key)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->choices[i].key, key) == 0)
            return &r->choices[i];
    return NULL;
}

static bool fail_missing(struct resolution *r, const struct param *param, const char *reader)
{
    char *valid = param_valid(param);
    fail(r->error, "the key '%s' is missing (%s reads it: %s); valid: %s", param->name, reader, param->help,
         valid);
    free(valid);
    return false;
}

static void enqueue(struct resolution *r, const struct param *param, const char *name)
{
    const struct plug *plug = plug_find(param->kind, name);
    for (size_t i = 0; i < r->queue.count; i++)
        if (r->queue.plugs[i] == plug)
            return;
    if (r->queue.count == MAX_PLUGS)
        die("a run uses more than %d plugins", MAX_PLUGS);
    r->queue.plugs[r->queue.count++] = plug;
}

static bool read_param(struct resolution *r, const struct param *param, const char *reader)
{
    const struct setting *known = settings_find(r->settings, param->name);
    if (known && known->param != param)
        die("%s reads another parameter '%s' than the rest of the run", reader, param->name);
    if (known || (param->used && !param->used(r->settings)))
        return true;
    const struct choice *choice = find_choice(r, param->name);
    const char *text = choice ? choice->text : param->fallback;
    char *value;
    if (!text)
        return fail_missing(r, param, reader);
    if (!param_parse(param, text, &value, r->error)) {
        if (!choice)
            die("a bad default: %s", r->error->text);
        r->wrong = choice;
        return false;
    }
    settings_put(r->settings, param, value, choice ? choice->line : 0, choice ? choice->column : 0);
    if (param->type == PARAM_PLUG)
        enqueue(r, param, value);
    return true;
}

static bool read_params(struct resolution *r, const struct param *const *params, const char *reader)
{
    for (size_t i = 0; params && params[i]; i++)
        if (!read_param(r, params[i], reader))
            return false;
    return true;
}

/* The core keys first, then level by level what the chosen plugins read, so that `used` finds the core keys
 * and those that stand earlier in its own table. */
bool settings_resolve(const struct choice *choices, size_t count, struct settings *settings,
                      const struct choice **wrong, struct error *error)
{
    struct resolution r = {.choices = choices, .count = count, .settings = settings, .error = error};
    *settings = (struct settings){0};
    bool good = read_params(&r, core_params, "every run");
    for (size_t i = 0; good && i < r.queue.count; i++)
        good = read_params(&r, r.queue.plugs[i]->params, r.queue.plugs[i]->name);
    *wrong = r.wrong;
    if (!good)
        settings_free(settings);
    return good;
}
