/* SPDX-License-Identifier: GPL-3.0-or-later
 * The figures of an incremental run, each computed from counts of samples per class. */
#include "class_scores.h"
#include <math.h>
#include <stdlib.h>

const char *const head_names[HEADS] = {[HEAD_CNN] = "cnn", [HEAD_NME] = "nme"};

static size_t right_size(const struct tasks *tasks) { return tasks->count * tasks->classes * sizeof(int64_t); }

void class_scores_begin(struct class_scores *scores, const struct tasks *tasks, const struct part *test, bool nme,
                        struct arena *arena)
{
    *scores = (struct class_scores){.tasks = tasks, .reported = {[HEAD_CNN] = true, [HEAD_NME] = nme},
                                    .all = arena_alloc(arena, tasks->classes * sizeof *scores->all)};
    for (size_t i = 0; i < test->count; i++)
        scores->all[test->y[i]]++;
    for (int head = 0; head < HEADS; head++)
        if (scores->reported[head])
            scores->right[head] = arena_alloc(arena, right_size(tasks));
}

void class_scores_keep(struct class_scores *scores, struct kept *kept)
{
    for (int head = 0; head < HEADS; head++) {
        if (!scores->reported[head])
            continue;
        char *name = format_text("class_scores.%s", head_names[head]);
        keep(kept, name, scores->right[head], right_size(scores->tasks));
        free(name);
    }
}

/* ---- figures ---- */

/* Of the samples of classes from .. end - 1. */
static double accuracy(const struct class_scores *scores, enum head head, size_t after, size_t from, size_t end)
{
    const struct tasks *tasks = scores->tasks;
    int64_t right = 0, all = 0;
    if (!scores->reported[head] || end > tasks->first[after + 1])
        return NAN;
    for (size_t class = from; class < end; class++) {
        right += scores->right[head][after * tasks->classes + class];
        all += scores->all[class];
    }
    return all ? (double)right / (double)all : NAN;
}

double class_accuracy(const struct class_scores *scores, enum head head, size_t after, size_t class)
{
    return accuracy(scores, head, after, class, class + 1);
}

double task_accuracy(const struct class_scores *scores, enum head head, size_t after, size_t task)
{
    return accuracy(scores, head, after, scores->tasks->first[task], scores->tasks->first[task + 1]);
}

double seen_accuracy(const struct class_scores *scores, enum head head, size_t after)
{
    return accuracy(scores, head, after, 0, scores->tasks->first[after + 1]);
}

/* A mean over what there is: terms that are NaN are left out. */
struct mean { double sum; size_t count; };

static void mean_add(struct mean *mean, double term)
{
    if (isnan(term))
        return;
    mean->sum += term;
    mean->count++;
}

static double mean_value(const struct mean *mean) { return mean->count ? mean->sum / (double)mean->count : NAN; }

double forgetting(const struct class_scores *scores, enum head head, size_t after)
{
    struct mean mean = {0};
    if (after == 0)
        return NAN;
    for (size_t class = 0; class < scores->tasks->first[after + 1]; class++) {
        double now = class_accuracy(scores, head, after, class), best = now;
        for (size_t before = 0; before < after; before++)
            best = fmax(best, class_accuracy(scores, head, before, class)); /* passes over NaN: not yet seen */
        mean_add(&mean, best - now);
    }
    return mean_value(&mean);
}

double average_incremental_accuracy(const struct class_scores *scores, enum head head)
{
    struct mean mean = {0};
    for (size_t after = 0; after < scores->tasks->count; after++)
        mean_add(&mean, seen_accuracy(scores, head, after));
    return mean_value(&mean);
}

double backward_transfer(const struct class_scores *scores, enum head head)
{
    struct mean mean = {0};
    size_t last = scores->tasks->count - 1;
    for (size_t task = 0; task < last; task++)
        mean_add(&mean, task_accuracy(scores, head, last, task) - task_accuracy(scores, head, task, task));
    return mean_value(&mean);
}

/* ---- the record ---- */

