/* SPDX-License-Identifier: GPL-3.0-or-later
 * Made archives, served from one folder by a server on this machine and fetched into another. */
#ifndef BITSWEEP_TEST_FETCH_SUPPORT_H
#define BITSWEEP_TEST_FETCH_SUPPORT_H
#include "../datasets/fetch.h"
#include "http_server.h"
#include <sys/types.h>

/* What fetches say would bury the report of the tests: sends standard output and error away. */
void be_quiet(void);

/* ---- archives ---- */

enum packing { PACK_ZIP, PACK_TAR_GZ, PACK_TAR_XZ };
enum entry_kind { ENTRY_FILE, ENTRY_SYMLINK, ENTRY_HARDLINK };
/* A file with this text, or a link to it. */
struct entry { const char *path, *text; enum entry_kind kind; };
#define ENTRIES(...) (const struct entry[]){__VA_ARGS__, {0}}
void pack(const char *path, enum packing, const struct entry *);
/* One file of these bytes. */
void pack_bytes(const char *path, enum packing, const char *name, const char *bytes, size_t size);
/* The zip FOLDER/NAME with FOLDER/INNER under its own name and another file. */
void pack_around(const char *folder, const char *name, const char *inner);

/* ---- a place ---- */

struct place { char *served, *to; struct http_manners manners; };
struct place make_place(void);
void remove_place(struct place *);
/* made.zip: big.txt of 3000 lines, which do not become much smaller, and mark.txt. */
void serve_made(const struct place *, unsigned seed);
extern const struct source made;

/* Run a server for one fetch. */
bool fetch_from(const struct place *, const struct source *, bool force, struct error *);
void fetch_or_fail(const struct place *, const struct source *, bool force);
/* It must fail and say these words. */
void expect_refusal(const struct place *, const struct source *, const char *words);

/* Paths below place.to. */
bool there(const struct place *, const char *path);
void expect_text(const struct place *, const char *path, const char *expected);
/* The kept archive is byte for byte the served made.zip. */
void expect_same_bytes(const struct place *, const char *kept);
/* -1: not there. */
off_t size_of(const char *folder, const char *name);
#endif
