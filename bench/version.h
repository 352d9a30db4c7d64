/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BITSWEEP_VERSION_H
#define BITSWEEP_VERSION_H
#include "../results/record.h"

void print_version(void);
/* /provenance fields known at build or library level: version, git commit, dirty, compiler, flags, library versions,
 * OpenBLAS core and threads, CPU, kernel ISA. */
void record_build(struct record *);
const char *build_commit(void);
#endif
