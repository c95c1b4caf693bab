# SPDX-License-Identifier: MIT
"""libsow by ctypes, for the judges of this folder: $SOW_BUILD/libsow.so. Not a binding."""
import ctypes
import os
import pathlib
import re

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SOW_BUILD", ROOT / "build"))
LIBRARY = ctypes.CDLL(str(BUILD / "libsow.so"))

DTYPE_LIST = (ROOT / "include/sow/dtype.def").read_text()
DTYPES = {name: (int(value), int(bits)) for name, value, bits in
          re.findall(r'^SOW_DTYPE\(\w+, "(\w+)", (\d+), (\d+)', DTYPE_LIST, re.M)}
CONSTANT, UNIFORM, NORMAL, TRUNC_NORMAL = range(4)


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("line", ctypes.c_uint32), ("column", ctypes.c_uint32),
                ("file", ctypes.c_char * 256), ("message", ctypes.c_char * 768)]


class SowError(Exception):
    pass


def call(name, *arguments):
    """A function that takes a sow_error last; raises its message."""
    error = Error()
    if getattr(LIBRARY, name)(*arguments, ctypes.byref(error)) != 0:
        raise SowError(error.message.decode())


class Draw(ctypes.Structure):
    _fields_ = [("distribution", ctypes.c_int), ("mean", ctypes.c_double), ("std", ctypes.c_double),
                ("low", ctypes.c_double), ("high", ctypes.c_double),
                ("shift", ctypes.c_double)]

    @classmethod
    def make(cls, name, *numbers):
        draw = cls()
        call("sow_draw_" + name, *map(ctypes.c_double, numbers), ctypes.byref(draw))
        return draw

    @classmethod
    def constant(cls, value):
        return cls.make("constant", value)

    @classmethod
    def uniform(cls, low, high):
        return cls.make("uniform", low, high)

    @classmethod
    def normal(cls, mean, std):
        return cls.make("normal", mean, std)

    @classmethod
    def trunc_normal(cls, mean, std, low, high):
        return cls.make("trunc_normal", mean, std, low, high)

    @classmethod
    def of_uniform(cls, distribution, low, high, shift=0.0):
        draw = cls()
        call("sow_draw_of_uniform", distribution, *map(ctypes.c_double, (low, high, shift)), ctypes.byref(draw))
        return draw

    def moments(self):
        mean, std = ctypes.c_double(), ctypes.c_double()
        LIBRARY.sow_draw_moments(ctypes.byref(self), ctypes.byref(mean), ctypes.byref(std))
        return mean.value, std.value


class Key(ctypes.Structure):
    _fields_ = [("seed", ctypes.c_uint64), ("tensor", ctypes.c_uint64)]


LIBRARY.sow_key.restype = Key
LIBRARY.sow_key.argtypes = [ctypes.c_char_p, ctypes.c_uint64]
LIBRARY.sow_draw_moments.restype = None
LIBRARY.sow_fill.restype = None
LIBRARY.sow_fill.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64,
                             ctypes.POINTER(Draw), Key]


def fill(draw, count, name="w", seed=0, dtype="f32", first=0):
    """Elements [first, first + count): floats for f32 and f64, raw words for narrower dtypes."""
    value, bits = DTYPES[dtype]
    kinds = {"f64": np.float64, "f32": np.float32}
    out = np.empty(count, kinds.get(dtype, {8: np.uint8, 16: np.uint16}.get(bits)))
    LIBRARY.sow_fill(out.ctypes.data, value, first, count, ctypes.byref(draw),
                     LIBRARY.sow_key(name.encode(), seed))
    return out
