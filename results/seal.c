/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seal.h"
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define SEAL_TEXT "bitsweep results in HDF5; SHA-256 of all but these 512 bytes: "

static bool seal_text(const char *path, char seal[SEAL_BYTES])
{
    char digest[SHA256_DIGEST_STRING_LENGTH];
    memset(seal, 0, SEAL_BYTES);
    if (!SHA256FileChunk(path, digest, SEAL_BYTES, 0))
        return false;
    snprintf(seal, SEAL_BYTES, SEAL_TEXT "%s\n", digest);
    return true;
}

bool seal_write(const char *path)
{
    char seal[SEAL_BYTES];
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = file >= 0 && seal_text(path, seal) && pwrite(file, seal, sizeof seal, 0) == (ssize_t)sizeof seal;
    if (file >= 0)
        ok = close(file) == 0 && ok;
    return ok;
}

enum seal seal_check(const char *path, struct error *error)
{
    static const char signature[] = "\211HDF\r\n\032\n";
    char found[SEAL_BYTES], expected[SEAL_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? pread(file, found, sizeof found, 0) : -1;
    if (file >= 0)
        close(file);
    if (size == (ssize_t)sizeof found && memcmp(found, signature, strlen(signature)) == 0)
        return SEAL_FITS;
    if (size != (ssize_t)sizeof found || !seal_text(path, expected)) {
        fail(error, "cannot read %s: %s", path, strerror(errno));
        return SEAL_NONE;
    }
    if (memcmp(found, expected, sizeof found) == 0)
        return SEAL_FITS;
    if (strncmp(found, SEAL_TEXT, strlen(SEAL_TEXT)) == 0)
        return SEAL_CHANGED;
    fail(error, "%s is not a results file of bitsweep, or its beginning is damaged", path);
    return SEAL_NONE;
}
