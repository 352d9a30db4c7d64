/* SPDX-License-Identifier: GPL-3.0-or-later
 * The graph behind a network: what each kind of node does with a batch, and the memory that it works in. */
#ifndef BITSWEEP_NODES_H
#define BITSWEEP_NODES_H
#include "cut.h"
#include "geometry.h"

/* Part of the pool, in use from moment `first` to `last` of a step. The moments: node i goes forward at i, the loss is
 * taken at node_count, node i goes backward at 2 node_count - i. */
struct buffer {
    size_t size, offset;         /* bytes */
    int first, last;
    void *memory;                /* set by net_use_pool */
};

struct node {
    struct node_spec spec;       /* input and add are resolved: an index, NODE_INPUT or (add) NODE_NONE */
    const struct node_ops *ops;
    struct geometry window;      /* what an output position sees: layers, pools, SHORTCUT */
    struct shape in, out;
    size_t consumers;            /* nodes that read it */
    int layer;                   /* index of the quantised layer, or -1 */
    size_t parameter;            /* index of its first one in net->parameters */

    struct buffer *y;            /* batch × positions × row_stride(channels) floats */
    struct buffer *dy;           /* dL/dy, summed over the consumers; may be its consumer's or adder's buffer handed on */
    struct buffer *mask;         /* where the activation passes gradients, a bit a value; NULL without activation */
    struct buffer *picks;        /* max pool: place of the maximum in its window, a byte a value */
    struct buffer *flat;         /* dense after positions: the input as one row a sample */
    struct buffer *own;          /* gradient of the input before it is added to what other consumers gave; or NULL */
    bool has_gradient;           /* some consumer has written dy in this backward pass */

    float *coefficients;         /* NORM, ACTIVATE: COEFFICIENTS × row_stride(channels) */
};

/* Rows of node->coefficients. MEAN and INVERSE (1 / deviation) are the batch's; SCALE and OFFSET make y from x; the last
 * three dx from g and x. */
enum { MEAN, INVERSE, SCALE, OFFSET, FROM_G, FROM_X, CONSTANT, COEFFICIENTS };

/* A norm's parameters, from node->parameter on. */
enum { NORM_SCALE, NORM_SHIFT, NORM_MEAN, NORM_VARIANCE };

struct node_ops {
    /* Adds the node's parameters to net->parameters, sets coefficients that stay; NULL: it has neither. */
    void (*declare)(struct net *, struct node *);
    /* Whether backward reads the input's values; NULL: no. */
    bool (*reads_input)(const struct net *, const struct node *);
    /* The masked gradient of the output is also that of what is added, or becomes the input's in place: its buffer goes
     * on. */
    bool hands_on;
    int kept_bits;               /* a value of the output, that backward reads; masks and layers' inputs apart */
    void (*forward)(struct net *, struct node *);
    /* From node->dy to the gradients of the inputs and of the parameters. */
    void (*backward)(struct net *, struct node *);
};
extern const struct node_ops node_layer, node_norm, node_activate, node_max_pool, node_mean_pool, node_shortcut,
    node_join;

/* A row of node->coefficients. */
static inline float *coefficient(const struct node *node, int which)
{
    return node->coefficients + (size_t)which * row_stride(node->out.c);
}
static inline size_t positions(struct shape shape) { return shape.h * shape.w; }
static inline bool same_shape(struct shape a, struct shape b) { return a.h == b.h && a.w == b.w && a.c == b.c; }
/* Floats of one sample. */
static inline size_t sample_size(struct shape shape) { return positions(shape) * row_stride(shape.c); }
static inline bool is_layer(const struct node *node) { return node->spec.kind <= NODE_DEPTHWISE; }

/* ---- graph.c ---- */

/* What a network is laid out from. NODE_JOIN's `outputs` are the features from outside. */
struct blueprint {
    struct node_spec specs[MAX_NODES];
    size_t count;
    struct shape input;
    bool line;                   /* positions lie on a line, so kernels have one row */
};
/* The whole model for this data set. */
void model_blueprint(struct blueprint *, const struct model_ops *, const struct settings *,
                     const struct dataset *described);
/* Nodes with their shapes, into nodes[NODE_INPUT], nodes[0] ...; returns their number. A table that makes no network
 * is a program fault. */
size_t lay_out_graph(const struct blueprint *, struct node *nodes /* MAX_NODES, and one before */);
/* The allocatable tensors of laid out nodes, without rules; returns their number. */
int describe_tensors(const struct settings *, const struct node *nodes, size_t node_count,
                     struct tensor *out /* MAX_TENSORS */);

/* The same of the whole model. */
int describe_model(const struct model_ops *, const struct settings *, const struct dataset *described,
                   struct tensor *out /* MAX_TENSORS */);

/* ---- cut.c ---- */

#define AUXILIARY "auxiliary"
/* The blueprint of a part of the model, changed as the cut says. */
void cut_blueprint(struct blueprint *part, const struct blueprint *whole, const struct cut *);
/* Gives a part's tensors what the rules (rules.h) demand of the whole model's. */
void follow_rules(const struct model_ops *, const struct settings *, const struct dataset *described, struct tensor *,
                  int count);
/* NULL: the network has none. */
static inline struct node *auxiliary_node(const struct net *net)
{
    return net->auxiliary_classes ? &net->nodes[net->node_count - 2] : NULL;
}

/* ---- build.c ---- */

/* net_build and net_build_cut for a model that need not be in the plugin tables. */
void net_build_model(struct net *, const struct model_ops *, const struct settings *, const struct dataset *described,
                     const struct mode_ops *, const struct quantiser_ops *, size_t batch, struct arena *);
void net_build_part(struct net *, const struct model_ops *, const struct settings *, const struct dataset *described,
                    const struct cut *, const struct mode_ops *, const struct quantiser_ops *, size_t batch,
                    struct arena *);
/* A new parameter NODE.what; trained: with gradient and velocity. */
void add_parameter(struct net *, const struct node *, const char *what, size_t rows, size_t cols, bool trained, bool decays);

/* ---- pool.c ---- */

/* Chooses the life and place of every buffer of the network. */
void plan_pool(struct net *, struct arena *);

/* ---- gradients.c ---- */

/* False for the network's input unless somebody asked for its gradient. */
bool gradient_wanted(const struct net *, const struct node *);
/* Adds g (of node's shape) to node's gradient; the first one is copied, or lies there already. */
void give_gradient(struct net *, struct node *, const float *g);
/* A sample's part of the gradient of the node's input, to be added to: zeroed if no other consumer has given one. */
float *sample_gradient(const struct net *, const struct node *, size_t sample);
/* Has `work` add every sample's gradient to the input's, if that is wanted. */
void spread_gradient(struct net *, struct node *, void (*work)(const struct net *, const struct node *, size_t sample));
/* One sample as a row, positions × channels without padding between them; and a row added to a sample. */
void flatten_sample(struct shape, const float *x, float *row);
void add_flat_sample(struct shape, const float *row, float *x);
/* The columns from cols to the stride become zero. */
void clear_padding(float *x, size_t rows, size_t cols);
/* Calls work for every sample of the pass, one by one; samples must be independent of each other. */
void for_samples(const struct net *, const struct node *,
                 void (*work)(const struct net *, const struct node *, size_t sample));
#endif
