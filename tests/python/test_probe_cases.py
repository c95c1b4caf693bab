# SPDX-License-Identifier: MIT
"""Networks that once were told wrong: predictions against measurement over fixed seeds, and planted faults by name and place."""
import json
import math
import os
import subprocess

import pytest
from libsow import BUILD
from safetensors.numpy import load_file, save_file

TOOL = os.environ.get("SOW", str(BUILD / "sow"))


def probe(folder, text, *arguments):
    model = folder / "model.lua"
    model.write_text(text)
    done = subprocess.run([TOOL, "probe", model, "--json", *arguments], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def verdicts(told):
    return [(verdict["code"], verdict["severity"], verdict["where"]) for verdict in told["verdicts"]]


HIGHWAY = """
local x = input { "batch", 64 }
for i = 1, 4 do
    local gate = x >> linear("gate" .. i, 64, 64) >> activation("sigmoid")
    local new = x >> linear("new" .. i, 64, 64) >> activation("relu")
    x = gate * new + x + gate * x * (-1)
end
x = x >> linear("head", 64, 3)
rule("*.weight", lecun_normal)
rule("*", zeros)
"""  # Srivastava, Greff, Schmidhuber 2015
UNET = """
local x = input { "batch", 4, 16, 16 }
local a = x >> conv2d("down1", 4, 24, { padding = 1 }) >> activation("relu")
local b = a >> max_pool(2) >> conv2d("down2", 24, 48, { padding = 1 }) >> activation("relu")
local c = b >> max_pool(2) >> conv2d("middle", 48, 96, { padding = 1 }) >> activation("relu")
local d = c >> conv_transpose2d("up1", 96, 48, { kernel = 2, stride = 2 })
d = concat(d, b, { axis = 2 }) >> conv2d("join1", 96, 48, { padding = 1 }) >> activation("relu")
d = d >> conv_transpose2d("up2", 48, 24, { kernel = 2, stride = 2 })
d = concat(d, a, { axis = 2 }) >> conv2d("join2", 48, 24, { padding = 1 }) >> activation("relu")
d = d >> conv2d("out", 24, 8, { kernel = 1 })
rule("*.weight", he_normal)
rule("*", zeros)
"""  # Ronneberger, Fischer, Brox 2015: what is pooled is read by the way across, too


@pytest.mark.parametrize("text", [HIGHWAY, UNET], ids=["highway", "unet"])
def test_gradients_where_ways_meet(tmp_path, text):
    for value in probe(tmp_path, text, "--measure", "--seeds", "40", "--batch", "8")["values"]:
        measured = value["measured"]
        for ours, theirs, spread in [("second_moment", "second_moment", "log_spread"),
                                     ("gradient", "gradient_second_moment", "gradient_log_spread")]:
            room = 0.15 + 3 * measured[spread] / math.sqrt(40)
            assert abs(math.log(value[ours] / measured[theirs])) < room, (value["name"], ours)


CHAIN = """
local x = input {{ "batch", 128 }}
for i = 1, 5 do
    x = x >> linear("l" .. i, 128, 128) >> activation("relu")
end
x = x >> linear("head", 128, 10)
{}
rule("*.weight", he_normal)
rule("*.bias", zeros)
"""


def test_a_layer_of_zeros_is_named(tmp_path):
    told = probe(tmp_path, CHAIN.format('rule("l3.weight", zeros)'))
    assert verdicts(told) == [("ZERO-GRAD", "error", "l3.weight")]
    assert "l3 makes 0" in told["verdicts"][0]["reason"] and told["verdicts"][0]["places"] == 11


def test_one_layer_of_dead_relus_is_named(tmp_path):
    found = verdicts(probe(tmp_path, CHAIN.format('rule("l3.bias", constant { value = -3 })')))
    assert ("DEAD", "warning", "relu.3") in found
    assert not verdicts(probe(tmp_path, CHAIN.format('rule("l3.bias", constant { value = -0.5 })')))


ATTENTION = """
local x = tokens() >> embedding("embed", 800, 128)
for i = 1, 3 do
    local h = x >> layer_norm("norm" .. i, 128)
    x = x + (bundle(h >> linear("q" .. i, 128, 128), h >> linear("k" .. i, 128, 128), h >> linear("v" .. i, 128, 128))
             >> attention {{ heads = 4, causal = true }} >> linear("o" .. i, 128, 128))
end
x = x >> layer_norm("norm", 128) >> {}
{}
rule("norm*.weight", ones)
rule("*.weight", normal {{ std = 0.02 }})
rule("*", zeros)
"""


@pytest.mark.parametrize("zeros, found", [(["q2", "k2"], ("ZERO-GRAD", "error", "q2.weight")),
                                          (["q2"], ("ZERO-GRAD", "note", "k2.weight"))])
def test_a_product_of_zeros_in_attention(tmp_path, zeros, found):
    """q k = 0 x 0: neither moves. 0 x k: queries move at the first step, keys after it."""
    rules = "".join(f'rule("{name}.*", zeros)\n' for name in zeros)
    assert found in verdicts(probe(tmp_path, ATTENTION.format('linear("head", 128, 800)', rules)))


def test_an_embedding_of_std_1_that_is_the_head_too(tmp_path):
    text = ATTENTION.format('tied("head", "embed.weight")', 'rule("embed.weight", normal { std = 1 })')
    told = probe(tmp_path, text)
    assert ("EXPLODE", "error", "head") in verdicts(told) and told["first_loss"]["loss"] > 30
    assert not [found for found in verdicts(probe(tmp_path, text.replace("std = 1 }", "std = 0.02 }"))) if found[1] == "error"]


def test_infinitely_steep_is_not_saturated(tmp_path):
    told = probe(tmp_path, CHAIN.format("").replace('"relu"', 'expr "sqrt(abs(x))"').replace("he_", "lecun_"))
    assert not verdicts(told)
    assert all(value["chi_perp"] is None and value["chi_par"] is None for value in told["values"] if value["name"] in ("l2", "l3"))


MIXTURE = """
local x = tokens() >> embedding("embed", 300, 64)
x = x + (x >> layer_norm("norm1", 64) >> experts { router = linear("router", 64, 8, { bias = false }), experts = 8, top_k = 2,
    expert = function(y) return y >> linear("up", 64, 128) >> activation("silu") >> linear("down", 128, 64) end })
x = x >> layer_norm("norm2", 64) >> linear("head", 64, 300)
rule("norm*.weight", ones)
rule("embed.weight", normal { std = 1 })
rule("*.weight", lecun_normal)
rule("*", zeros)
"""


def test_experts_that_were_not_asked_give_their_weights_no_gradient(tmp_path):
    told = probe(tmp_path, MIXTURE, "--measure", "--seeds", "8", "--batch", "4", "--tokens", "32")
    route = next(value for value in told["values"] if value["name"] == "route")
    assert route["gradient"] == pytest.approx(route["measured"]["gradient_second_moment"], rel=0.15)


def test_a_correlation_that_cannot_be(tmp_path):
    model = tmp_path / "model.lua"
    model.write_text('''
local x = input { "batch", 3, 8, 8, correlation = -0.9 } >> conv2d("c", 3, 4)
rule("*.weight", he_normal)
rule("*", zeros)
''')
    done = subprocess.run([TOOL, "probe", model], capture_output=True, text=True)
    assert done.returncode == 3 and not done.stdout
    assert "model.lua:2: " in done.stderr and "correlation -0.9 of an input's 64 places cannot be: -0.015873" in done.stderr
    assert subprocess.run([TOOL, "probe", model, "--input", "correlation=-0.01"], capture_output=True).returncode == 0


def test_a_layer_of_zeros_in_a_file(tmp_path):
    path, source = tmp_path / "w.safetensors", "mlp:64,64x5,10"
    subprocess.run([TOOL, "init", source, "-o", path, "-q"], check=True)
    weights = load_file(path)
    assert subprocess.run([TOOL, "probe", source, "--weights", path], capture_output=True).returncode == 0
    weights["layers.2.weight"][:] = 0
    save_file(weights, path)
    done = subprocess.run([TOOL, "probe", source, "--weights", path, "--json"], capture_output=True, text=True)
    assert done.returncode == 1
    assert verdicts(json.loads(done.stdout)) == [("VANISH", "error", "layers.2")]


@pytest.mark.parametrize("factor, expected", [(64, ["EXPLODE"] * 2), (20, ["EXPLODE"]), (1 / 200, ["VANISH"]), (1.5, [])])
def test_one_layer_of_another_scale_in_a_file(tmp_path, factor, expected):
    """The plan knows nothing of it: E[w^2] of what was read counts. 64 is the threshold of one layer, 16 that among its like."""
    source, path = "mlp:128,128x6,10", tmp_path / "odd.safetensors"
    subprocess.run([TOOL, "init", source, "-o", path, "-q"], check=True)
    weights = load_file(path)
    weights["layers.3.weight"] *= math.sqrt(factor)
    save_file(weights, path)
    done = subprocess.run([TOOL, "probe", source, "--weights", path, "--json"], capture_output=True, text=True)
    assert done.returncode == bool(expected)
    told = json.loads(done.stdout)
    assert [where for _, _, where in verdicts(told)] == ["layers.3"] * len(expected)
    assert [verdict["code"] for verdict in told["verdicts"]] == expected
    assert all(verdict["how"] == "measured" and verdict["cure"] is None for verdict in told["verdicts"])
