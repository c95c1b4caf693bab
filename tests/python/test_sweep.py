# SPDX-License-Identifier: MIT
"""Names and shapes on a grid of configs, against the real transformers on the meta device.

Every config is judged by the library: it is built and run once there (nothing is computed), and either has names,
shapes and a padding row, or is refused. sow must say the same, or refuse with a reason that this file names.
"""

import json
import random
import subprocess

import pytest
from tool import SOW
from transformers_configs import (
    ABSENT,
    CLASS,
    GRIDS,
    LLAMA_LIKE,
    judge,
    torch,
    transformers,
)

TABLES = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")

# What sow refuses and the library does not, by a word of sow's message.
STRICTER = {
    "it brings tensors of its own": "prelu and xielu, whose tensors sow does not build",
    "two names of one field": "n_embd and hidden_size that differ: the library takes one of them without a word",
}


def draw_config(family, number):
    """Config `number` of a family: most fields ordinary, one to four of them drawn from the whole list."""
    dice = random.Random(f"{family} {number}")
    grid = GRIDS.get(family, LLAMA_LIKE)
    odd = set(dice.sample(sorted(grid), dice.randint(1, 4)))
    config = {"model_type": family}
    for name, values in grid.items():
        value = dice.choice(values) if name in odd else values[0]
        if value is ABSENT:
            continue
        if name == "architectures":
            value = [CLASS[family] + value]
        elif name == "layer_types":
            layers = config["num_hidden_layers"] + (value == "short")
            value = ["foo" if value == "foreign" else "full_attention"] * layers
        config[name] = value
    return config


