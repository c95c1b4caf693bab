# SPDX-License-Identifier: MIT
"""The Jacobian of sow probe --jacobian against torch.autograd.functional.jacobian and its SVD in float64, with the same
weights and input; random cotangents against the whole matrix; the same numbers for every thread count and instruction set."""
import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import tool  # noqa: E402
from libsow_model import Measured  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

F = torch.nn.functional
FUNCTIONS = {"tanh": torch.tanh, "gelu": F.gelu, "relu": torch.relu}


def jacobian_of(*arguments, env=None):
    return tool.probe(*arguments, "--jacobian", env={**os.environ, **(env or {})})["jacobian"]


def weights_of(source, folder, *options):
    path = folder / "weights.safetensors"
    tool.init(source, path, *options)
    return {name: weight.double() for name, weight in load_file(str(path)).items()}


def agrees(found, judged):
    """Every singular value to float32's rounding of the largest, and what is computed from them."""
    judged = judged.reshape(judged.shape[0], -1) if judged.dim() > 2 else judged
    s = torch.linalg.svdvals(judged).numpy()
    assert (found["outputs"], found["inputs"]) == tuple(judged.shape) and found["whole"]
    assert found["singular_values"] == pytest.approx(s, abs=2e-6 * s[0])
    measured = found["measured"]
    for key, number in {"mean_square": (s**2).mean(), "variance": (s**2).var(), "mean": s.mean(), "largest": s[0],
                        "spread": (s**2).var() / (s**2).mean() ** 2}.items():
        assert measured[key] == pytest.approx(number, rel=1e-5), key
    if s[-1] > 1e-4 * s[0]:
        assert measured["condition"] == pytest.approx(s[0] / s[-1], rel=1e-4 + 1e-6 * s[0] / s[-1])
        assert measured["rank"] == len(s)


@pytest.mark.parametrize("widths, name", [("40,30x3,20", "tanh"), ("20,64,90", "gelu"), ("64,64x2,64", "relu")])
def test_mlp_is_torch(widths, name, tmp_path):
    source = "mlp:" + widths
    options = ("--activation", name, "--set", "*.bias=normal{std=0.3}")
    w = weights_of(source, tmp_path, *options)
    x = torch.tensor(Measured(source, watch=True).value("input")[0], dtype=torch.float64)

    def network(x):
        last = len(w) // 2 - 1
        for layer in range(last + 1):
            x = F.linear(x, w[f"layers.{layer}.weight"], w[f"layers.{layer}.bias"])
            x = FUNCTIONS[name](x) if layer < last else x
        return x

    found = jacobian_of(source, *options)
    assert (found["from"], found["token"], found["seeds"]) == ("input", None, 1)
    agrees(found, torch.autograd.functional.jacobian(network, x))


CNN = '''
local x = input { "batch", 2, 6, 5 } >> conv2d("c", 2, 5, { kernel = 3, padding = 1 }) >> activation("silu")
x = x >> conv2d("d", 5, 4, { kernel = 3, stride = 2 }) >> group_norm("g", 4, 2) >> flatten() >> linear("l", 16, 13)
rule("*", normal { std = 0.4 })
'''


def test_cnn_is_torch(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(CNN)
    w = weights_of(source, tmp_path)
    x = torch.tensor(Measured(source, watch=True).value("input")[:1], dtype=torch.float64)

    def network(x):
        x = F.silu(F.conv2d(x, w["c.weight"], w["c.bias"], padding=1))
        x = F.group_norm(F.conv2d(x, w["d.weight"], w["d.bias"], stride=2), 2, w["g.weight"], w["g.bias"])
        return F.linear(x.flatten(1), w["l.weight"], w["l.bias"])[0]

    agrees(jacobian_of(source), torch.autograd.functional.jacobian(network, x))


def test_batch_norm_sees_the_batch(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 12 } >> linear("a", 12, 20) >> batch_norm("n", 20) >> activation("tanh")\n'
                      'x = x >> linear("b", 20, 9)\nrule("*.weight", normal { std = 0.4 })\nrule("*.bias", zeros)\n')
    w = weights_of(source, tmp_path)
    batch = torch.tensor(Measured(source, batch=5, watch=True).value("input"), dtype=torch.float64)

    def network(first):
        x = F.linear(torch.cat((first[None], batch[1:])), w["a.weight"], w["a.bias"])
        x = torch.tanh(F.batch_norm(x, None, None, w["n.weight"], w["n.bias"], True))
        return F.linear(x, w["b.weight"], w["b.bias"])[0]

    agrees(jacobian_of(source, "--batch", "5"), torch.autograd.functional.jacobian(network, batch[0]))


