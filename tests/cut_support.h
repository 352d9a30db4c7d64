/* SPDX-License-Identifier: GPL-3.0-or-later
 * Small networks that are parts of models, for the tests of bench/nn/cut.h. */
#ifndef BITSWEEP_CUT_SUPPORT_H
#define BITSWEEP_CUT_SUPPORT_H
#include "../bench/nn/nodes.h"
#include "../bench/settings.h"

#define SAMPLES 5
#define CLASSES 3

struct dataset made_data(int rank, size_t channels, size_t height, size_t width);

/* A network with its settings and memory. */
struct built {
    struct settings settings;
    struct arena arena;
    struct net net;
};

/* In mode fp, or with every width 4: small forms of the models; fcnet has 4 layers of 7 before its head. */
struct settings part_settings(const char *model, const char *mode);
/* The settings are the network's from here on. Everything that is learned is zero. */
void build_part(struct built *, struct settings, const struct dataset *, struct cut);
void drop_part(struct built *);
void set_all_bits(struct net *, float bits);

/* Values that depend on nothing but their place, and are quicker than draws. */
void fill_values(float *x, size_t count, uint64_t seed, float middle, float spread);
/* Everything that is learned matters: scales are about 1, the rest about 0; paddings stay zero. */
void fill_parameters(struct net *);
/* Also what comes from outside. */
void fill_input(struct net *, uint64_t seed);

/* Networks whose classifier is changed; filled. */
struct cut_case {
    const char *name;
    bool positions;      /* a classifier on 4 × 4 positions of 5 channels; else fcnet on 6 features */
    struct cut cut;
    const char *layers;  /* each name with a space behind it */
};
extern const struct cut_case cut_cases[];
extern const size_t cut_case_count;
void build_cut_case(struct built *, const struct cut_case *);
#endif
