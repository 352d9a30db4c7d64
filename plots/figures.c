/* SPDX-License-Identifier: GPL-3.0-or-later
 * The table of figures. */
#include "plots.h"
#include <ctype.h>
#include <string.h>

extern const struct figure figure_accuracy_bits, figure_bits_heatmap, figure_bit_trajectories, figure_sensitivity;

const struct figure *const figures[] = {&figure_accuracy_bits, &figure_bits_heatmap, &figure_bit_trajectories,
                                        &figure_sensitivity, NULL};

char *figure_file(const struct figure *figure, const struct chart *chart, const char *part)
{
    char *file = format_text("%s%s%s%s%s", figure->name, *chart->name ? "-" : "", chart->name, *part ? "-" : "", part);
    size_t length = 0;
    for (const char *c = file; *c; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr(".-_", *c);
        if (plain || (length && file[length - 1] != '-')) /* one dash for several signs */
            file[length++] = plain ? *c : '-';
    }
    file[length] = '\0';
    return file;
}
