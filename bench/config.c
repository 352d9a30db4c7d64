/* SPDX-License-Identifier: GPL-3.0-or-later
 * From the tree of a sweep file to its blocks. Checks keys and the shape of values; what a value means is
 * checked when a run reads it. */
#include "config.h"
#include "names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

char *config_place(const struct config *config, int line, int column)
{
    if (line < 0)
        return format_text("-s %s", config->options[-line - 1]);
    return format_text("%s:%d:%d", config->path, line, column);
}

bool config_fail(const struct config *config, int line, int column, struct error *error, const char *format,
                 ...)
{
    va_list args;
    char *problem, *place = config_place(config, line, column);
    va_start(args, format);
    if (vasprintf(&problem, format, args) < 0)
        die("out of memory");
    va_end(args);
    fail(error, "%s: %s", place, problem);
    free(problem);
    free(place);
    return false;
}

static bool fail_key(const struct config *config, const struct node *entry, struct error *error,
                     const char *problem)
{
    return config_fail(config, entry->key_line, entry->key_column, error, "'%s' %s", entry->key, problem);
}

/* ---- one key and its values ---- */

static const char *const structure_words[] = {"zip", "exclude", "blocks", "description"};

static bool is_structure_word(const char *key)
{
    for (size_t i = 0; i < sizeof structure_words / sizeof *structure_words; i++)
        if (strcmp(structure_words[i], key) == 0)
            return true;
    return false;
}

static bool fail_unknown_key(const struct config *config, const struct node *node, struct error *error)
{
    if (is_structure_word(node->key))
        return fail_key(config, node, error, "cannot stand here; settings are valid");
    struct names names = {0};
    names_of_params(&names);
    for (size_t i = 0; i < sizeof structure_words / sizeof *structure_words; i++)
        names_add(&names, structure_words[i]);
    char *suggestion = names_suggestion(&names, node->key), *valid = names_joined(&names);
    config_fail(config, node->key_line, node->key_column, error, "unknown key '%.60s'%s; valid: %s",
                node->key, suggestion, valid);
    free(valid);
    free(suggestion);
    names_free(&names);
    return false;
}

/* Whether a mapping may stand for the value: {weight_bytes: 70KiB, bops: 25%}. */
static bool is_pairs(const struct node *value, const struct param *param)
{
    return value->kind == NODE_MAP && param->pairs;
}

/* The mapping's entries are single values, too. */
static bool check_pairs(const struct config *config, const struct node *map, const struct param *param, struct error *error)
{
    if (map->count == 0)
        return config_fail(config, map->line, map->column, error, "the mapping of '%s' is empty", param->name);
    for (size_t i = 0; i < map->count; i++) {
        const struct node *entry = &map->children[i];
        if (entry->kind != NODE_SCALAR)
            return config_fail(config, entry->line, entry->column, error,
                               "'%s' in the mapping of '%s' holds a %s; valid: a single value (several values of '%s' are "
                               "a list of mappings)",
                               entry->key, param->name, entry->kind == NODE_LIST ? "list" : "mapping", param->name);
        if (entry->empty)
            return config_fail(config, entry->line, entry->column, error, "'%s' in the mapping of '%s' has no value",
                               entry->key, param->name);
    }
    return true;
}

static bool check_scalar(const struct config *config, const struct node *value, const struct param *param,
                         struct error *error)
{
    if (value->kind == NODE_SCALAR && !value->empty)
        return true;
    if (is_pairs(value, param))
        return check_pairs(config, value, param, error);
    if (value->kind == NODE_SCALAR)
        return config_fail(config, value->line, value->column, error, "'%s' has no value", param->name);
    if (value->kind == NODE_LIST && param->type == PARAM_DIMS)
        return config_fail(config, value->line, value->column, error,
                           "a list inside the list of '%s'; the numbers of one value are joined by '-', like "
                           "512-256, and a list holds several such values",
                           param->name);
    return config_fail(config, value->line, value->column, error,
                       "a %s inside the list of '%s'; valid: single values%s",
                       value->kind == NODE_LIST ? "list" : "mapping", param->name, param->pairs ? " and mappings" : "");
}

