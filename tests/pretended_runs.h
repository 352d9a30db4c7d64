/* SPDX-License-Identifier: GPL-3.0-or-later
 * A sweep of runs that only pretend to train, for the tests of the runner. */
#ifndef BITSWEEP_TEST_PRETENDED_RUNS_H
#define BITSWEEP_TEST_PRETENDED_RUNS_H
#include "../bench/folder.h"
#include "../bench/runner.h"

/* The folder of the test, with a plan of no runs: what every test of the suite starts and ends with. */
void set_up(void);
void tear_down(void);
extern char *folder; /* the sweep "fake" is in folder/results */
extern struct plan plan;

/* Adds a run, at most RUNS; run i has seed i and ends as ends[i] says. */
#define RUNS 10
void add_run(const char *end, int depends, const char *skip);
extern const char *ends[RUNS];

/* Runs the plan; returns the exit code. Defaults: two workers, the folder's results. */
int run_with(struct run_options);
extern struct error last_error;
extern char said[16384]; /* on stderr by the last run, or what read_said read */
void read_said(const char *path);

size_t started(void); /* times that runs were started since set_up */
bool read_run(size_t index, struct record *);
/* The run's file has this status and a message that holds this part; status "": there is no file. */
void expect(size_t index, const char *status, const char *part_of_message);

/* Names in the test's folder; free() the paths. */
char *path_of(const char *name);
char *sweep_folder(void);
bool exists(const char *name);
void touch(const char *name, const char *text);
_Noreturn void hang(void);
#endif
