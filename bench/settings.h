/* SPDX-License-Identifier: GPL-3.0-or-later
 * Values of parameters: reading them, and the settings of a run. What plugins read is in bitsweep.h. */
#ifndef BITSWEEP_SETTINGS_H
#define BITSWEEP_SETTINGS_H
#include "bitsweep.h"

/* The value's canonical text, the same for all spellings of one value (4, 4.0, 4e0); free() it. The error
 * names the parameter and what would be valid. */
bool param_parse(const struct param *, const char *text, char **canonical, struct error *);
/* What the parameter accepts, as a phrase: "a whole number from 2 to 8", "auto, or ..."; free() it. */
char *param_valid(const struct param *);

/* Adds a key that is not there yet, keeping the order; takes the value over. */
void settings_put(struct settings *, const struct param *, char *value, int line, int column);
const struct setting *settings_find(const struct settings *, const char *key); /* NULL if absent */
void settings_free(struct settings *);

/* One key that a sweep file gives. */
struct choice { const char *key, *text; int line, column; };
/* Settings of the run that these choices make: every key that the run reads, with its default where no choice
 * gives it. Choices that it does not read are left out. On failure *wrong is the choice at fault, or NULL
 * when one is missing. */
bool settings_resolve(const struct choice *, size_t count, struct settings *, const struct choice **wrong,
                      struct error *);
#endif
