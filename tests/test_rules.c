/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pins, limits and ties: their texts, what they do to tensors, and where their errors point. */
#include "../bench/plan.h"
#include "../bench/rules.h"
#include "../bench/settings.h"
#include "../bench/nn/net.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef bool parser(const char *text, char **canonical, struct error *);

/* ---- texts ---- */

Test(rules, canonical_texts)
{
    static const struct { parser *parse; const char *text, *canonical; } rows[] = {
        {pin_parse, "none", "none"},
        {pin_parse, " first.* = 8 ,last.*=8.0", "first.*=8,last.*=8"},
        {pin_parse, "b=4,a=2", "b=4,a=2"},
        {limits_parse, "*.input=4..8, conv1.*=3..", "*.input=4..8,conv1.*=3..8"},
        {limits_parse, "a=..6,b=5,c=..", "a=2..6,b=5..5,c=2..8"},
        {tie_parse, "none", "none"},
        {tie_parse, "stage2.*.input, joins , a", "a,joins,stage2.*.input"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {""};
        char *canonical;
        cr_assert(rows[i].parse(rows[i].text, &canonical, &error), "%s: %s", rows[i].text, error.text);
        cr_expect_str_eq(canonical, rows[i].canonical);
        char *again;
        cr_assert(rows[i].parse(canonical, &again, &error), "%s", error.text);
        cr_expect_str_eq(again, canonical);
        free(again);
        free(canonical);
    }
}

Test(rules, bad_texts)
{
    static const struct { parser *parse; const char *text, *problem; } rows[] = {
        {pin_parse, "first.*", "pin has 'first.*' where PATTERN=... is expected; valid: none, or PATTERN=WIDTH"},
        {pin_parse, "first.*=9", "pin: first.* is '9', out of range; valid: a whole number from 2 to 8"},
        {pin_parse, "first.*=1", "out of range"},
        {pin_parse, "first.*=2.5", "not a whole number"},
        {pin_parse, "first.*=", "not a whole number"},
        {pin_parse, "=8", "pin has the pattern ''"},
        {pin_parse, "", "pin has the pattern ''"},
        {pin_parse, "a=8,", "pin has the pattern ''"},
        {pin_parse, "a b=8", "pin has the pattern 'a b'"},
        {pin_parse, "a=8,a=4", "pin has the pattern 'a' twice"},
        {limits_parse, "a=6..4", "limits: a is '6..4', whose least width is above its largest"},
        {limits_parse, "a=4..9", "limits: a is '9', out of range"},
        {limits_parse, "a=4-8", "limits: a is '4-8'"},
        {limits_parse, "a=4..6..8", "limits: a is '6..8'"},
        {limits_parse, "a", "limits has 'a' where PATTERN=... is expected"},
        {tie_parse, "a=4", "tie has 'a=4'; a tie gives no widths"},
        {tie_parse, "a,,b", "tie has the pattern ''"},
        {tie_parse, "joins,joins", "twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {""};
        char *canonical;
        cr_expect_not(rows[i].parse(rows[i].text, &canonical, &error), "%s was taken", rows[i].text);
        cr_expect(strstr(error.text, rows[i].problem), "no \"%s\" in: %s", rows[i].problem, error.text);
    }
}

/* ---- patterns ---- */

Test(rules, patterns)
{
    static const struct { const char *pattern, *name; int layer; bool matches; } rows[] = {
        {"*", "stage1.block1.conv1.weight", 3, true},
        {"*.input", "stage1.block1.conv1.input", 3, true},
        {"*.input", "stage1.block1.conv1.weight", 3, false},
        {"stage?.*.weight", "stage1.block1.conv1.weight", 3, true},
        {"conv[13].weight", "conv2.weight", 2, false},
        {"first.*", "conv1.weight", 0, true},
        {"first.*", "conv2.weight", 1, false},
        {"first.weight", "conv1.input", 0, false},
        {"last.input", "stage3.fc.input", 9, true},
        {"last.input", "stage3.fc.input", 8, false},
        {"first.gradient", "conv1.gradient", 0, true},
        {"first", "conv1.weight", 0, false},
        {"first.*", "first.weight", 4, true}, /* a layer of that name */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tensor tensor = {.layer = rows[i].layer};
        strcpy(tensor.name, rows[i].name);
        cr_expect_eq(rules_match(rows[i].pattern, &tensor, 10), rows[i].matches, "%s on %s", rows[i].pattern, rows[i].name);
    }
}

/* ---- on tensors ---- */

/* Three layers a, b, c, a weight and an input each, of 2 .. 8 bits; b and c read the same node. */
enum { MADE_TENSORS = 6 };
static void make_tensors(struct tensor *tensors)
{
    for (int i = 0; i < MADE_TENSORS; i++) {
        tensors[i] = (struct tensor){.kind = i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, .layer = i / 2, .choices = 0x1fc,
                                     .counted = true, .source = i / 2 ? 0 : NODE_INPUT};
        snprintf(tensors[i].name, sizeof tensors[i].name, "%c.%s", 'a' + i / 2, i % 2 ? "input" : "weight");
    }
}

static uint64_t between(int least, int most)
{
    uint64_t set = 0;
    while (least <= most)
        set |= (uint64_t)1 << least++;
    return set;
}

static struct settings settings_of(const char *pin, const char *limits, const char *tie)
{
    char *texts[3] = {format_text("pin=%s", pin), format_text("limits=%s", limits), format_text("tie=%s", tie)};
    struct settings settings = make_settings("budget=4", texts[0], texts[1], texts[2], NULL);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    return settings;
}

static void expect_rules(const char *pin, const char *limits, const char *tie, const uint64_t *choices, const int *groups,
                         const bool *counted)
{
    struct tensor tensors[MADE_TENSORS];
    struct error error = {""};
    struct settings settings = settings_of(pin, limits, tie);
    make_tensors(tensors);
    cr_assert(rules_apply(&settings, tensors, MADE_TENSORS, &error), "%s", error.text);
    for (int i = 0; i < MADE_TENSORS; i++) {
        cr_expect_eq(tensors[i].choices, choices[i], "%s, %s, %s: %s may have %#lx, not %#lx", pin, limits, tie,
                     tensors[i].name, (unsigned long)tensors[i].choices, (unsigned long)choices[i]);
        cr_expect_eq(tensors[i].group, groups[i], "%s: %s is in group %d", tie, tensors[i].name, tensors[i].group);
        cr_expect_eq(tensors[i].counted, counted[i]);
    }
    settings_free(&settings);
}

#define EACH(type, ...) (const type[MADE_TENSORS]){__VA_ARGS__}
static const uint64_t any = 0x1fc;

Test(rules, nothing_demanded)
{
    expect_rules("none", "none", "none", EACH(uint64_t, any, any, any, any, any, any), EACH(int, 0),
                 EACH(bool, 1, 1, 1, 1, 1, 1));
}

Test(rules, pins)
{
    const uint64_t eight = 1 << 8, four = 1 << 4;
    expect_rules("first.*=8,last.weight=8", "none", "none", EACH(uint64_t, eight, eight, any, any, eight, any), EACH(int, 0),
                 EACH(bool, 0, 0, 1, 1, 0, 1));
    expect_rules("*.weight=4,first.*=8", "none", "none", EACH(uint64_t, eight, eight, four, any, four, any), EACH(int, 0),
                 EACH(bool, 0, 0, 0, 1, 0, 1)); /* the later one goes before */
}

Test(rules, limits)
{
    expect_rules("none", "*.input=4..6,c.*=3..", "none",
                 EACH(uint64_t, any, between(4, 6), any, between(4, 6), between(3, 8), between(3, 8)), EACH(int, 0),
                 EACH(bool, 1, 1, 1, 1, 1, 1));
}

/* Overlapping ties are one group; groups are numbered in network order; a tie shares what all of it may have. */
Test(rules, ties)
{
    expect_rules("none", "b.weight=..6,c.weight=4..", "[bc].weight,*.input",
                 EACH(uint64_t, any, any, between(4, 6), any, between(4, 6), any), EACH(int, 0, 1, 2, 1, 2, 1),
                 EACH(bool, 1, 1, 1, 1, 1, 1));
    expect_rules("none", "none", "[ab].weight,[bc].weight", EACH(uint64_t, any, any, any, any, any, any),
                 EACH(int, 1, 0, 1, 0, 1, 0), EACH(bool, 1, 1, 1, 1, 1, 1));
    expect_rules("none", "none", "joins", EACH(uint64_t, any, any, any, any, any, any), EACH(int, 0, 0, 0, 1, 0, 1),
                 EACH(bool, 1, 1, 1, 1, 1, 1));
    expect_rules("c.input=5", "none", "joins", EACH(uint64_t, any, any, any, 1 << 5, any, 1 << 5),
                 EACH(int, 0, 0, 0, 1, 0, 1), EACH(bool, 1, 1, 1, 1, 1, 0));
}

Test(rules, contradictions)
{
    static const struct { const char *pin, *limits, *tie, *problem; } rows[] = {
        {"d.*=8", "none", "none", "pin: no tensor of this network is called d.*; there are a.weight, a.input, b.weight"},
        {"none", "a.weigth=4..", "none", "limits: no tensor of this network is called a.weigth; did you mean 'a.weight'"},
        {"none", "none", "x*", "tie: no tensor of this network is called x*"},
        {"none", "none", "a.weight", "tie: a.weight means a.weight alone; a tie takes two tensors or more"},
        {"a.*=8", "*.weight=..4", "none", "pin: a.*=8 leaves a.weight without a width: limits has *.weight=2..4"},
        {"a.weight=8,b.weight=4", "none", "*.weight",
         "tie: a.weight and b.weight have no width in common: a.weight may have 8, b.weight 4"},
        {"none", "a.input=..4,b.input=5..", "*.input", "a.input may have 2 to 4, b.input 5 to 8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tensor tensors[MADE_TENSORS];
        struct error error = {""};
        struct settings settings = settings_of(rows[i].pin, rows[i].limits, rows[i].tie);
        make_tensors(tensors);
        cr_expect_not(rules_apply(&settings, tensors, MADE_TENSORS, &error));
        cr_expect(strstr(error.text, rows[i].problem), "no \"%s\" in: %s", rows[i].problem, error.text);
        settings_free(&settings);
    }
}

/* What min_bits, max_bits and allocate have left, with a gap. */
Test(rules, limits_within_other_choices)
{
    struct tensor tensors[MADE_TENSORS];
    struct error error = {""};
    struct settings settings = settings_of("none", "a.weight=5..7", "none");
    make_tensors(tensors);
    tensors[0].choices = 1 << 4 | 1 << 8;
    cr_expect_not(rules_apply(&settings, tensors, MADE_TENSORS, &error));
    cr_expect(strstr(error.text, "limits: a.weight=5..7 leaves a.weight without a width: min_bits, max_bits and allocate "
                                 "leave it 4, 8"),
              "%s", error.text);
    settings_free(&settings);
}

Test(rules, not_read_without_an_allocator)
{
    struct tensor tensors[MADE_TENSORS];
    struct error error = {""};
    struct settings settings = make_settings("allocator=none", NULL);
    make_tensors(tensors);
    cr_assert(rules_apply(&settings, tensors, MADE_TENSORS, &error), "%s", error.text);
    cr_expect(tensors[0].choices == any && tensors[0].counted && tensors[0].group == 0);
    settings_free(&settings);
}

/* ---- of real networks ---- */

#define IMAGES "sample_shape=3-8-8", "samples=64"

static int tensors_of(const struct settings *settings, struct tensor *tensors)
{
    struct dataset described;
    struct error error;
    const struct dataset_ops *ops = setting_plug(settings, "dataset");
    cr_assert(ops->describe(settings, &described, &error), "%s", error.text);
    int count = net_tensors(settings, &described, tensors);
    dataset_free(&described);
    return count;
}

static const struct tensor *named(const struct tensor *tensors, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    die("no tensor %s", name);
}

/* In ResNet-18 a projection reads what the first convolution of its block reads; nothing else is read twice by layers. */
Test(rules, joins_of_a_residual_network)
{
    struct tensor tensors[MAX_TENSORS];
    struct settings settings =
        make_settings(IMAGES, "model=resnet18", "budget=4", "tie=joins", "pin=first.*=8,last.*=8", NULL);
    int count = tensors_of(&settings, tensors), tied = 0;
    for (int i = 0; i < count; i++)
        tied += tensors[i].group > 0;
    cr_expect_eq(tied, 6);
    for (int stage = 2; stage <= 4; stage++) {
        char *convolution = format_text("stage%d.block1.conv1.input", stage),
             *projection = format_text("stage%d.block1.conv_shortcut.input", stage);
        cr_expect_eq(named(tensors, count, convolution)->group, stage - 1);
        cr_expect_eq(named(tensors, count, projection)->group, stage - 1);
        free(convolution);
        free(projection);
    }
    cr_expect(named(tensors, count, "conv1.weight")->choices == 1 << 8 && !named(tensors, count, "fc.input")->counted);
    settings_free(&settings);
}

Test(rules, joins_of_a_chain_are_none)
{
    struct tensor tensors[MAX_TENSORS];
    struct settings settings = make_settings("budget=4", "hidden=16-8", "tie=joins", NULL);
    int count = tensors_of(&settings, tensors);
    for (int i = 0; i < count; i++)
        cr_expect_eq(tensors[i].group, 0);
    settings_free(&settings);
}

/* ---- in a plan ---- */

Test(rules, errors_have_the_place_of_their_key)
{
    static const struct { const char *text, *place, *problem; } rows[] = {
        {"pin: {last.*: 8, conv9.*: 8}\n", ":3:6: ", "pin: no tensor of this network is called conv9.*"},
        {"limits: {'*.weight': 5..}\nmax_bits: 4\n", ":3:9: ", "limits: *.weight=5..8 leaves"},
        {"limits: '*.weight=..4'\npin: [none, first.weight=8]\n", ":4:13: ", "pin: first.weight=8 leaves"},
        {"tie: [joins, '*.weigh']\n", ":3:14: ", "tie: no tensor"},
        {"pin: '*=8'\nlimits: '*=..4'\n", ":3:6: ", "pin: *=8 leaves"},
        {"pin: first.*=80\n", ":3:6: ", "pin: first.* is '80', out of range"},
    };
    char *folder = temporary_folder();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan plan;
        struct error error = {""};
        char *text = format_text("dataset: synthetic\nbudget: 4\n%s", rows[i].text);
        char *path = write_file(folder, "sweep.yaml", text), *place = format_text("%s%s", path, rows[i].place);
        cr_expect_not(plan_load(path, NULL, 0, &plan, &error), "%s", text);
        cr_expect_eq(strncmp(error.text, place, strlen(place)), 0, "no %s in: %s", place, error.text);
        cr_expect(strstr(error.text, rows[i].problem), "no \"%s\" in: %s", rows[i].problem, error.text);
        free(place);
        free(path);
        free(text);
    }
    remove_folder(folder);
}

/* A budget is met by what is not pinned: with half of the tensors at 8 bits, the others' mean counts. */
Test(rules, budgets_are_checked_within_the_rules)
{
    struct plan plan = plan_of("dataset: synthetic\nhidden: 16-16\nbudget: 2\npin: first.*=8,last.*=8\n", NULL);
    cr_expect(plan.count == 1 && !plan.runs[0].skip);
    plan_free(&plan);
    struct error error = {""};
    char *folder = temporary_folder();
    char *path = write_file(folder, "sweep.yaml", "dataset: synthetic\nhidden: 16-16\nbudget: 3\nlimits: {'*': 4..}\n");
    cr_expect_not(plan_load(path, NULL, 0, &plan, &error));
    cr_expect(strstr(error.text, ":3:9: ") && strstr(error.text, "feasible"), "%s", error.text);
    free(path);
    remove_folder(folder);
}
