/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode fqt: fully quantised training, all operands of all three products are integers. METHODS 2. */
#include "integer.h"
#include "../../bench/params.h"

static const struct param published_ablation = {
    .name = "published_ablation", .type = PARAM_BOOL, .fallback = "false", .source = "pub",
    .help = "The HDQT authors' switch for 'no Hadamard': operands re-quantised and results divided by the block size "
            "although nothing is transformed; shrinks gradients."};

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    struct gradient_options gradient = read_gradient_options(settings, p);
    struct transform_options ablation = {.identity = true};
    return prepare_integer_layer(settings, p, arena, &gradient,
                                 setting_bool(settings, "published_ablation") ? &ablation : NULL);
}

const struct mode_ops mode_fqt = {
    .plug = {.name = "fqt", .version = 2,
             .help = "Fully quantised training: integer operands in the forward and both backward products.",
             .params = (const struct param *const[]){
                 &param_grad_bits, &param_grad_rounding, &param_grad_scale, &param_acc_bits, &param_acc_tile,
                 &param_acc_overflow, &param_acc_at, &param_acc_backward, &param_acc_order, &published_ablation,
                 &param_weight_store_bits, 0}},
    .integer = true,
    .keeps_input = true,
    .prepare = prepare, .scratch_size = integer_scratch_size, .forward = integer_forward, .backward = integer_backward,
    .backward_bops = integer_backward_bops,
};
