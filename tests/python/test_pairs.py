# SPDX-License-Identifier: MIT
"""Means over two correlated inputs (sow_function_pair) against scipy's quadrature of torch's functions, and closed forms."""
import math

import numpy as np
import pytest
import torch
from activation_judges import JUDGES
from catalogue import pair
from scipy import integrate


def rule(kinks):
    """Nodes and weights against the normal density, a row for each row of kinks; the panels end at them."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    kinks = np.atleast_2d(kinks)
    steps = np.broadcast_to(np.arange(-8, 8.1, 1), (len(kinks), 17))
    ends = np.sort(np.concatenate([steps, np.clip(kinks, -8, 8)], axis=1), axis=1)[:, :, None]
    half, middle = np.diff(ends, axis=1) / 2, (ends[:, 1:] + ends[:, :-1]) / 2
    z = (middle + half * nodes).reshape(len(kinks), -1)
    return z, (half * weights).reshape(len(kinks), -1) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def product(name, mean, std, c):
    """E[f(x) f(y)] on a grid with a breakpoint at every kink, inner panels moved with the outer node."""
    kinks, own = (np.array([-3, -1, -0.5, 0, 0.5, 1, 3, 6]) - mean) / std, math.sqrt(1 - c * c)
    f = lambda z: JUDGES[name](torch.tensor(mean + std * z)).numpy()  # noqa: E731
    z1, w1 = rule(kinks)
    z1 = z1.T
    z2, w2 = rule((kinks - c * z1) / own)
    return float(np.dot(w1[0] * f(z1)[:, 0], (w2 * f(c * z1 + own * z2)).sum(axis=1)))


SMOOTH = ["tanh", "gelu", "silu", "erf", "sin", "softplus", "sigmoid", "asinh", "mish", "cos", "square"]
KINKED = ["relu6", "hardtanh", "elu", "selu", "hardswish", "softsign", "softshrink"]


@pytest.mark.parametrize("name", SMOOTH + KINKED)
@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (0.4, 0.7), (-0.3, 3.0)])
def test_product_is_that_of_quadrature(name, mean, std):
    scale = pair(name, mean, std * std, 1).second_moment
    for c in (-0.9, 0.3, 0.95):
        assert abs(pair(name, mean, std * std, c).product - product(name, mean, std, c)) <= 1e-9 * scale


@pytest.mark.parametrize("name", ["gelu", "tanh"])
def test_product_is_that_of_scipy(name):
    f, c = JUDGES[name], 0.6
    number = lambda v: float(f(torch.tensor(v, dtype=torch.float64)))  # noqa: E731
    density = lambda x, y: math.exp(-(x * x - 2 * c * x * y + y * y) / (2 * (1 - c * c)))  # noqa: E731
    value, _ = integrate.dblquad(lambda x, y: number(x) * number(y) * density(x, y), -6, 6, -6, 6, epsabs=1e-6)
    assert pair(name, 0, 1, c).product == pytest.approx(value / (2 * math.pi * math.sqrt(1 - c * c)), abs=1e-6)


def test_a18_cho_saul_2009_relu_iterates():
    """From unrelated inputs, q = 1, sigma_w^2 = 2."""
    c, known = 0.0, {1: 1 / math.pi, 2: 0.4937310902, 3: 0.6048257201, 5: 0.7359463506, 10: 0.8715355160,
                     20: 0.9484284792, 50: 0.9878619449, 100: 0.9964231467}
    for layer in range(1, 101):
        c = 2 * pair("relu", 0, 1, c).product
        if layer in known:
            assert c == pytest.approx(known[layer], abs=1e-9)


def test_a19_schoenholz_2017_tanh_iterates():
    """On the critical line at sigma_b^2 = 0.05."""
    q, sigma_w2, c = 0.5700478816, 1.7609546396, 0.0
    known = {1: 0.08771193, 5: 0.34271902, 10: 0.52801698, 20: 0.70921672, 50: 0.87188119}
    for layer in range(1, 51):
        c = (sigma_w2 * pair("tanh", 0, q, c).product + 0.05) / q
        if layer in known:
            assert c == pytest.approx(known[layer], abs=1e-6)


def test_ends():
    for name in ("tanh", "relu", "gelu", "hardtanh"):
        for std in (0.3, 1, 5):
            moments = pair(name, 0.2, std * std, 1)
            assert moments.product == pytest.approx(moments.second_moment, rel=1e-9)
            assert moments.slope_product == pytest.approx(moments.slope_second_moment, rel=1e-6)
            assert pair(name, 0.2, std * std, 0).product == pytest.approx(moments.mean**2, abs=1e-12 * std * std)
    assert pair("tanh", 1.5, 0, 0.3).product == pytest.approx(math.tanh(1.5) ** 2, rel=1e-12)
    assert math.isnan(pair("hardshrink", 0, 1, 0.5).slope_product)
    with pytest.raises(Exception, match="not negative"):
        pair("tanh", 0, -1, 0)
