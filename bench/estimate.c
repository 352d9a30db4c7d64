/* SPDX-License-Identifier: GPL-3.0-or-later
 * How long a run takes and how large its file gets: as finished runs of the same kind did, or else assumed
 * from the network's multiply-accumulates. */
#include "../results/store.h"
#include "exemplars.h"
#include "folder.h"
#include "identity.h"
#include "memory.h"
#include "nn/net.h"
#include "plan.h"
#include "settings.h"
#include "strategy.h"
#include "tasks.h"
#include "../datasets/split.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Assumed until runs of the same kind have finished: multiply-accumulates a second on one core, all three products together,
 * as a Zen 4 core trains mlp and ResNet-20 (docs/performance.md); older cores take two to four times as long. */
static const struct rates { const char *mode; double dense, convolution; } assumed_rates[] = {
    {"fp", 35e9, 42e9}, {"fqt", 60e9, 82e9}, {"hfqt", 50e9, 63e9}, {"luq", 60e9, 82e9},
};
static const struct rates unknown_rates = {"", 5e9, 5e9}; /* of a mode that is in no row */
#define ASSUMED_START 0.05     /* seconds: a process, evaluation, writing */
#define ASSUMED_READING 1.7e-8 /* seconds a value of the data set: unpacking, checksum, standardising */
#define ASSUMED_FILE 65536.0   /* bytes of a run file without weights and curves */
#define ASSUMED_EPOCH 40.0     /* bytes of curves an epoch */
#define ASSUMED_LAYER 64.0     /* bytes of diagnostics an epoch and layer */
#define PRODUCTS 3             /* forward, input gradient, weight gradient */

/* So many files say enough; reading thousands would take longer than anyone waits for a plan. */
#define MAX_FILES 300

/* Runs that take the same time an epoch. */
struct group {
    char *key;
    const struct settings *settings; /* of one of them */
    double epoch_seconds, bytes;     /* sums over the finished runs */
    size_t finished;
};
struct groups { struct group *items; size_t count, *of_run; };

static bool is_float_run(const char *allocator) { return strcmp(allocator, "none") == 0; }

/* What runs of a group share, besides data set and model with their settings, and whether they are float runs. */
static const char *const group_keys[] = {"mode", "batch", "subset", "validation", "record_start", "scenario", "strategy",
                                         "init_classes", "increment", "memory", "memory_of"};
enum { GROUP_KEYS = sizeof group_keys / sizeof *group_keys };

static char *group_key(const struct settings *settings)
{
    char *dataset = plug_settings(settings, "dataset"), *model = plug_settings(settings, "model");
    char *key = format_text("%s%sfloat=%d", dataset, model, is_float_run(setting_text(settings, "allocator")));
    for (size_t i = 0; i < GROUP_KEYS; i++) {
        const struct setting *setting = settings_find(settings, group_keys[i]);
        char *longer = format_text("%s %s=%s", key, group_keys[i], setting ? setting->value : "");
        free(key);
        key = longer;
    }
    free(dataset);
    free(model);
    return key;
}

static size_t group_of(struct groups *groups, const struct settings *settings)
{
    size_t i = 0;
    char *key = group_key(settings);
    while (i < groups->count && strcmp(groups->items[i].key, key) != 0)
        i++;
    if (i < groups->count) {
        free(key);
        return i;
    }
    groups->items = xrealloc(groups->items, (groups->count + 1) * sizeof *groups->items);
    groups->items[groups->count++] = (struct group){.key = key, .settings = settings};
    return i;
}

/* ---- finished runs ---- */

static bool has_setting(const struct record *record, const struct setting *setting)
{
    char *path = format_text("/settings/%s", setting->param->name);
    bool same = strcmp(record_get_text(record, path, ""), setting->value) == 0;
    free(path);
    return same;
}

static bool has_plug_settings(const struct record *record, const struct settings *settings, const char *key)
{
    const struct setting *setting = settings_find(settings, key);
    const struct plug *plug = plug_find(setting->param->kind, setting->value);
    if (!has_setting(record, setting))
        return false;
    for (size_t i = 0; plug->params && plug->params[i]; i++) {
        const struct setting *own = settings_find(settings, plug->params[i]->name);
        if (own && !has_setting(record, own))
            return false;
    }
    return true;
}

