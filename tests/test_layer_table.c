/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading layer tables: JSON, CSV and run files, and what is wrong with them. */
#include "support.h"
#include "../bench/layer_table.h"
#include "../methods/allocators/allocation.h"
#include "../results/store.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table from a file of this name and text; free() nothing but the table. */
static struct layer_table table_of(const char *name, const char *text)
{
    struct layer_table table;
    struct error error;
    char *folder = temporary_folder(), *path = write_file(folder, name, text);
    bool good = layer_table_read(path, false, &table, &error);
    free(path);
    remove_folder(folder);
    cr_assert(good, "%s\nfrom:\n%s", error.text, text);
    return table;
}

static double omega(const struct layer_table *table, int tensor, int bits)
{
    return table->omega[tensor * (MOST_WIDTH + 1) + bits];
}

Test(layer_table, the_form_of_the_issue)
{
    struct layer_table table = table_of("t.json",
        "{\"tensors\":[{\"name\":\"c0\",\"kind\":\"weight\",\"elements\":36864,\"choices\":[4,8],\"group\":\"join0\","
        "\"omega\":{\"4\":0.46,\"8\":0.002},\"costs\":{\"latency_ms\":{\"4\":0.21,\"8\":0.36}}}]}");
    struct budget latency, bytes;
    struct error error;
    cr_assert_eq(table.count, 1);
    cr_expect_str_eq(table.names[0], "c0");
    cr_expect_eq(table.tensors[0].kind, TENSOR_WEIGHT);
    cr_expect_eq(table.tensors[0].elements, 36864);
    cr_expect_eq(table.tensors[0].choices, (uint64_t)1 << 4 | (uint64_t)1 << 8);
    cr_expect(omega(&table, 0, 4) == 0.46 && omega(&table, 0, 8) == 0.002 && isinf(omega(&table, 0, 6)));
    cr_expect_null(table.noise);
    cr_assert(layer_table_budget(&table, "latency_ms=4.1", &latency, &error), "%s", error.text);
    cr_assert(layer_table_budget(&table, "weight_bytes=8368128", &bytes, &error), "%s", error.text);
    cr_expect(latency.limit == 4.1 && bytes.limit == 8368128);
    cr_expect_eq(budget_price(&latency, table.tensors, 1, (const float[]){4}), 0.21);
    cr_expect_eq(budget_price(&latency, table.tensors, 1, (const float[]){8}), 0.36);
    expect_near(budget_price(&latency, table.tensors, 1, (const float[]){5}), 0.21 + 0.15 / 4);
    cr_expect_eq(budget_price(&bytes, table.tensors, 1, (const float[]){4}), 18432);
    layer_table_free(&table);
}

/* METHODS 3: D = 2m/(2^b - 2) signed, m/(2^b - 1) unsigned. */
Test(layer_table, sensitivity_from_trace_and_range)
{
    struct layer_table table = table_of("t.json",
        "{\"tensors\":[{\"name\":\"w\",\"kind\":\"weight\",\"trace\":12,\"range\":3},"
        "{\"name\":\"a\",\"kind\":\"activation\",\"trace\":24,\"range\":3},"
        "{\"name\":\"s\",\"kind\":\"activation\",\"trace\":24,\"range\":3,\"signed\":true,\"choices\":[2,31],"
        "\"group\":null}]}");
    cr_expect_eq(table.tensors[0].choices, (uint64_t)0x1FC, "2 to 8 by default");
    expect_near(omega(&table, 0, 2), 9);
    expect_near(omega(&table, 0, 3), 1);
    expect_near(omega(&table, 1, 2), 2);
    expect_near(omega(&table, 2, 2), 18);
    cr_expect(isfinite(omega(&table, 2, 31)) && tensor_most(&table.tensors[2]) == 31);
    cr_assert_not_null(table.noise);
    expect_near(table.noise[0].scale / pow(pow(2, 3) - table.noise[0].offset, 2), 1);
    layer_table_free(&table);
}

Test(layer_table, paper_step)
{
    struct layer_table table;
    struct error error;
    char *folder = temporary_folder(),
         *path = write_file(folder, "t.csv", "name,kind,trace,range\nw,weight,12,3\n");
    cr_assert(layer_table_read(path, true, &table, &error), "%s", error.text);
    expect_near(omega(&table, 0, 2), 4); /* D = 6/3 */
    layer_table_free(&table);
    free(path);
    remove_folder(folder);
}

