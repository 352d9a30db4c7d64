/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bad sweep files, each with the place and the sentence that its error must have; damaged files; values. */
#include "../bench/cli.h"
#include "../bench/names.h"
#include "../bench/plan.h"
#include "../bench/settings.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "dataset: synthetic\n"

struct bad_file {
    const char *text;
    const char *place;   /* ":line:column: " */
    const char *problem; /* part of the sentence */
};

static const struct bad_file bad_files[] = {
    /* YAML itself */
    {HEAD "seed: [1, 2\n", ":3:1: ", "not valid YAML"},
    {HEAD "\tseed: 1\n", ":2:1: ", "not valid YAML"},
    {HEAD "seed: \"1\n", ":3:1: ", "not valid YAML"},
    {HEAD "mode: f\xff\n", ":2:8: ", "not valid YAML"},
    {HEAD "budget: &b 4\n", ":2:9: ", "anchors"},
    {HEAD "budget: *b\n", ":2:9: ", "aliases"},
    {HEAD "budget: !!int 4\n", ":2:9: ", "tags"},
    {HEAD "---\nbudget: 4\n", ":2:1: ", "second YAML document"},
    {HEAD "? [a, b]\n: 4\n", ":2:3: ", "a key must be a word"},
    {"dataset: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", ":1:25: ", "nested too deeply"},
    {"", ":1:1: ", "this one is empty"},
    {"# only a comment\n", ":1:1: ", "this one is empty"},
    {"- dataset\n- synthetic\n", ":1:1: ", "this is a list"},
    {"synthetic\n", ":1:1: ", "a single word"},
    /* keys */
    {HEAD "budgte: 4\n", ":2:1: ", "unknown key 'budgte'; did you mean 'budget'; valid: dataset, model"},
    {HEAD "budget: 4\nblocks:\n  - mode: fp\n    sede: 2\n", ":5:5: ", "did you mean 'seed'"},
    {HEAD "budget: 4\nqqqqqqqq: 4\n", ":3:1: ", "unknown key 'qqqqqqqq'; valid: dataset"},
    {HEAD "budget: 4\nseed: 1\nseed: 2\n", ":4:1: ", "duplicate key 'seed'; it stands in line 3"},
    {HEAD "budget: 4\nblocks:\n  - blocks: [1]\n", ":4:5: ", "'blocks' cannot stand here"},
    {HEAD "budget: 4\nmilestones: 2-4\n", ":3:1: ", "no run of this block reads 'milestones'"},
    {HEAD "blocks:\n  - allocator: none\n    budget: 4\n  - budget: 3\n", ":4:5: ",
     "no run of this block reads 'budget'"},
    {HEAD "grad_bits: 4\nblocks:\n  - budget: 4\n  - budget: 3\n", ":2:1: ",
     "no run of any block reads 'grad_bits'"},
    {"seed: 3\nbudget: 4\n", ":1:1: ", "the key 'dataset' is missing (every run reads it"},
    {HEAD "\nblocks:\n  - allocator: none\n  - mode: fqt\n    allocator: uniform\n", ":5:5: ",
     "the key 'budget' is missing (uniform reads it"},
    /* values */
    {HEAD "budget: four\n", ":2:9: ", "budget is 'four', not a number; valid: a number from 1 to 32"},
    {HEAD "budget: [2, 40]\n", ":2:13: ", "budget is '40', out of range; valid: a number from 1 to 32"},
    {HEAD "budget: 0x4\n", ":2:9: ", "not a number"},
    {HEAD "budget: .nan\n", ":2:9: ", "not a number"},
    {HEAD "budget: 1e999\n", ":2:9: ", "out of range"},
    {HEAD "budget: 4\nseed: 1.5\n", ":3:7: ",
     "seed is '1.5', not a whole number; valid: a whole number from 0"},
    {HEAD "budget: 4\nepochs: 0\n", ":3:9: ", "valid: a whole number from 1 to 1000000"},
    {HEAD "budget: 4\nmode: ftq\n", ":3:7: ",
     "mode is 'ftq', which is unknown; did you mean 'fqt'; valid: fp, fqt"},
    {"dataset: sythetic\nbudget: 4\n", ":1:10: ", "did you mean 'synthetic'"},
    {HEAD "budget: 4\nschedule: linear\n", ":3:11: ", "valid: constant, multistep, cosine"},
    {HEAD "budget: 4\nmode: fqt\nacc_bits: 3\n", ":4:11: ", "valid: auto, or a whole number from 4 to 32"},
    {HEAD "budget: 4\nmode: fqt\npublished_ablation: maybe\n", ":4:21: ", "valid: true, false"},
    {HEAD "budget: 4\nhidden: 128x64\n", ":3:9: ", "not whole numbers joined by '-'; valid: whole numbers"},
    {HEAD "budget: 4\nhidden: 128-0\n", ":3:9: ", "a number of which is out of range"},
    {HEAD "budget: 4\nhidden: 128-\n", ":3:9: ", "joined by '-'"},
    {HEAD "budget: 4\nhidden: [[128, 64], 32]\n", ":3:10: ", "joined by '-', like 512-256"},
    {HEAD "budget: [[4]]\n", ":2:10: ", "a list inside the list of 'budget'; valid: single values"},
    {HEAD "budget: 4\nseed: [{a: 4}]\n", ":3:8: ", "a mapping inside the list of 'seed'"},
    {HEAD "budget: 4\nseed: {a: 4}\n", ":3:7: ", "'seed' holds a mapping"},
    {HEAD "budget: 4\ntie: {a: 4}\n", ":3:6: ", "'tie' holds a mapping"},
    /* mappings as values */
    {HEAD "budget: {bop: 4}\n", ":2:9: ", "there is no cost 'bop'; did you mean 'bops'"},
    {HEAD "budget: [4, {bops: 4x}]\n", ":2:13: ", "the limit of bops is '4x'"},
    {HEAD "budget:\n  bops: 25%\n  weight_bytes: 7Q\n", ":3:3: ", "the limit of weight_bytes is '7Q'"},
    {HEAD "budget: {}\n", ":2:9: ", "the mapping of 'budget' is empty"},
    {HEAD "budget: {bops: }\n", ":2:16: ", "'bops' in the mapping of 'budget' has no value"},
    {HEAD "budget: {bops: [25%, 50%]}\n", ":2:16: ", "'bops' in the mapping of 'budget' holds a list"},
    {HEAD "budget: {bops: {a: 3}}\n", ":2:16: ", "'bops' in the mapping of 'budget' holds a mapping"},
    {HEAD "budget: {bops: 25%, bops: 50%}\n", ":2:21: ", "duplicate key 'bops'"},
    {HEAD "budget: [[{bops: 4}]]\n", ":2:10: ", "a list inside the list of 'budget'; valid: single values and mappings"},
    {HEAD "budget: 4\nexclude: [{budget: {bop: 1}}]\n", ":3:20: ", "there is no cost 'bop'"},
    {HEAD "budget: 4\npin: {*.weight: 8}\n", ":3:8: ", "a text that starts with * stands in quotes"},
    {HEAD "budget: 4\npin: {*weight: 8}\n", ":3:7: ", "a text that starts with & or * stands in quotes"},
    {HEAD "budget: []\n", ":2:9: ", "the list of 'budget' is empty"},
    {HEAD "budget:\nseed: 1\n", ":2:8: ", "'budget' has no value"},
    {HEAD "budget: [2, ~]\n", ":2:13: ", "'budget' has no value"},
    {"dataset: \"synthetic\\nbudget=4\"\n", ":1:10: ", "control character"},
    {HEAD "budget: 4\nmin_bits: 9\n", ":3:11: ", "valid: a whole number from 2 to 8"},
    /* what a block, zip and exclude look like */
    {HEAD "description: [a]\nbudget: 4\n", ":2:14: ", "description must be a text"},
    {HEAD "budget: 4\nblocks: 3\n", ":3:9: ", "blocks needs a list"},
    {HEAD "budget: 4\nblocks: []\n", ":3:9: ", "blocks needs a list"},
    {HEAD "budget: 4\nblocks:\n  - 3\n", ":4:5: ", "a block must be a mapping"},
    {HEAD "zip: 3\n", ":2:6: ", "zip needs keys"},
    {HEAD "zip: []\n", ":2:6: ", "zip needs keys"},
    {HEAD "zip: {budget: [2, 4], epochs: [3, 5, 7]}\n", ":2:31: ",
     "'epochs' has 3 values and 'budget' has 2"},
    {HEAD "zip: {budget: [2, 4], epochs: 3}\n", ":2:31: ", "'epochs' in a zip needs a list"},
    {HEAD "zip: {budget: [], epochs: []}\n", ":2:15: ", "the list of 'budget' is empty"},
    {HEAD "zip: {budget: [2, 4], epoch: [3, 5]}\n", ":2:23: ", "did you mean 'epochs'"},
    {HEAD "epochs: 3\nzip: {budget: [2, 4], epochs: [3, 5]}\n", ":3:23: ",
     "duplicate key 'epochs'; it stands in line 2"},
    {HEAD "zip:\n  - {budget: [2, 4], epochs: [3, 5]}\n  - {lr: [1, 2], epochs: [3, 5]}\n", ":4:18: ",
     "duplicate key 'epochs'"},
    {HEAD "zip: {budget: [2, 4], epochs: [3, 5]}\nblocks:\n  - epochs: 4\n", ":4:5: ",
     "stands in the zip above"},
    {HEAD "budget: 4\nexclude: mode\n", ":3:10: ", "exclude needs a list of mappings"},
    {HEAD "budget: [2, 4]\nexclude: [{budgets: 2}]\n", ":3:12: ", "did you mean 'budget'"},
    {HEAD "budget: [2, 4]\nexclude: [{budget: 2}, {budget: 3}]\n", ":3:24: ", "removes nothing"},
    {HEAD "budget: [2, 4]\nexclude: [{budget: two}]\n", ":3:20: ", "not a number"},
    {HEAD "budget: [2, 4]\nexclude: [{grad_bits: 4}]\n", ":3:12: ",
     "no run reads 'grad_bits', so this entry of exclude removes nothing"},
    {HEAD "budget: [2, 4]\nexclude: [{budget: [2, 4]}]\n", ":1:1: ", "every combination"},
    {HEAD "budget: [2, 4]\nseed: [1,2,3,4,5,6,7,8,9,10]\nbatch: [1,2,3,4,5,6,7,8,9,10]\n"
     "lr: [1,2,3,4,5,6,7,8,9,10]\nepochs: [1,2,3,4,5,6,7,8,9,10]\nvalidation: [.1,.2,.3,.4,.5,.6,.7,.8]\n",
     ":1:1: ", "more than 100000"},
    /* what only the data set and the network can say */
    {HEAD "budget: 4\nsamples: 20\n", ":1:10: ", "too few"},
    {HEAD "mode: [fp, fqt]\nbudget: [4, 1.5]\n", ":3:13: ", "budget 1.5 is infeasible"},
};

