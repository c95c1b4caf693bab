# SPDX-License-Identifier: MIT
"""What tests of sow_measure share: a network measured and run through torch in float64 with the same weights and inputs, and digests
of all that was measured. No tests here."""
import json
import os
import subprocess
import sys

import numpy as np
import torch
from libsow_model import Measured
from safetensors.torch import load_file
from tool import init

ROUNDING = 3e-6  # relative, of a whole array: some float32 roundings


def weights_of(source, tmp_path, seed=3):
    path = tmp_path / "w.safetensors"
    init(source, path, "--seed", seed)
    return {name: w.double().requires_grad_() for name, w in load_file(str(path)).items() if w.is_floating_point()}


def close(found, expected, what, limit=ROUNDING):
    expected = expected.detach().numpy()
    error = np.linalg.norm(found.reshape(expected.shape).astype(np.float64) - expected)
    scale = np.linalg.norm(expected)
    assert error <= limit * scale, f"{what}: relative error {error / scale:.3g}"


TURNS = {'layout = "in-out"': lambda w: w if w.dim() < 3 else group_in_out(w),
         "kernel-kernel-each-out": lambda w: w.permute(2, 3, 0, 1).reshape(-1, 1, *w.shape[:2]),
         "kernel-kernel-out-in": lambda w: w.permute(3, 2, 0, 1), "kernel-kernel-in-out": lambda w: w.permute(2, 3, 0, 1)}


def turned(text, w):
    """Convolutions' weights of other layouts as torch's, where `text` names the layout."""
    turn = next((turn for layout, turn in TURNS.items() if layout in text), None)
    return turn(w) if turn and w.dim() > 2 else w


def group_in_out(w):  # (kernel..., in, out) to torch's
    return w.permute(w.dim() - 1, w.dim() - 2, *range(w.dim() - 2))


def judge(recipe, function, tmp_path):
    """The last value, and the gradients of input and weights, of a recipe against those of function(x, weights) in torch."""
    source = tmp_path / "model.lua"
    source.write_text(recipe + '\nparam("one", { 1 })\nrule("*", normal { mean = 0.3, std = 0.4 })\n')
    found = Measured(source, seed=3, batch=5, watch=True)
    weights = weights_of(source, tmp_path)
    x = torch.tensor(found.value("input"), dtype=torch.float64, requires_grad=True)
    output = function(x, weights)
    last = list(found.values)[-1]
    close(found.value(last), output, "value")
    output.backward(torch.tensor(found.gradient(last), dtype=torch.float64))
    close(found.gradient("input"), x.grad, "gradient")
    for name, gradient in found.arrays["weight"].items():
        close(gradient, turned(recipe, weights[name].grad), name)
    return found


BITS = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from libsow_model import Measured
digests = {}
for threads in json.loads(sys.argv[3]):
    found = Measured(sys.argv[2], seed=5, batch=3, tokens=17, watch=True, threads=threads)
    digest = hashlib.sha256()
    for kind in found.arrays.values():
        for name in sorted(kind):
            digest.update(name.encode() + kind[name].tobytes())
    digest.update(repr((found.values, found.weights)).encode())
    digests[threads] = digest.hexdigest()
print(json.dumps(digests))
"""


def digests(source, threads, isa):
    ran = subprocess.run([sys.executable, "-c", BITS, os.path.dirname(__file__), str(source), json.dumps(threads)],
                         env={**os.environ, "SOW_ISA": isa}, capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout).values())
