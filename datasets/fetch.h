/* SPDX-License-Identifier: GPL-3.0-or-later
 * Getting data sets from their providers: download, verify, unpack, put in place. TO/.fetched/NAME has what is under way
 * (FILE.part, complete archives, the folder `unpacked`) and, for good, FILE.sha256, the sum of the first download. */
#ifndef BITSWEEP_FETCH_H
#define BITSWEEP_FETCH_H
#include "../bench/bitsweep.h"

/* ---- fetch_sources.c ---- */

/* A file of a set, and the MD5 sum that its provider publishes; NULL: none is published. */
struct source_file { const char *name, *md5; };

struct source {
    const char *name;            /* the data set's */
    const char *address;         /* of the provider's folder with the files; ends in '/' */
    struct source_file files[5]; /* one archive, or the set's files as they are; ends with a row without a name */
    bool archive;                /* zip, tar.gz or tar.xz, perhaps with further zips inside */
    const char *folder;          /* where the loader looks for it */
    const char *mark;            /* a file that every whole set has, below that folder */
    const char *note;            /* what else is worth knowing, or NULL */
};
/* Ends with a row without a name. */
extern const struct source sources[];
/* NULL if there is none of that name. */
const struct source *source_find(const char *name);

/* ---- fetch.c ---- */

struct fetch_request {
    const char *to;     /* the data folder */
    const char *from;   /* the archive, downloaded by other means (of sets of several files: their folder); NULL: download */
    const char *mirror; /* the address of the folder that has the files instead of source.address; NULL: the provider */
    bool force;         /* replace what is there */
    bool keep;          /* the archive stays, as TO/FILE */
};
/* Results on stdout, what is under way on stderr. A set that is there already, without force, is success. */
bool fetch(const struct source *, const struct fetch_request *, struct error *);
/* To stderr: where to download the set and where its files belong, for those who have to do it by hand. */
void fetch_print_by_hand(const struct source *, const struct fetch_request *);

/* ---- fetch_http.c ---- */

/* Downloads an address to `path`, through PATH.part. A part that is there is continued if the server says that the file is
 * the same (by the ETag or date of PATH.part.origin), else begun again. The part outlives failures. label: for messages. */
bool download(const char *label, const char *address, const char *path, struct error *);

/* ---- fetch_archive.c ---- */

/* Unpacks into a folder that exists. Only files and folders below it are accepted; an archive with anything else is refused.
 * *unfit: it is the archive that is at fault, not this machine. */
bool archive_unpack(const char *path, const char *folder, bool *unfit, struct error *);
/* The folder below `folder` that has the mark, malloced; opens zips inside where that is needed. NULL: error. */
char *archive_find_root(const char *folder, const char *mark, bool *unfit, struct error *);

/* ---- fetch_sums.c ---- */

/* Checks a file against the provider's MD5 sum, if there is one, and the SHA-256 sum in the file `record`, if that is there.
 * True: sha256 is the file's sum and *known says what confirmed it. *unfit: it is other bytes. */
#define SHA256_TEXT 65
bool sums_check(const char *path, const char *md5, const char *record, char sha256[SHA256_TEXT], const char **known,
                bool *unfit, struct error *);
/* Writes the record, in sha256sum's format, if there is none. */
bool sums_record(const char *record, const char *sha256, const char *name, struct error *);

/* ---- fetch_files.c ---- */

/* Copies a regular file; the error names the one that failed. */
bool file_copy(const char *from, const char *to, struct error *);
bool write_all(int file, const void *bytes, size_t size);
/* With everything in it, if it is there; follows no links. */
bool tree_remove(const char *path, struct error *);
bool path_exists(const char *path); /* a dangling link too */
#endif
