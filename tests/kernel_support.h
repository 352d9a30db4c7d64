/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the kernels' tests share: every instruction set in turn, random numbers, memory between guards. */
#ifndef BITSWEEP_TEST_KERNEL_SUPPORT_H
#define BITSWEEP_TEST_KERNEL_SUPPORT_H
#include "../bench/kernels/kernels.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static inline const struct kernels *next_isa(const struct kernels *k)
{
    size_t index = 0;
    while (kernels_at(index) != k)
        index++;
    return kernels_at(index + 1);
}
#define EACH_ISA(k) const struct kernels *k = kernels_at(0); k; k = next_isa(k)

enum { GUARD = 64 };

static uint64_t state = 1;
static inline uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}
static inline size_t draw_below(size_t limit) { return (size_t)(draw() % limit); }
static inline float draw_real(void) { return (float)draw() / (float)(1u << 30) - 1; }

/* Memory between guard bytes, at any alignment. */
struct guarded { uint8_t *all, *data; size_t size; };
static inline struct guarded guarded_new(size_t size, size_t misalign)
{
    struct guarded g = {.all = xmalloc(size + 2 * GUARD + misalign), .size = size};
    memset(g.all, 0x5a, size + 2 * GUARD + misalign);
    g.data = g.all + GUARD + misalign;
    return g;
}
static inline void guarded_free(struct guarded *g, const char *isa)
{
    for (uint8_t *at = g->all; at < g->data; at++)
        cr_assert_eq(*at, 0x5a, "%s wrote before its output", isa);
    for (size_t i = 0; i < GUARD; i++)
        cr_assert_eq(g->data[g->size + i], 0x5a, "%s wrote behind its output", isa);
    free(g->all);
}
#endif
