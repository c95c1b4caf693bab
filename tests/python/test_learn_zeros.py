# SPDX-License-Identifier: MIT
"""Gradients that are exactly zero: which parameters move from which step on, as `sow probe` says it of the plan alone
(ZERO-GRAD: never, or not at the first step), as --steps finds it, and as torch does in float64."""
import json
import os
import subprocess

import pytest

torch = pytest.importorskip("torch")
from libsow_learn import Learned  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

F = torch.nn.functional
SOW = os.environ["SOW"]
STEPS = 6
HEAD = ' >> linear("head", 8, 5)\n'
RANDOM = '\nrule("*", normal { std = 0.5 })\n'


def linear(x, w, name):
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def tokens_of(x):
    return x.long()


def attend(x, w):
    q, k, v = (linear(x, w, name).unflatten(-1, (2, 4)).transpose(1, 2) for name in "qkv")
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


# name: (recipe, the same in torch, parameters that never move, parameters that move later than at once)
VECTOR, WORDS = 'local x = input { "batch", 8 }\n', "local x = tokens()\n"
CASES = {
    "LoRA, B = 0": (
        VECTOR + 'x = (x >> linear("w", 8, 8)) + (x >> linear("A", 8, 2, { bias = false }) >> linear("B", 2, 8, { bias = false }))\n'
        "x = x" + HEAD + 'rule("B.weight", zeros)' + RANDOM,
        lambda x, w: linear(linear(x, w, "w") + x @ w["A.weight"].T @ w["B.weight"].T, w, "head"),
        "", "A.weight"),
    "LoRA, A = B = 0": (
        VECTOR + 'x = (x >> linear("w", 8, 8)) + (x >> linear("A", 8, 2, { bias = false }) >> linear("B", 2, 8, { bias = false }))\n'
        "x = x" + HEAD + 'rule("[AB].weight", zeros)' + RANDOM,
        lambda x, w: linear(linear(x, w, "w") + x @ w["A.weight"].T @ w["B.weight"].T, w, "head"),
        "A.weight B.weight", ""),
    "ReZero": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> activation("tanh")) * learned("alpha", { 1, 1 })\nx = x' + HEAD
        + 'rule("alpha", zeros)' + RANDOM,
        lambda x, w: linear(x + linear(x, w, "f").tanh() * w["alpha"], w, "head"), "", "f.weight f.bias"),
    "ReZero, and the branch ends in zeros": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> activation("tanh") >> linear("g", 8, 8)) * learned("alpha", { 1, 1 })\nx = x' + HEAD
        + 'rule("alpha", zeros)\nrule("g.*", zeros)' + RANDOM,
        lambda x, w: linear(x + linear(linear(x, w, "f").tanh(), w, "g") * w["alpha"], w, "head"),
        "f.weight f.bias g.weight g.bias alpha", ""),
    "ReZero, and the last layer is zero": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> activation("tanh")) * learned("alpha", { 1, 1 })\nx = x' + HEAD
        + 'rule("alpha", zeros)\nrule("head.weight", zeros)' + RANDOM,
        lambda x, w: linear(x + linear(x, w, "f").tanh() * w["alpha"], w, "head"), "", "alpha f.weight f.bias"),
    "zero last layer": (
        VECTOR + 'x = x >> linear("f", 8, 8) >> activation("relu")' + HEAD + 'rule("head.weight", zeros)' + RANDOM,
        lambda x, w: linear(linear(x, w, "f").relu(), w, "head"), "", "f.weight f.bias"),
    "two zero layers and relu": (
        VECTOR + 'x = x >> linear("f", 8, 8) >> activation("relu")' + HEAD + 'rule("*.weight", zeros)\nrule("*.bias", zeros)\n',
        lambda x, w: linear(linear(x, w, "f").relu(), w, "head"), "f.weight f.bias head.weight", ""),
    "two zero layers and a bias": (
        VECTOR + 'x = x >> linear("f", 8, 8) >> activation("tanh")' + HEAD + 'rule("*.weight", zeros)\nrule("*", constant { value = 0.5 })\n',
        lambda x, w: linear(linear(x, w, "f").tanh(), w, "head"), "", "f.weight f.bias"),
    "zero first layer and gelu": (
        VECTOR + 'x = x >> linear("f", 8, 8) >> activation("gelu")' + HEAD + 'rule("f.*", zeros)' + RANDOM,
        lambda x, w: linear(F.gelu(linear(x, w, "f")), w, "head"), "", "head.weight"),
    "Fixup": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> activation("relu") >> linear("g", 8, 8, { bias = false })) * learned("scale", { 1, 1 })\n'
        'x = (x + learned("shift", { 1, 1 }))' + HEAD + 'rule("g.weight", zeros)\nrule("head.*", zeros)\nrule("shift", zeros)\n'
        'rule("scale", ones)' + RANDOM,
        lambda x, w: linear(x + linear(x, w, "f").relu() @ w["g.weight"].T * w["scale"] + w["shift"], w, "head"),
        "", "g.weight shift scale f.weight f.bias"),
    "asleep whatever comes": (
        VECTOR + 'x = x >> linear("f", 8, 8) >> activation("relu")' + HEAD + 'rule("f.weight", zeros)\nrule("f.bias", constant { value = -1 })' + RANDOM,
        lambda x, w: linear(linear(x, w, "f").relu(), w, "head"), "f.weight f.bias head.weight", ""),
    "a factor of zero": (
        VECTOR + 'x = (x >> linear("f", 8, 8)) + (x >> linear("g", 8, 8)) * 0\nx = x' + HEAD + RANDOM,
        lambda x, w: linear(linear(x, w, "f") + linear(x, w, "g") * 0, w, "head"), "g.weight g.bias", ""),
    "layer scale of zero": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> layer_scale("gamma", 8))\nx = x' + HEAD + 'rule("gamma", zeros)' + RANDOM,
        lambda x, w: linear(x + linear(x, w, "f") * w["gamma"], w, "head"), "", "f.weight f.bias"),
    "norm with a scale of zero": (
        VECTOR + 'x = x + (x >> linear("f", 8, 8) >> layer_norm("n", 8))\nx = x' + HEAD + 'rule("n.*", zeros)' + RANDOM,
        lambda x, w: linear(x + F.layer_norm(linear(x, w, "f"), (8,), w["n.weight"], w["n.bias"]), w, "head"), "", "f.weight f.bias"),
    "zero embedding": (
        WORDS + 'x = x >> embedding("e", 11, 8) >> linear("f", 8, 8) >> activation("tanh")' + HEAD
        + 'rule("e.weight", zeros)\nrule("*.bias", zeros)' + RANDOM,
        lambda x, w: linear(linear(w["e.weight"][tokens_of(x)], w, "f").tanh(), w, "head"), "", "f.weight head.weight"),
    "zero embedding, tied": (
        WORDS + 'x = x >> embedding("e", 11, 8) >> tied("head.weight", "e.weight")\nrule("*", zeros)\n',
        lambda x, w: w["e.weight"][tokens_of(x)] @ w["e.weight"].T, "e.weight", ""),
    "zero embedding, tied, with positions": (
        WORDS + 'x = (x >> embedding("e", 11, 8)) + (positions() >> embedding("p", 6, 8))\nx = x >> tied("head.weight", "e.weight")\n'
        'rule("e.weight", zeros)' + RANDOM,
        lambda x, w: (w["e.weight"][tokens_of(x)] + w["p.weight"]) @ w["e.weight"].T, "", "p.weight"),
    "attention to values of zero": (
        'local x = input { "batch", 6, 8 }\nx = bundle(x >> linear("q", 8, 8), x >> linear("k", 8, 8), x >> linear("v", 8, 8)) >> attention { heads = 2 }'
        + HEAD + 'rule("v.*", zeros)' + RANDOM,
        lambda x, w: linear(attend(x, w), w, "head"), "", "q.weight q.bias k.weight head.weight"),
    "one layer for both": (
        VECTOR + 'local f = linear("f", 8, 8)\nx = x >> f >> activation("tanh") >> f' + HEAD + 'rule("f.*", zeros)' + RANDOM,
        lambda x, w: linear(linear(linear(x, w, "f").tanh(), w, "f"), w, "head"), "", "f.weight head.weight"),
}
KEY_BIAS = "k.bias"  # moves no softmax: its gradient is 0 but for rounding, which says nothing here


