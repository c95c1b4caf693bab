/* SPDX-License-Identifier: MIT */
/* Philox4x32-10 (core/random/philox.h) on VEC_FLIGHT vectors of VEC_BLOCKS blocks at once.
 *
 * A word lives in the low half of a 64-bit lane. The product of two low halves fills the lane: its
 * low half is the next round's word 1 or 3 as it stands, its high half is one shift away, and what is
 * left in the upper halves is never read. Inside a tile the blocks differ in word 0 alone, so words 0
 * and 1 after the first round and word 3 after the second are the same in all of them: the first
 * three rounds lose two products and half their sums. */

/* A place in the stream, and what all blocks of a tile share. */
struct philox {
    vi64 block[VEC_FLIGHT]; /* numbers of the next blocks; the lower half is word 0 */
    vi64 round1_2;          /* word 2 after round 1 = high(product 0) ^ round1_2 */
    vi64 round2_0;          /* word 0 after round 2 = high(product 1) ^ round2_0 */
    vi64 round2_2;          /* word 2 after round 2 = product 0 of round 1 ^ round2_2 */
    vi64 round3_2;          /* word 2 after round 3 = high(product 0) ^ round3_2 */
    vi64 key[SOW_PHILOX_ROUNDS][2];
    vi32 last_key; /* of the last round, key word 0 in even lanes and 1 in odd */
};

/* The last round before its sums: word 0 = high(product[1]) ^ word1 ^ key, word 1 = low(product[1]),
 * word 2 = high(product[0]) ^ word3 ^ key, word 3 = low(product[0]). */
struct philox_words {
    vi64 product[2];
    vi64 word1, word3;
};

static struct philox philox_at(const struct sow_stream *stream, uint64_t block)
{
    const uint32_t(*key)[2] = stream->round_key;
    uint32_t block_high = (uint32_t)(block >> 32);
    uint32_t tensor_low = (uint32_t)stream->tensor, tensor_high = (uint32_t)(stream->tensor >> 32);
    uint64_t product1 = (uint64_t)SOW_PHILOX_M1 * tensor_low; /* of round 1 */
    uint32_t word0 = (uint32_t)(product1 >> 32) ^ block_high ^ key[0][0];
    uint64_t product0 = (uint64_t)SOW_PHILOX_M0 * word0; /* of round 2 */

    struct philox philox;
    for (unsigned v = 0; v < VEC_FLIGHT; v++) {
        philox.block[v] = vi64_blocks(block + v * VEC_BLOCKS);
    }
    philox.round1_2 = vi64_set(tensor_high ^ key[0][1]);
    philox.round2_0 = vi64_set((uint32_t)product1 ^ key[1][0]);
    philox.round2_2 = vi64_set((uint32_t)(product0 >> 32) ^ key[1][1]);
    philox.round3_2 = vi64_set((uint32_t)product0 ^ key[2][1]);
    for (int round = 0; round < SOW_PHILOX_ROUNDS; round++) {
        philox.key[round][0] = vi64_set(key[round][0]);
        philox.key[round][1] = vi64_set(key[round][1]);
    }
    philox.last_key =
        vi64_pack_low(philox.key[SOW_PHILOX_ROUNDS - 1][0], philox.key[SOW_PHILOX_ROUNDS - 1][1]);
    return philox;
}

/* The words of the next VEC_FLIGHT vectors of blocks. Each round is done for all before the next. */
VEC_INLINE void philox_next(struct philox *philox, struct philox_words words[VEC_FLIGHT])
{
    const vi64 m0 = vi64_set(SOW_PHILOX_M0), m1 = vi64_set(SOW_PHILOX_M1);
    vi64 c0[VEC_FLIGHT], c1[VEC_FLIGHT], c2[VEC_FLIGHT], c3[VEC_FLIGHT];
    for (int v = 0; v < VEC_FLIGHT; v++) { /* rounds 1 and 2 */
        vi64 product0 = vi64_mul_low(philox->block[v], m0);
        philox->block[v] = vi64_add(philox->block[v], vi64_set(VEC_FLIGHT * VEC_BLOCKS));
        c2[v] = vi64_xor(vi64_high(product0), philox->round1_2);
        vi64 product1 = vi64_mul_low(c2[v], m1);
        c0[v] = vi64_xor(vi64_high(product1), philox->round2_0);
        c1[v] = product1;
        c2[v] = vi64_xor(product0, philox->round2_2);
    }
    for (int v = 0; v < VEC_FLIGHT; v++) { /* round 3 */
        vi64 product0 = vi64_mul_low(c0[v], m0), product1 = vi64_mul_low(c2[v], m1);
        c0[v] = vi64_xor3(vi64_high(product1), c1[v], philox->key[2][0]);
        c1[v] = product1;
        c2[v] = vi64_xor(vi64_high(product0), philox->round3_2);
        c3[v] = product0;
    }
    for (int round = 3; round < SOW_PHILOX_ROUNDS - 1; round++) {
        for (int v = 0; v < VEC_FLIGHT; v++) {
            vi64 product0 = vi64_mul_low(c0[v], m0), product1 = vi64_mul_low(c2[v], m1);
            c0[v] = vi64_xor3(vi64_high(product1), c1[v], philox->key[round][0]);
            c1[v] = product1;
            c2[v] = vi64_xor3(vi64_high(product0), c3[v], philox->key[round][1]);
            c3[v] = product0;
        }
    }
    for (int v = 0; v < VEC_FLIGHT; v++) {
        words[v].product[0] = vi64_mul_low(c0[v], m0);
        words[v].product[1] = vi64_mul_low(c2[v], m1);
        words[v].word1 = c1[v];
        words[v].word3 = c3[v];
    }
}

/* 32-bit words: even elements are words 0 and 2 of a block, odd ones words 1 and 3. */
VEC_INLINE void philox_pair_f32(const struct philox *philox, const struct philox_words *words,
                                vi32 *even, vi32 *odd)
{
    vi32 high = vi64_pack_high(words->product[1], words->product[0]);
    *even = vi32_xor(vi32_xor(high, vi64_pack_low(words->word1, words->word3)), philox->last_key);
    *odd = vi64_pack_low(words->product[1], words->product[0]);
}

/* 64-bit words: the even element is words 0 and 1 of a block, the odd one words 2 and 3. */
VEC_INLINE void philox_pair_f64(const struct philox *philox, const struct philox_words *words,
                                vi64 *even, vi64 *odd)
{
    const vi64(*key)[2] = &philox->key[SOW_PHILOX_ROUNDS - 1];
    vi64 word0 = vi64_xor3(vi64_high(words->product[1]), words->word1, (*key)[0]);
    vi64 word2 = vi64_xor3(vi64_high(words->product[0]), words->word3, (*key)[1]);
    *even = vi64_join_low(word0, words->product[1]);
    *odd = vi64_join_low(word2, words->product[0]);
}
