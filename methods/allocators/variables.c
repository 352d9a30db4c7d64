/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "variables.h"
#include "../costs/price.h"
#include <math.h>
#include <stdlib.h>

double budget_constant(const struct budget *budget)
{
    return budget->cost->constant ? budget->cost->constant(budget->context) : 0;
}

bool largest_met(const struct budget *budget, double share) { return budget_met(budget, share + budget_constant(budget)); }

/* ---- layers ---- */

/* Tensors sorted by what they share: a layer or a group, in network order within one. */
struct place { int key, tensor; };

static int by_key(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    return a->key != b->key ? (a->key < b->key ? -1 : 1) : a->tensor - b->tensor;
}

static void find_layers(struct variables *v)
{
    int count = v->problem->count;
    struct place *places = xmalloc((size_t)count * sizeof *places + 1);
    for (int i = 0; i < count; i++)
        places[i] = (struct place){v->problem->tensors[i].layer, i};
    qsort(places, (size_t)count, sizeof *places, by_key);
    v->members = xmalloc((size_t)count * sizeof *v->members + 1);
    for (int i = 0, member = 0; i < count; i++) {
        if (i == 0 || places[i].key != places[i - 1].key || member == TENSOR_KINDS) {
            for (int k = 0; k < TENSOR_KINDS; k++)
                v->members[v->layers][k] = -1;
            v->layers++;
            member = 0;
        }
        v->members[v->layers - 1][member++] = places[i].tensor;
        v->layer_of[places[i].tensor] = v->layers - 1;
    }
    free(places);
}

/* ---- groups ---- */

/* Gives each group, and each tensor in none, a variable. */
static void number_variables(struct variables *v)
{
    int count = v->problem->count;
    struct place *groups = xmalloc((size_t)count * sizeof *groups + 1);
    int *first = xmalloc((size_t)count * sizeof *first + 1);
    for (int i = 0; i < count; i++)
        groups[i] = (struct place){v->problem->tensors[i].group, i};
    qsort(groups, (size_t)count, sizeof *groups, by_key);
    for (int i = 0; i < count; i++) {
        bool tied = i > 0 && groups[i].key != 0 && groups[i].key == groups[i - 1].key;
        first[groups[i].tensor] = tied ? first[groups[i - 1].tensor] : groups[i].tensor;
    }
    for (int i = 0; i < count; i++)
        v->of[i] = first[i] == i ? v->count++ : v->of[first[i]];
    free(groups);
    free(first);
}

/* The layers of each variable, each once. */
static void find_touched(struct variables *v)
{
    int count = v->problem->count, *fill = xcalloc((size_t)v->count + 1, sizeof *fill);
    for (int i = 0; i < count; i++)
        v->touched_start[v->of[i] + 1]++;
    for (int k = 0; k < v->count; k++)
        v->touched_start[k + 1] += v->touched_start[k];
    for (int layer = 0; layer < v->layers; layer++)
        for (int k = 0; k < TENSOR_KINDS && v->members[layer][k] >= 0; k++) {
            int variable = v->of[v->members[layer][k]], *list = v->touched + v->touched_start[variable];
            if (fill[variable] == 0 || list[fill[variable] - 1] != layer)
                list[fill[variable]++] = layer;
        }
    int to = 0;
    for (int k = 0; k < v->count; k++) {
        int from = v->touched_start[k];
        v->touched_start[k] = to;
        for (int i = 0; i < fill[k]; i++)
            v->touched[to++] = v->touched[from + i];
    }
    v->touched_start[v->count] = to;
    free(fill);
}

/* ---- widths ---- */

/* The share of a layer of which only this tensor is there. */
static double own_share(const struct variables *v, const struct budget *budget, int tensor, int bits)
{
    struct layer_widths layer = no_widths;
    layer_take(&layer, &v->problem->tensors[tensor], bits);
    return budget->cost->layer(budget->context, &v->totals, &layer);
}

static bool has_share(const struct variables *v, const struct budget *budget, int tensor)
{
    const struct tensor *t = &v->problem->tensors[tensor];
    return own_share(v, budget, tensor, tensor_least(t)) != 0 || own_share(v, budget, tensor, tensor_most(t)) != 0;
}

/* The largest layer's share is joint as soon as two tensors of a layer have one. */
static bool is_joint(const struct variables *v, const struct budget *budget)
{
    if (budget->cost->joint || !budget->cost->largest)
        return budget->cost->joint;
    for (int layer = 0; layer < v->layers; layer++) {
        int varying = 0;
        for (int k = 0; k < TENSOR_KINDS && v->members[layer][k] >= 0; k++)
            varying += has_share(v, budget, v->members[layer][k]);
        if (varying > 1)
            return true;
    }
    return false;
}

static uint64_t allowed(const struct variables *v, int tensor)
{
    const struct problem *p = v->problem;
    uint64_t choices = 0;
    for (int bits = 1; bits <= MOST_WIDTH; bits++) {
        bool good = tensor_allows(&p->tensors[tensor], bits) && isfinite(omega_at(p, tensor, bits));
        for (int b = 0; good && b < p->budget_count; b++)
            if (p->budgets[b].cost->largest && !v->joint[b])
                good = largest_met(&p->budgets[b], own_share(v, &p->budgets[b], tensor, bits));
        choices |= (uint64_t)good << bits;
    }
    return choices;
}

bool variables_make(const struct problem *p, struct variables *v, struct error *error)
{
    size_t count = (size_t)p->count + 1;
    *v = (struct variables){.problem = p, .totals = cost_totals(p->tensors, p->count)};
    v->of = xcalloc(count, sizeof *v->of);
    v->layer_of = xcalloc(count, sizeof *v->layer_of);
    v->choices = xmalloc(count * sizeof *v->choices);
    v->touched_start = xcalloc(count + 1, sizeof *v->touched_start);
    v->touched = xcalloc(count, sizeof *v->touched);
    v->joint = xcalloc((size_t)p->budget_count + 1, sizeof *v->joint);
    find_layers(v);
    number_variables(v);
    find_touched(v);
    for (int b = 0; b < p->budget_count; b++)
        v->joint[b] = is_joint(v, &p->budgets[b]);
    for (int k = 0; k < v->count; k++)
        v->choices[k] = UINT64_MAX;
    bool good = true;
    for (int i = 0; i < p->count && good; i++) {
        v->choices[v->of[i]] &= allowed(v, i);
        if (v->choices[v->of[i]] == 0)
            good = fail(error, "%s has no allowed width with a finite sensitivity%s", p->tensors[i].name,
                        p->tensors[i].group ? " that its group can share and the budgets admit" : " that the budgets admit");
    }
    if (!good)
        variables_free(v);
    return good;
}

void variables_free(struct variables *v)
{
    free(v->of);
    free(v->choices);
    free(v->layer_of);
    free(v->members);
    free(v->touched_start);
    free(v->touched);
    free(v->joint);
    *v = (struct variables){0};
}

double variables_share(const struct variables *v, const struct budget *budget, int layer, const double *widths)
{
    struct layer_widths taken = no_widths;
    for (int k = 0; k < TENSOR_KINDS && v->members[layer][k] >= 0; k++) {
        int tensor = v->members[layer][k];
        layer_take(&taken, &v->problem->tensors[tensor], widths[v->of[tensor]]);
    }
    return budget->cost->layer(budget->context, &v->totals, &taken);
}
