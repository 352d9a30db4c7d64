/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "memory.h"
#include "decisions.h"
#include "diagnostics.h"
#include <stdlib.h>

/* The program with its libraries and their buffers, as measured. */
#define PROCESS_BYTES 20e6

/* Parameters, the mode's memory, activations and gradients, and the network that diagnostics compare with. */
static double network_bytes(const struct settings *settings, const struct dataset *described)
{
    struct arena arena = {0};
    struct net *net = xcalloc(1, sizeof *net);
    struct diagnostics diagnostics;
    net_build(net, settings, described, setting_plug(settings, "mode"), run_quantiser(settings),
              (size_t)setting_int(settings, "batch"), &arena);
    diagnostics_begin(&diagnostics, net, described, (size_t)setting_int(settings, "epochs"), &arena);
    size_t pool = net_pool_size(net), shadow = diagnostics_pool_size(&diagnostics);
    double bytes = (double)arena.bytes + (double)(pool > shadow ? pool : shadow) + sizeof *net;
    if (!net->quantiser) /* the record holds a copy of a float run's weights */
        bytes += (double)net->value_count * sizeof(float);
    arena_free(&arena);
    free(net);
    return bytes;
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
