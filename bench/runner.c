/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keeps the workers busy, waits for what ends, and says so. One thread that waits for signals. */
#include "runner.h"
#include "../results/store.h"
#include "choose.h"
#include "cli.h"
#include "clock.h"
#include "parallel.h"
#include "summary.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NANOSECONDS 250000000L
#define GRACE_SECONDS 30.0      /* between SIGTERM and SIGKILL: a step of a large network, and writing its checkpoint */
#define MOMENT_NANOSECONDS 500000000L /* between the processes of a job when they are told to end */
#define SHARE_TO_EXTRAPOLATE 0.05
#define LISTED_FAILURES 20      /* in the summary; status lists all */

struct worker {
    pid_t pid;                  /* 0 when idle */
    size_t run;
    struct child_job job;
    double started, kill_at;    /* monotonic; kill_at: INFINITY until asked to end */
    bool resumed;               /* from a checkpoint: its time tells nothing of other runs */
    bool timed_out;
    long memory_kills;          /* the kernel's count at the start */
    ino_t old_file;             /* run file before the start, 0 if there was none */
};

struct runner {
    const struct plan *plan;
    const struct run_options *options;
    char *folder;
    struct run_result *results; /* plan->count, like the estimates */
    struct estimate *estimates;
    struct worker *workers;     /* options->jobs */
    struct board *board;
    struct labels labels;
    struct display display;
    sigset_t waited, before;    /* signals that the loop takes; the mask of the caller */
    void (*before_ignored[2])(int); /* see ignored_signals */
    double started, measured_seconds, estimated_seconds; /* of the runs that were done just now */
    int interrupted;            /* the signal, or 0 */
    struct error *error;        /* set: nothing more is started */
};

static struct tally tally(const struct runner *r) { return tally_runs(r->plan, r->results); }

/* ---- showing ---- */

/* Remaining seconds: estimates, scaled by how long things took so far compared with theirs. */
static double remaining_seconds(const struct runner *r)
{
    double now = now_seconds(), measured = r->measured_seconds, estimated = r->estimated_seconds;
    double left = 0, longest = 0;
    for (int w = 0; w < r->options->jobs; w++) {
        const struct worker *worker = &r->workers[w];
        double share = worker->pid && !worker->resumed ? slot_share(worker->job.slot) : 0;
        if (share > SHARE_TO_EXTRAPOLATE) {
            measured += now - worker->started;
            estimated += r->estimates[worker->run].seconds * share;
        }
    }
    double scale = measured > 0 && estimated > 0 ? measured / estimated : 1;
    for (size_t i = 0; i < r->plan->count; i++)
        if (r->results[i].chosen && r->results[i].state == RUN_TO_DO) {
            left += scale * r->estimates[i].seconds;
            longest = fmax(longest, scale * r->estimates[i].seconds);
        }
    for (int w = 0; w < r->options->jobs; w++)
        if (r->workers[w].pid) {
            double rest = scale * r->estimates[r->workers[w].run].seconds * (1 - slot_share(r->workers[w].job.slot));
            left += rest;
            longest = fmax(longest, rest);
        }
    return fmax(left / r->options->jobs, longest);
}

static void show(struct runner *r)
{
    char eta[32];
    struct tally counts = tally(r);
    r->board->eta = remaining_seconds(r);
    format_duration(r->board->eta, eta, sizeof eta);
    char *total = format_text("%s: %zu of %zu done, %zu failed, %zu running, %zu to do, %s%s", r->plan->name,
                              counts.of[RUN_DONE], counts.all, counts.of[RUN_FAILED], counts.of[RUN_RUNNING],
                              counts.of[RUN_TO_DO], r->interrupted ? "stopping" : "ETA ", r->interrupted ? "" : eta);
    if (!r->options->quiet)
        display_draw(&r->display, r->plan, &r->labels, r->board, total);
    free(total);
}

