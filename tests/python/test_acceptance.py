# SPDX-License-Identifier: MIT
"""Published and exactly known numbers of signal propagation, as sow activations, probe, plan, stats and check tell them.

Each test is named after its source. What is measured has fixed seeds, the same numbers on every machine. Not here: what
needs training, a repair of weights, or an orthogonal scheme.
"""
import json
import math

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import special, stats
from tool import init, run


def sow(*arguments):
    """A verdict may be a bad one, such as that the network vanishes, as it should here."""
    return json.loads(run(*arguments, "--json", codes=(0, 1)).stdout)


def activation(name, sigma_w2=None, sigma_b2=0.0):
    where = [] if sigma_w2 is None else ["--sigma-w", repr(math.sqrt(sigma_w2)), "--sigma-b", repr(math.sqrt(sigma_b2))]
    return sow("activations", name, *where)


def probe(*arguments):
    told = sow("probe", *arguments)
    return {value["name"]: value for value in told["values"]}, told


def plain(name, layers, sigma_w2, sigma_b2=0.0, q=None, width=100):
    """A network of one layer repeated, whose first pre-activation has the second moment q (else sigma_w2 + sigma_b2)."""
    first = [] if q is None else ["--set", f"layers.0.weight=normal{{std=sqrt({q!r}/fan_in)}}", "--set", "layers.0.bias=zeros"]
    bias = ["--set", f"*.bias=normal{{std=sqrt({sigma_b2!r})}}"] if sigma_b2 else []
    return probe(f"mlp:{width},{width}x{layers},{width}", "--activation", name, "--scheme",
                 f"normal{{std=sqrt({sigma_w2!r}/fan_in)}}", *first, *bias)


def recipe(folder, text):
    path = folder / "model.lua"
    path.write_text(text)
    return probe(path)[0]


# E[phi], E[phi^2], gain, variance gain, E[phi'^2], chi_perp, chi_par at q = 1: quadrature to 16 digits, printed to 11 or 8.
GAINS = """
linear                0 1 1 1 1 1 1
relu                  0.39894228040 0.50000000000 1.4142135624 1.7128585504 0.50000000000 1.0 1.0
leaky_relu{slope=0.1} 0.35904805236 0.50500000000 1.4071950895 1.6306369716 0.50500000000 1.0 1.0
leaky_relu{slope=0.2} 0.31915382432 0.52000000000 1.3867504906 1.5464600604 0.52000000000 1.0 1.0
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


def test_a07_cs231n_tanh_at_std_0_01():
    """The lecture prints .213081 .047551 .010630 .002378, one draw; these are the means of infinite width."""
    values = probe("mlp:500,500x10,500", "--activation", "tanh", "--scheme", "normal{std=0.01}")[0]
    told = [math.sqrt(values[f"layers.{layer}.tanh"]["second_moment"]) for layer in range(10)]
    assert told == pytest.approx([2.13546e-1, 4.76421e-2, 1.06519e-2, 2.38182e-3, 5.32592e-4, 1.19091e-4, 2.66296e-5,
                                  5.95456e-6, 1.33148e-6, 2.97728e-7], rel=1e-5)
    assert told[:4] == pytest.approx([.213081, .047551, .010630, .002378], rel=0.03)


def test_a07_cs231n_measured():
    values = probe("mlp:500,500x10,500", "--activation", "tanh", "--scheme", "normal{std=0.01}", "--measure", "--batch", 1000)[0]
    told = [values[f"layers.{layer}.tanh"] for layer in range(10)]
    assert [value["measured"]["std"] for value in told] == pytest.approx(
        [math.sqrt(value["second_moment"]) for value in told], rel=0.03)


@pytest.mark.parametrize("layers, product", [(10, .071370), (20, .035975), (50, .014335)])
def test_a08_glorot_2010_gradients_of_tanh(layers, product):
    values = plain("tanh", layers, 1.0, width=500)[0]
    assert values["layers.0"]["gradient"] / values[f"layers.{layers}"]["gradient"] == pytest.approx(product, abs=1e-5)


def test_a08_glorot_2010_measured():
    values = probe("mlp:500,500x10,500", "--activation", "tanh", "--scheme", "lecun_normal", "--measure", "--seeds", 16)[0]
    ends = [values[name]["measured"]["gradient_second_moment"] for name in ("layers.0", "layers.10")]
    assert ends[0] / ends[1] == pytest.approx(.071370, rel=0.1)


def test_a10_he_2015_std_of_filters(tmp_path):
    path = tmp_path / "model.lua"
    path.write_text("""
