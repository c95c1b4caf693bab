# SPDX-License-Identifier: MIT
"""Activations against other judges: numbers by scipy's quadrature, values by torch's functions."""
import json
import math

import pytest
import torch
from activation_judges import JUDGES, ROWS
from scipy import integrate, special
from tool import sow


def test_every_row_has_a_judge():
    assert set(ROWS) == set(JUDGES)
    assert len(ROWS) >= 36


def mean(f, kinks):
    """E[f(z)] piece by piece."""
    ends = sorted({-12.0, -4.0, -1.0, 0.0, 1.0, 4.0, 12.0, *(k for k in kinks if abs(k) < 12)})
    density = 1 / math.sqrt(2 * math.pi)
    return sum(integrate.quad(lambda z: f(z) * math.exp(-z * z / 2) * density, low, high, epsabs=1e-14,
                              epsrel=1e-13, limit=200)[0] for low, high in zip(ends, ends[1:], strict=False))


@pytest.mark.parametrize("name", sorted(JUDGES))
def test_numbers_are_scipys(name):
    row, function = ROWS[name], JUDGES[name]

    def both(z):
        at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
        y = function(at)
        return y.item(), torch.autograd.grad(y, at)[0].item()

    kinks = row["kinks"]
    first, second = mean(lambda z: both(z)[0], kinks), mean(lambda z: both(z)[0] ** 2, kinks)
    slope, pull = mean(lambda z: both(z)[1] ** 2, kinks), mean(lambda z: both(z)[0] * both(z)[1] * z, kinks)
    gate = row["gate"]
    assert row["mean"] == pytest.approx(0 if gate else first, abs=1e-10)
    assert row["second_moment"] == pytest.approx(second, rel=1e-10)
    assert row["gain"] == pytest.approx(1 / math.sqrt(second), rel=1e-10)
    variance = second if gate else second - first * first
    assert row["variance_gain"] == pytest.approx(1 / math.sqrt(variance), rel=1e-9)
    assert row["c0"] == pytest.approx(0 if gate else first * first / second, abs=1e-10)
    if row["jumps"]:
        assert row["chi_perp"] is None and row["chi_par"] is None and row["derivative_second_moment"] is None
    else:
        total = slope + (second if gate else 0)
        assert row["derivative_second_moment"] == pytest.approx(total, rel=1e-10)
        assert row["chi_perp"] == pytest.approx(total / second, rel=1e-10)
        assert row["chi_par"] == pytest.approx(pull / second + gate, abs=1e-9)


def test_torchs_constants_are_torchs():
    shipped = [name for name, row in ROWS.items() if "torch" in row["frameworks"]]
    assert set(shipped) == {"linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"}
    for name in shipped:
        theirs = torch.nn.init.calculate_gain(name)
        assert ROWS[name]["frameworks"]["torch"]["gain"] == pytest.approx(theirs, rel=1e-15)


@pytest.mark.parametrize("name", [name for name in sorted(JUDGES) if "nfnet" in ROWS[name]["frameworks"]])
def test_nfnets_constants_are_variance_gains_by_monte_carlo(name):
    row = ROWS[name]
    assert row["frameworks"]["nfnet"]["gain"] == pytest.approx(row["variance_gain"], rel=2e-3)


def test_gelu_at_other_scales_by_its_closed_form():
    for q in (0.25, 1.0, 4.0):
        root = math.sqrt(1 + 2 * q)
        exact = q * (0.25 + (q / ((q + 1) * root) + 0.5 * math.atan(q / root)) / math.pi)
        ours = expression(f"gelu({math.sqrt(q)!r} * x)")
        assert ours["second_moment"] == pytest.approx(exact, rel=1e-11)


def expression(text, *arguments):
    return json.loads(sow("activations", "--json", "--expr", text, *arguments))


@pytest.mark.parametrize("text,function", [
    ("x * sigmoid(x) + 0.1 * sin(3 * x)", lambda z: z * special.expit(z) + 0.1 * math.sin(3 * z)),
    ("max(min(x, 1.5), -0.5) ^ 2", lambda z: max(min(z, 1.5), -0.5) ** 2),
    ("x > 0 and x or 0.1 * x * exp(x)", lambda z: z if z > 0 else 0.1 * z * math.exp(z)),
    ("log(1 + x * x)", lambda z: math.log1p(z * z)),
    ("abs(x) ^ 1.5 / (1 + abs(x))", lambda z: abs(z) ** 1.5 / (1 + abs(z))),
])
def test_expressions_are_scipys(text, function):
    ours = expression(text)
    kinks = ours["kinks"]
    assert ours["mean"] == pytest.approx(mean(function, kinks), abs=1e-10)
    assert ours["second_moment"] == pytest.approx(mean(lambda z: function(z) ** 2, kinks), rel=1e-10)
