/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the store makes of damaged and foreign files, and what a killed writer leaves. */
#include "../results/seal.h"
#include "../results/store.h"
#include "sample_record.h"
#include "support.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

static void put_bytes(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void expect_refusal(const char *path, const char *what)
{
    struct record record, *runs, root;
    struct error error = {""};
    size_t count;
    char buffer[64];
    cr_assert_not(store_read(path, &record, &error), "%s", what);
    cr_assert_not_null(strstr(error.text, path), "%s: %s", what, error.text);
    cr_assert_not(store_read_text(path, "/status", buffer, sizeof buffer, &error), "%s", what);
    cr_assert_not(store_read_runs(path, &runs, &count, &root, &error), "%s", what);
    cr_assert_not_null(strstr(error.text, path), "%s: %s", what, error.text);
}

Test(store, cut_off_files_are_errors)
{
    char *folder = temporary_folder(), *whole = file_in(folder, "whole.h5"), *cut = file_in(folder, "cut.h5");
    struct record record = sample_record();
    size_t size;
    must_write(whole, &record);
    char *bytes = read_bytes(whole, &size);
    for (size_t length = 0; length < size; length += length < 200 ? 1 : 97) {
        char what[64];
        snprintf(what, sizeof what, "%zu of %zu bytes", length, size);
        put_bytes(cut, bytes, length);
        expect_refusal(cut, what);
    }
    put_bytes(cut, bytes, size - 1);
    expect_refusal(cut, "the last byte missing");
    free(bytes);
    record_free(&record);
    free(whole);
    free(cut);
    remove_folder(folder);
}

/* Refused, or read with a warning that names it. */
static void expect_notice(const char *path, const char *warnings, const char *what)
{
    struct record record;
    struct error error = {""};
    size_t size = 0;
    cr_assert_not_null(freopen(warnings, "w", stderr));
    bool read = store_read(path, &record, &error);
    fflush(stderr);
    char *text = read_bytes(warnings, &size);
    cr_assert(read ? memmem(text, size, path, strlen(path)) != NULL : strstr(error.text, path) != NULL, "%s", what);
    if (read)
        record_free(&record);
    free(text);
}

Test(store, every_changed_byte_is_noticed)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_set_report_path("/dev/null"); /* HDF5's own faults on damaged files, in the child that tries them */
#endif
    char *folder = temporary_folder(), *whole = file_in(folder, "whole.h5"), *bad = file_in(folder, "bad.h5"),
         *warnings = file_in(folder, "warnings");
    struct record record = sample_record();
    size_t size;
    must_write(whole, &record);
    char *bytes = read_bytes(whole, &size), what[64];
    for (size_t at = 0; at < size; at += at < 1024 ? 17 : 101) {
        bytes[at] ^= (char)(1 << at % 8);
        put_bytes(bad, bytes, size);
        bytes[at] ^= (char)(1 << at % 8);
        snprintf(what, sizeof what, "byte %zu of %zu", at, size);
        expect_notice(bad, warnings, what);
    }
    free(bytes);
    record_free(&record);
    free(whole);
    free(warnings);
    free(bad);
    remove_folder(folder);
}

Test(store, foreign_files_are_errors)
{
    char *folder = temporary_folder(), *text = write_file(folder, "text.h5", "this is no HDF5 file\n"),
         *none = file_in(folder, "absent.h5"), *foreign = file_in(folder, "foreign.h5");
    expect_refusal(text, "a text file");
    expect_refusal(none, "no file");
    expect_refusal(folder, "a folder");
    /* Without its seal, as h5unjam leaves it, a run file is still one; another format's file is not. */
    struct record record = sample_record();
    size_t size;
    must_write(foreign, &record);
    char *bytes = read_bytes(foreign, &size), *name = memmem(bytes, size, "bitsweep run", 12);
    put_bytes(foreign, bytes + SEAL_BYTES, size - SEAL_BYTES);
    expect_stored(foreign, &record);
    cr_assert_not_null(name);
    memcpy(name, "other harness", 12);
    put_bytes(foreign, bytes + SEAL_BYTES, size - SEAL_BYTES);
    expect_refusal(foreign, "another program's file");
    free(bytes);
    record_free(&record);
    free(text);
    free(none);
    free(foreign);
    remove_folder(folder);
}

/* Writes one file over and over until it is killed. */
static _Noreturn void write_forever(const char *path)
{
    struct error error;
    for (int64_t i = 0;; i++) {
        struct record record = sample_record();
        record_int(&record, "/number", i, "", "");
        if (!store_write(path, &record, &error))
            _exit(1);
        record_free(&record);
    }
}

Test(store, a_killed_writer_never_leaves_a_broken_file, .timeout = 60)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.h5");
    for (int kill_number = 0; kill_number < 30; kill_number++) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0)
            write_forever(path);
        for (int wait = 0; kill_number == 0 && access(path, F_OK) != 0 && wait < 10000; wait++)
            usleep(1000);
        usleep(3000 + (useconds_t)(rng_uniform(1, (uint64_t)kill_number) * 40000));
        int status;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status), "the writer failed by itself");
        struct record back;
        struct error error;
        cr_assert(store_read(path, &back, &error), "after kill %d: %s", kill_number, error.text);
        cr_assert_geq(record_get_real(&back, "/number", -1), 0);
        record_free(&back);
    }
    free(path);
    remove_folder(folder);
}
