# SPDX-License-Identifier: MIT
"""Means over one and two normal inputs, however steep the function is for them: closed forms of the literature, quadrature of
torch's functions, and the critical line. test_acceptance.py is about networks, test_pairs.py about ordinary inputs.
"""
import ctypes
import math

import numpy as np
import pytest
import torch
from activation_judges import JUDGES, ROWS
from catalogue import Moments, pair
from libsow import call
from scipy.special import ndtr

VARIANCES, CORRELATIONS = [1e-6, 0.01, 1, 100, 1e4], [-0.9, 0, 0.5, 0.99]


# ---- A2: closed forms --------------------------------------------------------------------------------------------


def lines(low, high, q, c):
    """Cho and Saul 2009: low x below 0, high x above."""
    t, apart, both = math.acos(c), (high - low) ** 2 / (2 * math.pi), (low * low + high * high) / 2
    return q * (apart * (math.sin(t) - t * c) + both * c), both - apart * t


def wave(q, c, sign):
    return (math.exp(-q * (1 - c)) + sign * math.exp(-q * (1 + c))) / 2


# Products and products of slopes, as neural-tangents' elementwise.py has them (where it does).
CLOSED = {
    "linear": lambda q, c: (q * c, 1),
    "relu": lambda q, c: lines(0, 1, q, c),
    "leaky_relu": lambda q, c: lines(0.01, 1, q, c),
    "prelu": lambda q, c: lines(0.25, 1, q, c),
    "abs": lambda q, c: lines(-1, 1, q, c),
    "erf": lambda q, c: (2 / math.pi * math.asin(2 * q * c / (1 + 2 * q)),
                         4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - 4 * q * q * c * c)),
    "sin": lambda q, c: (wave(q, c, -1), wave(q, c, 1)),
    "cos": lambda q, c: (wave(q, c, 1), wave(q, c, -1)),
    "exp": lambda q, c: (math.exp(q * (1 + c)),) * 2,
    "square": lambda q, c: (q * q * (1 + 2 * c * c), 4 * q * c),
    "gaussian": lambda q, c: (((1 + 2 * q) ** 2 - 4 * q * q * c * c) ** -0.5,
                              4 * q * c * ((1 + 2 * q) ** 2 - 4 * q * q * c * c) ** -1.5),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
def test_a02_closed_forms(name, q, c):
    if name == "exp" and q > 100:
        with pytest.raises(Exception, match="has no mean"): # E[phi^2] is exp(20000)
            pair(name, 0, q, c)
        return
    got, (square, slope_square) = pair(name, 0, q, c), CLOSED[name](q, 1)
    product, slopes = CLOSED[name](q, c)
    assert got.second_moment == pytest.approx(square, rel=1e-9)
    assert got.slope_second_moment == pytest.approx(slope_square, rel=1e-9)
    assert got.product == pytest.approx(product, rel=1e-9, abs=1e-9 * square)
    assert got.slope_product == pytest.approx(slopes, rel=1e-9, abs=1e-9 * slope_square)


@pytest.mark.parametrize("q", VARIANCES)
def test_a02_diagonals(q):
    """Of gelu for any variance; of elu and hardtanh at 1."""
    root = math.sqrt(1 + 2 * q)
    gelu = q * (1 / 4 + (q / ((q + 1) * root) + 0.5 * math.atan(q / root)) / math.pi)
    assert pair("gelu", 0, q, 0.5).second_moment == pytest.approx(gelu, rel=1e-9)
    elu = 0.5 + math.e**2 * ndtr(-2) - 2 * math.exp(0.5) * ndtr(-1) + 0.5
    assert pair("elu", 0, 1, 0.5).second_moment == pytest.approx(elu, abs=1e-9)
    hardtanh = pair("hardtanh", 0, 1, 0.5)
    assert hardtanh.second_moment == pytest.approx(1 - 2 * math.exp(-0.5) / math.sqrt(2 * math.pi), abs=1e-9)
    assert hardtanh.slope_second_moment == pytest.approx(2 * ndtr(1) - 1, abs=1e-9)


