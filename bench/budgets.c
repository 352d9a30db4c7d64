/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "budgets.h"
#include "cli.h"
#include "names.h"
#include "settings.h"
#include "../methods/allocators/problem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEAN_BITS "mean_bits"
#define MOST_MEAN 32

static const struct { const char *suffix; double factor; } units[] = {
    {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}, {"B", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9},
    {"T", 1e12}, {"%", 1}, {"", 1},
};

/* ---- text ---- */

bool amount_value(const char *cost, const char *amount, struct amount *out, struct error *error)
{
    char *end = (char *)amount;
    *out = (struct amount){0};
    size_t digits = strspn(amount, "0123456789+-.eE"); /* strtod would take hexadecimal numbers, too */
    double value = digits ? strtod(amount, &end) : NAN;
    size_t unit = 0, count = sizeof units / sizeof *units;
    while (unit < count && strcmp(units[unit].suffix, end) != 0)
        unit++;
    if (end == amount || end > amount + digits || unit == count || !isfinite(value * units[unit].factor) || value <= 0)
        return fail(error, "the limit of %s is '%.60s'; valid: a number above 0, also with B, KiB, MiB, GiB, k, M, G, T, or "
                    "a share of the cost at 8 bits like 25%%", cost, amount);
    out->relative = units[unit].suffix[0] == '%';
    out->value = value * units[unit].factor;
    return true;
}

bool amount_parse(const char *cost, const char *amount, struct amount *out, struct error *error)
{
    const struct cost_ops *ops = (const struct cost_ops *)named_plug(PLUG_COST, cost, error);
    bool good = ops && amount_value(cost, amount, out, error);
    out->cost = ops;
    return good;
}

static bool parse_mean(const char *text, char **canonical, struct error *error)
{
    static const struct param mean = {.name = "budget", .type = PARAM_REAL, .min = 1, .max = MOST_MEAN};
    struct error problem;
    if (param_parse(&mean, text, canonical, &problem))
        return true;
    return fail(error, "%s; or limits of costs like weight_bytes=70KiB,bops=25%%", problem.text);
}

static int by_name(const void *left, const void *right)
{
    const struct amount *a = *(const struct amount *const *)left, *b = *(const struct amount *const *)right;
    return strcmp(a->cost->plug.name, b->cost->plug.name);
}

/* The parts of "COST=AMOUNT,COST=AMOUNT"; returns how many, or -1 after an error. */
static int parse_list(const char *text, struct amount *out, struct error *error)
{
    char *copy = xstrdup(text), *rest = NULL;
    int count = 0;
    bool good = true;
    for (char *part = strtok_r(copy, ", ", &rest); good && part; part = strtok_r(NULL, ", ", &rest)) {
        char *equals = strchr(part, '=');
        if (!equals)
            good = fail(error, "budget has '%.60s' where COST=AMOUNT is expected, like weight_bytes=70KiB,bops=25%%", part);
        else if (count == MAX_BUDGETS)
            good = fail(error, "budget has more than %d costs", MAX_BUDGETS);
        else {
            *equals = '\0';
            good = amount_parse(part, equals + 1, &out[count], error);
        }
        for (int i = 0; good && i < count; i++)
            if (out[i].cost == out[count].cost)
                good = fail(error, "budget has cost %s twice", part);
        count++;
    }
    free(copy);
    if (good && count == 0)
        good = fail(error, "budget is empty; valid: a mean width from 1 to 32, or limits of costs like "
                    "weight_bytes=70KiB,bops=25%%");
    return good ? count : -1;
}

static bool is_number(const struct amount *amount)
{
    return strcmp(amount->cost->plug.name, MEAN_BITS) == 0 && !amount->relative;
}

