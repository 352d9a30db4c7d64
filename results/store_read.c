/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reads run files and collected files. A seal tells damaged files from whole ones. */
#include "handles.h"
#include "seal.h"
#include "store.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEEPEST_GROUP 8
#define PROBE_SECONDS 3

/* ---- fields ------------------------------------------------------------------------- */

static bool stored_type(hid_t type, enum record_type *out)
{
    size_t size = H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_STRING: *out = RECORD_TEXT; return true;
    case H5T_FLOAT: *out = size <= sizeof(float) ? RECORD_F32 : RECORD_F64; return true;
    case H5T_INTEGER: *out = size == 1 ? RECORD_I8 : RECORD_I64; return true;
    default: return false;
    }
}

/* Reads the elements into a new array; NULL if damaged, or if the stated size cannot be true. */
static void *read_data(hid_t dataset, enum record_type type, size_t count)
{
    void *data = calloc(count + 1, record_type_size(type));
    bool ok = data != NULL;
    if (ok && count > 0 && type == RECORD_TEXT)
        ok = h5_texts(dataset, count, data);
    else if (ok && count > 0)
        ok = H5Dread(dataset, h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (ok)
        return data;
    free(data);
    return NULL;
}

static bool read_shape(hid_t dataset, struct field *field)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    bool ok = rank >= 0 && rank <= 3 && H5Sget_simple_extent_type(space) != H5S_NULL;
    H5Sclose(space);
    for (int i = 0; ok && i < rank; i++)
        field->shape[i] = dims[i];
    field->rank = rank;
    return ok;
}

/* Adds the data set to the record under path. */
static bool read_field(hid_t dataset, const char *path, struct record *record)
{
    struct field field = {0};
    hid_t type = H5Dget_type(dataset);
    bool ok = read_shape(dataset, &field) && stored_type(type, &field.type);
    H5Tclose(type);
    size_t count = ok ? field_count(&field) : 0;
    if (!ok || !(field.data = read_data(dataset, field.type, count)))
        return false;
    char *unit = h5_object_text(dataset, "units"), *meaning = h5_object_text(dataset, "long_name");
    record_put(record, path, field.type, field.rank, field.shape, field.data, unit, meaning);
    free(unit);
    free(meaning);
    for (size_t i = 0; field.type == RECORD_TEXT && i < count; i++)
        free(((char **)field.data)[i]);
    free(field.data);
    return true;
}

struct walk {
    struct h5 *h5;
    const char *path, *leave_out; /* of the group being read; a link at its top that is not wanted, or NULL */
    int depth;
    struct record *record;
    struct error *error;
};

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    struct walk *walk = context;
    herr_t result = -1;
    if (walk->leave_out && strcmp(name, walk->leave_out) == 0)
        return 0;
    char *path = format_text("%s/%s", walk->path, name);
    hid_t object = info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : -1;
    H5I_type_t kind = object >= 0 ? H5Iget_type(object) : H5I_BADID;
    fail(walk->error, "%s: %s is damaged or of an unknown kind", walk->h5->path, path);
    if (kind == H5I_GROUP && walk->depth < DEEPEST_GROUP) {
        struct walk below = {walk->h5, path, NULL, walk->depth + 1, walk->record, walk->error};
        result = H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, walk_link, &below);
    } else if (kind == H5I_DATASET) {
        result = read_field(object, path, walk->record) ? 0 : -1;
    }
    if (object >= 0)
        H5Oclose(object);
    free(path);
    return result;
}

/* Every field below the group, with paths relative to it; in name order. */
static bool read_group(struct h5 *h5, const char *path, const char *leave_out, struct record *record,
                       struct error *error)
{
    struct error found = {""};
    struct walk walk = {h5, "", leave_out, 0, record, &found};
    hid_t group = H5Gopen2(h5->file, path, H5P_DEFAULT);
    bool ok = group >= 0 && H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, walk_link, &walk) >= 0;
    if (group >= 0)
        H5Gclose(group);
    if (ok)
        return true;
    record_free(record);
    if (found.text[0])
        return fail(error, "%s", found.text);
    return fail(error, "%s: group %s is absent or damaged", h5->path, path);
}

/* ---- opening ------------------------------------------------------------------------ */

/* HDF5 crashes or hangs on some damaged texts: a file whose seal does not fit is first read by a child. */
static bool survives_reading(const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct record record = {0};
        struct error error;
        signal(SIGALRM, SIG_DFL);
        alarm(PROBE_SECONDS);
        struct h5 *h5 = freopen("/dev/null", "w", stderr) ? h5_open(path, &error) : NULL;
        _exit(h5 && read_group(h5, "/", NULL, &record, &error) ? 0 : 1);
    }
    int status;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && status == 0;
}

