/* SPDX-License-Identifier: GPL-3.0-or-later
 * A set from its provider to its place. Each step can be cut off: what is complete is used again, and the set's folder
 * appears at once and whole. */
#include "../bench/folder.h"
#include "datasets.h"
#include "fetch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MOST_FILES (sizeof ((struct source *)0)->files / sizeof(struct source_file) - 1)
#define LARGEST_PLAIN_FILE ((size_t)1 << 30) /* unpacked */

/* One fetch. Paths are malloced. */
struct job {
    const struct source *source;
    const struct fetch_request *request;
    char *target;                 /* TO/FOLDER */
    char *state;                  /* TO/.fetched/NAME */
    char *unpacked, *replaced;    /* below it: the new content, and what stood at the target */
    char *root;                   /* the part of the new content that belongs to the target */
    char *kept;                   /* where the archive stays; NULL: it does not */
    char *paths[MOST_FILES];      /* of the source's files */
    char sums[MOST_FILES][SHA256_TEXT];
    const char *known[MOST_FILES];
    struct error *error;
};

static char *below(const char *folder, const char *name) { return format_text("%s/%s", folder, name); }

static char *record_path(const struct job *job, size_t i)
{
    return format_text("%s/%s.sha256", job->state, job->source->files[i].name);
}

static bool rename_file(const char *from, const char *to, struct error *error)
{
    return rename(from, to) == 0 || fail(error, "cannot rename %s to %s: %s", from, to, strerror(errno));
}

/* ---- the files ---- */

static bool several(const struct source *source) { return source->files[1].name != NULL; }

static char *address_of(const struct job *job, size_t i)
{
    const char *folder = job->request->mirror ? job->request->mirror : job->source->address;
    size_t length = strlen(folder);
    return format_text("%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", job->source->files[i].name);
}

/* A downloaded file that is not what it should be must not be taken for complete the next time. */
static void set_aside(const struct job *job, size_t i)
{
    struct error problem;
    char *aside = format_text("%s.refused", job->paths[i]);
    if (!job->request->from && rename_file(job->paths[i], aside, &problem)) {
        problem = *job->error;
        fail(job->error, "%.800s (it was set aside as %s)", problem.text, aside);
    }
    free(aside);
}

static bool get_file(struct job *job, size_t i)
{
    const struct source_file *file = &job->source->files[i];
    const char *from = job->request->from;
    bool unfit = false;
    job->paths[i] = !from ? below(job->state, file->name) : several(job->source) ? below(from, file->name) : xstrdup(from);
    if (!from && !path_exists(job->paths[i])) {
        char *address = address_of(job, i);
        bool ok = download(job->source->name, address, job->paths[i], job->error);
        free(address);
        if (!ok)
            return false;
    }
    char *record = record_path(job, i);
    bool ok = sums_check(job->paths[i], file->md5, record, job->sums[i], &job->known[i], &unfit, job->error);
    free(record);
    if (unfit)
        set_aside(job, i);
    return ok;
}

/* ---- their content ---- */

/* A page of a server that says "not found" with success is no data. */
static bool check_gzip(const char *path, bool *unfit, struct error *error)
{
    struct bytes packed, content = {0};
    if (!bytes_read(path, &packed, error))
        return false;
    bool ok = bytes_are_gzip(&packed) || fail(error, "%s is no gzip file", path);
    ok = ok && bytes_inflate(&packed, LARGEST_PLAIN_FILE, path, &content, error);
    *unfit = !ok;
    bytes_free(&packed);
    bytes_free(&content);
    return ok;
}

static bool copy_plain(struct job *job, size_t i, bool *unfit)
{
    char *to = below(job->unpacked, job->source->files[i].name);
    bool ok = check_gzip(job->paths[i], unfit, job->error) && file_copy(job->paths[i], to, job->error);
    free(to);
    return ok;
}

/* Sets job->root. */
static bool unpack(struct job *job)
{
    bool unfit = false, ok = tree_remove(job->unpacked, job->error) && make_folders(job->unpacked, job->error);
    size_t i = 0;
    if (job->source->archive) {
        fprintf(stderr, "%s: unpacking %s\n", job->source->name, job->paths[0]);
        ok = ok && archive_unpack(job->paths[0], job->unpacked, &unfit, job->error);
        job->root = ok ? archive_find_root(job->unpacked, job->source->mark, &unfit, job->error) : NULL;
    } else {
        while (ok && job->source->files[i].name && (ok = copy_plain(job, i, &unfit)))
            i++;
        job->root = ok ? xstrdup(job->unpacked) : NULL;
    }
    if (unfit) {
        struct error ignored;
        set_aside(job, i);
        tree_remove(job->unpacked, &ignored);
    }
    return job->root != NULL;
}

