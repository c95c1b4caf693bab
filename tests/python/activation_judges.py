# SPDX-License-Identifier: MIT
"""Every activation once more: by torch's function where it has one, else by its formula; and the rows of sow activations. No
tests here."""
import json
import math

import torch
from tool import sow

F = torch.nn.functional

# Each written once more, by somebody else where there is somebody else.
JUDGES = {
    "linear": lambda z: z, "relu": torch.relu, "leaky_relu": F.leaky_relu, "relu6": F.relu6,
    "prelu": lambda z: F.leaky_relu(z, 0.25), "rrelu": F.rrelu, "relu_squared": lambda z: torch.relu(z) ** 2,
    "thresholded_relu": lambda z: F.threshold(z, 1, 0), "abs": torch.abs, "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"), "quick_gelu": lambda z: z * torch.sigmoid(1.702 * z),
    "silu": F.silu, "mish": F.mish, "elu": F.elu, "selu": F.selu, "celu": F.celu,
    "softplus": lambda z: F.softplus(z, threshold=100), "logsigmoid": F.logsigmoid,
    "squareplus": lambda z: (z + torch.sqrt(z * z + 4)) / 2,
    "bent_identity": lambda z: (torch.sqrt(z * z + 1) - 1) / 2 + z, "square": torch.square, "exp": torch.exp,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "lecun_tanh": lambda z: 1.7159 * torch.tanh(2 * z / 3),
    "tanhshrink": F.tanhshrink, "softsign": F.softsign, "arctan": torch.atan, "asinh": torch.asinh,
    "erf": torch.erf, "sin": torch.sin, "cos": torch.cos, "gaussian": lambda z: torch.exp(-z * z),
    "laplace": lambda z: 0.5 * (1 + torch.erf((z - math.sqrt(0.5)) * math.sqrt(2 * math.pi))),
    "hardtanh": F.hardtanh,
    "hardsigmoid": lambda z: torch.clamp(z / 6 + 0.5, 0, 1),  # the slope of F.hardsigmoid is a float32 1/6
    "hardswish": F.hardswish,
    "hardsigmoid_keras": lambda z: torch.clamp(0.2 * z + 0.5, 0, 1), "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "glu": torch.sigmoid, "reglu": torch.relu, "geglu": F.gelu, "swiglu": F.silu,
    "bilinear": lambda z: z,
}

ROWS = {row["name"]: row for row in json.loads(sow("activations", "--json"))["activations"]}
