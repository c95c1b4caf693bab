/* SPDX-License-Identifier: MIT */
/* Store kernels: a tile of float32 (or float64) values rounded into the bytes of a dtype.
 *
 * A narrow value is the float32 rounded once, to nearest even, subnormals kept. f16 and bf16 overflow
 * to infinity, fp8 saturates to its largest finite value; NaN is no input. Bits: since stream 1. */

#define PAIR_F32 (2 * (sizeof(vf32) / sizeof(float))) /* elements of a pair of vectors */
#define PAIR_F64 (2 * (sizeof(vf64) / sizeof(double)))

/* ---- Rounding ----------------------------------------------------------------------------- */

/* The bits of |x|, cut to `largest`, in a format with so many bits of `mantissa` and this `bias` of the
 * exponent, and above them x's sign, shifted down by `sign_shift`. Above the smallest normal number integer
 * rounding does it; below, the sum with 2^23 units of the format's last place. */
VEC_INLINE vi32 narrow(vf32 x, int mantissa, uint32_t bias, uint32_t largest, int sign_shift)
{
    const int shift = 23 - mantissa;
    const vi32 unit = vi32_set((151 - bias - (uint32_t)mantissa) << 23);
    vi32 sign = vi32_and(vf32_bits(x), vi32_set(0x80000000u));
    vi32 bits = vi32_min(vi32_xor(vf32_bits(x), sign), vi32_set(largest));
    vi32 odd = vi32_and(vi32_shr(bits, shift), vi32_set(1));
    vi32 rounded = vi32_add(vi32_add(bits, vi32_set((1u << (shift - 1)) - 1)), odd);
    vi32 normal = vi32_sub(vi32_shr(rounded, shift), vi32_set((127 - bias) << mantissa));
    vf32 sum = vf32_add(vf32_from_bits(bits), vf32_from_bits(unit));
    vi32 subnormal = vi32_sub(vf32_bits(sum), unit);
    vi32 magnitude = vi32_select_less(bits, vi32_set((128 - bias) << 23), subnormal, normal);
    return vi32_or(vi32_shr(sign, sign_shift), magnitude);
}

VEC_INLINE vi32 round_f16(vf32 x)
{
#ifdef VEC_HAS_F16
    return vf32_to_f16(x);
#else
    return narrow(x, 10, 15, 0x47800000u, 16); /* 2^16, which becomes infinity */
#endif
}

VEC_INLINE vi32 round_f8_e4m3fn(vf32 x)
{
    return narrow(x, 3, 7, 0x43e00000u, 24); /* 448 */
}

VEC_INLINE vi32 round_f8_e5m2(vf32 x)
{
    return narrow(x, 2, 15, 0x47600000u, 24); /* 57344 */
}

/* ---- One function a dtype ------------------------------------------------------------------- */

typedef vi32 round_fn(vf32 x);

/* The loops, with `streaming` a constant in each copy. */
VEC_INLINE void put_f32(unsigned char *dst, const float *tile, size_t pairs, int streaming)
{
    for (size_t i = 0; i < pairs; i++, tile += PAIR_F32, dst += 4 * PAIR_F32) {
        vf32 even = vf32_load(tile), odd = vf32_load(tile + PAIR_F32 / 2);
        vi32_put(dst, vf32_bits(even), vf32_bits(odd), streaming);
    }
}

VEC_INLINE void put_bf16(unsigned char *dst, const float *tile, size_t pairs, int streaming)
{
    for (size_t i = 0; i < pairs; i++, tile += PAIR_F32, dst += 2 * PAIR_F32) {
        vf32 even = vf32_load(tile), odd = vf32_load(tile + PAIR_F32 / 2);
        vi32_put_high_16(dst, vf32_round_16(even), vf32_round_16(odd), streaming);
    }
}

VEC_INLINE void put_f16(unsigned char *dst, const float *tile, size_t pairs, int streaming)
{
    for (size_t i = 0; i < pairs; i++, tile += PAIR_F32, dst += 2 * PAIR_F32) {
        vf32 even = vf32_load(tile), odd = vf32_load(tile + PAIR_F32 / 2);
        vi32_put_16(dst, round_f16(even), round_f16(odd), streaming);
    }
}

VEC_INLINE void put_f8(unsigned char *dst, const float *tile, size_t pairs, round_fn *round,
                       int streaming)
{
    for (size_t i = 0; i < pairs; i += 2, tile += 2 * PAIR_F32, dst += 2 * PAIR_F32) {
        vf32 even = vf32_load(tile), odd = vf32_load(tile + PAIR_F32 / 2);
        vf32 next_even = vf32_load(tile + PAIR_F32), next_odd = vf32_load(tile + PAIR_F32 * 3 / 2);
        vi32_put_8(dst, round(even), round(odd), round(next_even), round(next_odd), streaming);
    }
}

static void store_f32(void *dst, const float *tile, size_t groups, int streaming)
{
    if (streaming) {
        put_f32(dst, tile, groups * VEC_FLIGHT, 1);
    } else {
        put_f32(dst, tile, groups * VEC_FLIGHT, 0);
    }
}

static void store_bf16(void *dst, const float *tile, size_t groups, int streaming)
{
    if (streaming) {
        put_bf16(dst, tile, groups * VEC_FLIGHT, 1);
    } else {
        put_bf16(dst, tile, groups * VEC_FLIGHT, 0);
    }
}

static void store_f16(void *dst, const float *tile, size_t groups, int streaming)
{
    if (streaming) {
        put_f16(dst, tile, groups * VEC_FLIGHT, 1);
    } else {
        put_f16(dst, tile, groups * VEC_FLIGHT, 0);
    }
}

static void store_f8_e4m3fn(void *dst, const float *tile, size_t groups, int streaming)
{
    if (streaming) {
        put_f8(dst, tile, groups * VEC_FLIGHT, round_f8_e4m3fn, 1);
    } else {
        put_f8(dst, tile, groups * VEC_FLIGHT, round_f8_e4m3fn, 0);
    }
}

static void store_f8_e5m2(void *dst, const float *tile, size_t groups, int streaming)
{
    if (streaming) {
        put_f8(dst, tile, groups * VEC_FLIGHT, round_f8_e5m2, 1);
    } else {
        put_f8(dst, tile, groups * VEC_FLIGHT, round_f8_e5m2, 0);
    }
}

static void store_f64(void *dst, const double *tile, size_t groups, int streaming)
{
    unsigned char *bytes = dst;
    for (size_t i = 0; i < groups * VEC_FLIGHT; i++, tile += PAIR_F64, bytes += 8 * PAIR_F64) {
        vf64_put(bytes, vf64_load(tile), vf64_load(tile + PAIR_F64 / 2), streaming);
    }
}

static void stream_lines(void *dst, const void *bytes, size_t lines)
{
    for (size_t line = 0; line < lines; line++) {
        vec_copy_line((unsigned char *)dst + 64 * line, (const unsigned char *)bytes + 64 * line);
    }
}
