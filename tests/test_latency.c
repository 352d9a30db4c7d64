/* SPDX-License-Identifier: GPL-3.0-or-later
 * Latency from tables: exact and nearest shapes, widths, what is wrong with a table, and a run's price. */
#include "support.h"
#include "../bench/plan.h"
#include "../bench/settings.h"
#include "../methods/costs/latency.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct cost_ops cost_latency_ms;

#define HEADER "kind,in_h,in_w,in_c,out_c,kernel,stride,weight_bits,input_bits,milliseconds\n"
#define DENSE "dense,1,1,100,50,1,1,8,4,1\n dense, 1,1,100,50,1,1,8,8,2\ndense,1,1,100,50,1,1,32,32,8\n"
#define CONVOLUTION "convolution,8,8,4,16,3,1,8,8,3\nconvolution,16,16,4,16,3,1,8,8,7\n"

static char *save(const char *folder, const char *text) { return write_file(folder, "latency.csv", text); }

static const char *read_table(const char *text, struct latency_table *table, struct error *error)
{
    char *folder = temporary_folder(), *path = save(folder, text);
    bool good = latency_table_read(path, table, error);
    free(path);
    remove_folder(folder);
    return good ? NULL : error->text;
}

static struct latency_table good_table(const char *text)
{
    struct latency_table table;
    struct error error;
    cr_assert_null(read_table(text, &table, &error), "%s", error.text);
    return table;
}

static const struct geometry dense = {1, 1, 100, 1, 1, 50, 1, 1, 1, 0, 0, false};

Test(latency, shapes)
{
    struct latency_shape shape = latency_shape(&dense);
    const struct geometry point = {8, 8, 4, 8, 8, 16, 1, 1, 1, 0, 0, false},
                          deep = {8, 8, 16, 4, 4, 16, 3, 3, 2, 1, 1, true},
                          line = {1, 128, 6, 1, 128, 32, 1, 5, 1, 0, 2, false};
    cr_assert_eq(shape.kind, LATENCY_DENSE);
    cr_assert_eq(latency_shape(&point).kind, LATENCY_CONVOLUTION);
    cr_assert_eq(latency_shape(&deep).kind, LATENCY_DEPTHWISE);
    cr_assert_eq(latency_shape(&line).kind, LATENCY_CONVOLUTION);
    cr_assert_eq(latency_shape(&line).sizes[SHAPE_KERNEL], 5);
    cr_assert(latency_shapes_equal(&shape, &shape));
}

