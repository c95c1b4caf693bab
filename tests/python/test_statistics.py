# SPDX-License-Identifier: MIT
"""The shipped draws, judged by scipy: moments, Kolmogorov-Smirnov over 1e8 values, tails, and independence between the
two of a pair, neighbouring blocks, seeds and tensors. Seeds are fixed, so a pass is a pass for ever."""
import math

import numpy as np
import pytest
from libsow import NORMAL, TRUNC_NORMAL, UNIFORM, Draw, fill

stats = pytest.importorskip("scipy.stats", reason="scipy judges the distributions")
special = pytest.importorskip("scipy.special")

MANY = 100_000_000
SOME = 1 << 24
LIMIT = 5.0  # sigmas: a chance of 6e-7 a check, met once and then fixed for ever


def uniform(low, high):
    return Draw(UNIFORM, 0.0, 0.0, low, high)


def normal(mean, std):
    return Draw(NORMAL, mean, std, 0.0, 0.0)


def trunc_normal(mean, std, low, high):
    return Draw(TRUNC_NORMAL, mean, std, low, high)


def sorted_ks(values, cdf):
    """The two-sided KS statistic of `values`, in chunks to bound memory, and scipy's p-value for it."""
    values.sort()
    count = values.size
    largest = 0.0
    for begin in range(0, count, 1 << 22):
        part = values[begin:begin + (1 << 22)].astype(np.float64)
        probability = cdf(part)
        ranks = np.arange(begin, begin + part.size, dtype=np.float64)
        largest = max(largest, np.max((ranks + 1) / count - probability), np.max(probability - ranks / count))
    return largest, stats.kstwobign.sf(largest * math.sqrt(count))


def truncated_cdf(x):
    low, high = special.ndtr(-2.0), special.ndtr(2.0)
    return (special.ndtr(x) - low) / (high - low)


LAWS = {
    "uniform": (uniform(-1.0, 1.0), lambda x: 0.5 * (x + 1.0)),
    "normal": (normal(0.0, 1.0), special.ndtr),
    "trunc_normal": (trunc_normal(0.0, 1.0, -2.0, 2.0), truncated_cdf),
}


@pytest.mark.parametrize("name", LAWS)
def test_kolmogorov_smirnov_over_1e8_values(name):
    draw, cdf = LAWS[name]
    _, p = sorted_ks(fill(draw, MANY, seed=1, name="ks." + name), cdf)
    assert p > 1e-4, f"{name}: p = {p}"


@pytest.mark.parametrize("name,law", [
    ("uniform", stats.uniform(-1, 2)),
    ("normal", stats.norm()),
    ("trunc_normal", stats.truncnorm(-2, 2)),
])
def test_moments(name, law):
    draw, _ = LAWS[name]
    values = fill(draw, SOME, seed=2, name="moments." + name).astype(np.float64)
    for order in (1, 2, 3, 4):
        expected, spread = law.moment(order), math.sqrt(law.moment(2 * order) - law.moment(order) ** 2)
        sigmas = (np.mean(values ** order) - expected) / (spread / math.sqrt(values.size))
        assert abs(sigmas) < LIMIT, f"{name}: moment {order} is {sigmas:.2f} sigmas off"


def test_float64_laws():
    for name, (draw, cdf) in LAWS.items():
        _, p = sorted_ks(fill(draw, SOME, seed=3, name="f64." + name, dtype="f64"), cdf)
        assert p > 1e-4, f"{name}: p = {p}"


def test_normal_tails():
    values = np.abs(fill(normal(0.0, 1.0), MANY, seed=4, name="tails"))
    for sigma in (3.0, 4.0, 5.0):
        seen = int(np.count_nonzero(values > sigma))
        p = stats.binomtest(seen, MANY, 2 * stats.norm.sf(sigma)).pvalue
        assert p > 1e-4, f"{seen} values beyond {sigma} sigma: p = {p}"
    assert values.max() < 6.67


def test_uniform_is_symmetric_and_never_zero():
    values = fill(uniform(-0.0361, 0.0361), MANY, seed=5, name="symmetric")
    assert np.count_nonzero(values) == values.size
    assert np.abs(values).max() <= 0.0361


def independent(a, b, what):
    """Correlation of values and of their squares within LIMIT standard errors of 0, and a flat 16 x 16 table of ranks."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    for power in (1, 2):
        r = np.corrcoef(a ** power, b ** power)[0, 1]
        assert abs(r) * math.sqrt(a.size) < LIMIT, f"{what}, power {power}: r = {r}"
    cells = (special.ndtr(a) * 16).astype(np.int64) * 16 + (special.ndtr(b) * 16).astype(np.int64)
    p = stats.chisquare(np.bincount(cells, minlength=256)).pvalue
    assert p > 1e-4, f"{what}: chi-square p = {p}"


def test_independence():
    standard = normal(0.0, 1.0)
    base = fill(standard, SOME, seed=6, name="h.0.weight")
    independent(base[0::2], base[1::2], "the two of a pair")
    independent(base[0::4], base[2::4], "the two pairs of a block")
    independent(base[:-4:4], base[4::4], "neighbouring blocks")
    for lag in (1, 2, 3, 1024, 768 * 3):
        independent(base[:-lag], base[lag:], f"lag {lag}")
    independent(base, fill(standard, SOME, seed=7, name="h.0.weight"), "neighbouring seeds")
    independent(base, fill(standard, SOME, seed=6 + (1 << 32), name="h.0.weight"), "seeds 2^32 apart")
    independent(base, fill(standard, SOME, seed=6, name="h.1.weight"), "neighbouring tensors")


def test_truncated_normal_has_no_mass_at_its_bounds():
    """The case torch got wrong (#155588, #174997): std 0.02 cut at -2 and 2, and a cut at two sigmas."""
    wide = fill(trunc_normal(0.0, 0.02, -2.0, 2.0), MANY, seed=8, name="wide")
    assert np.abs(wide).max() < 0.02 * 6.67
    kurtosis = np.mean((wide[:SOME].astype(np.float64) / 0.02) ** 4)
    assert abs(kurtosis - 3.0) < LIMIT * math.sqrt(96.0 / SOME)
    cut = fill(trunc_normal(0.0, 1.0, -2.0, 2.0), MANY, seed=8, name="cut")
    at_bound = int(np.count_nonzero(np.abs(cut) >= np.float32(2.0)))
    assert at_bound < 100, f"{at_bound} values on the bound"
    assert abs(np.std(cut, dtype=np.float64) - stats.truncnorm(-2, 2).std()) < 1e-3


def test_bf16_is_the_rounded_f32():
    for name, (draw, _) in LAWS.items():
        single = fill(draw, SOME, seed=9, name=name).view(np.uint32).astype(np.uint64)
        expected = ((single + 0x7FFF + ((single >> 16) & 1)) >> 16).astype(np.uint16)
        assert np.array_equal(fill(draw, SOME, seed=9, name=name, dtype="bf16"), expected)
