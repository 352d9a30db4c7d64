/* SPDX-License-Identifier: GPL-3.0-or-later
 * Parameters that several plugins read: declared once so that a key means one thing. */
#ifndef BITSWEEP_PARAMS_H
#define BITSWEEP_PARAMS_H
#include "bitsweep.h"

extern const struct param param_budget, param_grad_bits, param_grad_rounding, param_grad_scale, param_acc_bits,
    param_acc_tile, param_acc_overflow, param_acc_at, param_acc_backward, param_acc_order, param_quantiser, param_act_range,
    param_ste, param_weight_store_bits, param_min_bits, param_max_bits, param_noise, param_allocate, param_pin, param_limits,
    param_tie;
/* Declared where they are used: bench/batches.c, datasets/split.c, bench/probe.c, methods/costs/energy.c and latency.c. */
extern const struct param param_augment_crop, param_augment_flip, param_augment_brightness, param_subset, param_energy_table,
    param_latency_table, param_probe_samples;
#endif
