/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode luq: logarithmic unbiased quantisation of the gradient (Chmiel et al., ICLR 2023), their corrected variant: G is
 * quantised once, to powers of two, for both backward products. METHODS 2. */
#include "integer.h"
#include "../../bench/nn/net.h"
#include "../../bench/params.h"

/* Five bits would have levels up to 2^14, which are no 8-bit codes. */
#define MOST_GRADIENT_BITS 4

extern const struct quantiser_ops quantiser_sawb;

static const char *check(const struct settings *settings)
{
    if (setting_int(settings, "grad_bits") > MOST_GRADIENT_BITS)
        return "mode luq takes grad_bits 2, 3 or 4: its logarithmic levels reach 2^(2^(grad_bits-1)-2), which must fit "
               "8-bit codes";
    if (net_allocates(settings, TENSOR_GRADIENT))
        return "mode luq takes one width for all gradients; fqt and hfqt have them allocated";
    return NULL;
}

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    struct gradient_options gradient = read_logarithmic_options(settings, p);
    return prepare_integer_layer(settings, p, arena, &gradient, NULL);
}

const struct mode_ops mode_luq = {
    .plug = {.name = "luq", .version = 1,
             .help = "Logarithmic unbiased quantisation (LUQ): forward SAWB, gradients stochastically to 0 and powers of "
                     "two times max|G|/2^6 (4 bits).",
             .params = (const struct param *const[]){
                 &param_grad_bits, &param_grad_scale, &param_act_range, &param_ste, &param_acc_bits, &param_acc_tile,
                 &param_acc_overflow, &param_acc_at, &param_acc_backward, &param_acc_order, &param_weight_store_bits, 0}},
    .integer = true,
    .keeps_input = true,
    .quantiser = &quantiser_sawb,
    .check = check,
    .prepare = prepare, .scratch_size = integer_scratch_size, .forward = integer_forward, .backward = integer_backward,
    .backward_bops = integer_backward_bops,
};
