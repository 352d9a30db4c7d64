/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which classes come when in an incremental run, and the settings that say so. */
#include "tasks.h"
#include <stdlib.h>

#define WORDS(...) (const char *const[]){__VA_ARGS__, 0}

bool is_incremental(const struct settings *s)
{
    return setting_has(s, "scenario") && setting_is(s, "scenario", "incremental");
}

const struct param param_scenario = {.name = "scenario", .type = PARAM_CHOICE, .fallback = "offline",
    .choices = WORDS("offline", "incremental"),
    .source = "", .help = "All classes at once, or class-incremental learning: tasks of a few classes one after another "
                          "(docs/continual.md)."};
const struct param param_strategy = {.name = "strategy", .type = PARAM_PLUG, .kind = PLUG_STRATEGY, .fallback = "finetune",
    .used = is_incremental,
    .source = "", .help = "How an incremental run learns new classes without forgetting the old ones."};
const struct param param_init_classes = {.name = "init_classes", .type = PARAM_INT, .fallback = "increment",
    .choices = WORDS("increment"), .min = 1, .max = 1e6, .used = is_incremental,
    .source = "pub", .help = "Classes of the first task; increment = as many as in the later ones."};
const struct param param_increment = {.name = "increment", .type = PARAM_INT, .fallback = "2", .min = 1, .max = 1e6,
    .used = is_incremental,
    .source = "pub", .help = "Classes of each later task; the last takes what is left, which may be fewer."};
const struct param param_class_seed = {.name = "class_seed", .type = PARAM_INT, .fallback = "seed",
    .choices = WORDS("seed", "sorted"), .min = 0, .max = UINT32_MAX, .used = is_incremental,
    .source = "pub", .help = "Order of the classes: shuffled by MT19937 from this seed (42467, 88801 and 91280 give the "
                             "published HAR orders), from the run's own (seed), or as the data set numbers them "
                             "(sorted)."};
const struct param param_test_users = {.name = "test_users", .type = PARAM_CHOICE, .fallback = "auto",
    .choices = WORDS("auto", "seed", "fixed"), .used = is_incremental,
    .source = "pub", .help = "Who tests: whole users drawn anew for each seed (seed, as published), or the data set's own "
                             "test part (fixed); auto = seed where the set names users, else fixed."};

/* ---- MT19937, Matsumoto and Nishimura 1998 ---- */

#define MIDDLE 397

void mersenne_seed(struct mersenne *m, uint32_t seed)
{
    m->words[0] = seed;
    for (uint32_t i = 1; i < MERSENNE_WORDS; i++)
        m->words[i] = 1812433253u * (m->words[i - 1] ^ (m->words[i - 1] >> 30)) + i;
    m->next = MERSENNE_WORDS;
}

static void mersenne_renew(struct mersenne *m)
{
    for (size_t i = 0; i < MERSENNE_WORDS; i++) {
        uint32_t joined = (m->words[i] & 0x80000000u) | (m->words[(i + 1) % MERSENNE_WORDS] & 0x7fffffffu);
        m->words[i] = m->words[(i + MIDDLE) % MERSENNE_WORDS] ^ (joined >> 1) ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
    m->next = 0;
}

uint32_t mersenne_bits(struct mersenne *m)
{
    if (m->next == MERSENNE_WORDS)
        mersenne_renew(m);
    uint32_t y = m->words[m->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* A whole number from 0 to most. */
static uint32_t mersenne_below(struct mersenne *m, uint32_t most)
{
    uint32_t mask = most, value;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        value = mersenne_bits(m) & mask;
    while (value > most);
    return value;
}

void class_order(uint32_t seed, size_t count, int32_t *order)
{
    struct mersenne m;
    mersenne_seed(&m, seed);
    for (size_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    for (size_t i = count; i-- > 1;) {
        size_t j = mersenne_below(&m, (uint32_t)i);
        int32_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

/* ---- tasks ---- */

static size_t classes_at_start(const struct settings *s)
{
    return (size_t)setting_int(s, setting_is(s, "init_classes", "increment") ? "increment" : "init_classes");
}

const char *tasks_check(const struct settings *s, size_t classes)
{
    size_t start = classes_at_start(s), increment = (size_t)setting_int(s, "increment");
    if (start > classes)
        return "the first task (init_classes, or increment where that is not a number) has more classes than the data set";
    if (1 + (classes - start + increment - 1) / increment > MAX_TASKS)
        return "init_classes and increment make more than 128 tasks of the data set's classes";
    return NULL;
}
_Static_assert(MAX_TASKS == 128, "tasks_check says so");

void tasks_make(struct tasks *tasks, const struct settings *s, size_t classes)
{
    const char *why = tasks_check(s, classes);
    if (why)
        die("%s", why);
    size_t increment = (size_t)setting_int(s, "increment"), next = classes_at_start(s);
    *tasks = (struct tasks){.classes = classes, .order = xmalloc(classes * sizeof *tasks->order)};
    for (; next < classes; next += increment)
        tasks->first[++tasks->count] = next;
    tasks->first[++tasks->count] = classes;
    if (setting_is(s, "class_seed", "sorted"))
        for (size_t i = 0; i < classes; i++)
            tasks->order[i] = (int32_t)i;
    else
        class_order((uint32_t)setting_int(s, setting_is(s, "class_seed", "seed") ? "seed" : "class_seed"), classes,
                    tasks->order);
}

void tasks_free(struct tasks *tasks)
{
    free(tasks->order);
    *tasks = (struct tasks){0};
}

void tasks_relabel(const struct tasks *tasks, struct dataset *dataset)
{
    int32_t *place = xmalloc(tasks->classes * sizeof *place);
    struct part *parts[] = {&dataset->train, &dataset->test};
    for (size_t i = 0; i < tasks->classes; i++)
        place[tasks->order[i]] = (int32_t)i;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count; i++)
            parts[p]->y[i] = place[parts[p]->y[i]];
    free(place);
}
