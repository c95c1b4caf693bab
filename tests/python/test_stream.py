# SPDX-License-Identifier: MIT
"""libsow's bits against stream_v1.py, which was written from docs/stream.md alone.

Philox can be run backwards, so a test chooses the four words of a block and gets the seed, tensor
and block number that have them: the rarest words are as easy to reach as any.
"""

import ctypes
import math
import random
import re
import struct
import sys

import pytest
import stream_v1 as stream
from stream_v1 import FORMATS, NUMBERS, Draw

try:
    import libsow
except OSError:  # it is loaded on import
    libsow = None

ROOT = stream.PAGE.parents[1]
HEADER = ROOT / "core/kernel/stream_constants.h"
ELEMENTARY = ROOT / "core/base/elementary_constants.h"
INF = math.inf
needs_library = pytest.mark.skipif(
    libsow is None, reason="SKIPPED: libsow's bits because there is no libsow.so in $SOW_BUILD"
)

CONSTANTS = [
    Draw("constant", mean=x) for x in (0.0, -0.0, 1.0, 0.1, -1 / 3, 1e-45, -1e-46, 3e-39, 3.4028235677973366e38, -1e300)
]
UNIFORMS = [
    Draw("uniform", low=low, high=high)
    for low, high in (
        *((-1.0, 1.0), (0.0, 1.0), (-0.0625, 0.0625), (-math.sqrt(3 / 777), math.sqrt(3 / 777))),
        *((5.0, 7.3), (-3.0, 1e-3), (0.1, 0.1), (0.1, 0.1 + 1e-12)),  # the last has no float32
        *((1e-40, 3e-40), (-3e-29, 2e-29), (0.0, 1e-60), (-3e38, 3e38)),
        *((-0.0, 0.0), (-1e-320, 1e-320)),
    )
]
NORMALS = [
    Draw("normal", mean, std)
    for mean, std in (
        *((0.0, 1.0), (0.0, 0.02), (1.0, 0.5), (-0.1, 1 / 3), (-3.0, 1e-3), (0.1, 1e-9)),
        *((1e30, 1.0), (0.0, 1e-42), (0.0, 1e-60), (1e-41, 1e-44), (0.0, 1e38), (-1e38, 1e30)),
        *((-1e38, 3e38), (-0.0, 0.0)),
    )
]
TRUNCATED = [
    Draw("trunc_normal", mean, std, low, high)
    for mean, std, low, high in (
        *((0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -0.04, 0.04), (0.0, 0.02, -2.0, 2.0)),
        *((0.0, 1.0, -3.0, 3.0), (0.0, 1.0, -3.1, 3.1), (0.0, 1.0, -3.2, 1.0)),
        *((0.0, 1.0, -1.0, 3.0), (0.0, 1.0, 5.9, INF), (0.0, 1.0, -INF, -5.5)),
        *((0.0, 1.0, -INF, -1.0), (0.0, 1.0, -INF, 0.0), (0.0, 1.0, 0.0, INF)),
        *((0.0, 1.0, 0.5, 0.6), (0.0, 1.0, -5.9, 6.5), (0.0, 1.0, -6.0, 5.9)),
        *((0.0, 1.0, -9.0, 4.0), (0.0, 1.0, -6.0, 6.0), (0.0, 1.0, -6.5, 6.5)),
        *((0.0, 1.0, -50.0, 50.0), (0.0, 1.0, -INF, INF), (0.0, 1.0, -INF, 8.0)),
        *((0.5, 0.25, 0.1, 2.0), (-0.3, 1e-3, -0.301, -0.2995), (3.0, 2.0, -1.0, INF)),
        *((0.0, 1e-42, -1e-42, 3e-42), (0.0, 1e-42, 0.0, INF), (0.0, 1e-60, -1e-60, 1e-60)),
        *((1e37, 1e38, -1e38, 1e39), (0.0, 1.0, 1.0, 1.0000001)),
        (1.0, 1e-8, 1 - 1e-8, 1 + 2e-8),  # narrower than float32's steps
    )
]
HUGE = [  # numbers that float32 does not have
    Draw("uniform", low=-1e39, high=1e38),
    Draw("normal", 0.0, 1e39),
    Draw("normal", 2e300, 1e290),
    Draw("trunc_normal", 1e39, 1e39, -1e38, 1e38),
]
DRAWS = CONSTANTS + UNIFORMS + NORMALS + TRUNCATED
SAMPLES = [UNIFORMS[1], NORMALS[2], TRUNCATED[0], TRUNCATED[6], TRUNCATED[17]]


