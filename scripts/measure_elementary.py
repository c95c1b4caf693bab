#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure the largest error of core/base/elementary.c in ulp against mpmath.

    scripts/measure_elementary.py [POINTS]      240000 points a function unless told

Compiles elementary.c alone into a shared library ($CC, or cc). Points are spread over the whole
range of each function, evenly and by exponent, and around every threshold in the code.
"""
import ctypes
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import mpmath
from mpmath import mp, mpf

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {"exp": 1, "expm1": 1, "log": 1, "log1p": 1, "pow": 1, "sqrt": 0.5,
          "tanh": 2, "erf": 2, "erfc": 2}
mp.prec = 120


def build(folder):
    library = pathlib.Path(folder) / "elementary.so"
    command = [os.environ.get("CC", "cc"), "-std=c11", "-O2", "-ffp-contract=off", "-fPIC",
               "-shared", f"-I{ROOT}", f"-I{ROOT}/include",
               str(ROOT / "core/base/elementary.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    functions = ctypes.CDLL(str(library))
    for name in LIMITS:
        function = getattr(functions, "sow_" + name)
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_double] * (2 if name == "pow" else 1)
    return functions


def random_double(generator, low=-1074, high=1023):
    exponent = generator.randint(low, high)
    return math.ldexp(generator.uniform(1, 2), exponent) * generator.choice((-1, 1))


def near(generator, centre):
    bits = struct.unpack("<q", struct.pack("<d", centre))[0] + generator.randint(-400, 400)
    return struct.unpack("<d", struct.pack("<q", max(bits, 1)))[0]


RANGES = {  # name: evenly spread intervals, thresholds, exponents
    "exp": ([(-746, 710), (-1, 1), (-745.2, -708)], (709.78, -745.13, -708.4, 0.3466, -0.3466),
            (-60, 9)),
    "expm1": ([(-40, 710), (-1, 1), (-0.1, 0.1)], (0.3466, 60, 0.6931), (-1074, 9)),
    "log": ([(0, 3), (0.5, 1.5), (0.99, 1.01)], (1, 1.41421356, 0.70710678), (-1074, 1023)),
    "log1p": ([(-1, 3), (-0.1, 0.1), (-0.5, 0.5)], (0.41421356, 1e-16, 1), (-1074, 1023)),
    "sqrt": ([(0, 4)], (1, 2, 4), (-1074, 1023)),
    "tanh": ([(-1, 1), (0, 22), (-0.3, 0.3)], (0.1733, 22, 0.52, 3.7e-9), (-1074, 5)),
    "erf": ([(-1, 1), (0.4, 6.1), (-0.5, 0.5)], (0.5, 6, 1), (-1074, 3)),
    "erfc": ([(-6.1, 27.4), (-1, 1), (0.4, 3), (26, 27.3)], (0.5, 27.22, 26.5, 6), (-60, 5)),
}


def points(name, count):
    generator = random.Random(name)
    if name == "pow":
        for _ in range(count // 3):
            x = math.exp(generator.uniform(-0.7, 0.7))
            yield x, generator.uniform(-745.2, 709.8) / math.log(x)
            x = abs(random_double(generator))
            yield x, generator.uniform(-745.2, 709.8) / (math.log(x) or 1)
            yield generator.uniform(0, 100), generator.uniform(-10, 10)
        return
    intervals, thresholds, exponents = RANGES[name]
    positive = name in ("log", "sqrt")
    for i in range(count):
        if i % 8 == 0:
            x = near(generator, generator.choice(thresholds))
        elif i % 8 < 4:
            x = random_double(generator, *exponents)
        else:
            x = generator.uniform(*intervals[i % len(intervals)])
        yield (abs(x) if positive else x,)


def ulp_error(got, exact):
    """|got - exact| in ulp of the double nearest to exact."""
    if math.isinf(got):
        return 0 if abs(exact) >= mpf(2) ** 1024 - mpf(2) ** 970 else math.inf
    nearest = abs(float(exact))
    ulp = math.ulp(nearest) if nearest < 2.0**1023 else 2.0**971
    return float(abs(mpf(got) - exact) / mpf(ulp))


def largest_error(functions, name, count):
    function = getattr(functions, "sow_" + name)
    reference = {"pow": mpmath.power, "erfc": mpmath.erfc}.get(name, getattr(mpmath, name, None))
    worst, where = 0.0, None
    for arguments in points(name, count):
        if name == "log1p" and arguments[0] <= -1:
            continue
        mp.prec = 160 if name in ("expm1", "log1p", "erf", "log") else 120
        exact = reference(*map(mpf, arguments))
        error = ulp_error(function(*arguments), exact)
        if error > worst:
            worst, where = error, arguments
    return worst, where


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 240000
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        functions = build(folder)
        for name, limit in LIMITS.items():
            worst, where = largest_error(functions, name, count)
            failed |= worst > limit
            at = ", ".join(map(float.hex, where))
            print(f"{name:6} {worst:.4f} ulp (limit {limit}) at {at}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
