/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bitsweep.h"
#include <stdlib.h>

#define ALIGNMENT 64

struct arena_chunk { struct arena_chunk *next; void *memory; };

/* From calloc, which takes large blocks fresh from the system: zero already, and not there until they are touched. */
void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = xmalloc(sizeof *chunk);
    chunk->memory = xcalloc(size + 2 * ALIGNMENT, 1); /* room behind for reads of whole lines */
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->bytes += size;
    uintptr_t start = (uintptr_t)chunk->memory;
    return (char *)chunk->memory + (ALIGNMENT - start % ALIGNMENT) % ALIGNMENT;
}

void arena_free(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk->memory);
        free(chunk);
    }
}

size_t row_stride(size_t cols)
{
    size_t lines = (cols + 15) / 16 * 16;
    return lines % 128 == 0 ? lines + 16 : lines;
}
