/* SPDX-License-Identifier: GPL-3.0-or-later
 * Files that h5py reads, and files that it wrote. */
#include "../results/h5.h"
#include "../results/store.h"
#include "sample_record.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
