# SPDX-License-Identifier: MIT
"""Published and exactly known numbers of signal propagation, as sow probe, plan, stats and check tell them.

Each test is named after its source. What is measured has fixed seeds, the same numbers on every machine. Not here: what
needs training or a repair of weights; activations alone (test_acceptance_tables.py).
"""
import math

import numpy as np
import pytest
from acceptance import activation, plain, probe, recipe, sow
from safetensors.numpy import load_file, save_file
from scipy import special, stats
from tool import init


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


@pytest.mark.parametrize("layers, product", [(10, .071370), (20, .035975), (50, .014335)])
def test_a08_glorot_2010_measured(layers, product):
    values = probe(f"mlp:500,500x{layers},500", "--activation", "tanh", "--scheme", "lecun_normal", "--measure", "--seeds", 16)[0]
    ends = [values[name]["measured"]["gradient_second_moment"] for name in ("layers.0", f"layers.{layers}")]
    assert ends[0] / ends[1] == pytest.approx(product, rel=0.1)


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
    told = [stds[f"{name}.weight"] for name in "abcd"]
    assert told == pytest.approx([math.sqrt(2 / (9 * width)) for width in (64, 128, 256, 512)], rel=1e-10)
    assert told == pytest.approx([.0589255651, .0416666667, .0294627825, .0208333333], abs=5e-11)
    assert [round(std, 3) for std in told] == [.059, .042, .029, .021]  # as printed in the paper


@pytest.mark.parametrize("scheme, log2", [
    ("he_normal", 0), ("lecun_normal", -100),
    ("uniform{low=-1/sqrt(fan_in), high=1/sqrt(fan_in)}", -100 * math.log2(6))], ids=["he", "xavier", "torch"])
def test_a12_he_2015_hundred_layers_of_relu(scheme, log2):
    values = probe("mlp:128,128x100,128", "--scheme", scheme)[0]
    told = values["layers.100"]["log2_second_moment"] - values["layers.0"]["log2_second_moment"]
    assert told == pytest.approx(log2, abs=1e-10)  # 7e-11 of the moment
    assert values["layers.100"]["second_moment"] / values["layers.0"]["second_moment"] == pytest.approx(2**log2, rel=1e-10)


def test_a13_hanin_nica_2020_seed_noise():
    """The exact variance over seeds of ln(|x_50|^2 / |x_0|^2) at n = 256 is 0.99094, to first order 5 L / n."""
    values, told = probe("mlp:256,256x50,256")
    assert told["seed_noise"] == pytest.approx(0.99094, rel=0.3)
    assert values["layers.49.relu"]["second_moment"] == pytest.approx(1, rel=1e-10)


def test_a13_hanin_nica_2020_measured():
    """The mean of the logarithm is -0.49143: the typical network is below the mean over networks, which is 1. 100 seeds of one
    sample each, for the 400 that the bound is 4 standard deviations of: they are the same networks each time."""
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


def scaled_inputs(std, *arguments):
    """Mean and variance behind the first layer."""
    told = probe("mlp:512,4096,10", "--activation", "selu", "--scheme", "lecun_normal", "--input", f"std={std!r}",
                 *arguments)[0]["layers.0.selu"]
    told = told["measured"] if arguments else told
    return np.array([told["mean"], told["second_moment"] - told["mean"] ** 2])


def test_a15_klambauer_2017_jacobian_of_mean_and_variance():
    """How both answer a variance nu that is not 1, to either side of it: 0.088834 and 0.782648 in the paper."""
    def slopes(step, *arguments):
        above, below = (scaled_inputs(math.sqrt(1 + sign * step), *arguments) for sign in (1, -1))
        return (above - below) / (2 * step)

    wanted = [0.08883476, 0.78264788]
    assert (4 * slopes(0.01) - slopes(0.02)) / 3 == pytest.approx(wanted, abs=1e-7)
    assert slopes(0.1, "--measure", "--batch", 256, "--seeds", 2) == pytest.approx(wanted, rel=0.05)


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
    last = plain("tanh", 60, 25 / 9)[0]["layers.59.tanh"]
    assert math.sqrt(last["second_moment"]) == pytest.approx(0.6513470477, abs=1e-7)


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