/* The line of a run that just ended. On a terminal the block tells of good ends. */
static void show_end(struct runner *r, size_t index, const char *outcome)
{
    bool good = r->results[index].state == RUN_DONE;
    if (good && (r->options->quiet || r->display.terminal))
        return;
    struct tally counts = tally(r);
    char number[32];
    int width = snprintf(number, sizeof number, "%zu", counts.all);
    char *label = run_label(&r->labels, &r->plan->runs[index]);
    char *line = format_text("[%*zu/%s] %s %s %s  %s", width, counts.of[RUN_DONE] + counts.of[RUN_FAILED],
                             number, r->plan->runs[index].id, label, r->results[index].status, outcome);
    display_line(&r->display, good ? TONE_PLAIN : TONE_BAD, line);
    free(line);
    free(label);
}

/* ---- starting ---- */

static ino_t file_identity(const char *folder, const char *id)
{
    struct stat status;
    char *path = folder_run_path(folder, id);
    ino_t identity = stat(path, &status) == 0 ? status.st_ino : 0;
    free(path);
    return identity;
}

/* How many processes the kernel has killed for memory since it started; 0 where it does not say. */
static long memory_kills(void)
{
    FILE *file = fopen("/proc/vmstat", "r");
    char line[128];
    long kills = 0;
    while (file && fgets(line, sizeof line, file) && sscanf(line, "oom_kill %ld", &kills) != 1)
        continue;
    if (file)
        fclose(file);
    return kills;
}

/* A finished result of earlier is worth more than the news that repeating it failed. */
static bool is_finished(const char *path)
{
    char status[24];
    struct error ignored;
    return access(path, F_OK) == 0 && store_read_text(path, "/status", status, sizeof status, &ignored) &&
           strcmp(status, "done") == 0;
}

static void run_failed(struct runner *r, size_t index, const struct record *record)
{
    char *path = folder_run_path(r->folder, r->plan->runs[index].id);
    struct run_result *result = &r->results[index];
    bool kept = is_finished(path);
    if (!kept && !store_write(path, record, r->error)) {
        result->state = RUN_TO_DO;
    } else {
        result->state = RUN_FAILED;
        snprintf(result->status, sizeof result->status, "%s", record_get_text(record, "/status", "failed"));
        free(result->message);
        result->message = format_text("%s%s", record_get_text(record, "/message", ""),
                                      kept ? " (the earlier result is kept)" : "");
        show_end(r, index, result->message);
    }
    free(path);
}

static void fail_dependent(struct runner *r, size_t index, const struct run *needed)
{
    struct record record = {0};
    char *message = format_text("starts from run %s, which %s", needed->id, needed->skip ? "is skipped" : "failed");
    record_not_started(&record, r->plan, &r->plan->runs[index], message);
    run_failed(r, index, &record);
    record_free(&record);
    free(message);
}

/* The first run in plan order that can start, or plan->count. Runs whose float run failed fail on the way. */
static size_t next_run(struct runner *r)
{
    size_t i = 0;
    for (; i < r->plan->count && !r->error->text[0]; i++) {
        if (!r->results[i].chosen || r->results[i].state != RUN_TO_DO)
            continue;
        int depends = r->plan->runs[i].depends;
        enum run_state needed = depends >= 0 ? r->results[depends].state : RUN_DONE;
        if (needed == RUN_DONE)
            return i;
        if (needed == RUN_FAILED || needed == RUN_SKIPPED)
            fail_dependent(r, i, &r->plan->runs[depends]);
    }
    return r->plan->count;
}

