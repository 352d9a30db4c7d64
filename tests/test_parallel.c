/* SPDX-License-Identifier: GPL-3.0-or-later
 * Work in chunks: every chunk once, the same sums for any number of threads, also after a fork. */
#include "support.h"
#include "../bench/parallel.h"
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VALUES = 1003 };

/* What a weight gradient does: every chunk sums its own part. */
struct sums {
    float x[VALUES], part[CHUNKS];
    atomic_int taken[CHUNKS], inside[CHUNKS];
    atomic_int wrong;
    size_t threads;
};

static void add_part(void *context, size_t chunk, size_t thread)
{
    struct sums *s = context;
    struct span span = chunk_span(chunk, VALUES);
    if (thread >= s->threads || atomic_fetch_add(&s->inside[thread], 1) != 0)
        atomic_fetch_add(&s->wrong, 1);
    atomic_fetch_add(&s->taken[chunk], 1);
    s->part[chunk] = 0;
    for (size_t i = span.first; i < span.end; i++)
        s->part[chunk] += s->x[i];
    atomic_fetch_sub(&s->inside[thread], 1);
}

/* The sum by this many threads, made many times over. */
static float sum_with(size_t threads, int rounds)
{
    static struct sums s;
    float sum = 0;
    memset(&s, 0, sizeof s);
    s.threads = threads;
    for (size_t i = 0; i < VALUES; i++)
        s.x[i] = (float)rng_normal(5, i);
    parallel_use(threads);
    cr_assert_eq(parallel_threads(), threads);
    for (int round = 0; round < rounds; round++)
        parallel_chunks(add_part, &s);
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        int taken = atomic_load(&s.taken[chunk]);
        cr_assert_eq(taken, rounds, "chunk %zu was taken %d times", chunk, taken);
        sum += s.part[chunk];
    }
    cr_assert_eq(atomic_load(&s.wrong), 0, "a thread's number was not its own");
    return sum;
}

Test(parallel, chunks_cover_everything_once)
{
    for (size_t count = 0; count < 100; count++) {
        size_t next = 0;
        for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
            struct span span = chunk_span(chunk, count);
            cr_assert_eq(span.first, next);
            cr_assert_leq(span.end - span.first, count / CHUNKS + 1);
            next = span.end;
        }
        cr_assert_eq(next, count);
    }
}

Test(parallel, any_number_of_threads_gives_the_same_sum, .timeout = 30)
{
    cr_assert_eq(parallel_threads(), 1);
    float expected = sum_with(1, 1);
    static const size_t order[] = {2, 8, 3, 1, 4, 7, 5, 6, 1};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        cr_assert_eq(sum_with(order[i], 300), expected, "%zu threads", order[i]);
}

/* Exits with 0 when a forked process works: alone at first, then with threads of its own. */
Test(parallel, a_forked_process_starts_with_one_thread, .timeout = 30)
{
    float expected = sum_with(3, 10);
    pid_t child = fork();
    if (child == 0)
        _exit(parallel_threads() == 1 && sum_with(1, 10) == expected && sum_with(4, 10) == expected ? 0 : 1);
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(sum_with(3, 10), expected, "the parent's threads are still there");
    parallel_use(1);
}
