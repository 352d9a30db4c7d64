/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where data sets are searched, and what every data set has in common. */
#include "datasets.h"
#include "fetch.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_PLACE "BITSWEEP_DATA"
#define ENDING ".h5"

static const char *own_place(void)
{
    const char *own = getenv(OWN_PLACE);
    return own && *own ? own : NULL;
}

const char *dataset_place(size_t index)
{
    static const char *const fixed[] = {"datasets/data", "/usr/share/datasets", NULL};
    const char *own = own_place();
    if (own && index == 0)
        return own;
    index -= own != NULL;
    return index < sizeof fixed / sizeof *fixed ? fixed[index] : NULL;
}

/* The first of the names in the first place that has one. */
static char *find_one(const char *const *names)
{
    const char *place;
    for (size_t i = 0; (place = dataset_place(i)) != NULL; i++)
        for (size_t n = 0; names[n]; n++) {
            char *path = format_text("%s/%s", place, names[n]);
            if (access(path, F_OK) == 0)
                return path;
            free(path);
        }
    return NULL;
}

char *dataset_find(const char *relative)
{
    return find_one((const char *const[]){relative, NULL});
}

char *dataset_search_places(void)
{
    char *text = own_place() ? xstrdup("") : xstrdup("$" OWN_PLACE " (not set), ");
    const char *place;
    for (size_t i = 0; (place = dataset_place(i)) != NULL; i++) {
        const char *origin = i == 0 && own_place() ? " ($" OWN_PLACE ")" : "";
        char *longer = format_text("%s%s%s%s", text, place, origin, dataset_place(i + 1) ? ", " : "");
        free(text);
        text = longer;
    }
    return text;
}

char *dataset_find_folder(const char *const *names, struct error *error)
{
    char *found = find_one(names);
    if (found)
        return found;
    char *places = dataset_search_places(), *known = xstrdup(names[0]);
    for (size_t n = 1; names[n]; n++) {
        char *longer = format_text("%s or %s", known, names[n]);
        free(known);
        known = longer;
    }
    fail(error, "no folder %s in %s", known, places);
    free(known);
    free(places);
    return NULL;
}

struct list { char **names; size_t count; };

static void add_name(struct list *list, const char *file)
{
    char *name = xstrdup(file);
    name[strlen(name) - strlen(ENDING)] = '\0';
    list->names = xrealloc(list->names, (list->count + 1) * sizeof *list->names);
    list->names[list->count++] = name;
}

static bool has_ending(const char *file)
{
    size_t length = strlen(file), ending = strlen(ENDING);
    return length > ending && strcmp(file + length - ending, ENDING) == 0;
}

static void add_files(struct list *list, const char *place)
{
    DIR *folder = opendir(place);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.' && has_ending(entry->d_name))
            add_name(list, entry->d_name);
    if (folder)
        closedir(folder);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

size_t dataset_files(char ***names)
{
    struct list list = {0};
    const char *place;
    size_t kept = 0;
    for (size_t i = 0; (place = dataset_place(i)) != NULL; i++)
        add_files(&list, place);
    if (list.count)
        qsort(list.names, list.count, sizeof *list.names, by_name);
    for (size_t i = 0; i < list.count; i++) {
        if (kept && strcmp(list.names[i], list.names[kept - 1]) == 0)
            free(list.names[i]);
        else
            list.names[kept++] = list.names[i];
    }
    *names = list.names;
    return kept;
}

static void free_part(struct part *part)
{
    free(part->x);
    free(part->y);
    free(part->user);
}

void dataset_free(struct dataset *dataset)
{
    free_part(&dataset->train);
    free_part(&dataset->test);
    free(dataset->attributes);
    memset(dataset, 0, sizeof *dataset);
}

bool dataset_fail(struct dataset *dataset, const char *name, const char *help, struct error *error)
{
    struct error problem = *error;
    dataset_free(dataset);
    if (help && source_find(name))
        return fail(error, "data set %s: %.600s; `bitsweep data fetch %s` gets it, or %s", name, problem.text, name, help);
    return fail(error, "data set %s: %.700s%s%s", name, problem.text, help ? "; " : "", help ? help : "");
}
