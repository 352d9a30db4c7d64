/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "comparison.h"
#include "runs.h"
#include <stdlib.h>
#include <string.h>

/* Settings that say how a limited accumulator works: a run without limit reads none of them and fits to all. */
#define LIMITS "acc_"

static const struct record *first_of(const struct series *series) { return series->stacks[0].runs[0]; }

/* The text with more behind it; frees the text. */
static char *append(char *text, const char *separator, const char *more)
{
    char *longer = format_text("%s%s%s", text, *text && *more ? separator : "", more);
    free(text);
    return longer;
}

/* ---- grouping ------------------------------------------------------------------------- */

struct sorting {
    struct comparison *comparison;
    const struct comparing *what;
    struct words group_keys, series_keys, limit_keys, nothing;
};

static void sort_keys(struct sorting *s, const struct words *keys)
{
    for (size_t k = 0; s->what->keys[k]; k++)
        words_add(&s->group_keys, s->what->keys[k]);
    for (size_t k = 0; k < keys->count; k++) {
        const char *key = keys->items[k];
        if (strcmp(key, "seed") == 0 || (s->what->along && strcmp(key, s->what->along) == 0))
            continue;
        bool limit = strncmp(key, LIMITS, strlen(LIMITS)) == 0 && s->what->along && strcmp(s->what->along, "acc_bits") == 0;
        words_add(limit ? &s->limit_keys : &s->series_keys, key);
    }
}

static struct group *group_of(struct sorting *s, const struct record *run)
{
    struct comparison *c = s->comparison;
    char *signature = run_signature(run, &s->group_keys, &s->nothing);
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->groups[i].signature, signature) == 0) {
            free(signature);
            return &c->groups[i];
        }
    c->groups = grow(c->groups, c->count, sizeof *c->groups);
    c->groups[c->count].signature = signature;
    return &c->groups[c->count++];
}

static void put_in_stack(struct series *series, const char *at, const struct record *run)
{
    size_t i = 0;
    while (i < series->count && strcmp(series->stacks[i].at, at) != 0)
        i++;
    if (i == series->count) {
        series->stacks = grow(series->stacks, series->count++, sizeof *series->stacks);
        series->stacks[i].at = at;
    }
    runs_add(&series->stacks[i].runs, &series->stacks[i].count, run);
}

static bool reads_none(const struct sorting *s, const struct record *run)
{
    for (size_t k = 0; k < s->limit_keys.count; k++)
        if (*setting_of(run, s->limit_keys.items[k]))
            return false;
    return true;
}

/* Into the series that it is equal to; without limits, into all that it fits to. */
static void place(struct sorting *s, const struct record *run, const char *head)
{
    struct group *group = group_of(s, run);
    const char *at = s->what->along ? setting_of(run, s->what->along) : "";
    char *signature = run_signature(run, &s->series_keys, &s->nothing);
    char *limits = reads_none(s, run) ? xstrdup("") : run_signature(run, &s->limit_keys, &s->nothing);
    bool placed = false;
    for (size_t i = 0; i < group->count; i++) {
        struct series *series = &group->series[i];
        if (strcmp(series->head, head) == 0 && strcmp(series->signature, signature) == 0 &&
            (!*limits || strcmp(series->limits, limits) == 0)) {
            put_in_stack(series, at, run);
            placed = true;
        }
    }
    if (!placed) {
        group->series = grow(group->series, group->count, sizeof *group->series);
        struct series *series = &group->series[group->count++];
        *series = (struct series){.head = xstrdup(head), .signature = signature, .limits = limits};
        put_in_stack(series, at, run);
        return;
    }
    free(signature);
    free(limits);
}

/* Once for each head: "/incremental/HEAD/accuracy". */
static void place_heads(struct sorting *s, const struct record *run)
{
    static const char prefix[] = "/incremental/", suffix[] = "/accuracy";
    for (size_t f = 0; f < run->count; f++) {
        const char *path = run->fields[f].path;
        size_t length = strlen(path), around = strlen(prefix) + strlen(suffix);
        if (length <= around || strncmp(path, prefix, strlen(prefix)) != 0 ||
            strcmp(path + length - strlen(suffix), suffix) != 0)
            continue;
        char *head = format_text("%.*s", (int)(length - around), path + strlen(prefix));
        place(s, run, head);
        free(head);
    }
}

