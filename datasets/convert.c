/* SPDX-License-Identifier: GPL-3.0-or-later
 * Writes a data set in the generic HDF5 layout, which hdf5.c reads. */
#include "../results/handles.h"
#include "datasets.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                        const void *values)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = array >= 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (array >= 0)
        ok &= H5Dclose(array) >= 0;
    H5Sclose(space);
    return ok;
}

static bool write_part(hid_t file, const struct dataset *dataset, const struct part *part,
                       const char *const names[3])
{
    hsize_t dims[4] = {part->count};
    for (int i = 0; i < dataset->rank; i++)
        dims[i + 1] = dataset->shape[i];
    return write_array(file, names[0], H5T_NATIVE_FLOAT, dataset->rank + 1, dims, part->x) &&
           write_array(file, names[1], H5T_NATIVE_INT32, 1, dims, part->y) &&
           (!part->user || write_array(file, names[2], H5T_NATIVE_INT32, 1, dims, part->user));
}

/* A text attribute of the root group; the first of a name stays. */
static bool write_attribute(hid_t file, const char *name, const char *value)
{
    if (H5Aexists(file, name) > 0)
        return true;
    hid_t type = h5_text_type(), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, &value) >= 0;
    if (attribute >= 0)
        ok &= H5Aclose(attribute) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

/* Where the set comes from, and what it said of itself; not its path, which means nothing elsewhere. */
static bool write_attributes(hid_t file, const struct dataset *dataset)
{
    bool ok = write_attribute(file, "converted_from", dataset->name) &&
              write_attribute(file, "converted_from_sha256", dataset->sha256);
    char *lines = xstrdup(dataset->attributes ? dataset->attributes : ""), *rest = lines, *line;
    while (ok && (line = strsep(&rest, "\n")) != NULL) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        ok = strcmp(line, "path") == 0 || write_attribute(file, line, value);
    }
    free(lines);
    return ok;
}

static bool write_content(const char *path, const struct dataset *dataset)
{
    static const char *const train[] = {"x", "y", "user"}, *const test[] = {"x_test", "y_test", "user_test"};
    hid_t file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0)
        return false;
    bool ok = write_part(file, dataset, &dataset->train, train) &&
              write_part(file, dataset, &dataset->test, test) && write_attributes(file, dataset);
    return H5Fclose(file) >= 0 && ok;
}

static bool sync_file(const char *path)
{
    int file = open(path, O_RDONLY);
    bool ok = file >= 0 && fsync(file) == 0;
    if (file >= 0)
        close(file);
    return ok;
}

bool dataset_write(const char *path, const struct dataset *dataset, struct error *error)
{
    char *temporary = format_text("%s.tmp.%ld", path, (long)getpid());
    h5_setup();
    errno = 0;
    bool ok = write_content(temporary, dataset) && sync_file(temporary) && rename(temporary, path) == 0;
    if (!ok) {
        fail(error, "%s cannot be written%s%s", path, errno ? ": " : "", errno ? strerror(errno) : "");
        unlink(temporary);
    }
    free(temporary);
    return ok;
}
