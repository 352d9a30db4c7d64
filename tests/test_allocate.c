/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verb allocate against brute force, and its output. */
#include "support.h"
#include "verbs.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_allocate;

#define EXAMPLE "docs/examples/small-net.json"

static cJSON *json_of(const char *arguments)
{
    char *out = output_of(&cmd_allocate, arguments);
    cJSON *json = cJSON_ParseWithOpts(out, NULL, true);
    cr_assert_not_null(json, "no JSON: %s", out);
    free(out);
    return json;
}

static double number_in(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    cr_assert(cJSON_IsNumber(item), "no number '%s'", name);
    return item->valuedouble;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    cr_assert_not_null(item, "no '%s'", name);
    return item;
}

/* ---- random tables, and all of their allocations ---- */

#define TENSORS 5
static uint64_t key, draws;
static double draw(double low, double high) { return low + (high - low) * rng_uniform(key, draws++); }
static int draw_int(int low, int high) { return (int)floor(draw(low, high + 1)); }

/* Tensor i is the weight (even) or input (odd) of layer i / 2. */
struct sample {
    int count, group[TENSORS];
    bool allowed[TENSORS][9];
    double elements[TENSORS], macs[TENSORS], omega[TENSORS][9], ms[TENSORS][9];
};

static struct sample make_sample(uint64_t number)
{
    struct sample s = {.count = 0};
    key = rng_key(number, STREAM_DATA, 0, 0);
    draws = 0;
    s.count = draw_int(1, TENSORS);
    for (int i = 0; i < s.count; i++) {
        s.group[i] = draw_int(0, 3) == 0 ? 1 : 0;
        s.elements[i] = draw_int(1, 30);
        s.macs[i] = i % 2 ? s.macs[i - 1] : draw_int(1, 9);
        for (int b = 2; b <= 8; b++) {
            s.allowed[i][b] = b == 5 || draw_int(0, 2) > 0; /* gaps; 5 in common */
            s.omega[i][b] = draw(0, 1) * pow(4, -b) * pow(10, draw_int(0, 3));
            s.ms[i][b] = draw(0.1, 1) * (draw_int(0, 4) > 0 ? b : 2); /* not always rising */
        }
    }
    return s;
}

static char *write_sample(const char *folder, const struct sample *s)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("{\"tensors\":[", out);
    for (int i = 0; i < s->count; i++) {
        const char *comma = "";
        fprintf(out, "%s{\"name\":\"t%d\",\"kind\":\"%s\",\"layer\":%d,\"elements\":%g,\"macs\":%g,\"omega\":{",
                i ? "," : "", i, i % 2 ? "activation" : "weight", i / 2, s->elements[i], s->macs[i]);
        for (int b = 2; b <= 8; b++, comma = b > 2 ? "," : comma)
            fprintf(out, "%s\"%d\":%.17g", comma, b, s->omega[i][b]);
        comma = "";
        fputs("},\"choices\":[", out);
        for (int b = 2; b <= 8; b++)
            if (s->allowed[i][b]) {
                fprintf(out, "%s%d", comma, b);
                comma = ",";
            }
        fputs("],\"costs\":{\"ms\":{", out);
        for (int b = 2; b <= 8; b++)
            fprintf(out, "%s\"%d\":%.17g", b > 2 ? "," : "", b, s->ms[i][b]);
        fprintf(out, "}}%s}", s->group[i] ? ",\"group\":\"tied\"" : "");
    }
    fputs("]}", out);
    fclose(out);
    char *path = write_file(folder, "t.json", text);
    free(text);
    return path;
}

enum cost { MS, BYTES, MEAN, BOPS, COSTS };
static const char *const cost_names[COSTS] = {"ms", "weight_bytes", "mean_bits", "bops"};

static double cost_of(const struct sample *s, enum cost cost, const int *bits)
{
    double sum = 0;
    for (int i = 0; i < s->count; i++) {
        bool weight = i % 2 == 0;
        double input = i + 1 < s->count ? bits[i + 1] : 32;
        const double shares[COSTS] = {s->ms[i][bits[i]], weight ? s->elements[i] * bits[i] / 8 : 0,
                                      (double)bits[i] / s->count, weight ? s->macs[i] * bits[i] * input : 0};
        sum += shares[cost];
    }
    return sum;
}

