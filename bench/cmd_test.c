/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep test: whether an allocator keeps what allocators promise. */
#include "conformance.h"
#include "names.h"
#include "options.h"
#include "plugins.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct command cmd_test = {
    .name = "test",
    .arguments = "ALLOCATOR [--plugin FILE.so] [-s key=value]... [--format text|json]",
    .summary = "Check that an allocator keeps what allocators promise: budgets, pins, determinism, resuming, ...",
    .details =
        "  ALLOCATOR           a name that `bitsweep list allocators` prints\n"
        "  --plugin FILE.so    first load the allocator from a shared object\n"
        "  -s key=value        a setting of all runs, like shorter intervals between decisions\n"
        "  --format FORMAT     text (default) or json\n"
        "\n"
        "Small networks are trained, each check in a process of its own. Exit code 0 if all checks pass that\n"
        "apply, 1 if one fails. What the checks ask for: docs/adding-an-allocator.md.\n"
        "\n"
        "Example: bitsweep test qbitopt",
    .run = run,
};

static size_t count_verdicts(const struct finding *findings, size_t count, enum verdict verdict)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += findings[i].verdict == verdict;
    return found;
}

static const char *verdict_word(size_t passed, size_t failed)
{
    return failed ? "does not conform" : passed ? "conforms" : "nothing to test";
}

static void print_text(const struct alloc_ops *ops, const struct finding *findings, size_t count)
{
    static const char *const marks[VERDICTS] = {[VERDICT_PASS] = "pass", [VERDICT_FAIL] = "FAIL", [VERDICT_NONE] = "n/a "};
    size_t passed = count_verdicts(findings, count, VERDICT_PASS), failed = count_verdicts(findings, count, VERDICT_FAIL);
    const struct plugin *plugin = plugin_of(&ops->plug);
    printf("allocator %s, version %d%s%s\n", ops->plug.name, ops->plug.version, plugin ? ", from " : "",
           plugin ? plugin->file : "");
    for (size_t i = 0; i < count; i++) {
        printf("%s  %-13s %s", marks[findings[i].verdict], findings[i].check, findings[i].promise);
        printf("%s%s\n", findings[i].text[0] ? "\n                     " : "", findings[i].text);
    }
    printf("verdict: %s %s (%zu passed, %zu failed, %zu not applicable)\n", ops->plug.name, verdict_word(passed, failed),
           passed, failed, count - passed - failed);
}

static void print_as_json(const struct alloc_ops *ops, const struct finding *findings, size_t count)
{
    size_t passed = count_verdicts(findings, count, VERDICT_PASS), failed = count_verdicts(findings, count, VERDICT_FAIL);
    const struct plugin *plugin = plugin_of(&ops->plug);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "allocator", ops->plug.name);
    cJSON_AddNumberToObject(root, "version", ops->plug.version);
    cJSON_AddItemToObject(root, "plugin", plugin ? cJSON_CreateString(plugin->file) : cJSON_CreateNull());
    cJSON_AddItemToObject(root, "sha256", plugin ? cJSON_CreateString(plugin->sha256) : cJSON_CreateNull());
    cJSON *checks = cJSON_AddArrayToObject(root, "checks");
    for (size_t i = 0; i < count; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "check", findings[i].check);
        cJSON_AddStringToObject(object, "promise", findings[i].promise);
        cJSON_AddStringToObject(object, "verdict", verdict_names[findings[i].verdict]);
        cJSON_AddStringToObject(object, "text", findings[i].text);
        cJSON_AddItemToArray(checks, object);
    }
    cJSON_AddStringToObject(root, "verdict", verdict_word(passed, failed));
    cJSON_AddNumberToObject(root, "passed", (double)passed);
    cJSON_AddNumberToObject(root, "failed", (double)failed);
    cJSON_AddNumberToObject(root, "not_applicable", (double)(count - passed - failed));
    print_json(root);
}

/* ---- */

/* Splits the -s texts, which stay theirs. */
static bool split_settings(const struct texts *texts, struct choice *out, char **copies, struct error *error)
{
    for (size_t i = 0; i < texts->count; i++) {
        char *value = strchr(copies[i] = xstrdup(texts->items[i]), '=');
        if (!value || value == copies[i])
            return fail(error, "-s %s: must be key=value", texts->items[i]);
        *value = '\0';
        out[i] = (struct choice){.key = copies[i], .text = value + 1};
    }
    return true;
}

static int test_allocator(const struct alloc_ops *ops, const struct choice *given, size_t count, enum format format)
{
    struct finding findings[MAX_FINDINGS];
    struct error error;
    char *fault = conformance_fault(ops, given, count);
    if (fault) {
        fail(&error, "%s", fault);
        free(fault);
        return input_error(&cmd_test, &error);
    }
    size_t found = conformance_test(ops, given, count, findings);
    (format == FORMAT_JSON ? print_as_json : print_text)(ops, findings, found);
    return count_verdicts(findings, found, VERDICT_FAIL) ? EXIT_TROUBLE : EXIT_DONE;
}

static int run(int argc, char **argv)
{
    struct error error;
    struct texts texts = {0};
    enum format format = FORMAT_TEXT;
    const struct option options[] = {{"-s", add_text, &texts}, {"--format", set_format_json, &format}, {0}};
    int code = EXIT_USAGE;
    bool read = read_options(&cmd_test, options, (struct operands){"allocator", 1, 1}, argc, argv) >= 0;
    struct choice *given = xcalloc(texts.count + 1, sizeof *given);
    char **copies = xcalloc(texts.count + 1, sizeof *copies);
    const struct alloc_ops *ops = read ? (const struct alloc_ops *)named_plug(PLUG_ALLOCATOR, argv[1], &error) : NULL;
    if (read && (!ops || !split_settings(&texts, given, copies, &error)))
        code = usage_error(&cmd_test, "%s", error.text);
    else if (read)
        code = test_allocator(ops, given, texts.count, format);
    for (size_t i = 0; i < texts.count; i++)
        free(copies[i]);
    free(copies);
    free(given);
    free(texts.items);
    return code;
}
