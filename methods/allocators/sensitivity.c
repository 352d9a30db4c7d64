/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sensitivity.h"
#include "allocation.h"
#include "../../bench/probe.h"
#include <math.h>
#include <string.h>

void sensitivity_begin(struct sensitivity *s, const struct allocation *a, double momentum, bool paper_step, bool probing)
{
    size_t size = (size_t)a->count * sizeof(double);
    *s = (struct sensitivity){.allocation = a, .momentum = momentum, .paper_step = paper_step};
    s->trace = arena_alloc(a->arena, size);
    s->largest = arena_alloc(a->arena, size);
    keep(a->kept, "sensitivity.weight", &s->weight, sizeof s->weight);
    keep(a->kept, "sensitivity.trace", s->trace, size);
    keep(a->kept, "sensitivity.largest", s->largest, size);
    if (probing)
        s->probed = arena_alloc(a->arena, size);
}

void sensitivity_continue(struct sensitivity *s, const struct sensitivity *from)
{
    size_t size = (size_t)s->allocation->count * sizeof(double);
    s->weight = from->weight;
    memcpy(s->trace, from->trace, size);
    memcpy(s->largest, from->largest, size);
}

/* A depthwise output reads its own channel alone, so X counts once. No gradient at all: nothing is rounded. */
static double relative_noise(const struct tensor *tensor, const struct observation *seen)
{
    double outputs = tensor->shape.depthwise ? 1 : (double)tensor->shape.out_c;
    double input = seen->input_squares[tensor->layer], gradient = seen->sum_squares[2 * tensor->layer];
    return gradient == 0 ? 0 : 2 * outputs * input / gradient;
}

static void follow(double *average, double momentum, double value)
{
    *average = momentum * *average + (1 - momentum) * value;
}

void sensitivity_observe(struct sensitivity *s, const struct observation *seen)
{
    const struct allocation *a = s->allocation;
    follow(&s->weight, s->momentum, 1);
    for (int i = 0; i < a->count; i++) {
        bool gradient = a->tensors[i].kind == TENSOR_GRADIENT;
        follow(&s->trace[i], s->momentum,
               gradient ? relative_noise(&a->tensors[i], seen) : (double)seen->batch * seen->sum_squares[i]);
        if (gradient)
            follow(&s->largest[i], s->momentum, (double)a->ranges[i].limit);
    }
}

void sensitivity_probe(struct sensitivity *s)
{
    probe_refresh(s->allocation->probe);
    probe_traces(s->allocation->probe, s->probed);
}

/* ---- tables ---- */

void sensitivity_tables_make(struct sensitivity_tables *tables, const struct allocation *a)
{
    size_t count = (size_t)a->count;
    tables->omega = arena_alloc(a->arena, count * (MOST_WIDTH + 1) * sizeof *tables->omega);
    tables->noise = arena_alloc(a->arena, count * sizeof *tables->noise);
    tables->trace = arena_alloc(a->arena, count * sizeof *tables->trace);
    tables->limit = arena_alloc(a->arena, count * sizeof *tables->limit);
}

double limit_of(const struct range *range)
{
    bool running = range->kind == TENSOR_ACTIVATION && !range->learned && range->weight > 0;
    return running ? range->average / range->weight : (double)range->limit;
}

bool sensitivity_row(const struct tensor *tensor, struct noise noise, double *omega)
{
    bool finite = true;
    for (int bits = 0; bits <= MOST_WIDTH; bits++) {
        bool allowed = tensor_allows(tensor, bits);
        omega[bits] = allowed ? noise_at(noise, bits) : INFINITY;
        finite &= !allowed || isfinite(omega[bits]);
    }
    return finite;
}

bool sensitivity_fill(const struct sensitivity *s, struct sensitivity_tables *tables)
{
    const struct allocation *a = s->allocation;
    bool finite = true;
    for (int i = 0; i < a->count; i++) {
        bool gradient = a->tensors[i].kind == TENSOR_GRADIENT;
        const struct range *range = &a->ranges[i];
        tables->trace[i] = s->probed && !gradient ? s->probed[i] : s->trace[i] / s->weight;
        tables->limit[i] = gradient ? s->largest[i] / s->weight : limit_of(range);
        tables->noise[i] = noise_of(tables->trace[i], tables->limit[i], gradient || range->is_signed,
                                    !gradient && s->paper_step);
        finite &= sensitivity_row(&a->tensors[i], tables->noise[i], tables->omega + (size_t)i * (MOST_WIDTH + 1));
    }
    return finite;
}
