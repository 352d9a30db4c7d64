/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep test: every allocator of the table conforms, and allocators with one flaw each fail the check that is about it,
 * and no other. */
#include "support.h"
#include "verbs.h"
#include "../bench/conformance.h"
#include "../bench/params.h"
#include "../methods/allocators/allocation.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct command cmd_test;

/* Settings without a default, which some allocators need. */
static const struct choice needed[] = {{.key = "bits", .text = "*=4"}};

static void expect_conforming(const struct alloc_ops *ops)
{
    struct finding findings[MAX_FINDINGS];
    char *fault = conformance_fault(ops, NULL, 0);
    size_t given = fault ? sizeof needed / sizeof *needed : 0;
    cr_expect(!fault || strstr(fault, "is missing"), "%s: %s", ops->plug.name, fault);
    free(fault);
    size_t count = conformance_test(ops, needed, given, findings), passed = 0;
    for (size_t i = 0; i < count; i++) {
        cr_expect(findings[i].verdict != VERDICT_FAIL, "%s, %s: %s", ops->plug.name, findings[i].check, findings[i].text);
        passed += findings[i].verdict == VERDICT_PASS;
    }
    cr_expect(passed >= 5 || !ops->begin, "%s: only %zu checks apply", ops->plug.name, passed);
}

Test(conformance, every_allocator_of_the_table_conforms)
{
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_ALLOCATOR, i)); i++)
        expect_conforming((const struct alloc_ops *)plug);
}

/* ---- flawed allocators: uniform widths, decided again every sixth step, with something wrong ---- */

struct state { const struct allocation *allocation; int calls; double seen; };
static void (*flaw)(struct state *, long step, struct decision *);
static int calls_of_all_runs;

static void *begin(const struct allocation *a)
{
    struct state *s = arena_alloc(a->arena, sizeof *s);
    s->allocation = a;
    return s;
}

static bool assign(void *memory, long step, struct decision *decision)
{
    struct state *s = memory;
    const struct allocation *a = s->allocation;
    if (step % 6 != 0)
        return false;
    if (!uniform_bits(a->tensors, a->count, a->budgets, a->budget_count, decision->bits))
        die("infeasible");
    decision->solver = "uniform";
    flaw(s, step, decision);
    return true;
}

static bool wants(void *memory, long step) { return memory && step >= 0; }
static void observe(void *memory, const struct observation *seen) { ((struct state *)memory)->seen = seen->sum_squares[0]; }

static void update(void *memory, long step, double lr_factor) { (void)memory, (void)step, (void)lr_factor; }

static bool may_shrink(const struct state *s, const struct decision *d, int i)
{
    return d->bits[i] > (float)tensor_least(&s->allocation->tensors[i]) && !s->allocation->tensors[i].group;
}

static void none(struct state *s, long step, struct decision *d) { (void)s, (void)step, (void)d; }

static void exceed_budget(struct state *s, long step, struct decision *d)
{
    if (step >= 18 && may_shrink(s, d, 0) && tensor_allows(&s->allocation->tensors[0], (int)d->bits[0] + 1))
        d->bits[0]++;
}

static void say_nothing(struct state *s, long step, struct decision *d)
{
    (void)s, (void)step;
    d->solver = "";
}

static void ignore_limits(struct state *s, long step, struct decision *d)
{
    (void)step;
    for (int i = 0; i < s->allocation->count; i++) {
        int least = tensor_least(&s->allocation->tensors[i]), most = tensor_most(&s->allocation->tensors[i]);
        if (most < 8 && least < most)
            d->bits[i] = (float)most + 1;
    }
}

static void ignore_pins(struct state *s, long step, struct decision *d)
{
    (void)step;
    for (int i = 0; i < s->allocation->count; i++)
        if (tensor_least(&s->allocation->tensors[i]) == tensor_most(&s->allocation->tensors[i]))
            d->bits[i]--;
}

