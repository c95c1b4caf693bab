# SPDX-License-Identifier: MIT
"""The catalogue against the frameworks themselves: fans, gains, and the laws behind their words."""
import math
import os
import pathlib
import subprocess
import sys

import libsow
import numpy as np
import pytest
import torch
from catalogue import gain, resolve
from libsow import Tensor, fill
from scipy import stats

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPE = (1024, 512)  # (out, in)

# torch's function, its arguments; sow's arguments (the word is torch's own)
TORCH = [
    ("uniform_", {"a": -0.1, "b": 0.3}, {"low": -0.1, "high": 0.3}),
    ("normal_", {"mean": 0.5, "std": 0.02}, {"mean": 0.5, "std": 0.02}),
    ("constant_", {"val": 0.25}, {"value": 0.25}),
    ("zeros_", {}, {}),
    ("ones_", {}, {}),
    ("trunc_normal_", {"std": 0.02}, {"std": 0.02}),
    ("trunc_normal_", {"std": 1.5}, {"std": 1.5}),
    ("trunc_normal_", {"mean": 0.1, "std": 1.0, "a": -0.5, "b": 2.0},
     {"mean": 0.1, "std": 1.0, "low_absolute": -0.5, "high_absolute": 2.0}),
    ("xavier_uniform_", {}, {}),
    ("xavier_uniform_", {"gain": 5 / 3}, {"gain": 5 / 3}),
    ("xavier_normal_", {}, {}),
    ("xavier_normal_", {"gain": 0.5}, {"gain": 0.5}),
    ("kaiming_uniform_", {}, {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, {"gain": "leaky_relu", "slope": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}, {"mode": "fan_out"}),
    ("kaiming_normal_", {}, {}),
    ("kaiming_normal_", {"nonlinearity": "linear"}, {"gain": "linear"}),
    ("kaiming_normal_", {"mode": "fan_out"}, {"mode": "fan_out", "gain": "relu"}),
]


def torch_tensor(shape=SHAPE):
    return torch.empty(shape)


@pytest.mark.parametrize("word,torch_arguments,arguments", TORCH)
def test_words_of_torch_mean_torchs_law(word, torch_arguments, arguments):
    torch.manual_seed(1)
    theirs = getattr(torch.nn.init, word)(torch_tensor(), **torch_arguments).numpy().ravel()
    draw = resolve(word, Tensor.make(SHAPE), **arguments)
    ours = fill(draw, theirs.size)
    mean, std = draw.moments()
    if draw.distribution == libsow.CONSTANT:
        assert (theirs == ours).all()
        return
    standard_error = std / math.sqrt(theirs.size)
    for values in (theirs, ours):
        assert abs(values.mean(dtype=float) - mean) < 5 * standard_error
        assert abs(values.std(dtype=float) - std) < 5 * standard_error
    assert stats.ks_2samp(theirs, ours).pvalue > 1e-4
    if draw.distribution != libsow.NORMAL:
        for values in (theirs, ours):
            assert draw.low <= values.min() and values.max() <= draw.high
    if draw.distribution == libsow.UNIFORM:
        width = draw.high - draw.low
        assert theirs.max() > draw.high - 1e-4 * width and theirs.min() < draw.low + 1e-4 * width


@pytest.mark.parametrize("shape", [(512, 256), (1, 7), (64, 32, 5), (64, 32, 3, 3),
                                   (8, 6, 2, 3, 4)])
def test_fans_are_torchs(shape):
    kind = "linear" if len(shape) == 2 else "conv"
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch_tensor(shape))
    assert Tensor.make(shape, kind).fans() == theirs
    other = (shape[1], shape[0]) if len(shape) == 2 else (*shape[2:], shape[1], shape[0])
    assert Tensor.make(other, kind, layout="in-out").fans() == theirs


@pytest.mark.parametrize("groups", [2, 8, 32])
def test_grouped_fans_are_right_where_torchs_are_not(groups):
    convolution = torch.nn.Conv2d(32, 64, 3, groups=groups)
    shape = tuple(convolution.weight.shape)
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(convolution.weight)
    ours = Tensor.make(shape, "conv", groups=groups).fans()
    assert ours == (theirs[0], theirs[1] / groups)  # pytorch/pytorch#23854
    # True by counting: outputs that the first input feeds, and inputs that the first output reads.
    with torch.no_grad():
        convolution.weight.fill_(1)
        convolution.bias.fill_(0)
        image = torch.zeros(1, 32, 5, 5)
        image[0, 0, 2, 2] = 1
        assert torch.count_nonzero(convolution(image)).item() == ours[1]
        assert convolution(torch.ones(1, 32, 3, 3))[0, 0, 0, 0].item() == ours[0]


def test_gains_are_torchs_where_torchs_are_exact():
    for activation, slope in (("linear", None), ("relu", None), ("leaky_relu", None),
                              ("leaky_relu", 0.2), ("leaky_relu", math.sqrt(5))):
        theirs = torch.nn.init.calculate_gain(activation, slope)
        ours = gain(activation, math.nan if slope is None else slope)
        assert ours == pytest.approx(theirs, rel=1e-15)
    # ... and are not where they are rules of thumb.
    assert torch.nn.init.calculate_gain("tanh") == 5 / 3
    assert torch.nn.init.calculate_gain("selu") == 3 / 4
    assert gain("tanh") == pytest.approx(1.592537419722831, rel=1e-14)
    assert gain("selu") == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize("word,function", [
    ("relu", torch.relu), ("leaky_relu", torch.nn.functional.leaky_relu), ("tanh", torch.tanh),
    ("sigmoid", torch.sigmoid), ("selu", torch.nn.functional.selu),
    ("gelu", torch.nn.functional.gelu),
    ("gelu_tanh", lambda z: torch.nn.functional.gelu(z, approximate="tanh")),
    ("silu", torch.nn.functional.silu), ("linear", lambda z: z)])
