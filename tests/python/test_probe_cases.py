# SPDX-License-Identifier: MIT
"""Networks that once were told wrong: predictions against measurement over fixed seeds, and planted faults by name and place."""
import json
import math
import subprocess

import pytest
import tool
from safetensors.numpy import load_file, save_file


def probe(folder, text, *arguments):
    model = folder / "model.lua"
    model.write_text(text)
    return tool.probe(model, *arguments)


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
    done = tool.run("probe", model, codes=(3,))
    assert not done.stdout
    assert "model.lua:2: " in done.stderr and "correlation -0.9 of an input's 64 places cannot be: -0.015873" in done.stderr
    tool.run("probe", model, "--input", "correlation=-0.01")


def test_a_layer_of_zeros_in_a_file(tmp_path):
    path, source = tmp_path / "w.safetensors", "mlp:64,64x5,10"
    tool.init(source, path)
    weights = load_file(path)
    tool.run("probe", source, "--weights", path)
    weights["layers.2.weight"][:] = 0
    save_file(weights, path)
    done = tool.run("probe", source, "--weights", path, "--json", codes=(1,))
    assert verdicts(json.loads(done.stdout)) == [("VANISH", "error", "layers.2")]


@pytest.mark.parametrize("factor, expected", [(64, ["EXPLODE"] * 2), (20, ["EXPLODE"]), (1 / 200, ["VANISH"]), (1.5, [])])
def test_one_layer_of_another_scale_in_a_file(tmp_path, factor, expected):
    """The plan knows nothing of it: E[w^2] of what was read counts. 64 is the threshold of one layer, 16 that among its like."""
    source, path = "mlp:128,128x6,10", tmp_path / "odd.safetensors"
    tool.init(source, path)
    weights = load_file(path)
    weights["layers.3.weight"] *= math.sqrt(factor)
    save_file(weights, path)
    done = tool.run("probe", source, "--weights", path, "--json", codes=(int(bool(expected)),))
    told = json.loads(done.stdout)
    assert [where for _, _, where in verdicts(told)] == ["layers.3"] * len(expected)
    assert [verdict["code"] for verdict in told["verdicts"]] == expected
    assert all(verdict["how"] == "measured" and verdict["cure"] is None for verdict in told["verdicts"])


def of_line(folder, *arguments):
    """Verdicts, exit code, and the commands that the text offers as cures."""
    done = tool.run("probe", *arguments, "--json", codes=(0, 1), cwd=folder)
    text = tool.sow("probe", *arguments, "--brief", cwd=folder)
    commands = [line.split(": ", 1)[1] for line in text.splitlines() if "cure: sow probe" in line or line.startswith("cure of all: ")]
    return json.loads(done.stdout), done.returncode, commands


def pasted(folder, command):
    done = subprocess.run(["bash", "-c", command.replace("sow probe", f"{tool.SOW} probe", 1) + " --json"], capture_output=True, text=True, cwd=folder)
    assert done.returncode in (0, 1), (command, done.stderr)
    return json.loads(done.stdout), done.returncode


def written(folder, rules, act="relu", sizes=(128,) * 9 + (10,)):
    text = f'local x = input {{ "batch", {sizes[0]} }}\n'
    for i in range(len(sizes) - 1):
        last = i == len(sizes) - 2
        text += f'x = x >> linear("fc{i}", {sizes[i]}, {sizes[i + 1]})' + ("" if last else f' >> activation("{act}")') + "\n"
    (folder / "model.lua").write_text(text + "\n".join(rules) + '\nrule("*bias", zeros)\n')
    return "model.lua"


def gpt2(folder):
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_layer": 6, "n_embd": 64, "n_head": 4, "vocab_size": 100}')
    return "config.json"