static bool next_bits(const struct sample *s, int *bits)
{
    for (int i = 0; i < s->count; i++) {
        if (++bits[i] <= 8)
            return true;
        bits[i] = 2;
    }
    return false;
}

static bool is_allowed(const struct sample *s, const int *bits)
{
    int tied = 0;
    for (int i = 0; i < s->count; i++) {
        if (!s->allowed[i][bits[i]] || (s->group[i] && tied && bits[i] != tied))
            return false;
        tied = s->group[i] ? bits[i] : tied;
    }
    return true;
}

static bool within(const struct sample *s, const double *limits, const int *bits)
{
    for (int c = 0; c < COSTS; c++)
        if (!(cost_of(s, (enum cost)c, bits) <= limits[c] * (1 + 1e-12)))
            return false;
    return true;
}

static double omega_of(const struct sample *s, const int *bits)
{
    double sum = 0;
    for (int i = 0; i < s->count; i++)
        sum += s->omega[i][bits[i]];
    return sum;
}

/* INFINITY: infeasible. */
static double best_of(const struct sample *s, const double *limits)
{
    int bits[TENSORS] = {2, 2, 2, 2, 2};
    double best = INFINITY;
    do
        if (is_allowed(s, bits) && within(s, limits, bits))
            best = fmin(best, omega_of(s, bits));
    while (next_bits(s, bits));
    return best;
}

/* What the JSON says must hold by the sample itself. */
static void check_json(const struct sample *s, const cJSON *json, const double *limits, double best)
{
    int bits[TENSORS];
    cr_assert_eq(cJSON_GetArraySize(member(json, "bits")), s->count);
    for (int i = 0; i < s->count; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        bits[i] = (int)number_in(member(json, "bits"), name);
        cr_assert(bits[i] >= 2 && bits[i] <= 8);
    }
    cr_assert(is_allowed(s, bits) && within(s, limits, bits));
    double objective = number_in(json, "objective");
    cr_assert_float_eq(objective, omega_of(s, bits), 1e-14 * objective);
    cr_assert(cJSON_IsTrue(member(json, "optimal")));
    cr_assert_leq(fabs(objective - best), 1e-6 * best, "%.17g is not the best, %.17g", objective, best);
    const cJSON *budget;
    cJSON_ArrayForEach(budget, member(json, "budgets"))
        cr_assert(number_in(budget, "slack") >= -1e-11 * number_in(budget, "limit")
                  && number_in(budget, "cost") == number_in(member(json, "costs"), member(budget, "name")->valuestring)
                  && number_in(budget, "price") >= 0);
}

Test(allocate, equals_brute_force)
{
    char *folder = temporary_folder();
    int infeasible = 0, solved = 0;
    for (uint64_t number = 1; number <= 60; number++) {
        struct sample s = make_sample(number);
        double limits[COSTS] = {INFINITY, INFINITY, INFINITY, INFINITY};
        int five[TENSORS] = {5, 5, 5, 5, 5}, budgets = draw_int(1, 3), first = draw_int(0, COSTS - 1);
        char *path = write_sample(folder, &s), *arguments = format_text("%s --format json", path);
        for (int b = 0; b < budgets; b++) {
            enum cost cost = (enum cost)((first + b) % COSTS);
            limits[cost] = cost_of(&s, cost, five) * draw(0.5, 1.3);
            char *longer = format_text("%s -b %s=%.17g", arguments, cost_names[cost], limits[cost]);
            free(arguments);
            arguments = longer;
        }
        double best = best_of(&s, limits);
        if (isinf(best)) {
            infeasible++;
            expect_trouble(&cmd_allocate, arguments, EXIT_TROUBLE, "by itself feasible from");
        } else {
            solved++;
            cJSON *json = json_of(arguments);
            check_json(&s, json, limits, best);
            cJSON_Delete(json);
        }
        free(arguments);
        free(path);
    }
    cr_expect(infeasible > 3 && solved > 20, "%d infeasible, %d solved", infeasible, solved);
    remove_folder(folder);
}

/* ---- the front ---- */

