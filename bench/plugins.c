/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugins.h"
#include "plugin.h"
#include "settings.h"
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL "bitsweep_plugin"
#define OPTION "--plugin"
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

static struct { struct plugin **items; size_t count; } loaded;

const struct plugin *plugin_of(const struct plug *plug)
{
    for (size_t i = 0; i < loaded.count; i++)
        if (loaded.items[i]->plug == plug)
            return loaded.items[i];
    return NULL;
}

/* ---- what an entry must have ---- */

static char *param_fault(const struct param *param)
{
    struct error error;
    char *canonical;
    if (!param->name || !param->help || !param->source)
        return format_text("a parameter has no %s", !param->name ? "name" : !param->help ? "help" : "source");
    if (param->type == PARAM_TEXT && (!param->parse || !param->form))
        return format_text("its parameter %s has no %s", param->name, param->parse ? "form" : "parse");
    if (!param->fallback)
        return NULL;
    if (!param_parse(param, param->fallback, &canonical, &error))
        return format_text("the default of its parameter %s is bad: %s", param->name, error.text);
    char *fault = NULL;
    if (strcmp(canonical, param->fallback) != 0)
        fault = format_text("the default of its parameter %s is '%s', which is written '%s'", param->name, param->fallback,
                            canonical);
    free(canonical);
    return fault;
}

char *plug_fault(const struct plug *plug)
{
    if (!plug->name || !*plug->name || strspn(plug->name, NAME_LETTERS) != strlen(plug->name))
        return format_text("its name is '%.60s'; valid: lower-case letters, digits, _ and -", plug->name ? plug->name : "");
    if (!plug->help || !*plug->help)
        return xstrdup("it has no help");
    if (plug->version < 1)
        return format_text("its version is %d; valid: 1 and more", plug->version);
    char *fault = NULL;
    for (size_t i = 0; !fault && plug->params && plug->params[i]; i++)
        fault = param_fault(plug->params[i]);
    return fault;
}

/* The functions that the program calls without asking whether they are there. */
static const char *missing_in_allocator(const struct plug *plug)
{
    const struct alloc_ops *ops = (const struct alloc_ops *)plug;
    if (!ops->begin || !ops->assign)
        return ops->begin ? "assign" : "begin";
    return ops->wants && !ops->observe ? "observe" : NULL;
}

static const char *missing_in_solver(const struct plug *plug)
{
    const struct solver_ops *ops = (const struct solver_ops *)plug;
    return ops->solve || ops->solve_tensors ? NULL : "solve or solve_tensors";
}

static const char *missing_in_cost(const struct plug *plug)
{
    const struct cost_ops *ops = (const struct cost_ops *)plug;
    return !ops->unit ? "unit" : !ops->layer ? "layer" : NULL;
}

static const char *missing_in_quantiser(const struct plug *plug)
{
    const struct quantiser_ops *ops = (const struct quantiser_ops *)plug;
    return !ops->fit ? "fit" : !ops->backward ? "backward" : NULL;
}

static const char *missing_in_model(const struct plug *plug)
{
    return ((const struct model_ops *)plug)->nodes ? NULL : "nodes";
}

/* The kinds that can be loaded. Modes and data sets use far more of the program than bitsweep.h promises. */
static const char *(*const missing[PLUG_KINDS])(const struct plug *) = {
    [PLUG_ALLOCATOR] = missing_in_allocator, [PLUG_SOLVER] = missing_in_solver, [PLUG_COST] = missing_in_cost,
    [PLUG_QUANTISER] = missing_in_quantiser, [PLUG_MODEL] = missing_in_model,
};

/* ---- loading ---- */

static bool check_interface(const char *file, const struct bitsweep_plugin *found, struct error *error)
{
    if (found->version != BITSWEEP_PLUGIN_VERSION)
        return fail(error, "plugin %s has interface version %d, this bitsweep has %d: compile it against this one's headers",
                    file, found->version, BITSWEEP_PLUGIN_VERSION);
    if (found->layout != BITSWEEP_PLUGIN_LAYOUT)
        return fail(error, "plugin %s was compiled against other headers than this bitsweep (structures %016" PRIx64
                    ", here %016" PRIx64 "): compile it again",
                    file, found->layout, (uint64_t)BITSWEEP_PLUGIN_LAYOUT);
    if ((unsigned)found->kind >= PLUG_KINDS)
        return fail(error, "plugin %s is of kind %d, which there is none of", file, (int)found->kind);
    if (!missing[found->kind])
        return fail(error, "plugin %s is a %s, which is compiled into bitsweep only; a shared object may hold an allocator, "
                    "a solver, a cost, a quantiser or a model", file, plug_kind_names[found->kind]);
    return true;
}

