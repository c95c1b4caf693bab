# SPDX-License-Identifier: MIT
"""libsow by ctypes, for the judges of this folder: $SOW_BUILD/libsow.so. Not a binding."""
import ctypes
import math
import os
import pathlib

import numpy as np

BUILD = pathlib.Path(os.environ.get("SOW_BUILD", pathlib.Path(__file__).parents[2] / "build"))
LIBRARY = ctypes.CDLL(str(BUILD / "libsow.so"))

CONSTANT, UNIFORM, NORMAL, TRUNC_NORMAL = range(4)
OTHER, LINEAR, CONV, EMBEDDING, NORM, BIAS = range(6)
OUT_IN, IN_OUT = range(2)
F64, F32 = 1, 2


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("line", ctypes.c_uint32), ("column", ctypes.c_uint32),
                ("file", ctypes.c_char * 256), ("message", ctypes.c_char * 768)]


class Tensor(ctypes.Structure):
    _fields_ = [("shape", ctypes.c_uint64 * 8), ("rank", ctypes.c_uint32), ("kind", ctypes.c_int),
                ("layout", ctypes.c_int), ("groups", ctypes.c_uint64)]


class Fans(ctypes.Structure):
    _fields_ = [("fan_in", ctypes.c_double), ("fan_out", ctypes.c_double)]


class Draw(ctypes.Structure):
    _fields_ = [("distribution", ctypes.c_int), ("mean", ctypes.c_double), ("std", ctypes.c_double),
                ("low", ctypes.c_double), ("high", ctypes.c_double)]


class Argument(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("text", ctypes.c_char_p), ("number", ctypes.c_double)]


class Key(ctypes.Structure):
    _fields_ = [("seed", ctypes.c_uint64), ("tensor", ctypes.c_uint64)]


LIBRARY.sow_key.restype = Key
LIBRARY.sow_key.argtypes = [ctypes.c_char_p, ctypes.c_uint64]
LIBRARY.sow_fill.restype = None
LIBRARY.sow_fill.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64,
                             ctypes.POINTER(Draw), Key]
LIBRARY.sow_draw_moments.restype = None
LIBRARY.sow_gain.argtypes = [ctypes.c_char_p, ctypes.c_double, ctypes.POINTER(ctypes.c_double),
                             ctypes.POINTER(Error)]


class SowError(Exception):
    pass


def check(status, error):
    if status:
        raise SowError(error.message.decode())


def tensor(shape, kind=LINEAR, layout=OUT_IN, groups=1):
    return Tensor((ctypes.c_uint64 * 8)(*shape), len(shape), kind, layout, groups)


def fans(of):
    out, error = Fans(), Error()
    check(LIBRARY.sow_tensor_fans(ctypes.byref(of), ctypes.byref(out), ctypes.byref(error)), error)
    return out.fan_in, out.fan_out


def resolve(scheme, of=None, **arguments):
    """The draw of a scheme; words are strings, everything else is a number."""
    listed = (Argument * max(len(arguments), 1))()
    for slot, (name, value) in zip(listed, arguments.items()):
        slot.name = name.encode()
        slot.text = value.encode() if isinstance(value, str) else None
        slot.number = 0 if isinstance(value, str) else value
    draw, error = Draw(), Error()
    check(LIBRARY.sow_scheme_resolve(scheme.encode(), listed, ctypes.c_size_t(len(arguments)),
                                     ctypes.byref(of) if of else None, ctypes.byref(draw),
                                     ctypes.byref(error)), error)
    return draw


def moments(draw):
    mean, std = ctypes.c_double(), ctypes.c_double()
    LIBRARY.sow_draw_moments(ctypes.byref(draw), ctypes.byref(mean), ctypes.byref(std))
    return mean.value, std.value


def gain(activation, slope=math.nan):
    out, error = ctypes.c_double(), Error()
    check(LIBRARY.sow_gain(activation.encode(), slope, ctypes.byref(out), ctypes.byref(error)), error)
    return out.value


def fill(draw, count, name="w", seed=0):
    out = np.empty(count, np.float32)
    LIBRARY.sow_fill(out.ctypes.data, F32, 0, count, ctypes.byref(draw), LIBRARY.sow_key(name.encode(), seed))
    return out
