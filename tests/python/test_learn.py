# SPDX-License-Identifier: MIT
"""First steps of learning (sow_learn) against torch's own optimisers in float64, with the same weights, inputs and labels."""
import json
import os
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from libsow_learn import Learned  # noqa: E402
from libsow_model import SowError  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

F = torch.nn.functional
SOW = os.environ["SOW"]
RATES = {"sgd": 0.1, "adam": 0.001}


def weights_of(source, tmp_path, seed=3, *options):
    path = tmp_path / "w.safetensors"
    subprocess.run([SOW, "init", str(source), "--seed", str(seed), "-o", str(path), "--force", "-q", *options], check=True)
    return {name: w.double().requires_grad_() for name, w in load_file(str(path)).items() if w.is_floating_point()}


def optimizer_of(name, parameters, **options):
    return {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](parameters, **options)


def judge(found, parameters, forward, optimizer, rates=None, steps=5, limit=2e-6):
    """Losses, distances and ratios step by step. `forward` gives a dictionary of values, by sow's names, the output last.
    Weights of `parameters` are by name; `rates` are theirs."""
    groups = [{"params": [w], "lr": rates[name] if rates else RATES[optimizer]} for name, w in parameters.items()]
    optim = optimizer_of(optimizer, groups)
    labels = next(iter(found.arrays[0]["label"].values()))
    first, losses = None, []
    for step in range(steps + 1):
        values = forward()
        output = list(values.values())[-1]
        if found.report["classes"]:
            target = torch.tensor(labels).long()
            assert found.report["classes"] == output.shape[-1] and 0 <= target.min() and target.max() < output.shape[-1]
            loss = F.cross_entropy(output.flatten(0, -2), target)
        else:
            loss = F.mse_loss(output, torch.tensor(labels, dtype=torch.float64).reshape(output.shape))
        losses.append(loss.item())
        values = {name: value.detach().clone() for name, value in values.items()}
        first = first or values
        for name, value in values.items():
            d = value - first[name]
            row = found.values[name]
            scale = first[name].abs().mean().item()
            assert row["size"] == pytest.approx(scale, rel=1e-6), name
            assert row["change"][step] == pytest.approx(d.abs().mean().item(), rel=1e-4, abs=1e-6 * scale), (name, step)
            assert row["change_rms"][step] == pytest.approx(d.square().mean().sqrt().item(), rel=1e-4, abs=1e-6 * scale)
        if step == steps:
            break
        optim.zero_grad()
        loss.backward()
        before = {name: w.detach().clone() for name, w in parameters.items()}
        optim.step()
        for name, w in parameters.items():
            size = before[name].square().mean().sqrt()
            ratio = (w.detach() - before[name]).square().mean().sqrt() / size if size > 0 else np.nan
            assert found.weights[name]["ratio"][step] == pytest.approx(float(ratio), rel=1e-4, nan_ok=True), (name, step)
    np.testing.assert_allclose(found.losses, losses, rtol=limit)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("optimizer", RATES)
def test_mlp_learns_as_in_torch(optimizer, tmp_path):
    found = Learned("mlp:20,32x2,10", steps=5, optimizer=optimizer, rate=RATES[optimizer], seed=3, batch=16, watch=True)
    w = weights_of("mlp:20,32x2,10", tmp_path)
    x = torch.tensor(found.arrays[0]["value"]["input"].reshape(16, 20)).double()

    def forward():
        values, h = {}, x
        for i in range(3):
            h = values[f"layers.{i}"] = F.linear(h, w[f"layers.{i}.weight"], w[f"layers.{i}.bias"])
            h = h.relu()
        return values

    assert all(row["moves"] == 0 for row in found.weights.values()) and found.report["classes"] == 10
    judge(found, w, forward, optimizer)


CNN = """local x = input { "batch", 3, 12, 12 }
x = x >> conv2d("a", 3, 8, { padding = 1, bias = false }) >> batch_norm("n", 8) >> activation("relu") >> max_pool(2)
x = x >> conv2d("b", 8, 12, { stride = 2 }) >> activation("gelu") >> global_pool() >> linear("c", 12, 5)
rule("*.weight", normal { mean = 0.05, std = 0.3 })
rule("*", zeros)
"""


