/* SPDX-License-Identifier: GPL-3.0-or-later
 * The figures of an incremental run, on three tasks worked by hand. */
#include "../bench/checkpoint.h"
#include "../bench/class_scores.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 5

/* Tasks of the classes 0 1, 2 3 and 4. */
static int32_t order[CLASSES] = {3, 0, 4, 2, 1};
static const struct tasks three = {.count = 3, .classes = CLASSES, .first = {0, 2, 4, 5}, .order = order};
/* Test samples of each class; those classified rightly after each task. */
static const int64_t samples[CLASSES] = {10, 20, 10, 5, 40};
static const int64_t right[HEADS][3][CLASSES] = {
    {{9, 20}, {5, 16, 10, 1}, {6, 10, 4, 3, 30}},
    {{10, 10}, {5, 5, 10, 5}, {0, 20, 8, 5, 20}},
};

struct example { struct class_scores scores; struct arena arena; struct kept kept; struct part test; };

static void begin(struct example *e, const struct tasks *tasks, const int64_t *all, bool nme)
{
    *e = (struct example){0};
    for (size_t class = 0; class < tasks->classes; class++)
        e->test.count += (size_t)all[class];
    e->test.y = xmalloc(e->test.count * sizeof *e->test.y);
    size_t next = 0;
    for (size_t class = 0; class < tasks->classes; class++)
        for (int64_t i = 0; i < all[class]; i++)
            e->test.y[next++] = (int32_t)class;
    class_scores_begin(&e->scores, tasks, &e->test, nme, &e->arena);
    class_scores_keep(&e->scores, &e->kept);
}

static void end(struct example *e)
{
    free(e->test.y);
    kept_free(&e->kept);
    arena_free(&e->arena);
}

static struct example worked(bool nme)
{
    struct example e;
    begin(&e, &three, samples, nme);
    for (int head = 0; head < (nme ? HEADS : 1); head++)
        memcpy(e.scores.right[head], right[head], sizeof right[head]);
    return e;
}

Test(class_scores, starts_at_zero)
{
    struct example e;
    begin(&e, &three, samples, true);
    for (size_t i = 0; i < 3 * CLASSES; i++)
        cr_expect(e.scores.right[HEAD_CNN][i] == 0 && e.scores.right[HEAD_NME][i] == 0);
    cr_expect_arr_eq(e.scores.all, samples, sizeof samples);
    cr_expect_eq(e.kept.count, 2, "both heads' counts belong to a checkpoint");
    cr_expect_eq(kept_size(&e.kept), sizeof right);
    end(&e);
}

Test(class_scores, accuracies)
{
    struct example e = worked(true);
    const struct class_scores *s = &e.scores;
    expect_near(class_accuracy(s, HEAD_CNN, 0, 0), 0.9);
    expect_near(class_accuracy(s, HEAD_CNN, 2, 2), 0.4);
    expect_near(class_accuracy(s, HEAD_NME, 2, 4), 0.5);
    expect_near(task_accuracy(s, HEAD_CNN, 0, 0), 29. / 30);
    expect_near(task_accuracy(s, HEAD_CNN, 1, 0), 21. / 30);
    expect_near(task_accuracy(s, HEAD_CNN, 2, 1), 7. / 15);
    expect_near(task_accuracy(s, HEAD_NME, 2, 0), 20. / 30);
    expect_near(seen_accuracy(s, HEAD_CNN, 0), 29. / 30);
    expect_near(seen_accuracy(s, HEAD_CNN, 1), 32. / 45);
    expect_near(seen_accuracy(s, HEAD_CNN, 2), 53. / 85);
    expect_near(seen_accuracy(s, HEAD_NME, 2), 53. / 85);
    expect_near(average_incremental_accuracy(s, HEAD_CNN), (29. / 30 + 32. / 45 + 53. / 85) / 3);
    end(&e);
}

/* METHODS 6: over all classes seen, so the task's own classes count 0. */
Test(class_scores, forgetting_and_transfer)
{
    struct example e = worked(true);
    const struct class_scores *s = &e.scores;
    cr_expect(isnan(forgetting(s, HEAD_CNN, 0)));
    expect_near(forgetting(s, HEAD_CNN, 1), (0.4 + 0.2 + 0 + 0) / 4);
    /* Class 3 is best now; class 2 was at its best after the second task. */
    expect_near(forgetting(s, HEAD_CNN, 2), (0.3 + 0.5 + 0.6 + 0 + 0) / 5);
    expect_near(forgetting(s, HEAD_NME, 2), (1.0 + 0 + 0.2 + 0 + 0) / 5);
    expect_near(backward_transfer(s, HEAD_CNN), ((16. / 30 - 29. / 30) + (7. / 15 - 11. / 15)) / 2);
    expect_near(backward_transfer(s, HEAD_NME), ((20. / 30 - 20. / 30) + (13. / 15 - 15. / 15)) / 2);
    end(&e);
}