/* "weight_bytes=70KiB,bops=25%" of a mapping, in the config's memory. */
static char *pairs_text(struct config *config, const struct node *map)
{
    size_t size = 1, used = 0;
    for (size_t i = 0; i < map->count; i++)
        size += strlen(map->children[i].key) + strlen(map->children[i].text) + 2;
    char *text = arena_alloc(&config->arena, size);
    for (size_t i = 0; i < map->count; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s=%s", i ? "," : "", map->children[i].key, map->children[i].text);
    return text;
}

/* The values with mappings as texts, in the place where they stand. */
static const struct node *plain_values(struct config *config, const struct node *values, size_t count)
{
    struct node *plain = arena_alloc(&config->arena, count * sizeof *plain);
    for (size_t i = 0; i < count; i++) {
        plain[i] = (struct node){.kind = NODE_SCALAR, .line = values[i].line, .column = values[i].column};
        plain[i].text = values[i].kind == NODE_MAP ? pairs_text(config, &values[i]) : values[i].text;
    }
    return plain;
}

static bool make_entry(struct config *config, const struct node *node, struct entry *entry, struct error *error)
{
    const struct param *param = known_param(node->key);
    if (!param)
        return fail_unknown_key(config, node, error);
    if (node->kind == NODE_MAP && !is_pairs(node, param))
        return config_fail(config, node->line, node->column, error,
                           "'%s' holds a mapping; valid: a value or a list of values", node->key);
    if (node->kind == NODE_LIST && node->count == 0)
        return config_fail(config, node->line, node->column, error, "the list of '%s' is empty", node->key);
    bool is_list = node->kind == NODE_LIST;
    *entry = (struct entry){.key = param->name, .key_line = node->key_line, .key_column = node->key_column,
                            .values = is_list ? node->children : node, .count = is_list ? node->count : 1};
    for (size_t i = 0; i < entry->count; i++)
        if (!check_scalar(config, &entry->values[i], param, error))
            return false;
    if (param->pairs)
        entry->values = plain_values(config, entry->values, entry->count);
    return true;
}

/* ---- one mapping of settings ---- */

static const struct entry *find_entry(const struct block *block, const char *key)
{
    for (size_t a = 0; a < block->axis_count; a++)
        for (size_t e = 0; e < block->axes[a].entry_count; e++)
            if (strcmp(block->axes[a].entries[e]->key, key) == 0)
                return block->axes[a].entries[e];
    return NULL;
}

/* Adds the keys of a mapping, or the one key of an entry, as one axis. */
static bool add_axis(struct config *config, const struct node *nodes, size_t count, struct block *block,
                     struct error *error)
{
    struct axis axis = {.entries = arena_alloc(&config->arena, count * sizeof *axis.entries)};
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = axis.entries[i] = arena_alloc(&config->arena, sizeof *entry);
        if (!make_entry(config, &nodes[i], entry, error))
            return false;
        const struct entry *same = find_entry(block, entry->key);
        if (same)
            return config_fail(config, entry->key_line, entry->key_column, error,
                               "duplicate key '%s'; it stands in line %d already, and a zipped key stands "
                               "nowhere else in its block",
                               entry->key, same->key_line);
        axis.length = entry->count;
        axis.entry_count++;
    }
    block->axes[block->axis_count++] = axis;
    return true;
}

static bool read_zip(struct config *config, const struct node *zip, struct block *block, struct error *error)
{
    if (zip->kind != NODE_MAP || zip->count == 0)
        return config_fail(config, zip->line, zip->column, error,
                           "zip needs keys with lists of equal length, like zip: {budget: [2, 4], epochs: "
                           "[3, 5]}");
    for (size_t i = 0; i < zip->count; i++) {
        const struct node *list = &zip->children[i], *first = &zip->children[0];
        if (!known_param(list->key))
            return fail_unknown_key(config, list, error);
        if (list->kind != NODE_LIST)
            return config_fail(config, list->line, list->column, error,
                               "'%s' in a zip needs a list; a fixed value stands outside the zip",
                               list->key);
        if (list->count != first->count)
            return config_fail(config, list->line, list->column, error,
                               "'%s' has %zu values and '%s' has %zu; the lists of a zip have equal length",
                               list->key, list->count, first->key, first->count);
    }
    return add_axis(config, zip->children, zip->count, block, error);
}

static bool read_exclusion(struct config *config, const struct node *map, struct block *block,
                           struct error *error)
{
    if (map->kind != NODE_MAP || map->count == 0)
        return config_fail(config, map->line, map->column, error, "exclude needs a list of mappings, like "
                           "exclude: [{mode: fqt, budget: [2, 3]}]");
    struct exclusion *exclusion = arena_alloc(&config->arena, sizeof *exclusion);
    *exclusion =
        (struct exclusion){.entries = arena_alloc(&config->arena, map->count * sizeof *exclusion->entries),
                           .count = map->count,
                           .line = map->line,
                           .column = map->column};
    for (size_t i = 0; i < map->count; i++)
        if (!make_entry(config, &map->children[i], &exclusion->entries[i], error))
            return false;
    block->exclusions[block->exclusion_count++] = exclusion;
    return true;
}

