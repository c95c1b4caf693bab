/* SPDX-License-Identifier: MIT */
/* The normal and truncated normal draws in float32: docs/stream.md, sections 5 and 6, word for word but for
 * exact rescalings. Polynomials run across elements, each in one fixed order of fmas. */

/* c[0] + c[1] x + ... by Horner's rule. */
VEC_INLINE vf32 horner_f32(const float *c, int count, vf32 x)
{
    vf32 sum = vf32_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) {
        sum = vf32_fma(sum, x, vf32_set(c[i]));
    }
    return sum;
}

/* q = m 2^e with m in [sqrt(1/2), sqrt(2)); returns e. */
VEC_INLINE vi32 split_f32(vf32 q, vf32 *m)
{
    const vi32 sqrt_half = vi32_set(F32_SQRT_HALF);
    vi32 t = vi32_sub(vf32_bits(q), sqrt_half);
    vi32 mantissa = vi32_add(vi32_and(t, vi32_set(0x7fffff)), sqrt_half);
    *m = vf32_from_bits(mantissa);
    return vi32_sar(t, 23);
}

/* ---- Normal ------------------------------------------------------------------------------- */

/* n and f of the radius word: u = (1 + f) 2^-n. */
VEC_INLINE vf32 reduced_f32(vi32 word, vf32 *f)
{
    vi32 k = vi32_or(vi32_xor(word, vi32_sar(word, 31)), vi32_set(1));
    vf32 q = vf32_from_int(k), m;
    vf32 n_near_0 = vf32_from_int(vi32_sub(vi32_set(32), split_f32(q, &m)));
    vf32 f_near_0 = vf32_sub(m, vf32_set(1));
    /* u = 1 - d, d = q 2^-32: f is -d and n 0, or f is 1 - 2 d and n 1 */
    const vf32 split = vf32_set(f32_split * 0x1p32f);
    vf32 n_near_1 = vf32_select_less(q, split, vf32_set(0), vf32_set(1));
    vf32 factor = vf32_select_less(q, split, vf32_set(-0x1p-32f), vf32_set(-0x1p-31f));
    vf32 f_near_1 = vf32_fma(q, factor, n_near_1);

    *f = vf32_select_bit(word, 31, f_near_1, f_near_0);
    return vf32_select_bit(word, 31, n_near_1, n_near_0);
}

/* sqrt(-2 ln u), as r + r_lo. */
VEC_INLINE vf32 radius_f32(vf32 n, vf32 f, vf32 *r_lo)
{
    vf32 h = vf32_fma(n, vf32_set(f32_2ln2_hi), vf32_mul(f, vf32_set(-2)));
    vf32 low = vf32_mul(n, vf32_set(f32_2ln2_lo));
    vf32 t = vf32_fma(vf32_mul(f, f), horner_f32(f32_log, LENGTH(f32_log), f), low);
    vf32 square = vf32_add(h, t);
    vf32 r = vf32_sqrt(square);
    vf32 rest = vf32_add(vf32_fnma(r, r, square), vf32_sub(t, vf32_sub(square, h)));
    vi32 half_reciprocal = vi32_sub(vi32_set(F32_HALF_RECIPROCAL), vf32_bits(r));
    *r_lo = vf32_mul(rest, vf32_from_bits(half_reciprocal));
    return r;
}

/* Elements 2j (even) and 2j + 1 (odd) by Box and Muller, from the radius r + r_lo and the angle word.
 * Values: |z| <= 6.77, never 0 before `mean` is added. */
