# SPDX-License-Identifier: MIT
"""Shaped activations: DKS (Martens et al. 2021) and TAT (Zhang et al. 2022), as google-deepmind/dks has them in
tests/test_activation_transform.py. Solving for their parameters repairs a model and is no task of sow's: here scipy's root
finder does it on sow's numbers of gamma (phi(alpha x + beta) + delta), and comes out at the published ones.
"""
import json

import numpy as np
import pytest
from scipy.optimize import brentq, root
from scipy.special import ndtr
from tool import sow

# alpha, beta, delta, gamma for zeta = 1.2 (DKS), eta = 0.75 (TAT of leaky relu), tau = 0.2 (TAT)
DKS_SOFTPLUS = "softplus", 0.18761008168, 0.40688063442, -0.92134661514, 8.87867254367
DKS_RELU = "relu", 0.36853600467, 1, -1.00037385855, 2.72172998876
TAT_SOFTPLUS = "softplus", 0.15011489795, 0.53745999011, -0.99648101447, 10.54880187881
DKS_GELU = "gelu_tanh", 0.07036271496, 0.25868372486, -0.15758328114, 20.24957330519
GROUPS, SHORT = (3, 4, 23, 3), 0.6**2  # blocks of their network, and the share of the shortcut in each


def slope_of_network(slope):
    """C'(1): of layers in a row a product. A branch has three layers, the shortcut one where a group begins, and one follows all."""
    found, branch = slope, slope**3
    for blocks in GROUPS:
        found *= (SHORT * slope + (1 - SHORT) * branch) * (SHORT + (1 - SHORT) * branch) ** (blocks - 1)
    return max(found, branch)


PSI = brentq(lambda slope: slope_of_network(slope) - 1.2, 1, 1.1, xtol=1e-15)
# C''(1), where C'(1) is 1: of layers in a row a sum.
KAPPA = 0.2 / (sum(SHORT + (1 - SHORT) * 3 * blocks for blocks in GROUPS) + 1)


def run(*arguments):
    return json.loads(sow(*arguments, "--json"))


def numbers(name, alpha, beta, delta, gamma):
    return run("activations", "--expr", f"{gamma!r} * ({name}({alpha!r} * x + {beta!r}) + {delta!r})")


def test_a28_slope_and_curvature_of_the_network():
    assert (PSI, KAPPA) == pytest.approx((1.0027709659, 0.0030395137), abs=1e-10)


def scaled(name, alpha, beta, delta):
    """With the gamma that makes the second moment 1."""
    return name, alpha, beta, delta, numbers(name, alpha, beta, delta, 1)["gain"]


def centred(name, alpha, beta):
    """With the delta that makes the mean 0, too, which is c0 = 0."""
    return scaled(name, alpha, beta, -numbers(name, alpha, beta, 0, 1)["mean"])


def curvature(name, alpha, beta, delta, gamma):
    """C''(1) = E[phi''^2]: the slope of the slope."""
    slope = {"softplus": "sigmoid"}[name]
    found = run("activations", "--expr", f"{gamma!r} * {alpha!r} * {slope}({alpha!r} * x + {beta!r})")
    return found["derivative_second_moment"]


def solved(function, start):
    found = root(function, start, tol=1e-12)
    assert np.abs(found.fun).max() < 1e-10, found
    return found.x.tolist()


def dks(name, psi, start):
    def conditions(unknown):
        found = numbers(*centred(name, *map(float, unknown)))
        return found["chi_par"] - 1, 100 * (found["chi_perp"] - psi)  # the slopes are within some percent of each other

    return centred(name, *solved(conditions, start))


@pytest.mark.parametrize("published, start", [(DKS_SOFTPLUS, (0.3, 0.2)), (DKS_GELU, (0.1, 0.2))], ids=["softplus", "gelu_tanh"])
def test_a27_martens_2021_dks_solved(published, start):
    assert dks(published[0], PSI, start)[1:] == pytest.approx(published[1:], abs=1e-6)


def test_a27_martens_2021_dks_of_relu_solved():
    """alpha and gamma say one thing of a function without a scale: beta is 1, and nothing is asked of chi_par. By the closed form
    the published parameters miss their slope by 4.6e-7, and so small a change of the slope is one of 2e-5 in them."""
    def solution(psi):
        alpha = brentq(lambda alpha: numbers(*centred("relu", alpha, 1.0))["chi_perp"] - psi, 0.2, 0.8, xtol=1e-12)
        return centred("relu", alpha, 1.0)[1:]

    alpha, gamma = DKS_RELU[1], DKS_RELU[4]
    slope = (alpha * gamma) ** 2 * ndtr(1 / alpha)
    assert slope == pytest.approx(PSI, abs=1e-6)
    assert solution(slope) == pytest.approx(DKS_RELU[1:], abs=1e-6)
    assert solution(PSI) == pytest.approx(DKS_RELU[1:], abs=1e-4)


