# SPDX-License-Identifier: MIT
"""Published and exactly known spectra: Jacobians, weights and correlation maps, as sow probe measures them.

Each test is named after its source. Seeds are fixed, and the numbers are the same on every machine. Where orthogonal weights
come in a file they are torch's. Not here: what is predicted alone (test_acceptance.py), and torch as the judge of each entry (test_jacobian.py).
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.numpy import save_file  # noqa: E402
from tool import probe  # noqa: E402


def chain(width, layers):
    """The short form of so many linear layers of one width, activations between them."""
    return f"mlp:{width}," + (f"{width}x{layers - 1}," if layers > 1 else "") + str(width)


def jacobian(*arguments):
    return probe(*arguments, "--jacobian")["jacobian"]


@pytest.mark.parametrize("scheme, mean", [("uniform{-1/sqrt(1000),1/sqrt(1000)}", .4900701), ("normal{std=1/sqrt(1000)}", .8488264)])
def test_a09_mean_singular_value(scheme, mean):
    """The quarter circle: 8 / (3 pi) times the std times sqrt(n)."""
    assert jacobian("mlp:1000,1000", "--scheme", scheme)["measured"]["mean"] == pytest.approx(mean, rel=0.005)


@pytest.mark.parametrize("scheme, mean", [("uniform{-1/sqrt(fan_in),1/sqrt(fan_in)}", 0.5), ("glorot_uniform", 0.8)])
def test_a09_glorot_2010_jacobians_of_layers(scheme, mean):
    """5 hidden layers of tanh units (400, for the paper's 1000: the mean does not depend on it): the mean singular value from
    one pre-activation to the next, over the layers. The inputs are small, so that tanh is nearly straight there."""
    means = [jacobian("mlp:400,400x5,10", "--activation", "tanh", "--scheme", scheme, "--input", "std=0.3",
                      "--from", f"layers.{layer}", "--to", f"layers.{layer + 1}")["measured"]["mean"] for layer in range(4)]
    assert np.mean(means) == pytest.approx(mean, abs=0.05)


@pytest.mark.parametrize("layers", [1, 2, 5, 10])
def test_a20_pennington_2017_linear_gaussian(layers):
    found = jacobian(chain(400, layers), "--activation", "linear", "--scheme", "lecun_normal", "--seeds", "8")
    measured, expected = found["measured"], found["expected"]
    assert (expected["mean_square"], expected["variance"]) == pytest.approx((1, layers), rel=1e-12)
    # (L + 1)^(L + 1) / L^L, and finite width ends a little inside
    assert expected["largest"] ** 2 == pytest.approx((layers + 1) ** (layers + 1) / layers**layers, rel=1e-6)
    assert measured["largest"] ** 2 == pytest.approx(expected["largest"] ** 2, rel=0.15)
    assert measured["mean_square"] == pytest.approx(1, rel=0.15)
    assert measured["variance"] == pytest.approx(layers, rel=0.15 if layers < 10 else 0.4)
    assert measured["spread"] == pytest.approx(layers, rel=0.15)


@pytest.mark.parametrize("layers", [4, 16])
def test_a20_pennington_2017_relu_gaussian(layers):
    """Each of the L layers is a matrix and a relu: the last linear layer of the short form is left out."""
    found = jacobian(chain(400, layers + 1), "--seeds", "8", "--to", f"layers.{layers - 1}.relu")
    measured, expected = found["measured"], found["expected"]
    assert (expected["mean_square"], expected["variance"]) == pytest.approx((1, 2 * layers), rel=1e-9)
    assert measured["mean_square"] == pytest.approx(1, rel=0.25)
    assert measured["variance"] == pytest.approx(2 * layers, rel=0.4)
    assert measured["spread"] == pytest.approx(2 * layers, rel=0.15 if layers == 4 else 0.4)


def orthogonal_file(path, layers, gain, seed, width=400):
    torch.manual_seed(seed)
    weights = {}
    for layer in range(layers):
        weights[f"layers.{layer}.weight"] = torch.nn.init.orthogonal_(torch.empty(width, width), gain).numpy()
        weights[f"layers.{layer}.bias"] = np.zeros(width, np.float32)
    save_file(weights, path)
    return path


def test_a20_pennington_2017_linear_orthogonal(tmp_path):
    path = orthogonal_file(tmp_path / "w.safetensors", 10, 1, 0)
    found = jacobian(chain(400, 10), "--activation", "linear", "--weights", path)["measured"]
    assert found["mean_square"] == pytest.approx(1, abs=1e-5) and found["variance"] < 1e-10
    assert (found["largest"], found["smallest"], found["condition"]) == pytest.approx((1, 1, 1), abs=1e-5)


@pytest.mark.parametrize("layers", [4, 16])
def test_a20_pennington_2017_orthogonal_expected(layers):
    """L (mu_2 / mu_1^2 - 1), which is L of relu and 0 of linear layers."""
    for activation, gain, variance in (("relu", 2**0.5, layers), ("linear", 1, 0)):
        found = jacobian(chain(16, layers + 1), "--activation", activation, "--scheme", f"orthogonal{{gain={gain!r}}}",
                         *(("--to", f"layers.{layers - 1}.relu") if activation == "relu" else ()))["expected"]
        assert (found["mean_square"], found["variance"]) == pytest.approx((1, variance), abs=1e-9)


@pytest.mark.parametrize("layers, seeds", [(4, 8), (16, 4)])
def test_a20_pennington_2017_relu_orthogonal(layers, seeds):
    measured = jacobian(chain(400, layers + 1), "--to", f"layers.{layers - 1}.relu", "--seeds", seeds,
                        "--scheme", "orthogonal{gain=sqrt(2)}")["measured"]
    assert measured["mean_square"] == pytest.approx(1, rel=0.15)
    assert measured["spread"] == pytest.approx(layers, rel=0.15)
    assert measured["variance"] == pytest.approx(layers, rel=0.15 if layers == 4 else 0.4)


CONV = 'local x = input { "batch", 8, 6, 6 } >> conv2d("c", 8, 8, { kernel = 3, padding = 1, bias = false })\n' \
       'rule("*", normal { std = 1 / sqrt(72) })\n'


def conv_spectrum(folder, weight):
    """The singular values that sow finds, and those of the explicit matrix in float64."""
    (folder / "model.lua").write_text(CONV)
    save_file({"c.weight": weight.float().numpy()}, folder / "w.safetensors")
    found = jacobian(folder / "model.lua", "--weights", folder / "w.safetensors")
    ones = torch.eye(288, dtype=torch.float64).reshape(288, 8, 6, 6)
    matrix = torch.nn.functional.conv2d(ones, weight.float().double(), padding=1).reshape(288, 288)
    assert found["singular_values"] == pytest.approx(torch.linalg.svdvals(matrix).numpy(), abs=2e-6)
    return found["measured"]


def test_a22_xiao_2018_delta_orthogonal_convolution_is_isometric(tmp_path):
    """With any padding, for only the middle tap is not zero. sow's numbers are float32."""
    torch.manual_seed(0)
    weight = torch.zeros(8, 8, 3, 3)
    weight[:, :, 1, 1] = torch.nn.init.orthogonal_(torch.empty(8, 8))
    measured = conv_spectrum(tmp_path, weight)
    assert (measured["largest"], measured["smallest"]) == pytest.approx((1, 1), abs=1e-6)


def test_a22_flattened_orthogonal_and_gaussian_convolutions_are_not(tmp_path):
    """Zero padding keeps ((3 H - 2) / (3 H))^2 of the mean square, which is 1 for circular padding."""
    torch.manual_seed(0)
    flat = conv_spectrum(tmp_path, torch.nn.init.orthogonal_(torch.empty(8, 8, 3, 3)))
    assert flat["mean_square"] == pytest.approx((16 / 18) ** 2, rel=0.03)
    assert 1.6 < flat["largest"] < 1.95 and flat["smallest"] < 0.03
    gaussian = conv_spectrum(tmp_path, torch.randn(8, 8, 3, 3) / 72**0.5)
    assert 1.6 < gaussian["largest"] < 2.2 and gaussian["smallest"] < 0.05


def test_a45_participation_ratio_of_a_gaussian_matrix():
    """(sum l)^2 / sum l^2, l = s^2, of 1000 x 300 independent elements: N n / (N + n + 1)."""
    found = jacobian("mlp:1000,300", "--scheme", "lecun_normal")
    s = np.array(found["singular_values"])
    assert len(s) == 300
    assert (s**2).sum() ** 2 / (s**4).sum() == pytest.approx(230.59, rel=0.01)
    assert 300 / (1 + found["measured"]["spread"]) == pytest.approx(230.59, rel=0.01)


def cosines(layers, *arguments):
    values = {value["name"]: value["pairs"][0] for value in probe(*arguments, "--curves")["curves"]["values"]}
    return [[values[f"layers.{layer}"][key] for layer in layers] for key in ("predicted", "cosine")]


def test_a18_cho_saul_2009_measured():
    """32 pairs at width 1000: the sd of a cosine that l layers scatter is about sqrt(l / 1000), and pairs share the weights."""
    predicted, measured = cosines((1, 2, 3, 5), chain(1000, 7), "--batch", "16", "--seeds", "4")
    assert predicted == pytest.approx([0.3183098862, 0.4937310902, 0.6048257201, 0.7359463506], abs=1e-9)
    assert measured == pytest.approx(predicted, abs=0.04)


def test_a19_schoenholz_2017_measured():
    predicted, measured = cosines(
        (1, 5, 10), chain(1000, 12), "--activation", "tanh", "--scheme", "normal{std=sqrt(1.7609546396/fan_in)}",
        "--set", "layers.0.weight=normal{std=sqrt(0.5700478816/fan_in)}", "--set", "layers.0.bias=zeros",
        "--set", "*.bias=normal{std=sqrt(0.05)}", "--batch", "16", "--seeds", "4")
    assert predicted == pytest.approx([.08771193, .34271902, .52801698], abs=1e-6)
    assert measured == pytest.approx(predicted, abs=0.06)
