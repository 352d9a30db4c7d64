/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records, run files and collected files. */
#include "../results/store.h"
#include "sample_record.h"
#include "support.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- records ----------------------------------------------------------------------------- */

Test(record, fields_are_copied_found_and_replaced)
{
    struct record record = {0};
    double values[] = {1, 2, 3};
    record_put(&record, "/x", RECORD_F64, 1, (size_t[]){3}, values, "s", "seconds");
    values[0] = 9;
    cr_assert_eq(((double *)record_find(&record, "/x")->data)[0], 1);
    cr_assert_null(record_find(&record, "/y"));
    record_text(&record, "/x", "now a text", "");
    cr_assert_eq(record.count, 1);
    cr_assert_str_eq(record_get_text(&record, "/x", "absent"), "now a text");
    cr_assert_eq(record_get_real(&record, "/x", -1), -1);
    cr_assert_str_eq(record_get_text(&record, "/y", "absent"), "absent");
    record_int(&record, "/n", 5, "", "");
    cr_assert_eq(record_get_real(&record, "/n", -1), 5);
    cr_assert_str_eq(record_get_text(&record, "/n", "absent"), "absent");
    for (int i = 0; i < 300; i++) {
        char *path = format_text("/many/%d", i);
        record_int(&record, path, i, "", "");
        free(path);
    }
    cr_assert_eq(record_get_real(&record, "/many/299", -1), 299);
    record_free(&record);
    cr_assert_eq(record.count, 0);
}

/* ---- run files --------------------------------------------------------------------------- */

Test(store, everything_comes_back)
{
    char *folder = temporary_folder(), *path = file_in(folder, "new/folder/run.h5");
    struct record record = sample_record();
    add_large(&record);
    must_write(path, &record);
    expect_stored(path, &record);
    record_free(&record);
    free(path);
    remove_folder(folder);
}

Test(store, one_text_field)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.h5"), buffer[64];
    struct record record = sample_record();
    struct error error;
    must_write(path, &record);
    cr_assert(store_read_text(path, "/status", buffer, sizeof buffer, &error), "%s", error.text);
    cr_assert_str_eq(buffer, "done");
    cr_assert(store_read_text(path, "/no/such", buffer, sizeof buffer, &error));
    cr_assert_str_eq(buffer, "");
    cr_assert(store_read_text(path, "/id", buffer, 5, &error));
    cr_assert_str_eq(buffer, "0123");
    cr_assert_not(store_read_text(path, "/loss", buffer, sizeof buffer, &error));
    cr_assert_not_null(strstr(error.text, path));
    cr_assert_not_null(strstr(error.text, "/loss"));
    record_free(&record);
    free(path);
    remove_folder(folder);
}

/* Neither the clock nor the order of the fields shows in the file. */
Test(store, equal_records_give_equal_bytes)
{
    char *folder = temporary_folder(), *a = file_in(folder, "a.h5"), *b = file_in(folder, "b.h5");
    struct record record = sample_record(), reversed = {0};
    add_large(&record);
    for (size_t i = record.count; i-- > 0;) {
        const struct field *field = &record.fields[i];
        record_put(&reversed, field->path, field->type, field->rank, field->shape, field->data, field->unit,
                   field->meaning);
    }
    must_write(a, &record);
    sleep(1); /* time stamps count seconds */
    must_write(b, &reversed);
    size_t size, other;
    char *left = read_bytes(a, &size), *right = read_bytes(b, &other);
    cr_assert_eq(size, other);
    cr_assert_eq(memcmp(left, right, size), 0);
    free(left);
    free(right);
    record_free(&record);
    record_free(&reversed);
    free(a);
    free(b);
    remove_folder(folder);
}

Test(store, an_unwritable_place_is_named)
{
    char *folder = temporary_folder(), *blocked = write_file(folder, "file", "text"),
         *path = file_in(folder, "file/run.h5");
    struct record record = sample_record();
    struct error error;
    cr_assert_not(store_write(path, &record, &error));
    cr_assert_not_null(strstr(error.text, blocked), "%s", error.text);
    free(path);
    /* A folder stands where the file should go: nothing is left behind. */
    path = file_in(folder, "taken");
    cr_assert_eq(mkdir(path, 0777), 0);
    cr_assert_not(store_write(path, &record, &error));
    cr_assert_not_null(strstr(error.text, path), "%s", error.text);
    char *temporary = format_text("%s.tmp.%ld", path, (long)getpid());
    cr_assert_neq(access(temporary, F_OK), 0);
    free(temporary);
    record_free(&record);
    free(path);
    free(blocked);
    remove_folder(folder);
}