static bool belongs(const struct record *record, const struct settings *settings)
{
    for (size_t i = 0; i < GROUP_KEYS; i++) {
        const struct setting *setting = settings_find(settings, group_keys[i]);
        if (setting && !has_setting(record, setting))
            return false;
    }
    return has_plug_settings(record, settings, "dataset") && has_plug_settings(record, settings, "model") &&
           is_float_run(record_get_text(record, "/settings/allocator", "")) ==
               is_float_run(setting_text(settings, "allocator"));
}

static void learn_from(struct groups *groups, const char *path)
{
    struct record record = {0};
    struct error unread; /* a damaged file teaches nothing; folder_scan warns of it */
    struct stat status;
    if (!store_read(path, &record, &unread))
        return;
    double seconds = record_get_real(&record, "/timing/train_seconds", 0);
    double epochs = strtod(record_get_text(&record, "/settings/epochs", "0"), NULL);
    bool done = strcmp(record_get_text(&record, "/status", ""), "done") == 0;
    for (size_t i = 0; done && seconds > 0 && epochs > 0 && i < groups->count; i++) {
        struct group *group = &groups->items[i];
        if (!belongs(&record, group->settings) || stat(path, &status) != 0)
            continue;
        group->epoch_seconds += seconds / epochs;
        group->bytes += (double)status.st_size;
        group->finished++;
    }
    record_free(&record);
}

static void learn(struct groups *groups, const char *folder)
{
    char *runs = format_text("%s/runs", folder);
    DIR *entries = opendir(runs);
    size_t files = 0;
    for (struct dirent *entry; entries && files < MAX_FILES && (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 3, ".h5") != 0)
            continue;
        char *path = format_text("%s/%s", runs, entry->d_name);
        learn_from(groups, path);
        free(path);
        files++;
    }
    if (entries)
        closedir(entries);
    free(runs);
}

/* ---- assumptions ---- */

static const struct rates *rates_of(const char *mode)
{
    for (size_t i = 0; i < sizeof assumed_rates / sizeof *assumed_rates; i++)
        if (strcmp(assumed_rates[i].mode, mode) == 0)
            return &assumed_rates[i];
    return &unknown_rates;
}

/* Seconds of a sample's training: each weight of a dense layer is used once a sample, of a convolution at every position. */
static double sample_seconds(const struct tensor *tensors, int count, const struct rates *rates)
{
    double seconds = 0;
    for (int i = 0; i < count; i++) {
        if (tensors[i].kind != TENSOR_WEIGHT)
            continue;
        bool is_dense = tensors[i].macs <= (double)tensors[i].elements;
        seconds += PRODUCTS * tensors[i].macs / (is_dense ? rates->dense : rates->convolution);
    }
    return seconds;
}

/* Samples that are trained on, each as often as it is. The forward passes of networks that only help count a third of a
 * sample each. */
static double trained_samples(const struct settings *settings, const struct dataset *dataset)
{
    double epochs = setting_real(settings, "epochs"), used = (double)subset_count(settings, dataset), samples = 0;
    if (!is_incremental(settings))
        return epochs * used * (1 - validation_share(settings));
    const struct strategy_ops *strategy = setting_plug(settings, "strategy");
    struct tasks tasks;
    tasks_make(&tasks, settings, (size_t)dataset->classes);
    for (size_t t = 0; t < tasks.count; t++) {
        size_t old = tasks.first[t], classes = tasks.first[t + 1] - (strategy->keeps_all ? 0 : old);
        double remembered = old && strategy->keeps_exemplars ? (double)(exemplars_quota(settings, old) * old) : 0;
        double helpers = strategy->growth != GROWS_HEAD ? (double)t : strategy->wants_old && t;
        samples += (used * (double)classes / (double)tasks.classes + fmin(remembered, used)) * (1 + helpers / PRODUCTS);
    }
    tasks_free(&tasks);
    return epochs * samples;
}

