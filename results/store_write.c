/* SPDX-License-Identifier: GPL-3.0-or-later
 * Writes run files and collected files in one piece under a temporary name, so that a file under its final
 * name is always whole. Equal records give equal bytes: fields sorted by path, no time stamps. */
#include "handles.h"
#include "seal.h"
#include "store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Data of at most this many bytes stands inside the object's header: smaller files, read at once. */
#define COMPACT_BYTES 1024

/* ---- the temporary file ------------------------------------------------------------- */

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

static const char *reason(void) { return errno ? strerror(errno) : "HDF5 refuses"; }

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
    return fail(error, "cannot write %s: %s", draft->temporary, reason());
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
            ok = fail(error, "cannot write %s: %s", draft->path, reason());
    }
    if (!ok)
        unlink(draft->temporary);
    free(draft->temporary);
    free(draft->folder);
    return ok;
}

/* ---- groups and fields -------------------------------------------------------------- */

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
            ok = fail(error, "cannot write field %s to %s: %s", sorted[i]->path, draft->temporary, reason());
    free(sorted);
    return ok;
}

bool store_write(const char *path, const struct record *record, struct error *error)
{
    struct draft draft;
    bool ok = draft_open(&draft, path, RUN_FORMAT, error) && write_fields(&draft, record, error);
    return draft_close(&draft, ok, error);
}

/* ---- collected files ---------------------------------------------------------------- */

static bool copy_run(const struct draft *draft, hid_t runs, const char *id, const char *path,
                     struct error *error)
{
    struct h5 *h5 = store_open_run(path, error);
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