@pytest.mark.parametrize("optimizer", RATES)
def test_convolutions_learn_as_in_torch(optimizer, tmp_path):
    source = tmp_path / "cnn.lua"
    source.write_text(CNN)
    found = Learned(source, steps=5, optimizer=optimizer, rate=RATES[optimizer], seed=3, batch=6, watch=True)
    w = weights_of(source, tmp_path)
    w = {name: w[name] for name in found.weights}
    x = torch.tensor(found.arrays[0]["value"]["input"].reshape(6, 3, 12, 12)).double()

    def forward():
        a = F.conv2d(x, w["a.weight"], None, padding=1)
        n = F.batch_norm(a, None, None, w["n.weight"], w["n.bias"], True)
        b = F.conv2d(F.max_pool2d(n.relu(), 2), w["b.weight"], w["b.bias"], stride=2)
        return {"a": a, "n": n, "b": b, "c": F.linear(F.gelu(b).mean((2, 3)), w["c.weight"], w["c.bias"])}

    judge(found, w, forward, optimizer, limit=1e-5)


@pytest.mark.parametrize("optimizer", RATES)
def test_gpt2_learns_as_in_transformers(optimizer, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = {"vocab_size": 97, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4, "attn_pdrop": 0, "resid_pdrop": 0,
              "embd_pdrop": 0}
    GPT2Config(**config, architectures=["GPT2LMHeadModel"]).save_pretrained(tmp_path)
    found = Learned(tmp_path, steps=5, optimizer=optimizer, rate=RATES[optimizer], seed=3, batch=2, tokens=20, watch=True)
    model = GPT2LMHeadModel(GPT2Config(**config)).double()
    model.load_state_dict({name: w.detach() for name, w in weights_of(tmp_path, tmp_path).items()}, strict=False)
    model.tie_weights()
    named = {name: w for name, w in model.named_parameters() if name in found.weights}
    assert len(named) == len(found.weights) == len(list(model.named_parameters()))
    ids = torch.tensor(found.arrays[0]["value"]["transformer.tokens"]).long().reshape(2, 20)
    judge(found, named, lambda: {"lm_head": model(ids).logits}, optimizer, limit=1e-5)


def test_what_is_no_classifier_learns_targets(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 9 } >> linear("a", 9, 7) >> activation("tanh")\nrule("*", normal { std = 0.5 })\n')
    found = Learned(source, steps=5, optimizer="sgd", rate=0.1, seed=3, batch=16, watch=True)
    w = weights_of(source, tmp_path)
    x = torch.tensor(found.arrays[0]["value"]["input"].reshape(16, 9)).double()
    assert found.report["classes"] == 0
    labels = found.arrays[0]["label"]["tanh"]
    assert labels.size == 16 * 7 and abs(labels.mean()) < 0.4 and abs(labels.std() - 1) < 0.3
    judge(found, w, lambda: {"tanh": F.linear(x, w["a.weight"], w["a.bias"]).tanh()}, "sgd")


def test_rates_by_tensor_and_a_scaled_head(tmp_path):
    """Hidden rate * 8 / fan_in, output * 0.25: the multipliers of muP."""
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 9 } >> linear("a", 9, 16) >> activation("relu") >> linear("b", 16, 16)\n'
                      'x = (x >> activation("relu") >> linear("c", 16, 6)) * 0.25\nrule("*", normal { std = 0.5 })\n')
    found = Learned(source, steps=5, optimizer="adam", rate=0.01, rates=["b.weight=0.01*8/fan_in", "*.bias=0"], seed=3, batch=16,
                    watch=True)
    w = weights_of(source, tmp_path)
    x = torch.tensor(found.arrays[0]["value"]["input"].reshape(16, 9)).double()
    rates = {name: 0.005 if name == "b.weight" else 0 if "bias" in name else 0.01 for name in w}
    assert {name: row["rate"] for name, row in found.weights.items()} == rates and found.report["classes"] == 6

    def forward():
        h = F.linear(F.linear(x, w["a.weight"], w["a.bias"]).relu(), w["b.weight"], w["b.bias"])
        return {"b": h, "scale": F.linear(h.relu(), w["c.weight"], w["c.bias"]) * 0.25}

    judge(found, w, forward, "adam", rates)