static bool check_entry(const char *file, const struct bitsweep_plugin *found, struct error *error)
{
    const char *kind = plug_kind_names[found->kind];
    char *fault = found->plug ? plug_fault(found->plug) : xstrdup("it has no operations table");
    const char *lacking = fault ? NULL : missing[found->kind](found->plug);
    if (fault)
        fail(error, "plugin %s: unfit %s: %s", file, kind, fault);
    else if (lacking)
        fail(error, "plugin %s: unfit %s %s: it has no %s", file, kind, found->plug->name, lacking);
    bool good = !fault && !lacking;
    free(fault);
    const struct plug *other = good ? plug_find(found->kind, found->plug->name) : NULL;
    if (good && !other && found->plug->alias)
        other = plug_find(found->kind, found->plug->alias);
    const struct plugin *from = other ? plugin_of(other) : NULL;
    if (other)
        return fail(error, "plugin %s: there is %s %s %s already, %s%s; another name is needed", file,
                    strchr("aeiou", kind[0]) ? "an" : "a", kind, other->name, from ? "from " : "built in",
                    from ? from->file : "");
    return good;
}

static const struct bitsweep_plugin *open_object(const char *file, const char *path, struct error *error)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *why = dlerror();
        size_t length = strlen(path);
        if (strncmp(why, path, length) == 0 && why[length] == ':') /* it begins with the path mostly */
            why += length + 1 + strspn(why + length + 1, " ");
        fail(error, "plugin %s cannot be loaded: %s", file, why);
        return NULL;
    }
    const struct bitsweep_plugin *found = dlsym(object, SYMBOL);
    if (!found) {
        fail(error, "plugin %s exports no '%s' (EXPORT_PLUGIN in its source, compiled with -DBITSWEEP_PLUGIN)", file,
             SYMBOL);
        dlclose(object);
    }
    return found;
}

bool plugin_load(const char *file, struct error *error)
{
    struct plugin *plugin = xcalloc(1, sizeof *plugin);
    char *path = realpath(file, NULL); /* without a slash dlopen would look in the system's folders */
    const struct bitsweep_plugin *found = NULL;
    bool good = false;
    if (!path || !SHA256File(path, plugin->sha256))
        fail(error, "plugin %s cannot be read: %s", file, strerror(errno));
    else if ((found = open_object(file, path, error)) && check_interface(file, found, error)
             && check_entry(file, found, error))
        good = plug_put(found->kind, found->plug)
               || fail(error, "plugin %s: no room for one more %s", file, plug_kind_names[found->kind]);
    free(path);
    if (!good) { /* once loaded, an object stays: something may point into it */
        free(plugin);
        return false;
    }
    plugin->file = xstrdup(file);
    plugin->kind = found->kind;
    plugin->plug = found->plug;
    loaded.items = xrealloc(loaded.items, (loaded.count + 1) * sizeof *loaded.items);
    loaded.items[loaded.count++] = plugin;
    return true;
}

/* ---- the option ---- */

bool plugins_take(int *argc, char **argv, struct error *error)
{
    int kept = 0;
    bool good = true, ended = false;
    for (int i = 0; i < *argc; i++) {
        size_t length = strlen(OPTION);
        bool is_option =
            i > 0 && !ended && strncmp(argv[i], OPTION, length) == 0 && (!argv[i][length] || argv[i][length] == '=');
        if (!is_option) {
            ended |= strcmp(argv[i], "--") == 0;
            argv[kept++] = argv[i];
            continue;
        }
        const char *file = argv[i][length] ? argv[i] + length + 1 : i + 1 < *argc ? argv[++i] : "";
        good =
            good && (*file ? plugin_load(file, error) : fail(error, OPTION " needs a value: the shared object of a plugin"));
    }
    argv[kept] = NULL;
    *argc = kept;
    return good;
}

/* ---- provenance ---- */

void record_plugins(struct record *record, const struct settings *settings)
{
    char **lines = xmalloc((settings->count + 1) * sizeof *lines);
    size_t count = 0;
    for (size_t i = 0; i < settings->count; i++) {
        const struct param *param = settings->items[i].param;
        const struct plug *plug = param->type == PARAM_PLUG ? plug_find(param->kind, settings->items[i].value) : NULL;
        const struct plugin *plugin = plug ? plugin_of(plug) : NULL;
        if (plugin)
            lines[count++] = format_text("%s %s version %d, SHA-256 %s, %s", plug_kind_names[plugin->kind], plug->name,
                                         plug->version, plugin->sha256, plugin->file);
    }
    if (count)
        record_put(record, "/provenance/plugins", RECORD_TEXT, 1, &count, lines, "",
                   "plugins that were loaded from shared objects");
    while (count)
        free(lines[--count]);
    free(lines);
}