static bool start_worker(struct runner *r, int w, size_t index)
{
    struct worker *worker = &r->workers[w];
    *worker = (struct worker){
        .run = index, .kill_at = INFINITY, .started = now_seconds(), .memory_kills = memory_kills(),
        .resumed = r->results[index].resumable,
        .old_file = file_identity(r->folder, r->plan->runs[index].id),
        .job = {.plan = r->plan, .run = &r->plan->runs[index], .folder = r->folder,
                .slot = &r->board->slots[w], .train = r->options->train, .signals = &r->before,
                .threads = r->options->threads, .checkpoint_seconds = r->options->checkpoint,
                .predicted_memory = r->estimates[index].memory},
    };
    pid_t child = child_start(&worker->job);
    if (child < 0)
        return fail(r->error, "cannot start a process: %s", strerror(errno));
    worker->pid = child;
    r->results[index].state = RUN_RUNNING;
    return true;
}

static void start_workers(struct runner *r)
{
    for (int w = 0; w < r->options->jobs && !r->interrupted; w++) {
        if (r->workers[w].pid)
            continue;
        size_t index = next_run(r);
        if (index == r->plan->count || !start_worker(r, w, index))
            return;
    }
}

/* ---- ending ---- */

static void run_finished(struct runner *r, const struct worker *worker)
{
    struct run_result *result = &r->results[worker->run];
    double seconds = now_seconds() - worker->started, accuracy = worker->job.slot->test_accuracy;
    char duration[32];
    char *path = folder_run_path(r->folder, worker->job.run->id);
    struct error damaged;
    if (!store_read_text(path, "/status", result->status, sizeof result->status, &damaged))
        snprintf(result->status, sizeof result->status, "unreadable");
    free(path);
    result->state = strcmp(result->status, "done") == 0 ? RUN_DONE : RUN_FAILED;
    result->stale = false;
    folder_remove_checkpoint(r->folder, worker->job.run->id);
    if (!worker->resumed) {
        r->measured_seconds += seconds;
        r->estimated_seconds += r->estimates[worker->run].seconds;
    }
    format_duration(seconds, duration, sizeof duration);
    char *outcome = isnan(accuracy) ? xstrdup(duration)
                                    : format_text("test %.2f %%  %s", 100 * accuracy, duration);
    show_end(r, worker->run, outcome);
    free(outcome);
}

static int running(const struct runner *r)
{
    int workers = 0;
    for (int w = 0; w < r->options->jobs; w++)
        workers += r->workers[w].pid != 0;
    return workers;
}

static void ask_to_end(struct worker *worker)
{
    kill(worker->pid, SIGTERM);
    worker->kill_at = fmin(worker->kill_at, now_seconds() + GRACE_SECONDS);
}

/* The first signal asks the workers to end, the second does not wait for them. */
static void interrupt(struct runner *r, int signal_number)
{
    for (int w = 0; w < r->options->jobs; w++)
        if (r->workers[w].pid && r->interrupted)
            kill(r->workers[w].pid, SIGKILL);
        else if (r->workers[w].pid)
            ask_to_end(&r->workers[w]);
    if (r->interrupted) {
        display_close(&r->display);
        _exit(128 + signal_number);
    }
    r->interrupted = signal_number;
    char *line = format_text("bitsweep: SIG%s: ending %d running; a second signal aborts at once",
                             sigabbrev_np(signal_number), running(r));
    display_line(&r->display, TONE_BAD, line);
    free(line);
}

static bool ended_by_sigterm(int wait_status)
{
    return (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM) ||
           (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_STOPPED);
}

static void wait_for_signal(struct runner *r, const sigset_t *signals, long nanoseconds)
{
    const struct timespec pause = {0, nanoseconds};
    int signal_number = sigtimedwait(signals, NULL, &pause);
    if (signal_number > 0 && signal_number != SIGCHLD)
        interrupt(r, signal_number);
}

/* A batch system that ends a job tells each of its processes: a worker may hear it before we do. */
static void listen_for_own_end(struct runner *r)
{
    sigset_t ends = r->waited;
    sigdelset(&ends, SIGCHLD);
    wait_for_signal(r, &ends, MOMENT_NANOSECONDS);
}

