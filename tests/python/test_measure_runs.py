# SPDX-License-Identifier: MIT
"""What a measurement may be asked for: inputs that are alike, the weights of a checkpoint, the first layers alone, little memory; and
the same bits for every number of threads and instruction set."""
import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from libsow_model import Measured, SowError  # noqa: E402
from measuring import digests  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tool import init, instruction_sets  # noqa: E402

F = torch.nn.functional


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


NETWORK = '''
local x = input { "batch", 3, 20, 12 } >> conv2d("c", 3, 37, { kernel = 3, padding = 1 }) >> batch_norm("n", 37)
x = x >> activation("silu") >> max_pool(2) >> to_tokens() >> layer_norm("l", 37) >> linear("q", 37, 96)
x = x >> attention { heads = 4, causal = true, rotary = true } >> linear("o", 32, 301) >> activation("gelu")
rule("*", normal { std = 0.3 })
'''


def test_same_bits_for_every_thread_count_and_instruction_set(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text(NETWORK)
    names = instruction_sets()
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
        init(source, path, "--seed", 9, "--dtype", dtype)
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