/* ---- in place ---- */

/* After a power cut a folder must not stand there with empty files. */
static bool flush_to_disk(const struct job *job)
{
    int folder = open(job->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder >= 0 && syncfs(folder) == 0;
    if (!ok)
        fail(job->error, "cannot write %s to disk: %s", job->unpacked, strerror(errno));
    if (folder >= 0)
        close(folder);
    return ok;
}

static bool install(struct job *job)
{
    struct error *error = job->error;
    if (!flush_to_disk(job) || !tree_remove(job->replaced, error))
        return false;
    if (path_exists(job->target) && !rename_file(job->target, job->replaced, error))
        return false;
    return rename_file(job->root, job->target, error) && tree_remove(job->replaced, error) &&
           tree_remove(job->unpacked, error);
}

static bool record_sums(const struct job *job)
{
    bool ok = true;
    for (size_t i = 0; ok && job->source->files[i].name; i++) {
        char *record = record_path(job, i);
        ok = sums_record(record, job->sums[i], job->source->files[i].name, job->error);
        free(record);
    }
    return ok;
}

/* What was downloaded; the files of --from are the user's. */
static bool keep_or_remove(const struct job *job)
{
    if (job->kept)
        return rename_file(job->paths[0], job->kept, job->error);
    for (size_t i = 0; !job->request->from && job->source->files[i].name; i++)
        unlink(job->paths[i]);
    return true;
}

static void report(const struct job *job)
{
    printf("%s: %s\n", job->source->name, job->target);
    for (size_t i = 0; job->source->files[i].name; i++)
        printf("  %s: SHA-256 %s; %s\n", job->source->files[i].name, job->sums[i], job->known[i]);
}

/* ---- a fetch ---- */

/* Two fetches of one set would write the same files. -1: error. */
static int lock_state(const struct job *job)
{
    char *path = below(job->state, "lock");
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) {
        fail(job->error, "cannot write %s: %s", path, strerror(errno));
    } else if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        fail(job->error, errno == EWOULDBLOCK ? "another process is fetching it (%s is locked)" : "cannot lock %s", path);
        close(file);
        file = -1;
    }
    free(path);
    return file;
}

static bool run_job(struct job *job)
{
    if (job->kept && path_exists(job->kept) && !job->request->force)
        return fail(job->error, "%s exists; --force replaces it", job->kept);
    if (!make_folders(job->state, job->error))
        return false;
    int lock = lock_state(job);
    if (lock < 0)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && job->source->files[i].name; i++)
        ok = get_file(job, i);
    ok = ok && unpack(job) && install(job) && record_sums(job) && keep_or_remove(job);
    if (ok)
        report(job);
    close(lock);
    return ok;
}

/* The set is there without having to be fetched. */
static bool check_present(const struct job *job)
{
    char *mark = below(job->target, job->source->mark);
    bool whole = path_exists(mark);
    if (whole)
        printf("%s: %s is there already; --force fetches it again\n", job->source->name, job->target);
    else
        fail(job->error, "%s is there, but without %s; --force replaces it", job->target, job->source->mark);
    free(mark);
    return whole;
}

bool fetch(const struct source *source, const struct fetch_request *request, struct error *error)
{
    struct job job = {.source = source, .request = request, .error = error, .target = below(request->to, source->folder),
                      .state = format_text("%s/.fetched/%s", request->to, source->name)};
    job.unpacked = below(job.state, "unpacked");
    job.replaced = below(job.state, "replaced");
    job.kept = request->keep && source->archive ? below(request->to, source->files[0].name) : NULL;
    bool ok = path_exists(job.target) && !request->force ? check_present(&job) : run_job(&job);
    char *paths[] = {job.target, job.state, job.unpacked, job.replaced, job.kept, job.root};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        free(paths[i]);
    for (size_t i = 0; i < MOST_FILES; i++)
        free(job.paths[i]);
    return ok;
}

void fetch_print_by_hand(const struct source *source, const struct fetch_request *request)
{
    fprintf(stderr, "%s by hand: download with any browser\n", source->name);
    for (size_t i = 0; source->files[i].name; i++)
        fprintf(stderr, "    %s%s\n", source->address, source->files[i].name);
    if (several(source))
        fputs("  into one folder\n", stderr);
    fprintf(stderr, "  then: bitsweep data fetch %s --to %s --from %s\n", source->name, request->to,
            several(source) ? "THAT_FOLDER" : source->files[0].name);
    fprintf(stderr, "  (in the end there must be '%s/%s/%s')\n", request->to, source->folder, source->mark);
    if (source->note)
        fprintf(stderr, "  %s\n", source->note);
}
