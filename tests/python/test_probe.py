# SPDX-License-Identifier: MIT
"""Predictions of sow probe against torch: the same networks with sow's own weights, means over seeds, value by value."""
import json

import pytest
import torch
from predictions import Means, predict, weights
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

F = torch.nn.functional


@pytest.mark.parametrize("name, scheme", [("relu", "he_normal"), ("tanh", "glorot_normal"), ("gelu", "he_normal"),
                                          ("selu", "lecun_normal"), ("sigmoid", "normal{std=0.1}")])
def test_mlp(tmp_path, name, scheme):
    phi = {"relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu, "selu": F.selu, "sigmoid": torch.sigmoid}[name]
    source = ["mlp:256,512x5,64", "--activation", name, "--scheme", scheme]
    told, measured = predict(*source), Means()
    told["noise"] = max(value.get("seed_noise", 0) for value in told.values() if "seed_noise" in value) + 5 / 64
    for seed in range(6):
        w = weights(tmp_path, seed, *source)
        x = torch.randn(64, 256, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        measured.see("input", x)
        for i in range(6):
            x = measured.see(f"layers.{i}", F.linear(x, w[f"layers.{i}.weight"], w[f"layers.{i}.bias"]))
            x = measured.see(f"layers.{i}.{name}", phi(x)) if i < 5 else x
        measured.back(x, seed)
    measured.agree(told, measured.values)


CONV = """
local x = input { "batch", 3, 16, 16 }
x = x >> conv2d("c1", 3, 64, { padding = 1 }) >> activation("relu")
x = x >> conv2d("c2", 64, 96, { padding = 1, stride = 2 }) >> activation("relu") >> max_pool(2)
x = x >> conv2d("c3", 96, 128, { padding = 1, groups = 2 }) >> activation("tanh") >> average_pool(2)
x = x >> flatten() >> linear("fc", 512, 256)
rule("*.weight", he_normal)
rule("*.bias", normal { std = 0.1 })
"""


def test_conv(tmp_path):
    model = tmp_path / "conv.lua"
    model.write_text(CONV)
    told, measured = predict(model), Means()
    told["noise"] = 0.05
    for seed in range(6):
        w = weights(tmp_path, seed, model)
        x = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        see = measured.see
        x = see("relu", torch.relu(see("c1", F.conv2d(see("input", x), w["c1.weight"], w["c1.bias"], padding=1))))
        x = see("c2", F.conv2d(x, w["c2.weight"], w["c2.bias"], padding=1, stride=2))
        x = see("max_pool", F.max_pool2d(torch.relu(x), 2))
        x = see("c3", F.conv2d(x, w["c3.weight"], w["c3.bias"], padding=1, groups=2))
        x = see("average_pool", F.avg_pool2d(see("tanh", torch.tanh(x)), 2))
        x = see("fc", F.linear(x.flatten(1), w["fc.weight"], w["fc.bias"]))
        measured.back(x, seed)
    measured.agree(told, measured.values, near=0.1, gradient_near=0.12)


TRANSPOSED = """
local x = input { "batch", 64, 5, 5, correlation = 0.3 }
x = x >> conv_transpose2d("c1", 64, 96, { kernel = 3, stride = 2, output_padding = 1, padding = 1 }) >> activation("relu")
x = x >> conv_transpose2d("c2", 96, 64, { kernel = 4, stride = 2, padding = 1, groups = 2 }) >> activation("tanh")
x = x >> conv_transpose2d("c3", 64, 32, { kernel = 3 })
rule("*.weight", he_normal)
rule("*.bias", normal { std = 0.1 })
"""


def test_conv_transpose(tmp_path):
    model = tmp_path / "transposed.lua"
    model.write_text(TRANSPOSED)
    told, measured = predict(model), Means()
    told["noise"] = 0.05
    for seed in range(6):
        w = weights(tmp_path, seed, model)
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(8, 64, 5, 5, generator=generator) * 0.7 ** 0.5
        x = (x + torch.randn(8, 64, 1, 1, generator=generator) * 0.3 ** 0.5).requires_grad_()
        see, up = measured.see, F.conv_transpose2d
        x = see("relu", torch.relu(see("c1", up(see("input", x), w["c1.weight"], w["c1.bias"], 2, 1, 1))))
        x = see("tanh", torch.tanh(see("c2", up(x, w["c2.weight"], w["c2.bias"], 2, 1, groups=2))))
        measured.back(see("c3", up(x, w["c3.weight"], w["c3.bias"])), seed)
    measured.agree(told, measured.values, near=0.1, gradient_near=0.12)
    for name in ("c1", "c2", "c3"):  # places, of images
        x = measured.values[name].detach()
        count = x[0, 0].numel()
        other = ((x.sum((2, 3)) ** 2).mean() / count - (x ** 2).mean()) / ((count - 1) * (x ** 2).mean())
        assert abs(float(other) - told[name]["place_correlation"]) < 0.06, name


PRODUCTS = """
local x = input { "batch", 40, 128, correlation = 0.4 }
x = bundle(x >> linear("b", 128, 256), x >> linear("a", 128, 256)) >> gated("swiglu")
x = x >> linear("c", 256, 512) >> gated("glu", { first = "value" })
x = bundle(x >> linear("d", 256, 48), x >> linear("e", 256, 64)) >> bilinear("f", 48, 64, 200)
x = x >> linear("g", 200, 60, { layout = "in-out-out", heads = 5 }) >> linear("h", 60, 80, { layout = "in-in-out", heads = 5 })
rule("*.weight", lecun_normal)
rule("*.bias", normal { mean = 0.2, std = 0.2 })
"""


def test_gated_bilinear_and_headed(tmp_path):
    model = tmp_path / "products.lua"
    model.write_text(PRODUCTS)
    told, measured = predict(model), Means()
    told["noise"] = 0.3
    for seed in range(8):
        w = weights(tmp_path, seed, model)
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(16, 40, 128, generator=generator) * 0.6 ** 0.5
        x = (x + torch.randn(16, 1, 128, generator=generator) * 0.4 ** 0.5).requires_grad_()
        see = measured.see

        def linear(name, x, w=w):
            return measured.see(name, F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"]))

        x = see("input", x)
        x = see("gated", F.silu(linear("b", x)) * linear("a", x))
        x = see("gated.2", F.glu(linear("c", x)))
        x = see("f", F.bilinear(linear("d", x), linear("e", x), w["f.weight"], w["f.bias"]))
        x = see("g", x @ w["g.weight"].flatten(1) + w["g.bias"].flatten())
        measured.back(see("h", x @ w["h.weight"].flatten(0, 1) + w["h.bias"]), seed)
    measured.agree(told, measured.values, near=0.1, gradient_near=0.15)


def transformer(folder, config, model_class, names, told, seeds, rules=(), length=64):
    measured = Means()
    path = folder / "config.json"
    path.write_text(json.dumps(config.to_dict() | {"architectures": [model_class.__name__]}))
    told |= predict(path, "--tokens", length, *rules)
    told["noise"] = 0.02
    model = model_class(config).eval()
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_hook(lambda _, __, y, name=name: measured.see(name, y[0] if isinstance(y, tuple) else y))
    for seed in range(seeds):
        missing, unexpected = model.load_state_dict(weights(folder, seed, path, *rules), strict=False)
        assert not unexpected and all("lm_head" in name for name in missing)
        model.tie_weights()
        tokens = torch.randint(0, config.vocab_size, (4, length), generator=torch.Generator().manual_seed(seed))
        measured.back(model(tokens).logits, seed)
    return measured


def test_gpt2(tmp_path):
    config = GPT2Config(vocab_size=1000, n_positions=64, n_embd=128, n_layer=4, n_head=4, attn_pdrop=0, resid_pdrop=0,
                        embd_pdrop=0)
    parts = ("ln_1", "attn.c_attn", "ln_2", "mlp.c_fc", "mlp.c_proj")
    names = ["transformer.wte", "transformer.ln_f", "lm_head", *(f"transformer.h.{i}.{part}" for i in range(4)
                                                                 for part in parts)]
    mixed = [f"transformer.h.{i}.attn.c_proj" for i in range(4)]
    told = {}
    measured = transformer(tmp_path, config, GPT2LMHeadModel, names + mixed, told, 3)
    measured.agree(told, names, near=0.1, gradient_near=0.15, alike=0.06)
    measured.agree(told, mixed, near=0.1, gradient_near=0.15, alike=0.06)


def test_llama(tmp_path):
    config = LlamaConfig(vocab_size=1000, hidden_size=128, intermediate_size=256, num_hidden_layers=3,
                         num_attention_heads=8, num_key_value_heads=2, max_position_embeddings=64,
                         tie_word_embeddings=False, initializer_range=0.06)
    parts = ("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "post_attention_layernorm",
             "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    names = ["model.embed_tokens", "model.norm", "lm_head", *(f"model.layers.{i}.{part}" for i in range(3)
                                                              for part in parts)]
    mixed = [f"model.layers.{i}.self_attn.o_proj" for i in range(3)]
    told, rules = {}, ["--set", "*embed_tokens.weight=normal{std=1}"]
    measured = transformer(tmp_path, config, LlamaForCausalLM, names + mixed, told, 3, rules)
    measured.agree(told, names, near=0.1, gradient_near=0.2, alike=0.06)
    measured.agree(told, mixed, near=0.1, gradient_near=0.2, alike=0.06)


@pytest.mark.parametrize("std, length, heads", [(0.02, 16, (4, 4)), (0.02, 64, (4, 4)), (0.02, 64, (8, 2)),
                                                (0.02, 256, (4, 4)), (0.06, 64, (4, 4)), (0.15, 64, (4, 4))])
def test_llama_where_attention_dominates_the_stream(tmp_path, std, length, heads):
    """Embeddings of Llama's own size: each token's stream is nearly what the tokens before it have in common."""
    config = LlamaConfig(vocab_size=1000, hidden_size=128, intermediate_size=256, num_hidden_layers=3,
                         num_attention_heads=heads[0], num_key_value_heads=heads[1], max_position_embeddings=256,
                         tie_word_embeddings=False, initializer_range=std)
    by_position(tmp_path, config, LlamaForCausalLM, length)


@pytest.mark.parametrize("std, length, window", [(0.02, 128, 32), (0.06, 64, 16), (0.02, 64, 4096)])
def test_mistral_with_a_window(tmp_path, std, length, window):
    config = MistralConfig(vocab_size=1000, hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
                           num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
                           initializer_range=std, sliding_window=window)
    by_position(tmp_path, config, MistralForCausalLM, length)


def by_position(folder, config, model_class, length):
    """Tokens differ by position, forward and backward: values, the stream and its gradients, and those of queries and keys."""
    stream = ["model.norm", *(f"model.layers.{i}.{part}" for i in range(3) for part in
                              ("post_attention_layernorm", "self_attn.o_proj", "self_attn.v_proj", "mlp.down_proj"))]
    logits = [f"model.layers.{i}.self_attn.{part}_proj" for i in range(3) for part in "qk"]
    told = {}
    measured = transformer(folder, config, model_class, stream + logits, told, 3, length=length)
    measured.agree(told, stream, near=0.1, gradient_near=0.15, alike=0.05)
    measured.agree(told, logits, near=0.1, gradient_near=0.3, alike=0.05)


def test_resnet18_of_torchvision():
    """Batch norms in training, strided shortcuts, padding, a max pool and a global average: each convolution's output, as
    torchvision draws it."""
    torchvision = pytest.importorskip("torchvision")
    told = predict("torchvision:resnet18", "--batch", 4)
    told["noise"] = 0.0005
    measured, names = Means(), []
    for seed in range(2):
        torch.manual_seed(seed)
        model = torchvision.models.resnet18(weights=None).train()
        for path, module in model.named_modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                names += [path] if seed == 0 else []
                module.register_forward_hook(lambda _, __, y, path=path: measured.see(path, y))
        measured.back(model(torch.randn(4, 3, 224, 224)), seed)
    assert len(names) == 21
    measured.agree(told, names, near=0.12, gradient_near=0.3)
