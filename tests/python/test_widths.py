# SPDX-License-Identifier: MIT
"""Finite width, batch and group: what norms, pools and their gradients are predicted to be and measured as over many seeds. Seeds
are fixed, so that nothing flickers; the mean of 600 seeds is known to 4 %."""
import math

import pytest
from tool import probe

NORMS = {"layer": 'layer_norm("n" .. i, 64)', "rms": 'rms_norm("n" .. i, 64)'}
CASES = [("layer", "relu", True), ("layer", "gelu", False), ("rms", "relu", True), ("rms", "tanh", False)]


@pytest.mark.parametrize("norm, activation, first", CASES)
def test_ten_norms_of_64_features(tmp_path, norm, activation, first):
    model = tmp_path / "model.lua"
    order = [NORMS[norm], f'activation("{activation}")']
    model.write_text(f"""
local x = input {{ "batch", 64 }}
for i = 1, 10 do
    x = x >> linear("l" .. i, 64, 64) >> {" >> ".join(order if first else order[::-1])}
end
x = x >> linear("head", 64, 64)
rule("n*.weight", ones)
rule("*.weight", lecun_normal)
rule("*.bias", zeros)
""")
    for value in probe(model, "--measure", "--seeds", "600", "--batch", "1")["values"]:
        measured = value["measured"]
        spread = measured["gradient_log_spread"] / math.sqrt(600)
        assert abs(math.log(value["gradient"] / measured["gradient_second_moment"])) < 0.08 + 3 * spread, value["name"]


def test_a_norm_over_many_features_stays_as_it_was(tmp_path):
    """(1 - 2/n) / (1 - 1/n) of a norm's Jacobian, times (n - 1) / (n - 3): 1 to 1e-3 where n is 2,048."""
    model = tmp_path / "model.lua"
    model.write_text("""
local x = input { "batch", 2048 } >> linear("l", 2048, 2048) >> layer_norm("n", 2048) >> linear("head", 2048, 2048)
rule("n.weight", ones)
rule("*.weight", lecun_normal)
rule("*", zeros)
""")
    assert probe(model)["values"][0]["gradient"] == pytest.approx(1, rel=2e-3)


RULES = """
rule("*norm*.weight", ones)
rule("*.weight", he_normal)
rule("*.bias", zeros)
"""


def probed(tmp_path, text, seeds, batch):
    model = tmp_path / "model.lua"
    model.write_text(text + RULES)
    return probe(model, "--measure", "--seeds", str(seeds), "--batch", str(batch))["values"]


def check_gradients(values, seeds, limit=0.14):
    for value in values:
        spread = value["measured"]["gradient_log_spread"] / math.sqrt(seeds)
        ratio = value["gradient"] / value["measured"]["gradient_second_moment"]
        assert abs(math.log(ratio)) < limit + 2 * spread, (value["name"], ratio)


BATCH_NORMS = [("relu", 16, 64, 5), ("tanh", 16, 64, 5), ("relu", 64, 64, 20), ("relu", 16, 256, 10), ("tanh", 16, 256, 10)]


@pytest.mark.parametrize("activation, batch, width, depth", BATCH_NORMS)
def test_batch_norms_of_few_samples(tmp_path, activation, batch, width, depth):
    values = probed(tmp_path, f"""
local x = input {{ "batch", {width} }}
for i = 1, {depth} do
    x = x >> linear("l" .. i, {width}, {width}) >> batch_norm("norm" .. i, {width}) >> activation("{activation}")
end
x = x >> linear("head", {width}, {width})
""", 60, batch)
    check_gradients(values, 60)


def test_group_norms_in_front_of_a_pool(tmp_path):
    """All pixels of a channel get the same gradient from the pool, and each norm of 8 channels takes an eighth of it."""
    values = probed(tmp_path, """
local x = input { "batch", 3, 16, 16 } >> conv2d("stem", 3, 32, { padding = 1, bias = false })
for i = 1, 6 do
    x = x >> group_norm("norm" .. i, 32, 4) >> activation("tanh")
    x = x >> conv2d("c" .. i, 32, 32, { padding = 1, bias = false })
end
x = x >> group_norm("norm", 32, 4) >> activation("tanh") >> global_pool() >> linear("fc", 32, 10)
""", 40, 4)
    check_gradients(values, 40)
    pool = values[-2]  # a mean over all elements of groups whose sum is 0; the prediction was 1.8 times too large
    assert pool["second_moment"] == pytest.approx(pool["measured"]["second_moment"], rel=0.15)


def test_samples_behind_a_batch_norm_and_a_pool(tmp_path):
    """The samples of a batch sum to 0 behind its norm, so the means of four have a correlation of -1 / 3."""
    values = probed(tmp_path, """
local x = input { "batch", 3, 8, 8 } >> conv2d("stem", 3, 32, { padding = 1, bias = false })
x = x >> batch_norm("norm", 32) >> global_pool() >> linear("fc", 32, 10)
""", 40, 4)
    assert values[-2]["sample_correlation"] == pytest.approx(-1 / 3, abs=1e-6)
    assert values[-2]["measured"]["sample_correlation"] == pytest.approx(-1 / 3, abs=0.06)  # the mean of cosines
    assert values[-2]["second_moment"] == pytest.approx(values[-2]["measured"]["second_moment"], rel=0.1)


@pytest.mark.parametrize("pool", ["average_pool(3, { stride = 1, padding = 1 })", "max_pool(3, { stride = 2, padding = 1 })"])
def test_windows_of_a_pool_that_overlap(tmp_path, pool):
    values = probed(tmp_path, f"""
local x = input {{ "batch", 8, 16, 16 }} >> {pool} >> global_pool()
x = x >> linear("fc", 8, 10)
param("norm.weight", {{ 1 }})
""", 40, 4)
    check_gradients(values, 40)
