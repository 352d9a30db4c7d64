/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run's checkpoints hold, and going on from one. */
#include "clock.h"
#include "trainer.h"
#include <stdio.h>

/* Processor time of this process. */
static double process_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void trainer_register(struct trainer *t)
{
    kept_free(&t->kept);
    keep(&t->kept, "place", &t->place, sizeof t->place);
    for (int c = 0; c < CURVES; c++)
        keep(&t->kept, curve_fields[c].path, t->curve[c], trainer_epochs(t) * sizeof *t->curve[c]);
    keep(&t->kept, "step_loss", t->step_loss, (size_t)t->steps * sizeof *t->step_loss);
    keep(&t->kept, "observing_seconds", &t->net->observing_seconds, sizeof t->net->observing_seconds);
    net_keep(t->net, &t->kept);
    keep_all(&t->kept, &t->allocator.kept);
    diagnostics_keep(&t->diagnostics, &t->kept);
    if (t->incremental)
        incremental_keep(t->incremental, &t->kept);
}

/* A checkpoint is of some task, for whose networks there must be memory before it is read. */
static bool enter_checkpoint_task(struct trainer *t, const struct place *place, struct error *error)
{
    while (t->place.task < place->task) {
        t->place.task++;
        if (!trainer_enter_task(t, error))
            return false;
    }
    return true;
}

bool trainer_resume(struct trainer *t, struct error *error)
{
    struct error why;
    struct place place;
    enum checkpoint_found found = checkpoint_peek(t->hooks->checkpoint, "place", &place, sizeof place, &why);
    if (found == CHECKPOINT_LOADED) {
        if (!enter_checkpoint_task(t, &place, error))
            return false;
        found = checkpoint_read(t->hooks->checkpoint, &t->kept, &why);
        if (found == CHECKPOINT_UNFIT && place.task > 0)
            return fail(error, "%s; remove it to start anew", why.text);
    }
    if (found == CHECKPOINT_UNFIT)
        fprintf(stderr, "bitsweep: note: %s; the run starts anew\n", why.text);
    if (found != CHECKPOINT_LOADED)
        return true;
    net_weights_changed(t->net);
    t->place.resumed++;
    t->resumed_from = t->place;
    fprintf(stderr, "bitsweep: note: goes on from its checkpoint, after step %ld of %ld\n", (long)t->place.step, t->steps);
    return true;
}

void trainer_save(struct trainer *t)
{
    struct error error;
    t->place.wall_seconds = t->resumed_from.wall_seconds + now_seconds() - t->started;
    t->place.cpu_seconds = t->resumed_from.cpu_seconds + process_seconds();
    if (!checkpoint_write(t->hooks->checkpoint, &t->kept, &error))
        fprintf(stderr, "bitsweep: note: %s; the run goes on without it\n", error.text);
    t->saved = t->lap = now_seconds();
}
