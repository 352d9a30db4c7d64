/* SPDX-License-Identifier: GPL-3.0-or-later
 * The header that every plugin includes (plugin.h: what one in a shared object exports): errors, settings, random streams,
 * and the operations tables of data sets, models, modes, quantisers, allocators, solvers and costs.
 * Matrices are row-major; an array's shape stands in a comment on the argument. */
#ifndef BITSWEEP_H
#define BITSWEEP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors ------------------------------------------------------------------------- */

/* Anything that can fail on bad input returns false and fills one sentence: what is wrong,
 * where, and what would be valid. No trailing newline or full stop. */
struct error { char text[1024]; };
bool fail(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For states that only a fault in the program can reach, and inside a run, which is its own
 * process: prints to stderr and exits with status 1. */
_Noreturn void die_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define die(...) die_at(__FILE__, __LINE__, __VA_ARGS__)

/* malloc family that never returns NULL; a run out of memory exits with EXIT_MEMORY. */
#define EXIT_MEMORY 42
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2))); /* free() it */

/* ---- parameters and settings -------------------------------------------------------- */

struct settings;

enum param_type {
    PARAM_INT,    /* whole number in [min, max], or one of choices */
    PARAM_REAL,   /* real number in [min, max], or one of choices */
    PARAM_BOOL,   /* true, false */
    PARAM_CHOICE, /* one of choices */
    PARAM_DIMS,   /* up to MAX_DIMS whole numbers in [min, max] joined by '-': 512-256; or one of choices */
    PARAM_PLUG,   /* the name of a plugin of `kind`, whose own params are then read too */
    PARAM_TEXT    /* whatever `parse` takes */
};

enum plug_kind {
    PLUG_DATASET, PLUG_MODEL, PLUG_MODE, PLUG_ALLOCATOR, PLUG_QUANTISER, PLUG_SOLVER, PLUG_COST,
    PLUG_STRATEGY, PLUG_KINDS
};

#define MAX_DIMS 63

struct param {
    const char *name;           /* the key in a sweep file */
    enum param_type type;
    enum plug_kind kind;        /* PARAM_PLUG only */
    const char *fallback;       /* default, as text; NULL: must be given */
    const char *const *choices; /* NULL-terminated words, or NULL */
    double min, max;            /* numbers only */
    const char *source;         /* "pub" published, "rec" reconstructed, "ours" our own choice, "" */
    const char *help;           /* one sentence */
    bool (*used)(const struct settings *); /* NULL: always; else: does this run read the key? */
    const char *form;           /* PARAM_TEXT only: what is valid, as a phrase */
    /* PARAM_TEXT only. Fills the canonical text (free it), or false with what is wrong and what would be valid. */
    bool (*parse)(const char *text, char **canonical, struct error *);
    bool pairs;                 /* PARAM_TEXT only: the text is NAME=VALUE,..., so a sweep file may hold a mapping instead */
};

/* The first member of every entry of every plugin table. */
struct plug {
    const char *name, *help;
    int version;                        /* raised when results change; part of a run's identity */
    const struct param *const *params;  /* NULL-terminated, or NULL */
    const char *alias;                  /* another name that sweep files may use; NULL: none */
};

/* One row of the plugin tables; NULL past the end. */
const struct plug *plug_at(enum plug_kind kind, size_t index);
/* The entry of that name or NULL. A data set that is in no row but is found as NAME.h5 in the
 * data folders resolves to the generic HDF5 entry. */
const struct plug *plug_find(enum plug_kind kind, const char *name);
extern const char *const plug_kind_names[PLUG_KINDS]; /* "dataset", "model", ... */
/* NULL or a sentence: why this combination cannot run (methods/registry.c). */
const char *plug_check(const struct settings *);

/* The parameters that every run reads, NULL-terminated (bench/params.c). */
extern const struct param *const core_params[];

/* Resolved settings of one run: every key the run reads with its value as canonical text, and where in the sweep file
 * that stands (line 0: a default; -N: the N-th -s option). */