/* ---- labels --------------------------------------------------------------------------- */

/* What every label shows, with the head. */
static const char *const shown[] = {"strategy", "mode", "allocator", "budget"};
enum { SHOWN = sizeof shown / sizeof *shown };

static bool is_shown(const char *key)
{
    bool is = false;
    for (size_t k = 0; k < SHOWN; k++)
        is |= strcmp(key, shown[k]) == 0;
    return is;
}

/* Whether another series of the group that is equal in those has another value of the key. A setting that only one of them
 * reads does not count: it depends on another one, which counts. */
static bool tells_apart(const struct group *group, const struct series *series, const char *along, const char *key)
{
    const struct record *own = first_of(series);
    const char *value = setting_of(own, key);
    for (size_t i = 0; i < group->count && *value; i++) {
        const struct record *other = first_of(&group->series[i]);
        const char *its_value = setting_of(other, key);
        bool same = strcmp(group->series[i].head, series->head) == 0;
        for (size_t k = 0; k < SHOWN && same; k++)
            same = (along && strcmp(along, shown[k]) == 0) ||
                   strcmp(setting_of(own, shown[k]), setting_of(other, shown[k])) == 0;
        if (same && *its_value && strcmp(value, its_value) != 0)
            return true;
    }
    return false;
}

/* "hfqt, 4 bits"; the usual allocator is not named. */
static char *variant_of(const struct record *run, const char *along)
{
    const char *allocator = setting_of(run, "allocator"), *budget = setting_of(run, "budget");
    if (run_is_reference(run))
        return xstrdup("FP32");
    char *text = append(xstrdup(setting_of(run, "mode")), ", ", strcmp(allocator, "uniform") == 0 ? "" : allocator);
    if (along && strcmp(along, "budget") == 0)
        return text;
    text = append(text, ", ", budget);
    return append(text, " ", *budget && is_mean_width(budget) ? "bits" : "");
}

static void label(const struct group *group, struct series *series, const struct sorting *s)
{
    const struct record *run = first_of(series);
    series->name = append(xstrdup(setting_of(run, "strategy")), ", ", series->head);
    series->variant = variant_of(run, s->what->along);
    for (int limits = 0; limits < 2; limits++) {
        const struct words *keys = limits ? &s->limit_keys : &s->series_keys;
        for (size_t k = 0; k < keys->count; k++) {
            const char *key = keys->items[k];
            if (is_shown(key) || !tells_apart(group, series, s->what->along, key))
                continue;
            char *more = format_text("%s %s", key, setting_of(run, key));
            series->variant = append(series->variant, ", ", more);
            free(more);
        }
    }
}

/* Whether groups differ in keys[k]; beyond data set and model, groups of the same two; beyond the scenario, also of that. */
static bool groups_differ(const struct comparison *c, const struct record *own, const char *const *keys, size_t k)
{
    size_t base = k < 2 ? 0 : k < BASE_KEYS ? k : BASE_KEYS;
    for (size_t i = 0; i < c->count; i++) {
        const struct record *other = first_of(&c->groups[i].series[0]);
        bool same_base = true;
        for (size_t b = 0; b < base; b++)
            same_base &= strcmp(setting_of(own, keys[b]), setting_of(other, keys[b])) == 0;
        if (same_base && strcmp(setting_of(own, keys[k]), setting_of(other, keys[k])) != 0)
            return true;
    }
    return false;
}

static void name_group(const struct comparison *c, struct group *group, const char *const *keys)
{
    group->name = xstrdup("");
    group->title = xstrdup("");
    const struct record *own = first_of(&group->series[0]);
    for (size_t k = 0; keys[k]; k++) {
        const char *value = setting_of(own, keys[k]);
        bool differs = groups_differ(c, own, keys, k), plain = k < BASE_KEYS || strcmp(keys[k], "strategy") == 0;
        char *named = plain || !*value ? xstrdup(value) : format_text("%s %s", keys[k], value);
        if (differs)
            group->name = append(group->name, "-", named);
        if (differs || k < 2)
            group->title = append(group->title, ", ", named);
        free(named);
    }
}

/* ---- all of it ------------------------------------------------------------------------ */

static int by_value(const void *left, const void *right)
{
    return compare_budgets(((const struct stack *)left)->at, ((const struct stack *)right)->at);
}

