# SPDX-License-Identifier: MIT
"""Attention that sees all: predictions of sow probe against torch with the same weights, means over seeds, value by value."""
import pytest

torch = pytest.importorskip("torch")
from predictions import Means, one_thread, predict, weights  # noqa: E402, F401

F = torch.nn.functional
WIDTH, HEADS = 128, 4
LAYERS = """
local function attend(name, x, y, causal)
    return bundle(x >> linear(name .. ".q", 128, 128), y >> linear(name .. ".k", 128, 128), y >> linear(name .. ".v", 128, 128))
           >> attention { heads = 4, causal = causal or false } >> linear(name .. ".o", 128, 128)
end
local function norm(name, x) return x >> layer_norm(name, 128) end
"""
RULES = """
rule("norm*.weight", ones)
rule("*.weight", lecun_normal)
rule("*", zeros)
"""


def run(tmp_path, text, tokens, seeds, body, **near):
    """body(see, w, generator): the network in torch, its values seen by their names, the last one given back."""
    model = tmp_path / "model.lua"
    model.write_text(text + RULES)
    told, measured = predict(model, "--tokens", tokens, "--batch", 4), Means()
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        measured.back(body(measured.see, weights(tmp_path, seed, model), generator), seed)
    told["noise"] = 0.06
    measured.agree(told, measured.values, **near)


def attend(see, w, name, x, y, causal=False):
    parts = [see(f"{name}.{part}", F.linear(of, w[f"{name}.{part}.weight"])) for part, of in zip("qkv", (x, y, y), strict=True)]
    q, k, v = (part.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2) for part in parts)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
    return see(f"{name}.o", F.linear(y, w[f"{name}.o.weight"]))


def norm(see, name, x):
    return see(name, F.layer_norm(x, [WIDTH]))


CROSS = LAYERS + """
local memory = input { "batch", 32, 128 }
local x = tokens() >> embedding("embed", 400, 128)
for i = 1, 2 do
    local y = norm("norm.encoder" .. i, memory)
    memory = memory + attend("encoder" .. i, y, y)
end
memory = norm("norm.memory", memory)
for i = 1, 2 do
    local y = norm("norm.self" .. i, x)
    x = x + attend("self" .. i, y, y, true)
    x = x + attend("cross" .. i, norm("norm.cross" .. i, x), memory)
end
x = x >> linear("head", 128, 64)
rule("embed.weight", normal { std = 1 })
"""


def test_cross_attention(tmp_path):
    """Keys of a decoder get gradients that are alike at all places: an encoder's last keys were predicted at 0.2 to 0.6 of them."""
    def body(see, w, generator):
        memory = see("input", torch.randn(4, 32, WIDTH, generator=generator).requires_grad_())
        x = see("embed", F.embedding(torch.randint(400, (4, 32), generator=generator), w["embed.weight"]).requires_grad_())
        for i in (1, 2):
            y = norm(see, f"norm.encoder{i}", memory)
            memory = memory + attend(see, w, f"encoder{i}", y, y)
        memory = norm(see, "norm.memory", memory)
        for i in (1, 2):
            y = norm(see, f"norm.self{i}", x)
            x = x + attend(see, w, f"self{i}", y, y, True)
            x = x + attend(see, w, f"cross{i}", norm(see, f"norm.cross{i}", x), memory)
        return see("head", F.linear(x, w["head.weight"]))
    run(tmp_path, CROSS, 32, 24, body, near=0.08, gradient_near=0.14)


CLASS_TOKEN = LAYERS + """
local x = input { "batch", 32, 128 } >> linear("patch", 128, 128)
x = concat(learned("class", { 1, 1, 128 }), x, { axis = 2 }) + learned("position", { 1, 33, 128 })
for i = 1, 2 do
    local y = norm("norm.a" .. i, x)
    x = x + attend("a" .. i, y, y)
    x = x + (norm("norm.b" .. i, x) >> linear("up" .. i, 128, 256) >> activation("gelu") >> linear("down" .. i, 256, 128))
end
x = norm("norm", x) TAKEN >> linear("head", 128, 64)
rule("class", normal { std = STD })
rule("position", normal { std = 0.02 })
"""


@pytest.mark.parametrize("std", [0.001, 0.2, 4])
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "all"])
def test_a_class_token_that_is_not_of_the_patches_size(tmp_path, std, taken):
    """A norm makes both alike and gives back what each had: the mean over tokens says neither. Its gradient was predicted at 0.000 of
    the measured one with std = 0.001, and that of values at 6 times where only the class token goes on."""
    def body(see, w, generator):
        x = see("input", torch.randn(4, 32, WIDTH, generator=generator).requires_grad_())
        token = see("class", w["class"].requires_grad_())
        x = torch.cat([token.expand(4, 1, WIDTH), see("patch", F.linear(x, w["patch.weight"]))], 1)
        x = see("concat", x) + w["position"]
        for i in (1, 2):
            y = norm(see, f"norm.a{i}", x)
            x = x + attend(see, w, f"a{i}", y, y)
            y = F.gelu(see(f"up{i}", F.linear(norm(see, f"norm.b{i}", x), w[f"up{i}.weight"])))
            x = x + see(f"down{i}", F.linear(y, w[f"down{i}.weight"]))
        x = norm(see, "norm", x)
        return see("head", F.linear(x[:, 0] if taken else x, w["head.weight"]))
    text = CLASS_TOKEN.replace("TAKEN", ">> take(1)" if taken else "").replace("STD", str(std))
    run(tmp_path, text, 32, 24, body, near=0.1, gradient_near=0.16)


ALONE = LAYERS + """
local x = input { "batch", 64, 128 }
x = norm("norm", attend("a", x, x))
"""


def test_attention_without_a_residual_branch(tmp_path):
    """Keys and values come from the same tokens: what they have in common by chance counts as much as their sizes do."""
    def body(see, w, generator):
        x = see("input", torch.randn(4, 64, WIDTH, generator=generator).requires_grad_())
        return norm(see, "norm", attend(see, w, "a", x, x))
    run(tmp_path, ALONE, 64, 24, body, near=0.06, gradient_near=0.1)
