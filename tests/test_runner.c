/* SPDX-License-Identifier: GPL-3.0-or-later
 * The runner, with runs that only pretend to train: how they end hangs on their seed. */
#include "../bench/cli.h"
#include "../results/store.h"
#include "pretended_runs.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(runner, .init = set_up, .fini = tear_down);

Test(runner, finished_runs_are_complete_and_never_repeated)
{
    for (int i = 0; i < 6; i++)
        add_run("good", -1, NULL);
    add_run("good", -1, "budget 1 is below 2 bits");
    cr_assert_eq(run_with((struct run_options){0}), EXIT_DONE);
    cr_assert_eq(started(), 6);
    cr_expect(strstr(said, "[6/6]"), "%s", said);
    cr_expect(strstr(said, "done  test 88.41 %"), "%s", said);
    cr_expect(strstr(said, "skipped 1: budget 1 is below 2 bits"), "%s", said);

    for (size_t i = 0; i < 6; i++) {
        struct record record;
        cr_assert(read_run(i, &record), "run %zu has no file", i);
        cr_expect_str_eq(record_get_text(&record, "/id", ""), plan.runs[i].id);
        cr_expect_str_eq(record_get_text(&record, "/canonical", ""), plan.runs[i].canonical);
        cr_expect_str_eq(record_get_text(&record, "/settings/seed", ""),
                         setting_text(&plan.runs[i].settings, "seed"));
        cr_expect_eq(strlen(record_get_text(&record, "/provenance/started", "")),
                     strlen("2026-01-01T00:00:00Z"));
        cr_expect_str_eq(record_get_text(&record, "/provenance/sweep", ""), "fake");
        cr_expect_eq(strncmp(record_get_text(&record, "/provenance/kernel", ""), "Linux ", 6), 0);
        cr_expect_gt(record_get_real(&record, "/timing/wall_seconds", -1), 0);
        cr_expect_geq(record_get_real(&record, "/timing/cpu_seconds", -1), 0);
        cr_expect_gt(record_get_real(&record, "/timing/peak_memory_bytes", -1), 1e5);
        cr_expect_gt(record_get_real(&record, "/timing/predicted_memory_bytes", -1), 1e5);
        record_free(&record);
    }

    cr_expect_eq(run_with((struct run_options){.retry = true, .redo_stale = true}), EXIT_DONE);
    cr_expect_eq(started(), 6, "finished runs were repeated");
}

