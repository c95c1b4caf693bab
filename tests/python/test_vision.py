# SPDX-License-Identifier: MIT
"""ResNets and vision transformers against the real torchvision, timm, transformers and Flax: names, shapes, dtypes and
totals on the meta device; every tensor's law against the library's own initialiser; loading, and a forward pass.
"""

import json
import math
import os
import random
import subprocess

import numpy
import pytest
import scipy.stats

torch = pytest.importorskip("torch", reason="torch runs the models")
SOW = os.environ.get("SOW", "")
if not os.path.exists(SOW):
    pytest.skip("SOW does not name the built tool", allow_module_level=True)

torchvision = pytest.importorskip("torchvision", reason="torchvision is a judge")
timm = pytest.importorskip("timm", reason="timm is a judge")
transformers = pytest.importorskip("transformers", reason="transformers is a judge")
from safetensors.torch import load_file  # noqa: E402
from timm.models._hub import save_config_for_hf  # noqa: E402

TORCHVISION = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2"]
TORCHVISION += ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"]
TORCHVISION += ["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"]


def plan(source, *options, code=0):
    done = subprocess.run([SOW, "plan", "--json", str(source), *options], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def init(source, path, *options):
    subprocess.run([SOW, "init", str(source), "-o", str(path), "--seed", "7", "-q", *options], check=True)
    return load_file(path)


def laws(source, *options):
    return {entry["name"]: entry for entry in plan(source, *options)["tensors"]}


def tensors_of(made):
    dtypes = {"f32": torch.float32, "i64": torch.int64}
    return {t["name"]: (tuple(t["shape"]), dtypes[t["dtype"]]) for t in made["tensors"]}


def check_names(source, model, *options):
    """Names, shapes, dtypes, and how many elements are parameters and how many are buffers."""
    made = json.loads(source.stdout) if isinstance(source, subprocess.CompletedProcess) else plan(source, *options)
    state = model.state_dict()
    assert tensors_of(made) == {name: (tuple(t.shape), t.dtype) for name, t in state.items()}
    parameters = sum(p.numel() for p in model.parameters())
    assert made["totals"]["parameters"] == parameters
    assert made["totals"].get("buffers", 0) == sum(t.numel() for t in state.values()) - parameters
    return parameters


def cdf(entry):
    """The law that the plan states."""
    if entry["distribution"] == "uniform":
        return scipy.stats.uniform(entry["low"], entry["high"] - entry["low"]).cdf
    mean, std = entry["mean"], entry["std"]
    if entry["distribution"] == "normal":
        return scipy.stats.norm(mean, std).cdf
    return scipy.stats.truncnorm((entry["low"] - mean) / std, (entry["high"] - mean) / std, mean, std).cdf


def check_law(entry, real):
    """Constants to the bit; else the real tensor's values against the plan's law: Kolmogorov-Smirnov and the bounds.

    With 20,000 values a std that is off by 4% fails, and a tensor that is right does so once in 10^7."""
    name, values = entry["name"], real.detach().double().flatten().numpy()
    assert "regions" not in entry, name
    if entry["distribution"] == "constant":
        assert (values.astype(real.numpy().dtype) == numpy.array(entry["mean"], real.numpy().dtype)).all(), name
        return
    some = values[:: max(1, values.size // 20000)]
    assert scipy.stats.kstest(some, cdf(entry), method="auto" if some.size < 100 else "asymp").pvalue > 1e-7, name
    if entry["distribution"] != "normal":
        reach = 1 + 1e-6
        assert entry["low"] * reach <= values.min() and values.max() <= entry["high"] * reach, name


def check_laws(entries, state):
    for name, tensor in state.items():
        check_law(entries[name], tensor)


def check_forward(model, size):
    with torch.no_grad():
        out = model.eval()(torch.randn(2, 3, size, size))
    out = out if isinstance(out, torch.Tensor) else out[0]
    assert torch.isfinite(out).all()


# ---- torchvision -------------------------------------------------------------------------------------------------


def test_torchvision_names():
    known = {"resnet18": 11_689_512, "resnet50": 25_557_032, "vit_b_16": 86_567_656}
    for name in TORCHVISION:
        with torch.device("meta"):
            model = getattr(torchvision.models, name)()
        parameters = check_names(f"torchvision:{name}", model)
        assert parameters == known.get(name, parameters)


@pytest.mark.parametrize(("name", "options"), [
    ("resnet18", {"num_classes": 10}), ("resnet18", {"num_classes": 10, "zero_init_residual": True}),
    ("resnext50_32x4d", {"zero_init_residual": True}), ("vit_b_32", {"image_size": 32, "representation_size": 48}),
])
def test_torchvision_laws(name, options, tmp_path):
    torch.manual_seed(1)
    if name == "vit_b_32": # its class with one layer of twelve
        model = torchvision.models.VisionTransformer(patch_size=32, num_layers=1, num_heads=12, hidden_dim=768, mlp_dim=3072,
                                                     **options)
    else:
        model = getattr(torchvision.models, name)(**options)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "torchvision", "architecture": name, **options}))
    check_laws(laws(config), model.state_dict())
    if name == "resnet18":
        model.load_state_dict(init(config, tmp_path / "w.safetensors"), strict=True)
        check_forward(model, 64)


