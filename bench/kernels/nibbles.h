/* SPDX-License-Identifier: GPL-3.0-or-later
 * Codes of 4 bits, two to a byte: loops that compilers turn into vectors of each instruction set by themselves. */
#ifndef BITSWEEP_NIBBLES_H
#define BITSWEEP_NIBBLES_H
#include "isa.h"

static void pack_nibbles(const void *q, size_t n, uint8_t *out)
{
    const uint8_t *codes = q;
    for (size_t i = 0; i < n / 2; i++)
        out[i] = (uint8_t)((codes[2 * i] & 15) | codes[2 * i + 1] << 4);
}

static void unpack_nibbles(const uint8_t *packed, bool is_unsigned, size_t n, void *q)
{
    uint8_t *codes = q, sign = is_unsigned ? 0 : 8; /* (code ^ 8) - 8 extends a sign */
    for (size_t i = 0; i < n / 2; i++) {
        codes[2 * i] = (uint8_t)(((packed[i] & 15) ^ sign) - sign);
        codes[2 * i + 1] = (uint8_t)(((packed[i] >> 4) ^ sign) - sign);
    }
}
#endif
