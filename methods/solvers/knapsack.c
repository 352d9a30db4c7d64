/* SPDX-License-Identifier: GPL-3.0-or-later
 * The exact multiple-choice knapsack by dynamic programming over the undominated sums of cost and omega (Pisinger's
 * lists). The linear relaxation's multiplier shows which options and sums cannot be part of an answer within a gap above
 * its bound; the gap grows until an answer lies within it, which is then an optimum. Where costs have a common quantum,
 * there are never more sums than multiples of it up to the budget. */
#include "choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SUMS 16777216 /* kept in all */
#define FIRST_GAP (1.0 / 1024)
#define GAP_GROWTH 8
#define ROUNDING 1e-12     /* of omegas' sums, relative */

struct sum { double cost, omega, reduced; /* gap used up so far */ };
struct origin { uint32_t sum; uint16_t option; };

struct list { struct sum *sums; size_t count, capacity; };

struct search {
    struct fronts *f;
    double multiplier, gap;
    double *least;          /* tensors: of omega + multiplier × cost; omega above the tensor's least */
    int *order;             /* tensors */
    struct origin *origins; /* of the lists after each tensor, one after the other */
    size_t *start;          /* tensors + 1 */
    size_t capacity;
};

static const struct option *options_of(const struct search *s, int tensor)
{
    return s->f->options + (size_t)tensor * s->f->widths;
}

/* Omegas are counted above the tensor's own least: constant parts would swallow small ones. */
static double excess(const struct search *s, int tensor, int option)
{
    const struct option *options = options_of(s, tensor);
    return options[option].omega - options[s->f->count[tensor] - 1].omega;
}

static double reduced(const struct search *s, int tensor, int option)
{
    return excess(s, tensor, option) + s->multiplier * options_of(s, tensor)[option].cost - s->least[tensor];
}

/* ---- merging ---- */

/* The next sum of each option's shifted list, in a heap with the cheapest (of equals, the least omega) on top. */
struct merge {
    const struct search *search;
    const struct list *from;
    int tensor;
    uint32_t *next;    /* options */
    struct sum *heads; /* options */
    uint16_t *heap;
    int count;
};

static bool before(const struct merge *m, uint16_t a, uint16_t b)
{
    const struct sum *x = &m->heads[a], *y = &m->heads[b];
    return x->cost != y->cost ? x->cost < y->cost : x->omega != y->omega ? x->omega < y->omega : a > b;
}