Test(layer_table, csv_says_the_same_as_json)
{
    struct layer_table json, csv;
    struct error error;
    cr_assert(layer_table_read("docs/examples/small-net.json", false, &json, &error), "%s", error.text);
    cr_assert(layer_table_read("docs/examples/small-net.csv", false, &csv, &error), "%s", error.text);
    cr_assert_eq(json.count, csv.count);
    cr_assert(json.cost_count == csv.cost_count && json.tabled_count == 1 && csv.tabled_count == 1);
    for (int i = 0; i < json.count; i++) {
        cr_expect_str_eq(json.names[i], csv.names[i]);
        cr_expect_eq(memcmp(&json.tensors[i], &csv.tensors[i], sizeof json.tensors[i]), 0, "%s", json.names[i]);
    }
    size_t cells = (size_t)json.count * (MOST_WIDTH + 1);
    cr_expect_eq(memcmp(json.omega, csv.omega, cells * sizeof *json.omega), 0);
    for (size_t i = 0; i < cells; i++)
        cr_expect(json.tabled[0].values[i] == csv.tabled[0].values[i]
                  || (isnan(json.tabled[0].values[i]) && isnan(csv.tabled[0].values[i])));
    cr_expect(json.tensors[3].group == json.tensors[5].group && json.tensors[3].group > 0);
    layer_table_free(&json);
    layer_table_free(&csv);
}

Test(layer_table, csv_quotes_and_line_ends)
{
    struct layer_table table = table_of("t.csv",
        "\xEF\xBB\xBFname,kind,omega:4,omega:8,cost:ms:4,cost:ms:8,choices,elements\r\n"
        "\"a, \"\"b\"\"\",weight,1,0.5,2,3,4-8,10\r\n\r\nsecond,activation,3,1e-3,,0,8,\n");
    cr_assert_eq(table.count, 2);
    cr_expect_str_eq(table.names[0], "a, \"b\"");
    cr_expect_eq(table.tensors[0].elements, 10);
    cr_expect_eq(table.tensors[1].elements, 0);
    cr_expect_eq(table.tensors[1].choices, (uint64_t)1 << 8);
    cr_expect(omega(&table, 1, 8) == 1e-3 && isinf(omega(&table, 1, 4)));
    layer_table_free(&table);
}

Test(layer_table, names_longer_than_a_tensors)
{
    char *name = xcalloc(1, 201), *text;
    memset(name, 'x', 200);
    text = format_text("name,kind,omega:4\n%s1,weight,1\n%s2,weight,1\n", name, name);
    struct layer_table table = table_of("t.csv", text);
    cr_expect_eq(strlen(table.names[0]), 201);
    cr_expect_str_neq(table.names[0], table.names[1]);
    layer_table_free(&table);
    free(text);
    free(name);
}

/* ---- what is wrong ---- */

#define TENSORS(rows) "{\"tensors\":[" rows "]}"
#define TENSOR(more) TENSORS("{\"name\":\"c0\",\"kind\":\"weight\"" more "}")
#define OMEGA ",\"omega\":{\"4\":1,\"8\":0.5}"

