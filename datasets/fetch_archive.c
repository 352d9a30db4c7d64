/* SPDX-License-Identifier: GPL-3.0-or-later
 * Unpacking through libarchive. Data sets are files in folders, so anything that could write elsewhere (absolute paths,
 * "..", links) is refused instead of being made harmless. */
#include "../bench/folder.h"
#include "fetch.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)1 << 16)
#define DEEPEST_MARK 3  /* folders above the one that has the mark */
#define DEEPEST_ARCHIVE 2

static bool is_below(const char *path)
{
    if (path[0] == '/' || path[0] == '\0')
        return false;
    for (;;) {
        size_t length = strcspn(path, "/");
        if (length == 2 && strncmp(path, "..", 2) == 0)
            return false;
        if (!path[length])
            return true;
        path += length + 1;
    }
}

static bool fail_damaged(struct archive *archive, const char *path, bool *unfit, struct error *error)
{
    const char *reason = archive_error_string(archive);
    *unfit = true;
    return fail(error, "%s is damaged, or no zip or tar archive: %s", path, reason ? reason : "unknown reason");
}

static bool make_folder_above(const char *file, struct error *error)
{
    char *folder = xstrdup(file);
    *strrchr(folder, '/') = '\0';
    bool ok = make_folders(folder, error);
    free(folder);
    return ok;
}

static bool write_content(struct archive *archive, const char *path, const char *to, bool *unfit, struct error *error)
{
    char buffer[READ_SIZE];
    la_ssize_t got = 0;
    int file = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0 && errno == ENOENT && make_folder_above(to, error))
        file = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = file >= 0;
    while (ok && (got = archive_read_data(archive, buffer, sizeof buffer)) > 0)
        ok = write_all(file, buffer, (size_t)got);
    if (!ok)
        fail(error, "cannot write %s: %s", to, strerror(errno));
    else if (got < 0)
        ok = fail_damaged(archive, path, unfit, error);
    if (file >= 0 && close(file) != 0 && ok)
        ok = fail(error, "cannot write %s: %s", to, strerror(errno));
    return ok;
}

static bool unpack_entry(struct archive *archive, struct archive_entry *entry, const char *path, const char *folder,
                         bool *unfit, struct error *error)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (!name)
        name = archive_entry_pathname(entry);
    mode_t type = archive_entry_filetype(entry);
    if (!name || !is_below(name) || archive_entry_hardlink(entry) || (type != AE_IFREG && type != AE_IFDIR)) {
        *unfit = true;
        return fail(error, "%s is refused: its entry '%s' is no file or folder below the archive's own", path,
                    name ? name : "?");
    }
    char *to = format_text("%s/%s", folder, name);
    bool ok = type == AE_IFDIR ? make_folders(to, error) : write_content(archive, path, to, unfit, error);
    free(to);
    return ok;
}

bool archive_unpack(const char *path, const char *folder, bool *unfit, struct error *error)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    int code;
    bool ok = false;
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_format_zip(archive);
    if (access(path, R_OK) != 0) {
        fail(error, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (archive_read_open_filename(archive, path, READ_SIZE) != ARCHIVE_OK) {
        fail_damaged(archive, path, unfit, error);
        goto out;
    }
    while ((code = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN)
        if (!unpack_entry(archive, entry, path, folder, unfit, error))
            goto out;
    ok = code == ARCHIVE_EOF || fail_damaged(archive, path, unfit, error);
out:
    archive_read_free(archive);
    return ok;
}

/* ---- where the set is in what was unpacked ---- */

static bool has_mark(const char *folder, const char *mark)
{
    char *path = format_text("%s/%s", folder, mark);
    bool there = path_exists(path);
    free(path);
    return there;
}

static char *find_root(const char *folder, const char *mark, int depth)
{
    char *found = has_mark(folder, mark) ? xstrdup(folder) : NULL;
    DIR *entries = found || depth == 0 ? NULL : opendir(folder);
    for (struct dirent *entry; entries && !found && (entry = readdir(entries));) {
        char *path = format_text("%s/%s", folder, entry->d_name);
        struct stat status;
        if (entry->d_name[0] != '.' && lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
            found = find_root(path, mark, depth - 1);
        free(path);
    }
    if (entries)
        closedir(entries);
    return found;
}

/* Only those that stand at the top: *opened counts them. */
static bool unpack_inner(const char *folder, size_t *opened, bool *unfit, struct error *error)
{
    bool ok = true;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && ok && (entry = readdir(entries));) {
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".zip") != 0)
            continue;
        char *path = format_text("%s/%s", folder, entry->d_name);
        ok = archive_unpack(path, folder, unfit, error);
        if (ok && unlink(path) != 0)
            ok = fail(error, "cannot remove %s: %s", path, strerror(errno));
        *opened += ok;
        free(path);
    }
    if (entries)
        closedir(entries);
    return ok;
}

char *archive_find_root(const char *folder, const char *mark, bool *unfit, struct error *error)
{
    for (int level = 0;; level++) {
        size_t opened = 0;
        char *root = find_root(folder, mark, DEEPEST_MARK);
        if (root)
            return root;
        if (level < DEEPEST_ARCHIVE && !unpack_inner(folder, &opened, unfit, error))
            return NULL;
        if (opened == 0)
            break;
    }
    *unfit = true;
    fail(error, "the archive is another one: nothing in it is called %s", mark);
    return NULL;
}