struct setting { const struct param *param; char *value; int line, column; };
struct settings { struct setting *items; size_t count; }; /* sorted by key */

/* Reading a key that the run does not have is a fault in the program: these die. */
bool setting_has(const struct settings *, const char *key);
const char *setting_text(const struct settings *, const char *key);
bool setting_is(const struct settings *, const char *key, const char *text);
long setting_int(const struct settings *, const char *key);
double setting_real(const struct settings *, const char *key);
bool setting_bool(const struct settings *, const char *key);
size_t setting_dims(const struct settings *, const char *key, long *out, size_t capacity);
/* The table entry (struct mode_ops, ...) that a PARAM_PLUG key names; NULL if it is gone, like a data set's file. */
const void *setting_plug(const struct settings *, const char *key);

/* ---- counter-based random streams ---------------------------------------------------- */

/* Draws depend on (seed, stream, a, b, index) alone, so they are the same across methods
 * and worker counts. */
enum stream {
    STREAM_SPLIT, STREAM_INIT, STREAM_ORDER, STREAM_AUGMENT, STREAM_CLASS_ORDER,
    STREAM_ALLOCATOR, STREAM_ROUNDING, STREAM_SIGNS, STREAM_DATA
};
uint64_t rng_key(uint64_t seed, enum stream stream, uint64_t a, uint64_t b);
uint64_t rng_bits(uint64_t key, uint64_t index);
double rng_uniform(uint64_t key, uint64_t index); /* [0, 1) */
double rng_normal(uint64_t key, uint64_t index);  /* standard normal, Box-Muller */
void rng_permutation(uint64_t key, size_t count, uint32_t *order); /* Fisher-Yates */

/* ---- data sets ----------------------------------------------------------------------- */

struct part {
    size_t count;
    float *x;      /* count × features */
    int32_t *y;    /* count, 0 .. classes-1 */
    int32_t *user; /* count, or NULL */
};

struct dataset {
    char name[128];
    int rank;             /* 1 features, 2 channels × length, 3 channels × height × width */
    size_t shape[3];
    size_t features;      /* product of shape */
    int classes;
    struct part train, test;
    char sha256[65];      /* over the bytes of all its files in a fixed order; synthetic: of its settings */
    char *attributes;     /* "key=value\n" lines worth keeping as provenance, or NULL */
};

struct dataset_ops {
    struct plug plug;
    /* Everything but the samples: name, shape, classes, counts, checksum (x and y stay NULL). */
    bool (*describe)(const struct settings *, struct dataset *, struct error *);
    /* The whole set, raw values (8-bit images as 0..1). */
    bool (*load)(const struct settings *, struct dataset *, struct error *);
};
void dataset_free(struct dataset *);

/* NULL or a sentence: why the run's model cannot take this (described) data set (methods/registry.c). */
const char *model_check(const struct settings *, const struct dataset *described);
/* True if the run reads no budget or it can be met by the layers that the model has for this (described) data set, which
 * fits it; else the error names the feasible range (methods/registry.c). */
bool budget_check(const struct settings *, const struct dataset *described, struct error *);

/* ---- costs, allocation --------------------------------------------------------------- */

enum tensor_kind { TENSOR_WEIGHT, TENSOR_ACTIVATION, TENSOR_GRADIENT, TENSOR_KINDS };
extern const char *const tensor_kind_names[TENSOR_KINDS]; /* "weight", ... */

/* What a layer does to one sample, channels last. A dense layer is a 1 × 1 kernel on one position. 1-D data has height 1.
 * Output (y, x, n) sums input (y*stride + ky - pad_h, x*stride + kx - pad_w, c) times w[n][(ky*kernel_w + kx) * in_c + c]
 * (depthwise: c = n only, w[n][ky*kernel_w + kx]); outside the input there are zeros. */
struct geometry {
    size_t in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w, stride, pad_h, pad_w;
    bool depthwise;       /* in_c == out_c, one filter a channel */
};

