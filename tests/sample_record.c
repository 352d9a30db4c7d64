/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sample_record.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static const size_t two_by_three[] = {2, 3}, three[] = {3}, box[] = {2, 1, 2}, empty[] = {0},
                    empty_rows[] = {0, 3};

struct record sample_record(void)
{
    struct record record = {0};
    const double reals[] = {0.1, -0.0, NAN, INFINITY, DBL_MIN / 2, DBL_MAX};
    const float singles[] = {0.1f, FLT_MAX, NAN, -0.0f};
    const int64_t whole[] = {INT64_MIN, 0, INT64_MAX};
    const int8_t bytes[] = {-128, 0, 127};
    const char *words[] = {"", "fc1.weight", "größte Ω ± 模型 🙂\nsecond line"};
    record_text(&record, "/id", "0123456789abcdef", "run id");
    record_text(&record, "/status", "done", "how the run ended");
    record_text(&record, "/message", "", "");
    record_put(&record, "/a/reals", RECORD_F64, 2, two_by_three, reals, "bit²", "Größe Ω");
    record_put(&record, "/a/singles", RECORD_F32, 3, box, singles, "", "");
    record_put(&record, "/a/deep/er/whole", RECORD_I64, 1, three, whole, "s", "times");
    record_put(&record, "/a/bytes", RECORD_I8, 1, three, bytes, "", "codes");
    record_put(&record, "/a/words", RECORD_TEXT, 1, three, words, "", "names");
    record_put(&record, "/empty/reals", RECORD_F64, 1, empty, NULL, "", "nothing");
    record_put(&record, "/empty/rows", RECORD_F32, 2, empty_rows, NULL, "", "nothing");
    record_put(&record, "/empty/words", RECORD_TEXT, 1, empty, NULL, "", "nothing");
    record_int(&record, "/count", -7, "", "");
    record_real(&record, "/loss", 1.0 / 3, "", "");
    return record;
}

void add_large(struct record *record)
{
    const size_t shape[] = {100, 50};
    double *values = xmalloc(5000 * sizeof *values);
    const char **words = xmalloc(5000 * sizeof *words);
    for (int i = 0; i < 5000; i++) {
        values[i] = sin(i);
        words[i] = i % 2 ? "odd" : "even";
    }
    record_put(record, "/large/values", RECORD_F64, 2, shape, values, "", "");
    record_put(record, "/large/words", RECORD_TEXT, 2, shape, words, "", "");
    free(values);
    free(words);
}

void expect_equal(const struct record *a, const struct record *b)
{
    cr_assert_eq(a->count, b->count, "%zu fields, not %zu", b->count, a->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct field *left = &a->fields[i], *right = record_find(b, left->path);
        cr_assert_not_null(right, "%s is gone", left->path);
        cr_assert_eq(left->type, right->type, "%s", left->path);
        cr_assert_eq(left->rank, right->rank, "%s", left->path);
        cr_assert_str_eq(left->unit, right->unit);
        cr_assert_str_eq(left->meaning, right->meaning);
        for (int r = 0; r < left->rank; r++)
            cr_assert_eq(left->shape[r], right->shape[r], "%s", left->path);
        for (size_t e = 0; left->type == RECORD_TEXT && e < field_count(left); e++)
            cr_assert_str_eq(((char **)left->data)[e], ((char **)right->data)[e], "%s", left->path);
        if (left->type != RECORD_TEXT)
            cr_assert_arr_eq(left->data, right->data, field_count(left) * record_type_size(left->type), "%s",
                             left->path);
    }
}

void must_write(const char *path, const struct record *record)
{
    struct error error;
    cr_assert(store_write(path, record, &error), "%s", error.text);
}

void expect_stored(const char *path, const struct record *record)
{
    struct record back;
    struct error error;
    cr_assert(store_read(path, &back, &error), "%s", error.text);
    expect_equal(record, &back);
    record_free(&back);
}
