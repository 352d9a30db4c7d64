/* SPDX-License-Identifier: GPL-3.0-or-later
 * From run files to the collected file. */
#include "../results/collect.h"
#include "../results/store.h"
#include "made_runs.h"
#include "support.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

Test(collect, takes_the_runs_of_the_plan)
{
    char *folder = temporary_folder(), *path;
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct record *runs, root;
    struct error error;
    size_t count;
    cr_assert_not(collect_runs(&plan, folder, &path, &counts, &error));
    cr_assert_not_null(strstr(error.text, "demo/runs"), "%s", error.text);
    free(path);
    for (size_t i = 1; i < MADE; i++)
        write_made(folder, &made_runs[MADE - i]);
    write_made(folder, &(struct made){"00000000000000ff", "fp", "none", NULL, "1", "done", 0, 32}); /* another plan's */
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    cr_assert_eq(counts.done, 4);
    cr_assert_eq(counts.failed, 1);
    cr_assert_eq(counts.missing, 1);
    cr_assert_eq(counts.skipped, 1);
    cr_assert_eq(counts.damaged, 0);
    cr_assert(store_read_runs(path, &runs, &count, &root, &error), "%s", error.text);
    cr_assert_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(record_get_text(&runs[i], "/id", ""), made_runs[i + 1].id);
        record_free(&runs[i]);
    }
    cr_assert_str_eq(record_get_text(&root, "/sweep", ""), "demo");
    cr_assert_str_eq(record_get_text(&root, "/skipped/id", ""), "00000000000000c1");
    cr_assert_str_eq(record_get_text(&root, "/skipped/label", ""), "mode=fqt budget=1");
    cr_assert_not_null(strstr(record_get_text(&root, "/skipped/reason", ""), "below the smallest"));
    free(runs);
    record_free(&root);
    free_made_plan(&plan);
    free(path);
    remove_folder(folder);
}

Test(collect, leaves_out_damaged_and_misnamed_files)
{
    char *folder = temporary_folder(), *path;
    struct plan plan = made_plan();
    struct collect_counts counts;
    struct error error;
    write_made(folder, &made_runs[0]);
    char *runs = format_text("%s/demo/runs", folder), *wrong = format_text("%s/%s.h5", runs, made_runs[1].id),
         *right = format_text("%s/%s.h5", runs, made_runs[0].id), *name = format_text("%s.h5", made_runs[2].id);
    cr_assert_eq(link(right, wrong), 0);
    free(write_file(runs, name, "garbage"));
    cr_assert(collect_runs(&plan, folder, &path, &counts, &error), "%s", error.text);
    cr_assert_eq(counts.damaged, 2);
    cr_assert_eq(counts.done, 1);
    cr_assert_eq(counts.missing, MADE - 3);
    free(path);
    free(runs);
    free(wrong);
    free(right);
    free(name);
    free_made_plan(&plan);
    remove_folder(folder);
}

static char *write_leftover(const char *folder, pid_t pid, time_t age)
{
    char *name = format_text("x.h5.tmp.%ld", (long)pid), *path = write_file(folder, name, "half");
    const struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    free(name);
    return path;
}

static pid_t ended_process(void)
{
    pid_t child = fork();
    if (child == 0)
        execl("/bin/true", "true", (char *)NULL);
    waitpid(child, NULL, 0);
    return child;
}

Test(collect, removes_what_killed_writers_left)
{
    char *folder = temporary_folder(), *path = collected(folder), *runs = format_text("%s/demo/runs", folder);
    pid_t dead = ended_process(), dead_too = ended_process();
    char *old = write_leftover(runs, dead, 3600), *young = write_leftover(runs, dead_too, 0),
         *alive = write_leftover(runs, getpid(), 3600), *beside = write_leftover(folder, dead, 3600);
    free(path);
    path = collected(folder);
    cr_assert_neq(access(old, F_OK), 0);
    cr_assert_neq(access(beside, F_OK), 0);
    cr_assert_eq(access(young, F_OK), 0, "perhaps of a writer on another host");
    cr_assert_eq(access(alive, F_OK), 0);
    free(old);
    free(young);
    free(alive);
    free(beside);
    free(runs);
    free(path);
    remove_folder(folder);
}
