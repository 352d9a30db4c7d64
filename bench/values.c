/* SPDX-License-Identifier: GPL-3.0-or-later
 * Values as text: what a parameter accepts, and one canonical spelling for each value. */
#include "../datasets/datasets.h"
#include "cli.h"
#include "names.h"
#include "settings.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is valid ---- */

static bool has_range(const struct param *param) { return param->max > param->min; }

static char *range_phrase(const struct param *param, const char *format)
{
    char lowest[32], highest[32];
    shortest_real(param->min, lowest, sizeof lowest);
    shortest_real(param->max, highest, sizeof highest);
    char *range = format_text("from %s to %s", lowest, highest), *text;
    text = format_text("%s %s%s", format, range,
                       param->type == PARAM_DIMS ? " joined by '-', like 512-256" : "");
    free(range);
    return text;
}

char *param_valid(const struct param *param)
{
    static const char *const nouns[] = {
        [PARAM_INT] = "a whole number", [PARAM_REAL] = "a number", [PARAM_DIMS] = "whole numbers",
    };
    if (param->type == PARAM_BOOL)
        return xstrdup("true, false");
    if (param->type == PARAM_TEXT)
        return xstrdup(param->form);
    struct names words = {0};
    names_of_choices(&words, param->choices);
    if (param->type == PARAM_PLUG)
        names_of_plugs(&words, param->kind);
    char *joined = names_joined(&words), *text = joined;
    names_free(&words);
    if (param->type == PARAM_PLUG && param->kind == PLUG_DATASET) {
        char *places = dataset_search_places();
        text = format_text("%s, or NAME for a file NAME.h5 in %s", joined, places);
        free(places);
        free(joined);
    } else if (param->type != PARAM_PLUG && param->type != PARAM_CHOICE && has_range(param)) {
        char *range = range_phrase(param, nouns[param->type]);
        text = format_text("%s%s%s", joined, *joined ? ", or " : "", range);
        free(joined);
        free(range);
    }
    return text;
}

/* ---- parsing ---- */

static bool is_choice(const struct param *param, const char *text)
{
    for (size_t i = 0; param->choices && param->choices[i]; i++)
        if (strcmp(param->choices[i], text) == 0)
            return true;
    return false;
}

static bool in_range(const struct param *param, double value)
{
    return has_range(param) && value >= param->min && value <= param->max;
}

/* Decimal numbers only: strtod would take hexadecimal ones, infinities and NaN too. */
static bool parse_real(const char *text, double *value)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    *value = strtod(text, &end) + 0.0; /* -0 becomes 0 */
    return *end == '\0';
}

static bool parse_whole(const char *text, double *value)
{
    return parse_real(text, value) && floor(*value) == *value && fabs(*value) < 1e15;
}

/* Each parser returns the canonical text, or NULL and in *problem what is wrong with the value. */

static char *parse_number(const struct param *param, const char *text, const char **problem)
{
    double value;
    char canonical[32];
    bool whole = param->type == PARAM_INT;
    if (whole ? !parse_whole(text, &value) : !parse_real(text, &value)) {
        *problem = whole ? ", not a whole number" : ", not a number";
        return NULL;
    }
    if (whole)
        snprintf(canonical, sizeof canonical, "%.0f", value);
    else
        shortest_real(value, canonical, sizeof canonical);
    if (!is_choice(param, canonical) && !in_range(param, value)) {
        *problem = ", out of range";
        return NULL;
    }
    return xstrdup(canonical);
}

static char *parse_bool(const struct param *param, const char *text, const char **problem)
{
    (void)param;
    for (size_t i = 0; i < 2; i++) {
        const char *word = i ? "true" : "false";
        if (strcasecmp(text, word) == 0)
            return xstrdup(word);
    }
    *problem = ", not true or false";
    return NULL;
}

static char *parse_choice(const struct param *param, const char *text, const char **problem)
{
    (void)param, (void)text;
    *problem = "";
    return NULL;
}

static char *parse_dims(const struct param *param, const char *text, const char **problem)
{
    char *canonical = xstrdup("");
    *problem = ", not whole numbers joined by '-'";
    size_t count = 0;
    for (const char *rest = text;; rest++) {
        size_t digits = strspn(rest, "0123456789");
        double value = strtod(rest, NULL);
        bool good = digits > 0 && digits < 10 && (rest[digits] == '\0' || rest[digits] == '-');
        if (good && !in_range(param, value)) {
            *problem = ", a number of which is out of range";
            good = false;
        }
        if (good && ++count > MAX_DIMS) {
            *problem = ", more than 63 numbers";
            good = false;
        }
        if (!good) {
            free(canonical);
            return NULL;
        }
        char *longer = format_text("%s%s%.0f", canonical, *canonical ? "-" : "", value);
        free(canonical);
        canonical = longer;
        rest += digits;
        if (!*rest)
            return canonical;
    }
}

static char *parse_plug(const struct param *param, const char *text, const char **problem)
{
    const struct plug *plug = plug_find(param->kind, text);
    *problem = ", which is unknown";
    return plug ? xstrdup(plug->alias && strcmp(plug->alias, text) == 0 ? plug->name : text) : NULL;
}

static char *(*const parsers[])(const struct param *, const char *, const char **) = {
    [PARAM_INT] = parse_number, [PARAM_REAL] = parse_number, [PARAM_BOOL] = parse_bool,
    [PARAM_CHOICE] = parse_choice, [PARAM_DIMS] = parse_dims, [PARAM_PLUG] = parse_plug,
};

static bool fail_value(const struct param *param, const char *text, const char *problem, struct error *error)
{
    struct names words = {0};
    names_of_choices(&words, param->choices);
    if (param->type == PARAM_PLUG)
        names_of_plugs(&words, param->kind);
    char *suggestion = names_suggestion(&words, text), *valid = param_valid(param);
    fail(error, "%s is '%.60s'%s%s; valid: %s", param->name, text, problem, suggestion, valid);
    free(valid);
    free(suggestion);
    names_free(&words);
    return false;
}

bool param_parse(const struct param *param, const char *text, char **canonical, struct error *error)
{
    const char *problem = "";
    for (const char *c = text; *c; c++) /* a line break would break the canonical text of a run */
        if (iscntrl((unsigned char)*c))
            return fail(error, "the value of %s holds a control character", param->name);
    if (param->type == PARAM_TEXT)
        return param->parse(text, canonical, error);
    *canonical = is_choice(param, text) ? xstrdup(text) : parsers[param->type](param, text, &problem);
    return *canonical || fail_value(param, text, problem, error);
}
