# SPDX-License-Identifier: MIT
"""How much of a large model is measured (sow_measure_choose): the products it counts against torch's own counter over the
real models of transformers and torchvision, which hold no numbers; the memory against what a run takes; the choice itself."""
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from libsow_model import Measured, SowError, chosen  # noqa: E402
from tool import probe  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

ALL = (1 << 32) - 1
GB = 10**9
GPT2_XL = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50257, "n_positions": 1024, "n_embd": 1600,
           "n_layer": 48, "n_head": 25}
LLAMA2_7B = {"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
             "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 4096, "tie_word_embeddings": False}
QWEN3_32B = {"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64,
             "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 40960,
             "tie_word_embeddings": False}
MIXTRAL = {"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768, "num_local_experts": 8,
           "num_experts_per_tok": 2, "tie_word_embeddings": False}
LLAMA = LLAMA2_7B | {"vocab_size": 211, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 5,
                     "num_attention_heads": 4, "num_key_value_heads": 2}


def config_of(fields, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(fields))
    return tmp_path / "config.json"


def counted(model, inputs):
    """What torch counts forward and backward, on a device without numbers."""
    with FlopCounterMode(display=False) as counter:
        out = model(inputs)
        (out.logits if hasattr(out, "logits") else out).sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("fields", [GPT2_XL, LLAMA2_7B, QWEN3_32B], ids=["gpt2-xl", "llama2-7b", "qwen3-32b"])
def test_products_are_those_torch_counts(fields, tmp_path):
    fields = fields | {"n_layer" if "n_layer" in fields else "num_hidden_layers": 2}  # the rest is more of the same
    config = transformers.AutoConfig.for_model(**fields)
    config._attn_implementation = "eager"  # the fused kernels count a product of the way back twice
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
        theirs = counted(model, torch.zeros(3, 128, dtype=torch.long))
    ours = chosen(config_of(fields, tmp_path), batch=3, tokens=128, layers=ALL)
    assert ours.cost.products == pytest.approx(theirs, rel=1e-3)
    assert ours.cost.products < ours.cost.operations < 2.5 * ours.cost.products


@pytest.mark.parametrize("name", ["resnet50", "vit_b_16"])
def test_products_of_images_are_those_torch_counts(name):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        theirs = counted(getattr(torchvision.models, name)(), torch.zeros(8, 3, 224, 224))
    ours = chosen(f"torchvision:{name}", layers=ALL)
    # the first layer's input needs no gradient: torch leaves that product out
    assert theirs <= ours.cost.products < 1.02 * theirs


def test_memory_is_what_a_run_takes(tmp_path):
    source = config_of(LLAMA, tmp_path)
    for layers in (ALL, 2):
        told = chosen(source, batch=2, tokens=64, layers=layers).cost.memory_bytes
        run = Measured(source, batch=2, tokens=64, layers=layers, threads=2, memory_bytes=told)
        assert run.memory == told
        with pytest.raises(SowError, match="--layers"):
            Measured(source, batch=2, tokens=64, layers=layers, threads=2, memory_bytes=told - 4)


@pytest.mark.parametrize("fields, batch, tokens, layers", [
    (GPT2_XL, 8, 64, 48), (LLAMA2_7B, 2, 64, 32), (QWEN3_32B, 2, 64, 15), (MIXTRAL, 2, 64, 5), (LLAMA, 8, 256, 5),
], ids=["gpt2-xl", "llama2-7b", "qwen3-32b", "mixtral", "small"])
def test_large_models_are_cut_down_the_same_way_everywhere(fields, batch, tokens, layers, tmp_path):
    found = chosen(config_of(fields, tmp_path))
    assert (found.batch, found.tokens, found.layers) == (batch, tokens, layers)
    assert (found.batch_all, found.tokens_all, found.layers_all) == (8, 256, fields.get("num_hidden_layers", 48))
    assert found.cost.memory_bytes <= found.limits.memory_bytes == 8 * GB
    assert found.cost.operations <= found.limits.operations == 1e13
    if found.layers < found.layers_all:  # one more would be too much
        more = chosen(config_of(fields, tmp_path), batch=batch, tokens=tokens, layers=layers + 1).cost
        assert more.memory_bytes > 8 * GB or more.operations > 1e13


def test_what_was_asked_for_stays(tmp_path):
    source = config_of(LLAMA2_7B, tmp_path)
    found = chosen(source, batch=8, tokens=256, layers=ALL)
    assert (found.batch, found.tokens, found.layers) == (8, 256, 32) and found.cost.operations > 1e13
    found = chosen(source, tokens=256)
    assert (found.batch, found.tokens) == (2, 256) and 1 <= found.layers < 32
    found = chosen(source, batch=8, layers=3)
    assert (found.batch, found.layers) == (8, 3) and found.cost.operations < 1e13


def test_memory_asked_for_is_the_limit(tmp_path):
    source = config_of(LLAMA, tmp_path)
    least = chosen(source, batch=2, tokens=64, layers=1).cost.memory_bytes
    whole = chosen(source).cost_all.memory_bytes
    assert least < whole
    found = [chosen(source, memory_bytes=room) for room in (whole, whole - 4, (least + whole) // 3, least, 1000)]
    sizes = [(f.layers, f.batch, f.tokens) for f in found]
    assert sizes[0] == (5, 8, 256) and sizes[-1] == sizes[-2] == (1, 2, 64)
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) >= 4
    assert all(f.cost.memory_bytes <= f.limits.memory_bytes for f in found[:-1])


def test_gradients_of_a_part_begin_as_large_as_predicted(tmp_path):
    """The cotangents of a part are those of the whole network there in size, so that measured gradients stand beside the
    predicted ones; and where they are N(0, s^2) instead of N(0, 1), everything is s times as large. They are independent
    from token to token, as they are not in the whole: what attention adds up over tokens is left out here."""
    source = config_of(LLAMA, tmp_path)
    one, half = (Measured(source, batch=2, tokens=9, watch=True, layers=2, cotangent_std=std) for std in (0, 0.5))
    for name, gradient in one.arrays["gradient"].items():
        np.testing.assert_array_equal(half.arrays["gradient"][name], gradient / 2)
    told = probe(source, "--layers", "2")
    values = [value for value in told["values"] if value["operation"] == "add" or "mlp" in value["name"]]
    assert told["sample"]["cotangent_std"] == pytest.approx(values[9]["gradient"] ** 0.5)
    for value in values[:10]:
        assert value["layer"] < 2 and value["gradient"] < 200
        assert value["measured"]["gradient_second_moment"] == pytest.approx(value["gradient"], rel=0.15), value["name"]


JACOBIAN, CURVES, STEPS = 1, 2, 3


@pytest.mark.parametrize("fields, tokens, times, layers", [
    (GPT2_XL, 32, 32, 48), (LLAMA2_7B, 16, 8, 32), (QWEN3_32B, 16, 8, 6), (MIXTRAL, 16, 8, 2), (LLAMA, 256, 32, 5),
], ids=["gpt2-xl", "llama2-7b", "qwen3-32b", "mixtral", "small"])
def test_jacobians_of_large_models_are_cut_down(fields, tokens, times, layers, tmp_path):
    source = config_of(fields, tmp_path)
    found = chosen(source, work=(JACOBIAN, 0, 0))
    assert (found.tokens, found.times, found.layers) == (tokens, times, layers)
    assert found.cost.operations <= 1e13 and (found.cost_all.operations > 1e13) == (found.tokens < 256)
    asked = chosen(source, work=(JACOBIAN, 0, 0), tokens=48, layers=ALL)
    assert (asked.tokens, asked.times, asked.layers) == (48, 32, found.layers_all)


def test_pairs_of_images_and_steps_are_cut_down():
    found = chosen("timm:vit_huge_patch14_224", work=(CURVES, 0, 0))
    assert (found.batch_all, found.batch, found.layers) == (8, 2, 32)
    assert found.cost.operations < 1e13 < found.cost_all.operations
    found = chosen("timm:vit_base_patch16_224", work=(STEPS, 100, 1), memory_bytes=100 * GB)
    assert (found.batch, found.layers, found.times) == (2, 12, 100)
    assert found.cost.operations > 1e13
    with pytest.raises(SowError, match="10000 steps .*--steps.*--layers all"):
        chosen("timm:vit_base_patch16_224", work=(STEPS, 10000, 1), memory_bytes=100 * GB)
    assert chosen("timm:vit_base_patch16_224", work=(STEPS, 10000, 1), layers=ALL, memory_bytes=100 * GB).times == 10000


def test_a_part_is_what_it_is_in_the_whole(tmp_path):
    """The Jacobian of the first two layers is that up to their end; spectra of two layers are those of the first and the last;
    pairs of inputs are followed as far, with the same numbers. On one thread and on two."""
    source = config_of(LLAMA, tmp_path)
    part = probe(source, "--jacobian", "--layers", "2", "--tokens", "9", "--threads", "1")
    end = part["jacobian"]["to"]
    values = {value["name"]: value["layer"] for value in part["values"]}
    assert values[end] == 1 and part["jacobian_sample"]["layers"] == 2 and part["jacobian_sample"]["layers_all"] == 5
    whole = probe(source, "--jacobian", "--to", end, "--tokens", "9", "--threads", "2")
    assert part["jacobian"] == whole["jacobian"]
    part = probe(source, "--spectra", "--layers", "2")
    whole = probe(source, "--spectra", "--layers", "all")
    kept = [row for row in whole["spectra"] if "layers." not in row["name"] or "layers.0." in row["name"] or "layers.4." in row["name"]]
    assert part["spectra"] == kept and part["spectra_sample"]["layers"] == 2
    part, whole = (probe("mlp:40,40x6,10", "--curves", *options)["curves"]["values"]
                   for options in (("--layers", "3", "--threads", "1"), ("--threads", "2")))
    assert len(part) == 7 < len(whole) and part == whole[:len(part)]
