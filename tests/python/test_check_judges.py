# SPDX-License-Identifier: MIT
"""sow check on many checkpoints of the real libraries, seed after seed: not one finding under the library's own variant, a
finding under another one or under another config. transformers 5.24.0, torchvision, timm; torch, Keras and Flax for mlp:.

transformers 5.24.0 draws as its recipes say in all of these families: GPT-2's depth scaling, which releases before it lost,
is there. Its generic pass leaves rows of padding_idx zero where the class has one."""

import json
import os

import pytest

torch = pytest.importorskip("torch", reason="torch draws")
save_file = pytest.importorskip("safetensors.torch", reason="safetensors writes the checkpoints").save_file
from tool import check  # noqa: E402

TINY = {"vocab_size": 500, "hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2}  # fmt: skip
CONFIGS = {
    "gpt2": ("GPT2LMHeadModel", {"vocab_size": 500, "n_positions": 64, "n_embd": 64, "n_layer": 3, "n_head": 4}),
    "llama": ("LlamaForCausalLM", {**TINY, "attention_bias": True, "pad_token_id": 3}),
    "mistral": ("MistralForCausalLM", TINY),
    "qwen2": ("Qwen2ForCausalLM", TINY),
    "qwen3": ("Qwen3ForCausalLM", {**TINY, "head_dim": 32}),
    "bert": ("BertForPreTraining", {**TINY, "pad_token_id": 0}),
    "gemma": ("GemmaForCausalLM", {**TINY, "head_dim": 16}),
    "mixtral": ("MixtralForCausalLM", {**TINY, "num_local_experts": 3}),
    "vit": ("ViTForImageClassification", {**TINY, "image_size": 32, "patch_size": 8, "num_labels": 20}),
    "resnet": ("ResNetForImageClassification", {"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [2, 2],
                                                "layer_type": "basic", "num_labels": 20}),
}  # fmt: skip
SEEDS = 5  # of each family: 50 checkpoints

# Of each family: a variant that is not the library's, and a config that is not the checkpoint's.
WRONG = {
    "gpt2": ("openai", {"initializer_range": 0.03}), "llama": ("matched", {"intermediate_size": 128}),
    "mistral": ("matched", {"initializer_range": 0.03}), "qwen2": ("matched", {"num_key_value_heads": 4}),
    "qwen3": ("matched", {"intermediate_size": 128}), "bert": ("google", {"intermediate_size": 128}),
    "gemma": ("deepmind", {"initializer_range": 0.03}), "mixtral": ("matched", {"num_local_experts": 4}),
    "vit": ("jax", {"patch_size": 16}), "resnet": ("timm", {"hidden_sizes": [32, 48]}),
}  # fmt: skip


def told(report):
    return [(f["code"], f["where"], f["text"], f["cause"]) for f in report["findings"]]


def build(family, folder, seed):
    transformers = pytest.importorskip("transformers", reason="transformers draws")
    name, fields = CONFIGS[family]
    kind = getattr(transformers, name)
    torch.manual_seed(seed)
    kind(kind.config_class(**fields)).save_pretrained(folder)
    return folder / "model.safetensors"


@pytest.mark.parametrize("family", CONFIGS)
def test_no_finding_whatever_the_seed_but_under_another_variant_and_config(family, tmp_path):
    for seed in range(SEEDS):
        path = build(family, tmp_path, seed)
        report = check(path, "--source", tmp_path / "config.json", "--variant", "transformers")
        assert told(report) == [], seed
        assert report["judged"] == report["tensors"]
    variant, change = WRONG[family]
    report = check(path, "--source", tmp_path / "config.json", "--variant", variant)
    assert {"std", "constant-value", "distribution"} & {f["code"] for f in report["findings"]}, told(report)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps(config | change))
    report = check(path, "--source", tmp_path / "other.json")
    meant = {"std"} if "initializer_range" in change else {"config-field", "shape", "missing-tensor"}
    assert meant & {f["code"] for f in report["findings"]}, told(report)


def save(tensors, path):
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, path)
    return path


def test_what_torchvision_and_timm_draw(tmp_path):
    torchvision = pytest.importorskip("torchvision", reason="torchvision draws")
    timm = pytest.importorskip("timm", reason="timm draws")
    torch.manual_seed(1)
    ours = save(torchvision.models.resnet18(num_classes=10).state_dict(), tmp_path / "a.safetensors")
    assert told(check(ours, "--source", "torchvision:resnet18,num_classes=10")) == []
    small = timm.create_model("vit_tiny_patch16_224", num_classes=10).state_dict()
    theirs = save(small, tmp_path / "b.safetensors")
    assert told(check(theirs, "--source", "timm:vit_tiny_patch16_224,num_classes=10")) == []
    assert not check(theirs, "--source", "timm:vit_tiny_patch16_224,num_classes=10", "--variant", "jax")["passed"]