static void ignore_ties(struct state *s, long step, struct decision *d)
{
    const struct tensor *tensors = s->allocation->tensors;
    (void)step;
    for (int i = s->allocation->count - 1; i >= 0; i--)
        if (tensors[i].group && d->bits[i] > (float)tensor_least(&tensors[i])) {
            d->bits[i]--;
            return;
        }
}

static void give_fractions(struct state *s, long step, struct decision *d)
{
    (void)step;
    if (may_shrink(s, d, 1))
        d->bits[1] -= 0.5f;
}

static void remember_other_runs(struct state *s, long step, struct decision *d)
{
    (void)step;
    if (calls_of_all_runs++ / 7 % 2 && may_shrink(s, d, 0)) /* seven a run */
        d->bits[0]--;
}

static void forget(struct state *s, long step, struct decision *d)
{
    (void)step;
    if (s->calls++ > 3 && may_shrink(s, d, 0)) /* not kept */
        d->bits[0]--;
}

static void write_behind(struct state *s, long step, struct decision *d)
{
    (void)step;
    d->bits[s->allocation->count] = 4;
}

static void pass_nan_on(struct state *s, long step, struct decision *d)
{
    (void)step;
    if (isnan(s->seen))
        d->bits[0] = NAN;
}

static void be_worse(struct state *s, long step, struct decision *d)
{
    (void)s;
    d->omega = step > 12 ? 2 : 1;
    d->omega_uniform = 1;
}

static void die_late(struct state *s, long step, struct decision *d)
{
    (void)s, (void)d;
    if (step == 18)
        die("no idea");
}

static struct alloc_ops flawed(void)
{
    static const struct param *const params[] = {ALLOCATION_PARAMS, &param_quantiser, 0};
    return (struct alloc_ops){.plug = {.name = "flawed", .version = 1, .help = "Has one flaw.", .params = params},
                              .guarantees = true, .begin = begin, .assign = assign};
}

static void expect_one_failure(const struct alloc_ops *ops, const char *check, const char *words)
{
    struct finding findings[MAX_FINDINGS];
    size_t count = conformance_test(ops, NULL, 0, findings);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        bool expected = strcmp(findings[i].check, check) == 0;
        found |= expected;
        cr_expect((findings[i].verdict == VERDICT_FAIL) == expected, "%s: check %s: %s %s", check, findings[i].check,
                  verdict_names[findings[i].verdict], findings[i].text);
        cr_expect(!expected || strstr(findings[i].text, words), "no '%s' in: %s", words, findings[i].text);
    }
    cr_expect(found, "there is no check %s", check);
}

