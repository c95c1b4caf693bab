# SPDX-License-Identifier: MIT
"""Numbers through networks (sow_measure) against torch in float64, with the same weights and inputs: every operation
forward and backward, and graphs of several."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from activation_judges import JUDGES, ROWS  # noqa: E402
from libsow_model import Measured  # noqa: E402
from measuring import close, group_in_out, judge, turned, weights_of  # noqa: E402

F = torch.nn.functional


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
    "global tokens but two": (TOKENS, 'global_pool { over = "tokens", skip = 2 }', lambda x, w: x[:, 2:].mean(1)),
    "largest token but the first": (TOKENS, 'global_pool { over = "tokens", kind = "max", skip = 1 }', lambda x, w: x[:, 1:].amax(1)),
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


@pytest.mark.parametrize("name", CASES)
def test_operation_is_torchs(name, tmp_path):
    shape, layer, function = CASES[name]
    judge(f"local x = input {{ {shape} }} >> {layer}", function, tmp_path)


@pytest.mark.parametrize("name", GRAPHS)
def test_graph_is_torchs(name, tmp_path):
    shape, body, function = GRAPHS[name]
    judge(f"local function net(x) {body} end\nnet(input {{ {shape} }})", function, tmp_path)


# Every activation of the table; a parameter's other values than the default are in PARAMETERS.
@pytest.mark.parametrize("name", sorted(name for name in ROWS if not ROWS[name]["gate"]))
def test_activation_is_torchs(name, tmp_path):
    judge(f'local x = (input {{ "batch", 4001 }} * 3) >> activation("{name}")', lambda x, w: JUDGES[name](3 * x), tmp_path)


@pytest.mark.parametrize("name", sorted(name for name in ROWS if ROWS[name]["gate"]))
def test_gate_is_torchs(name, tmp_path):
    judge(f'local x = (input {{ "batch", 4002 }} * 3) >> gated("{name}")',
          lambda x, w: JUDGES[name](3 * x[..., :2001]) * 3 * x[..., 2001:], tmp_path)


PARAMETERS = {
    "leaky_relu{slope=0.2}": lambda x: F.leaky_relu(x, 0.2), "elu{alpha=0.7}": lambda x: F.elu(x, 0.7),
    "celu{alpha=2}": lambda x: F.celu(x, 2), "softshrink{lambda=0.8}": lambda x: F.softshrink(x, 0.8),
    "hardshrink{lambda=0.8}": lambda x: F.hardshrink(x, 0.8), "sin{frequency=5}": lambda x: torch.sin(5 * x)}


@pytest.mark.parametrize("name", PARAMETERS)
def test_activation_with_parameters_is_torchs(name, tmp_path):
    judge(f'local x = (input {{ "batch", 4001 }} * 3) >> activation("{name}")', lambda x, w: PARAMETERS[name](3 * x), tmp_path)


POOLS = {"max_pool(2)": lambda x: F.max_pool2d(x, 2), 'global_pool { kind = "max" }': lambda x: x.amax((2, 3)),
         "average_pool(2)": lambda x: F.avg_pool2d(x, 2)}


@pytest.mark.parametrize("pool", POOLS)
def test_pools_pass_on_what_left_float32(pool, tmp_path):
    """What is infinite or not a number comes out of a pool where it comes out of torch's."""
    source = tmp_path / "model.lua"
    source.write_text(f'local x = input {{ "batch", 3, 8, 8, std = 2 }} >> conv2d("a", 3, 4, {{ kernel = 1 }}) '
                      f'>> conv2d("b", 4, 1, {{ kernel = 1 }}) >> {pool}\n'
                      'rule("a.weight", normal { std = 5e37 })\nrule("b.weight", normal { std = 1 })\nrule("*", zeros)\n')
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


def test_dropout_is_torchs_for_the_same_mask(tmp_path):
    """Forwards and backwards between weights: what was kept is read off the values."""
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 60 } >> linear("a", 60, 70) >> dropout(0.4) >> linear("b", 70, 30)\n'
                      'rule("*", normal { std = 0.4 })\n')
    found, w = Measured(source, seed=3, batch=5, watch=True), weights_of(source, tmp_path)
    kept = torch.tensor(found.value("dropout") != 0)
    assert 0.4 < kept.double().mean() < 0.8
    x = torch.tensor(found.value("input"), dtype=torch.float64, requires_grad=True)
    dropped = F.linear(x, w["a.weight"], w["a.bias"]) * kept / 0.6
    dropped.retain_grad()
    output = F.linear(dropped, w["b.weight"], w["b.bias"])
    close(found.value("dropout"), dropped, "dropout")
    close(found.value("b"), output, "b")
    output.backward(torch.tensor(found.gradient("b"), dtype=torch.float64))
    close(found.gradient("dropout"), dropped.grad, "gradient behind")
    close(found.gradient("input"), x.grad, "gradient before")
    for name, gradient in found.arrays["weight"].items():
        close(gradient, w[name].grad, name)


@pytest.mark.parametrize("rows", [5, 50])
def test_embedding_is_torchs(rows, tmp_path):
    """Rows that come often gather their gradients; rows that do not come have none."""
    source = tmp_path / "model.lua"
    source.write_text(f'local x = tokens() >> embedding("a", {rows}, 16)\nrule("*", normal {{ std = 0.5 }})\n')
    found, w = Measured(source, seed=3, batch=3, tokens=12, watch=True), weights_of(source, tmp_path)
    ids = torch.tensor(found.value("tokens")).long()
    output = F.embedding(ids, w["a.weight"])
    close(found.value("a"), output, "value", 0)
    output.backward(torch.tensor(found.gradient("a"), dtype=torch.float64))
    close(found.arrays["weight"]["a.weight"], w["a.weight"].grad, "a.weight")
    absent = sorted(set(range(rows)) - set(ids.unique().tolist()))
    assert (rows == 5) == (absent == []) and not found.arrays["weight"]["a.weight"].reshape(rows, 16)[absent].any()


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
