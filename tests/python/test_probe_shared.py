# SPDX-License-Identifier: MIT
"""One layer used several times: predictions of sow probe against torch with the same weights, means over seeds, value by value."""
import pytest

torch = pytest.importorskip("torch")
from predictions import Means, one_thread, predict, weights  # noqa: E402, F401

F = torch.nn.functional
RULES = """
rule("*.weight", {})
rule("*", normal {{ std = 0.1 }})
"""
RESIDUAL = """
local x = input { "batch", 256 } >> linear("first", 256, 256)
local w = linear("w", 256, 256)
for i = 1, 4 do x = x + (x >> activation("relu") >> w) end
x = x >> linear("head", 256, 64)
"""
BEHIND_NORMS = """
local x = input { "batch", 128 } >> linear("first", 128, 128)
local norm, up, down = layer_norm("norm", 128), linear("up", 128, 256), linear("down", 256, 128)
for i = 1, 8 do x = x + (x >> norm >> up >> activation("gelu") >> down) end
x = x >> linear("head", 128, 64)
rule("norm.weight", ones)
"""
GATED = """
local x = input { "batch", 256 } >> linear("first", 256, 256)
local norm, gate, up, down = rms_norm("norm", 256), linear("gate", 256, 256), linear("up", 256, 256), linear("down", 256, 256)
for i = 1, 4 do
    local y = x >> norm
    x = x + ((y >> gate >> activation("silu")) * (y >> up) >> down)
end
x = x >> linear("head", 256, 64)
rule("norm.weight", ones)
"""


def numbered(name, i):
    return name if i == 1 else f"{name}.{i}"


def residual(see, w, x):
    for i in range(1, 5):
        x = see(numbered("add", i), x + see(numbered("w", i), F.linear(torch.relu(x), w["w.weight"], w["w.bias"])))
    return x


def behind_norms(see, w, x):
    for i in range(1, 9):
        y = see(numbered("norm", i), F.layer_norm(x, [128], w["norm.weight"], w["norm.bias"]))
        y = see(numbered("up", i), F.linear(y, w["up.weight"], w["up.bias"]))
        x = see(numbered("add", i), x + F.linear(F.gelu(y), w["down.weight"], w["down.bias"]))
    return x


def gated(see, w, x):
    for i in range(1, 5):
        y = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * w["norm.weight"]
        y = F.silu(F.linear(y, w["gate.weight"], w["gate.bias"])) * F.linear(y, w["up.weight"], w["up.bias"])
        y = see(numbered("down", i), F.linear(y, w["down.weight"], w["down.bias"]))
        x = see(numbered("add", i), x + y)
    return x


@pytest.mark.parametrize("text, scheme, body", [(RESIDUAL, "he_normal", residual), (BEHIND_NORMS, "lecun_normal", behind_norms),
                                                (GATED, "lecun_normal", gated)],
                         ids=["residual", "behind norms", "gated"])
def test_what_one_layer_adds_several_times(tmp_path, text, scheme, body):
    """W u and W v are as alike as u and v are: of independent layers E[x^2] would be 0.19, 0.28 and 0.35 of it, and less of gradients."""
    model = tmp_path / "model.lua"
    model.write_text(text + RULES.format(scheme))
    told, measured, seeds = predict(model), Means(), 20
    for seed in range(seeds):
        w = weights(tmp_path, seed, model)
        width = w["first.weight"].shape[1]
        x = torch.randn(8, width, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        x = measured.see("first", F.linear(measured.see("input", x), w["first.weight"], w["first.bias"]))
        x = body(measured.see, w, x)
        measured.back(measured.see("head", F.linear(x, w["head.weight"], w["head.bias"])), seed)
    told["noise"] = 0.15
    measured.agree(told, measured.values, near=0.1, gradient_near=0.12)


CONVOLUTION = """
local x = input { "batch", 4, 8, 8 } >> conv2d("first", 4, 48, { padding = 1 })
local c = conv2d("c", 48, 48, { padding = 1 })
for i = 1, 4 do x = x + (x >> activation("tanh") >> c) end
rule("*.weight", lecun_normal)
rule("*", zeros)
"""


def test_what_one_convolution_adds_several_times(tmp_path):
    model = tmp_path / "conv.lua"
    model.write_text(CONVOLUTION)
    told, measured = predict(model), Means()
    for seed in range(12):
        w = weights(tmp_path, seed, model)
        x = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        x = measured.see("first", F.conv2d(x, w["first.weight"], padding=1))
        for i in range(1, 5):
            y = measured.see(numbered("c", i), F.conv2d(torch.tanh(x), w["c.weight"], padding=1))
            x = measured.see(numbered("add", i), x + y)
        measured.back(x, seed)
    told["noise"] = 0.1
    measured.agree(told, measured.values, near=0.1, gradient_near=0.12)


ALBERT = """
local x = tokens() >> embedding("embed", 500, 128)
local q, k, v, o = linear("q", 128, 128), linear("k", 128, 128), linear("v", 128, 128), linear("o", 128, 128)
local up, down, norm1, norm2 = linear("up", 128, 256), linear("down", 256, 128), layer_norm("norm1", 128), layer_norm("norm2", 128)
for i = 1, 6 do
    x = (x + (bundle(x >> q, x >> k, x >> v) >> attention { heads = 4 } >> o)) >> norm1
    x = (x + (x >> up >> activation("gelu") >> down)) >> norm2
end
rule("norm*.weight", ones)
rule("embed.weight", normal { std = 1 })
rule("*.weight", normal { std = 0.06 })
rule("*", zeros)
"""


def test_albert_like_sharing(tmp_path):
    """Lan et al. 2020: all layers are one, attention and its values too."""
    model = tmp_path / "albert.lua"
    model.write_text(ALBERT)
    told, measured = predict(model, "--tokens", "24"), Means()
    for seed in range(16):
        w = weights(tmp_path, seed, model)
        ids = torch.randint(500, (4, 24), generator=torch.Generator().manual_seed(seed))
        x = measured.see("embed", F.embedding(ids, w["embed.weight"]).requires_grad_())
        for i in range(1, 7):
            q, k, v = (F.linear(x, w[f"{name}.weight"]).unflatten(-1, (4, 32)).transpose(1, 2) for name in "qkv")
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            y = measured.see(numbered("o", i), F.linear(y, w["o.weight"]))
            x = measured.see(numbered("norm1", i), F.layer_norm(measured.see(numbered("add", 2 * i - 1), x + y), [128]))
            y = F.linear(F.gelu(F.linear(x, w["up.weight"])), w["down.weight"])
            x = measured.see(numbered("norm2", i), F.layer_norm(measured.see(f"add.{2 * i}", x + y), [128]))
        measured.back(x, seed)
    told["noise"] = 0.1
    measured.agree(told, measured.values, near=0.1, gradient_near=0.15)