Test(allocate, the_front_is_every_efficient_allocation)
{
    char *folder = temporary_folder();
    for (uint64_t number = 101; number <= 108; number++) {
        struct sample s = make_sample(number);
        char *path = write_sample(folder, &s), *arguments = format_text("%s --sweep mean_bits --format json", path);
        cJSON *json = json_of(arguments);
        const cJSON *point = member(json, "points")->child;
        double limits[COSTS] = {INFINITY, INFINITY, INFINITY, INFINITY}, last = INFINITY;
        for (int sum = 2 * s.count; sum <= 8 * s.count; sum++) {
            limits[MEAN] = (double)sum / s.count;
            double best = best_of(&s, limits);
            if (!(best < last))
                continue;
            last = best;
            cr_assert_not_null(point, "the point at %d bits is not there", sum);
            cr_assert_float_eq(number_in(point, "cost"), limits[MEAN], 1e-12);
            cr_assert_eq(number_in(point, "cost"), number_in(point, "budget"));
            cr_assert_float_eq(number_in(point, "objective"), best, 1e-12 * best);
            cr_assert_eq(cJSON_GetArraySize(member(point, "bits")), s.count);
            point = point->next;
        }
        cr_assert_null(point, "more points than efficient allocations");
        cJSON_Delete(json);
        free(arguments);
        free(path);
    }
    remove_folder(folder);
}

Test(allocate, sweeps_of_a_range_and_of_points)
{
    cJSON *all = json_of(EXAMPLE " --sweep weight_bytes -b latency_ms=0.6 --format json"),
          *some = json_of(EXAMPLE " --sweep weight_bytes=2KiB..2.5KiB -b latency_ms=0.6 --format json"),
          *points = json_of(EXAMPLE " --sweep weight_bytes=2000..3000:3 -b latency_ms=0.6 --format json");
    const cJSON *point, *within = member(some, "points")->child;
    double before = INFINITY;
    cJSON_ArrayForEach(point, member(all, "points")) {
        cr_expect_lt(number_in(point, "objective"), before);
        before = number_in(point, "objective");
        if (number_in(point, "cost") < 2048 || number_in(point, "cost") > 2560)
            continue;
        cr_assert_eq(number_in(within, "objective"), number_in(point, "objective"));
        within = within->next;
    }
    cr_expect_null(within);
    cr_assert_eq(cJSON_GetArraySize(member(points, "points")), 3);
    cr_expect_eq(number_in(cJSON_GetArrayItem(member(points, "points"), 1), "budget"), 2500);
    cJSON *alone = json_of(EXAMPLE " -b weight_bytes=2500 -b latency_ms=0.6 --format json");
    cr_expect_eq(number_in(alone, "objective"), number_in(cJSON_GetArrayItem(member(points, "points"), 1), "objective"));
    cr_expect_str_eq(member(all, "sweep")->valuestring, "weight_bytes");
    cr_expect_eq(cJSON_GetArraySize(member(all, "budgets")), 1);
    cJSON_Delete(all);
    cJSON_Delete(some);
    cJSON_Delete(points);
    cJSON_Delete(alone);
}

Test(allocate, plots_a_sweep)
{
    char *folder = temporary_folder(), *plot = file_in(folder, "front.svg"),
         *arguments = format_text(EXAMPLE " --sweep mean_bits --plot %s --format csv", plot);
    struct outcome outcome = run_verb(&cmd_allocate, arguments);
    if (strstr(outcome.errors, "gnuplot cannot be started"))
        skip_test("gnuplot is not installed");
    cr_assert_eq(outcome.code, EXIT_DONE, "%s", outcome.errors);
    cr_expect(strstr(outcome.errors, plot) && access(plot, R_OK) == 0);
    cr_expect_eq(strncmp(outcome.out, "budget,cost,objective,optimal,conv1.weight,conv1.input,", 54), 0);
    outcome_free(&outcome);
    free(arguments);
    free(plot);
    remove_folder(folder);
}

/* ---- output ---- */