static const struct { const char *name, *text, *words; } bad[] = {
    {"t.json", "{\"tensors\":[{\"name\":\"c0\",}]}", "t.json:1:27: not JSON from here on"},
    {"t.json", "{\"tensors\":\n [}", "t.json:2:3: not JSON"},
    {"t.json", TENSOR(OMEGA) " x", "not JSON from here on"},
    {"t.json", "{\"tensors\":[", "the file ends early"},
    {"t.json", "[]", "there is no array 'tensors'"},
    {"t.json", "{\"tensor\":[]}", "there is no array 'tensors'"},
    {"t.json", "{\"tensors\":[],\"budget\":4}", "unknown 'budget' beside 'tensors'"},
    {"t.json", TENSORS(""), "the table has no tensors"},
    {"t.json", TENSORS("3"), "tensor 1 is not an object"},
    {"t.json", TENSOR(OMEGA ",\"elments\":3"), "tensor 1 (c0): unknown field 'elments'; did you mean 'elements'"},
    {"t.json", TENSOR(OMEGA ",\"elments\":null"), "unknown field 'elments'"},
    {"t.json", TENSOR(OMEGA OMEGA), "tensor 1 (c0): 'omega' is given twice"},
    {"t.json", TENSOR(""), "c0 has no sensitivity"},
    {"t.json", TENSOR(",\"trace\":1"), "c0 has no sensitivity"},
    {"t.json", TENSOR(",\"trace\":-1,\"range\":1"), "trace is '-1'; valid: a finite number, not negative"},
    {"t.json", TENSOR(",\"trace\":1,\"range\":1e999"), "range is 'inf'"},
    {"t.json", TENSOR(",\"trace\":1,\"range\":\"nan\""), "range is 'nan'"},
    {"t.json", TENSOR(",\"trace\":1,\"range\":1,\"choices\":[1,2]"), "no finite sensitivity at width 1"},
    {"t.json", TENSOR(",\"omega\":{\"4\":-0.1}"), "omega at width 4 is '-0.1"},
    {"t.json", TENSOR(",\"omega\":{\"4\":\"x\"}"), "omega at width 4 is not a number"},
    {"t.json", TENSOR(",\"omega\":{\"33\":1}"), "omega is given for width '33'; valid: 1 to 32"},
    {"t.json", TENSOR(",\"omega\":{\"4.5\":1}"), "omega is given for width '4.5'"},
    {"t.json", TENSOR(",\"omega\":[1]"), "omega must be an object"},
    {"t.json", TENSOR(OMEGA ",\"choices\":[4,6]"), "c0 has no omega at width 6"},
    {"t.json", TENSOR(OMEGA ",\"choices\":[4,4]"), "choices is '4-4'"},
    {"t.json", TENSOR(OMEGA ",\"choices\":[4,4.5]"), "choices is '4-4.5'"},
    {"t.json", TENSOR(OMEGA ",\"choices\":[]"), "choices must be an array of widths"},
    {"t.json", TENSOR(OMEGA ",\"choices\":4"), "choices must be an array of widths"},
    {"t.json", TENSOR(OMEGA ",\"costs\":{\"ms\":{\"4\":1}}"), "c0 has no ms at width 8"},
    {"t.json", TENSOR(OMEGA ",\"costs\":{\"ms\":{\"4\":1,\"8\":2,\"6\":1}}"), "c0 has no omega at width 6, only a cost"},
    {"t.json", TENSOR(OMEGA ",\"costs\":{\"ms\":{\"4\":1,\"8\":-2}}"), "ms at width 8 is '-2'"},
    {"t.json", TENSOR(OMEGA ",\"costs\":{\"ms\":3}"), "ms must be an object"},
    {"t.json", TENSOR(OMEGA ",\"costs\":{\"m s\":{\"4\":1,\"8\":1}}"), "a cost is called 'm s'"},
    {"t.json", TENSOR(OMEGA ",\"elements\":0"), "elements is '0'; valid: a whole number from 1"},
    {"t.json", TENSOR(OMEGA ",\"elements\":2.5"), "elements is '2.5'"},
    {"t.json", TENSOR(OMEGA ",\"macs\":[1]"), "macs must be a number or a text"},
    {"t.json", TENSOR(OMEGA ",\"signed\":2"), "signed is '2'; valid: true, false"},
    {"t.json", TENSOR(OMEGA ",\"group\":\"\""), "group is ''; it is empty"},
    {"t.json", TENSORS("{\"kind\":\"weight\"" OMEGA "}"), "tensor 1: the tensor has no name"},
    {"t.json", TENSORS("{\"name\":\"c0\"" OMEGA "}"), "c0 has no kind"},
    {"t.json", TENSORS("{\"name\":\"c0\",\"kind\":\"bias\"" OMEGA "}"), "kind is 'bias'; valid: weight, activation"},
    {"t.csv", "", "the table is empty"},
    {"t.csv", "name,kind,omega:4\n", "the table has no tensors"},
    {"t.csv", "name,kind,omega\n", "t.csv:1: omega has a column a width"},
    {"t.csv", "name,kind,omgea:4\n", "t.csv:1: unknown field 'omgea:4'"},
    {"t.csv", "name,kind,kind\n", "t.csv:1: column 'kind' is there twice"},
    {"t.csv", "name,kind,omega:4\na,weight,1\n\na,weight,2\n", "t.csv:4: the name 'a' is there already: "},
    {"t.csv", "name,kind,omega:4\na,weight,1,2\n", "t.csv:2: 4 fields, but the header has 3"},
    {"t.csv", "name,kind,omega:4\n\"a\nb,weight,1\n", "t.csv:2: a quoted field does not end"},
    {"t.csv", "name,kind,omega:4\na,weight,0x1\n", "t.csv:2: omega at width 4 is '0x1'"},
    {"t.csv", "name,kind,omega:4,group,omega:8\na,weight,1,g,\nb,weight,,g,1\n",
     "t.csv:2: the tensors of group 'g' have no width in common"},
    {"t.csv", "name,kind,layer,omega:4\na,weight,l,1\nb,weight,l,1\n", "t.csv:3: layer 'l' has a weight already, a"},
    {"t.csv", "name,kind,trace,range\na,weight,1,1\ng,gradient,1,1\n",
     "t.csv:3: trace times noise of gradient g is on another scale"},
    {"t.csv", "name,kind,omega:4\na,weight,1e308\nb,weight,1e308\n", "the sum of omega is too large"},
    {"t.csv", "name,kind,omega:4,cost:ms:4\na,weight,1,1e308\nb,weight,1,1e308\n", "the sum of ms is too large"},
    {"t.csv", "name,kind,omega:4,omega:8,cost:ms:4,cost:ms:8\na,weight,1,1,1,1\nb,weight,1,1,,1\n",
     "t.csv:3: b has no ms at width 4, only at other widths"},
};

