/* SPDX-License-Identifier: GPL-3.0-or-later
 * A sweep that is killed at random moments, resumed each time, and compared with one that was left alone. */
#include "../bench/cli.h"
#include "../bench/folder.h"
#include "../bench/progress.h"
#include "../bench/version.h"
#include "../results/store.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct command cmd_run, cmd_status;

/* 2 modes × 2 budgets × 3 seeds from a trained start, and the 3 float runs that gives it. */
static const char sweep_text[] =
    "dataset: synthetic\n"
    "samples: 400\n"
    "model: mlp\n"
    "hidden: 16\n"
    "epochs: 2\n"
    "batch: 32\n"
    "init: float\n"
    "mode: [fqt, hfqt]\n"
    "allocator: uniform\n"
    "budget: [3, 4.5]\n"
    "seed: [1, 2, 3]\n";

/* Fewer runs that are long enough to be killed and continued several times each. */
static const char long_text[] =
    "dataset: synthetic\n"
    "samples: 400\n"
    "model: mlp\n"
    "hidden: 16\n"
    "epochs: 150\n"
    "batch: 32\n"
    "tau: 50\n"
    "budget: 3.5\n"
    "blocks:\n"
    "  - {mode: [fp, fqt, hfqt], allocator: [dq, qbitopt]}\n"
    "  - {mode: fqt, allocator: uniform, init: float}\n";

static char *folder;
static struct plan plan;

static void use_sweep(const char *text)
{
    struct error error;
    plan_free(&plan);
    free(write_file(folder, "crash.yaml", text));
    cr_assert(plan_load("crash.yaml", NULL, 0, &plan, &error), "%s", error.text);
}

