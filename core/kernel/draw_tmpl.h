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

typedef void FN(pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2]);

VEC_INLINE void FN(draw)(REAL_T *tile, uint64_t block, size_t groups,
                         const struct sow_stream *stream, const NUMBERS *numbers, FN(pair) * pair)
{
    const size_t lanes = sizeof(vf) / sizeof(REAL_T);
    const NUMBERS local = *numbers;
    struct philox philox = philox_at(stream, block);
    for (size_t group = 0; group < groups; group++) {
        struct philox_words words[VEC_FLIGHT];
        philox_next(&philox, words);
        for (int v = 0; v < VEC_FLIGHT; v++) {
            vi even, odd;
            vf values[2];
            FN(philox_pair)(&philox, &words[v], &even, &odd);
            pair(even, odd, &local, values);
            vf_store(tile, values[0]);
            vf_store(tile + lanes, values[1]);
            tile += 2 * lanes;
        }
    }
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

static void FN(draw_uniform)(REAL_T *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream, const NUMBERS *numbers)
{
    FN(draw)(tile, block, groups, stream, numbers, FN(uniform_pair));
}

/* ---- Constant ----------------------------------------------------------------------------- */

static void FN(draw_constant)(REAL_T *tile, uint64_t block, size_t groups,
                              const struct sow_stream *stream, const NUMBERS *numbers)
{
    const size_t count = groups * (2 * VEC_FLIGHT * sizeof(vf) / sizeof(REAL_T));
    (void)block;
    (void)stream;
    for (size_t i = 0; i < count; i++) {
        tile[i] = numbers->mean;
    }
}

/* ---- Normal ------------------------------------------------------------------------------- */

static void FN(draw_normal)(REAL_T *tile, uint64_t block, size_t groups,
                            const struct sow_stream *stream, const NUMBERS *numbers)
{
    FN(draw)(tile, block, groups, stream, numbers, FN(normal_pair));
}

/* ---- Truncated normal --------------------------------------------------------------------- */

VEC_INLINE void FN(clamped_pair)(vi even, vi odd, const NUMBERS *numbers, vf values[2])
{
    FN(normal_pair)(even, odd, numbers, values);
    values[0] = vf_clamp(values[0], vf_set(numbers->low), vf_set(numbers->high));
    values[1] = vf_clamp(values[1], vf_set(numbers->low), vf_set(numbers->high));
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
        FN(draw)(tile, block, groups, stream, numbers, FN(clamped_pair));
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
#undef REAL_T
#undef UNIFORM_SHIFT