Test(conformance, each_flaw_fails_its_own_check)
{
    static const struct { void (*flaw)(struct state *, long, struct decision *); const char *check, *words; } rows[] = {
        {exceed_budget, "budgets", "step 18: "},
        {say_nothing, "decisions", "decision.solver"},
        {ignore_limits, "bounds", "fc1.weight has 7 bits, allowed are 3 to 6"},
        {ignore_pins, "pins", "fc1.weight has 7 bits, its only width is 8"},
        {ignore_ties, "ties", "they are tied"},
        {give_fractions, "whole widths", "fc1.input has "},
        {remember_other_runs, "determinism", "a second run with the same seed: other widths or ranges from step 0"},
        {forget, "resuming", "interrupted after 13 steps and taken up again: other widths or ranges from step 24"},
        {write_behind, "memory", "step 0: it wrote outside decision.bits"},
        {be_worse, "quality", "step 18: Omega is 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct alloc_ops ops = flawed();
        flaw = rows[i].flaw;
        expect_one_failure(&ops, rows[i].check, rows[i].words);
    }
}

Test(conformance, nan_that_is_passed_on_fails)
{
    struct alloc_ops ops = flawed();
    ops.wants = wants;
    ops.observe = observe;
    flaw = pass_nan_on;
    expect_one_failure(&ops, "not finite", "observed sums are nan: step 18: fc1.weight has ");
}

Test(conformance, widths_that_are_said_to_be_learned_and_do_not_move_fail)
{
    struct alloc_ops ops = flawed();
    ops.update = update;
    flaw = none;
    expect_one_failure(&ops, "learning", "no width and no range moves");
}

Test(conformance, an_entry_without_a_version_fails)
{
    struct alloc_ops ops = flawed();
    ops.plug.version = 0;
    flaw = none;
    expect_one_failure(&ops, "entry", "version is 0");
}

Test(conformance, an_allocator_that_dies_fails_with_its_last_words)
{
    struct alloc_ops ops = flawed();
    struct finding findings[MAX_FINDINGS];
    flaw = die_late;
    size_t count = conformance_test(&ops, NULL, 0, findings), failed = 0;
    for (size_t i = 0; i < count; i++) {
        failed += findings[i].verdict == VERDICT_FAIL;
        cr_expect(findings[i].verdict != VERDICT_FAIL || strstr(findings[i].text, "mode fp, ") == findings[i].text, "%s",
                  findings[i].text);
        cr_expect(findings[i].verdict != VERDICT_FAIL || strstr(findings[i].text, "exit code 1: bitsweep: no idea"), "%s",
                  findings[i].text);
    }
    cr_expect(failed > 8 && failed < count, "those that do not train pass: %zu", failed);
}

/* ---- the verb ---- */

Test(conformance, the_verb_tells_the_verdict)
{
    char *text = output_of(&cmd_test, "template -s template_every=3 -s seed=7"),
         *json = output_of(&cmd_test, "uniform --format json");
    cr_expect(strstr(text, "verdict: template conforms (15 passed, 0 failed, 1 not applicable)\n"), "%s", text);
    cr_expect(strstr(text, "pass  decisions") && strstr(text, "4 runs, 52 decisions\n"), "every third of 36 steps: %s",
              text);
    cJSON *root = cJSON_Parse(json);
    cr_assert(root, "%s", json);
    const cJSON *checks = cJSON_GetObjectItem(root, "checks"), *passed = cJSON_GetObjectItem(root, "passed");
    cr_expect_str_eq(cJSON_GetObjectItem(root, "verdict")->valuestring, "conforms");
    cr_expect(cJSON_IsNull(cJSON_GetObjectItem(root, "plugin")));
    int found = 0;
    const cJSON *check;
    cJSON_ArrayForEach(check, checks)
        found += strcmp(cJSON_GetObjectItem(check, "verdict")->valuestring, "pass") == 0;
    cr_expect(found == passed->valueint && found > 10);
    cJSON_Delete(root);
    free(text);
    free(json);
    char *nothing = output_of(&cmd_test, "none");
    cr_expect(strstr(nothing, "verdict: none nothing to test (0 passed, 0 failed"), "%s", nothing);
    free(nothing);
}

Test(conformance, the_verb_refuses_bad_usage)
{
    expect_trouble(&cmd_test, "", EXIT_USAGE, "no allocator given");
    expect_trouble(&cmd_test, "qbitop", EXIT_USAGE,
                   "there is no allocator 'qbitop'; did you mean 'qbitopt'; valid: none, uniform");
    expect_trouble(&cmd_test, "uniform -s budget=3", EXIT_USAGE, "the checks set budget themselves");
    expect_trouble(&cmd_test, "uniform -s seed", EXIT_USAGE, "-s seed: must be key=value");
    expect_trouble(&cmd_test, "uniform -s template_every=3", EXIT_USAGE, "do not read the key 'template_every'");
    expect_trouble(&cmd_test, "uniform -s sed=3", EXIT_USAGE, "do not read the key 'sed'; did you mean 'seed'");
    expect_trouble(&cmd_test, "uniform -s seed=x", EXIT_USAGE, "seed is 'x', not a whole number");
}
