/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "split.h"
#include "../bench/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct param param_subset = {.name = "subset", .type = PARAM_INT, .fallback = "all",
    .choices = (const char *const[]){"all", NULL}, .min = 1, .max = 1e9,
    .source = "ours", .help = "Training samples used, validation part included: all, or for quick studies the first so "
                              "many of the set."};

size_t subset_count(const struct settings *s, const struct dataset *described)
{
    size_t all = described->train.count, asked = setting_is(s, "subset", "all") ? all : (size_t)setting_int(s, "subset");
    return asked < all ? asked : all;
}

bool subset_check(const struct settings *s, const struct dataset *described, struct error *error)
{
    return setting_is(s, "subset", "all") || (size_t)setting_int(s, "subset") <= described->train.count
           || fail(error, "subset is %s, but %s has %zu training samples; valid: at most so many, or all",
                   setting_text(s, "subset"), described->name, described->train.count);
}

double validation_share(const struct settings *s)
{
    return setting_has(s, "validation") ? setting_real(s, "validation") : 0;
}

void dataset_split(size_t count, double validation, uint64_t seed, struct split *split)
{
    size_t wanted = (size_t)llround(validation * (double)count);
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
