# SPDX-License-Identifier: MIT
"""Stream version 1, written from docs/stream.md alone: the judge of libsow's bits, not its twin.

Slow and exact. A number is a Python float, which holds every value of every format here; each
operation is done in integers and rounded once (Format). In the parts that the page computes in
double, Python's own + - * / are used: they are IEEE 754's. No coefficient is written here: NUMBERS
are read from section 10 of the page.
"""

import math
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "stream.md"


class Draw(NamedTuple):
    distribution: str  # constant, uniform, normal, trunc_normal
    mean: float = 0.0
    std: float = 0.0
    low: float = 0.0
    high: float = 0.0
    shift: float = 0.0


def values(draw, dtype, seed, tensor, first, count):
    """The bits of elements first, first + 1, ... of a tensor, as integers."""
    if dtype in INTEGERS:
        return [integer(draw, dtype)] * count
    size = 64 if dtype == "f64" else 32

    @lru_cache(maxsize=2)
    def word(element):
        return word_of(seed, tensor, element, size)

    value = {
        "constant": constant,
        "uniform": uniform,
        "normal": normal,
        "trunc_normal": truncated_normal,
        **dict.fromkeys(OF_UNIFORM, of_uniform),
    }[draw.distribution](draw, F64 if dtype == "f64" else F32, word)
    store = FORMATS[dtype]
    return [store.encode(store.nearest(value(i))) for i in range(first, first + count)]


# ---- 2 and 8: arithmetic and formats -------------------------------------------------------------