static void expect_refusal(const char *path, const char *option, const char *place, const char *problem)
{
    struct plan plan;
    struct error error = {""};
    bool good = plan_load(path, &option, option != NULL, &plan, &error);
    cr_expect(!good, "was taken");
    cr_expect_eq(strncmp(error.text, place, strlen(place)), 0, "no '%s' in front: %s", place, error.text);
    cr_expect(strstr(error.text, problem), "no '%s' in: %s", problem, error.text);
    if (good)
        plan_free(&plan);
}

Test(config, bad_files)
{
    char *folder = temporary_folder();
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        char *path = write_file(folder, "sweep.yaml", bad_files[i].text);
        char *place = format_text("%s%s", path, bad_files[i].place);
        expect_refusal(path, NULL, place, bad_files[i].problem);
        free(place);
        free(path);
    }
    remove_folder(folder);
}

Test(config, bad_options)
{
    static const struct { const char *option, *problem; } rows[] = {
        {"sede=3", "unknown key 'sede'; did you mean 'seed'"},
        {"seed=x", "seed is 'x', not a whole number"},
        {"seed=[1, 2.5]", "seed is '2.5'"},
        {"seed=[1", "not valid YAML"},
        {"seed=[]", "the list of 'seed' is empty"},
        {"seed=", "'seed' has no value"},
        {"seed={a: 1}", "'seed' holds a mapping"},
        {"budget={bops: 4x}", "the limit of bops is '4x'"},
        {"budget={}", "the mapping of 'budget' is empty"},
        {"seed", "not of the form key=value"},
        {"=3", "not of the form key=value"},
        {"blocks=3", "'blocks' cannot stand here"},
        {"grad_bits=3", "no run of any block reads 'grad_bits'"},
        {"budget=1.5", "budget 1.5 is infeasible"},
    };
    char *folder = temporary_folder(), *path = write_file(folder, "sweep.yaml", HEAD "budget: 4\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *place = format_text("-s %s: ", rows[i].option);
        expect_refusal(path, rows[i].option, place, rows[i].problem);
        free(place);
    }
    free(path);
    remove_folder(folder);
}

