/* SPDX-License-Identifier: GPL-3.0-or-later
 * What models' tables are written with: calls append nodes and return the index of the last one. */
#ifndef BITSWEEP_BLOCKS_H
#define BITSWEEP_BLOCKS_H
#include "../../bench/bitsweep.h"

struct table { struct node_spec *nodes; size_t count; };

/* As snprintf to the name of a node or the start of one; too long a name is a program fault. */
#define NAME_SIZE sizeof ((struct node_spec *)0)->name
void write_name(char *name /* NAME_SIZE */, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Any node, not yet named. */
struct node_spec *add_node(struct table *, struct node_spec);
/* Takes the previous node. A mean over all positions has kernel 0. */
int add_pool(struct table *, enum node_kind, size_t kernel, size_t stride, size_t pad, const char *name);
/* The classifier, or a layer before it: takes the previous node, with a bias. */
int add_dense(struct table *, const char *name, size_t outputs, enum activation, enum weight_init);

/* PREFIXconvSUFFIX without bias, padded to keep the size at stride 1, and PREFIXnormSUFFIX. */
struct convolution {
    enum node_kind kind;         /* NODE_CONV, NODE_DEPTHWISE */
    size_t outputs, kernel, stride;
    enum activation activation;
    int input;                   /* node index, or NODE_PREVIOUS */
    int add;                     /* added after the normalisation, or NODE_NONE */
};
int add_convolution(struct table *, const struct convolution *, enum weight_init, const char *prefix, const char *suffix);

/* stageS.blockB: two 3 × 3 convolutions and the sum with the block's input (He et al. 2016), ReLU after each. Where the
 * shape changes the input goes through shortcut A, or is projected by a strided 1 × 1 convolution. */
struct residual { int stage, block; size_t inputs, outputs, stride; bool projects; };
int add_residual(struct table *, const struct residual *);

/* Stages of so many blocks; each stage but the first halves both sides and doubles the channels of the one before. */
struct stages { int count, blocks; size_t channels; bool project; }; /* channels: of the first */
void add_stages(struct table *, const struct stages *);

/* Index of the first node of a model (its model_ops.nodes) whose name starts so: a model_ops.block; 0: there is none. */
size_t first_called(const char *start,
                    size_t (*nodes)(const struct settings *, const struct dataset *, struct node_spec *),
                    const struct settings *, const struct dataset *described);

/* Images whose sides are at least so long. */
bool images_of(const struct dataset *described, size_t least);
#endif
