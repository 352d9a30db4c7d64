/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a running sweep shows of itself: a board in shared memory that the workers write and that the display
 * and `bitsweep status` read, and the display on stderr. */
#ifndef BITSWEEP_PROGRESS_H
#define BITSWEEP_PROGRESS_H
#include "plan.h"
#include <stdio.h>
#include <sys/types.h>

/* One worker. Its child writes it without locks: a reader may see a step and a loss of different moments. */
struct slot {
    char id[RUN_ID_LENGTH + 1];   /* "" when idle */
    pid_t pid;
    long step, steps;
    int epoch, epochs;
    double loss;
    double test_accuracy;         /* once the run is done; NAN if it has none */
    char message[sizeof(struct error)]; /* why the child gave up, "" if it did not say */
};

struct board {
    double eta;                   /* seconds, as the runner sees it; NAN if unknown */
    int slot_count;
    struct slot slots[];
};

/* Creates the file and maps it, every slot idle. NULL and an error when it cannot be written. */
struct board *board_create(const char *path, int slots, struct error *);
void board_close(struct board *);
/* A copy of the board of a running sweep, free() it; NULL if there is none. */
struct board *board_read(const char *path);

/* The part of a run's steps that is done, 0 .. 1. */
double slot_share(const struct slot *);

/* The settings that tell the runs of a plan apart. */
struct labels { const char **keys; size_t count; };
struct labels labels_of(const struct plan *);
void labels_free(struct labels *);
char *run_label(const struct labels *, const struct run *); /* "mode=fqt budget=2.5 seed=1"; free() it */

/* "3.2 s", "12 min 05 s", "3 h 12 min", "2 d 4 h". */
void format_duration(double seconds, char *buffer, size_t size);

/* The display: on a terminal a block of lines redrawn in place, elsewhere only the permanent lines. */
enum tone { TONE_PLAIN, TONE_BAD, TONE_TOTAL };
struct display {
    FILE *out;
    bool terminal, colour;
    int drawn;                    /* lines of the block now on the screen */
    double next;                  /* monotonic seconds before which nothing is redrawn */
};
void display_open(struct display *, FILE *out);
/* Prints a line for good, above the block. */
void display_line(struct display *, enum tone, const char *line);
/* Redraws the block, unless the last time was a moment ago: one line per busy slot, then the total. */
void display_draw(struct display *, const struct plan *, const struct labels *, const struct board *,
                  const char *total);
/* Removes the block. */
void display_close(struct display *);
#endif
