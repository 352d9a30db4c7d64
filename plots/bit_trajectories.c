/* SPDX-License-Identifier: GPL-3.0-or-later
 * The width of each tensor over the steps of a run, and below it what the widths cost as a share of the budget: a panel a
 * budget, of the first seed. A few tensors are drawn as stairs, many as rows of colours. */
#include "panels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1.9
#define STAIRS_HEIGHT 1.9
#define ROW_HEIGHT 0.105      /* of a tensor among many */
#define STRIP 0.42            /* of the cost */
#define STRIP_GAP 0.07
#define ROW_GAP 0.42          /* under a row: steps */
#define LEFT 0.52
#define KEY_ROW 0.17
#define KEY_SAMPLE 0.75       /* line sample and space beside a text */
#define MOST_STAIRS 12        /* tensors; lines of more cannot be told apart */
#define SPREAD 0.7            /* bits between the first and the last line of one width */

static const struct { const char *kind, *named, *dashes; } kinds[TENSOR_KINDS] = {
    {"weight", "weights", "solid"}, {"activation", "inputs", "(9,5)"}, {"gradient", "gradients", "(2,4)"},
};

/* ---- one run -------------------------------------------------------------------------- */

/* What is read of a run: R decisions on T tensors within B budgets. */
struct course {
    const char *id;
    size_t decisions, tensors, budgets;
    const int64_t *step, *layer;  /* R, T */
    const float *bits;            /* R × T */
    const double *cost, *limit;   /* R × B, B */
    char **names, **kinds, **costs; /* T, T, B */
    int64_t steps;                /* of the run */
};

static const struct field *field_of(const struct record *run, const char *path, enum record_type type, size_t count)
{
    const struct field *field = record_find(run, path);
    return field && field->type == type && field_count(field) == count ? field : NULL;
}

static size_t count_of(const struct record *run, const char *path)
{
    const struct field *field = record_find(run, path);
    return field ? field_count(field) : 0;
}

/* Files from before there were several budgets have one, on mean bits. */
static bool read_course(const struct record *run, struct course *c, struct error *error)
{
    static char *mean_bits[] = {"mean_bits"};
    bool several = record_find(run, "/budgets/name") != NULL;
    *c = (struct course){.id = record_get_text(run, "/id", "?"), .decisions = count_of(run, "/reallocation/step"),
                         .tensors = count_of(run, "/tensors/name"), .budgets = several ? count_of(run, "/budgets/name") : 1,
                         .costs = mean_bits, .steps = (int64_t)count_of(run, "/curves/step_loss")};
    const struct { const char *path; enum record_type type; size_t count; const void *data; } wanted[] = {
        {"/reallocation/step", RECORD_I64, c->decisions, &c->step},
        {"/reallocation/bits", RECORD_F32, c->decisions * c->tensors, &c->bits},
        {"/reallocation/cost", RECORD_F64, c->decisions * c->budgets, &c->cost},
        {several ? "/budgets/limit" : "/costs/budget", RECORD_F64, c->budgets, &c->limit},
        {"/tensors/name", RECORD_TEXT, c->tensors, &c->names},
        {"/tensors/kind", RECORD_TEXT, c->tensors, &c->kinds},
        {"/tensors/layer", RECORD_I64, c->tensors, &c->layer},
        {"/budgets/name", RECORD_TEXT, c->budgets, &c->costs},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted - !several; i++) {
        const struct field *field = field_of(run, wanted[i].path, wanted[i].type, wanted[i].count);
        if (!field)
            return fail(error, "run %s has no %s of all its decisions, tensors and budgets", c->id, wanted[i].path);
        memcpy((void *)wanted[i].data, &field->data, sizeof field->data);
    }
    if (c->steps <= c->step[c->decisions - 1])
        c->steps = c->step[c->decisions - 1] + (c->steps == 0);
    return true;
}

static int kind_of(const struct course *c, size_t tensor)
{
    int kind = 0;
    while (kind + 1 < TENSOR_KINDS && strcmp(kinds[kind].kind, c->kinds[tensor]) != 0)
        kind++;
    return kind;
}