/* An edited file is still good for reading, but nobody should take it for what a run wrote. */
static bool trusted(const struct h5 *h5, struct error *error)
{
    enum seal seal = seal_check(h5->path, error);
    if (seal != SEAL_CHANGED)
        return seal == SEAL_FITS;
    if (!survives_reading(h5->path))
        return fail(error, "%s is damaged: its checksum does not fit and it cannot be read", h5->path);
    fprintf(stderr, "bitsweep: warning: %s was changed after it was written, or is damaged: its checksum does not fit\n",
            h5->path);
    return true;
}

/* Opens a file of one of the two formats; *collection tells which. */
static struct h5 *open_ours(const char *path, bool *collection, struct error *error)
{
    char *format = NULL;
    double version = 0;
    struct h5 *h5 = h5_open(path, error);
    if (h5 && !trusted(h5, error)) {
        h5_close(h5);
        h5 = NULL;
    }
    if (!h5)
        return NULL;
    bool ok = h5_attribute_text(h5, "/", "format", &format) &&
              h5_attribute_real(h5, "/", "format_version", &version);
    *collection = ok && strcmp(format, COLLECTION_FORMAT) == 0;
    if (!ok || (!*collection && strcmp(format, RUN_FORMAT) != 0))
        ok = fail(error, "%s is not a results file of bitsweep (its root has no such attribute 'format')", path);
    else if (version != FORMAT_VERSION)
        ok = fail(error, "%s has format version %g; this bitsweep reads version %d", path, version, FORMAT_VERSION);
    free(format);
    if (ok)
        return h5;
    h5_close(h5);
    return NULL;
}

struct h5 *store_open_run(const char *path, struct error *error)
{
    bool collection;
    struct h5 *h5 = open_ours(path, &collection, error);
    if (h5 && collection) {
        fail(error, "%s is a collected file; a run file is needed", path);
        h5_close(h5);
        h5 = NULL;
    }
    return h5;
}

/* ---- whole files -------------------------------------------------------------------- */

bool store_read(const char *path, struct record *record, struct error *error)
{
    *record = (struct record){0};
    struct h5 *h5 = store_open_run(path, error);
    bool ok = h5 && read_group(h5, "/", NULL, record, error);
    h5_close(h5);
    return ok;
}

static bool scalar_text(hid_t dataset, char **text)
{
    hid_t space = H5Dget_space(dataset);
    bool ok = H5Sget_simple_extent_npoints(space) == 1;
    H5Sclose(space);
    return ok && h5_texts(dataset, 1, text);
}

bool store_read_text(const char *path, const char *field, char *buffer, size_t size, struct error *error)
{
    char *text = NULL;
    bool ok = true;
    struct h5 *h5 = store_open_run(path, error);
    if (!h5)
        return false;
    hid_t dataset = H5Dopen2(h5->file, field, H5P_DEFAULT);
    if (dataset >= 0 && !scalar_text(dataset, &text))
        ok = fail(error, "%s: field %s is damaged or not a text", path, field);
    snprintf(buffer, size, "%s", text ? text : "");
    free(text);
    if (dataset >= 0)
        H5Dclose(dataset);
    h5_close(h5);
    return ok;
}

static bool read_collection(struct h5 *h5, struct record **runs, size_t *count, struct record *root,
                            struct error *error)
{
    if (!read_group(h5, "/", "runs", root, error))
        return false;
    const struct field *order = record_find(root, "/order");
    if (!order || order->type != RECORD_TEXT || order->rank != 1)
        return fail(error, "%s has no list of its runs (/order)", h5->path);
    *runs = xcalloc(order->shape[0] + 1, sizeof **runs);
    for (*count = 0; *count < order->shape[0]; (*count)++) {
        char *group = format_text("/runs/%s", ((char **)order->data)[*count]);
        bool ok = read_group(h5, group, NULL, &(*runs)[*count], error);
        free(group);
        if (!ok)
            return false;
    }
    return true;
}

bool store_read_runs(const char *path, struct record **runs, size_t *count, struct record *root,
                     struct error *error)
{
    bool collection;
    *runs = NULL;
    *count = 0;
    *root = (struct record){0};
    struct h5 *h5 = open_ours(path, &collection, error);
    if (!h5)
        return false;
    bool ok;
    if (collection) {
        ok = read_collection(h5, runs, count, root, error);
    } else {
        *runs = xcalloc(1, sizeof **runs);
        ok = read_group(h5, "/", NULL, *runs, error);
        *count = ok;
    }
    h5_close(h5);
    if (!ok) {
        for (size_t i = 0; i < *count; i++)
            record_free(&(*runs)[i]);
        free(*runs);
        record_free(root);
        *runs = NULL;
        *count = 0;
    }
    return ok;
}

const char *store_hdf5_version(void)
{
    static char text[32];
    unsigned major, minor, release;
    h5_setup();
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
