/* SPDX-License-Identifier: GPL-3.0-or-later
 * Files and folder trees, for what is fetched. */
#include "fetch.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool write_all(int file, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t written = write(file, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        next += written;
        size -= (size_t)written;
    }
    return true;
}

bool file_copy(const char *from, const char *to, struct error *error)
{
    char buffer[1 << 16];
    ssize_t got = 0;
    bool ok = false;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    if (in < 0 || (out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0) {
        fail(error, "%s: %s", in < 0 ? from : to, strerror(errno));
        goto out;
    }
    while ((got = read(in, buffer, sizeof buffer)) > 0)
        if (!write_all(out, buffer, (size_t)got))
            break;
    ok = got == 0 || fail(error, "%s: %s", got < 0 ? from : to, strerror(errno));
out:
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0 && ok)
        ok = fail(error, "%s: %s", to, strerror(errno));
    return ok;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

bool tree_remove(const char *path, struct error *error)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT ||
           fail(error, "cannot remove %s: %s", path, strerror(errno));
}

bool path_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}