/* References first; runs without limits when all series that they may fit to are there. */
static void sort_runs(struct sorting *s, const struct record **runs, size_t count)
{
    for (int references = 1; references >= 0; references--)
        for (int unlimited = 0; unlimited < 2; unlimited++)
            for (size_t i = 0; i < count; i++) {
                if (run_is_reference(runs[i]) != references || reads_none(s, runs[i]) != unlimited)
                    continue;
                if (s->what->by_head)
                    place_heads(s, runs[i]);
                else
                    place(s, runs[i], "");
            }
    for (size_t g = 0; g < s->comparison->count; g++) {
        struct group *group = &s->comparison->groups[g];
        name_group(s->comparison, group, s->what->keys);
        for (size_t i = 0; i < group->count; i++) {
            qsort(group->series[i].stacks, group->series[i].count, sizeof(struct stack), by_value);
            label(group, &group->series[i], s);
        }
    }
}

void tell_absent(const struct figure *figure, const struct charts *charts, const struct comparing *what)
{
    size_t absent = 0;
    for (size_t i = 0; i < charts->run_count; i++)
        absent += !what->shows(charts->runs[i]);
    if (absent > 0)
        fprintf(stderr, "bitsweep plot: %s: %zu of %zu runs left out: %s\n", figure->name, absent, charts->run_count,
                what->absent);
}

struct comparison compare_runs(const struct charts *charts, const struct comparing *what)
{
    struct comparison comparison = {0};
    const struct record **shown_runs = xmalloc((charts->run_count + 1) * sizeof *shown_runs);
    size_t count = 0;
    for (size_t i = 0; i < charts->run_count; i++)
        if (what->shows(charts->runs[i]))
            shown_runs[count++] = charts->runs[i];
    struct sorting s = {.comparison = &comparison, .what = what};
    struct words keys = setting_keys(shown_runs, count);
    sort_keys(&s, &keys);
    sort_runs(&s, shown_runs, count);
    words_free(&keys);
    words_free(&s.group_keys);
    words_free(&s.series_keys);
    words_free(&s.limit_keys);
    free(shown_runs);
    return comparison;
}

static void series_free(struct series *series)
{
    for (size_t i = 0; i < series->count; i++)
        free(series->stacks[i].runs);
    free(series->stacks);
    free(series->head);
    free(series->name);
    free(series->variant);
    free(series->signature);
    free(series->limits);
}

void comparison_free(struct comparison *comparison)
{
    for (size_t g = 0; g < comparison->count; g++) {
        struct group *group = &comparison->groups[g];
        for (size_t i = 0; i < group->count; i++)
            series_free(&group->series[i]);
        free(group->series);
        free(group->name);
        free(group->title);
        free(group->signature);
    }
    free(comparison->groups);
}

/* ---- what figures say and read -------------------------------------------------------- */

char *describe_seeds(const struct group *groups, size_t count, const char *mean)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            for (size_t k = 0; k < groups[g].series[i].count; k++) {
                size_t runs = groups[g].series[i].stacks[k].count;
                least = runs < least ? runs : least;
                most = runs > most ? runs : most;
            }
    return most == 1       ? xstrdup("one seed")
           : least == most ? format_text("%s over %zu seeds", mean, most)
                           : format_text("%s over %zu to %zu seeds", mean, least, most);
}

char *describe_series(const struct group *groups, size_t count)
{
    const char *name = groups[0].series[0].name;
    bool shared = true;
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            shared &= strcmp(groups[g].series[i].name, name) == 0;
    char *seeds = describe_seeds(groups, count, "mean ± standard error");
    char *text = append(xstrdup(shared ? name : ""), ", ", seeds);
    free(seeds);
    return text;
}

const double *run_reals(const struct record *run, const char *path, size_t *count, struct error *error)
{
    const struct field *field = record_find(run, path);
    const char *id = record_get_text(run, "/id", "?");
    if (!field || field->type != RECORD_F64 || field_count(field) == 0) {
        fail(error, "run %s has no %s of real numbers", id, path);
        return NULL;
    }
    if (*count && field_count(field) != *count) {
        fail(error, "run %s has %zu values in %s where %zu belong", id, field_count(field), path, *count);
        return NULL;
    }
    *count = field_count(field);
    return field->data;
}