def test_rates_beside_other_rules():
    """Rates claim all tensors before a --scheme and a variant do, and leave nothing to the rate of the rest."""
    for wanted in [], ["*=0.5"], ["*.weight=0.5", "*.bias=0.25", "layers.*=3"]:
        out = subprocess.run([SOW, "probe", "mlp:4,5,3", "--scheme", "he_normal", "--steps", "1", "--json", "-q",
                              *(f"--lr={rate}" for rate in wanted)], check=True, capture_output=True, text=True).stdout
        found = {row["name"]: row["rate"] for row in json.loads(out)["learning"]["weights"]}
        assert found["layers.0.weight"] == (0.5 if wanted else 0.001)
        assert found["layers.1.bias"] == (0.25 if len(wanted) == 3 else found["layers.0.weight"])


@pytest.mark.parametrize("rates, message", [
    (["b.weight"], "--lr 'b.weight' is not GLOB=RATE"),
    (["nobody=1"], "the rule `nobody` claims no tensor: no name fits"),
    (["*.weight=1/fan_on"], "--lr '*.weight=1/fan_on': fan_on is not defined"),
    (["*.bias=1/fan_in"], "--lr '*.bias=1/fan_in': layers.0.bias has no fan_in"),
    (["*=-1"], "the learning rate of layers.0.weight is -1"),
    (["*=1/0"], "the learning rate is infinite"),
])
def test_rates_that_cannot_be(rates, message):
    with pytest.raises(SowError) as error:
        Learned("mlp:4,5,3", steps=1, rates=rates)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("optimizer", RATES)
def test_steps_are_the_same_bits_for_every_instruction_set(optimizer):
    def run(isa):
        done = subprocess.run([SOW, "probe", "mlp:100,70x3,10", "--activation", "gelu", "--steps", "3", "--optimizer", optimizer,
                               "--json", "-q"], capture_output=True, text=True, env={**os.environ, "SOW_ISA": isa})
        found = json.loads(done.stdout)["learning"] if done.returncode == 0 else None  # not of this CPU
        return found and {key: found[key] for key in ("loss", "values", "weights")}

    numbers = {isa: run(isa) for isa in ("scalar", "sse41", "avx2", "avx512", "neon")}
    assert numbers["scalar"] and all(found == numbers["scalar"] for found in numbers.values() if found)


def test_nothing_to_learn(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = tokens() >> embedding("a", 9, 7)\nlocal y = tokens()\nrule("*", zeros)\n')
    with pytest.raises(SowError, match="nothing can be learned: no weight leads to the last value"):
        Learned(source, steps=1, tokens=4)


def test_a33_kingma_2015_adams_first_step():
    """Of one sample, mean |h_1 - h_0| = rate * sum |x|, as each weight moves by its rate against its gradient's sign.
    The weights' gradients must be well above eps: sums of 1."""
    found = Learned("mlp:32,64,10", steps=1, rate=1e-3, batch=1, seed=5, sets=["*.weight=normal{std=0.5}"], rates=["*.bias=0"],
                    watch=True)
    x, h, y = (found.arrays[0]["value"][name] for name in ("input", "layers.0", "layers.0.relu"))
    awake = np.count_nonzero(y) / y.size  # units that sleep have no gradient
    assert found.values["layers.0"]["change"][1] == pytest.approx(1e-3 * np.abs(x).sum() * awake, rel=1e-5)
    linear = Learned("mlp:32,64", steps=1, rate=1e-3, batch=1, seed=5, rates=["*.bias=0"], watch=True)
    x = linear.arrays[0]["value"]["input"]
    assert linear.values["layers.0"]["change"][1] == pytest.approx(1e-3 * np.abs(x).sum(), rel=1e-5)
    assert linear.weights["layers.0.weight"]["ratio"][0] == pytest.approx(1e-3 / linear.weights["layers.0.weight"]["rms"], rel=1e-5)


def test_steps_are_the_same_bits_for_every_number_of_threads():
    one = Learned("mlp:300,200x2,10", steps=3, batch=64, threads=1)
    for threads in (2, 5):
        other = Learned("mlp:300,200x2,10", steps=3, batch=64, threads=threads)
        assert other.losses == one.losses
        assert [row["change"] for row in other.values.values()][1:] == [row["change"] for row in one.values.values()][1:]
