# SPDX-License-Identifier: MIT
"""What learns and what does not, through the command line: coordinate checks, Fixup, deep networks that train and that stall on
one batch by heart."""
import json
import math
import os
import subprocess

import pytest

SOW = os.environ["SOW"]


def probe(source, *options, codes=(0, 1)):
    done = subprocess.run([SOW, "probe", str(source), "--json", "-q", *options], capture_output=True, text=True)
    assert done.returncode in codes, done.stderr
    return json.loads(done.stdout)


# ---- The coordinate check ----

MUP = os.path.join(os.path.dirname(__file__), "../../examples/mup.lua")


def slopes(source, *options):
    """After one step, and of the last value at the beginning."""
    found = probe(source, "--widths", "64,128,256,512,1024,2048", "--batch", "64", "--seeds", "4", "--steps", "1", "--lr", "0.001", *options)
    values = [v for v in found["values"] if v["operation"] in ("linear", "scale")]
    changes = {v["name"]: v["change"][1] for v in values}
    return changes, values[-1]["size"], found["agree"]


def test_a32_yang_2022_coordinates_of_the_standard_parametrisation():
    changes, output, agree = slopes("mlp:32,{}x2,10", "--scheme", "normal{std=1/sqrt(fan_in)}", "--lr", "*.bias=0")
    assert changes == pytest.approx({"layers.0": 0, "layers.1": 0.96, "layers.2": 1.30}, abs=0.1)
    assert output == pytest.approx(0, abs=0.1) and not agree


def test_a32_yang_2022_coordinates_of_mup():
    changes, output, agree = slopes(MUP, "--lr", "h2.weight=0.001*64/fan_in")
    assert [changes[name] for name in ("h1", "h2", "scale")] == pytest.approx([0, -0.03, -0.08], abs=0.1)
    assert output == pytest.approx(-0.54, abs=0.1) and agree


# ---- Fixup ----

FIXUP = os.path.join(os.path.dirname(__file__), "../../examples/fixup.lua")


def test_a31_zhang_2019_fixup_moves_layer_by_layer():
    """Zhang et al. 2019: the loss is ln 10, at first only the last layer has a gradient, then the branches' last
    convolutions, scales and biases, and their first convolutions once those are not zero."""
    plan = json.loads(subprocess.run([SOW, "plan", FIXUP, "--json"], capture_output=True, text=True, check=True).stdout)
    drawn = {t["name"]: t for t in plan["tensors"]}
    for name, tensor in drawn.items():
        if name.endswith(".conv1.weight"):  # out, in, 3, 3
            assert tensor["std"] == pytest.approx(math.sqrt(2 / (9 * tensor["shape"][0])) * 54**-0.5, rel=1e-10)
        elif name.endswith(".conv2.weight") or name in ("fc.weight", "fc.bias"):
            assert tensor["scheme"] == "zeros"
    found = probe(FIXUP, "--measure", "--batch", "2")["values"]
    assert found[-1]["second_moment"] == 0 and found[-1]["measured"]["max_abs"] == 0
    found = probe(FIXUP, "--steps", "4", "--batch", "8", "--optimizer", "sgd", "--lr", "0.1", codes=(0,))["learning"]
    assert found["loss"][0] == pytest.approx(math.log(10), rel=1e-7) and found["loss"][4] < found["loss"][0]
    moves = {w["name"]: w["moves"] for w in found["weights"]}
    assert {name for name, step in moves.items() if step == 0} == {"fc.weight", "fc.bias"}
    branches = [name.removesuffix(".conv2.weight") for name in moves if name.endswith("conv2.weight")]
    assert len(branches) == 54
    for branch in branches:
        assert moves[f"{branch}.conv2.weight"] == moves[f"{branch}.bias2b"] == 1
        for name in "conv1.weight", "bias1a", "bias1b", "bias2a", "scale":  # of a product with conv2, which is zero until then
            assert moves[f"{branch}.{name}"] == 2


# ---- Deep networks that train, and that stall ----

# Without biases: the last one learns how often each label comes, which needs no signal.
SGD = ["--steps", "200", "--batch", "16", "--optimizer", "sgd", "--lr", "*.bias=0"]
RELU = ["mlp:64,128x29,10", "--lr", "0.005", *SGD]
TANH = ["mlp:64,64x49,10", "--activation", "tanh", "--lr", "0.02", *SGD]


def losses(arguments, *options):
    return probe(*arguments, *options)["learning"]["loss"]


def test_thirty_layers_of_relu_train_with_he_and_stall_with_xavier():
    he, xavier = losses(RELU, "--scheme", "he_normal"), losses(RELU, "--scheme", "glorot_normal")
    assert he[-1] < 0.5 * he[0]
    assert all(abs(loss / math.log(10) - 1) < 0.01 for loss in xavier)


def test_fifty_layers_of_tanh_train_when_orthogonal_and_critical():
    loss = losses(TANH, "--scheme", "orthogonal")
    assert loss[-1] < 0.5 * loss[0]


def test_fifty_layers_of_tanh_train_when_critical_and_stall_below():
    critical, below = losses(TANH, "--scheme", "normal{std=1/sqrt(fan_in)}"), losses(TANH, "--scheme", "normal{std=1/sqrt(3*fan_in)}")
    assert critical[-1] < 0.5 * critical[0]
    assert all(abs(loss / math.log(10) - 1) < 0.01 for loss in below)
