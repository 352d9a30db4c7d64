/* SPDX-License-Identifier: GPL-3.0-or-later
 * A run's state on disk: the memory that was registered with keep(), sealed by a checksum, to go on from as if nothing had
 * happened. */
#ifndef BITSWEEP_CHECKPOINT_H
#define BITSWEEP_CHECKPOINT_H
#include "bitsweep.h"

/* Bytes that grow while the run goes on, like a log. */
struct growing { char *data; size_t size, capacity; };
void growing_add(struct growing *, const void *data, size_t size);
void growing_free(struct growing *);

struct kept_part { char *name; void *data; size_t size; struct growing *growing; /* instead of data and size */ };
struct kept { struct kept_part *parts; size_t count, capacity; };
void keep_growing(struct kept *, const char *name, struct growing *);
/* Registers all that is in the second list with the first. */
void keep_all(struct kept *, const struct kept *);
void kept_free(struct kept *);
/* Bytes of the registered memory now. */
size_t kept_size(const struct kept *);

/* Where a run keeps its state. */
struct checkpoint {
    const char *path;
    const char *identity;    /* one line on run, build and machine: only an equal one may go on from it */
    double seconds;          /* within an epoch, time from one to the next; 0: only at epochs' ends, however short */
};

/* Atomic: whatever happens, the path holds the whole of this state or the whole of the one before. */
bool checkpoint_write(const struct checkpoint *, const struct kept *, struct error *);
/* Overwrites the registered memory. CHECKPOINT_UNFIT: damaged, or of another run, build or machine; the error says which,
 * and the memory is as it was. */
enum checkpoint_found { CHECKPOINT_NONE, CHECKPOINT_LOADED, CHECKPOINT_UNFIT };
/* Copies one part of `size` bytes, which says what else must be registered before the whole can be read; as
 * checkpoint_read. */
enum checkpoint_found checkpoint_peek(const struct checkpoint *, const char *name, void *data, size_t size, struct error *);
enum checkpoint_found checkpoint_read(const struct checkpoint *, const struct kept *, struct error *);
#endif