def plan(path, *options):
    done = subprocess.run([SOW, "plan", "--json", *options, path], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def zero_rows(entry):
    return [(r["begin"], r["end"]) for r in entry.get("regions", []) if r.get("axis") == 0 and r.get("mean") == 0]


def compare(config, folder):
    """What differs, as a text; "" when sow and the library agree. Second: refused by both."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    code, out, err = plan(path)
    verdict = judge(config)
    if isinstance(verdict, str):
        if code == 3 and "config.json:" in err or code == 3 and ".lua:" in err:
            return "", True
        return f"the library refuses ({verdict[:200]}), sow answers {code} {err}", True
    if code != 0:
        known = any(word in err for word in STRICTER)
        return ("" if known else f"sow refuses with {code}: {err}"), known
    shapes, padding = verdict
    tensors = {entry["name"]: entry for entry in json.loads(out)["tensors"]}
    found = {name: entry["shape"] for name, entry in tensors.items()}
    if found != shapes:
        return f"missing {shapes.keys() - found.keys()}, too many {found.keys() - shapes.keys()}, other shapes " + str(
            {n: (s, found[n]) for n, s in shapes.items() if n in found and found[n] != s}
        ), False
    expected = [] if padding is None else [(padding, padding + 1)]
    rows = {n: zero_rows(e) for n, e in tensors.items() if n.endswith(TABLES)}
    return ("" if list(rows.values()) == [expected] else f"padding {padding}: zero rows {rows}"), False


@pytest.mark.parametrize("family", sorted(CLASS))
def test_grid(family, tmp_path):
    seen, refused, wrong = set(), 0, []
    number = 0
    while len(seen) < 50:
        config = draw_config(family, number)
        number += 1
        text = json.dumps(config)
        if text in seen:
            continue
        seen.add(text)
        difference, was_refused = compare(config, tmp_path)
        refused += was_refused
        if difference:
            wrong.append(f"{text}\n    {difference}")
    assert not wrong, "\n".join(wrong)
    assert 5 <= refused <= 40, f"{refused} of {len(seen)} refused: the grid is one-sided"


# Nothing but the family: every default at once, at full size.
@pytest.mark.parametrize("family", sorted(CLASS))
def test_all_defaults(family, tmp_path):
    assert compare({"model_type": family}, tmp_path) == ("", False)


# F11: absent, null and a value are three things, and each family's own.
# The classifiers: their labels, and no head of words though it is tied.
@pytest.mark.parametrize("family", sorted(set(CLASS) - {"bert"}))
def test_classifiers(family, tmp_path):
    grid = GRIDS.get(family, LLAMA_LIKE)
    plain = {"model_type": family} | {name: values[0] for name, values in grid.items() if values[0] is not ABSENT}
    for kind in ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"):
        for labels in ({}, {"num_labels": 3}, {"id2label": {"0": "a"}, "tie_word_embeddings": True}):
            config = plain | {"architectures": [CLASS[family] + kind]} | labels
            absent = (family, kind) == ("gemma", "ForQuestionAnswering")
            assert compare(config, tmp_path) == ("", absent), (kind, labels)


@pytest.mark.parametrize(
    ("family", "field", "value", "tensor", "shape"),
    [
        ("llama", "head_dim", None, "q_proj", [64, 64]),
        ("llama", "head_dim", None, "k_proj", [32, 64]),
        ("mistral", "head_dim", None, "q_proj", [64, 64]),
        ("mistral", "head_dim", None, "k_proj", [32, 64]),
        ("llama", "num_key_value_heads", None, "k_proj", [64, 64]),
        ("qwen2", "num_key_value_heads", None, "k_proj", [64, 64]),
        ("mistral", "num_key_value_heads", None, None, None),
        ("qwen2", "head_dim", None, None, None),
        ("qwen3", "head_dim", None, None, None),
        ("llama", "num_key_value_heads", ABSENT, "k_proj", [64, 64]),
        ("llama", "hidden_size", None, None, None),
        ("qwen3", "hidden_size", None, None, None),
    ],
)
def test_f11_absent_and_null(family, field, value, tensor, shape, tmp_path):
    config = {"model_type": family, "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128}
    config |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config[field] = value
    if value is ABSENT:
        del config[field]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config, indent=1))
    code, out, err = plan(path)
    assert isinstance(judge(config), str) == (shape is None)
    if shape is None:
        line = [i for i, text in enumerate(path.read_text().splitlines(), 1) if f'"{field}"' in text][0]
        assert code == 3 and f"config.json:{line}:" in err and f"{field} is null" in err
    else:
        shapes = {t["name"]: t["shape"] for t in json.loads(out)["tensors"]}
        assert shapes[f"model.layers.0.self_attn.{tensor}.weight"] == shape


# F11 goes on: key-value heads left out. The library builds what cannot run (8 or 32 for 4 heads); sow says so, and
# with enough heads takes the family's default.
@pytest.mark.parametrize(("family", "default"), [("mistral", 8), ("qwen2", 32), ("qwen3", 32)])
def test_f11_key_value_heads_left_out(family, default, tmp_path):
    config = {"model_type": family, "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128}
    config |= {"num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    code, _, err = plan(path)
    assert code == 3 and f"4 attention heads cannot share {default} key-value heads evenly" in err
    path.write_text(json.dumps(config | {"num_attention_heads": 32}))
    code, out, err = plan(path)
    shapes = {t["name"]: t["shape"] for t in json.loads(out)["tensors"]}
    assert shapes["model.layers.0.self_attn.k_proj.weight"] == [16 * default, 64]


# What save_pretrained writes is the judge of names, and from_config that of rows that start as zeros.
@pytest.mark.parametrize("family", sorted(CLASS))
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bare", [True, False])
def test_saved_names_and_zero_rows(family, tied, bare, tmp_path):
    config = draw_config(family, -1) | {"tie_word_embeddings": tied, "pad_token_id": 3}
    drop = ("head_dim", "layer_types", "dtype", "hidden_size", "num_labels", "id2label", "is_decoder")
    config = {k: v for k, v in config.items() if k not in drop}
    config |= {"n_embd": 32, "n_head": 4, "n_layer": 2} if family == "gpt2" else {
        "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "hidden_act": "silu",
    }
    config |= {} if family in ("gpt2", "bert") else {"num_key_value_heads": 2, "head_dim": 16}
    name = CLASS[family] + ("Model" if bare else {"gpt2": "LMHeadModel", "bert": "ForPreTraining"}.get(family, "ForCausalLM"))
    config["architectures"] = [name]
    torch.manual_seed(0)
    model = getattr(transformers, name)(transformers.CONFIG_MAPPING[family].from_dict(dict(config)))
    model.save_pretrained(tmp_path / "saved")
    saved = (tmp_path / "saved" / "model.safetensors").read_bytes()
    header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
    header.pop("__metadata__", None)
    code, out, err = plan(tmp_path / "saved")
    assert code == 0, err
    tensors = {t["name"]: t for t in json.loads(out)["tensors"]}
    assert {n: t["shape"] for n, t in tensors.items()} == {n: t["shape"] for n, t in header.items()}
    weight = model.get_input_embeddings().weight
    zero = [(i, i + 1) for i in range(len(weight)) if not weight[i].any()]
    tables = [t for n, t in tensors.items() if n.endswith(TABLES)]
    assert [row for table in tables for row in zero_rows(table)] == zero
