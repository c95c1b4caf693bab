# SPDX-License-Identifier: MIT
"""Published schemes for parameters that are not plain matrices, as sow init draws them: time constants, poles, adapters,
residual branches, narrow dtypes. Judged by scipy and by the formulas of their papers. test_acceptance.py is about signals.
"""
import json
import math

import libsow
import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy import stats
from scipy.linalg import hadamard
from tool import probe, sow


def drawn(folder, text, *options):
    """The tensors of a description, drawn, verified and checked."""
    model, out = folder / "model.lua", folder / "model.safetensors"
    model.write_text(text)
    sow("init", model, "-o", out, "-q", "--force", "--seed", 7, *options)
    sow("verify", out, "-q")
    sow("check", out, "-q")
    return load_file(out)


def vector(name, size, rule, more=""):
    return f'param("{name}", {{ {size} }}{more})\nrule("{name}", {rule})\n'


# ---- A30: branches of deep residual networks ---------------------------------------------------------------------

BRANCHES = {
    "deepnorm_decoder_beta": ("glorot_normal{gain=pow(8*n_layer,-1/4)}", 6, 0.37991784),
    "deepnorm_decoder_beta_100": ("glorot_normal{gain=pow(8*n_layer,-1/4)}", 100, 0.18803015),
    "deepnorm_encoder_of_both_beta": ("glorot_normal{gain=0.87*pow(pow(n_layer,5),-1/16)}", 6, 0.49698924),
    "t_fixup_encoder": ("glorot_normal{gain=0.67*pow(n_layer,-1/4)}", 6, 0.67 * 6**-0.25),
    "t_fixup_decoder": ("glorot_normal{gain=pow(9*n_layer,-1/4)}", 6, 54**-0.25),
    "magneto_sub_ln": ("glorot_normal{gain=sqrt(log(2*n_layer))}", 12, math.sqrt(math.log(24))),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a30_branches_of_deep_networks(name, tmp_path):
    """Wang et al. 2022 (DeepNet), Huang et al. 2020 (T-Fixup), Wang et al. 2022 (Magneto): a factor on Glorot's std."""
    rule, layers, gain = BRANCHES[name]
    path = tmp_path / "model.lua"
    path.write_text(
        f'local x = input {{ "batch", 64 }}\nrepeated("h", {layers}, x, function(x) return x + (x >> linear("fc", 64, 64)) end)\n'
        'rule("*.bias", zeros)\nrule("*.weight", zeros)\n'
    )
    tensors = json.loads(sow("plan", path, "--set", f"*.weight={rule}", "--json"))["tensors"]
    assert 8 * tensors[0]["std"] == pytest.approx(gain, abs=6e-9)  # some are printed to 8 digits


@pytest.mark.parametrize(("layers", "beta", "alpha"), [
    (6, 0.37991784, 1.86120972), (12, 0.31947155, 2.21336384), (100, 0.18803015, 3.76060309)])
def test_a30_deepnorm_of_one_stack(layers, beta, alpha, tmp_path):
    """Wang et al. 2022, table: LN(alpha x + f(x)), alpha = (2 N)^(1/4), and beta = (8 N)^(-1/4) on Glorot's gain."""
    assert deepnorm(tmp_path, layers, "pow(2*n_layer, 1/4)", "pow(8*n_layer, -1/4)") == pytest.approx([alpha, beta], abs=6e-9)
    assert (alpha, beta) == pytest.approx(((2 * layers) ** 0.25, (8 * layers) ** -0.25), abs=6e-9)


@pytest.mark.parametrize(("layers", "numbers"), [(6, [1.41793814, 0.49698924, 2.05976714, 0.34329452]),
                                                 (18, [1.99874632, 0.35257101, 2.71080601, 0.26084743])])
def test_a30_deepnorm_of_an_encoder_and_a_decoder(layers, numbers, tmp_path):
    """As many layers in each, N = M: alpha and beta of the encoder, then of the decoder."""
    told = deepnorm(tmp_path, layers, "0.81*pow(pow(n_layer, 5), 1/16)", "0.87*pow(pow(n_layer, 5), -1/16)")
    told += deepnorm(tmp_path, layers, "pow(3*n_layer, 1/4)", "pow(12*n_layer, -1/4)")
    assert told == pytest.approx(numbers, abs=6e-9)


def deepnorm(folder, layers, alpha, beta):
    """The factor on the way past the branch, and the one on Glorot's std, of a network that scales both."""
    path = folder / "model.lua"
    path.write_text(f"""
local n_layer = {layers}
local x = input {{ "batch", 64 }}
repeated("h", n_layer, x, function(x)
    return (x * ({alpha})) + (x >> linear("fc", 64, 64, {{ bias = false }})) >> layer_norm("norm", 64)
end)
rule("*.norm.weight", ones)
rule("*.norm.bias", zeros)
rule("*.fc.weight", glorot_normal {{ gain = {beta} }})
""")
    first = next(value for value in probe(path)["values"] if value["operation"] == "scale")
    std = json.loads(sow("plan", path, "--json"))["tensors"][0]["std"]
    return [math.sqrt(first["second_moment"]), 8 * std]


def test_a30_gpt2_small_and_wang(tmp_path):
    """Radford et al. 2019; Nguyen and Salazar 2019 (small init); Wang's 2 / (L sqrt d) of GPT-NeoX."""
    config = libsow.ROOT / "examples/gpt2/config.json"
    std = {t["name"]: t.get("std") for t in json.loads(sow("plan", config, "--json"))["tensors"]}
    assert std["transformer.h.0.mlp.c_proj.weight"] == pytest.approx(0.0040824829, abs=1e-10)
    path = tmp_path / "model.lua"
    path.write_text('repeated("h", 24, input { "batch", 768 }, function(x) return x >> linear("fc", 768, 768) end)\nrule("*", zeros)\n')
    for rule, expected in (("normal{std=sqrt(2/(5*fan_in))}", 0.0228217732), ("normal{std=2/(n_layer*sqrt(fan_in))}", 0.0030070327)):
        tensors = json.loads(sow("plan", path, "--set", f"*.weight={rule}", "--json"))["tensors"]
        assert tensors[0]["std"] == pytest.approx(expected, abs=1e-10)


# ---- A41, A42: state spaces --------------------------------------------------------------------------------------


def test_a41_mamba_dt_bias(tmp_path):
    """Gu and Dao 2023: behind the softplus the steps are log-uniform on [0.001, 0.1]."""
    bias = drawn(tmp_path, vector("dt_proj.bias", 20000, "softplus_step{}"), "--dtype", "f64")["dt_proj.bias"]
    step = np.log1p(np.exp(bias))
    assert stats.kstest(np.log(step), stats.uniform(math.log(1e-3), math.log(100)).cdf).pvalue > 1e-4
    assert 0.001 <= step.min() < 0.00101 and 0.099 < step.max() <= 0.1


@pytest.mark.parametrize(("step", "bias"), [(0.001, -6.9072552373), (0.1, -2.2521684610)])
def test_a41_inverse_of_softplus(step, bias):
    draw = libsow.Draw.of_uniform(7, math.log(step), math.log(step) + 1e-12)
    assert draw.moments()[0] == pytest.approx(bias, abs=1e-9)


def test_a41_mamba2_a_log(tmp_path):
    """Dao and Gu 2024: A uniform on [1, 16], stored as its logarithm."""
    a_log = drawn(tmp_path, vector("A_log", 20000, "log_of_uniform{low=1, high=16}"))["A_log"]
    assert stats.kstest(np.exp(a_log.astype(np.float64)), stats.uniform(1, 15).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("r_min", "r_max"), [(0, 1), (0.4, 0.9), (0.9, 0.999)])
def test_a42_lru_poles(tmp_path, r_min, r_max):
    """Orvieto et al. 2023: |lambda|^2 uniform on the ring, and gamma^2 + |lambda|^2 = 1 for each pole."""
    ring = f"{{r_min={r_min}, r_max={r_max}}}"
    text = vector("nu_log", 20000, f"lru_nu{ring}")
    text += vector("gamma_log", 20000, f"lru_gamma{ring}", ', { key = "nu_log" }')
    text += vector("theta_log", 20000, "log_of_uniform{high=2*pi}")
    poles = drawn(tmp_path, text, "--dtype", "f64")
    square = np.exp(-2 * np.exp(poles["nu_log"]))
    assert stats.kstest(square, stats.uniform(r_min**2, r_max**2 - r_min**2).cdf).pvalue > 1e-4
    assert np.exp(2 * poles["gamma_log"]) + square == pytest.approx(1, abs=1e-14)
    assert stats.kstest(np.exp(poles["theta_log"]), stats.uniform(0, 2 * math.pi).cdf).pvalue > 1e-4
    assert np.isfinite(drawn(tmp_path, text)["nu_log"]).all()


# ---- A47: ZerO ---------------------------------------------------------------------------------------------------


def zhao(out, inputs):
    """Zhao, Schaefer and Anandkumar 2021, algorithm 1, by scipy: I H I over the root of H's size."""
    if out <= inputs:
        return np.eye(out, inputs)
    size = 1 << (out - 1).bit_length()
    return np.eye(out, size) @ hadamard(size) @ np.eye(size, inputs) / math.sqrt(size)


@pytest.mark.parametrize(("out", "inputs"), [(5, 3), (3, 5), (4, 4), (8, 3), (2, 1), (64, 17), (65, 64), (300, 20)])
def test_a47_zero(out, inputs, tmp_path):
    text = f'local x = input {{ "batch", {inputs} }} >> linear("fc", {inputs}, {out}, {{ bias = false }})\nrule("*", zero_hadamard)\n'
    W = drawn(tmp_path, text, "--dtype", "f64")["fc.weight"]
    assert W == pytest.approx(zhao(out, inputs), abs=1e-15)
    assert np.linalg.matrix_rank(W) == min(out, inputs)
    is_orthonormal = np.allclose(W.T @ W, np.eye(inputs), atol=1e-14) if out > inputs else np.allclose(W @ W.T, np.eye(out))
    assert is_orthonormal == (out <= inputs or out & (out - 1) == 0)
    if (out, inputs) == (5, 3):
        assert np.unique(W) == pytest.approx([-(2**-1.5), 2**-1.5], abs=1e-15)


def test_a47_zero_of_a_convolution(tmp_path):
    """Algorithm 2: in the middle tap, all others 0. Of groups, in each."""
    text = 'local x = input { "batch", 3, 8, 8 } >> conv2d("widens", 3, 12, { kernel = 3, bias = false })\n'
    text += 'x = x >> conv2d("grouped", 12, 24, { kernel = 3, groups = 4, bias = false })\nrule("*", ZerO { 2 })\n'
    tensors = drawn(tmp_path, text)
    for name, W in (("widens", zhao(12, 3)), ("grouped", np.tile(zhao(6, 3), (4, 1)))):
        wanted = np.zeros(tensors[name + ".weight"].shape, np.float32)
        wanted[:, :, 1, 1] = 2 * W
        assert np.array_equal(tensors[name + ".weight"], wanted)


def test_a47_zero_is_probed(tmp_path):
    """Predicted, measured and its norms: 8 of 8 rows are an isometry, 5 of 8 are not, and their norm is not told."""
    options = ("--set", "*.weight=zero_hadamard", "--measure", "--seeds", 3, "--spectra", "--json")
    found = json.loads(sow("probe", "mlp:3,8,8,4,6", *options))
    assert [weight["norm_expected"] for weight in found["spectra"]] == [1, 1, 1, None]
    assert [weight["norm"] for weight in found["spectra"]] == pytest.approx([np.linalg.norm(zhao(*shape), 2) for shape in (
        (8, 3), (8, 8), (4, 8), (6, 4))], abs=1e-6)
    assert found["values"][1]["second_moment"] == pytest.approx(3 / 8, rel=1e-12)
    explained = sow("explain", "mlp:3,5", "layers.0.weight", "--set", "*.weight=zero_hadamard")
    assert "Hadamard" in explained and "sqrt(8)" in explained


# ---- A44: recurrent biases ---------------------------------------------------------------------------------------


def test_a44_chrono(tmp_path):
    """Tallec and Ollivier 2018: sigmoid(b_f) in [1/2, (T - 1) / T], its mean, and b_i = -b_f unit by unit."""
    text = 'local y = input { "batch", "tokens", 8 } >> lstm("memory", 8, 6000)\n'
    text += 'rule("*.bias_ih_*", chrono{784})\nrule("*.bias_hh_*", zeros)\nrule("*", zeros)\n'
    gates = drawn(tmp_path, text)["memory.bias_ih_l0"].astype(np.float64).reshape(4, 6000)  # torch: i f g o
    forget, ends = gates[1], 784
    kept = 1 / (1 + np.exp(-forget))
    assert kept.min() >= 0.5 and kept.max() <= (ends - 1) / ends
    expected = ((ends - 1) * math.log(ends - 1) - (ends - 1) + 1) / (ends - 2)
    assert expected == pytest.approx(5.6716533, abs=1e-7)
    assert forget.mean() == pytest.approx(expected, abs=4 * forget.std() / math.sqrt(6000))
    assert stats.kstest(np.exp(forget), stats.uniform(1, ends - 2).cdf).pvalue > 1e-4
    assert (gates[0] == -forget).all() and not gates[2:].any()


# ---- A43: adapters -----------------------------------------------------------------------------------------------

ADAPTER = """
local x = input { "batch", 64 }
local base = x >> linear("base", 64, 64, { bias = false })
local down = x >> linear("lora_A", 64, 8, { bias = false }) >> linear("lora_B", 8, 64, { bias = false })
local y = base + down * (16 / sqrt(8))
rule("base.weight", lecun_normal)
rule("lora_A.weight", he_uniform { gain = 1 / sqrt(3) })
rule("lora_B.weight", zeros)
"""


def test_a43_lora_starts_as_its_base(tmp_path):
    """Hu et al. 2022: A uniform on -/+ 1 / sqrt(in) (kaiming_uniform with a = sqrt 5), B = 0: the adapter adds nothing."""
    tensors = drawn(tmp_path, ADAPTER)
    a = tensors["lora_A.weight"].astype(np.float64)
    assert not tensors["lora_B.weight"].any()
    assert stats.kstest(a.ravel(), stats.uniform(-1 / 8, 1 / 4).cdf).pvalue > 1e-4
    values = {value["name"]: value for value in probe(tmp_path / "model.lua", "--measure")["values"]}
    base, last = values["base"], list(values.values())[-1]
    assert last["measured"]["second_moment"] == base["measured"]["second_moment"]


WORDS = """
local x = tokens()
local base = x >> embedding("base", 50, 64)
local y = base + (x >> embedding("lora_A", 50, 8) >> linear("lora_B", 8, 64, { bias = false })) * (16 / sqrt(8))
rule("base.weight", normal { std = 1 })
rule("lora_A.weight", zeros)
rule("lora_B.weight", normal { std = 1 })
"""


def test_a43_lora_of_an_embedding_is_the_other_way_round(tmp_path):
    """peft: A = 0 and B from N(0, 1), as a row of A is chosen, not multiplied."""
    tensors = drawn(tmp_path, WORDS)
    assert not tensors["lora_A.weight"].any()
    assert stats.kstest(tensors["lora_B.weight"].astype(np.float64).ravel(), stats.norm.cdf).pvalue > 1e-4
    values = {value["name"]: value for value in probe(tmp_path / "model.lua", "--measure")["values"]}
    last = list(values.values())[-1]
    assert last["measured"]["second_moment"] == values["base"]["measured"]["second_moment"]


# ---- A49: what narrow dtypes lose --------------------------------------------------------------------------------

LEAST = {"f16": 2.0**-24, "f8_e4m3fn": 2.0**-9, "f8_e5m2": 2.0**-16}  # smallest subnormal


@pytest.mark.parametrize(("dtype", "std", "lost"), [("f16", 0.02, 1.2e-6), ("f8_e4m3fn", 0.02, 0.0389), ("f8_e5m2", 0.02, 3.0e-4),
                                                    ("f8_e4m3fn", 0.0041, 0.188), ("f8_e4m3fn", 0.001, 0.67)])
def test_a49_underflow(dtype, std, lost, tmp_path):
    """The share of a normal that rounds to zero: erf(half the smallest subnormal / (std sqrt 2))."""
    path, elements = tmp_path / "model.safetensors", 1 << 22
    share = math.erf(LEAST[dtype] / 2 / (std * math.sqrt(2)))
    assert share == pytest.approx(lost, rel=0.02)
    sow("init", "mlp:2048,2048", "--scheme", f"normal{{std={std}}}", "--dtype", dtype, "-o", path, "-q")
    zeros = json.loads(sow("stats", path, "*.weight", "--json"))["tensors"][0]["zeros"]
    assert abs(zeros - share * elements) <= 4 * math.sqrt(share * elements)
