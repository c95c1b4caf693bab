# SPDX-License-Identifier: MIT
"""Numbers through networks (sow_measure) against torch in float64, with the same weights and inputs: every operation
forward and backward, GPT-2 whole, and the same bits for every number of threads and instruction set."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from libsow_model import Measured, SowError  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

F = torch.nn.functional
SOW = os.environ["SOW"]
ROUNDING = 3e-6  # relative, of a whole array: some float32 roundings


def weights_of(source, tmp_path, seed=3):
    path = tmp_path / "w.safetensors"
    subprocess.run([SOW, "init", str(source), "--seed", str(seed), "-o", str(path), "--force", "-q"], check=True)
    return {name: w.double().requires_grad_() for name, w in load_file(str(path)).items() if w.is_floating_point()}


def close(found, expected, what, limit=ROUNDING):
    expected = expected.detach().numpy()
    error = np.linalg.norm(found.reshape(expected.shape).astype(np.float64) - expected)
    scale = np.linalg.norm(expected)
    assert error <= limit * scale, f"{what}: relative error {error / scale:.3g}"


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(-3, -2)


def rotate(x):
    """Llama's rotary positions (transformers.models.llama.modeling_llama)."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    size = x.shape[-1]
    inverse = 1.0 / 10000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(x.shape[-2], dtype=torch.float64), inverse)
    angles = torch.cat((angles, angles), -1)[None]
    return apply_rotary_pos_emb(x, x, angles.cos(), angles.sin())[0]