TRANSFORMER = '''
local x = input { "batch", 7, 12 }
local h = x >> layer_norm("n", 12) >> linear("qkv", 12, 36) >> attention { heads = 3, causal = true } >> linear("o", 12, 12)
x = x + h
x = x + (x >> layer_norm("m", 12) >> linear("up", 12, 30) >> activation("gelu") >> linear("down", 30, 12))
rule("*", normal { std = 0.5 })
'''


def test_transformer_is_torch(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(TRANSFORMER)
    w = weights_of(source, tmp_path)
    x = torch.tensor(Measured(source, watch=True).value("input")[0], dtype=torch.float64)

    def network(x):
        x, parts = x.reshape(7, 12), {}
        h = F.linear(F.layer_norm(x, (12,), w["n.weight"], w["n.bias"]), w["qkv.weight"], w["qkv.bias"])
        for name, part in zip("qkv", h.chunk(3, -1)):
            parts[name] = part.unflatten(-1, (3, 4)).transpose(0, 1)
        h = F.scaled_dot_product_attention(parts["q"], parts["k"], parts["v"], is_causal=True).transpose(0, 1).flatten(-2)
        x = x + F.linear(h, w["o.weight"], w["o.bias"])
        h = F.gelu(F.linear(F.layer_norm(x, (12,), w["m.weight"], w["m.bias"]), w["up.weight"], w["up.bias"]))
        return (x + F.linear(h, w["down.weight"], w["down.bias"])).flatten()

    agrees(jacobian_of(source), torch.autograd.functional.jacobian(network, x.flatten()))


def test_gpt2_is_transformers(tmp_path):
    """From what the first block reads of the last token, to what the head reads of it."""
    import transformers

    config = {"vocab_size": 97, "n_positions": 32, "n_embd": 24, "n_layer": 2, "n_head": 3}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **config}))
    tool.init(tmp_path / "config.json", tmp_path / "model.safetensors")
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, dtype=torch.float64).eval().transformer
    ids = torch.tensor(Measured(tmp_path / "config.json", tokens=9, watch=True).value("transformer.tokens")[:1]).long()
    before = model.wte(ids).detach()

    def network(last):
        return model(inputs_embeds=torch.cat((before[:, :-1], last[None, None]), 1)).last_hidden_state[0, -1]

    found = jacobian_of(tmp_path / "config.json", "--tokens", "9")
    assert (found["token"], found["to"], found["expected"]["mean_square"]) == (8, "transformer.ln_f", None)
    agrees(found, torch.autograd.functional.jacobian(network, before[0, -1]))


def test_between_any_two_values(tmp_path):
    source = "mlp:24,24x3,24"
    w = weights_of(source, tmp_path)
    before = torch.tensor(Measured(source, watch=True).value("layers.1")[0], dtype=torch.float64)
    agrees(jacobian_of(source, "--from", "layers.1", "--to", "layers.2"), w["layers.2.weight"] * (before > 0))


