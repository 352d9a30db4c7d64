/* SPDX-License-Identifier: GPL-3.0-or-later
 * False position, which is quick because the functions here are almost straight (Illinois variant: an end that stays put
 * counts half); every third step halves the interval, so that steps and kinks are found too. */
#include "root.h"
#include <math.h>

#define ITERATIONS 200

double falling_root(double (*value)(void *context, double at), void *context, double low, double at_low, double high,
                    double at_high, double small)
{
    double over = at_low, under = -at_high, left = under;
    int side = 0;
    for (int i = 1; i <= ITERATIONS && left > small; i++) {
        double middle = low + over / (over + under) * (high - low);
        if (i % 3 == 0 || !(middle > low && middle < high))
            middle = 0.5 * (low + high);
        if (middle <= low || middle >= high)
            break;
        double now = value(context, middle);
        if (now > 0) {
            low = middle;
            over = now;
            under *= side > 0 ? 0.5 : 1;
            side = 1;
        } else {
            high = middle;
            under = left = -now;
            over *= side < 0 ? 0.5 : 1;
            side = -1;
        }
    }
    return high;
}
