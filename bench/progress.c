/* SPDX-License-Identifier: GPL-3.0-or-later
 * The shared board, the labels of runs, and the display of a running sweep. */
#include "progress.h"
#include "names.h"
#include "clock.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.25

/* ---- board ---- */

static size_t board_size(int slots)
{
    return sizeof(struct board) + (size_t)slots * sizeof(struct slot);
}

struct board *board_create(const char *path, int slots, struct error *error)
{
    size_t size = board_size(slots);
    struct board *board = NULL;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        fail(error, "cannot write %s: %s", path, strerror(errno));
        return NULL;
    }
    /* Blocks are allocated now: on a full disk a hole would end the workers with SIGBUS later. */
    int problem = posix_fallocate(file, 0, (off_t)size);
    if (problem != 0) {
        fail(error, "cannot write %s: %s", path, strerror(problem));
        goto out;
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        fail(error, "cannot map %s: %s", path, strerror(errno));
        goto out;
    }
    board = memory;
    board->eta = NAN;
    board->slot_count = slots;
out:
    close(file);
    return board;
}

void board_close(struct board *board)
{
    if (board)
        munmap(board, board_size(board->slot_count));
}

struct board *board_read(const char *path)
{
    struct board *board = NULL;
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    if (fstat(file, &status) == 0 && (size_t)status.st_size >= sizeof *board) {
        size_t size = (size_t)status.st_size;
        board = xmalloc(size);
        if (read(file, board, size) != (ssize_t)size || board->slot_count < 1 ||
            board_size(board->slot_count) != size) {
            free(board);
            board = NULL;
        }
    }
    close(file);
    return board;
}

double slot_share(const struct slot *slot)
{
    return slot->steps > 0 ? fmin(1.0, (double)slot->step / (double)slot->steps) : 0.0;
}

/* ---- labels ---- */

static const char *value_of(const struct run *run, const char *key)
{
    return setting_has(&run->settings, key) ? setting_text(&run->settings, key) : NULL;
}

/* True if two runs give the key different values; a key that only some runs read tells nothing apart. */
static bool varies(const struct plan *plan, const char *key)
{
    const char *first = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        const char *value = value_of(&plan->runs[i], key);
        if (value && first && strcmp(value, first) != 0)
            return true;
        first = value ? value : first;
    }
    return false;
}


struct labels labels_of(const struct plan *plan)
{
    /* What a reader looks for comes first, then the rest in key order, the seed last. */
    static const char *const first[] = {"dataset", "model", "mode", "allocator", "budget"};
    struct names keys = {0}; /* each once, so that a large plan is walked once a key */
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        names_add(&keys, first[i]);
    for (size_t i = 0; i < plan->count; i++)
        for (size_t k = 0; k < plan->runs[i].settings.count; k++) {
            const char *key = plan->runs[i].settings.items[k].param->name;
            if (strcmp(key, "seed") != 0)
                names_add(&keys, key);
        }
    names_add(&keys, "seed");
    struct labels labels = {.keys = xmalloc(keys.count * sizeof *labels.keys)};
    for (size_t i = 0; i < keys.count; i++)
        if (varies(plan, keys.items[i]))
            labels.keys[labels.count++] = keys.items[i];
    names_free(&keys);
    return labels;
}

void labels_free(struct labels *labels)
{
    free(labels->keys);
    *labels = (struct labels){0};
}

char *run_label(const struct labels *labels, const struct run *run)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        die("out of memory");
    const char *gap = "";
    for (size_t i = 0; i < labels->count; i++) {
        const char *value = value_of(run, labels->keys[i]);
        if (value) {
            fprintf(stream, "%s%s=%s", gap, labels->keys[i], value);
            gap = " ";
        }
    }
    fclose(stream);
    return text;
}

