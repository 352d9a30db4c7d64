/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep allocate: widths for a layer table within budgets, without training. */
#include "allocate.h"
#include "names.h"
#include "options.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(int argc, char **argv);

const struct command cmd_allocate = {
    .name = "allocate",
    .arguments = "TABLE -b COST=AMOUNT [-b COST=AMOUNT]... [--solver NAME] [--sweep COST[=FROM..TO[:POINTS]]]\n"
                 "                         [--noise actual|paper] [--plot FILE]... [-o FILE] [--format text|json|csv]",
    .summary = "Give the tensors of a layer table their widths, with the least sensitivity within budgets.",
    .details =
        "  TABLE               JSON, CSV, or the file of a run whose allocator measured sensitivities\n"
        "  -b COST=AMOUNT      limit of a cost that `bitsweep list costs` shows or the table gives: a number, also with\n"
        "                      B, KiB, MiB, GiB, k, M, G, T, or a share of the cost at 8 bits like 25%; may be repeated\n"
        "  --solver NAME       auto (default: exact), or one that `bitsweep list solvers` shows\n"
        "  --sweep COST=FROM..TO\n"
        "                      every efficient allocation with that cost between FROM and TO, the other budgets fixed;\n"
        "                      COST alone: of the whole feasible range; FROM..TO:POINTS: the best at so many budgets\n"
        "  --noise STEP        the quantiser's step in trace times noise: actual (default) or paper\n"
        "  --plot FILE         draw the sweep: FILE.pdf, .png or .svg; may be repeated\n"
        "  -o FILE             save the JSON too; `bitsweep run --from FILE` trains with these widths\n"
        "  --format FORMAT     text (default), json or csv\n"
        "\n"
        "docs/allocate.md describes tables and output. Exit code: 0 done, 1 infeasible or a file cannot be written,\n"
        "2 bad usage, table or choice of solver.\n"
        "\n"
        "Example: bitsweep allocate docs/examples/small-net.json -b weight_bytes=3KiB -b latency_ms=0.6",
    .run = run,
};

struct sweep { char *cost, *from, *to; int points; }; /* from NULL: the feasible range */

struct choices {
    struct texts budgets, plots;
    const char *solver, *sweep, *output;
    bool paper_step;
    enum format format;
};

static bool set_noise(const struct option *option, const char *value, struct error *error)
{
    *(bool *)option->target = strcmp(value, "paper") == 0;
    return strcmp(value, "paper") == 0 || strcmp(value, "actual") == 0
           || fail(error, "--noise %s: valid: actual, paper", value);
}

/* ---- what is asked for ---- */

static bool add_budget(struct request *request, const struct budget *budget, struct error *error)
{
    for (int b = 0; b < request->budget_count; b++)
        if (request->budgets[b].cost == budget->cost)
            return fail(error, "%s has two budgets", budget->cost->plug.name);
    request->budgets = xrealloc(request->budgets, ((size_t)request->budget_count + 1) * sizeof *request->budgets);
    request->budgets[request->budget_count++] = *budget;
    return true;
}

/* False: points is no whole number of them. */
static bool read_points(const char *text, int *points)
{
    size_t digits = strspn(text, "0123456789");
    *points = digits > 0 && digits < 6 && !text[digits] ? atoi(text) : 0;
    return *points >= 2;
}

static bool parse_sweep(const char *text, struct sweep *sweep, struct error *error)
{
    const char *equals = strchr(text, '='), *dots = equals ? strstr(equals, "..") : NULL;
    *sweep = (struct sweep){.cost = format_text("%.*s", (int)strcspn(text, "="), text)};
    if (equals && dots) {
        sweep->from = format_text("%.*s", (int)(dots - equals - 1), equals + 1);
        sweep->to = format_text("%.*s", (int)strcspn(dots + 2, ":"), dots + 2);
    }
    const char *colon = dots ? strchr(dots, ':') : NULL;
    if ((!equals || dots) && (!colon || read_points(colon + 1, &sweep->points)))
        return true;
    return fail(error, "--sweep %.60s: valid: COST, COST=FROM..TO or COST=FROM..TO:POINTS with 2 points to 99999, like "
                "weight_bytes=10KiB..40KiB", text);
}

static bool sweep_range(const struct request *request, const struct sweep *sweep, double *from, double *to,
                        struct error *error)
{
    const struct budget *budget = &request->budgets[request->budget_count - 1];
    if (!sweep->from) {
        layer_table_range(&request->table, budget, from, to);
        return true;
    }
    if (!layer_table_amount(&request->table, budget, sweep->from, from, error)
        || !layer_table_amount(&request->table, budget, sweep->to, to, error))
        return false;
    return *from <= *to || fail(error, "--sweep %s: %s is above %s", sweep->cost, sweep->from, sweep->to);
}

/* ---- output ---- */

