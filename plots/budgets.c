/* SPDX-License-Identifier: GPL-3.0-or-later
 * Budgets as figures see them: canonical texts ("4", "bops=25%,weight_bytes=71680") with an order, and costs that were
 * achieved. */
#include "plots.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEAN_BITS "mean_bits"

bool is_mean_width(const char *budget) { return !strchr(budget, '='); }

int compare_budgets(const char *a, const char *b)
{
    if (!*a || !*b)
        return !*a - !*b;
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            char *a_end, *b_end;
            double x = strtod(a, &a_end), y = strtod(b, &b_end);
            if (x != y)
                return x < y ? -1 : 1;
            a = a_end;
            b = b_end;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

char *costs_of_budget(const char *budget)
{
    if (is_mean_width(budget))
        return xstrdup(MEAN_BITS);
    char *costs = xstrdup("");
    for (const char *part = budget; *part;) {
        char *longer = format_text("%s%s%.*s", costs, *costs ? ", " : "", (int)strcspn(part, "="), part);
        free(costs);
        costs = longer;
        part += strcspn(part, ",");
        part += *part == ',';
    }
    return costs;
}

/* ---- costs of runs -------------------------------------------------------------------- */

/* Place of the cost among the run's budgets, or -1. */
static int budget_index(const struct record *run, const char *cost)
{
    const struct field *names = record_find(run, "/budgets/name");
    for (size_t i = 0; names && names->type == RECORD_TEXT && i < field_count(names); i++)
        if (strcmp(((char **)names->data)[i], cost) == 0)
            return (int)i;
    return -1;
}

double achieved_cost(const struct record *run, const char *cost)
{
    const struct field *achieved = record_find(run, "/budgets/achieved");
    int index = budget_index(run, cost);
    if (index >= 0 && achieved && achieved->type == RECORD_F64 && (size_t)index < field_count(achieved))
        return ((const double *)achieved->data)[index];
    char *path = format_text("/costs/%s", cost);
    double value = record_get_real(run, path, NAN);
    free(path);
    return value;
}

static const char *unit_of(const struct record *run, const char *cost)
{
    const struct field *units = record_find(run, "/budgets/unit");
    int index = budget_index(run, cost);
    bool there = index >= 0 && units && units->type == RECORD_TEXT && (size_t)index < field_count(units);
    return there ? ((char **)units->data)[index] : "";
}

struct cost_axis cost_axis(const struct record *run, const char *cost, double largest)
{
    static const struct cost_axis bytes[] = {{1073741824, "GiB"}, {1048576, "MiB"}, {1024, "KiB"}, {0, NULL}},
                                  others[] = {{1e12, "T "}, {1e9, "G "}, {1e6, "M "}, {1e3, "k "}, {0, NULL}};
    const char *unit = unit_of(run, cost);
    bool in_bytes = strcmp(unit, "byte") == 0;
    const struct cost_axis *larger = in_bytes ? bytes : others;
    if (strcmp(cost, MEAN_BITS) == 0)
        return (struct cost_axis){1, xstrdup("Achieved mean bits")};
    while (larger->label && largest < larger->unit)
        larger++;
    if (!larger->label)
        return (struct cost_axis){1, format_text("Achieved %s%s%s%s", cost, *unit ? " (" : "", unit, *unit ? ")" : "")};
    const char *plural = strlen(unit) > 3 ? "s" : ""; /* operations; pJ, ms */
    return (struct cost_axis){larger->unit, in_bytes
                                                ? format_text("Achieved %s (%s)", cost, larger->label)
                                                : format_text("Achieved %s (%s%s%s)", cost, larger->label, unit, plural)};
}
