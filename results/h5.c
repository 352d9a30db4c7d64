/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading of any HDF5 file: names, shapes, numbers and attributes, whatever type they were stored in. */
#include "handles.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every file here is written by one process under a name of its own, so locks protect nothing, and
 * on some network file systems they make every open fail. HDF5's clean-up at exit crashes when a disk
 * was full; every file is closed before that anyway. */
void h5_setup(void)
{
    static bool done;
    if (!done) {
        setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
        H5dont_atexit();
    }
    done = true;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

struct h5 *h5_open(const char *path, struct error *error)
{
    struct stat status;
    h5_setup();
    if (stat(path, &status) != 0 || access(path, R_OK) != 0) {
        fail(error, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        fail(error, "%s is not a file", path);
        return NULL;
    }
    if (H5Fis_hdf5(path) <= 0) {
        fail(error, "%s is not an HDF5 file", path);
        return NULL;
    }
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        fail(error, "%s is damaged or cut off: HDF5 cannot open it", path);
        return NULL;
    }
    struct h5 *h5 = xmalloc(sizeof *h5);
    *h5 = (struct h5){file, xstrdup(path)};
    return h5;
}

void h5_close(struct h5 *h5)
{
    if (!h5)
        return;
    H5Fclose(h5->file);
    free(h5->path);
    free(h5);
}

hid_t h5_memory_type(enum record_type type)
{
    switch (type) {
    case RECORD_F64: return H5T_NATIVE_DOUBLE;
    case RECORD_F32: return H5T_NATIVE_FLOAT;
    case RECORD_I64: return H5T_NATIVE_INT64;
    case RECORD_I8: return H5T_NATIVE_INT8;
    case RECORD_TEXT: break;
    }
    return -1;
}

hid_t h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

struct name_list { char **items; size_t count; };

static void add_name(struct name_list *names, const char *name)
{
    names->items = xrealloc(names->items, (names->count + 1) * sizeof *names->items);
    names->items[names->count++] = xstrdup(name);
}

static herr_t collect_link(hid_t group, const char *name, const H5L_info_t *info, void *names)
{
    (void)group, (void)info;
    add_name(names, name);
    return 0;
}

static herr_t collect_attribute(hid_t object, const char *name, const H5A_info_t *info, void *names)
{
    (void)object, (void)info;
    add_name(names, name);
    return 0;
}

size_t h5_children(struct h5 *h5, const char *path, char ***out)
{
    struct name_list names = {0};
    h5_setup();
    hid_t group = H5Gopen2(h5->file, path, H5P_DEFAULT);
    if (group >= 0) {
        H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, collect_link, &names);
        H5Gclose(group);
    }
    *out = names.items;
    return names.count;
}

bool h5_shape(struct h5 *h5, const char *path, int *rank, size_t shape[4])
{
    hsize_t dims[4];
    bool ok = false;
    h5_setup();
    hid_t dataset = H5Dopen2(h5->file, path, H5P_DEFAULT);
    if (dataset < 0)
        return false;
    hid_t space = H5Dget_space(dataset);
    int stored = H5Sget_simple_extent_ndims(space);
    if (stored >= 0 && stored <= 4 && H5Sget_simple_extent_type(space) != H5S_NULL) {
        H5Sget_simple_extent_dims(space, dims, NULL);
        for (int i = 0; i < stored; i++)
            shape[i] = dims[i];
        *rank = stored;
        ok = true;
    }
    H5Sclose(space);
    H5Dclose(dataset);
    return ok;
}

bool h5_is_byte(struct h5 *h5, const char *path)
{
    h5_setup();
    hid_t dataset = H5Dopen2(h5->file, path, H5P_DEFAULT);
    if (dataset < 0)
        return false;
    hid_t type = H5Dget_type(dataset);
    bool byte = H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    H5Tclose(type);
    H5Dclose(dataset);
    return byte;
}

/* h5py stores truth values as an enumeration. */
static bool is_numeric(hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    return class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM;
}

