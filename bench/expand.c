/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "expand.h"
#include "identity.h"
#include "settings.h"
#include <stdlib.h>
#include <string.h>

/* Far above any real sweep: stops a slip of the pen before it fills the memory. */
#define MAX_RUNS 100000

struct expansion {
    struct config *config;
    struct plan *plan;
    size_t capacity;
    const struct block *block;
    struct choice *choices; /* of the current combination; two more fit */
    size_t choice_count;
    struct error *error;
};

/* ---- one run ---- */

static bool resolve(struct expansion *x, const struct choice *choices, size_t count,
                    struct settings *settings)
{
    const struct choice *wrong;
    struct error problem;
    if (settings_resolve(choices, count, settings, &wrong, &problem))
        return true;
    return config_fail(x->config, wrong ? wrong->line : x->block->line,
                       wrong ? wrong->column : x->block->column, x->error, "%s", problem.text);
}

/* Takes the settings over. */
static bool add_run(struct expansion *x, struct settings *settings, int depends)
{
    struct plan *plan = x->plan;
    struct error problem;
    const struct dataset *dataset = described_add(&plan->described, settings, &problem);
    if (!dataset) {
        const struct setting *name = settings_find(settings, "dataset");
        config_fail(x->config, name->line, name->column, x->error, "%s", problem.text);
        settings_free(settings);
        return false;
    }
    if (plan->count == x->capacity) {
        x->capacity = x->capacity ? 2 * x->capacity : 64;
        plan->runs = xrealloc(plan->runs, x->capacity * sizeof *plan->runs);
    }
    struct run *run = &plan->runs[plan->count];
    *run = (struct run){.settings = *settings, .depends = depends};
    run->canonical = canonical_text(settings, dataset, depends < 0 ? NULL : plan->runs[depends].id);
    canonical_id(run->canonical, run->id);
    plan->count++;
    return true;
}

/* The FP32 run with the same settings. */
static bool add_float_run(struct expansion *x, const struct settings *dependent)
{
    static const struct choice fixed[] = {{.key = "mode", .text = "fp"},
                                          {.key = "allocator", .text = "none"}};
    const struct setting *init = settings_find(dependent, "init");
    struct settings settings;
    size_t count = 0;
    struct choice *choices = xmalloc((x->choice_count + 2) * sizeof *choices);
    for (size_t i = 0; i < 2; i++) {
        choices[count] = fixed[i];
        choices[count].line = init->line;
        choices[count++].column = init->column;
    }
    memcpy(choices + count, x->choices, x->choice_count * sizeof *choices); /* the first of a key counts */
    bool good = resolve(x, choices, count + x->choice_count, &settings) && add_run(x, &settings, -1);
    free(choices);
    return good;
}

/* ---- exclusion ---- */

/* Whether one of the entry's values is the run's. All values are looked at, so that a bad one is found. */
static bool entry_matches(struct expansion *x, struct entry *entry, const struct settings *settings,
                          bool *matches)
{
    const struct setting *setting = settings_find(settings, entry->key);
    *matches = false;
    if (!setting)
        return true;
    entry->read = true;
    for (size_t i = 0; i < entry->count; i++) {
        const struct node *value = &entry->values[i];
        struct error problem;
        char *canonical;
        if (!param_parse(setting->param, value->text, &canonical, &problem))
            return config_fail(x->config, value->line, value->column, x->error, "%s", problem.text);
        *matches |= strcmp(canonical, setting->value) == 0;
        free(canonical);
    }
    return true;
}

static bool is_excluded(struct expansion *x, const struct settings *settings, bool *excluded)
{
    *excluded = false;
    for (size_t e = 0; e < x->block->exclusion_count; e++) {
        struct exclusion *exclusion = x->block->exclusions[e];
        bool all = true, matches;
        for (size_t i = 0; i < exclusion->count; i++) {
            if (!entry_matches(x, &exclusion->entries[i], settings, &matches))
                return false;
            all &= matches;
        }
        exclusion->removed |= all;
        *excluded |= all;
    }
    return true;
}

/* ---- a block ---- */

static bool count_combinations(struct expansion *x, size_t *count)
{
    *count = 1;
    for (size_t a = 0; a < x->block->axis_count; a++) {
        *count *= x->block->axes[a].length;
        if (*count > MAX_RUNS)
            return config_fail(x->config, x->block->line, x->block->column, x->error,
                               "the lists of this block make more than %d combinations",
                               MAX_RUNS);
    }
    return true;
}

