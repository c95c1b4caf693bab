# SPDX-License-Identifier: MIT
"""stream_v1.py, which was written from docs/stream.md alone, against published answers, the machine's own arithmetic and the golden
file; and the page's numbers against those in the code."""
import math
import random
import re
import struct

import pytest
import stream_v1 as stream
from stream_cases import GOLDEN, ROOT
from stream_v1 import FORMATS, NUMBERS, Draw

HEADER = ROOT / "core/kernel/stream_constants.h"
ELEMENTARY = ROOT / "core/base/elementary_constants.h"


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


def definitions(text):
    text = " ".join(re.sub(r"/\*.*?\*/", "", text, flags=re.S).split())
    return re.findall(r"static const [^;]*;|#define \w+ 0x[0-9a-f]+u", text)


def test_the_page_repeats_the_elementary_constants():
    names, header = stream.parse_numbers(stream.fenced_block(7)), stream.parse_numbers(ELEMENTARY.read_text("utf-8"))
    assert len(names) == 9 and all(NUMBERS[name] == header[name] for name in names)


def test_the_page_repeats_the_header():
    ours, theirs = definitions(stream.fenced_block(10)), definitions(HEADER.read_text("utf-8"))
    assert ours == theirs and len(ours) == len(NUMBERS) - 9 > 30
