/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "schedule.h"
#include <math.h>

void schedule_read(struct schedule *s, const struct settings *settings, long steps, long steps_per_epoch)
{
    *s = (struct schedule){.lr = setting_real(settings, "lr"), .steps = steps, .steps_per_epoch = steps_per_epoch};
    if (setting_is(settings, "schedule", "cosine"))
        s->kind = SCHEDULE_COSINE;
    if (!setting_is(settings, "schedule", "multistep"))
        return;
    s->kind = SCHEDULE_MULTISTEP;
    s->drop = setting_real(settings, "lr_drop");
    if (!setting_is(settings, "milestones", "none"))
        s->milestone_count = setting_dims(settings, "milestones", s->milestones, MAX_DIMS);
}

double schedule_factor(const struct schedule *s, long step)
{
    if (s->kind == SCHEDULE_COSINE)
        return 0.5 * (1 + cos(M_PI * (double)step / (double)s->steps));
    double factor = 1;
    for (size_t i = 0; i < s->milestone_count; i++)
        if (step / s->steps_per_epoch >= s->milestones[i])
            factor *= s->drop;
    return factor;
}

double schedule_rate(const struct schedule *s, long step) { return s->lr * schedule_factor(s, step); }
