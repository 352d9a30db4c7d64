/* SPDX-License-Identifier: GPL-3.0-or-later
 * Mode hfqt: fully quantised training with the backward products in the Hadamard domain (HDQT). METHODS 2. */
#include "integer.h"
#include "../../bench/params.h"

#define WORDS(...) (const char *const[]){__VA_ARGS__, 0}

static const struct param block = {
    .name = "hadamard_block", .type = PARAM_CHOICE, .fallback = "largest",
    .choices = WORDS("largest", "16", "32", "64", "128", "256"), .source = "ours",
    .help = "Cap on the block of the transform; largest = the largest power of two that divides the axis (published)."};
static const struct param pad = {
    .name = "hadamard_pad", .type = PARAM_BOOL, .fallback = "false", .source = "ours",
    .help = "Pad an axis with zeros to whole blocks (of the cap, or of the next power of two), so that odd sizes are "
            "transformed too."};
static const struct param signs = {
    .name = "hadamard_signs", .type = PARAM_BOOL, .fallback = "false", .source = "ours",
    .help = "Multiply by random signs, fixed for the run, before the transform."};
static const struct param requant_bits = {
    .name = "requant_bits", .type = PARAM_CHOICE, .fallback = "forward", .choices = WORDS("forward", "grad"),
    .source = "ours",
    .help = "Width of the transformed weights and inputs: their own forward width, or grad_bits."};

static struct transform_options read_options(const struct settings *settings)
{
    bool largest = setting_is(settings, "hadamard_block", "largest");
    return (struct transform_options){
        .largest_block = largest ? 0 : (size_t)setting_int(settings, "hadamard_block"),
        .pad = setting_bool(settings, "hadamard_pad"),
        .signs = setting_bool(settings, "hadamard_signs"),
        .requantise_at_gradient_width = setting_is(settings, "requant_bits", "grad"),
    };
}

static void *prepare(const struct settings *settings, const struct product *p, struct arena *arena)
{
    struct gradient_options gradient = read_gradient_options(settings, p);
    struct transform_options options = read_options(settings);
    return prepare_integer_layer(settings, p, arena, &gradient, &options);
}

const struct mode_ops mode_hfqt = {
    .plug = {.name = "hfqt", .version = 2,
             .help = "Fully quantised training in the Hadamard domain (HDQT): transformed, re-quantised backward operands.",
             .params = (const struct param *const[]){
                 &param_grad_bits, &param_grad_rounding, &param_grad_scale, &block, &pad, &signs, &requant_bits,
                 &param_acc_bits, &param_acc_tile, &param_acc_overflow, &param_acc_at, &param_acc_backward,
                 &param_acc_order, &param_weight_store_bits, 0}},
    .integer = true,
    .keeps_input = true,
    .prepare = prepare, .scratch_size = integer_scratch_size, .forward = integer_forward, .backward = integer_backward,
    .backward_bops = integer_backward_bops,
};
