/* SPDX-License-Identifier: GPL-3.0-or-later
 * The costs that a budget on a layer table can name: those that the table gives, and the built-in ones that its fields
 * suffice for. */
#include "layer_rows.h"
#include "budgets.h"
#include "names.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELLS (MOST_WIDTH + 1)

/* ---- tabled costs ---- */

/* Between two widths of the table, the line between them; outside, the nearest. */
static double interpolated(const double *values, double bits)
{
    int below = 0, above = 0;
    for (int b = 1; b <= MOST_WIDTH; b++) {
        if (isnan(values[b]))
            continue;
        if (b <= bits)
            below = b;
        if (b >= bits && !above)
            above = b;
    }
    if (!below || !above || below == above)
        return values[below ? below : above];
    return values[below] + (values[above] - values[below]) * (bits - below) / (above - below);
}

static double share(const struct tabled_cost *cost, const struct tensor *tensor, double bits)
{
    return tensor ? interpolated(cost->values + (size_t)(tensor - cost->tensors) * CELLS, bits) : 0;
}

static double tabled_layer(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)totals;
    return share(context, layer->weight, layer->w) + share(context, layer->input, layer->a)
           + share(context, layer->gradient, layer->g);
}

static void add_name(struct layer_table *table, const char *name)
{
    for (int c = 0; c < table->tabled_count; c++)
        if (strcmp(table->tabled[c].ops.plug.name, name) == 0)
            return;
    table->tabled = xrealloc(table->tabled, ((size_t)table->tabled_count + 1) * sizeof *table->tabled);
    table->tabled[table->tabled_count++] = (struct tabled_cost){
        .ops = {.plug = {.name = xstrdup(name), .version = 1, .help = "Given by the layer table."}, .unit = "",
                .layer = tabled_layer},
        .tensors = table->tensors,
    };
}

static const double *find_values(const struct layer_row *row, const char *name)
{
    for (size_t c = 0; c < row->cost_count; c++)
        if (strcmp(row->costs[c].name, name) == 0)
            return row->costs[c].values;
    return NULL;
}

/* The costs of one tensor: what it does not list at all costs nothing, as with the costs of weights for activations; what it
 * lists is needed at each of its widths. */
static bool fill_cells(const struct layer_row *row, const struct tensor *tensor, const char *name, double *cells,
                       struct error *error)
{
    const double *values = find_values(row, name);
    for (int b = 0; b <= MOST_WIDTH; b++) {
        cells[b] = values ? values[b] : 0;
        if (isnan(cells[b]) && tensor_allows(tensor, b))
            return fail(error, "%s: %s has no %s at width %d, only at other widths%s", row->place, row->name, name, b,
                        row->choices ? "" : "; `choices` says which widths are allowed");
    }
    return true;
}

static bool fill_values(const struct layer_table *table, struct tabled_cost *cost, struct layer_rows *rows,
                        struct error *error)
{
    const char *name = cost->ops.plug.name, *first = NULL;
    size_t without = 0;
    cost->values = xmalloc(rows->count * CELLS * sizeof *cost->values);
    for (size_t i = 0; i < rows->count; i++) {
        if (!fill_cells(&rows->items[i], &table->tensors[i], name, cost->values + i * CELLS, error))
            return false;
        if (find_values(&rows->items[i], name))
            continue;
        first = without++ ? first : table->names[i];
    }
    if (!layer_table_sum_is_finite(table, cost->values, name, error))
        return false;
    if (without)
        layer_rows_note(rows, "%s: %zu of %zu tensors (%s%s) have no %s, so they cost nothing in it", table->path, without,
                        rows->count, first, without > 1 ? ", ..." : "", name);
    return true;
}

/* ---- built-in costs ---- */

/* The price at various widths. */
static double try_price(const struct table_cost *cost, const struct tensor *tensors, int count)
{
    float *bits = xmalloc((size_t)count * sizeof *bits);
    for (int i = 0; i < count; i++)
        bits[i] = (float)(2 + i % 7);
    double price = cost_price(cost->ops, cost->context, tensors, count, bits);
    free(bits);
    return price;
}

