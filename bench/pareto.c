/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Pareto front of objective and one cost: the best allocation below each budget. From the largest budget down, the next
 * one lies just below what the last answer costs, so that no efficient allocation is passed over. */
#include "allocate.h"
#include "../plots/plots.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_POINTS 10000
#define BELOW 4e-12 /* above the rounding that budgets allow for */

static void add_point(struct front *front, double budget, const struct request *request, struct answer *answer)
{
    front->points = xrealloc(front->points, ((size_t)front->count + 1) * sizeof *front->points);
    front->points[front->count++] = (struct point){
        .budget = budget, .cost = answer->costs[request->budget_count - 1], .objective = answer->objective,
        .optimal = answer->info.optimal, .bits = answer->bits,
    };
    answer->bits = NULL;
    answer_free(answer);
}

/* Points come with falling cost: one that is no worse than that before it makes that one inefficient. */
static void drop_dominated(struct front *front)
{
    struct point *last = &front->points[front->count - 1];
    if (front->count < 2 || last->objective > last[-1].objective)
        return;
    free(last[-1].bits);
    last[-1] = *last;
    front->count--;
}

static void reverse(struct front *front)
{
    for (int i = 0, k = front->count - 1; i < k; i++, k--) {
        struct point point = front->points[i];
        front->points[i] = front->points[k];
        front->points[k] = point;
    }
}

static enum verdict whole_front(struct request *request, double from, double to, struct front *front, struct error *error)
{
    double *limit = &request->budgets[request->budget_count - 1].limit;
    const char *name = request->budgets[request->budget_count - 1].cost->plug.name;
    enum verdict verdict = ALLOCATED;
    for (*limit = to; *limit >= from;) {
        struct answer answer;
        verdict = allocate(request, &answer, error);
        if (verdict != ALLOCATED)
            break;
        double cost = answer.costs[request->budget_count - 1];
        if (cost < from * (1 - BELOW)) {
            /* The best below `to` lies below `from`: it is the one answer in all of the range. */
            if (front->count == 0)
                add_point(front, cost, request, &answer);
            else
                answer_free(&answer);
            break;
        }
        add_point(front, cost, request, &answer);
        drop_dominated(front);
        if (front->count > MOST_POINTS) {
            fail(error, "--sweep %s: there are more than %d efficient allocations; give a smaller range, or how many "
                 "budgets: %s=FROM..TO:POINTS", name, MOST_POINTS, name);
            return REFUSED;
        }
        *limit = cost - BELOW * fabs(cost);
        if (cost == 0)
            break;
    }
    reverse(front);
    return front->count ? ALLOCATED : verdict;
}

static enum verdict at_budgets(struct request *request, double from, double to, int points, struct front *front,
                               struct error *error)
{
    double *limit = &request->budgets[request->budget_count - 1].limit;
    enum verdict verdict = ALLOCATED;
    for (int i = 0; i < points; i++) {
        struct answer answer;
        *limit = i == points - 1 ? to : from + (to - from) * i / (points - 1);
        verdict = allocate(request, &answer, error);
        if (verdict == REFUSED)
            break;
        if (verdict == ALLOCATED)
            add_point(front, *limit, request, &answer);
        else
            front->all_feasible = false;
    }
    return verdict != REFUSED && front->count ? ALLOCATED : verdict;
}

enum verdict pareto_front(struct request *request, double from, double to, int points, struct front *front,
                          struct error *error)
{
    *front = (struct front){.all_feasible = true};
    enum verdict verdict = points ? at_budgets(request, from, to, points, front, error)
                                  : whole_front(request, from, to, front, error);
    if (verdict != ALLOCATED)
        front_free(front);
    return verdict;
}

void front_free(struct front *front)
{
    for (int i = 0; i < front->count; i++)
        free(front->points[i].bits);
    free(front->points);
    *front = (struct front){0};
}

/* ---- the figure ---- */

/* The folder, the name without extension, and the format; false if there is no such format. */
static bool split_path(const char *path, char **folder, char **name, enum figure_format *format)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    for (*format = 0; dot && dot > base && *format < FIGURE_FORMATS; ++*format)
        if (strcmp(dot + 1, figure_format_names[*format]) == 0) {
            *folder = slash ? format_text("%.*s", (int)(slash - path + (slash == path)), path) : xstrdup(".");
            *name = format_text("%.*s", (int)(dot - base), base);
            return true;
        }
    return false;
}

/* A step of 1, 2 or 5 times a power of ten, so that a few marks fit below the axis. */
static double tic_step(const struct front *front)
{
    double width = front->points[front->count - 1].budget - front->points[0].budget, rough = width / 3;
    double power = pow(10, floor(log10(rough)));
    if (!(width > 0))
        return 0;
    return power * (rough < 2 * power ? 1 : rough < 5 * power ? 2 : 5);
}

static void put_script(const struct page *page, const struct request *request, const struct front *front, const char *name)
{
    FILE *out = page->script;
    const struct budget *budget = &request->budgets[request->budget_count - 1];
    bool positive = true;
    page_begin(page, name, "Sensitivity of the best allocation over the budget");
    page_place(page, (struct box){0.65, 0.45, page->width - 0.8, page->height - 0.6});
    fputs("$front << EOD\n", out);
    for (int i = 0; i < front->count; i++) {
        fprintf(out, "%.17g %.17g\n", front->points[i].budget, front->points[i].objective);
        positive &= front->points[i].objective > 0;
    }
    fputs("EOD\nset xlabel ", out);
    char *label = format_text("%s%s%s%s", budget->cost->plug.name, *budget->cost->unit ? " (" : "", budget->cost->unit,
                              *budget->cost->unit ? ")" : "");
    put_text(out, label);
    free(label);
    fputs("\nset ylabel 'sensitivity Ω'\nset key off\nset format y '%.3g'\nset format x '%.6g'\n", out);
    if (positive)
        fputs("set logscale y\n", out);
    if (tic_step(front) > 0)
        fprintf(out, "set xtics %.10g\n", tic_step(front));
    fputs("plot $front using 1:2 with steps ls 1, $front using 1:2 with points ls 1\n", out);
}

bool pareto_plot(const struct request *request, const struct front *front, const char *path, struct error *error)
{
    enum figure_format format;
    char *folder, *name, *script;
    size_t size;
    if (!split_path(path, &folder, &name, &format))
        return fail(error, "--plot %s: the name must end in .pdf, .png or .svg", path);
    struct page page = {.script = open_memstream(&script, &size), .width = 3.4, .height = 2.4};
    if (!page.script)
        die("no memory stream");
    put_script(&page, request, front, name);
    fclose(page.script);
    struct output output = {.folder = folder, .paths = stderr};
    output.formats[format] = true;
    bool good = output_script(&output, name, script, error);
    free(script);
    free(folder);
    free(name);
    return good;
}