Test(config, unreadable_files)
{
    static const struct { const char *path, *problem; } unreadable[] = {
        {"/nowhere/sweep.yaml", "cannot read the sweep file /nowhere/sweep.yaml: No such file"},
        {"/tmp", "cannot read the sweep file /tmp: Is a directory"},
    };
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
        struct plan plan;
        struct error error = {""};
        cr_expect(!plan_load(unreadable[i].path, NULL, 0, &plan, &error));
        cr_expect(strstr(error.text, unreadable[i].problem), "%s", error.text);
    }
}

static const char valid_file[] =
    "# every construct once\n"
    "description: \"a test: all of the language\"\n"
    "dataset: synthetic\n"
    "seed: [1, 2]\n"
    "blocks:\n"
    "  - {allocator: none, mode: fp}\n"
    "  - allocator: [uniform, qbitopt]\n"
    "    mode:\n"
    "      - fqt\n"
    "      - hfqt\n"
    "    zip: {budget: [2, {bops: 40%}], epochs: [3, 5]}\n"
    "    pin: {last.*: 8}\n"
    "    exclude:\n"
    "      - {mode: hfqt, budget: 2}\n"
    "    hidden: 32-16\n"
    "    init: 'float'\n";

/* Every beginning of the file, and the file with any one byte replaced, is a plan or an error, no crash. */
Test(config, damaged_files)
{
    static const char replacements[] = "[]{}:,-'\"&*!|>#\n\t\\%@`x0\x01\xc3";
    char *folder = temporary_folder();
    size_t length = strlen(valid_file), taken = 0, refused = 0;
    uint64_t key = rng_key(1, STREAM_DATA, 0, 0);
    for (size_t i = 0; i <= 2 * length; i++) {
        struct plan plan;
        struct error error = {""};
        char text[sizeof valid_file];
        memcpy(text, valid_file, sizeof text);
        if (i <= length)
            text[i] = '\0';
        else
            text[i - length - 1] = replacements[rng_bits(key, i) % (sizeof replacements - 1)];
        char *path = write_file(folder, "sweep.yaml", text);
        if (plan_load(path, NULL, 0, &plan, &error)) {
            cr_expect_gt(plan.count, 0, "no runs from:\n%s", text);
            plan_free(&plan);
            taken++;
        } else {
            cr_expect_eq(strncmp(error.text, path, strlen(path)), 0, "no place: %s\nfrom:\n%s", error.text,
                         text);
            refused++;
        }
        free(path);
    }
    cr_expect_gt(taken, 10);
    cr_expect_gt(refused, 100);
    remove_folder(folder);
}