/* One allocatable tensor, in network order: layer 0's weight, layer 0's input, layer 1's ...; then, where their widths are
 * allocated, the layers' output gradients. */
#define MOST_WIDTH 32
struct tensor {
    char name[64];        /* "fc1.weight", "fc1.input", "fc1.gradient" */
    enum tensor_kind kind;
    int layer;            /* index of the quantised layer; a layer has at most one tensor of each kind */
    size_t elements;      /* of an activation or gradient: per sample */
    double macs;          /* multiply-accumulates of the layer per sample */
    uint64_t choices;     /* bit b: width b is allowed, 1 .. MOST_WIDTH */
    int group;            /* tensors of one group have equal widths; 0: in none */
    bool counted;         /* in the means over tensors (costs mean_bits...); pinned tensors are not */
    struct geometry shape; /* of its layer; all zero where unknown */
    int source;           /* of a network's input tensor: index of the node that its layer reads */
};
static inline bool tensor_allows(const struct tensor *t, int bits)
{
    return bits > 0 && bits <= MOST_WIDTH && t->choices >> bits & 1;
}
int tensor_least(const struct tensor *);   /* smallest and largest width allowed */
int tensor_most(const struct tensor *);

/* The tensors of one layer and their widths. */
struct layer_widths {
    const struct tensor *weight, *input, *gradient; /* NULL: not among the tensors */
    double w, a, g;                                 /* 32: float32, also where there is no tensor */
};

/* Over all tensors that are counted, by kind: what means are divided by. */
struct cost_totals { double tensors[TENSOR_KINDS], elements[TENSOR_KINDS]; };

struct cost_ops {
    struct plug plug;                /* params: what open reads */
    const char *unit;
    bool largest;                    /* the largest layer's share is the price; else the sum over layers */
    bool joint;                      /* a layer's share is not the sum of the shares of its tensors alone */
    /* Reads tables, or measures the constant part. settings and described are NULL outside a run: then the defaults, or a
     * failure that says what is missing. NULL: context is NULL. */
    bool (*open)(const struct settings *, const struct dataset *described, void **context, struct error *);
    void (*close)(void *context);
    /* A layer's share. Pure; widths may be fractional; rises with each width unless it is a measured table. */
    double (*layer)(const void *context, const struct cost_totals *, const struct layer_widths *);
    double (*constant)(const void *context); /* what no width changes; NULL: 0 */
};

/* The cost of giving the tensors these widths (0 = float32). methods/costs/price.c */
double cost_price(const struct cost_ops *, const void *context, const struct tensor *tensors, int count, const float *bits);

/* One constraint of an allocation: price <= limit. */
struct budget { const struct cost_ops *cost; const void *context; double limit; };

/* Minimise sum of omega subject to the sums of cost rows staying at or below the budgets;
 * every tensor picks one width of lo .. lo+widths-1. Omega INFINITY: that width is not allowed. */
struct choice_problem {
    int tensors, lo, widths, rows;
    const double *omega;  /* tensors × widths */
    const double *cost;   /* rows × tensors × widths */
    const double *budget; /* rows */
};

struct solver_info {
    double objective, bound; /* bound: proven lower bound of the optimum, -INFINITY if none */
    bool optimal;            /* proven */
    double seconds;
    const char *solver;      /* who solved */
};

struct problem; /* methods/allocators/problem.h: tensors, budgets and sensitivities */
struct solver_ops {
    struct plug plug;
    /* NULL or a sentence: why this solver cannot take the problem. */
    const char *(*check)(const struct choice_problem *);
    /* Fills bits (tensors). False when no choice meets the budgets. Deterministic. */
    bool (*solve)(const struct choice_problem *, int *bits, struct solver_info *);
    /* Instead of both, for a solver that works on widths as real numbers: fills bits (problem->count). False: infeasible, or
     * the error says why it cannot take the problem. */
    bool (*solve_tensors)(const struct problem *, int *bits, struct solver_info *, struct error *);
};

/* ---- memory of one run ---------------------------------------------------------------- */