/* The layer's part of a tensor's name; free() it. */
static char *layer_name(const char *tensor)
{
    const char *dot = strrchr(tensor, '.');
    return format_text("%.*s", dot ? (int)(dot - tensor) : (int)strlen(tensor), tensor);
}

/* Whether decision r changed nothing: such rows are left out. */
static bool repeats(const struct course *c, size_t r)
{
    return r > 0 && memcmp(c->bits + r * c->tensors, c->bits + (r - 1) * c->tensors, c->tensors * sizeof *c->bits) == 0;
}

static void put_row(FILE *out, const struct course *c, int64_t step, size_t r)
{
    fprintf(out, "%lld", (long long)step);
    for (size_t b = 0; b < c->budgets; b++)
        fprintf(out, " %.5g", 100 * c->cost[r * c->budgets + b] / c->limit[b]);
    for (size_t t = 0; t < c->tensors; t++)
        fprintf(out, " %.4g", c->bits[r * c->tensors + t]);
    fputc('\n', out);
}

static void put_course(FILE *out, const struct course *c, size_t index)
{
    fprintf(out, "$run%zu << END\n# run %s: step", index, c->id);
    for (size_t b = 0; b < c->budgets; b++)
        fprintf(out, ", %s in %% of its budget", c->costs[b]);
    for (size_t t = 0; t < c->tensors; t++)
        fprintf(out, ", %s", c->names[t]);
    fputc('\n', out);
    for (size_t r = 0; r < c->decisions; r++)
        if (!repeats(c, r))
            put_row(out, c, c->step[r], r);
    put_row(out, c, c->steps, c->decisions - 1);
    fputs("END\n", out);
}

/* ---- stairs --------------------------------------------------------------------------- */

/* Lines of equal width lie side by side, in network order from the top. */
static void put_stairs(FILE *out, const struct course *c, size_t index)
{
    fputs("set yrange [1.5:8.5]\nset ytics 2,2,8\n", out);
    for (size_t t = 0; t < c->tensors; t++)
        fprintf(out, "%s$run%zu using 1:($%zu%+.4f) with steps ls %zu dt %s lw 0.9 notitle", t ? ", \\\n     " : "plot ",
                index, 2 + c->budgets + t, SPREAD * (0.5 - ((double)t + 0.5) / (double)c->tensors),
                line_style((size_t)c->layer[t]), kinds[kind_of(c, t)].dashes);
    fputs("\n", out);
}

/* ---- rows of colours ------------------------------------------------------------------ */

/* From the top: weights, inputs, gradients, a row of space between two kinds. */
static size_t row_of(const struct course *c, size_t tensor)
{
    size_t row = 0;
    int own = kind_of(c, tensor);
    for (int kind = 0; kind <= own; kind++) {
        size_t before = row;
        for (size_t t = 0; t < (kind == own ? tensor : c->tensors); t++)
            row += kind_of(c, t) == kind;
        row += kind < own && row > before;
    }
    return row;
}

static size_t rows_of(const struct course *c)
{
    size_t rows = 0;
    for (size_t t = 0; t < c->tensors; t++)
        rows = row_of(c, t) + 1 > rows ? row_of(c, t) + 1 : rows;
    return rows;
}

static void put_rows(FILE *out, const struct course *c, size_t index)
{
    fprintf(out, "$rows%zu << END\n# from step, to step, row, width\n", index);
    for (size_t t = 0; t < c->tensors; t++) {
        size_t from = 0, row = row_of(c, t);
        for (size_t r = 1; r <= c->decisions; r++) {
            float bits = c->bits[from * c->tensors + t];
            if (r < c->decisions && c->bits[r * c->tensors + t] == bits)
                continue;
            fprintf(out, "%lld %lld %zu %.4g\n", (long long)c->step[from],
                    (long long)(r < c->decisions ? c->step[r] : c->steps), row, bits);
            from = r;
        }
    }
    fputs("END\n", out);
}