def attend(q, k, v, count, kv_count, causal=False, window=None, scale=None, rotary=False):
    q, k, v = heads(q, count), heads(k, kv_count), heads(v, kv_count)
    if rotary:
        q, k = rotate(q), rotate(k)
    k, v = (t.repeat_interleave(count // kv_count, 1) for t in (k, v))
    places = torch.arange(q.shape[-2])
    distance = places[:, None] - places
    mask = distance >= 0 if causal else torch.ones_like(distance, dtype=torch.bool)
    if window:
        mask &= distance < window if causal else distance.abs() <= window // 2
    return F.scaled_dot_product_attention(q, k, v, mask, scale=scale).transpose(-3, -2).flatten(-2)


def split(x, *sizes):
    return torch.split(x, sizes, -1)


def mixture(x, w, normalised):
    weights, chosen = F.linear(x, w["gate.weight"], w["gate.bias"]).softmax(-1).topk(2)
    weights = weights / weights.sum(-1, keepdim=True) if normalised else weights
    made = torch.stack([F.linear(x, w[f"experts.{i}.w.weight"], w[f"experts.{i}.w.bias"]) for i in range(5)], -2)
    return (made.take_along_dim(chosen[..., None], -2) * weights[..., None]).sum(-2)


TURNS = {'layout = "in-out"': lambda w: w if w.dim() < 3 else group_in_out(w),
         "kernel-kernel-each-out": lambda w: w.permute(2, 3, 0, 1).reshape(-1, 1, *w.shape[:2]),
         "kernel-kernel-out-in": lambda w: w.permute(3, 2, 0, 1), "kernel-kernel-in-out": lambda w: w.permute(2, 3, 0, 1)}


def turned(text, w):
    """Convolutions' weights of other layouts as torch's, where `text` names the layout."""
    turn = next((turn for layout, turn in TURNS.items() if layout in text), None)
    return turn(w) if turn and w.dim() > 2 else w


def group_in_out(w):  # (kernel..., in, out) to torch's
    return w.permute(w.dim() - 1, w.dim() - 2, *range(w.dim() - 2))


# name: (shape of the input, the recipe after `x >> `, the same in torch)
VECTOR, TOKENS, IMAGE = '"batch", 21', '"batch", 19, 24', '"batch", 6, 13, 11'
CASES = {
    "linear": (VECTOR, 'linear("a", 21, 33)', lambda x, w: F.linear(x, w["a.weight"], w["a.bias"])),
    "linear in-out": (TOKENS, 'linear("a", 24, 7, { layout = "in-out", bias = false })', lambda x, w: x @ w["a.weight"]),
    "conv1d": ('"batch", 6, 40', 'conv1d("a", 6, 8, { kernel = 5, stride = 2, padding = 2 })',
               lambda x, w: F.conv1d(x, w["a.weight"], w["a.bias"], 2, 2)),
    "conv2d": (IMAGE, 'conv2d("a", 6, 10, { kernel = { 3, 5 }, stride = { 2, 1 }, padding = { 1, 2 } })',
               lambda x, w: F.conv2d(x, w["a.weight"], w["a.bias"], (2, 1), (1, 2))),
    "conv2d groups": (IMAGE, 'conv2d("a", 6, 4, { kernel = 3, groups = 2, bias = false })',
                      lambda x, w: F.conv2d(x, w["a.weight"], None, groups=2)),
    "conv2d depthwise": (IMAGE, 'conv2d("a", 6, 6, { kernel = 7, padding = 3, groups = 6 })',
                         lambda x, w: F.conv2d(x, w["a.weight"], w["a.bias"], padding=3, groups=6)),
    "conv2d in-out": (IMAGE, 'conv2d("a", 6, 5, { kernel = 3, layout = "in-out" })',
                      lambda x, w: F.conv2d(x, group_in_out(w["a.weight"]), w["a.bias"])),
    "conv2d large": ('"batch", 40, 50, 52', 'conv2d("a", 40, 8, { kernel = 5, padding = 2 })',
                     lambda x, w: F.conv2d(x, w["a.weight"], w["a.bias"], padding=2)),
    "conv3d": ('"batch", 3, 5, 7, 6', 'conv3d("a", 3, 4, { kernel = 3, stride = 2, padding = 1 })',
               lambda x, w: F.conv3d(x, w["a.weight"], w["a.bias"], 2, 1)),
    "depthwise of Keras": (IMAGE, 'depthwise_conv2d("a", 6, { multiplier = 2, kernel = 3, layout = "kernel-kernel-each-out" })',
                           lambda x, w: F.conv2d(x, turned("kernel-kernel-each-out", w["a.weight"]), w["a.bias"], groups=6)),
    "conv_transpose1d": ('"batch", 6, 9', 'conv_transpose1d("a", 6, 8, { kernel = 5, groups = 2, bias = false })',
                         lambda x, w: F.conv_transpose1d(x, w["a.weight"], None, groups=2)),
    "conv_transpose2d": (IMAGE, 'conv_transpose2d("a", 6, 10, { kernel = { 3, 5 }, stride = { 2, 3 }, padding = { 1, 2 }, '
                         'output_padding = { 1, 0 } })',
                         lambda x, w: F.conv_transpose2d(x, w["a.weight"], w["a.bias"], (2, 3), (1, 2), (1, 0))),
    "conv_transpose2d of Keras": (IMAGE, 'conv_transpose2d("a", 6, 4, { stride = 2, layout = "kernel-kernel-out-in" })',
                                  lambda x, w: F.conv_transpose2d(x, turned("kernel-kernel-out-in", w["a.weight"]),
                                                                  w["a.bias"], 2)),
    "conv_transpose2d of Flax": (IMAGE, 'conv_transpose2d("a", 6, 4, { stride = 2, layout = "kernel-kernel-in-out" })',
                                 lambda x, w: F.conv_transpose2d(x, turned("kernel-kernel-in-out", w["a.weight"]),
                                                                 w["a.bias"], 2)),
    "conv_transpose2d large": ('"batch", 8, 50, 52', 'conv_transpose2d("a", 8, 40, { kernel = 5, padding = 2 })',
                               lambda x, w: F.conv_transpose2d(x, w["a.weight"], w["a.bias"], padding=2)),
    "conv_transpose3d": ('"batch", 3, 3, 4, 2', 'conv_transpose3d("a", 3, 4, { kernel = 3, stride = 2, padding = 1 })',
                         lambda x, w: F.conv_transpose3d(x, w["a.weight"], w["a.bias"], 2, 1)),
    "linear to heads": (TOKENS, 'linear("a", 24, 30, { layout = "in-out-out", heads = 5 })',
                        lambda x, w: torch.einsum("bti,ihs->bths", x, w["a.weight"]).flatten(-2) + w["a.bias"].flatten()),
    "linear from heads": (TOKENS, 'linear("a", 24, 7, { layout = "in-in-out", heads = 4 })',
                          lambda x, w: torch.einsum("bths,hso->bto", x.unflatten(-1, (4, 6)), w["a.weight"]) + w["a.bias"]),
    "gated": (TOKENS, 'gated("swiglu")', lambda x, w: F.silu(x[..., :12]) * x[..., 12:]),
    "gated value first": (TOKENS, 'gated("glu", { first = "value" })', lambda x, w: F.glu(x)),
    "layer_norm": (TOKENS, 'layer_norm("a", 24, { eps = 0.1 })',
                   lambda x, w: F.layer_norm(x, (24,), w["a.weight"], w["a.bias"], 0.1)),
    "rms_norm": (TOKENS, 'rms_norm("a", 24, { eps = 0.1 })', lambda x, w: F.rms_norm(x, (24,), w["a.weight"], 0.1)),
    "batch_norm": (IMAGE, 'batch_norm("a", 6, { eps = 0.1 })',
                   lambda x, w: F.batch_norm(x, None, None, w["a.weight"], w["a.bias"], True, eps=0.1)),
    "batch_norm vectors": (VECTOR, 'batch_norm("a", 21)',
                           lambda x, w: F.batch_norm(x, None, None, w["a.weight"], w["a.bias"], True)),
    "group_norm": (IMAGE, 'group_norm("a", 6, 3, { eps = 0.1 })',
                   lambda x, w: F.group_norm(x, 3, w["a.weight"], w["a.bias"], 0.1)),
    "layer_scale": (IMAGE, 'layer_scale("a", 6, { axis = 2 })', lambda x, w: x * w["a"][:, None, None]),
    "layer_scale last": (TOKENS, 'layer_scale("a", 24)', lambda x, w: x * w["a"]),
    "max_pool": (IMAGE, 'max_pool(3, { stride = 2, padding = 1 })', lambda x, w: F.max_pool2d(x, 3, 2, 1)),
    "average_pool": (IMAGE, 'average_pool(3, { stride = 2, padding = 1 })', lambda x, w: F.avg_pool2d(x, 3, 2, 1)),
    "global average": (IMAGE, 'global_pool()', lambda x, w: x.mean((2, 3))),
    "global max": (IMAGE, 'global_pool { kind = "max" }', lambda x, w: x.amax((2, 3))),
    "global tokens": (TOKENS, 'global_pool { over = "tokens" }', lambda x, w: x.mean(1)),
    "flatten": (IMAGE, "flatten()", lambda x, w: x.flatten(1)),
    "to_tokens": (IMAGE, "to_tokens()", lambda x, w: x.flatten(2).transpose(1, 2)),
    "take": (TOKENS, "take(4, { axis = 2 })", lambda x, w: x[:, 3]),
    "heads": (TOKENS, 'split_heads(4) >> rms_norm("a", 6) >> merge_heads()',
              lambda x, w: F.rms_norm(x.unflatten(-1, (4, 6)), (6,), w["a.weight"], 1e-5).flatten(-2)),
    "attention": (TOKENS, "attention { heads = 2 }", lambda x, w: attend(*split(x, 8, 8, 8), 2, 2)),
    "attention causal": (TOKENS, "attention { heads = 2, causal = true, scale = 0.9 }",
                         lambda x, w: attend(*split(x, 8, 8, 8), 2, 2, causal=True, scale=0.9)),
    "attention grouped": ('"batch", 150, 32', "attention { heads = 4, kv_heads = 2, causal = true, rotary = true }",
                          lambda x, w: attend(*split(x, 16, 8, 8), 4, 2, causal=True, rotary=True)),
    "attention window": ('"batch", 150, 24', "attention { heads = 1, causal = true, window = 7 }",
                         lambda x, w: attend(*split(x, 8, 8, 8), 1, 1, causal=True, window=7)),
    "attention both sides": (TOKENS, "attention { heads = 1, window = 6 }",
                             lambda x, w: attend(*split(x, 8, 8, 8), 1, 1, window=6)),
}
# name: (shape, whole recipe of x, torch)
GRAPHS = {
    "shared ancestor": (VECTOR, 'local y = x + x; y = y + (y >> linear("a", 21, 21)); return y * (y * 0.3)',
                        lambda x, w: (lambda y: y * (y * 0.3))(2 * x + F.linear(2 * x, w["a.weight"], w["a.bias"]))),
    "used twice": (VECTOR, 'local f = linear("a", 21, 21); return x >> f >> activation("tanh") >> f',
                   lambda x, w: F.linear(F.linear(x, w["a.weight"], w["a.bias"]).tanh(), w["a.weight"], w["a.bias"])),
    "broadcast": (IMAGE, 'return x + learned("a", { 1, 6, 1, 11 })', lambda x, w: x + w["a"]),
    "class token": (TOKENS, 'return concat(learned("a", { 1, 1, 24 }), x, { axis = 2 }) >> take(1, { axis = 2 })',
                    lambda x, w: torch.cat((w["a"].expand(x.shape[0], 1, 24), x), 1)[:, 0]),
    "concat": (IMAGE, 'return concat(x, x >> conv2d("a", 6, 3, { kernel = 1 }), x, { axis = 2 })',
               lambda x, w: torch.cat((x, F.conv2d(x, w["a.weight"], w["a.bias"]), x), 1)),
    "gate and value": (TOKENS, 'return bundle(x >> linear("a", 24, 9), x >> linear("b", 24, 9)) >> gated("geglu")',
                       lambda x, w: F.gelu(F.linear(x, w["a.weight"], w["a.bias"])) * F.linear(x, w["b.weight"], w["b.bias"])),
    "bilinear": (TOKENS, 'return bundle(x, x >> linear("b", 24, 5)) >> bilinear("a", 24, 5, 7)',
                 lambda x, w: F.bilinear(x, F.linear(x, w["b.weight"], w["b.bias"]), w["a.weight"], w["a.bias"])),
    "experts": (TOKENS, 'return x >> experts { router = linear("gate", 24, 5), experts = 5, top_k = 2, expert = function(x, i) '
                'return x >> linear("w", 24, 9) end }', lambda x, w: mixture(x, w, True)),
    "experts not normalised": (TOKENS, 'return x >> experts { router = linear("gate", 24, 5), experts = 5, top_k = 2, '
                               'normalised = false, expert = function(x, i) return x >> linear("w", 24, 9) end }',
                               lambda x, w: mixture(x, w, False)),
    "three values": (TOKENS, 'return bundle(x >> linear("a", 24, 24), x >> linear("b", 24, 12, { bias = false }), x >> linear("c", 24, 12)) >> '
                     "attention { heads = 2, kv_heads = 1, head_dim = 12 }",
                     lambda x, w: attend(*(F.linear(x, w[f"{n}.weight"], w.get(f"{n}.bias")) for n in "abc"), 2, 1)),
}


def judge(recipe, function, tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(recipe + '\nparam("one", { 1 })\nrule("*", normal { mean = 0.3, std = 0.4 })\n')
    found = Measured(source, seed=3, batch=5, watch=True)
    weights = weights_of(source, tmp_path)
    x = torch.tensor(found.value("input"), dtype=torch.float64, requires_grad=True)
    output = function(x, weights)
    last = list(found.values)[-1]
    close(found.value(last), output, "value")
    output.backward(torch.tensor(found.gradient(last), dtype=torch.float64))
    close(found.gradient("input"), x.grad, "gradient")
    for name, gradient in found.arrays["weight"].items():
        close(gradient, turned(recipe, weights[name].grad), name)
    return found


@pytest.mark.parametrize("name", CASES)
def test_operation_is_torchs(name, tmp_path):
    shape, layer, function = CASES[name]
    judge(f"local x = input {{ {shape} }} >> {layer}", function, tmp_path)


@pytest.mark.parametrize("name", GRAPHS)
def test_graph_is_torchs(name, tmp_path):
    shape, body, function = GRAPHS[name]
    judge(f"local function net(x) {body} end\nnet(input {{ {shape} }})", function, tmp_path)


ACTIVATIONS = {"relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu,
               "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "elu": F.elu, "selu": F.selu, "softplus": F.softplus,
               "leaky_relu": F.leaky_relu, "mish": F.mish, "hardswish": F.hardswish, "softsign": F.softsign, "relu6": F.relu6,
               "hardtanh": F.hardtanh, "hardsigmoid": F.hardsigmoid, "celu": F.celu, "logsigmoid": F.logsigmoid}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_torchs(name, tmp_path):
    judge(f'local x = (input {{ "batch", 4001 }} * 3) >> activation("{name}")', lambda x, w: ACTIVATIONS[name](3 * x), tmp_path)


def pairs(x, axes):
    """E[x y] of two elements that differ along these axes alone."""
    count = np.prod([x.shape[axis] for axis in axes])
    return float(((x.sum(axes) ** 2).mean() - (x**2).sum(axes).mean()) / (count * (count - 1)))


@pytest.mark.parametrize("shape,layer,places", [
    ("12, 2000", 'layer_norm("n", 2000)', (1,)), ("300, 4, 6", 'conv2d("a", 300, 1, { kernel = 1 })', (2, 3))])
@pytest.mark.parametrize("place,sample", [(0.7, 0), (0.7, 0.3), (0.3, 0.7), (0, 0.5), (0, 0)])
def test_inputs_are_as_alike_as_was_said(shape, layer, places, place, sample, tmp_path):
    """Places of a sample, and samples at a place; samples are independent unless it is asked for."""
    source = tmp_path / "model.lua"
    source.write_text(f'local x = input {{ "batch", {shape} }} >> {layer}\nrule("*", zeros)\n')
    found = Measured(source, batch=64, input=(0.5, 2, place, sample), watch=True)
    x = (found.value("input").astype(float) - 0.5) / 2
    features = x.size / 64 / np.prod([x.shape[axis] for axis in places])
    room = 5 * (2 / features) ** 0.5  # of the part that is drawn once a feature
    least, most = min(place, sample), max(place, sample)
    assert abs(x.mean()) < room * least**0.5 + 0.02 and abs((x**2).mean() - 1) < room * least + 0.05
    assert abs(pairs(x, places) - place) < room * least + 0.02 * most + 0.01
    assert abs(pairs(x, (0,)) - sample) < room * least + 0.02 * most + 0.01
    count = int(np.prod([x.shape[axis] for axis in places]))
    mixed = ((count - 1) * place + 63 * sample + 63 * (count - 1) * least) / (64 * count - 1)
    assert abs(pairs(x, (0, *places)) - mixed) < room * least + 0.02 * most + 0.01


def test_similarity_is_of_places_and_of_samples(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 12, 2000 } >> layer_norm("n", 2000)\nrule("*", zeros)\n')
    found = Measured(source, batch=64, input=(0, 2, 0.7, 0.2)).values["input"]
    assert abs(found["correlation"] - 0.7) < 0.02 and abs(found["sample_correlation"] - 0.2) < 0.02
    x = Measured(source, batch=9, input=(0.3, 2, 0.7, 0.2), watch=True)
    unit = x.value("input") / np.linalg.norm(x.value("input"), axis=-1, keepdims=True)
    np.testing.assert_allclose(x.values["input"]["correlation"], pairs(unit, (1,)) * 2000, rtol=1e-5)
    np.testing.assert_allclose(x.values["input"]["sample_correlation"], pairs(unit, (0,)) * 2000, rtol=1e-5)


POOLS = {"max_pool(2)": lambda x: F.max_pool2d(x, 2), 'global_pool { kind = "max" }': lambda x: x.amax((2, 3)),
         "average_pool(2)": lambda x: F.avg_pool2d(x, 2)}


@pytest.mark.parametrize("pool", POOLS)
def test_pools_pass_on_what_left_float32(pool, tmp_path):
    """What is infinite or not a number comes out of a pool where it comes out of torch's."""
    source = tmp_path / "model.lua"
    source.write_text(f'local x = input {{ "batch", 3, 8, 8 }} >> conv2d("a", 3, 4, {{ kernel = 1 }}) '
                      f'>> conv2d("b", 4, 1, {{ kernel = 1 }}) >> {pool}\n'
                      'rule("a.weight", normal { std = 1e38 })\nrule("b.weight", normal { std = 1 })\nrule("*", zeros)\n')
    found = Measured(source, batch=3, watch=True)
    x, y = found.value("b"), found.value(list(found.values)[-1])
    expected = POOLS[pool](torch.from_numpy(x)).numpy()
    assert 0 < np.isfinite(x).mean() < 1 and np.isnan(x).any() and np.isinf(x).any()
    np.testing.assert_array_equal(y, expected.reshape(y.shape))


def test_dropout_is_on_as_in_training(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 4000 } >> dropout(0.3)\nparam("one", { 1 })\nrule("*", zeros)\n')
    found = Measured(source, seed=3, batch=5, watch=True)
    x, y = found.value("input"), found.value("dropout")
    kept = y != 0
    assert abs(kept.mean() - 0.7) < 4 * (0.21 / x.size) ** 0.5
    np.testing.assert_allclose(y[kept], x[kept] / 0.7, rtol=1e-6)
    np.testing.assert_array_equal(found.gradient("input") != 0, kept)


def test_only_the_last_value_gets_cotangents(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 9 } >> linear("a", 9, 9)\nlocal y = x >> linear("b", 9, 4)\n'
                      'x = x >> linear("c", 9, 5)\nrule("*", normal { std = 0.5 })\n')
    found = Measured(source, seed=3, batch=5, watch=True)
    w = weights_of(source, tmp_path)
    assert set(found.arrays["weight"]) == {"a.weight", "a.bias", "c.weight", "c.bias"} and "b" not in found.arrays["gradient"]
    close(found.gradient("a"), torch.tensor(found.gradient("c")).double() @ w["c.weight"], "gradient")


def test_tokens_and_a_tied_head(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = tokens() >> embedding("e", 50, 16)\nx = x + (positions() >> embedding("p", 12, 16))\n'
                      'x = x >> linear("a", 16, 16) >> tied("head.weight", "e.weight")\nrule("*", normal { std = 0.5 })\n')
    found = Measured(source, seed=3, batch=5, tokens=12, watch=True)
    w = weights_of(source, tmp_path)
    ids = torch.tensor(found.value("tokens")).long()
    assert ids.unique().numel() > 30 and 0 <= ids.min() and ids.max() < 50
    output = F.linear(F.linear(w["e.weight"][ids] + w["p.weight"], w["a.weight"], w["a.bias"]), w["e.weight"])
    close(found.value("head"), output, "value")
    output.backward(torch.tensor(found.gradient("head"), dtype=torch.float64))
    for name, gradient in found.arrays["weight"].items():
        close(gradient, w[name].grad, name)


def judge_gpt2(config, tmp_path, tokens, limit):
    """Every hidden state and every weight's gradient of the real model, in float64."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path / "gpt2"
    folder.mkdir()
    GPT2Config(**config, architectures=["GPT2LMHeadModel"]).save_pretrained(folder)
    found = Measured(folder, seed=3, batch=2, tokens=tokens, watch=True)
    model = GPT2LMHeadModel(GPT2Config(**config, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0)).double()
    weights = weights_of(folder, tmp_path)
    missing = model.load_state_dict({name: w.detach() for name, w in weights.items()}, strict=False)
    assert not missing.unexpected_keys
    model.tie_weights()
    seen = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda m, i, o, name=name: seen.__setitem__(name, o[0] if isinstance(o, tuple) else o))
    output = model(torch.tensor(found.value("transformer.tokens")).long()).logits
    compared = 0
    for name in found.values:
        if name in seen and found.values[name]["rank"] == 3:
            close(found.value(name), seen[name], name, limit)
            compared += 1
    assert compared >= 2 + 6 * config["n_layer"]
    output.backward(torch.tensor(found.gradient("lm_head"), dtype=torch.float64))
    named = dict(model.named_parameters())
    for name, gradient in found.arrays["weight"].items():
        close(gradient, named[name].grad, name, limit)
    assert len(found.arrays["weight"]) == len(named)


def test_gpt2_whole_is_transformers(tmp_path):
    judge_gpt2({"vocab_size": 97, "n_positions": 64, "n_embd": 48, "n_layer": 3, "n_head": 4}, tmp_path, 40, 5e-6)


FAMILIES = {
    "BertForMaskedLM": {"model_type": "bert", "vocab_size": 101, "hidden_size": 32, "intermediate_size": 48,
                        "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_dropout_prob": 0,
                        "attention_probs_dropout_prob": 0},
    "MixtralForCausalLM": {"model_type": "mixtral", "vocab_size": 101, "hidden_size": 32, "intermediate_size": 24,
                           "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 6,
                           "num_experts_per_tok": 2, "initializer_range": 0.1, "output_router_logits": False,
                           "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_family_whole_is_transformers(kind, tmp_path):
    """Segments, and a mixture of experts: the last value and every weight's gradient of the real model, in float64."""
    import transformers

    (tmp_path / "config.json").write_text(json.dumps({"architectures": [kind], **FAMILIES[kind]}))
    found = Measured(tmp_path / "config.json", seed=3, batch=2, tokens=20, watch=True)
    subprocess.run([SOW, "init", str(tmp_path / "config.json"), "--seed", "3", "-o", str(tmp_path / "model.safetensors"),
                    "-q"], check=True)
    plain = {"experts_implementation": "eager"} if "Mixtral" in kind else {}  # the quick one knows no float64
    model = getattr(transformers, kind).from_pretrained(tmp_path, dtype=torch.float64, **plain).eval()
    model.get_input_embeddings().padding_idx = None  # rows of a pad token get no gradient of torch
    ids = next(torch.tensor(found.value(name)).long() for name in found.values if name.split(".")[-1] == "tokens")
    output = model(ids).logits
    last = list(found.values)[-1]
    close(found.value(last), output, last, 1e-5)
    output.backward(torch.tensor(found.gradient(last), dtype=torch.float64))
    stacked, compared = {name: weight.grad for name, weight in model.named_parameters()}, 0
    for name, gradient in found.arrays["weight"].items():
        if name.endswith("key.bias"):  # no softmax is moved by it: its gradient is 0, and rounding here
            assert np.abs(gradient).max() < 1e-6 * np.abs(found.arrays["weight"][name[:-4] + "weight"]).max(), name
        elif name in stacked:
            close(gradient, stacked[name], name, 2e-5)
        elif ".experts." in name:  # the library holds the experts in two tensors: gates over ups, and downs
            before, number, part, _ = name.replace("block_sparse_moe", "mlp").rsplit(".", 3)
            if part == "w2":
                judged = stacked[before + ".down_proj"][int(number)]
            else:
                judged = stacked[before + ".gate_up_proj"][int(number)].chunk(2)[part == "w3"]
            close(gradient, judged, name, 2e-5)
        else:
            close(gradient, stacked[name.replace("block_sparse_moe", "mlp")], name, 2e-5)
        compared += 1
    assert compared >= 20 and compared == len(found.weights)


ROPES = {
    "theta": {"rope_type": "default", "rope_theta": 500000.0},
    "linear": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0},
    "dynamic, short": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
    "dynamic, long": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
    "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64, "rope_theta": 500000.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": 10000.0},
    "yarn, fractions": {"rope_type": "yarn", "factor": 8.0, "truncate": False, "attention_factor": 0.8, "beta_fast": 16,
                        "beta_slow": 2, "rope_theta": 20000.0},
    "proportional": {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 10000.0},
}
ROTARY = {**dict.fromkeys(ROPES, "llama"), "a field": "llama", "mixtral's own": "mixtral",
          **{family: family for family in ("mistral", "qwen2", "qwen3", "gemma")}}