class Format:
    """A binary floating-point format: `precision` bits of significand, multiples of 2^least."""

    def __init__(self, bits, precision, least, largest, saturates=False):
        self.bits, self.precision, self.least, self.largest = bits, precision, least, largest
        self.beyond = largest if saturates else math.inf
        self.fraction = (1 << (precision - 1)) - 1
        self.sign = 1 << (bits - 1)

    def round(self, n, e):
        """The number nearest to n 2^e, ties to even; n is not 0."""
        drop = max(n.bit_length() - self.precision, self.least - e)
        sign = -1.0 if n < 0 else 1.0
        n = abs(n)
        if drop > 0:
            rest, half = n & ((1 << drop) - 1), 1 << (drop - 1)
            n, e = n >> drop, e + drop
            n += rest > half or (rest == half and n & 1)
        magnitude = math.ldexp(n, e) if n.bit_length() + e <= 1024 else math.inf
        return math.copysign(magnitude if magnitude <= self.largest else self.beyond, sign)

    def nearest(self, x):
        """x (a number of a wider format or an integer) in this format."""
        if isinstance(x, int):
            return self.round(x, 0) if x else 0.0
        if math.isinf(x):
            return math.copysign(self.beyond, x)
        return x if x == 0 or math.isnan(x) else self.round(*integers(x))

    def fma(self, a, b, c):
        if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
            return c if math.isfinite(a) and math.isfinite(b) else a * b + c
        (na, ea), (nb, eb), (nc, ec) = integers(a), integers(b), integers(c)
        n, e = na * nb, ea + eb
        if nc:
            if not n:
                n, e = nc, ec
            elif e > ec:
                n, e = (n << (e - ec)) + nc, ec
            else:
                n += nc << (ec - e)
        if n:
            return self.round(n, e)
        return a * b + c if c == 0 else 0.0  # the sign of a zero

    def add(self, a, b):
        return self.fma(a, 1.0, b)

    def sub(self, a, b):
        return self.fma(a, 1.0, -b)

    def mul(self, a, b):
        return self.fma(a, b, -0.0)  # -0 is what leaves the sign of a zero product

    def div(self, a, b):
        (na, ea), (nb, eb) = integers(a), integers(b)
        if na == 0 or not math.isfinite(a) or not math.isfinite(b):
            return a / b
        quotient, rest = divmod(abs(na) << 128, abs(nb))
        sign = -1 if (na < 0) != (nb < 0) else 1
        return self.round(sign * (2 * quotient + (rest != 0)), ea - eb - 129)

    def sqrt(self, x):
        if x == 0 or x == math.inf:
            return x
        n, e = integers(x)
        n, e = n << (128 + e % 2), e - 128 - e % 2
        root = math.isqrt(n)
        return self.round(2 * root + (root * root != n), e // 2 - 1)

    def polynomial(self, coefficients, x):
        s = coefficients[-1]
        for c in coefficients[-2::-1]:
            s = self.fma(s, x, c)
        return s

    def encode(self, x):
        """The bits of a number of this format."""
        sign = self.sign if math.copysign(1.0, x) < 0 else 0
        exponents = self.sign - 1 - self.fraction
        if math.isnan(x):
            return exponents | (self.fraction + 1) >> 1
        if math.isinf(x) or x == 0:
            return sign | (exponents if x else 0)
        smallest = self.least + self.precision - 1  # exponent of the smallest normal number
        exponent = max(math.frexp(x)[1] - 1, smallest)
        units = int(math.ldexp(abs(x), self.precision - 1 - exponent))
        return sign | ((exponent - smallest) * (self.fraction + 1) + units)

    def decode(self, code):
        """The number with these bits; finite ones only."""
        exponent, units = divmod(code & (self.sign - 1), self.fraction + 1)
        if exponent:
            units, exponent = units + self.fraction + 1, exponent - 1
        x = math.ldexp(units, self.least + exponent)
        return -x if code & self.sign else x

    def at_least(self, x):
        """The smallest number >= x."""
        y = self.nearest(x)
        if y >= x:
            return y
        code = self.encode(y)  # one step up; y is not -0, for -0 >= x
        return math.inf if y == self.largest else self.decode(code + (-1 if y < 0 else 1))

    def at_most(self, x):
        return -self.at_least(-x)


def integers(x):
    """(n, e) with x = n 2^e."""
    if not math.isfinite(x):
        return 1, 0
    m, e = math.frexp(x)
    return int(math.ldexp(m, 53)), e - 53


def signed(u, bits):
    """The two's complement meaning of u modulo 2^bits."""
    u &= (1 << bits) - 1
    return u - (1 << bits) if u >> (bits - 1) else u


F64 = Format(64, 53, -1074, sys.float_info.max)
F32 = Format(32, 24, -149, float.fromhex("0x1.fffffep127"))
FORMATS = {
    "f64": F64,
    "f32": F32,
    "f16": Format(16, 11, -24, 65504.0),
    "bf16": Format(16, 8, -133, float.fromhex("0x1.fep127")),
    "f8_e4m3fn": Format(8, 4, -9, 448.0, saturates=True),
    "f8_e5m2": Format(8, 3, -16, 57344.0, saturates=True),
}
INTEGERS = {  # bits, least, largest
    **{f"i{n}": (n, -(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64)},
    **{f"u{n}": (n, 0, 2**n - 1) for n in (8, 16, 32, 64)},
    "bool": (8, 0, 1),
}


# ---- 10: the numbers -----------------------------------------------------------------------------


def parse_numbers(text):
    """{name: number, list of numbers or list of rows} of C definitions."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    numbers = {}
    for name, value in re.findall(r"#define (\w+) 0x([0-9a-f]+)u", text, flags=re.M):
        numbers[name] = int(value, 16)
    for name, value in re.findall(r"#define (\w+) +(0x[0-9a-f.]+p[-+]\d+)", text, flags=re.M):
        numbers[name] = float.fromhex(value)
    definition = r"static const (?:float|double) (\w+)(\[[^=]*)? = ([^;]*);"
    for name, shape, body in re.findall(definition, text):
        found = [float.fromhex(x) for x in re.findall(r"-?0x[0-9a-f.]+p[-+]\d+", body)]
        sizes = [int(x) for x in re.findall(r"\d+", shape)]
        assert len(found) == math.prod(sizes), name
        if len(sizes) == 2:
            found = list(zip(*[iter(found)] * sizes[1], strict=True))
        numbers[name] = found if sizes else found[0]
    return numbers


def fenced_block(section, page=PAGE):
    text = page.read_text(encoding="utf-8").split(f"\n## {section} ")[1]
    return re.search(r"```c\n(.*?)```", text, flags=re.S)[1]


NUMBERS = parse_numbers(fenced_block(10)) | parse_numbers(fenced_block(7))


# ---- 1: from seed and name to words --------------------------------------------------------------


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & (2**64 - 1)
    return h


def tensor_of(name):
    return fnv1a64(name.encode("utf-8"))


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xCD9E8D57 * c2, 0xD2511F53 * c0
        c0, c1, c2, c3 = (
            p >> 32 ^ c1 ^ k0,
            p & 0xFFFFFFFF,
            q >> 32 ^ c3 ^ k1,
            q & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


@lru_cache(maxsize=4)
def block_words(seed, tensor, number):
    block = number  # purpose 0
    counter = block & 0xFFFFFFFF, block >> 32, tensor & 0xFFFFFFFF, tensor >> 32
    return philox(counter, (seed & 0xFFFFFFFF, seed >> 32))


def word_of(seed, tensor, element, size):
    if size == 32:
        return block_words(seed, tensor, element // 4)[element % 4]
    low, high = block_words(seed, tensor, element // 2)[2 * (element % 2) :][:2]
    return high << 32 | low


# ---- 3 and 4: constant, uniform ------------------------------------------------------------------


def constant(draw, f, word):
    value = f.nearest(draw.mean)
    return lambda i: value


def integer(draw, dtype):
    assert draw.distribution == "constant"
    bits, least, largest = INTEGERS[dtype]
    return min(max(round(draw.mean), least), largest) % 2**bits


def number(f, x):
    """A number of a draw in the format, never infinite (section 2)."""
    largest = (2.0 - 2.0 ** (1 - f.precision)) * 2.0 ** (127 if f is F32 else 1023)
    return min(max(f.nearest(x), -largest), largest)


def uniform(draw, f, word):
    half = 0.5 * draw.high - 0.5 * draw.low
    middle = number(f, 0.5 * draw.low + 0.5 * draw.high)
    scale = number(f, half * 2.0**-f.precision)
    lo, hi = f.at_least(draw.low), f.at_most(draw.high)
    if lo > hi:
        lo = hi = middle
    spare = f.bits - f.precision - 1  # bits of a word that are not used

    def value(i):
        k = signed(word(i), f.bits) >> spare | 1
        return clamp(f.fma(float(k), scale, middle), lo, hi)

    return value


def of_uniform(draw, f, word):
    function, shift = OF_UNIFORM[draw.distribution], int(draw.shift)
    u = uniform(draw, f, lambda i: word((i + shift) % 2**64))
    return lambda i: f.nearest(function(u(i)))


def clamp(value, lo, hi):
    return min(max(value, lo), hi)


# ---- 5: normal -----------------------------------------------------------------------------------


def normal(draw, f, word):
    mean, std = number(f, draw.mean), number(f, draw.std)
    pair = lru_cache(maxsize=1)(normal_pair_f64 if f is F64 else normal_pair_f32)
    return lambda i: pair(word(i & ~1), word(i | 1), mean, std)[i & 1]


def normal_pair_f32(w0, w1, mean, std):
    """The values of elements 2j and 2j + 1."""
    f = F32
    L, h, t = minus_2_log_f32(*split_of_radius(f, w0))
    r = f.sqrt(L)
    repair = f.add(f.fma(-r, r, L), f.sub(t, f.sub(L, h)))
    r_lo = f.mul(repair, f.decode(NUMBERS["F32_HALF_RECIPROCAL"] - f.encode(r)))

    x = (signed(w1 << 2, 32) >> 7 | 1) * 2.0**-24
    s = f.mul(x, x)

    c = f.mul(s, f.polynomial(NUMBERS["f32_cos"], s))
    c_lo = f.fma(r, c, f.fma(r_lo, c, r_lo))

    pi4_hi, pi4_lo = NUMBERS["f32_pi4_hi"], NUMBERS["f32_pi4_lo"]
    g = f.fma(s, f.polynomial(NUMBERS["f32_sin"], s), pi4_lo)
    rx = f.mul(r, x)
    rx_lo = f.fma(r_lo, x, f.fma(r, x, -rx))
    p = f.mul(rx, pi4_hi)
    p_lo = f.fma(rx, g, f.fma(rx_lo, pi4_hi, f.fma(rx, pi4_hi, -p)))

    signed_std = -std if w1 >> 31 else std
    cosine = f.fma(r, signed_std, f.fma(c_lo, signed_std, mean))
    sine = f.fma(p, std, f.fma(p_lo, std, mean))
    return (sine, cosine) if w1 >> 30 & 1 else (cosine, sine)


def normal_pair_f64(w0, w1, mean, std):
    f = F64
    r = f.sqrt(minus_2_log_f64(*split_of_radius(f, w0)))
    x = (signed(w1 << 2, 64) >> 10 | 1) * 2.0**-53
    s = f.mul(x, x)
    cosine = f.fma(r, f.mul(s, f.polynomial(NUMBERS["f64_cos"], s)), r)
    g = f.fma(s, f.polynomial(NUMBERS["f64_sin"], s), NUMBERS["f64_pi4_lo"])
    sine = f.mul(f.mul(r, x), f.add(NUMBERS["f64_pi4_hi"], g))

    signed_std = -std if w1 >> 63 else std
    cosine, sine = f.fma(cosine, signed_std, mean), f.fma(sine, std, mean)
    return (sine, cosine) if w1 >> 62 & 1 else (cosine, sine)


def split_of_radius(f, w0):
    """(f, n) with u = (1 + f) 2^-n."""
    k = (w0 if w0 < f.sign else f.sign * 2 - 1 - w0) | 1
    q = f.nearest(k)
    d = q * 2.0**-f.bits
    if w0 < f.sign:
        e, fraction = split(f, q)
        return fraction, f.bits - e
    if d < NUMBERS[f"f{f.bits}_split"]:
        return -d, 0
    return f.fma(-2.0, d, 1.0), 1


def split(f, q):
    """(e, f) with q = (1 + f) 2^e and 1 + f in [sqrt(1/2), sqrt(2))."""
    root = NUMBERS[f"F{f.bits}_SQRT_HALF"]
    t = f.encode(q) - root
    return t >> (f.precision - 1), f.sub(f.decode((t & f.fraction) + root), 1.0)


def minus_2_log_f32(x, n):
    """(L, h, t): L = h + t = -2 log((1 + x) 2^-n)."""
    f = F32
    h = f.fma(n, NUMBERS["f32_2ln2_hi"], -2.0 * x)
    rest = f.mul(n, NUMBERS["f32_2ln2_lo"])
    t = f.fma(f.mul(x, x), f.polynomial(NUMBERS["f32_log"], x), rest)
    return f.add(h, t), h, t


def minus_2_log_f64(x, n):
    f = F64
    y = f.div(x, f.add(2.0, x))
    s = f.mul(y, y)
    t = f.mul(y, f.fma(s, f.polynomial(NUMBERS["f64_log"], s), 4.0))
    return f.fma(n, NUMBERS["f64_2ln2_hi"], f.fma(n, NUMBERS["f64_2ln2_lo"], -t))


# ---- 6: truncated normal -------------------------------------------------------------------------


def truncated_normal(draw, f, word):
    alpha, beta = (draw.low - draw.mean) / draw.std, (draw.high - draw.mean) / draw.std
    lo, hi = bounds(draw.low, draw.high, f)
    if alpha <= -6 and beta >= 6:
        uncut = normal(draw, f, word)
        return lambda i: clamp(uncut(i), lo, hi)

    below, above = Phi(alpha), Phi(-beta)
    if alpha >= 0:
        mass = Phi(-alpha) - Phi(-beta)
    elif beta <= 0:
        mass = Phi(beta) - Phi(alpha)
    else:
        mass = (1 - below) - above
    to_middle, from_middle = f.nearest(below + 0.5 * mass), f.nearest(above + 0.5 * mass)
    shift = f.nearest(below - above)
    step, step2 = f.nearest(mass * 2.0**-f.bits), f.nearest(mass * 2.0 ** (1 - f.bits))
    below, above = f.nearest(below), f.nearest(above)
    mean, std = number(f, draw.mean), number(f, draw.std)
    tailed = abs(alpha) > 3.1 or abs(beta) > 3.1

    def value(i):
        s = signed(word(i) ^ f.sign, f.bits)
        k = (-s - 1 if s < 0 else s) | 1
        inner, outer = f.nearest(k), f.nearest(f.sign - k)
        nearer = f.fma(outer, step, below if s < 0 else above)
        farther = f.fma(inner, step, from_middle if s < 0 else to_middle)
        y = f.fma(-inner if s < 0 else inner, step2, shift)
        e, fraction = split(f, f.mul(4.0 * nearer, farther))
        ratio = ratio_f64(fraction, -e) if f is F64 else ratio_f32(fraction, -e, tailed)
        return clamp(f.fma(f.mul(y, ratio), std, mean), lo, hi)

    return value


def bounds(low, high, f):
    lo, hi = f.at_least(low), f.at_most(high)
    if lo > hi:
        middle = 0.5 * low + 0.5 * high
        if math.isinf(low) or math.isinf(high):
            middle = high if math.isinf(low) else low
        lo = hi = number(f, middle)
    return lo, hi


def ratio_f32(x, n, tailed):
    f = F32
    L = minus_2_log_f32(x, n)[0]
    half = f.mul(0.5, L)
    if tailed and half > NUMBERS["f32_w_edge"]:
        v = f.sub(f.sqrt(half), NUMBERS["f32_v_middle"])
        return f.polynomial(NUMBERS["f32_tail"], v)
    return f.polynomial(NUMBERS["f32_central"], f.fma(L, 0.5, -NUMBERS["f32_w_middle"]))


def ratio_f64(x, n):
    f = F64
    half = f.mul(0.5, minus_2_log_f64(x, n))
    if half <= NUMBERS["f64_w_edge"]:
        return f.polynomial(NUMBERS["f64_central"], f.sub(half, NUMBERS["f64_w_middle"]))
    v = f.sqrt(half)
    part = "near" if v <= NUMBERS["f64_v_edge"] else "far"
    return f.polynomial(NUMBERS[f"f64_tail_{part}"], f.sub(v, NUMBERS[f"f64_v_{part}"]))


# ---- 7: functions in double ----------------------------------------------------------------------


def Phi(x):
    if x > 0:
        return 1 - Phi(-x)
    t = -x
    if t >= 9.125:
        return 0.0
    j = math.floor(4 * t + 0.5)
    t0 = j / 4
    d = t - t0
    power, total, previous, hermite = d, d, 1.0, -t0
    for n in range(1, 19):
        power = (power * d) / (n + 1)
        total = F64.fma(hermite, power, total)
        previous, hermite = hermite, F64.fma(-t0, hermite, -(n * previous))
    below, density = NUMBERS["cdf_table"][j]
    return F64.fma(-density, total, below)


class Pair(NamedTuple):
    hi: float
    lo: float


def two_sum(a, b):
    hi = a + b
    t = hi - a
    return Pair(hi, (a - (hi - t)) + (b - t))


def multiply(a, b):
    hi = a.hi * b.hi
    lo = F64.fma(a.hi, b.hi, -hi)
    return two_sum(hi, lo + (a.hi * b.lo + a.lo * b.hi))


def divide(a, b):
    q = a.hi / b.hi
    rest = F64.fma(-q, b.hi, a.hi) + (a.lo - q * b.lo)
    return two_sum(q, rest / b.hi)


def poly(coefficients, x):
    s = coefficients[-1]
    for c in coefficients[-2::-1]:
        s = s * x + c
    return s


def EXP(x):
    k = round(x * NUMBERS["SOW_LN2_INVERSE"])
    r = two_sum(x - k * NUMBERS["SOW_LN2_HEAD"], 0.0 - k * NUMBERS["SOW_LN2_TAIL"])
    rest = (r.hi * r.hi) * poly(NUMBERS["sow_exp_terms"], r.hi)
    y = two_sum(1.0, r.hi)
    return Pair(y.hi, y.lo + (rest + (r.lo + r.lo * r.hi))), k


def exp(x):
    y, k = EXP(x)
    return math.ldexp(y.hi + y.lo, k)


def expm1(x):
    if abs(x) < 2.0**-54:
        return x
    if abs(x) > 60:
        return exp(x) if x > 0 else -1.0
    y, k = EXP(x)
    z = two_sum(math.ldexp(y.hi, k), -1.0)
    return z.hi + (z.lo + math.ldexp(y.lo, k))


def LOG(x, t):
    m, k = math.frexp(x)
    m, k = 2 * m, k - 1
    if m > float.fromhex("0x1.6a09e667f3bcdp+0"):
        m, k = m / 2, k + 1
    n = two_sum(m - 1.0, math.ldexp(t, -k))
    d = two_sum(2.0, n.hi)
    q = divide(n, Pair(d.hi, d.lo + n.lo))
    u = multiply(q, q)
    tail = NUMBERS["SOW_FIFTH_TAIL"] + u.hi * poly(NUMBERS["sow_atanh_terms"], u.hi)
    a = multiply(u, two_sum(NUMBERS["SOW_FIFTH_HEAD"], tail))
    b = two_sum(NUMBERS["SOW_THIRD_HEAD"], a.hi)
    a = two_sum(b.hi, b.lo + (a.lo + NUMBERS["SOW_THIRD_TAIL"]))
    a = multiply(q, multiply(u, a))
    h = two_sum(q.hi, a.hi)
    h = Pair(h.hi, h.lo + (q.lo + a.lo))
    y = two_sum(k * NUMBERS["SOW_LN2_HEAD"], 2 * h.hi)
    return y.hi + (y.lo + (2 * h.lo + k * NUMBERS["SOW_LN2_TAIL"]))


def ln(x):
    return LOG(x, 0.0)


def ln1p(x):
    return x if abs(x) < 2.0**-54 else LOG(*two_sum(1.0, x))


def softplus_inverse(x):
    return x + ln(-expm1(-x))


OF_UNIFORM = {
    "exp_uniform": exp,
    "ln_uniform": ln,
    "minus_ln_uniform": lambda u: -ln(u),
    "softplus_inverse_exp_uniform": lambda u: softplus_inverse(exp(u)),
    "ln_decay_uniform": lambda u: ln(-0.5 * ln(u)),
    "ln_rest_uniform": lambda u: 0.5 * ln1p(-u),
}