def test_gains_keep_the_second_moment_of_torchs_activations(word, function):
    z = torch.linspace(-12, 12, 2_400_001, dtype=torch.float64)
    weight = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    second_moment = torch.trapezoid(function(z) ** 2 * weight, z).item()
    assert gain(word) ** 2 * second_moment == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("low,high", [(-2, 2), (-3, 3), (-1, 1), (-0.1, 0.1), (-1, 3), (1, 4),
                                      (0, math.inf), (-40, 40), (3, 5)])
def test_truncated_moments_are_scipys(low, high):
    draw = resolve("trunc_normal", std=0.5, mean=1.0, low=low, high=high)
    mean, std = draw.moments()
    law = stats.truncnorm(low, high, loc=1, scale=0.5)
    assert mean == pytest.approx(law.mean(), rel=1e-10)
    assert std == pytest.approx(law.std(), rel=1e-8)


@pytest.mark.parametrize("bounds", [0.5, 1, 2, 3, 6])
def test_std_after_the_cut_is_what_was_asked(bounds):
    draw = resolve("trunc_normal", std=0.02, std_of="after", bounds=bounds)
    law = stats.truncnorm(draw.low / draw.std, draw.high / draw.std, scale=draw.std)
    assert law.std() == pytest.approx(0.02, rel=1e-9)
    values = fill(draw, 1 << 18)
    assert abs(values.std(dtype=float) - 0.02) < 5 * 0.02 / math.sqrt(values.size)


@pytest.mark.parametrize("scheme", ["glorot", "he", "lecun"])
@pytest.mark.parametrize("form", ["uniform", "normal", "trunc_normal"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_every_form_has_the_variance_of_the_formula(scheme, form, mode):
    draw = resolve(f"{scheme}_{form}", Tensor.make(SHAPE), mode=mode)
    fans = {"fan_in": 512, "fan_out": 1024, "fan_avg": 768, "fan_geo_avg": math.sqrt(512 * 1024)}
    expected = math.sqrt((2 if scheme == "he" else 1) / fans[mode])
    values = fill(draw, 1 << 19, name=f"{scheme}.{form}.{mode}")
    assert draw.moments()[1] == pytest.approx(expected, rel=1e-14)
    assert abs(values.std(dtype=float) - expected) < 5 * expected / math.sqrt(values.size)


# ---- frameworks that are judges when they are installed --------------------------------------

JAX = [("glorot_uniform", "glorot_uniform"), ("glorot_normal", "glorot_trunc_normal"),
       ("he_uniform", "he_uniform"), ("he_normal", "he_trunc_normal"),
       ("lecun_uniform", "lecun_uniform"), ("lecun_normal", "lecun_trunc_normal")]


@pytest.mark.parametrize("theirs,ours", JAX)
def test_jax(theirs, ours):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    values = np.asarray(getattr(jax.nn.initializers, theirs)()(jax.random.key(1), SHAPE[::-1]))
    compare(values.ravel(), resolve(ours, Tensor.make(SHAPE[::-1], layout="in-out")))


KERAS = [("GlorotUniform", {}), ("GlorotNormal", {}), ("HeUniform", {}), ("HeNormal", {}),
         ("LecunUniform", {}), ("LecunNormal", {}), ("VarianceScaling", {})]


@pytest.mark.parametrize("word,arguments", KERAS)
def test_keras(word, arguments):
    keras = pytest.importorskip("keras", reason="keras is not installed")
    values = np.asarray(getattr(keras.initializers, word)(seed=1, **arguments)(SHAPE[::-1]))
    compare(values.ravel(), resolve(word, Tensor.make(SHAPE[::-1], layout="in-out")))


def compare(values, draw):
    std = draw.moments()[1]
    assert abs(values.std(dtype=float) - std) < 5 * std / math.sqrt(values.size)
    assert stats.ks_2samp(values, fill(draw, values.size)).pvalue > 1e-4
    assert np.abs(values).max() <= draw.high * (1 + 1e-6)


# ---- errors, the manual, the example ---------------------------------------------------------------------

def test_f12_a_parameter_nobody_reads():
    with pytest.raises(libsow.SowError, match=r"no parameter weight_std; .* did you mean std\?"):
        resolve("normal", weight_std=0.01)
    with pytest.raises(libsow.SowError, match="needs std"):
        resolve("normal")


def test_manual_is_what_the_catalogue_says():
    command = [sys.executable, str(ROOT / "scripts/gen-schemes-doc"), "--check", str(libsow.BUILD)]
    assert subprocess.run(command).returncode == 0, "run scripts/gen-schemes-doc"


def test_example_fills_a_buffer(tmp_path):
    program = tmp_path / "fill"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-std=c11", f"-I{ROOT}/include", str(ROOT / "examples/fill.c"),
                    f"-L{libsow.BUILD}", "-lsow", f"-Wl,-rpath,{libsow.BUILD}", "-o", str(program)],
                   check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    draw = resolve("he_normal", Tensor.make((512, 256)))
    first = fill(draw, 3, name="fc1.weight", seed=42)
    assert draw.std == math.sqrt(2 / 256)
    assert printed == f"std {draw.std:.7f}, weights {' '.join(f'{x:.7f}' for x in first)} ...\n"