static bool save(const char *path, cJSON *json, struct error *error)
{
    char *text = cJSON_Print(json), *temporary = format_text("%s.tmp.%ld", path, (long)getpid());
    FILE *file = fopen(temporary, "w");
    bool good = file && fprintf(file, "%s\n", text) > 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file)
        good = fclose(file) == 0 && good;
    good = good && rename(temporary, path) == 0;
    if (!good) {
        fail(error, "cannot write %s: %s", path, strerror(errno));
        remove(temporary);
    }
    free(text);
    free(temporary);
    cJSON_Delete(json);
    return good;
}

static int trouble(const struct error *error, enum verdict verdict)
{
    input_error(&cmd_allocate, error);
    return verdict == REFUSED ? EXIT_USAGE : EXIT_TROUBLE;
}

static int allocate_once(const struct request *request, const struct choices *choices)
{
    struct answer answer;
    struct error error;
    enum verdict verdict = allocate(request, &answer, &error);
    if (verdict != ALLOCATED)
        return trouble(&error, verdict);
    double *prices = xcalloc((size_t)request->budget_count + 1, sizeof *prices);
    allocate_prices(request, &answer, prices);
    bool good = !choices->output || save(choices->output, json_answer(request, &answer, prices), &error);
    if (good)
        print_answer(request, &answer, prices, choices->format);
    free(prices);
    answer_free(&answer);
    return good ? EXIT_DONE : trouble(&error, INFEASIBLE);
}

static int allocate_sweep(struct request *request, const struct choices *choices, const struct sweep *sweep)
{
    struct error error;
    struct budget budget;
    struct front front;
    double from, to;
    if (!layer_table_cost(&request->table, sweep->cost, &budget, &error) || !add_budget(request, &budget, &error)
        || !sweep_range(request, sweep, &from, &to, &error))
        return input_error(&cmd_allocate, &error);
    enum verdict verdict = pareto_front(request, from, to, sweep->points, &front, &error);
    if (verdict != ALLOCATED)
        return trouble(&error, verdict);
    if (!front.all_feasible)
        fprintf(stderr, "bitsweep allocate: budgets below %.17g are infeasible and left out\n", front.points[0].budget);
    bool good = !choices->output || save(choices->output, json_front(request, &front), &error);
    for (size_t i = 0; good && i < choices->plots.count; i++)
        good = pareto_plot(request, &front, choices->plots.items[i], &error);
    if (good)
        print_front(request, &front, choices->format);
    front_free(&front);
    return good ? EXIT_DONE : trouble(&error, INFEASIBLE);
}

/* ---- the verb ---- */

static int serve(const char *path, const struct choices *choices)
{
    struct request request = {0};
    struct sweep sweep = {0};
    struct error error;
    int code = EXIT_USAGE;
    request.solver = (const struct solver_ops *)named_plug(PLUG_SOLVER, choices->solver, &error);
    bool good = request.solver && (!choices->sweep || parse_sweep(choices->sweep, &sweep, &error))
                && layer_table_read(path, choices->paper_step, &request.table, &error);
    for (size_t i = 0; good && i < choices->budgets.count; i++) {
        struct budget budget;
        good = layer_table_budget(&request.table, choices->budgets.items[i], &budget, &error)
               && add_budget(&request, &budget, &error);
    }
    if (good && request.table.note)
        fprintf(stderr, "bitsweep allocate: %s\n", request.table.note);
    if (good)
        code = choices->sweep ? allocate_sweep(&request, choices, &sweep) : allocate_once(&request, choices);
    else
        input_error(&cmd_allocate, &error);
    layer_table_free(&request.table);
    free(request.budgets);
    free(sweep.cost);
    free(sweep.from);
    free(sweep.to);
    return code;
}

static int run(int argc, char **argv)
{
    struct choices choices = {.solver = "auto"};
    const struct option options[] = {
        {"-b", add_text, &choices.budgets},
        {"--solver", set_text, &choices.solver},
        {"--sweep", set_text, &choices.sweep},
        {"--noise", set_noise, &choices.paper_step},
        {"--plot", add_text, &choices.plots},
        {"-o", set_text, &choices.output},
        {"--format", set_format_csv, &choices.format},
        {0},
    };
    int code = EXIT_USAGE;
    if (read_options(&cmd_allocate, options, (struct operands){"layer table", 1, 1}, argc, argv) >= 0) {
        if (!choices.sweep && choices.budgets.count == 0)
            usage_error(&cmd_allocate, "no budget given: -b COST=AMOUNT, like -b mean_bits=4, or --sweep COST");
        else if (!choices.sweep && choices.plots.count > 0)
            usage_error(&cmd_allocate, "--plot draws a sweep: --sweep COST");
        else
            code = serve(argv[1], &choices);
    }
    free(choices.budgets.items);
    free(choices.plots.items);
    return code;
}