Test(layer_table, bad_tables_are_refused_with_the_place)
{
    char *folder = temporary_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct layer_table table;
        struct error error = {""};
        char *path = write_file(folder, bad[i].name, bad[i].text);
        cr_expect(!layer_table_read(path, false, &table, &error), "taken: %s", bad[i].text);
        cr_expect(strstr(error.text, bad[i].words), "no '%s' in: %s", bad[i].words, error.text);
        free(path);
    }
    remove_folder(folder);
}

Test(layer_table, files_that_are_no_tables)
{
    struct layer_table table;
    struct error error;
    char *folder = temporary_folder(), *path = file_in(folder, "t.bin");
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite("a\0b", 1, 3, file) == 3 && fclose(file) == 0);
    cr_expect(!layer_table_read(path, false, &table, &error));
    cr_expect(strstr(error.text, "neither text (JSON, CSV) nor a run file"), "%s", error.text);
    cr_expect(!layer_table_read("/nonexistent/t.json", false, &table, &error));
    cr_expect(strstr(error.text, "cannot read /nonexistent/t.json"), "%s", error.text);
    cr_expect(!layer_table_read(folder, false, &table, &error) && strstr(error.text, "cannot read"), "%s", error.text);
    free(path);
    remove_folder(folder);
}

Test(layer_table, gradients_with_omega_may_stand_beside_others)
{
    struct layer_table table = table_of("t.csv", "name,kind,trace,range,omega:4\na,weight,1,1,\ng,gradient,,,2\n");
    cr_expect(omega(&table, 1, 4) == 2 && !table.noise);
    layer_table_free(&table);
    table = table_of("t.csv", "name,kind,trace,range\ng,gradient,1,1\n");
    cr_expect(table.noise && table.noise[0].offset == 2);
    layer_table_free(&table);
}

/* ---- costs ---- */

static void expect_no_budget(const struct layer_table *table, const char *text, const char *words)
{
    struct budget budget;
    struct error error;
    cr_expect(!layer_table_budget(table, text, &budget, &error), "%s", text);
    cr_expect(strstr(error.text, words), "no '%s' in: %s", words, error.text);
}

