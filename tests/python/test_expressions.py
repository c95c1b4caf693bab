# SPDX-License-Identifier: MIT
"""Activations of the user's own, expr{...}: the same function in torch, forward and backward, and the numbers of field case F22."""
import math

import pytest
import torch
from libsow_model import Measured
from measuring import digests, judge
from tool import probe

F22 = "max(x,0) - (sqrt(2.85)-1)"
SHIFT = math.sqrt(2.85) - 1

FUNCTIONS = {
    F22: lambda x: torch.maximum(x, torch.zeros_like(x)) - SHIFT,
    "x * tanh(log(1 + exp(x)))": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
    "x > 0 and x or 0.1 * x * exp(x)": lambda x: torch.where(x > 0, x, 0.1 * x * torch.exp(x)),
    "max(min(x, 1.5), -0.5) ^ 2": lambda x: torch.clamp(x, -0.5, 1.5) ** 2,
    "x * sigmoid(x) + 0.1 * sin(3 * x) - erfc(x) / (1 + abs(x)) ^ 1.5":
        lambda x: x * torch.sigmoid(x) + 0.1 * torch.sin(3 * x) - torch.erfc(x) / (1 + x.abs()) ** 1.5,
    "sqrt(x^2 + 1) - 1 + log1p(x * x) - expm1(-abs(x)) + atan(x) * asinh(x)":
        lambda x: torch.sqrt(x**2 + 1) - 1 + torch.log1p(x * x) - torch.expm1(-x.abs()) + torch.atan(x) * torch.asinh(x),
    "gelu(2 * x) - leaky_relu(x)": lambda x: torch.nn.functional.gelu(2 * x) - torch.nn.functional.leaky_relu(x),
    "(1.2 + tanh(x)) ^ cos(x)": lambda x: (1.2 + torch.tanh(x)) ** torch.cos(x),
}


@pytest.mark.parametrize("text", FUNCTIONS)
def test_expression_is_torchs(text, tmp_path):
    judge(f'local x = (input {{ "batch", 4001 }} * 3) >> activation(expr "{text}")', lambda x, w: FUNCTIONS[text](3 * x), tmp_path)


def test_gate_of_an_expression_is_torchs(tmp_path):
    judge('local x = input { "batch", 24 }\nx = bundle(x >> linear("a", 24, 9), x >> linear("b", 24, 9)) >> '
          f'gated(expr "{F22}")',
          lambda x, w: FUNCTIONS[F22](x @ w["a.weight"].T + w["a.bias"]) * (x @ w["b.weight"].T + w["b.bias"]), tmp_path)


@pytest.mark.parametrize("text", ["max(x, 0)", "min(x, 0.5 * x)", "abs(x)", "max(x, 0) ^ 2", "max(x, -x, 0)", "sqrt(x * x + 1)"])
def test_slope_at_0_is_torchs(text, tmp_path):
    """Weights of zeros put a network there: ties as torch.maximum and torch.minimum have them."""
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def extreme(function):
        def pair(*numbers):
            result = numbers[0]
            for number in numbers[1:]:
                result = function(result, torch.as_tensor(number, dtype=torch.float64).expand(1))
            return result
        return pair
    y = eval(text.replace("^", "**"), {"x": zero, "max": extreme(torch.maximum), "min": extreme(torch.minimum), "abs": torch.abs,
                                       "sqrt": torch.sqrt})
    y.backward()
    source = tmp_path / "model.lua"
    source.write_text(f'local x = input {{ "batch", 5 }} >> linear("a", 5, 7) >> activation(expr "{text}")\n'
                      'x = x >> linear("b", 7, 3)\nrule("a.*", zeros)\nrule("*", normal { std = 1 })\n')
    found = Measured(source, watch=True)
    node = [name for name in found.values if name.endswith("expression")][0]
    below, above = found.gradient("a"), found.gradient(node)
    assert torch.allclose(torch.tensor(below), torch.tensor(above) * float(zero.grad), rtol=1e-6, atol=0)


