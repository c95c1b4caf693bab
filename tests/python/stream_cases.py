# SPDX-License-Identifier: MIT
"""Draws whose bits are compared, and the comparison of libsow's with those of stream_v1.py. No tests here."""
import ctypes
import math
import sys

import pytest
import stream_v1 as stream
from stream_v1 import Draw

try:
    import libsow
except OSError:  # it is loaded on import
    libsow = None

ROOT = stream.PAGE.parents[1]
GOLDEN = ROOT / "tests/golden/golden.txt"
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