static void worker_ended(struct runner *r, struct worker *worker, int wait_status, const struct rusage *usage)
{
    const char *said = worker->job.slot->message;
    bool unwritable = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_UNWRITABLE;
    folder_remove_unfinished(r->folder, worker->job.run->id, worker->pid);
    worker->pid = 0;
    if (ended_by_sigterm(wait_status) && !r->interrupted && !worker->timed_out)
        listen_for_own_end(r);
    bool stopped = r->interrupted && !worker->timed_out && (WIFSIGNALED(wait_status) || ended_by_sigterm(wait_status));
    /* Only a new run file counts: a child may die, or be ended, just after it was written. */
    ino_t file = file_identity(r->folder, worker->job.run->id);
    if (file != 0 && file != worker->old_file) {
        run_finished(r, worker);
    } else if (stopped || unwritable) {
        r->results[worker->run].state = RUN_TO_DO;
        if (unwritable)
            fail(r->error, "%s", said);
    } else {
        struct record record = {0};
        struct ending ending = {
            .wait_status = wait_status, .timeout = worker->timed_out ? r->options->timeout : 0,
            .killed_for_memory = memory_kills() > worker->memory_kills,
            .wall_seconds = now_seconds() - worker->started,
            .usage = *usage,
        };
        record_failure(&record, &worker->job, &ending);
        run_failed(r, worker->run, &record);
        record_free(&record);
    }
    worker->job.slot->id[0] = '\0';
}

static void reap(struct runner *r)
{
    for (int w = 0; w < r->options->jobs; w++) {
        int wait_status;
        struct rusage usage;
        if (r->workers[w].pid && wait4(r->workers[w].pid, &wait_status, WNOHANG, &usage) > 0)
            worker_ended(r, &r->workers[w], wait_status, &usage);
    }
}

static void enforce_limits(struct runner *r)
{
    double now = now_seconds(), timeout = r->options->timeout;
    for (int w = 0; w < r->options->jobs; w++) {
        struct worker *worker = &r->workers[w];
        if (!worker->pid)
            continue;
        if (now >= worker->kill_at) {
            kill(worker->pid, SIGKILL);
        } else if (timeout > 0 && now >= worker->started + timeout && isinf(worker->kill_at)) {
            worker->timed_out = true;
            ask_to_end(worker);
        }
    }
}

static void run_all(struct runner *r)
{
    for (;;) {
        start_workers(r);
        if (running(r) == 0)
            break;
        show(r);
        wait_for_signal(r, &r->waited, WAIT_NANOSECONDS);
        reap(r);
        enforce_limits(r);
    }
}

/* ---- the whole ---- */

static void summarise(const struct runner *r)
{
    struct tally counts = tally(r);
    char duration[32];
    format_duration(now_seconds() - r->started, duration, sizeof duration);
    fprintf(stderr, "%s: %zu of %zu runs done, %zu failed, %zu skipped, %zu to do (%s); results in %s/runs\n",
            r->plan->name, counts.of[RUN_DONE], counts.all, counts.of[RUN_FAILED], counts.of[RUN_SKIPPED],
            counts.of[RUN_TO_DO], duration, r->folder);
    print_skips(stderr, r->plan, r->results);
    print_failures(stderr, r->folder, r->plan, r->results, &r->labels, LISTED_FAILURES);
    if (counts.of[RUN_TO_DO] > 0)
        fprintf(stderr, "continue with: %s\n", r->options->command);
    else if (counts.of[RUN_FAILED] > 0)
        fprintf(stderr, "repeat the failed runs with: %s%s\n", r->options->command, r->options->retry ? "" : " --retry");
}

static void announce(const struct runner *r)
{
    struct tally counts = tally(r);
    if (r->options->quiet)
        return;
    char *continued = counts.resumable ? format_text(" (%zu from a checkpoint)", counts.resumable) : xstrdup("");
    fprintf(stderr, "%s: %zu runs to do%s, %zu done, %zu failed before, %zu skipped; %d worker%s\n",
            r->plan->name, counts.of[RUN_TO_DO], continued, counts.of[RUN_DONE], counts.of[RUN_FAILED],
            counts.of[RUN_SKIPPED], r->options->jobs, r->options->jobs == 1 ? "" : "s");
    free(continued);
}

