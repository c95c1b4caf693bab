# SPDX-License-Identifier: MIT
"""Biases from priors: the losses that sow tells are torch's, the gate that a forget bias opens is the
one by which torch's and Keras' own layers keep their state."""
import importlib.util
import math
import pathlib
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tool import sow

functional = torch.nn.functional


def sigmoid_focal_loss():
    """torchvision's own, from its file: the package itself does not import where its compiled operators
    were built for another torch."""
    found = importlib.util.find_spec("torchvision")
    if found is None:
        pytest.skip("torchvision is not installed")
    file = pathlib.Path(found.submodule_search_locations[0]) / "ops/focal_loss.py"
    names = {}
    text = file.read_text().replace("from ..utils import _log_api_usage_once",
                                    "_log_api_usage_once = print")
    exec(compile(text, str(file), "exec"), names)  # noqa: S102
    return names["sigmoid_focal_loss"]


def numbers_of_loss(recipe, tensor, rule):
    text = " ".join(sow("explain", str(recipe), tensor, "--set", f"{tensor}={rule}").split())
    loss = re.search(r" loss (.*?) draw ", text).group(1)
    return [float(x) for x in re.findall(r"(?<![\w.])\d+\.\d+", loss)], loss


@pytest.fixture
def head(tmp_path):
    path = tmp_path / "head.lua"
    path.write_text('linear("head", 4, 5)\nrule("*", zeros)\n')
    return path


def bias(pi):
    return torch.tensor(-math.log((1 - pi) / pi), dtype=torch.float64)


def mixed(loss, logit, share):
    """The mean loss where a share of the targets is 1."""
    targets = torch.tensor([1.0, 0.0], dtype=torch.float64)
    both = loss(logit.repeat(2), targets)
    return (share * both[0] + (1 - share) * both[1]).item()


@pytest.mark.parametrize("pi,positives", [(0.1, 0.01), (0.01, 0.1), (0.3, 0.002)])
def test_the_binary_losses_are_torchs(head, pi, positives):
    told, _ = numbers_of_loss(head, "head.bias", f"prior{{pi={pi}, positives={positives}}}")

    def loss(logit, target):
        return functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    zero = torch.zeros((), dtype=torch.float64)
    wanted = [mixed(loss, bias(pi), pi), mixed(loss, zero, pi), mixed(loss, bias(pi), positives),
              positives, mixed(loss, zero, positives)]
    assert told == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("pi,gamma,alpha", [(0.01, 2, 0.25), (0.1, 0.5, 0.75)])
def test_the_focal_losses_are_torchvisions(head, pi, gamma, alpha):
    focal = sigmoid_focal_loss()
    rule = f"focal_prior{{pi={pi}, gamma={gamma}, alpha={alpha}, positives=0.05}}"
    told = numbers_of_loss(head, "head.bias", rule)[1]
    told = [float(x) for x in re.findall(r"\d+\.\d+", told.split(")", 1)[1])]

    def loss(logit, target):
        return focal(logit, target, alpha=alpha, gamma=gamma)
    zero = torch.zeros((), dtype=torch.float64)
    wanted = [mixed(loss, bias(pi), pi), mixed(loss, zero, pi), mixed(loss, bias(pi), 0.05), 0.05,
              mixed(loss, zero, 0.05)]
    assert told == pytest.approx(wanted, rel=1e-5)


def test_the_prior_is_retinanets(tmp_path):
    try:
        from torchvision.models.detection import retinanet
    except (ImportError, RuntimeError) as reason:  # RuntimeError: operators of another torch
        pytest.skip(f"torchvision does not import: {reason}")
    real = retinanet.RetinaNetClassificationHead(4, 3, 5, prior_probability=0.01)
    path = tmp_path / "head.lua"
    path.write_text('conv2d("cls_logits", 4, 15)\nrule("*.weight", zeros)\nrule("*", prior { 0.01 })\n')
    sow("init", str(path), "-q", "-o", str(tmp_path / "head.safetensors"))
    ours = load_file(tmp_path / "head.safetensors")["cls_logits.bias"]
    assert torch.equal(ours, real.cls_logits.bias.detach())