local k = { kernel = 3 }
local x = input { "batch", 64, 32, 32 }
    >> conv2d("a", 64, 128, k) >> conv2d("b", 128, 256, k) >> conv2d("c", 256, 512, k) >> conv2d("d", 512, 512, k)
rule("*.bias", zeros)
rule("*.weight", he_normal)
""")
    stds = {tensor["name"]: tensor.get("std") for tensor in sow("plan", path)["tensors"]}
    assert [stds[f"{name}.weight"] for name in "abcd"] == pytest.approx(
        [.0589255651, .0416666667, .0294627825, .0208333333], rel=1e-8)


@pytest.mark.parametrize("scheme, log2", [
    ("he_normal", 0), ("lecun_normal", -100),
    ("uniform{low=-1/sqrt(fan_in), high=1/sqrt(fan_in)}", -100 * math.log2(6))], ids=["he", "xavier", "torch"])
def test_a12_he_2015_hundred_layers_of_relu(scheme, log2):
    values = probe("mlp:128,128x100,128", "--scheme", scheme)[0]
    told = values["layers.100"]["log2_second_moment"] - values["layers.0"]["log2_second_moment"]
    assert told == pytest.approx(log2, abs=1e-8)


def test_a13_hanin_nica_2020_seed_noise():
    """The exact variance over seeds of ln(|x_50|^2 / |x_0|^2) at n = 256 is 0.99094, to first order 5 L / n."""
    values, told = probe("mlp:256,256x50,256")
    assert told["seed_noise"] == pytest.approx(0.99094, rel=0.3)
    assert values["layers.49.relu"]["second_moment"] == pytest.approx(1, rel=1e-10)


def test_a13_hanin_nica_2020_measured():
    """The mean of the logarithm is -0.49143: the typical network is below the mean over networks, which is 1."""
    values = probe("mlp:256,256x50,256", "--measure", "--seeds", 100, "--batch", 1)[0]
    last = values["layers.49.relu"]["measured"]
    assert math.log(last["typical"]) == pytest.approx(-0.49143, abs=0.2)
    assert last["log_spread"] ** 2 == pytest.approx(0.99094, rel=0.3)


def test_a15_klambauer_2017_selu_keeps_mean_and_variance():
    values = probe("mlp:512,512x100,512", "--activation", "selu", "--scheme", "lecun_normal")[0]
    for layer in (0, 49, 99):
        assert values[f"layers.{layer}.selu"]["mean"] == pytest.approx(0, abs=1e-7)
        assert values[f"layers.{layer}.selu"]["second_moment"] == pytest.approx(1, abs=1e-7)
    assert activation("selu")["chi_par"] == pytest.approx(0.78264788, abs=1e-7)


def test_a15_klambauer_2017_measured():
    values = probe("mlp:512,512x100,512", "--activation", "selu", "--scheme", "lecun_normal", "--measure", "--batch", 64)[0]
    told = values["layers.99.selu"]["measured"]
    assert (told["mean"], told["second_moment"]) == (pytest.approx(0, abs=0.05), pytest.approx(1, rel=0.05))


@pytest.mark.parametrize("name, q, after", [("gelu", 0.9, 2.902e-8), ("gelu", 1.1, 267.9), ("elu", 0.9, .9997), ("elu", 1.1, 1)])
def test_a16_scale_errors_of_gelu_grow_and_of_elu_heal(name, q, after):
    values = plain(name, 50, activation(name)["gain"] ** 2, q=q)[0]
    assert values["layers.50"]["second_moment"] == pytest.approx(after, rel=0.01)


def test_a17_torch_gain_of_tanh():
    at = activation("tanh", 25 / 9)["fixed_point"]
    assert (at["q"], at["chi_perp"]) == pytest.approx((1.1784804904, 1.20983132), abs=1e-7)
    assert math.sqrt(at["q"] * 9 / 25) == pytest.approx(0.6513470477, abs=1e-7)


def test_a18_cho_saul_2009_relu_correlations():
    values = plain("relu", 100, 2.0)[0]
    told = [values[f"layers.{layer}"]["sample_correlation"] for layer in (1, 2, 3, 5, 10, 20, 50, 100)]
    assert told == pytest.approx([0.3183098862, 0.4937310902, 0.6048257201, 0.7359463506, 0.8715355160, 0.9484284792,
                                  0.9878619449, 0.9964231467], abs=1e-9)


def test_a19_schoenholz_2017_tanh_correlations_at_the_edge():
    values = plain("tanh", 50, 1.7609546396, 0.05, q=0.5700478816)[0]
    told = [values[f"layers.{layer}"]["sample_correlation"] for layer in (1, 5, 10, 20, 50)]
    assert told == pytest.approx([.08771193, .34271902, .52801698, .70921672, .87188119], abs=1e-6)


def test_a34_radford_2019_gpt2_branch():
    values = probe("mlp:768,3072,768", "--activation", "gelu", "--set", "layers.0.weight=normal{std=0.02}",
                   "--set", "layers.1.weight=normal{std=0.02/sqrt(24)}")[0]
    told = [values[name]["second_moment"] for name in ("layers.0", "layers.0.gelu", "layers.1")]
    assert told == pytest.approx([.3072, .10648459, .005452], abs=1e-6)


def test_a34_radford_2019_measured():
    values = probe("mlp:768,3072,768", "--activation", "gelu", "--set", "layers.0.weight=normal{std=0.02}", "--set",
                   "layers.1.weight=normal{std=0.02/sqrt(24)}", "--measure", "--batch", 64)[0]
    told = [values[name]["measured"]["second_moment"] for name in ("layers.0", "layers.1")]
    assert told == pytest.approx([.3072, .005452], rel=0.03)


@pytest.mark.parametrize("gain, growth", [("1", 2.0 ** 20), ("1 / math.sqrt(20)", (1 + 1 / 20) ** 20)])
def test_a35_residual_branches(tmp_path, gain, growth):
    values = recipe(tmp_path, f"""
