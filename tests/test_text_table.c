/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading rows of values from a text: against strtod, and the places that errors name. */
#include "../datasets/text_table.h"
#include "support.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bytes_read leaves room for a '\0' behind the content, so this does too. */
static struct bytes bytes_of(const char *text)
{
    struct bytes bytes = {.data = xmalloc(strlen(text) + 1), .size = strlen(text)};
    memcpy(bytes.data, text, bytes.size);
    return bytes;
}

static bool read_one(const char *number, bool missing, double *value, struct error *error)
{
    struct bytes bytes = bytes_of(number);
    struct text text;
    text_begin(&text, "file", &bytes, ',', 1);
    text.missing = missing;
    bool ok = text_more(&text) && text_numbers(&text, 1, value, error) && text_end_row(&text, error);
    bytes_free(&bytes);
    return ok;
}

/* Short numbers as strtod has them, bit for bit; long ones to the last but one bit. */
Test(text_table, numbers)
{
    static const char *const exact[] = {"0", "-0", "1", "+7", "007", ".5", "5.", "-.25", "0.1", "8.1305", "-0.003424",
        "123456789012345", "0.000000000012345", "2.8858451e-001", "-2.0294171e-002", "1e22", "1E-22", "9007199254740991",
        "1e0", "3.0e+5"};
    static const char *const near[] = {"0.9180555898766518", "-0.1124999994242935", "0.30000000000000004441", "1e30",
        "1.5e-30", "123456789012345678901234567890", "0.000000000000000000000000000000123456789", "3.4e38", "1e-300",
        "1e-4000", "12345678901234567890123456789e-25"};
    struct error error;
    double value;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        cr_assert(read_one(exact[i], false, &value, &error), "%s: %s", exact[i], error.text);
        double expected = strtod(exact[i], NULL);
        cr_expect(memcmp(&value, &expected, sizeof value) == 0, "%s: %.17g", exact[i], value);
    }
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        cr_assert(read_one(near[i], false, &value, &error), "%s: %s", near[i], error.text);
        double expected = strtod(near[i], NULL);
        cr_expect(fabs(value - expected) <= 4e-16 * fabs(expected), "%s: %.17g", near[i], value);
    }
    char text[64];
    for (uint64_t i = 0; i < 2000; i++) {
        double number = ldexp(rng_normal(7, i), (int)(rng_bits(8, i) % 40) - 20);
        snprintf(text, sizeof text, i % 2 ? "%.15g" : "%.9e", number);
        cr_assert(read_one(text, false, &value, &error), "%s: %s", text, error.text);
        cr_expect(value == strtod(text, NULL), "%s: %.17g", text, value);
    }
}

Test(text_table, what_is_no_number)
{
    static const struct { const char *text, *expected; } bad[] = {
        {"x", "file:1:1: value 1 of the row is 'x'; valid: a number"},
        {"1x", "value 1 of the row is '1x'"},
        {"-", "value 1 of the row is '-'"},
        {".", "value 1 of the row is '.'"},
        {"1e", "value 1 of the row is '1e'"},
        {"1.2.3", "value 1 of the row is '1.2.3'"},
        {"?", "value 1 of the row is '?'"},
        {"NaN", "value 1 of the row is 'NaN'; valid: a number"},
        {"inf", "value 1 of the row is 'inf'"},
        {"0x10", "value 1 of the row is '0x10'"},
        {"1e39", "value 1 of the row is '1e39'; valid: a finite float32"},
        {"-1e99999", "valid: a finite float32"},
        {",1", "value 1 of the row is empty"},
        {"1,2", "file:1:2: the row has more than 1 values; valid: 1"},
        {"1 2", "file:1:3: the row has more than 1 values; valid: 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {""};
        double value;
        cr_expect(!read_one(bad[i].text, false, &value, &error), "%s was accepted", bad[i].text);
        cr_expect(strstr(error.text, bad[i].expected) != NULL, "expected '%s' in: %s", bad[i].expected, error.text);
    }
}

Test(text_table, missing_values)
{
    static const char *const spellings[] = {"NaN", "nan", "NAN"};
    struct error error = {""};
    double value;
    for (size_t i = 0; i < 3; i++) {
        cr_expect(read_one(spellings[i], true, &value, &error) && isnan(value), "%s", spellings[i]);
    }
    cr_expect(!read_one("nano", true, &value, &error) && strstr(error.text, "valid: a number or NaN"), "%s", error.text);
}

/* Blank lines, blanks around values, carriage returns and a last line without an end. */
Test(text_table, layout)
{
    struct bytes bytes = bytes_of("\n 1 , 2\r\n\n\t3,4 \n  \n5,6");
    struct text text;
    struct error error = {""};
    double row[2], next = 1;
    size_t rows = 0;
    for (text_begin(&text, "file", &bytes, ',', 2); text_more(&text); rows++) {
        cr_assert(text_numbers(&text, 2, row, &error) && text_end_row(&text, &error), "%s", error.text);
        cr_expect(row[0] == next && row[1] == next + 1);
        next += 2;
    }
    cr_expect_eq(rows, 3);
    bytes_free(&bytes);
    bytes = bytes_of("  1  -2\t3\n\n4 5 6   \n");
    rows = 0;
    for (text_begin(&text, "file", &bytes, ' ', 3); text_more(&text); rows++) {
        double values[3];
        cr_assert(text_numbers(&text, 3, values, &error) && text_end_row(&text, &error), "%s", error.text);
        cr_expect_eq(values[2], rows ? 6 : 3);
    }
    cr_expect_eq(rows, 2);
    bytes_free(&bytes);
}

/* The third line's second value is bad, at byte 4 of the line; then the line is too short. */
Test(text_table, places)
{
    struct bytes bytes = bytes_of("1,2\n3,4\n50,oh\n");
    struct text text;
    struct error error = {""};
    double row[2];
    text_begin(&text, "some/file", &bytes, ',', 2);
    while (text_more(&text) && text_numbers(&text, 2, row, &error) && text_end_row(&text, &error))
        ;
    cr_expect_str_eq(error.text, "some/file:3:4: value 2 of the row is 'oh'; valid: a number");
    bytes_free(&bytes);
    bytes = bytes_of("1,2\n30\n");
    text_begin(&text, "some/file", &bytes, ',', 2);
    while (text_more(&text) && text_numbers(&text, 2, row, &error) && text_end_row(&text, &error))
        ;
    cr_expect_str_eq(error.text, "some/file:2:3: the row has 1 value; valid: 2");
    bytes_free(&bytes);
}

Test(text_table, words_and_whole_numbers)
{
    struct bytes bytes = bytes_of("walk, 12 ,2.5\nrun,99\n");
    struct text text;
    struct error error = {""};
    char word[8];
    long whole;
    text_begin(&text, "f", &bytes, ',', 3);
    cr_assert(text_more(&text) && text_word(&text, word, sizeof word, &error));
    cr_assert(text_whole(&text, "a user", 1, 30, &whole, &error));
    cr_expect(strcmp(word, "walk") == 0 && whole == 12);
    cr_expect(!text_whole(&text, "a user", 1, 30, &whole, &error));
    cr_expect_str_eq(error.text, "f:1:11: value 3 of the row is '2.5'; valid: a user, a whole number from 1 to 30");
    text_skip_row(&text);
    cr_assert(text_more(&text) && text_word(&text, word, 3, &error));
    cr_expect_str_eq(word, "ru");
    cr_expect(!text_whole(&text, "a user", 1, 30, &whole, &error));
    cr_expect(strstr(error.text, "f:2:5: ") == error.text, "%s", error.text);
    bytes_free(&bytes);
}
