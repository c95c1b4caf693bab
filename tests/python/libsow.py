# SPDX-License-Identifier: MIT
"""libsow by ctypes, for the judges of this folder and scripts/gen-layers-doc: $SOW_BUILD/libsow.so. Not a binding. numpy is
imported where arrays are made: the script runs without it."""
import ctypes
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SOW_BUILD", ROOT / "build"))
LIBRARY = ctypes.CDLL(str(BUILD / "libsow.so"))

DTYPE_LIST = (ROOT / "include/sow/dtype.def").read_text()
DTYPES = {name: (int(value), int(bits)) for name, value, bits in
          re.findall(r'^SOW_DTYPE\(\w+, "(\w+)", (\d+), (\d+)', DTYPE_LIST, re.M)}
CONSTANT, UNIFORM, NORMAL, TRUNC_NORMAL = range(4)
ORTHOGONAL, DELTA_ORTHOGONAL, IDENTITY, HADAMARD = range(10, 14)
RANK_MAX, GATES_BYTES = 8, 24
FAN_RULES = ("true", "torch", "keras", "jax")


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
                ("shift", ctypes.c_double), ("gain", ctypes.c_double)]

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
    import numpy as np

    value, bits = DTYPES[dtype]
    kinds = {"f64": np.float64, "f32": np.float32}
    out = np.empty(count, kinds.get(dtype, {8: np.uint8, 16: np.uint16}.get(bits)))
    LIBRARY.sow_fill(out.ctypes.data, value, first, count, ctypes.byref(draw),
                     LIBRARY.sow_key(name.encode(), seed))
    return out


# ---- Whole tensors -------------------------------------------------------------------------------


class Tensor(ctypes.Structure):
    _fields_ = [("shape", ctypes.c_uint64 * RANK_MAX), ("rank", ctypes.c_uint32), ("kind", ctypes.c_int),
                ("layout", ctypes.c_int), ("groups", ctypes.c_uint64), ("stride", ctypes.c_uint64),
                ("axes", ctypes.c_uint8 * RANK_MAX), ("packed_axis", ctypes.c_uint32),
                ("packed", ctypes.c_uint64), ("packed_begin", ctypes.c_uint64),
                ("gates", ctypes.c_char * GATES_BYTES), ("gate", ctypes.c_uint32)]

    @classmethod
    def make(cls, shape, kind="linear", layout=None, groups=1, stride=1, packed=()):
        """`packed` of a block: (axis, the axis' whole size, where the block begins)."""
        tensor = cls(rank=len(shape), groups=groups, stride=stride)
        tensor.shape[: len(shape)] = shape
        while LIBRARY.sow_kind_name(tensor.kind) != kind.encode():
            tensor.kind += 1
        if layout:
            call("sow_tensor_layout", ctypes.byref(tensor), layout.encode())
        if packed:
            tensor.packed_axis, tensor.packed, tensor.packed_begin = packed
        return tensor

    def fans(self, rule="true"):
        pair = (ctypes.c_double * 2)()
        call("sow_tensor_fans_by", ctypes.byref(self), FAN_RULES.index(rule), pair)
        return tuple(pair)

    def stored_shape(self):
        shape = list(self.shape[: self.rank])
        if self.packed:
            shape[self.packed_axis] = self.packed
        return shape


LIBRARY.sow_kind_name.restype = ctypes.c_char_p
LIBRARY.sow_whole_scratch.restype = ctypes.c_uint64
LIBRARY.sow_fill_whole.restype = None
LIBRARY.sow_fill_whole.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Tensor),
                                   ctypes.POINTER(Draw), Key, ctypes.c_void_p]


def whole_draw(distribution, tensor, gain=1.0):
    draw = Draw()
    call("sow_draw_whole", distribution, ctypes.c_double(gain), ctypes.byref(tensor), ctypes.byref(draw))
    return draw


def fill_whole(distribution, tensor, gain=1.0, name="w", seed=0, dtype="f32"):
    """All elements of a tensor (of the packed weight, the rest being 0xa5); raw words below f32."""
    import numpy as np

    draw = whole_draw(distribution, tensor, gain)
    value, bits = DTYPES[dtype]
    out = np.empty(tensor.stored_shape(), {"f64": np.float64, "f32": np.float32}.get(dtype, f"u{bits // 8}"))
    out.view(np.uint8)[...] = 0xA5
    scratch = np.empty(LIBRARY.sow_whole_scratch(ctypes.byref(tensor), ctypes.byref(draw)) + 64, np.uint8)
    LIBRARY.sow_fill_whole(out.ctypes.data, value, ctypes.byref(tensor), ctypes.byref(draw),
                           LIBRARY.sow_key(name.encode(), seed), scratch.ctypes.data + -scratch.ctypes.data % 64)
    return out