static void put_row_tics(FILE *out, const struct course *c, bool named)
{
    fputs("set ytics scale 0 font ',5.5' (", out);
    for (size_t t = 0; t < c->tensors; t++) {
        char *layer = layer_name(c->names[t]);
        fputs(t ? ", " : "", out);
        put_tic(out, named ? layer : "");
        fprintf(out, " %zu", row_of(c, t));
        free(layer);
    }
    fputs(")\n", out);
}

/* The kinds' names, upright beside their rows. */
static void put_kinds(FILE *out, const struct course *c, double left)
{
    for (int kind = 0; kind < TENSOR_KINDS; kind++) {
        size_t count = 0, sum = 0;
        for (size_t t = 0; t < c->tensors; t++)
            if (kind_of(c, t) == kind) {
                count++;
                sum += row_of(c, t);
            }
        if (count > 0)
            fprintf(out, "set label %d '%s' at screen %.5f, first %.3f center rotate by 90\n", 10 + kind, kinds[kind].named,
                    left, (double)sum / (double)count);
    }
}

static void put_colours(FILE *out, const struct course *c, size_t index)
{
    fprintf(out, "set yrange [%g:-0.5]\nplot $rows%zu using (($1+$2)/2):3:1:2:($3-0.5):($3+0.5):4 \\\n"
                 "     with boxxyerror lc palette fs solid noborder\n",
            (double)rows_of(c) - 0.5, index);
    for (int kind = 0; kind < TENSOR_KINDS; kind++)
        fprintf(out, "unset label %d\n", 10 + kind);
    fputs("unset colorbox\n", out);
}

/* ---- the cost below ------------------------------------------------------------------- */

struct extent { double low, high; };

static struct extent cost_range(const struct course *courses, size_t count)
{
    struct extent range = {100, 100};
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < courses[i].decisions * courses[i].budgets; r++) {
            double share = 100 * courses[i].cost[r] / courses[i].limit[r % courses[i].budgets];
            range.low = fmin(range.low, share);
            range.high = fmax(range.high, share);
        }
    double pad = fmax(1, 0.12 * (range.high - range.low));
    return (struct extent){range.low - pad, range.high + pad};
}

/* The costs of runs with several budgets, which then have a colour each. */
static struct words shared_costs(const struct course *courses, size_t count)
{
    struct words costs = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; courses[i].budgets > 1 && b < courses[i].budgets; b++)
            words_add(&costs, courses[i].costs[b]);
    return costs;
}

static void put_strip(FILE *out, const struct course *c, size_t index, struct extent range, struct words *costs, bool named)
{
    double low = ceil(range.low);
    char low_text[32];
    snprintf(low_text, sizeof low_text, "%.0f", low);
    fprintf(out, "unset title\nset yrange [%.5g:%.5g]\nset ytics scale 0.5 font ',7' (", range.low, range.high);
    if (100 - low > 0.4 * (range.high - range.low))
        fprintf(out, "'%.*s' %.0f, ", named ? 8 : 0, low_text, low);
    fprintf(out, "'%s' 100)\nset ylabel '%s' offset 0.3,0\n", named ? "100" : "", named ? "Cost (%)" : "");
    fprintf(out, "plot 100 with lines ls %d notitle", REFERENCE_STYLE);
    for (size_t b = 0; b < c->budgets; b++)
        fprintf(out, ", \\\n     $run%zu using 1:%zu with steps ls %zu dt solid notitle", index, 2 + b,
                c->budgets > 1 ? line_style(words_add(costs, c->costs[b])) : (size_t)BLACK_STYLE);
    fputs("\n\n", out);
}

/* ---- the page ------------------------------------------------------------------------- */

static bool is_few(const struct course *c) { return c->tensors <= MOST_STAIRS; }

static double main_height(const struct course *c) { return is_few(c) ? STAIRS_HEIGHT : (double)rows_of(c) * ROW_HEIGHT; }

static double names_width(const struct course *c)
{
    double width = 0;
    for (size_t t = 0; t < c->tensors; t++) {
        char *layer = layer_name(c->names[t]);
        width = fmax(width, text_width(layer));
        free(layer);
    }
    return width;
}

