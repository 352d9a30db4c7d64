/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With the sentence around it, a list of this length still fits struct error. */
#define JOINED_LIMIT 700
#define WORD_LIMIT 40

void names_add(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return;
    names->items = xrealloc(names->items, (names->count + 1) * sizeof *names->items);
    names->items[names->count++] = name;
}

void names_free(struct names *names)
{
    free(names->items);
    *names = (struct names){0};
}

void names_of_choices(struct names *names, const char *const *choices)
{
    for (size_t i = 0; choices && choices[i]; i++)
        names_add(names, choices[i]);
}

void names_of_plugs(struct names *names, enum plug_kind kind)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(kind, i)) != NULL; i++)
        names_add(names, plug->name);
}

/* Calls visit with every parameter there is until it returns true. */
static const struct param *find_param(bool (*visit)(const struct param *, void *), void *context)
{
    for (size_t i = 0; core_params[i]; i++)
        if (visit(core_params[i], context))
            return core_params[i];
    const struct plug *plug;
    for (int kind = 0; kind < PLUG_KINDS; kind++)
        for (size_t i = 0; (plug = plug_at((enum plug_kind)kind, i)) != NULL; i++)
            for (size_t p = 0; plug->params && plug->params[p]; p++)
                if (visit(plug->params[p], context))
                    return plug->params[p];
    return NULL;
}

static bool has_name(const struct param *param, void *name) { return strcmp(param->name, name) == 0; }

const struct param *known_param(const char *key) { return find_param(has_name, (void *)key); }

static bool add_name(const struct param *param, void *names)
{
    names_add(names, param->name);
    return false;
}

void names_of_params(struct names *names) { find_param(add_name, names); }

static size_t smallest(size_t a, size_t b) { return a < b ? a : b; }

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t d[WORD_LIMIT + 1][WORD_LIMIT + 1];
    for (size_t i = 0; i <= a_length; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a_length; i++)
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = smallest(change, smallest(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smallest(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a_length][b_length];
}

const char *names_nearest(const struct names *names, const char *word)
{
    size_t length = strlen(word), best = length / 3 + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < names->count && length <= WORD_LIMIT; i++) {
        size_t other = strlen(names->items[i]);
        size_t distance = other > WORD_LIMIT ? SIZE_MAX : edit_distance(word, length, names->items[i], other);
        /* A word of which nothing is kept is no likely mistake. */
        if (distance < (nearest ? best : best + 1) && distance < other) {
            best = distance;
            nearest = names->items[i];
        }
    }
    return nearest;
}

char *names_joined(const struct names *names)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < names->count; i++) {
        bool too_long = strlen(text) + strlen(names->items[i]) > JOINED_LIMIT;
        char *longer = format_text("%s%s%s", text, i ? ", " : "", too_long ? "..." : names->items[i]);
        free(text);
        text = longer;
        if (too_long)
            break;
    }
    return text;
}

char *names_suggestion(const struct names *names, const char *word)
{
    const char *nearest = names_nearest(names, word);
    return nearest ? format_text("; did you mean '%s'", nearest) : xstrdup("");
}

const struct plug *named_plug(enum plug_kind kind, const char *name, struct error *error)
{
    const struct plug *plug = plug_find(kind, name);
    if (plug)
        return plug;
    struct names names = {0};
    names_of_plugs(&names, kind);
    char *suggestion = names_suggestion(&names, name), *valid = names_joined(&names);
    fail(error, "there is no %s '%.60s'%s; valid: %s", plug_kind_names[kind], name, suggestion, valid);
    free(suggestion);
    free(valid);
    names_free(&names);
    return NULL;
}
