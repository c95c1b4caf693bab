#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Derives every constant of stream version 1 and prints core/kernel/stream_constants.h.

Near-minimax polynomials in 60-digit arithmetic (mpmath), coefficients rounded to the target format one by
one, lowest order first, the rest refitted after each. The numbers are frozen: this
script documents where they came from, and a test checks that it still prints the committed header.

    scripts/derive_stream.py > core/kernel/stream_constants.h
"""
import sys

from mpmath import mp, mpf

mp.dps = 60


def to_f32(x):
    """The float32 nearest to x, as an exact mpf (double rounding excluded by going through the integer)."""
    return round_to(x, 24)


def to_f64(x):
    return round_to(x, 53)


def round_to(x, bits):
    x = mpf(x)
    if x == 0:
        return x
    exponent = int(mp.floor(mp.log(abs(x), 2)))
    scale = mpf(2) ** (bits - 1 - exponent)
    y = x * scale
    n = int(mp.floor(y))
    rest = y - n
    if rest > mpf("0.5") or (rest == mpf("0.5") and n % 2):
        n += 1
    return mpf(n) / scale


def hex_float(x, single):
    text = float(x).hex()  # exact: x has at most 53 bits
    mantissa, exponent = text.split("p")
    mantissa = mantissa.rstrip("0") if "." in mantissa else mantissa
    if mantissa.endswith("."):
        mantissa += "0"
    return f"{mantissa}p{int(exponent):+d}" + ("f" if single else "")


def least_squares(nodes, targets, weights, powers):
    """Coefficients of sum c_p x^p that minimise sum (weight * error)^2, by the normal equations in 60 digits."""
    n = len(powers)
    rows = [[w * x**p for p in powers] for x, w in zip(nodes, weights)]
    matrix, right = mp.matrix(n, n), mp.matrix(n, 1)
    for row, t, w in zip(rows, targets, weights):
        for i in range(n):
            right[i] += row[i] * w * t
            for j in range(i, n):
                matrix[i, j] += row[i] * row[j]
    for i in range(n):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    solution = mp.lu_solve(matrix, right)
    return [solution[i] for i in range(n)]


def fit(target, weight, count, low, high, rounding):
    """`count` coefficients, c_0 first: weighted least squares on Chebyshev nodes (within a factor 2 of minimax), sharpened
    by Lawson's reweighting; then c_p is rounded from the lowest power up and the rest refitted. Returns the worst
    weighted error on the nodes."""
    node_count = 8 * count
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / node_count) for i in range(node_count)]
    targets = [target(x) for x in nodes]
    base = [weight(x) for x in nodes]
    powers = list(range(count))
    lawson = [mpf(1)] * node_count
    best = None
    for _ in range(8):
        weights = [w * mp.sqrt(l) for w, l in zip(base, lawson)]
        c = least_squares(nodes, targets, weights, powers)
        errors = [abs(w * (t - mp.polyval(c[::-1], x))) for x, t, w in zip(nodes, targets, base)]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = (worst, weights)
        lawson = [l * e for l, e in zip(lawson, errors)]
        total = sum(lawson)
        lawson = [l / total + mpf("1e-6") for l in lawson]
    weights = best[1]
    fixed = []
    rest = list(targets)
    for power in powers:
        c = least_squares(nodes, rest, weights, powers[power:])[0]
        c = rounding(c)
        fixed.append(c)
        rest = [t - c * x**power for t, x in zip(rest, nodes)]
    worst = max(abs(w * t) for t, w in zip(rest, base))
    return fixed, worst


def emit_poly(name, note, coefficients, worst, single):
    print(f"\n/* {note}\n * Lowest power first; approximation error 2^{float(mp.log(worst, 2)):.1f}. */")
    kind = "float" if single else "double"
    values = ",\n    ".join(hex_float(c, single) for c in coefficients)
    print(f"static const {kind} {name}[{len(coefficients)}] = {{\n    {values},\n}};")


def emit(name, value, single, note):
    kind = "float" if single else "double"
    print(f"static const {kind} {name} = {hex_float(value, single)}; /* {note} */")


def limited(x, bits):
    """x rounded to `bits` significant bits, so that products with small integers stay exact."""
    return round_to(x, bits)


# ---- the functions ------------------------------------------------------------------------------

def log_tail(f):
    """T with -2 log(1 + f) = -2 f + f^2 T(f)."""
    if abs(f) < mpf(10) ** -20:
        return 1 - 2 * f / 3 + f * f / 2
    return (-2 * mp.log1p(f) + 2 * f) / f**2


def quantile_ratio(w):
    """z / y for y = 2 Phi(z) - 1 > 0 and w = -log(1 - y^2)."""
    if w < mpf(10) ** -30:
        return mp.sqrt(mp.pi / 2) * (1 + w * mp.pi / 12)
    # y close to 1 is handled through the complement c = 1 - y
    y = mp.sqrt(-mp.expm1(-w))
    c = mp.exp(-w) / (1 + y)
    z = upper_quantile(c / 2)
    return z / y


def upper_quantile(p):
    """z >= 0 with P(Z > z) = p <= 1/2, by Newton on log P in 60 digits."""
    z = mp.sqrt(-2 * mp.log(2 * p)) if p < mpf("0.2") else (mpf("0.5") - p) * mp.sqrt(2 * mp.pi)
    for _ in range(200):
        tail = mp.erfc(z / mp.sqrt(2)) / 2
        density = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
        step = (tail - p) / density
        step = max(min(step, mpf(1) / 2), -mpf(1) / 2)
        z = z + step
        if abs(step) < mpf(10) ** -45:
            break
    return z


def tail_weight(sigma):
    """w at a bound of `sigma` standard deviations."""
    p = mp.erfc(sigma / mp.sqrt(2)) / 2
    return -mp.log(4 * p * (1 - p))


def section(title):
    print(f"\n/* ---- {title} " + "-" * (86 - len(title)) + " */")


def float32_constants():
    ln2 = mp.log(2)
    low, high = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(mpf(2)) - 1

    section("float32: logarithm")
    hi = limited(2 * ln2, 16)
    emit("f32_2ln2_hi", hi, True, "16 bits of 2 ln 2: its product with N <= 33 is exact")
    emit("f32_2ln2_lo", to_f32(2 * ln2 - hi), True, "the rest")
    emit("f32_split", to_f32(1 - mp.sqrt(mpf(1) / 2)), True, "1 - sqrt(1/2): below it log(1 - d) needs no scaling")
    print("#define F32_SQRT_HALF 0x3f3504f3u /* the bits of sqrt(1/2), rounded down */")
    print("#define F32_HALF_RECIPROCAL 0x7e7311c7u /* minus the bits of r: about 1 / (2 r), within 13 % */")
    # error relative to L = -2f + f^2 T near f = 0-, and absolute against L >= 0.69 for f > 0
    coefficients, worst = fit(log_tail, lambda f: abs(f) / 2 + mpf("0.01"), 9, low, high, to_f32)
    emit_poly("f32_log", "T: -2 log(1 + f) = -2 f + f^2 T(f) on [sqrt(1/2) - 1, sqrt(2) - 1]", coefficients, worst, True)

    section("float32: sine and cosine of pi/4 x, s = x^2")
    quarter = mp.pi / 4
    emit("f32_pi4_hi", to_f32(quarter), True, "pi/4")
    emit("f32_pi4_lo", to_f32(quarter - to_f32(quarter)), True, "the rest")
    coefficients, worst = fit(lambda s: (mp.cos(quarter * mp.sqrt(s)) - 1) / s if s else -quarter**2 / 2,
                              lambda s: s + mpf("0.001"), 4, mpf(0), mpf(1), to_f32)
    emit_poly("f32_cos", "cos(pi/4 x) = 1 + s P(s)", coefficients, worst, True)
    coefficients, worst = fit(lambda s: (mp.sin(quarter * mp.sqrt(s)) / mp.sqrt(s) - quarter) / s if s else -quarter**3 / 6,
                              lambda s: s + mpf("0.001"), 3, mpf(0), mpf(1), to_f32)
    emit_poly("f32_sin", "sin(pi/4 x) = x (pi/4 + s Q(s))", coefficients, worst, True)

    section("float32: normal quantile")
    edge = mp.ceil(tail_weight(mpf("3.1")) * 64) / 64
    emit("f32_w_edge", edge, True, "central polynomial up to here (3.1 sigma), tail polynomial beyond")
    middle = edge / 2
    emit("f32_w_middle", middle, True, "centre of the central polynomial's interval")
    coefficients, worst = fit(lambda d: quantile_ratio(d + middle), lambda d: 1 / quantile_ratio(d + middle),
                              11, -middle, middle, to_f32)
    emit_poly("f32_central", "z = y C(w - w_middle), w = -log(1 - y^2), 0 <= w <= w_edge", coefficients, worst, True)
    v_low, v_high = mp.sqrt(edge), mpf("6.6")
    v_middle = to_f32((v_low + v_high) / 2)
    emit("f32_v_middle", v_middle, True, "centre of the tail polynomial's interval in sqrt(w)")
    coefficients, worst = fit(lambda d: quantile_ratio((d + v_middle) ** 2), lambda d: 1 / quantile_ratio((d + v_middle) ** 2),
                              13, v_low - v_middle, v_high - v_middle, to_f32)
    emit_poly("f32_tail", "z = y D(sqrt(w) - v_middle), w_edge <= w <= 43.5", coefficients, worst, True)


def float64_constants():
    ln2 = mp.log(2)

    section("float64: logarithm")
    hi = limited(2 * ln2, 44)
    emit("f64_2ln2_hi", hi, False, "44 bits of 2 ln 2: its product with N <= 65 is exact")
    emit("f64_2ln2_lo", to_f64(2 * ln2 - hi), False, "the rest")
    emit("f64_split", to_f64(1 - mp.sqrt(mpf(1) / 2)), False, "1 - sqrt(1/2)")
    print("#define F64_SQRT_HALF 0x3fe6a09e667f3bcdu /* the bits of sqrt(1/2), to nearest */")
    edge = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)

    def atanh_tail(s):  # 2 log((1 + x)/(1 - x)) = 4 x + x^3 R(x^2)
        if s < mpf(10) ** -20:
            return mpf(4) / 3 + 4 * s / 5
        x = mp.sqrt(s)
        return (2 * mp.log((1 + x) / (1 - x)) - 4 * x) / x**3
    coefficients, worst = fit(atanh_tail, lambda s: s / 4 + mpf("0.0001"), 8, mpf(0), edge**2 * mpf("1.0001"), to_f64)
    emit_poly("f64_log", "R: 2 log((1 + x)/(1 - x)) = 4 x + x^3 R(x^2), |x| <= 0.1716", coefficients, worst, False)

    section("float64: sine and cosine of pi/4 x, s = x^2")
    quarter = mp.pi / 4
    emit("f64_pi4_hi", to_f64(quarter), False, "pi/4")
    emit("f64_pi4_lo", to_f64(quarter - to_f64(quarter)), False, "the rest")
    coefficients, worst = fit(lambda s: (mp.cos(quarter * mp.sqrt(s)) - 1) / s if s else -quarter**2 / 2,
                              lambda s: s + mpf("0.001"), 8, mpf(0), mpf(1), to_f64)
    emit_poly("f64_cos", "cos(pi/4 x) = 1 + s P(s)", coefficients, worst, False)
    coefficients, worst = fit(lambda s: (mp.sin(quarter * mp.sqrt(s)) / mp.sqrt(s) - quarter) / s if s else -quarter**3 / 6,
                              lambda s: s + mpf("0.001"), 7, mpf(0), mpf(1), to_f64)
    emit_poly("f64_sin", "sin(pi/4 x) = x (pi/4 + s Q(s))", coefficients, worst, False)

    section("float64: normal quantile")
    edge = mpf("6.25")
    middle = edge / 2
    emit("f64_w_edge", edge, False, "central polynomial up to here, tail polynomials beyond")
    emit("f64_w_middle", middle, False, "centre of the central polynomial's interval")
    coefficients, worst = fit(lambda d: quantile_ratio(d + middle), lambda d: 1 / quantile_ratio(d + middle),
                              24, -middle, middle, to_f64)
    emit_poly("f64_central", "z = y C(w - w_middle), w = -log(1 - y^2), 0 <= w <= w_edge", coefficients, worst, False)
    emit("f64_v_edge", mpf("4.25"), False, "between the two tail polynomials, in sqrt(w)")
    for name, v_low, v_high in (("near", mpf("2.5"), mpf("4.25")), ("far", mpf("4.25"), mpf("8.1"))):
        v_middle = (v_low + v_high) / 2
        emit(f"f64_v_{name}", v_middle, False, f"centre of [{v_low}, {v_high}] in sqrt(w)")
        coefficients, worst = fit(lambda d: quantile_ratio((d + v_middle) ** 2),
                                  lambda d: 1 / quantile_ratio((d + v_middle) ** 2),
                                  22, v_low - v_middle, v_high - v_middle, to_f64)
        emit_poly(f"f64_tail_{name}", f"z = y D(sqrt(w) - v_{name})", coefficients, worst, False)


def cdf_constants():
    section("normal distribution function")
    print("\n/* Phi(-j/4) and phi(j/4) for j = 0 .. 36, nearest doubles. */")
    print("static const double cdf_table[37][2] = {")
    for j in range(37):
        t = mpf(j) / 4
        tail = mp.erfc(t / mp.sqrt(2)) / 2
        density = mp.exp(-t * t / 2) / mp.sqrt(2 * mp.pi)
        print(f"    {{{hex_float(to_f64(tail), False)}, {hex_float(to_f64(density), False)}}},")
    print("};")


def main():
    print("/* SPDX-License-Identifier: MIT */")
    print("/* The numbers of stream version 1, printed by scripts/derive_stream.py. Frozen: they never change; docs/stream.md")
    print(" * says how each is used. Not included by users. */")
    print("#ifndef SOW_KERNEL_STREAM_CONSTANTS_H\n#define SOW_KERNEL_STREAM_CONSTANTS_H")
    print("\n/* clang-format off */")
    float32_constants()
    float64_constants()
    cdf_constants()
    print("\n#endif")


if __name__ == "__main__":
    sys.exit(main())
