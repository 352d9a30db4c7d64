/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rules.h"
#include "names.h"
#include "nn/net.h"
#include "settings.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE "none"
#define JOINS "joins"
#define LEAST 2  /* below it a signed width has no code but 0 */
#define MOST 8   /* codes are bytes */

/* In the order in which they are applied. */
enum rule { RULE_LIMITS, RULE_PIN, RULE_TIE, RULES };
static const char *const rule_keys[RULES] = {[RULE_LIMITS] = "limits", [RULE_PIN] = "pin", [RULE_TIE] = "tie"};

/* ---- lists in texts ---- */

/* One part of "PATTERN=VALUE,PATTERN=VALUE", or of "PATTERN,PATTERN". */
struct item { char *pattern; char *value; /* NULL: there is no '=' */ };
struct items { char *text; struct item *items; size_t count; };

static char *trimmed(char *text)
{
    text += strspn(text, " ");
    for (size_t length = strlen(text); length && text[length - 1] == ' '; length--)
        text[length - 1] = '\0';
    return text;
}

static struct items split(const char *text)
{
    struct items list = {.text = xstrdup(text)};
    char *rest = list.text, *part;
    while ((part = strsep(&rest, ",")) != NULL) {
        list.items = xrealloc(list.items, (list.count + 1) * sizeof *list.items);
        char *equals = strchr(part, '=');
        if (equals)
            *equals = '\0';
        list.items[list.count++] = (struct item){trimmed(part), equals ? trimmed(equals + 1) : NULL};
    }
    return list;
}

static void items_free(struct items *list)
{
    free(list->text);
    free(list->items);
}

static bool is_none(const char *text) { return strcmp(text, NONE) == 0; }

/* ---- the keys' texts ---- */

/* What stands behind a pattern's '=': whole widths, lowest and highest of which are equal in a pin. */
struct widths { int least, most; };

static bool parse_width(const char *key, const char *pattern, const char *text, int *width, struct error *error)
{
    const struct param param = {.name = pattern, .type = PARAM_INT, .min = LEAST, .max = MOST};
    struct error problem;
    char *canonical;
    if (!param_parse(&param, text, &canonical, &problem))
        return fail(error, "%s: %s", key, problem.text);
    *width = atoi(canonical);
    free(canonical);
    return true;
}

static bool parse_pin(const struct item *item, struct widths *widths, struct error *error)
{
    bool good = parse_width("pin", item->pattern, item->value, &widths->least, error);
    widths->most = widths->least;
    return good;
}

/* 4..8, 4.. and ..8; 4 is 4..4. */
static bool parse_limits(const struct item *item, struct widths *widths, struct error *error)
{
    const char *dots = strstr(item->value, "..");
    *widths = (struct widths){LEAST, MOST};
    char *least = format_text("%.*s", (int)(dots ? dots - item->value : (long)strlen(item->value)), item->value);
    const char *most = dots ? dots + 2 : item->value;
    bool good = (dots && !*least) || parse_width("limits", item->pattern, least, &widths->least, error);
    good = good && ((dots && !*most) || parse_width("limits", item->pattern, most, &widths->most, error));
    free(least);
    if (good && widths->least > widths->most)
        good = fail(error, "limits: %s is '%s', whose least width is above its largest", item->pattern, item->value);
    return good;
}

static bool check_pattern(const char *key, const struct items *list, size_t index, const char *form, struct error *error)
{
    const struct item *item = &list->items[index];
    if (!*item->pattern || strchr(item->pattern, ' '))
        return fail(error, "%s has the pattern '%.60s'; valid: %s", key, item->pattern, form);
    for (size_t i = 0; i < index; i++)
        if (strcmp(list->items[i].pattern, item->pattern) == 0)
            return fail(error, "%s has the pattern '%s' twice", key, item->pattern);
    return true;
}

