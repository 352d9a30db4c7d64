/* SPDX-License-Identifier: GPL-3.0-or-later
 * Paths, lock and state of a sweep's folder. */
#include "folder.h"
#include "../results/store.h"
#include "version.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Workers of a killed sweep need a moment to go; longer than this, and the sweep is really running. */
#define LOCK_TRIES 100
#define LOCK_PAUSE_NANOSECONDS 20000000L

char *folder_path(const char *results, const struct plan *plan)
{
    return format_text("%s/%s", results, plan->name);
}

char *folder_run_path(const char *folder, const char *id) { return format_text("%s/runs/%s.h5", folder, id); }

char *folder_log_path(const char *folder, const char *id)
{
    return format_text("%s/logs/%s.log", folder, id);
}

char *folder_checkpoint_path(const char *folder, const char *id)
{
    return format_text("%s/checkpoints/%s.ckpt", folder, id);
}

void folder_remove_checkpoint(const char *folder, const char *id)
{
    char *path = folder_checkpoint_path(folder, id);
    unlink(path);
    free(path);
}

void folder_remove_unfinished(const char *folder, const char *id, pid_t worker)
{
    char *files[] = {folder_run_path(folder, id), folder_checkpoint_path(folder, id)};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *unfinished = format_text("%s.tmp.%ld", files[i], (long)worker);
        unlink(unfinished);
        free(unfinished);
        free(files[i]);
    }
}

bool make_folders(const char *path, struct error *error)
{
    char *part = xstrdup(path);
    bool made = true;
    for (char *end = strchr(part + 1, '/'); made; end = end ? strchr(end + 1, '/') : NULL) {
        if (end)
            *end = '\0';
        struct stat status;
        int reason = mkdir(part, 0777) == 0 ? 0 : errno; /* stat's would hide it */
        if (reason && (stat(part, &status) != 0 || !S_ISDIR(status.st_mode)))
            made = fail(error, "cannot make the folder %s: %s", part, strerror(reason));
        if (!end)
            break;
        *end = '/';
    }
    free(part);
    return made;
}

bool folder_create(const char *folder, struct error *error)
{
    static const char *const parts[] = {"runs", "logs", "checkpoints"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *path = format_text("%s/%s", folder, parts[i]);
        bool made = make_folders(path, error);
        free(path);
        if (!made)
            return false;
    }
    return true;
}

/* The process that wrote its number into the lock; -1 if it has not yet. */
static pid_t lock_owner(int file)
{
    char text[32] = "";
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    long pid = size > 0 ? atol(text) : 0;
    return pid > 0 ? (pid_t)pid : -1;
}

static bool write_owner(int file)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return ftruncate(file, 0) == 0 && pwrite(file, text, (size_t)size, 0) == size;
}

/* Locks of an open file description: inherited by fork, and they can be asked for without being taken. */
static bool lock_file(int file)
{
    const struct timespec pause = {0, LOCK_PAUSE_NANOSECONDS};
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(file, F_OFD_SETLK, &lock) == 0)
            return true;
        if (errno != EAGAIN && errno != EACCES)
            return false;
        nanosleep(&pause, NULL);
    }
    errno = EAGAIN;
    return false;
}

int folder_lock(const char *folder, bool *busy, struct error *error)
{
    char *path = format_text("%s/lock", folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    bool locked = file >= 0 && lock_file(file);
    *busy = file >= 0 && !locked && errno == EAGAIN;
    if (*busy)
        fail(error, "this sweep is already running: process %ld holds %s; wait for it or end it (kill %ld)",
             (long)lock_owner(file), path, (long)lock_owner(file));
    else if (!locked)
        fail(error, "cannot %s %s: %s", file < 0 ? "write" : "lock", path, strerror(errno));
    else if (!write_owner(file))
        locked = fail(error, "cannot write %s: %s", path, strerror(errno));
    if (!locked && file >= 0)
        close(file);
    free(path);
    return locked ? file : -1;
}

pid_t folder_holder(const char *folder)
{
    char *path = format_text("%s/lock", folder);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    pid_t holder = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        holder = lock_owner(file);
    if (file >= 0)
        close(file);
    free(path);
    return holder;
}

static struct run_result scan_run(const char *folder, const struct run *run)
{
    struct run_result result = {.state = run->skip ? RUN_SKIPPED : RUN_TO_DO, .chosen = true};
    struct error error;
    char commit[64];
    char *path = folder_run_path(folder, run->id), *checkpoint = folder_checkpoint_path(folder, run->id);
    result.resumable = !run->skip && access(checkpoint, F_OK) == 0;
    if (run->skip || access(path, F_OK) != 0)
        goto out;
    if (!store_read_text(path, "/status", result.status, sizeof result.status, &error) ||
        !store_read_text(path, "/provenance/git_commit", commit, sizeof commit, &error)) {
        fprintf(stderr, "bitsweep: %s; the run counts as not done\n", error.text);
        result.status[0] = '\0';
        goto out;
    }
    result.state = strcmp(result.status, "done") == 0 ? RUN_DONE : RUN_FAILED;
    result.stale = result.state == RUN_DONE && strcmp(commit, build_commit()) != 0;
    result.resumable = result.resumable && result.state != RUN_DONE;
out:
    free(checkpoint);
    free(path);
    return result;
}

void folder_scan(const char *folder, const struct plan *plan, struct run_result *results)
{
    for (size_t i = 0; i < plan->count; i++)
        results[i] = scan_run(folder, &plan->runs[i]);
}

static void remove_unfinished(const char *folder, const char *below)
{
    char *path = format_text("%s/%s", folder, below);
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strstr(entry->d_name, ".tmp."))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    free(path);
}

void folder_remove_leftovers(const char *folder, const struct plan *plan, const struct run_result *results)
{
    remove_unfinished(folder, "runs");
    remove_unfinished(folder, "checkpoints");
    for (size_t i = 0; i < plan->count; i++)
        if (results[i].state == RUN_DONE && !results[i].stale)
            folder_remove_checkpoint(folder, plan->runs[i].id);
}
