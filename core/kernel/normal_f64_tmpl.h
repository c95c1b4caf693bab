/* SPDX-License-Identifier: MIT */
/* The normal and truncated normal draws in float64: docs/stream.md, sections 5 and 6. */

VEC_INLINE vf64 horner_f64(const double *c, int count, vf64 x)
{
    vf64 sum = vf64_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) {
        sum = vf64_fma(sum, x, vf64_set(c[i]));
    }
    return sum;
}

/* q = (1 + f) 2^e with 1 + f in [sqrt(1/2), sqrt(2)); returns e. */
VEC_INLINE vi64 split_f64(vf64 q, vf64 *f)
{
    const vi64 sqrt_half = vi64_set(F64_SQRT_HALF);
    vi64 t = vi64_sub(vf64_bits(q), sqrt_half);
    vi64 mantissa = vi64_add(vi64_and(t, vi64_set(0xfffffffffffffu)), sqrt_half);
    *f = vf64_sub(vf64_from_bits(mantissa), vf64_set(1));
    return vi64_sar(t, 52);
}

/* sign n 2 ln 2 - 2 ln(1 + f); sign is 1 or -1. */
VEC_INLINE vf64 log_sum_f64(double sign, vf64 n, vf64 f)
{
    vf64 y = vf64_div(f, vf64_add(vf64_set(2), f)), s = vf64_mul(y, y);
    vf64 log = horner_f64(f64_log, LENGTH(f64_log), s);
    vf64 t = vf64_mul(y, vf64_fma(s, log, vf64_set(4)));
    return vf64_fma(n, vf64_set(sign * f64_2ln2_hi), vf64_fms(n, vf64_set(sign * f64_2ln2_lo), t));
}

/* ---- Normal ------------------------------------------------------------------------------- */

/* n and f of the radius word: u = (1 + f) 2^-n. */
VEC_INLINE vf64 reduced_f64(vi64 word, vf64 *f)
{
    vi64 k = vi64_or(vi64_xor(word, vi64_sar(word, 63)), vi64_set(1));
    vf64 q = vf64_from_int(k), f_near_0;
    vf64 n_near_0 = vf64_from_int(vi64_sub(vi64_set(64), split_f64(q, &f_near_0)));
    const vf64 split = vf64_set(f64_split * 0x1p64);
    vf64 n_near_1 = vf64_select_less(q, split, vf64_set(0), vf64_set(1));
    vf64 factor = vf64_select_less(q, split, vf64_set(-0x1p-64), vf64_set(-0x1p-63));
    vf64 f_near_1 = vf64_fma(q, factor, n_near_1);
    *f = vf64_select_bit(word, 63, f_near_1, f_near_0);
    return vf64_select_bit(word, 63, n_near_1, n_near_0);
}

/* sqrt(-2 ln u); no low part is needed. */
VEC_INLINE vf64 radius_f64(vf64 n, vf64 f, vf64 *r_lo)
{
    *r_lo = vf64_set(0);
    return vf64_sqrt(log_sum_f64(1, n, f));
}

/* Elements 2j (even) and 2j + 1 (odd) by Box and Muller, from the radius and the angle word.
 * Values: |z| <= 9.5, never 0 before `mean` is added. */
VEC_INLINE void turn_f64(vf64 r, vf64 r_lo, vi64 angle, const struct sow_numbers_f64 *numbers,
                         vf64 values[2])
{
    const vf64 mean = vf64_set(numbers->mean), std = vf64_set(numbers->std);
    (void)r_lo;
    vi64 j = vi64_sar(vi64_shl(angle, 2), 11); /* x = k 2^-53 with k = 2 j + 1 */
    vf64 x = vf64_fma(vf64_from_int(j), vf64_set(0x1p-52), vf64_set(0x1p-53));
    vf64 s = vf64_mul(x, x);
    vf64 c = vf64_mul(s, horner_f64(f64_cos, LENGTH(f64_cos), s)); /* cosine - 1 */
    vf64 g = vf64_fma(s, horner_f64(f64_sin, LENGTH(f64_sin), s), vf64_set(f64_pi4_lo));
    vf64 cosine = vf64_fma(r, c, r);
    vf64 sine = vf64_mul(vf64_mul(r, x), vf64_add(vf64_set(f64_pi4_hi), g));

    vi64 sign = vi64_and(angle, vi64_set(0x8000000000000000u));
    vf64 signed_std = vf64_from_bits(vi64_xor(vf64_bits(std), sign));
    cosine = vf64_fma(cosine, signed_std, mean);
    sine = vf64_fma(sine, std, mean);
    values[0] = vf64_select_bit(angle, 62, sine, cosine);
    values[1] = vf64_select_bit(angle, 62, cosine, sine);
}

/* ---- Truncated normal --------------------------------------------------------------------- */

/* v = 4 p (1 - p) of the word's probability p, and y = 2 p - 1, each to full relative precision. */
VEC_INLINE vf64 probability_f64(vi64 word, const struct sow_numbers_f64 *numbers, vf64 *y)
{
    vi64 s =
        vi64_xor(word, vi64_set(0x8000000000000000u)); /* negative: the lower half of the range */
    vi64 k = vi64_or(vi64_xor(s, vi64_sar(s, 63)), vi64_set(1));
    vf64 inner = vf64_from_int(k);
    vf64 outer = vf64_from_int(vi64_sub(vi64_set(0x8000000000000000u), k));
    vf64 end = vf64_select_bit(s, 63, vf64_set(numbers->below4), vf64_set(numbers->above4));
    vf64 middle =
        vf64_select_bit(s, 63, vf64_set(numbers->from_middle), vf64_set(numbers->to_middle));
    vf64 nearer4 = vf64_fma(outer, vf64_set(numbers->step4), end);
    vf64 farther = vf64_fma(inner, vf64_set(numbers->step), middle);
    vf64 step2 = vf64_select_bit(s, 63, vf64_set(-numbers->step2), vf64_set(numbers->step2));
    *y = vf64_fma(inner, step2, vf64_set(numbers->shift));
    return vf64_mul(nearer4, farther);
}

/* w = -ln v. */
VEC_INLINE vf64 minus_log_f64(vf64 v)
{
    vf64 f;
    vi64 e = split_f64(v, &f);
    return vf64_mul(log_sum_f64(-1, vf64_from_int(e), f), vf64_set(0.5));
}

/* The value whose v has -ln v = w; `tail` when the range reaches beyond 3.1 sigma. Values: in [low, high]. */
VEC_INLINE vf64 quantile_f64(vf64 w, vf64 y, const struct sow_numbers_f64 *numbers, int tail)
{
    vf64 central = vf64_sub(w, vf64_set(f64_w_middle));
    vf64 ratio = horner_f64(f64_central, LENGTH(f64_central), central);
    if (tail) {
        vf64 v = vf64_sqrt(w);
        vf64 near = vf64_sub(v, vf64_set(f64_v_near)), far = vf64_sub(v, vf64_set(f64_v_far));
        vf64 tail_ratio = vf64_select_less(vf64_set(f64_v_edge), v,
                                           horner_f64(f64_tail_far, LENGTH(f64_tail_far), far),
                                           horner_f64(f64_tail_near, LENGTH(f64_tail_near), near));
        ratio = vf64_select_less(vf64_set(f64_w_edge), w, tail_ratio, ratio);
    }
    vf64 value = vf64_fma(vf64_mul(y, ratio), vf64_set(numbers->std), vf64_set(numbers->mean));
    return vf64_clamp(value, vf64_set(numbers->low), vf64_set(numbers->high));
}
