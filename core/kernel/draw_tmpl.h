/* SPDX-License-Identifier: MIT */
/* Draw kernels: one function a distribution, written once for both widths (real.h; REAL is 32 or 64).
 *
 * draw() walks a tile and hands out pairs of word vectors, the even and the odd elements of the same
 * blocks. A short distribution turns a pair into values on the spot; a long one stores the words and goes
 * over the tile in passes. No branch on content, no libm, fma only by name. */

#if REAL == 32
#define NUMBERS       struct sow_numbers_f32
#define REAL_T        float
#define UNIFORM_SHIFT 7 /* a 25-bit signed integer is left, made odd: 24 bits of precision */
#else
#define NUMBERS       struct sow_numbers_f64
#define REAL_T        double
#define UNIFORM_SHIFT 10 /* 54 bits, odd: 53 bits of precision */
#endif

#define TURN_FLIGHT 2 /* pairs that are turned at once: more would not fit the registers */

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

/* A function of it, one element after the other (map.h). */
static void FN(draw_of_uniform)(REAL_T *tile, uint64_t block, size_t groups,
                                const struct sow_stream *stream, const NUMBERS *numbers)
{
    const size_t count = groups * VEC_FLIGHT * PAIR;
    FN(draw_uniform)(tile, block, groups, stream, numbers);
    for (size_t i = 0; i < count; i++) {
        tile[i] = (REAL_T)numbers->map->value((double)tile[i]);
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

/* Passes over a tile that stays in the L1 cache, each so short that many vectors are under way in it:
 * words; n and f of the radius word, f in its place; the radius, its low part in n's place; values. */
static void FN(draw_normal)(REAL_T *tile, uint64_t block, size_t groups,
                            const struct sow_stream *stream, const NUMBERS *numbers)
{
    _Alignas(SOW_TILE_ALIGN) REAL_T aside[SOW_TILE_BYTES / 2 / sizeof(REAL_T)];
    const NUMBERS local = *numbers;
    const size_t pairs = groups * VEC_FLIGHT;
    FN(draw)(tile, block, groups, stream, numbers, FN(words));
    for (size_t pair = 0; pair < pairs; pair++) {
        vf f, n = FN(reduced)(vf_bits(vf_load(tile + pair * PAIR)), &f);
        vf_store(tile + pair * PAIR, f);
        vf_store(aside + pair * (PAIR / 2), n);
    }
    for (size_t pair = 0; pair < pairs; pair++) {
        vf n = vf_load(aside + pair * (PAIR / 2)), f = vf_load(tile + pair * PAIR);
        vf r_lo, r = FN(radius)(n, f, &r_lo);
        vf_store(tile + pair * PAIR, r);
        vf_store(aside + pair * (PAIR / 2), r_lo);
    }
    for (size_t pair = 0; pair < pairs; pair += TURN_FLIGHT) {
        vf values[TURN_FLIGHT][2];
        for (size_t v = 0; v < TURN_FLIGHT; v++) {
            const REAL_T *at = tile + (pair + v) * PAIR;
            vf r = vf_load(at), r_lo = vf_load(aside + (pair + v) * (PAIR / 2));
            FN(turn)(r, r_lo, vf_bits(vf_load(at + PAIR / 2)), &local, values[v]);
        }
        for (size_t v = 0; v < TURN_FLIGHT; v++) {
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

/* The inverse of the distribution function, in passes like the normal draw's: words; v and, aside, y;
 * logarithms of v; values. */
VEC_INLINE void FN(draw_cut)(REAL_T *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream, const NUMBERS *numbers, int tail)
{
    _Alignas(SOW_TILE_ALIGN) REAL_T aside[SOW_TILE_BYTES / sizeof(REAL_T)];
    const NUMBERS local = *numbers;
    const size_t count = groups * VEC_FLIGHT * PAIR, lanes = PAIR / 2;
    FN(draw)(tile, block, groups, stream, numbers, FN(words));
    for (size_t i = 0; i < count; i += lanes) {
        vf y, v = FN(probability)(vf_bits(vf_load(tile + i)), &local, &y);
        vf_store(tile + i, v);
        vf_store(aside + i, y);
    }
    for (size_t i = 0; i < count; i += VEC_FLIGHT * lanes) {
        vf w[VEC_FLIGHT];
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            w[v] = FN(minus_log)(vf_load(tile + i + v * lanes));
        }
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vf_store(tile + i + v * lanes, w[v]);
        }
    }
    for (size_t i = 0; i < count; i += VEC_FLIGHT * lanes) {
        vf values[VEC_FLIGHT];
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            const size_t at = i + v * lanes;
            values[v] = FN(quantile)(vf_load(tile + at), vf_load(aside + at), &local, tail);
        }
        for (size_t v = 0; v < VEC_FLIGHT; v++) {
            vf_store(tile + i + v * lanes, values[v]);
        }
    }
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
        FN(draw_cut)(tile, block, groups, stream, numbers, 0);
        break;
    case SOW_CUT_TAIL:
        FN(draw_cut)(tile, block, groups, stream, numbers, 1);
        break;
    }
}

#undef NUMBERS
#undef PAIR
#undef REAL_T
#undef UNIFORM_SHIFT
