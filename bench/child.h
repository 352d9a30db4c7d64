/* SPDX-License-Identifier: GPL-3.0-or-later
 * One run in a process of its own, and what its end means. */
#ifndef BITSWEEP_CHILD_H
#define BITSWEEP_CHILD_H
#include "progress.h"
#include "train.h"
#include <signal.h>
#include <sys/resource.h>

typedef bool train_function(const struct settings *, const struct train_hooks *, struct record *,
                            struct error *);

/* Exit status of a child whose result could not be written: the run is not at fault and stays to do. */
#define EXIT_UNWRITABLE 43
/* ... that was asked to end by SIGTERM and has kept its state. */
#define EXIT_STOPPED 44

struct child_job {
    const struct plan *plan;
    const struct run *run;
    const char *folder;      /* of the sweep */
    struct slot *slot;       /* shared with the parent, idle */
    train_function *train;
    const sigset_t *signals; /* mask that the child runs with */
    int threads;             /* of the run */
    double predicted_memory; /* bytes */
    double checkpoint_seconds; /* least time between two checkpoints; 0: one every epoch */
};

/* Forks; the child trains, writes the run file, removes its checkpoint, and exits with 0 after that alone. It dies with its
 * parent. Returns the child, or -1 with errno set. */
pid_t child_start(const struct child_job *);

/* How a child ended that wrote no run file. */
struct ending {
    int wait_status;
    double timeout;          /* seconds after which the parent ended it; 0 if it did not */
    bool killed_for_memory;  /* the kernel killed some process for memory meanwhile */
    double wall_seconds;
    struct rusage usage;
};
/* The run file of a failed run: status, message, settings, timing, provenance. */
void record_failure(struct record *, const struct child_job *, const struct ending *);
/* The same for a run that was never started. */
void record_not_started(struct record *, const struct plan *, const struct run *, const char *message);
#endif
