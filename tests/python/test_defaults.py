# SPDX-License-Identifier: MIT
"""What the layers of torch, Flax and Keras start with, against the draw of the rule that says the same:
moments, bounds and a Kolmogorov-Smirnov test on the real layers' weights."""
import math

import numpy as np
import pytest
import torch
from catalogue import resolve
from libsow import CONSTANT, NORMAL, Tensor, fill
from scipy import stats

nn = torch.nn


def uniform(fan):
    """U(-1 / sqrt(fan), 1 / sqrt(fan)): torch's kaiming_uniform_ with a = sqrt(5)."""
    return resolve("uniform", bound=1 / math.sqrt(fan))


def compare(values, draw, name):
    values = np.asarray(values).ravel()
    mean, std = draw.moments()
    if draw.distribution == CONSTANT:
        assert (values == mean).all(), name
        return
    noise = 1 / math.sqrt(values.size)
    assert abs(values.mean(dtype=float) - mean) < 5 * std * noise, name
    assert abs(values.std(dtype=float) - std) < 5 * std * noise, name
    assert stats.ks_2samp(values, fill(draw, 1 << 16)).pvalue > 1e-4, name
    if draw.distribution != NORMAL:
        assert np.abs(values).max() <= draw.high * (1 + 1e-6), name


def torch_tensor(module, name="weight"):
    return getattr(module, name).detach().numpy()


def test_torchs_layers():
    torch.manual_seed(3)
    zeros, ones = resolve("zeros"), resolve("ones")
    he = {"gain": "leaky_relu", "slope": math.sqrt(5)}
    linear, bilinear = nn.Linear(300, 200), nn.Bilinear(40, 30, 50)
    conv, back = nn.Conv2d(32, 64, 3, groups=4), nn.ConvTranspose2d(64, 32, 4, stride=2, groups=2)
    rows = [
        (linear, "weight", uniform(300)), (linear, "weight", resolve("he_uniform", Tensor.make((200, 300)), **he)),
        (linear, "bias", uniform(300)), (bilinear, "weight", uniform(40)), (bilinear, "bias", uniform(40)),
        (conv, "weight", uniform(32 / 4 * 9)), (conv, "bias", uniform(32 / 4 * 9)),
        (conv, "weight", resolve("he_uniform", Tensor.make((64, 8, 3, 3), "conv", groups=4), **he)),
        # torch takes the outputs' axis: (32 / 2) * 16, where 64 / 2 * 16 / 4 inputs are summed up
        (back, "weight", resolve("he_uniform", Tensor.make((64, 16, 4, 4), "other"), fan="torch", **he)),
        (back, "weight", uniform(16 * 16)), (back, "bias", uniform(16 * 16)),
        (nn.Embedding(500, 64), "weight", resolve("normal", std=1)),
        (nn.LayerNorm(64), "weight", ones), (nn.LayerNorm(64), "bias", zeros),
        (nn.BatchNorm2d(64), "weight", ones), (nn.BatchNorm2d(64), "running_var", ones),
    ]
    for module, name, draw in rows:
        compare(torch_tensor(module, name), draw, f"{module} {name}")
    assert Tensor.make((64, 16, 4, 4), "conv_transpose", groups=2, stride=4,
                     layout="in-out-kernel-kernel").fans()[0] == 128


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_torchs_recurrent_layers(kind):
    torch.manual_seed(4)
    layer = getattr(nn, kind)(24, 64, num_layers=2, bidirectional=True)
    for name, parameter in layer.named_parameters():
        compare(parameter.detach().numpy(), uniform(64), f"{kind} {name}")


def test_torchs_attention():
    torch.manual_seed(5)
    same, apart = nn.MultiheadAttention(128, 4), nn.MultiheadAttention(128, 4, kdim=96)
    compare(torch_tensor(same, "in_proj_weight"), resolve("glorot_uniform", Tensor.make((384, 128))), "packed")
    compare(torch_tensor(apart, "k_proj_weight"), resolve("glorot_uniform", Tensor.make((128, 96))), "apart")
    compare(torch_tensor(same.out_proj), uniform(128), "out_proj")
    for name in ("in_proj_bias",):
        compare(torch_tensor(same, name), resolve("zeros"), name)


# ---- Flax ----------------------------------------------------------------------------------------

def flax_parameters(layer, *inputs):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    return jax.jit(layer.init)(jax.random.key(6), *[jax.numpy.ones(shape) for shape in inputs])["params"]


