/* SPDX-License-Identifier: GPL-3.0-or-later
 * The parameters that every run reads, and those that several plugins share. */
#include "params.h"
#include "budgets.h"
#include "exemplars.h"
#include "rules.h"
#include "tasks.h"

#define WORDS(...) (const char *const[]){__VA_ARGS__, 0}
#define NUMBER_MAX 1e9

static bool is_multistep(const struct settings *s) { return setting_is(s, "schedule", "multistep"); }

static bool is_offline(const struct settings *s) { return !is_incremental(s); }

/* The float reference starts from scratch by definition. */
static bool is_quantised_offline(const struct settings *s) { return is_offline(s) && !setting_is(s, "allocator", "none"); }

static bool limits_accumulators(const struct settings *s)
{
    return setting_is(s, "acc_bits", "auto") || setting_int(s, "acc_bits") < 32;
}

/* A mode may bring its own quantiser. */
static bool chooses_quantiser(const struct settings *s)
{
    return !((const struct mode_ops *)setting_plug(s, "mode"))->quantiser;
}

const struct param *const core_params[] = {
    &(const struct param){.name = "dataset", .type = PARAM_PLUG, .kind = PLUG_DATASET,
        .source = "", .help = "Data set: a name that `bitsweep data list` prints, or the base name of an HDF5 file in a "
                              "data folder."},
    &(const struct param){.name = "model", .type = PARAM_PLUG, .kind = PLUG_MODEL, .fallback = "mlp",
        .source = "", .help = "Network to train."},
    &(const struct param){.name = "mode", .type = PARAM_PLUG, .kind = PLUG_MODE, .fallback = "fp",
        .source = "", .help = "Training mode: how a layer's three products are computed."},
    &(const struct param){.name = "allocator", .type = PARAM_PLUG, .kind = PLUG_ALLOCATOR, .fallback = "uniform",
        .source = "", .help = "Who chooses the widths; none with mode fp is the FP32 reference."},
    &(const struct param){.name = "seed", .type = PARAM_INT, .fallback = "1", .min = 0, .max = NUMBER_MAX,
        .source = "", .help = "Seed of all random streams (split, init, order, rounding, allocator)."},
    &param_scenario, &param_strategy, &param_init_classes, &param_increment, &param_class_seed, &param_test_users,
    &param_memory, &param_memory_of, &param_exemplars,
    &(const struct param){.name = "epochs", .type = PARAM_INT, .fallback = "10", .min = 1, .max = 1e6,
        .source = "ours", .help = "Passes over the training part, in incremental runs over each task's; the last epoch is "
                                  "reported."},
    &(const struct param){.name = "batch", .type = PARAM_INT, .fallback = "128", .min = 1, .max = 65536,
        .source = "pub", .help = "Samples a step; a partial last batch is kept."},
    &(const struct param){.name = "lr", .type = PARAM_REAL, .fallback = "0.05", .min = 0, .max = 1e3,
        .source = "ours", .help = "Learning rate of SGD."},
    &(const struct param){.name = "momentum", .type = PARAM_REAL, .fallback = "0.9", .min = 0, .max = 0.9999,
        .source = "pub", .help = "Momentum of SGD (v = momentum v + g; w = w - lr v)."},
    &(const struct param){.name = "weight_decay", .type = PARAM_REAL, .fallback = "0.0002", .min = 0, .max = 1,
        .source = "pub", .help = "L2 penalty on the weights, added to the gradient; biases have none."},
    &(const struct param){.name = "schedule", .type = PARAM_CHOICE, .fallback = "cosine",
        .choices = WORDS("constant", "multistep", "cosine"),
        .source = "ours", .help = "Learning rate over the steps; cosine falls to 0 at the last step."},
    &(const struct param){.name = "milestones", .type = PARAM_DIMS, .min = 0, .max = 1e6, .fallback = "none",
        .choices = WORDS("none"), .used = is_multistep,
        .source = "pub", .help = "Epochs after which the learning rate drops, joined by '-': 60-100-140."},
    &(const struct param){.name = "lr_drop", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 1,
        .used = is_multistep, .source = "pub", .help = "Factor on the learning rate at each milestone."},
    &(const struct param){.name = "validation", .type = PARAM_REAL, .fallback = "0.1", .min = 0, .max = 0.9,
        .used = is_offline,
        .source = "ours", .help = "Share of the training set kept for watching; it never selects anything by itself."},
    &param_subset, &param_augment_crop, &param_augment_flip, &param_augment_brightness,
    &(const struct param){.name = "standardise", .type = PARAM_CHOICE, .fallback = "channel",
        .choices = WORDS("none", "channel", "range"),
        .source = "ours", .help = "By the training part, per channel (a feature vector's features are its channels): subtract "
                                  "the mean and divide by the deviation (channel), or map smallest and largest to 0 and 1 "
                                  "(range)."},
    &(const struct param){.name = "init", .type = PARAM_CHOICE, .fallback = "scratch", .choices = WORDS("scratch", "float"),
        .used = is_quantised_offline,
        .source = "ours", .help = "Start from new weights, or from the weights of the FP32 run with the same settings, "
                                  "which the plan then adds."},
    &(const struct param){.name = "record_start", .type = PARAM_BOOL, .fallback = "false",
        .used = is_offline,
        .source = "", .help = "Store the initial weights and the order of the samples, to repeat the run in another "
                              "program."},
    &(const struct param){.name = "explain", .type = PARAM_BOOL, .fallback = "false", .used = is_quantised_offline,
        .source = "ours", .help = "After training, compare each tensor's predicted sensitivity with the change of the loss "
                                  "that its quantisation makes, and the widths with the optimum of the sensitivities "
                                  "(/explain in the run file)."},
    &param_probe_samples,
    &param_energy_table, &param_latency_table,
    0
};

