/* SPDX-License-Identifier: GPL-3.0-or-later
 * The file: magic; the identity, and for each part its name and its bytes, all after their lengths; the SHA-256 of all that.
 * Numbers are the machine's own, as the identity is. */
#include "checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The digit is the format's version. */
static const char magic[16] = "bitsweep state 1";

/* ---- what is registered ---- */

void growing_add(struct growing *g, const void *data, size_t size)
{
    if (size == 0)
        return;
    if (g->size + size > g->capacity) {
        g->capacity = 2 * (g->size + size);
        g->data = xrealloc(g->data, g->capacity);
    }
    memcpy(g->data + g->size, data, size);
    g->size += size;
}

void growing_free(struct growing *g)
{
    free(g->data);
    *g = (struct growing){0};
}

static void add_part(struct kept *kept, struct kept_part part)
{
    if (kept->count == kept->capacity) {
        kept->capacity = kept->capacity ? 2 * kept->capacity : 64;
        kept->parts = xrealloc(kept->parts, kept->capacity * sizeof *kept->parts);
    }
    part.name = xstrdup(part.name);
    kept->parts[kept->count++] = part;
}

void keep(struct kept *kept, const char *name, void *data, size_t size)
{
    add_part(kept, (struct kept_part){.name = (char *)(uintptr_t)name, .data = data, .size = size});
}

void keep_growing(struct kept *kept, const char *name, struct growing *growing)
{
    add_part(kept, (struct kept_part){.name = (char *)(uintptr_t)name, .growing = growing});
}

void keep_all(struct kept *kept, const struct kept *more)
{
    for (size_t i = 0; i < more->count; i++)
        add_part(kept, more->parts[i]);
}

void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        free(kept->parts[i].name);
    free(kept->parts);
    *kept = (struct kept){0};
}

static size_t part_size(const struct kept_part *part) { return part->growing ? part->growing->size : part->size; }
static const void *part_data(const struct kept_part *part) { return part->growing ? part->growing->data : part->data; }

size_t kept_size(const struct kept *kept)
{
    size_t size = 0;
    for (size_t i = 0; i < kept->count; i++)
        size += part_size(&kept->parts[i]);
    return size;
}

/* ---- writing ---- */

struct writer { FILE *file; SHA2_CTX sum; };

static void put(struct writer *w, const void *data, size_t size)
{
    if (size == 0)
        return;
    SHA256Update(&w->sum, data, size);
    fwrite(data, 1, size, w->file); /* ferror is asked at the end */
}

/* Length and bytes. */
static void put_block(struct writer *w, const void *data, size_t size)
{
    uint64_t length = size;
    put(w, &length, sizeof length);
    put(w, data, size);
}