local x = input {{ "batch", 64 }}
repeated("blocks", 20, x, function(x)
    return x + (x >> linear("up", 64, 64) >> activation("relu") >> linear("down", 64, 64))
end)
rule("*.bias", zeros)
rule("*.up.weight", he_normal)
rule("*.down.weight", lecun_normal {{ gain = {gain} }})
""")
    last = [value for value in values.values() if value["operation"] == "add"][-1]
    assert last["second_moment"] == pytest.approx(growth, rel=1e-10)


def test_a35_de_smith_2020_normed_branches(tmp_path):
    values = recipe(tmp_path, """
local x = input { "batch", 64 }
repeated("blocks", 20, x, function(x)
    return x + (x >> batch_norm("norm", 64) >> linear("up", 64, 64) >> activation("relu") >> linear("down", 64, 64))
end)
rule("*.norm.weight", ones)
rule("*.bias", zeros)
rule("*.up.weight", he_normal)
rule("*.down.weight", lecun_normal)
""")
    sums = [value["second_moment"] for value in values.values() if value["operation"] == "add"]
    assert sums == pytest.approx([layer + 2 for layer in range(20)], rel=1e-4)  # eps is 1e-5


def largest(count, f, own=1.0, at=0.0):
    """E[f(at + own b)], b the largest of `count` independent normal numbers; f may have a kink at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    ends = np.array(sorted({*range(-10, 11), min(max(-at / own, -10.0), 10.0)}))
    half = np.diff(ends)[:, None] / 2
    b = (ends[1:] + ends[:-1])[:, None] / 2 + half * nodes
    density = count * stats.norm.pdf(b) * stats.norm.cdf(b) ** (count - 1)
    return float((half * weights * density * f(at + own * b)).sum())


POOLED = """
local x = input {{ "batch", 8, 210, 210{given} }} >> activation("{function}") >> max_pool({kernel})
local y = x >> conv2d("conv", 8, 16, {{ kernel = 1, bias = false }})
rule("*.weight", lecun_normal {{ gain = math.sqrt({variance!r}) }})
"""


@pytest.mark.parametrize("kernel, mean, variance", [
    (2, 1.0293753730, 0.4917152369), (3, 1.4850131622, 0.3573533264), (4, 1.7659913931, 0.2950098090),
    (5, 1.9653146098, 0.2585107775), (7, 2.2411895971, 0.2167735078)])
def test_a36_largest_of_normals(tmp_path, kernel, mean, variance):
    """Windows of 4 to 49; 2 and 3 numbers are no square, but a pool of a line."""
    values = recipe(tmp_path, POOLED.format(given="", function="linear", kernel=kernel, variance=1))
    pooled = values["max_pool"]
    assert largest(kernel**2, lambda x: x) == pytest.approx(mean, abs=1e-10)
    assert pooled["mean"] == pytest.approx(mean, abs=1e-9)
    assert pooled["second_moment"] == pytest.approx(variance + mean**2, abs=1e-9)


