/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lists of whole numbers: labels as they stand in a file, and users. */
#include "datasets.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t distinct_values(const int64_t *values, size_t count, int64_t **sorted)
{
    int64_t *all = xmalloc((count + 1) * sizeof *all);
    size_t kept = 0;
    if (count)
        memcpy(all, values, count * sizeof *all);
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || all[i] != all[kept - 1])
            all[kept++] = all[i];
    *sorted = all;
    return kept;
}

size_t value_index(const int64_t *sorted, size_t count, int64_t value)
{
    const int64_t *found = bsearch(&value, sorted, count, sizeof *sorted, compare);
    if (!found)
        die("the value %" PRId64 " is not in the list", value);
    return (size_t)(found - sorted);
}

char *value_list(const int64_t *values, size_t count)
{
    size_t used = 0;
    char *text = xmalloc(count * 22 + 1); /* a space, a sign, 19 digits */
    *text = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, i ? " %" PRId64 : "%" PRId64, values[i]);
    return text;
}
