/* SPDX-License-Identifier: GPL-3.0-or-later
 * YAML text as a tree that knows where everything stands. No anchors, aliases or tags; no key twice in a
 * mapping. */
#ifndef BITSWEEP_YAML_TREE_H
#define BITSWEEP_YAML_TREE_H
#include "bitsweep.h"

enum yaml_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum yaml_kind kind;
    bool empty;                  /* a scalar that says nothing: absent, ~ or null without quotes */
    int line, column;            /* from 1; of the value */
    char *text;                  /* scalars */
    char *key;                   /* entries of a mapping */
    int key_line, key_column;
    struct node *children;       /* in the order of the text */
    size_t count;
};

/* The one document of a text; an empty text is an empty scalar. Errors start with the name. */
bool yaml_read_text(const char *text, size_t size, const char *name, struct node *, struct error *);
/* Errors start with "path:line:column: ". */
bool yaml_read_file(const char *path, struct node *, struct error *);
const struct node *node_entry(const struct node *map, const char *key); /* NULL if absent */
void node_free(struct node *);
#endif
