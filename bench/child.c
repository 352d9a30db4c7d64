/* SPDX-License-Identifier: GPL-3.0-or-later
 * The child side of a run, and the record of one that failed. */
#include "child.h"
#include "../results/store.h"
#include "clock.h"
#include "folder.h"
#include "parallel.h"
#include "plugins.h"
#include "version.h"
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- what the runner adds to a record ---- */

static void record_identity(struct record *record, const struct run *run)
{
    record_text(record, "/id", run->id, "run id: start of the SHA-256 of /canonical");
    record_text(record, "/canonical", run->canonical, "text that the id is the hash of");
    for (size_t i = 0; i < run->settings.count; i++) {
        const struct setting *setting = &run->settings.items[i];
        char *path = format_text("/settings/%s", setting->param->name);
        record_text(record, path, setting->value, setting->param->help ? setting->param->help : "");
        free(path);
    }
}

static void record_origin(struct record *record, const struct plan *plan, time_t started)
{
    struct utsname host;
    struct tm utc;
    char time_text[32];
    uname(&host);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&started, &utc));
    char *kernel = format_text("%s %s", host.sysname, host.release);
    record_build(record);
    record_text(record, "/provenance/started", time_text, "when the run started or was last continued, UTC");
    record_text(record, "/provenance/kernel", kernel, "operating system kernel and its release");
    record_text(record, "/provenance/sweep", plan->name, "sweep that made the run");
    free(kernel);
}

/* Adds this process to those from whose checkpoints it went on. */
static void record_process(struct record *record, double wall_seconds, const struct rusage *usage)
{
    double cpu_seconds = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
                         1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
    record_real(record, "/timing/wall_seconds", wall_seconds + record_get_real(record, "/timing/wall_seconds", 0), "s",
                "from the start of the run's process to its end, all processes together if it was continued");
    record_real(record, "/timing/cpu_seconds", cpu_seconds + record_get_real(record, "/timing/cpu_seconds", 0), "s",
                "user and system time of the same processes");
    record_real(record, "/timing/peak_memory_bytes", 1024.0 * (double)usage->ru_maxrss, "byte",
                "largest resident size of the last of them");
}

/* ---- in the child ---- */

static void show_progress(void *context, const struct progress_report *report)
{
    struct slot *slot = context;
    slot->step = report->step;
    slot->steps = report->steps;
    slot->epoch = report->epoch;
    slot->epochs = report->epochs;
    slot->loss = report->loss;
}

static volatile sig_atomic_t told_to_stop;
static void note_stop(int signal_number) { told_to_stop = signal_number; }

/* Asked after every step. Until the first one there is nothing to keep, and SIGTERM ends the process at once. */
static bool stopping(void *context)
{
    (void)context;
    signal(SIGTERM, note_stop);
    return told_to_stop != 0;
}

/* One line that differs whenever the rest of a run could differ by a bit: the run, this build, its libraries, this machine.
 * The build is that of the file that runs, since a commit with local changes does not say which. free() it. */
static char *state_identity(const struct run *run)
{
    struct record build = {0};
    struct stat program = {0};
    SHA2_CTX sum;
    char digest[SHA256_DIGEST_STRING_LENGTH];
    record_build(&build);
    stat("/proc/self/exe", &program);
    SHA256Init(&sum);
    for (size_t i = 0; i < build.count; i++) {
        const char *text = record_get_text(&build, build.fields[i].path, "");
        SHA256Update(&sum, (const uint8_t *)text, strlen(text) + 1);
    }
    SHA256Update(&sum, (const uint8_t *)gnu_get_libc_version(), strlen(gnu_get_libc_version()) + 1); /* exp, log */
    SHA256Update(&sum, (const uint8_t *)&program.st_size, sizeof program.st_size);
    SHA256Update(&sum, (const uint8_t *)&program.st_mtim.tv_sec, sizeof program.st_mtim.tv_sec);
    SHA256End(&sum, digest);
    record_free(&build);
    return format_text("run %s, build %s", run->id, digest);
}

