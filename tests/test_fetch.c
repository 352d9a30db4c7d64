/* SPDX-License-Identifier: GPL-3.0-or-later
 * `bitsweep data fetch` against a server on this machine: whole downloads, refusals, files at hand, options. */
#include "../bench/plugins.h"
#include "../bench/settings.h"
#include "dataset_files.h"
#include "fetch_support.h"
#include "support.h"
#include "verbs.h"
#include <criterion/criterion.h>
#include <md5.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct command cmd_data;
TestSuite(fetch, .init = be_quiet);

#define DSADS "daily+and+sports+activities.zip"
#define WISDM "wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip"

/* ---- whole downloads ---- */

Test(fetch, a_set_is_downloaded_verified_and_unpacked)
{
    struct place place = make_place();
    char *path = file_in(place.served, DSADS), sum[SHA256_DIGEST_STRING_LENGTH];
    pack(path, PACK_ZIP, ENTRIES({"data/a01/p1/s01.txt", "1,2,3\n", 0}, {"data/a19/p8/s60.txt", "4\n", 0}));
    SHA256File(path, sum);
    struct http_server server = http_start(&place.manners);
    char *arguments = format_text("fetch dsads --to %s --mirror %s", place.to, server.address);
    char *out = output_of(&cmd_data, arguments);
    cr_expect_not_null(strstr(out, "/dsads\n"), "%s", out);
    cr_expect_not_null(strstr(out, sum), "%s", out);
    cr_expect_not_null(strstr(out, "the provider publishes no sum"), "%s", out);
    expect_text(&place, "dsads/data/a01/p1/s01.txt", "1,2,3\n");
    expect_text(&place, "dsads/data/a19/p8/s60.txt", "4\n");
    char *record = format_text("%s  %s\n", sum, DSADS);
    expect_text(&place, ".fetched/dsads/" DSADS ".sha256", record);
    const char *const gone[] = {DSADS, "", ".part", ".part.origin"};
    for (size_t i = 1; i < sizeof gone / sizeof *gone; i++) {
        char *file = format_text(".fetched/dsads/%s%s", gone[0], gone[i]);
        cr_expect(!there(&place, file), "%s is left", file);
        free(file);
    }
    cr_expect(!there(&place, ".fetched/dsads/unpacked"));
    http_stop(&server);
    char *again = output_of(&cmd_data, arguments); /* without any server */
    cr_expect_not_null(strstr(again, "is there already"), "%s", again);
    free(again);
    free(record);
    free(out);
    free(arguments);
    free(path);
    remove_place(&place);
}

Test(fetch, redirections_are_followed)
{
    struct place place = make_place();
    struct error error;
    serve_made(&place, 1);
    struct http_server server = http_start(&place.manners);
    char *mirror = format_text("%s/moved/", server.address);
    struct fetch_request request = {.to = place.to, .mirror = mirror};
    cr_expect(fetch(&made, &request, &error), "%s", error.text);
    expect_text(&place, "made-folder/mark.txt", "mark");
    http_stop(&server);
    free(mirror);
    remove_place(&place);
}

Test(fetch, zips_inside_zips_are_opened)
{
    struct place place = make_place();
    char *inner = file_in(place.served, "wisdm-dataset.zip");
    pack(inner, PACK_ZIP, ENTRIES({"wisdm-dataset/arff_files/phone/accel/data_1600_accel_phone.arff", "@data\n", 0},
                                  {"__MACOSX/wisdm-dataset/._x", "x", 0}));
    pack_around(place.served, WISDM, "wisdm-dataset.zip");
    fetch_or_fail(&place, source_find("wisdm"), false);
    expect_text(&place, "wisdm-dataset/arff_files/phone/accel/data_1600_accel_phone.arff", "@data\n");
    cr_expect(!there(&place, "wisdm-dataset/__MACOSX"));
    free(inner);
    remove_place(&place);
}

Test(fetch, tar_archives_of_both_kinds_are_unpacked)
{
    for (enum packing packing = PACK_TAR_GZ; packing <= PACK_TAR_XZ; packing++) {
        struct place place = make_place();
        char *path = file_in(place.served, "made.zip"); /* the content decides, not the name */
        pack(path, packing, ENTRIES({"mark.txt", "mark", 0}, {"./below/file.txt", "text", 0}));
        fetch_or_fail(&place, &made, false);
        expect_text(&place, "made-folder/below/file.txt", "text");
        free(path);
        remove_place(&place);
    }
}