Test(runner, every_way_to_fail_is_told_apart_and_ends_nothing)
{
    static const struct { const char *end, *status, *message; } cases[] = {
        {"good", "done", ""},
        {"refuse", "failed", "data set nowhere is absent"},
        {"exit", "failed", "layer 3 has no rows"},
        {"exit0", "failed", "without a result"},
        {"abort", "signal", "signal 6 (SIGABRT)"},
        {"kill", "signal", "signal 9 (SIGKILL)"},
        {"memory", "out-of-memory", ""},
        {"hang", "timeout", "took longer than 1.0 s"},
        {"diverge", "diverged", "not finite"},
        {"good", "done", ""},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    for (size_t i = 0; i < CASES; i++)
        add_run(cases[i].end, -1, NULL);
    cr_expect_eq(run_with((struct run_options){.timeout = 1, .quiet = true}), EXIT_SOME_FAILED);
    cr_expect_eq(last_error.text[0], '\0');
    for (size_t i = 0; i < CASES; i++)
        expect(i, cases[i].status, cases[i].message);
    cr_expect(exists("results/fake/logs/c000000000000002.log"), "a failed run keeps its log");
    cr_expect(strstr(said, "/logs/c000000000000002.log"), "%s", said);
    cr_expect(strstr(said, "fake: 2 of 10 runs done, 8 failed"), "%s", said);
    cr_expect_not(strstr(said, " done  test"), "--quiet shows only failures");

    size_t before = started();
    cr_expect_eq(run_with((struct run_options){.timeout = 1}), EXIT_SOME_FAILED);
    cr_expect_eq(started(), before, "failed runs are repeated only on request");
    cr_expect(strstr(said, "data set nowhere is absent"), "earlier failures are listed too: %s", said);
    cr_expect_eq(run_with((struct run_options){.timeout = 1, .retry = true}), EXIT_SOME_FAILED);
    cr_expect_eq(started(), before + 8);
}

Test(runner, retry_makes_a_failed_run_good)
{
    add_run("once", -1, NULL);
    cr_expect_eq(run_with((struct run_options){0}), EXIT_SOME_FAILED);
    expect(0, "failed", "the first time it fails");
    cr_expect_eq(run_with((struct run_options){.retry = true}), EXIT_DONE);
    expect(0, "done", "");
}

Test(runner, a_run_gets_the_record_of_the_run_it_starts_from)
{
    add_run("good", -1, NULL);
    add_run("needs", 0, NULL);
    add_run("needs", 0, NULL);
    add_run("refuse", -1, NULL);
    add_run("needs", 3, NULL);
    cr_expect_eq(run_with((struct run_options){.jobs = 4}), EXIT_SOME_FAILED);
    expect(1, "done", "");
    expect(2, "done", "");
    expect(4, "failed", "starts from run d000000000000003, which failed");
    cr_expect_eq(started(), 4, "a run without its float run must not start");
}

Test(runner, only_takes_beginnings_of_ids_and_what_they_need)
{
    for (int i = 0; i < 7; i++)
        add_run(i == 2 ? "needs" : "good", i == 2 ? 1 : -1, NULL);
    cr_expect_eq(run_with((struct run_options){.only = "c"}), EXIT_DONE);
    cr_expect_eq(started(), 2);
    expect(1, "done", "");
    expect(2, "done", "");
    expect(0, "", "");
    cr_expect_eq(run_with((struct run_options){.only = "d,a0000000000000"}), EXIT_USAGE);
    cr_expect(strstr(last_error.text, "several runs begin so"), "%s", last_error.text);
    cr_expect_eq(run_with((struct run_options){.only = "d,xyz"}), EXIT_USAGE);
    cr_expect(strstr(last_error.text, "xyz: no run"), "%s", last_error.text);
    cr_expect_eq(started(), 2);
}

static void pretend_other_commit(size_t index)
{
    struct record record;
    struct error error;
    char *sweep = sweep_folder(), *path = folder_run_path(sweep, plan.runs[index].id);
    cr_assert(read_run(index, &record));
    record_text(&record, "/provenance/git_commit", "0123456789", "");
    cr_assert(store_write(path, &record, &error), "%s", error.text);
    record_free(&record);
    free(path);
    free(sweep);
}

Test(runner, runs_of_another_commit_are_repeated_on_request_only)
{
    add_run("good", -1, NULL);
    add_run("good", -1, NULL);
    cr_assert_eq(run_with((struct run_options){0}), EXIT_DONE);
    pretend_other_commit(1);
    struct run_result results[2];
    char *sweep = sweep_folder();
    folder_scan(sweep, &plan, results);
    cr_expect_not(results[0].stale);
    cr_expect(results[1].stale);
    cr_expect_eq(run_with((struct run_options){.retry = true}), EXIT_DONE);
    cr_expect_eq(started(), 2);
    cr_expect_eq(run_with((struct run_options){.redo_stale = true}), EXIT_DONE);
    cr_expect_eq(started(), 3);
    folder_scan(sweep, &plan, results);
    cr_expect_not(results[1].stale);

    /* A repetition that fails leaves the finished result alone. */
    pretend_other_commit(1);
    ends[1] = "refuse";
    cr_expect_eq(run_with((struct run_options){.redo_stale = true}), EXIT_SOME_FAILED);
    cr_expect(strstr(said, "the earlier result is kept"), "%s", said);
    expect(1, "done", "");
    free(sweep);
}

Test(runner, a_damaged_or_unfinished_file_is_made_anew)
{
    add_run("good", -1, NULL);
    cr_assert_eq(run_with((struct run_options){0}), EXIT_DONE);
    char *sweep = sweep_folder(), *path = folder_run_path(sweep, plan.runs[0].id);
    cr_assert_eq(truncate(path, 700), 0);
    touch("results/fake/runs/a000000000000000.h5.tmp.99", "half");
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    cr_expect_eq(started(), 2);
    expect(0, "done", "");
    cr_expect_not(exists("results/fake/runs/a000000000000000.h5.tmp.99"));
    free(path);
    free(sweep);
}

Test(runner, a_second_start_is_refused_while_the_first_lives)
{
    char *sweep = sweep_folder();
    int ready[2];
    add_run("good", -1, NULL);
    cr_assert(folder_create(sweep, &last_error), "%s", last_error.text);
    cr_expect_eq(folder_holder(sweep), 0);
    cr_assert_eq(pipe(ready), 0);
    pid_t holder = fork();
    if (holder == 0) {
        bool busy;
        struct error error;
        char locked = folder_lock(sweep, &busy, &error) >= 0;
        if (write(ready[1], &locked, 1) == 1)
            hang();
        _exit(1);
    }
    char locked = 0;
    cr_assert_eq(read(ready[0], &locked, 1), 1);
    cr_assert(locked);
    cr_expect_eq(folder_holder(sweep), holder);
    char *number = format_text("process %ld ", (long)holder);
    cr_expect_eq(run_with((struct run_options){0}), EXIT_USAGE);
    cr_expect(strstr(last_error.text, "already running") && strstr(last_error.text, number), "%s",
              last_error.text);
    cr_expect_eq(started(), 0);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    cr_expect_eq(folder_holder(sweep), 0, "the lock dies with its holder");
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    free(number);
    free(sweep);
}

Test(runner, unwritable_results_stop_the_sweep_and_lose_nothing)
{
    add_run("good", -1, NULL);
    add_run("lose", -1, NULL);
    add_run("good", -1, NULL);
    cr_expect_eq(run_with((struct run_options){.jobs = 1}), EXIT_TROUBLE);
    cr_expect(strstr(last_error.text, "results/fake/runs"), "%s", last_error.text);
    cr_expect(strstr(said, "continue with: bitsweep run fake.yaml"), "%s", said);
    cr_expect_eq(started(), 2, "nothing is started when nothing can be kept");

    char *runs = path_of("results/fake/runs"), *away = path_of("away");
    cr_assert_eq(unlink(runs), 0);
    cr_assert_eq(rename(away, runs), 0);
    ends[1] = "good";
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    cr_expect_eq(started(), 4);
    free(runs);
    free(away);
}

Test(runner, files_that_must_not_grow_are_like_a_full_disk)
{
    struct rlimit before, small = {4096, RLIM_INFINITY};
    add_run("good", -1, NULL);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int code = run_with((struct run_options){.jobs = 1});
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_expect_eq(code, EXIT_TROUBLE);
    cr_expect(strstr(last_error.text, "File too large"), "%s", last_error.text);
    expect(0, "", "");
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
}

Test(runner, results_that_are_no_folder_are_an_error)
{
    add_run("good", -1, NULL);
    touch("file", "");
    char *results = path_of("file");
    cr_expect_eq(run_with((struct run_options){.results = results}), EXIT_TROUBLE);
    cr_expect(strstr(last_error.text, "cannot make the folder"), "%s", last_error.text);
    free(results);
}

/* Waits until a file of the test's folder is there. */
static void wait_for(const char *name)
{
    for (int i = 0; i < 1000 && !exists(name); i++)
        usleep(10000);
    cr_assert(exists(name), "%s did not appear", name);
}

static void expect_no_orphans(void)
{
    while (waitpid(-1, NULL, 0) > 0) /* hangs, and so fails by the time limit, while a worker lives on */
        continue;
}

Test(runner, a_killed_parent_takes_its_workers_along, .timeout = 30)
{
    char *sweep = sweep_folder();
    add_run("hang", -1, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t parent = fork();
    if (parent == 0)
        _exit(run_with((struct run_options){.jobs = 1}));
    wait_for("hanging");
    cr_expect_eq(folder_holder(sweep), parent);
    kill(parent, SIGKILL);
    expect_no_orphans();
    cr_expect_eq(folder_holder(sweep), 0);
    ends[0] = "good";
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    free(sweep);
}

Test(runner, a_second_signal_aborts_at_once, .timeout = 30)
{
    add_run("stubborn", -1, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t parent = fork();
    if (parent == 0)
        _exit(run_with((struct run_options){.jobs = 1}));
    wait_for("hanging");
    kill(parent, SIGTERM);
    for (int i = 0; i < 1000 && !strstr(said, "aborts at once"); i++) {
        char *log = path_of("stderr");
        usleep(10000);
        read_said(log);
        free(log);
    }
    cr_assert(strstr(said, "SIGTERM: ending 1 running"), "%s", said);
    kill(parent, SIGINT);
    int status;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT, "status %x", (unsigned)status);
    expect_no_orphans();
    expect(0, "", "");
}

/* ---- checkpoints ---- */

static bool has_checkpoint(size_t index)
{
    char *name = format_text("results/fake/checkpoints/%s.ckpt", plan.runs[index].id);
    bool found = exists(name);
    free(name);
    return found;
}

static void forget_hanging(void)
{
    char *path = path_of("hanging");
    unlink(path);
    free(path);
}

/* The sweep, or this run of it, in a process of its own, interrupted once the run is at work. */
static void interrupt_patient_run(const char *only)
{
    forget_hanging();
    pid_t parent = fork();
    if (parent == 0)
        _exit(run_with((struct run_options){.jobs = 1, .only = only}));
    wait_for("hanging");
    kill(parent, SIGTERM);
    int status;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM, "status %x", (unsigned)status);
}

Test(runner, an_interrupted_run_goes_on_from_its_checkpoint, .timeout = 30)
{
    struct run_result result;
    char *sweep = sweep_folder();
    add_run("patient", -1, NULL);
    interrupt_patient_run(NULL);
    expect(0, "", "");
    folder_scan(sweep, &plan, &result);
    cr_expect(result.state == RUN_TO_DO && result.resumable && has_checkpoint(0));
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    cr_expect(strstr(said, "1 runs to do (1 from a checkpoint)"), "%s", said);
    expect(0, "done", "");
    cr_expect_not(has_checkpoint(0), "a finished run needs none");
    folder_scan(sweep, &plan, &result);
    cr_expect_not(result.resumable);
    free(sweep);
}

Test(runner, a_run_out_of_time_goes_on_when_it_is_retried, .timeout = 30)
{
    add_run("patient", -1, NULL);
    cr_expect_eq(run_with((struct run_options){.timeout = 1}), EXIT_SOME_FAILED);
    expect(0, "timeout", "took longer than 1.0 s");
    cr_expect(has_checkpoint(0));
    cr_expect_eq(run_with((struct run_options){.retry = true}), EXIT_DONE);
    expect(0, "done", "");
}

/* The number of the process of the first worker, once it is at work. */
static pid_t first_worker(void)
{
    char *path = path_of("results/fake/progress");
    wait_for("hanging");
    struct board *board = board_read(path);
    cr_assert_not_null(board);
    pid_t worker = board->slots[0].pid;
    free(board);
    free(path);
    return worker;
}

Test(runner, a_worker_that_someone_ends_is_not_started_again, .timeout = 30)
{
    add_run("patient", -1, NULL);
    pid_t parent = fork();
    if (parent == 0)
        _exit(run_with((struct run_options){.jobs = 1}));
    kill(first_worker(), SIGTERM);
    int status;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SOME_FAILED, "status %x", (unsigned)status);
    expect(0, "signal", "ended by SIGTERM; bitsweep run --retry continues it");
    cr_expect_eq(run_with((struct run_options){.retry = true}), EXIT_DONE);
}

