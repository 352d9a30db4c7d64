/* SPDX-License-Identifier: GPL-3.0-or-later
 * From rows to the tensors, sensitivities and costs of an allocation problem. */
#include "layer_table.h"
#include "../methods/allocators/allocation.h"
#include "layer_rows.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CHOICES ((uint64_t)0x1FC) /* 2 .. 8 */
#define CELLS (MOST_WIDTH + 1)

/* ---- names to numbers ---- */

/* Index of the word, which is added if it is new. */
struct numbering { const char **words; int count; };

static int number_of(struct numbering *n, const char *word)
{
    for (int i = 0; i < n->count; i++)
        if (strcmp(n->words[i], word) == 0)
            return i;
    n->words = xrealloc(n->words, ((size_t)n->count + 1) * sizeof *n->words);
    n->words[n->count] = word;
    return n->count++;
}

/* ---- one tensor ---- */

static bool any_given(const double *values)
{
    for (int b = 1; b <= MOST_WIDTH; b++)
        if (!isnan(values[b]))
            return true;
    return false;
}

/* The allowed widths: as given; else those that omega is given for, or 2 .. 8 where it has a formula. */
static uint64_t choices_of(const struct layer_row *row)
{
    uint64_t choices = 0;
    if (row->choices)
        return row->choices;
    if (!any_given(row->omega))
        return DEFAULT_CHOICES;
    for (int b = 1; b <= MOST_WIDTH; b++) {
        bool any = !isnan(row->omega[b]);
        for (size_t c = 0; c < row->cost_count; c++)
            any |= !isnan(row->costs[c].values[b]);
        choices |= (uint64_t)any << b;
    }
    return choices;
}

static bool check_row(const struct layer_row *row, struct error *error)
{
    if (!row->name)
        return fail(error, "%s: the tensor has no name", row->place);
    if (row->kind < 0)
        return fail(error, "%s: %s has no kind; valid: weight, activation, gradient", row->place, row->name);
    if (!any_given(row->omega) && (isnan(row->trace) || isnan(row->range)))
        return fail(error, "%s: %s has no sensitivity: it needs omega by width, or trace and range", row->place, row->name);
    return true;
}

static bool fill_tensor(struct layer_table *table, const struct layer_row *row, int i, bool paper_step, struct error *error)
{
    struct tensor *tensor = &table->tensors[i];
    *tensor = (struct tensor){.kind = (enum tensor_kind)row->kind, .counted = !row->uncounted, .macs = row->macs,
                              .choices = choices_of(row), .elements = isnan(row->elements) ? 0 : (size_t)row->elements};
    snprintf(tensor->name, sizeof tensor->name, "%s", row->name);
    table->names[i] = xstrdup(row->name);
    bool given = any_given(row->omega);
    bool is_signed = row->is_signed < 0 ? row->kind != TENSOR_ACTIVATION : row->is_signed;
    for (int b = 1; b <= MOST_WIDTH; b++) {
        double omega = given ? row->omega[b] : row->trace * noise_variance(b, row->range, is_signed, paper_step);
        if (!tensor_allows(tensor, b))
            continue;
        if (isnan(omega) && given)
            return fail(error, "%s: %s has no omega at width %d%s", row->place, row->name, b,
                        row->choices ? "" : ", only a cost; `choices` says which widths are allowed");
        if (!isfinite(omega))
            return fail(error, "%s: %s has no finite sensitivity at width %d", row->place, row->name, b);
        table->omega[(size_t)i * CELLS + (size_t)b] = omega;
    }
    if (!given)
        table->noise[i] = noise_of(row->trace, row->range, is_signed, paper_step);
    return true;
}

/* ---- all of them ---- */

static bool fill_layers(struct layer_table *table, const struct layer_rows *rows, struct error *error)
{
    struct numbering layers = {0}, groups = {0};
    for (size_t i = 0; i < rows->count; i++) {
        const struct layer_row *row = &rows->items[i];
        table->tensors[i].group = row->group ? number_of(&groups, row->group) + 1 : 0;
        table->tensors[i].layer = row->layer ? number_of(&layers, row->layer) : 0;
    }
    int layer = layers.count;
    for (size_t i = 0; i < rows->count; i++)
        if (!rows->items[i].layer)
            table->tensors[i].layer = layer++;
    bool good = true;
    int *owner = xmalloc((size_t)layer * TENSOR_KINDS * sizeof *owner + 1);
    for (int k = 0; k < layer * TENSOR_KINDS; k++)
        owner[k] = -1;
    for (int i = 0; good && i < table->count; i++) {
        int *first = &owner[table->tensors[i].layer * TENSOR_KINDS + (int)table->tensors[i].kind];
        if (*first >= 0)
            good = fail(error, "%s: layer '%s' has a %s already, %s; give %s a layer of its own, or none",
                        rows->items[i].place, rows->items[i].layer, tensor_kind_names[table->tensors[i].kind],
                        table->names[*first], table->names[i]);
        *first = i;
    }
    free(owner);
    free(layers.words);
    free(groups.words);
    return good;
}

static bool check_groups(const struct layer_table *table, const struct layer_rows *rows, struct error *error)
{
    for (int i = 0; i < table->count; i++)
        if (!tied_choices(table->tensors, table->count, i))
            return fail(error, "%s: the tensors of group '%s' have no width in common", rows->items[i].place,
                        rows->items[i].group);
    return true;
}