@pytest.mark.parametrize("name", ROTARY)
def test_rotary_positions_are_those_of_transformers(name, tmp_path):
    """Logits of the real model, in float64: weights large enough that places far apart tell by how much they were turned."""
    import transformers

    family = ROTARY[name]
    config = {"model_type": family, "vocab_size": 61, "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 2,
              "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "initializer_range": 0.3,
              "max_position_embeddings": 32 if name == "dynamic, long" else 128}
    if name in ROPES:
        config["rope_parameters"] = ROPES[name]
    elif name != "mixtral's own":
        config["rope_theta"] = 500000.0
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = Measured(tmp_path / "config.json", seed=4, batch=2, tokens=70, watch=True)
    subprocess.run([SOW, "init", str(tmp_path / "config.json"), "--seed", "4", "-o", str(tmp_path / "model.safetensors"),
                    "-q"], check=True)
    plain = {"experts_implementation": "eager"} if family == "mixtral" else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64, **plain).eval()
    ids = next(torch.tensor(found.value(name)).long() for name in found.values if name.split(".")[-1] == "tokens")
    close(found.value(list(found.values)[-1]), model(ids).logits, name, 2e-4)  # the library's angles are float32


@pytest.mark.skipif("SOW_LARGE" not in os.environ, reason="minutes and 4 GB; SOW_LARGE=1 asks for it")
def test_gpt2_124m_is_transformers(tmp_path):
    judge_gpt2({"n_layer": 12}, tmp_path, 64, 2e-5)