static void set_up(void)
{
    folder = temporary_folder();
    cr_assert_eq(chdir(folder), 0); /* results go to ./results */
    use_sweep(sweep_text);
    /* Orphans become children of this process, so it can tell when none is left. */
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void tear_down(void)
{
    plan_free(&plan);
    cr_assert_eq(chdir("/"), 0);
    remove_folder(folder);
}

TestSuite(crash, .init = set_up, .fini = tear_down);

/* ---- the program in a process ---- */

static const char *const log_name = "stderr";

static pid_t start(const struct command *command, const char *const *arguments, const char *output)
{
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    char *argv[16] = {(char *)(uintptr_t)command->name, "crash.yaml"};
    int argc = 2;
    for (; arguments && *arguments; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    int file = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0666);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    int code = command->run(argc, argv);
    fflush(NULL);
    _exit(code);
}

static int end_of(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static char *read_text(const char *path)
{
    static char text[32768];
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[size] = '\0';
    if (file)
        fclose(file);
    return text;
}

static int run_to_end(const char *const *arguments)
{
    int code = end_of(start(&cmd_run, arguments, log_name));
    cr_expect_geq(code, 0, "killed by signal %d: %s", -code, read_text(log_name));
    return code;
}

/* Hangs, and so fails by its time limit, while workers of a dead sweep live on. */
static void expect_no_orphans(void)
{
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    cr_expect_eq(errno, ECHILD);
}

/* ---- what is on disk ---- */

static bool is_done(size_t index)
{
    char status[24];
    struct error error;
    char *path = folder_run_path("results/crash", plan.runs[index].id);
    bool done = access(path, F_OK) == 0;
    if (done) {
        cr_assert(store_read_text(path, "/status", status, sizeof status, &error), "%s", error.text);
        done = strcmp(status, "done") == 0;
    }
    free(path);
    return done;
}

/* Every run that was done, or that the program said was done, still is. */
static size_t expect_nothing_lost(bool *done)
{
    size_t count = 0;
    char *said = read_text(log_name);
    for (size_t i = 0; i < plan.count; i++) {
        char *line = strstr(said, plan.runs[i].id), *end = line ? strchr(line, '\n') : NULL;
        char *word = line ? strstr(line, " done ") : NULL;
        bool acknowledged = word && end && word < end, now = is_done(i);
        cr_expect(now || !done[i], "run %s is lost", plan.runs[i].id);
        cr_expect(now || !acknowledged, "run %s was said to be done and is not", plan.runs[i].id);
        done[i] = now;
        count += now;
    }
    return count;
}

/* Two finished sweeps of the same plan hold bit for bit the same content. Returns how many times the runs on the right were
 * continued from checkpoints. */
static long expect_equal(const char *left, const char *right)
{
    long resumed = 0;
    for (size_t i = 0; i < plan.count; i++) {
        struct record a = {0}, b = {0};
        struct error error;
        char *left_path = folder_run_path(left, plan.runs[i].id);
        char *right_path = folder_run_path(right, plan.runs[i].id);
        cr_assert(store_read(left_path, &a, &error), "%s", error.text);
        cr_assert(store_read(right_path, &b, &error), "%s", error.text);
        cr_expect_gt(expect_same_content(&a, &b), 10, "hardly anything to compare");
        cr_expect_str_eq(record_get_text(&a, "/status", ""), "done");
        resumed += (long)record_get_real(&b, "/provenance/resumed", 0);
        record_free(&a);
        record_free(&b);
        free(left_path);
        free(right_path);
    }
    return resumed;
}

static void rename_sweep(const char *to)
{
    char *path = format_text("results/%s", to);
    cr_assert_eq(rename("results/crash", path), 0);
    free(path);
}

static void remove_sweep(void)
{
    remove_folder(xstrdup("results/crash"));
}

/* ---- killing ---- */

/* A process of the sweep that is to die: mostly the parent, else one of its workers. */
static pid_t victim(pid_t parent, uint64_t key, uint64_t draw)
{
    pid_t chosen = parent;
    struct board *board = board_read("results/crash/progress");
    if (board && rng_uniform(key, draw) < 0.4) {
        const struct slot *slot = &board->slots[rng_bits(key, draw + 1) % (uint64_t)board->slot_count];
        if (slot->id[0] && slot->pid > 0)
            chosen = slot->pid;
    }
    free(board);
    return chosen;
}

static bool has_ended(pid_t child, int *code)
{
    int status;
    if (waitpid(child, &status, WNOHANG) != child)
        return false;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return true;
}

/* Some worker has done a step; a killed sweep leaves its board behind. */
static bool is_training(void)
{
    struct board *board = board_read("results/crash/progress");
    bool training = false;
    for (int i = 0; board && i < board->slot_count; i++)
        training = training || (board->slots[i].id[0] && board->slots[i].step > 0 && kill(board->slots[i].pid, 0) == 0);
    free(board);
    return training;
}

/* By this signal at any time, or if it is 0 by SIGKILL and SIGTERM in turn while runs are training. Returns how many times
 * runs were continued from checkpoints. */
static long kill_many_times(int kills, int signal_number, uint64_t seed)
{
    static const char *const again[] = {"-j", "2", "--retry", "--checkpoint", "0.02", NULL};
    long resumed = 0;
    uint64_t key = rng_key(seed, STREAM_DATA, 0, 0), draw = 0;
    bool *done = xcalloc(plan.count, sizeof *done);
    int sweeps = 0;

    cr_assert_eq(run_to_end(NULL), EXIT_DONE, "%s", read_text(log_name));
    rename_sweep("whole");
    for (int killed = 0; killed < kills;) {
        pid_t parent = start(&cmd_run, again, log_name);
        int code = 0;
        bool ended = false;
        while (!ended && killed < kills) {
            ended = has_ended(parent, &code);
            while (signal_number == 0 && !ended && !is_training()) {
                usleep(1000);
                ended = has_ended(parent, &code);
            }
            usleep((useconds_t)(1000 + 60000 * rng_uniform(key, draw)));
            ended = ended || has_ended(parent, &code);
            if (!ended) {
                pid_t chosen = victim(parent, key, draw + 1);
                kill(chosen, signal_number ? signal_number : killed % 2 ? SIGTERM : SIGKILL);
                killed++;
                if (chosen == parent)
                    break;
            }
            draw += 3;
        }
        if (!ended)
            code = end_of(parent);
        expect_no_orphans();
        bool complete = expect_nothing_lost(done) == plan.count;
        cr_expect((code == EXIT_DONE && complete) || code == EXIT_SOME_FAILED || code == -SIGKILL ||
                      code == 128 + SIGTERM || code == -SIGTERM,
                  "exit code %d: %s", code, read_text(log_name));
        if (complete) {
            resumed += expect_equal("results/whole", "results/crash");
            remove_sweep();
            memset(done, 0, plan.count * sizeof *done);
            sweeps++;
        }
    }
    cr_assert_eq(run_to_end(again), EXIT_DONE, "%s", read_text(log_name));
    resumed += expect_equal("results/whole", "results/crash");
    fprintf(stderr, "crash: %d kills over %d sweeps, %ld times continued\n", kills, sweeps + 1, resumed);
    free(done);
    return resumed;
}

/* ---- tests ---- */

Test(crash, kills_lose_nothing_and_change_nothing, .timeout = 120)
{
    kill_many_times(15, SIGKILL, 2);
}

Test(crash, runs_go_on_from_checkpoints_as_if_nothing_had_happened, .timeout = 120)
{
    use_sweep(long_text);
    cr_expect_gt(kill_many_times(12, 0, 4), 4, "hardly a run was continued");
}

Test(crash, soak_of_kills, .timeout = 1200)
{
    if (!getenv("BITSWEEP_LONG"))
        return; /* make check-long sets it */
    kill_many_times(150, SIGKILL, 3);
    remove_folder(xstrdup("results"));
    use_sweep(long_text);
    cr_expect_gt(kill_many_times(300, 0, 5), 60, "hardly a run was continued");
}

Test(crash, worker_count_does_not_change_content, .timeout = 240)
{
    static const char *const one[] = {"-j", "1", "--quiet", NULL}, *const four[] = {"-j4", NULL};
    cr_assert_eq(run_to_end(one), EXIT_DONE, "%s", read_text(log_name));
    rename_sweep("one");
    cr_assert_eq(run_to_end(four), EXIT_DONE, "%s", read_text(log_name));
    expect_equal("results/one", "results/crash");
}

/* Waits until the sweep shows a busy worker. */
static void wait_until_busy(void)
{
    for (int i = 0; i < 2000; i++) {
        struct board *board = board_read("results/crash/progress");
        bool busy = board && board->slots[0].id[0];
        free(board);
        if (busy)
            return;
        usleep(1000);
    }
    cr_assert_fail("no worker became busy: %s", read_text(log_name));
}

static void expect_interruption(int signal_number)
{
    bool *done = xcalloc(plan.count, sizeof *done);
    pid_t parent = start(&cmd_run, NULL, log_name);
    wait_until_busy();
    kill(parent, signal_number);
    cr_expect_eq(end_of(parent), 128 + signal_number);
    expect_no_orphans();
    char *said = read_text(log_name);
    cr_expect(strstr(said, "continue with: bitsweep run crash.yaml"), "%s", said);
    cr_expect_lt(expect_nothing_lost(done), plan.count, "interrupted too late to show anything");
    for (size_t i = 0; i < plan.count; i++) {
        char *path = folder_run_path("results/crash", plan.runs[i].id);
        cr_expect(done[i] || access(path, F_OK) != 0, "an interrupted run is to do, not failed");
        free(path);
    }
    cr_expect_eq(run_to_end(NULL), EXIT_DONE, "%s", read_text(log_name));
    cr_expect_eq(expect_nothing_lost(done), plan.count);
    free(done);
}

Test(crash, sigint_leaves_a_sweep_that_continues, .timeout = 60)
{
    expect_interruption(SIGINT);
}

Test(crash, sigterm_leaves_a_sweep_that_continues, .timeout = 60)
{
    expect_interruption(SIGTERM);
}

Test(crash, status_tells_from_outside_how_it_stands, .timeout = 60)
{
    static const char *const json[] = {"--format", "json", NULL};
    pid_t parent = start(&cmd_run, NULL, log_name);
    wait_until_busy();
    kill(parent, SIGSTOP); /* so that it cannot finish while we look */
    cr_expect_eq(end_of(start(&cmd_status, json, "status")), EXIT_DONE);
    char *holder = format_text("\"process\":\t%ld", (long)parent);
    cr_expect(strstr(read_text("status"), holder), "%s", read_text("status"));
    kill(parent, SIGCONT);
    cr_expect_eq(end_of(parent), EXIT_DONE);
    cr_expect_eq(end_of(start(&cmd_status, NULL, "status")), EXIT_DONE);
    cr_expect(strstr(read_text("status"), "not running"), "%s", read_text("status"));
    char *all = format_text("done     %5zu", plan.count);
    cr_expect(strstr(read_text("status"), all), "%s", read_text("status"));
    free(all);
    free(holder);
}