# ---- timm --------------------------------------------------------------------------------------------------------


def test_timm_names():
    patterns = ["resnet*", "wide_resnet*", "resnext*", "vit_[tsblgh]*_patch??_224", "vit_base_patch*_384"]
    patterns += ["vit_*_patch8_224", "deit_*", "deit3_*_224"]
    whole = {"tiny_patch16_224", "base_patch16_384", "large_patch16_224", "huge_patch14_224", "giant_patch14_224"}
    judged = 0
    for name in timm.list_models(patterns, include_tags=False):
        # One ViT of each size is built whole; the others with two layers, for the time it takes.
        shallow = {"depth": 2} if "patch" in name and name.split("_", 1)[1] not in whole else {}
        source = f"timm:{name}" + "".join(f",{key}={value}" for key, value in shallow.items())
        done = subprocess.run([SOW, "plan", "--json", source], capture_output=True, text=True)
        if done.returncode != 0:
            assert done.returncode == 3 and "architecture is" in done.stderr, done.stderr
            continue
        with torch.device("meta"):
            model = timm.create_model(name, **shallow)
        check_names(done, model)
        judged += 1
    assert judged >= 45


TIMM_VIT = {"img_size": 32, "num_classes": 10, "depth": 2}


@pytest.mark.parametrize(("name", "options", "variant"), [
    ("resnet18", {"num_classes": 10}, None), ("resnet18", {"num_classes": 0, "zero_init_last": False}, None),
    ("resnet10t", {"in_chans": 1}, None),
    ("vit_tiny_patch16_224", TIMM_VIT, None), ("vit_tiny_patch16_224", {**TIMM_VIT, "weight_init": "jax"}, None),
    ("vit_tiny_patch16_224", {**TIMM_VIT, "weight_init": "jax_nlhb"}, None),
    ("vit_tiny_patch16_224", {**TIMM_VIT, "weight_init": "moco"}, "timm-moco"),
    ("vit_tiny_patch16_224", {**TIMM_VIT, "fix_init": True, "qkv_bias": False, "mlp_ratio": 2.5}, None),
    ("vit_tiny_patch16_224", {**TIMM_VIT, "init_values": 0.1, "global_pool": "avg", "img_size": [48, 32]}, None),
    ("deit3_small_patch16_224", {"img_size": 32, "num_classes": 0, "depth": 1}, None),
    ("vit_small_patch8_224", {"img_size": 32, "depth": 0, "embed_dim": 60, "num_heads": 5}, None),
])
def test_timm_laws(name, options, variant, tmp_path):
    torch.manual_seed(2)
    model = timm.create_model(name, **options)
    folder = tmp_path / "model"
    folder.mkdir()
    save_config_for_hf(model, str(folder / "config.json"))
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] |= options # the writer leaves out what changes no tensor's shape
    (folder / "config.json").write_text(json.dumps(config))
    ours = init(folder, folder / "model.safetensors", *(["--variant", variant] if variant else []))
    check_names(folder, model)
    check_laws(laws(folder, *(["--variant", variant] if variant else [])), model.state_dict())
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True) # timm's own way through the config
    assert all(torch.equal(tensor, ours[key]) for key, tensor in loaded.state_dict().items())
    if options.get("in_chans", 3) == 3 and not isinstance(options.get("img_size"), list):
        check_forward(loaded, options.get("img_size", 64))


