/* SPDX-License-Identifier: GPL-3.0-or-later
 * No allocation: nothing is quantised. With mode fp this is the FP32 reference. */
#include "allocation.h"

static const char *check(const struct settings *settings)
{
    return setting_is(settings, "mode", "fp") ? NULL
        : "allocator none assigns no widths, and this mode needs integer operands";
}

const struct alloc_ops allocator_none = {
    .plug = {.name = "none", .version = 1, .help = "Nothing is quantised; with mode fp the FP32 reference."},
    .guarantees = true,
    .check = check,
};
