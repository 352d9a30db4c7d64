/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records, run files, collected files, and what a damaged file or a killed writer leaves. */
#include "../results/h5.h"
#include "../results/seal.h"
#include "../results/store.h"
#include "support.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t two_by_three[] = {2, 3}, three[] = {3}, box[] = {2, 1, 2}, empty[] = {0}, empty_rows[] = {0, 3};

/* A field of every type and rank, with values at the edges. */
static struct record sample_record(void)
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

/* Larger than what stands in headers. */
static void add_large(struct record *record)
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

static void expect_equal(const struct record *a, const struct record *b)
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

static char *file_in(const char *folder, const char *name) { return format_text("%s/%s", folder, name); }

static void must_write(const char *path, const struct record *record)
{
    struct error error;
    cr_assert(store_write(path, record, &error), "%s", error.text);
}

static char *file_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = xmalloc(*size + 1);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void put_bytes(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* ---- records ----------------------------------------------------------------------------- */

Test(record, fields_are_copied_found_and_replaced)
{
    struct record record = {0};
    double values[] = {1, 2, 3};
    record_put(&record, "/x", RECORD_F64, 1, three, values, "s", "seconds");
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
    struct record record = sample_record(), back;
    struct error error;
    add_large(&record);
    must_write(path, &record);
    cr_assert(store_read(path, &back, &error), "%s", error.text);
    expect_equal(&record, &back);
    record_free(&back);
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
    char *left = file_bytes(a, &size), *right = file_bytes(b, &other);
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
    struct record record = sample_record(), back;
    struct error error;
    int status;
    must_write(path, &record);
    pid_t child = fork();
    if (child == 0)
        execl("/bin/sh", "sh", "-c", fails_on_a_full_disk(path) ? "exit 0" : "exit 1", (char *)NULL);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert(store_read(path, &back, &error), "%s", error.text);
    expect_equal(&record, &back);
    record_free(&back);
    record_free(&record);
    free(path);
    remove_folder(folder);
}

/* ---- damage ------------------------------------------------------------------------------ */

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
    char *bytes = file_bytes(whole, &size);
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
    char *text = file_bytes(warnings, &size);
    cr_assert(read ? memmem(text, size, path, strlen(path)) != NULL : strstr(error.text, path) != NULL, "%s", what);
    if (read)
        record_free(&record);
    free(text);
}

Test(store, every_changed_byte_is_noticed)
{
    char *folder = temporary_folder(), *whole = file_in(folder, "whole.h5"), *bad = file_in(folder, "bad.h5"),
         *warnings = file_in(folder, "warnings");
    struct record record = sample_record();
    size_t size;
    must_write(whole, &record);
    char *bytes = file_bytes(whole, &size), what[64];
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
    struct record record = sample_record(), back;
    struct error error;
    size_t size;
    must_write(foreign, &record);
    char *bytes = file_bytes(foreign, &size), *name = memmem(bytes, size, "bitsweep run", 12);
    put_bytes(foreign, bytes + SEAL_BYTES, size - SEAL_BYTES);
    cr_assert(store_read(foreign, &back, &error), "%s", error.text);
    expect_equal(&record, &back);
    cr_assert_not_null(name);
    memcpy(name, "other harness", 12);
    put_bytes(foreign, bytes + SEAL_BYTES, size - SEAL_BYTES);
    expect_refusal(foreign, "another program's file");
    free(bytes);
    record_free(&record);
    record_free(&back);
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
    char *bytes = file_bytes(all, &size);
    cr_assert_arr_eq(bytes, "old", 3);
    free(bytes);
    free(all);
    free(run);
    remove_folder(folder);
}

/* ---- other programs' files -------------------------------------------------------------------- */

/* A python3 that has h5py; skips the test when there is none. */
static const char *python_with_h5py(void)
{
    static const char *const candidates[] = {"python3", "/usr/bin/python3"};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        char *command = format_text("%s -c 'import h5py' >/dev/null 2>&1", candidates[i]);
        int status = system(command);
        free(command);
        if (status == 0)
            return candidates[i];
    }
    skip_test("no python3 with h5py (apt install python3-h5py)");
}

static void run_python(const char *folder, const char *script)
{
    char *file = write_file(folder, "script.py", script);
    char *command = format_text("cd %s && env -u LD_PRELOAD %s script.py", folder, python_with_h5py());
    cr_assert_eq(system(command), 0, "the script failed");
    free(command);
    free(file);
}

