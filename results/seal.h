/* SPDX-License-Identifier: GPL-3.0-or-later
 * The first bytes of a results file, which HDF5 leaves to its users (its "user block"), hold a checksum of the
 * others. HDF5 itself checks its headers but not the data, and crashes on damaged texts. */
#ifndef BITSWEEP_SEAL_H
#define BITSWEEP_SEAL_H
#include "../bench/bitsweep.h"

#define SEAL_BYTES 512

/* Of a finished file. False: errno tells why. */
bool seal_write(const char *path);
enum seal {
    SEAL_FITS,     /* or the file has none: h5unjam removes it */
    SEAL_CHANGED,  /* the file was edited by another program, or is damaged */
    SEAL_NONE      /* not one of our files: error says so */
};
/* Of an HDF5 file. */
enum seal seal_check(const char *path, struct error *);
#endif
