# SPDX-License-Identifier: MIT
"""Times torch's and numpy's in-place draws on a warm buffer, in the lines of bench/fill.c. Truncated normals are drawn into an
eighth of the elements: torch takes some ten times longer for them."""
import sys
import time

ELEMENTS = 1 << 26
REPEATS = 2


def measure(who, distribution, dtype, threads, count, draw):
    begin = time.perf_counter()
    draw()
    print(who, distribution, dtype, threads, f"{(time.perf_counter() - begin) * 1e9 / count:.4f}", sep="\t", flush=True)


def torch_lines():
    import torch

    cores = torch.get_num_threads()
    print("version", f"torch-{torch.__version__}", "-", "-", 0, sep="\t")
    for dtype, name in ((torch.float32, "f32"), (torch.bfloat16, "bf16")):
        buffer = torch.ones(ELEMENTS, dtype=dtype)
        few = buffer[: ELEMENTS // 8]
        for threads, label in ((1, "1"), (cores, "all"))[: 2 if cores > 1 else 1]:
            torch.set_num_threads(threads)
            for _ in range(REPEATS):
                measure("torch", "uniform", name, label, ELEMENTS, lambda: buffer.uniform_(-1, 1))
                measure("torch", "normal", name, label, ELEMENTS, lambda: buffer.normal_(0, 1))
            measure("torch", "trunc_normal", name, label, ELEMENTS // 8,
                    lambda: torch.nn.init.trunc_normal_(few, 0.0, 1.0, -2.0, 2.0))


def numpy_lines():
    import numpy

    print("version", f"numpy-{numpy.__version__}", "-", "-", 0, sep="\t")
    generator = numpy.random.Generator(numpy.random.PCG64(42))
    buffer = numpy.ones(ELEMENTS, dtype=numpy.float32)
    for _ in range(REPEATS):
        measure("numpy", "uniform", "f32", "1", ELEMENTS, lambda: generator.random(out=buffer, dtype=numpy.float32))
        measure("numpy", "normal", "f32", "1", ELEMENTS, lambda: generator.standard_normal(out=buffer, dtype=numpy.float32))


for lines in (torch_lines, numpy_lines):
    try:
        lines()
    except ImportError as missing:
        print(f"SKIPPED: {missing}", file=sys.stderr)
