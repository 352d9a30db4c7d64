/* SPDX-License-Identifier: GPL-3.0-or-later
 * Counter-based random numbers: splitmix64's finaliser (Steele, Lea & Flood 2014) over key and index. */
#include "bitsweep.h"
#include <math.h>

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_key(uint64_t seed, enum stream stream, uint64_t a, uint64_t b)
{
    return mix(mix(mix(mix(seed) ^ (uint64_t)stream) ^ a) ^ b);
}

uint64_t rng_bits(uint64_t key, uint64_t index) { return mix(mix(key) ^ index); }

double rng_uniform(uint64_t key, uint64_t index)
{
    return (double)(rng_bits(key, index) >> 11) * 0x1p-53;
}

double rng_normal(uint64_t key, uint64_t index)
{
    double radius = 1.0 - rng_uniform(key, 2 * index); /* (0, 1]: its logarithm is finite */
    return sqrt(-2.0 * log(radius)) * cos(2.0 * M_PI * rng_uniform(key, 2 * index + 1));
}

void rng_permutation(uint64_t key, size_t count, uint32_t *order)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        /* count < 2^32, so the product fits; bias below count / 2^32. */
        size_t j = (size_t)(((rng_bits(key, i) >> 32) * i) >> 32);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
