/* SPDX-License-Identifier: GPL-3.0-or-later
 * Energy of one sample's forward pass: MACs at the operands' widths, and bytes moved. METHODS 5; what it leaves open is ours
 * and told in docs/costs.md. */
#include "energy.h"
#include "table_file.h"
#include "../../bench/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TABLE "default"
#define FLOAT_BITS 32
#define ACCESS_BYTES 8 /* of the access that the table's memory figures are about */

/* Horowitz, ISSCC 2014, figure 1.1.9: 45 nm, 0.9 V [pub]; DRAM is given there as 1300 to 2600, of which this is the middle
 * [ours]. */
static const struct energy_table published = {{
    [MULTIPLY_INT] = {{8, 32}, {0.2, 3.1}, 2},
    [ADD_INT] = {{8, 32}, {0.03, 0.1}, 2},
    [MULTIPLY_FLOAT] = {{FLOAT_BITS}, {3.7}, 1},
    [ADD_FLOAT] = {{FLOAT_BITS}, {0.9}, 1},
    [MEMORY] = {{8192, 32768, 1048576, INFINITY}, {10, 20, 100, 1950}, 4},
}};

static const char *const figure_names[ENERGY_FIGURES] = {
    [MULTIPLY_INT] = "multiply_int", [ADD_INT] = "add_int", [MULTIPLY_FLOAT] = "multiply_float", [ADD_FLOAT] = "add_float",
    [MEMORY] = "memory",
};

/* ---- the table ---- */

static bool read_size(const struct table_file *file, enum energy_figure figure, const char *field, double *size,
                      struct error *error)
{
    if (figure == MEMORY && strcmp(field, "unlimited") == 0) {
        *size = INFINITY;
        return true;
    }
    if (!table_file_number(file, "size", field, size, error))
        return false;
    if ((figure == MULTIPLY_FLOAT || figure == ADD_FLOAT) && *size != FLOAT_BITS)
        return table_file_fail(file, error, "the size of %s is %s; valid: %d", figure_names[figure], field, FLOAT_BITS);
    return true;
}

/* A later row of a figure must be larger in both, or widths and sizes would not cost more. */
static bool read_row(const struct table_file *file, const char *const *fields, struct energy_table *table,
                     struct error *error)
{
    enum energy_figure figure = 0;
    double size, energy;
    while (figure < ENERGY_FIGURES && strcmp(figure_names[figure], fields[0]) != 0)
        figure++;
    if (figure == ENERGY_FIGURES)
        return table_file_fail(file, error, "the figure is '%.40s'; valid: multiply_int, add_int, multiply_float, "
                               "add_float, memory", fields[0]);
    if (!read_size(file, figure, fields[1], &size, error)
        || !table_file_number(file, "picojoules", fields[2], &energy, error))
        return false;
    int count = table->figures[figure].count;
    if (count == MOST_ENERGIES)
        return table_file_fail(file, error, "more than %d rows of %s", MOST_ENERGIES, fields[0]);
    if (count && (table->figures[figure].size[count - 1] >= size || table->figures[figure].energy[count - 1] > energy))
        return table_file_fail(file, error, "this row of %s is not above the one before it; valid: rows in ascending order "
                               "of size, whose picojoules do not fall", fields[0]);
    table->figures[figure].size[count] = size;
    table->figures[figure].energy[count] = energy;
    table->figures[figure].count++;
    return true;
}

static bool check_complete(const struct table_file *file, const struct energy_table *table, struct error *error)
{
    for (int figure = 0; figure < ENERGY_FIGURES; figure++)
        if (table->figures[figure].count == 0)
            return fail(error, "the energy table %s has no row of %s", file->path, figure_names[figure]);
    if (!isinf(table->figures[MEMORY].size[table->figures[MEMORY].count - 1]))
        return fail(error, "the energy table %s has no memory for whatever does not fit the others; valid: a last row of "
                    "memory with the size unlimited", file->path);
    return true;
}

static bool read_file(struct table_file *file, struct energy_table *table, struct error *error)
{
    static const char *const header[] = {"figure", "size", "picojoules", NULL};
    const char *fields[3];
    int count;
    if (!table_file_header(file, header, error))
        return false;
    while ((count = table_file_row(file, fields, 3)) != 0) {
        if (count != 3)
            return table_file_fail(file, error, "%d fields; valid: 3, figure,size,picojoules", count);
        if (!read_row(file, fields, table, error))
            return false;
    }
    return check_complete(file, table, error);
}

/* canonical: NULL, or where the setting's canonical text goes. */
static bool read_table(const char *setting, struct energy_table *table, char **canonical, struct error *error)
{
    struct table_file file;
    *table = (struct energy_table){0};
    bool good = table_file_open(setting, &file, error) && read_file(&file, table, error);
    if (good && canonical)
        *canonical = table_file_canonical(&file);
    table_file_close(&file);
    return good;
}

