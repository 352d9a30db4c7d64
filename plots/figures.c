/* SPDX-License-Identifier: GPL-3.0-or-later
 * The table of figures. */
#include "plots.h"
#include <ctype.h>
#include <string.h>

extern const struct figure figure_accuracy_bits, figure_bits_heatmap, figure_bit_trajectories, figure_sensitivity,
    figure_tasks, figure_task_matrix, figure_bits_incremental, figure_accumulator, figure_alignment;

const struct figure *const figures[] = {&figure_accuracy_bits, &figure_bits_heatmap, &figure_bit_trajectories,
                                        &figure_sensitivity, &figure_tasks, &figure_task_matrix,
                                        &figure_bits_incremental, &figure_accumulator, &figure_alignment, NULL};

static bool draw_one(const struct figure *figure, const struct charts *charts, const struct chart *chart,
                     const struct output *output)
{
    struct error error;
    bool ok = chart ? figure->draw(figure, chart, output, &error) : figure->draw_runs(figure, charts, output, &error);
    if (!ok)
        fprintf(stderr, "bitsweep plot: %s: %s\n", figure->name, error.text);
    return ok;
}

bool draw_figures(const struct charts *charts, const bool *chosen, const struct output *output)
{
    bool ok = true;
    for (size_t f = 0; figures[f]; f++) {
        if (chosen[f] && figures[f]->draw_runs)
            ok &= draw_one(figures[f], charts, NULL, output);
        for (size_t c = 0; c < charts->count && chosen[f] && figures[f]->draw; c++)
            if (charts->charts[c].count > 0)
                ok &= draw_one(figures[f], charts, &charts->charts[c], output);
    }
    return ok;
}

char *figure_file(const struct figure *figure, const char *chart, const char *part)
{
    char *file = format_text("%s%s%s%s%s", figure->name, *chart ? "-" : "", chart, *part ? "-" : "", part);
    size_t length = 0;
    for (const char *c = file; *c; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr(".-_", *c);
        if (plain || (length && file[length - 1] != '-')) /* one dash for several signs */
            file[length++] = plain ? *c : '-';
    }
    file[length] = '\0';
    return file;
}
