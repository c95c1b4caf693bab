/* SPDX-License-Identifier: MIT */
/* Stream version 1: where the words of a tensor live (docs/stream.md).
 *
 *   key      (seed low, seed high)
 *   counter  (block low, block high, tensor low, tensor high), tensor = FNV-1a 64 of the full name
 *   block    purpose in the top 8 bits, number in the lower 56
 *
 * 32-bit draws: element i is word i % 4 of block i / 4.
 * 64-bit draws: element i is words 2 (i % 2), low, and 2 (i % 2) + 1, high, of block i / 2. */
#ifndef SOW_RANDOM_STREAM_H
#define SOW_RANDOM_STREAM_H

#include "core/random/philox.h"
#include "sow/sow.h"

/* What a block's words are for. */
enum sow_purpose {
    SOW_PURPOSE_VALUES = 0,
};

#define SOW_BLOCK_F32 4 /* elements a block holds, 32-bit draws */
#define SOW_BLOCK_F64 2 /* 64-bit draws */

/* The part of a stream that does not move with the element, ready for the kernels. */
struct sow_stream {
    uint32_t round_key[SOW_PHILOX_ROUNDS][2];
    uint64_t tensor;
};

static inline struct sow_stream sow_stream(struct sow_key key)
{
    struct sow_stream stream = {.tensor = key.tensor};
    uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
    for (int round = 0; round < SOW_PHILOX_ROUNDS; round++) {
        stream.round_key[round][0] = k0;
        stream.round_key[round][1] = k1;
        k0 += SOW_PHILOX_W0;
        k1 += SOW_PHILOX_W1;
    }
    return stream;
}

/* The four words of one block, slowly: for tests and for showing single values. */
static inline void sow_stream_block(struct sow_key key, uint64_t block, uint32_t words[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)key.tensor,
                                 (uint32_t)(key.tensor >> 32)};
    const uint32_t seed[2] = {(uint32_t)key.seed, (uint32_t)(key.seed >> 32)};
    sow_philox(counter, seed, words);
}

#endif
