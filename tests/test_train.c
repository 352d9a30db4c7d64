/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whole runs on synthetic data: they learn, repeat exactly, share their start, record what happened, and go on after any
 * stop as if nothing had happened. */
#include "dataset_files.h"
#include "support.h"
#include "../bench/parallel.h"
#include "../bench/settings.h"
#include "../bench/train.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record run(const struct settings *settings, const struct record *initial)
{
    struct record record = {0};
    struct error error = {""};
    const struct train_hooks hooks = {.initial = initial};
    cr_assert(train_run(settings, &hooks, &record, &error), "%s", error.text);
    return record;
}

Test(train, every_combination_learns_and_repeats_exactly)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    static const char *const allocators[] = {"allocator=uniform", "allocator=dq", "allocator=qbitopt"};
    for (int m = 0; m < 3; m++)
        for (int a = 0; a < 3; a++) {
            struct settings s = make_settings("difficulty=easy", "samples=1000", "hidden=32", "epochs=4", "batch=32",
                                              "budget=5", "grad_bits=6", modes[m], allocators[a], NULL);
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

/* ---- stopping and going on ---- */

/* Stops at random: before each step with this chance. */
struct stops { uint64_t key, draw; double chance; int count; };

static bool stop_at_random(void *context)
{
    struct stops *stops = context;
    bool stop = rng_uniform(stops->key, stops->draw++) < stops->chance;
    stops->count += stop;
    return stop;
}

/* What a run says of its checkpoints is of no use here. */
static void hush(void)
{
    if (!freopen("/dev/null", "w", stderr))
        die("cannot open /dev/null");
}

static bool was_stopped(const struct record *record)
{
    return strcmp(record_get_text(record, "/status", ""), "stopped") == 0;
}

/* The run in as many pieces as the stops make. */
static struct record run_in_pieces(const struct settings *settings, const char *path, struct stops *stops)
{
    struct record record = {0};
    struct error error = {""};
    const struct checkpoint checkpoint = {path, "this run", 1e6};
    const struct train_hooks hooks = {.stopping = stop_at_random, .context = stops, .checkpoint = &checkpoint};
    do {
        record_free(&record);
        cr_assert(train_run(settings, &hooks, &record, &error), "%s", error.text);
        cr_assert(!was_stopped(&record) || record.count == 2, "a stopped run tells nothing else");
    } while (was_stopped(&record));
    cr_assert_eq(record_get_real(&record, "/provenance/resumed", -1), stops->count);
    unlink(path);
    return record;
}

static void expect_pieces_equal_the_whole(const struct settings *settings, double chance, uint64_t key)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.ckpt");
    struct stops stops = {.key = key, .chance = chance};
    struct record whole = run(settings, NULL), pieces = run_in_pieces(settings, path, &stops);
    cr_assert_gt(stops.count, 0, "never stopped");
    expect_same_content(&whole, &pieces);
    record_free(&whole), record_free(&pieces);
    free(path);
    remove_folder(folder);
}

static void expect_threads_change_nothing(const struct settings *settings)
{
    struct record one = run(settings, NULL);
    parallel_use(3);
    struct record three = run(settings, NULL);
    parallel_use(1);
    expect_same_content(&one, &three);
    record_free(&one), record_free(&three);
}

static void expect_pieces_of_dense_nets(const char *mode, const char *allocator, uint64_t key)
{
    char *mode_text = format_text("mode=%s", mode), *allocator_text = format_text("allocator=%s", allocator);
    bool quantised = strcmp(allocator, "none") != 0;
    struct settings s = make_settings("samples=300", "features=20", "hidden=12-7", "epochs=4", "batch=32", "bits=*=4",
                                      "pin=none", "hawq_widths=2-4-8", mode_text,
                                      allocator_text, quantised ? "budget=3.5" : NULL,
                                      strcmp(allocator, "qbitopt") == 0 ? "tau=3" : NULL, NULL);
    if (!plug_check(&s))
        expect_pieces_equal_the_whole(&s, 0.2, key);
    settings_free(&s);
    free(mode_text), free(allocator_text);
}

Test(train, a_run_in_pieces_equals_the_whole_for_every_mode_and_allocator, .timeout = 120)
{
    const struct plug *mode, *allocator;
    hush();
    for (size_t m = 0; (mode = plug_at(PLUG_MODE, m)); m++)
        for (size_t a = 0; (allocator = plug_at(PLUG_ALLOCATOR, a)); a++)
            expect_pieces_of_dense_nets(mode->name, allocator->name, m * 100 + a);
}

