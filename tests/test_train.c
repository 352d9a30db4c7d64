/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whole runs on synthetic data: they learn, repeat exactly, share their start, and record what happened. */
#include "support.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record run(struct settings *settings, const struct record *initial)
{
    struct record record = {0};
    struct error error = {""};
    const struct train_hooks hooks = {.initial = initial};
    cr_assert(train_run(settings, &hooks, &record, &error), "%s", error.text);
    return record;
}

/* Everything but /timing and /provenance. */
static void expect_same_content(const struct record *a, const struct record *b)
{
    cr_assert_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct field *x = &a->fields[i], *y = record_find(b, x->path);
        cr_assert(y && field_count(x) == field_count(y), "%s", x->path);
        if (strncmp(x->path, "/timing", 7) == 0 || strncmp(x->path, "/provenance", 11) == 0)
            continue;
        if (x->type == RECORD_TEXT)
            for (size_t k = 0; k < field_count(x); k++)
                cr_assert_str_eq(((char **)x->data)[k], ((char **)y->data)[k]);
        else
            cr_assert(memcmp(x->data, y->data, field_count(x) * record_type_size(x->type)) == 0, "%s", x->path);
    }
}

Test(train, every_combination_learns_and_repeats_exactly)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    static const char *const allocators[] = {"allocator=uniform", "allocator=dq", "allocator=qbitopt"};
    for (int m = 0; m < 3; m++)
        for (int a = 0; a < 3; a++) {
            struct settings s = make_settings("difficulty=easy", "samples=1000", "hidden=32", "epochs=4", "batch=32", "budget=5", "grad_bits=6",
                                              modes[m], allocators[a], NULL);
            struct record first = run(&s, NULL), second = run(&s, NULL);
            expect_same_content(&first, &second);
            cr_assert_str_eq(record_get_text(&first, "/status", ""), "done");
            double accuracy = record_get_real(&first, "/metrics/test_accuracy", 0);
            cr_assert(accuracy > 0.8, "%s %s: %g", modes[m], allocators[a], accuracy);
            const struct field *loss = record_find(&first, "/curves/train_loss");
            cr_assert(loss->shape[0] == 4 && ((double *)loss->data)[3] < ((double *)loss->data)[0]);
            const struct field *cosine = record_find(&first, "/diagnostics/gradient_cosine");
            cr_assert(cosine->shape[0] == 4 && cosine->shape[1] == 2);
            for (int i = 0; i < 2; i++) { /* later the batch is learned and its gradient almost nothing */
                double c = ((double *)cosine->data)[i];
                cr_assert(c > 0.2 && c <= 1 + 1e-9, "%s %s: cosine %g", modes[m], allocators[a], c);
            }
            record_free(&first);
            record_free(&second);
            settings_free(&s);
        }
}

/* Runs under a cap on the instruction set in a process of its own, since the choice is made once; the record comes back by file. */
static struct record run_capped(struct settings *settings, const char *isa, const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        setenv("BITSWEEP_ISA", isa, 1);
        struct record record = run(settings, NULL);
        _exit(store_write(path, &record, &error) ? 0 : 1);
    }
    int status = -1;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    struct record record;
    struct error error;
    cr_assert(store_read(path, &record, &error), "%s", error.text);
    return record;
}

Test(train, every_instruction_set_gives_the_same_content)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    static const char *const allocators[] = {"allocator=dq", "allocator=qbitopt", "allocator=uniform"};
    char *folder = temporary_folder(), *path = format_text("%s/run.h5", folder);
    for (int m = 0; m < 3; m++) {
        struct settings s = make_settings("samples=500", "features=50", "hidden=33-17", "epochs=1", "budget=4.5", "tau=5", modes[m],
                                          allocators[m], m == 1 ? "quantiser=lsq" : "batch=50", NULL);
        struct record scalar = run_capped(&s, "scalar", path), avx2 = run_capped(&s, "avx2", path),
                      best = run_capped(&s, "avx512vnni", path);
        expect_same_content(&scalar, &avx2);
        expect_same_content(&scalar, &best);
        record_free(&scalar), record_free(&avx2), record_free(&best);
        settings_free(&s);
    }
    free(path);
    remove_folder(folder);
}

