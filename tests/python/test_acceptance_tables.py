# SPDX-License-Identifier: MIT
"""Published and exactly known numbers of activations, as sow activations and probe tell them: gains, critical points, depth scales.

Each test is named after its source. Networks are in test_acceptance.py, the means behind all this in
test_acceptance_activations.py.
"""
import math

import pytest
from acceptance import activation, plain

# E[phi], E[phi^2], gain, variance gain, E[phi'^2], chi_perp, chi_par at q = 1: quadrature to 16 digits, printed to 11 or 8.
GAINS = """
linear                0 1 1 1 1 1 1
relu                  0.39894228040 0.50000000000 1.4142135624 1.7128585504 0.50000000000 1.0 1.0
leaky_relu            0.39495285760 0.50005000000 1.4141428570 1.7048316272 0.50005000000 1.0 1.0
leaky_relu{slope=0.1} 0.35904805236 0.50500000000 1.4071950895 1.6306369716 0.50500000000 1.0 1.0
leaky_relu{slope=0.2} 0.31915382432 0.52000000000 1.3867504906 1.5464600604 0.52000000000 1.0 1.0
prelu                 0.29920671030 0.53125000000 1.3719886811 1.5046096432 0.53125000000 1.0 1.0
leaky_relu{slope=0.3} 0.27925959628 0.54500000000 1.3545709230 1.4633055299 0.54500000000 1.0 1.0
rrelu                 0.30751800781 0.52625868056 1.3784796645 1.5219953444 0.52625868056 1.0 1.0
abs                   0.79788456080 1.0000000000 1.0000000000 1.6588967400 1.0000000000 1.0 1.0
relu6                 0.39894228025 0.49999999808 1.4142135651 1.7128585550 0.49999999901 1.0 0.99999993
elu                   0.16052057227 0.64494541749 1.2451983007 1.2708434179 0.66810200122 1.0359047 0.89096797
selu                  0 1.0000000000 1.0000000000 1.0000000000 1.0715749925 1.071575 0.78264788
celu{alpha=2}         0.098179949842 0.74936248970 1.1551916071 1.1626938731 0.76157829187 1.0163016 0.89881434
gelu                  0.28209479177 0.42522148257 1.5335304412 1.7009262434 0.45585086565 1.0720316 1.1440632
gelu_tanh             0.28203858808 0.42519371103 1.5335805217 1.7009165617 0.45581784596 1.072024 1.1442983
quick_gelu            0.28233055281 0.42195280690 1.5394587623 1.7093585899 0.44954920048 1.0654016 1.1364606
softplus              0.80605918335 0.92124590886 1.0418668355 1.9191259801 0.29337903586 0.31845898 0.49205317
sigmoid               0.50000000000 0.29337903586 1.8462285453 4.8013133720 0.044836241350 0.15282701 0.10634107
logsigmoid            -0.80605918335 0.92124590886 1.0418668355 1.9191259801 0.29337903586 0.31845898 0.49205317
tanh                  0 0.39429449040 1.5925374197 1.5925374197 0.46440290245 1.1778072 0.46107083
hardtanh              0 0.51605855096 1.3920361404 1.3920361404 0.68268949214 1.3228915 0.38512693
asinh                 0 0.63315890000 1.2567348024 1.2567348024 0.65567954242 1.0355687 0.72881439
sin{frequency=30}     0 0.50000000000 1.4142135624 1.4142135624 450.00000000 900.0 0
cos                   0.60653065971 0.56766764162 1.3272506003 2.2372529142 0.43233235838 0.76159416 -0.23840584
gaussian              0.57735026919 0.44721359550 1.4953487812 2.9633010224 0.35777087640 0.8 -0.4
hardsigmoid           0.50000000000 0.27763909106 1.8978404247 6.0150344866 0.027702783443 0.099779838 0.0971194
hardsigmoid_keras     0.50000000000 0.28910239934 1.8598338678 5.0570622155 0.039503226774 0.13664095 0.12451494
softshrink            0 0.41927852005 1.5443605283 1.5443605283 0.61707507745 1.4717546 1.4717546
exp                   1.6487212707 7.3890560989 0.36787944117 0.46270645738 7.3890560989 1.0 2.0
square                1.0000000000 3.0000000000 0.57735026919 0.70710678119 4.0000000000 1.3333333 2.0
bent_identity         0.17726540324 1.0727345968 0.96550350868 0.97996294082 1.0860801144 1.0124407 1.0335989
"""