def test_a27_zhang_2022_tat_solved():
    def conditions(unknown):
        shaped = scaled("softplus", *map(float, unknown))
        found = numbers(*shaped)
        return found["chi_par"] - 1, 10 * (found["chi_perp"] - 1), 100 * (curvature(*shaped) - KAPPA)

    shaped = scaled("softplus", *solved(conditions, (0.2, 0.3, -0.85)))
    assert shaped[1:] == pytest.approx(TAT_SOFTPLUS[1:], abs=1e-6)
    assert shaped[1] * shaped[4] < 2  # what their solver refuses otherwise


@pytest.mark.parametrize("parameters", [DKS_SOFTPLUS, DKS_GELU], ids=["softplus", "gelu_tanh"])
def test_a27_martens_2021_dks_meets_its_four_conditions(parameters):
    found = numbers(*parameters)
    assert found["second_moment"] == pytest.approx(1, abs=1e-7)
    assert found["chi_par"] == pytest.approx(1, abs=1e-7)
    assert found["c0"] == pytest.approx(0, abs=1e-7)
    assert found["chi_perp"] == pytest.approx(PSI, abs=1e-7)  # A28


def test_a27_martens_2021_dks_of_relu_meets_three():
    found = numbers(*DKS_RELU)
    assert found["second_moment"] == pytest.approx(1, abs=1e-6)
    assert found["c0"] == pytest.approx(0, abs=1e-6)
    assert found["chi_perp"] == pytest.approx(PSI, abs=1e-6)


def test_a28_zhang_2022_tat_keeps_the_slope_of_its_correlations():
    found = numbers(*TAT_SOFTPLUS)
    for name in ["second_moment", "chi_par", "chi_perp"]:
        assert found[name] == pytest.approx(1, abs=1e-7), name
    assert curvature(*TAT_SOFTPLUS) == pytest.approx(.00303951, abs=1e-7)


@pytest.mark.parametrize("index, changed", [(1, 1e-5), (2, 1e-5), (3, 1e-5), (4, 1e-4)],
                         ids=["alpha", "beta", "delta", "gamma"])
def test_a27_other_parameters_miss_a_condition(index, changed):
    parameters = list(DKS_SOFTPLUS)
    parameters[index] *= 1 + changed
    found = numbers(*parameters)
    off = [abs(found["second_moment"] - 1), abs(found["chi_par"] - 1), found["c0"], abs(found["chi_perp"] - PSI)]
    assert max(off) > 1e-7, off


def behind(layers, slope):
    """The correlation of unrelated inputs behind so many layers of leaky relu."""
    found = run("probe", f"mlp:64x{layers + 1}", "--activation", f"leaky_relu{{slope={slope!r}}}",
                "--set", f"*.weight=he_normal{{gain='leaky_relu',slope={slope!r}}}")
    last = [value for value in found["values"] if value["operation"] == "activation"][-1]
    assert last["layer"] == layers - 1
    return last["sample_correlation"]


@pytest.mark.parametrize("layers, slope", [(20, 0.1813802775), (50, 0.4305229485), (100, 0.5704395311)])
def test_a29_zhang_2022_leaky_slope_of_a_plain_network(layers, slope):
    """The slope with which unrelated inputs have a correlation of eta = 0.9: found, and held against the published one."""
    assert behind(layers, slope) == pytest.approx(0.9, abs=1e-7)
    assert brentq(lambda a: behind(layers, a) - 0.9, 0.01, 0.9, xtol=1e-10) == pytest.approx(slope, abs=1e-7)


def test_a29_zhang_2022_ten_layers_need_no_slope():
    assert behind(10, 0.0) == pytest.approx(0.8715355160, abs=1e-9)  # below 0.9, and any slope makes it less
    assert behind(10, 0.2) < behind(10, 0.1) < behind(10, 0.0)


@pytest.mark.parametrize("layers, psi", [(10, 1.0413797440), (50, 1.0081422716), (100, 1.0040628823)])
def test_a29_martens_2021_distances_grow_by_zeta(layers, psi):
    """A plain network of L layers whose slope is zeta^(1/L) each: all together they make small distances zeta = 1.5 times as large."""
    name, alpha, beta, delta, gamma = shaped = dks("softplus", 1.5 ** (1 / layers), (0.3, 0.2))
    assert numbers(*shaped)["chi_perp"] == pytest.approx(psi, abs=1e-7)
    found = run("probe", f"mlp:64x{layers + 1}", "--scheme", "lecun_normal", "--activation-expr",
                f"{gamma!r} * ({name}({alpha!r} * x + {beta!r}) + {delta!r})")
    last = [value for value in found["values"] if value["operation"] == "activation"][-1]
    assert last["layer"] == layers - 1 and 2 ** last["log2_distance"] == pytest.approx(1.5, abs=1e-6)
