# SPDX-License-Identifier: MIT
"""Spectral norms and distances from orthogonal of sow probe --spectra against numpy, growth a layer against np.polyfit, and
the index of rank collapse against its formula."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from libsow_model import Measured  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402
from tool import init, probe  # noqa: E402


def spectra_of(*arguments):
    return {row["name"]: row for row in probe(*arguments, "--spectra")["spectra"]}


RECIPE = '''
local x = input { "batch", 6, 9, 9 } >> conv2d("c", 6, 10, { kernel = 3, groups = 2 }) >> activation("relu")
x = x >> conv2d("k", 10, 4, { kernel = 3, layout = "in-out" }) >> conv_transpose2d("t", 4, 3, { kernel = 2 })
x = x >> flatten() >> linear("wide", 108, 500, { layout = "in-out" }) >> linear("narrow", 500, 30)
rule("*.weight", normal { std = 0.2 })
rule("*.bias", zeros)
'''


def matrix_of(name, weight):
    """Outputs by all else; of a transposed convolution all else by inputs."""
    if name == "k.weight":  # (kernel, kernel, in, out)
        return weight.reshape(-1, weight.shape[-1]).T
    if name == "t.weight":  # (in, out, kernel, kernel)
        return weight.reshape(weight.shape[0], -1).T
    return weight.T if name == "wide.weight" else weight.reshape(weight.shape[0], -1)


def test_norms_are_numpy(tmp_path):
    source, path = tmp_path / "model.lua", tmp_path / "w.safetensors"
    source.write_text(RECIPE)
    init(source, path)
    weights, found = load_file(str(path)), spectra_of(source)
    assert set(found) == {name for name, weight in weights.items() if weight.ndim > 1}
    for name, row in found.items():
        w = matrix_of(name, weights[name].astype(np.float64))
        gram, square = (w @ w.T if len(w) <= w.shape[1] else w.T @ w), max(w.shape) * 0.04
        assert row["norm"] == pytest.approx(np.linalg.norm(w, 2), rel=1e-9)
        assert row["gain"] == pytest.approx(np.sqrt(square), rel=1e-12)
        assert row["orthogonality_error"] == pytest.approx(np.abs(gram - square * np.eye(len(gram))).max(), rel=1e-9)
        assert (row["outputs"], row["inputs"]) == w.shape
        assert row["norm_expected"] == pytest.approx(0.2 * (np.sqrt(len(w)) + np.sqrt(w.shape[1])), rel=1e-12)


def test_norm_of_a_large_weight(tmp_path):
    """Above 1024 rows the matrix itself is iterated on, not its Gram matrix."""
    path = tmp_path / "w.safetensors"
    init("mlp:1400,1100", path)
    row = spectra_of("mlp:1400,1100")["layers.0.weight"]
    assert row["norm"] == pytest.approx(np.linalg.norm(load_file(str(path))["layers.0.weight"].astype(np.float64), 2), rel=1e-9)
    assert row["orthogonality_error"] is None
    # Tracy and Widom: the relative scatter at the edge is of order n^(-2/3), here 1 %
    assert row["norm"] == pytest.approx(row["norm_expected"], rel=0.03)


def test_orthogonal_weights_of_a_checkpoint(tmp_path):
    weights = {}
    for layer, (outputs, inputs) in enumerate([(80, 60), (80, 80), (30, 80)]):
        weights[f"layers.{layer}.weight"] = torch.nn.init.orthogonal_(torch.empty(outputs, inputs)).numpy()
        weights[f"layers.{layer}.bias"] = np.zeros(outputs, np.float32)
    save_file(weights, tmp_path / "w.safetensors")
    found = spectra_of("mlp:60,80x2,30", "--weights", tmp_path / "w.safetensors", "--scheme",
                       "normal{std=1/sqrt(max(fan_in,fan_out))}")
    for row in found.values():
        assert row["gain"] == pytest.approx(1, rel=1e-12)
        assert row["norm"] == pytest.approx(1, abs=1e-6) and row["orthogonality_error"] < 1e-6


def test_constant_weights_have_one_direction():
    row = spectra_of("mlp:50,20", "--scheme", "constant{0.3}")["layers.0.weight"]
    assert row["norm"] == pytest.approx(row["norm_expected"], rel=1e-6)
    assert row["norm_expected"] == pytest.approx(0.3 * np.sqrt(1000), rel=1e-7)


def test_growth_a_layer_is_a_least_squares_fit():
    told = probe("mlp:100,100x12,100", "--activation", "tanh", "--scheme", "normal{std=0.08}", "--seeds", "2")
    layers = [value for value in told["values"] if value["name"].endswith(".tanh")]
    measured = [value["measured"] for value in layers]
    slopes = told["slopes"]
    assert slopes["layers"] == len(layers) == 12
    for key, numbers in {"signal": [value["second_moment"] for value in layers],
                         "gradient": [value["gradient"] for value in layers],
                         "measured_signal": [value["second_moment"] for value in measured],
                         "measured_gradient": [value["gradient_second_moment"] for value in measured]}.items():
        assert slopes[key] == pytest.approx(np.polyfit(range(12), np.log(numbers), 1)[0], rel=1e-9), key
    assert slopes["signal"] < -0.1 < 0.1 < slopes["gradient"]  # against depth: the gradient vanishes towards the input


def test_rank_collapse(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 20, 16, mean = 0.5, correlation = 0.3 }\n'
                      'x = x >> linear("qkv", 16, 48) >> attention { heads = 2 } >> linear("o", 16, 16)\n'
                      'rule("*", normal { std = 0.2 })\n')
    found = Measured(source, batch=3, watch=True)
    for name, row in found.values.items():
        x = found.value(name).astype(np.float64)
        apart = np.linalg.norm(x - x.mean(1, keepdims=True), axis=(1, 2)) / np.linalg.norm(x, axis=(1, 2))
        assert row["rank_collapse"] == pytest.approx(apart.mean(), rel=1e-9), name
    images = tmp_path / "images.lua"
    images.write_text('local x = input { "batch", 3, 4, 5 } >> conv2d("c", 3, 6, { kernel = 2 })\nrule("*", normal { std = 1 })\n')
    found = Measured(images, batch=2, watch=True)
    x = found.value("c").astype(np.float64).reshape(2, 6, -1)
    apart = np.linalg.norm(x - x.mean(2, keepdims=True), axis=(1, 2)) / np.linalg.norm(x, axis=(1, 2))
    assert found.values["c"]["rank_collapse"] == pytest.approx(apart.mean(), rel=1e-9)
    assert np.isnan(Measured("mlp:8,8,8").values["layers.0"]["rank_collapse"])  # one place


def ranks_of(x):
    """Participation ratio, stable rank and effective rank of a matrix."""
    s = np.linalg.svd(x, compute_uv=False)
    p = s / s.sum()
    return [(s**2).sum() ** 2 / (s**4).sum(), (s**2).sum() / s[0] ** 2, np.exp(-(p * np.log(p)).sum())]


@pytest.mark.parametrize("activation, gain, function, width, layers", [
    ("relu", 2, lambda x: np.maximum(x, 0), 256, 5), ("tanh", 1, np.tanh, 512, 3)])
def test_ranks_of_a_correct_random_network(activation, gain, function, width, layers):
    """The expected ranks against the mean over 30 networks drawn by numpy."""
    told = probe(f"mlp:{width},{width}x{layers},{width}", "--activation", activation, "--scheme", f"normal{{std=sqrt({gain}/fan_in)}}",
                 "--batch", "32", "--measure")
    generator, found = np.random.default_rng(1), {}
    for _ in range(30):
        x = generator.standard_normal((32, width))
        found.setdefault("input", []).append(ranks_of(x))
        for layer in range(layers):
            x = x @ generator.standard_normal((width, width)) * (gain / width) ** 0.5
            found.setdefault(f"layers.{layer}", []).append(ranks_of(x))
            x = function(x)
            found.setdefault(f"layers.{layer}.{activation}", []).append(ranks_of(x))
    for value in told["values"][:-1]:
        mean, measured = np.mean(found[value["name"]], axis=0), value["measured"]
        for name, theirs, room in zip(("participation", "stable_rank", "effective_rank"), mean, (0.06, 0.06, 0.1), strict=True):
            if value["directions"] >= 32 or name != "effective_rank":
                assert measured[f"{name}_expected"] == pytest.approx(theirs, rel=room), (value["name"], name)
        assert measured["participation"] == pytest.approx(mean[0], rel=0.25), value["name"]
        assert ("effective_rank_expected" in measured) == (value["directions"] >= 32)


def test_ranks_of_tokens_at_shared_positions(tmp_path):
    """Tokens of two samples at one position are alike by what the position adds, at two positions they are not."""
    source = tmp_path / "model.lua"
    source.write_text('local x = tokens() >> embedding("word", 5000, 256)\n'
                      'x = x + (positions() >> embedding("place", 64, 256))\nx = x >> linear("out", 256, 256)\n'
                      'rule("*.bias", zeros)\nrule("out.weight", lecun_normal)\nrule("*", normal { std = 1 })\n')
    values = {v["name"]: v for v in probe(source, "--batch", "8", "--tokens", "64", "--measure")["values"]}
    for name in ("add", "out"):
        measured = values[name]["measured"]
        for rank in ("participation", "stable_rank", "effective_rank"):
            assert measured[f"{rank}_expected"] == pytest.approx(measured[rank], rel=0.1), (name, rank)
        assert measured["rank_collapse_expected"] == pytest.approx(measured["rank_collapse"], rel=0.01)