@pytest.mark.parametrize("c", [*CORRELATIONS, -1, 1 - 1e-9])
def test_a02_sign(c):
    """A function of one's own that jumps."""
    value = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_double)(lambda user, x: math.copysign(1, x))
    function, moments = ctypes.create_string_buffer(1024), Moments()
    call("sow_function_own", value, None, (ctypes.c_double * 1)(0), ctypes.c_size_t(1), function)
    call("sow_function_pair", function, ctypes.c_double(0), ctypes.c_double(2), ctypes.c_double(c), ctypes.byref(moments))
    assert moments.product == pytest.approx(1 - 2 * math.acos(c) / math.pi, abs=1e-9)
    assert math.isnan(moments.slope_product)


# ---- A2: every activation ----------------------------------------------------------------------------------------

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def graded(scale):
    """Distances from a bend: 0, and powers of two from a quarter of its width to the density's."""
    steps = [0.25 / scale * 2**i for i in range(40) if 0.25 / scale * 2**i < 1]
    return np.array([0, *steps, *(-step for step in steps)])


def rule(bends, scale):
    """Nodes and weights against the normal density, a row for each row of bends."""
    steps = np.broadcast_to(np.arange(-9, 9.1, 0.75), (len(bends), 25))
    near = (bends[:, :, None] + graded(scale)).reshape(len(bends), -1)
    ends = np.sort(np.clip(np.concatenate([steps, near], axis=1), -9, 9), axis=1)[:, :, None]
    half, middle = np.diff(ends, axis=1) / 2, (ends[:, 1:] + ends[:, :-1]) / 2
    z = (middle + half * NODES).reshape(len(bends), -1)
    return z, (half * WEIGHTS).reshape(len(bends), -1) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def both(name, x):
    at = torch.tensor(x, requires_grad=True)
    y = JUDGES[name](at)
    return y.detach().numpy(), torch.autograd.grad(y.sum(), at)[0].numpy()


def judged(name, mean, std, c):
    """E[f(x) f(y)] and of slopes: y given x on panels that move along with x."""
    bends, own = (np.array(sorted({0.0, *ROWS[name]["kinks"]})) - mean) / std, math.sqrt(1 - c * c)
    z, weights = rule(np.concatenate([bends, bends / c])[None], std / own)
    product = slopes = 0
    for rows in np.array_split(np.arange(z.size), z.size // 300 + 1):
        inner, shares = rule((bends - c * z[0, rows, None]) / own, std * own)
        (x, dx), (y, dy) = both(name, mean + std * z[0, rows]), both(name, mean + std * (c * z[0, rows, None] + own * inner))
        product += weights[0, rows] * x @ (shares * y).sum(axis=1)
        slopes += weights[0, rows] * dx @ (shares * dy).sum(axis=1)
    return product, slopes


def agree(name, mean, q, c):
    got, (product, slopes) = pair(name, mean, q, c), judged(name, mean, math.sqrt(q), c)
    assert got.product == pytest.approx(product, abs=1e-9 * got.second_moment)
    if not ROWS[name]["jumps"]:
        assert got.slope_product == pytest.approx(slopes, abs=1e-9 * got.slope_second_moment)


# Waves on so many periods, and exp, are for closed forms alone.
@pytest.mark.parametrize("name", sorted(set(JUDGES) - {"sin", "cos", "exp"}))
@pytest.mark.parametrize("q", [100, 1e4])
def test_a02_steep(name, q):
    for c in (-0.9, 0.99):
        agree(name, 0.0, q, c)


# What is 0 up to 0.5 or 1 has a second moment of 4e-10 and less for such inputs: its products are right to 1e-5 of that.
@pytest.mark.parametrize("name", sorted(set(JUDGES) - {"softshrink", "hardshrink", "thresholded_relu"}))
@pytest.mark.parametrize("q", [1e-6, 0.01])
def test_a02_small(name, q):
    agree(name, 0.0, q, 0.5)
    moments = pair(name, 0, q, 0)
    assert moments.product == pytest.approx(moments.mean**2, abs=1e-9 * moments.second_moment)


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "hardtanh", "relu_squared", "softsign", "thresholded_relu"])
def test_a02_steep_and_off_centre(name):
    for mean, q, c in ((3.0, 25, 0.97), (-1.5, 25, -0.99), (0.5, 1, 0.999)):
        agree(name, mean, q, c)


