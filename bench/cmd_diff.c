/* SPDX-License-Identifier: GPL-3.0-or-later
 * bitsweep diff: is the content of two results files the same, bit for bit? */
#include "../results/grouping.h"
#include "options.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_diff(int argc, char **argv);

const struct command cmd_diff = {
    .name = "diff",
    .arguments = "A.h5 B.h5 [--all] [--format text|json]",
    .summary = "Compare two run files or two collected files bit for bit.",
    .details =
        "Compares everything but /provenance, /timing and the sweep's name; not-a-number equals itself. Runs of\n"
        "collected files are matched by id. Prints each field that differs, with the first differing index and both\n"
        "values. Exit code: 0 equal, 1 different, 2 a file cannot be read.\n\n"
        "  --all             compare provenance, timing and the sweep's name too\n"
        "  --format FORMAT   text (default) or json\n\n"
        "Example: bitsweep diff results/demo.h5 other/results/demo.h5",
    .run = run_diff,
};

enum kind { KIND_VALUE, KIND_TYPE, KIND_SHAPE, KIND_UNIT, KIND_ONLY_A, KIND_ONLY_B, KINDS };
static const char *const kind_names[KINDS] = {"value", "type", "shape", "unit", "only in a", "only in b"};

struct comparison {
    const char *files[2];
    bool all, collected;
    cJSON *list;   /* the differences; NULL for text, which is printed as it is found */
    size_t fields, differences;
};

/* ---- reporting ------------------------------------------------------------------------- */

/* a, b: the two values as text, or NULL when the field or run stands in one file alone. */
static void report(struct comparison *c, enum kind kind, const char *run, const char *path, const char *where,
                   const char *a, const char *b)
{
    c->differences++;
    if (c->list) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "run", run);
        cJSON_AddStringToObject(entry, "path", path);
        cJSON_AddStringToObject(entry, "kind", kind_names[kind]);
        cJSON_AddStringToObject(entry, "index", where);
        cJSON_AddItemToObject(entry, "a", a ? cJSON_CreateString(a) : cJSON_CreateNull());
        cJSON_AddItemToObject(entry, "b", b ? cJSON_CreateString(b) : cJSON_CreateNull());
        cJSON_AddItemToArray(c->list, entry);
        return;
    }
    printf("%s%s%s%s: ", run, *run && *path ? " " : "", path, where);
    if (kind == KIND_ONLY_A || kind == KIND_ONLY_B)
        printf("only in %s\n", c->files[kind == KIND_ONLY_B]);
    else if (kind == KIND_VALUE)
        printf("%s | %s\n", a, b);
    else
        printf("%s %s | %s\n", kind_names[kind], a, b);
}

static char *element_text(const struct field *field, size_t index)
{
    char number[40];
    switch (field->type) {
    case RECORD_TEXT: return format_text("'%s'", ((char **)field->data)[index]);
    case RECORD_I64: return format_text("%lld", (long long)((const int64_t *)field->data)[index]);
    case RECORD_I8: return format_text("%d", ((const int8_t *)field->data)[index]);
    case RECORD_F64: shortest_real(((const double *)field->data)[index], number, sizeof number); break;
    case RECORD_F32: shortest_real(((const float *)field->data)[index], number, sizeof number); break;
    }
    return xstrdup(number);
}

/* "[1,0]", "" for a scalar. */
static char *index_text(const struct field *field, size_t index)
{
    char *text = xstrdup("");
    for (int i = field->rank - 1; i >= 0; i--) {
        char *longer = format_text("%zu%s%s", index % field->shape[i], *text ? "," : "", text);
        index /= field->shape[i];
        free(text);
        text = longer;
    }
    char *bracketed = *text ? format_text("[%s]", text) : xstrdup("");
    free(text);
    return bracketed;
}

static char *shape_text(const struct field *field)
{
    char *text = xstrdup("");
    for (int i = 0; i < field->rank; i++) {
        char *longer = format_text("%s%s%zu", text, i ? " x " : "", field->shape[i]);
        free(text);
        text = longer;
    }
    if (field->rank)
        return text;
    free(text);
    return xstrdup("scalar");
}

/* ---- comparing ------------------------------------------------------------------------- */

static bool same_element(const struct field *a, const struct field *b, size_t index)
{
    size_t size = record_type_size(a->type);
    const char *left = (const char *)a->data + index * size, *right = (const char *)b->data + index * size;
    if (a->type == RECORD_TEXT)
        return strcmp(((char **)a->data)[index], ((char **)b->data)[index]) == 0;
    if (memcmp(left, right, size) == 0)
        return true;
    if (a->type == RECORD_F64)
        return isnan(*(const double *)left) && isnan(*(const double *)right);
    return a->type == RECORD_F32 && isnan(*(const float *)left) && isnan(*(const float *)right);
}

static void compare_values(struct comparison *c, const char *run, const struct field *a, const struct field *b)
{
    size_t count = field_count(a), first = count, different = 0;
    for (size_t i = count; i-- > 0;)
        if (!same_element(a, b, i)) {
            first = i;
            different++;
        }
    if (different == 0)
        return;
    char *index = index_text(a, first), *left = element_text(a, first), *right = element_text(b, first);
    char *where = count > 1 && !c->list ? format_text("%s (%zu of %zu differ)", index, different, count)
                                        : xstrdup(index);
    report(c, KIND_VALUE, run, a->path, where, left, right);
    free(where);
    free(index);
    free(left);
    free(right);
}