/* PATTERN=VALUE,...: the order stays. */
static bool parse_pairs(const char *key, const char *text, const char *form,
                        bool (*parse)(const struct item *, struct widths *, struct error *), char **canonical,
                        struct error *error)
{
    struct items list = split(text);
    *canonical = xstrdup("");
    bool good = true;
    for (size_t i = 0; good && i < list.count; i++) {
        const struct item *item = &list.items[i];
        struct widths widths;
        good = check_pattern(key, &list, i, form, error);
        if (good && !item->value)
            good = fail(error, "%s has '%.60s' where PATTERN=... is expected; valid: %s", key, item->pattern, form);
        good = good && parse(item, &widths, error);
        if (!good)
            break;
        char *range =
            parse == parse_pin ? format_text("%d", widths.least) : format_text("%d..%d", widths.least, widths.most);
        char *longer = format_text("%s%s%s=%s", *canonical, i ? "," : "", item->pattern, range);
        free(range);
        free(*canonical);
        *canonical = longer;
    }
    items_free(&list);
    if (!good)
        free(*canonical);
    return good;
}

bool pin_parse(const char *text, char **canonical, struct error *error)
{
    if (is_none(text))
        return (*canonical = xstrdup(NONE)) != NULL;
    return parse_pairs("pin", text, "none, or PATTERN=WIDTH,... like first.*=8,last.*=8", parse_pin, canonical, error);
}

bool limits_parse(const char *text, char **canonical, struct error *error)
{
    if (is_none(text))
        return (*canonical = xstrdup(NONE)) != NULL;
    return parse_pairs("limits", text, "none, or PATTERN=LEAST..LARGEST,... like *.input=4..8,conv1.*=3..", parse_limits,
                       canonical, error);
}

static int by_pattern(const void *left, const void *right)
{
    return strcmp(((const struct item *)left)->pattern, ((const struct item *)right)->pattern);
}

bool tie_parse(const char *text, char **canonical, struct error *error)
{
    static const char form[] = "none, or PATTERN,... and joins, like joins,stage1.*.weight";
    struct items list = split(text);
    *canonical = xstrdup("");
    bool good = true;
    for (size_t i = 0; good && i < list.count; i++) {
        good = check_pattern("tie", &list, i, form, error);
        if (good && list.items[i].value)
            good = fail(error, "tie has '%s=%.60s'; a tie gives no widths; valid: %s", list.items[i].pattern,
                        list.items[i].value, form);
    }
    if (good)
        qsort(list.items, list.count, sizeof *list.items, by_pattern);
    for (size_t i = 0; good && i < list.count; i++) {
        char *longer = format_text("%s%s%s", *canonical, i ? "," : "", list.items[i].pattern);
        free(*canonical);
        *canonical = longer;
    }
    items_free(&list);
    if (!good)
        free(*canonical);
    return good;
}

/* ---- patterns ---- */

bool rules_match(const char *pattern, const struct tensor *tensor, int layers)
{
    static const char *const words[] = {"first.", "last."};
    if (fnmatch(pattern, tensor->name, 0) == 0)
        return true;
    const char *dot = strrchr(tensor->name, '.'), *what = dot ? dot + 1 : tensor->name;
    for (int last = 0; last < 2; last++) {
        size_t length = strlen(words[last]);
        if (strncmp(pattern, words[last], length) == 0 && tensor->layer == (last ? layers - 1 : 0) &&
            fnmatch(pattern + length, what, 0) == 0)
            return true;
    }
    return false;
}

static int layers_of(const struct tensor *tensors, int count)
{
    int layers = 0;
    for (int i = 0; i < count; i++)
        layers = tensors[i].layer >= layers ? tensors[i].layer + 1 : layers;
    return layers;
}

static bool fail_unmatched(const char *key, const char *pattern, const struct tensor *tensors, int count,
                           struct error *error)
{
    struct names names = {0};
    for (int i = 0; i < count; i++)
        names_add(&names, tensors[i].name);
    char *suggestion = names_suggestion(&names, pattern), *valid = names_joined(&names);
    fail(error, "%s: no tensor of this network is called %.60s%s; there are %s", key, pattern, suggestion, valid);
    free(suggestion);
    free(valid);
    names_free(&names);
    return false;
}