const struct param param_budget = {.name = "budget", .type = PARAM_TEXT, .parse = budget_parse, .pairs = true,
    .form = "a number from 1 to 32, or COST=AMOUNT,... like weight_bytes=70KiB,bops=25%",
    .source = "", .help = "Mean bits over all allocatable tensors, weights and activations together (of gradients, where "
                          "only these are allocated), may be fractional; or limits of costs: plain numbers, with KiB, MiB, "
                          "GiB, k, M, G or T, or as % of the cost with all tensors at 8 bits."};
const struct param param_min_bits = {.name = "min_bits", .type = PARAM_INT, .fallback = "2", .min = 2, .max = 8,
    .source = "rec", .help = "Smallest width an allocator may give."};
const struct param param_max_bits = {.name = "max_bits", .type = PARAM_INT, .fallback = "8", .min = 2, .max = 8,
    .source = "rec", .help = "Largest width an allocator may give."};
const struct param param_allocate = {.name = "allocate", .type = PARAM_CHOICE, .fallback = "weights-activations",
    .choices = WORDS("weights-activations", "weights", "activations", "gradients", "weights-activations-gradients"),
    .source = "ours", .help = "Which tensors' widths are allocated; other weights and activations have max_bits, other "
                              "gradients grad_bits. Gradients have a budget of their own (mean_bits_g; grad_bits where none "
                              "is given)."};
const struct param param_pin = {.name = "pin", .type = PARAM_TEXT, .parse = pin_parse, .pairs = true, .fallback = "none",
    .form = "none, or PATTERN=WIDTH,... like first.*=8,last.*=8",
    .source = "pub", .help = "Fixed widths by name pattern, outside the means over tensors; first and last stand for those "
                             "layers."};
const struct param param_limits = {.name = "limits", .type = PARAM_TEXT, .parse = limits_parse, .pairs = true,
    .fallback = "none",
    .form = "none, or PATTERN=LEAST..LARGEST,... like *.input=4..8,conv1.*=3..",
    .source = "ours", .help = "Least and largest widths by name pattern, inside min_bits .. max_bits; a later pattern goes "
                              "before an earlier one."};
const struct param param_tie = {.name = "tie", .type = PARAM_TEXT, .parse = tie_parse, .fallback = "none",
    .form = "none, joins, or PATTERN,... like stage1.*.input,stage2.*.input",
    .source = "ours", .help = "Tensors with equal widths, one name pattern a group; joins: inputs of layers that read the "
                              "same activation."};
const struct param param_noise = {.name = "noise", .type = PARAM_CHOICE, .fallback = "actual",
    .choices = WORDS("actual", "paper"),
    .source = "ours", .help = "Step of a b-bit quantiser in the sensitivity: range/(2^b-2) when signed (actual), or "
                              "range/(2^b-1) always (paper)."};