def test_the_class_prior_gives_the_entropy(head, tmp_path):
    counts = [700.0, 200.0, 90.0, 9.0, 1.0]
    told, _ = numbers_of_loss(head, "head.bias",
                              "class_prior{counts={" + ",".join(map(str, counts)) + "}}")
    out = tmp_path / "head.safetensors"
    sow("init", str(head), "-q", "-o", str(out), "--set",
        "head.bias=class_prior{counts={" + ",".join(map(str, counts)) + "}}")
    logits = load_file(out)["head.bias"].double()
    p = torch.tensor(counts, dtype=torch.float64) / sum(counts)
    loss = functional.cross_entropy(logits[None], p[None]).item()
    assert loss == pytest.approx(told[0], rel=1e-5)
    assert told[1] == pytest.approx(math.log(5), rel=1e-5)
    assert torch.allclose(torch.softmax(logits, 0), p, rtol=1e-6)


RECURRENT = """lstm("lstm", 4, 8, { layers = 2, bidirectional = true })
gru("gru", 4, 8)
rule("*weight*", normal { std = 1e-6 })
rule("*", forget_bias { 30 })
"""
KERAS = """lstm("lstm", 4, 8, { names = "keras" })
gru("gru", 4, 8, { names = "keras" })
rule("*kernel*", normal { std = 1e-6 })
rule("*", forget_bias { 30 })
"""


def made(tmp_path, recipe):
    path = tmp_path / "net.lua"
    path.write_text(recipe)
    sow("init", str(path), "-q", "-o", str(tmp_path / "net.safetensors"))
    return load_file(tmp_path / "net.safetensors")


def test_torchs_layers_keep_their_state(tmp_path):
    tensors = made(tmp_path, RECURRENT)
    lstm = torch.nn.LSTM(4, 8, num_layers=2, bidirectional=True)
    gru = torch.nn.GRU(4, 8)
    for name, layer in (("lstm.", lstm), ("gru.", gru)):
        own = {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}
        layer.load_state_dict(own, strict=True)
        # The sum of both biases counts, and it is 30 in one gate only.
        total = own["bias_ih_l0"] + own["bias_hh_l0"]
        assert sorted(set(total.tolist())) == [0.0, 30.0] and (total == 30).sum() == 8
    x = torch.randn(25, 3, 4)
    cell = torch.randn(4, 3, 8)
    _, (_, after) = lstm(x, (torch.zeros(4, 3, 8), cell))
    assert (after - cell).abs().max() < 1e-3 < cell.abs().max()
    state = torch.randn(1, 3, 8)
    assert (gru(x, state)[1] - state).abs().max() < 1e-5


def test_keras_layers_keep_their_state(tmp_path):
    keras = pytest.importorskip("keras")
    tensors = {key: value.numpy() for key, value in made(tmp_path, KERAS).items()}
    x = np.random.default_rng(1).standard_normal((3, 4, 4)).astype("float32")
    state = np.random.default_rng(2).standard_normal((3, 8)).astype("float32")
    layer = keras.layers.GRU(8, recurrent_initializer="zeros")
    layer.build((3, 4, 4))
    layer.set_weights([tensors[f"gru.{what}"] for what in ("kernel", "recurrent_kernel", "bias")])
    states = [state]
    for step in range(4):
        states = layer.cell(x[:, step], states)[1]
    assert np.abs(keras.ops.convert_to_numpy(states[-1]) - state).max() < 1e-3
    # Keras' own default, unit_forget_bias, is the same vector.
    own = keras.layers.LSTM(8, kernel_initializer="zeros", recurrent_initializer="zeros")
    own.build((3, 4, 4))
    assert (own.get_weights()[2] * 30 == tensors["lstm.bias"]).all()