/* What the loaders of these sets find is what was fetched. */
Test(fetch, the_loader_finds_mnist)
{
    struct place place = make_place();
    struct dataset dataset;
    char *folder = file_in(place.served, "mnist");
    write_idx_set(place.served, true);
    place.manners.folder = folder;
    fetch_or_fail(&place, source_find("mnist"), false);
    setenv("BITSWEEP_DATA", place.to, 1);
    load_or_fail(&dataset_mnist, "mnist", &dataset);
    cr_expect_eq(dataset.train.count, MADE_TRAIN);
    dataset_free(&dataset);
    free(folder);
    remove_place(&place);
}

Test(fetch, the_loader_finds_cifar100)
{
    struct place place = make_place();
    struct dataset dataset;
    struct source source = *source_find("cifar100");
    char sum[MD5_DIGEST_STRING_LENGTH], record[3075], *path = file_in(place.served, source.files[0].name);
    memset(record, 1, sizeof record);
    record[sizeof record - 1] = '\0'; /* a record of 3074 bytes as text */
    record[0] = 19;
    pack(path, PACK_TAR_GZ, ENTRIES({"cifar-100-binary/train.bin", record, 0}, {"cifar-100-binary/test.bin", record, 0}));
    source.files[0].md5 = MD5File(path, sum);
    fetch_or_fail(&place, &source, false);
    setenv("BITSWEEP_DATA", place.to, 1);
    struct settings settings = settings_of("dataset", "cifar100", "labels", "coarse", NULL);
    struct error error;
    cr_assert(dataset_cifar100.load(&settings, &dataset, &error), "%s", error.text);
    cr_expect_eq(dataset.train.y[0], 19);
    dataset_free(&dataset);
    free(path);
    remove_place(&place);
}

/* Of every set the loader finds the folder, whatever else it misses there. */
Test(fetch, every_loader_looks_where_its_set_is_put)
{
    for (const struct source *known = sources; known->name; known++) {
        struct place place = make_place();
        struct source source = *known;
        struct dataset dataset;
        struct error error;
        char *path = file_in(place.served, "x"), *inside = format_text("top/%s", source.mark), *key;
        source.files[0] = (struct source_file){.name = "x"};
        source.files[1].name = NULL;
        source.archive = true;
        pack_bytes(path, PACK_ZIP, inside, "?", 1);
        fetch_or_fail(&place, &source, false);
        setenv("BITSWEEP_DATA", place.to, 1);
        const struct dataset_ops *ops = (const struct dataset_ops *)plug_find(PLUG_DATASET, source.name);
        cr_assert_not_null(ops, "no data set %s", source.name);
        struct settings settings = make_settings(key = format_text("dataset=%s", source.name), "allocator=none", NULL);
        cr_expect(!ops->describe(&settings, &dataset, &error), "%s: a file with one byte is a set", source.name);
        cr_expect_null(strstr(error.text, "no folder"), "%s", error.text);
        settings_free(&settings);
        free(key);
        free(path);
        free(inside);
        remove_place(&place);
    }
}

/* ---- refusals ---- */

Test(fetch, servers_that_have_nothing_are_named)
{
    struct place place = make_place();
    struct error error;
    expect_refusal(&place, &made, "/made.zip: the server answers 404, no such file");
    cr_expect(!there(&place, ".fetched/made/made.zip.part"));
    struct http_server server = http_start(&place.manners);
    http_stop(&server); /* its port is free now */
    struct fetch_request request = {.to = place.to, .mirror = server.address};
    cr_expect(!fetch(&made, &request, &error));
    cr_expect_not_null(strstr(error.text, "no server answers there"), "%s", error.text);
    request.mirror = NULL;
    cr_expect(!fetch(&made, &request, &error)); /* .invalid never exists: RFC 6761 */
    cr_expect_not_null(strstr(error.text, "unused.invalid/made.zip: the host's name is not known here"), "%s", error.text);
    remove_place(&place);
}