/* Zeroed, 64-byte aligned memory that lives as long as the run; pages cost nothing until they are touched. */
struct arena { struct arena_chunk *chunks; size_t bytes; /* asked for */ };
void *arena_alloc(struct arena *, size_t size);
void arena_free(struct arena *);

/* Elements between the rows of a matrix with `cols` columns: whole cache lines, and no power of two (OpenBLAS loses a
 * quarter there). The columns past `cols` stay zero, so rows × stride elements can be handled as one array. */
size_t row_stride(size_t cols);

/* What a checkpoint holds: the memory that carries a run from one step to the next, without pointers in it. Everything else
 * is rebuilt from the settings. The same order of calls gives the same list. (bench/checkpoint.c) */
struct kept;
void keep(struct kept *, const char *name, void *data, size_t size);

/* ---- quantisers ------------------------------------------------------------------------ */

/* The quantiser state of one tensor. */
struct range {
    enum tensor_kind kind;
    int min_bits, max_bits;
    float bits;            /* width in force; 0: float32 */
    size_t elements;       /* of an activation: per sample */
    bool is_signed;        /* of the current codes */
    float scale;           /* value of one code */
    int lo, hi;            /* smallest and largest code */
    float limit;           /* largest magnitude that is represented: scale × hi, before rounding */
    /* Running range of an activation: moving average of the training batches' limits. */
    double average, weight; bool ever_negative;
    /* Learned ranges: parameters, their gradients and velocities. */
    bool learned;          /* set at the first fit */
    double step, top, step_grad, top_grad, step_velocity, top_velocity;
    /* DoReFa: largest |tanh| of a weight; first clip of an activation; whether weights keep their size. */
    float norm, first_clip; bool rescaled;
    /* Widths between whole ones (allocator fracbits): the values are (1 - share) Q_lower + share Q_upper, Q of the quantiser
     * in row `inner` of the table; learned parameters are those at width `lower`. */
    int inner, lower, upper;
    double share, width_grad;
};

/* Codes that `bits` holds: signed ±(2^(b-1)-1), unsigned 0 .. 2^b-1 (real for a fractional b). METHODS 1. */
double code_limit(double bits, bool is_signed);

struct quantiser_ops {
    struct plug plug;
    bool learns;
    /* Whether backward reads x (it may be NULL otherwise); NULL: always. */
    bool (*needs_values)(const struct settings *);
    /* Once, before the first fit: what the options and the layer (dense: no convolution) say. NULL: nothing. */
    void (*begin)(struct range *, const struct settings *, bool dense);
    /* Sets is_signed, scale, lo, hi and limit for these values (rows × stride with zero padding, `count` real elements). A
     * learned range follows from its parameters alone: x is not read. */
    void (*fit)(struct range *, const float *x, size_t padded_count, size_t count);
    /* The straight-through gradient: masks grad in place and adds to the learned parameters' gradients. */
    void (*backward)(struct range *, const struct settings *, const float *x, float *grad, size_t padded_count);
    /* One step of SGD on the learned parameters; clears their gradients. NULL if nothing is learned. */
    void (*update)(struct range *, double lr, double momentum);
    /* The width changed from `before` to range->bits: hold the range. NULL if nothing is learned. */
    void (*resize)(struct range *, float before);
    /* Quantisers whose values are not codes times a scale, in mode fp only: y = Q(x) after fit, from the width and what does
     * not depend on it. What this makes of padding is cleared by the caller. NULL: codes. */
    void (*quantise)(const struct range *, const float *x, float *y, size_t padded_count);
};

enum activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_RELU6 };

/* ---- modes ----------------------------------------------------------------------------- */

/* What is counted on a diagnostic step; sums over the products of one layer. */
struct product_counts {
    uint64_t saturated[3], partial_sums[3]; /* forward, input gradient, weight gradient */
    uint64_t zero_gradients, gradients;
    bool weight_codes[256], input_codes[256]; /* by the code's low byte: whether some value of the forward operand has it */
};

