# SPDX-License-Identifier: MIT
"""Faults planted into random healthy networks: what sow probe must say, and where."""
import json
import random

from networks import NORMAL_RULES, Network, family, written


def chain(act, sizes, rules, **more):
    layers = []
    for i in range(len(sizes) - 1):
        layers += [("linear", f"fc{i}", sizes[i], sizes[i + 1])] + ([("act", act)] if i < len(sizes) - 2 else [])
    return written("mlp", layers, [*rules, 'rule("*bias", zeros)'], (sizes[0],), act=act, **more)


def widths(r, low, high):
    width = r.choice([64, 128, 200, 256, 512])
    return [r.choice([32, 100, 784]), *[width] * r.randint(low, high), r.choice([2, 10, 100])]


def he_on_tanh(r):
    sizes = widths(r, 50, 90)
    return chain("tanh", sizes, ['rule("*.weight", he_normal)']), "CHAOS", r"fc"


def xavier_on_relu(r):
    sizes = widths(r, 14, 50)
    return chain("relu", sizes, [f'rule("*.weight", {r.choice(["glorot_normal", "glorot_uniform", "lecun_normal"])})']), "VANISH", r"fc0|fc1|relu"


def small_everywhere(r):
    act = r.choice(["relu", "tanh", "gelu", "silu"])
    return chain(act, widths(r, 4, 30), ['rule("*.weight", normal { std = 0.01 })']), "VANISH", r"fc0|fc1|" + act


def large_everywhere(r):
    act, codes = r.choice([("relu", "EXPLODE"), ("tanh", "SATURATED"), ("gelu", "EXPLODE")])
    return chain(act, widths(r, 3, 20), ['rule("*.weight", normal { std = 1 })']), codes, r"fc0|" + act


def sigmoid_deep(r):
    scheme = r.choice(["glorot_normal", "lecun_normal", "he_normal"])
    return chain("sigmoid", widths(r, 5, 20), [f'rule("*.weight", {scheme})']), "VANISH", r"fc|sigmoid"


def all_zero(r):
    return chain(r.choice(["relu", "tanh"]), widths(r, 2, 8), ['rule("*.weight", zeros)']), "ZERO-GRAD", r"fc0"


def all_constant(r):
    return chain(r.choice(["relu", "tanh"]), widths(r, 2, 8), [f'rule("*.weight", constant {{ {r.choice([0.5, 0.01, 1])} }})']), "SYMMETRIC", r"fc0"


def one_layer(r, factor, code):
    act, scheme = r.choice([("relu", "he_normal"), ("tanh", "lecun_normal"), ("selu", "lecun_normal")])
    sizes = widths(r, 5, 15)
    at = r.randint(1, len(sizes) - 3)
    gain = factor * (2 ** 0.5 if act == "relu" else 1)
    rules = [f'rule("fc{at}.weight", lecun_normal {{ gain = {gain} }})', f'rule("*.weight", {scheme})']
    return chain(act, sizes, rules), code, f"^fc{at}$"


def one_layer_of_gpt2(r, factor, code):
    made = family(r, "gpt2")
    config = made.config | {"n_layer": r.randint(4, 16)}
    at, which = r.randrange(config["n_layer"]), r.choice(["attn.c_attn", "mlp.c_fc", "mlp.c_proj"])
    std = factor * config["initializer_range"] * ((2 * config["n_layer"]) ** -0.5 if "proj" in which else 1)
    made.files["config.json"] = json.dumps(config)
    made.options = ["--set", f"*.{at}.{which}.weight=normal{{std={std}}}"]
    return made, code, rf"h\.{at}\.{which}"


def missing_depth_scaling(r):
    made = family(r, "gpt2")
    config = made.config | {"n_layer": r.randint(3, 24)}
    made.files["config.json"] = json.dumps(config)
    made.options = ["--set", f"*.c_proj.weight=normal{{std={config['initializer_range']}}}"]
    return made, "EXPLODE", r"h\.0\.attn\.c_proj"


def std_one(r):
    name, glob = r.choice([("gpt2", "*.c_*.weight"), ("llama", "*_proj.weight"), ("qwen2", "*_proj.weight"), ("bert", "*{query,key,value,dense}.weight"),
                           ("vit", "*{query,key,value,dense}.weight")])
    made = family(r, name)
    made.options = ["--set", f"{glob}=normal{{std=1}}"]
    return made, "EXPLODE|SATURATED", r"\.0\.|attn|attention|dense"


