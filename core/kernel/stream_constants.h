/* SPDX-License-Identifier: MIT */
/* The numbers of stream version 1, printed by scripts/derive_stream.py. Frozen: they never change; docs/stream.md
 * says how each is used. Not included by users. */
#ifndef SOW_KERNEL_STREAM_CONSTANTS_H
#define SOW_KERNEL_STREAM_CONSTANTS_H

/* clang-format off */

/* ---- float32: logarithm -------------------------------------------------------------------- */
static const float f32_2ln2_hi = 0x1.62e4p+0f; /* 16 bits of 2 ln 2: its product with N <= 33 is exact */
static const float f32_2ln2_lo = 0x1.7f7d1cp-19f; /* the rest */
static const float f32_split = 0x1.2bec34p-2f; /* 1 - sqrt(1/2): below it log(1 - d) needs no scaling */
#define F32_SQRT_HALF 0x3f3504f3u /* the bits of sqrt(1/2), rounded down */
#define F32_HALF_RECIPROCAL 0x7e7311c7u /* minus the bits of r: about 1 / (2 r), within 13 % */

/* T: -2 log(1 + f) = -2 f + f^2 T(f) on [sqrt(1/2) - 1, sqrt(2) - 1]
 * Lowest power first; approximation error 2^-27.6. */
static const float f32_log[9] = {
    0x1.fffffap-1f,
    -0x1.555546p-1f,
    0x1.0003a6p-1f,
    -0x1.99a88ep-2f,
    0x1.543f5ep-2f,
    -0x1.2224ecp-2f,
    0x1.0e364cp-2f,
    -0x1.09d224p-2f,
    0x1.40a052p-3f,
};

/* ---- float32: sine and cosine of pi/4 x, s = x^2 ------------------------------------------- */
static const float f32_pi4_hi = 0x1.921fb6p-1f; /* pi/4 */
static const float f32_pi4_lo = -0x1.777a5cp-26f; /* the rest */

/* cos(pi/4 x) = 1 + s P(s)
 * Lowest power first; approximation error 2^-31.0. */
static const float f32_cos[4] = {
    -0x1.3bd3ccp-2f,
    0x1.03c1b6p-6f,
    -0x1.55b684p-12f,
    0x1.d61e28p-19f,
};

/* sin(pi/4 x) = x (pi/4 + s Q(s))
 * Lowest power first; approximation error 2^-28.3. */
static const float f32_sin[3] = {
    -0x1.4abbcp-4f,
    0x1.46608p-9f,
    -0x1.2ddd78p-15f,
};

/* ---- float32: normal quantile -------------------------------------------------------------- */
static const float f32_w_edge = 0x1.64p+2f; /* central polynomial up to here (3.1 sigma), tail polynomial beyond */
static const float f32_w_middle = 0x1.64p+1f; /* centre of the central polynomial's interval */

/* z = y C(w - w_middle), w = -log(1 - y^2), 0 <= w <= w_edge
 * Lowest power first; approximation error 2^-24.2. */
static const float f32_central[11] = {
    0x1.1c46c2p+1f,
    0x1.615e2cp-2f,
    -0x1.dbad16p-8f,
    -0x1.7764c2p-10f,
    0x1.340aeep-12f,
    -0x1.d70e52p-17f,
    -0x1.df27dep-19f,
    0x1.663d98p-21f,
    -0x1.ee8e8ap-31f,
    -0x1.50ecbp-27f,
    0x1.17023p-31f,
};
static const float f32_v_middle = 0x1.1eabfep+2f; /* centre of the tail polynomial's interval in sqrt(w) */

/* z = y D(sqrt(w) - v_middle), w_edge <= w <= 43.5
 * Lowest power first; approximation error 2^-23.7. */
static const float f32_tail[13] = {
    0x1.87583ep+2f,
    0x1.6dbce6p+0f,
    0x1.0a36fep-11f,
    -0x1.43b378p-11f,
    0x1.9e391ap-13f,
    -0x1.3e5af2p-14f,
    0x1.2e9366p-15f,
    0x1.ae2596p-18f,
    -0x1.0689bcp-17f,
    -0x1.6bb51ap-18f,
    0x1.df67c8p-19f,
    0x1.20496cp-23f,
    -0x1.e06c38p-23f,
};

/* ---- float64: logarithm -------------------------------------------------------------------- */
static const double f64_2ln2_hi = 0x1.62e42fefa3ap+0; /* 44 bits of 2 ln 2: its product with N <= 65 is exact */
static const double f64_2ln2_lo = -0x1.0ca86c3898dp-48; /* the rest */
static const double f64_split = 0x1.2bec333018867p-2; /* 1 - sqrt(1/2) */
#define F64_SQRT_HALF 0x3fe6a09e667f3bcdu /* the bits of sqrt(1/2), to nearest */

/* R: 2 log((1 + x)/(1 - x)) = 4 x + x^3 R(x^2), |x| <= 0.1716
 * Lowest power first; approximation error 2^-66.5. */
