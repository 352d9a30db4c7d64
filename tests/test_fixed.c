/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs with given widths: the allocator fixed, and run --from. */
#include "support.h"
#include "verbs.h"
#include "../bench/plan.h"
#include "../bench/saved_bits.h"
#include "../bench/settings.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command cmd_allocate, cmd_run;

Test(fixed, canonical_text_keeps_what_the_last_match_means)
{
    static const struct { const char *text, *canonical; } good[] = {
        {"b=4,a=3", "a=3,b=4"},
        {" b = 4, a=3 ", NULL},
        {"b=4,*=8,d=2,c=3", "b=4,*=8,c=3,d=2"},
        {"z=4,first.*=8,a=2", "z=4,first.*=8,a=2"},
    };
    static const struct { const char *text, *words; } wrong[] = {
        {"a", "where NAME=WIDTH is expected"}, {"=3", "where NAME=WIDTH is expected"}, {"a=9", "bits has the width '9'"},
        {"a=1", "bits has the width '1'"},     {"a=3.5", "bits has the width '3.5'"},  {"a=3,a=4", "bits has 'a' twice"},
        {"", "where NAME=WIDTH is expected"},  {"a=", "bits has the width ''"},
    };
    const struct plug *plug = plug_find(PLUG_ALLOCATOR, "fixed");
    const struct param *bits = plug->params[0];
    struct error error;
    char *canonical;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!good[i].canonical) {
            cr_expect(!param_parse(bits, good[i].text, &canonical, &error));
            continue;
        }
        cr_assert(param_parse(bits, good[i].text, &canonical, &error), "%s", error.text);
        cr_expect_str_eq(canonical, good[i].canonical);
        free(canonical);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect(!param_parse(bits, wrong[i].text, &canonical, &error), "%s", wrong[i].text);
        cr_expect(strstr(error.text, wrong[i].words), "no '%s' in: %s", wrong[i].words, error.text);
    }
}

/* A network of two layers. */
#define SWEEP "dataset: synthetic\nsamples: 40\nfeatures: 6\nhidden: 4\nepochs: 1\nbatch: 20\nmode: fqt\nbudget: [4, 5]\n"

static void expect_refused(const char *bits, const char *words)
{
    struct plan plan;
    struct error error = {""};
    char *folder = temporary_folder(), *path = write_file(folder, "s.yaml", SWEEP), *option = format_text("bits=%s", bits);
    cr_expect(!plan_load(path, OPTIONS("allocator=fixed", option), 2, &plan, &error), "%s", bits);
    cr_expect(strstr(error.text, words), "no '%s' in: %s", words, error.text);
    free(option);
    free(path);
    remove_folder(folder);
}

Test(fixed, widths_must_fit_the_network)
{
    struct plan plan = plan_of(SWEEP, OPTIONS("allocator=fixed", "bits=fc2.weight=3,fc1.weight=4,*.input=8"));
    cr_assert_eq(plan.count, 1, "no budget is read, so runs merge");
    cr_expect_str_eq(setting_text(&plan.runs[0].settings, "bits"), "fc1.weight=4,fc2.weight=3,*.input=8");
    cr_expect_not_null(strstr(plan.runs[0].canonical, "bits=fc1.weight=4,fc2.weight=3,*.input=8\n"));
    plan_free(&plan);
    expect_refused("fc1.weight=4,*.input=8", "bits gives no width for fc2.weight");
    expect_refused("'*=8,fc9.weight=4'", "no tensor of this network is called fc9.weight");
    plan = plan_of(SWEEP, OPTIONS("allocator=fixed", "bits='*=3'", "allocate=weights-activations-gradients"));
    cr_expect_eq(plan.count, 1);
    plan_free(&plan);
}

Test(fixed, widths_from_files)
{
    static const struct { const char *text, *words; } wrong[] = {
        {"{}", "has no widths"}, {"x", "has no widths"}, {"{\"bits\":{\"a\":\"4\"}}", "is not a number"},
        {"{\"bits\":{\"a\":4.5}}", "a has 4.5 bits"}, {"{\"bits\":{\"a\":0}}", "a is float32"},
        {"{\"bits\":{\"a,b\":4}}", "'a,b' is no name of a tensor"}, {"{\"bits\":{\"a\":4,\"b\":0}}", "b is float32"},
    };
    char *folder = temporary_folder(), *bits;
    bool gradients;
    struct error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *path = write_file(folder, "a.json", wrong[i].text);
        cr_expect(!saved_bits(path, &bits, &gradients, &error), "%s", wrong[i].text);
        cr_expect(strstr(error.text, wrong[i].words), "no '%s' in: %s", wrong[i].words, error.text);
        char *arguments = format_text("s.yaml --from %s", path);
        expect_trouble(&cmd_run, arguments, EXIT_USAGE, wrong[i].words);
        free(arguments);
        free(path);
    }
    char *path = write_file(folder, "a.json",
        "{\"bits\":{\"b\":4,\"a\":8},\"tensors\":[{\"name\":\"b\",\"kind\":\"gradient\"}]}");
    cr_assert(saved_bits(path, &bits, &gradients, &error), "%s", error.text);
    cr_expect(strcmp(bits, "b=4,a=8") == 0 && gradients);
    free(bits);
    free(path);
    remove_folder(folder);
}

/* qbitopt's run file as a table, its allocation saved, a run with those widths, and a run with that run's. */
Test(fixed, from_training_to_allocation_and_back)
{
    char *folder = temporary_folder(), *files = file_in(folder, "results/s/runs/*.h5"),
         *path = write_file(folder, "s.yaml", SWEEP);
    cr_assert_eq(chdir(folder), 0);
    free(output_of(&cmd_run, "s.yaml -s allocator=qbitopt -s budget=4 -s tau=1 -j 1 --quiet"));
    char *copy = format_text("mv %s run.h5", files);
    cr_assert_eq(system(copy), 0);
    char *out = output_of(&cmd_allocate, "run.h5 -b mean_bits=5 --format json -o saved.json");
    cJSON *json = cJSON_Parse(out);
    cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, "bits")), 4);
    cr_expect_leq(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "costs"), "mean_bits")->valuedouble, 5);
    cJSON_Delete(json);
    free(out);
    free(output_of(&cmd_run, "s.yaml --from saved.json -j 1 --quiet"));
    free(copy);
    copy = format_text("mv %s again.h5", files);
    cr_assert_eq(system(copy), 0);
    char *first, *second;
    bool gradients;
    struct error error;
    cr_assert(saved_bits("saved.json", &first, &gradients, &error), "%s", error.text);
    cr_assert(saved_bits("again.h5", &second, &gradients, &error), "%s", error.text);
    cr_expect_str_eq(first, second);
    expect_trouble(&cmd_run, "s.yaml --from", EXIT_USAGE, "--from needs a value");
    expect_trouble(&cmd_run, "s.yaml --from=none.json", EXIT_USAGE, "cannot read none.json");
    cr_assert_eq(chdir("/"), 0);
    free(first);
    free(second);
    free(copy);
    free(files);
    free(path);
    remove_folder(folder);
}