def test_flax_layers():
    linen = pytest.importorskip("flax.linen", reason="flax is not installed")
    jax = pytest.importorskip("jax", reason="jax is not installed")
    zeros = resolve("zeros")

    def lecun(shape, kind="linear", **words):
        return resolve("lecun_trunc_normal", Tensor.make(shape, kind, **words))
    dense = flax_parameters(linen.Dense(200), (1, 300))
    compare(dense["kernel"], lecun((300, 200), layout="in-out"), "Dense")
    compare(dense["bias"], zeros, "Dense bias")
    conv = flax_parameters(linen.Conv(64, (3, 3), feature_group_count=4), (1, 3, 3, 32))
    compare(conv["kernel"], lecun((3, 3, 8, 64), "conv", layout="in-out", groups=4), "Conv")
    back = flax_parameters(linen.ConvTranspose(64, (3, 3), strides=(2, 2)), (1, 2, 2, 32))
    tensor = Tensor.make((3, 3, 32, 64), "conv_transpose", layout="kernel-kernel-in-out", stride=4)
    compare(back["kernel"], resolve("lecun_trunc_normal", tensor, fan="jax"), "ConvTranspose")
    attention = flax_parameters(linen.MultiHeadDotProductAttention(8), (1, 2, 128))
    # DenseGeneral flattens the heads first, which is right
    compare(attention["query"]["kernel"], lecun((128, 8, 16), layout="in-out-out"), "query")
    compare(attention["out"]["kernel"], lecun((8, 16, 128), layout="in-in-out"), "out")
    table = linen.Embed(500, 64).init(jax.random.key(7), jax.numpy.zeros(1, int))["params"]["embedding"]
    compare(table, resolve("normal", std=1 / math.sqrt(64)), "Embed")
    cell = linen.LSTMCell(64, recurrent_kernel_init=linen.initializers.zeros)  # orthogonal: slow to compile
    carry = cell.initialize_carry(jax.random.key(0), (1, 24))
    gates = jax.jit(cell.init)(jax.random.key(8), carry, jax.numpy.ones((1, 24)))["params"]
    for gate in "ifgo":
        compare(gates["i" + gate]["kernel"], lecun((24, 64), layout="in-out"), "LSTMCell " + gate)
        compare(gates["h" + gate]["bias"], zeros, "LSTMCell bias " + gate)


# ---- Keras ---------------------------------------------------------------------------------------

def test_keras_layers():
    keras = pytest.importorskip("keras", reason="keras is not installed")
    keras.utils.set_random_seed(9)
    layers, zeros = keras.layers, resolve("zeros")

    def weights(layer, *shape):
        layer.build(*shape)
        return [np.asarray(keras.ops.convert_to_numpy(w)) for w in layer.weights]

    def glorot(shape, kind="other", fan="keras", **words):
        return resolve("GlorotUniform", Tensor.make(shape, kind, **words), fan=fan)
    kernel, bias = weights(layers.Dense(200), (1, 300))
    compare(kernel, glorot((300, 200), "linear", "true", layout="in-out"), "Dense")
    compare(bias, zeros, "Dense bias")
    depthwise = weights(layers.DepthwiseConv2D(3, depth_multiplier=8), (1, 9, 9, 64))[0]
    compare(depthwise, glorot((3, 3, 64, 8)), "DepthwiseConv2D")
    true = Tensor.make((3, 3, 64, 8), "conv", layout="kernel-kernel-each-out")
    assert Tensor.make((3, 3, 64, 8), "other").fans("keras")[0] == 64 * true.fans()[0]
    compare(weights(layers.Embedding(500, 64), (1, 4))[0], resolve("RandomUniform", bound=0.05), "Embedding")
    lstm = weights(layers.LSTM(64, recurrent_initializer="zeros"), (1, 5, 24))
    compare(lstm[0], glorot((24, 256)), "LSTM kernel")
    assert (lstm[2].reshape(4, 64) == [[0], [1], [0], [0]]).all()
    attention = layers.MultiHeadAttention(8, 64)
    attention.build((1, 5, 512), (1, 5, 512))
    query = np.asarray(keras.ops.convert_to_numpy(attention.weights[0]))
    assert query.shape == (512, 8, 64)
    # The layer says which axes are which; its initialiser alone, on the bare shape, does not see it.
    compare(query, glorot(query.shape, "linear", "true", layout="in-out-out"), "query")
    bare = keras.initializers.GlorotUniform(seed=1)(query.shape)
    compare(keras.ops.convert_to_numpy(bare), glorot(query.shape), "bare")
    assert glorot(query.shape).high == pytest.approx(0.01276, abs=5e-6)
