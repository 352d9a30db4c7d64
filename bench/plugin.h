/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a plugin in a shared object exports: bitsweep --plugin FILE.so adds the one entry (bench/plugins.h;
 * docs/adding-an-allocator.md). The version is raised when the meaning of something in bitsweep.h changes; the layout
 * changes with the size of any structure that both sides share, so that neither misreads the other's memory. */
#ifndef BITSWEEP_PLUGIN_H
#define BITSWEEP_PLUGIN_H
#include "bitsweep.h"

#define BITSWEEP_PLUGIN_VERSION 1
#define WITH_SIZE(hash, type) ((hash) * 31 + sizeof(type))
#define WITH_SIZES(hash, a, b, c) WITH_SIZE(WITH_SIZE(WITH_SIZE(hash, a), b), c)
#define LAYOUT_OF_RUNS WITH_SIZES((uint64_t)PLUG_KINDS * MAX_DIMS * MAX_NODES, struct param, struct plug, struct setting)
#define LAYOUT_OF_TENSORS WITH_SIZES(LAYOUT_OF_RUNS, struct dataset, struct tensor, struct range)
#define LAYOUT_OF_COSTS WITH_SIZES(LAYOUT_OF_TENSORS, struct layer_widths, struct cost_totals, struct cost_ops)
#define LAYOUT_OF_SOLVERS WITH_SIZES(LAYOUT_OF_COSTS, struct choice_problem, struct solver_info, struct solver_ops)
#define LAYOUT_OF_ALLOCATION WITH_SIZES(LAYOUT_OF_SOLVERS, struct budget, struct arena, struct allocation)
#define LAYOUT_OF_ALLOCATORS WITH_SIZES(LAYOUT_OF_ALLOCATION, struct observation, struct decision, struct alloc_ops)
#define BITSWEEP_PLUGIN_LAYOUT WITH_SIZES(LAYOUT_OF_ALLOCATORS, struct quantiser_ops, struct node_spec, struct model_ops)

struct bitsweep_plugin {
    int version;                /* BITSWEEP_PLUGIN_VERSION */
    uint64_t layout;            /* BITSWEEP_PLUGIN_LAYOUT */
    enum plug_kind kind;        /* allocator, solver, cost, quantiser or model */
    const struct plug *plug;    /* first member of its operations table */
};

/* At the end of a plugin's file: EXPORT_PLUGIN(PLUG_ALLOCATOR, allocator_mine); nothing unless BITSWEEP_PLUGIN is
 * defined. */
#ifdef BITSWEEP_PLUGIN
#define EXPORT_PLUGIN(of_kind, entry) \
    const struct bitsweep_plugin bitsweep_plugin = {BITSWEEP_PLUGIN_VERSION, BITSWEEP_PLUGIN_LAYOUT, of_kind, &(entry).plug}
#else
#define EXPORT_PLUGIN(of_kind, entry) _Static_assert(sizeof (entry), "an entry of a plugin table")
#endif
#endif