@pytest.mark.parametrize("factor, code", [(2, "EXPLODE"), (0.5, "VANISH"), (4, "EXPLODE")])
@pytest.mark.parametrize("how", ["recipe", "set", "family", "file"])
def test_one_layer_at_twice_the_std_of_its_like(tmp_path, how, factor, code):
    where = "fc4" if how == "recipe" else "transformer.h.2.mlp.c_fc" if how == "family" else "layers.3"
    if how == "recipe":
        source = [written(tmp_path, [f'rule("fc4.weight", lecun_normal {{ gain = {factor} }})', 'rule("*.weight", lecun_normal)'], "tanh")]
    elif how == "family":
        source = [gpt2(tmp_path), "--set", f"*.2.mlp.c_fc.weight=normal{{std={0.02 * factor}}}"]
    elif how == "set":
        source = ["mlp:256,256x7,10", "--set", f"layers.3.weight=normal{{std={factor * 2**0.5 / 16}}}"]
    else:
        tool.init("mlp:256,256x7,10", tmp_path / "w.safetensors")
        weights = load_file(tmp_path / "w.safetensors")
        weights["layers.3.weight"] *= factor
        save_file(weights, tmp_path / "w.safetensors")
        source = ["mlp:256,256x7,10", "--weights", tmp_path / "w.safetensors"]
    told, status, commands = of_line(tmp_path, *source)
    assert status == 1 and verdicts(told) == [(code, "warning", where)]
    assert "of the" in told["verdicts"][0]["reason"] and f"std is {factor}" in told["verdicts"][0]["reason"]
    assert len(commands) == (how != "file")
    assert all(pasted(tmp_path, command)[1] == 0 for command in commands)


def test_sizes_that_no_fault_are_not_told(tmp_path):
    """A scheme that falls with the depth, a layer before another activation, a first layer of its own."""
    falling = [f'rule("fc{i}.weight", he_normal {{ gain = {(2 / (i + 1))**0.5} }})' for i in range(9)]
    assert "out of line" not in json.dumps(of_line(tmp_path, written(tmp_path, falling))[0])
    first = ['rule("fc0.weight", normal { std = 0.2 })', 'rule("*.weight", lecun_normal)']
    assert not [found for found in verdicts(of_line(tmp_path, written(tmp_path, first, "tanh"))[0]) if found[1] != "note"]
    source = written(tmp_path, ['rule("fc3.weight", lecun_normal { gain = 2 })', 'rule("*.weight", lecun_normal)'], "tanh")
    text = (tmp_path / source).read_text().replace('"fc3", 128, 128) >> activation("tanh")', '"fc3", 128, 128) >> activation("sin")')
    (tmp_path / source).write_text(text)
    assert "out of line" not in json.dumps(of_line(tmp_path, source)[0])


@pytest.mark.parametrize("act, scheme, severity", [("relu", "he_normal", "note"), ("tanh", "lecun_normal", "warning")])
def test_fan_out_where_widths_alternate(tmp_path, act, scheme, severity):
    """The product over the depth is that of fan_in, forward and backward: He et al. 2015 call it right for relu."""
    sizes = (256, 64, 256, 64, 256, 64, 256, 64, 10)
    source = written(tmp_path, [f'rule("*.weight", {scheme} {{ mode = "fan_out" }})'], act, sizes)
    told, status, commands = of_line(tmp_path, source)
    assert verdicts(told) == [("EXPLODE", severity, "fc0")] and status == (severity != "note")
    assert "follow fan_out" in told["verdicts"][0]["reason"] and told["verdicts"][0]["number"] == pytest.approx(4)
    assert len(commands) == 1 and verdicts(pasted(tmp_path, commands[0])[0]) == []
    for mode in ("fan_in", "fan_avg"):
        source = written(tmp_path, [f'rule("*.weight", {scheme} {{ mode = "{mode}" }})'], act, sizes)
        assert "fan_out" not in json.dumps(of_line(tmp_path, source)[0]["verdicts"])


@pytest.mark.parametrize("where, value, source", [
    ("fc3", 0.1, lambda folder: [written(folder, ['rule("fc3.weight", constant { 0.1 })', 'rule("*.weight", he_normal)'])]),
    ("layers.1", 0.05, lambda folder: ["mlp:64,64x4,10", "--activation", "tanh", "--set", "layers.1.weight=constant{0.05}"]),
    ("transformer.h.3.mlp.c_fc", 0.02, lambda folder: [gpt2(folder), "--set", "*.3.mlp.c_fc.weight=constant{0.02}"])])
def test_one_constant_layer_among_random_ones(tmp_path, where, value, source):
    told, status, commands = of_line(tmp_path, *source(tmp_path))
    assert status == 1 and verdicts(told) == [("SYMMETRIC", "error", where)]
    assert f"are {value}" in told["verdicts"][0]["reason"] and "rank one" in told["verdicts"][0]["reason"]
    assert len(commands) == 1 and pasted(tmp_path, commands[0])[1] == 0


