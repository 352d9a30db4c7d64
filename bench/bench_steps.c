/* SPDX-License-Identifier: GPL-3.0-or-later
 * Time of one training step in each mode, at batch 128, and of the MLP's bare float products. */
#include "bench.h"
#include "bench_net.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* required and aim: of the time's ratio to mode fp's. Keys and values up to the first NULL. */
static const struct step_case {
    const char *name;
    struct choice choices[6];
    float bits;
    double required, aim;
} cases[] = {
    {"fp", {{.key = "mode", .text = "fp"}, {.key = "allocator", .text = "none"}}, 0, NAN, NAN},
    {"fp-8bit", {{.key = "mode", .text = "fp"}, {.key = "budget", .text = "8"}}, 8, NAN, NAN},
    {"fqt", {{.key = "mode", .text = "fqt"}, {.key = "budget", .text = "8"}, {.key = "grad_bits", .text = "8"},
             {.key = "acc_bits", .text = "32"}}, 8, 0.6, 0.45},
    {"fqt-4bit-acc8", {{.key = "mode", .text = "fqt"}, {.key = "budget", .text = "4"}, {.key = "acc_bits", .text = "8"}},
     4, NAN, NAN},
    {"luq", {{.key = "mode", .text = "luq"}, {.key = "budget", .text = "4"}, {.key = "acc_bits", .text = "32"}},
     4, NAN, NAN},
    {"hfqt", {{.key = "mode", .text = "hfqt"}, {.key = "budget", .text = "4"}, {.key = "acc_bits", .text = "8"}},
     4, 0.8, 0.6},
};
#define CASES (sizeof cases / sizeof *cases)

static size_t choice_count(const struct step_case *c)
{
    size_t count = 0;
    while (count < sizeof c->choices / sizeof *c->choices && c->choices[count].key)
        count++;
    return count;
}

/* The float products of a dense network's step and nothing else, in the layout that mode fp uses. */
static void run_products(void *context)
{
    const struct net *net = &((struct bench_net *)context)->net;
    for (size_t i = 0; i < net->count; i++) {
        const struct product *p = &net->layers[i].product;
        int m = (int)p->m, n = (int)p->n, k = (int)p->k, stride_n = (int)row_stride(p->n), stride_k = (int)row_stride(p->k);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, p->x, stride_k, p->w, stride_k, 0, p->y, stride_n);
        if (p->dx)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1, p->g, stride_n, p->w, stride_k, 0, p->dx,
                        stride_k);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, p->g, stride_n, p->x, stride_k, 0, p->dw, stride_k);
    }
}

static void time_network(struct bench_rows *rows, const struct bench_network *network)
{
    bool dense = strcmp(network->model, "mlp") == 0;
    struct bench_net *nets = xcalloc(CASES + 1, sizeof *nets);
    struct variant variants[CASES + 1];
    double seconds[CASES + 1];
    for (size_t i = 0; i < CASES; i++) {
        bench_net_begin(&nets[i], network, cases[i].choices, choice_count(&cases[i]), cases[i].bits);
        variants[i] = (struct variant){bench_net_step, &nets[i]};
    }
    if (dense) {
        bench_net_begin(&nets[CASES], network, cases[0].choices, choice_count(&cases[0]), 0);
        bench_net_step(&nets[CASES]); /* points the products at their operands */
        variants[CASES] = (struct variant){run_products, &nets[CASES]};
    }
    bench_interleaved(variants, CASES + dense, network->rounds, seconds);
    for (size_t i = 0; i < CASES; i++)
        bench_add(rows, 1e3 * seconds[i], "ms", NAN, NAN, "step/%s/%s", network->name, cases[i].name);
    if (dense)
        bench_add(rows, seconds[0] / seconds[CASES], "x time", 1.6, 1.3, "ratio/%s/fp/sgemm", network->name);
    for (size_t i = 1; i < CASES; i++)
        bench_add(rows, seconds[i] / seconds[0], "x time", cases[i].required, cases[i].aim, "ratio/%s/%s/fp", network->name,
                  cases[i].name);
    for (size_t i = 0; i < CASES + dense; i++)
        bench_net_end(&nets[i]);
    free(nets);
}

void bench_steps(struct bench_rows *rows)
{
    for (size_t i = 0; i < bench_network_count; i++)
        time_network(rows, &bench_networks[i]);
}