bool energy_table_read(const char *setting, struct energy_table *table, struct error *error)
{
    if (strcmp(setting, DEFAULT_TABLE) != 0)
        return read_table(setting, table, NULL, error);
    *table = published;
    return true;
}

static bool parse(const char *text, char **canonical, struct error *error)
{
    struct energy_table table;
    if (strcmp(text, DEFAULT_TABLE) != 0)
        return read_table(text, &table, canonical, error);
    *canonical = xstrdup(text);
    return true;
}

static bool has_allocator(const struct settings *settings) { return !setting_is(settings, "allocator", "none"); }

const struct param param_energy_table = {
    .name = "energy_table", .type = PARAM_TEXT, .parse = parse, .fallback = DEFAULT_TABLE, .used = has_allocator,
    .form = "default, or the path of a CSV file",
    .source = "pub", .help = "Energy of operations and memories for the cost energy_pj: default (45 nm, Horowitz, ISSCC "
                             "2014; DRAM the middle of its range [ours]), or a table of one's own (docs/costs.md).",
};

/* ---- the cost ---- */

/* The line through 0 and the points; beyond the last one, proportional to it. */
static double interpolate(const double *x, const double *y, int count, double at)
{
    double x0 = 0, y0 = 0;
    for (int i = 0; i < count; i++) {
        if (at == x[i])
            return y[i];
        if (at < x[i])
            return y0 + (y[i] - y0) * (at - x0) / (x[i] - x0);
        x0 = x[i];
        y0 = y[i];
    }
    return y0 * at / x0;
}

double energy_multiply(const struct energy_table *table, double w, double a)
{
    double products[MOST_ENERGIES];
    int count = table->figures[MULTIPLY_INT].count;
    for (int i = 0; i < count; i++)
        products[i] = table->figures[MULTIPLY_INT].size[i] * table->figures[MULTIPLY_INT].size[i];
    return interpolate(products, table->figures[MULTIPLY_INT].energy, count, w * a);
}

double energy_add(const struct energy_table *table, double bits)
{
    return interpolate(table->figures[ADD_INT].size, table->figures[ADD_INT].energy, table->figures[ADD_INT].count, bits);
}

double energy_of_byte(const struct energy_table *table, double total)
{
    int memory = 0;
    while (table->figures[MEMORY].size[memory] < total)
        memory++;
    return table->figures[MEMORY].energy[memory] / ACCESS_BYTES;
}

struct energy { struct energy_table table; double accumulator; /* bits; 0: as the widths need */ };

static bool open_energy(const struct settings *settings, const struct dataset *described, void **context,
                        struct error *error)
{
    (void)described;
    struct energy *energy = xcalloc(1, sizeof *energy);
    bool given = settings && setting_has(settings, "energy_table");
    if (settings && setting_has(settings, "acc_bits") && !setting_is(settings, "acc_bits", "auto"))
        energy->accumulator = (double)setting_int(settings, "acc_bits");
    if (energy_table_read(given ? setting_text(settings, "energy_table") : DEFAULT_TABLE, &energy->table, error)) {
        *context = energy;
        return true;
    }
    free(energy);
    return false;
}

/* A MAC. An operand in float32 makes the product one of floats. */
static double operation(const struct energy *energy, double w, double a)
{
    const struct energy_table *table = &energy->table;
    if (w >= FLOAT_BITS || a >= FLOAT_BITS)
        return table->figures[MULTIPLY_FLOAT].energy[0] + table->figures[ADD_FLOAT].energy[0];
    double accumulator = energy->accumulator > 0 ? energy->accumulator : fmax(8, w + a);
    return energy_multiply(table, w, a) + energy_add(table, accumulator);
}

/* Weights are read once a sample; an input is written by who makes it and read here. */
static double layer(const void *context, const struct cost_totals *totals, const struct layer_widths *layer)
{
    (void)totals;
    const struct energy *energy = context;
    const struct tensor *tensor = layer->weight ? layer->weight : layer->input;
    if (!tensor)
        return 0;
    double weights = layer->weight ? (double)layer->weight->elements * layer->w / 8 : 0;
    double inputs = layer->input ? (double)layer->input->elements * layer->a / 8 : 0;
    return tensor->macs * operation(energy, layer->w, layer->a)
           + (weights + 2 * inputs) * energy_of_byte(&energy->table, weights + inputs);
}

const struct cost_ops cost_energy_pj = {
    .plug = {.name = "energy_pj", .alias = "energy", .version = 1,
             .help = "Energy of one sample's forward pass: multiplications, additions, and weights and inputs moved, from a "
                     "table (energy_table).",
             .params = (const struct param *const[]){&param_energy_table, 0}},
    .unit = "pJ", .joint = true, .open = open_energy, .close = free, .layer = layer,
};