Test(layer_table, costs_that_a_table_lacks_fields_for)
{
    struct layer_table table = table_of("t.csv",
        "name,kind,elements,omega:4,omega:8,cost:ms:4,cost:ms:8,cost:weight_bytes:4,cost:weight_bytes:8\n"
        "a,weight,10,1,0,1,2,7,9\nb,weight,,1,0,1,3,7,9\n");
    struct budget budget;
    struct error error;
    expect_no_budget(&table, "numel_bits_w=4", "needs the field 'elements', which b does not have");
    expect_no_budget(&table, "bops=4", "needs the field 'macs', which a does not have");
    expect_no_budget(&table, "act_bytes_max=4", "about none of these tensors");
    expect_no_budget(&table, "latency=4", "has no latency: the cost latency_ms needs a table");
    expect_no_budget(&table, "mss=4", "did you mean 'ms'; valid: ms, weight_bytes, mean_bits, mean_bits_w");
    expect_no_budget(&table, "ms", "must be COST=AMOUNT");
    expect_no_budget(&table, "ms=0", "the limit of ms is '0'");
    expect_no_budget(&table, "ms=4x", "the limit of ms is '4x'");
    expect_no_budget(&table, "ms=nan", "the limit of ms is 'nan'");
    cr_assert(layer_table_budget(&table, "weight_bytes=1KiB", &budget, &error), "%s", error.text);
    cr_expect_eq(budget.limit, 1024);
    cr_expect_eq(budget_price(&budget, table.tensors, 2, (const float[]){4, 8}), 16, "the table's own");
    cr_assert(layer_table_budget(&table, "ms=50%", &budget, &error), "%s", error.text);
    cr_expect_eq(budget.limit, 2.5);
    cr_assert(layer_table_budget(&table, "mean_bits=50%", &budget, &error), "%s", error.text);
    cr_expect_eq(budget.limit, 4);
    layer_table_free(&table);
    table = table_of("t.csv", "name,kind,omega:4,cost:ms:4\na,weight,1,1\n");
    expect_no_budget(&table, "ms=50%", "a share of ms is of its sum at 8 bits, at which a has none");
    layer_table_free(&table);
}

/* What other kinds of tensors lack is no matter; of what the largest layer is, nobody knows without all of them. */
Test(layer_table, the_tensor_that_lacks_a_field_is_named)
{
    struct layer_table table = table_of("t.csv", "name,kind,elements,macs,omega:4\ni,activation,,,1\nj,activation,9,1,1\n"
                                                 "a,weight,7,1,1\nb,weight,,1,1\n");
    expect_no_budget(&table, "act_bytes_max=4", "needs the field 'elements', which i does not have");
    expect_no_budget(&table, "weight_bytes=4", "needs the field 'elements', which b does not have");
    expect_no_budget(&table, "bops=4", "needs the field 'macs', which i does not have");
    layer_table_free(&table);
    table = table_of("t.csv", "name,kind,omega:4\na,weight,1\n");
    expect_no_budget(&table, "numel_bits_w=4", "needs the field 'elements', which a does not have");
    expect_no_budget(&table, "bops=4", "needs the field 'macs', which a does not have");
    layer_table_free(&table);
    table = table_of("t.csv", "name,kind,elements,omega:4\ni,activation,,1\na,weight,7,1\n");
    struct budget budget;
    struct error error;
    cr_expect(layer_table_budget(&table, "weight_bytes=4", &budget, &error), "%s", error.text);
    layer_table_free(&table);
}

Test(layer_table, a_cost_with_a_built_in_namesake_is_told)
{
    struct layer_table table = table_of("t.csv", "name,kind,omega:4,cost:mean_bits:4\na,weight,1,1\n");
    cr_assert(table.note && strstr(table.note, "mean_bits is what the table gives, not the built-in"), "%s", table.note);
    layer_table_free(&table);
}

/* As where the latencies of layers stand with their weights. */
Test(layer_table, tensors_without_a_tabled_cost_cost_nothing)
{
    struct layer_table table = table_of("t.json", TENSORS(
        "{\"name\":\"a\",\"kind\":\"weight\",\"elements\":8" OMEGA ",\"costs\":{\"ms\":{\"4\":1,\"8\":3}}},"
        "{\"name\":\"i\",\"kind\":\"activation\"" OMEGA "}"));
    struct budget budget;
    struct error error;
    double least, most;
    cr_assert(table.note && strstr(table.note, "1 of 2 tensors (i) have no ms, so they cost nothing"), "%s", table.note);
    cr_assert(layer_table_budget(&table, "weight_bytes=8", &budget, &error), "%s", error.text);
    cr_assert(layer_table_budget(&table, "ms=50%", &budget, &error), "%s", error.text);
    cr_expect_eq(budget.limit, 1.5);
    cr_expect_eq(budget_price(&budget, table.tensors, 2, (const float[]){4, 8}), 1);
    layer_table_range(&table, &budget, &least, &most);
    cr_expect(least == 1 && most == 3, "%g %g", least, most);
    layer_table_free(&table);
}