/* A sweep outlives the reader of its messages, and a file that may not grow further is an error like a full disk. */
static const int ignored_signals[] = {SIGPIPE, SIGXFSZ};
enum { IGNORED_SIGNALS = sizeof ignored_signals / sizeof *ignored_signals };

/* nohup keeps its promise; SIGINT and SIGTERM are taken even if a shell started us with them ignored. */
static void take_signals(struct runner *r)
{
    struct sigaction hangup;
    sigaction(SIGHUP, NULL, &hangup);
    sigemptyset(&r->waited);
    sigaddset(&r->waited, SIGCHLD);
    sigaddset(&r->waited, SIGINT);
    sigaddset(&r->waited, SIGTERM);
    if (hangup.sa_handler != SIG_IGN)
        sigaddset(&r->waited, SIGHUP);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would lose the children's ends */
    for (size_t i = 0; i < IGNORED_SIGNALS; i++)
        r->before_ignored[i] = signal(ignored_signals[i], SIG_IGN);
    sigprocmask(SIG_BLOCK, &r->waited, &r->before);
}

static void give_signals_back(const struct runner *r)
{
    sigprocmask(SIG_SETMASK, &r->before, NULL);
    for (size_t i = 0; i < IGNORED_SIGNALS; i++)
        signal(ignored_signals[i], r->before_ignored[i]);
}

static int run_locked(struct runner *r)
{
    char *progress = format_text("%s/progress", r->folder);
    int code = EXIT_TROUBLE;
    folder_scan(r->folder, r->plan, r->results);
    folder_remove_leftovers(r->folder, r->plan, r->results);
    if (!choose_runs(r->plan, r->options, r->results, r->error)) {
        code = EXIT_USAGE;
        goto out;
    }
    r->board = board_create(progress, r->options->jobs, r->error);
    if (!r->board)
        goto out;
    announce(r);
    take_signals(r);
    run_all(r);
    display_close(&r->display);
    summarise(r);
    unlink(progress);
    give_signals_back(r);
    if (r->interrupted)
        code = 128 + r->interrupted;
    else if (!r->error->text[0])
        code = tally(r).of[RUN_FAILED] > 0 ? EXIT_SOME_FAILED : EXIT_DONE;
out:
    board_close(r->board);
    free(progress);
    return code;
}

int runner_run(const struct plan *plan, const struct run_options *options, struct error *error)
{
    size_t slots = plan->count + 1; /* never an allocation of nothing */
    struct runner r = {
        .plan = plan, .options = options, .error = error, .started = now_seconds(),
        .folder = folder_path(options->results, plan), .labels = labels_of(plan),
        .results = xcalloc(slots, sizeof *r.results), .estimates = xcalloc(slots, sizeof *r.estimates),
        .workers = xcalloc((size_t)options->jobs, sizeof *r.workers),
    };
    int code = EXIT_TROUBLE;
    error->text[0] = '\0';
    display_open(&r.display, stderr);
    if (folder_create(r.folder, error)) {
        bool busy;
        int lock = folder_lock(r.folder, &busy, error);
        if (lock >= 0) {
            parallel_use((size_t)options->threads); /* each has memory of its own */
            plan_estimate(plan, options->results, r.estimates);
            parallel_use(1);
            code = run_locked(&r);
            close(lock);
        } else if (busy) {
            code = EXIT_USAGE;
        }
    }
    for (size_t i = 0; i < plan->count; i++)
        free(r.results[i].message);
    free(r.workers);
    free(r.estimates);
    free(r.results);
    free(r.folder);
    labels_free(&r.labels);
    return code;
}
