/* SPDX-License-Identifier: GPL-3.0-or-later
 * The cases that the HDQT authors' code computed, through the code that training uses, on every instruction set. */
#include "../bench/kernels/kernels.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct command cmd_reference;

static void expect_agreement(const char *isa)
{
    setenv("BITSWEEP_ISA", isa, 1);
    char *path = shared_file("reference/hdqt_linear_reference.h5");
    if (strcmp(kernels()->isa, isa) != 0)
        skip_test("this machine has no %s: the reference cases are not run on it", isa);
    expect_output(&cmd_reference, path, "60 of 60 cases agree\n");
    free(path);
}

Test(reference, every_case_agrees_in_scalar) { expect_agreement("scalar"); }
Test(reference, every_case_agrees_in_avx2) { expect_agreement("avx2"); }
Test(reference, every_case_agrees_in_avx512vnni) { expect_agreement("avx512vnni"); }

/* A copy of the reference file, open for changes; *folder and *path are new. */
static hid_t open_copy(char **folder, char **path)
{
    char *original = shared_file("reference/hdqt_linear_reference.h5");
    size_t size;
    char *bytes = read_bytes(original, &size);
    *folder = temporary_folder();
    *path = format_text("%s/changed.h5", *folder);
    FILE *copy = fopen(*path, "wb");
    cr_assert(copy && fwrite(bytes, 1, size, copy) == size && fclose(copy) == 0);
    free(bytes);
    free(original);
    return H5Fopen(*path, H5F_ACC_RDWR, H5P_DEFAULT);
}

static void drop_copy(char *folder, char *path)
{
    free(path);
    remove_folder(folder);
}

/* Adds to the first value of a data set of case c000. */
static void change_first(hid_t file, const char *name, float by)
{
    float values[64]; /* 8 × 8 */
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    cr_assert(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    values[0] += by;
    cr_assert(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
}

Test(reference, one_wrong_result_or_code_is_found)
{
    static const struct { const char *name; float by; } changes[] = {
        {"c000/y", 1}, {"c000/dx", 1}, {"c000/dw", 1}, {"c000/x_q", 1}, {"c000/w_q", 1}, {"c000/dx", NAN},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *folder, *path;
        hid_t file = open_copy(&folder, &path);
        change_first(file, changes[i].name, changes[i].by);
        H5Fclose(file);
        struct outcome outcome = run_verb(&cmd_reference, path);
        cr_assert_eq(outcome.code, EXIT_TROUBLE, "%s", changes[i].name);
        cr_assert(strncmp(outcome.out, "c000: ", 6) == 0 && strstr(outcome.out, "\n59 of 60 cases agree\n"), "%s: %s",
                  changes[i].name, outcome.out);
        outcome_free(&outcome);
        drop_copy(folder, path);
    }
}

Test(reference, bad_files_are_errors_with_their_place)
{
    char *folder, *path;
    hid_t file = open_copy(&folder, &path);
    H5Adelete_by_name(file, "c003", "quantile", H5P_DEFAULT);
    H5Fclose(file);
    struct outcome outcome = run_verb(&cmd_reference, path);
    cr_assert(outcome.code == EXIT_USAGE && strstr(outcome.errors, "/c003") && strstr(outcome.errors, "quantile"), "%s",
              outcome.errors);
    outcome_free(&outcome);
    drop_copy(folder, path);

    file = open_copy(&folder, &path);
    H5Ldelete(file, "c004/w", H5P_DEFAULT);
    H5Fclose(file);
    outcome = run_verb(&cmd_reference, path);
    cr_assert(outcome.code == EXIT_USAGE && strstr(outcome.errors, "/c004/w"), "%s", outcome.errors);
    outcome_free(&outcome);
    drop_copy(folder, path);

    file = open_copy(&folder, &path);
    int64_t negative = -8;
    H5Adelete_by_name(file, "c005", "M", H5P_DEFAULT);
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(file, "c005", "M", H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert(H5Awrite(attribute, H5T_NATIVE_INT64, &negative) >= 0);
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Fclose(file);
    outcome = run_verb(&cmd_reference, path);
    cr_assert(outcome.code == EXIT_USAGE && strstr(outcome.errors, "/c005: M -8"), "%s", outcome.errors);
    outcome_free(&outcome);
    drop_copy(folder, path);

    expect_trouble(&cmd_reference, "/nowhere/file.h5", EXIT_USAGE, "/nowhere/file.h5");
}
