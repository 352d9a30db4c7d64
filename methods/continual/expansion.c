/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "expansion.h"
#include "losses.h"
#include "../../bench/learner.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct param param_auxiliary_weight = {
    .name = "auxiliary_weight", .type = PARAM_REAL, .fallback = "1", .min = 0, .max = 1e6, .source = "pub",
    .help = "Weight of the auxiliary classifier's cross entropy, which tells the new classes from all old ones."};

double expansion_loss(const struct lesson *l)
{
    double sum = seen_cross_entropy(l);
    return l->auxiliary ? sum + add_auxiliary_cross_entropy(l, setting_real(l->settings, param_auxiliary_weight.name)) : sum;
}

/* The weight of the model's last node. */
static const struct parameter *classifier_weight(const struct learner *l)
{
    struct node_spec nodes[MAX_NODES];
    const struct net *net = l->net;
    char *name = format_text("%s.weight", nodes[net->model->nodes(l->settings, &l->seen, nodes) - 1].name);
    const struct parameter *found = NULL;
    for (size_t i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            found = &net->parameters[i];
    if (!found)
        die("the network has no %s", name);
    free(name);
    return found;
}

static double mean_length(const struct parameter *w, size_t first, size_t last)
{
    double sum = 0;
    for (size_t row = first; row < last; row++) {
        double squares = 0;
        for (size_t i = 0; i < w->cols; i++) {
            double value = w->value[row * w->stride + i];
            squares += value * value;
        }
        sum += sqrt(squares);
    }
    return sum / (double)(last - first);
}

void expansion_finish(struct learner *l)
{
    if (l->old == 0)
        return;
    const struct parameter *w = classifier_weight(l);
    double length = mean_length(w, l->old, l->all);
    if (length == 0)
        return;
    float factor = (float)(mean_length(w, 0, l->old) / length);
    for (size_t i = l->old * w->stride; i < l->all * w->stride; i++)
        w->value[i] *= factor;
    net_store_weights(l->net);
}