static bool same_shape(const struct field *a, const struct field *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

static void compare_fields(struct comparison *c, const char *run, const struct field *a, const struct field *b)
{
    static const char *const type_names[] = {
        [RECORD_F64] = "float64", [RECORD_F32] = "float32", [RECORD_I64] = "int64", [RECORD_I8] = "int8",
        [RECORD_TEXT] = "text",
    };
    c->fields++;
    if (strcmp(a->unit, b->unit) != 0)
        report(c, KIND_UNIT, run, a->path, "", a->unit, b->unit);
    if (a->type != b->type) {
        report(c, KIND_TYPE, run, a->path, "", type_names[a->type], type_names[b->type]);
    } else if (!same_shape(a, b)) {
        char *left = shape_text(a), *right = shape_text(b);
        report(c, KIND_SHAPE, run, a->path, "", left, right);
        free(left);
        free(right);
    } else {
        compare_values(c, run, a, b);
    }
}

/* The order of runs follows from the plan, so it says nothing that the runs do not. */
static bool left_out(const struct comparison *c, const char *path)
{
    if (strcmp(path, "/order") == 0)
        return true;
    return !c->all && (strncmp(path, "/provenance/", 12) == 0 || strncmp(path, "/timing/", 8) == 0 ||
                       strcmp(path, "/sweep") == 0);
}

static void compare_records(struct comparison *c, const char *run, const struct record *a, const struct record *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct field *left = &a->fields[i], *right = record_find(b, left->path);
        if (left_out(c, left->path))
            continue;
        if (right)
            compare_fields(c, run, left, right);
        else
            report(c, KIND_ONLY_A, run, left->path, "", NULL, NULL);
    }
    for (size_t i = 0; i < b->count; i++)
        if (!left_out(c, b->fields[i].path) && !record_find(a, b->fields[i].path))
            report(c, KIND_ONLY_B, run, b->fields[i].path, "", NULL, NULL);
}

/* ---- files ----------------------------------------------------------------------------- */

static const char *id_of(const struct record *run) { return record_get_text(run, "/id", ""); }

static const struct record *find_run(const struct results *file, const char *id)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(id_of(&file->runs[i]), id) == 0)
            return &file->runs[i];
    return NULL;
}

static void compare_files(struct comparison *c, const struct results *a, const struct results *b)
{
    if (!c->collected) {
        compare_records(c, "", &a->runs[0], &b->runs[0]);
        return;
    }
    compare_records(c, "", &a->root, &b->root);
    for (size_t i = 0; i < a->count; i++) {
        const char *id = id_of(&a->runs[i]);
        const struct record *other = find_run(b, id);
        if (other)
            compare_records(c, id, &a->runs[i], other);
        else
            report(c, KIND_ONLY_A, id, "", "", NULL, NULL);
    }
    for (size_t i = 0; i < b->count; i++)
        if (!find_run(a, id_of(&b->runs[i])))
            report(c, KIND_ONLY_B, id_of(&b->runs[i]), "", "", NULL, NULL);
}

static bool is_collected(const struct results *file) { return record_find(&file->root, "/order") != NULL; }

static bool load(struct comparison *c, struct results files[2], struct error *error)
{
    for (int i = 0; i < 2; i++)
        if (!results_load(c->files[i], &files[i], error))
            return false;
    c->collected = is_collected(&files[0]);
    if (c->collected == is_collected(&files[1]))
        return true;
    return fail(error, "%s is a collected file and %s a single run: compare two of one kind",
                c->files[!c->collected], c->files[c->collected]);
}

static void conclude(struct comparison *c)
{
    if (!c->list) {
        if (c->differences)
            printf("different: %zu difference%s, %zu fields compared\n", c->differences,
                   c->differences == 1 ? "" : "s", c->fields);
        else
            printf("equal: %zu fields compared\n", c->fields);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "equal", c->differences == 0);
    cJSON_AddNumberToObject(json, "fields", (double)c->fields);
    cJSON_AddItemToObject(json, "differences", c->list);
    print_json(json);
}

static int run_diff(int argc, char **argv)
{
    struct comparison comparison = {0};
    struct results files[2] = {0};
    struct error error;
    enum format format = FORMAT_TEXT;
    const struct option options[] = {
        {"--all", set_flag, &comparison.all}, {"--format", set_format_json, &format}, {0},
    };
    if (read_options(&cmd_diff, options, (struct operands){"file", 2, 2}, argc, argv) < 0)
        return EXIT_USAGE;
    comparison.files[0] = argv[1];
    comparison.files[1] = argv[2];
    bool ok = load(&comparison, files, &error);
    if (ok) {
        comparison.list = format == FORMAT_JSON ? cJSON_CreateArray() : NULL;
        compare_files(&comparison, &files[0], &files[1]);
        conclude(&comparison);
    }
    results_free(&files[0]);
    results_free(&files[1]);
    if (!ok)
        return input_error(&cmd_diff, &error);
    return comparison.differences ? EXIT_TROUBLE : EXIT_DONE;
}