static int by_name(const void *left, const void *right)
{
    const struct layer_row *a = *(const struct layer_row *const *)left, *b = *(const struct layer_row *const *)right;
    int order = strcmp(a->name, b->name);
    return order ? order : a < b ? -1 : 1;
}

static bool check_names(const struct layer_rows *rows, struct error *error)
{
    const struct layer_row **sorted = xmalloc((rows->count + 1) * sizeof *sorted);
    bool good = true;
    for (size_t i = 0; i < rows->count; i++)
        sorted[i] = &rows->items[i];
    qsort(sorted, rows->count, sizeof *sorted, by_name);
    for (size_t i = 1; good && i < rows->count; i++)
        if (strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
            good = fail(error, "%s: the name '%s' is there already: %s", sorted[i]->place, sorted[i]->name,
                        sorted[i - 1]->place);
    free(sorted);
    return good;
}

/* Sensitivities by formula are an estimate of the loss for weights and activations, a relative variance for gradients. */
static bool check_scales(const struct layer_rows *rows, struct error *error)
{
    const struct layer_row *gradient = NULL, *other = NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].kind != TENSOR_GRADIENT)
            other = &rows->items[i];
        else if (!any_given(rows->items[i].omega))
            gradient = &rows->items[i];
    return !gradient || !other
           || fail(error, "%s: trace times noise of gradient %s is on another scale than the sensitivity of %s, so they "
                   "cannot be summed; give the gradients omega by width, or a table of their own", gradient->place,
                   gradient->name, other->name);
}

bool layer_table_sum_is_finite(const struct layer_table *table, const double *values, const char *what, struct error *error)
{
    double sum = 0;
    for (int i = 0; i < table->count; i++) {
        double most = 0;
        for (int b = 1; b <= MOST_WIDTH; b++)
            if (tensor_allows(&table->tensors[i], b))
                most = fmax(most, values[(size_t)i * CELLS + (size_t)b]);
        sum += most;
    }
    return isfinite(sum) || fail(error, "%s: the sum of %s is too large for a double", table->path, what);
}

static bool fill(struct layer_table *table, struct layer_rows *rows, bool paper_step, struct error *error)
{
    if (rows->count == 0)
        return fail(error, "%s: the table has no tensors", table->path);
    size_t count = rows->count;
    bool given = false;
    table->names = xcalloc(count, sizeof *table->names);
    table->tensors = xcalloc(count, sizeof *table->tensors);
    table->noise = xcalloc(count, sizeof *table->noise);
    table->omega = xmalloc(count * CELLS * sizeof *table->omega);
    for (size_t i = 0; i < count * CELLS; i++)
        table->omega[i] = INFINITY;
    table->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        if (!check_row(&rows->items[i], error) || !fill_tensor(table, &rows->items[i], (int)i, paper_step, error))
            return false;
        given |= any_given(rows->items[i].omega);
    }
    if (given) {
        free(table->noise);
        table->noise = NULL;
    }
    return check_names(rows, error) && layer_table_sum_is_finite(table, table->omega, "omega", error)
           && check_scales(rows, error) && fill_layers(table, rows, error)
           && check_groups(table, rows, error) && layer_table_add_costs(table, rows, error);
}

/* ---- files ---- */

char *read_table_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t got = 1, capacity = 0;
    *size = 0;
    while (file && got > 0) {
        if (capacity < *size + 2)
            text = xrealloc(text, capacity = 2 * capacity + 65536);
        got = fread(text + *size, 1, capacity - *size - 1, file);
        *size += got;
    }
    bool good = file && !ferror(file);
    int why = errno;
    if (file)
        fclose(file);
    if (!good) {
        free(text);
        errno = why;
        return NULL;
    }
    text[*size] = '\0';
    return text;
}

/* HDF5 puts its signature at 0, 512, 1024, ... */
bool is_run_file(const char *text, size_t size)
{
    for (size_t at = 0; at + 4 < size; at = at ? 2 * at : 512)
        if (memcmp(text + at, "\x89HDF", 4) == 0)
            return true;
    return false;
}

static bool read_rows(const char *path, struct layer_rows *rows, bool *paper_step, struct error *error)
{
    size_t size;
    char *text = read_table_file(path, &size);
    if (!text)
        return fail(error, "cannot read %s: %s", path, strerror(errno));
    const char *start = text + strspn(text, "\xEF\xBB\xBF \t\r\n");
    bool good;
    if (is_run_file(text, size))
        good = layer_rows_of_run(path, rows, paper_step, error);
    else if (strlen(text) < size)
        good = fail(error, "%s is no layer table: it is neither text (JSON, CSV) nor a run file", path);
    else
        good = (*start == '{' || *start == '[' ? layer_rows_of_json : layer_rows_of_csv)(path, text, rows, error);
    free(text);
    return good;
}

bool layer_table_read(const char *path, bool paper_step, struct layer_table *table, struct error *error)
{
    struct layer_rows rows = {0};
    *table = (struct layer_table){.path = xstrdup(path)};
    bool good = read_rows(path, &rows, &paper_step, error) && fill(table, &rows, paper_step, error);
    table->note = rows.note;
    rows.note = NULL;
    layer_rows_free(&rows);
    if (!good)
        layer_table_free(table);
    return good;
}

void layer_table_free(struct layer_table *table)
{
    layer_table_free_costs(table);
    for (int i = 0; table->names && i < table->count; i++)
        free(table->names[i]);
    free(table->names);
    free(table->tensors);
    free(table->omega);
    free(table->noise);
    free(table->note);
    free(table->path);
    *table = (struct layer_table){0};
}
