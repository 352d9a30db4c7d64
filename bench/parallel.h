/* SPDX-License-Identifier: GPL-3.0-or-later
 * Work on a batch in a fixed number of chunks, so that results do not depend on how many threads share them. */
#ifndef BITSWEEP_PARALLEL_H
#define BITSWEEP_PARALLEL_H
#include <stddef.h>

/* Chunk c of `count` things is c*count/CHUNKS .. (c+1)*count/CHUNKS - 1; sums over things are made chunk by chunk, and the
 * chunks' sums are added in order. */
enum { CHUNKS = 8 };
struct span { size_t first, end; };
static inline struct span chunk_span(size_t chunk, size_t count)
{
    return (struct span){chunk * count / CHUNKS, (chunk + 1) * count / CHUNKS};
}

/* Threads of this process's runs, 1 until set (1 .. CHUNKS); the caller's thread is number 0. Call outside
 * parallel_chunks. */
void parallel_use(size_t threads);
size_t parallel_threads(void);

/* Calls work(context, chunk, thread) for every chunk, each thread taking the next one; returns when all are done. Not
 * nested. */
void parallel_chunks(void (*work)(void *context, size_t chunk, size_t thread), void *context);
#endif
