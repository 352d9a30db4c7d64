/* SPDX-License-Identifier: GPL-3.0-or-later
 * What h5.c and store_*.c, the only users of hdf5.h, share. */
#ifndef BITSWEEP_HANDLES_H
#define BITSWEEP_HANDLES_H
#include "h5.h"
#include <hdf5.h>

struct h5 { hid_t file; char *path; };

/* Silences HDF5's own error printing; call before the first HDF5 call of any public function. */
void h5_setup(void);
/* Native type in memory of the elements; RECORD_TEXT: -1. Not to be closed. */
hid_t h5_memory_type(enum record_type);
/* A new variable-length UTF-8 string type. */
hid_t h5_text_type(void);
/* Fills texts (count, malloced each) from a string data set or attribute, of fixed or variable length. */
bool h5_texts(hid_t object, size_t count, char **texts);
/* A scalar text attribute of an open object, malloced; NULL if it has none of that name. */
char *h5_object_text(hid_t object, const char *name);

/* The root's attributes format and format_version. */
#define RUN_FORMAT "bitsweep run"
#define COLLECTION_FORMAT "bitsweep collection"
#define FORMAT_VERSION 1
/* Opens a run file that is whole; NULL and an error otherwise. */
struct h5 *store_open_run(const char *path, struct error *);
#endif
