/* SPDX-License-Identifier: GPL-3.0-or-later
 * Labels, durations, the board, the display on a terminal and elsewhere, and what a build says of itself. */
#include "../bench/progress.h"
#include "../bench/version.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct param mode = {.name = "mode"}, budget = {.name = "budget"}, lr = {.name = "lr"},
                          seed = {.name = "seed"};

/* Three runs: lr is the same in all, the reference reads no budget. */
static struct setting first[] = {
    {&budget, "2.5", 0, 0}, {&lr, "0.1", 0, 0}, {&mode, "fqt", 0, 0}, {&seed, "1", 0, 0}};
static struct setting second[] = {
    {&budget, "4", 0, 0}, {&lr, "0.1", 0, 0}, {&mode, "fqt", 0, 0}, {&seed, "2", 0, 0}};
static struct setting third[] = {{&lr, "0.1", 0, 0}, {&mode, "fp", 0, 0}, {&seed, "2", 0, 0}};
static struct run runs[] = {
    {.id = "aaaaaaaaaaaaaaaa", .settings = {first, 4}, .depends = -1},
    {.id = "bbbbbbbbbbbbbbbb", .settings = {second, 4}, .depends = -1},
    {.id = "cccccccccccccccc", .settings = {third, 3}, .depends = -1},
};
static const struct plan plan = {.name = "demo", .runs = runs, .count = 3};

static void expect_label(const struct labels *labels, size_t index, const char *expected)
{
    char *label = run_label(labels, &runs[index]);
    cr_expect_str_eq(label, expected);
    free(label);
}

Test(progress, labels_hold_what_varies_in_a_readers_order)
{
    struct labels labels = labels_of(&plan);
    expect_label(&labels, 0, "mode=fqt budget=2.5 seed=1");
    expect_label(&labels, 2, "mode=fp seed=2");
    labels_free(&labels);
    labels = labels_of(&(struct plan){.runs = runs, .count = 1});
    expect_label(&labels, 0, "");
    labels_free(&labels);
}