def torch_moves(forward, found, w, x):
    optimizer = torch.optim.SGD(w.values(), lr=0.1)
    labels = torch.tensor(next(iter(found.arrays[0]["label"].values()))).long()
    moves = dict.fromkeys(w)
    for step in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(forward(x, w).flatten(0, -2), labels).backward()
        for name, weight in w.items():
            if moves[name] is None and weight.grad is not None and weight.grad.count_nonzero() > 0:
                moves[name] = step
        optimizer.step()
    return moves


@pytest.mark.parametrize("name", CASES)
def test_zeros_are_found_exactly(name, tmp_path):
    recipe, forward, never, later = CASES[name]
    source, path = tmp_path / "model.lua", tmp_path / "w.safetensors"
    source.write_text(recipe)
    found = Learned(source, steps=STEPS, optimizer="sgd", rate=0.1, seed=3, batch=5, tokens=6, watch=True)
    subprocess.run([SOW, "init", str(source), "--seed", "3", "-o", str(path), "-q"], check=True)
    w = {name: weight.double().requires_grad_() for name, weight in load_file(str(path)).items()}
    shape = (5, 6) if "tokens()" in recipe else (5, 6, 8) if "6, 8 }\n" in recipe else (5, 8)
    x = torch.tensor(next(iter(found.arrays[0]["value"].values()))).double().reshape(shape)
    moves = torch_moves(forward, found, w, x)
    moves.pop(KEY_BIAS, None)
    assert {name: row["moves"] if row["moves"] >= 0 else None for name, row in found.weights.items() if name != KEY_BIAS} == moves
    assert {name for name, step in moves.items() if step is None} == set(never.split())
    assert {name for name, step in moves.items() if step} == set(later.split())
    told = json.loads(subprocess.run([SOW, "probe", str(source), "--json", "-q", "--batch", "5", "--tokens", "6"],
                                     capture_output=True, text=True).stdout)["verdicts"]
    places = {v["severity"]: v["places"] for v in told if v["code"] == "ZERO-GRAD"}
    late = later.split() + [KEY_BIAS] * (KEY_BIAS in w)
    assert places == {kind: len(names) for kind, names in (("error", never.split()), ("note", late)) if names}, told


def test_units_that_sleep_on_this_batch_are_no_zeros_of_the_plan(tmp_path):
    """A bias of -100 before a relu: no input of the batch wakes a unit, and one that does is possible."""
    source = tmp_path / "model.lua"
    source.write_text(CASES["asleep whatever comes"][0].replace("zeros", "normal { std = 1 }", 1).replace("-1 }", "-100 }"))
    found = Learned(source, steps=STEPS, optimizer="sgd", rate=0.1, seed=3, batch=5)
    assert {name: row["moves"] for name, row in found.weights.items()} == {
        "f.weight": -1, "f.bias": -1, "head.weight": -1, "head.bias": 0}
    done = subprocess.run([SOW, "probe", str(source), "--json", "-q"], capture_output=True, text=True)
    codes = [v["code"] for v in json.loads(done.stdout)["verdicts"]]
    assert "DEAD" in codes and "ZERO-GRAD" not in codes