def draw_name(draw):
    return "{}({:g},{:g},{:g},{:g})".format(*draw)


# ---- The generator -------------------------------------------------------------------------------


def test_philox_known_answers():
    """Random123's kat_vectors, philox4x32 10."""
    ones = 0xFFFFFFFF
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    for counter, key, answer in (
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (*pi, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ):
        assert stream.philox(counter, key) == answer


def test_name_hash_known_answers():
    """The test vectors that Fowler, Noll and Vo publish."""
    assert stream.fnv1a64(b"") == 0xCBF29CE484222325
    assert stream.fnv1a64(b"a") == 0xAF63DC4C8601EC8C
    assert stream.fnv1a64(b"foobar") == 0x85944171F73967E8


@needs_library
@pytest.mark.parametrize("name", ["", "w", "model.layers.0.mlp.up_proj.weight", "poids.é.重み.🌱"])
def test_key(name):
    for seed in (0, 1, 42, 2**32, 2**64 - 1):
        key = libsow.LIBRARY.sow_key(name.encode(), seed)
        assert (key.seed, key.tensor) == (seed, stream.tensor_of(name))


def where(words):
    """(seed, tensor, block number) of a block that has these four words."""
    for seed in range(2**16):
        keys = [((i * 0x9E3779B9 + seed) & 0xFFFFFFFF, i * 0xBB67AE85 & 0xFFFFFFFF) for i in range(10)]
        d0, d1, d2, d3 = words
        for k0, k1 in reversed(keys):
            c2, c0 = d1 * UNDO_P & 0xFFFFFFFF, d3 * UNDO_Q & 0xFFFFFFFF
            d0, d1, d2, d3 = (
                c0,
                d0 ^ (0xCD9E8D57 * c2 >> 32) ^ k0,
                c2,
                d2 ^ (0xD2511F53 * c0 >> 32) ^ k1,
            )
        if d1 < 2**24:  # purpose 0
            return seed, d3 << 32 | d2, d1 << 32 | d0
    raise AssertionError("no block has these words")


UNDO_P, UNDO_Q = pow(0xCD9E8D57, -1, 2**32), pow(0xD2511F53, -1, 2**32)


def test_where():
    rng = random.Random(1)
    for _ in range(8):
        words = tuple(rng.getrandbits(32) for _ in range(4))
        assert stream.block_words(*where(words)) == words


# ---- The arithmetic of stream_v1 -----------------------------------------------------------------


def number_of(rng):
    code = rng.getrandbits(64)
    if rng.random() < 0.7:  # near enough to meet in a sum
        code = code & ~(0x7FF << 52) | rng.randint(1020, 1026) << 52
    return struct.unpack("<d", struct.pack("<Q", code))[0]


def test_double_arithmetic_is_the_machine_s():
    rng = random.Random(2)
    f = FORMATS["f64"]
    for _ in range(3000):
        a, b = number_of(rng), number_of(rng)
        if math.isfinite(a) and math.isfinite(b):
            assert (f.add(a, b), f.sub(a, b), f.mul(a, b)) == (a + b, a - b, a * b)
            assert b == 0 or f.div(a, b) == a / b
            assert f.sqrt(abs(a)) == math.sqrt(abs(a))


def test_float32_and_float16_round_as_struct_does():
    rng = random.Random(3)
    for dtype, letter, top in (("f32", "f", 1e38), ("f16", "e", 65504.0)):
        f = FORMATS[dtype]
        for _ in range(3000):
            x = rng.uniform(-1, 1) * top * 2.0 ** -rng.choice((0, 1, 10, 28, 30, 140, 170, 180))
            assert struct.pack("<" + letter, x) == f.encode(f.nearest(x)).to_bytes(f.bits // 8, "little")


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f8_e4m3fn", "f8_e5m2"])
def test_codes(dtype):
    """Every finite code decodes, in order, and rounds to itself."""
    f = FORMATS[dtype]
    codes = range(0, f.encode(f.largest) + 1, 1 if f.bits == 8 else 7)
    numbers = [f.decode(code) for code in codes]
    assert numbers == sorted(set(numbers)) and f.decode(f.encode(f.largest)) == f.largest
    assert [f.encode(f.nearest(x)) for x in numbers] == list(codes)


# ---- The library against it ----------------------------------------------------------------------


def library_values(draw, dtype, seed, tensor, first, count):
    number, bits = libsow.DTYPES[dtype]
    size = bits // 8
    out = ctypes.create_string_buffer(count * size)
    kind = ("constant", "uniform", "normal", "trunc_normal", *stream.OF_UNIFORM).index(draw.distribution)
    theirs = libsow.Draw(kind, *draw[1:]), libsow.Key(seed, tensor)
    libsow.LIBRARY.sow_fill(out, number, first, count, *theirs)
    return [int.from_bytes(out.raw[i : i + size], sys.byteorder) for i in range(0, count * size, size)]


def check(draw, dtype, seed, tensor, first, count):
    ours = stream.values(draw, dtype, seed, tensor, first, count)
    theirs = library_values(draw, dtype, seed, tensor, first, count)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a == b, (
            f"{draw_name(draw)} {dtype} seed {seed} tensor {tensor:#x} element {first + i}: "
            f"the page gives {a:#x}, libsow {b:#x}"
        )


@needs_library
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", DRAWS, ids=draw_name)
def test_fill(draw, dtype):
    rng = random.Random(f"{draw} {dtype}")
    name = rng.choice(("w", "fc1.weight", "model.layers.11.self_attn.q_proj.weight"))
    check(draw, dtype, rng.getrandbits(64), stream.tensor_of(name), rng.randrange(9), 41)


@needs_library
@pytest.mark.parametrize("draw", HUGE, ids=draw_name)
def test_fill_of_huge_f64(draw):
    check(draw, "f64", 8, 9, 0, 41)


@needs_library
@pytest.mark.parametrize("draw", HUGE, ids=draw_name)
def test_fill_of_huge_f32(draw):
    check(draw, "f32", 8, 9, 0, 41)


@needs_library
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", SAMPLES, ids=draw_name)
def test_slices(draw, dtype):
    """Every start and length up to a few vectors give the same elements."""
    key = 2**63 + 42, stream.tensor_of("slices")
    whole = stream.values(draw, dtype, *key, 0, 150)
    for first in range(9):
        for count in (*range(20), *range(30, 36), *range(62, 68), 127, 130):
            assert library_values(draw, dtype, *key, first, count) == whole[first : first + count]


@needs_library
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", SAMPLES, ids=draw_name)
def test_far_elements(draw, dtype):
    """Block numbers beyond 2^32, and across that border."""
    tensor = stream.tensor_of("far")
    for first in (2**33 - 9, 2**34 - 9, 2**34 + 3, 2**45 + 1, 2**57 - 1):
        check(draw, dtype, 2**32 + 7, tensor, first, 19)


@needs_library
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f8_e4m3fn", "f8_e5m2"])
def test_stores(dtype):
    """Rounding float32 to a narrower dtype: each code, the middle to the next, both its sides."""
    f, f32 = FORMATS[dtype], FORMATS["f32"]
    last = f.encode(f.largest)
    codes = set(range(min(last, 130))) | {last - i for i in range(3)}
    codes |= set(random.Random(4).sample(range(last), min(last, 300)))
    for code in codes:
        x = f.decode(code)
        step = x - f.decode(code - 1) if code == last else f.decode(code + 1) - x
        middle = f32.encode(f32.nearest(x + step / 2))
        for y in (x, *(f32.decode(middle + i) for i in (-1, 0, 1))):
            for z in (y, -y):
                check(Draw("constant", z), dtype, 0, 0, 0, 1)


@needs_library
@pytest.mark.parametrize("dtype", stream.INTEGERS)
def test_integer_constants(dtype):
    for x in (0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.5, 255.49, 9e9, -9e9, 1e30, -1e30):
        check(Draw("constant", x), dtype, 0, 0, 0, 3)


# ---- Chosen words --------------------------------------------------------------------------------


def check_words(draw, dtype, words):
    """Draw from these words (one an element, an even number of them), wherever Philox has them."""
    per_block = 2 if dtype == "f64" else 4
    words = [*words, *words[: -len(words) % per_block]]
    for i in range(0, len(words), per_block):
        group = words[i : i + per_block]
        if dtype == "f64":
            group = [half for w in group for half in (w & 0xFFFFFFFF, w >> 32)]
        seed, tensor, number = where(group)
        check(draw, dtype, seed, tensor, per_block * number, per_block)


def around(bits, *centres, reach=2):
    return [(c + i) % 2**bits for c in centres for i in range(-reach, reach + 1)]


def extreme_words(bits):
    """The ends, the middle, the quarters and the powers of two."""
    top = 1 << bits
    return around(bits, 0, top >> 1, top >> 2, 3 * (top >> 2), *(1 << i for i in range(3, bits - 2)))


def radius_words(bits):
    """Where section 5 decides: the split, sqrt(1/2), and the ties in rounding k."""
    f = FORMATS[f"f{bits}"]
    step = 1 << (bits - 1 - f.precision)  # between the doubles or floats near 2^bits / 4
    split = int(NUMBERS[f"f{bits}_split"] * 2**bits)
    root = f.fraction & NUMBERS[f"F{bits}_SQRT_HALF"] | f.fraction + 1
    roots = [(root + i) << shift for i in (-1, 0, 1) for shift in range(bits - 1 - f.precision)]
    ties = [(1 << f.precision) + i for i in (1, 3, 5, 7)]
    near = around(bits, *(split + i * step for i in (-2, -1, 0, 1, 2)), *roots, *ties, reach=1)
    return near + [(1 << bits) - 1 - w for w in near]


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("draw", UNIFORMS[:2] + UNIFORMS[6:12], ids=draw_name)
def test_uniform_of_extreme_words(draw, dtype):
    check_words(draw, dtype, extreme_words(FORMATS[dtype].bits)[:60])


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("draw", NORMALS[:3] + NORMALS[9:11], ids=draw_name)
def test_normal_of_extreme_words(draw, dtype):
    bits = FORMATS[dtype].bits
    rng = random.Random(f"{draw} {dtype}")
    radii, angles = extreme_words(bits) + radius_words(bits), extreme_words(bits)
    words = [w for radius in rng.sample(radii, 60) for w in (radius, rng.choice(angles))]
    words += [w for angle in rng.sample(angles, 60) for w in (rng.choice(radii), angle)]
    # The largest radius and the smallest, at every end of an eighth of a turn.
    for angle in around(bits, *(i << (bits - 3) for i in range(8)), reach=1):
        words += [0, angle, (1 << bits) - 1, angle]
    check_words(draw, dtype, words)


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_normal_at_its_edges(dtype):
    bits = FORMATS[dtype].bits
    rng = random.Random(5)
    words = [w for radius in radius_words(bits) for w in (radius, rng.getrandbits(bits))]
    check_words(NORMALS[0], dtype, words)


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("draw", TRUNCATED, ids=draw_name)
def test_truncated_of_extreme_words(draw, dtype):
    bits = FORMATS[dtype].bits
    rng = random.Random(f"{draw} {dtype}")
    words = rng.sample(extreme_words(bits), 40) + around(bits, 0, 1 << bits - 1)
    check_words(draw, dtype, words + rng.sample(radius_words(bits), 9))


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("alpha, beta", [(-3.2, 1.0), (-5.0, 7.0), (-INF, 5.0)])
def test_truncated_at_its_edges(alpha, beta, dtype):
    """The words around those where one polynomial takes over from another."""
    bits = FORMATS[dtype].bits
    below, above = stream.Phi(alpha), stream.Phi(-beta)
    edges = [NUMBERS["f64_w_edge"], NUMBERS["f64_v_edge"] ** 2]
    for w in edges if dtype == "f64" else [NUMBERS["f32_w_edge"]]:
        # w = -ln(4 p (1 - p)) has the solutions p and 1 - p.
        p = math.exp(-w) / 2 / (1 + math.sqrt(-math.expm1(-w)))
        for outside, side in ((below, 0), (above, (1 << bits) - 1)):
            word = int((p - outside) / (1 - below - above) * 2**bits) ^ side
            if p > outside:
                draw = Draw("trunc_normal", 0.0, 1.0, alpha, beta)
                check_words(draw, dtype, around(bits, word, reach=50))


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("edge", [3.1, 6.0])
def test_truncated_bounds_at_their_edges(edge, dtype):
    """The numbers of a draw for which another way is taken."""
    for i in range(-1, 2):
        for j in range(-1, 2):
            low = -edge + i * math.ulp(edge)
            high = edge + j * math.ulp(edge)
            check(Draw("trunc_normal", 0.0, 1.0, low, high), dtype, 6, 7, 0, 12)


# ---- Numbers at random ---------------------------------------------------------------------------


def random_draw(rng):
    mean = rng.choice((0.0, rng.uniform(-2, 2), rng.gauss(0, 1) * 2.0 ** rng.randint(-40, 40)))
    std = 2.0 ** rng.uniform(-1, 1) * rng.choice((1.0, 0.02, 2.0 ** rng.randint(-60, 60)))
    match rng.choice(("uniform", "normal", "trunc_normal", "trunc_normal")):
        case "uniform":
            low = rng.choice((-std, 0.0, mean))
            return Draw("uniform", low=low, high=low + 2 * std)
        case "normal":
            return Draw("normal", mean, std)
    alpha = rng.choice((-INF, -9.0, -6.0, -3.1, -3, -2, -1, 0, 1, 3.2, rng.uniform(-8, 5)))
    beta = rng.choice((INF, alpha + rng.uniform(0.01, 9), -alpha if alpha < 0 else alpha + 1))
    if alpha == -INF:
        beta = rng.uniform(-5.9, 9)
    return Draw("trunc_normal", mean, std, mean + std * alpha, mean + std * beta)


OF_UNIFORM = [
    Draw("exp_uniform", low=-6.9, high=-2.3),
    Draw("exp_uniform", low=-87.0, high=88.0),
    Draw("ln_uniform", low=0.0, high=2 * math.pi),
    Draw("ln_uniform", low=1.0, high=16.0),
    Draw("minus_ln_uniform", low=1.0, high=783.0, shift=5.0),
    Draw("minus_ln_uniform", low=1.0, high=783.0, shift=-3.0),
    Draw("softplus_inverse_exp_uniform", low=-6.9, high=-2.3),
    Draw("softplus_inverse_exp_uniform", low=-87.0, high=88.0),
    Draw("ln_decay_uniform", low=0.0, high=1 - 2.0**-24),
    Draw("ln_rest_uniform", low=0.0, high=1 - 2.0**-24),
]


@needs_library
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16"])
@pytest.mark.parametrize("draw", OF_UNIFORM, ids=draw_name)
def test_functions_of_a_uniform(draw, dtype):
    if draw.shift == 0 and dtype != "bf16":
        check_words(draw, dtype, extreme_words(FORMATS[dtype].bits)[:60])
    rng = random.Random(f"{draw} {dtype}")
    for _ in range(20):
        check(draw, dtype, rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(40) + 9, 40)


@needs_library
@pytest.mark.parametrize("case", range(40))
def test_random_draws(case):
    rng = random.Random(case)
    for _ in range(12):
        draw, dtype = random_draw(rng), rng.choice(["f32", "f64", *FORMATS])
        seed, tensor = rng.getrandbits(64), rng.getrandbits(64)
        check(draw, dtype, seed, tensor, rng.getrandbits(rng.randrange(58)), rng.randint(1, 40))


# ---- Known answers -------------------------------------------------------------------------------

GOLDEN = ROOT / "tests/golden/golden.txt"
NUMBERS_OF = {
    "constant": ("mean",),
    "uniform": ("low", "high"),
    "normal": ("mean", "std"),
    "trunc_normal": ("mean", "std", "low", "high"),
    **dict.fromkeys(stream.OF_UNIFORM, ("low", "high")),
    "minus_ln_uniform": ("low", "high", "shift"),
}


def dimensions(text):
    return [] if text == "-" else [int(x) for x in text.split("x")]


def rows_of_box(shape, start, size):
    """(first element, count) of each run of a box, in order."""
    if not shape:
        return [(0, 1)]
    firsts = [0]
    for axis, total in enumerate(shape[:-1]):
        firsts = [f * total + start[axis] + i for f in firsts for i in range(size[axis])]
    return [(f * shape[-1] + start[-1], size[-1]) for f in firsts]


def golden_cases():
    """(the line's place, draw, dtype, seed, tensor, runs, digest), the large ones left out."""
    line = r'(\w+) (\S+) (\w+) (\d+) "([^"]*)" (range|box) (.*) ([0-9a-f]{16})'
    for row in GOLDEN.read_text("utf-8").splitlines():
        if row.startswith("#") or " whole " in row:  # those are test_orthogonal.py's
            continue
        distribution, numbers, dtype, seed, name, how, place, digest = re.fullmatch(line, row).groups()
        values = map(float, numbers.split(","))
        draw = Draw(distribution, **dict(zip(NUMBERS_OF[distribution], values, strict=True)))
        if how == "range":
            runs = [tuple(map(int, place.split()))]
        else:
            runs = rows_of_box(*map(dimensions, place.split()))
        if sum(count for _, count in runs) <= 600:
            key = int(seed), stream.tensor_of(name)
            yield f"{how} {place}", draw, dtype, *key, runs, int(digest, 16)


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"SKIPPED: because there is no {GOLDEN.name}")
@pytest.mark.parametrize("dtype", [*FORMATS, "integers"])
def test_golden(dtype):
    cases = 0
    for place, draw, kind, seed, tensor, runs, digest in golden_cases():
        if kind == dtype or (kind in stream.INTEGERS and dtype == "integers"):
            size = (stream.INTEGERS[kind][0] if dtype == "integers" else FORMATS[kind].bits) // 8
            codes = [c for run in runs for c in stream.values(draw, kind, seed, tensor, *run)]
            data = b"".join(code.to_bytes(size, "little") for code in codes)
            assert stream.fnv1a64(data) == digest, (draw, kind, seed, place)
            cases += 1
    assert cases > 30


# ---- The page ------------------------------------------------------------------------------------


def definitions(text):
    text = " ".join(re.sub(r"/\*.*?\*/", "", text, flags=re.S).split())
    return re.findall(r"static const [^;]*;|#define \w+ 0x[0-9a-f]+u", text)


def test_the_page_repeats_the_elementary_constants():
    names, header = stream.parse_numbers(stream.fenced_block(7)), stream.parse_numbers(ELEMENTARY.read_text("utf-8"))
    assert len(names) == 9 and all(NUMBERS[name] == header[name] for name in names)


def test_the_page_repeats_the_header():
    ours, theirs = definitions(stream.fenced_block(10)), definitions(HEADER.read_text("utf-8"))
    assert ours == theirs and len(ours) == len(NUMBERS) - 9 > 30
