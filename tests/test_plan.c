/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a sweep file becomes: its runs, their order, identity and dependencies. */
#include "../bench/identity.h"
#include "support.h"
#include <criterion/criterion.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a=1 b=2;a=1 b=3;": the values of these keys in all runs, "-" for a key that the run does not read. */
static char *values_of(const struct plan *plan, const char *const *keys)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t k = 0; keys[k]; k++)
            fprintf(stream, "%s%s", k ? " " : "",
                    setting_has(&plan->runs[i].settings, keys[k])
                        ? setting_text(&plan->runs[i].settings, keys[k])
                        : "-");
        fputc(';', stream);
    }
    fclose(stream);
    return text;
}

static void expect_runs(const char *text, const char *const *options, const char *const *keys,
                        const char *expected)
{
    struct plan plan = plan_of(text, options);
    char *values = values_of(&plan, keys);
    cr_expect_str_eq(values, expected, "from:\n%s", text);
    free(values);
    plan_free(&plan);
}

#define HEAD "dataset: synthetic\n"

/* ---- which runs ---- */

Test(plan, lists_multiply)
{
    expect_runs(HEAD "budget: [2, 4]\nmode: [fp, fqt]\n", NULL, OPTIONS("budget", "mode"),
                "2 fp;2 fqt;4 fp;4 fqt;");
    expect_runs(HEAD "mode: [fp, fqt]\nbudget: [2, 4]\n", NULL, OPTIONS("budget", "mode"),
                "2 fp;4 fp;2 fqt;4 fqt;");
    expect_runs(HEAD "budget: 4\n", NULL, OPTIONS("budget", "mode"), "4 fp;");
}

Test(plan, zip_pairs)
{
    expect_runs(HEAD "zip: {budget: [2, 4], epochs: [3, 5]}\n", NULL, OPTIONS("budget", "epochs"),
                "2 3;4 5;");
    expect_runs(HEAD "zip: {budget: [2, 4], epochs: [3, 5]}\nmode: [fp, fqt]\n", NULL,
                OPTIONS("budget", "epochs", "mode"), "2 3 fp;2 3 fqt;4 5 fp;4 5 fqt;");
    expect_runs(HEAD "zip:\n  - {budget: [2, 4], epochs: [3, 5]}\n  - {lr: [1, 2], batch: [8, 16]}\n", NULL,
                OPTIONS("budget", "epochs", "lr", "batch"), "2 3 1 8;2 3 2 16;4 5 1 8;4 5 2 16;");
}

Test(plan, exclude_removes)
{
    expect_runs(HEAD "mode: [fp, fqt]\nbudget: [2, 3, 4]\nexclude: [{mode: fqt, budget: [2.0, 3]}]\n", NULL,
                OPTIONS("mode", "budget"), "fp 2;fp 3;fp 4;fqt 4;");
    /* A default counts as the run's value, and what a run does not read never matches. */
    expect_runs(HEAD "mode: [fp, fqt]\nbudget: 4\nexclude: {grad_bits: 4}\n", NULL, OPTIONS("mode", "budget"),
                "fp 4;");
    expect_runs(HEAD "allocator: [none, uniform]\nbudget: [2, 4]\nexclude: {budget: 2}\n", NULL,
                OPTIONS("allocator", "budget"), "none -;uniform 4;");
}

Test(plan, blocks_share_and_override)
{
    expect_runs("description: text\n" HEAD
                "lr: 0.5\nbudget: 3\nblocks:\n  - {mode: fqt, lr: [1, 2]}\n  - mode: hfqt\n",
                NULL, OPTIONS("mode", "lr", "budget"), "fqt 1 3;fqt 2 3;hfqt 0.5 3;");
    expect_runs(HEAD "zip: {budget: [2, 4], epochs: [3, 5]}\nexclude: {mode: fqt, budget: 2}\n"
                "blocks:\n  - mode: fp\n  - mode: fqt\n",
                NULL, OPTIONS("mode", "budget", "epochs"), "fp 2 3;fp 4 5;fqt 4 5;");
    /* A shared key need only be read in one block. */
    expect_runs(HEAD "grad_bits: 5\nbudget: 4\nblocks:\n  - mode: fp\n  - mode: fqt\n", NULL,
                OPTIONS("mode", "grad_bits"), "fp -;fqt 5;");
}

