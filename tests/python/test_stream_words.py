# SPDX-License-Identifier: MIT
"""libsow's bits against stream_v1.py where the words are chosen: Philox can be run backwards, so a test chooses the four words of a
block and gets the seed, tensor and block number that have them. The rarest words are as easy to reach as any."""
import math
import random

import pytest
import stream_v1 as stream
from stream_cases import (
    INF,
    NORMALS,
    TRUNCATED,
    UNIFORMS,
    check,
    draw_name,
    needs_library,
)
from stream_v1 import FORMATS, NUMBERS, Draw

pytestmark = needs_library


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


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("draw", UNIFORMS[:2] + UNIFORMS[6:12], ids=draw_name)
def test_uniform_of_extreme_words(draw, dtype):
    check_words(draw, dtype, extreme_words(FORMATS[dtype].bits)[:60])


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


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_normal_at_its_edges(dtype):
    bits = FORMATS[dtype].bits
    rng = random.Random(5)
    words = [w for radius in radius_words(bits) for w in (radius, rng.getrandbits(bits))]
    check_words(NORMALS[0], dtype, words)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("draw", TRUNCATED, ids=draw_name)
def test_truncated_of_extreme_words(draw, dtype):
    bits = FORMATS[dtype].bits
    rng = random.Random(f"{draw} {dtype}")
    words = rng.sample(extreme_words(bits), 40) + around(bits, 0, 1 << bits - 1)
    check_words(draw, dtype, words + rng.sample(radius_words(bits), 9))


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


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16"])
@pytest.mark.parametrize("draw", OF_UNIFORM, ids=draw_name)
def test_functions_of_a_uniform(draw, dtype):
    if draw.shift == 0 and dtype != "bf16":
        check_words(draw, dtype, extreme_words(FORMATS[dtype].bits)[:60])
    rng = random.Random(f"{draw} {dtype}")
    for _ in range(20):
        check(draw, dtype, rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(40) + 9, 40)