/* As a batch system ends a job: one process after the other. */
Test(runner, a_worker_that_is_ended_just_before_the_sweep_is_not_failed, .timeout = 30)
{
    add_run("patient", -1, NULL);
    pid_t parent = fork();
    if (parent == 0)
        _exit(run_with((struct run_options){.jobs = 1}));
    kill(first_worker(), SIGTERM);
    usleep(100000);
    kill(parent, SIGTERM);
    int status;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM, "status %x", (unsigned)status);
    expect(0, "", "");
    cr_expect(has_checkpoint(0));
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
}

Test(runner, a_checkpoint_of_another_run_or_a_damaged_one_is_no_use, .timeout = 30)
{
    char *first = path_of("results/fake/checkpoints/a000000000000000.ckpt");
    char *second = path_of("results/fake/checkpoints/b000000000000001.ckpt");
    add_run("patient", -1, NULL);
    add_run("patient", -1, NULL);
    interrupt_patient_run("a");
    cr_assert_eq(truncate(first, 60), 0);
    interrupt_patient_run("a"); /* it would be done at once if it had gone on */
    cr_assert_eq(rename(first, second), 0);
    interrupt_patient_run("b");
    cr_expect_eq(run_with((struct run_options){.only = "b"}), EXIT_DONE);
    expect(0, "", "");
    expect(1, "done", "");
    free(first);
    free(second);
}

Test(runner, leftovers_of_killed_workers_are_removed)
{
    add_run("good", -1, NULL);
    add_run("good", -1, NULL);
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    pretend_other_commit(1);
    touch("results/fake/checkpoints/a000000000000000.ckpt", "of a finished run");
    touch("results/fake/checkpoints/b000000000000001.ckpt", "of a run that is being repeated");
    touch("results/fake/checkpoints/a000000000000000.ckpt.tmp.99", "half");
    cr_expect_eq(run_with((struct run_options){0}), EXIT_DONE);
    cr_expect_eq(started(), 2);
    cr_expect_not(has_checkpoint(0));
    cr_expect(has_checkpoint(1));
    cr_expect_not(exists("results/fake/checkpoints/a000000000000000.ckpt.tmp.99"));
}

Test(runner, a_stubborn_run_is_killed_after_its_time)
{
    if (!getenv("BITSWEEP_LONG"))
        return; /* takes 30 s; make check-long sets it */
    add_run("stubborn", -1, NULL);
    cr_expect_eq(run_with((struct run_options){.timeout = 0.2}), EXIT_SOME_FAILED);
    expect(0, "timeout", "took longer than 0.2 s");
}
