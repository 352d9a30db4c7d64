/* SPDX-License-Identifier: GPL-3.0-or-later
 * Plugins loaded from shared objects (--plugin FILE.so): entries of the plugin tables like any other, known by the SHA-256
 * of their file. Interface: bench/plugin.h. */
#ifndef BITSWEEP_PLUGINS_H
#define BITSWEEP_PLUGINS_H
#include "../results/record.h"

struct plugin { char *file; char sha256[65]; enum plug_kind kind; const struct plug *plug; };

/* Adds the file's entry to the tables, for the rest of the process. False: the file, its interface or its entry is unfit. */
bool plugin_load(const char *file, struct error *);
/* Takes the place of the entry of that name, or comes last. False: the table is full. (methods/registry.c) */
bool plug_put(enum plug_kind, const struct plug *);
/* The file that the entry was loaded from; NULL if it is built in. */
const struct plugin *plugin_of(const struct plug *);

/* Loads what every --plugin FILE and --plugin=FILE before a "--" names, and removes them from the arguments. */
bool plugins_take(int *argc, char **argv, struct error *);

/* /provenance/plugins: those that this run uses; nothing if it uses none. */
void record_plugins(struct record *, const struct settings *);

/* What every entry of a plugin table must have: name, help, version, and parameters with help, source and a default in
 * canonical form. NULL or what is wrong (free it). */
char *plug_fault(const struct plug *);
#endif
