/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "yaml_tree.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A sweep file needs four levels; the limit bounds the recursion. */
#define MAX_DEPTH 16
#define MAX_FILE_SIZE (16u << 20)

struct reader {
    yaml_parser_t parser;
    const char *name; /* for messages */
    bool places;      /* whether they tell line and column */
    const char *text;
    size_t size;
    struct error *error;
};

static bool fail_here(struct reader *r, yaml_mark_t mark, const char *problem)
{
    if (!r->places)
        return fail(r->error, "%s: %s", r->name, problem);
    return fail(r->error, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, problem);
}

/* A bad byte has an offset but no mark. */
static yaml_mark_t mark_of_offset(const struct reader *r, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < r->size; i++) {
        mark.column++;
        if (r->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static bool fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    yaml_mark_t mark = p->error == YAML_READER_ERROR ? mark_of_offset(r, p->problem_offset) : p->problem_mark;
    bool is_alias = p->context && strstr(p->context, "alias"); /* of *.weight, which nobody meant as one */
    char *problem = format_text("not valid YAML: %s%s%s%s", p->problem ? p->problem : "unknown problem",
                                p->context ? " " : "", p->context ? p->context : "",
                                is_alias ? "; a text that starts with * stands in quotes" : "");
    fail_here(r, mark, problem);
    free(problem);
    return false;
}

static bool next_event(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) || fail_syntax(r);
}

/* Anchors, aliases and tags, none of which a sweep file has a use for. */
static bool refuse_extras(struct reader *r, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor || event->type == YAML_ALIAS_EVENT)
        return fail_here(r, event->start_mark,
                         "anchors (&name) and aliases (*name) are not supported; settings above `blocks` are "
                         "shared by all blocks, and a text that starts with & or * stands in quotes");
    if (tag)
        return fail_here(r, event->start_mark, "tags (!name) are not supported; write the plain value");
    return true;
}

static void read_scalar(const yaml_event_t *event, struct node *node)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    node->text = xstrdup((const char *)event->data.scalar.value);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(node->text, nothing[i]) == 0)
            node->empty = true;
}

static struct node *add_child(struct node *parent)
{
    /* Doubling at the powers of two; children never shrink. */
    if ((parent->count & (parent->count - 1)) == 0)
        parent->children =
            xrealloc(parent->children, (parent->count ? 2 * parent->count : 1) * sizeof *parent->children);
    struct node *child = &parent->children[parent->count++];
    *child = (struct node){0};
    return child;
}

static bool read_node(struct reader *r, const yaml_event_t *event, struct node *node, int depth);

static bool read_list(struct reader *r, struct node *list, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        bool good = end || read_node(r, &event, add_child(list), depth);
        yaml_event_delete(&event);
        if (end || !good)
            return good;
    }
}

/* Fills the key of a new entry of the mapping. */
static bool read_key(struct reader *r, const yaml_event_t *event, struct node *map)
{
    if (!refuse_extras(r, event))
        return false;
    if (event->type != YAML_SCALAR_EVENT)
        return fail_here(r, event->start_mark, "a key must be a word");
    const char *key = (const char *)event->data.scalar.value;
    const struct node *same = node_entry(map, key);
    if (same) {
        char *problem = format_text("duplicate key '%s'; it stands in line %d already", key, same->key_line);
        fail_here(r, event->start_mark, problem);
        free(problem);
        return false;
    }
    struct node *entry = add_child(map);
    entry->key = xstrdup(key);
    entry->key_line = (int)event->start_mark.line + 1;
    entry->key_column = (int)event->start_mark.column + 1;
    return true;
}

static bool read_map(struct reader *r, struct node *map, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool good = end || read_key(r, &event, map);
        yaml_event_delete(&event);
        if (end || !good)
            return good;
        if (!next_event(r, &event))
            return false;
        good = read_node(r, &event, &map->children[map->count - 1], depth);
        yaml_event_delete(&event);
        if (!good)
            return false;
    }
}

static bool read_node(struct reader *r, const yaml_event_t *event, struct node *node, int depth)
{
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    if (!refuse_extras(r, event))
        return false;
    if (depth == MAX_DEPTH)
        return fail_here(r, event->start_mark, "nested too deeply");
    if (event->type == YAML_SCALAR_EVENT) {
        read_scalar(event, node);
        return true;
    }
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    node->kind = is_list ? NODE_LIST : NODE_MAP;
    return is_list ? read_list(r, node, depth + 1) : read_map(r, node, depth + 1);
}

/* Stream start, a document's start, its content and end, stream end. */
static bool read_stream(struct reader *r, struct node *root)
{
    int documents = 0;
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        bool end = event.type == YAML_STREAM_END_EVENT, good = true;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            good = fail_here(r, event.start_mark, "a second YAML document; a sweep file holds one");
        else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                 event.type != YAML_DOCUMENT_END_EVENT && !end)
            good = read_node(r, &event, root, 0);
        yaml_event_delete(&event);
        if (end || !good)
            return good;
    }
}

static bool read_text(struct reader *r, struct node *root)
{
    *root = (struct node){.line = 1, .column = 1};
    if (!yaml_parser_initialize(&r->parser))
        die("out of memory");
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->size);
    bool good = read_stream(r, root);
    if (good && root->kind == NODE_SCALAR && !root->text) {
        root->text = xstrdup("");
        root->empty = true;
    }
    yaml_parser_delete(&r->parser);
    if (!good)
        node_free(root);
    return good;
}

bool yaml_read_text(const char *text, size_t size, const char *name, struct node *root, struct error *error)
{
    struct reader r = {.name = name, .text = text, .size = size, .error = error};
    return read_text(&r, root);
}

static bool fail_file(const char *path, const char *problem, struct error *error)
{
    return fail(error, "cannot read the sweep file %s: %s", path, problem);
}

bool yaml_read_file(const char *path, struct node *root, struct error *error)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return fail_file(path, strerror(errno), error);
    char *text = xmalloc(MAX_FILE_SIZE);
    struct reader r = {.name = path, .places = true, .text = text, .error = error};
    r.size = fread(text, 1, MAX_FILE_SIZE, file);
    bool good = false;
    if (ferror(file))
        fail_file(path, strerror(errno), error);
    else if (r.size == MAX_FILE_SIZE)
        fail_file(path, "16 MiB or more; a sweep file is a few lines of text", error);
    else
        good = read_text(&r, root);
    fclose(file);
    free(text);
    return good;
}

const struct node *node_entry(const struct node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->children[i].key, key) == 0)
            return &map->children[i];
    return NULL;
}

void node_free(struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        node_free(&node->children[i]);
    free(node->children);
    free(node->text);
    free(node->key);
    *node = (struct node){0};
}