def test_constants_that_are_no_fault(tmp_path):
    """Equal logits part at the first step; channels of groups read inputs of their own."""
    told, status, _ = of_line(tmp_path, "mlp:64,64x4,10", "--set", "layers.4.weight=constant{0.05}")
    assert status == 0 and verdicts(told) == [("SYMMETRIC", "note", "layers.4")]
    (tmp_path / "model.lua").write_text('''
local x = input { "batch", 3, 12, 12 } >> conv2d("stem", 3, 32) >> activation("relu")
x = x >> conv2d("blur", 32, 32, { kernel = 3, groups = 32, bias = false }) >> conv2d("point", 32, 32) >> global_pool() >> linear("head", 32, 10)
rule("blur.weight", constant { 0.1111 })
rule("*.weight", he_normal)
rule("*", zeros)
''')
    assert verdicts(of_line(tmp_path, "model.lua")[0]) == []


TWO = {
    "zeros and a large layer": lambda folder: [written(folder, ['rule("fc2.weight", zeros)', 'rule("fc5.weight", he_normal { gain = 14 })',
                                                                'rule("*.weight", he_normal)'])],
    "dead units and a large layer": lambda folder: [written(folder, ['rule("fc2.bias", constant { -9 })',
                                                                     'rule("fc6.weight", he_normal { gain = 20 })', 'rule("*.weight", he_normal)'])],
    "a constant and a large layer": lambda folder: ["mlp:64,64x9,10", "--set", "layers.2.weight=constant{0.05}",
                                                    "--set", "layers.6.weight=normal{std=0.8}"],
    "a constant and a large layer of GPT-2": lambda folder: [gpt2(folder), "--set", "*.2.mlp.c_fc.weight=normal{std=0.3}",
                                                             "--set", "*.4.mlp.c_fc.weight=constant{0.02}"],
    "two constants that learn as one": lambda folder: [gpt2(folder), "--set", "*.3.mlp.c_*.weight=constant{0.02}"]}


@pytest.mark.parametrize("case", TWO)
def test_two_faults_and_every_cure_pasted(tmp_path, case):
    """Each verdict goes with its own cure, which says what stays; with the cure of all nothing stays."""
    told, status, commands = of_line(tmp_path, *TWO[case](tmp_path))
    found = [verdict for verdict in told["verdicts"] if verdict["severity"] != "note"]
    assert status == 1 and len(found) >= 2 and told["cure_of_all"] and any(verdict["leaves"] for verdict in found)
    assert len(commands) == len(found) + 1 and all(verdict["cure"] for verdict in found)
    for verdict, command in zip(found, commands):
        left, left_status = pasted(tmp_path, command)
        codes = {other["code"] for other in left["verdicts"] if other["severity"] != "note"}
        assert verdict["code"] not in codes and left_status == bool(codes)
        assert codes == set((verdict["leaves"] or "").split(", ")) - {""}
    left, left_status = pasted(tmp_path, commands[-1])
    assert left_status == 0 and told["cure_of_all"] in commands[-1]


def test_a_file_whose_signals_die(tmp_path):
    """Its plan is healthy: the file's numbers count."""
    source, path = "mlp:64,64x6,10", tmp_path / "small.safetensors"
    tool.init(source, path)
    save_file({name: weight * 0.3 for name, weight in load_file(path).items()}, path)
    told, status, _ = of_line(tmp_path, source, "--weights", path)
    assert status == 1 and {verdict["code"] for verdict in told["verdicts"]} == {"VANISH"}
    assert all(verdict["how"] == "measured" for verdict in told["verdicts"])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("source, activation", [("mlp:32,64x5,10", "relu"), ("mlp:32,128,32,128,32,10", "tanh")])
