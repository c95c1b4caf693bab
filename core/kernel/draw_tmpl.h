/* SPDX-License-Identifier: MIT */
/* Draw kernels: one function a distribution, written once for both widths (real.h; REAL is 32 or 64).
 *
 * A distribution turns a pair of word vectors, the even and the odd elements of the same blocks, into a
 * pair of values; draw() walks a tile. No branch on content, no libm, fma only by name. */

#if REAL == 32
#define NUMBERS       struct sow_numbers_f32
#define REAL_T        float
#define UNIFORM_SHIFT 7 /* a 25-bit signed integer is left, made odd: 24 bits of precision */
#else
#define NUMBERS       struct sow_numbers_f64
#define REAL_T        double
#define UNIFORM_SHIFT 10 /* 54 bits, odd: 53 bits of precision */
#endif

#define PAIR (2 * sizeof(vf) / sizeof(REAL_T)) /* elements of a pair of vectors */

typedef void FN(pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2]);

/* All values of a group are computed before the first is stored: a store would keep compilers from
 * interleaving the vectors. */
VEC_INLINE void FN(draw)(REAL_T *tile, uint64_t block, size_t groups,
                         const struct sow_stream *stream, const NUMBERS *numbers, FN(pair) * pair)
{
    const NUMBERS local = *numbers;
    struct philox philox = philox_at(stream, block);
    for (size_t group = 0; group < groups; group++, tile += VEC_FLIGHT * PAIR) {
        struct philox_words words[VEC_FLIGHT];
        vf values[VEC_FLIGHT][2];
        philox_next(&philox, words);
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vi even, odd;
            FN(philox_pair)(&philox, &words[v], &even, &odd);
            pair(even, odd, &local, values[v]);
        }
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vf_store(tile + v * PAIR, values[v][0]);
            vf_store(tile + v * PAIR + PAIR / 2, values[v][1]);
        }
    }
}

/* The words themselves, as the bits of values. */
VEC_INLINE void FN(words)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    (void)numbers;
    values[0] = vf_from_bits(even);
    values[1] = vf_from_bits(odd);
}

/* ---- Uniform ------------------------------------------------------------------------------ */

/* Values: middle + scale k with k odd, |k| < 2^24 (2^53), clamped to [low, high]. Bits: since stream 1. */
VEC_INLINE vf FN(uniform)(vi word, const NUMBERS *numbers)
{
    vi k = vi_or(vi_sar(word, UNIFORM_SHIFT), vi_set(1));
    vf value = vf_fma(vf_from_int(k), vf_set(numbers->scale), vf_set(numbers->middle));
    return vf_clamp(value, vf_set(numbers->low), vf_set(numbers->high));
}

VEC_INLINE void FN(uniform_pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    values[0] = FN(uniform)(even, numbers);
    values[1] = FN(uniform)(odd, numbers);
}

/* The same values where the middle is 0 and none needs the clamp: with k = 2 j + 1, both
 * fma(k, scale, 0) and fma(j, 2 scale, scale) are k scale, rounded once. */
VEC_INLINE vf FN(centred)(vi word, const NUMBERS *numbers)
{
    vi j = vi_sar(word, UNIFORM_SHIFT + 1);
    return vf_fma(vf_from_int(j), vf_set(2 * numbers->scale), vf_set(numbers->scale));
}

VEC_INLINE void FN(centred_pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    values[0] = FN(centred)(even, numbers);
    values[1] = FN(centred)(odd, numbers);
}

static void FN(draw_uniform)(REAL_T *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream, const NUMBERS *numbers)
{
    if (numbers->centred) {
        FN(draw)(tile, block, groups, stream, numbers, FN(centred_pair));
    } else {
        FN(draw)(tile, block, groups, stream, numbers, FN(uniform_pair));
    }
}

/* ---- Constant ----------------------------------------------------------------------------- */

static void FN(draw_constant)(REAL_T *tile, uint64_t block, size_t groups,
                              const struct sow_stream *stream, const NUMBERS *numbers)
{
    const size_t count = groups * VEC_FLIGHT * PAIR;
    (void)block;
    (void)stream;
    for (size_t i = 0; i < count; i++) {
        tile[i] = numbers->mean;
    }
}

/* ---- Normal ------------------------------------------------------------------------------- */

/* Three passes over the tile, each with few numbers alive: words, then radii in the place of the even words
 * (their low parts aside), then values. */
static void FN(draw_normal)(REAL_T *tile, uint64_t block, size_t groups,
                            const struct sow_stream *stream, const NUMBERS *numbers)
{
    _Alignas(SOW_TILE_ALIGN) REAL_T low[SOW_TILE_BYTES / 2 / sizeof(REAL_T)];
    const NUMBERS local = *numbers;
    FN(draw)(tile, block, groups, stream, numbers, FN(words));
    for (size_t pair = 0; pair < groups * VEC_FLIGHT; pair += VEC_FLIGHT) {
        vf r[VEC_FLIGHT], r_lo[VEC_FLIGHT];
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            r[v] = FN(radius)(vf_bits(vf_load(tile + (pair + v) * PAIR)), &r_lo[v]);
        }
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vf_store(tile + (pair + v) * PAIR, r[v]);
            vf_store(low + (pair + v) * (PAIR / 2), r_lo[v]);
        }
    }
    for (size_t pair = 0; pair < groups * VEC_FLIGHT; pair += VEC_FLIGHT) {
        vf values[VEC_FLIGHT][2];
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            const REAL_T *at = tile + (pair + v) * PAIR;
            vf r = vf_load(at), r_lo = vf_load(low + (pair + v) * (PAIR / 2));
            FN(turn)(r, r_lo, vf_bits(vf_load(at + PAIR / 2)), &local, values[v]);
        }
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vf_store(tile + (pair + v) * PAIR, values[v][0]);
            vf_store(tile + (pair + v) * PAIR + PAIR / 2, values[v][1]);
        }
    }
}

/* ---- Truncated normal --------------------------------------------------------------------- */

/* The normal draw, clamped. */
static void FN(draw_clamped)(REAL_T *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream, const NUMBERS *numbers)
{
    const vf low = vf_set(numbers->low), high = vf_set(numbers->high);
    FN(draw_normal)(tile, block, groups, stream, numbers);
    for (size_t i = 0; i < groups * VEC_FLIGHT * PAIR; i += PAIR / 2) {
        vf_store(tile + i, vf_clamp(vf_load(tile + i), low, high));
    }
}

VEC_INLINE void FN(central_pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    values[0] = FN(truncated)(even, numbers, 0);
    values[1] = FN(truncated)(odd, numbers, 0);
}

VEC_INLINE void FN(tail_pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    values[0] = FN(truncated)(even, numbers, 1);
    values[1] = FN(truncated)(odd, numbers, 1);
}

/* The way is chosen by the parameters alone. */
static void FN(draw_trunc_normal)(REAL_T *tile, uint64_t block, size_t groups,
                                  const struct sow_stream *stream, const NUMBERS *numbers)
{
    switch (numbers->cut) {
    case SOW_CUT_NOTHING:
        FN(draw_clamped)(tile, block, groups, stream, numbers);
        break;
    case SOW_CUT_CENTRAL:
        FN(draw)(tile, block, groups, stream, numbers, FN(central_pair));
        break;
    case SOW_CUT_TAIL:
        FN(draw)(tile, block, groups, stream, numbers, FN(tail_pair));
        break;
    }
}

#undef NUMBERS
#undef PAIR
#undef REAL_T
#undef UNIFORM_SHIFT
