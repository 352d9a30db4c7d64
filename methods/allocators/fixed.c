/* SPDX-License-Identifier: GPL-3.0-or-later
 * Widths as the settings give them, such as those of a saved allocation (`bitsweep run --from`). */
#include "fixed.h"
#include "allocation.h"
#include "../../bench/names.h"
#include "../../bench/nn/cut.h"
#include "../../bench/params.h"
#include "../../bench/rules.h"
#include "../../bench/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 2
#define MOST 8

/* ---- the key's text ---- */

struct item { char *pattern; int bits; };
struct items { char *text; struct item *items; size_t count; };

static void items_free(struct items *list)
{
    free(list->text);
    free(list->items);
}

/* Shell patterns, and the words for layers. */
static bool is_plain(const char *pattern)
{
    return !strpbrk(pattern, "*?[\\") && strncmp(pattern, "first.", 6) != 0 && strncmp(pattern, "last.", 5) != 0;
}

static bool parse_item(struct items *list, char *part, struct error *error)
{
    static const char valid[] = "valid: NAME=WIDTH,... with patterns like *.input=8, widths from 2 to 8";
    part += strspn(part, " ");
    char *equals = strchr(part, '='), *end = part;
    long bits = equals ? strtol(equals + 1, &end, 10) : 0;
    if (!equals || equals == part || strcspn(part, " ") < (size_t)(equals - part))
        return fail(error, "bits has '%.60s' where NAME=WIDTH is expected; %s", part, valid);
    if (end == equals + 1 || end[strspn(end, " ")] || bits < LEAST || bits > MOST)
        return fail(error, "bits has the width '%.20s'; %s", equals + 1, valid);
    *equals = '\0';
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].pattern, part) == 0)
            return fail(error, "bits has '%.60s' twice", part);
    list->items = xrealloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (struct item){part, (int)bits};
    return true;
}

/* False: nothing to free. */
static bool read_items(const char *text, struct items *list, struct error *error)
{
    *list = (struct items){.text = xstrdup(text)};
    char *rest = list->text, *part;
    bool good = true;
    while (good && (part = strsep(&rest, ",")))
        good = parse_item(list, part, error);
    if (!good)
        items_free(list);
    return good;
}

static int by_pattern(const void *left, const void *right)
{
    return strcmp(((const struct item *)left)->pattern, ((const struct item *)right)->pattern);
}

/* The last match counts, so names may change places with each other, but not with patterns. */
static void sort_names(struct items *list)
{
    for (size_t from = 0, to; from < list->count; from = to + 1) {
        for (to = from; to < list->count && is_plain(list->items[to].pattern);)
            to++;
        qsort(list->items + from, to - from, sizeof *list->items, by_pattern);
    }
}

static bool parse(const char *text, char **canonical, struct error *error)
{
    struct items list;
    if (!read_items(text, &list, error))
        return false;
    sort_names(&list);
    *canonical = xstrdup("");
    for (size_t i = 0; i < list.count; i++) {
        char *longer = format_text("%s%s%s=%d", *canonical, i ? "," : "", list.items[i].pattern, list.items[i].bits);
        free(*canonical);
        *canonical = longer;
    }
    items_free(&list);
    return true;
}

static const struct param bits_param = {
    .name = "bits", .type = PARAM_TEXT, .form = "NAME=WIDTH,... like conv1.*=8,*.input=4", .parse = parse, .source = "",
    .help = "Width of every tensor by name, fc1.weight=4,fc1.input=8,...; also by pattern, *.input=8 (first and last stand "
            "for those layers); the last match counts. `bitsweep run --from FILE` writes it."};

/* ---- of a network ---- */

static bool fail_unmatched(const char *pattern, const struct tensor *tensors, int count, struct error *error)
{
    struct names names = {0};
    for (int i = 0; i < count; i++)
        names_add(&names, tensors[i].name);
    char *suggestion = names_suggestion(&names, pattern), *valid = names_joined(&names);
    fail(error, "bits: no tensor of this network is called %.60s%s; there are %s", pattern, suggestion, valid);
    free(suggestion);
    free(valid);
    names_free(&names);
    return false;
}

static bool find_bits(const struct items *list, const struct tensor *tensors, int count, float *bits, struct error *error)
{
    int layers = 0;
    bool *used = xcalloc(list->count + 1, sizeof *used), good = true;
    for (int t = 0; t < count; t++) {
        layers = tensors[t].layer >= layers ? tensors[t].layer + 1 : layers;
        bits[t] = 0;
    }
    for (int t = 0; t < count; t++)
        for (size_t i = 0; i < list->count; i++)
            if (rules_match(list->items[i].pattern, &tensors[t], layers)) {
                bits[t] = (float)list->items[i].bits;
                used[i] = true;
            }
    for (size_t i = 0; good && i < list->count; i++)
        good = used[i] || fail_unmatched(list->items[i].pattern, tensors, count, error);
    for (int t = 0; good && t < count; t++)
        if (bits[t] == 0)
            good = fail(error, "bits gives no width for %s; name it, or use a pattern like *.input=8", tensors[t].name);
        else if (!tensor_allows(&tensors[t], (int)bits[t]))
            good = fail(error, "bits gives %s %g bits; it may have %d to %d", tensors[t].name, bits[t],
                        tensor_least(&tensors[t]), tensor_most(&tensors[t]));
    free(used);
    return good;
}

/* The text is canonical. */
static bool bits_of(const struct settings *settings, const struct tensor *tensors, int count, float *bits,
                    struct error *error)
{
    struct items list;
    if (!read_items(setting_text(settings, "bits"), &list, error))
        return false;
    bool good = find_bits(&list, tensors, count, bits, error);
    items_free(&list);
    return good;
}

bool fixed_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    struct tensor tensors[MAX_TENSORS];
    float bits[MAX_TENSORS];
    return !setting_has(settings, "bits")
           || bits_of(settings, tensors, net_tensors(settings, described, tensors), bits, error);
}

/* ---- the allocator ---- */

static void *begin(const struct allocation *a) { return (void *)a; }

static bool assign(void *memory, long step, struct decision *decision)
{
    const struct allocation *a = memory;
    struct error error;
    struct tensor whole[MAX_TENSORS];
    float bits[MAX_TENSORS];
    if (step > 0)
        return false;
    int count = net_tensors(a->settings, a->described, whole);
    if (!bits_of(a->settings, whole, count, bits, &error))
        die("%s", error.text); /* fixed_check has refused it before */
    for (int i = 0; i < a->count; i++)
        decision->bits[i] = bits[whole_tensor(&a->tensors[i], whole, count) - whole];
    decision->solver = "fixed";
    return true;
}

const struct alloc_ops allocator_fixed = {
    .plug = {.name = "fixed", .version = 1,
             .help = "Widths as `bits` gives them, tensor by tensor, such as those of a saved allocation.",
             .params = (const struct param *const[]){&bits_param, &param_allocate, &param_quantiser, 0}},
    .guarantees = true,
    .begin = begin, .assign = assign,
};