Test(plan, options_replace)
{
    const char *text = HEAD "budget: [2, 4]\nblocks:\n  - {mode: fqt, seed: 3}\n  - mode: hfqt\n";
    expect_runs(text, OPTIONS("seed=[1, 2]", "budget=3"), OPTIONS("mode", "seed", "budget"),
                "fqt 1 3;hfqt 1 3;fqt 2 3;hfqt 2 3;");
    expect_runs(text, OPTIONS("lr=1", "lr=2"), OPTIONS("mode", "lr"), "fqt 2;fqt 2;hfqt 2;hfqt 2;");
    expect_runs(text, OPTIONS("hidden=[32-16, 8]", "budget=4.0"), OPTIONS("mode", "hidden"),
                "fqt 32-16;fqt 8;hfqt 32-16;hfqt 8;");
    /* A key that an option sets leaves its zip. */
    text = HEAD "zip: {budget: [2, 4], epochs: [3, 5]}\n";
    expect_runs(text, OPTIONS("epochs=1"), OPTIONS("budget", "epochs"), "2 1;4 1;");
    expect_runs(text, OPTIONS("epochs=[7, 8]"), OPTIONS("budget", "epochs"), "2 7;4 7;2 8;4 8;");
    expect_runs(text, OPTIONS("epochs=1", "budget=[2, 3, 5]"), OPTIONS("budget", "epochs"), "2 1;3 1;5 1;");
    /* An option may leave keys and exclusions of the file without work. */
    expect_runs(HEAD "mode: [fqt, fp]\ngrad_bits: 4\nbudget: [2, 4]\nexclude: {mode: fqt, budget: 2}\n",
                OPTIONS("mode=fp"), OPTIONS("mode", "budget"), "fp 2;fp 4;");
}

Test(plan, unread_keys_are_dropped_and_equal_runs_merge)
{
    expect_runs(HEAD "allocator: [none, uniform]\nbudget: [2, 3, 4]\n", NULL, OPTIONS("allocator", "budget"),
                "none -;uniform 2;uniform 3;uniform 4;");
    expect_runs(HEAD "allocator: [dq, uniform]\nbudget: 4\nquantiser: [max, sawb]\n", NULL,
                OPTIONS("allocator", "quantiser"), "dq -;uniform max;uniform sawb;");
    /* The settings of a plugin that a plugin names. */
    expect_runs(HEAD "allocator: [uniform, qbitopt]\nbudget: 4\nsolver: [greedy, ilp]\n", NULL,
                OPTIONS("allocator", "solver"), "uniform -;qbitopt greedy;qbitopt ilp;");
    expect_runs(HEAD "schedule: [cosine, multistep]\nbudget: 4\nmilestones: 3-5\n", NULL,
                OPTIONS("schedule", "milestones"), "cosine -;multistep 3-5;");
    expect_runs(HEAD "budget: [4, 4.0, 4e0]\nblocks: [{mode: fp}, {mode: [fqt, fp]}]\n", NULL,
                OPTIONS("mode"), "fp;fqt;");
}

Test(plan, seed_major_order)
{
    expect_runs(HEAD "seed: [5, 2]\nbudget: [2, 4]\nmode: [fp, fqt]\n", NULL,
                OPTIONS("seed", "budget", "mode"),
                "5 2 fp;5 2 fqt;5 4 fp;5 4 fqt;2 2 fp;2 2 fqt;2 4 fp;2 4 fqt;");
    expect_runs(HEAD "budget: 4\nblocks: [{mode: fp, seed: [3, 1]}, {mode: fqt, seed: [9, 1, 3]}]\n", NULL,
                OPTIONS("seed", "mode"), "3 fp;3 fqt;1 fp;1 fqt;9 fqt;");
}

Test(plan, names)
{
    struct plan plan = plan_of(HEAD "budget: 4\n", NULL);
    cr_expect_str_eq(plan.name, "tested.sweep");
    cr_expect(strstr(plan.path, "/tested.sweep.yaml"));
    plan_free(&plan);
}

/* ---- skips ---- */

/* Asks the plugins themselves rather than expecting a certain skip; each skip keeps its place. */
Test(plan, skips_say_why)
{
    struct plan plan = plan_of(HEAD "mode: [fp, fqt, hfqt]\nallocator: [none, uniform, dq, qbitopt]\nbudget: "
                                    "4\nseed: [1, 2]\n",
                               NULL);
    size_t skipped = 0;
    cr_expect_eq(plan.count, 24);
    for (size_t i = 0; i < plan.count; i++) {
        const char *why = plug_check(&plan.runs[i].settings);
        cr_expect_eq(why == NULL, plan.runs[i].skip == NULL);
        if (why)
            cr_expect_str_eq(plan.runs[i].skip, why);
        cr_expect_eq(setting_int(&plan.runs[i].settings, "seed"), i < 12 ? 1 : 2);
        skipped += why != NULL;
    }
    cr_expect_gt(skipped, 0, "fqt and hfqt have nothing to quantise with allocator none");
    cr_expect_lt(skipped, plan.count);
    plan_free(&plan);
}

/* ---- init: float ---- */

