/* SPDX-License-Identifier: GPL-3.0-or-later
 * The checkpoint file: it gives back what was kept, and nothing but that. */
#include "support.h"
#include "../bench/checkpoint.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder, *path;
static struct checkpoint place;
static struct error error;

static void set_up(void)
{
    folder = temporary_folder();
    path = file_in(folder, "a.ckpt");
    place = (struct checkpoint){.path = path, .identity = "run a, build 1"};
}

static void tear_down(void)
{
    free(path);
    remove_folder(folder);
}

TestSuite(checkpoint, .init = set_up, .fini = tear_down, .timeout = 30);

/* A state of three parts, one of them growing. */
struct state { double weights[300]; long step; struct growing log; struct kept kept; };

static void begin(struct state *s)
{
    memset(s, 0, sizeof *s);
    keep(&s->kept, "weights", s->weights, sizeof s->weights);
    keep_growing(&s->kept, "log", &s->log);
    keep(&s->kept, "step", &s->step, sizeof s->step);
}

static void change(struct state *s, long step)
{
    s->step = step;
    for (size_t i = 0; i < 300; i++)
        s->weights[i] = rng_normal(7, (uint64_t)step * 300 + i);
    for (long i = 0; i < step; i++)
        growing_add(&s->log, &i, sizeof i);
}

static void end(struct state *s)
{
    growing_free(&s->log);
    kept_free(&s->kept);
}

static void expect_equal(const struct state *a, const struct state *b)
{
    cr_assert_eq(a->step, b->step);
    cr_assert(memcmp(a->weights, b->weights, sizeof a->weights) == 0);
    cr_assert_eq(a->log.size, b->log.size);
    cr_assert(a->log.size == 0 || memcmp(a->log.data, b->log.data, a->log.size) == 0);
}

static void write_state(struct state *s)
{
    cr_assert(checkpoint_write(&place, &s->kept, &error), "%s", error.text);
}

/* The file is refused for this reason, and the memory stays as it was. */
static void expect_refusal(const struct state *s, const char *why)
{
    struct state fresh, untouched;
    begin(&fresh);
    begin(&untouched);
    change(&fresh, 3);
    change(&untouched, 3);
    cr_expect_eq(checkpoint_read(&place, s ? &s->kept : &fresh.kept, &error), CHECKPOINT_UNFIT);
    cr_expect(strstr(error.text, why) && strstr(error.text, path), "'%s' does not say '%s'", error.text, why);
    expect_equal(&fresh, &untouched);
    end(&fresh);
    end(&untouched);
}

Test(checkpoint, gives_back_what_was_kept)
{
    struct state first, second;
    begin(&first);
    begin(&second);
    cr_assert_eq(checkpoint_read(&place, &second.kept, &error), CHECKPOINT_NONE);
    for (long step = 0; step < 40; step += 13) { /* over an empty log, and over one that is longer than the new one */
        change(&first, step);
        write_state(&first);
        change(&second, 50);
        cr_assert_eq(checkpoint_read(&place, &second.kept, &error), CHECKPOINT_LOADED, "%s", error.text);
        expect_equal(&first, &second);
    }
    cr_assert_eq(kept_size(&first.kept), sizeof first.weights + sizeof first.step + first.log.size);
    end(&first);
    end(&second);
}

Test(checkpoint, every_kind_of_damage_is_noticed)
{
    struct state state;
    size_t size;
    begin(&state);
    change(&state, 5);
    write_state(&state);
    char *bytes = read_bytes(path, &size);
    for (size_t i = 0; i < 120; i++) { /* a byte changed, or the end lost */
        size_t at = i < 60 ? i : (size_t)(rng_uniform(3, i) * (double)size);
        FILE *file = fopen(path, "wb");
        bool cut = i % 3 == 2;
        bytes[at] ^= 0x10;
        fwrite(bytes, 1, cut ? at : size, file);
        bytes[at] ^= 0x10;
        fclose(file);
        expect_refusal(NULL, "damaged");
    }
    free(bytes);
    end(&state);
}

Test(checkpoint, another_run_or_build_is_refused)
{
    struct state state, other;
    begin(&state);
    change(&state, 5);
    write_state(&state);
    place.identity = "run a, build 2";
    expect_refusal(NULL, "another build");
    place.identity = "run a, build 1";

    float more[2];
    begin(&other);
    keep(&other.kept, "more", more, sizeof more); /* a part too many */
    expect_refusal(&other, "another network");
    end(&other);
    begin(&other);
    other.kept.parts[0].size -= 8;
    expect_refusal(&other, "another network");
    other.kept.parts[0].size += 8;
    other.kept.parts[0].name[0] = 'W';
    expect_refusal(&other, "another network");
    other.kept.count--;
    other.kept.parts[0].name[0] = 'w';
    expect_refusal(&other, "another network");
    other.kept.count++;
    cr_expect_eq(checkpoint_read(&place, &other.kept, &error), CHECKPOINT_LOADED);
    expect_equal(&state, &other);
    end(&other);
    end(&state);
}

Test(checkpoint, a_failed_write_leaves_the_old_state_alone)
{
    struct state state, read;
    begin(&state);
    begin(&read);
    change(&state, 5);
    write_state(&state);
    char *aside = file_in(folder, "aside"), *inside = file_in(path, "in");
    cr_assert_eq(rename(path, aside), 0);
    cr_assert_eq(mkdir(path, 0777), 0); /* a folder that is not empty cannot be replaced */
    cr_assert_eq(mkdir(inside, 0777), 0);
    cr_expect_not(checkpoint_write(&place, &state.kept, &error));
    cr_expect(strstr(error.text, "cannot write the checkpoint"), "%s", error.text);
    expect_refusal(NULL, "cannot go on");
    DIR *entries = opendir(folder);
    for (struct dirent *entry; (entry = readdir(entries));)
        cr_expect_null(strstr(entry->d_name, ".tmp."), "%s was left behind", entry->d_name);
    closedir(entries);

    place.path = aside;
    cr_expect_eq(checkpoint_read(&place, &read.kept, &error), CHECKPOINT_LOADED);
    expect_equal(&state, &read);
    free(aside);
    free(inside);
    end(&state);
    end(&read);
}