@pytest.mark.parametrize("kernel, mean, variance", [(2, 0.5641895835, 0.6816901138), (3, 0.8462843753, 0.5594672038)])
def test_a36_largest_of_two_and_three(tmp_path, kernel, mean, variance):
    values = recipe(tmp_path, f"""
local x = input {{ "batch", 8, 60 }} >> max_pool({kernel}) >> conv1d("conv", 8, 16, {{ kernel = 1, bias = false }})
rule("*.weight", lecun_normal)
""")
    assert values["max_pool"]["mean"] == pytest.approx(mean, abs=1e-9)
    assert values["max_pool"]["second_moment"] == pytest.approx(variance + mean**2, abs=1e-9)


@pytest.mark.parametrize("kernel, moment, variance", [(2, 1.5437850116, 0.6477585885), (3, 2.5625591277, 0.3902348981)])
def test_a36_max_pool_after_relu(tmp_path, kernel, moment, variance):
    """And the convolution behind it, whose weights have this variance over fan_in instead of He's 2."""
    assert largest(kernel**2, lambda x: np.maximum(x, 0) ** 2) == pytest.approx(moment, abs=1e-10)
    values = recipe(tmp_path, POOLED.format(given="", function="relu", kernel=kernel, variance=variance))
    assert values["max_pool"]["second_moment"] == pytest.approx(moment, abs=1e-9)
    assert values["conv"]["second_moment"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("function", ["linear", "relu"])
def test_a36_places_that_are_alike(tmp_path, function):
    """Each two places of a window with the correlation 0.4: a number that all share, and the largest of what is their own."""
    f = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0)}[function]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    wanted = [np.dot(weights, [largest(4, lambda x: f(x) ** power, math.sqrt(0.6), math.sqrt(0.4) * a) for a in nodes])
              / math.sqrt(2 * math.pi) for power in (1, 2)]
    values = recipe(tmp_path, POOLED.format(given=", correlation = 0.4", function=function, kernel=2, variance=1))
    assert [values["max_pool"][key] for key in ("mean", "second_moment")] == pytest.approx(wanted, abs=1e-8)


def test_a11_he_2015_vgg_b_at_std_0_01(tmp_path):
    """Gradients on their way through the convolutions of VGG-B, std 0.01 against what keeps them: 1 / 1.7e4 in the paper."""
    back = []
    for scheme in ("normal { std = 0.01 }", 'he_normal { mode = "fan_out" }'):
        values = recipe(tmp_path, f"""
local x, from = input {{ "batch", 3, 64, 64 }}, 3
for stage, width in ipairs {{ 64, 128, 256, 512, 512 }} do
    for i = 1, 2 do
        x = x >> conv2d("conv" .. 2 * stage + i - 2, from, width, {{ kernel = 3, padding = 1 }}) >> activation("relu")
        from = width
    end
    x = x >> max_pool(2)
end
rule("*.weight", {scheme})
rule("*.bias", zeros)
""")
        back.append(math.sqrt(values["conv1"]["gradient"] / values["conv10"]["gradient"]))
    kept = math.prod(0.01 / math.sqrt(2 / (9 * width)) for width in [64, 128, 128, 256, 256, 512, 512, 512, 512])
    assert kept == pytest.approx(5.9777e-5, abs=1e-9)
    assert back[0] / back[1] == pytest.approx(kept, abs=1e-8)
    assert back[0] / back[1] == pytest.approx(1 / 1.7e4, rel=0.02)


@pytest.mark.parametrize("width, seeds", [(64, 200), (256, 100)])
def test_a14_sussillo_abbott_2014_random_walk(width, seeds):
    """Their gain takes the drift from E[ln |x|^2]; the mean over seeds of |x|^2 grows for it."""
    gain = math.sqrt(2) * math.exp(1.2 / (max(width, 6) - 2.4))
    counts = np.arange(1, width + 1)  # units that are on
    share = stats.binom.pmf(counts, width, 0.5)
    drift = np.dot(share, special.digamma(counts / 2) + math.log(4 / width)) / share.sum()
    wanted = 50 * (drift + 2 * math.log(gain / math.sqrt(2)))
    assert width != 256 or wanted == pytest.approx(-0.0182, abs=1e-4)
    scheme = "normal{std=sqrt(2/fan_in)*exp(1.2/(max(fan_in,6)-2.4))}"
    last = probe(f"mlp:{width},{width}x50,{width}", "--scheme", scheme, "--measure", "--batch", 1, "--seeds",
                 seeds)[0]["layers.49.relu"]
    assert last["second_moment"] == pytest.approx((gain**2 / 2) ** 50, rel=1e-6)
    assert math.log(last["measured"]["typical"]) == pytest.approx(wanted, abs=min(0.2, 4 * math.sqrt(5 * 50 / width / seeds)))


