/* SPDX-License-Identifier: GPL-3.0-or-later
 * Energy: the published figures, what lies between them, tables of one's own, and lenet5 worked out by hand. */
#include "support.h"
#include "../bench/settings.h"
#include "../methods/costs/energy.h"
#include "../methods/costs/price.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct cost_ops cost_energy_pj;

static struct energy_table default_table(void)
{
    struct energy_table table;
    struct error error;
    cr_assert(energy_table_read("default", &table, &error), "%s", error.text);
    return table;
}

Test(energy, published_figures_are_exact)
{
    struct energy_table table = default_table();
    cr_assert_eq(energy_multiply(&table, 8, 8), 0.2);
    cr_assert_eq(energy_multiply(&table, 32, 32), 3.1);
    cr_assert_eq(energy_add(&table, 8), 0.03);
    cr_assert_eq(energy_add(&table, 32), 0.1);
    cr_assert_eq(table.figures[MULTIPLY_FLOAT].energy[0], 3.7);
    cr_assert_eq(table.figures[ADD_FLOAT].energy[0], 0.9);
    cr_assert_eq(energy_of_byte(&table, 8192), 10.0 / 8);
    cr_assert_eq(energy_of_byte(&table, 32768), 20.0 / 8);
    cr_assert_eq(energy_of_byte(&table, 1048576), 100.0 / 8);
    cr_assert_eq(energy_of_byte(&table, 1048577), 1950.0 / 8, "DRAM");
}

Test(energy, between_the_figures)
{
    struct energy_table table = default_table();
    expect_near(energy_multiply(&table, 4, 4), 0.05);
    expect_near(energy_multiply(&table, 2, 8), 0.05);
    expect_near(energy_multiply(&table, 16, 16), 0.2 + (3.1 - 0.2) * (256 - 64) / (1024 - 64));
    expect_near(energy_add(&table, 4), 0.015);
    expect_near(energy_add(&table, 20), 0.065);
    expect_near(energy_add(&table, 64), 0.2);
    cr_assert_eq(energy_of_byte(&table, 8193), 20.0 / 8);
}

Test(energy, rises_with_each_width)
{
    static const struct tensor weight = {.kind = TENSOR_WEIGHT, .elements = 9216, .macs = 9216 * 256.0},
                               input = {.kind = TENSOR_ACTIVATION, .elements = 32 * 256, .macs = 9216 * 256.0};
    void *context;
    struct error error;
    struct cost_totals totals = {0};
    cr_assert(cost_energy_pj.open(NULL, NULL, &context, &error), "%s", error.text);
    for (double w = 1; w <= 32; w += 0.25)
        for (double a = 1; a <= 31; a++) {
            struct layer_widths here = {&weight, &input, NULL, w, a, 32}, wider = here, deeper = here;
            wider.w = fmin(32, w + 0.25);
            deeper.a = a + 1;
            double price = cost_energy_pj.layer(context, &totals, &here);
            cr_assert_leq(price, cost_energy_pj.layer(context, &totals, &wider), "at %g and %g bits", w, a);
            cr_assert_lt(price, cost_energy_pj.layer(context, &totals, &deeper) + 1e-9, "at %g and %g bits", w, a);
        }
    cost_energy_pj.close(context);
}

/* ---- lenet5 on 28 x 28 ---- */

#define LAYERS 5
static const double macs[LAYERS] = {28 * 28 * 25 * 6, 10 * 10 * 25 * 6 * 16, 400 * 120, 120 * 84, 84 * 10};
static const size_t weights[LAYERS] = {150, 2400, 48000, 10080, 840}, inputs[LAYERS] = {784, 1176, 400, 120, 84};

static double price(const struct settings *settings, double w, double a)
{
    struct tensor tensors[2 * LAYERS];
    float bits[2 * LAYERS];
    void *context;
    struct error error;
    for (int i = 0; i < LAYERS; i++) {
        tensors[2 * i] = (struct tensor){.kind = TENSOR_WEIGHT, .layer = i, .elements = weights[i], .macs = macs[i]};
        tensors[2 * i + 1] = (struct tensor){.kind = TENSOR_ACTIVATION, .layer = i, .elements = inputs[i], .macs = macs[i]};
        bits[2 * i] = (float)w;
        bits[2 * i + 1] = (float)a;
    }
    cr_assert(cost_energy_pj.open(settings, NULL, &context, &error), "%s", error.text);
    double sum = cost_price(&cost_energy_pj, context, tensors, 2 * LAYERS, bits);
    cost_energy_pj.close(context);
    return sum;
}

Test(energy, of_lenet5)
{
    /* 4-bit weights, 8-bit inputs: 0.1 a product, an accumulator of 12 bits; fc1 has 24,400 bytes in all, fc2 5,160, the
     * others fewer. */
    double operations = 416520 * (0.1 + 0.03 + 0.07 * 4 / 24);
    double small = (75 + 2 * 784 + 1200 + 2 * 1176 + 5040 + 2 * 120 + 420 + 2 * 84) * 10.0 / 8;
    expect_near(price(NULL, 4, 8), operations + small + (24000 + 2 * 400) * 20.0 / 8);
    /* In float32 fc1 has 193,600 bytes, fc2 40,800, conv2 14,304, the others fewer than 8 KB. */
    double moved = (600 + 2 * 3136 + 3360 + 2 * 336) * 10.0 + (9600 + 2 * 4704) * 20.0
                   + (192000 + 2 * 1600 + 40320 + 2 * 480) * 100.0;
    expect_near(price(NULL, 0, 0), 416520 * (3.7 + 0.9) + moved / 8);
    /* One operand in float32 makes it a product of floats. */
    moved = (75 + 2 * 3136 + 1200 + 2 * 4704 + 5040 + 2 * 480 + 420 + 2 * 336) * 10.0 + (24000 + 2 * 1600) * 20.0;
    expect_near(price(NULL, 4, 0), 416520 * (3.7 + 0.9) + moved / 8);
    /* A run's own accumulators. */
    struct settings limited = make_settings("model=lenet5", "sample_shape=1-28-28", "mode=fqt", "acc_bits=8", "budget=4",
                                            NULL);
    expect_near(price(&limited, 4, 8), operations - 416520 * 0.07 * 4 / 24 + small + (24000 + 2 * 400) * 20.0 / 8);
    settings_free(&limited);
}