Test(train, seeds_and_settings_change_the_result)
{
    struct settings a = make_settings("samples=400", "hidden=16", "epochs=1", "allocator=none", "mode=fp", "seed=1", NULL);
    struct settings b = make_settings("samples=400", "hidden=16", "epochs=1", "allocator=none", "mode=fp", "seed=2", NULL);
    struct record ra = run(&a, NULL), rb = run(&b, NULL);
    cr_assert_neq(record_get_real(&ra, "/metrics/test_loss", 0), record_get_real(&rb, "/metrics/test_loss", 0));
    record_free(&ra), record_free(&rb), settings_free(&a), settings_free(&b);
}

Test(train, divergence_is_a_status_with_its_place)
{
    struct settings s = make_settings("samples=400", "hidden=16", "epochs=3", "allocator=none", "mode=fp", "lr=1000", "momentum=0.99", NULL);
    struct record r = run(&s, NULL);
    cr_assert_str_eq(record_get_text(&r, "/status", ""), "diverged");
    cr_assert(strstr(record_get_text(&r, "/message", ""), "epoch"));
    cr_assert(!record_find(&r, "/metrics/test_accuracy"));
    record_free(&r), settings_free(&s);
}

Test(train, init_float_starts_from_the_stored_weights)
{
    struct settings f = make_settings("samples=1000", "difficulty=easy", "hidden=32", "epochs=4", "batch=32", "allocator=none", "mode=fp", NULL);
    struct settings q = make_settings("samples=1000", "difficulty=easy", "hidden=32", "epochs=1", "batch=32", "budget=8", "mode=fqt",
                                      "grad_bits=8", "lr=0.000001", "init=float", NULL);
    struct record reference = run(&f, NULL), tuned = run(&q, &reference);
    double before = record_get_real(&reference, "/metrics/test_accuracy", 0), after = record_get_real(&tuned, "/metrics/test_accuracy", 0);
    cr_assert(fabs(before - after) < 0.03, "%g and %g", before, after);
    struct settings other = make_settings("samples=1000", "difficulty=easy", "hidden=16", "epochs=1", "budget=8", "mode=fqt", "init=float", NULL);
    struct record record = {0};
    struct error error = {""};
    cr_assert(!train_run(&other, &(struct train_hooks){.initial = &reference}, &record, &error));
    cr_assert(strstr(error.text, "fc1"), "%s", error.text);
    record_free(&record), record_free(&reference), record_free(&tuned);
    settings_free(&f), settings_free(&q), settings_free(&other);
}

Test(train, costs_of_a_known_network)
{
    struct settings s = make_settings("samples=400", "features=64", "classes=10", "hidden=16", "epochs=1", "budget=3.5", "mode=fqt", NULL);
    struct record r = run(&s, NULL);
    /* tensors: fc1.weight 4, fc1.input 4, fc2.weight 3, fc2.input 3 */
    cr_assert(record_get_real(&r, "/costs/mean_bits", 0) == 3.5);
    cr_assert(record_get_real(&r, "/costs/weight_bytes", 0) == (64 * 16 * 4 + 16 * 10 * 3) / 8.0);
    cr_assert(record_get_real(&r, "/costs/bops", 0) == 64 * 16 * 16 + 16 * 10 * 9);
    double backward = 64 * 16 * (4 * 4 + 4 * 4) + 16 * 10 * (4 * 3 + 4 * 3); /* grad_bits 4 */
    cr_assert(fabs(record_get_real(&r, "/costs/bops_train", 0) - (64 * 16 * 16 + 16 * 10 * 9 + backward)) < 1e-6);
    cr_assert(record_get_real(&r, "/costs/budget_miss", 1) == 0);
    cr_assert(record_get_real(&r, "/costs/largest_in_force", 0) == 3.5);
    record_free(&r), settings_free(&s);
}

Test(train, missing_data_is_an_error_not_a_crash)
{
    struct settings s = make_settings("dataset=mnist", "allocator=none", "mode=fp", NULL);
    struct record r = {0};
    struct error error = {""};
    setenv("BITSWEEP_DATA", "/nonexistent", 1);
    cr_assert(!train_run(&s, &(struct train_hooks){0}, &r, &error));
    cr_assert(strstr(error.text, "mnist"), "%s", error.text);
    record_free(&r), settings_free(&s);
}