Test(fetch, archives_that_reach_outside_are_refused)
{
    static const struct entry bad[] = {
        {"../evil.txt", "evil", ENTRY_FILE},
        {"below/../../evil.txt", "evil", ENTRY_FILE},
        {"/tmp/bitsweep-evil.txt", "evil", ENTRY_FILE},
        {"..", "evil", ENTRY_FILE},
        {"link", "/tmp", ENTRY_SYMLINK},
        {"link", "mark.txt", ENTRY_HARDLINK},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct place place = make_place();
        char *path = file_in(place.served, "made.zip");
        pack(path, PACK_TAR_GZ, ENTRIES({"mark.txt", "mark", 0}, bad[i]));
        expect_refusal(&place, &made, "is refused: its entry '");
        cr_expect(!there(&place, "made-folder"));
        cr_expect(!there(&place, ".fetched/made/evil.txt") && !there(&place, ".fetched/evil.txt"));
        cr_expect(!path_exists("/tmp/bitsweep-evil.txt"));
        cr_expect(!there(&place, ".fetched/made/unpacked"));
        free(path);
        remove_place(&place);
    }
}

Test(fetch, what_is_there_is_replaced_only_by_force)
{
    struct place place = make_place();
    serve_made(&place, 1);
    char *folder = file_in(place.to, "made-folder");
    mkdir(folder, 0777);
    free(write_file(folder, "mine.txt", "mine"));
    expect_refusal(&place, &made, "is there, but without mark.txt; --force replaces it");
    expect_text(&place, "made-folder/mine.txt", "mine");
    fetch_or_fail(&place, &made, true);
    cr_expect(there(&place, "made-folder/mark.txt") && !there(&place, "made-folder/mine.txt"));
    cr_expect(!there(&place, ".fetched/made/replaced"));
    free(folder);
    remove_place(&place);
}

Test(fetch, a_kept_archive_replaces_none)
{
    struct place place = make_place();
    struct error error;
    serve_made(&place, 1);
    free(write_file(place.to, "made.zip", "mine"));
    struct http_server server = http_start(&place.manners);
    struct fetch_request request = {.to = place.to, .mirror = server.address, .keep = true};
    cr_expect(!fetch(&made, &request, &error));
    cr_expect_not_null(strstr(error.text, "made.zip exists; --force replaces it"), "%s", error.text);
    expect_text(&place, "made.zip", "mine");
    request.force = true;
    cr_expect(fetch(&made, &request, &error), "%s", error.text);
    expect_same_bytes(&place, "made.zip");
    http_stop(&server);
    remove_place(&place);
}

Test(fetch, one_process_at_a_time)
{
    struct place place = make_place();
    serve_made(&place, 1);
    fetch_or_fail(&place, &made, false);
    char *path = file_in(place.to, ".fetched/made/lock");
    FILE *lock = fopen(path, "r");
    cr_assert_eq(flock(fileno(lock), LOCK_EX), 0);
    struct error error;
    cr_expect(!fetch_from(&place, &made, true, &error));
    cr_expect_not_null(strstr(error.text, "another process is fetching it"), "%s", error.text);
    fclose(lock);
    fetch_or_fail(&place, &made, true);
    free(path);
    remove_place(&place);
}

/* The reason is that of making the folder, not of looking for it afterwards. */
Test(fetch, a_folder_that_cannot_be_made)
{
    struct place place = make_place();
    char *link = file_in(place.to, "link"), *arguments = format_text("fetch dsads --to %s --from absent.zip", link);
    cr_assert_eq(symlink("nowhere", link), 0);
    expect_trouble(&cmd_data, arguments, EXIT_TROUBLE, "link: File exists");
    free(arguments);
    free(link);
    remove_place(&place);
}

/* ---- by hand ---- */

Test(fetch, an_archive_at_hand_is_unpacked_and_stays)
{
    struct place place = make_place();
    char *path = file_in(place.served, "hapt.zip");
    pack(path, PACK_ZIP, ENTRIES({"HAPT Data Set/RawData/labels.txt", "1 1 5 250 1232\n", 0},
                                  {"HAPT Data Set/README.txt", "text", 0}));
    char *arguments = format_text("fetch hapt --to %s --from %s", place.to, path);
    free(output_of(&cmd_data, arguments));
    expect_text(&place, "hapt/RawData/labels.txt", "1 1 5 250 1232\n");
    cr_expect(there(&place, "hapt/README.txt") && path_exists(path));
    cr_expect(there(&place, ".fetched/hapt/smartphone+based+recognition+of+human+activities+and+postural+"
                             "transitions.zip.sha256"));
    free(arguments);
    arguments = format_text("fetch cifar10 --to %s --from %s", place.to, path);
    expect_trouble(&cmd_data, arguments, EXIT_TROUBLE, "c32a1d4ab5d03f1284b67883e8d87530");
    cr_expect(path_exists(path));
    free(arguments);
    arguments = format_text("fetch cifar10 --to %s --from %s/absent", place.to, place.served);
    expect_trouble(&cmd_data, arguments, EXIT_TROUBLE, "absent: No such file");
    free(arguments);
    free(path);
    remove_place(&place);
}

