/* SPDX-License-Identifier: GPL-3.0-or-later
 * An allocation, or a front of them, as text, JSON and CSV. Numbers that are computed have 17 digits, so that they can be
 * read back as they are. */
#include "allocate.h"
#include "grid.h"
#include "../methods/costs/price.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static char *exact(double value) { return format_text("%.17g", value); }

/* null if it is not finite */
static cJSON *number(double value)
{
    if (!isfinite(value))
        return cJSON_CreateNull();
    char *text = exact(value);
    cJSON *json = cJSON_CreateRaw(text);
    free(text);
    return json;
}

static void add_number(cJSON *object, const char *name, double value) { cJSON_AddItemToObject(object, name, number(value)); }

static void print_exact(double value, bool last)
{
    char *text = isfinite(value) ? exact(value) : xstrdup("");
    print_csv_field(text, last);
    free(text);
}

static double omega_of(const struct layer_table *table, int tensor, int bits)
{
    return table->omega[(size_t)tensor * (MOST_WIDTH + 1) + (size_t)bits];
}

static float *as_floats(const struct layer_table *table, const int *bits)
{
    float *floats = xmalloc((size_t)table->count * sizeof *floats);
    for (int i = 0; i < table->count; i++)
        floats[i] = (float)bits[i];
    return floats;
}

/* What the widths cost in terms of one of the table's costs; NAN where the table cannot say. */
static double price(const struct layer_table *table, const struct table_cost *cost, const float *bits)
{
    const struct budget budget = {cost->ops, cost->context, INFINITY};
    return cost->missing ? NAN : budget_price(&budget, table->tensors, table->count, bits);
}

/* A tensor's share of a budget; where the cost takes products of widths, that of its whole layer. */
static double part(const struct layer_table *table, const struct budget *budget, const int *bits, int tensor)
{
    struct cost_totals totals = cost_totals(table->tensors, table->count);
    struct layer_widths layer = no_widths;
    for (int i = 0; i < table->count; i++)
        if (i == tensor || (budget->cost->joint && table->tensors[i].layer == table->tensors[tensor].layer))
            layer_take(&layer, &table->tensors[i], bits[i]);
    return budget->cost->layer(budget->context, &totals, &layer);
}

static double gap(const struct answer *answer)
{
    double above = answer->objective - answer->info.bound;
    return above == 0 ? 0 : above / fabs(answer->objective);
}

/* ---- JSON ---- */

static cJSON *bits_object(const struct layer_table *table, const int *bits)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < table->count; i++)
        cJSON_AddItemToObject(object, table->names[i], cJSON_CreateNumber(bits[i]));
    return object;
}

static void add_costs(cJSON *object, const struct layer_table *table, const int *bits)
{
    float *floats = as_floats(table, bits);
    cJSON *costs = cJSON_AddObjectToObject(object, "costs");
    for (int c = 0; c < table->cost_count; c++) {
        double value = price(table, &table->costs[c], floats);
        if (!isnan(value))
            add_number(costs, table->costs[c].ops->plug.name, value);
    }
    free(floats);
}

static cJSON *budget_object(const struct budget *budget)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", budget->cost->plug.name);
    add_number(object, "limit", budget->limit);
    return object;
}

static void add_neighbour(cJSON *object, const struct layer_table *table, const int *bits, int tensor, bool wider)
{
    double change;
    int width = allocate_neighbour(table, bits, tensor, wider, &change);
    const char *name = wider ? "wider" : "narrower";
    if (!width) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    cJSON *neighbour = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(neighbour, "bits", width);
    add_number(neighbour, "change", change);
}

static cJSON *tensor_object(const struct request *request, const struct answer *answer, int i)
{
    const struct layer_table *table = &request->table;
    const struct tensor *tensor = &table->tensors[i];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", table->names[i]);
    cJSON_AddStringToObject(object, "kind", tensor_kind_names[tensor->kind]);
    if (tensor->elements)
        add_number(object, "elements", (double)tensor->elements);
    if (!isnan(tensor->macs))
        add_number(object, "macs", tensor->macs);
    cJSON_AddNumberToObject(object, "bits", answer->bits[i]);
    add_number(object, "omega", omega_of(table, i, answer->bits[i]));
    cJSON *costs = cJSON_AddObjectToObject(object, "costs");
    for (int b = 0; b < request->budget_count; b++)
        add_number(costs, request->budgets[b].cost->plug.name, part(table, &request->budgets[b], answer->bits, i));
    add_neighbour(object, table, answer->bits, i, true);
    add_neighbour(object, table, answer->bits, i, false);
    return object;
}