BITS = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from libsow_model import Measured
digests = {}
for threads in json.loads(sys.argv[3]):
    found = Measured(sys.argv[2], seed=5, batch=3, tokens=17, watch=True, threads=threads)
    digest = hashlib.sha256()
    for kind in found.arrays.values():
        for name in sorted(kind):
            digest.update(name.encode() + kind[name].tobytes())
    digest.update(repr((found.values, found.weights)).encode())
    digests[threads] = digest.hexdigest()
print(json.dumps(digests))
"""


def digests(source, threads, isa):
    ran = subprocess.run([sys.executable, "-c", BITS, os.path.dirname(__file__), str(source), json.dumps(threads)],
                         env={**os.environ, "SOW_ISA": isa}, capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout).values())


NETWORK = '''
local x = input { "batch", 3, 20, 12 } >> conv2d("c", 3, 37, { kernel = 3, padding = 1 }) >> batch_norm("n", 37)
x = x >> activation("silu") >> max_pool(2) >> to_tokens() >> layer_norm("l", 37) >> linear("q", 37, 96)
x = x >> attention { heads = 4, causal = true, rotary = true } >> linear("o", 32, 301) >> activation("gelu")
rule("*", normal { std = 0.3 })
'''


def test_same_bits_for_every_thread_count_and_instruction_set(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(NETWORK)
    known = subprocess.run([SOW, "plan", str(source)], env={**os.environ, "SOW_ISA": "none"}, capture_output=True, text=True)
    names = known.stderr.split("it has ")[1].strip().split(", ")
    assert "scalar" in names
    found = digests(source, [1, 2, 3, 4, 5], "")
    for isa in names:
        found |= digests(source, [2], isa)
    assert len(found) == 1


def test_checkpoint_of_another_dtype_and_of_another_model(tmp_path):
    source, path = tmp_path / "model.lua", tmp_path / "w.safetensors"
    text = 'local x = input { "batch", 9 } >> linear("a", 9, %d)\nrule("*", normal { std = 0.5 })\n'
    source.write_text(text % 4)
    for dtype in ("bf16", "f16", "f64"):
        subprocess.run([SOW, "init", str(source), "--seed", "9", "--dtype", dtype, "-o", str(path), "--force", "-q"], check=True)
        stored = load_file(str(path))["a.weight"].float().double().numpy()
        read = Measured(source, seed=9, watch=True, weights=path)
        assert np.isclose(read.weights["a.weight"]["second_moment"], (stored ** 2).mean(), rtol=1e-12)
    source.write_text(text % 5)
    with pytest.raises(SowError, match=r"a\.weight.*\[4, 9\].*\[5, 9\]"):
        Measured(source, weights=path)
    source.write_text((text % 4).replace('"a"', '"b"'))
    with pytest.raises(SowError, match=r"no tensor b\.weight"):
        Measured(source, weights=path)


def test_memory_is_bounded(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 4096 } >> linear("a", 4096, 4096)\nrule("*", normal { std = 0.5 })\n')
    with pytest.raises(SowError, match=r"allowed.*--batch"):
        Measured(source, batch=4096, memory_bytes=100 << 20)


LLAMA = {"model_type": "llama", "vocab_size": 211, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 5,
         "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
LLAMA_7B = LLAMA | {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
                    "num_attention_heads": 32, "num_key_value_heads": 32}


def config_of(fields, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(fields))
    return tmp_path / "config.json"


def test_first_layers_are_those_of_the_whole(tmp_path):
    source = config_of(LLAMA, tmp_path)
    whole = Measured(source, batch=2, tokens=9, watch=True)
    part = Measured(source, batch=2, tokens=9, watch=True, layers=2)
    followed = [name for name, value in whole.values.items() if value["layer"] < 2 and name in part.arrays["value"]]
    last = [name for name, value in part.values.items() if value["layer"] == 1][-1]
    assert set(part.arrays["value"]) == set(followed) and len(followed) < len(whole.arrays["value"]) / 2
    for name in followed:
        np.testing.assert_array_equal(part.value(name), whole.value(name))
    assert abs(np.mean(part.gradient(last).astype(float) ** 2) - 1) < 0.15  # cotangents
    assert np.isnan(part.values[list(part.values)[-1]]["second_moment"])
    assert "model.layers.1.mlp.down_proj.weight" in part.arrays["weight"]
    assert not any(name.startswith(("model.layers.2", "lm_head")) for name in part.weights)


def test_weights_that_are_drawn_again_change_no_bit(tmp_path):
    """Where not all of it fits at once, a layer's weights are drawn for the way forward and again for the way back."""
    source = config_of(LLAMA | {"vocab_size": 31}, tmp_path)
    kept, drawn = (Measured(source, batch=1, tokens=4, threads=1, watch=True, memory_bytes=room) for room in (0, 3500000))
    with pytest.raises(SowError, match="--layers"):
        Measured(source, batch=1, tokens=4, threads=1, memory_bytes=2400000)
    assert kept.memory > 3500000 >= drawn.memory
    for kind, arrays in kept.arrays.items():
        assert arrays.keys() == drawn.arrays[kind].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, drawn.arrays[kind][name])


