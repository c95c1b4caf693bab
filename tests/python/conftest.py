# SPDX-License-Identifier: MIT
"""Settings for all judges of this folder, before any of them is imported, and which versions judge.

Keras asks for TensorFlow unless told otherwise; on torch its truncated normal is not quite cut (it takes the first of four
draws that lies inside, and the first where none does), so that it runs on JAX.

torchvision where its compiled operators do not load: PyPI's wheel is built for another build of torch than the CPU one.
Importing it then asks for two operators by name, which are declared here; no classifier uses them. transformers imports
torchvision wherever it is installed, so this concerns every test that has transformers as its judge.
"""

import importlib.abc
import importlib.metadata
import importlib.util
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


class BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Finds nothing: the first import of torchvision passes by, and gets its operators."""

    operators = None # lives as long as the process

    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            self.declare(importlib.util.find_spec("torchvision"))

    def declare(self, spec):
        import torch

        try:
            for library in pathlib.Path(spec.origin).parent.glob("_C*.so"):
                torch.ops.load_library(str(library))
        except OSError:
            BeforeTorchvision.operators = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                self.operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if importlib.util.find_spec("torchvision") is not None:
    sys.meta_path.insert(0, BeforeTorchvision())

JUDGES = ("torch", "transformers", "safetensors", "scipy", "numpy", "jax", "flax", "keras", "torchvision", "timm")


def version_of(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def pytest_report_header():
    return "judges: " + ", ".join(f"{name} {version_of(name)}" for name in JUDGES)
