/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conformance_judges.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what judges share ---- */

enum verdict say(struct tally *tally, enum verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(tally->text, sizeof tally->text, format, args);
    va_end(args);
    return verdict;
}

enum verdict watch_run(const struct trial *trial, const struct watching *how, struct watched *seen, struct tally *tally)
{
    struct error error;
    if (!watched_run(&trial->settings, how, seen, &error))
        return say(tally, VERDICT_FAIL, "the run does not begin: %s", error.text);
    tally->runs++;
    tally->decisions += (int)seen->decision_count;
    return VERDICT_PASS;
}

const char *step_name(const struct watched *seen, long step, char *buffer, size_t size)
{
    if (step == seen->steps)
        return "at the end";
    snprintf(buffer, size, "step %ld", step);
    return buffer;
}

/* ---- two runs that must be equal ---- */

/* Outside content: results of equal runs may differ there. */
static bool is_content(const char *path)
{
    return strncmp(path, "/timing/", 8) != 0 && strncmp(path, "/provenance/", 12) != 0;
}

static bool same_data(const struct field *a, const struct field *b)
{
    if (a->type != b->type || field_count(a) != field_count(b))
        return false;
    if (a->type != RECORD_TEXT)
        return memcmp(a->data, b->data, field_count(a) * record_type_size(a->type)) == 0;
    for (size_t i = 0; i < field_count(a); i++)
        if (strcmp(((char **)a->data)[i], ((char **)b->data)[i]) != 0)
            return false;
    return true;
}

/* The first field of a that is not the same in b, or NULL. */
static const char *first_difference(const struct record *a, const struct record *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct field *other = record_find(b, a->fields[i].path);
        if (is_content(a->fields[i].path) && (!other || !same_data(&a->fields[i], other)))
            return a->fields[i].path;
    }
    return NULL;
}

/* Bit for bit from a step on. */
static enum verdict are_equal(const struct watched *a, const struct watched *b, long from, const char *what,
                              struct tally *tally)
{
    char when[40];
    size_t size = (size_t)a->tensors * sizeof *a->learned;
    for (long step = from; step <= a->steps; step++)
        if (a->filled[step] != b->filled[step]
            || (a->filled[step] && memcmp(a->learned + step * a->tensors, b->learned + step * a->tensors, size) != 0))
            return say(tally, VERDICT_FAIL, "%s: other widths or ranges from %s", what,
                       step_name(a, step, when, sizeof when));
    const char *path = first_difference(&a->record, &b->record);
    return path ? say(tally, VERDICT_FAIL, "%s: the same widths, but %s is another", what, path) : VERDICT_PASS;
}

enum verdict judge_determinism(const struct trial *trial, struct tally *tally)
{
    struct watched first, second = {0};
    enum verdict verdict = watch_run(trial, &undisturbed, &first, tally);
    if (verdict == VERDICT_PASS)
        verdict = watch_run(trial, &undisturbed, &second, tally);
    if (verdict == VERDICT_PASS)
        verdict = are_equal(&first, &second, 0, "a second run with the same seed", tally);
    watched_free(&first);
    watched_free(&second);
    return verdict;
}

/* Ends a run after some steps and takes it up again from its checkpoint, with an allocator that begins anew. */
static enum verdict compare_interrupted(const struct trial *trial, const struct watched *whole, long stop, const char *path,
                                        struct tally *tally)
{
    struct watched before, after = {0};
    const struct watching stopped = {.stop_after = stop, .checkpoint = path}, resumed = {.checkpoint = path};
    char what[64];
    snprintf(what, sizeof what, "interrupted after %ld steps and taken up again", stop);
    enum verdict verdict = watch_run(trial, &stopped, &before, tally);
    if (verdict == VERDICT_PASS)
        verdict = watch_run(trial, &resumed, &after, tally);
    if (verdict == VERDICT_PASS && !after.filled[stop])
        verdict = say(tally, VERDICT_FAIL,
                      "%s: the checkpoint was not taken, as what begin keeps differs from one run to the next", what);
    if (verdict == VERDICT_PASS)
        verdict = are_equal(whole, &after, stop, what, tally);
    watched_free(&before);
    watched_free(&after);
    unlink(path);
    return verdict;
}

enum verdict judge_resuming(const struct trial *trial, struct tally *tally)
{
    struct watched whole, again = {0};
    char folder[] = "/tmp/bitsweep-conformance-XXXXXX";
    enum verdict verdict = watch_run(trial, &undisturbed, &whole, tally);
    if (verdict == VERDICT_PASS)
        verdict = watch_run(trial, &undisturbed, &again, tally);
    if (verdict == VERDICT_PASS && are_equal(&whole, &again, 0, "", tally) != VERDICT_PASS)
        verdict = say(tally, VERDICT_NONE, "runs that were not interrupted differ too");
    if (verdict == VERDICT_PASS && !mkdtemp(folder))
        die("cannot make a folder in /tmp");
    char *path = format_text("%s/state", folder);
    for (long third = 1; verdict == VERDICT_PASS && third <= 2; third++)
        verdict = compare_interrupted(trial, &whole, third * whole.steps / 3 + 1, path, tally);
    rmdir(folder);
    free(path);
    watched_free(&whole);
    watched_free(&again);
    return verdict;
}

/* ---- learned widths ---- */

static bool same_widths(const struct watched *a, long at, const struct watched *b, long to, bool bits_alone)
{
    for (int i = 0; i < a->tensors; i++) {
        const struct learned *x = &a->learned[at * a->tensors + i], *y = &b->learned[to * b->tensors + i];
        if (x->bits != y->bits || (!bits_alone && (x->step != y->step || x->top != y->top)))
            return false;
    }
    return true;
}

/* Whether widths are real numbers by themselves, and not a consequence of steps and ranges. */
static bool has_real_widths(const struct watched *seen)
{
    for (long i = 0; i < seen->steps * seen->tensors; i++)
        if (seen->learned[i].bits != floor(seen->learned[i].bits))
            return true;
    return false;
}

/* Seeing the loss's gradient or none must make a difference; with none, an exceeded budget must move the widths. */
enum verdict judge_learning(const struct trial *trial, struct tally *tally)
{
    struct watched seeing, blind = {0};
    const struct watching blinded = {.blind = true};
    if (!trial->ops->update)
        return say(tally, VERDICT_NONE, "it learns no widths");
    enum verdict verdict = watch_run(trial, &undisturbed, &seeing, tally);
    if (verdict == VERDICT_PASS)
        verdict = watch_run(trial, &blinded, &blind, tally);
    if (verdict == VERDICT_PASS) {
        bool bits_alone = has_real_widths(&seeing);
        long last = seeing.steps - 1;
        if (same_widths(&seeing, 0, &seeing, last, bits_alone))
            verdict = say(tally, VERDICT_FAIL, "no width and no range moves in %ld steps: their gradients are zero",
                          seeing.steps);
        else if (trial->ops->quantiser && same_widths(&seeing, last, &blind, last, bits_alone))
            verdict = say(tally, VERDICT_FAIL,
                          "widths and ranges move as they do without a loss: the gradient of the loss on them is zero");
        else if (trial->ops->quantiser && same_widths(&blind, 0, &blind, last, bits_alone))
            verdict = say(tally, VERDICT_FAIL,
                          "without a loss no width and no range moves, though the budget is exceeded: the gradient of "
                          "the cost on them is zero");
    }
    watched_free(&seeing);
    watched_free(&blind);
    return verdict;
}