cJSON *json_answer(const struct request *request, const struct answer *answer, const double *prices)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "table", request->table.path);
    add_number(root, "objective", answer->objective);
    add_number(root, "bound", answer->info.bound);
    add_number(root, "gap", gap(answer));
    cJSON_AddBoolToObject(root, "optimal", answer->info.optimal);
    cJSON_AddStringToObject(root, "solver", answer->info.solver);
    add_number(root, "seconds", answer->info.seconds);
    cJSON_AddItemToObject(root, "bits", bits_object(&request->table, answer->bits));
    add_costs(root, &request->table, answer->bits);
    cJSON *budgets = cJSON_AddArrayToObject(root, "budgets");
    for (int b = 0; b < request->budget_count; b++) {
        cJSON *budget = budget_object(&request->budgets[b]);
        add_number(budget, "cost", answer->costs[b]);
        add_number(budget, "slack", request->budgets[b].limit - answer->costs[b]);
        add_number(budget, "price", prices[b]);
        cJSON_AddItemToArray(budgets, budget);
    }
    cJSON *tensors = cJSON_AddArrayToObject(root, "tensors");
    for (int i = 0; i < request->table.count; i++)
        cJSON_AddItemToArray(tensors, tensor_object(request, answer, i));
    return root;
}

cJSON *json_front(const struct request *request, const struct front *front)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "table", request->table.path);
    cJSON_AddStringToObject(root, "solver", request->solver->plug.name);
    cJSON_AddStringToObject(root, "sweep", request->budgets[request->budget_count - 1].cost->plug.name);
    cJSON *budgets = cJSON_AddArrayToObject(root, "budgets");
    for (int b = 0; b + 1 < request->budget_count; b++)
        cJSON_AddItemToArray(budgets, budget_object(&request->budgets[b]));
    cJSON *points = cJSON_AddArrayToObject(root, "points");
    for (int i = 0; i < front->count; i++) {
        cJSON *point = cJSON_CreateObject();
        add_number(point, "budget", front->points[i].budget);
        add_number(point, "cost", front->points[i].cost);
        add_number(point, "objective", front->points[i].objective);
        cJSON_AddBoolToObject(point, "optimal", front->points[i].optimal);
        cJSON_AddItemToObject(point, "bits", bits_object(&request->table, front->points[i].bits));
        cJSON_AddItemToArray(points, point);
    }
    return root;
}

/* ---- CSV ---- */

static void print_answer_csv(const struct request *request, const struct answer *answer)
{
    const struct layer_table *table = &request->table;
    fputs("name,kind,elements,bits,omega", stdout);
    for (int b = 0; b < request->budget_count; b++) {
        fputs(",cost:", stdout);
        fputs(request->budgets[b].cost->plug.name, stdout);
    }
    fputs(",wider,wider_change,narrower,narrower_change\n", stdout);
    for (int i = 0; i < table->count; i++) {
        print_csv_field(table->names[i], false);
        print_csv_field(tensor_kind_names[table->tensors[i].kind], false);
        print_exact(table->tensors[i].elements ? (double)table->tensors[i].elements : NAN, false);
        print_exact(answer->bits[i], false);
        print_exact(omega_of(table, i, answer->bits[i]), false);
        for (int b = 0; b < request->budget_count; b++)
            print_exact(part(table, &request->budgets[b], answer->bits, i), false);
        for (int wider = 1; wider >= 0; wider--) {
            double change = NAN;
            int width = allocate_neighbour(table, answer->bits, i, wider, &change);
            print_exact(width ? width : NAN, false);
            print_exact(change, !wider);
        }
    }
}

static void print_front_csv(const struct request *request, const struct front *front)
{
    fputs("budget,cost,objective,optimal,", stdout);
    for (int i = 0; i < request->table.count; i++)
        print_csv_field(request->table.names[i], i + 1 == request->table.count);
    for (int p = 0; p < front->count; p++) {
        const struct point *point = &front->points[p];
        print_exact(point->budget, false);
        print_exact(point->cost, false);
        print_exact(point->objective, false);
        print_csv_field(point->optimal ? "true" : "false", false);
        for (int i = 0; i < request->table.count; i++)
            print_exact(point->bits[i], i + 1 == request->table.count);
    }
}

/* ---- text ---- */

#define COLUMNS 5

static char *neighbour_text(const struct layer_table *table, const int *bits, int tensor, bool wider)
{
    double change;
    int width = allocate_neighbour(table, bits, tensor, wider, &change);
    return width ? format_text("%d: %+.4g", width, change) : xstrdup("-");
}