@pytest.mark.parametrize("line", GAINS.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_a01_gain_table(line):
    name, *numbers = line.split()
    row = activation(name)
    keys = ("mean", "second_moment", "gain", "variance_gain", "derivative_second_moment")
    assert [row[key] for key in keys] == pytest.approx([float(number) for number in numbers[:5]], abs=1e-9)
    assert [row["chi_perp"], row["chi_par"]] == pytest.approx([float(number) for number in numbers[5:]], abs=1e-7)


@pytest.mark.parametrize("name, moment, gain, variance_gain", [
    ("hardshrink", 0.96914040422, 1.0157963547, 1.0157963547), ("thresholded_relu", 0.40062597845, 1.5799030818, 1.7097735886)])
def test_a01_functions_that_jump(name, moment, gain, variance_gain):
    """Their derivative says nothing of small changes: no number is told for it."""
    row = activation(name)
    assert [row[key] for key in ("second_moment", "gain", "variance_gain")] == pytest.approx([moment, gain, variance_gain], abs=1e-9)
    assert row["mean"] == pytest.approx(0.24197072452 if name == "thresholded_relu" else 0, abs=1e-9)
    assert row["derivative_second_moment"] is row["chi_perp"] is row["chi_par"] is None


@pytest.mark.parametrize("name, moment, gain, slope", [
    ("glu", 0.29337903586, 1.8462285453, 0.044836241350), ("reglu", 0.5, 1.4142135624, 0.5),
    ("geglu", 0.42522148257, 1.5335304412, 0.45585086565), ("bilinear", 1, 1, 1)])
def test_a01_shazeer_2020_gated_units(name, moment, gain, slope):
    """Backwards E[phi^2] comes by the value and E[phi'^2] by the gate; both see one input, so that chi_par is 1 + the gate's."""
    row = activation(name)
    assert [row[key] for key in ("mean", "second_moment", "gain", "variance_gain")] == pytest.approx([0, moment, gain, gain], abs=1e-9)
    assert row["derivative_second_moment"] == pytest.approx(moment + slope, abs=1e-9)
    own = activation({"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "bilinear": "linear"}[name])
    assert [row["chi_perp"], row["chi_par"]] == pytest.approx([1 + own["chi_perp"], 1 + own["chi_par"]], abs=1e-9)


# Points of the critical line at which a scale error heals: q*, sigma_w^2, sigma_b^2.
CRITICAL = """
tanh 0.5 1.6879751206 0.0380412011
tanh 1 2.1533026489 0.1509646294
tanh 2 2.8611624000 0.5122649476
erf 0.5 1.3603495232 0.0465501589
erf 2 2.3561944902 0.6090571730
arctan 0.5 1.6101402202 0.0262061548
arctan 2 2.5879224648 0.3414205500
asinh 0.5 1.3194837571 0.0083630198
asinh 1 1.5251352762 0.0343470262
asinh 2 1.8327056413 0.1253004711
elu 0.5 1.4009687653 0.0123207500
elu 1 1.4967774354 0.0346602520
elu 2 1.5931232182 0.0880701047
selu 0.5 0.8245395082 0.0224133609
selu 1 0.9332058018 0.0667941982
selu 2 1.0563128540 0.1804922390
softsign 0.5 3.3665578153 0.0678041117
hardtanh 0.5 1.1866608034 0.0596350948
hardtanh 1 1.4647947735 0.2440801317
hardtanh 2 1.9212300379 0.7671134495
sin 0.5 1.4621171573 0.0378828427
sin 2 1.9640275801 1.0359724199
"""


@pytest.mark.parametrize("line", CRITICAL.split("\n")[1:-1], ids=lambda line: "-".join(line.split()[:2]))
def test_a03_poole_2016_critical_line(line):
    name, *numbers = line.split()
    q, sigma_w2, sigma_b2 = map(float, numbers)
    at = activation(name, sigma_w2, sigma_b2)["fixed_point"]
    assert at["q"] == pytest.approx(q, abs=1e-8)
    assert at["chi_perp"] == pytest.approx(1, abs=1e-8)
    assert at["critical_sigma_w2"] == pytest.approx(sigma_w2, abs=1e-8)
    assert at["critical_sigma_b2"] == pytest.approx(sigma_b2, abs=1e-8)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "logsigmoid", "hardsigmoid"])
def test_a03_no_criticality(name):
    assert activation(name)["criticality"]["class"] == "none"


def test_a04_xiao_2018_tanh_at_1_05():
    at = activation("tanh", 1.05, 2.010521e-5)["fixed_point"]
    assert at["q"] == pytest.approx(0.0259209482, abs=1e-8)
    assert at["chi_perp"] == pytest.approx(1, abs=1e-8)
    assert at["critical_sigma_b2"] == pytest.approx(2.010521e-5, abs=1e-9)


def test_a05_schoenholz_2017_tanh_is_critical_at_1_76():
    at = activation("tanh", 1.7609546396, 0.05)["fixed_point"]
    assert (at["q"], at["chi_perp"]) == pytest.approx((0.5700478816, 1), abs=1e-7)
    assert at["critical_sigma_w2"] == pytest.approx(1.7609546396, abs=1e-7)


@pytest.mark.parametrize("sigma_w2, q, chi, correlation, xi_q, xi_c", [
    (1.0, 0.19359252, 0.75903165, 1, 1.747626, 3.626976),
    (1.5, 0.41803720, 0.93863627, 1, 1.682828, 15.790994),
    (1.7, 0.53307563, 0.98674081, 1, 1.558254, 74.918271),
    (1.8, 0.59413217, 1.00822314, 0.95041055, 1.497884, 125.784094),
    (2.0, 0.72176187, 1.04766600, 0.74408242, 1.387976, 25.213415),
    (3.0, 1.42800846, 1.20893442, 0.29931764, 1.041461, 9.051456)])
def test_a05_schoenholz_2017_depth_scales(sigma_w2, q, chi, correlation, xi_q, xi_c):
    told = plain("tanh", 5, sigma_w2, 0.05)[1]["repeated"]
    assert (told["q"], told["chi_perp"]) == pytest.approx((q, chi), rel=1e-7)
    assert told["correlation"] == pytest.approx(correlation, abs=1e-6)
    assert (told["xi_q"], told["xi_c"]) == pytest.approx((xi_q, xi_c), rel=1e-4)


@pytest.mark.parametrize("name, q, sigma_w2, sigma_b2", [
    ("gelu", (3 + math.sqrt(17)) / 2, 1.9830582574, 0.1729223908),
    ("silu", 14.3201736180, 1.9880046783, 0.5551431707),
    ("mish", 1.6701691325, 2.0135240697, 0.0945217874),
    ("hardswish", 4.8038559489, 1.9732895836, 0.5071458488)])
def test_a06_roberts_yaida_hanin_half_stable_points(name, q, sigma_w2, sigma_b2):
    told = activation(name)["criticality"]
    assert told["class"] == "half-stable"
    assert (told["q"], told["sigma_w2"], told["sigma_b2"]) == pytest.approx((q, sigma_w2, sigma_b2), abs=1e-7)