/* Every pattern means as many tensors as it takes to demand something; joins is no pattern. */
static bool check_matches(enum rule rule, const struct items *list, const struct tensor *tensors, int count,
                          struct error *error)
{
    int layers = layers_of(tensors, count);
    for (size_t i = 0; i < list->count; i++) {
        const char *pattern = list->items[i].pattern;
        int matches = 0, last = 0;
        for (int t = 0; t < count; t++)
            if (rules_match(pattern, &tensors[t], layers)) {
                matches++;
                last = t;
            }
        if (rule == RULE_TIE && (strcmp(pattern, JOINS) == 0 || matches > 1))
            continue;
        if (matches == 0)
            return fail_unmatched(rule_keys[rule], pattern, tensors, count, error);
        if (rule == RULE_TIE)
            return fail(error, "tie: %s means %s alone; a tie takes two tensors or more", pattern, tensors[last].name);
    }
    return true;
}

/* ---- widths ---- */

static uint64_t width_set(struct widths widths)
{
    uint64_t set = 0;
    for (int bits = widths.least; bits <= widths.most; bits++)
        set |= (uint64_t)1 << bits;
    return set;
}

/* "2, 4, 8", or "2 to 8" where none between is missing; free() it. */
static char *width_text(const struct tensor *tensor)
{
    int least = tensor_least(tensor), most = tensor_most(tensor);
    if (most > least && tensor->choices == width_set((struct widths){least, most}))
        return format_text("%d to %d", least, most);
    char *text = format_text("%d", least);
    for (int bits = least + 1; bits <= most; bits++)
        if (tensor_allows(tensor, bits)) {
            char *longer = format_text("%s, %d", text, bits);
            free(text);
            text = longer;
        }
    return text;
}

/* The last item that means the tensor, parsed; NULL: none. The text is canonical, so it can be parsed. */
static const struct item *find_item(const struct items *list, const struct tensor *tensor, int layers,
                                    bool (*parse)(const struct item *, struct widths *, struct error *),
                                    struct widths *widths)
{
    struct error error;
    for (size_t i = list->count; i-- > 0;)
        if (rules_match(list->items[i].pattern, tensor, layers)) {
            if (!parse(&list->items[i], widths, &error))
                die("%s", error.text);
            return &list->items[i];
        }
    return NULL;
}

static bool apply_limits(const struct items *list, struct tensor *tensors, int count, struct error *error)
{
    int layers = layers_of(tensors, count);
    for (int t = 0; t < count; t++) {
        struct widths widths;
        const struct item *item = find_item(list, &tensors[t], layers, parse_limits, &widths);
        if (!item)
            continue;
        if (!(tensors[t].choices & width_set(widths))) {
            char *before = width_text(&tensors[t]);
            fail(error, "limits: %s=%s leaves %s without a width: min_bits, max_bits and allocate leave it %s",
                 item->pattern, item->value, tensors[t].name, before);
            free(before);
            return false;
        }
        tensors[t].choices &= width_set(widths);
    }
    return true;
}

/* limits: the other key's items, which a pin may not contradict. */
static bool apply_pin(const struct items *list, const struct items *limits, struct tensor *tensors, int count,
                      struct error *error)
{
    int layers = layers_of(tensors, count);
    for (int t = 0; t < count; t++) {
        struct widths pin, range;
        const struct item *item = find_item(list, &tensors[t], layers, parse_pin, &pin);
        const struct item *limit = item ? find_item(limits, &tensors[t], layers, parse_limits, &range) : NULL;
        if (limit && (pin.least < range.least || pin.most > range.most))
            return fail(error, "pin: %s=%s leaves %s without a width: limits has %s=%s", item->pattern, item->value,
                        tensors[t].name, limit->pattern, limit->value);
        if (item) {
            tensors[t].choices = width_set(pin);
            tensors[t].counted = false;
        }
    }
    return true;
}

/* ---- ties ---- */

/* Moves all tensors of one group into another. */
static void join(struct tensor *tensors, int count, int into, int from)
{
    int old = tensors[from].group;
    for (int t = 0; t < count; t++)
        if (tensors[t].group == old)
            tensors[t].group = tensors[into].group;
}

static bool reads_the_same(const struct tensor *a, const struct tensor *b)
{
    return a->kind == TENSOR_ACTIVATION && b->kind == TENSOR_ACTIVATION && a->source == b->source;
}

