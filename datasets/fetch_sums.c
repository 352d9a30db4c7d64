/* SPDX-License-Identifier: GPL-3.0-or-later
 * Checksums of what is fetched: the provider's where one is published, and always that of the first download, so that a file
 * that changes at its provider is noticed. */
#include "datasets.h"
#include "fetch.h"
#include <errno.h>
#include <md5.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first word of a record; "" if there is no record. */
static bool read_record(const char *record, char sha256[SHA256_TEXT], struct error *error)
{
    struct bytes content;
    sha256[0] = '\0';
    if (!path_exists(record))
        return true;
    if (!bytes_read(record, &content, error))
        return false;
    bool ok = content.size >= SHA256_TEXT - 1;
    if (ok) {
        memcpy(sha256, content.data, SHA256_TEXT - 1);
        sha256[SHA256_TEXT - 1] = '\0';
        ok = strspn(sha256, "0123456789abcdef") == SHA256_TEXT - 1;
    }
    bytes_free(&content);
    return ok || fail(error, "%s does not begin with a SHA-256 sum of 64 hexadecimal digits; remove it to record a new one",
                      record);
}

bool sums_check(const char *path, const char *md5, const char *record, char sha256[SHA256_TEXT], const char **known,
                bool *unfit, struct error *error)
{
    char found[MD5_DIGEST_STRING_LENGTH], first[SHA256_TEXT];
    if (!MD5File(path, found) || !SHA256File(path, sha256))
        return fail(error, "%s: %s", path, strerror(errno));
    if (md5 && strcmp(found, md5) != 0) {
        *unfit = true;
        return fail(error, "%s is not what the provider has published: its MD5 sum is %s, the published one %s", path, found,
                    md5);
    }
    if (!read_record(record, first, error))
        return false;
    if (first[0] && strcmp(first, sha256) != 0) {
        *unfit = true;
        return fail(error, "%s is not the file of the first download: its SHA-256 sum is %s, the recorded one %s; if the "
                    "provider has replaced the file on purpose, remove %s and fetch again", path, sha256, first, record);
    }
    *known = md5 && first[0] ? "MD5 as published, SHA-256 as in the first download"
             : md5           ? "MD5 as published"
             : first[0]      ? "as in the first download"
                             : "recorded now, as the provider publishes no sum";
    return true;
}

bool sums_record(const char *record, const char *sha256, const char *name, struct error *error)
{
    if (path_exists(record))
        return true;
    char *unfinished = format_text("%s.tmp", record);
    FILE *file = fopen(unfinished, "w");
    bool ok = file && fprintf(file, "%s  %s\n", sha256, name) > 0;
    ok = (!file || fclose(file) == 0) && ok && rename(unfinished, record) == 0;
    if (!ok)
        fail(error, "cannot write %s: %s", record, strerror(errno));
    free(unfinished);
    return ok;
}
