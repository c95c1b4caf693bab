# SPDX-License-Identifier: MIT
"""Shaped activations: DKS (Martens et al. 2021) and TAT (Zhang et al. 2022), as google-deepmind/dks has them in
tests/test_activation_transform.py. Solving for their parameters repairs a model and is no task of sow's: here its numbers
of gamma (phi(alpha x + beta) + delta) are held against what those parameters were solved for.
"""
import json
import math

import pytest
from tool import sow

# alpha, beta, delta, gamma for zeta = 1.2 (DKS), eta = 0.75 (TAT of leaky relu), tau = 0.2 (TAT)
DKS_SOFTPLUS = "softplus", 0.18761008168, 0.40688063442, -0.92134661514, 8.87867254367
DKS_RELU = "relu", 0.36853600467, 1, -1.00037385855, 2.72172998876
TAT_SOFTPLUS = "softplus", 0.15011489795, 0.53745999011, -0.99648101447, 10.54880187881
DKS_GELU = "gelu_tanh", 0.07036271496, 0.25868372486, -0.15758328114, 20.24957330519
PSI = 1.0027709659  # the slope at which that network of 33 blocks has zeta


def run(*arguments):
    return json.loads(sow(*arguments, "--json"))


def numbers(name, alpha, beta, delta, gamma):
    return run("activations", "--expr", f"{gamma} * ({name}({alpha} * x + {beta}) + {delta})")


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


@pytest.mark.parametrize("index, changed", [(1, 1e-5), (2, 1e-5), (3, 1e-5), (4, 1e-4)],
                         ids=["alpha", "beta", "delta", "gamma"])
def test_a27_other_parameters_miss_a_condition(index, changed):
    parameters = list(DKS_SOFTPLUS)
    parameters[index] *= 1 + changed
    found = numbers(*parameters)
    off = [abs(found["second_moment"] - 1), abs(found["chi_par"] - 1), found["c0"], abs(found["chi_perp"] - PSI)]
    assert max(off) > 1e-7, off


@pytest.mark.parametrize("layers, slope", [(20, 0.1813802775), (50, 0.4305229485), (100, 0.5704395311)])
def test_a29_zhang_2022_leaky_slope_of_a_plain_network(layers, slope):
    """The slope with which unrelated inputs have a correlation of eta = 0.9 behind so many layers."""
    found = run("probe", f"mlp:64x{layers + 1}", "--activation", f"leaky_relu{{slope={slope}}}",
                "--set", f"*.weight=he_normal{{gain='leaky_relu',slope={slope}}}")
    last = [value for value in found["values"] if value["operation"] == "activation"][-1]
    assert last["layer"] == layers - 1 and last["sample_correlation"] == pytest.approx(0.9, abs=1e-7)


def test_a29_martens_2021_distances_grow_by_the_slope_in_each_layer():
    name, alpha, beta, delta, gamma = DKS_SOFTPLUS
    expression = f"{gamma} * ({name}({alpha} * x + {beta}) + {delta})"
    found = run("probe", "mlp:64x51", "--activation-expr", expression, "--scheme", "lecun_normal")
    last = [value for value in found["values"] if value["operation"] == "activation"][-1]
    assert last["layer"] == 49 and last["log2_distance"] == pytest.approx(50 * math.log2(PSI), rel=1e-6)
