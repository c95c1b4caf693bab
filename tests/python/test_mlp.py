# SPDX-License-Identifier: MIT
"""The short form mlp:..., against torch: the names that load_state_dict takes, the forward pass's sizes, and the spread
of torch's own Linear under the variant of that name."""

import os
import subprocess

import pytest

torch = pytest.importorskip("torch", reason="torch is the judge")
load_file = pytest.importorskip("safetensors.torch", reason="safetensors reads the file").load_file
SOW = os.environ.get("SOW", "")
if not os.path.exists(SOW):
    pytest.skip("SOW does not name the built tool", allow_module_level=True)

WIDTHS = [300, 200, 200, 150]


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(WIDTHS, WIDTHS[1:], strict=False))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def make(folder, *options):
    path = folder / "mlp.safetensors"
    subprocess.run([SOW, "init", "mlp:300,200x2,150", "-q", "-f", "-o", path, *options], check=True)
    return load_file(path)


def test_loads_into_torch_and_keeps_the_signal(tmp_path):
    network = Network()
    network.load_state_dict(make(tmp_path), strict=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        out = network(torch.randn(2000, 300, generator=generator))
    assert out.shape == (2000, 150)
    # He's gain makes E[relu(x)^2] that of the input, 1, layer by layer; the last one has gain 1
    assert 0.85 < out.square().mean() < 1.15, out.square().mean()


def test_torchs_own_start(tmp_path):
    torch.manual_seed(3)
    ours, theirs = make(tmp_path, "--variant", "torch"), Network().state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        bound = 1 / WIDTHS[int(name.split(".")[1])] ** 0.5
        other = theirs[name]
        assert tensor.shape == other.shape
        for values in (tensor, other):  # a uniform's std has a relative error of 0.45 / sqrt(n)
            assert values.abs().max() <= bound
            assert abs(values.std() / (bound / 3**0.5) - 1) < 5 * 0.45 / values.numel() ** 0.5
