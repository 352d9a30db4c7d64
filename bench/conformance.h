/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an allocator promises (struct alloc_ops, docs/adding-an-allocator.md), tried on small networks that really train. */
#ifndef BITSWEEP_CONFORMANCE_H
#define BITSWEEP_CONFORMANCE_H
#include "settings.h"

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_NONE /* not applicable */, VERDICTS };
extern const char *const verdict_names[VERDICTS];

/* One check and what came of it: the numbers, what failed where, or why it does not apply. */
struct finding { const char *check, *promise; enum verdict verdict; char text[1400]; };
#define MAX_FINDINGS 24

/* NULL or why these settings cannot be given to the allocator: unknown, unread, bad, or the checks' own (free it). */
char *conformance_fault(const struct alloc_ops *, const struct choice *given, size_t count);

/* All checks, each in a process of its own, so that an allocator that crashes fails one check and the next one begins anew.
 * `given` are further settings of every run. Returns their number. */
size_t conformance_test(const struct alloc_ops *, const struct choice *given, size_t count,
                        struct finding *out /* MAX_FINDINGS */);
#endif