# ---- transformers ------------------------------------------------------------------------------------------------

ABSENT = object()
RESNET = {
    "embedding_size": [16, 24], "hidden_sizes": [[16, 32], [32, 32], [64], [16, 32, 64]],
    "depths": [[1, 1, 1], [2, 1, 2], [0, 2, 1]],
    "layer_type": [ABSENT, "basic", "bottleneck", "other"], "hidden_act": [ABSENT, "gelu"], "num_channels": [ABSENT, 1, 4],
    "downsample_in_first_stage": [ABSENT, True], "downsample_in_bottleneck": [ABSENT, True],
    "id2label": [ABSENT, {"0": "a", "1": "b", "2": "c"}, None], "num_labels": [ABSENT, 5, 3],
    "architectures": [ABSENT, ["ResNetModel"], ["ResNetForImageClassification"]],
}
VIT = {
    "hidden_size": [32, 48], "num_hidden_layers": [1, 2, 0], "num_attention_heads": [4, 2, 5], "intermediate_size": [40, 64],
    "image_size": [16, [16, 24], 19], "patch_size": [4, 8, [4, 8]], "num_channels": [3, 1], "qkv_bias": [ABSENT, False],
    "pooler_output_size": [ABSENT, 24, None], "pooler_act": [ABSENT, "relu"], "hidden_act": [ABSENT, "quick_gelu"],
    "layer_norm_eps": [ABSENT, 1e-6], "id2label": [ABSENT, {"0": "a"}, None], "num_labels": [ABSENT, 7],
    "architectures": [ABSENT, ["ViTModel"], ["ViTForImageClassification"]], "initializer_range": [ABSENT, 0.01],
}


def build(config):
    made = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    word = {"resnet": "ResNet", "vit": "ViT"}[config["model_type"]]
    names = config.get("architectures") or [word + "ForImageClassification"]
    return getattr(transformers, names[0])(made)


@pytest.mark.parametrize("family", ["resnet", "vit"])
def test_transformers_grid(family, tmp_path):
    """Names on disk are what save_pretrained writes, which are not always the modules'."""
    refused = 0
    for number in range(40):
        dice = random.Random(f"{family} {number}")
        grid = RESNET if family == "resnet" else VIT
        config = {"model_type": family}
        config |= {name: dice.choice(values) for name, values in grid.items()}
        config = {name: value for name, value in config.items() if value is not ABSENT}
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        if config.get("layer_type") == "other": # the library builds bottleneck-free blocks out of any other word
            assert "layer_type" in plan(path, code=3)
            refused += 1
            continue
        model = build(config)
        model.save_pretrained(tmp_path / "real")
        real = load_file(tmp_path / "real" / "model.safetensors")
        made = plan(path)
        assert tensors_of(made) == {name: (tuple(t.shape), t.dtype) for name, t in real.items()}, config
        assert made["totals"]["parameters"] == sum(p.numel() for p in model.parameters()), config
    assert refused < 25