/* Of 1, 2, 5, 10, 20 ..: the least with at most so many tics that their numbers stand apart. */
static int64_t tic_step(int64_t steps)
{
    int64_t step = 1, decade = 1;
    for (int i = 1; steps / step > (steps < 100 ? 7 : steps < 1000 ? 5 : 4); i++) {
        decade *= i % 3 == 0 ? 10 : 1;
        step = decade * (i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : 5);
    }
    return step;
}

static void put_panel(const struct page *page, const struct panels *panels, size_t i, const struct course *courses,
                      struct words *costs)
{
    const struct course *c = &courses[i];
    FILE *out = page->script;
    bool first = panel_is_first(panels, i);
    double height = main_height(c), kinds_left = (panels->left - names_width(c) - 0.17) / page->width;
    page_place(page, panel_box(panels, page, i, PANEL_TITLE, height));
    put_panel_title(out, panels, i, "");
    fprintf(out, "set xrange [0:%lld]\nset format x ''\nset xlabel ''\nset xtics %lld\n", (long long)c->steps,
            (long long)tic_step(c->steps));
    fprintf(out, "set ylabel '%s' offset 0.3,0\nset format y '%s'\n", first && is_few(c) ? "Bits" : "", first ? "%g" : "");
    if (is_few(c)) {
        put_stairs(out, c, i + 1);
    } else {
        put_row_tics(out, c, first);
        if (first)
            put_kinds(out, c, kinds_left);
        put_colours(out, c, i + 1);
    }
    page_place(page, panel_box(panels, page, i, PANEL_TITLE + height + STRIP_GAP, STRIP));
    fprintf(out, "unset label 1\nset format x '%%g'\nset xlabel '%s' offset 0,0.6\n",
            panel_is_lowest(panels, i) ? "Step" : "");
    put_strip(out, c, i + 1, cost_range(courses, panels->count), costs, first);
}

/* Layers by colour, kinds by dashes, and costs where there are several. */
static void put_key(FILE *out, const struct course *c, const struct words *costs, size_t columns)
{
    fprintf(out,
            "# legend\nunset border\nunset tics\nunset grid\nunset xlabel\nunset ylabel\n"
            "set key center center horizontal Left reverse maxcols %zu samplen 3 spacing 1.1 width 1\n"
            "plot [0:1] [0:1] 2 notitle",
            columns);
    int64_t layers = 0;
    for (size_t t = 0; is_few(c) && t < c->tensors; t++)
        if (c->layer[t] == layers) {
            char *layer = layer_name(c->names[t]);
            fprintf(out, ", \\\n     2 with lines ls %zu dt solid title ", line_style((size_t)layers++));
            put_text(out, layer);
            free(layer);
        }
    for (int kind = 0; is_few(c) && kind < TENSOR_KINDS; kind++)
        for (size_t t = 0; t < c->tensors; t++)
            if (kind_of(c, t) == kind) {
                fprintf(out, ", \\\n     2 with lines ls %d dt %s title '%s'", BLACK_STYLE, kinds[kind].dashes,
                        kinds[kind].named);
                break;
            }
    for (size_t i = 0; i < costs->count; i++) {
        char *title = format_text("cost: %s", costs->items[i]);
        fprintf(out, ", \\\n     2 with lines ls %zu dt solid title ", line_style(i));
        put_text(out, title);
        free(title);
    }
    fputc('\n', out);
}

/* Entries of the legend, and the longest text of them in inches. */
static size_t key_entries(const struct course *c, const struct words *costs, double *longest)
{
    size_t entries = costs->count;
    *longest = fmax(names_width(c), text_width("gradients"));
    for (size_t i = 0; i < costs->count; i++)
        *longest = fmax(*longest, text_width("cost: ") + text_width(costs->items[i]));
    if (is_few(c))
        entries += (size_t)c->layer[c->tensors - 1] + 1 + TENSOR_KINDS; /* gradients stand last, if there are any */
    return entries;
}

static char *heading_of(const struct panels *panels, const char *heading)
{
    size_t most = 0;
    for (size_t i = 0; i < panels->count; i++)
        most = panels->items[i].count > most ? panels->items[i].count : most;
    const char *seed = record_get_text(panels->items[0].runs[0], "/settings/seed", "?");
    return most > 1 ? format_text("%s, seed %s (of %zu)", heading, seed, most) : format_text("%s, seed %s", heading, seed);
}