/* More elements than any table gives, so that a largest layer shows them too. */
static struct tensor completed(const struct tensor *tensor, int number)
{
    struct tensor whole = *tensor;
    whole.elements = tensor->elements ? tensor->elements : ((size_t)1 << 60) + ((size_t)number << 20);
    whole.macs = isnan(tensor->macs) ? 1 : tensor->macs;
    return whole;
}

/* Whether a cost needs a field that a tensor lacks shows in what it makes of it: missing macs are NAN, elements 0. */
static char *why_missing(const struct layer_table *table, const struct table_cost *cost)
{
    struct tensor *tensors = xmalloc((size_t)table->count * sizeof *tensors);
    char *why = NULL;
    for (int i = 0; i < table->count; i++)
        tensors[i] = completed(&table->tensors[i], i);
    double complete = try_price(cost, tensors, table->count);
    if (complete == 0)
        why = xstrdup("it is about none of these tensors");
    bool missing = !why && try_price(cost, table->tensors, table->count) != complete;
    for (int i = 0; missing && !why && i < table->count; i++) {
        const char *field = "elements";
        tensors[i].elements = table->tensors[i].elements;
        if (try_price(cost, tensors, table->count) == complete) {
            field = "macs";
            tensors[i] = table->tensors[i];
        }
        if (try_price(cost, tensors, table->count) != complete)
            why = format_text("it needs the field '%s', which %s does not have", field, table->names[i]);
    }
    free(tensors);
    return why;
}

static struct table_cost built_in(const struct layer_table *table, const struct cost_ops *ops)
{
    struct table_cost cost = {.ops = ops};
    struct error error;
    if (ops->open && !ops->open(NULL, NULL, &cost.opened, &error)) {
        cost.opened = NULL;
        cost.missing = xstrdup(error.text);
    } else {
        cost.context = cost.opened;
        cost.missing = why_missing(table, &cost);
    }
    return cost;
}

static void close_cost(struct table_cost *cost)
{
    if (cost->opened && cost->ops->close)
        cost->ops->close(cost->opened);
    free(cost->missing);
}

static const char *tabled_name(const struct layer_table *table, const struct plug *plug)
{
    for (int c = 0; c < table->tabled_count; c++) {
        const char *name = table->tabled[c].ops.plug.name;
        if (strcmp(name, plug->name) == 0 || (plug->alias && strcmp(name, plug->alias) == 0))
            return name;
    }
    return NULL;
}

/* A cost of the table goes before a built-in one of that name, which is worth a word where both could be meant. */
static void add_built_in(struct layer_table *table, const struct cost_ops *ops, struct layer_rows *rows)
{
    const char *tabled = tabled_name(table, &ops->plug);
    struct table_cost cost = built_in(table, ops);
    if (!tabled) {
        table->costs[table->cost_count++] = cost;
        return;
    }
    if (!cost.missing)
        layer_rows_note(rows, "%s: %s is what the table gives, not the built-in cost", table->path, tabled);
    close_cost(&cost);
}

bool layer_table_add_costs(struct layer_table *table, struct layer_rows *rows, struct error *error)
{
    const struct plug *plug;
    size_t others = 0;
    for (size_t i = 0; i < rows->count; i++)
        for (size_t c = 0; c < rows->items[i].cost_count; c++)
            add_name(table, rows->items[i].costs[c].name);
    for (int c = 0; c < table->tabled_count; c++)
        if (!fill_values(table, &table->tabled[c], rows, error))
            return false;
    while (plug_at(PLUG_COST, others))
        others++;
    table->costs = xcalloc((size_t)table->tabled_count + others, sizeof *table->costs);
    for (int c = 0; c < table->tabled_count; c++)
        table->costs[table->cost_count++] = (struct table_cost){.ops = &table->tabled[c].ops, .context = &table->tabled[c]};
    for (size_t i = 0; (plug = plug_at(PLUG_COST, i)); i++)
        add_built_in(table, (const struct cost_ops *)plug, rows);
    return true;
}

void layer_table_free_costs(struct layer_table *table)
{
    for (int c = 0; c < table->cost_count; c++)
        close_cost(&table->costs[c]);
    for (int c = 0; c < table->tabled_count; c++) {
        free((char *)table->tabled[c].ops.plug.name);
        free(table->tabled[c].values);
    }
    free(table->costs);
    free(table->tabled);
}

