/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an incremental run knows of each class after each task, and the figures made of it. METHODS 6. */
#ifndef BITSWEEP_CLASS_SCORES_H
#define BITSWEEP_CLASS_SCORES_H
#include "tasks.h"
#include "../results/record.h"

enum head { HEAD_CNN, HEAD_NME, HEADS }; /* linear classifier; nearest mean of exemplars */
extern const char *const head_names[HEADS]; /* "cnn", "nme" */

/* Test samples of class c that the head classified rightly among all classes seen, after task t; and of all. Zeroed at the
 * start. */
struct class_scores {
    const struct tasks *tasks;
    bool reported[HEADS];
    int64_t *right[HEADS];         /* tasks × classes; NULL: not reported */
    int64_t *all;                  /* classes */
};
/* test: with labels in the order of the tasks. */
void class_scores_begin(struct class_scores *, const struct tasks *, const struct part *test, bool nme, struct arena *);
/* Registers what is counted. */
void class_scores_keep(struct class_scores *, struct kept *);

/* Shares of 1; NaN where there is nothing: a class not yet seen, a head not reported, no test samples (means are over the
 * rest). After task `after` (0-based). */
double class_accuracy(const struct class_scores *, enum head, size_t after, size_t class);
/* Over the task's samples. */
double task_accuracy(const struct class_scores *, enum head, size_t after, size_t task);
/* Over all samples of the classes seen. */
double seen_accuracy(const struct class_scores *, enum head, size_t after);
/* Mean over ALL classes seen of (best accuracy after any task so far - accuracy now), so that the newest classes count 0;
 * NaN after the first task. [pub] */
double forgetting(const struct class_scores *, enum head, size_t after);
/* Mean of seen_accuracy over the tasks. */
double average_incremental_accuracy(const struct class_scores *, enum head);
/* Mean over all tasks k but the last of task_accuracy(last, k) - task_accuracy(k, k) (Lopez-Paz and Ranzato 2017); NaN with
 * one task. */
double backward_transfer(const struct class_scores *, enum head);

/* For each reported head H: /incremental/H/class_accuracy (tasks × classes), task_accuracy (tasks × tasks), accuracy and
 * forgetting (tasks); /metrics/H_accuracy (after the last task), H_average_accuracy, H_forgetting, H_backward_transfer. And
 * /tasks/first (first class of each task), /tasks/classes (how many each task brings), /tasks/class_order (the data set's
 * numbers of the classes in the order of the tasks). */
void class_scores_record(const struct class_scores *, struct record *);
#endif