Test(fetch, files_at_hand_are_copied)
{
    struct place place = make_place();
    write_idx_set(place.served, true);
    char *arguments = format_text("fetch mnist --to %s --from %s/mnist", place.to, place.served);
    free(output_of(&cmd_data, arguments));
    for (size_t i = 0; i < 4; i++) {
        const char *name = source_find("mnist")->files[i].name;
        char *there_now = format_text("mnist/%s", name), *given = format_text("%s/mnist/%s", place.served, name);
        cr_expect(there(&place, there_now) && path_exists(given));
        free(there_now);
        free(given);
    }
    free(arguments);
    remove_place(&place);
}

Test(fetch, every_set_is_tried)
{
    struct place place = make_place();
    char *path = file_in(place.served, DSADS);
    pack(path, PACK_ZIP, ENTRIES({"data/a01/p1/s01.txt", "1\n", 0}));
    struct http_server server = http_start(&place.manners);
    char *arguments = format_text("fetch pamap2 dsads --to %s --mirror %s", place.to, server.address);
    struct outcome outcome = run_verb(&cmd_data, arguments);
    cr_expect_eq(outcome.code, EXIT_TROUBLE);
    cr_expect_not_null(strstr(outcome.errors, "pamap2 by hand"), "%s", outcome.errors);
    cr_expect_null(strstr(outcome.errors, "dsads by hand"), "%s", outcome.errors);
    cr_expect(there(&place, "dsads/data/a01/p1/s01.txt"));
    outcome_free(&outcome);
    http_stop(&server);
    free(arguments);
    free(path);
    remove_place(&place);
}

Test(fetch, the_default_folder_is_that_of_the_environment)
{
    struct place place = make_place();
    setenv("BITSWEEP_DATA", place.to, 1);
    char *path = file_in(place.served, "x.zip");
    pack(path, PACK_ZIP, ENTRIES({"data/a01/p1/s01.txt", "1\n", 0}));
    char *arguments = format_text("fetch dsads --from %s", path);
    free(output_of(&cmd_data, arguments));
    cr_expect(there(&place, "dsads/data/a01/p1/s01.txt"));
    free(arguments);
    free(path);
    remove_place(&place);
}

Test(fetch, options_that_do_not_fit_are_usage_errors)
{
    static const struct { const char *arguments, *words; } wrong[] = {
        {"fetch", "fetch takes one name or more"},
        {"fetch wisd", "did you mean 'wisdm'"},
        {"fetch synthetic", "fetch knows no provider of 'synthetic'; valid: cifar10, cifar100, mnist"},
        {"fetch dsads -s x=1", "fetch does not take -s"},
        {"fetch dsads --format json", "fetch does not take --format"},
        {"fetch dsads hapt --from x", "--from is the archive of one data set"},
        {"fetch dsads --from x --keep", "--from downloads nothing"},
        {"fetch dsads --mirror /srv/data", "http:// or https://"},
        {"list --to x", "list does not take --to"},
        {"check synthetic --keep", "check does not take --keep"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_trouble(&cmd_data, wrong[i].arguments, EXIT_USAGE, wrong[i].words);
}

Test(fetch, the_table_of_providers_is_sound)
{
    for (const struct source *source = sources; source->name; source++) {
        size_t files = 0;
        cr_expect_eq(source->address[strlen(source->address) - 1], '/', "%s", source->name);
        for (; source->files[files].name; files++) {
            const char *md5 = source->files[files].md5;
            cr_expect(!md5 || (strlen(md5) == 32 && strspn(md5, "0123456789abcdef") == 32), "%s", source->name);
        }
        cr_expect_eq(files, source->archive ? 1u : 4u, "%s", source->name);
        cr_expect(source->folder[0] != '/' && source->mark[0] != '/');
        cr_expect_eq(source_find(source->name), source);
    }
}