/* Tied tensors share widths; a measured cost may fall with the width. */
Test(layer_table, feasible_range)
{
    struct layer_table table = table_of("t.csv",
        "name,kind,group,choices,omega:2,omega:4,omega:8,cost:ms:2,cost:ms:4,cost:ms:8\n"
        "a,weight,g,2-4-8,1,1,1,9,5,7\nb,weight,g,4-8,1,1,1,,1,2\nc,weight,,2-8,1,1,1,3,,1\n");
    struct budget budget;
    struct error error;
    double least, most;
    cr_assert(layer_table_budget(&table, "ms=1", &budget, &error), "%s", error.text);
    layer_table_range(&table, &budget, &least, &most);
    cr_expect(least == 6 + 1 && most == 9 + 3, "%g %g", least, most);
    cr_expect_eq(tied_choices(table.tensors, table.count, 0), (uint64_t)1 << 4 | (uint64_t)1 << 8);
    layer_table_free(&table);
}

/* ---- run files ---- */

static char *write_run(const char *folder, bool traces)
{
    struct record run = {0};
    struct error error;
    const size_t shape[2] = {2, 3};
    record_text(&run, "/id", "00000000000000a1", "run");
    record_text(&run, "/status", "done", "how the run ended");
    record_text(&run, "/settings/allocator", "qbitopt", "setting");
    record_text(&run, "/settings/min_bits", "3", "setting");
    record_text(&run, "/settings/max_bits", "6", "setting");
    record_text(&run, "/settings/pin", "first.*=8", "setting");
    record_put(&run, "/tensors/name", RECORD_TEXT, 1, &shape[1],
               (const char *[]){"fc.weight", "fc.input", "fc.gradient"}, "", "");
    record_put(&run, "/tensors/kind", RECORD_TEXT, 1, &shape[1],
               (const char *[]){"weight", "activation", "gradient"}, "", "");
    record_put(&run, "/tensors/layer", RECORD_I64, 1, &shape[1], (const int64_t[]){0, 0, 0}, "", "");
    record_put(&run, "/tensors/elements", RECORD_I64, 1, &shape[1], (const int64_t[]){20, 5, 4}, "", "");
    record_put(&run, "/tensors/macs", RECORD_F64, 1, &shape[1], (const double[]){20, 20, 20}, "", "");
    record_put(&run, "/bits/final", RECORD_F32, 1, &shape[1], (const float[]){3, 4, 5}, "", "");
    record_put(&run, "/reallocation/trace", RECORD_F64, 2, shape,
               (const double[]){7, 7, 7, traces ? 12 : NAN, 24, 9}, "", "");
    record_put(&run, "/reallocation/range", RECORD_F64, 2, shape, (const double[]){1, 1, 1, 3, 3, 1}, "", "");
    record_put(&run, "/reallocation/signed", RECORD_I8, 2, shape, (const int8_t[]){1, 1, 1, 1, 0, 1}, "", "");
    char *path = file_in(folder, "run.h5");
    cr_assert(store_write(path, &run, &error), "%s", error.text);
    record_free(&run);
    return path;
}

Test(layer_table, a_run_file)
{
    struct layer_table table;
    struct error error;
    char *folder = temporary_folder(), *path = write_run(folder, true);
    cr_assert(layer_table_read(path, false, &table, &error), "%s", error.text);
    cr_assert_eq(table.count, 2, "gradients have another scale");
    cr_expect_str_eq(table.names[1], "fc.input");
    cr_expect_eq(table.tensors[0].choices, (uint64_t)0x78, "3 to 6");
    expect_near(omega(&table, 0, 3), 1);
    expect_near(omega(&table, 1, 3), 24 * pow(3.0 / 7, 2) / 12);
    cr_expect(table.tensors[0].layer == table.tensors[1].layer && table.tensors[0].macs == 20);
    cr_expect(strstr(table.note, "gradients are left out") && strstr(table.note, "pin=first.*=8 is not in force"), "%s",
              table.note);
    layer_table_free(&table);
    free(path);
    path = write_run(folder, false);
    cr_expect(!layer_table_read(path, false, &table, &error));
    cr_expect(strstr(error.text, "fc.weight has no trace or range"), "%s", error.text);
    cr_expect(strstr(error.text, "qbitopt measures no sensitivities"), "%s", error.text);
    free(path);
    remove_folder(folder);
}
