/* SPDX-License-Identifier: GPL-3.0-or-later
 * Run files and collected files. Together with h5.c the only code that knows HDF5. */
#ifndef BITSWEEP_STORE_H
#define BITSWEEP_STORE_H
#include "record.h"

/* Writes path.tmp.<pid>, closes, syncs, renames over path, syncs the folder (creating it). */
bool store_write(const char *path, const struct record *, struct error *);
/* Reads every field back. A file that is not ours or is damaged: an error naming it. */
bool store_read(const char *path, struct record *, struct error *);
/* Only one text field, e.g. "/status"; fast, for resuming. buffer gets "" if the field is absent. */
bool store_read_text(const char *path, const char *field, char *buffer, size_t size, struct error *);

/* A collected file: /runs/<id>/... copies of run files in the given order, plus extra's fields at
 * the root (sweep name, skipped runs). /order holds the ids in that order. Atomic like store_write. */
bool store_collect(const char *path, const char *const *ids, const char *const *run_paths,
                   size_t count, const struct record *extra, struct error *);

/* Reads either a single run file (one record) or a collected file (one per run, in order).
 * *runs is malloced; free each with record_free. root gets the collected file's own fields. */
bool store_read_runs(const char *path, struct record **runs, size_t *count, struct record *root,
                     struct error *);

/* "1.10.8": the library in use. */
const char *store_hdf5_version(void);
#endif
