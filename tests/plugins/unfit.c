/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shared objects that are no plugins of this program; UNFIT says why. */
#include "../../bench/plugin.h"

enum reason { nothing, version, layout, kind, dataset, taken, incomplete, name, fallback };

static const struct param bad_default = {
    .name = "unfit_share", .type = PARAM_REAL, .fallback = "0.50", .min = 0, .max = 1, .source = "ours", .help = "A share."};

static void *begin(const struct allocation *a) { return (void *)(uintptr_t)a; }
static bool assign(void *memory, long step, struct decision *decision)
{
    (void)memory, (void)decision;
    return step < 0;
}

static const struct alloc_ops entry = {
    .plug = {.name = UNFIT == taken  ? "uniform"
                     : UNFIT == name ? "Two words"
                                     : "unfit",
             .version = 1,
             .help = "Cannot be loaded.",
             .params = (const struct param *const[]){UNFIT == fallback ? &bad_default : 0, 0}},
    .begin = begin,
    .assign = UNFIT == incomplete ? 0 : assign,
};

const struct bitsweep_plugin
#if UNFIT_HIDDEN
    another_symbol
#else
    bitsweep_plugin
#endif
    = {BITSWEEP_PLUGIN_VERSION + (UNFIT == version), BITSWEEP_PLUGIN_LAYOUT + (UNFIT == layout),
       UNFIT == kind ? PLUG_KINDS : UNFIT == dataset ? PLUG_DATASET : PLUG_ALLOCATOR, &entry.plug};
