/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "memory.h"
#include "decisions.h"
#include "diagnostics.h"
#include "probe.h"
#include "strategy.h"
#include "tasks.h"
#include <math.h>
#include <stdlib.h>

/* The program with its libraries and their buffers, as measured. */
#define PROCESS_BYTES 20e6

/* Batches beyond this are not laid out, as the system might refuse the memory, but judged from smaller ones. */
#define LARGEST_BATCH 256

/* Networks of earlier tasks that an incremental run still has at its last one. */
static double other_networks(const struct settings *settings, const struct dataset *described)
{
    if (!is_incremental(settings))
        return 0;
    const struct strategy_ops *strategy = setting_plug(settings, "strategy");
    struct tasks tasks;
    tasks_make(&tasks, settings, (size_t)described->classes);
    double earlier = (double)tasks.count - 1;
    tasks_free(&tasks);
    return strategy->growth != GROWS_HEAD ? earlier : strategy->wants_old && earlier > 0;
}

/* Parameters, the mode's memory, activations and gradients, and the networks that diagnostics and the probe have. */
static double laid_out_bytes(const struct settings *settings, const struct dataset *described, size_t batch)
{
    struct arena arena = {0};
    struct net *net = xcalloc(1, sizeof *net);
    struct diagnostics diagnostics = {0};
    net_build(net, settings, described, setting_plug(settings, "mode"), run_quantiser(settings), batch, &arena);
    diagnostics_follow(&diagnostics, net, described, &arena);
    const struct probe *probe = NULL;
    if (probe_wanted(settings))
        probe = probe_begin(net, described, described->train.count, &arena);
    double shared = fmax((double)diagnostics_pool_size(&diagnostics), (double)probe_pool_size(probe));
    double bytes = (double)arena.bytes + fmax((double)net_pool_size(net), shared) + sizeof *net;
    bytes += (double)arena.bytes * other_networks(settings, described);
    if (!net->quantiser) /* the record holds a copy of a float run's weights */
        bytes += (double)net->value_count * sizeof(float);
    arena_free(&arena);
    free(net);
    return bytes;
}

static double network_bytes(const struct settings *settings, const struct dataset *described)
{
    const size_t batch = (size_t)setting_int(settings, "batch"), half = LARGEST_BATCH / 2;
    if (batch <= LARGEST_BATCH)
        return laid_out_bytes(settings, described, batch);
    double largest = laid_out_bytes(settings, described, LARGEST_BATCH);
    double growth = (largest - laid_out_bytes(settings, described, half)) / (double)half;
    return largest + growth * (double)(batch - LARGEST_BATCH);
}

static double part_bytes(const struct part *part, size_t features)
{
    return (double)part->count * ((double)features * sizeof(float) + sizeof(int32_t) + sizeof(uint32_t));
}

double run_memory(const struct settings *settings, const struct dataset *described)
{
    if (model_check(settings, described))
        return 0;
    size_t features = described->features;
    double train = part_bytes(&described->train, features), test = part_bytes(&described->test, features);
    double reading = (double)described->train.count * (double)features; /* the files' bytes beside the values */
    double running = test + network_bytes(settings, described);
    return PROCESS_BYTES + train + (reading > running ? reading : running);
}