def test_a34_radford_2019_attention_logits(tmp_path):
    """Their std is d std^2 behind a norm, at 1 / sqrt(64): of the queries and keys that sow draws, by numpy."""
    path = tmp_path / "qk.safetensors"
    init("mlp:768,1536", path, "--scheme", "normal{std=0.02}")
    x = np.random.default_rng(0).standard_normal((256, 768))
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    query, key = (x @ load_file(path)["layers.0.weight"].T).reshape(256, 2, 12, 64).transpose(1, 2, 0, 3)
    logits = query @ key.transpose(0, 2, 1) / 8
    away = ~np.eye(256, dtype=bool)
    assert logits[:, away].std() == pytest.approx(.3072, rel=0.03)


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


@pytest.mark.parametrize("before, gain, growth", [("", "1", 2.0**10), ("", "1 / math.sqrt(10)", 1.1**10),
                                                  ('batch_norm("norm", 256) >> ', "1", 11)], ids=["plain", "scaled", "normed"])
def test_a35_measured(tmp_path, before, gain, growth):
    path = tmp_path / "model.lua"
    path.write_text(f"""
local x = input {{ "batch", 256 }}
repeated("blocks", 10, x, function(x)
    return x + (x >> {before}linear("up", 256, 256) >> activation("relu") >> linear("down", 256, 256))
end)
rule("*.norm.weight", ones)
rule("*.bias", zeros)
rule("*.up.weight", he_normal)
rule("*.down.weight", lecun_normal {{ gain = {gain} }})
""".replace('rule("*.norm.weight", ones)\n', "" if not before else 'rule("*.norm.weight", ones)\n'))
    values = probe(path, "--measure", "--batch", 16, "--seeds", 8)[0]
    last = [value for value in values.values() if value["operation"] == "add"][-1]
    assert last["measured"]["second_moment"] == pytest.approx(growth, rel=0.1)


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


@pytest.mark.parametrize("kernel, moment", [(2, 1.5437850116), (3, 2.5625591277)])
def test_a36_measured(tmp_path, kernel, moment):
    path = tmp_path / "model.lua"
    path.write_text(POOLED.format(given="", function="relu", kernel=kernel, variance=1 / moment))
    pooled = probe(path, "--measure", "--batch", 4)[0]["max_pool"]["measured"]
    assert pooled["second_moment"] == pytest.approx(moment, rel=0.02)


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


@pytest.mark.parametrize("size, kept", [(6, .7901), (32, .9588)])
def test_a23_measured(tmp_path, size, kept):
    path = tmp_path / "model.lua"
    path.write_text(f"""
local x = input {{ "batch", 64, {size}, {size} }} >> conv2d("conv", 64, 64, {{ kernel = 3, padding = 1, bias = false }})
rule("*.weight", lecun_normal)
""")
    values = probe(path, "--measure", "--batch", 16 if size < 10 else 2, "--seeds", 8)[0]
    assert values["conv"]["measured"]["second_moment"] == pytest.approx(kept, rel=0.03)


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


@pytest.mark.parametrize("classes, loss", [(10, 2.302585093), (1000, 6.907755279), (50257, 10.824905120)])
def test_a39_first_loss_of_zero_logits(classes, loss):
    told = sow("probe", f"mlp:8,{classes}", "--scheme", "zeros")["first_loss"]
    assert (told["loss"], told["uniform"]) == pytest.approx((loss, loss), abs=1e-9)


def test_a39_first_loss_of_logits_with_std_1():
    told = sow("probe", "mlp:64,50257", "--scheme", "lecun_normal")["first_loss"]
    assert told["logit_std"] == pytest.approx(1, rel=1e-9) and told["loss"] == pytest.approx(11.3249, abs=0.01)


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


def test_a46_low_rank_factors_that_are_both_zero(tmp_path):
    """Neither moves the other, ever; with one of them drawn there is a gradient."""
    path = tmp_path / "model.lua"
    for rule, zeros in (("zeros", [("A.weight", 2)]), ("lecun_normal", [])):
        path.write_text(f"""
local x = input {{ "batch", 64 }}
x = (x >> linear("w", 64, 64)) + (x >> linear("A", 64, 8, {{ bias = false }}) >> linear("B", 8, 64, {{ bias = false }}))
rule("B.weight", zeros)
rule("A.weight", {rule})
rule("*.bias", zeros)
rule("*", lecun_normal)
""")
        told = sow("probe", path)["verdicts"]
        never = [verdict for verdict in told if verdict["code"] == "ZERO-GRAD" and verdict["severity"] == "error"]
        assert [(verdict["where"], verdict["places"]) for verdict in never] == zeros, told