def test_measured_first_loss_is_torchs(tmp_path):
    found = Measured(config_of(LLAMA | {"initializer_range": 0.4}, tmp_path), batch=3, tokens=9, watch=True)
    logits = torch.from_numpy(found.value(list(found.values)[-1])).double().flatten(0, -2)
    p = torch.log_softmax(logits, -1)
    losses = torch.stack([F.cross_entropy(logits, torch.full((len(logits),), label)) for label in range(logits.shape[-1])])
    assert found.report.classes == 211 and losses.mean() > 5.6
    assert abs(found.report.first_loss / losses.mean() - 1) < 1e-6
    assert abs(found.report.entropy / -(p.exp() * p).sum(-1).mean() - 1) < 1e-5


@pytest.mark.skipif("SOW_LARGE" not in os.environ, reason="minutes; SOW_LARGE=1 asks for it")
def test_seven_billion_in_little_memory(tmp_path):
    """27 GB of weights, of which a layer is there at a time. The first loss is that of logits of their measured std."""
    found = Measured(config_of(LLAMA_7B, tmp_path), batch=1, tokens=16, memory_bytes=1500 << 20)
    last = found.values[list(found.values)[-1]]
    assert found.memory < 1500 << 20 and last["shape"] == (1, 16, 32000)
    assert abs(found.report.first_loss - (np.log(32000) + last["std"] ** 2 / 2)) < 0.05