bool h5_read(struct h5 *h5, const char *path, enum record_type type, void *out, struct error *error)
{
    bool ok = false;
    h5_setup();
    hid_t dataset = H5Dopen2(h5->file, path, H5P_DEFAULT);
    if (dataset < 0)
        return fail(error, "%s has no data set %s", h5->path, path);
    hid_t stored = H5Dget_type(dataset), space = H5Dget_space(dataset);
    if (type == RECORD_TEXT || !is_numeric(stored))
        fail(error, "%s: data set %s is not numeric", h5->path, path);
    else if (H5Sget_simple_extent_npoints(space) > 0 &&
             H5Dread(dataset, h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        fail(error, "%s: data set %s cannot be read: it is damaged, or its compression filter is not installed",
             h5->path, path);
    else
        ok = true;
    H5Sclose(space);
    H5Tclose(stored);
    H5Dclose(dataset);
    return ok;
}

static herr_t read_raw(hid_t object, hid_t type, void *out)
{
    if (H5Iget_type(object) == H5I_ATTR)
        return H5Aread(object, type, out);
    return H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
}

static bool variable_texts(hid_t object, hid_t type, hid_t space, size_t count, char **texts)
{
    char **raw = calloc(count, sizeof *raw);
    bool ok = raw && read_raw(object, type, raw) >= 0;
    for (size_t i = 0; ok && i < count; i++)
        texts[i] = xstrdup(raw[i] ? raw[i] : "");
    if (raw)
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    free(raw);
    return ok;
}

static bool fixed_texts(hid_t object, hid_t type, size_t count, char **texts)
{
    size_t size = H5Tget_size(type);
    char *raw = size ? calloc(count, size) : NULL;
    bool ok = raw && read_raw(object, type, raw) >= 0;
    for (size_t i = 0; ok && i < count; i++) {
        size_t length = strnlen(raw + i * size, size);
        while (H5Tget_strpad(type) == H5T_STR_SPACEPAD && length > 0 && raw[i * size + length - 1] == ' ')
            length--;
        texts[i] = format_text("%.*s", (int)length, raw + i * size);
    }
    free(raw);
    return ok;
}

bool h5_texts(hid_t object, size_t count, char **texts)
{
    bool attribute = H5Iget_type(object) == H5I_ATTR, ok = false;
    hid_t type = attribute ? H5Aget_type(object) : H5Dget_type(object);
    hid_t space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    if (H5Tget_class(type) == H5T_STRING)
        ok = count == 0 || (H5Tis_variable_str(type) > 0 ? variable_texts(object, type, space, count, texts)
                                                        : fixed_texts(object, type, count, texts));
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

/* An open attribute of one element, or -1. */
static hid_t open_scalar(hid_t object, const char *name)
{
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (attribute < 0)
        return -1;
    hid_t space = H5Aget_space(attribute);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (points == 1)
        return attribute;
    H5Aclose(attribute);
    return -1;
}

char *h5_object_text(hid_t object, const char *name)
{
    char *text = NULL;
    hid_t attribute = open_scalar(object, name);
    if (attribute < 0)
        return NULL;
    if (!h5_texts(attribute, 1, &text))
        text = NULL;
    H5Aclose(attribute);
    return text;
}

static bool object_real(hid_t object, const char *name, double *value)
{
    hid_t attribute = open_scalar(object, name);
    if (attribute < 0)
        return false;
    hid_t type = H5Aget_type(attribute);
    bool ok = is_numeric(type) && H5Aread(attribute, H5T_NATIVE_DOUBLE, value) >= 0;
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

bool h5_attribute_real(struct h5 *h5, const char *path, const char *name, double *value)
{
    h5_setup();
    hid_t object = H5Oopen(h5->file, path, H5P_DEFAULT);
    bool ok = object >= 0 && object_real(object, name, value);
    if (object >= 0)
        H5Oclose(object);
    return ok;
}

bool h5_attribute_text(struct h5 *h5, const char *path, const char *name, char **value)
{
    h5_setup();
    hid_t object = H5Oopen(h5->file, path, H5P_DEFAULT);
    char *text = object >= 0 ? h5_object_text(object, name) : NULL;
    if (object >= 0)
        H5Oclose(object);
    if (text)
        *value = text;
    return text != NULL;
}

/* "key=value\n", the value on one line; NULL if it is no scalar. */
static char *attribute_line(hid_t object, const char *name)
{
    double number;
    char *text = h5_object_text(object, name), *line = NULL;
    if (text) {
        for (char *c = text; *c; c++)
            if (*c == '\n' || *c == '\r')
                *c = ' ';
        line = format_text("%s=%s\n", name, text);
    } else if (object_real(object, name, &number)) {
        line = format_text("%s=%.17g\n", name, number);
    }
    free(text);
    return line;
}

char *h5_attribute_lines(struct h5 *h5, const char *path)
{
    struct name_list names = {0};
    char *lines = xstrdup("");
    h5_setup();
    hid_t object = H5Oopen(h5->file, path, H5P_DEFAULT);
    if (object < 0)
        return lines;
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, collect_attribute, &names);
    for (size_t i = 0; i < names.count; i++) {
        char *line = attribute_line(object, names.items[i]);
        if (line) {
            char *longer = format_text("%s%s", lines, line);
            free(lines);
            lines = longer;
        }
        free(line);
        free(names.items[i]);
    }
    free(names.items);
    H5Oclose(object);
    return lines;
}