/* Below /incremental/HEAD: `columns` figures after each task. */
static void record_matrix(const struct class_scores *scores, enum head head, const char *name, size_t columns,
                          double (*figure)(const struct class_scores *, enum head, size_t, size_t), const char *meaning,
                          struct record *record)
{
    const size_t shape[2] = {scores->tasks->count, columns};
    double *values = xmalloc(shape[0] * shape[1] * sizeof *values);
    char *path = format_text("/incremental/%s/%s", head_names[head], name);
    for (size_t after = 0; after < shape[0]; after++)
        for (size_t column = 0; column < columns; column++)
            values[after * columns + column] = figure(scores, head, after, column);
    record_put(record, path, RECORD_F64, 2, shape, values, "fraction", meaning);
    free(path);
    free(values);
}

static void record_curve(const struct class_scores *scores, enum head head, const char *name,
                         double (*figure)(const struct class_scores *, enum head, size_t), const char *meaning,
                         struct record *record)
{
    size_t count = scores->tasks->count;
    double *values = xmalloc(count * sizeof *values);
    char *path = format_text("/incremental/%s/%s", head_names[head], name);
    for (size_t after = 0; after < count; after++)
        values[after] = figure(scores, head, after);
    record_put(record, path, RECORD_F64, 1, &count, values, "fraction", meaning);
    free(path);
    free(values);
}

static void record_metric(enum head head, const char *name, double value, const char *meaning, struct record *record)
{
    char *path = format_text("/metrics/%s_%s", head_names[head], name);
    record_real(record, path, value, "fraction", meaning);
    free(path);
}

static void record_head(const struct class_scores *scores, enum head head, struct record *record)
{
    const struct tasks *tasks = scores->tasks;
    size_t last = tasks->count - 1;
    record_matrix(scores, head, "class_accuracy", tasks->classes, class_accuracy,
                  "tasks x classes, in the order of the tasks: accuracy on the class after the task; NaN: not yet seen",
                  record);
    record_matrix(scores, head, "task_accuracy", tasks->count, task_accuracy,
                  "tasks x tasks: accuracy on the samples of the column's task after the row's task; NaN: not yet seen",
                  record);
    record_curve(scores, head, "accuracy", seen_accuracy, "accuracy on the samples of all classes seen, after each task",
                 record);
    record_curve(scores, head, "forgetting", forgetting,
                 "mean over the classes seen of best accuracy so far minus accuracy now, after each task; NaN: the first",
                 record);
    record_metric(head, "accuracy", seen_accuracy(scores, head, last), "accuracy after the last task", record);
    record_metric(head, "average_accuracy", average_incremental_accuracy(scores, head),
                  "mean over the tasks of the accuracy on all classes seen", record);
    record_metric(head, "forgetting", forgetting(scores, head, last), "forgetting after the last task", record);
    record_metric(head, "backward_transfer", backward_transfer(scores, head),
                  "mean over all tasks but the last of accuracy on the task at the end minus right after it", record);
}

static void record_tasks(const struct tasks *tasks, struct record *record)
{
    int64_t *numbers = xmalloc((tasks->count + tasks->classes) * sizeof *numbers);
    for (size_t t = 0; t < tasks->count; t++)
        numbers[t] = (int64_t)tasks->first[t];
    record_put(record, "/tasks/first", RECORD_I64, 1, &tasks->count, numbers, "",
               "first class of each task, counted in the order of the tasks");
    for (size_t t = 0; t < tasks->count; t++)
        numbers[t] = (int64_t)(tasks->first[t + 1] - tasks->first[t]);
    record_put(record, "/tasks/classes", RECORD_I64, 1, &tasks->count, numbers, "",
               "number of classes that each task brings");
    for (size_t i = 0; i < tasks->classes; i++)
        numbers[i] = tasks->order[i];
    record_put(record, "/tasks/class_order", RECORD_I64, 1, &tasks->classes, numbers, "",
               "the data set's number of each class, in the order of the tasks");
    free(numbers);
}

void class_scores_record(const struct class_scores *scores, struct record *record)
{
    record_tasks(scores->tasks, record);
    for (int head = 0; head < HEADS; head++)
        if (scores->reported[head])
            record_head(scores, (enum head)head, record);
}