/* ---- tables of one's own ---- */

#define HEADER "figure,size,picojoules\n"
#define OPERATIONS "multiply_int,8,0.4\nadd_int, 8, 0.1\n# a comment\n\nmultiply_float,32,5\nadd_float,32,1\n"
#define MEMORIES "memory,1000,8\nmemory,unlimited,800\n"

static char *read_table(const char *text, struct energy_table *table, struct error *error)
{
    char *folder = temporary_folder(), *path = write_file(folder, "energy.csv", text);
    bool good = energy_table_read(path, table, error);
    free(path);
    remove_folder(folder);
    return good ? NULL : error->text;
}

Test(energy, a_table_of_ones_own)
{
    struct energy_table table;
    struct error error;
    cr_assert_null(read_table(HEADER OPERATIONS MEMORIES, &table, &error), "%s", error.text);
    expect_near(energy_multiply(&table, 4, 8), 0.2);
    expect_near(energy_multiply(&table, 16, 8), 0.8);
    expect_near(energy_add(&table, 16), 0.2);
    cr_assert_eq(energy_of_byte(&table, 1000), 1);
    cr_assert_eq(energy_of_byte(&table, 1001), 100);
}

Test(energy, bad_tables_say_where_and_what)
{
    static const struct { const char *text, *says; } cases[] = {
        {"", "energy.csv:0: the first row is not the header; valid: figure,size,picojoules"},
        {"figure,size\n", "energy.csv:1: the first row is not the header"},
        {HEADER "divide_int,8,1\n", "energy.csv:2: the figure is 'divide_int'; valid: multiply_int"},
        {HEADER "add_int,8\n", "energy.csv:2: 2 fields; valid: 3"},
        {HEADER "add_int,8,-1\n", "energy.csv:2: picojoules is '-1'; valid: a number above 0"},
        {HEADER "add_int,0x8,1\n", "energy.csv:2: size is '0x8'"},
        {HEADER "add_int,8,nan\n", "picojoules is 'nan'"},
        {HEADER "add_float,16,1\n", "the size of add_float is 16; valid: 32"},
        {HEADER "add_int,8,1\nadd_int,8,2\n", "energy.csv:3: this row of add_int is not above"},
        {HEADER "add_int,8,2\nadd_int,16,1\n", "energy.csv:3: this row of add_int is not above"},
        {HEADER "add_int,unlimited,2\n", "size is 'unlimited'"},
        {HEADER OPERATIONS, "has no row of memory"},
        {HEADER OPERATIONS "memory,8192,10\n", "valid: a last row of memory with the size unlimited"},
        {HEADER MEMORIES, "has no row of multiply_int"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct energy_table table;
        struct error error;
        const char *text = read_table(cases[i].text, &table, &error);
        cr_assert(text && strstr(text, cases[i].says), "table %zu: '%s' instead of '%s'", i, text ? text : "none",
                  cases[i].says);
    }
}

/* ---- identity ---- */

static const char *canonical(const char *text, struct error *error)
{
    extern const struct param param_energy_table;
    char *value;
    return param_parse(&param_energy_table, text, &value, error) ? value : NULL;
}

Test(energy, the_setting_names_what_the_table_says)
{
    extern const struct param param_energy_table;
    struct error error;
    char *folder = temporary_folder(), *path = write_file(folder, "a.csv", HEADER OPERATIONS MEMORIES);
    char *first, *again, *changed;
    cr_assert(param_parse(&param_energy_table, path, &first, &error), "%s", error.text);
    cr_assert(param_parse(&param_energy_table, first, &again, &error), "%s", error.text);
    cr_assert_str_eq(first, again, "canonical text stays");
    cr_assert_eq(strncmp(first, path, strlen(path)), 0);
    cr_assert_eq(strlen(first), strlen(path) + 17);

    struct energy_table table;
    free(write_file(folder, "a.csv", HEADER OPERATIONS "memory,unlimited,800\n"));
    cr_assert_not(energy_table_read(first, &table, &error));
    cr_assert(strstr(error.text, "has changed"), "%s", error.text);
    cr_assert_null(canonical(first, &error));
    cr_assert(param_parse(&param_energy_table, path, &changed, &error));
    cr_assert_str_neq(first, changed);
    free(first), free(again), free(changed), free(path);
    remove_folder(folder);
    cr_assert_null(canonical("/nowhere/table.csv", &error));
    cr_assert(strstr(error.text, "/nowhere/table.csv cannot be read: No such file"), "%s", error.text);
    cr_assert_null(canonical("/tmp", &error));
    cr_assert(strstr(error.text, "cannot be read"), "%s", error.text);
}
