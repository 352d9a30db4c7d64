/* SPDX-License-Identifier: GPL-3.0-or-later
 * The options --only, --retry and --redo. */
#include "choose.h"
#include <string.h>

static bool choose_id(const struct plan *plan, const char *id, size_t length, struct run_result *results,
                      struct error *error)
{
    size_t found = plan->count;
    int digits = (int)length;
    for (size_t i = 0; i < plan->count; i++)
        if (length > 0 && strncmp(plan->runs[i].id, id, length) == 0) {
            if (found < plan->count)
                return fail(error, "--only %.*s: several runs begin so; give more digits", digits, id);
            found = i;
        }
    if (found == plan->count)
        return fail(error, "--only %.*s: no run of this sweep has that id (bitsweep plan lists them)", digits,
                    id);
    results[found].chosen = true;
    return true;
}

static bool choose_ids(const struct plan *plan, const char *ids, struct run_result *results,
                       struct error *error)
{
    for (size_t i = 0; i < plan->count; i++)
        results[i].chosen = false;
    for (const char *next = ids; next; next = strchr(next, ',') ? strchr(next, ',') + 1 : NULL)
        if (!choose_id(plan, next, strcspn(next, ","), results, error))
            return false;
    return true;
}

bool choose_runs(const struct plan *plan, const struct run_options *options, struct run_result *results,
                 struct error *error)
{
    if (options->only && !choose_ids(plan, options->only, results, error))
        return false;
    /* A run stands after the one it depends on, so backwards finds chains too. */
    for (size_t i = plan->count; i-- > 0;) {
        struct run_result *result = &results[i];
        if (!result->chosen)
            continue;
        if ((result->state == RUN_FAILED && options->retry) || (result->stale && options->redo_stale))
            result->state = RUN_TO_DO;
        int depends = plan->runs[i].depends;
        if (result->state == RUN_TO_DO && depends >= 0 && results[depends].state != RUN_DONE)
            results[depends].chosen = true;
    }
    return true;
}