def test_a_trained_file_is_no_fault(tmp_path, source, activation, optimizer):
    """A few hundred steps that fit a teacher: weights of layers part from each other, and no verdict is told."""
    import torch
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    torch.set_num_threads(1)
    path = tmp_path / "trained.safetensors"
    tool.init(source, path, "--activation", activation)
    weights = {name: weight.requires_grad_() for name, weight in load_torch(path).items()}
    rules = {"adam": lambda p: torch.optim.AdamW(p, 3e-3, weight_decay=0.1), "sgd": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)}
    step, random = rules[optimizer](weights.values()), torch.Generator().manual_seed(1)
    teacher, losses, layers = torch.randn(32, 10, generator=random), [], len(weights) // 2
    for _ in range(300):
        value = torch.randn(64, 32, generator=random)
        labels = (value @ teacher).argmax(1)
        for i in range(layers):
            value = torch.nn.functional.linear(value, weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"])
            value = value if i == layers - 1 else getattr(torch, activation)(value)
        loss = torch.nn.functional.cross_entropy(value, labels)
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    save_torch({name: weight.detach() for name, weight in weights.items()}, path)
    told, status, _ = of_line(tmp_path, source, "--activation", activation, "--weights", path)
    assert (status, verdicts(told)) == (0, [])


@pytest.mark.parametrize("dtype, least", [("f16", 2**-24), ("bf16", 2**-133), ("f8_e4m3fn", 2**-9)])
@pytest.mark.parametrize("factor", [0.3, 1, 3])
def test_numbers_too_small_for_their_dtype(tmp_path, dtype, least, factor):
    """plan and init warn, probe says VANISH, where more than half become zeros; their share is what torch counts in the file."""
    from safetensors.torch import load_file as load_torch

    source = ["mlp:256,256x2,10", "--dtype", dtype, "--set", f"layers.1.weight=normal{{std={least * factor!r}}}"]
    done = subprocess.run([tool.SOW, "init", *source, "-o", tmp_path / "w.safetensors"], capture_output=True, text=True)
    zeros = float((load_torch(tmp_path / "w.safetensors")["layers.1.weight"].float() == 0).float().mean())
    planned = subprocess.run([tool.SOW, "plan", *source], capture_output=True, text=True)
    stored = [verdict for verdict in of_line(tmp_path, *source)[0]["verdicts"] if "become 0" in verdict["reason"]]
    assert done.returncode == planned.returncode == 0
    assert ("are drawn as 0" in done.stderr) == ("are drawn as 0" in planned.stderr) == bool(stored) == (zeros > 0.5)
    for verdict in stored:
        assert (verdict["code"], verdict["where"]) == ("VANISH", "layers.1.weight")
        assert verdict["number"] == pytest.approx(zeros, abs=0.01)


def test_an_input_of_zeros(tmp_path):
    told, status, _ = of_line(tmp_path, "mlp:64,64,10", "--input", "mean=0,std=0")
    assert status == 1 and verdicts(told)[0][:2] == ("ZERO-GRAD", "error") and "the input is all zeros" in told["verdicts"][0]["reason"]
    assert of_line(tmp_path, "mlp:64,64,10", "--input", "mean=1,std=0")[1] == 0


def test_the_tensors_of_a_file_are_counted(tmp_path):
    subprocess.run([tool.SOW, "init", "mlp:64,64,10", "-o", tmp_path / "w.safetensors", "-q"], check=True)
    done = subprocess.run([tool.SOW, "probe", "mlp:64,64,10", "--weights", "w.safetensors"], capture_output=True, text=True, cwd=tmp_path)
    assert "measured with the 4 tensors of the network in w.safetensors" in done.stdout


PLAIN = """
local x = input {{ "batch", 64 }}
local y = x >> linear("a", 64, 64)
for i = 1, {} do
    y = {}
end
x = y >> {}linear("b", 64, 10)
rule("n.weight", ones)
rule("*.weight", lecun_normal)
rule("*.bias", zeros)
"""


@pytest.mark.parametrize("times, step, norm, told", [
    (40, "y + y", "", [("EXPLODE", "error", "add")]),
    (6, "y + y", "", []),  # 2^12
    (40, "y + y", 'layer_norm("n", 64) >> ', []),
    (2, "y * y * 0.01", "", [("VANISH", "error", "multiply")]),
    (3, "(y + y) * 0.5", "", []),
    (20, "(y + y) * 0.5 + x", "", []),
    (1, "x + (y >> linear('c', 64, 64)) * 0.001", "", []),
], ids=["doubled", "a little", "with a norm", "squared and small", "back again", "with a branch", "a small branch"])
def test_growth_that_no_weight_is_to_blame_for(tmp_path, times, step, norm, told):
    found = probe(tmp_path, PLAIN.format(times, step, norm).replace('rule("n.weight", ones)\n', "" if not norm else 'rule("n.weight", ones)\n'))
    assert verdicts(found) == told
    assert all(verdict["cure"] is None for verdict in found["verdicts"])


def test_a_layer_that_nothing_reads_is_noted(tmp_path):
    found = probe(tmp_path, CHAIN.replace("{{", "{").replace("}}", "}").replace("{}\n", 'local lost = x >> linear("lost", 10, 10) '
                  '>> activation("relu")\nx = x >> linear("last", 10, 10)\n', 1))
    assert found["healthy"] and verdicts(found) == [("ZERO-GRAD", "note", "lost.weight")]
    assert "nothing reads relu.6" in found["verdicts"][0]["reason"]