static void print_tensors(const struct request *request, const struct answer *answer)
{
    static const char *const headers[COLUMNS] = {"tensor", "kind", "elements", "bits", "omega"};
    const struct layer_table *table = &request->table;
    size_t columns = COLUMNS + (size_t)request->budget_count + 2;
    bool *left = xcalloc(columns, sizeof *left);
    left[0] = left[1] = true;
    struct grid grid = grid_new(columns, left);
    free(left);
    for (int c = 0; c < COLUMNS; c++)
        grid_add(&grid, xstrdup(headers[c]));
    for (int b = 0; b < request->budget_count; b++)
        grid_add(&grid, xstrdup(request->budgets[b].cost->plug.name));
    grid_add(&grid, xstrdup("wider"));
    grid_add(&grid, xstrdup("narrower"));
    for (int i = 0; i < table->count; i++) {
        grid_add(&grid, xstrdup(table->names[i]));
        grid_add(&grid, xstrdup(tensor_kind_names[table->tensors[i].kind]));
        grid_add(&grid, table->tensors[i].elements ? format_text("%zu", table->tensors[i].elements) : xstrdup("-"));
        grid_add(&grid, format_text("%d", answer->bits[i]));
        grid_add(&grid, format_text("%.6g", omega_of(table, i, answer->bits[i])));
        for (int b = 0; b < request->budget_count; b++)
            grid_add(&grid, format_text("%.10g", part(table, &request->budgets[b], answer->bits, i)));
        grid_add(&grid, neighbour_text(table, answer->bits, i, true));
        grid_add(&grid, neighbour_text(table, answer->bits, i, false));
    }
    grid_print(&grid);
    grid_free(&grid);
}

static void print_budgets(const struct request *request, const struct answer *answer, const double *prices)
{
    static const char *const headers[] = {"budget", "limit", "cost", "slack", "price"};
    struct grid grid = grid_new(5, (const bool[]){true, false, false, false, false});
    for (int c = 0; c < 5; c++)
        grid_add(&grid, xstrdup(headers[c]));
    for (int b = 0; b < request->budget_count; b++) {
        const struct budget *budget = &request->budgets[b];
        grid_add(&grid, xstrdup(budget->cost->plug.name));
        grid_add(&grid, exact(budget->limit));
        grid_add(&grid, exact(answer->costs[b]));
        grid_add(&grid, exact(budget->limit - answer->costs[b]));
        grid_add(&grid, isnan(prices[b]) ? xstrdup("-") : exact(prices[b]));
    }
    grid_print(&grid);
    grid_free(&grid);
}

static void print_costs(const struct layer_table *table, const int *bits)
{
    float *floats = as_floats(table, bits);
    struct grid grid = grid_new(3, (const bool[]){true, false, true});
    grid_add(&grid, xstrdup("cost"));
    grid_add(&grid, xstrdup("of the widths"));
    grid_add(&grid, xstrdup("unit"));
    for (int c = 0; c < table->cost_count; c++) {
        double value = price(table, &table->costs[c], floats);
        if (isnan(value))
            continue;
        grid_add(&grid, xstrdup(table->costs[c].ops->plug.name));
        grid_add(&grid, exact(value));
        grid_add(&grid, xstrdup(c < table->tabled_count ? "as in the table" : table->costs[c].ops->unit));
    }
    grid_print(&grid);
    grid_free(&grid);
    free(floats);
}

static void print_answer_text(const struct request *request, const struct answer *answer, const double *prices)
{
    print_tensors(request, answer);
    printf("\nobjective  %.17g\n", answer->objective);
    if (isfinite(answer->info.bound))
        printf("bound      %.17g (gap %.3g)\n", answer->info.bound, gap(answer));
    else
        puts("bound      none");
    printf("solver     %s, %s, %.3g s\n\n", answer->info.solver,
           answer->info.optimal ? "proven optimal" : "not proven optimal", answer->info.seconds);
    print_budgets(request, answer, prices);
    putchar('\n');
    print_costs(&request->table, answer->bits);
}

static char *widths_text(const int *bits, int count)
{
    char *text = xstrdup("");
    for (int i = 0; i < count; i++) {
        char *longer = format_text("%s%s%d", text, i ? " " : "", bits[i]);
        free(text);
        text = longer;
    }
    return text;
}

static void print_front_text(const struct request *request, const struct front *front)
{
    struct grid grid = grid_new(5, (const bool[]){false, false, false, true, true});
    grid_add(&grid, xstrdup(request->budgets[request->budget_count - 1].cost->plug.name));
    grid_add(&grid, xstrdup("cost"));
    grid_add(&grid, xstrdup("objective"));
    grid_add(&grid, xstrdup("proven"));
    grid_add(&grid, xstrdup("bits, in the table's order"));
    for (int i = 0; i < front->count; i++) {
        grid_add(&grid, exact(front->points[i].budget));
        grid_add(&grid, exact(front->points[i].cost));
        grid_add(&grid, exact(front->points[i].objective));
        grid_add(&grid, xstrdup(front->points[i].optimal ? "yes" : "no"));
        grid_add(&grid, widths_text(front->points[i].bits, request->table.count));
    }
    grid_print(&grid);
    grid_free(&grid);
}

void print_answer(const struct request *request, const struct answer *answer, const double *prices, enum format format)
{
    if (format == FORMAT_JSON)
        print_json(json_answer(request, answer, prices));
    else if (format == FORMAT_CSV)
        print_answer_csv(request, answer);
    else
        print_answer_text(request, answer, prices);
}

void print_front(const struct request *request, const struct front *front, enum format format)
{
    if (format == FORMAT_JSON)
        print_json(json_front(request, front));
    else if (format == FORMAT_CSV)
        print_front_csv(request, front);
    else
        print_front_text(request, front);
}