/* One layer's three products as a mode sees them, on X unfolded (m × k): Y = X·Wᵀ + bias, dX = G·W folded back, dW = Gᵀ·X.
 * Samples × positions × channels, the stride between positions being row_stride(channels); strides of matrices are
 * row_stride(columns); paddings are zero, and stay so in what a mode writes. */
struct product {
    const struct geometry *shape;
    bool dense;                      /* the batch is one group of positions: its rows share scales and a transform's axis */
    size_t samples, samples_max;
    size_t m, n, k;                  /* samples × output positions; outputs; kernel positions × channels (depthwise: × 1) */
    const float *x, *w, *bias;       /* samples × in_h × in_w × in_c; n × k; n or NULL */
    float *y;                        /* m × n */
    const float *g;                  /* m × n: dL/dY */
    float *dx, *dw;                  /* as x, w: overwritten; NULL: not wanted */
    struct range *x_range, *w_range;
    const struct range *g_range;     /* its bits: width of G in both backward products */
    const struct quantiser_ops *quantiser; /* NULL: float32, nothing is quantised */
    bool evaluating;                 /* use frozen activation ranges; no backward will follow */
    bool observing;                  /* update running ranges (false on diagnostic steps) */
    bool weights_ready;              /* the weight codes of the last forward still hold */
    uint64_t seed, step;             /* key of the rounding draws, with layer and operand */
    int layer;
    const struct settings *settings;
    struct product_counts *counts;   /* NULL except on diagnostic steps */
    void *state;                     /* the mode's memory for this layer */
    char *scratch;                   /* thread t's part starts at t * scratch_step; 64-byte aligned */
    size_t scratch_step;
};

struct mode_ops {
    struct plug plug;
    bool integer;                    /* operands are integer codes */
    bool keeps_input;                /* backward needs no product.x: forward has kept it in the mode's own form */
    const struct quantiser_ops *quantiser; /* its own (an allocator's own goes before it); NULL: the run's */
    const char *(*check)(const struct settings *); /* NULL or why not */
    /* The mode's memory for one layer that lasts from forward to backward and on (shape, samples_max, n, k are set). */
    void *(*prepare)(const struct settings *, const struct product *, struct arena *);
    /* Bytes that forward and backward may use while they run, for each thread (parallel_threads() of them); called after
     * prepare, with its state. All layers share product.scratch. */
    size_t (*scratch_size)(const struct product *);
    void (*forward)(struct product *);
    void (*backward)(struct product *);
    /* Bit operations a sample of the two backward products and what they need (transforms, re-quantisation), at widths w, a
     * and g and the batch samples_max. METHODS 5. */
    double (*backward_bops)(const struct product *, double w, double a, double g);
};

/* ---- allocators ------------------------------------------------------------------------ */

/* The float network at the run's present weights, for gradients and losses apart from training (bench/probe.h). */
struct probe;

/* What every allocator is given at the start; lives as long as the run. */
struct allocation {
    const struct settings *settings;
    const struct dataset *described; /* incremental: with the classes seen */
    const struct tensor *tensors;
    struct range *ranges;         /* count */
    int count;
    const struct budget *budgets; /* the first is what a single-budget figure or message is about */
    int budget_count;
    long steps;               /* of the whole run; incremental: of the task */
    struct arena *arena;
    struct kept *kept;        /* where begin registers what the allocator must not forget; never NULL */
    struct probe *probe;      /* there if alloc_ops.probes asked for it */
    const void *previous;     /* incremental: its state in the task before, for as many tensors; NULL: there is none */
};

/* What a training step showed of the tensors. */
struct observation {
    long step;
    size_t batch;
    const double *sum_squares;   /* of each weight and activation: sum over the batch of squared gradients of the mean
                                    loss */
    const double *input_squares; /* of each layer: sum of squares of its unfolded input X (M × K); only where gradients'
                                    widths are allocated, else NULL */
};

/* One decision, for the record. NaN where the allocator has no such figure. */
struct decision {
    float *bits;              /* count */
    double *trace, *limit;    /* count */
    double omega, omega_uniform, seconds;
    const char *solver;
    bool optimal;
};

