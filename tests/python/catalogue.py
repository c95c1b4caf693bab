# SPDX-License-Identifier: MIT
"""Tensors, schemes and gains of libsow by ctypes, for the judges of this folder."""
import ctypes
import math

import libsow
from libsow import Draw, call

KINDS = ("other", "linear", "conv", "embedding", "norm", "bias", "buffer",
         "conv_transpose", "bilinear")
FAN_RULES = ("true", "torch", "keras", "jax")


class Tensor(libsow.Tensor):
    @classmethod
    def of(cls, shape, kind="linear", in_out=False, groups=1, stride=1, layout=None):
        tensor = cls((ctypes.c_uint64 * 8)(*shape), len(shape), KINDS.index(kind), in_out, groups,
                     stride)
        if layout:
            call("sow_tensor_layout", ctypes.byref(tensor), layout.encode())
        return tensor

    def fans(self, rule="true"):
        pair = (ctypes.c_double * 2)()
        call("sow_tensor_fans_by", ctypes.byref(self), FAN_RULES.index(rule), pair)
        return tuple(pair)


class Argument(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("text", ctypes.c_char_p), ("number", ctypes.c_double),
                ("list", ctypes.POINTER(ctypes.c_double)), ("list_count", ctypes.c_size_t)]


def resolve(scheme, tensor=None, **arguments):
    """The draw of a scheme; words are strings, everything else is a number."""
    listed = (Argument * max(len(arguments), 1))()
    for slot, (name, value) in zip(listed, arguments.items(), strict=False):
        word = isinstance(value, str)
        slot.name, slot.text = name.encode(), value.encode() if word else None
        slot.number = 0 if word else value
    draw = Draw()
    call("sow_scheme_resolve", scheme.encode(), listed, ctypes.c_size_t(len(arguments)),
         ctypes.byref(tensor) if tensor else None, ctypes.byref(draw))
    return draw


def gain(activation, slope=math.nan):
    out = ctypes.c_double()
    call("sow_gain", activation.encode(), ctypes.c_double(slope), ctypes.byref(out))
    return out.value