/* The settings of a small convolutional network with normalisation, on a made-up set of images with augmentation. */
static struct settings image_settings(const char *folder, const char *mode, const char *model)
{
    enum { SAMPLES = 90, PLANE = 8 * 8, VALUES = SAMPLES * 3 * PLANE };
    const hsize_t dims[] = {SAMPLES, 3, 8, 8};
    double *x = xmalloc(VALUES * sizeof *x), *y = count_up(SAMPLES, 1, 3);
    for (size_t i = 0; i < VALUES; i++) /* a class is a brighter plane */
        x[i] = 0.5 * rng_uniform(3, i) + (i / PLANE % 3 == i / (3 * PLANE) % 3 ? 0.4 : 0);
    hid_t file = create_h5(folder, "pictures");
    put_array(file, "x", H5T_IEEE_F32LE, 4, dims, x);
    put_column(file, "y", SAMPLES, y);
    H5Fclose(file);
    free(x);
    free(y);
    return make_settings("dataset=pictures", "epochs=2", "batch=20", "allocator=qbitopt", "tau=2", "fit_every=1",
                         "budget=4.5", "augment_crop=2", "augment_flip=true", mode, model, NULL);
}

Test(train, convolutions_in_pieces_and_with_threads_give_the_same_content, .timeout = 120)
{
    const struct plug *mode;
    char *folder = data_folder();
    hush();
    for (size_t m = 0; (mode = plug_at(PLUG_MODE, m)); m++) {
        char *mode_text = format_text("mode=%s", mode->name);
        struct settings s = image_settings(folder, mode_text, "model=resnet20");
        expect_pieces_equal_the_whole(&s, 0.5, m);
        expect_threads_change_nothing(&s);
        settings_free(&s);
        free(mode_text);
    }
    remove_folder(folder);
}

Test(train, a_checkpoint_at_every_epoch_serves_after_a_kill, .timeout = 60)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.ckpt");
    struct settings s = make_settings("samples=300", "hidden=12", "epochs=30", "batch=32", "mode=fqt", "budget=3.5", "tau=7",
                                      "allocator=qbitopt", NULL);
    struct record whole = run(&s, NULL), pieces = {0};
    const struct checkpoint checkpoint = {path, "this run", 0};
    const struct train_hooks hooks = {.checkpoint = &checkpoint};
    struct error error;
    hush();
    for (int i = 0; i < 12; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(train_run(&s, &hooks, &pieces, &error) ? 0 : 1);
        usleep((useconds_t)(20000 * rng_uniform(11, (uint64_t)i)));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    cr_assert(train_run(&s, &hooks, &pieces, &error), "%s", error.text);
    expect_same_content(&whole, &pieces);
    record_free(&whole), record_free(&pieces);
    settings_free(&s);
    free(path);
    remove_folder(folder);
}

Test(train, an_unfit_checkpoint_means_a_new_start)
{
    char *folder = temporary_folder(), *path = file_in(folder, "run.ckpt");
    struct settings s = make_settings("samples=300", "hidden=12", "epochs=2", "batch=32", "mode=fqt", "budget=3.5", NULL),
                    wider = make_settings("samples=300", "hidden=13", "epochs=2", "batch=32", "mode=fqt", "budget=3.5",
                                          NULL);
    struct record whole = run(&s, NULL);
    const struct checkpoint checkpoint = {path, "this run", 1e6}, other = {path, "that run", 1e6};
    struct stops stops = {.chance = 1};
    hush();
    for (int i = 0; i < 3; i++) { /* of another network, of another run, damaged */
        struct record record = {0};
        struct error error;
        const struct train_hooks hooks = {
            .stopping = stop_at_random, .context = &stops, .checkpoint = i == 1 ? &other : &checkpoint};
        unlink(path);
        cr_assert(train_run(i == 0 ? &wider : &s, &hooks, &record, &error), "%s", error.text);
        cr_assert(was_stopped(&record));
        record_free(&record);
        if (i == 2)
            cr_assert_eq(truncate(path, 1000), 0);
        cr_assert(train_run(&s, &(struct train_hooks){.checkpoint = &checkpoint}, &record, &error), "%s", error.text);
        expect_same_content(&whole, &record);
        cr_assert_eq(record_get_real(&record, "/provenance/resumed", -1), 0);
        record_free(&record);
    }
    record_free(&whole);
    settings_free(&s), settings_free(&wider);
    free(path);
    remove_folder(folder);
}

Test(train, a_run_outlives_checkpoints_that_cannot_be_written)
{
    struct settings s = make_settings("samples=300", "hidden=12", "epochs=3", "batch=32", "mode=fqt", "budget=3.5", NULL);
    const struct checkpoint nowhere = {"/nonexistent/run.ckpt", "this run", 0};
    struct record whole = run(&s, NULL), record = {0};
    struct error error;
    hush();
    cr_assert(train_run(&s, &(struct train_hooks){.checkpoint = &nowhere}, &record, &error), "%s", error.text);
    expect_same_content(&whole, &record);
    record_free(&whole), record_free(&record);
    settings_free(&s);
}

/* ---- the same anywhere ---- */

Test(train, threads_do_not_change_the_content, .timeout = 60)
{
    static const char *const modes[] = {"mode=fp", "mode=fqt", "mode=hfqt"};
    for (int m = 0; m < 3; m++) {
        struct settings s = make_settings("samples=300", "hidden=40", "epochs=2", "batch=50", "budget=3.5",
                                          "allocator=qbitopt", "tau=3", modes[m], NULL);
        expect_threads_change_nothing(&s);
        settings_free(&s);
    }
}