static const double f64_log[8] = {
    0x1.5555555555555p+0,
    0x1.9999999999d02p-1,
    0x1.249249243bp-1,
    0x1.c71c72498d914p-2,
    0x1.745ce25a9790fp-2,
    0x1.3b200c81134bdp-2,
    0x1.0f6949034b02fp-2,
    0x1.0efc58ac3b88dp-2,
};

/* ---- float64: sine and cosine of pi/4 x, s = x^2 ------------------------------------------- */
static const double f64_pi4_hi = 0x1.921fb54442d18p-1; /* pi/4 */
static const double f64_pi4_lo = 0x1.1a62633145c07p-55; /* the rest */

/* cos(pi/4 x) = 1 + s P(s)
 * Lowest power first; approximation error 2^-61.4. */
static const double f64_cos[8] = {
    -0x1.3bd3cc9be45dep-2,
    0x1.03c1f081b5a52p-6,
    -0x1.55d3c7e3bee89p-12,
    0x1.e1f506713a718p-19,
    -0x1.a6d1dab14ccedp-26,
    0x1.f9b8abd1cdbbap-34,
    -0x1.a70c5d1e0dfd9p-42,
    -0x1.5897ed8f7559bp-49,
};

/* sin(pi/4 x) = x (pi/4 + s Q(s))
 * Lowest power first; approximation error 2^-63.5. */
static const double f64_sin[7] = {
    -0x1.4abbce625be53p-4,
    0x1.466bc6775ab5ep-9,
    -0x1.32d2cce63655bp-15,
    0x1.507834954661bp-22,
    -0x1.e30760ca6cbd4p-30,
    0x1.e8fdbbf1a61a9p-38,
    -0x1.70753f87ccd57p-46,
};

/* ---- float64: normal quantile -------------------------------------------------------------- */
static const double f64_w_edge = 0x1.9p+2; /* central polynomial up to here, tail polynomials beyond */
static const double f64_w_middle = 0x1.9p+1; /* centre of the central polynomial's interval */

/* z = y C(w - w_middle), w = -log(1 - y^2), 0 <= w <= w_edge
 * Lowest power first; approximation error 2^-54.6. */
static const double f64_central[24] = {
    0x1.2b57ec65a8009p+1,
    0x1.5bc94440cc7eap-2,
    -0x1.179b257405e17p-7,
    -0x1.12994fbb832a6p-10,
    0x1.14e8fc4291d06p-12,
    -0x1.496276036e564p-16,
    -0x1.032ee3b0828a2p-19,
    0x1.4186bea749f6cp-21,
    -0x1.6125a79debf6ep-25,
    -0x1.8faf5e9730c2dp-28,
    0x1.98a59376671bdp-30,
    -0x1.50c0b60a3610dp-34,
    -0x1.42dc2554c91bp-36,
    0x1.05c28af0094e1p-38,
    -0x1.02614cc64e67ep-43,
    -0x1.fd4ff928c5c1ep-45,
    0x1.4fd13382d57d3p-47,
    -0x1.1c6768e4400c5p-54,
    -0x1.a722966c7f84fp-53,
    0x1.9c8a4cc4eb8d6p-56,
    0x1.d8dcec55f2292p-60,
    -0x1.2c574895ba1a6p-61,
    -0x1.5740d70b59e1fp-70,
    0x1.6cfa49caf227bp-68,
};
static const double f64_v_edge = 0x1.1p+2; /* between the two tail polynomials, in sqrt(w) */
static const double f64_v_near = 0x1.bp+1; /* centre of [2.5, 4.25] in sqrt(w) */

/* z = y D(sqrt(w) - v_near)
 * Lowest power first; approximation error 2^-53.2. */
static const double f64_tail_near[22] = {
    0x1.22806c524fcb8p+2,
    0x1.6c5f16ced60adp+0,
    0x1.824e283ee349ep-8,
    -0x1.faf91469fce59p-9,
    0x1.2f4460802a6a3p-9,
    -0x1.9264e883e9744p-10,
    0x1.eaebe4d9acc4ep-11,
    -0x1.c0c781d4119a6p-12,
    0x1.a9f96bd3215c2p-14,
    0x1.e66f65f0ee625p-16,
    -0x1.5866264fb8effp-15,
    0x1.34fc8dea940ffp-16,
    -0x1.25a85230191f1p-19,
    -0x1.363cf10d628d3p-19,
    0x1.aa8d953d5d33p-20,
    -0x1.b623743f5db49p-22,
    -0x1.cc9b3fb5b51abp-25,
    0x1.92fdb2abe6275p-24,
    -0x1.6039214a230fap-25,
    0x1.e169bd4d1cae6p-29,
    0x1.78587d863636p-28,
    -0x1.093b64de98d72p-29,
};
static const double f64_v_far = 0x1.8b33333333333p+2; /* centre of [4.25, 8.1] in sqrt(w) */

