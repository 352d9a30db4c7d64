/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where a falling function crosses zero. */
#ifndef BITSWEEP_ROOT_H
#define BITSWEEP_ROOT_H

/* Of a function that does not rise, with at_low = value(low) > 0 >= at_high = value(high): the point where value <= 0
 * first, to where value >= -small or as near as doubles go. The returned point was the last one evaluated with value <=
 * 0, or `high`. */
double falling_root(double (*value)(void *context, double at), void *context, double low, double at_low, double high,
                    double at_high, double small);
#endif