def test_same_bits_for_every_thread_count_and_instruction_set(tmp_path):
    source = tmp_path / "model.lua"
    source.write_text('local x = input { "batch", 3001 } >> activation(expr "x * tanh(log(1 + exp(x))) ^ 2 + abs(x) ^ 1.5") >> linear("a", 3001, 3)\n'
                      'rule("*", normal { std = 1 })\n')
    assert len(digests(source, [1, 2, 5], "") | digests(source, [2], "scalar")) == 1


def recursion(layers):
    """q of each layer's pre-activations in closed form: E[(relu(h) - c)^2] of a normal h."""
    q = [3.0]
    while len(q) < layers:
        q.append(3 * (q[-1] / 2 - 2 * SHIFT * math.sqrt(q[-1] / (2 * math.pi)) + SHIFT**2))
    return q


def test_F22_a_relu_moved_by_hand():
    """The forum's numbers are right for one layer; fifty are unstable. The fixed figures are those of the case."""
    found = probe("mlp:512x50", "--activation-expr", F22, "--scheme", "normal{std=sqrt(3/fan_in)}")
    before = [value for value in found["values"] if value["operation"] == "linear"]
    after = [value for value in found["values"] if value["name"].endswith("expression")]
    assert [value["second_moment"] for value in before] == pytest.approx(recursion(50), rel=1e-9)
    assert round(after[0]["mean"], 4) == 0.0028
    assert round(math.sqrt(after[0]["second_moment"] - after[0]["mean"] ** 2), 4) == 1.0112
    for layer, q in ((10, 3.72), (20, 5.31), (50, 2864)):
        assert before[layer - 1]["second_moment"] == pytest.approx(q, rel=2e-3)
    assert before[-1]["chi_par"] == pytest.approx(1.5, rel=0.02)
    assert not found["healthy"]
    assert "UNSTABLE-SCALE" in [verdict["code"] for verdict in found["verdicts"]]


def test_F22_measured():
    """One layer drawn and run: the forum saw -0.0011 and 1.0209; forward and backward follow the prediction."""
    found = probe("mlp:512x6", "--activation-expr", F22, "--scheme", "normal{std=sqrt(3/fan_in)}", "--seeds", "8", "--batch", "64")
    first = next(value for value in found["values"] if value["name"].endswith("expression"))
    assert first["measured"]["mean"] == pytest.approx(0.0028, abs=0.02)
    assert first["measured"]["second_moment"] == pytest.approx(1.0225, rel=0.03)
    inputs = found["values"][0]
    assert inputs["measured"]["gradient_second_moment"] == pytest.approx(inputs["gradient"], rel=0.1)


def test_matched_keeps_the_second_moment():
    """The exact gain at every layer: what goes into each activation has second moment 1."""
    found = probe("mlp:512x6", "--activation-expr", F22, "--variant", "matched")
    linear = [value["second_moment"] for value in found["values"] if value["operation"] == "linear"]
    assert linear[:-1] == pytest.approx([1] * 5, rel=1e-6)


def test_expression_behaves_as_the_row_it_spells():
    """silu by its name and spelt out: the same prediction, verdict and gains."""
    ours = probe("mlp:64,64x20,10", "--activation-expr", "x / (1 + exp(-x))")
    row = probe("mlp:64,64x20,10", "--activation", "silu")
    for one, other in zip(ours["values"], row["values"]):
        for key in ("second_moment", "mean", "gradient", "sample_correlation", "chi_perp", "chi_par"):
            if other[key] is None:
                assert one[key] is None
            else:
                assert one[key] == pytest.approx(other[key], rel=1e-7, abs=1e-10), (one["name"], key)
    assert [verdict["code"] for verdict in ours["verdicts"]] == [verdict["code"] for verdict in row["verdicts"]]
