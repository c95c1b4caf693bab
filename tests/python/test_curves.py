# SPDX-License-Identifier: MIT
"""Pairs of inputs and inputs of three sizes (sow probe --curves) against torch in float64: the same weights, the inputs made
from the same draws by the documented rule."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import tool  # noqa: E402
from libsow_model import Measured  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

F = torch.nn.functional
COSINES, SCALES = (0, 0.5, 0.9, 0.99, 0.999), (0.5, 1, 2)

RECIPE = '''
local x = input { "batch", 3, 6, 6, mean = 0.4, std = 0.8 } >> conv2d("c", 3, 8, { kernel = 3 }) >> activation("gelu")
x = x >> flatten() >> linear("l", 128, 20) >> activation("tanh") >> linear("m", 20, 7)
rule("*", normal { std = 0.3 })
'''


def probe(*arguments):
    return tool.probe(*arguments, "--curves")


def pairs_of(drawn, mean, cosine):
    """The second of two samples: mean + c a + sqrt(1 - c^2) d, d at right angles to a and as long."""
    made = drawn.copy()
    for i in range(0, len(drawn), 2):
        a, b = (drawn[k].ravel() - mean for k in (i, i + 1))
        d = b - (a @ b) / (a @ a) * a
        made[i + 1] = (mean + cosine * a + np.sqrt(1 - cosine**2) * d * np.sqrt((a @ a) / (d @ d))).reshape(drawn[i].shape)
    return made


def test_curves_are_torch(tmp_path):
    source, path = tmp_path / "model.lua", tmp_path / "w.safetensors"
    source.write_text(RECIPE)
    tool.init(source, path)
    w = {name: weight.double() for name, weight in load_file(str(path)).items()}
    drawn = Measured(source, batch=6, watch=True).value("input").astype(np.float64)

    def network(x):
        x = torch.tensor(x)
        values = {"input": x, "c": F.conv2d(x, w["c.weight"], w["c.bias"])}
        values["gelu"] = F.gelu(values["c"])
        values["l"] = F.linear(values["gelu"].flatten(1), w["l.weight"], w["l.bias"])
        values["m"] = F.linear(torch.tanh(values["l"]), w["m.weight"], w["m.bias"])
        return {name: value.flatten(1).numpy() for name, value in values.items()}

    curves = probe(source, "--batch", "6")["curves"]
    found = {value["name"]: value for value in curves["values"]}
    assert curves["pairs"] == 3
    for k, cosine in enumerate(COSINES):
        for name, x in network(pairs_of(drawn, 0.4, cosine)).items():
            a, b = x[0::2], x[1::2]
            cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            centred = [np.corrcoef(u, v)[0, 1] for u, v in zip(a, b)]
            told = found[name]["pairs"][k]
            assert told["from"] == cosine
            assert told["cosine"] == pytest.approx(cosines.mean(), abs=1e-6)
            assert told["distance"] == pytest.approx((1 - cosines).mean(), rel=1e-4)
            assert told["centred"] == pytest.approx(np.mean(centred), abs=2e-6)
    for k, scale in enumerate(SCALES):
        for name, x in network(scale * drawn).items():
            assert found[name]["scales"][k]["second_moment"] == pytest.approx((x**2).mean(), rel=1e-5)
    moments = [found["m"]["scales"][k]["second_moment"] for k in (0, 2)]
    assert curves["response"] == pytest.approx(np.log(moments[1] / moments[0]) / np.log(16), rel=1e-9)


@pytest.mark.parametrize("name, scale", [("relu", "neutral"), ("tanh", "converge"), ("gelu", "diverge")])
def test_sign_of_chi_par(name, scale):
    """chi_par of the three is 1, below 1, above 1."""
    curves = probe("mlp:300,300x9,300", "--activation", name)["curves"]
    assert curves["scale"] == scale
    assert curves["response"] == pytest.approx(curves["response_predicted"], rel=0.25)


def test_prediction_is_that_of_the_correlation():
    """At width 1000 the measured cosines of 8 pairs lie within 4 / sqrt(1000 x 8) a layer of Mehler's curve."""
    curves = probe("mlp:1000,1000x3,1000", "--batch", "16")["curves"]
    assert curves["farthest"] < 4 * 2 / np.sqrt(8000)
    known = [0, 0.3183098862, 0.4937310902, 0.6048257201]  # Cho and Saul's iterates
    layers = [value for value in curves["values"] if value["name"].startswith("layers.") and "relu" not in value["name"]]
    assert [value["pairs"][0]["predicted"] for value in layers] == pytest.approx(known, abs=1e-9)
