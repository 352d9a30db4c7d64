/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "split.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void dataset_split(const struct dataset *dataset, double validation, uint64_t seed, struct split *split)
{
    size_t count = dataset->train.count, wanted = (size_t)llround(validation * (double)count);
    if (wanted >= count)
        wanted = count ? count - 1 : 0;
    uint32_t *order = xmalloc(count * sizeof *order);
    bool *kept = xcalloc(count, sizeof *kept);
    *split = (struct split){.train = xmalloc((count - wanted) * sizeof *split->train),
                            .validation = xmalloc(wanted * sizeof *split->validation)};
    rng_permutation(rng_key(seed, STREAM_SPLIT, 0, 0), count, order);
    for (size_t i = 0; i < wanted; i++)
        kept[order[i]] = true;
    for (size_t i = 0; i < count; i++) {
        if (kept[i])
            split->validation[split->validation_count++] = (uint32_t)i;
        else
            split->train[split->train_count++] = (uint32_t)i;
    }
    free(order);
    free(kept);
}

void split_free(struct split *split)
{
    free(split->train);
    free(split->validation);
    memset(split, 0, sizeof *split);
}