# ---- A3 ----------------------------------------------------------------------------------------------------------

# q*, and sigma_w^2 and sigma_b^2 of the critical line there; Poole et al. 2016, numbers by quadrature.
LINE = """
tanh 0.01 1.0197107607 1.258e-6
tanh 0.1 1.1775690962 8.3228e-4
tanh 0.5 1.6879751206 0.0380412011
tanh 1 2.1533026489 0.1509646294
tanh 2 2.8611624000 0.5122649476
erf 0.01 0.8009521122 1.282e-6
erf 0.1 0.9292956392 9.3638e-4
erf 0.5 1.3603495232 0.0465501589
erf 2 2.3561944902 0.6090571730
arctan 0.01 1.0195293430 1.213e-6
arctan 0.1 1.1675875138 6.7669e-4
arctan 0.5 1.6101402202 0.0262061548
arctan 2 2.5879224648 0.3414205500
asinh 0.01 1.0098093234 3.1e-7
asinh 0.1 1.0860296846 1.8903e-4
asinh 0.5 1.3194837571 0.0083630198
asinh 1 1.5251352762 0.0343470262
asinh 2 1.8327056413 0.1253004711
elu 0.01 1.0761484723 1.093e-5
elu 0.1 1.2167017090 8.1767e-4
elu 0.5 1.4009687653 0.0123207500
elu 1 1.4967774354 0.0346602520
elu 2 1.5931232182 0.0880701047
selu 0.01 0.5322746571 1.672e-5
selu 0.1 0.6464403471 1.3428e-3
selu 0.5 0.8245395082 0.0224133609
selu 1 0.9332058018 0.0667941982
selu 2 1.0563128540 0.1804922390
gelu 0.5 2.4555064168 0.0345426952
gelu 1 2.1936999035 0.0671916747
gelu 2 2.0428510988 0.1163219915
silu 0.5 2.9876702582 0.0262264555
silu 2 2.3426186347 0.1278889342
mish 0.5 2.2266033839 0.0244222203
mish 2 1.9942889550 0.1120015449
hardswish 0.5 3.2729298626 0.0227186824
hardswish 2 2.3066969705 0.2018897342
softsign 0.5 3.3665578153 0.0678041117
softsign 2 5.8676117958 0.5404701758
hardtanh 0.5 1.1866608034 0.0596350948
hardtanh 1 1.4647947735 0.2440801317
hardtanh 2 1.9212300379 0.7671134495
sin 0.5 1.4621171573 0.0378828427
sin 2 1.9640275801 1.0359724199
"""


def critical(name, q):
    moments = pair(name, 0, q, 1)
    return 1 / moments.slope_second_moment, q - moments.second_moment / moments.slope_second_moment


@pytest.mark.parametrize("line", LINE.split("\n")[1:-1], ids=lambda line: "-".join(line.split()[:2]))
def test_a03_critical_line(line):
    name, *numbers = line.split()
    q, sigma_w2, sigma_b2 = map(float, numbers)
    assert critical(name, q) == pytest.approx((sigma_w2, sigma_b2), abs=1e-8)


@pytest.mark.parametrize("name", ["erf", "arctan", "silu", "mish", "hardswish", "softsign", "sin"])
def test_a03_at_one_as_the_table_of_activations(name):
    row = ROWS[name]
    sigma_w2 = 1 / row["derivative_second_moment"]
    assert critical(name, 1) == pytest.approx((sigma_w2, 1 - sigma_w2 * row["second_moment"]), abs=1e-8)


@pytest.mark.parametrize("name", ["softplus", "sigmoid"])
def test_a03_no_criticality(name):
    """No q* that a network would have: sigma_b^2 would be negative. (Sigmoid has a line from q* = 45 on, sigma_w^2 > 100.)"""
    assert all(critical(name, q)[1] < 0 for q in np.geomspace(1e-6, 20, 41))