/* The values of one combination; the last axis varies fastest. */
static void choose(struct expansion *x, size_t combination)
{
    x->choice_count = 0;
    for (size_t a = x->block->axis_count; a-- > 0;) {
        const struct axis *axis = &x->block->axes[a];
        size_t row = combination % axis->length;
        combination /= axis->length;
        for (size_t e = 0; e < axis->entry_count; e++) {
            const struct node *value = &axis->entries[e]->values[row];
            x->choices[x->choice_count++] =
                (struct choice){axis->entries[e]->key, value->text, value->line, value->column};
        }
    }
}

static void mark_read(const struct block *block, const struct settings *settings)
{
    for (size_t a = 0; a < block->axis_count; a++)
        for (size_t e = 0; e < block->axes[a].entry_count; e++)
            block->axes[a].entries[e]->read |= setting_has(settings, block->axes[a].entries[e]->key);
}

static bool expand_combination(struct expansion *x, size_t combination, size_t *kept)
{
    struct settings settings;
    bool excluded;
    int depends = -1;
    choose(x, combination);
    if (!resolve(x, x->choices, x->choice_count, &settings))
        return false;
    bool good = is_excluded(x, &settings, &excluded);
    if (!good || excluded) {
        settings_free(&settings);
        return good;
    }
    mark_read(x->block, &settings);
    ++*kept;
    if (setting_has(&settings, "init") && setting_is(&settings, "init", "float")) {
        if (!add_float_run(x, &settings)) {
            settings_free(&settings);
            return false;
        }
        depends = (int)x->plan->count - 1;
    }
    return add_run(x, &settings, depends);
}

static bool fail_unread(const struct expansion *x, const struct entry *entry, const char *reader)
{
    return config_fail(x->config, entry->key_line, entry->key_column, x->error, "no run of %s reads '%s'",
                       reader, entry->key);
}

/* Options narrow a sweep down, so with them the file's own keys and exclusions may have nothing to do. */
static bool must_be_read(const struct expansion *x, const struct entry *entry)
{
    return !entry->read && (entry->override || x->config->option_count == 0);
}

static bool check_axes(const struct expansion *x, const struct block *block, bool shared, const char *reader)
{
    for (size_t a = 0; a < block->axis_count; a++)
        for (size_t e = 0; e < block->axes[a].entry_count; e++) {
            const struct entry *entry = block->axes[a].entries[e];
            if ((block->axes[a].shared || entry->override) == shared && must_be_read(x, entry))
                return fail_unread(x, entry, reader);
        }
    return true;
}

static bool check_exclusions(const struct expansion *x, const struct block *block)
{
    for (size_t e = 0; e < block->exclusion_count && x->config->option_count == 0; e++) {
        const struct exclusion *exclusion = block->exclusions[e];
        for (size_t i = 0; i < exclusion->count; i++) {
            const struct entry *entry = &exclusion->entries[i];
            if (!entry->read)
                return config_fail(x->config, entry->key_line, entry->key_column, x->error,
                                   "no run reads '%s', so this entry of exclude removes nothing", entry->key);
        }
        if (!exclusion->removed)
            return config_fail(x->config, exclusion->line, exclusion->column, x->error,
                               "this entry of exclude removes nothing: no combination matches all of its "
                               "keys");
    }
    return true;
}

static bool expand_block(struct expansion *x, const struct block *block)
{
    size_t combinations, kept = 0, keys = 0;
    x->block = block;
    for (size_t a = 0; a < block->axis_count; a++)
        keys += block->axes[a].entry_count;
    if (!count_combinations(x, &combinations))
        return false;
    x->choices = xmalloc((keys + 1) * sizeof *x->choices);
    bool good = true;
    for (size_t i = 0; i < combinations && good; i++)
        good = expand_combination(x, i, &kept);
    free(x->choices);
    if (good && kept == 0 && x->config->option_count == 0)
        return config_fail(x->config, block->line, block->column, x->error,
                           "exclude removes every combination of this block");
    return good && check_axes(x, block, false, "this block");
}

bool config_expand(struct config *config, struct plan *plan, struct error *error)
{
    struct expansion x = {.config = config, .plan = plan, .error = error};
    for (size_t b = 0; b < config->count; b++)
        if (!expand_block(&x, &config->blocks[b]))
            return false;
    /* What blocks share may be read in any of them. */
    const struct block *shared = &config->shared;
    for (size_t b = 0; b < config->count; b++)
        if (!check_axes(&x, &config->blocks[b], true, "any block") ||
            !check_exclusions(&x, &config->blocks[b]))
            return false;
    if (config->blocks != shared &&
        (!check_axes(&x, shared, false, "any block") || !check_exclusions(&x, shared)))
        return false;
    if (plan->count == 0)
        return config_fail(config, 1, 1, error, "the options leave no run: every combination is excluded");
    return true;
}