/* Writes to a disk that is full: true if that fails as it should. */
static bool fails_on_a_full_disk(const char *path)
{
    const struct rlimit limit = {40000, 40000};
    char *temporary = format_text("%s.tmp.%ld", path, (long)getpid());
    struct record large = sample_record();
    struct error error;
    add_large(&large);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    bool refused = !store_write(path, &large, &error) && strstr(error.text, path) && access(temporary, F_OK) != 0;
    record_free(&large);
    free(temporary);
    return refused;
}

/* HDF5 loses memory when it cannot close a file, so that happens in a process which then becomes another, out of the
 * sight of leak checkers. */
Test(store, a_full_disk_leaves_the_old_file)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.h5");
    struct record record = sample_record();
    int status;
    must_write(path, &record);
    pid_t child = fork();
    if (child == 0)
        execl("/bin/sh", "sh", "-c", fails_on_a_full_disk(path) ? "exit 0" : "exit 1", (char *)NULL);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_stored(path, &record);
    record_free(&record);
    free(path);
    remove_folder(folder);
}

/* ---- collected files ------------------------------------------------------------------------ */

static void write_run(const char *path, const char *id, double accuracy)
{
    struct record record = sample_record();
    record_text(&record, "/id", id, "");
    record_real(&record, "/metrics/test_accuracy", accuracy, "", "");
    add_large(&record);
    must_write(path, &record);
    record_free(&record);
}

Test(collected, runs_come_back_in_order)
{
    static const char *const ids[] = {"ffff", "0000", "8888"};
    char *folder = temporary_folder(), *all = file_in(folder, "all.h5"), *paths[3];
    struct record extra = {0}, root, *runs, alone;
    struct error error;
    size_t count;
    for (int i = 0; i < 3; i++) {
        paths[i] = format_text("%s/%s.h5", folder, ids[i]);
        write_run(paths[i], ids[i], i);
    }
    record_text(&extra, "/sweep", "demo", "");
    cr_assert(store_collect(all, ids, (const char *const *)paths, 3, &extra, &error), "%s", error.text);
    cr_assert(store_read_runs(all, &runs, &count, &root, &error), "%s", error.text);
    cr_assert_eq(count, 3);
    cr_assert_str_eq(record_get_text(&root, "/sweep", ""), "demo");
    for (int i = 0; i < 3; i++) {
        cr_assert(store_read(paths[i], &alone, &error));
        expect_equal(&alone, &runs[i]);
        cr_assert_str_eq(record_get_text(&runs[i], "/id", ""), ids[i]);
        record_free(&alone);
        record_free(&runs[i]);
        free(paths[i]);
    }
    free(runs);
    record_free(&root);
    record_free(&extra);
    cr_assert_not(store_read(all, &alone, &error));
    cr_assert_not_null(strstr(error.text, "collected"));
    free(all);
    remove_folder(folder);
}

Test(collected, a_single_run_reads_like_a_collection_of_one)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.h5");
    struct record root, *runs;
    struct error error;
    size_t count;
    write_run(path, "abcd", 0.5);
    cr_assert(store_read_runs(path, &runs, &count, &root, &error), "%s", error.text);
    cr_assert_eq(count, 1);
    cr_assert_eq(root.count, 0);
    cr_assert_eq(record_get_real(&runs[0], "/metrics/test_accuracy", 0), 0.5);
    record_free(&runs[0]);
    free(runs);
    free(path);
    remove_folder(folder);
}

Test(collected, a_bad_run_leaves_the_old_file)
{
    static const char *const ids[] = {"aaaa"};
    char *folder = temporary_folder(), *all = write_file(folder, "all.h5", "old"),
         *run = write_file(folder, "aaaa.h5", "no run");
    const char *const paths[] = {run};
    struct record extra = {0};
    struct error error;
    size_t size;
    cr_assert_not(store_collect(all, ids, paths, 1, &extra, &error));
    cr_assert_not_null(strstr(error.text, run), "%s", error.text);
    char *bytes = read_bytes(all, &size);
    cr_assert_arr_eq(bytes, "old", 3);
    free(bytes);
    free(all);
    free(run);
    remove_folder(folder);
}
