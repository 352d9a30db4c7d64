/* SPDX-License-Identifier: GPL-3.0-or-later
 * Energy of operations and of moved bytes, from a table. METHODS 5; docs/costs.md has the formulas and the file's form. */
#ifndef BITSWEEP_ENERGY_H
#define BITSWEEP_ENERGY_H
#include "../../bench/bitsweep.h"

enum energy_figure { MULTIPLY_INT, ADD_INT, MULTIPLY_FLOAT, ADD_FLOAT, MEMORY, ENERGY_FIGURES };

/* Picojoules at some sizes, ascending: operand bits, accumulator bits; bytes that a memory holds, for an access of 64 bits.
 * */
#define MOST_ENERGIES 16
struct energy_table { struct { double size[MOST_ENERGIES], energy[MOST_ENERGIES]; int count; } figures[ENERGY_FIGURES]; };

/* Reads the table that a setting names: "default", PATH or PATH#CHECKSUM. */
bool energy_table_read(const char *setting, struct energy_table *, struct error *);

/* Picojoules of one integer product: linear in w × a between the table's widths, through 0. */
double energy_multiply(const struct energy_table *, double w, double a);
/* Of one addition: linear in the accumulator's bits between the table's, through 0. */
double energy_add(const struct energy_table *, double bits);
/* Of one byte moved from or to the smallest memory that holds `total` bytes. */
double energy_of_byte(const struct energy_table *, double total);
#endif
