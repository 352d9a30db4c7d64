/* SPDX-License-Identifier: GPL-3.0-or-later
 * A sweep file before it is multiplied out: blocks of axes and exclusions, overrides applied. */
#ifndef BITSWEEP_CONFIG_H
#define BITSWEEP_CONFIG_H
#include "yaml_tree.h"

/* One key with its values, one of which a run takes. */
struct entry {
    const char *key;
    int key_line, key_column;
    const struct node *values;
    size_t count;
    bool override;    /* an -s option gave it */
    bool read;        /* by some run; set by whoever expands */
};

/* Keys that advance together: one key, or those of a zip. */
struct axis {
    struct entry **entries;
    size_t entry_count, length;
    bool shared;      /* stands above `blocks` */
};

/* An entry of `exclude`: removes the runs that match one value of each key. */
struct exclusion {
    struct entry *entries;
    size_t count;
    int line, column;
    bool removed;     /* some run; set by whoever expands, like the entries' `read` */
};

/* What stands in one mapping, later one block with what it inherits. The last axis varies fastest. */
struct block {
    struct axis *axes;
    size_t axis_count;
    struct exclusion **exclusions;
    size_t exclusion_count;
    int line, column;
};

struct config {
    const char *path;
    const char *const *options;   /* the texts of the -s options */
    size_t option_count;
    struct node root, *option_values;
    struct block shared;          /* no run of its own unless it is the one block */
    struct block *blocks;
    size_t count;
    struct arena arena;           /* entries, axes, exclusions */
};

/* The file and the options must outlive the config. Errors name the place, or the option at fault. */
bool config_load(const char *path, const char *const *options, size_t option_count, struct config *,
                 struct error *);
void config_free(struct config *);

/* "file:line:column" or "-s key=value"; free() it. */
char *config_place(const struct config *, int line, int column);
bool config_fail(const struct config *, int line, int column, struct error *, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
#endif