/* The issue's own call. */
Test(allocate, json_as_the_issue_has_it)
{
    char *folder = temporary_folder(), *path = write_file(folder, "t.json",
        "{\"tensors\":[{\"name\":\"c0\",\"kind\":\"weight\",\"elements\":36864,\"choices\":[4,8],\"group\":\"join0\","
        "\"omega\":{\"4\":0.46,\"8\":0.002},\"costs\":{\"latency_ms\":{\"4\":0.21,\"8\":0.36}}}]}");
    char *arguments = format_text("%s -b weight_bytes=8368128 -b latency_ms=4.1 --solver glpk --format json", path);
    cJSON *json = json_of(arguments);
    cr_expect_eq(number_in(json, "objective"), 0.002);
    cr_expect(cJSON_IsTrue(member(json, "optimal")));
    cr_expect_eq(number_in(member(json, "bits"), "c0"), 8);
    cr_expect_eq(number_in(member(json, "costs"), "latency_ms"), 0.36);
    cr_expect_eq(number_in(member(json, "costs"), "weight_bytes"), 36864);
    cJSON_Delete(json);
    free(arguments);
    arguments = format_text("%s -b latency_ms=0.3 --format json", path);
    char *out = output_of(&cmd_allocate, arguments);
    cr_expect(strstr(out, "0.46000000000000002") && strstr(out, "0.29999999999999999"), "17 digits: %s", out);
    free(out);
    free(arguments);
    free(path);
    remove_folder(folder);
}

/* Two tensors of 8 elements, a byte a bit: from (2, 2) the gains per byte are 3, 2 (first tensor), 1 (second). */
Test(allocate, price_is_the_slope_of_the_relaxation)
{
    static const struct { double limit, price; } cases[] = {{4.5, 3}, {5.5, 2}, {6.5, 1}, {20, 0}};
    char *folder = temporary_folder(), *path = write_file(folder, "t.csv",
        "name,kind,elements,omega:2,omega:3,omega:4\na,weight,8,9,6,4\nb,weight,8,5,4,3.5\n");
    for (size_t i = 0; i < 4; i++) {
        char *arguments = format_text("%s -b weight_bytes=%g --format json", path, cases[i].limit);
        cJSON *json = json_of(arguments), *budget = member(json, "budgets")->child;
        expect_near(number_in(budget, "price"), cases[i].price);
        expect_near(number_in(budget, "slack"), cases[i].limit - number_in(budget, "cost"));
        cJSON_Delete(json);
        free(arguments);
    }
    char *arguments = format_text("%s -b weight_bytes=5.5 --format json", path);
    cJSON *json = json_of(arguments);
    const cJSON *a = member(json, "tensors")->child;
    cr_expect_eq(number_in(member(json, "bits"), "a"), 3);
    cr_expect(number_in(member(a, "wider"), "bits") == 4 && number_in(member(a, "wider"), "change") == -2);
    cr_expect(number_in(member(a, "narrower"), "bits") == 2 && number_in(member(a, "narrower"), "change") == 3);
    cr_expect(cJSON_IsNull(member(a->next, "narrower")));
    cJSON_Delete(json);
    free(arguments);
    free(path);
    remove_folder(folder);
}

Test(allocate, formats_agree)
{
    cJSON *json = json_of(EXAMPLE " -b weight_bytes=3KiB -b latency_ms=0.6 --format json");
    char *csv = output_of(&cmd_allocate, "docs/examples/small-net.csv -b weight_bytes=3KiB -b latency_ms=0.6 --format csv"),
         *text = output_of(&cmd_allocate, EXAMPLE " -b weight_bytes=3KiB -b latency_ms=0.6");
    char *line = csv;
    cr_assert_not_null(strsep(&line, "\n"));
    cr_expect_str_eq(csv, "name,kind,elements,bits,omega,cost:weight_bytes,cost:latency_ms,wider,wider_change,narrower,"
                          "narrower_change");
    const cJSON *tensor;
    double sum = 0;
    cJSON_ArrayForEach(tensor, member(json, "tensors")) {
        const char *name = member(tensor, "name")->valuestring;
        char *fields = strsep(&line, "\n"), *field[11];
        for (int i = 0; i < 11; i++)
            field[i] = strsep(&fields, ",");
        cr_assert_null(fields);
        cr_expect_str_eq(field[0], name);
        cr_expect_eq(atof(field[3]), number_in(member(json, "bits"), name));
        cr_expect_eq(atof(field[4]), number_in(tensor, "omega"));
        cr_expect_eq(atof(field[5]), number_in(member(tensor, "costs"), "weight_bytes"));
        sum += number_in(tensor, "omega");
    }
    cr_expect_str_eq(line, "");
    cr_expect_float_eq(sum, number_in(json, "objective"), 1e-15);
    char *objective = format_text("\nobjective  %.17g\n", number_in(json, "objective"));
    cr_expect(strstr(text, objective) && strstr(text, "proven optimal") && strstr(text, "slack"), "%s", text);
    free(objective);
    free(csv);
    free(text);
    cJSON_Delete(json);
}

