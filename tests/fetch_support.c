/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch_support.h"
#include "support.h"
#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void be_quiet(void)
{
    cr_assert(freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr));
}

/* ---- archives ---- */

static void add_entry(struct archive *archive, const char *path, const char *bytes, size_t size, enum entry_kind kind)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, kind == ENTRY_SYMLINK ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, kind == ENTRY_FILE ? (la_int64_t)size : 0);
    if (kind == ENTRY_SYMLINK)
        archive_entry_set_symlink(entry, bytes);
    if (kind == ENTRY_HARDLINK)
        archive_entry_set_hardlink(entry, bytes);
    cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK, "%s", archive_error_string(archive));
    if (kind == ENTRY_FILE)
        cr_assert_eq(archive_write_data(archive, bytes, size), (la_ssize_t)size);
    archive_entry_free(entry);
}

static struct archive *open_archive(const char *path, enum packing packing)
{
    struct archive *archive = archive_write_new();
    if (packing == PACK_ZIP)
        archive_write_set_format_zip(archive);
    else
        archive_write_set_format_pax_restricted(archive);
    if (packing == PACK_TAR_GZ)
        archive_write_add_filter_gzip(archive);
    if (packing == PACK_TAR_XZ)
        archive_write_add_filter_xz(archive);
    cr_assert_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
    return archive;
}

static void close_archive(struct archive *archive)
{
    cr_assert_eq(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

void pack(const char *path, enum packing packing, const struct entry *entries)
{
    struct archive *archive = open_archive(path, packing);
    for (; entries->path; entries++)
        add_entry(archive, entries->path, entries->text, strlen(entries->text), entries->kind);
    close_archive(archive);
}

void pack_bytes(const char *path, enum packing packing, const char *name, const char *bytes, size_t size)
{
    struct archive *archive = open_archive(path, packing);
    add_entry(archive, name, bytes, size, ENTRY_FILE);
    close_archive(archive);
}

void pack_around(const char *folder, const char *name, const char *inner)
{
    size_t size;
    char *path = file_in(folder, name), *inside = file_in(folder, inner), *bytes = read_bytes(inside, &size);
    struct archive *archive = open_archive(path, PACK_ZIP);
    add_entry(archive, "readme.pdf", "text", 4, ENTRY_FILE);
    add_entry(archive, inner, bytes, size, ENTRY_FILE);
    close_archive(archive);
    free(path);
    free(inside);
    free(bytes);
}

/* ---- a made set, served from one folder and fetched into another ---- */

struct place make_place(void)
{
    struct place place = {.served = temporary_folder(), .to = temporary_folder()};
    place.manners = (struct http_manners){.folder = place.served, .tag = "\"one\""};
    return place;
}

void remove_place(struct place *place)
{
    remove_folder(place->served);
    remove_folder(place->to);
}

void serve_made(const struct place *place, unsigned seed)
{
    char *path = file_in(place->served, "made.zip"), *text = xcalloc(3000, 16);
    uint32_t state = seed;
    for (size_t i = 0; i < 3000; i++) {
        state = state * 1664525u + 1013904223u;
        sprintf(text + strlen(text), "%u\n", state);
    }
    pack(path, PACK_ZIP, ENTRIES({"top/mark.txt", "mark", 0}, {"top/big.txt", text, 0}));
    free(path);
    free(text);
}

const struct source made = {
    .name = "made", .address = "http://unused.invalid/", .archive = true, .files = {{"made.zip", NULL}},
    .folder = "made-folder", .mark = "mark.txt",
};

bool fetch_from(const struct place *place, const struct source *source, bool force, struct error *error)
{
    struct http_server server = http_start(&place->manners);
    struct fetch_request request = {.to = place->to, .mirror = server.address, .force = force};
    error->text[0] = '\0';
    bool ok = fetch(source, &request, error);
    http_stop(&server);
    return ok;
}

void fetch_or_fail(const struct place *place, const struct source *source, bool force)
{
    struct error error;
    cr_assert(fetch_from(place, source, force, &error), "%s", error.text);
}

void expect_refusal(const struct place *place, const struct source *source, const char *words)
{
    struct error error;
    cr_expect(!fetch_from(place, source, false, &error), "accepted; expected: %s", words);
    cr_expect_not_null(strstr(error.text, words), "no '%s' in: %s", words, error.text);
}

bool there(const struct place *place, const char *path)
{
    char *full = file_in(place->to, path);
    bool found = path_exists(full);
    free(full);
    return found;
}

off_t size_of(const char *folder, const char *name)
{
    struct stat status = {.st_size = -1};
    char *path = file_in(folder, name);
    stat(path, &status);
    free(path);
    return status.st_size;
}

void expect_text(const struct place *place, const char *path, const char *expected)
{
    size_t size;
    char *full = file_in(place->to, path), *text = read_bytes(full, &size);
    cr_expect_str_eq(text, expected, "%s holds %s", path, text);
    free(full);
    free(text);
}

void expect_same_bytes(const struct place *place, const char *kept)
{
    size_t size, served_size;
    char *path = file_in(place->to, kept), *served = file_in(place->served, "made.zip");
    char *bytes = read_bytes(path, &size), *original = read_bytes(served, &served_size);
    cr_expect(size == served_size && memcmp(bytes, original, size) == 0);
    free(path);
    free(served);
    free(bytes);
    free(original);
}
