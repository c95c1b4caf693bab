# SPDX-License-Identifier: MIT
"""Zero padding makes pixels at the border smaller, and each further convolution repeats it: predictions of sow probe against what
is measured over many seeds, forward and backward. Seeds are fixed, so that nothing flickers."""
import math

import pytest
from tool import probe

RELU, TANH = 'activation("relu")', 'activation("tanh")'


def chain(block, count, size=8, width=48, head=""):
    return f"""
local x = input {{ "batch", 3, {size}, {size} }} >> conv2d("c0", 3, {width}, {{ padding = 1 }})
for i = 1, {count} do {block} end
{head}
"""


def conv(options="padding = 1", word="conv2d", width=48, name="c"):
    return f'{word}("{name}" .. i, {width}, {width}, {{ {options} }})'


RESIDUAL = f'x = x + (x >> {RELU} >> {conv(name="a")} >> {RELU} >> {conv(name="b")})'
NORM = f'x = x >> batch_norm("n" .. i, 48) >> {RELU} >> {conv()}'
# text, weights, seeds, batch, limits of ln E[x^2] and of ln E[grad^2]; without profiles the last numbers are
CASES = {
    "relu": (chain(f"x = x >> {RELU} >> {conv()}", 12), "he_normal", 24, 4, 0.27, 0.2),  # 0.3, 0.3
    "tanh": (chain(f"x = x >> {TANH} >> {conv()}", 12), "lecun_normal", 8, 4, 0.12, 0.1),  # 0.6, 0.5
    "gelu": (chain(f'x = x >> activation("gelu") >> {conv()}', 8), "he_normal", 24, 4, 0.2, 0.2),  # 0.2, 0.2
    "transposed": (chain(f"x = x >> {RELU} >> {conv('kernel = 4, stride = 2, padding = 1', 'conv_transpose2d')} "
                         f">> {RELU} >> {conv(name='d')}", 2, 4), "he_normal", 24, 4, 0.12, 0.12),  # 0.77, 0.72
    "residual": (chain(RESIDUAL, 5), "he_normal", 24, 4, 0.15, 0.25),  # 0.7, 0.5
    "batch norm": (chain(NORM, 8), "he_normal", 8, 16, 0.08, 0.14),  # 0.93, 0.8
}


def probed(tmp_path, text, weights, *options):
    model = tmp_path / "model.lua"
    norms = 'rule("n*.weight", ones)\n' if "norm" in text else ""
    biases = "" if "bias = false" in text else 'rule("*.bias", zeros)\n'
    model.write_text(f'{text}{norms}rule("*.weight", {weights})\n{biases}')
    return probe(model, *options)["values"]


@pytest.mark.parametrize("case", CASES)
def test_zero_padding_over_many_layers(tmp_path, case):
    text, weights, seeds, batch, forward, backward = CASES[case]
    for value in probed(tmp_path, text, weights, "--measure", "--seeds", str(seeds), "--batch", str(batch)):
        measured = value["measured"]
        signal = math.log(value["second_moment"] / measured["second_moment"])
        gradient = math.log(value["gradient"] / measured["gradient_second_moment"])
        assert abs(signal) < forward and abs(gradient) < backward, (value["name"], signal, gradient)


def shares(size, layers):
    """What 3 taps with a padding of 1 make of ones, layer by layer: the mean over the pixels."""
    pixels, means = [1.0] * size, []
    for _ in range(layers):
        padded = [0.0, *pixels, 0.0]
        pixels = [sum(padded[i:i + 3]) / 3 for i in range(size)]
        means.append(sum(pixels) / size)
    return means


@pytest.mark.parametrize("dimensions, size", [(1, 5), (1, 700), (2, 6), (3, 4)])
def test_linear_chains_are_exact(tmp_path, dimensions, size):
    """Without activations the prediction is E[x^2] = (mean of the profile of one axis)^dimensions, and of gradients the same from
    the other end: each axis is 3 taps on ones, again and again."""
    word, shape, layers = f"conv{dimensions}d", ", ".join([str(size)] * dimensions), 5
    options = "{ kernel = 3, padding = 1, bias = false }"
    text = f'local x = input {{ "batch", 8, {shape} }}\n'
    text += f'for i = 1, {layers} do x = x >> {word}("c" .. i, 8, 8, {options}) end\n'
    values = probed(tmp_path, text, "lecun_normal")
    expected = shares(size, layers)
    for value, mean in zip(values[1:], expected, strict=True):
        assert value["second_moment"] == pytest.approx(mean ** dimensions, rel=1e-9)
    for value, mean in zip(values[-2::-1], expected, strict=True):
        assert value["gradient"] == pytest.approx(mean ** dimensions, rel=1e-9)


def test_axes_too_long_to_follow_have_the_mean_share(tmp_path):
    values = probed(tmp_path, 'local x = input { "batch", 4, 5000 } >> conv1d("a", 4, 4, { kernel = 3, padding = 1 })\n'
                    'x = x >> conv1d("b", 4, 4, { kernel = 3, padding = 1 })\n', "lecun_normal")
    share = 1 - 2 / (3 * 5000)
    assert values[-1]["second_moment"] == pytest.approx(share ** 2, rel=1e-9)
    assert values[0]["gradient"] == pytest.approx(share ** 2, rel=1e-9)