Test(plan, float_runs_come_first_and_once)
{
    struct plan plan = plan_of(
        HEAD "mode: [fqt, hfqt]\nbudget: [2, 4]\nseed: [1, 2]\ninit: float\nlr: 0.25\ngrad_bits: 5\n", NULL);
    char *values =
        values_of(&plan, OPTIONS("seed", "mode", "allocator", "budget", "init", "lr", "grad_bits"));
    cr_expect_str_eq(
        values, "1 fp none - - 0.25 -;1 fqt uniform 2 float 0.25 5;1 fqt uniform 4 float 0.25 5;"
                "1 hfqt uniform 2 float 0.25 5;1 hfqt uniform 4 float 0.25 5;2 fp none - - 0.25 -;"
                "2 fqt uniform 2 float 0.25 5;2 fqt uniform 4 float 0.25 5;2 hfqt uniform 2 float 0.25 5;"
                "2 hfqt uniform 4 float 0.25 5;");
    for (size_t i = 0; i < plan.count; i++) {
        cr_expect_eq(plan.runs[i].depends, i % 5 == 0 ? -1 : (int)(i / 5 * 5));
        char *line = format_text("init.run=%s\n", plan.runs[i / 5 * 5].id);
        cr_expect_eq(strstr(plan.runs[i].canonical, line) != NULL, i % 5 != 0);
        free(line);
    }
    free(values);
    plan_free(&plan);
}

Test(plan, float_runs_merge_with_written_ones)
{
    static const char *const texts[] = {
        HEAD "blocks: [{allocator: none}, {mode: fqt, budget: 4, init: float}]\n",
        HEAD "blocks: [{mode: fqt, budget: 4, init: float}, {allocator: none}]\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct plan plan = plan_of(texts[i], NULL);
        cr_assert_eq(plan.count, 2);
        cr_expect_str_eq(setting_text(&plan.runs[0].settings, "allocator"), "none");
        cr_expect(plan.runs[0].depends == -1 && plan.runs[1].depends == 0);
        plan_free(&plan);
    }
}

Test(plan, start_is_part_of_identity)
{
    struct plan scratch = plan_of(HEAD "mode: fqt\nbudget: 4\n", NULL);
    struct plan trained = plan_of(HEAD "mode: fqt\nbudget: 4\ninit: float\n", NULL);
    cr_assert(scratch.count == 1 && trained.count == 2);
    cr_expect_str_neq(scratch.runs[0].id, trained.runs[1].id);
    plan_free(&scratch);
    plan_free(&trained);
}

/* ---- identity ---- */

/* The canonical text rebuilt by hand, and its hash. */
Test(identity, is_the_hash_of_all_that_is_read)
{
    struct plan plan = plan_of(HEAD "budget: 2.50\nmode: fqt\nallocator: qbitopt\nsolver: greedy\n", NULL);
    const struct run *run = &plan.runs[0];
    char digest[SHA256_DIGEST_STRING_LENGTH], last_key[64] = "", *text = xstrdup(run->canonical);
    size_t lines = 0, plugs = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        char *value = strchr(line, '=');
        cr_assert_not_null(value);
        *value++ = '\0';
        cr_expect_lt(strcmp(last_key, line), 0, "%s after %s", line, last_key);
        snprintf(last_key, sizeof last_key, "%s", line);
        if (!strchr(line, '.'))
            cr_expect_str_eq(setting_text(&run->settings, line), value);
    }
    for (size_t i = 0; i < run->settings.count; i++)
        plugs += run->settings.items[i].param->type == PARAM_PLUG;
    cr_expect_eq(plugs, 6, "dataset, model, mode, allocator, quantiser, solver");
    cr_expect_eq(lines, run->settings.count + plugs + 1);
    cr_expect(strstr(run->canonical, "\nbudget=2.5\n"));
    cr_expect(strstr(run->canonical, "\nsolver.version="));
    const struct dataset *dataset = described_find(plan.described, &run->settings);
    cr_assert_not_null(dataset);
    char *sum = format_text("\ndataset.sha256=%s\n", dataset->sha256);
    cr_expect(strstr(run->canonical, sum));
    SHA256Data((const uint8_t *)run->canonical, strlen(run->canonical), digest);
    cr_expect_eq(strlen(run->id), RUN_ID_LENGTH);
    cr_expect_eq(strncmp(run->id, digest, RUN_ID_LENGTH), 0);
    free(sum);
    free(text);
    plan_free(&plan);
}

