/* SPDX-License-Identifier: GPL-3.0-or-later
 * Tensors that must be chosen together, and the choice problem over them. */
#include "variables.h"
#include "../costs/price.h"
#include <math.h>
#include <stdlib.h>

/* While a problem is turned into classes. */
struct making {
    struct variables v;
    struct classes *c;
    int *class, *place;       /* variables */
    int rows;                 /* budgets on sums */
};

/* ---- which variables ---- */

static int root_of(int *parent, int i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* The smaller index becomes the root, so that classes and places are in network order. */
static void join(int *parent, int a, int b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    parent[a > b ? a : b] = a < b ? a : b;
}

/* The variables of a layer belong together where some cost looks at the layer as a whole. */
static void join_layers(const struct variables *v, int *parent)
{
    for (int layer = 0; layer < v->layers; layer++)
        for (int k = 1; k < TENSOR_KINDS && v->members[layer][k] >= 0; k++)
            join(parent, v->of[v->members[layer][0]], v->of[v->members[layer][k]]);
}

static bool add_place(struct making *m, int variable, int class, struct error *error)
{
    struct classes *c = m->c;
    int widths = width_count(m->v.choices[variable]), first = 0;
    m->class[variable] = class;
    m->place[variable] = c->places[class]++;
    if (c->options[class] > MOST_OPTIONS / widths) {
        while (m->v.of[first] != variable)
            first++;
        return fail(error,
                    "%s: ties and costs of products of widths join so many tensors that they have more than %d "
                    "combinations; allow fewer widths or fewer ties, or take solver relaxed",
                    m->v.problem->tensors[first].name, MOST_OPTIONS);
    }
    c->options[class] *= widths;
    if (c->options[class] > c->problem.widths)
        c->problem.widths = c->options[class];
    return true;
}

static bool number_options(struct making *m, struct error *error)
{
    const struct problem *p = m->v.problem;
    int *parent = xmalloc(((size_t)m->v.count + 1) * sizeof *parent);
    bool joint = false, good = true;
    for (int i = 0; i < m->v.count; i++)
        parent[i] = i;
    for (int b = 0; b < p->budget_count; b++)
        joint |= m->v.joint[b];
    if (joint)
        join_layers(&m->v, parent);
    for (int i = 0; i < m->v.count && good; i++) {
        int root = root_of(parent, i), class = root == i ? m->c->problem.tensors++ : m->class[root];
        m->c->options[class] += root == i;
        good = add_place(m, i, class, error);
    }
    for (int i = 0; i < p->count && good; i++) {
        m->c->class_of[i] = m->class[m->v.of[i]];
        m->c->place[i] = m->place[m->v.of[i]];
    }
    free(parent);
    return good;
}

/* Mixed-radix counting; the first place varies slowest. */
static void fill_widths(struct making *m)
{
    struct classes *c = m->c;
    int *repeat = xmalloc(((size_t)c->problem.tensors + 1) * sizeof *repeat);
    for (int k = 0; k < c->problem.tensors; k++) {
        c->widths[k] = xmalloc((size_t)c->options[k] * (size_t)c->places[k] + 1);
        repeat[k] = c->options[k];
    }
    for (int i = 0; i < m->v.count; i++) {
        int class = m->class[i], widths = width_count(m->v.choices[i]);
        uint8_t *column = c->widths[class] + m->place[i];
        repeat[class] /= widths;
        for (int option = 0; option < c->options[class]; option++)
            column[(size_t)option * (size_t)c->places[class]] =
                (uint8_t)width_at(m->v.choices[i], option / repeat[class] % widths);
    }
    free(repeat);
}

static int width_in(const struct classes *c, int tensor, int option)
{
    int class = c->class_of[tensor];
    return c->widths[class][(size_t)option * (size_t)c->places[class] + (size_t)c->place[tensor]];
}

/* ---- tables ---- */

/* Adds to one class's options what a layer costs, of which only the given tensors (of this class) are looked at. */
static void add_layer(struct making *m, int row, const struct budget *budget, const int *members, int member_count)
{
    struct classes *c = m->c;
    const struct choice_problem *choice = &c->problem;
    int class = c->class_of[members[0]];
    size_t first = (size_t)class * (size_t)choice->widths, cells = (size_t)choice->tensors * (size_t)choice->widths;
    for (int option = 0; option < c->options[class]; option++) {
        struct layer_widths layer = no_widths;
        for (int i = 0; i < member_count; i++)
            layer_take(&layer, &m->v.problem->tensors[members[i]], width_in(c, members[i], option));
        double share = budget->cost->layer(budget->context, &m->v.totals, &layer);
        if (!budget->cost->largest)
            c->memory[(size_t)(1 + row) * cells + first + (size_t)option] += share;
        else if (!largest_met(budget, share))
            c->memory[first + (size_t)option] = INFINITY;
    }
}

static void add_budget(struct making *m, int row, int b)
{
    const struct budget *budget = &m->v.problem->budgets[b];
    for (int layer = 0; layer < m->v.layers; layer++) {
        const int *members = m->v.members[layer];
        int count = 0;
        while (count < TENSOR_KINDS && members[count] >= 0)
            count++;
        if (m->v.joint[b])
            add_layer(m, row, budget, members, count);
        else if (!budget->cost->largest) /* else the variables' choices have seen to it */
            for (int i = 0; i < count; i++)
                add_layer(m, row, budget, members + i, 1);
    }
}

static void fill_tables(struct making *m)
{
    const struct problem *p = m->v.problem;
    struct classes *c = m->c;
    struct choice_problem *choice = &c->problem;
    size_t widths = (size_t)choice->widths, cells = (size_t)choice->tensors * widths;
    c->memory = xcalloc(cells * (size_t)(1 + m->rows) + (size_t)m->rows + 1, sizeof *c->memory);
    double *limit = c->memory + cells * (size_t)(1 + m->rows);
    choice->rows = m->rows;
    choice->omega = c->memory;
    choice->cost = c->memory + cells;
    choice->budget = limit;
    for (int k = 0; k < choice->tensors; k++)
        for (size_t option = (size_t)c->options[k]; option < widths; option++)
            c->memory[(size_t)k * widths + option] = INFINITY;
    for (int i = 0; i < p->count; i++)
        for (int option = 0; option < c->options[c->class_of[i]]; option++)
            c->memory[(size_t)c->class_of[i] * widths + (size_t)option] += omega_at(p, i, width_in(c, i, option));
    int row = 0;
    for (int b = 0; b < p->budget_count; b++) {
        add_budget(m, row, b);
        if (!p->budgets[b].cost->largest)
            limit[row++] = p->budgets[b].limit - budget_constant(&p->budgets[b]);
    }
}

bool classes_make(const struct problem *p, struct classes *c, struct error *error)
{
    size_t count = (size_t)p->count + 1;
    struct making m = {.c = c};
    *c = (struct classes){.count = p->count};
    if (!variables_make(p, &m.v, error))
        return false;
    c->class_of = xcalloc(count, sizeof *c->class_of);
    c->place = xcalloc(count, sizeof *c->place);
    c->options = xcalloc(count, sizeof *c->options);
    c->places = xcalloc(count, sizeof *c->places);
    c->widths = xcalloc(count, sizeof *c->widths);
    m.class = xmalloc(count * sizeof *m.class);
    m.place = xmalloc(count * sizeof *m.place);
    for (int b = 0; b < p->budget_count; b++)
        m.rows += !p->budgets[b].cost->largest;
    m.rows += m.rows == 0;
    bool good = number_options(&m, error);
    if (good) {
        fill_widths(&m);
        fill_tables(&m);
    }
    free(m.class);
    free(m.place);
    variables_free(&m.v);
    if (!good)
        classes_free(c);
    return good;
}

void classes_bits(const struct classes *c, const int *chosen, int *bits)
{
    for (int i = 0; i < c->count; i++)
        bits[i] = width_in(c, i, chosen[c->class_of[i]]);
}

void classes_free(struct classes *c)
{
    for (int k = 0; k < c->problem.tensors; k++)
        free(c->widths[k]);
    free(c->widths);
    free(c->class_of);
    free(c->place);
    free(c->options);
    free(c->places);
    free(c->memory);
    *c = (struct classes){0};
}