static void put_page(const struct page *page, const struct panels *panels, const struct course *courses, struct words *costs,
                     size_t key_columns)
{
    FILE *out = page->script;
    for (size_t i = 0; i < panels->count; i++) {
        put_course(out, &courses[i], i + 1);
        if (!is_few(&courses[i]))
            put_rows(out, &courses[i], i + 1);
    }
    if (!is_few(&courses[0]))
        put_palette(page, colours_of_bits, panels->left + (double)panels->columns * (panels->width + panels->gap),
                         panels->bottom + STRIP + ROW_GAP, fmin(2, main_height(&courses[0])));
    for (size_t i = 0; i < panels->count; i++)
        put_panel(page, panels, i, courses, costs);
    if (key_columns > 0) {
        page_place(page, (struct box){0.05, 0, page->width - 0.1, panels->bottom});
        put_key(out, &courses[0], costs, key_columns);
    }
    fputs("unset multiplot\n", out);
}

static char *make_script(struct panels *panels, const struct course *courses, const char *heading, const char *name)
{
    const struct course *c = &courses[0];
    char *script = NULL, *full = heading_of(panels, heading);
    struct words costs = shared_costs(courses, panels->count);
    double longest;
    size_t size, entries = key_entries(c, &costs, &longest);
    double right = is_few(c) ? 0.1 : 0.6;
    panels_place(panels, WIDTH);
    panels->left = is_few(c) ? LEFT : names_width(c) + 0.32;
    panels->gap = 0.2;
    panels->height = PANEL_TITLE + main_height(c) + STRIP_GAP + STRIP + ROW_GAP;
    size_t columns = entries ? (size_t)fmax(1, panels_page(panels, full, right).width / (1.1 * longest + KEY_SAMPLE)) : 0;
    panels->bottom = entries ? 0.06 + (double)((entries + columns - 1) / columns) * KEY_ROW : 0.04;
    struct page page = panels_page(panels, full, right);
    page.script = open_memstream(&script, &size);
    if (!page.script)
        die("no memory stream");
    panels_begin(&page, name, "Width of each tensor over the steps, and its cost", full);
    put_page(&page, panels, courses, &costs, columns);
    fclose(page.script);
    words_free(&costs);
    free(full);
    return script;
}

static bool script_of(struct panels *panels, const char *heading, const char *name, char **script, struct error *error)
{
    struct course *courses = xmalloc(panels->count * sizeof *courses);
    bool ok = true;
    for (size_t i = 0; i < panels->count && ok; i++) {
        ok = read_course(panels->items[i].runs[0], &courses[i], error);
        if (ok && courses[i].tensors != courses[0].tensors)
            ok = fail(error, "run %s has %zu tensors where run %s has %zu", courses[i].id, courses[i].tensors, courses[0].id,
                      courses[0].tensors);
    }
    if (ok)
        *script = make_script(panels, courses, heading, name);
    free(courses);
    return ok;
}

/* Widths that stay have nothing to show; uniform ones are decided again for each task of an incremental run. */
static bool shows(const struct record *run)
{
    size_t decisions = count_of(run, "/reallocation/step"), tensors = count_of(run, "/tensors/name");
    const struct field *bits = field_of(run, "/reallocation/bits", RECORD_F32, decisions * tensors);
    const float *widths = bits ? bits->data : NULL;
    bool changed = !bits && decisions > 1; /* damaged: read_course says so */
    for (size_t i = tensors; bits && i < decisions * tensors; i++)
        changed |= widths[i] != widths[i - tensors];
    return changed;
}

static bool draw(const struct figure *figure, const struct chart *chart, const struct output *output, struct error *error)
{
    static const struct line_figure lines = {shows, "widths never change", script_of};
    return draw_lines(figure, chart, output, error, &lines);
}

const struct figure figure_bit_trajectories = {
    .name = "bit-trajectories",
    .help = "Width of each tensor and cost over the steps, first seed: a file an allocator and mode, a panel a budget.",
    .draw = draw,
};
