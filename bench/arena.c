/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bitsweep.h"
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

struct arena_chunk { struct arena_chunk *next; void *memory; };

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
    struct arena_chunk *chunk = xmalloc(sizeof *chunk);
    chunk->memory = aligned_alloc(ALIGNMENT, size);
    if (!chunk->memory)
        chunk->memory = xmalloc(SIZE_MAX); /* reports and exits */
    memset(chunk->memory, 0, size);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk->memory;
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
