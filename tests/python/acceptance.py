# SPDX-License-Identifier: MIT
"""What tests of published numbers share: sow activations and sow probe by a few words. No tests here."""
import json
import math

from tool import run


def sow(*arguments):
    """A verdict may be a bad one, such as that the network vanishes, as it should here."""
    return json.loads(run(*arguments, "--json", codes=(0, 1)).stdout)


def activation(name, sigma_w2=None, sigma_b2=0.0):
    where = [] if sigma_w2 is None else ["--sigma-w", repr(math.sqrt(sigma_w2)), "--sigma-b", repr(math.sqrt(sigma_b2))]
    return sow("activations", name, *where)


def probe(*arguments):
    told = sow("probe", *arguments)
    return {value["name"]: value for value in told["values"]}, told


def plain(name, layers, sigma_w2, sigma_b2=0.0, q=None, width=100):
    """A network of one layer repeated, whose first pre-activation has the second moment q (else sigma_w2 + sigma_b2)."""
    first = [] if q is None else ["--set", f"layers.0.weight=normal{{std=sqrt({q!r}/fan_in)}}", "--set", "layers.0.bias=zeros"]
    bias = ["--set", f"*.bias=normal{{std=sqrt({sigma_b2!r})}}"] if sigma_b2 else []
    return probe(f"mlp:{width},{width}x{layers},{width}", "--activation", name, "--scheme",
                 f"normal{{std=sqrt({sigma_w2!r}/fan_in)}}", *first, *bias)


def recipe(folder, text):
    path = folder / "model.lua"
    path.write_text(text)
    return probe(path)[0]
