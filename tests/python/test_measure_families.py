# SPDX-License-Identifier: MIT
"""Whole networks measured against transformers' in float64, with the same weights: every value and every gradient that both have."""
import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from libsow_model import Measured  # noqa: E402
from measuring import close, weights_of  # noqa: E402
from tool import init  # noqa: E402


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
    init(tmp_path / "config.json", tmp_path / "model.safetensors", "--seed", 3)
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
    init(tmp_path / "config.json", tmp_path / "model.safetensors", "--seed", 4)
    plain = {"experts_implementation": "eager"} if family == "mixtral" else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64, **plain).eval()
    ids = next(torch.tensor(found.value(name)).long() for name in found.values if name.split(".")[-1] == "tokens")
    close(found.value(list(found.values)[-1]), model(ids).logits, name, 2e-4)  # the library's angles are float32


@pytest.mark.skipif("SOW_LARGE" not in os.environ, reason="minutes and 4 GB; SOW_LARGE=1 asks for it")
def test_gpt2_124m_is_transformers(tmp_path):
    judge_gpt2({"n_layer": 12}, tmp_path, 64, 2e-5)
