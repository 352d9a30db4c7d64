/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which run files belong to a plan, which runs were skipped and why, and what killed writers left. */
#include "collect.h"
#include "../bench/folder.h"
#include "../bench/progress.h"
#include "store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A writer on another host of a shared file system looks dead from here; no writer takes this long. */
#define LEFTOVER_SECONDS 60

/* Is this the temporary file of a writer that is gone? */
static bool is_leftover(int folder, const char *name)
{
    const char *mark = strstr(name, ".h5.tmp.");
    char *end;
    struct stat status;
    if (!mark)
        return false;
    long pid = strtol(mark + strlen(".h5.tmp."), &end, 10);
    return pid > 0 && *end == '\0' && kill((pid_t)pid, 0) != 0 && errno == ESRCH &&
           fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           time(NULL) - status.st_mtime >= LEFTOVER_SECONDS;
}

static void remove_leftovers(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));)
        if (is_leftover(dirfd(entries), entry->d_name))
            unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
}

/* ---- skipped runs -------------------------------------------------------------------- */

static void put_texts(struct record *record, const char *path, const char **texts, size_t count,
                      const char *meaning)
{
    record_put(record, path, RECORD_TEXT, 1, &count, texts, "", meaning);
}

/* The collected file's own fields. Returns the number of skipped runs. */
static size_t describe_plan(const struct plan *plan, struct record *extra)
{
    const char **ids = xcalloc(plan->count + 1, sizeof *ids), **reasons = xcalloc(plan->count + 1, sizeof *ids),
               **labels = xcalloc(plan->count + 1, sizeof *ids);
    struct labels varying = labels_of(plan);
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->runs[i].skip) {
            ids[count] = plan->runs[i].id;
            reasons[count] = plan->runs[i].skip;
            labels[count++] = run_label(&varying, &plan->runs[i]);
        }
    record_text(extra, "/sweep", plan->name, "name of the sweep");
    put_texts(extra, "/skipped/id", ids, count, "ids of the runs that the plan skips");
    put_texts(extra, "/skipped/reason", reasons, count, "why each was skipped");
    put_texts(extra, "/skipped/label", labels, count, "the settings that tell each from the plan's other runs");
    for (size_t i = 0; i < count; i++)
        free((char *)labels[i]);
    labels_free(&varying);
    free(ids);
    free(reasons);
    free(labels);
    return count;
}

/* ---- the runs ------------------------------------------------------------------------ */

/* True if the file is to be collected. Reading a text checks the checksum of the whole file too. */
static bool inspect_run(const struct run *run, const char *path, struct collect_counts *counts)
{
    char id[RUN_ID_LENGTH + 2], status[32];
    struct error error;
    if (access(path, F_OK) != 0) {
        counts->missing++;
        return false;
    }
    bool ok = store_read_text(path, "/id", id, sizeof id, &error) &&
              store_read_text(path, "/status", status, sizeof status, &error);
    if (ok && strcmp(id, run->id) != 0)
        ok = fail(&error, "%s holds another run than its name says", path);
    if (!ok) {
        fprintf(stderr, "bitsweep: %s; left out (remove the file and run the sweep again to repeat it)\n",
                error.text);
        counts->damaged++;
    } else if (strcmp(status, "done") == 0) {
        counts->done++;
    } else {
        counts->failed++;
    }
    return ok;
}

bool collect_runs(const struct plan *plan, const char *results, char **path, struct collect_counts *counts,
                  struct error *error)
{
    char *folder = folder_path(results, plan), *runs = format_text("%s/runs", folder);
    const char **ids = xcalloc(plan->count + 1, sizeof *ids), **paths = xcalloc(plan->count + 1, sizeof *paths);
    struct record extra = {0};
    size_t count = 0;
    *path = format_text("%s.h5", folder);
    *counts = (struct collect_counts){0};
    remove_leftovers(results);
    remove_leftovers(runs);
    counts->skipped = describe_plan(plan, &extra);
    for (size_t i = 0; i < plan->count; i++) {
        const struct run *run = &plan->runs[i];
        char *file = run->skip ? NULL : folder_run_path(folder, run->id);
        if (file && inspect_run(run, file, counts)) {
            ids[count] = run->id;
            paths[count++] = file;
        } else {
            free(file);
        }
    }
    bool ok = count > 0 ? store_collect(*path, ids, paths, count, &extra, error)
                        : fail(error, "there is no finished run of this sweep in %s", runs);
    for (size_t i = 0; i < count; i++)
        free((char *)paths[i]);
    free(ids);
    free(paths);
    record_free(&extra);
    free(folder);
    free(runs);
    return ok;
}
