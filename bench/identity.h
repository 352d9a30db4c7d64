/* SPDX-License-Identifier: GPL-3.0-or-later
 * What makes a run the run it is: settings, versions of plugins, data, and the run it starts from. */
#ifndef BITSWEEP_IDENTITY_H
#define BITSWEEP_IDENTITY_H
#include "plan.h"

/* Data sets by their settings, each looked at once. */
struct described { struct described *next; char *key; struct dataset dataset; };
/* The data set of these settings, described now unless it is in the list. NULL and an error if it cannot be.
 */
const struct dataset *described_add(struct described **, const struct settings *, struct error *);
const struct dataset *described_find(const struct described *, const struct settings *); /* NULL if absent */
void described_free(struct described *);

/* "key=value\n" of a plugin's key and of all that this plugin reads in turn; free() it. */
char *plug_settings(const struct settings *, const char *key);

/* The text that the id hashes; free() it. initial: id of the run that this one starts from, or NULL. */
char *canonical_text(const struct settings *, const struct dataset *, const char *initial);
void canonical_id(const char *canonical, char id[RUN_ID_LENGTH + 1]);
#endif
