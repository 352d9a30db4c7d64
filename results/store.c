/* SPDX-License-Identifier: GPL-3.0-or-later
 * Run files and collected files: written in one piece under a temporary name, so that a file under its
 * final name is always whole. Equal records give equal bytes: fields sorted by path, no time stamps.
 * A seal tells damaged files from whole ones. */
#include "store.h"
#include "handles.h"
#include "seal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_FORMAT "bitsweep run"
#define COLLECTION_FORMAT "bitsweep collection"
#define FORMAT_VERSION 1
/* Data of at most this many bytes stands inside the object's header: smaller files, read at once. */
#define COMPACT_BYTES 1024
#define DEEPEST_GROUP 8

/* ---- writing: the temporary file ---------------------------------------------------- */

struct draft { const char *path; char *temporary, *folder; hid_t file; };

static char *parent_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : format_text("%.*s", (int)(slash - path), path);
}

static bool sync_path(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool ok = fsync(file) == 0;
    return close(file) == 0 && ok;
}

static bool make_folder(const char *folder)
{
    if (mkdir(folder, 0777) == 0 || errno == EEXIST)
        return true;
    if (errno != ENOENT)
        return false;
    char *above = parent_folder(folder);
    bool ok = make_folder(above) && (mkdir(folder, 0777) == 0 || errno == EEXIST) && sync_path(above);
    free(above);
    return ok;
}

static bool put_attribute(hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return ok;
}

static bool put_text_attribute(hid_t object, const char *name, const char *text)
{
    hid_t type = h5_text_type();
    bool ok = put_attribute(object, name, type, &text);
    H5Tclose(type);
    return ok;
}

static bool create_file(struct draft *draft, const char *format)
{
    int64_t version = FORMAT_VERSION;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    /* The format of HDF5 1.8: its headers carry checksums, and every HDF5 since 2008 reads it. */
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    H5Pset_obj_track_times(create, false);
    H5Pset_userblock(create, SEAL_BYTES);
    draft->file = H5Fcreate(draft->temporary, H5F_ACC_TRUNC, create, access);
    H5Pclose(create);
    H5Pclose(access);
    return draft->file >= 0 && put_text_attribute(draft->file, "format", format) &&
           put_attribute(draft->file, "format_version", H5T_NATIVE_INT64, &version);
}

static bool draft_open(struct draft *draft, const char *path, const char *format, struct error *error)
{
    h5_setup();
    *draft = (struct draft){.path = path, .file = -1};
    draft->folder = parent_folder(path);
    draft->temporary = format_text("%s.tmp.%ld", path, (long)getpid());
    if (!make_folder(draft->folder))
        return fail(error, "cannot make the folder %s: %s", draft->folder, strerror(errno));
    errno = 0;
    if (create_file(draft, format))
        return true;
    return fail(error, "cannot write %s: %s", draft->temporary, errno ? strerror(errno) : "HDF5 refuses");
}

/* Gives the file its final name if ok, removes it otherwise; ends the draft. */
static bool draft_close(struct draft *draft, bool ok, struct error *error)
{
    errno = 0;
    if (draft->file >= 0) {
        bool written = H5Fflush(draft->file, H5F_SCOPE_LOCAL) >= 0;
        written = H5Fclose(draft->file) >= 0 && written;
        if (ok && !(written && seal_write(draft->temporary) && sync_path(draft->temporary) &&
                    rename(draft->temporary, draft->path) == 0 && sync_path(draft->folder)))
            ok = fail(error, "cannot write %s: %s", draft->path, errno ? strerror(errno) : "HDF5 refuses");
        if (!ok)
            unlink(draft->temporary);
    }
    free(draft->temporary);
    free(draft->folder);
    return ok;
}

/* ---- writing: groups and fields ----------------------------------------------------- */

static hid_t create_group(hid_t parent, const char *path)
{
    hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, false);
    hid_t group = H5Gcreate2(parent, path, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Pclose(create);
    return group;
}

/* The groups above the field. */
static bool ensure_groups(hid_t file, const char *path)
{
    char *part = xstrdup(path);
    bool ok = true;
    for (char *slash = strchr(part + 1, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0) {
            hid_t group = create_group(file, part);
            ok = group >= 0 && H5Gclose(group) >= 0;
        }
        *slash = '/';
    }
    free(part);
    return ok;
}