static double weight_count(const struct tensor *tensors, int count)
{
    double weights = 0;
    for (int i = 0; i < count; i++)
        weights += tensors[i].kind == TENSOR_WEIGHT ? (double)tensors[i].elements : 0;
    return weights;
}

static struct estimate assume(const struct settings *settings, const struct dataset *dataset)
{
    struct tensor tensors[MAX_TENSORS];
    int count = net_plain_tensors(settings, dataset, tensors);
    double epochs = setting_real(settings, "epochs"), samples = trained_samples(settings, dataset);
    double values = (double)(dataset->train.count + dataset->test.count) * (double)dataset->features;
    double weights = weight_count(tensors, count) * sizeof(float);
    bool is_float = is_float_run(setting_text(settings, "allocator"));
    struct estimate estimate = {
        .seconds = ASSUMED_START + ASSUMED_READING * values +
                   samples * sample_seconds(tensors, count, rates_of(setting_text(settings, "mode"))),
        .bytes = ASSUMED_FILE + ASSUMED_EPOCH * epochs + samples / setting_real(settings, "batch") * sizeof(float),
    };
    estimate.bytes += is_float ? weights : ASSUMED_LAYER * epochs * count / 2; /* the float run keeps its weights */
    if (setting_has(settings, "record_start") && setting_bool(settings, "record_start"))
        estimate.bytes += weights + samples * sizeof(int64_t);
    return estimate;
}

static struct estimate estimate_run(const struct group *group, const struct settings *settings,
                                    const struct dataset *dataset)
{
    struct estimate estimate = assume(settings, dataset);
    double epochs = setting_real(settings, "epochs"), finished = (double)group->finished;
    if (group->finished > 0) {
        estimate.seconds = group->epoch_seconds / finished * epochs;
        estimate.bytes = group->bytes / finished;
        estimate.measured = true;
    }
    return estimate;
}

/* ---- memory ---- */

/* Networks that were laid out, which takes longer than anything else here. */
struct layouts { struct layout { const struct settings *settings; double memory; } *items; size_t count; };

static bool lays_out_nothing(const char *key) { return strcmp(key, "seed") == 0 || strcmp(key, "budget") == 0; }

static bool same_layout(const struct settings *a, const struct settings *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const char *key = a->items[i].param->name;
        if (strcmp(key, b->items[i].param->name) != 0)
            return false;
        if (!lays_out_nothing(key) && strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    }
    return a->count == b->count;
}

static double memory_of(struct layouts *known, const struct settings *settings, const struct dataset *dataset)
{
    for (size_t i = 0; i < known->count; i++)
        if (same_layout(known->items[i].settings, settings))
            return known->items[i].memory;
    known->items = xrealloc(known->items, (known->count + 1) * sizeof *known->items);
    known->items[known->count] = (struct layout){settings, run_memory(settings, dataset)};
    return known->items[known->count++].memory;
}

void plan_estimate(const struct plan *plan, const char *results, struct estimate *out)
{
    struct layouts layouts = {0};
    struct groups groups = {.of_run = xmalloc((plan->count + 1) * sizeof *groups.of_run)};
    char *folder = folder_path(results, plan);
    for (size_t i = 0; i < plan->count; i++)
        groups.of_run[i] = group_of(&groups, &plan->runs[i].settings);
    learn(&groups, folder);
    for (size_t i = 0; i < plan->count; i++) {
        const struct settings *settings = &plan->runs[i].settings;
        out[i] = (struct estimate){0};
        if (plan->runs[i].skip)
            continue;
        const struct dataset *dataset = described_find(plan->described, settings);
        out[i] = estimate_run(&groups.items[groups.of_run[i]], settings, dataset);
        out[i].memory = memory_of(&layouts, settings, dataset);
    }
    for (size_t i = 0; i < groups.count; i++)
        free(groups.items[i].key);
    free(groups.items);
    free(groups.of_run);
    free(layouts.items);
    free(folder);
}