static void join_all(const char *pattern, struct tensor *tensors, int count)
{
    bool joins = strcmp(pattern, JOINS) == 0;
    int layers = layers_of(tensors, count), first = -1;
    for (int t = 0; t < count; t++) {
        for (int before = 0; joins && before < t; before++)
            if (reads_the_same(&tensors[before], &tensors[t]))
                join(tensors, count, before, t);
        if (joins || !rules_match(pattern, &tensors[t], layers))
            continue;
        if (first >= 0)
            join(tensors, count, first, t);
        else
            first = t;
    }
}

/* Numbers the groups from 1 in network order; a tensor by itself is in none. */
static void number_groups(struct tensor *tensors, int count)
{
    int *numbers = xcalloc((size_t)count + 1, sizeof *numbers), *sizes = xcalloc((size_t)count + 1, sizeof *sizes);
    int groups = 0;
    for (int t = 0; t < count; t++)
        sizes[tensors[t].group]++;
    for (int t = 0; t < count; t++) {
        int old = tensors[t].group;
        if (sizes[old] > 1 && !numbers[old])
            numbers[old] = ++groups;
        tensors[t].group = numbers[old];
    }
    free(numbers);
    free(sizes);
}

/* Each tensor keeps the widths that all of its group allow. */
static bool share_widths(struct tensor *tensors, int count, struct error *error)
{
    for (int t = 0; t < count; t++) {
        struct tensor *shared = &tensors[t];
        for (int other = 0; shared->group && other < count; other++) {
            if (tensors[other].group != shared->group)
                continue;
            if (!(shared->choices & tensors[other].choices)) {
                char *mine = width_text(shared), *theirs = width_text(&tensors[other]);
                fail(error, "tie: %s and %s have no width in common: %s may have %s, %s %s", shared->name,
                     tensors[other].name, shared->name, mine, tensors[other].name, theirs);
                free(mine);
                free(theirs);
                return false;
            }
            shared->choices &= tensors[other].choices;
        }
    }
    return true;
}

static bool apply_tie(const struct items *list, struct tensor *tensors, int count, struct error *error)
{
    for (int t = 0; t < count; t++)
        tensors[t].group = t; /* of its own, until number_groups */
    for (size_t i = 0; i < list->count; i++)
        join_all(list->items[i].pattern, tensors, count);
    number_groups(tensors, count);
    return share_widths(tensors, count, error);
}

/* ---- all of them ---- */

static struct items items_of(const struct settings *settings, const char *key)
{
    if (!setting_has(settings, key) || setting_is(settings, key, NONE))
        return (struct items){0};
    return split(setting_text(settings, key));
}

/* The rule at fault, or RULES. */
static enum rule apply(const struct settings *settings, struct tensor *tensors, int count, struct error *error)
{
    struct items lists[RULES];
    enum rule fault = RULES;
    for (enum rule r = 0; r < RULES; r++)
        lists[r] = items_of(settings, rule_keys[r]);
    for (enum rule r = 0; r < RULES && fault == RULES; r++) {
        bool good = check_matches(r, &lists[r], tensors, count, error);
        if (good && lists[r].count)
            good = r == RULE_LIMITS ? apply_limits(&lists[r], tensors, count, error)
                   : r == RULE_PIN  ? apply_pin(&lists[r], &lists[RULE_LIMITS], tensors, count, error)
                                    : apply_tie(&lists[r], tensors, count, error);
        if (!good)
            fault = r;
    }
    for (enum rule r = 0; r < RULES; r++)
        items_free(&lists[r]);
    return fault;
}

bool rules_apply(const struct settings *settings, struct tensor *tensors, int count, struct error *error)
{
    return apply(settings, tensors, count, error) == RULES;
}

static bool check(enum rule rule, const struct settings *settings, const struct dataset *described, struct error *error)
{
    struct tensor tensors[MAX_TENSORS];
    int count = net_plain_tensors(settings, described, tensors);
    return apply(settings, tensors, count, error) != rule;
}

bool pin_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    return check(RULE_PIN, settings, described, error);
}

bool limits_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    return check(RULE_LIMITS, settings, described, error);
}

bool tie_check(const struct settings *settings, const struct dataset *described, struct error *error)
{
    return check(RULE_TIE, settings, described, error);
}
