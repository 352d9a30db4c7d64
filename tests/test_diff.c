/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verb diff, on made-up runs. */
#include "../results/collect.h"
#include "../results/store.h"
#include "made_runs.h"
#include "support.h"
#include "verbs.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_diff;

struct change { void (*apply)(struct record *); const char *line; }; /* "" if equal */

static const size_t four[] = {2, 2}, other_four[] = {4};

static struct record plain_record(void)
{
    static const double values[] = {1, NAN, 3, 4};
    static const float singles[] = {NAN, 0, 1, 2};
    static const char *const words[] = {"a", "b", "c", "d"};
    struct record record = made_record(&made_runs[0]);
    record_put(&record, "/x/values", RECORD_F64, 2, four, values, "s", "");
    record_put(&record, "/x/singles", RECORD_F32, 1, other_four, singles, "", "");
    record_put(&record, "/x/words", RECORD_TEXT, 2, four, words, "", "");
    record_int(&record, "/x/count", 5, "", "");
    return record;
}

static void same(struct record *record) { (void)record; }
static void timing(struct record *record) { record_real(record, "/timing/train_seconds", 99, "s", ""); }
static void provenance(struct record *record) { record_text(record, "/provenance/new", "x", ""); }
static void number(struct record *record) { record_int(record, "/x/count", -6, "", ""); }
static void extra(struct record *record) { record_int(record, "/x/extra", 1, "", ""); }
static void type(struct record *record) { record_real(record, "/x/count", 5, "", ""); }
static void zero_sign(struct record *record) { ((float *)record_find(record, "/x/singles")->data)[1] = -0.0f; }
static void other_nan(struct record *record) { ((float *)record_find(record, "/x/singles")->data)[0] = -NAN; }
static void real(struct record *record)
{
    ((double *)record_find(record, "/x/values")->data)[2] = nextafter(3, 4);
    ((double *)record_find(record, "/x/values")->data)[3] = 5;
}
static void word(struct record *record)
{
    static const char *const words[] = {"a", "B", "c", "d"};
    record_put(record, "/x/words", RECORD_TEXT, 2, four, words, "", "");
}
static void shape(struct record *record)
{
    static const char *const words[] = {"a", "b", "c", "d"};
    record_put(record, "/x/words", RECORD_TEXT, 1, other_four, words, "", "");
}
static void unit(struct record *record)
{
    static const double values[] = {1, NAN, 3, 4};
    record_put(record, "/x/values", RECORD_F64, 2, four, values, "ms", "");
}

static const struct change changes[] = {
    {same, ""}, {timing, ""}, {provenance, ""}, {other_nan, ""},
    {number, "/x/count: 5 | -6\n"},
    {extra, "/x/extra: only in %s/b.h5\n"},
    {type, "/x/count: type int64 | float64\n"},
    {zero_sign, "/x/singles[1] (1 of 4 differ): 0 | -0\n"},
    {real, "/x/values[1,0] (2 of 4 differ): 3 | 3.0000000000000004\n"},
    {word, "/x/words[0,1] (1 of 4 differ): 'b' | 'B'\n"},
    {shape, "/x/words: shape 2 x 2 | 4\n"},
    {unit, "/x/values: unit s | ms\n"},
};

Test(diff, finds_each_kind_of_difference)
{
    char *folder = temporary_folder(), *a = format_text("%s/a.h5", folder), *b = format_text("%s/b.h5", folder),
         *arguments = format_text("%s %s", a, b);
    struct error error;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct record left = plain_record(), right = plain_record();
        changes[i].apply(&right);
        cr_assert(store_write(a, &left, &error) && store_write(b, &right, &error), "%s", error.text);
        struct outcome outcome = run_verb(&cmd_diff, arguments);
        char line[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, changes[i].line, folder);
#pragma GCC diagnostic pop
        cr_assert_eq(outcome.code, *line ? EXIT_TROUBLE : EXIT_DONE, "change %zu: %s", i, outcome.out);
        cr_assert_eq(strncmp(outcome.out, line, strlen(line)), 0, "change %zu: %s", i, outcome.out);
        const char *rest = outcome.out + strlen(line), *end = *line ? "different: 1 difference, " : "equal: ";
        cr_assert_eq(strncmp(rest, end, strlen(end)), 0, "change %zu: %s", i, outcome.out);
        outcome_free(&outcome);
        record_free(&left);
        record_free(&right);
    }
    free(arguments);
    free(a);
    free(b);
    remove_folder(folder);
}

Test(diff, all_compares_timing_too)
{
    char *folder = temporary_folder(), *a = format_text("%s/a.h5", folder), *b = format_text("%s/b.h5", folder),
         *arguments = format_text("%s %s --all --format json", a, b);
    struct record record = plain_record();
    struct error error;
    cr_assert(store_write(a, &record, &error));
    timing(&record);
    provenance(&record);
    cr_assert(store_write(b, &record, &error));
    struct outcome outcome = run_verb(&cmd_diff, arguments);
    cr_assert_eq(outcome.code, EXIT_TROUBLE);
    cJSON *json = cJSON_Parse(outcome.out), *list = cJSON_GetObjectItem(json, "differences");
    cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(json, "equal")));
    cr_assert_eq(cJSON_GetArraySize(list), 2);
    cJSON *first = cJSON_GetArrayItem(list, 0), *second = cJSON_GetArrayItem(list, 1);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "path")), "/timing/train_seconds");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "a")), "1.5");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "b")), "99");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(second, "kind")), "only in b");
    cJSON_Delete(json);
    outcome_free(&outcome);
    record_free(&record);
    free(arguments);
    free(a);
    free(b);
    remove_folder(folder);
}

Test(diff, collected_files_are_matched_by_id)
{
    char *folder = temporary_folder(), *first = collected(folder), *second = format_text("%s/other.h5", folder),
         *both = format_text("%s %s", first, second);
    cr_assert_eq(rename(first, second), 0);
    free(collected(folder));
    struct outcome outcome = run_verb(&cmd_diff, both);
    cr_assert_eq(outcome.code, EXIT_DONE, "%s", outcome.out);
    outcome_free(&outcome);

    /* One run less, one changed. */
    struct made changed = made_runs[1];
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    char *path, *gone = format_text("%s/demo/runs/%s.h5", folder, made_runs[0].id);
    changed.mean_bits = 3;
    write_made(folder, &changed);
    cr_assert_eq(unlink(gone), 0);
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    outcome = run_verb(&cmd_diff, both);
    cr_assert_eq(outcome.code, EXIT_TROUBLE);
    char *expected = format_text("00000000000000a1 /costs/mean_bits: 3 | 2.5\n00000000000000f1: only in %s\n"
                                 "different: 2 differences, ", second);
    cr_assert_eq(strncmp(outcome.out, expected, strlen(expected)), 0, "%s", outcome.out);
    outcome_free(&outcome);

    char *mixed = format_text("%s %s/demo/runs/%s.h5", first, folder, made_runs[1].id);
    expect_trouble(&cmd_diff, mixed, EXIT_USAGE, "two of one kind");
    expect_trouble(&cmd_diff, first, EXIT_USAGE, "2 files are needed");
    expect_trouble(&cmd_diff, "a b c", EXIT_USAGE, "c");
    expect_trouble(&cmd_diff, "a b --format csv", EXIT_USAGE, "csv");
    expect_trouble(&cmd_diff, "/no/a.h5 /no/b.h5", EXIT_USAGE, "/no/a.h5");
    free(mixed);
    free(expected);
    free(gone);
    free(path);
    free_made_plan(&plan);
    free(first);
    free(second);
    free(both);
    remove_folder(folder);
}
