/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an allocator costs in a run: its estimation and its solver, as a share of the training time. */
#include "bench.h"
#include "bench_net.h"
#include "clock.h"
#include "decisions.h"
#include <math.h>
#include <stdlib.h>

/* Over four intervals: the solver runs more often than it does by default where the interval is shorter, so the share is an
 * upper bound there. */
#define INTERVALS 4

static double share_of_time(const struct bench_network *network)
{
    const struct choice choices[] = {
        {.key = "mode", .text = "fqt"}, {.key = "allocator", .text = "qbitopt"}, {.key = "budget", .text = "4"},
        {.key = "tau", .text = network->tau}, {.key = "freeze", .text = "1"},
    };
    struct bench_net *b = xcalloc(1, sizeof *b);
    bench_net_begin(b, network, choices, sizeof choices / sizeof *choices, 4);
    struct allocator allocator;
    long steps = INTERVALS * setting_int(&b->settings, "tau");
    struct error error;
    if (!allocator_begin(&allocator, &b->net, &b->settings, NULL, steps, NULL, &b->arena, &error))
        die("%s", error.text);
    double start = now_seconds();
    for (long step = 0; step < steps; step++) {
        size_t correct = 0;
        allocator_step(&allocator, step);
        net_pass(&b->net, BENCH_BATCH, b->labels, step, PASS_TRAIN, allocator_wants(&allocator, step), &correct);
        allocator_after(&allocator, step, BENCH_BATCH, 1);
        net_update(&b->net, 1e-6);
    }
    double share = (allocator.seconds + b->net.observing_seconds) / (now_seconds() - start);
    allocator_end(&allocator);
    bench_net_end(b);
    free(b);
    return share;
}

void bench_allocators(struct bench_rows *rows)
{
    for (size_t i = 0; i < bench_network_count; i++)
        bench_add(rows, share_of_time(&bench_networks[i]), "share", 0.03, 0.01, "allocator/%s/qbitopt",
                  bench_networks[i].name);
}