Test(values, canonical_spellings)
{
    static const struct { const char *key, *spelling, *canonical; } rows[] = {
        {"budget", "4.0", "4"}, {"budget", "4", "4"}, {"budget", "4e0", "4"}, {"budget", "+4.000", "4"},
        {"budget", "0.4e1", "4"}, {"budget", "2.50", "2.5"}, {"budget", "25e-1", "2.5"},
        {"weight_decay", "0.00001", "1e-05"}, {"weight_decay", "1e-5", "1e-05"},
        {"lr", "10", "10"}, {"lr", "1e1", "10"}, {"lr", "1000", "1000"}, {"lr", "1e3", "1000"},
        {"weight_decay", "-0.0", "0"}, {"lr", ".1", "0.1"}, {"lr", "0.1000000000000000055", "0.1"},
        {"seed", "007", "7"}, {"seed", "1e3", "1000"}, {"seed", "123456789", "123456789"},
        {"hidden", "0128-064", "128-64"}, {"hidden", "64", "64"}, {"milestones", "none", "none"},
        {"milestones", "60-100-140", "60-100-140"}, {"acc_bits", "auto", "auto"}, {"acc_bits", "8.0", "8"},
        {"published_ablation", "True", "true"}, {"published_ablation", "FALSE", "false"},
        {"schedule", "cosine", "cosine"}, {"mode", "hfqt", "hfqt"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error;
        char *canonical;
        cr_assert(param_parse(known_param(rows[i].key), rows[i].spelling, &canonical, &error), "%s",
                  error.text);
        cr_expect_str_eq(canonical, rows[i].canonical);
        free(canonical);
    }
}

/* Each reads back as the same number; whole ones are read by people. */
Test(values, numbers_as_text)
{
    static const struct { double value; const char *text; } rows[] = {
        {0, "0"}, {10, "10"}, {-3, "-3"}, {9011200, "9011200"}, {1e14, "100000000000000"}, {1e15, "1e+15"},
        {0.1, "0.1"}, {2.5, "2.5"}, {1e-5, "1e-05"}, {1234567.5, "1234567.5"}, {1.0 / 3, "0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        shortest_real(rows[i].value, text, sizeof text);
        cr_expect_str_eq(text, rows[i].text);
        cr_expect_eq(strtod(text, NULL), rows[i].value);
    }
}

/* Every default of every parameter is a value that the parameter itself takes, in canonical spelling. */
static void expect_good_default(const struct param *param)
{
    struct error error;
    char *canonical;
    if (!param->fallback)
        return;
    cr_assert(param_parse(param, param->fallback, &canonical, &error), "%s", error.text);
    cr_expect_str_eq(canonical, param->fallback);
    free(canonical);
}

Test(values, defaults_are_valid)
{
    const struct plug *plug;
    for (size_t i = 0; core_params[i]; i++)
        expect_good_default(core_params[i]);
    for (int kind = 0; kind < PLUG_KINDS; kind++)
        for (size_t i = 0; (plug = plug_at((enum plug_kind)kind, i)) != NULL; i++)
            for (size_t p = 0; plug->params && plug->params[p]; p++)
                expect_good_default(plug->params[p]);
}

Test(values, accessors)
{
    long dims[4];
    struct settings s = make_settings("hidden=300-20-1", "budget=2.5", "mode=fqt", "seed=12", NULL);
    cr_expect_str_eq(setting_text(&s, "model"), "mlp");
    cr_expect(setting_is(&s, "mode", "fqt"));
    cr_expect(!setting_bool(&s, "published_ablation"));
    cr_expect_eq(setting_int(&s, "seed"), 12);
    cr_expect_float_eq(setting_real(&s, "budget"), 2.5, 0);
    cr_expect_eq(setting_dims(&s, "hidden", dims, 4), 3);
    cr_expect(dims[0] == 300 && dims[1] == 20 && dims[2] == 1);
    cr_expect(!setting_has(&s, "milestones"));
    for (size_t i = 1; i < s.count; i++)
        cr_expect_lt(strcmp(s.items[i - 1].param->name, s.items[i].param->name), 0);
    settings_free(&s);
    s = make_settings("schedule=multistep", "budget=3", NULL);
    cr_expect_eq(setting_dims(&s, "milestones", dims, 4), 0);
    settings_free(&s);
}

Test(values, absent_setting_dies, .exit_code = 1)
{
    struct settings s = make_settings("budget=2.5", NULL);
    setting_text(&s, "milestones");
}

Test(names, nearest)
{
    static const char *const words[] = {"budget", "batch", "mode", "model", "lr", NULL};
    static const struct { const char *word, *nearest; } rows[] = {
        {"bugdet", "budget"}, {"budgets", "budget"}, {"btach", "batch"},    {"modl", "mode"},
        {"modell", "model"},  {"rl", "lr"},          {"lrr", "lr"},         {"zzz", NULL},
        {"", NULL},           {"x", NULL},           {"accumulator", NULL},
    };
    struct names names = {0};
    names_of_choices(&names, words);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = names_nearest(&names, rows[i].word);
        cr_expect_str_eq(nearest ? nearest : "(none)", rows[i].nearest ? rows[i].nearest : "(none)",
                         "for '%s'", rows[i].word);
    }
    names_free(&names);
}