static void sink(struct merge *m, int at)
{
    uint16_t moved = m->heap[at];
    for (int child; (child = 2 * at + 1) < m->count; at = child) {
        if (child + 1 < m->count && before(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!before(m, m->heap[child], moved))
            break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = moved;
}

/* Moves an option on to its next sum within the gap and the budget; false at the end. */
static bool advance(struct merge *m, uint16_t option)
{
    const struct search *s = m->search;
    const struct option *taken = &options_of(s, m->tensor)[option];
    double more = excess(s, m->tensor, option), used = reduced(s, m->tensor, option);
    for (; m->next[option] < m->from->count; m->next[option]++) {
        const struct sum *sum = &m->from->sums[m->next[option]];
        struct sum head = {sum->cost + taken->cost, sum->omega + more, sum->reduced + used};
        if (head.cost > s->f->rest)
            return false;
        if (head.reduced <= s->gap) {
            m->heads[option] = head;
            return true;
        }
    }
    return false;
}

static bool append(struct search *s, struct list *to, const struct sum *sum, struct origin origin, size_t begin)
{
    size_t at = begin + to->count;
    if (at >= MOST_SUMS)
        return false;
    if (to->count == to->capacity)
        to->sums = xrealloc(to->sums, (to->capacity = 2 * to->capacity + 64) * sizeof *to->sums);
    if (at >= s->capacity)
        s->origins = xrealloc(s->origins, (s->capacity = 2 * s->capacity + 4096) * sizeof *s->origins);
    to->sums[to->count++] = *sum;
    s->origins[at] = origin;
    return true;
}

/* All undominated sums of `from` and one option of the step's tensor; false if there are too many. */
static bool extend(struct search *s, int step, const struct list *from, struct list *to)
{
    int tensor = s->order[step], count = s->f->count[tensor];
    double least = INFINITY;
    struct merge m = {.search = s, .from = from, .tensor = tensor, .next = xcalloc((size_t)count + 1, sizeof *m.next),
                      .heads = xmalloc(sizeof *m.heads * (size_t)count + 1),
                      .heap = xmalloc(sizeof *m.heap * (size_t)count + 1)};
    for (int i = 0; i < count; i++)
        if (reduced(s, tensor, i) <= s->gap && advance(&m, (uint16_t)i))
            m.heap[m.count++] = (uint16_t)i;
    for (int i = m.count / 2 - 1; i >= 0; i--)
        sink(&m, i);
    bool room = true;
    to->count = 0;
    while (m.count > 0 && room) {
        uint16_t option = m.heap[0];
        if (m.heads[option].omega < least) {
            least = m.heads[option].omega;
            room = append(s, to, &m.heads[option], (struct origin){m.next[option], option}, s->start[step]);
        }
        m.next[option]++;
        if (!advance(&m, option))
            m.heap[0] = m.heap[--m.count];
        sink(&m, 0);
    }
    s->start[step + 1] = s->start[step] + to->count;
    free(m.next);
    free(m.heads);
    free(m.heap);
    return room;
}

/* ---- the search ---- */

enum outcome { FOUND, NOTHING_WITHIN, TOO_MANY };

/* The best answer within the gap; of equally good ones the cheapest. */
static enum outcome search_gap(struct search *s, int *bits)
{
    struct list lists[2] = {0};
    int now = 0;
    struct sum none = {0};
    struct list first = {&none, 1, 1};
    const struct list *from = &first;
    bool room = true;
    for (int step = 0; step < s->f->tensors && room && from->count > 0; step++) {
        room = extend(s, step, from, &lists[now]);
        from = &lists[now];
        now = !now;
    }
    enum outcome outcome = !room ? TOO_MANY : from->count == 0 ? NOTHING_WITHIN : FOUND;
    size_t at = from->count - 1; /* the most expensive has the least omega */
    for (int step = s->f->tensors - 1; step >= 0 && outcome == FOUND; step--) {
        struct origin origin = s->origins[s->start[step] + at];
        bits[s->order[step]] = options_of(s, s->order[step])[origin.option].width;
        at = origin.sum;
    }
    free(lists[0].sums);
    free(lists[1].sums);
    return outcome;
}

struct rank { double second; int tensor; };

static int by_second(const void *left, const void *right)
{
    const struct rank *a = left, *b = right;
    return a->second != b->second ? (a->second > b->second ? -1 : 1) : a->tensor - b->tensor;
}

/* Tensors with little choice within the gap first: the lists stay short for long. */
static void order_tensors(struct search *s)
{
    int tensors = s->f->tensors;
    struct rank *ranks = xmalloc(sizeof *ranks * (size_t)tensors + 1);
    for (int t = 0; t < tensors; t++) {
        double least = INFINITY, second = INFINITY;
        for (int i = 0; i < s->f->count[t]; i++) {
            double value = reduced(s, t, i);
            second = fmin(second, fmax(value, least));
            least = fmin(least, value);
        }
        ranks[t] = (struct rank){second, t};
    }
    qsort(ranks, (size_t)tensors, sizeof *ranks, by_second);
    for (int step = 0; step < tensors; step++)
        s->order[step] = ranks[step].tensor;
    free(ranks);
}

/* How far an answer is above the linear relaxation's bound, with what rounding may do. */
static double gap_of(struct search *s, const int *bits)
{
    double bound = 0, answer = 0, size = 0;
    for (int t = 0; t < s->f->tensors; t++) {
        const struct option *options = options_of(s, t);
        s->least[t] = INFINITY;
        for (int i = 0; i < s->f->count[t]; i++) {
            s->least[t] = fmin(s->least[t], excess(s, t, i) + s->multiplier * options[i].cost);
            answer += options[i].width == bits[t] ? excess(s, t, i) : 0;
        }
        bound += s->least[t];
        size += s->least[t];
    }
    bound -= s->multiplier * s->f->rest;
    return fmax(0, answer - bound) + ROUNDING * size;
}

/* An answer within the gap is an optimum if its own gap is no larger; else that is the next one to try. True: bits, which
 * held any answer, became an optimum. */
static bool search(struct fronts *f, double multiplier, int *bits)
{
    size_t count = (size_t)f->tensors + 1;
    struct search s = {.f = f, .multiplier = multiplier, .least = xmalloc(sizeof(double) * count),
                       .order = xmalloc(sizeof(int) * count), .start = xcalloc(count, sizeof(size_t))};
    int *trial = xmalloc(sizeof(int) * count);
    double whole = gap_of(&s, bits);
    order_tensors(&s);
    enum outcome outcome = NOTHING_WITHIN;
    for (double part = FIRST_GAP; outcome != TOO_MANY && s.gap < whole; part *= GAP_GROWTH) {
        s.gap = fmin(part * whole, whole);
        outcome = search_gap(&s, trial);
        if (outcome == FOUND && gap_of(&s, trial) <= whole) {
            whole = gap_of(&s, trial);
            memcpy(bits, trial, sizeof(int) * (size_t)f->tensors);
        }
    }
    free(trial);
    free(s.least);
    free(s.order);
    free(s.start);
    free(s.origins);
    return outcome == FOUND;
}

static const char *check(const struct choice_problem *p)
{
    if (p->rows != 1)
        return "knapsack takes one budget; solver ilp takes several";
    return p->widths > UINT16_MAX ? "knapsack takes at most 65535 widths a tensor" : NULL;
}

static bool solve(const struct choice_problem *p, int *bits, struct solver_info *info)
{
    return fronts_solve(p, search, bits, info);
}

const struct solver_ops solver_knapsack = {
    .plug = {.name = "knapsack", .alias = "dp", .version = 2,
             .help = "Exact optimum by dynamic programming; one budget; past 16 million partial sums the best so far."},
    .check = check,
    .solve = solve,
};
