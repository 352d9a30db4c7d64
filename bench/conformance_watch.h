/* SPDX-License-Identifier: GPL-3.0-or-later
 * An allocator watched while a real run trains: it is called through a table of the same name that guards the memory it
 * writes, notes every width in force and everything it says, and can disturb what it sees. */
#ifndef BITSWEEP_CONFORMANCE_WATCH_H
#define BITSWEEP_CONFORMANCE_WATCH_H
#include "train.h"

/* What is done to the run. */
struct watching {
    bool poisoned; double poison; /* from a third of the run on all observed sums are this */
    bool blind;                   /* the gradient of the loss that the allocator's own quantiser receives is zero */
    long stop_after;              /* steps after which the run ends, keeping its state in `checkpoint`; 0: never */
    const char *checkpoint;       /* path from which it goes on if the file is there; NULL: none */
};

/* What a learned width follows from. */
struct learned { double bits, step, top; };
struct noted_decision { long step; char solver[48]; double omega, omega_uniform, seconds; bool optimal; };
struct noted_budget { char cost[32]; double limit; bool met; };

/* What was seen. Row s is step s; row `steps` is what holds at the end. A row of a step that was not made is not filled. */
struct watched {
    int tensors, budgets;
    long steps;
    struct tensor *tensor;        /* tensors */
    struct noted_budget *budget;  /* budgets; met: at every step */
    bool *filled;                 /* steps + 1 */
    float *bits;                  /* (steps + 1) × tensors: widths in force, as the allocator asked for them */
    double *prices;               /* (steps + 1) × budgets */
    bool *met;                    /* (steps + 1) × budgets */
    struct learned *learned;      /* (steps + 1) × tensors */
    struct noted_decision *decisions;
    size_t decision_count;
    char outside[160];            /* "" or what was written that is not the allocator's */
    struct record record;         /* the run's */
};

/* Puts the watched table in the place of the allocator's, for the rest of the process; ops has begin and assign. */
void watch_install(const struct alloc_ops *);
/* Trains the settings, whose allocator is the installed one and which all checks before training let pass. False: the run
 * could not begin, and the error says why. watched_free() in any case. */
bool watched_run(const struct settings *, const struct watching *, struct watched *, struct error *);
void watched_free(struct watched *);
#endif