Test(identity, spelling_does_not_matter)
{
    static const char *const spellings[] = {
        HEAD "budget: [2.5, 4]\nmode: fqt\nlr: 0.1\nhidden: 32-16\nseed: [1, 2]\nblocks: [{allocator: "
             "uniform}, {allocator: dq}]\n",
        "# comments\nseed: [1, 2] # here too\nhidden: 032-16\nlr: 1e-1\nmode: 'fqt'\nbudget: [25e-1, "
        "4.0]\n" HEAD "blocks:\n\n  - allocator: uniform\n  - allocator: dq\n",
        "{\"dataset\": \"synthetic\", \"budget\": [2.500, +4], \"blocks\": [{\"hidden\": \"32-16\", "
        "\"mode\": fqt, \"lr\": .1,\n"
        "\"allocator\": [\"uniform\", dq]}], \"seed\": [1.0, 2e0]}\n",
        HEAD "blocks:\n- zip:\n    budget:\n    - 2.5\n    - 4\n    seed:\n    - 1\n    - 1\n  allocator: "
             "[uniform, dq]\n  mode: fqt\n"
             "  lr: 0.10\n  hidden: 32-16\n- {seed: 2, allocator: [uniform, dq], budget: [2.5, 4], hidden: "
             "32-16, mode: fqt, lr: 0.1,\n"
             "   momentum: 0.90}\n",
    };
    struct plan plans[4];
    for (size_t i = 0; i < 4; i++) {
        plans[i] = plan_of(spellings[i], NULL);
        cr_assert_eq(plans[i].count, 8, "spelling %zu has %zu runs", i, plans[i].count);
    }
    for (size_t i = 1; i < 4; i++)
        for (size_t r = 0; r < 8; r++) {
            size_t same = 0;
            for (size_t other = 0; other < 8; other++)
                same += strcmp(plans[i].runs[r].id, plans[0].runs[other].id) == 0;
            cr_expect_eq(same, 1, "run %zu of spelling %zu: %s", r, i, plans[i].runs[r].canonical);
        }
    for (size_t i = 0; i < 4; i++)
        plan_free(&plans[i]);
}

/* Another valid value of a parameter than the one the run has, or NULL if there is none. */
static char *other_value(const struct setting *setting)
{
    const struct param *param = setting->param;
    if (param->type == PARAM_BOOL)
        return xstrdup(strcmp(setting->value, "true") == 0 ? "false" : "true");
    if (param->type == PARAM_PLUG) {
        const struct plug *plug = plug_at(param->kind, 0);
        return xstrdup(strcmp(plug->name, setting->value) == 0 ? plug_at(param->kind, 1)->name : plug->name);
    }
    for (size_t i = 0; param->choices && param->choices[i]; i++)
        if (strcmp(param->choices[i], setting->value) != 0)
            return xstrdup(param->choices[i]);
    if (param->type == PARAM_REAL)
        return format_text("%g", strtod(setting->value, NULL) == param->max ? param->min : param->max);
    return format_text("%.0f", strtod(setting->value, NULL) == param->max ? param->min : param->max);
}

/* Every setting of a run, changed on its own, gives another identity. */
Test(identity, every_setting_counts)
{
    struct plan plan =
        plan_of(HEAD "budget: 2.5\nmode: fqt\nallocator: qbitopt\nschedule: multistep\n", NULL);
    const struct settings *settings = &plan.runs[0].settings;
    const struct dataset *dataset = described_find(plan.described, settings);
    cr_assert_gt(settings->count, 25);
    for (size_t i = 0; i < settings->count; i++) {
        char *kept = settings->items[i].value, *canonical, id[RUN_ID_LENGTH + 1];
        settings->items[i].value = other_value(&settings->items[i]);
        canonical = canonical_text(settings, dataset, NULL);
        canonical_id(canonical, id);
        cr_expect_str_neq(id, plan.runs[0].id, "%s", settings->items[i].param->name);
        free(canonical);
        free(settings->items[i].value);
        settings->items[i].value = kept;
    }
    plan_free(&plan);
}

static void expect_same_first_run(const char *a_text, const char *b_text, bool same)
{
    struct plan a = plan_of(a_text, NULL), b = plan_of(b_text, NULL);
    cr_expect_eq(strcmp(a.runs[0].id, b.runs[0].id) == 0, same, "%s\nagainst\n%s", a_text, b_text);
    plan_free(&a);
    plan_free(&b);
}

Test(identity, unread_settings_do_not_count)
{
    expect_same_first_run(HEAD "budget: 4\nmode: [fp, fqt]\ngrad_bits: 4\n",
                          HEAD "budget: 4\nmode: [fp, fqt]\ngrad_bits: 5\n", true);
    expect_same_first_run(HEAD "budget: 4\nmode: [fqt]\ngrad_bits: 4\n",
                          HEAD "budget: 4\nmode: [fqt]\ngrad_bits: 5\n", false);
    expect_same_first_run(HEAD "allocator: none\n",
                          HEAD "allocator: [none, uniform]\nbudget: 5\nquantiser: sawb\n", true);
    expect_same_first_run(HEAD "budget: 4\nseed: 1\n", "description: another\n" HEAD "budget: [4, 5]\n",
                          true);
    /* The data set's own settings count, through its checksum too. */
    expect_same_first_run(HEAD "budget: 4\n", HEAD "budget: 4\ndata_seed: 1\n", false);
}
