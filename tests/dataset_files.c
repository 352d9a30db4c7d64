/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dataset_files.h"
#include "../bench/settings.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

char *data_folder(void)
{
    char *folder = temporary_folder();
    setenv("BITSWEEP_DATA", folder, 1);
    return folder;
}

struct settings settings_of(const char *key, ...)
{
    static struct param params[16];
    static size_t used;
    struct settings settings = {0};
    va_list args;
    va_start(args, key);
    for (; key; key = va_arg(args, const char *)) {
        struct param *param = &params[used++ % 16];
        *param = (struct param){.name = key};
        settings_put(&settings, param, xstrdup(va_arg(args, const char *)), 0, 0);
    }
    va_end(args);
    return settings;
}

bool load_dataset(const struct dataset_ops *ops, const char *name, const char *test_split,
                  struct dataset *dataset, struct error *error)
{
    struct settings settings = settings_of("dataset", name, "test_split", test_split, NULL);
    bool ok = ops->load(&settings, dataset, error);
    settings_free(&settings);
    return ok;
}

void load_or_fail(const struct dataset_ops *ops, const char *name, struct dataset *dataset)
{
    struct error error = {""};
    cr_assert(load_dataset(ops, name, "0.2", dataset, &error), "%s", error.text);
}

void expect_failure(const struct dataset_ops *ops, const char *name, const char *expected, const char *what)
{
    struct dataset dataset;
    struct error error = {""};
    cr_expect(!load_dataset(ops, name, "0.2", &dataset, &error), "%s was accepted", what);
    cr_expect(strstr(error.text, expected) != NULL, "%s: expected '%s' in: %s", what, expected, error.text);
    cr_expect(strstr(error.text, name) != NULL, "%s: the error does not name the data set: %s", what,
              error.text);
    cr_expect_null(dataset.train.x, "%s: samples are left", what);
    cr_expect_null(dataset.attributes, "%s: attributes are left", what);
}

void run_shell(char *command)
{
    cr_assert_eq(system(command), 0, "%s", command);
    free(command);
}

char *shell_word(char *command)
{
    char word[128] = "";
    FILE *pipe = popen(command, "r");
    cr_assert(pipe && fscanf(pipe, "%127s", word) == 1, "%s", command);
    pclose(pipe);
    free(command);
    return xstrdup(word);
}

char *attribute_line(const struct dataset *dataset, const char *line)
{
    return dataset->attributes ? strstr(dataset->attributes, line) : NULL;
}

const char *const idx_names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                  "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

unsigned char made_pixel(size_t sample, size_t pixel) { return (unsigned char)(sample * 37 + pixel * 11); }
unsigned char made_label(size_t sample) { return (unsigned char)(sample * 3 % 10); }

static void write_bytes(const char *path, bool zipped, const unsigned char *bytes, size_t size)
{
    if (zipped) {
        gzFile file = gzopen(path, "wb");
        cr_assert(file && gzwrite(file, bytes, (unsigned)size) == (int)size && gzclose(file) == Z_OK);
    } else {
        FILE *file = fopen(path, "wb");
        cr_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    }
}

void write_idx(const char *folder, int which, bool zipped, size_t count)
{
    bool images = which % 2 == 0;
    size_t header = images ? 16 : 8, size = header + count * (images ? PIXELS : 1);
    unsigned char *bytes = xcalloc(size, 1);
    bytes[2] = 8;
    bytes[3] = images ? 3 : 1;
    bytes[6] = (unsigned char)(count >> 8);
    bytes[7] = (unsigned char)count;
    if (images)
        bytes[11] = bytes[15] = 28;
    for (size_t i = 0; i < size - header; i++)
        bytes[header + i] = images ? made_pixel(i / PIXELS, i % PIXELS) : made_label(i);
    char *path = format_text("%s/mnist/%s%s", folder, idx_names[which], zipped ? ".gz" : "");
    write_bytes(path, zipped, bytes, size);
    free(path);
    free(bytes);
}

void write_idx_set(const char *folder, bool zipped)
{
    run_shell(format_text("mkdir %s/mnist", folder));
    for (int i = 0; i < 4; i++)
        write_idx(folder, i, zipped, i < 2 ? MADE_TRAIN : MADE_TEST);
}

hid_t create_h5(const char *folder, const char *name)
{
    char *path = format_text("%s/%s.h5", folder, name);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(file, 0);
    free(path);
    return file;
}

void put_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const double *values)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(array, 0);
    cr_assert_geq(H5Dwrite(array, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(array);
    H5Sclose(space);
}

void put_column(hid_t file, const char *name, hsize_t count, const double *values)
{
    put_array(file, name, H5T_STD_I32LE, 1, &count, values);
}

void put_attribute(hid_t file, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t object = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(H5Awrite(object, type, &value), 0);
    H5Aclose(object);
    H5Sclose(space);
    H5Tclose(type);
}

double *count_up(size_t count, double step, double modulus)
{
    double *values = xmalloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = modulus > 0 ? fmod((double)i * step, modulus) : (double)i * step;
    return values;
}

void write_numbered(const char *folder, size_t count, size_t users)
{
    const hsize_t dims[] = {count, 1};
    double *x = count_up(count, 1, 0), *y = count_up(count, 1, 4), *user = count_up(count, 1, (double)users);
    hid_t file = create_h5(folder, "made");
    put_array(file, "x", H5T_IEEE_F64LE, 2, dims, x);
    put_column(file, "y", count, y);
    if (users)
        put_column(file, "user", count, user);
    H5Fclose(file);
    free(x);
    free(y);
    free(user);
}