/* z = y D(sqrt(w) - v_far)
 * Lowest power first; approximation error 2^-53.3. */
static const double f64_tail_far[22] = {
    0x1.112f349935e0ep+3,
    0x1.6d747533e4d0ep+0,
    -0x1.6c8f8a8302e81p-11,
    -0x1.5c2b1bfbe3ce1p-15,
    0x1.9bf5606b46fd7p-16,
    -0x1.99eebb16b91bep-18,
    0x1.4db7f633ad2c3p-20,
    -0x1.ef092a32157dp-23,
    0x1.5b35969853479p-25,
    -0x1.d442a3a52c476p-28,
    0x1.336498a64b0e8p-30,
    -0x1.918b026422cdfp-33,
    0x1.df455d2d138c1p-36,
    -0x1.707702f18d35bp-39,
    0x1.da1f16e4611b5p-40,
    -0x1.666c7427d686ep-40,
    0x1.dde5bb9c65d95p-47,
    0x1.51e8a796cd947p-43,
    0x1.bfbf87205eae3p-45,
    -0x1.a1e8baf9924cp-45,
    0x1.b6858b124d1d6p-48,
    0x1.0b3d4a833d22ap-51,
};

/* ---- normal distribution function ---------------------------------------------------------- */

/* Phi(-j/4) and phi(j/4) for j = 0 .. 36, nearest doubles. */
static const double cdf_table[37][2] = {
    {0x1.0p-1, 0x1.9884533d43651p-2},
    {0x1.9aecba9d22528p-2, 0x1.8bf2ba104beccp-2},
    {0x1.3bf143b9aa712p-2, 0x1.6883d022086acp-2},
    {0x1.d0220056b3a4ep-3, 0x1.345d5efad3415p-2},
    {0x1.44ed0bb7cb20bp-3, 0x1.ef8e58e331737p-3},
    {0x1.b0bdd12ba9c29p-4, 0x1.7610b9431f0c8p-3},
    {0x1.11a46d89647efp-4, 0x1.0940856d21e84p-3},
    {0x1.482a2414556ddp-5, 0x1.6164536bf162cp-4},
    {0x1.74bcf82c9d86p-6, 0x1.ba4b436e83ad4p-5},
    {0x1.90924f21d3612p-7, 0x1.0402dfd3dc1a2p-5},
    {0x1.96f4e57e49ce4p-8, 0x1.1f2f0557f5256p-6},
    {0x1.86904349ec803p-9, 0x1.29fa54c6341e4p-7},
    {0x1.61de1f985b5d7p-10, 0x1.227213fd77689p-8},
    {0x1.2e86fd7d03406p-11, 0x1.09f38e18a282p-9},
    {0x1.e7dbc92b77dd5p-13, 0x1.c9897d147e61fp-11},
    {0x1.72d9564b2dcep-14, 0x1.71b92ecaaa791p-12},
    {0x1.09ad7954afff8p-15, 0x1.18a98e2c0b4b4p-13},
    {0x1.66a5bcbf244eap-17, 0x1.904afdde8cca3p-15},
    {0x1.c80728dd3b03ap-19, 0x1.0c29a533d0bc5p-16},
    {0x1.11056da03cb85p-20, 0x1.518646fbb0c6cp-18},
    {0x1.33ca2f2133831p-22, 0x1.8f16964c8fd3fp-20},
    {0x1.46a16cd7b7555p-24, 0x1.bb4a8be266ce5p-22},
    {0x1.463cfa9c7fce7p-26, 0x1.ce8ec39250975p-24},
    {0x1.32a35e335e12bp-28, 0x1.c56b24c535bf5p-26},
    {0x1.0f30ef0092d48p-30, 0x1.a1880fbd087fcp-28},
    {0x1.c34c28f35ea26p-33, 0x1.6930a864fa47bp-30},
    {0x1.61404b2da0191p-35, 0x1.258556ae47e79p-32},
    {0x1.041789eb749ap-37, 0x1.c027cdafdb7eep-35},
    {0x1.683c36759a444p-40, 0x1.41663f31db14bp-37},
    {0x1.d53e3e82da9c6p-43, 0x1.b10f57d25a805p-40},
    {0x1.1f68f3dbb818ap-45, 0x1.121483257ebap-42},
    {0x1.4b13ea9a9f5c3p-48, 0x1.45e8308d25d84p-45},
    {0x1.669d2c90d55cep-51, 0x1.6c0df3a094834p-48},
    {0x1.6d3ba010ac799p-54, 0x1.7e07497086507p-51},
    {0x1.5dbbaccf1a4ep-57, 0x1.7899e4c2ad3a6p-54},
    {0x1.3ada639cabc7ap-60, 0x1.5cc20ab7773eap-57},
    {0x1.0a7afbb1ee67cp-63, 0x1.2f67c5e7a9a39p-60},
};

#endif