typedef bool read_part(struct config *, const struct node *, struct block *, struct error *);

/* zip and exclude take one mapping or a list of them. */
static bool read_each(struct config *config, const struct node *node, read_part *read, struct block *block,
                      struct error *error)
{
    if (node->kind != NODE_LIST || node->count == 0)
        return read(config, node, block, error);
    for (size_t i = 0; i < node->count; i++)
        if (!read(config, &node->children[i], block, error))
            return false;
    return true;
}

static size_t count_of(const struct node *map, const char *key)
{
    const struct node *node = node_entry(map, key);
    return !node ? 0 : node->kind == NODE_LIST ? node->count + 1 : 1;
}

static bool read_entry(struct config *config, const struct node *node, bool is_top, struct block *block,
                       struct error *error)
{
    if (strcmp(node->key, "zip") == 0)
        return read_each(config, node, read_zip, block, error);
    if (strcmp(node->key, "exclude") == 0)
        return read_each(config, node, read_exclusion, block, error);
    if (is_top && is_structure_word(node->key)) /* read_root sees to it */
        return true;
    return add_axis(config, node, 1, block, error);
}

static bool read_settings(struct config *config, const struct node *map, struct block *block,
                          struct error *error)
{
    *block = (struct block){.line = map->line, .column = map->column};
    block->axes = arena_alloc(&config->arena, (map->count + count_of(map, "zip")) * sizeof *block->axes);
    block->exclusions = arena_alloc(&config->arena, count_of(map, "exclude") * sizeof *block->exclusions);
    for (size_t i = 0; i < map->count; i++)
        if (!read_entry(config, &map->children[i], map == &config->root, block, error))
            return false;
    return true;
}

/* ---- blocks ---- */

/* What the block inherits: the shared axes whose key it does not set itself, before its own. */
static bool inherit(struct config *config, struct block *block, struct error *error)
{
    const struct block own = *block, *shared = &config->shared;
    block->axis_count = block->exclusion_count = 0;
    block->axes = arena_alloc(&config->arena, (own.axis_count + shared->axis_count) * sizeof *block->axes);
    block->exclusions = arena_alloc(&config->arena, (own.exclusion_count + shared->exclusion_count) *
                                                        sizeof *block->exclusions);
    for (size_t a = 0; a < shared->axis_count; a++) {
        const struct axis *axis = &shared->axes[a];
        const struct entry *override = NULL;
        for (size_t e = 0; e < axis->entry_count && !override; e++)
            override = find_entry(&own, axis->entries[e]->key);
        if (override && axis->entry_count > 1)
            return config_fail(config, override->key_line, override->key_column, error,
                               "'%s' stands in the zip above `blocks`, so a block cannot override it",
                               override->key);
        if (!override) {
            block->axes[block->axis_count] = *axis;
            block->axes[block->axis_count++].shared = true;
        }
    }
    for (size_t a = 0; a < own.axis_count; a++)
        block->axes[block->axis_count++] = own.axes[a];
    for (size_t e = 0; e < shared->exclusion_count; e++)
        block->exclusions[block->exclusion_count++] = shared->exclusions[e];
    for (size_t e = 0; e < own.exclusion_count; e++)
        block->exclusions[block->exclusion_count++] = own.exclusions[e];
    return true;
}

static bool read_blocks(struct config *config, const struct node *blocks, struct error *error)
{
    if (blocks->kind != NODE_LIST || blocks->count == 0)
        return config_fail(config, blocks->line, blocks->column, error,
                           "blocks needs a list of mappings, each a '- ' with settings below");
    config->blocks = arena_alloc(&config->arena, blocks->count * sizeof *config->blocks);
    for (size_t i = 0; i < blocks->count; i++) {
        const struct node *map = &blocks->children[i];
        struct block *block = &config->blocks[config->count++];
        if (map->kind != NODE_MAP)
            return config_fail(config, map->line, map->column, error,
                               "a block must be a mapping of settings");
        if (!read_settings(config, map, block, error) || !inherit(config, block, error))
            return false;
    }
    return true;
}

static bool read_root(struct config *config, struct error *error)
{
    const struct node *root = &config->root;
    if (root->kind != NODE_MAP)
        return config_fail(config, root->line, root->column, error,
                           "a sweep file holds settings, like 'dataset: synthetic'; %s",
                           root->kind == NODE_LIST ? "this is a list"
                           : root->empty           ? "this one is empty"
                                                   : "this is a single word");
    const struct node *description = node_entry(root, "description"), *blocks = node_entry(root, "blocks");
    if (description && description->kind != NODE_SCALAR)
        return config_fail(config, description->line, description->column, error,
                           "description must be a text");
    if (!read_settings(config, root, &config->shared, error))
        return false;
    if (blocks)
        return read_blocks(config, blocks, error);
    config->blocks = &config->shared;
    config->count = 1;
    return true;
}