void format_duration(double seconds, char *buffer, size_t size)
{
    long whole = lround(fmax(seconds, 0.0));
    if (seconds < 59.95)
        snprintf(buffer, size, "%.1f s", fmax(seconds, 0.0));
    else if (whole < 3600)
        snprintf(buffer, size, "%ld min %02ld s", whole / 60, whole % 60);
    else if (whole < 48 * 3600)
        snprintf(buffer, size, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
    else
        snprintf(buffer, size, "%ld d %ld h", whole / 86400, whole / 3600 % 24);
}

/* ---- display ---- */

void display_open(struct display *display, FILE *out)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
    *display = (struct display){
        .out = out, .terminal = terminal, .colour = terminal && !(no_colour && *no_colour)};
}

static void screen_size(const struct display *display, int *columns, int *rows)
{
    struct winsize window = {0};
    const char *text = getenv("COLUMNS");
    ioctl(fileno(display->out), TIOCGWINSZ, &window);
    int asked = text ? atoi(text) : 0;
    *columns = asked > 0 ? asked : window.ws_col > 0 ? window.ws_col : 80;
    *rows = window.ws_row > 0 ? window.ws_row : 24;
}

/* Bytes of UTF-8 text that fill at most that many columns. */
static int fitting_bytes(const char *text, int columns)
{
    int bytes = 0;
    for (int used = 0; text[bytes]; bytes++)
        if (((unsigned char)text[bytes] & 0xC0) != 0x80 && used++ == columns)
            break;
    return bytes;
}

static void put_line(const struct display *display, enum tone tone, const char *line, int bytes)
{
    static const char *const start[] = {[TONE_PLAIN] = "", [TONE_BAD] = "\033[31m", [TONE_TOTAL] = "\033[1m"};
    bool coloured = display->colour && tone != TONE_PLAIN;
    fprintf(display->out, "%s%.*s%s%s\n", coloured ? start[tone] : "", bytes, line, coloured ? "\033[0m" : "",
            display->terminal ? "\033[K" : "");
}

static void to_top(const struct display *display)
{
    if (display->drawn > 0)
        fprintf(display->out, "\r\033[%dA", display->drawn);
}

void display_close(struct display *display)
{
    to_top(display);
    if (display->drawn > 0)
        fputs("\033[J", display->out);
    display->drawn = 0;
    display->next = 0;
    fflush(display->out);
}

void display_line(struct display *display, enum tone tone, const char *line)
{
    display_close(display);
    put_line(display, tone, line, (int)strlen(line));
    fflush(display->out);
}

static char *worker_line(const struct plan *plan, const struct labels *labels, const struct slot *slot)
{
    size_t i = 0;
    while (i < plan->count && strcmp(plan->runs[i].id, slot->id) != 0)
        i++;
    char *label = i < plan->count ? run_label(labels, &plan->runs[i]) : xstrdup("");
    int digits = slot->epochs > 9 ? 2 : 1;
    char *line = slot->steps == 0
        ? format_text("%s  starting  %s", slot->id, label)
        : format_text("%s  epoch %*d/%d %3.0f %%  loss %-8.4g  %s", slot->id, digits, slot->epoch,
                      slot->epochs, 100 * slot_share(slot), slot->loss, label);
    free(label);
    return line;
}

void display_draw(struct display *display, const struct plan *plan, const struct labels *labels,
                  const struct board *board, const char *total)
{
    double now = now_seconds();
    int columns, rows, lines = 0;
    if (!display->terminal || now < display->next)
        return;
    display->next = now + REDRAW_SECONDS;
    screen_size(display, &columns, &rows);
    to_top(display);
    for (int i = 0; i < board->slot_count && lines < rows - 2; i++) {
        if (!board->slots[i].id[0])
            continue;
        char *line = worker_line(plan, labels, &board->slots[i]);
        put_line(display, TONE_PLAIN, line, fitting_bytes(line, columns - 1));
        free(line);
        lines++;
    }
    put_line(display, TONE_TOTAL, total, fitting_bytes(total, columns - 1));
    fputs("\033[J", display->out);
    fflush(display->out);
    display->drawn = lines + 1;
}