@pytest.mark.parametrize("config", [
    {"model_type": "resnet", "hidden_sizes": [64, 128], "depths": [2, 1], "layer_type": "basic"},
    {"model_type": "resnet", "embedding_size": 32, "hidden_sizes": [128, 256], "depths": [1, 2],
     "architectures": ["ResNetModel"]},
    {"model_type": "vit", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
     "image_size": 32, "patch_size": 8, "initializer_range": 0.03},
    {"model_type": "vit", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 96,
     "image_size": 32, "patch_size": 8, "architectures": ["ViTModel"], "pooler_output_size": 24},
])
def test_transformers_laws(config, tmp_path):
    torch.manual_seed(3)
    model = build(config)
    model.save_pretrained(tmp_path / "real")
    folder = tmp_path / "ours"
    folder.mkdir()
    model.config.save_pretrained(folder)
    init(folder, folder / "model.safetensors")
    check_laws(laws(folder), load_file(tmp_path / "real" / "model.safetensors"))
    loaded, info = type(model).from_pretrained(folder, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")), info
    check_forward(loaded, 32)


def test_transformers_defaults(tmp_path):
    """Nothing but the family: every default at once, at full size, on the meta device."""
    for family, kind, count in [("resnet", transformers.ResNetForImageClassification, 320),
                                ("vit", transformers.ViTForImageClassification, 200)]:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": family, "num_labels": 1000}))
        with torch.device("meta"):
            model = kind(transformers.CONFIG_MAPPING[family](num_labels=1000))
        totals = plan(tmp_path / "config.json")["totals"]
        assert totals["parameters"] == sum(p.numel() for p in model.parameters()) and totals["tensors"] == count


# ---- The authors' ViT --------------------------------------------------------------------------------------------


def test_jax_variant_is_flax(tmp_path):
    """The layers of vit_jax with the initialisers it gives them, in the real Flax."""
    jax = pytest.importorskip("jax", reason="Flax is the judge")
    nn = pytest.importorskip("flax.linen", reason="Flax is the judge")
    d, ff = 64, 128
    glorot, key = nn.initializers.xavier_uniform(), jax.random.PRNGKey(0)
    x = jax.numpy.zeros((1, 5, d))
    attention = nn.MultiHeadDotProductAttention(4, kernel_init=glorot).init(key, x, x)["params"]
    up = nn.Dense(ff, kernel_init=glorot, bias_init=nn.initializers.normal(1e-6)).init(key, x)["params"]
    patch = nn.Conv(d, (8, 8), strides=(8, 8)).kernel_init(key, (8, 8, 3, d), jax.numpy.float32)
    config = {"model_type": "vit", "hidden_size": d, "num_hidden_layers": 1, "num_attention_heads": 4,
              "intermediate_size": ff, "image_size": 32, "patch_size": 8, "num_labels": 10}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ours, layer = laws(tmp_path, "--variant", "jax"), "vit.encoder.layer.0."
    packed = laws("timm:vit_tiny_patch16_224,embed_dim=64,num_heads=4,depth=1,img_size=32,mlp_ratio=2,num_classes=10",
                  "--variant", "jax")["blocks.0.attn.qkv.weight"]
    pairs = [(ours[layer + "attention.attention.query.weight"], attention["query"]["kernel"]),
             (ours[layer + "attention.attention.value.weight"], attention["value"]["kernel"]),
             (ours[layer + "attention.output.dense.weight"], attention["out"]["kernel"]),
             (packed, attention["query"]["kernel"]), (packed, attention["value"]["kernel"]),
             (ours[layer + "intermediate.dense.weight"], up["kernel"]),
             (ours[layer + "intermediate.dense.bias"], up["bias"]),
             (ours["vit.embeddings.patch_embeddings.projection.weight"], patch)]
    for entry, real in pairs:
        check_law(entry, torch.from_numpy(numpy.array(real)))
    for name in ("classifier.weight", "classifier.bias", "vit.embeddings.cls_token", layer + "attention.output.dense.bias"):
        assert ours[name]["scheme"] == "zeros", name


def test_packed_attention_is_smaller_by_sqrt_2(tmp_path):
    """Two published codes draw queries, keys and values as one matrix; the authors, and timm's moco mode, do not."""
    std = {}
    for variant in ("jax", "timm-jax", "timm-moco", "torchvision"):
        made = plan("timm:vit_tiny_patch16_224,depth=1", "--variant", variant)
        entry = {t["name"]: t for t in made["tensors"]}["blocks.0.attn.qkv.weight"]
        std[variant] = entry["high"] / math.sqrt(3)
    assert std["jax"] == std["timm-moco"] == pytest.approx(math.sqrt(1 / 192))
    assert std["timm-jax"] == std["torchvision"] == pytest.approx(math.sqrt(0.5 / 192))
