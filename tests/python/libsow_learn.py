# SPDX-License-Identifier: MIT
"""sow_learn by ctypes, for the judges of this folder, beside libsow_model.py. Not a binding."""
import ctypes

import numpy as np
from libsow_model import (
    LIBRARY,
    PlanOptions,
    SignalOptions,
    Size,
    call,
    number,
    pointer,
    text,
    u32,
    u64,
)

KINDS = ("value", "gradient", "weight", "label")
OPTIMIZERS = {"adam": 0, "sgd": 1}
WATCH = ctypes.CFUNCTYPE(None, pointer, u32, u32, ctypes.c_int, text, ctypes.POINTER(ctypes.c_float), u64)
numbers = ctypes.POINTER(number)


class LearnOptions(ctypes.Structure):
    _fields_ = [("steps", u32), ("seeds", u32), ("optimizer", ctypes.c_int), ("rate", number), ("rates", ctypes.POINTER(text)),
                ("rate_count", ctypes.c_size_t), ("weights", text), ("threads", u32), ("memory_bytes", u64), ("watch", WATCH),
                ("watch_user", pointer), ("progress", pointer), ("progress_user", pointer), ("interrupted", pointer)]


class Value(ctypes.Structure):
    _fields_ = [("name", text), ("word", text), ("layer", ctypes.c_int32), ("is_output", ctypes.c_int),
                ("is_scaled", ctypes.c_int), ("size", number), ("rms", number),
                ("change", numbers), ("change_rms", numbers)]


class Weight(ctypes.Structure):
    _fields_ = [("name", text), ("layer", ctypes.c_int32), ("rate", number), ("rms", number), ("ratio", numbers),
                ("moves", ctypes.c_int32)]


class Report(ctypes.Structure):
    _fields_ = [("seeds", u32), ("steps", u32), ("done", u32), ("classes", u64), ("loss", numbers), ("batch", u64),
                ("tokens", u64), ("memory_bytes", u64), ("seconds", number)]


for _name, _type in (("sow_learned_value_at", Value), ("sow_learned_weight_at", Weight)):
    getattr(LIBRARY, _name).restype = ctypes.POINTER(_type)
    getattr(LIBRARY, _name).argtypes = [pointer, ctypes.c_size_t]
LIBRARY.sow_learning_report.restype = ctypes.POINTER(Report)
LIBRARY.sow_learning_report.argtypes = [pointer]
LIBRARY.sow_learning_free.restype = None
LIBRARY.sow_learning_free.argtypes = [pointer]


class Learned:
    """What sow_learn gives: losses, values and weights by name; with watch=True also the arrays of the first seed,
    arrays[step]["value"]["h.0.mlp.c_fc"] and so on."""

    def __init__(self, source, *, steps, optimizer="adam", seed=0, sets=(), rates=(), batch=0, tokens=0, sizes=(), watch=False,
                 **options):
        self.arrays = [{kind: {} for kind in KINDS} for _ in range(steps + 1)]
        model, plan, learned = pointer(), pointer(), pointer()

        def see(_, seed_number, step, kind, name, found, count):
            if seed_number == 0:
                self.arrays[step][KINDS[kind]][name.decode()] = np.ctypeslib.as_array(found, (count,)).copy()

        def texts(words):
            return (text * max(1, len(words)))(*[word.encode() for word in words])

        signal = SignalOptions(batch, tokens, (Size * max(1, len(sizes)))(*[Size(s.encode(), n) for s, n in sizes]),
                               len(sizes))
        wanted = LearnOptions(steps=steps, optimizer=OPTIMIZERS[optimizer], rates=texts(rates), rate_count=len(rates),
                              watch=WATCH(see) if watch else WATCH(), **options)
        try:
            call("sow_model_load", str(source).encode(), None, ctypes.byref(model))
            call("sow_plan_make", model, ctypes.byref(PlanOptions(seed, 0, None, texts(sets), len(sets), None)),
                 ctypes.byref(plan))
            call("sow_learn", model, plan, ctypes.byref(signal), ctypes.byref(wanted), ctypes.byref(learned))
            report = LIBRARY.sow_learning_report(learned).contents
            self.report = {name: getattr(report, name) for name, _ in Report._fields_}
            self.losses = report.loss[: steps + 1]
            self.values = self._rows(LIBRARY.sow_learned_value_at, learned, steps + 1)
            self.weights = self._rows(LIBRARY.sow_learned_weight_at, learned, steps)
        finally:
            LIBRARY.sow_learning_free(learned)
            LIBRARY.sow_plan_free(plan)
            LIBRARY.sow_model_free(model)

    @staticmethod
    def _rows(at, learned, count):
        rows, index = {}, 0
        while row := at(learned, index):
            fields = {name: getattr(row.contents, name) for name, _ in row.contents._fields_}
            for name, value in fields.items():
                if isinstance(value, numbers):
                    fields[name] = value[:count]
            rows[fields["name"].decode()] = fields
            index += 1
        return rows