static hid_t create_dataset(hid_t file, const struct field *field, hid_t type)
{
    hsize_t dims[3];
    for (int i = 0; i < field->rank; i++)
        dims[i] = field->shape[i];
    hid_t space = field->rank ? H5Screate_simple(field->rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), link = H5Pcreate(H5P_LINK_CREATE);
    size_t bytes = field_count(field) * H5Tget_size(type);
    H5Pset_obj_track_times(create, false);
    H5Pset_char_encoding(link, H5T_CSET_UTF8);
    if (bytes > 0 && bytes <= COMPACT_BYTES)
        H5Pset_layout(create, H5D_COMPACT);
    hid_t dataset = H5Dcreate2(file, field->path, type, space, link, create, H5P_DEFAULT);
    H5Pclose(link);
    H5Pclose(create);
    H5Sclose(space);
    return dataset;
}

static bool write_field(hid_t file, const struct field *field)
{
    if (!ensure_groups(file, field->path))
        return false;
    hid_t type = field->type == RECORD_TEXT ? h5_text_type() : H5Tcopy(h5_memory_type(field->type));
    hid_t dataset = create_dataset(file, field, type);
    bool ok = dataset >= 0 &&
              (field_count(field) == 0 ||
               H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, field->data) >= 0) &&
              (!field->meaning[0] || put_text_attribute(dataset, "long_name", field->meaning)) &&
              (!field->unit[0] || put_text_attribute(dataset, "units", field->unit));
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Tclose(type);
    return ok;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct field *const *)a)->path, (*(const struct field *const *)b)->path);
}

static bool write_fields(const struct draft *draft, const struct record *record, struct error *error)
{
    const struct field **sorted = xmalloc(record->count * sizeof *sorted);
    bool ok = true;
    for (size_t i = 0; i < record->count; i++)
        sorted[i] = &record->fields[i];
    if (record->count)
        qsort(sorted, record->count, sizeof *sorted, by_path);
    for (size_t i = 0; ok && i < record->count; i++)
        if (!write_field(draft->file, sorted[i]))
            ok = fail(error, "cannot write field %s to %s", sorted[i]->path, draft->temporary);
    free(sorted);
    return ok;
}

bool store_write(const char *path, const struct record *record, struct error *error)
{
    struct draft draft;
    bool ok = draft_open(&draft, path, RUN_FORMAT, error) && write_fields(&draft, record, error);
    return draft_close(&draft, ok, error);
}

/* ---- reading ------------------------------------------------------------------------ */

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

/* HDF5 crashes or hangs on some damaged texts: a file whose seal does not fit is first read by a child. */
#define PROBE_SECONDS 3

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

static struct h5 *open_run(const char *path, struct error *error)
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

bool store_read(const char *path, struct record *record, struct error *error)
{
    *record = (struct record){0};
    struct h5 *h5 = open_run(path, error);
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
    struct h5 *h5 = open_run(path, error);
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

/* ---- collected files ---------------------------------------------------------------- */

static bool copy_run(const struct draft *draft, hid_t runs, const char *id, const char *path,
                     struct error *error)
{
    struct h5 *h5 = open_run(path, error);
    if (!h5)
        return false;
    bool ok = H5Ocopy(h5->file, "/", runs, id, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    h5_close(h5);
    return ok || fail(error, "cannot copy %s to %s", path, draft->temporary);
}

static bool write_order(const struct draft *draft, const char *const *ids, size_t count, struct error *error)
{
    struct record record = {0};
    record_put(&record, "/order", RECORD_TEXT, 1, &count, ids, "", "ids of the runs in the order of the plan");
    bool ok = write_fields(draft, &record, error);
    record_free(&record);
    return ok;
}

bool store_collect(const char *path, const char *const *ids, const char *const *run_paths, size_t count,
                   const struct record *extra, struct error *error)
{
    struct draft draft;
    bool ok = draft_open(&draft, path, COLLECTION_FORMAT, error) && write_fields(&draft, extra, error) &&
              write_order(&draft, ids, count, error);
    hid_t runs = ok ? create_group(draft.file, "/runs") : -1;
    if (ok && runs < 0)
        ok = fail(error, "cannot write %s", draft.temporary);
    for (size_t i = 0; ok && i < count; i++)
        ok = copy_run(&draft, runs, ids[i], run_paths[i], error);
    if (runs >= 0)
        H5Gclose(runs);
    return draft_close(&draft, ok, error);
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
