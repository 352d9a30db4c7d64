/* SPDX-License-Identifier: GPL-3.0-or-later
 * What stands behind a verb: options by a table, operands, and the sweep of the verbs that take one. */
#ifndef BITSWEEP_OPTIONS_H
#define BITSWEEP_OPTIONS_H
#include "cli.h"
#include "plan.h"

/* One option: --name VALUE, --name=VALUE, -n VALUE or -nVALUE. A table of them ends with a row without a
 * name. */
struct option {
    const char *name; /* with its dashes */
    /* One of those below, which say what target is, or the verb's own. */
    bool (*set)(const struct option *, const char *value, struct error *);
    void *target;
};
bool set_flag(const struct option *, const char *value, struct error *);    /* bool; takes no value */
bool set_text(const struct option *, const char *value, struct error *);    /* const char *; the last one counts */
/* enum format: text, json, and those up to the one that the name says */
bool set_format_json(const struct option *, const char *value, struct error *);
bool set_format_csv(const struct option *, const char *value, struct error *);
bool set_format_latex(const struct option *, const char *value, struct error *);
bool set_workers(const struct option *, const char *value, struct error *); /* int */
struct texts { const char **items; size_t count; };
bool add_text(const struct option *, const char *value, struct error *);    /* struct texts; free items */

/* What else a verb takes; `most` of them at most. */
struct operands { const char *name; int least, most; };

/* Sets the options and moves the operands to argv[1] and on; returns how many there are, or -1 after a usage
 * error. */
int read_options(const struct command *, const struct option *, struct operands, int argc, char **argv);

/* For the verbs on a sweep: reads SWEEP.yaml, -s KEY=VALUE and these further options, and loads the plan. False
 * after an error, which ends the verb with EXIT_USAGE. */
bool read_sweep(const struct command *, const struct option *more, int argc, char **argv, struct plan *);

/* Cores that this process may use: taskset and batch systems grant fewer than there are. */
int usable_cores(void);
#endif
