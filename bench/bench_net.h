/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network on random inputs, ready for training steps to be timed. */
#ifndef BITSWEEP_BENCH_NET_H
#define BITSWEEP_BENCH_NET_H
#include "nn/net.h"
#include "settings.h"

#define BENCH_BATCH 128

/* What is trained: a model and the shape of its samples; how often steps are timed; and for allocators the interval between
 * two decisions. */
struct bench_network { const char *name, *model; int rank; size_t shape[3]; int rounds; const char *tau; };
extern const struct bench_network bench_networks[];
extern const size_t bench_network_count;

struct bench_net {
    struct settings settings;
    struct arena arena;
    struct net net;
    int32_t labels[BENCH_BATCH];
    long steps;                      /* done so far */
};

/* `choices`: settings beside data set, model and batch. bits 0: nothing is quantised. */
void bench_net_begin(struct bench_net *, const struct bench_network *, const struct choice *choices, size_t count,
                     float bits);
void bench_net_end(struct bench_net *);
/* One training step with the next step number. */
void bench_net_step(void *net);
#endif