def test_random_cotangents_agree_with_the_whole(tmp_path):
    """1200 outputs are too many for the whole matrix: 32 random cotangents. The relative sd of the mean square is
    sqrt(2 E s^4 / (n E[s^2]^2 k)), about 1.4 % here, that of E[s^4] about sqrt(2 / (k (k - 1) / 2)) = 6 %; 4 sd."""
    found = jacobian_of("mlp:300,1200", "--scheme", "normal{std=1/sqrt(300)}")
    assert (found["whole"], found["cotangents"], found["singular_values"]) == (False, 32, [])
    s = torch.linalg.svdvals(weights_of("mlp:300,1200", tmp_path, "--scheme", "normal{std=1/sqrt(300)}")["layers.0.weight"])
    square, fourth = float((s**2).mean()), float((s**4).mean())
    assert found["measured"]["mean_square"] == pytest.approx(square, rel=0.06)
    assert found["measured"]["variance"] + found["measured"]["mean_square"] ** 2 == pytest.approx(fourth, rel=0.25)
    assert found["measured"]["largest"] is None and found["measured"]["condition"] is None


def test_same_numbers_for_every_thread_count_and_instruction_set(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(CNN)
    first = jacobian_of(source, "-T", "1", "--seeds", "2")
    for threads, isa in [("2", ""), ("5", "")] + [("2", name) for name in tool.instruction_sets()]:
        assert jacobian_of(source, "-T", threads, "--seeds", "2", env={"SOW_ISA": isa} if isa else None) == first


def test_seeds_are_averaged():
    several = jacobian_of("mlp:30,30,30", "--seeds", "3")
    each = [jacobian_of("mlp:30,30,30", "--seed", seed) for seed in range(3)]
    assert several["singular_values"] == each[0]["singular_values"] and several["seeds"] == 3
    for key in ("mean_square", "variance", "largest"):
        assert several["measured"][key] == pytest.approx(np.mean([one["measured"][key] for one in each]), rel=1e-12)


@pytest.mark.parametrize("options, said", [
    (("--from", "layers.1", "--to", "layers.0"), "does not come after"),
    (("--from", "layer.1"), "no value is called 'layer.1'"),
])
def test_values_that_cannot_be(options, said):
    assert said in tool.run("probe", "mlp:8,8,8", *options, codes=(2, 3)).stderr


@pytest.mark.parametrize("name, slope, fastest", [
    ("sin{frequency=1}", np.cos, 1), ("sin{frequency=30}", lambda x: 30 * np.cos(30 * x), 30),
    ("cos{frequency=4}", lambda x: -4 * np.sin(4 * x), 4), ("expr{sin(9*x)}", lambda x: 9 * np.cos(9 * x), 9),
    ("tanh", lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2, 1),
])
@pytest.mark.parametrize("std", [0.05, 1, 10])
def test_slopes_that_go_up_and_down_within_a_std(name, slope, fastest, std):
    """E[phi'^2] and E[phi'^4] by scipy over 40 points a period: Var / E^2 of s^2 is one for each of two layers of weights, and
    E[phi'^4] / E[phi'^2]^2 - 1."""
    from scipy import integrate, stats
    x = np.linspace(-9 * std, 9 * std, int(720 * std * max(fastest, 4 / std)) + 1)
    square, fourth = (integrate.trapezoid(stats.norm.pdf(x, 0, std) * slope(x) ** power, x) for power in (2, 4))
    found = jacobian_of("mlp:64,64,64", "--activation", name, "--scheme", "lecun_normal", "--input", f"std={std}")["expected"]
    assert found["mean_square"] == pytest.approx(square, rel=1e-5)
    assert found["spread"] == pytest.approx(1 + fourth / square**2, rel=1e-5)


def test_slopes_of_too_many_periods_are_not_known():
    found = jacobian_of("mlp:64,64,64", "--activation", "expr{sin(9*x)}", "--scheme", "lecun_normal", "--input", "std=1000")
    assert found["expected"]["variance"] is None and found["measured"]["mean_square"] == pytest.approx(40.5, rel=0.3)


def test_waves_are_what_a_wide_layer_measures():
    found = jacobian_of("mlp:400,400,400", "--activation", "sin{frequency=30}", "--scheme", "lecun_normal", "--seeds", "3")
    for key, within in {"mean_square": 0.1, "spread": 0.1, "largest": 0.1}.items():
        assert found["measured"][key] == pytest.approx(found["expected"][key], rel=within), key
