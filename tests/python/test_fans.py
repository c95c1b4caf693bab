# SPDX-License-Identifier: MIT
"""Fans of every kind of layer. The true ones are counted by the real layers - with weights of one, an
output of ones counts its terms and a gradient of ones those of the way back - and by what torch's
layers do to the variance of white noise. The frameworks' are their own functions on their own layers."""
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from catalogue import resolve
from libsow import BUILD, SowError, Tensor

ROOT = pathlib.Path(__file__).resolve().parents[2]
nn = torch.nn


def inside(values, first, cut, period):
    """Whole periods of the stride, away from the edges, of the spatial axes `first` and on."""
    for axis in range(first, first + values.dim() - 2):
        inner = (values.shape[axis] - 2 * cut) // period * period
        assert inner > 0
        values = values.narrow(axis, cut, inner)
    return values


def counted(layer, inputs, interior=lambda values: values):
    """Terms of an output and of the gradient of an input, mean over the interior."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1 if parameter.dim() > 1 else 0)
    inputs.requires_grad_(True)
    output = layer(inputs)
    output.backward(torch.ones_like(output))
    return tuple(interior(x.detach()).mean(dtype=torch.float64).item() for x in (output, inputs.grad))


CONVOLUTIONS = [(kind, dim, groups, stride, kernel)
                for kind in ("Conv", "ConvTranspose") for dim in (1, 2, 3)
                for groups, stride, kernel in ((1, 1, 3), (4, 1, 3), (1, 2, 4), (2, 2, 3), (8, 1, 2),
                                               (1, 3, 2))]


def convolution(kind, dim, groups, stride, kernel):
    layer = getattr(nn, f"{kind}{dim}d")(8, 16, kernel, stride=stride, groups=groups)
    layout = "-".join(["in", "out"] + ["kernel"] * dim) if kind == "ConvTranspose" else "out-in"
    tensor = Tensor.make(tuple(layer.weight.shape), "conv_transpose" if layout != "out-in" else "conv",
                       groups=groups, stride=stride ** dim, layout=layout)
    return layer, tensor


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=lambda case: "-".join(map(str, case)))
def test_the_terms_of_torchs_convolutions(case):
    layer, tensor = convolution(*case)
    dim, stride = case[1], case[3]
    count = counted(layer, torch.ones(1, 8, *[30 if dim < 3 else 27] * dim), lambda x: inside(x, 2, 3, stride))
    assert tensor.fans() == pytest.approx(count, rel=1e-12)


NOISY = [c for c in CONVOLUTIONS if c[1] == 2 and c[2:] in ((4, 1, 3), (1, 2, 4), (2, 2, 3))]


@pytest.mark.parametrize("case", NOISY, ids=lambda case: "-".join(map(str, case)))
def test_the_variance_of_white_noise_through_torchs_convolutions(case):
    layer, tensor = convolution(*case)
    stride = case[3]
    torch.manual_seed(7)
    nn.init.normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    inputs = torch.randn(16, 8, 48, 48, requires_grad=True)
    output = layer(inputs)
    output.backward(torch.randn_like(output))
    square = layer.weight.square().mean(dtype=torch.float64).item()  # the drawn weights' own, near 1
    for values, fan in ((output.detach(), tensor.fans()[0]), (inputs.grad, tensor.fans()[1])):
        values = inside(values, 2, 6, stride)
        assert values.square().mean(dtype=torch.float64).item() / square == pytest.approx(fan, rel=0.06)


def test_the_terms_of_torchs_other_layers():
    assert Tensor.make((12, 8)).fans() == counted(nn.Linear(8, 12), torch.ones(1, 8))
    bilinear = nn.Bilinear(5, 7, 6)
    other = torch.ones(1, 7)
    count = counted(lambda_layer(bilinear, lambda x: bilinear(x, other)), torch.ones(1, 5))
    assert Tensor.make((6, 5, 7), "bilinear").fans() == count == (35, 42)
    embedding = nn.Embedding(100, 16)
    nn.init.ones_(embedding.weight)
    assert embedding(torch.tensor([3])).mean() == Tensor.make((100, 16), "embedding").fans()[0] == 1


def lambda_layer(layer, forward):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return forward(x)
    return Wrapped()


def test_fan_torch_is_torchs_function_on_torchs_layers():
    layers = [nn.Linear(8, 12), nn.Bilinear(5, 7, 6), nn.Embedding(100, 16), nn.LSTM(8, 12),
              nn.GRU(8, 12), nn.MultiheadAttention(16, 4)]
    layers += [convolution(*case)[0] for case in CONVOLUTIONS]
    checked = 0
    for layer in layers:
        for name, weight in layer.named_parameters():
            if weight.dim() < 2:
                continue
            theirs = nn.init._calculate_fan_in_and_fan_out(weight)
            assert Tensor.make(tuple(weight.shape), "other").fans("torch") == theirs, name
            checked += 1
    assert checked > 40
    for shape in ((7,), ()):
        with pytest.raises(ValueError):
            nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        with pytest.raises(SowError, match="fewer than 2 dimensions"):
            Tensor.make(shape, "other").fans("torch")


# ---- Keras ---------------------------------------------------------------------------------------

# A Keras layer, the shape it is built for, what we say of its kernel, and the same layer in torch.
def keras_layers(layers):
    image, three = (1, 8, 8, 8), "kernel-kernel-"
    zero = {"kernel_initializer": "zeros"}  # nothing to draw, nothing to compile
    return [
        (layers.Dense(12, **zero), (1, 8), {"layout": "in-out"}, {"shape": (12, 8)}),
        (layers.Conv3D(16, 3, **zero), (1, 8, 8, 8, 8), {"kind": "conv", "layout": "in-out"},
         {"shape": (16, 8, 3, 3, 3), "kind": "conv"}),
        (layers.Conv2D(16, 4, strides=2, **zero), image, {"kind": "conv", "layout": "in-out", "stride": 4},
         {"shape": (16, 8, 4, 4), "kind": "conv", "stride": 4}),
        (layers.Conv2D(16, 3, groups=4, **zero), image, {"kind": "conv", "layout": "in-out", "groups": 4},
         {"shape": (16, 2, 3, 3), "kind": "conv", "groups": 4}),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, depthwise_initializer="zeros"), image,
         {"kind": "conv", "layout": three + "each-out"},
         {"shape": (16, 1, 3, 3), "kind": "conv", "groups": 8}),
        (layers.Conv2DTranspose(16, 3, strides=2, **zero), image,
         {"kind": "conv_transpose", "layout": three + "out-in", "stride": 4},
         {"shape": (8, 16, 3, 3), "kind": "conv_transpose", "layout": "in-out-kernel-kernel", "stride": 4}),
        (layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 6), **zero), (1, 3, 8),
         {"layout": "in-out-out"}, {"shape": (24, 8)}),
        (layers.EinsumDense("abde,dec->abc", output_shape=(None, 8), **zero), (1, 3, 4, 6),
         {"layout": "in-in-out"}, {"shape": (8, 24)}),
    ]


def test_keras_own_fans_of_its_layers_and_the_true_ones():
    keras = pytest.importorskip("keras", reason="keras is not installed")
    from keras.src.initializers.random_initializers import compute_fans
    differ = []
    for layer, shape, words, same in keras_layers(keras.layers):
        layer.build(shape)
        kernel = tuple(layer.weights[0].shape)
        tensor = Tensor.make(kernel, **words)
        assert tensor.fans("keras") == compute_fans(kernel), layer
        assert tensor.fans() == Tensor.make(**same).fans(), layer  # counted on torch's layers above
        if tensor.fans("keras") != tensor.fans():
            differ.append(type(layer).__name__)
    assert differ == ["Conv2D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "EinsumDense",
                      "EinsumDense"]
    for shape in ((), (7,), (3, 5), (8, 12, 4), (2, 3, 4, 5, 6)):
        assert Tensor.make(shape, "other").fans("keras") == compute_fans(shape)


@pytest.mark.parametrize("index", [4, 5])
def test_the_terms_of_keras_depthwise_and_transposed_convolutions(index):
    keras = pytest.importorskip("keras", reason="keras is not installed")
    layer, shape, words, _ = keras_layers(keras.layers)[index]
    layer.build(shape)
    kernel = layer.weights[0]
    layer.set_weights([np.full(w.shape, 1 if w is kernel else 0, "float32") for w in layer.weights])
    output = np.asarray(keras.ops.convert_to_numpy(layer(np.ones(shape, "float32"))))
    output = inside(torch.tensor(output), 1, 2, 2)
    assert Tensor.make(tuple(kernel.shape), **words).fans()[0] == output.mean().item()


# ---- JAX -----------------------------------------------------------------------------------------

def test_jax_counts_the_same_when_it_is_told_the_axes():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    from jax._src.nn.initializers import _compute_fans
    for shape in ((3, 5), (8, 12, 4), (3, 3, 8, 16)):
        assert Tensor.make(shape, "other").fans("jax") == tuple(_compute_fans(shape)), jax.__version__
    for shape, layout, axes in (((6, 8, 12), "each-out-in", (2, 1, (0,))),
                                ((6, 8, 12), "each-in-out", (1, 2, (0,))),
                                ((24, 4, 6), "in-out-out", (0, (1, 2), ())),
                                ((4, 6, 24), "in-in-out", ((0, 1), 2, ()))):
        told = _compute_fans(shape, in_axis=axes[0], out_axis=axes[1], batch_axis=axes[2])
        assert Tensor.make(shape, layout=layout).fans() == tuple(told)
    with pytest.raises(ValueError):
        _compute_fans((7,))
    with pytest.raises(SowError, match="fewer than 2 dimensions"):
        Tensor.make((7,), "other").fans("jax")


def test_the_terms_of_flax_transposed_convolution():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    linen = pytest.importorskip("flax.linen", reason="flax is not installed")
    layer = linen.ConvTranspose(16, (3, 3), strides=(2, 2), use_bias=False)
    image = jax.numpy.ones((1, 24, 24, 8))
    kernel = jax.eval_shape(layer.init, jax.random.key(0), image)["params"]["kernel"]
    ones = {"params": {"kernel": jax.numpy.ones(kernel.shape)}}
    output, back = jax.vjp(lambda x: layer.apply(ones, x), image)
    gradient = back(jax.numpy.ones_like(output))[0]
    tensor = Tensor.make(kernel.shape, "conv_transpose", layout="kernel-kernel-in-out", stride=4)
    count = [inside(torch.tensor(np.asarray(x)), 1, 4, 2).mean().item() for x in (output, gradient)]
    assert tensor.fans() == pytest.approx(count, rel=1e-6) == (18, 144)
    assert tensor.fans("jax") == (72, 144)


# ---- Blocks, and what a scheme makes of whose fans ------------------------------------------------

def test_a_packed_weight_is_one_matrix_to_torch_and_three_to_us():
    attention = nn.MultiheadAttention(512, 8)
    theirs = attention.in_proj_weight.detach()
    assert theirs.shape == (1536, 512)
    block = Tensor.make((512, 512))
    block.packed_axis, block.packed = 0, 1536
    seen, true = (resolve("glorot_uniform", block, fan=fan) for fan in ("torch", "true"))
    assert theirs.abs().max() == pytest.approx(seen.high, rel=1e-4) and theirs.abs().max() <= seen.high
    assert seen.high == pytest.approx(0.05413, abs=5e-6) and true.high == pytest.approx(0.07655, abs=5e-6)
    assert seen.high / true.high == pytest.approx(math.sqrt(0.5), rel=1e-14)


@pytest.mark.parametrize("shape,kind,message", [
    ((8, 64, 32), "linear", "each-out-in.*each-in-out.*in-out-out.*in-in-out"),
    ((8, 4, 3, 3), "conv_transpose", "in-out-kernel-kernel.*kernel-kernel-out-in"),
    ((8, 9), "other", "which axes are in and out")])
def test_an_ambiguous_layout_says_what_to_write(shape, kind, message):
    with pytest.raises(SowError, match=message):
        Tensor.make(shape, kind).fans()


def test_the_manuals_tables_are_what_libsow_says():
    command = [sys.executable, str(ROOT / "scripts/gen-layers-doc"), "--check", str(BUILD)]
    assert subprocess.run(command).returncode == 0, "run scripts/gen-layers-doc"