/* The log gets the sentence too; the slot reaches the parent even when the disk is full. */
static _Noreturn void give_up(struct slot *slot, int code, const char *message)
{
    snprintf(slot->message, sizeof slot->message, "%s", message);
    fprintf(stderr, "bitsweep: %s\n", message);
    fflush(NULL);
    _exit(code);
}

/* A parent that died before the request to die with it is noticed by its absence. */
static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

/* In a process group of its own, for Ctrl-C is the parent's business. */
static void detach(const sigset_t *signals)
{
    static const int reset[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE};
    setpgid(0, 0);
    for (size_t i = 0; i < sizeof reset / sizeof *reset; i++)
        signal(reset[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, signals, NULL);
}

/* When memory runs out, the kernel shall choose a worker rather than the parent. */
static void volunteer_for_memory(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY);
    if (file < 0)
        return;
    if (write(file, "500", 3) != 3)
        fputs("bitsweep: cannot raise oom_score_adj\n", stderr);
    close(file);
}

static void redirect_output(const struct child_job *job)
{
    char *path = folder_log_path(job->folder, job->run->id);
    int input = open("/dev/null", O_RDONLY);
    char *state = folder_checkpoint_path(job->folder, job->run->id);
    int anew = access(state, F_OK) == 0 ? 0 : O_TRUNC; /* a run that goes on keeps what it printed before */
    int log = open(path, O_WRONLY | O_CREAT | anew | O_APPEND, 0666);
    free(state);
    if (log < 0 || input < 0) {
        char *message = format_text("cannot write %s: %s", path, strerror(errno));
        snprintf(job->slot->message, sizeof job->slot->message, "%s", message);
        _exit(EXIT_UNWRITABLE);
    }
    dup2(input, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(input);
    close(log);
    free(path);
}

/* What training filled becomes the run file. */
static void write_run(const struct child_job *job, struct record *record, double start, time_t started)
{
    struct rusage usage;
    struct error error;
    record_identity(record, job->run);
    record_origin(record, job->plan, started);
    record_plugins(record, &job->run->settings);
    record_int(record, "/provenance/threads", job->threads, "", "threads of the run");
    record_real(record, "/timing/predicted_memory_bytes", job->predicted_memory, "byte",
                "peak memory as predicted before the run");
    getrusage(RUSAGE_SELF, &usage);
    record_process(record, now_seconds() - start, &usage);
    job->slot->test_accuracy = record_get_real(record, "/metrics/test_accuracy", NAN);
    char *path = folder_run_path(job->folder, job->run->id);
    if (!store_write(path, record, &error))
        give_up(job->slot, EXIT_UNWRITABLE, error.text);
    free(path);
    folder_remove_checkpoint(job->folder, job->run->id);
}

static _Noreturn void child_main(const struct child_job *job)
{
    const struct run *run = job->run;
    double start = now_seconds();
    time_t started = time(NULL);
    struct record record = {0}, initial = {0};
    struct error error = {""};
    char *state = folder_checkpoint_path(job->folder, run->id), *identity = state_identity(run);
    const struct checkpoint checkpoint = {state, identity, job->checkpoint_seconds};
    struct train_hooks hooks = {
        .progress = show_progress, .stopping = stopping, .context = job->slot, .checkpoint = &checkpoint};
    parallel_use((size_t)job->threads);

    if (run->depends >= 0) {
        char *path = folder_run_path(job->folder, job->plan->runs[run->depends].id);
        if (!store_read(path, &initial, &error))
            give_up(job->slot, EXIT_FAILURE, error.text);
        hooks.initial = &initial;
        free(path);
    }
    if (!job->train(&run->settings, &hooks, &record, &error))
        give_up(job->slot, EXIT_FAILURE, error.text);
    bool stopped = strcmp(record_get_text(&record, "/status", ""), "stopped") == 0;
    if (!stopped)
        write_run(job, &record, start, started);
    record_free(&record);
    record_free(&initial);
    free(state);
    free(identity);
    fflush(NULL);
    _exit(stopped ? EXIT_STOPPED : EXIT_SUCCESS);
}

pid_t child_start(const struct child_job *job)
{
    pid_t parent = getpid();
    *job->slot = (struct slot){.test_accuracy = NAN};
    snprintf(job->slot->id, sizeof job->slot->id, "%s", job->run->id);
    fflush(NULL); /* else the child would write what waits in the parent's buffers once more */
    pid_t child = fork();
    if (child == 0) {
        job->slot->pid = getpid(); /* before the first step that the slot tells of */
        die_with_parent(parent);
        detach(job->signals);
        redirect_output(job);
        volunteer_for_memory();
        child_main(job);
    }
    if (child < 0)
        job->slot->id[0] = '\0';
    return child;
}

/* ---- what the end of a child means ---- */

/* A log may hold anything; a message is printable. */
static void keep_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

/* The last line of the log that is not empty and no mere note; "" if there is none. */
static void last_log_line(const char *path, char *line, size_t size)
{
    char tail[4096];
    line[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fseek(file, -(long)(sizeof tail - 1), SEEK_END) != 0)
        rewind(file);
    size_t count = fread(tail, 1, sizeof tail - 1, file);
    fclose(file);
    tail[count] = '\0';
    char *rest = NULL;
    for (char *part = strtok_r(tail, "\r\n", &rest); part; part = strtok_r(NULL, "\r\n", &rest))
        if (part[strspn(part, " \t")] != '\0' && strncmp(part, "bitsweep: note: ", 16) != 0)
            snprintf(line, size, "%s", strncmp(part, "bitsweep: ", 10) == 0 ? part + 10 : part);
    keep_printable(line);
}

static char *with_reason(char *what, const char *reason)
{
    char *text = reason[0] ? format_text("%s: %s", what, reason) : xstrdup(what);
    free(what);
    return text;
}

/* Sets the status and returns the message, free() it. */
static char *explain(const struct child_job *job, const struct ending *ending, const char **status)
{
    int wait_status = ending->wait_status;
    int signal_number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    char duration[32], reason[sizeof job->slot->message];
    char *log = folder_log_path(job->folder, job->run->id);
    snprintf(reason, sizeof reason, "%s", job->slot->message);
    if (!reason[0])
        last_log_line(log, reason, sizeof reason);
    free(log);

    *status = "failed";
    if (ending->timeout > 0) {
        *status = "timeout";
        format_duration(ending->timeout, duration, sizeof duration);
        return format_text("took longer than %s", duration);
    }
    if (signal_number == SIGKILL && ending->killed_for_memory) {
        *status = "out-of-memory";
        return xstrdup("killed by the kernel because memory ran out");
    }
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_STOPPED) {
        *status = "signal";
        return xstrdup("ended by SIGTERM; bitsweep run --retry continues it");
    }
    if (signal_number != 0) {
        const char *name = sigabbrev_np(signal_number);
        *status = "signal";
        return with_reason(format_text("killed by signal %d (SIG%s)", signal_number, name ? name : "?"),
                           reason);
    }
    if (WEXITSTATUS(wait_status) == EXIT_MEMORY) {
        *status = "out-of-memory";
        return with_reason(xstrdup("an allocation failed"), reason);
    }
    return reason[0] ? xstrdup(reason)
                     : format_text("exit status %d without a result", WEXITSTATUS(wait_status));
}

static void record_end(struct record *record, const struct plan *plan, const struct run *run,
                       const char *status, const char *message, double seconds_ago)
{
    record_text(record, "/status", status, "how the run ended");
    record_text(record, "/message", message, "why it failed");
    record_identity(record, run);
    record_origin(record, plan, time(NULL) - (time_t)seconds_ago);
}

void record_failure(struct record *record, const struct child_job *job, const struct ending *ending)
{
    const char *status;
    char *message = explain(job, ending, &status);
    record_end(record, job->plan, job->run, status, message, ending->wall_seconds);
    record_process(record, ending->wall_seconds, &ending->usage);
    free(message);
}

void record_not_started(struct record *record, const struct plan *plan, const struct run *run,
                        const char *message)
{
    record_end(record, plan, run, "failed", message, 0);
    record_process(record, 0, &(struct rusage){0});
}
