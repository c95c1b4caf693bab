# SPDX-License-Identifier: MIT
"""Every field of the real config classes with values of the wrong kind: where the library refuses - the class itself, or
the model built and run on the meta device - sow refuses too, at the field's line, or says what it assumed.

The fields are the dataclass's own, so one that a new release brings is tried without a change here. Each is tried with
null and with one of four values in turn, and those that all classes share in one family; SOW_SWEEP=full in the environment
tries everything (five times as long).
"""

import dataclasses
import json
import os
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

FULL = os.environ.get("SOW_SWEEP") == "full"
SHARED = {field.name for field in dataclasses.fields(transformers.PreTrainedConfig)}
SPECIAL = {"dtype", "architectures"}  # read by their own rules (test_sweep.py, tests/hostile/config/)
MORE = ["num_labels", "per_layer_config", "rope_scaling", "rope_theta", "an_unknown_field"]
VALUES = ["abc", -1, 1.5, [1]]

# What sow refuses and the library takes, by a word of sow's message.
STRICTER = {
    "num_labels is -1": "a classifier without classes",
    "it must be 1 to": "sizes below 1, which make empty tensors there",
    "it must be 0 to 10000": "layers below 0, which are none there",
    "std of normal is -": "a negative initializer_range, where the model has no layer to draw",
    "it must be a number from 0 to 1": "a dropout that is no probability, and that attention's kernels let pass",
    "output_hidden_states is": "what is no truth, and that works by chance",
}


IMAGES = {
    "vit": {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 40, "image_size": 8,
            "patch_size": 4},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
}  # fmt: skip


FAMILIES = sorted([*CLASS, *IMAGES])


def judge_image(config):
    """True, or a text that says why the library refuses; as judge() for the families of test_sweep.py."""
    try:
        made = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
        with torch.device("meta"):
            model = transformers.AutoModelForImageClassification.from_config(made)
            size = getattr(made, "image_size", 32)
            model(torch.zeros(1, made.num_channels, *(size if isinstance(size, list) else (size, size))))
    except ImportError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return True


def plain(family):
    """A small config in which every field of the grid is ordinary."""
    if family in IMAGES:
        return {"model_type": family} | IMAGES[family]
    config = {"model_type": family} | {k: v[0] for k, v in GRIDS.get(family, LLAMA_LIKE).items() if v[0] is not ABSENT}
    return config


def answer(config, path):
    """"refused", "assumed" (a note speaks of the class) or "taken", and what sow said."""
    path.write_text(json.dumps(config))
    done = subprocess.run([SOW, "plan", "-q", path], capture_output=True, text=True)
    if done.returncode == 0:
        noted = "its class insists on" in " ".join(done.stdout.split())
        return ("assumed" if noted else "taken"), done.stdout
    assert done.returncode == 3 and done.stderr.count("\n") == 1, f"{config}: exit {done.returncode}: {done.stderr}"
    return "refused", done.stderr


def differences(config, field, path):
    ask = judge_image if config["model_type"] in IMAGES else judge
    verdict, (said, words) = ask(dict(config)), answer(config, path)
    if isinstance(verdict, str) and said == "taken":
        return f"{field} = {config[field]!r}: sow takes what the library refuses: {verdict[:150]}"
    if not isinstance(verdict, str) and said == "refused" and not any(word in words for word in STRICTER):
        return f"{field} = {config[field]!r}: sow refuses what the library takes: {words}"
    return None


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_kinds(family, tmp_path):
    base = plain(family)
    assert differences(base, "model_type", tmp_path / "config.json") is None
    assert answer(base, tmp_path / "config.json")[0] == "taken"
    names = [field.name for field in dataclasses.fields(transformers.CONFIG_MAPPING[family])]
    names = [n for n in dict.fromkeys(names + MORE) if n not in SPECIAL and (FULL or family == "bert" or n not in SHARED)]
    wrong = []
    for i, field in enumerate(names):
        turn = (i + FAMILIES.index(family)) % len(VALUES)
        for value in [None, *(VALUES if FULL else VALUES[turn : turn + 1])]:
            wrong.append(differences(base | {field: value}, field, tmp_path / "config.json"))
    wrong = [text for text in wrong if text]
    assert not wrong, "\n".join(wrong)


ROPES = [
    {}, {"rope_type": "default"}, {"type": "linear", "factor": 2.0}, {"rope_type": "linear"}, {"rope_type": "linear", "factor": 2},
    {"rope_type": "linear", "factor": "2"}, {"rope_type": "linear", "factor": None}, {"rope_type": "nosuch", "factor": 2.0},
    {"rope_type": "dynamic"}, {"rope_type": "yarn", "factor": 4.0}, {"rope_type": "yarn"},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}, {"rope_type": "longrope", "short_factor": [1.0] * 4},
    {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "factor": 2.0},
    {"rope_type": 3}, {"rope_type": None}, {"rope_theta": "abc"}, {"rope_theta": 10000}, {"rope_theta": None},
]  # fmt: skip


@pytest.mark.parametrize("name", ["rope_scaling", "rope_parameters"])
def test_rotary_parameters(name, tmp_path):
    base = plain("llama") | {"max_position_embeddings": 64}
    wrong = [differences(base | {name: rope}, name, tmp_path / "config.json") for rope in [*ROPES, [], 0, False, ""]]
    wrong = [text for text in wrong if text]
    assert not wrong, "\n".join(wrong)
