/* SPDX-License-Identifier: GPL-3.0-or-later
 * The checks of an allocator, one row each. */
#ifndef BITSWEEP_CONFORMANCE_CHECKS_H
#define BITSWEEP_CONFORMANCE_CHECKS_H
#include "conformance.h"

/* One allocator in the runs of one scenario and mode. */
struct trial { const struct alloc_ops *ops; struct settings settings; };

/* What the runs of one check have shown so far. */
struct tally {
    bool judged;         /* in some scenario */
    int runs, decisions;
    double largest;      /* of the check's figure */
    char text[1024];     /* what failed, or why the check does not apply */
};

struct check {
    const char *name, *promise;
    const char *needs;                /* key without which the allocator cannot be tried; NULL: none */
    const char *const *scenarios; /* settings of the runs beside the common ones, "key=value key=value"; NULL-terminated */
    const char *figure, *unit;        /* what tally.largest is; NULL: it is not used */
    bool unchecked;                   /* judges settings that need not be able to run */
    enum verdict (*judge)(const struct trial *, struct tally *);
};
extern const struct check conformance_checks[];
extern const size_t conformance_check_count;

/* Settings of every run, unless the user gives others; and keys that only scenarios set. */
extern const char conformance_defaults[];
extern const char *const conformance_keys[];
#endif
