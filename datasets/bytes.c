/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whole files in memory, and gzip through zlib's inflate, which unlike gzread reports trailing bytes. */
#include "datasets.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#define ZLIB_CONST
#include <zlib.h>

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void bytes_scale(const unsigned char *pixels, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)pixels[i] / 255.0f;
}

bool bytes_read(const char *path, struct bytes *bytes, struct error *error)
{
    struct stat status;
    bool ok = false;
    *bytes = (struct bytes){0};
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &status) != 0) {
        fail(error, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        fail(error, "%s is not a regular file", path);
        goto out;
    }
    bytes->size = (size_t)status.st_size;
    bytes->data = xmalloc(bytes->size + 1);
    ok = fread(bytes->data, 1, bytes->size, file) == bytes->size;
    if (!ok)
        fail(error, "%s: %s", path, ferror(file) ? strerror(errno) : "became shorter while it was read");
out:
    if (file)
        fclose(file);
    if (!ok)
        bytes_free(bytes);
    return ok;
}

bool bytes_are_gzip(const struct bytes *bytes)
{
    return bytes->size >= 2 && bytes->data[0] == 0x1f && bytes->data[1] == 0x8b;
}

/* Room for more output, at most `limit` in all. zlib counts in 32 bits. */
static void offer_room(z_stream *stream, struct bytes *out, size_t *capacity, size_t limit)
{
    if (out->size == *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 1 << 16;
        *capacity = larger < limit ? larger : limit;
        out->data = xrealloc(out->data, *capacity + 1);
    }
    size_t room = *capacity - out->size;
    stream->next_out = out->data + out->size;
    stream->avail_out = room < 1 << 30 ? (uInt)room : 1 << 30;
}

static void offer_input(z_stream *stream, const struct bytes *packed, size_t used)
{
    size_t left = packed->size - used;
    stream->next_in = packed->data + used;
    stream->avail_in = left < 1 << 30 ? (uInt)left : 1 << 30;
}

bool bytes_inflate(const struct bytes *packed, size_t limit, const char *path, struct bytes *out,
                   struct error *error)
{
    size_t capacity = 0, used = 0;
    z_stream stream = {0};
    bool ok = false;
    *out = (struct bytes){0};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        die("zlib does not start: %s", stream.msg ? stream.msg : "no reason given");
    while (out->size < limit) {
        offer_input(&stream, packed, used);
        offer_room(&stream, out, &capacity, limit);
        int code = inflate(&stream, Z_NO_FLUSH);
        used = (size_t)(stream.next_in - packed->data);
        out->size = (size_t)(stream.next_out - out->data);
        if (code == Z_STREAM_END) {
            struct bytes rest = {packed->data + used, packed->size - used};
            if (rest.size == 0)
                break;
            if (!bytes_are_gzip(&rest)) {
                fail(error, "%s: %zu bytes follow the end of the gzip data", path, rest.size);
                goto out;
            }
            inflateReset(&stream);
        } else if (code == Z_BUF_ERROR || (code == Z_OK && used == packed->size && out->size < capacity)) {
            fail(error, "%s is cut off: its gzip data ends early", path);
            goto out;
        } else if (code != Z_OK) {
            fail(error, "%s is damaged: its gzip data is bad (%s)", path,
                 stream.msg ? stream.msg : "unknown reason");
            goto out;
        }
    }
    ok = true;
out:
    inflateEnd(&stream);
    if (!ok)
        bytes_free(out);
    return ok;
}