def head_at_one(r):
    d, rows = r.choice([128, 256, 768]), r.choice([1000, 32128])
    layers = [("embedding", "embed", rows, d), ("norm", "rms_norm", "norm", d), ("linear", "lm_head", d, rows, False)]
    made = written("head", layers, ['rule("norm.weight", ones)', 'rule("*.weight", normal { std = 1 })'], None, rows)
    return made, "EXPLODE", "lm_head"


def forgotten_norms(r):
    width, blocks, act = r.choice([64, 128, 256]), r.randint(10, 40), r.choice(["relu", "gelu"])
    layers = [("linear", "stem", 64, width)]
    for b in range(blocks):
        layers += [("residual", [("linear", f"b{b}.up", width, width), ("act", act), ("linear", f"b{b}.down", width, width)])]
    layers += [("linear", "head", width, 10)]
    return written("no norms", layers, ['rule("*.up.weight", he_normal)', *NORMAL_RULES, 'rule("*", lecun_normal)'], (64,)), "EXPLODE", r"add|stem"


def zero_factors(r):
    rank, d = r.choice([4, 8, 16]), r.choice([64, 128])
    text = f"""local x = input {{ "batch", {d} }}
local base = x >> linear("base", {d}, {d})
local low = x >> linear("lora_A", {d}, {rank}, {{ bias = false }}) >> linear("lora_B", {rank}, {d}, {{ bias = false }})
x = (base + low) >> activation("relu") >> linear("head", {d}, 10)
rule("lora_*", zeros)
rule("*bias", zeros)
rule("*", he_normal)
"""
    return Network("lora", {"model.lua": text}, "model.lua"), "ZERO-GRAD", r"lora_[AB]"


def dead_bias(r):
    sizes = widths(r, 3, 10)
    at = r.randint(0, len(sizes) - 3)
    return chain("relu", sizes, [f'rule("fc{at}.bias", constant {{ -9 }})', 'rule("*.weight", he_normal)']), "DEAD", r"relu"


def saturating_bias(r):
    sizes = widths(r, 2, 10)
    at = r.randint(0, len(sizes) - 3)
    return chain("tanh", sizes, [f'rule("fc{at}.bias", constant {{ {r.choice([5, -6, 8])} }})', 'rule("*.weight", lecun_normal)']), "SATURATED", r"tanh"


def wrong_fan(r):
    wide, narrow = r.choice([(784, 16), (2048, 32), (1024, 24), (3072, 64)])
    layers = [("linear", "first", wide, narrow), ("act", "relu"), ("linear", "second", narrow, narrow), ("act", "relu"), ("linear", "head", narrow, 10)]
    rules = ['rule("*.weight", he_normal { mode = "fan_out" })', 'rule("*bias", zeros)']
    return written("fan", layers, rules, (wide,)), "EXPLODE", "first"


FAULTS = {
    "He on tanh, 50 to 90 layers": he_on_tanh, "Xavier on relu, 14 to 50 layers": xavier_on_relu, "std 0.01 everywhere": small_everywhere,
    "std 1 everywhere": large_everywhere, "sigmoid, 5 to 20 layers": sigmoid_deep, "all weights zero": all_zero,
    "all weights one constant": all_constant, "one layer ten times too large": lambda r: one_layer(r, 10, "EXPLODE"),
    "one layer a tenth": lambda r: one_layer(r, 0.1, "VANISH"),
    "one layer of GPT-2 ten times too large": lambda r: one_layer_of_gpt2(r, 10, "EXPLODE"),
    "one layer of GPT-2 a tenth": lambda r: one_layer_of_gpt2(r, 0.1, "VANISH"),
    "GPT-2 without 1/sqrt(2L)": missing_depth_scaling, "std 1 instead of 0.02": std_one, "a head at std 1": head_at_one,
    "forgotten norms": forgotten_norms, "both factors zero": zero_factors, "a bias of -9 before relu": dead_bias,
    "a large bias before tanh": saturating_bias, "fan_out of a rectangular layer": wrong_fan,
}


def planted(fault, number):
    return FAULTS[fault](random.Random(f"fault {fault} {number}"))