Test(progress, durations_read_well)
{
    static const struct { double seconds; const char *text; } cases[] = {
        {-1, "0.0 s"}, {3.24, "3.2 s"}, {59.94, "59.9 s"}, {59.96, "1 min 00 s"}, {725, "12 min 05 s"},
        {3599.6, "1 h 00 min"}, {11520, "3 h 12 min"}, {187200, "2 d 4 h"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        format_duration(cases[i].seconds, text, sizeof text);
        cr_expect_str_eq(text, cases[i].text);
    }
}

Test(progress, a_board_is_read_back_and_a_broken_one_is_none)
{
    struct error error;
    char *folder = temporary_folder(), *path = format_text("%s/progress", folder);
    cr_expect_null(board_read(path));
    struct board *board = board_create(path, 3, &error);
    cr_assert_not_null(board, "%s", error.text);
    board->slots[2].step = 17;
    struct board *copy = board_read(path);
    cr_assert_not_null(copy);
    cr_expect_eq(copy->slot_count, 3);
    cr_expect_eq(copy->slots[2].step, 17);
    cr_expect_eq(copy->slots[0].id[0], '\0');
    free(copy);
    cr_assert_eq(truncate(path, 100), 0);
    cr_expect_null(board_read(path));
    board_close(board);
    char *nowhere = format_text("%s/absent/progress", folder);
    cr_expect_null(board_create(nowhere, 1, &error));
    cr_expect(strstr(error.text, nowhere), "%s", error.text);
    free(nowhere);
    free(path);
    remove_folder(folder);
}

static struct board *busy_board(void)
{
    struct board *board = xcalloc(1, sizeof *board + 2 * sizeof *board->slots);
    board->slot_count = 2;
    board->slots[0] = (struct slot){.step = 30, .steps = 120, .epoch = 3, .epochs = 12, .loss = 0.5};
    strcpy(board->slots[0].id, runs[0].id);
    strcpy(board->slots[1].id, runs[2].id);
    return board;
}

/* What the display writes into a terminal of 50 columns. */
static void draw_on_terminal(char *text, size_t size)
{
    int control, screen;
    if (openpty(&control, &screen, NULL, NULL, NULL) != 0)
        skip_test("this machine gives no pseudo-terminal: the terminal display is not tested");
    FILE *out = fdopen(screen, "w");
    struct labels labels = labels_of(&plan);
    struct board *board = busy_board();
    struct display display;
    display_open(&display, out);
    display_draw(&display, &plan, &labels, board, "demo: 1 of 3 done");
    display_draw(&display, &plan, &labels, board, "too soon after the first");
    display_line(&display, TONE_BAD, "a failure");
    display_close(&display);
    fputs("end\n", out);
    fflush(out);
    size_t length = 0;
    while (!(length > 5 && strncmp(text + length - 5, "end", 3) == 0)) {
        ssize_t got = read(control, text + length, size - 1 - length);
        cr_assert_gt(got, 0);
        length += (size_t)got;
    }
    text[length] = '\0';
    fclose(out);
    close(control);
    free(board);
    labels_free(&labels);
}

Test(progress, a_terminal_gets_a_block_that_is_cut_to_its_width_and_removed)
{
    char text[4096];
    setenv("TERM", "xterm", 1);
    setenv("COLUMNS", "50", 1);
    unsetenv("NO_COLOR");
    draw_on_terminal(text, sizeof text);
    /* 49 columns of the first worker's line, the second one's, the total; then up again over those three. */
    cr_expect(strstr(text, "aaaaaaaaaaaaaaaa  epoch  3/12  25 %  loss 0.5    \033[K"), "%s", text);
    cr_expect(strstr(text, "cccccccccccccccc  starting  mode=fp seed=2\033[K"), "%s", text);
    cr_expect(strstr(text, "\033[1mdemo: 1 of 3 done\033[0m\033[K"), "%s", text);
    cr_expect(strstr(text, "\r\033[3A\033[J\033[31ma failure\033[0m\033[K"), "%s", text);
    cr_expect_not(strstr(text, "too soon"));

    setenv("NO_COLOR", "1", 1);
    draw_on_terminal(text, sizeof text);
    cr_expect_not(strstr(text, "\033[31m"));
    cr_expect_not(strstr(text, "\033[1m"));
}

Test(progress, a_file_gets_permanent_lines_only)
{
    char *text = NULL, *folder = temporary_folder(), *path = format_text("%s/out", folder);
    size_t size = 0;
    FILE *out = fopen(path, "w");
    struct labels labels = labels_of(&plan);
    struct board *board = busy_board();
    struct display display;
    display_open(&display, out);
    display_draw(&display, &plan, &labels, board, "total");
    display_line(&display, TONE_BAD, "a failure");
    display_close(&display);
    fclose(out);
    FILE *in = fopen(path, "r");
    cr_assert_gt(getdelim(&text, &size, '\0', in), 0);
    fclose(in);
    cr_expect_str_eq(text, "a failure\n");
    free(text);
    free(board);
    labels_free(&labels);
    free(path);
    remove_folder(folder);
}

Test(progress, a_build_says_what_it_is_made_of)
{
    static const char *const paths[] = {
        "version", "git_commit", "flags", "compiler", "openblas", "openblas_core", "glpk", "hdf5", "zlib",
        "libyaml", "cjson", "isa", "cpu",
    };
    struct record record = {0};
    record_build(&record);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char *path = format_text("/provenance/%s", paths[i]);
        cr_expect(record_get_text(&record, path, "")[0], "%s is empty", path);
        free(path);
    }
    cr_expect_not_null(record_find(&record, "/provenance/git_dirty"));
    cr_expect_not_null(record_find(&record, "/provenance/openblas_threads"));
    cr_expect_str_eq(record_get_text(&record, "/provenance/git_commit", ""), build_commit());
    record_free(&record);
}
