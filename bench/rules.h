/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run's settings demand of tensors by name pattern: pinned widths, least and largest widths, ties. A pattern is a
 * shell pattern over tensor names (conv1.weight, *.input); `first` and `last` in place of a layer's name mean those
 * layers. */
#ifndef BITSWEEP_RULES_H
#define BITSWEEP_RULES_H
#include "bitsweep.h"

/* Parsers of the keys pin, limits and tie: canonical text, or what is wrong. Canonical are "none"; PATTERN=8,...;
 * PATTERN=2..8,...; and patterns in alphabetical order. In pin and limits a later pattern goes before an earlier one, so
 * their order stays. */
bool pin_parse(const char *text, char **canonical, struct error *);
bool limits_parse(const char *text, char **canonical, struct error *);
bool tie_parse(const char *text, char **canonical, struct error *);

/* Applies them to the described tensors, in network order (choices, counted, group). Keys that the run does not read do
 * nothing. A pinned tensor has the one width, whatever min_bits and max_bits say; of limits and of a tie's other tensors,
 * what all allow is left. Groups are numbered from 1; a tensor that is tied to no other has 0. False: a pattern that matches
 * nothing, or a demand that leaves a tensor without a width; the error names the key. */
bool rules_apply(const struct settings *, struct tensor *, int count, struct error *);

/* Each of the keys as a check before training: true also where another key is at fault. (used by the plan) */
bool pin_check(const struct settings *, const struct dataset *described, struct error *);
bool limits_check(const struct settings *, const struct dataset *described, struct error *);
bool tie_check(const struct settings *, const struct dataset *described, struct error *);

/* Whether a pattern means a tensor of a network with so many layers. */
bool rules_match(const char *pattern, const struct tensor *, int layers);
#endif
