# SPDX-License-Identifier: MIT
"""Padding is no token: its row of an embedding is zeros, behind which a norm divides by almost nothing. No text of random tokens
has it, in the measurement and in the prediction. The ids are read off the measured value."""
import json

import numpy as np
import pytest
from libsow_model import Measured
from tool import probe

MODEL = """x = tokens() >> embedding("e", {rows}, 32, {{ padding = {padding} }}) >> linear("a", 32, 4)
rule("e.weight", normal {{ std = 2 }})
rule("*", normal {{ std = 0.2 }})
"""
GEMMA = {"model_type": "gemma", "architectures": ["GemmaForCausalLM"], "vocab_size": 500, "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32}


def probed(source):
    return {value["name"]: value for value in probe(source)["values"]}


@pytest.mark.parametrize("rows, padding", [(5, 0), (5, 2), (5, -1), (2, 0), (2, 1)])
def test_no_token_is_padding(rows, padding, tmp_path):
    (tmp_path / "model.lua").write_text(MODEL.format(rows=rows, padding=padding))
    found = Measured(tmp_path / "model.lua", seed=1, batch=8, tokens=64, watch=True)
    ids = np.array(found.value("tokens")).astype(int)
    assert sorted(set(ids.flat)) == [row for row in range(rows) if row != padding % rows]
    assert not np.array(found.arrays["weight"]["e.weight"]).reshape(rows, -1)[padding].any(), "gradient"
    value = probed(tmp_path / "model.lua")["e"]
    assert value["second_moment"] == pytest.approx(4)
    assert value["sample_correlation"] == pytest.approx(1 / (rows - 1))


def test_a_vocabulary_of_padding_alone(tmp_path):
    (tmp_path / "model.lua").write_text(MODEL.format(rows=1, padding=0))
    assert not np.array(Measured(tmp_path / "model.lua", seed=1, batch=2, tokens=8, watch=True).value("tokens")).any()
    assert probed(tmp_path / "model.lua")["e"]["second_moment"] == 0


def test_gradients_of_a_stream_that_a_norm_reads(tmp_path):
    """The norm divides the gradient by the size of the row: 30 times too large an E[grad^2] with the padding among the tokens."""
    sizes = {}
    for padding in (None, 0):
        (tmp_path / "config.json").write_text(json.dumps(GEMMA | {"pad_token_id": padding}))
        found = Measured(tmp_path / "config.json", seed=1, batch=8, tokens=256, watch=True)
        sizes[padding] = (np.array(found.gradient("model.embed_tokens"), dtype=float) ** 2).mean()
        assert sizes[padding] == pytest.approx(probed(tmp_path / "config.json")["model.embed_tokens"]["gradient"], rel=0.2)
    assert sizes[0] == pytest.approx(sizes[None], rel=0.05)