/* ---- budgets ---- */

static bool fail_unknown(const struct layer_table *table, const char *name, struct error *error)
{
    struct names names = {0};
    for (int c = 0; c < table->cost_count; c++)
        if (!table->costs[c].missing)
            names_add(&names, table->costs[c].ops->plug.name);
    char *suggestion = names_suggestion(&names, name), *valid = names_joined(&names);
    fail(error, "there is no cost '%.60s' for %s%s; valid: %s", name, table->path, suggestion, valid);
    free(suggestion);
    free(valid);
    names_free(&names);
    return false;
}

bool layer_table_cost(const struct layer_table *table, const char *name, struct budget *budget, struct error *error)
{
    for (int c = 0; c < table->cost_count; c++) {
        const struct table_cost *cost = &table->costs[c];
        const struct plug *plug = &cost->ops->plug;
        if (strcmp(plug->name, name) != 0 && !(plug->alias && strcmp(plug->alias, name) == 0))
            continue;
        *budget = (struct budget){.cost = cost->ops, .context = cost->context, .limit = INFINITY};
        return !cost->missing || fail(error, "%s has no %s: %s", table->path, name, cost->missing);
    }
    return fail_unknown(table, name, error);
}

/* What a share is a share of. */
static bool reference_price(const struct layer_table *table, const struct budget *budget, double *price, struct error *error)
{
    float *bits = xmalloc((size_t)table->count * sizeof *bits);
    bool good = true;
    for (int i = 0; i < table->count; i++) {
        const struct tabled_cost *tabled = budget->cost->layer == tabled_layer ? budget->context : NULL;
        bits[i] = REFERENCE_BITS;
        if (good && tabled && isnan(tabled->values[(size_t)i * CELLS + REFERENCE_BITS]))
            good = fail(error, "a share of %s is of its sum at %d bits, at which %s has none; give the limit itself",
                        budget->cost->plug.name, REFERENCE_BITS, table->names[i]);
    }
    *price = budget_price(budget, table->tensors, table->count, bits);
    free(bits);
    return good;
}

bool layer_table_amount(const struct layer_table *table, const struct budget *budget, const char *text, double *value,
                        struct error *error)
{
    struct amount amount;
    double whole = 1;
    if (!amount_value(budget->cost->plug.name, text, &amount, error)
        || (amount.relative && !reference_price(table, budget, &whole, error)))
        return false;
    *value = amount.relative ? amount.value / 100 * whole : amount.value;
    return true;
}

bool layer_table_budget(const struct layer_table *table, const char *text, struct budget *budget, struct error *error)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return fail(error, "-b %.60s: must be COST=AMOUNT, like weight_bytes=70KiB", text);
    char *name = format_text("%.*s", (int)(equals - text), text);
    bool good = layer_table_cost(table, name, budget, error)
                && layer_table_amount(table, budget, equals + 1, &budget->limit, error);
    free(name);
    return good;
}

/* Tied tensors' widths are those that all of them have. A sum's extremes are those of its joint choices, which the classes
 * hold; the largest layer's share is at its least and most with all widths. */
void layer_table_range(const struct layer_table *table, const struct budget *budget, double *least, double *most)
{
    struct budget unlimited = {budget->cost, budget->context, INFINITY};
    const struct problem problem = {table->tensors, table->count, &unlimited, 1, table->omega, table->noise};
    struct classes classes;
    struct error error;
    if (budget->cost->largest || !classes_make(&problem, &classes, &error)) {
        budget_range(budget, table->tensors, table->count, least, most);
        return;
    }
    *least = *most = budget->cost->constant ? budget->cost->constant(budget->context) : 0;
    for (int k = 0; k < classes.problem.tensors; k++) {
        const double *cost = classes.problem.cost + (size_t)k * (size_t)classes.problem.widths;
        double low = INFINITY, high = -INFINITY;
        for (int option = 0; option < classes.options[k]; option++) {
            low = fmin(low, cost[option]);
            high = fmax(high, cost[option]);
        }
        *least += low;
        *most += high;
    }
    classes_free(&classes);
}
