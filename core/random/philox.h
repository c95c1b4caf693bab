/* SPDX-License-Identifier: MIT */
/* Philox4x32-10, one block at a time: the definition, not the fast path (core/kernel/philox_tmpl.h).
 *
 * A block cipher-like bijection of a 128-bit counter under a 64-bit key; ten rounds.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11), the words of
 * Random123's philox4x32. Bits: since stream 1. */
#ifndef SOW_RANDOM_PHILOX_H
#define SOW_RANDOM_PHILOX_H

#include <stdint.h>

#define SOW_PHILOX_ROUNDS 10
#define SOW_PHILOX_M0     0xD2511F53u /* multiplier of word 0 */
#define SOW_PHILOX_M1     0xCD9E8D57u /* multiplier of word 2 */
#define SOW_PHILOX_W0     0x9E3779B9u /* added to key word 0 after a round: golden ratio */
#define SOW_PHILOX_W1     0xBB67AE85u /* added to key word 1 after a round: sqrt 3 - 1 */

/* words = Philox4x32-10(counter, key). */
static inline void sow_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < SOW_PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)SOW_PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)SOW_PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += SOW_PHILOX_W0;
        k1 += SOW_PHILOX_W1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

#endif
