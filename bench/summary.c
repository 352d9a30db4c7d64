/* SPDX-License-Identifier: GPL-3.0-or-later
 * Counting and listing the runs of a sweep by how they stand. */
#include "summary.h"
#include "../results/store.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tally tally_runs(const struct plan *plan, const struct run_result *results)
{
    struct tally tally = {0};
    for (size_t i = 0; i < plan->count; i++)
        if (results[i].chosen) {
            tally.of[results[i].state]++;
            tally.all += results[i].state != RUN_SKIPPED;
            tally.resumable += results[i].state == RUN_TO_DO && results[i].resumable;
        }
    return tally;
}

char *failure_message(const char *folder, const struct run *run, const struct run_result *result)
{
    char message[sizeof(struct error)];
    struct error error;
    if (result->message)
        return xstrdup(result->message);
    char *path = folder_run_path(folder, run->id);
    if (!store_read_text(path, "/message", message, sizeof message, &error))
        snprintf(message, sizeof message, "%s", error.text);
    free(path);
    return xstrdup(message);
}

char *failure_log(const char *folder, const struct run *run)
{
    char *log = folder_log_path(folder, run->id);
    if (access(log, F_OK) == 0)
        return log;
    free(log);
    return NULL;
}

static void print_failure(FILE *out, const char *folder, const struct run *run,
                          const struct run_result *result, const struct labels *labels)
{
    char *label = run_label(labels, run), *log = failure_log(folder, run);
    char *message = failure_message(folder, run, result);
    fprintf(out, "  %s %s  %s%s%s\n", run->id, label, result->status, *message ? ": " : "", message);
    if (log)
        fprintf(out, "    log: %s\n", log);
    free(label);
    free(message);
    free(log);
}

void print_failures(FILE *out, const char *folder, const struct plan *plan, const struct run_result *results,
                    const struct labels *labels, size_t limit)
{
    size_t failed = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (results[i].chosen && results[i].state == RUN_FAILED && failed++ < limit)
            print_failure(out, folder, &plan->runs[i], &results[i], labels);
    if (failed > limit)
        fprintf(out, "  and %zu more (bitsweep status lists all)\n", failed - limit);
}

void print_skips(FILE *out, const struct plan *plan, const struct run_result *results)
{
    for (size_t i = 0; i < plan->count; i++) {
        const char *reason = plan->runs[i].skip;
        size_t earlier = 0, same = 0;
        for (size_t j = 0; reason && j < plan->count; j++)
            if (results[j].chosen && plan->runs[j].skip && strcmp(plan->runs[j].skip, reason) == 0) {
                earlier += j < i;
                same++;
            }
        if (reason && results[i].chosen && earlier == 0)
            fprintf(out, "  skipped %zu: %s\n", same, reason);
    }
}
