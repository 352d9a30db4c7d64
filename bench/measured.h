/* SPDX-License-Identifier: GPL-3.0-or-later
 * Widths measured from what quantisers make of real samples, so that an achieved cost is not just believed. */
#ifndef BITSWEEP_MEASURED_H
#define BITSWEEP_MEASURED_H
#include "decisions.h"

/* At most this many samples are looked at. */
#define MEASURED_SAMPLES 32

/* The smallest width that has these codes (by their low byte): unsigned 0 .. 2^b-1, signed ±(2^(b-1)-1), or with
 * twos_complement also -2^(b-1). */
int width_of_codes(const bool used[256], bool is_signed, bool twos_complement);
/* The smallest width b whose 2^b values could be these (rows × cols, rows `stride` apart); 32 from 2^16 different ones on.
 * */
int width_of_values(const float *x, size_t rows, size_t cols, size_t stride);

/* A forward pass of the quantised network on the samples in net->input that changes nothing in the training; fills the
 * allocator's `measured` widths. Gradients keep the width in force. Ends the program if a guarantee method's tensor needs
 * more than its width: then what was achieved costs more than the widths in force. Nothing where nothing is quantised. */
void measure_widths(struct allocator *, size_t samples, long step);
/* /bits/measured, /budgets/measured and /costs/measured of the last measurement. */
void measured_record(const struct allocator *, struct record *);
#endif