bool budget_parse(const char *text, char **canonical, struct error *error)
{
    struct amount amounts[MAX_BUDGETS];
    const struct amount *sorted[MAX_BUDGETS];
    if (!strchr(text, '='))
        return parse_mean(text, canonical, error);
    int count = parse_list(text, amounts, error);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++)
        sorted[i] = &amounts[i];
    qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    char number[32], *joined = xstrdup("");
    for (int i = 0; i < count; i++) {
        shortest_real(sorted[i]->value, number, sizeof number);
        char *longer = format_text("%s%s%s=%s%s", joined, i ? "," : "", sorted[i]->cost->plug.name, number,
                                   sorted[i]->relative ? "%" : "");
        free(joined);
        joined = longer;
    }
    if (count > 1 || !is_number(sorted[0])) {
        *canonical = joined;
        return true;
    }
    free(joined);
    return parse_mean(number, canonical, error);
}

/* ---- of a run ---- */

static bool add(struct budgets *budgets, const struct amount *amount, const struct settings *settings,
                const struct dataset *described, const struct tensor *tensors, int count, struct error *error)
{
    struct budget *budget = &budgets->items[budgets->count];
    *budget = (struct budget){.cost = amount->cost, .limit = amount->value};
    budgets->contexts[budgets->count] = NULL;
    if (budgets->count == MAX_BUDGETS)
        return fail(error, "budget has more than %d costs", MAX_BUDGETS);
    if (amount->cost->open && !amount->cost->open(settings, described, &budgets->contexts[budgets->count], error))
        return false;
    budget->context = budgets->contexts[budgets->count++];
    if (amount->relative)
        budget->limit = amount->value / 100 * budget_reference(budget, tensors, count);
    return true;
}

static bool concerns_gradients(const struct budget *budget, const struct tensor *tensors, int count)
{
    double price[2];
    float *bits = xmalloc(((size_t)count + 1) * sizeof *bits);
    for (int high = 0; high < 2; high++) {
        for (int i = 0; i < count; i++)
            bits[i] = high && tensors[i].kind == TENSOR_GRADIENT ? 8 : 2;
        price[high] = budget_price(budget, tensors, count, bits);
    }
    free(bits);
    return price[0] != price[1];
}

static bool needs_gradient_budget(const struct budgets *budgets, const struct tensor *tensors, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++)
        any |= tensors[i].kind == TENSOR_GRADIENT;
    for (int b = 0; b < budgets->count; b++)
        any &= !concerns_gradients(&budgets->items[b], tensors, count);
    return any;
}

/* What a plain number limits: of gradients alone, their mean. */
static const struct cost_ops *mean_of_allocated(const struct settings *settings)
{
    bool gradients_alone = setting_has(settings, "allocate") && setting_is(settings, "allocate", "gradients");
    return (const struct cost_ops *)plug_find(PLUG_COST, gradients_alone ? "mean_bits_g" : MEAN_BITS);
}

bool budgets_open(const struct settings *settings, const struct dataset *described, const struct tensor *tensors, int count,
                  struct budgets *budgets, struct error *error)
{
    struct amount amounts[MAX_BUDGETS] = {{0}};
    *budgets = (struct budgets){0};
    if (!setting_has(settings, "budget"))
        return true;
    const char *text = setting_text(settings, "budget");
    int amount_count = 1;
    if (strchr(text, '='))
        amount_count = parse_list(text, amounts, error);
    else
        amounts[0] = (struct amount){mean_of_allocated(settings), strtod(text, NULL), false};
    bool good = amount_count >= 0;
    for (int i = 0; good && i < amount_count; i++)
        good = add(budgets, &amounts[i], settings, described, tensors, count, error);
    if (good && needs_gradient_budget(budgets, tensors, count)) {
        const struct amount mean = {(const struct cost_ops *)plug_find(PLUG_COST, "mean_bits_g"),
                                    setting_real(settings, "grad_bits"), false};
        good = add(budgets, &mean, settings, described, tensors, count, error);
    }
    if (!good)
        budgets_close(budgets);
    return good;
}

void budgets_close(struct budgets *budgets)
{
    for (int i = 0; i < budgets->count; i++)
        if (budgets->items[i].cost->close)
            budgets->items[i].cost->close(budgets->contexts[i]);
    budgets->count = 0;
}
