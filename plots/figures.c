/* SPDX-License-Identifier: GPL-3.0-or-later
 * The table of figures. */
#include "plots.h"

extern const struct figure figure_accuracy_bits, figure_bits_heatmap;

const struct figure *const figures[] = {&figure_accuracy_bits, &figure_bits_heatmap, NULL};

char *figure_file(const struct figure *figure, const struct chart *chart, const char *part)
{
    return format_text("%s%s%s%s%s", figure->name, *chart->name ? "-" : "", chart->name, *part ? "-" : "",
                       part);
}
