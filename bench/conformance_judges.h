/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the judges of an allocator's runs share, and those judges that compare runs. */
#ifndef BITSWEEP_CONFORMANCE_JUDGES_H
#define BITSWEEP_CONFORMANCE_JUDGES_H
#include "conformance_checks.h"
#include "conformance_watch.h"

static const struct watching undisturbed = {0};

/* Fills tally->text; returns the verdict. */
enum verdict say(struct tally *, enum verdict, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Trains; VERDICT_FAIL if the run cannot even begin. */
enum verdict watch_run(const struct trial *, const struct watching *, struct watched *, struct tally *);
/* "step 7", or "at the end". */
const char *step_name(const struct watched *, long step, char *buffer, size_t size);

enum verdict judge_determinism(const struct trial *, struct tally *);
enum verdict judge_resuming(const struct trial *, struct tally *);
enum verdict judge_learning(const struct trial *, struct tally *);
#endif