Test(latency, widths_take_the_fastest_measured_ones_that_hold_them)
{
    struct latency_table table = good_table(HEADER DENSE "dense,1,1,100,50,1,1,4,4,1.5\n");
    cr_assert_eq(table.shape_count, 1);
    static const struct { double w, a, ms; } cases[] = {
        {8, 4, 1}, {4, 4, 1}, {2, 2.5, 1}, {8, 5, 2}, {2, 8, 2}, {8, 8, 2}, {9, 4, 8}, {8, 32, 8}, {32, 32, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(latency_at(&table, 0, cases[i].w, cases[i].a), cases[i].ms, "%g and %g bits", cases[i].w, cases[i].a);
    latency_table_free(&table);
    table = good_table(HEADER CONVOLUTION);
    cr_assert_eq(latency_at(&table, 0, 32, 32), 3, "nothing wider was measured");
    cr_assert_eq(latency_at(&table, 1, 9, 2), 7);
    latency_table_free(&table);
}

Test(latency, the_nearest_shape_scaled_by_macs)
{
    struct latency_table table = good_table(HEADER DENSE CONVOLUTION);
    struct geometry g = {8, 8, 4, 8, 8, 16, 3, 3, 1, 1, 1, false};
    struct latency_shape shape = latency_shape(&g);
    double factor;
    cr_assert_eq(latency_nearest(&table, &shape, &factor), 1);
    cr_assert_eq(factor, 1);
    shape.sizes[SHAPE_IN_H] = shape.sizes[SHAPE_IN_W] = 14; /* nearer to 16 */
    cr_assert_eq(latency_nearest(&table, &shape, &factor), 2);
    expect_near(factor, 196.0 / 256);
    shape.sizes[SHAPE_OUT_C] = 32;
    shape.sizes[SHAPE_STRIDE] = 2;
    cr_assert_eq(latency_nearest(&table, &shape, &factor), 2);
    expect_near(factor, 49.0 * 2 / 256);
    struct latency_shape line = {LATENCY_CONVOLUTION, {1, 64, 4, 16, 3, 1}};
    latency_nearest(&table, &line, &factor);
    expect_near(factor, 64.0 * 3 / (64 * 9));
    shape.kind = LATENCY_DEPTHWISE;
    cr_assert_eq(latency_nearest(&table, &shape, &factor), -1);
    latency_table_free(&table);
}

Test(latency, bad_tables_say_where_and_what)
{
    static const struct { const char *text, *says; } cases[] = {
        {"kind,in_h\n", "latency.csv:1: the first row is not the header; valid: kind,in_h,in_w,in_c,out_c,kernel,stride,w"},
        {"# nothing\n", "the first row is not the header"},
        {HEADER, "has no rows"},
        {HEADER "linear,1,1,1,1,1,1,8,8,1\n", "latency.csv:2: the kind is 'linear'; valid: dense, convolution, depthwise"},
        {HEADER "dense,1,1,1,1,1,1,8,8\n", "latency.csv:2: 9 fields; valid: 10"},
        {HEADER "dense,1,1,1,1,1,1,8,8,1,\n", "latency.csv:2: 11 fields; valid: 10"},
        {HEADER "dense,1,1,1.5,1,1,1,8,8,1\n", "latency.csv:2: in_c is '1.5'; valid: a whole number above 0"},
        {HEADER "dense,1,1,0,1,1,1,8,8,1\n", "latency.csv:2: in_c is '0'"},
        {HEADER "dense,1,1,1,1,1,1,8,8,inf\n", "latency.csv:2: milliseconds is 'inf'"},
        {HEADER DENSE "\ndense,1,1,100,50,1,1,8,8,5\n",
         "latency.csv:6: this shape is there already at 8-bit weights and 8-bit inputs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct latency_table table;
        struct error error;
        const char *text = read_table(cases[i].text, &table, &error);
        cr_assert(text && strstr(text, cases[i].says), "table %zu: '%s' instead of '%s'", i, text ? text : "none",
                  cases[i].says);
    }
}

/* ---- of a run: lenet5, two convolutions and three dense layers ---- */

static const struct dataset images = {.rank = 3, .shape = {1, 28, 28}, .features = 784, .classes = 10};

static bool open_cost(const char *table, void **context, struct error *error)
{
    char *choice = format_text("latency_table=%s", table);
    struct settings settings = make_settings("model=lenet5", "sample_shape=1-28-28", "budget=4", choice, NULL);
    bool good = cost_latency_ms.open(&settings, &images, context, error);
    settings_free(&settings);
    free(choice);
    return good;
}

Test(latency, of_a_run)
{
    char *folder = temporary_folder();
    char *path = save(folder, HEADER "convolution,28,28,1,6,5,1,8,8,1\nconvolution,14,14,6,16,5,1,8,8,2\n"
                                     "convolution,14,14,6,16,5,1,4,4,1.5\ndense,1,1,400,120,1,1,8,8,0.5\n");
    struct error error;
    void *context;
    cr_assert(open_cost(path, &context, &error), "%s", error.text);
    struct tensor tensors[10];
    float bits[10];
    for (int i = 0; i < 10; i++) {
        tensors[i] = (struct tensor){.kind = i % 2 ? TENSOR_ACTIVATION : TENSOR_WEIGHT, .layer = i / 2};
        bits[i] = 4;
    }
    double others = 0.5 * (1 + 120 * 84 / 48000.0 + 84 * 10 / 48000.0);
    expect_near(cost_price(&cost_latency_ms, context, tensors, 10, bits), 1 + 1.5 + others);
    bits[3] = 5;
    expect_near(cost_price(&cost_latency_ms, context, tensors, 10, bits), 1 + 2 + others);
    cost_latency_ms.close(context);
    free(path);
    path = save(folder, HEADER DENSE);
    cr_assert_not(open_cost(path, &context, &error));
    cr_assert(strstr(error.text, "has no rows of kind convolution, which conv1.weight needs"), "%s", error.text);
    free(path);
    remove_folder(folder);
    cr_assert_not(open_cost("none", &context, &error));
    cr_assert(strstr(error.text, "needs a table of measured latencies"), "%s", error.text);
    cr_assert_not(cost_latency_ms.open(NULL, NULL, &context, &error));
}

Test(latency, identity_is_the_content_and_not_the_place)
{
    char *one = temporary_folder(), *two = temporary_folder(), *ids[3];
    char *paths[] = {save(one, HEADER DENSE CONVOLUTION), save(two, HEADER DENSE CONVOLUTION),
                     write_file(one, "b.csv", HEADER DENSE)};
    for (int i = 0; i < 3; i++) {
        char *option = format_text("latency_table=%s", paths[i]);
        const char *const options[] = {option, NULL};
        struct plan plan = plan_of("dataset: synthetic\nepochs: 1\nbudget: 4\nsamples: 100\n", options);
        ids[i] = xstrdup(plan.runs[0].id);
        plan_free(&plan);
        free(option);
    }
    cr_assert_str_eq(ids[0], ids[1]);
    cr_assert_str_neq(ids[0], ids[2]);
    for (int i = 0; i < 3; i++)
        free(ids[i]), free(paths[i]);
    remove_folder(one);
    remove_folder(two);
}