VEC_INLINE void turn_f32(vf32 r, vf32 r_lo, vi32 angle, const struct sow_numbers_f32 *numbers,
                         vf32 values[2])
{
    const vf32 mean = vf32_set(numbers->mean), std = vf32_set(numbers->std);
    const vf32 pi4_hi = vf32_set(f32_pi4_hi), pi4_lo = vf32_set(f32_pi4_lo);
    vi32 j = vi32_sar(vi32_shl(angle, 2), 8); /* x = k 2^-24 with k = 2 j + 1 */
    vf32 x = vf32_fma(vf32_from_int(j), vf32_set(0x1p-23f), vf32_set(0x1p-24f));
    vf32 s = vf32_mul(x, x);
    vf32 c = vf32_mul(s, horner_f32(f32_cos, LENGTH(f32_cos), s)); /* cosine - 1 */
    vf32 c_lo = vf32_fma(r, c, vf32_fma(r_lo, c, r_lo));
    vf32 g = vf32_fma(s, horner_f32(f32_sin, LENGTH(f32_sin), s), pi4_lo); /* sine / x - pi4_hi */
    vf32 rx = vf32_mul(r, x);
    vf32 rx_lo = vf32_fma(r_lo, x, vf32_fms(r, x, rx));
    vf32 p = vf32_mul(rx, pi4_hi);
    vf32 p_lo = vf32_fma(rx, g, vf32_fma(rx_lo, pi4_hi, vf32_fms(rx, pi4_hi, p)));

    vi32 sign = vi32_and(angle, vi32_set(0x80000000u));
    vf32 signed_std = vf32_from_bits(vi32_xor(vf32_bits(std), sign));
    vf32 cosine = vf32_fma(r, signed_std, vf32_fma(c_lo, signed_std, mean));
    vf32 sine = vf32_fma(p, std, vf32_fma(p_lo, std, mean));
    values[0] = vf32_select_bit(angle, 30, sine, cosine);
    values[1] = vf32_select_bit(angle, 30, cosine, sine);
}

/* ---- Truncated normal --------------------------------------------------------------------- */

/* v = 4 p (1 - p) of the word's probability p, and y = 2 p - 1, each to full relative precision. */
VEC_INLINE vf32 probability_f32(vi32 word, const struct sow_numbers_f32 *numbers, vf32 *y)
{
    vi32 s = vi32_xor(word, vi32_set(0x80000000u)); /* negative: the lower half of the range */
    vi32 k = vi32_or(vi32_xor(s, vi32_sar(s, 31)), vi32_set(1));
    vf32 inner = vf32_from_int(k);
    vf32 outer = vf32_from_int(vi32_sub(vi32_set(0x80000000u), k));
    vf32 end = vf32_select_bit(s, 31, vf32_set(numbers->below4), vf32_set(numbers->above4));
    vf32 middle =
        vf32_select_bit(s, 31, vf32_set(numbers->from_middle), vf32_set(numbers->to_middle));
    vf32 nearer4 = vf32_fma(outer, vf32_set(numbers->step4), end);
    vf32 farther = vf32_fma(inner, vf32_set(numbers->step), middle);
    vf32 step2 = vf32_select_bit(s, 31, vf32_set(-numbers->step2), vf32_set(numbers->step2));
    *y = vf32_fma(inner, step2, vf32_set(numbers->shift));
    return vf32_mul(nearer4, farther);
}

/* w = -ln v, half of the page's L: in g = -f all steps are those of L, halved or with the other sign. */
VEC_INLINE vf32 minus_log_f32(vf32 v)
{
    vf32 m, e = vf32_from_int(split_f32(v, &m));
    vf32 g = vf32_sub(vf32_set(1), m);
    vf32 h = vf32_fma(e, vf32_set(-0.5f * f32_2ln2_hi), g);
    vf32 low = vf32_mul(e, vf32_set(-0.5f * f32_2ln2_lo));
    vf32 sum = vf32_set(0);
    for (int i = LENGTH(f32_log) - 1; i >= 0; i--) {
        vf32 c = vf32_set((i % 2 == 0 ? 0.5f : -0.5f) * f32_log[i]);
        sum = i == LENGTH(f32_log) - 1 ? c : vf32_fma(sum, g, c);
    }
    return vf32_add(h, vf32_fma(vf32_mul(g, g), sum, low));
}

/* The value whose v has -ln v = w; `tail` when the range reaches beyond 3.1 sigma. Values: in [low, high]. */
VEC_INLINE vf32 quantile_f32(vf32 w, vf32 y, const struct sow_numbers_f32 *numbers, int tail)
{
    vf32 central = vf32_sub(w, vf32_set(f32_w_middle));
    vf32 ratio = horner_f32(f32_central, LENGTH(f32_central), central);
    if (tail) {
        vf32 v = vf32_sub(vf32_sqrt(w), vf32_set(f32_v_middle));
        vf32 tail_ratio = horner_f32(f32_tail, LENGTH(f32_tail), v);
        ratio = vf32_select_less(vf32_set(f32_w_edge), w, tail_ratio, ratio);
    }
    vf32 value = vf32_fma(vf32_mul(y, ratio), vf32_set(numbers->std), vf32_set(numbers->mean));
    return vf32_clamp(value, vf32_set(numbers->low), vf32_set(numbers->high));
}