Test(allocate, only_budgets_on_the_largest_layer)
{
    cJSON *json = json_of(EXAMPLE " -b act_bytes_max=8192 --format json");
    cr_expect_eq(number_in(member(json, "bits"), "block1.conv1.input"), 4);
    cr_expect_eq(number_in(member(json, "bits"), "fc.input"), 8);
    cr_expect(cJSON_IsNull(member(member(json, "budgets")->child, "price")));
    cJSON_Delete(json);
}

Test(allocate, the_man_pages_example_runs)
{
    size_t size;
    char *page = read_bytes("docs/man/bitsweep-allocate.1", &size), *at = strstr(page, "\nbitsweep allocate ");
    int examples = 0;
    for (; at; at = strstr(at + 1, "\nbitsweep allocate ")) {
        char *words = at + strlen("\nbitsweep allocate "), *folder = temporary_folder();
        char *line = format_text("%.*s", (int)strcspn(words, "\n"), words), *output = strstr(line, " -o ");
        if (output)
            *output = '\0'; /* the tests leave no files */
        free(output_of(&cmd_allocate, line));
        free(line);
        remove_folder(folder);
        examples++;
    }
    cr_expect_geq(examples, 1);
    free(page);
}

/* ---- what is wrong ---- */

Test(allocate, bad_requests)
{
    static const struct { const char *arguments; int code; const char *words; } cases[] = {
        {EXAMPLE, EXIT_USAGE, "no budget given: -b COST=AMOUNT"},
        {"-b mean_bits=4", EXIT_USAGE, "no layer table given"},
        {"/nonexistent -b mean_bits=4", EXIT_USAGE, "cannot read /nonexistent"},
        {EXAMPLE " -b mean_bits", EXIT_USAGE, "must be COST=AMOUNT"},
        {EXAMPLE " -b mean_bit=4", EXIT_USAGE, "did you mean 'mean_bits'"},
        {EXAMPLE " -b mean_bits=4 -b mean_bits=5", EXIT_USAGE, "mean_bits has two budgets"},
        {EXAMPLE " -b mean_bits=4 --sweep mean_bits", EXIT_USAGE, "mean_bits has two budgets"},
        {EXAMPLE " -b mean_bits=4 --solver glp", EXIT_USAGE, "there is no solver 'glp'"},
        {EXAMPLE " -b mean_bits=4 -b weight_bytes=3KiB --solver dp", EXIT_USAGE, "cannot take this problem"},
        {EXAMPLE " -b mean_bits=1", EXIT_TROUBLE, "mean_bits = 1: by itself feasible from 3 to 8"},
        {EXAMPLE " -b weight_bytes=1536 -b latency_ms=0.3", EXIT_TROUBLE, "latency_ms = 0.29999999999999999: by"},
        {EXAMPLE " -b act_bytes_max=8191", EXIT_TROUBLE, "feasible from 8192 to 16384"},
        {EXAMPLE " -b mean_bits=4 --plot x.svg", EXIT_USAGE, "--plot draws a sweep"},
        {EXAMPLE " --sweep mean_bits --plot x.gif", EXIT_TROUBLE, "must end in .pdf, .png or .svg"},
        {EXAMPLE " --sweep mean_bits=4", EXIT_USAGE, "valid: COST, COST=FROM..TO"},
        {EXAMPLE " --sweep mean_bits=4..5:1", EXIT_USAGE, "with 2 points"},
        {EXAMPLE " --sweep mean_bits=5..4", EXIT_USAGE, "5 is above 4"},
        {EXAMPLE " --sweep mean_bits=1..2", EXIT_TROUBLE, "no allocation meets the budget"},
        {EXAMPLE " --noise loud -b mean_bits=4", EXIT_USAGE, "valid: actual, paper"},
        {EXAMPLE " -b mean_bits=4 -o /nonexistent/a.json", EXIT_TROUBLE, "cannot write /nonexistent/a.json"},
        {EXAMPLE " -b mean_bits=4 --format latex", EXIT_USAGE, "valid: text, json, csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_trouble(&cmd_allocate, cases[i].arguments, cases[i].code, cases[i].words);
}
