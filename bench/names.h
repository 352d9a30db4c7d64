/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lists of words for messages, and the word somebody may have meant. */
#ifndef BITSWEEP_NAMES_H
#define BITSWEEP_NAMES_H
#include "bitsweep.h"

struct names { const char **items; size_t count; };

/* Adds a word unless it is there; the text must outlive the list. */
void names_add(struct names *, const char *);
void names_free(struct names *);
void names_of_choices(struct names *, const char *const *choices /* NULL-terminated or NULL */);
void names_of_plugs(struct names *, enum plug_kind);

/* The parameter of that name in any run, the core ones first; NULL if there is none. Plugins may read
 * different parameters of one name, so only a run can say which is meant. */
const struct param *known_param(const char *key);
void names_of_params(struct names *);

/* The nearest word, or NULL when none is near: edit distance with swapped neighbours counting once. */
const char *names_nearest(const struct names *, const char *word);
/* "a, b, c"; free() it. Too long a list ends in "...". */
char *names_joined(const struct names *);
/* "; did you mean 'mode'", or "" when none is near; free() it. */
char *names_suggestion(const struct names *, const char *word);
/* The plugin of that name; else NULL, and the error has those that there are. */
const struct plug *named_plug(enum plug_kind, const char *name, struct error *);
#endif
