/* SPDX-License-Identifier: GPL-3.0-or-later
 * Helpers that sleep until there is work; which of them takes a chunk is left to chance, what comes out is not. */
#include "parallel.h"
#include "bitsweep.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t begin, finished;
    pthread_t helpers[CHUNKS];     /* 1 .. threads - 1 */
    size_t threads, busy;          /* busy: helpers that have not finished the round */
    unsigned long round;           /* one a call of parallel_chunks */
    bool ending;
    void (*work)(void *, size_t, size_t);
    void *context;
    atomic_size_t next;            /* chunk */
} team = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .begin = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER,
    .threads = 1,
};

static void take_chunks(size_t thread)
{
    for (size_t chunk; (chunk = atomic_fetch_add(&team.next, 1)) < CHUNKS;)
        team.work(team.context, chunk, thread);
}

static void *help(void *number)
{
    size_t thread = (size_t)(uintptr_t)number;
    pthread_mutex_lock(&team.lock);
    for (unsigned long seen = 0;;) {
        while (team.round == seen && !team.ending)
            pthread_cond_wait(&team.begin, &team.lock);
        if (team.ending)
            break;
        seen = team.round;
        pthread_mutex_unlock(&team.lock);
        take_chunks(thread);
        pthread_mutex_lock(&team.lock);
        if (--team.busy == 0)
            pthread_cond_signal(&team.finished);
    }
    pthread_mutex_unlock(&team.lock);
    return NULL;
}

static void dismiss(void)
{
    pthread_mutex_lock(&team.lock);
    team.ending = true;
    pthread_cond_broadcast(&team.begin);
    pthread_mutex_unlock(&team.lock);
    for (size_t i = 1; i < team.threads; i++)
        pthread_join(team.helpers[i], NULL);
    team.threads = 1;
    team.ending = false;
}

/* A child has none of its parent's threads. */
static void forget(void)
{
    team.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    team.begin = team.finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    team.threads = 1;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget); }

void parallel_use(size_t threads)
{
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    if (threads < 1 || threads > CHUNKS)
        die("%zu threads: must be 1 to %d", threads, CHUNKS);
    if (threads == team.threads)
        return;
    dismiss();
    pthread_once(&watched, watch_forks);
    team.round = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the first thread's business */
    for (; team.threads < threads; team.threads++) {
        int problem = pthread_create(&team.helpers[team.threads], NULL, help, (void *)(uintptr_t)team.threads);
        if (problem != 0)
            die("cannot start a thread: %s", strerror(problem));
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

size_t parallel_threads(void) { return team.threads; }

void parallel_chunks(void (*work)(void *context, size_t chunk, size_t thread), void *context)
{
    if (team.threads == 1) {
        for (size_t chunk = 0; chunk < CHUNKS; chunk++)
            work(context, chunk, 0);
        return;
    }
    pthread_mutex_lock(&team.lock);
    team.work = work;
    team.context = context;
    team.busy = team.threads - 1;
    team.round++;
    atomic_store(&team.next, 0);
    pthread_cond_broadcast(&team.begin);
    pthread_mutex_unlock(&team.lock);
    take_chunks(0);
    pthread_mutex_lock(&team.lock);
    while (team.busy > 0)
        pthread_cond_wait(&team.finished, &team.lock);
    pthread_mutex_unlock(&team.lock);
}