Test(h5py, opens_what_the_store_writes, .timeout = 60)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.h5"), *all = file_in(folder, "all.h5");
    static const char *const ids[] = {"b", "a"};
    const char *const paths[] = {path, path};
    struct record record = sample_record(), extra = {0};
    struct error error;
    must_write(path, &record);
    cr_assert(store_collect(all, ids, paths, 2, &extra, &error), "%s", error.text);
    run_python(folder,
        "import h5py, math, numpy\n"
        "def check(run):\n"
        "    assert run.attrs['format'] == 'bitsweep run' and run.attrs['format_version'] == 1\n"
        "    reals = run['a/reals']\n"
        "    assert reals.attrs['units'] == 'bit²' and reals.attrs['long_name'] == 'Größe Ω'\n"
        "    assert isinstance(reals.attrs['units'], str)\n"
        "    assert reals.shape == (2, 3) and reals.dtype == numpy.float64\n"
        "    assert reals[0, 0] == 0.1 and math.isnan(reals[0, 2]) and 'units' not in run['loss'].attrs\n"
        "    assert run['a/singles'].dtype == numpy.float32 and run['a/singles'].shape == (2, 1, 2)\n"
        "    assert list(run['a/deep/er/whole']) == [-2**63, 0, 2**63 - 1]\n"
        "    assert list(run['a/bytes']) == [-128, 0, 127] and run['a/bytes'].dtype == numpy.int8\n"
        "    assert list(run['a/words'].asstr()) == ['', 'fc1.weight', 'größte Ω ± 模型 🙂\\nsecond line']\n"
        "    assert h5py.check_string_dtype(run['a/words'].dtype).encoding == 'utf-8'\n"
        "    assert run['message'].asstr()[()] == '' and run['status'].asstr()[()] == 'done'\n"
        "    assert run['empty/rows'].shape == (0, 3) and len(run['empty/words']) == 0\n"
        "    assert run['count'][()] == -7 and run['loss'][()] == 1 / 3\n"
        "check(h5py.File('run.h5', 'r'))\n"
        "all = h5py.File('all.h5', 'r')\n"
        "assert all.attrs['format'] == 'bitsweep collection'\n"
        "assert list(all['order'].asstr()) == ['b', 'a']\n"
        "for id in all['order'].asstr():\n"
        "    check(all['runs'][id])\n");
    record_free(&record);
    free(path);
    free(all);
    remove_folder(folder);
}

/* The reader of data sets takes any numeric type, fixed and variable texts. */
Test(h5py, files_of_h5py_are_read, .timeout = 60)
{
    char *folder = temporary_folder(), *path = file_in(folder, "data.h5"), **names, *text;
    struct error error;
    size_t shape[4];
    int rank;
    run_python(folder,
        "import h5py, numpy\n"
        "f = h5py.File('data.h5', 'w')\n"
        "f['x'] = numpy.arange(24, dtype='>u2').reshape(2, 1, 3, 4)\n"
        "f['y'] = numpy.array([0., 2., 1.], dtype=numpy.float16)\n"
        "f['user'] = numpy.array([True, False])\n"
        "f.create_dataset('packed', data=numpy.arange(1000), compression='gzip')\n"
        "f['words'] = ['a', 'b']\n"
        "f['nothing'] = h5py.Empty('f')\n"
        "f.create_group('g/inner')\n"
        "f.attrs['name'] = 'Größe\\nzwei'\n"
        "f.attrs['fixed'] = numpy.bytes_('abc')\n"
        "f.attrs['count'] = 3\n"
        "f.attrs['share'] = 0.1\n"
        "f.attrs['list'] = [1, 2]\n"
        "f['x'].attrs['scale'] = numpy.float32(0.5)\n");
    struct h5 *h5 = h5_open(path, &error);
    cr_assert_not_null(h5, "%s", error.text);
    cr_assert(h5_shape(h5, "x", &rank, shape));
    cr_assert_eq(rank, 4);
    cr_assert_eq(shape[0] * 1000 + shape[1] * 100 + shape[2] * 10 + shape[3], 2134);
    float x[24];
    cr_assert(h5_read(h5, "x", RECORD_F32, x, &error), "%s", error.text);
    cr_assert_eq(x[23], 23);
    int64_t y[3], packed[1000];
    cr_assert(h5_read(h5, "/y", RECORD_I64, y, &error), "%s", error.text);
    cr_assert_eq(y[0] * 100 + y[1] * 10 + y[2], 21);
    double user[2];
    cr_assert(h5_read(h5, "user", RECORD_F64, user, &error), "%s", error.text);
    cr_assert_eq(user[0] * 10 + user[1], 10);
    cr_assert(h5_read(h5, "packed", RECORD_I64, packed, &error), "%s", error.text);
    cr_assert_eq(packed[999], 999);
    cr_assert_not(h5_read(h5, "words", RECORD_F32, x, &error));
    cr_assert(strstr(error.text, path) && strstr(error.text, "words"), "%s", error.text);
    cr_assert_not(h5_read(h5, "absent", RECORD_F32, x, &error));
    cr_assert(strstr(error.text, path) && strstr(error.text, "absent"), "%s", error.text);
    cr_assert_not(h5_shape(h5, "nothing", &rank, shape));
    cr_assert_not(h5_shape(h5, "g", &rank, shape));
    cr_assert_eq(h5_children(h5, "/", &names), 7);
    cr_assert_str_eq(names[0], "g");
    cr_assert_str_eq(names[6], "y");
    for (int i = 0; i < 7; i++)
        free(names[i]);
    free(names);
    cr_assert_eq(h5_children(h5, "/absent", &names), 0);
    cr_assert_null(names);
    double value;
    cr_assert(h5_attribute_real(h5, "/x", "scale", &value) && value == 0.5);
    cr_assert_not(h5_attribute_real(h5, "/", "name", &value));
    cr_assert_not(h5_attribute_real(h5, "/absent", "name", &value));
    cr_assert(h5_attribute_text(h5, "/", "fixed", &text));
    cr_assert_str_eq(text, "abc");
    free(text);
    cr_assert_not(h5_attribute_text(h5, "/", "count", &text));
    text = h5_attribute_lines(h5, "/");
    cr_assert_str_eq(text, "count=3\nfixed=abc\nname=Größe zwei\nshare=0.10000000000000001\n");
    free(text);
    h5_close(h5);
    h5_close(NULL);
    free(path);
    remove_folder(folder);
}