static bool write_state(FILE *file, const char *identity, const struct kept *kept)
{
    struct writer w = {.file = file};
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Init(&w.sum);
    put(&w, magic, sizeof magic);
    put_block(&w, identity, strlen(identity));
    for (size_t i = 0; i < kept->count; i++) {
        const struct kept_part *part = &kept->parts[i];
        put_block(&w, part->name, strlen(part->name));
        put_block(&w, part_data(part), part_size(part));
    }
    SHA256Final(digest, &w.sum);
    fwrite(digest, 1, sizeof digest, file);
    return !ferror(file) && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

static bool sync_folder_of(const char *path)
{
    char *folder = xstrdup(path), *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = file >= 0 && fsync(file) == 0;
    if (file >= 0)
        close(file);
    free(folder);
    return synced;
}

bool checkpoint_write(const struct checkpoint *checkpoint, const struct kept *kept, struct error *error)
{
    char *temporary = format_text("%s.tmp.%ld", checkpoint->path, (long)getpid());
    FILE *file = fopen(temporary, "wbe");
    bool written = file && write_state(file, checkpoint->identity, kept);
    if (file)
        written = fclose(file) == 0 && written;
    written = written && rename(temporary, checkpoint->path) == 0 && sync_folder_of(checkpoint->path);
    if (!written) {
        fail(error, "cannot write the checkpoint %s: %s", checkpoint->path, strerror(errno));
        unlink(temporary);
    }
    free(temporary);
    return written;
}

/* ---- reading ---- */

/* The whole file, or NULL with errno set. */
static uint8_t *read_whole(const char *path, size_t *size)
{
    errno = EINVAL; /* no regular file */
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    uint8_t *bytes = NULL;
    ssize_t got = 1;
    *size = 0;
    if (file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        size_t expected = (size_t)status.st_size;
        bytes = xmalloc(expected + 1);
        while (*size < expected && (got = read(file, bytes + *size, expected - *size)) > 0)
            *size += (size_t)got;
    }
    if (got < 0) {
        free(bytes);
        bytes = NULL;
    }
    if (file >= 0)
        close(file);
    return bytes;
}

struct reader { const uint8_t *next, *end; };

/* Moves past a block; false when it is not all there. */
static bool take_block(struct reader *r, const uint8_t **data, size_t *size)
{
    uint64_t length;
    if ((size_t)(r->end - r->next) < sizeof length)
        return false;
    memcpy(&length, r->next, sizeof length);
    r->next += sizeof length;
    if ((uint64_t)(r->end - r->next) < length)
        return false;
    *data = r->next;
    *size = (size_t)length;
    r->next += length;
    return true;
}

static bool is_text(const uint8_t *data, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(data, text, size) == 0;
}

static bool is_whole(const uint8_t *bytes, size_t size)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX sum;
    if (size < sizeof magic + sizeof digest || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    SHA256Init(&sum);
    SHA256Update(&sum, bytes, size - sizeof digest);
    SHA256Final(digest, &sum);
    return memcmp(digest, bytes + size - sizeof digest, sizeof digest) == 0;
}

/* Compares every part with the list or, copying, fills the list's memory. */
static bool take_parts(struct reader r, const struct kept *kept, bool copying)
{
    const uint8_t *name, *data;
    size_t name_size, size;
    for (size_t i = 0; i < kept->count; i++) {
        struct kept_part *part = &kept->parts[i];
        if (!take_block(&r, &name, &name_size) || !is_text(name, name_size, part->name) || !take_block(&r, &data, &size)
            || (!part->growing && size != part->size))
            return false;
        if (copying && part->growing) {
            part->growing->size = 0;
            growing_add(part->growing, data, size);
        } else if (copying && size > 0) {
            memcpy(part->data, data, size);
        }
    }
    return r.next == r.end;
}

/* The parts of a state that may be used, or why it may not be. */
static const char *open_state(const uint8_t *bytes, size_t size, const char *wanted, struct reader *parts)
{
    const uint8_t *identity;
    size_t identity_size;
    if (!is_whole(bytes, size))
        return "it is damaged";
    *parts = (struct reader){bytes + sizeof magic, bytes + size - SHA256_DIGEST_LENGTH};
    if (!take_block(parts, &identity, &identity_size) || !is_text(identity, identity_size, wanted))
        return "it was made by another build, on another machine, or for another run";
    return NULL;
}

/* Reads the file and has `take` use its parts; take says why it cannot. */
static enum checkpoint_found use_state(const struct checkpoint *checkpoint,
                                       const char *(*take)(struct reader, void *context), void *context,
                                       struct error *error)
{
    size_t size;
    struct reader parts = {0};
    uint8_t *bytes = read_whole(checkpoint->path, &size);
    if (!bytes && errno == ENOENT)
        return CHECKPOINT_NONE;
    const char *why = bytes ? open_state(bytes, size, checkpoint->identity, &parts) : strerror(errno);
    if (!why)
        why = take(parts, context);
    free(bytes);
    if (!why)
        return CHECKPOINT_LOADED;
    fail(error, "cannot go on from the checkpoint %s: %s", checkpoint->path, why);
    return CHECKPOINT_UNFIT;
}

#define OTHER_NETWORK "it holds the state of another network"

static const char *take_all(struct reader parts, void *context)
{
    if (!take_parts(parts, context, false))
        return OTHER_NETWORK;
    take_parts(parts, context, true);
    return NULL;
}

enum checkpoint_found checkpoint_read(const struct checkpoint *checkpoint, const struct kept *kept, struct error *error)
{
    return use_state(checkpoint, take_all, (void *)kept, error);
}

static const char *take_one(struct reader parts, void *context)
{
    const struct kept_part *wanted = context;
    const uint8_t *name, *data;
    size_t name_size, size;
    while (take_block(&parts, &name, &name_size) && take_block(&parts, &data, &size))
        if (is_text(name, name_size, wanted->name) && size == wanted->size) {
            memcpy(wanted->data, data, size);
            return NULL;
        }
    return OTHER_NETWORK;
}

enum checkpoint_found checkpoint_peek(const struct checkpoint *checkpoint, const char *name, void *data, size_t size,
                                      struct error *error)
{
    return use_state(checkpoint, take_one, &(struct kept_part){.name = (char *)name, .data = data, .size = size}, error);
}
