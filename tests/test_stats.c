/* SPDX-License-Identifier: GPL-3.0-or-later
 * Means, deviations and confidence intervals. */
#include "../results/stats.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>

Test(stats, by_hand)
{
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct summary summary = summarise(values, 8);
    expect_near(summary.mean, 5);
    expect_near(summary.deviation, sqrt(32.0 / 7));
    expect_near(summary.error, sqrt(32.0 / 7 / 8));
    expect_near(summary.interval, 2.364624252 * sqrt(32.0 / 7 / 8));
    summary = summarise(values, 1);
    cr_assert(summary.mean == 2 && isnan(summary.deviation) && isnan(summary.interval));
    summary = summarise(values, 0);
    cr_assert(summary.count == 0 && isnan(summary.mean) && isnan(summary.deviation));
}

Test(stats, keeps_its_digits_far_from_zero)
{
    const double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3}, equal[] = {0.1, 0.1, 0.1}, broken[] = {1, NAN, 2};
    cr_assert_eq(summarise(values, 3).mean, 1e9 + 2);
    cr_assert_eq(summarise(values, 3).deviation, 1);
    cr_assert_eq(summarise(equal, 3).mean, 0.1);
    cr_assert_eq(summarise(equal, 3).deviation, 0);
    cr_assert(isnan(summarise(broken, 3).mean) && isnan(summarise(broken, 3).deviation));
}

/* Printed tables of the 97.5 % quantile. */
Test(stats, student_t)
{
    static const struct { size_t freedom; double t; } table[] = {
        {1, 12.706205}, {2, 4.302653}, {3, 3.182446}, {4, 2.776445}, {5, 2.570582}, {9, 2.262157},
        {10, 2.228139}, {29, 2.045230}, {30, 2.042272}, {120, 1.979930}, {100000, 1.959988},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_near(student_t95(table[i].freedom), table[i].t);
}