Test(class_scores, nothing_where_nothing_is)
{
    struct example e = worked(false);
    const struct class_scores *s = &e.scores;
    cr_expect(isnan(class_accuracy(s, HEAD_CNN, 0, 2)) && isnan(task_accuracy(s, HEAD_CNN, 1, 2)), "not yet seen");
    cr_expect(isnan(seen_accuracy(s, HEAD_NME, 2)) && isnan(forgetting(s, HEAD_NME, 2))
              && isnan(backward_transfer(s, HEAD_NME)) && isnan(average_incremental_accuracy(s, HEAD_NME)), "no such head");
    end(&e);
}

/* Classes without test samples take no part in the means. */
Test(class_scores, classes_without_samples)
{
    static const int64_t all[CLASSES] = {10, 0, 10, 5, 0}, counts[3][CLASSES] = {{10}, {5, 0, 10, 5}, {4, 0, 4, 5, 0}};
    struct example e;
    begin(&e, &three, all, false);
    memcpy(e.scores.right[HEAD_CNN], counts, sizeof counts);
    const struct class_scores *s = &e.scores;
    cr_expect(isnan(class_accuracy(s, HEAD_CNN, 2, 1)) && isnan(task_accuracy(s, HEAD_CNN, 2, 2)));
    expect_near(task_accuracy(s, HEAD_CNN, 1, 0), 0.5);
    expect_near(seen_accuracy(s, HEAD_CNN, 2), 13. / 25);
    expect_near(forgetting(s, HEAD_CNN, 2), (0.6 + 0.6 + 0) / 3);
    expect_near(backward_transfer(s, HEAD_CNN), (0.4 - 1 + 9. / 15 - 1) / 2);
    end(&e);
}

Test(class_scores, one_task)
{
    static const struct tasks one = {.count = 1, .classes = CLASSES, .first = {0, CLASSES}, .order = order};
    struct example e;
    begin(&e, &one, samples, false);
    memcpy(e.scores.right[HEAD_CNN], right[HEAD_CNN][2], sizeof right[HEAD_CNN][2]);
    expect_near(average_incremental_accuracy(&e.scores, HEAD_CNN), 53. / 85);
    cr_expect(isnan(backward_transfer(&e.scores, HEAD_CNN)) && isnan(forgetting(&e.scores, HEAD_CNN, 0)));
    end(&e);
}

/* ---- the record ---- */

static void expect_field(const struct record *record, const char *path, size_t rows, size_t columns, size_t at, double value)
{
    const struct field *field = record_find(record, path);
    cr_assert_not_null(field, "%s", path);
    cr_assert(field->rank == (columns ? 2 : 1) && field->shape[0] == rows, "%s", path);
    cr_assert(columns == 0 || field->shape[1] == columns, "%s", path);
    double found = field->type == RECORD_I64 ? (double)((int64_t *)field->data)[at] : ((double *)field->data)[at];
    cr_expect(isnan(value) ? isnan(found) : fabs(found - value) < 1e-12, "%s[%zu] is %g, not %g", path, at, found, value);
}

Test(class_scores, the_record)
{
    struct example e = worked(true);
    struct record record = {0};
    class_scores_record(&e.scores, &record);
    expect_field(&record, "/tasks/first", 3, 0, 2, 4);
    expect_field(&record, "/tasks/classes", 3, 0, 1, 2);
    expect_field(&record, "/tasks/classes", 3, 0, 2, 1);
    expect_field(&record, "/tasks/class_order", 5, 0, 2, 4);
    expect_field(&record, "/incremental/cnn/class_accuracy", 3, 5, 5 + 1, 0.8);
    expect_field(&record, "/incremental/cnn/class_accuracy", 3, 5, 2, NAN);
    expect_field(&record, "/incremental/cnn/task_accuracy", 3, 3, 2 * 3, 16. / 30);
    expect_field(&record, "/incremental/cnn/task_accuracy", 3, 3, 1, NAN);
    expect_field(&record, "/incremental/nme/accuracy", 3, 0, 1, 25. / 45);
    expect_field(&record, "/incremental/cnn/forgetting", 3, 0, 0, NAN);
    expect_field(&record, "/incremental/cnn/forgetting", 3, 0, 2, 0.28);
    expect_near(record_get_real(&record, "/metrics/cnn_accuracy", -1), 53. / 85);
    expect_near(record_get_real(&record, "/metrics/cnn_average_accuracy", -1), (29. / 30 + 32. / 45 + 53. / 85) / 3);
    expect_near(record_get_real(&record, "/metrics/nme_forgetting", -1), 0.24);
    expect_near(record_get_real(&record, "/metrics/cnn_backward_transfer", -1), -0.35);
    record_free(&record);
    end(&e);
}

Test(class_scores, the_record_of_one_head)
{
    struct example e = worked(false);
    struct record record = {0};
    class_scores_record(&e.scores, &record);
    cr_expect_not_null(record_find(&record, "/metrics/cnn_accuracy"));
    for (size_t i = 0; i < record.count; i++)
        cr_expect_null(strstr(record.fields[i].path, "nme"), "%s", record.fields[i].path);
    record_free(&record);
    end(&e);
}
