# SPDX-License-Identifier: MIT
"""Schemes, gains and means over pairs of libsow by ctypes, for the judges of this folder."""
import ctypes
import math

from libsow import Draw, call


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


class Moments(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("mean", "second_moment", "product", "slope_second_moment", "slope_product")]


def pair(name, mean, variance, correlation):
    """Means over two correlated normal inputs of an activation by name."""
    function = ctypes.create_string_buffer(1024)
    call("sow_function_named", name.encode(), None, ctypes.c_size_t(0), function)
    moments = Moments()
    call("sow_function_pair", function, ctypes.c_double(mean), ctypes.c_double(variance), ctypes.c_double(correlation), ctypes.byref(moments))
    return moments
