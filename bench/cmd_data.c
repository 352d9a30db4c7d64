/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep data`: which data sets are there, what is in one, one in the generic HDF5 layout, and getting them. */
#include "../datasets/datasets.h"
#include "../datasets/fetch.h"
#include "../datasets/summary.h"
#include "names.h"
#include "options.h"
#include "settings.h"
#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_data(int argc, char **argv);

const struct command cmd_data = {
    .name = "data",
    .arguments = "list | check NAME [-s key=value]... | convert NAME OUT.h5 [-s key=value]... | fetch NAME...",
    .summary = "Show, check, convert and fetch data sets.",
    .details =
        "  list                       data sets, every NAME.h5 in the data folders too, and where they are\n"
        "  check NAME                 load one completely; print shape, classes, counts, range and checksum\n"
        "  convert NAME OUT.h5        write one in the generic HDF5 layout\n"
        "  fetch NAME...              download from the provider, verify, unpack; an interrupted fetch goes on\n"
        "                             where it stopped\n"
        "\n"
        "  -s key=value               a parameter of the data set (check, convert)\n"
        "  --format text|json|csv     list; check knows text and json\n"
        "  --force                    convert: replace OUT.h5; fetch: replace what is there\n"
        "  --to FOLDER                fetch: the data folder (default $BITSWEEP_DATA, else datasets/data)\n"
        "  --from FILE                fetch: an archive that was downloaded by other means (mnist, fashion-mnist: the\n"
        "                             folder of the four files)\n"
        "  --mirror URL               fetch: the address of a folder that has the files, instead of the provider's\n"
        "  --keep                     fetch: leave the archive in the data folder\n"
        "\n"
        "Data sets are searched in $BITSWEEP_DATA, datasets/data and /usr/share/datasets.\n"
        "\n"
        "Example: bitsweep data check synthetic -s difficulty=hard\n"
        "         bitsweep data fetch cifar100 wisdm",
    .run = run_data,
};

struct arguments {
    char **words; /* the action first */
    int word_count;
    struct texts overrides;
    enum format format;
    bool force;
    struct fetch_request fetch; /* but force, and the default of `to` */
};

/* ---- settings of one data set --------------------------------------------------------- */

/* The text after "KEY=" of the override of that key, or NULL. */
static const char *override_of(const char *key, const struct texts *overrides)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < overrides->count; i++)
        if (strncmp(overrides->items[i], key, length) == 0 && overrides->items[i][length] == '=')
            return overrides->items[i] + length + 1;
    return NULL;
}

static bool fail_key(const char *name, const char *key, size_t length, const struct plug *plug,
                     struct error *error)
{
    struct names known = {0};
    for (size_t i = 0; plug->params && plug->params[i]; i++)
        names_add(&known, plug->params[i]->name);
    char *list = names_joined(&known);
    fail(error, "data set %s has no parameter '%.*s'; valid: %s", name, (int)length, key,
         known.count ? list : "none");
    free(list);
    names_free(&known);
    return false;
}

static bool check_overrides(const char *name, const struct plug *plug, const struct texts *overrides,
                            struct error *error)
{
    for (size_t i = 0; i < overrides->count; i++) {
        const char *text = overrides->items[i], *end = strchr(text, '=');
        if (!end)
            return fail(error, "-s %s: valid is key=value", text);
        size_t length = (size_t)(end - text), p = 0;
        while (plug->params && plug->params[p] &&
               (strlen(plug->params[p]->name) != length ||
                strncmp(plug->params[p]->name, text, length) != 0))
            p++;
        if (!plug->params || !plug->params[p])
            return fail_key(name, text, length, plug, error);
        for (size_t other = 0; other < i; other++)
            if (strncmp(overrides->items[other], text, length + 1) == 0)
                return fail(error, "-s gives %.*s twice", (int)length, text);
    }
    return true;
}

static bool fail_name(const char *name, struct error *error)
{
    struct names known = {0};
    const struct plug *plug;
    for (size_t i = 0; (plug = plug_at(PLUG_DATASET, i)) != NULL; i++)
        if (plug != &dataset_hdf5.plug) /* stands for the files NAME.h5 */
            names_add(&known, plug->name);
    char *list = names_joined(&known), *places = dataset_search_places(),
         *guess = names_suggestion(&known, name);
    fail(error, "no data set '%s'; valid: %s, or NAME of a file NAME.h5 in %s%s", name, list, places, guess);
    free(list);
    free(places);
    free(guess);
    names_free(&known);
    return false;
}

/* The data set's own parameters, with their defaults where no override gives them, and the key dataset. */
static bool settings_for_dataset(const char *name, const struct texts *overrides, struct settings *settings,
                                 struct error *error)
{
    const struct plug *plug = plug_find(PLUG_DATASET, name);
    *settings = (struct settings){0};
    if (!plug)
        return fail_name(name, error);
    if (!check_overrides(name, plug, overrides, error))
        return false;
    settings_put(settings, known_param("dataset"), xstrdup(name), 0, 0);
    for (size_t i = 0; plug->params && plug->params[i]; i++) {
        const struct param *param = plug->params[i];
        const char *given = override_of(param->name, overrides);
        char *value;
        if (param->used && !param->used(settings)) {
            if (!given)
                continue;
            return fail(error, "data set %s does not read %s here: %s", name, param->name, param->help);
        }
        if (!param_parse(param, given ? given : param->fallback, &value, error))
            return false;
        settings_put(settings, param, value, 0, 0);
    }
    return true;
}

/* Describes or loads a set by its name. */
static bool open_dataset(const char *name, const struct arguments *arguments, bool samples,
                         struct dataset *dataset, struct error *error)
{
    struct settings settings;
    bool ok = settings_for_dataset(name, &arguments->overrides, &settings, error);
    if (ok) {
        const struct dataset_ops *ops = (const struct dataset_ops *)plug_find(PLUG_DATASET, name);
        ok = samples ? ops->load(&settings, dataset, error) : ops->describe(&settings, dataset, error);
    }
    settings_free(&settings);
    return ok;
}

/* ---- data list ---------------------------------------------------------------------------- */

struct row { const char *name; struct dataset dataset; bool found; struct error error; };

static void print_row_text(const struct row *row)
{
    if (!row->found) {
        printf("%-16s not usable: %s\n", row->name, row->error.text);
        return;
    }
    char *shape = dataset_shape_text(&row->dataset), *path = dataset_attribute(&row->dataset, "path");
    printf("%-16s %9zu %9zu %8d  %-12s %s\n", row->name, row->dataset.train.count, row->dataset.test.count,
           row->dataset.classes, shape, path ? path : "(made)");
    free(shape);
    free(path);
}

static void print_row_csv(const struct row *row)
{
    char *shape = row->found ? dataset_shape_text(&row->dataset) : NULL;
    char *path = row->found ? dataset_attribute(&row->dataset, "path") : NULL;
    print_csv_field(row->name, false);
    printf(row->found ? "true,%zu,%zu,%d," : "false,,,,", row->dataset.train.count, row->dataset.test.count,
           row->dataset.classes);
    print_csv_field(shape ? shape : "", false);
    print_csv_field(path ? path : "", false);
    print_csv_field(row->dataset.sha256, false);
    print_csv_field(row->found ? "" : row->error.text, true);
    free(shape);
    free(path);
}

static void add_row_json(cJSON *list, const struct row *row)
{
    cJSON *item = row->found ? dataset_description_json(&row->dataset) : cJSON_CreateObject();
    cJSON_AddBoolToObject(item, "found", row->found);
    if (!row->found) {
        cJSON_AddStringToObject(item, "name", row->name);
        cJSON_AddStringToObject(item, "error", row->error.text);
    }
    cJSON_AddItemToArray(list, item);
}

static void list_one(const char *name, const struct arguments *arguments, cJSON *list)
{
    struct row row = {.name = name};
    row.found = open_dataset(name, arguments, false, &row.dataset, &row.error);
    if (arguments->format == FORMAT_JSON)
        add_row_json(list, &row);
    else if (arguments->format == FORMAT_CSV)
        print_row_csv(&row);
    else
        print_row_text(&row);
    dataset_free(&row.dataset);
}

static int list_data(const struct arguments *arguments)
{
    cJSON *list = cJSON_CreateArray();
    char **files;
    size_t count = dataset_files(&files);
    const struct plug *plug;
    if (arguments->format == FORMAT_CSV)
        puts("name,found,train,test,classes,shape,path,sha256,error");
    else if (arguments->format == FORMAT_TEXT)
        printf("%-16s %9s %9s %8s  %-12s %s\n", "name", "train", "test", "classes", "shape", "where");
    for (size_t i = 0; (plug = plug_at(PLUG_DATASET, i)) != NULL; i++)
        if (plug != &dataset_hdf5.plug) /* stands for the files below */
            list_one(plug->name, arguments, list);
    for (size_t i = 0; i < count; i++) {
        list_one(files[i], arguments, list);
        free(files[i]);
    }
    free(files);
    if (arguments->format == FORMAT_JSON)
        print_json(list);
    else
        cJSON_Delete(list);
    return EXIT_DONE;
}

/* ---- data check, data convert -------------------------------------------------------------- */

static int check_data(const struct arguments *arguments)
{
    struct dataset dataset;
    struct error error;
    if (arguments->format == FORMAT_CSV)
        return usage_error(&cmd_data, "check prints text or json");
    if (!open_dataset(arguments->words[1], arguments, true, &dataset, &error))
        return input_error(&cmd_data, &error);
    if (arguments->format == FORMAT_JSON)
        print_json(dataset_summary_json(&dataset));
    else
        dataset_print_summary(&dataset);
    dataset_warn_of_gaps(&dataset);
    dataset_free(&dataset);
    return EXIT_DONE;
}

static int convert_data(const struct arguments *arguments)
{
    const char *path = arguments->words[2];
    struct dataset dataset;
    struct error error;
    if (!arguments->force && access(path, F_OK) == 0)
        return usage_error(&cmd_data, "%s exists; --force replaces it", path);
    if (!open_dataset(arguments->words[1], arguments, true, &dataset, &error))
        return input_error(&cmd_data, &error);
    bool ok = dataset_write(path, &dataset, &error);
    if (ok)
        printf("%s: %zu training and %zu test samples\n", path, dataset.train.count, dataset.test.count);
    else
        input_error(&cmd_data, &error);
    dataset_free(&dataset);
    return ok ? EXIT_DONE : EXIT_TROUBLE;
}

/* ---- data fetch -------------------------------------------------------------------------------- */

static int unknown_source(const char *name)
{
    struct names known = {0};
    for (const struct source *source = sources; source->name; source++)
        names_add(&known, source->name);
    char *list = names_joined(&known), *guess = names_suggestion(&known, name);
    usage_error(&cmd_data, "fetch knows no provider of '%s'; valid: %s%s", name, list, guess);
    free(list);
    free(guess);
    names_free(&known);
    return EXIT_USAGE;
}

static const char *fetch_conflict(const struct fetch_request *request, int names)
{
    if (request->from && names > 1)
        return "--from is the archive of one data set; fetch takes one name with it";
    if (request->from && (request->mirror || request->keep))
        return "--from downloads nothing; --mirror and --keep do not go with it";
    if (request->mirror && strncmp(request->mirror, "http://", 7) != 0 && strncmp(request->mirror, "https://", 8) != 0)
        return "--mirror needs an address that begins with http:// or https://; a file at hand is given with --from";
    return NULL;
}

/* Every set is tried, whatever happens to the others. */
static int fetch_data(const struct arguments *arguments)
{
    struct fetch_request request = arguments->fetch;
    const char *conflict = fetch_conflict(&request, arguments->word_count - 1);
    int code = EXIT_DONE;
    if (conflict)
        return usage_error(&cmd_data, "%s", conflict);
    request.force = arguments->force;
    request.to = request.to ? request.to : dataset_place(0);
    for (int i = 1; i < arguments->word_count; i++)
        if (!source_find(arguments->words[i]))
            return unknown_source(arguments->words[i]);
    for (int i = 1; i < arguments->word_count; i++) {
        const struct source *source = source_find(arguments->words[i]);
        struct error error;
        if (fetch(source, &request, &error))
            continue;
        fprintf(stderr, "bitsweep data: %s: %s\n", source->name, error.text);
        if (!request.from)
            fetch_print_by_hand(source, &request);
        code = EXIT_TROUBLE;
    }
    return code;
}

/* ---- the verb ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *takes;
    int least, most; /* words, with its own name */
    bool sets, formats, forces, fetches;
    int (*run)(const struct arguments *);
} actions[] = {
    {"list", "no name", 1, 1, .formats = true, .run = list_data},
    {"check", "one name", 2, 2, .sets = true, .formats = true, .run = check_data},
    {"convert", "a name and a file", 3, 3, .sets = true, .forces = true, .run = convert_data},
    {"fetch", "one name or more", 2, INT_MAX, .forces = true, .fetches = true, .run = fetch_data},
};

/* One of those that only fetch takes, or NULL. */
static const char *fetch_option(const struct fetch_request *request)
{
    return request->to ? "--to" : request->from ? "--from" : request->mirror ? "--mirror" : request->keep ? "--keep" : NULL;
}

static int run_action(const struct arguments *arguments)
{
    const char *name = arguments->word_count ? arguments->words[0] : "";
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) != 0)
            continue;
        const char *stray = arguments->overrides.count && !actions[i].sets            ? "-s"
                            : arguments->format != FORMAT_TEXT && !actions[i].formats ? "--format"
                            : arguments->force && !actions[i].forces                  ? "--force"
                            : actions[i].fetches                                      ? NULL
                                                                                      : fetch_option(&arguments->fetch);
        if (stray)
            return usage_error(&cmd_data, "%s does not take %s", name, stray);
        if (arguments->word_count < actions[i].least || arguments->word_count > actions[i].most)
            return usage_error(&cmd_data, "%s takes %s", name, actions[i].takes);
        return actions[i].run(arguments);
    }
    return *name ? usage_error(&cmd_data, "unknown action '%s'; valid: list, check, convert, fetch", name)
                 : usage_error(&cmd_data, "an action is missing; valid: list, check, convert, fetch");
}

static int run_data(int argc, char **argv)
{
    struct arguments arguments = {.words = argv + 1};
    const struct option options[] = {
        {"-s", add_text, &arguments.overrides},
        {"--format", set_format_csv, &arguments.format},
        {"--force", set_flag, &arguments.force},
        {"--to", set_text, &arguments.fetch.to},
        {"--from", set_text, &arguments.fetch.from},
        {"--mirror", set_text, &arguments.fetch.mirror},
        {"--keep", set_flag, &arguments.fetch.keep},
        {0},
    };
    arguments.word_count = read_options(&cmd_data, options, (struct operands){"word", 0, argc}, argc, argv);
    int code = arguments.word_count < 0 ? EXIT_USAGE : run_action(&arguments);
    free(arguments.overrides.items);
    return code;
}