/* ---- overrides ---- */

static void mark_option(struct node *node, size_t option)
{
    node->line = node->key_line = -(int)option - 1;
    node->column = node->key_column = 0;
    for (size_t i = 0; i < node->count; i++)
        mark_option(&node->children[i], option);
}

/* Reads "key=value", the value being YAML, into the entry. */
static bool read_option(struct config *config, size_t option, struct entry *entry, struct error *error)
{
    const char *text = config->options[option], *equals = strchr(text, '=');
    struct node *value = &config->option_values[option];
    if (!equals || equals == text)
        return fail(error, "-s %s: not of the form key=value, like -s epochs=3 or -s 'seed=[1, 2, 3]'", text);
    char *name = format_text("-s %s", text);
    bool good = yaml_read_text(equals + 1, strlen(equals + 1), name, value, error);
    free(name);
    if (!good)
        return false;
    mark_option(value, option);
    value->key = format_text("%.*s", (int)(equals - text), text);
    if (!make_entry(config, value, entry, error))
        return false;
    entry->override = true;
    return true;
}

static void note_unzipped(const struct config *config, const struct entry *zipped,
                          const struct entry *override)
{
    fprintf(stderr, "bitsweep: -s %s takes '%s' out of the zip in %s:%d\n",
            config->options[-override->key_line - 1], zipped->key, config->path, zipped->key_line);
}

/* The override of that key, the last if there are several. */
static struct entry *find_override(struct entry *overrides, size_t count, const char *key)
{
    while (count-- > 0)
        if (strcmp(overrides[count].key, key) == 0)
            return &overrides[count];
    return NULL;
}

static void add_override(struct config *config, struct block *block, struct entry *override)
{
    struct axis axis = {.entries = arena_alloc(&config->arena, sizeof *axis.entries), .entry_count = 1,
                        .length = override->count};
    axis.entries[0] = override;
    block->axes[block->axis_count++] = axis;
}

/* An override stands where the key stood, or last. */
static void override_block(struct config *config, struct block *block, struct entry *overrides)
{
    const struct block old = *block;
    size_t capacity = config->option_count;
    for (size_t a = 0; a < old.axis_count; a++)
        capacity += old.axes[a].entry_count + 1;
    block->axes = arena_alloc(&config->arena, capacity * sizeof *block->axes);
    block->axis_count = 0;
    for (size_t a = 0; a < old.axis_count; a++) {
        struct axis axis = old.axes[a];
        axis.entries = arena_alloc(&config->arena, axis.entry_count * sizeof *axis.entries);
        axis.entry_count = 0;
        for (size_t e = 0; e < old.axes[a].entry_count; e++) {
            struct entry *entry = old.axes[a].entries[e];
            struct entry *override = find_override(overrides, config->option_count, entry->key);
            if (!override) {
                axis.entries[axis.entry_count++] = entry;
                continue;
            }
            if (old.axes[a].entry_count > 1 && !entry->read)
                note_unzipped(config, entry, override);
            entry->read = true; /* no run takes it, but the file is not at fault; and one note is enough */
            add_override(config, block, override);
        }
        if (axis.entry_count > 0)
            block->axes[block->axis_count++] = axis;
    }
    for (size_t o = 0; o < config->option_count; o++)
        if (!find_entry(block, overrides[o].key))
            add_override(config, block, find_override(overrides, config->option_count, overrides[o].key));
}

static bool apply_options(struct config *config, struct error *error)
{
    struct entry *overrides = arena_alloc(&config->arena, config->option_count * sizeof *overrides);
    config->option_values = arena_alloc(&config->arena, config->option_count * sizeof *config->option_values);
    for (size_t i = 0; i < config->option_count; i++)
        if (!read_option(config, i, &overrides[i], error))
            return false;
    for (size_t b = 0; b < config->count; b++)
        override_block(config, &config->blocks[b], overrides);
    return true;
}

/* ---- all of it ---- */

bool config_load(const char *path, const char *const *options, size_t option_count, struct config *config,
                 struct error *error)
{
    *config = (struct config){.path = path, .options = options, .option_count = option_count};
    if (!yaml_read_file(path, &config->root, error))
        return false;
    if (read_root(config, error) && apply_options(config, error))
        return true;
    config_free(config);
    return false;
}

void config_free(struct config *config)
{
    node_free(&config->root);
    for (size_t i = 0; config->option_values && i < config->option_count; i++)
        node_free(&config->option_values[i]);
    arena_free(&config->arena);
    *config = (struct config){0};
}
