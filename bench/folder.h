/* SPDX-License-Identifier: GPL-3.0-or-later
 * The folder of a sweep, results/<sweep name>: runs/<id>.h5, logs/<id>.log, checkpoints/<id>.ckpt, lock, progress. */
#ifndef BITSWEEP_FOLDER_H
#define BITSWEEP_FOLDER_H
#include "plan.h"
#include <sys/types.h>

/* free() them. */
char *folder_path(const char *results, const struct plan *);
char *folder_run_path(const char *folder, const char *id);
char *folder_log_path(const char *folder, const char *id);
char *folder_checkpoint_path(const char *folder, const char *id);
/* If there is one. */
void folder_remove_checkpoint(const char *folder, const char *id);
/* What a worker that is gone was writing for the run. */
void folder_remove_unfinished(const char *folder, const char *id, pid_t worker);

/* mkdir -p: every folder along the path that is not there yet. */
bool make_folders(const char *path, struct error *);
bool folder_create(const char *folder, struct error *);
/* Takes the lock, or returns -1 and an error; *busy: because another process, which the error names, has it.
 * The lock belongs to this process and to the children that inherit it, so it is free only when the last of
 * them has gone: a resumed sweep never meets workers of a killed one. close() it. */
int folder_lock(const char *folder, bool *busy, struct error *);
/* The process that runs the sweep; 0 if none does. Never takes the lock itself, not even for a moment. */
pid_t folder_holder(const char *folder);
/* How far a run is, judged by its file. */
enum run_state { RUN_TO_DO, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_SKIPPED, RUN_STATES };
struct run_result {
    enum run_state state;
    char status[24]; /* of the run file; "" if there is none */
    char *message;   /* why a run of this process failed, malloced; NULL: ask the run file */
    bool stale;      /* finished, by a build of another git commit */
    bool resumable;  /* not finished, and there is a checkpoint to go on from */
    bool chosen;     /* belongs to what was asked for; a scan chooses all */
};
/* A damaged run file counts as not there, with a warning on stderr. results: plan->count. */
void folder_scan(const char *folder, const struct plan *, struct run_result *results);
/* Removes what killed workers left: unfinished files, and the checkpoints of finished runs (not of stale ones, which may be
 * under repetition); the caller has the lock. results: scanned. */
void folder_remove_leftovers(const char *folder, const struct plan *, const struct run_result *results);
#endif