const struct param param_quantiser = {.name = "quantiser", .type = PARAM_PLUG, .kind = PLUG_QUANTISER, .fallback = "max",
    .used = chooses_quantiser,
    .source = "pub", .help = "Forward quantiser of weights and activations, per tensor."};
const struct param param_act_range = {.name = "act_range", .type = PARAM_CHOICE, .fallback = "running",
    .choices = WORDS("running", "batch"),
    .source = "ours", .help = "Activation range at evaluation: moving average of the training batches' maxima (momentum "
                              "0.99), or each evaluation batch's own (published code)."};
const struct param param_ste = {.name = "ste", .type = PARAM_CHOICE, .fallback = "pass",
    .choices = WORDS("pass", "clip", "published"),
    .source = "pub", .help = "Straight-through gradient: everywhere, zero outside the range, or zero where |x| > 2^(b-1)-1 "
                             "in real units (published code)."};
const struct param param_grad_bits = {.name = "grad_bits", .type = PARAM_INT, .fallback = "4", .min = 2, .max = 8,
    .source = "pub", .help = "Width of the output gradient G in both backward products."};
const struct param param_grad_rounding = {.name = "grad_rounding", .type = PARAM_CHOICE, .fallback = "stochastic",
    .choices = WORDS("stochastic", "nearest"),
    .source = "pub", .help = "Rounding of G (and of the transformed input in hfqt); nearest clips G at 0.975 of its "
                             "maximum."};
const struct param param_grad_scale = {.name = "grad_scale", .type = PARAM_CHOICE, .fallback = "auto",
    .choices = WORDS("auto", "tensor", "sample"),
    .source = "ours", .help = "One scale for all of G, or one a sample (in a dense layer's input gradient only: its weight "
                              "gradient sums over the samples); auto = a sample in convolutions, the tensor in dense layers "
                              "and in all layers of mode luq (published)."};
const struct param param_weight_store_bits = {.name = "weight_store_bits", .type = PARAM_INT, .fallback = "32", .min = 2,
    .max = 32,
    .source = "pub", .help = "Width to which the weights are re-quantised after each update (c = 1); 32: float master "
                             "weights."};
const struct param param_acc_bits = {.name = "acc_bits", .type = PARAM_INT, .fallback = "auto", .choices = WORDS("auto"),
    .min = 4, .max = 32,
    .source = "ours", .help = "Accumulator width of a tile's partial sum; auto = max(8, sum of the two operands' widths) "
                              "per product; 32 = no limit."};
const struct param param_acc_tile = {.name = "acc_tile", .type = PARAM_INT, .fallback = "32", .min = 1, .max = 65536,
    .used = limits_accumulators,
    .source = "pub", .help = "Consecutive products that one limited accumulator sums; tiles are added in wide arithmetic."};
const struct param param_acc_overflow = {.name = "acc_overflow", .type = PARAM_CHOICE, .fallback = "saturate",
    .choices = WORDS("saturate", "wrap"),
    .used = limits_accumulators,
    .source = "pub", .help = "What a full accumulator does: saturate at ±(2^(a-1)-1), or wrap in two's complement."};
const struct param param_acc_at = {.name = "acc_at", .type = PARAM_CHOICE, .fallback = "tile",
    .choices = WORDS("tile", "add"),
    .used = limits_accumulators,
    .source = "pub", .help = "Limit the finished tile, or after every addition in it."};
const struct param param_acc_backward = {.name = "acc_backward", .type = PARAM_CHOICE, .fallback = "tile",
    .choices = WORDS("tile", "whole", "off"),
    .used = limits_accumulators,
    .source = "ours", .help = "The backward products' accumulators: limited per tile, once for the whole sum (published "
                              "code), or not."};
const struct param param_acc_order = {.name = "acc_order", .type = PARAM_CHOICE, .fallback = "kernel",
    .choices = WORDS("kernel", "channel"),
    .used = limits_accumulators,
    .source = "ours", .help = "Order in which a convolution's forward tiles take their products: kernel position by "
                              "position, channels fastest (kernel), or channel by channel (published code). Always the "
                              "kernel's own: the input gradient by kernel position, outputs fastest; the weight gradient by "
                              "output position, image rows padded with zeros to multiples of 4."};
