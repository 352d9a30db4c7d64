/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep list: the plugin tables and the keys of sweep files, as the program itself knows them. */
#include "names.h"
#include "options.h"
#include "settings.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct command cmd_list = {
    .name = "list",
    .arguments = "[KIND] [--format text|json]",
    .summary = "List allocators, modes, data sets, models and all keys of sweep files.",
    .details =
        "  KIND                allocators, modes, datasets, models, quantisers, solvers, costs,\n"
        "                      strategies, or settings (the keys that every run reads); default: all\n"
        "  --format FORMAT     text (default) or json\n"
        "\n"
        "Each key is shown with its default, what it accepts, and where the default comes from: [pub] a\n"
        "publication or its code, [rec] reconstructed from incomplete sources, [ours] our own choice.\n"
        "\n"
        "Example: bitsweep list allocators",
    .run = run,
};

/* PLUG_KINDS stands for the core parameters, which belong to no plugin. */
static const struct group { const char *name; enum plug_kind kind; } groups[] = {
    {"settings", PLUG_KINDS}, {"datasets", PLUG_DATASET}, {"models", PLUG_MODEL},
    {"modes", PLUG_MODE}, {"allocators", PLUG_ALLOCATOR}, {"quantisers", PLUG_QUANTISER},
    {"solvers", PLUG_SOLVER}, {"costs", PLUG_COST}, {"strategies", PLUG_STRATEGY},
};
#define GROUPS (sizeof groups / sizeof *groups)

static const char *const type_names[] = {
    [PARAM_INT] = "int", [PARAM_REAL] = "real", [PARAM_BOOL] = "bool", [PARAM_CHOICE] = "choice",
    [PARAM_DIMS] = "dims", [PARAM_PLUG] = "plugin", [PARAM_TEXT] = "text",
};

/* ---- text ---- */

static void print_params(const struct param *const *params, int indent)
{
    for (size_t i = 0; params && params[i]; i++) {
        const struct param *param = params[i];
        char *valid = param_valid(param);
        printf("%*s%s%s%s  (%s: %s)%s%s%s\n", indent, "", param->name,
               param->fallback ? " = " : ", must be given", param->fallback ? param->fallback : "",
               type_names[param->type], valid, *param->source ? " [" : "", param->source,
               *param->source ? "]" : "");
        printf("%*s%s%s\n", indent + 4, "", param->help,
               param->used ? " Read only if other settings make use of it." : "");
        free(valid);
    }
}

static void print_group(const struct group *group)
{
    const struct plug *plug;
    printf("%s\n", group->name);
    if (group->kind == PLUG_KINDS)
        print_params(core_params, 2);
    for (size_t i = 0; group->kind != PLUG_KINDS && (plug = plug_at(group->kind, i)) != NULL; i++) {
        printf("  %s%s%s: %s\n", plug->name, plug->alias ? ", also " : "", plug->alias ? plug->alias : "", plug->help);
        print_params(plug->params, 6);
    }
}

static void print_text(const struct group *only)
{
    for (size_t i = 0; i < GROUPS; i++)
        if (!only || only == &groups[i]) {
            if (!only && i > 0)
                putchar('\n');
            print_group(&groups[i]);
        }
}

/* ---- JSON ---- */

static cJSON *param_object(const struct param *param)
{
    char *valid = param_valid(param);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", param->name);
    cJSON_AddStringToObject(object, "type", type_names[param->type]);
    cJSON_AddItemToObject(object, "default",
                          param->fallback ? cJSON_CreateString(param->fallback) : cJSON_CreateNull());
    cJSON_AddStringToObject(object, "valid", valid);
    if (param->max > param->min) {
        cJSON_AddNumberToObject(object, "min", param->min);
        cJSON_AddNumberToObject(object, "max", param->max);
    }
    if (param->type == PARAM_PLUG)
        cJSON_AddStringToObject(object, "kind", plug_kind_names[param->kind]);
    if (param->choices) {
        cJSON *choices = cJSON_AddArrayToObject(object, "choices");
        for (size_t i = 0; param->choices[i]; i++)
            cJSON_AddItemToArray(choices, cJSON_CreateString(param->choices[i]));
    }
    cJSON_AddStringToObject(object, "source", param->source);
    cJSON_AddBoolToObject(object, "conditional", param->used != NULL);
    cJSON_AddStringToObject(object, "help", param->help);
    free(valid);
    return object;
}

static cJSON *param_array(const struct param *const *params)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; params && params[i]; i++)
        cJSON_AddItemToArray(array, param_object(params[i]));
    return array;
}

static cJSON *group_array(const struct group *group)
{
    if (group->kind == PLUG_KINDS)
        return param_array(core_params);
    const struct plug *plug;
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; (plug = plug_at(group->kind, i)) != NULL; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", plug->name);
        cJSON_AddItemToObject(object, "alias", plug->alias ? cJSON_CreateString(plug->alias) : cJSON_CreateNull());
        cJSON_AddStringToObject(object, "help", plug->help);
        cJSON_AddNumberToObject(object, "version", plug->version);
        cJSON_AddItemToObject(object, "params", param_array(plug->params));
        cJSON_AddItemToArray(array, object);
    }
    return array;
}

static void print_as_json(const struct group *only)
{
    cJSON *root = cJSON_CreateObject();
    for (size_t i = 0; i < GROUPS; i++)
        if (!only || only == &groups[i])
            cJSON_AddItemToObject(root, groups[i].name, group_array(&groups[i]));
    print_json(root);
}

/* ---- */

static const struct group *find_group(const char *word, struct error *error)
{
    struct names names = {0};
    const struct group *found = NULL;
    for (size_t i = 0; i < GROUPS; i++) {
        names_add(&names, groups[i].name);
        if (strcmp(word, groups[i].name) == 0)
            found = &groups[i];
    }
    if (!found) {
        char *suggestion = names_suggestion(&names, word), *valid = names_joined(&names);
        fail(error, "unknown kind '%s'%s; valid: %s", word, suggestion, valid);
        free(suggestion);
        free(valid);
    }
    names_free(&names);
    return found;
}

static int run(int argc, char **argv)
{
    struct error error;
    enum format format = FORMAT_TEXT;
    const struct option options[] = {{"--format", set_format_json, &format}, {0}};
    int count = read_options(&cmd_list, options, (struct operands){"kind", 0, 1}, argc, argv);
    if (count < 0)
        return EXIT_USAGE;
    const struct group *only = count ? find_group(argv[1], &error) : NULL;
    if (count && !only)
        return usage_error(&cmd_list, "%s", error.text);
    (format == FORMAT_JSON ? print_as_json : print_text)(only);
    return EXIT_DONE;
}
