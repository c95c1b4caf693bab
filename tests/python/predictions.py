# SPDX-License-Identifier: MIT
"""What tests of sow probe's predictions share: the predictions, weights by seed, and means over seeds of what torch measures
with them. No tests here."""
import math

import pytest
import torch
from safetensors.torch import load_file
from tool import probe, sow

F = torch.nn.functional


def predict(*arguments):
    return {value["name"]: value for value in probe(*arguments)["values"]}


def weights(folder, seed, *arguments):
    path = folder / f"{seed}.safetensors"
    sow("init", *arguments, "--seed", seed, "-o", path, "-q", "--force")
    return load_file(path)


class Means:
    """Second moments of signals and gradients by name, summed over seeds."""

    def __init__(self):
        self.values, self.signal, self.gradient, self.place, self.runs = {}, {}, {}, {}, 0

    def see(self, name, x):
        if x.requires_grad:
            x.retain_grad()
        self.values[name] = x
        return x

    def back(self, y, seed):
        generator = torch.Generator().manual_seed(seed)
        (y * torch.randn(y.shape, generator=generator)).sum().backward()
        for name, x in self.values.items():
            self.signal[name] = self.signal.get(name, 0) + float((x.detach() ** 2).mean())
            if x.grad is not None:
                self.gradient[name] = self.gradient.get(name, 0) + float((x.grad ** 2).mean())
            if x.ndim == 3:
                units = F.normalize(x.detach(), dim=-1)  # the mean cosine of two tokens
                cosine = ((units.sum(1) ** 2).sum(-1) / x.shape[1] - 1) / (x.shape[1] - 1)
                self.place[name] = self.place.get(name, 0) + float(cosine.mean())
        self.runs += 1

    def agree(self, told, names, near=0.06, gradient_near=None, alike=0.04):
        """Within 4 standard deviations of the mean over seeds, and what the theory leaves out."""
        wrong = []
        for name in names:
            value, signal = told[name], self.signal[name] / self.runs
            room = near + 4 * math.sqrt(max(value["seed_noise"], 0) / self.runs)
            if abs(math.log(signal / value["second_moment"])) > room:
                wrong.append(f"{name}: E[x^2] {signal:.5g}, predicted {value['second_moment']:.5g}")
            if name in self.place and value["place_correlation"] is not None:
                correlation = self.place[name] / self.runs
                if abs(correlation - value["place_correlation"]) > alike:
                    wrong.append(f"{name}: correlation {correlation:.4f}, predicted {value['place_correlation']:.4f}")
            if name in self.gradient:
                gradient = self.gradient[name] / self.runs
                room = (gradient_near or near) + 4 * math.sqrt(told["noise"] / self.runs)
                if abs(math.log(gradient / value["gradient"])) > room:
                    wrong.append(f"{name}: gradient {gradient:.5g}, predicted {value['gradient']:.5g}")
        assert not wrong, "\n".join(wrong)


@pytest.fixture(autouse=True)
def one_thread():
    """Small products: threads would wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
