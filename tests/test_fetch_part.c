/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep data fetch`: downloads that were interrupted, and files that are not what they should be. */
#include "dataset_files.h"
#include "fetch_support.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <md5.h>
#include <sha2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern const struct command cmd_data;
TestSuite(fetch_part, .init = be_quiet);
TestSuite(fetch_sums, .init = be_quiet);

/* ---- interrupted downloads ---- */

#define CUT 10000

static void claim_address(const struct place *place, const struct http_server *server, const char *validator)
{
    char *text = format_text("%s/made.zip\n%s\n", server->address, validator);
    free(write_file(place->to, ".fetched/made/made.zip.part.origin", text));
    free(text);
}

/* A first fetch whose connection is cut. */
static void fetch_a_part(struct place *place)
{
    struct error error;
    serve_made(place, 1);
    place->manners.cut_after = CUT;
    cr_assert(!fetch_from(place, &made, false, &error));
    cr_expect_not_null(strstr(error.text, "the connection was cut"), "%s", error.text);
    cr_expect_eq(size_of(place->to, ".fetched/made/made.zip.part"), CUT);
    place->manners.cut_after = 0;
}

/* The second one, which must ask with this text and end with the served bytes. The address counts, so what came from the
 * first server is said to come from this one, with this validator; NULL: it is not. */
static void fetch_the_rest(const struct place *place, const char *validator, const char *asked)
{
    struct http_server server = http_start(&place->manners);
    struct fetch_request request = {.to = place->to, .mirror = server.address, .keep = true};
    struct error error;
    if (validator)
        claim_address(place, &server, validator);
    cr_expect(fetch(&made, &request, &error), "%s", error.text);
    char *requests = http_requests(&server);
    cr_expect_str_eq(requests, asked);
    expect_same_bytes(place, "made.zip");
    http_stop(&server);
    free(requests);
}

Test(fetch_part, a_cut_download_goes_on_where_it_stopped)
{
    struct place place = make_place();
    fetch_a_part(&place);
    size_t size;
    char *path = file_in(place.to, ".fetched/made/made.zip.part.origin"), *origin = read_bytes(path, &size);
    cr_expect_not_null(strstr(origin, "/made.zip\n\"one\"\n"), "%s", origin);
    fetch_the_rest(&place, "\"one\"", "GET /made.zip range=bytes=10000- if-range=\"one\"\n");
    cr_expect(there(&place, "made-folder/big.txt"));
    free(path);
    free(origin);
    remove_place(&place);
}

Test(fetch_part, bytes_that_are_kept_are_said)
{
    struct place place = make_place();
    struct error error;
    serve_made(&place, 1);
    place.manners.cut_after = CUT;
    fetch_from(&place, &made, false, &error);
    cr_expect_not_null(strstr(error.text, "10000 bytes are kept, and the same command goes on"), "%s", error.text);
    place.manners.tag = NULL; /* no way to know that it is the same file later */
    fetch_from(&place, &made, false, &error);
    cr_expect_null(strstr(error.text, "are kept"), "%s", error.text);
    remove_place(&place);
}

Test(fetch_part, a_server_without_ranges_sends_the_whole)
{
    struct place place = make_place();
    fetch_a_part(&place);
    place.manners.no_ranges = true;
    fetch_the_rest(&place, "\"one\"", "GET /made.zip range=bytes=10000- if-range=\"one\"\n");
    remove_place(&place);
}

Test(fetch_part, a_file_that_changed_meanwhile_is_begun_again)
{
    struct place place = make_place();
    fetch_a_part(&place);
    serve_made(&place, 2);
    place.manners.tag = "\"two\"";
    fetch_the_rest(&place, "\"one\"", "GET /made.zip range=bytes=10000- if-range=\"one\"\n");
    remove_place(&place);
}

Test(fetch_part, without_a_validator_it_is_begun_again)
{
    struct place place = make_place();
    place.manners.tag = "W/\"weak\""; /* does not promise equal bytes */
    fetch_a_part(&place);
    fetch_the_rest(&place, NULL, "GET /made.zip range= if-range=\n");
    remove_place(&place);
}

Test(fetch_part, a_part_of_another_address_is_begun_again)
{
    struct place place = make_place();
    fetch_a_part(&place);
    free(write_file(place.to, ".fetched/made/made.zip.part.origin", "http://other.invalid/made.zip\n\"one\"\n"));
    fetch_the_rest(&place, NULL, "GET /made.zip range= if-range=\n");
    remove_place(&place);
}

Test(fetch_part, a_part_as_long_as_the_file_is_begun_again)
{
    struct place place = make_place();
    fetch_a_part(&place);
    char *part = file_in(place.to, ".fetched/made/made.zip.part");
    off_t size = size_of(place.served, "made.zip");
    cr_assert_eq(truncate(part, size), 0);
    char *asked = format_text("GET /made.zip range=bytes=%lld- if-range=\"one\"\nGET /made.zip range= if-range=\n",
                              (long long)size);
    fetch_the_rest(&place, "\"one\"", asked);
    free(asked);
    free(part);
    remove_place(&place);
}

Test(fetch_part, a_rest_of_other_bytes_is_refused)
{
    struct place place = make_place();
    struct error error;
    fetch_a_part(&place);
    place.manners.wrong_ranges = true;
    struct http_server server = http_start(&place.manners);
    struct fetch_request request = {.to = place.to, .mirror = server.address};
    claim_address(&place, &server, "\"one\"");
    cr_expect(!fetch(&made, &request, &error));
    cr_expect_not_null(strstr(error.text, "not the bytes from 10000 on"), "%s", error.text);
    cr_expect_eq(size_of(place.to, ".fetched/made/made.zip.part"), CUT);
    http_stop(&server);
    remove_place(&place);
}

Test(fetch_part, a_complete_archive_needs_no_server)
{
    struct place place = make_place();
    struct error error;
    serve_made(&place, 1);
    char *state = file_in(place.to, ".fetched/made/unpacked"), *junk = format_text("mkdir -p %s", state);
    run_shell(junk); /* freed */
    free(write_file(state, "junk", "of a process that was killed while it unpacked"));
    run_shell(format_text("cp %s/made.zip %s/.fetched/made/", place.served, place.to));
    struct fetch_request request = {.to = place.to};
    cr_expect(fetch(&made, &request, &error), "%s", error.text);
    cr_expect(there(&place, "made-folder/big.txt") && !there(&place, "made-folder/junk"));
    free(state);
    remove_place(&place);
}

Test(fetch_part, a_file_that_cannot_be_written_is_reported)
{
    struct place place = make_place();
    struct rlimit limit = {.rlim_cur = 5000, .rlim_max = RLIM_INFINITY};
    serve_made(&place, 1);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    expect_refusal(&place, &made, "made.zip.part: File too large");
    remove_place(&place);
}

/* ---- sums ---- */

Test(fetch_sums, other_bytes_than_published_are_set_aside)
{
    struct place place = make_place();
    char *path = file_in(place.served, "cifar-100-binary.tar.gz"), sum[MD5_DIGEST_STRING_LENGTH];
    pack(path, PACK_TAR_GZ, ENTRIES({"cifar-100-binary/train.bin", "not it", 0}, {"cifar-100-binary/test.bin", "", 0}));
    MD5File(path, sum);
    struct http_server server = http_start(&place.manners);
    char *arguments = format_text("fetch cifar100 --to %s --mirror %s", place.to, server.address);
    struct outcome outcome = run_verb(&cmd_data, arguments);
    cr_expect_eq(outcome.code, EXIT_TROUBLE);
    cr_expect_str_eq(outcome.out, "");
    const char *const said[] = {sum, "03b5dce01913d631647c71ecec9e9cb8", "set aside", "--from cifar-100-binary.tar.gz",
                                "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        cr_expect_not_null(strstr(outcome.errors, said[i]), "no %s in: %s", said[i], outcome.errors);
    cr_expect(there(&place, ".fetched/cifar100/cifar-100-binary.tar.gz.refused"));
    cr_expect(!there(&place, ".fetched/cifar100/cifar-100-binary.tar.gz"));
    cr_expect(!there(&place, ".fetched/cifar100/cifar-100-binary.tar.gz.sha256"));
    cr_expect(!there(&place, "cifar-100-binary"));
    outcome_free(&outcome);
    http_stop(&server);
    free(arguments);
    free(path);
    remove_place(&place);
}

Test(fetch_sums, another_file_than_the_first_is_refused)
{
    struct place place = make_place();
    struct error error;
    char *path = file_in(place.served, "made.zip"), first[SHA256_DIGEST_STRING_LENGTH], second[SHA256_DIGEST_STRING_LENGTH];
    pack(path, PACK_ZIP, ENTRIES({"mark.txt", "first", 0}));
    SHA256File(path, first);
    fetch_or_fail(&place, &made, false);
    fetch_or_fail(&place, &made, true); /* the same bytes */
    pack(path, PACK_ZIP, ENTRIES({"mark.txt", "second", 0}));
    SHA256File(path, second);
    cr_expect(!fetch_from(&place, &made, true, &error));
    cr_expect(strstr(error.text, first) && strstr(error.text, second), "%s", error.text);
    expect_text(&place, "made-folder/mark.txt", "first");
    char *record = file_in(place.to, ".fetched/made/made.zip.sha256");
    unlink(record); /* as the error says */
    fetch_or_fail(&place, &made, true);
    expect_text(&place, "made-folder/mark.txt", "second");
    free(record);
    free(path);
    remove_place(&place);
}

Test(fetch_sums, nothing_is_recorded_of_what_is_not_the_set)
{
    struct place place = make_place();
    free(write_file(place.served, "made.zip", "<html>Please log in</html>"));
    expect_refusal(&place, &made, "no zip or tar archive");
    char *path = file_in(place.served, "made.zip");
    pack(path, PACK_ZIP, ENTRIES({"other.txt", "text", 0}));
    expect_refusal(&place, &made, "nothing in it is called mark.txt");
    cr_expect(!there(&place, ".fetched/made/made.zip.sha256"));
    cr_expect(!there(&place, "made-folder"));
    free(path);
    remove_place(&place);
}

Test(fetch_sums, a_damaged_archive_is_refused)
{
    struct place place = make_place();
    serve_made(&place, 1);
    char *path = file_in(place.served, "made.zip");
    FILE *file = fopen(path, "r+b");
    fseek(file, 5000, SEEK_SET);
    fputs("damage", file);
    fclose(file);
    expect_refusal(&place, &made, "made.zip is damaged");
    cr_expect(!there(&place, "made-folder") && !there(&place, ".fetched/made/unpacked"));
    free(path);
    remove_place(&place);
}

Test(fetch_sums, a_page_instead_of_a_gzip_file_is_refused)
{
    struct place place = make_place();
    static const struct source plain = {.name = "plain", .files = {{"one.gz", NULL}, {"two.gz", NULL}}, .folder = "plain",
                                        .mark = "one.gz"};
    run_shell(format_text("echo one | gzip >%s/one.gz", place.served));
    free(write_file(place.served, "two.gz", "<html>"));
    expect_refusal(&place, &plain, "two.gz is no gzip file");
    cr_expect(there(&place, ".fetched/plain/one.gz"), "what was good is downloaded again");
    cr_expect(there(&place, ".fetched/plain/two.gz.refused"));
    remove_place(&place);
}
