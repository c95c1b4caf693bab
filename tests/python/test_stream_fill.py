# SPDX-License-Identifier: MIT
"""libsow's bits against stream_v1.py: every distribution in every dtype, slices, far elements, what rounds, numbers at random."""
import math
import random

import pytest
import stream_v1 as stream
from stream_cases import (
    DRAWS,
    HUGE,
    INF,
    SAMPLES,
    check,
    draw_name,
    library_values,
    libsow,
    needs_library,
)
from stream_v1 import FORMATS, Draw

pytestmark = needs_library


@pytest.mark.parametrize("name", ["", "w", "model.layers.0.mlp.up_proj.weight", "poids.é.重み.🌱"])
def test_key(name):
    for seed in (0, 1, 42, 2**32, 2**64 - 1):
        key = libsow.LIBRARY.sow_key(name.encode(), seed)
        assert (key.seed, key.tensor) == (seed, stream.tensor_of(name))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", DRAWS, ids=draw_name)
def test_fill(draw, dtype):
    rng = random.Random(f"{draw} {dtype}")
    name = rng.choice(("w", "fc1.weight", "model.layers.11.self_attn.q_proj.weight"))
    check(draw, dtype, rng.getrandbits(64), stream.tensor_of(name), rng.randrange(9), 41)


@pytest.mark.parametrize("draw", HUGE, ids=draw_name)
def test_fill_of_huge_f64(draw):
    check(draw, "f64", 8, 9, 0, 41)


@pytest.mark.parametrize("draw", HUGE, ids=draw_name)
def test_fill_of_huge_f32(draw):
    check(draw, "f32", 8, 9, 0, 41)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", SAMPLES, ids=draw_name)
def test_slices(draw, dtype):
    """Every start and length up to a few vectors give the same elements."""
    key = 2**63 + 42, stream.tensor_of("slices")
    whole = stream.values(draw, dtype, *key, 0, 150)
    for first in range(9):
        for count in (*range(20), *range(30, 36), *range(62, 68), 127, 130):
            assert library_values(draw, dtype, *key, first, count) == whole[first : first + count]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("draw", SAMPLES, ids=draw_name)
def test_far_elements(draw, dtype):
    """Block numbers beyond 2^32, and across that border."""
    tensor = stream.tensor_of("far")
    for first in (2**33 - 9, 2**34 - 9, 2**34 + 3, 2**45 + 1, 2**57 - 1):
        check(draw, dtype, 2**32 + 7, tensor, first, 19)


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


@pytest.mark.parametrize("dtype", stream.INTEGERS)
def test_integer_constants(dtype):
    for x in (0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.5, 255.49, 9e9, -9e9, 1e30, -1e30):
        check(Draw("constant", x), dtype, 0, 0, 0, 3)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("edge", [3.1, 6.0])
def test_truncated_bounds_at_their_edges(edge, dtype):
    """The numbers of a draw for which another way is taken."""
    for i in range(-1, 2):
        for j in range(-1, 2):
            low = -edge + i * math.ulp(edge)
            high = edge + j * math.ulp(edge)
            check(Draw("trunc_normal", 0.0, 1.0, low, high), dtype, 6, 7, 0, 12)


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


@pytest.mark.parametrize("case", range(40))
def test_random_draws(case):
    rng = random.Random(case)
    for _ in range(12):
        draw, dtype = random_draw(rng), rng.choice(["f32", "f64", *FORMATS])
        seed, tensor = rng.getrandbits(64), rng.getrandbits(64)
        check(draw, dtype, seed, tensor, rng.getrandbits(rng.randrange(58)), rng.randint(1, 40))