@pytest.mark.parametrize("size, kept", [(6, (16 / 18) ** 2), (32, (94 / 96) ** 2)])
def test_a23_zero_padding_loses_signal(tmp_path, size, kept):
    values = recipe(tmp_path, f"""
local x = input {{ "batch", 8, {size}, {size} }} >> conv2d("conv", 8, 16, {{ kernel = 3, padding = 1, bias = false }})
rule("*.weight", lecun_normal)
""")
    assert values["conv"]["second_moment"] == pytest.approx(kept, rel=1e-9)


def test_a37_dropout_after_relu(tmp_path):
    values = recipe(tmp_path, """
local x = input { "batch", 64 } >> linear("up", 64, 64) >> activation("relu") >> dropout(0.5) >> linear("down", 64, 64)
rule("*.bias", zeros)
rule("*.weight", lecun_normal)
""")
    assert values["down"]["second_moment"] == pytest.approx(1, rel=1e-10)


def test_a38_common_ancestors(tmp_path):
    values = recipe(tmp_path, """
local x = input { "batch", 64 }
local twice = x + x
local other = (x >> linear("a", 64, 64)) + (x >> linear("b", 64, 64))
local silu = x * (x >> activation("sigmoid"))
rule("*.bias", zeros)
rule("*.weight", lecun_normal)
""")
    sums = [value["second_moment"] for value in values.values() if value["operation"] == "add"]
    product = [value["second_moment"] for value in values.values() if value["operation"] == "multiply"]
    assert sums == pytest.approx([4, 2], rel=1e-10)
    assert product == pytest.approx([activation("silu")["second_moment"]], rel=1e-10)


def test_a39_lin_2017_prior():
    plan = sow("plan", "mlp:8,1", "--set", "layers.0.bias=prior{pi=0.01}")
    assert plan["tensors"][1]["mean"] == pytest.approx(-4.59511985013, abs=1e-9)


@pytest.mark.parametrize("scheme", ["he_trunc_normal", "lecun_trunc_normal", "glorot_trunc_normal"])
def test_a40_truncated_normals_have_the_std_that_is_named(scheme, tmp_path):
    path = tmp_path / "model.safetensors"
    init("mlp:1000,1000", path, "--scheme", scheme)
    told = sow("stats", path, "*.weight")["tensors"][0]
    expected = math.sqrt((2 if scheme.startswith("he") else 1) / 1000)
    noise = math.sqrt((told["kurtosis"] - 1) / (4 * told["elements"]))
    assert told["std"] == pytest.approx(expected, rel=4 * noise)


def test_a48_pretorius_2018_critical_relu_under_dropout(tmp_path):
    values = recipe(tmp_path, """
local x = input { "batch", 64 }
repeated("blocks", 100, x, function(x)
    return x >> linear("fc", 64, 64) >> activation("relu") >> dropout(0.3)
end)
rule("*.bias", zeros)
rule("*.weight", he_normal { gain = math.sqrt(2 * (1 - 0.3)) })
""")
    moments = [value["second_moment"] for value in values.values() if value["operation"] == "dropout"]
    assert len(moments) == 100
    assert moments == pytest.approx([1] * 100, rel=1e-10)


def test_a46_symmetry_is_found(tmp_path):
    generator = np.random.default_rng(0)
    random = generator.standard_normal((40, 30)).astype(np.float32) * np.float32(0.1)
    constant, twice = np.full_like(random, 0.1), random.copy()
    twice[7] = twice[3]
    for weight, codes in ((random, set()), (constant, {"constant"}), (twice, {"equal-rows"})):
        save_file({"layer.weight": weight}, tmp_path / "model.safetensors")
        assert {finding["code"] for finding in sow("check", tmp_path / "model.safetensors")["findings"]} == codes
