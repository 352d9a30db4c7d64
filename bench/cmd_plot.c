/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep plot: figures of a collected file. */
#include "../plots/plots.h"
#include "../results/store.h"
#include "options.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int run_plot(int argc, char **argv);

const struct command cmd_plot = {
    .name = "plot",
    .arguments = "FILE.h5 [--out FOLDER] [--format pdf,png,svg] [--figure NAME,...] [--list]",
    .summary = "Draw the figures of a collected file.",
    .details = "Each figure is written in the formats asked for, and as a gnuplot script, which can be\n"
               "edited and run on its own. Prints the paths of the written files.\n\n"
               "  --out FOLDER    where to; default results/SWEEP/figures\n"
               "  --format LIST   of pdf, png, svg; default pdf,png\n"
               "  --figure LIST   of the names that --list prints; default all that the runs have something for\n"
               "  --list          print the figures and stop\n\n"
               "Example: bitsweep plot results/demo.h5 --format pdf --figure accuracy-bits",
    .run = run_plot,
};

struct request { const char *file, *folder, *formats, *figures; };

#define MAX_FIGURES 64

/* Marks the words of a comma-separated list among the valid names. */
static bool choose(const char *list, const char *what, const char *(*name)(size_t), bool *chosen,
                   struct error *error)
{
    size_t length;
    do {
        length = strcspn(list, ",");
        size_t i = 0;
        while (name(i) && (strlen(name(i)) != length || strncmp(name(i), list, length) != 0))
            i++;
        if (!name(i)) {
            int used = snprintf(error->text, sizeof error->text, "unknown %s '%.*s'; valid:", what,
                                length < 100 ? (int)length : 100, list);
            for (i = 0; name(i); i++)
                used += snprintf(error->text + used, sizeof error->text - used, "%s %s", i > 0 ? "," : "",
                                 name(i));
            return false;
        }
        chosen[i] = true;
        list += length + 1;
    } while (list[-1] == ',');
    return true;
}

static const char *figure_name(size_t index) { return figures[index] ? figures[index]->name : NULL; }
static const char *format_name(size_t index)
{
    return index < FIGURE_FORMATS ? figure_format_names[index] : NULL;
}

static int list_figures(void)
{
    for (size_t i = 0; figures[i]; i++)
        printf("%-16s %s\n", figures[i]->name, figures[i]->help);
    return EXIT_DONE;
}

static bool make_folders(const char *folder, struct error *error)
{
    char *path = xstrdup(folder);
    bool ok = true;
    for (char *c = path + 1; ok; c++)
        if (*c == '/' || *c == '\0') {
            char end = *c;
            *c = '\0';
            struct stat status;
            if (mkdir(path, 0777) != 0 &&
                (errno != EEXIST || stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
                ok = fail(error, "cannot make the folder %s: %s", path,
                          strerror(errno == EEXIST ? ENOTDIR : errno));
            *c = end;
            if (end == '\0')
                break;
        }
    free(path);
    return ok;
}

/* results/SWEEP/figures; the sweep of a single run's file is called like the file. */
static char *default_folder(const struct record *root, const char *file)
{
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    const char *sweep = record_get_text(root, "/sweep", NULL);
    size_t length = strlen(base);
    if (length > 3 && strcmp(base + length - 3, ".h5") == 0)
        length -= 3;
    return sweep && *sweep && !strchr(sweep, '/') ? format_text("results/%s/figures", sweep)
                                                  : format_text("results/%.*s/figures", (int)length, base);
}

static int plot_runs(const struct request *request, const struct record *runs, size_t count,
                     const struct record *root, const bool *chosen, struct output *output)
{
    struct charts charts;
    struct error error, why;
    if (!charts_make(runs, count, &charts, &error)) {
        fail(&why, "%s: %s", request->file, error.text);
        return input_error(&cmd_plot, &why);
    }
    if (charts.left_out > 0)
        fprintf(stderr, "bitsweep plot: %zu of %zu runs are not finished and left out\n", charts.left_out,
                count);
    char *folder = request->folder ? xstrdup(request->folder) : default_folder(root, request->file);
    output->folder = folder;
    int code = EXIT_TROUBLE;
    if (make_folders(folder, &error))
        code = draw_figures(&charts, chosen, output) ? EXIT_DONE : EXIT_TROUBLE;
    else
        fprintf(stderr, "bitsweep plot: %s\n", error.text);
    free(folder);
    charts_free(&charts);
    return code;
}

static int plot_file(const struct request *request)
{
    struct output output = {.paths = stdout};
    bool chosen[MAX_FIGURES] = {false};
    struct error error;
    if (!choose(request->formats, "format", format_name, output.formats, &error))
        return usage_error(&cmd_plot, "%s", error.text);
    for (size_t i = 0; figures[i] && !request->figures; i++)
        chosen[i] = true;
    if (request->figures && !choose(request->figures, "figure", figure_name, chosen, &error))
        return usage_error(&cmd_plot, "%s", error.text);
    struct record *runs, root;
    size_t count;
    if (!store_read_runs(request->file, &runs, &count, &root, &error))
        return input_error(&cmd_plot, &error);
    int code = plot_runs(request, runs, count, &root, chosen, &output);
    for (size_t i = 0; i < count; i++)
        record_free(&runs[i]);
    free(runs);
    record_free(&root);
    return code;
}

static int run_plot(int argc, char **argv)
{
    struct request request = {.formats = "pdf,png"};
    bool list = false;
    const struct option options[] = {
        {"--out", set_text, &request.folder},     {"--format", set_text, &request.formats},
        {"--figure", set_text, &request.figures}, {"--list", set_flag, &list},
        {0},
    };
    int count = read_options(&cmd_plot, options, (struct operands){"file", 0, 1}, argc, argv);
    if (count < 0)
        return EXIT_USAGE;
    if (list)
        return list_figures();
    if (count == 0)
        return usage_error(&cmd_plot, "no file given");
    request.file = argv[1];
    return plot_file(&request);
}