# ---- mlp: under the variants torch, keras and flax ----

WIDTHS = [96, 128, 128, 64]


def by_torch(seed):
    torch.manual_seed(seed)
    return [torch.nn.Linear(a, b) for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)]


def torch_mlp(seed):
    pairs = enumerate(by_torch(seed))
    return {f"layers.{i}.{end}": getattr(layer, end) for i, layer in pairs for end in ("weight", "bias")}


def as_mlp(pairs):
    """Kernels (in, out) as ours are stored, (out, in)."""
    out = {}
    for i, (kernel, bias) in enumerate(pairs):
        out[f"layers.{i}.weight"] = torch.tensor(kernel.tolist()).T
        out[f"layers.{i}.bias"] = torch.tensor(bias.tolist())
    return out


def keras_mlp(seed):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="Keras draws")
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((WIDTHS[0],)), *(keras.layers.Dense(width) for width in WIDTHS[1:])])
    return as_mlp([layer.get_weights() for layer in model.layers])


def flax_mlp(seed):
    jax = pytest.importorskip("jax", reason="JAX draws")
    linen = pytest.importorskip("flax.linen", reason="Flax draws")
    model = linen.Sequential([linen.Dense(width) for width in WIDTHS[1:]])
    drawn = model.init(jax.random.PRNGKey(seed), jax.numpy.ones((1, WIDTHS[0])))["params"]
    return as_mlp([(drawn[f"layers_{i}"]["kernel"], drawn[f"layers_{i}"]["bias"]) for i in range(3)])


@pytest.mark.parametrize("framework", ["torch", "keras", "flax"])
def test_a_frameworks_dense_layers(framework, tmp_path):
    make = {"torch": torch_mlp, "keras": keras_mlp, "flax": flax_mlp}[framework]
    for seed in range(2):
        path = save(make(seed), tmp_path / "mlp.safetensors")
        assert told(check(path, "--source", "mlp:96,128x2,64", "--variant", framework)) == []
    for variant in {"torch", "keras", "flax", "fitting"} - {framework}:
        report = check(path, "--source", "mlp:96,128x2,64", "--variant", variant)
        assert any(f"--variant {framework}" in (f["cause"] or "") for f in report["findings"]), (variant, told(report))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_torch_draws_in_16_bits(dtype, tmp_path):
    """torch rounds a uniform's bounds to the type before it draws: nothing that anyone did wrong."""
    torch.manual_seed(5)
    tensors, source = {}, ""
    for i in range(60):
        tensors[f"t{i}"] = torch.empty(256, 300, dtype=getattr(torch, dtype)).uniform_(-0.05, 0.05)
        source += f'param("t{i}", {{ 256, 300 }}, {{ kind = "linear" }})\n'
    (tmp_path / "net.lua").write_text(source + 'rule("*", uniform { low = -0.05, high = 0.05 })\n')
    path = save(tensors, tmp_path / "n.safetensors")
    short = {"bfloat16": "bf16", "float16": "f16"}[dtype]
    assert told(check(path, "--source", tmp_path / "net.lua", "--dtype", short)) == []


def test_torchs_own_convolutions(tmp_path):
    (tmp_path / "net.lua").write_text("""
local x = input { "batch", 3, 16, 16 } >> conv2d("0", 3, 32) >> activation("relu") >> conv2d("2", 32, 64, { groups = 4 })
x = x >> activation("relu") >> conv_transpose2d("4", 64, 16, { kernel = 4, stride = 2 })
rule("4.weight", uniform { low = -1 / sqrt(16 * 16), high = 1 / sqrt(16 * 16) }, "torch counts the outputs")
rule("4.bias", uniform { low = -1 / sqrt(16 * 16), high = 1 / sqrt(16 * 16) })
rule("0.*", uniform { low = -1 / sqrt(27), high = 1 / sqrt(27) })
rule("2.*", uniform { low = -1 / sqrt(72), high = 1 / sqrt(72) })
""")
    for seed in range(3):
        torch.manual_seed(seed)
        layers = {"0": torch.nn.Conv2d(3, 32, 3), "2": torch.nn.Conv2d(32, 64, 3, groups=4),
                  "4": torch.nn.ConvTranspose2d(64, 16, 4, stride=2)}  # fmt: skip
        path = save({f"{n}.{end}": getattr(x, end) for n, x in layers.items() for end in ("weight", "bias")}, tmp_path / "n.safetensors")
        assert told(check(path, "--source", tmp_path / "net.lua")) == []
    report = check(path, "--source", tmp_path / "net.lua", "--set", "2.weight=he_normal")
    assert [f["code"] for f in report["findings"]] == ["std"]
    assert "torch's layer default" in report["findings"][0]["cause"]