/* Runs under a cap on the instruction set in a process of its own, since the choice is made once; the record comes back by
 * file. */
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
        struct settings s = make_settings("samples=500", "features=50", "hidden=33-17", "epochs=1", "budget=4.5", "tau=5",
                                          modes[m], allocators[m], m == 1 ? "quantiser=lsq" : "batch=50", NULL);
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
    struct settings s = make_settings("samples=400", "hidden=16", "epochs=3", "allocator=none", "mode=fp", "lr=1000",
                                      "momentum=0.99", NULL);
    struct record r = run(&s, NULL);
    cr_assert_str_eq(record_get_text(&r, "/status", ""), "diverged");
    cr_assert(strstr(record_get_text(&r, "/message", ""), "epoch"));
    cr_assert(!record_find(&r, "/metrics/test_accuracy"));
    record_free(&r), settings_free(&s);
}

Test(train, init_float_starts_from_the_stored_weights)
{
    struct settings f = make_settings("samples=1000", "difficulty=easy", "hidden=32", "epochs=4", "batch=32",
                                      "allocator=none", "mode=fp", NULL);
    struct settings q = make_settings("samples=1000", "difficulty=easy", "hidden=32", "epochs=1", "batch=32", "budget=8",
                                      "mode=fqt", "grad_bits=8", "lr=0.000001", "init=float", NULL);
    struct record reference = run(&f, NULL), tuned = run(&q, &reference);
    double before = record_get_real(&reference, "/metrics/test_accuracy", 0),
           after = record_get_real(&tuned, "/metrics/test_accuracy", 0);
    cr_assert(fabs(before - after) < 0.03, "%g and %g", before, after);
    struct settings other = make_settings("samples=1000", "difficulty=easy", "hidden=16", "epochs=1", "budget=8", "mode=fqt",
                                          "init=float", NULL);
    struct record record = {0};
    struct error error = {""};
    cr_assert(!train_run(&other, &(struct train_hooks){.initial = &reference}, &record, &error));
    cr_assert(strstr(error.text, "fc1"), "%s", error.text);
    record_free(&record), record_free(&reference), record_free(&tuned);
    settings_free(&f), settings_free(&q), settings_free(&other);
}

/* Replays the recorded order by hand: every sample of the split once an epoch, in another order each. */
Test(train, the_start_is_recorded_on_request)
{
    struct settings s = make_settings("samples=200", "hidden=9", "epochs=3", "batch=32", "allocator=none", "mode=fp", "lr=0",
                                      "record_start=true", NULL);
    struct record r = run(&s, NULL);
    const struct field *order = record_find(&r, "/start/order");
    cr_assert(order && order->rank == 2 && order->shape[0] == 3);
    size_t count = order->shape[1];
    cr_assert_eq(count, (size_t)record_get_real(&r, "/dataset/train_count", 0));
    const int64_t *places = order->data;
    for (size_t epoch = 0; epoch < 3; epoch++) {
        bool seen[200] = {false};
        for (size_t i = 0; i < count; i++) {
            int64_t place = places[epoch * count + i];
            cr_assert(place >= 0 && place < 200 && !seen[place]);
            seen[place] = true;
        }
    }
    cr_assert(memcmp(places, places + count, count * sizeof *places) != 0);

    /* With learning rate 0 and no decay the weights stay those of the start. */
    const struct field *first = record_find(&r, "/start/weights/fc1.weight"), *last = record_find(&r, "/weights/fc1.weight");
    cr_assert(first && last && first->rank == 2 && first->shape[0] == 9 && field_count(first) == field_count(last));
    cr_assert(memcmp(first->data, last->data, field_count(first) * sizeof(float)) == 0);
    record_free(&r), settings_free(&s);
}

Test(train, step_losses_make_up_the_epochs)
{
    struct settings s = make_settings("samples=200", "hidden=9", "epochs=2", "batch=32", "allocator=none", "mode=fp", NULL);
    struct record r = run(&s, NULL);
    const struct field *steps = record_find(&r, "/curves/step_loss"), *epochs = record_find(&r, "/curves/train_loss");
    size_t count = (size_t)record_get_real(&r, "/dataset/train_count", 0), per_epoch = (count + 31) / 32;
    cr_assert_eq(field_count(steps), 2 * per_epoch);
    for (size_t epoch = 0; epoch < 2; epoch++) {
        double sum = 0;
        for (size_t i = 0; i < per_epoch; i++)
            sum += ((const float *)steps->data)[epoch * per_epoch + i] * (double)(i + 1 < per_epoch ? 32 : count - 32 * i);
        double mean = ((const double *)epochs->data)[epoch];
        cr_assert(fabs(sum / (double)count - mean) < 1e-5 * mean);
    }
    record_free(&r), settings_free(&s);
}

Test(train, costs_of_a_known_network)
{
    struct settings s = make_settings("samples=400", "features=64", "classes=10", "hidden=16", "epochs=1", "budget=3.5",
                                      "mode=fqt", NULL);
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