struct alloc_ops {
    struct plug plug;
    bool guarantees;          /* never exceeds a budget */
    const struct quantiser_ops *quantiser; /* its own; NULL: the run's */
    const char *(*check)(const struct settings *);
    /* Whether this run's allocator uses allocation.probe; NULL: no. Asked also while the run's keys are being read: keys of
     * the allocator's own may not be there yet. */
    bool (*probes)(const struct settings *);
    /* Whether the allocator can meet budgets that uniform widths meet; else the error says why not. Asked before any
     * training. NULL: it can. */
    bool (*solvable)(const struct settings *, const struct tensor *, int count, const struct budget *, int budget_count,
                     struct error *);
    void *(*begin)(const struct allocation *);
    /* Before step (0-based; == steps: the end of training): true when it decided, with decision filled. */
    bool (*assign)(void *state, long step, struct decision *decision);
    /* Whether observe wants this step's gradients of all tensors, the network input's included. NULL: never. */
    bool (*wants)(void *state, long step);
    void (*observe)(void *state, const struct observation *);
    /* After the backward pass: learned widths' own step. lr_factor: learning rate over its initial value. NULL: none. */
    void (*update)(void *state, long step, double lr_factor);
};

/* ---- models ---------------------------------------------------------------------------- */

enum weight_init {
    INIT_HE,            /* N(0, 2 / inputs), inputs = k of the layer */
    INIT_HE_OUT,        /* N(0, 2 / (kernel positions × outputs)) */
    INIT_FAN_IN,        /* U(±1/√inputs) */
    INIT_HEAD,          /* U(±√(3/inputs)) */
    INIT_NORMAL         /* N(0, 0.01²) */
};

enum node_kind {
    NODE_DENSE, NODE_CONV, NODE_DEPTHWISE, /* the quantised layers; dense flattens its input: positions × channels */
    NODE_NORM,          /* batch normalisation (per channel over samples and positions), running statistics at evaluation */
    NODE_ACTIVATE,      /* activation alone, or of a sum */
    NODE_MAX_POOL,      /* kernel, stride, pad */
    NODE_MEAN_POOL,     /* kernel 0: over all positions */
    NODE_JOIN,          /* net->outside, then the input's values, as one position: only bench/nn/cut.c makes it */
    NODE_SHORTCUT       /* every stride-th position of each axis; the new channels are zero, half before and half after:
                           option A of He et al. 2016, as the HDQT authors have it */
};

#define NODE_INPUT (-1) /* the network's input */
#define NODE_PREVIOUS (-2)
#define NODE_NONE (-3)

/* One row of a model's table, in the order of computation. */
struct node_spec {
    char name[32];
    enum node_kind kind;
    int input;              /* index of the node it takes */
    int add;                /* NORM, ACTIVATE: node of the same shape that is added before the activation; or NODE_NONE */
    size_t outputs;         /* layers and SHORTCUT: channels; else 0 = as the input's */
    size_t kernel, stride, pad; /* square; along the width only where the height is 1 */
    bool bias;
    enum activation activation; /* layers (after the bias), NORM, ACTIVATE */
    enum weight_init init;
};

#define MAX_LAYERS 64       /* quantised */
#define MAX_TENSORS (3 * MAX_LAYERS)
#define MAX_NODES 192
struct model_ops {
    struct plug plug;
    /* NULL or why it cannot take this data; NULL: any. */
    const char *(*check)(const struct settings *, const struct dataset *described);
    bool flat;              /* takes a sample as one vector in the data set's own order, not as channels-last positions */
    /* The nodes from input to classifier for this data set; returns their number. The last gives the logits. */
    size_t (*nodes)(const struct settings *, const struct dataset *described, struct node_spec *out /* MAX_NODES */);
    /* Index of the first node of the specialised blocks, which strategy memo gives every task anew; NULL: it has none. */
    size_t (*block)(const struct settings *, const struct dataset *described);
};

#endif
