/* SPDX-License-Identifier: GPL-3.0-or-later
 * Networks that are a part of a model, or more than it: what class-incremental learning asks for. Heads that grow,
 * extractors without a head, blocks on top of a frozen base, a head that reads frozen extractors too. */
#ifndef BITSWEEP_CUT_H
#define BITSWEEP_CUT_H
#include "net.h"

/* Which nodes of a model's table a network has, and what is added to them. All zero: the whole model as it is. */
struct cut {
    size_t first;      /* first node; the network's input is what node first - 1 gives (0: the data set's samples) */
    size_t end;        /* one past the last node (0: all). Without the classifier the last node's output stands where
                          logits stand */
    /* The rest only where the classifier is a part of it. */
    size_t classes;    /* outputs of the classifier; 0: the data set's classes */
    bool head_bias;    /* the classifier has a bias even if the model's has none */
    size_t outside;    /* features that the classifier reads before the network's own (net->outside) */
    size_t auxiliary;  /* outputs of an auxiliary classifier "auxiliary" on the network's own features; 0: none */
};

/* Index of the classifier (the last node of every model) and of the first node of the specialised blocks
 * (model_ops.block) in the model's table; the latter 0: the model has none. */
size_t model_head(const struct settings *, const struct dataset *described);
size_t model_block(const struct settings *, const struct dataset *described);

/* As net_build. A part must be closed: no node of it reads a node before `first` other than first - 1, and each of its
 * nodes but the last is read within it; else the program ends. Demands on tensors (rules.h) are those on the whole
 * model, by name, so `first` and `last` mean the whole model's layers; the auxiliary classifier is under the
 * classifier's. */
void net_build_cut(struct net *, const struct settings *, const struct dataset *described, const struct cut *,
                   const struct mode_ops *, const struct quantiser_ops *, size_t batch, struct arena *);

/* The allocatable tensors of a part, without building it, with the widths that the rules leave; returns their number. */
int cut_tensors(const struct settings *, const struct dataset *described, const struct cut *,
                struct tensor *out /* MAX_TENSORS */);
/* The tensor of the whole model that stands for this one of a part: of its name, or of its kind at the classifier. */
const struct tensor *whole_tensor(const struct tensor *, const struct tensor *whole, int count);

/* Features that the whole model's classifier reads: positions × channels of its input. */
size_t model_feature_count(const struct settings *, const struct dataset *described);
/* What the classifier reads of the network itself: positions × channels of its input; of a part without classifier its
 * output. */
size_t net_feature_count(const struct net *);
/* The features of the last forward pass, before anything else uses the pool: samples × stride, the first
 * net_feature_count of a row, positions first, without padding between channels; the rest of a row is left as it is. */
void net_take_features(const struct net *, size_t samples, float *out, size_t stride);
/* The other network's input memory becomes this one's too (their inputs have one shape, and the other holds as many
 * samples): a batch is written once. Before anything is built that shares this network's input (net_build_shadow). */
void net_share_input(struct net *, const struct net *other);
/* Copies what was learned, by name: of each parameter the rows and columns that both have (a grown classifier keeps
 * its rows, and new ones stay as they are; so with the columns of one that reads more from outside), running
 * statistics, and the quantisers' ranges with their widths. Velocities stay. The auxiliary classifier is left out. */
void net_take_over(struct net *, const struct net *from);
#endif
