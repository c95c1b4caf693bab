# SPDX-License-Identifier: MIT
"""sow_measure by ctypes, for the judges of this folder: $SOW_BUILD/libsow-model.so. Not a binding."""
import ctypes

import numpy as np
from libsow import BUILD, Error, SowError

LIBRARY = ctypes.CDLL(str(BUILD / "libsow-model.so"))
KINDS = ("value", "gradient", "weight")

u32, u64, text, pointer, number = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_double


class PlanOptions(ctypes.Structure):
    _fields_ = [("seed", u64), ("dtype", ctypes.c_int), ("variant", text), ("sets", ctypes.POINTER(text)),
                ("set_count", ctypes.c_size_t), ("rules_file", text), ("may_shadow", ctypes.c_int)]


class Size(ctypes.Structure):
    _fields_ = [("symbol", text), ("size", u64)]


class Input(ctypes.Structure):
    _fields_ = [(name, number) for name in ("mean", "std", "place_correlation", "sample_correlation")]


class SignalOptions(ctypes.Structure):
    _fields_ = [("batch", u64), ("tokens", u64), ("sizes", ctypes.POINTER(Size)), ("size_count", ctypes.c_size_t),
                ("input", ctypes.POINTER(Input))]


WATCH = ctypes.CFUNCTYPE(None, pointer, u32, ctypes.c_int, text, ctypes.POINTER(ctypes.c_float), u64)


class MeasureOptions(ctypes.Structure):
    _fields_ = [("seeds", u32), ("weights", text), ("threads", u32), ("memory_bytes", u64), ("watch", WATCH),
                ("watch_user", pointer), ("progress", pointer), ("progress_user", pointer), ("interrupted", pointer), ("layers", u32),
                ("cotangent_std", number)]


class Ranks(ctypes.Structure):
    _fields_ = [(name, number) for name in ("participation", "stable_rank", "effective_rank", "rank_collapse")]


class Value(ctypes.Structure):
    _fields_ = ([("name", text), ("word", text), ("layer", ctypes.c_int32), ("rank", u32), ("shape", u64 * 8)]
                + [(name, number) for name in ("mean", "std", "second_moment", "max_abs", "kurtosis")]
                + [("non_finite", u64)]
                + [(name, number) for name in (
                    "typical", "log_spread", "correlation", "sample_correlation", "gradient_second_moment", "gradient_typical",
                    "gradient_log_spread")]
                + [("gradient_non_finite", u64)]
                + [(name, number) for name in (
                    "dead", "dead_expected", "saturated", "saturated_expected", "entropy",
                    "entropy_expected")]
                + [("ranks", Ranks)])


class Weight(ctypes.Structure):
    _fields_ = [("name", text), ("second_moment", number), ("gradient_second_moment", number), ("ratio", number)]


class MeasureReport(ctypes.Structure):
    _fields_ = [("seeds", u32), ("batch", u64), ("tokens", u64), ("memory_bytes", u64), ("seconds", number), ("layers", u32),
                ("layers_all", u32), ("classes", u64), ("first_loss", number), ("entropy", number), ("unused", u64),
                ("unused_first", ctypes.c_char * 128)]


class Cost(ctypes.Structure):
    _fields_ = [("memory_bytes", u64), ("operations", number), ("products", number)]


class Sample(ctypes.Structure):
    _fields_ = [("batch", u64), ("tokens", u64), ("layers", u32), ("layers_all", u32), ("layers_asked", ctypes.c_int),
                ("cost", Cost), ("limits", Cost), ("batch_all", u64), ("tokens_all", u64), ("cost_all", Cost),
                ("times", u32), ("times_all", u32)]


LIBRARY.sow_measurement_report.restype = ctypes.POINTER(MeasureReport)
LIBRARY.sow_measurement_report.argtypes = [pointer]
LIBRARY.sow_measured_value_at.restype = ctypes.POINTER(Value)
LIBRARY.sow_measured_value_at.argtypes = [pointer, ctypes.c_size_t]
LIBRARY.sow_measured_weight_at.restype = ctypes.POINTER(Weight)
LIBRARY.sow_measured_weight_at.argtypes = [pointer, ctypes.c_size_t]
for _free in ("sow_model_free", "sow_plan_free", "sow_measurement_free"):
    getattr(LIBRARY, _free).restype = None
    getattr(LIBRARY, _free).argtypes = [pointer]


def call(name, *arguments):
    """A function that takes a sow_error last; raises its message."""
    error = Error()
    if getattr(LIBRARY, name)(*arguments, ctypes.byref(error)) != 0:
        raise SowError(error.message.decode())


class Work(ctypes.Structure):
    _fields_ = [("what", ctypes.c_int), ("steps", u32), ("held", u32)]


def chosen(source, *, work=(0, 0, 0), batch=0, tokens=0, **options):
    """What sow_measure_choose_for gives, a Sample; `work`: what (0 as sow_measure, 1 Jacobian, 2 curves, 3 steps), steps, held."""
    model, plan, sample = pointer(), pointer(), Sample()
    try:
        call("sow_model_load", str(source).encode(), None, ctypes.byref(model))
        call("sow_plan_make", model, ctypes.byref(PlanOptions()), ctypes.byref(plan))
        call("sow_measure_choose_for", ctypes.byref(Work(*work)), model, plan, ctypes.byref(SignalOptions(batch, tokens)),
             ctypes.byref(MeasureOptions(**options)), ctypes.byref(sample))
    finally:
        LIBRARY.sow_plan_free(plan)
        LIBRARY.sow_model_free(model)
    return sample


class Measured:
    """What sow_measure gives: values and weights by name, as dictionaries; with watch=True also the arrays themselves,
    arrays["value"]["h.0.mlp.c_fc"] and so on, of the first seed."""

    def __init__(self, source, *, seed=0, sets=(), dtype=0, batch=0, tokens=0, sizes=(), input=None, watch=False, **options):
        self.arrays = {kind: {} for kind in KINDS}
        self.order = []
        model, plan, measured = pointer(), pointer(), pointer()

        def see(_, seed_number, kind, name, numbers, count):
            if seed_number == 0:
                self.arrays[KINDS[kind]][name.decode()] = np.ctypeslib.as_array(numbers, (count,)).copy()

        signal = SignalOptions(batch, tokens, (Size * max(1, len(sizes)))(*[Size(s.encode(), n) for s, n in sizes]),
                               len(sizes), ctypes.pointer(Input(*input)) if input else None)
        wishes = (text * max(1, len(sets)))(*[wish.encode() for wish in sets])
        if "weights" in options:
            options["weights"] = str(options["weights"]).encode()
        wanted = MeasureOptions(watch=WATCH(see) if watch else WATCH(), **options)
        try:
            call("sow_model_load", str(source).encode(), None, ctypes.byref(model))
            call("sow_plan_make", model, ctypes.byref(PlanOptions(seed, dtype, None, wishes, len(sets), None)),
                 ctypes.byref(plan))
            call("sow_measure", model, plan, ctypes.byref(signal), ctypes.byref(wanted), ctypes.byref(measured))
            self.values = self._rows(LIBRARY.sow_measured_value_at, measured)
            self.weights = self._rows(LIBRARY.sow_measured_weight_at, measured)
            self.report = MeasureReport.from_buffer_copy(LIBRARY.sow_measurement_report(measured).contents)
            self.memory = self.report.memory_bytes
        finally:
            LIBRARY.sow_measurement_free(measured)
            LIBRARY.sow_plan_free(plan)
            LIBRARY.sow_model_free(model)

    @staticmethod
    def _rows(at, measured):
        rows, index = {}, 0
        while row := at(measured, index):
            fields = {name: getattr(row.contents, name) for name, _ in row.contents._fields_}
            ranks = fields.pop("ranks", None)
            fields |= {name: getattr(ranks, name) for name, _ in Ranks._fields_} if ranks else {}
            if "shape" in fields:
                fields["shape"] = tuple(fields["shape"][: fields["rank"]])
            rows[fields["name"].decode()] = fields
            index += 1
        return rows

    def value(self, name):
        return self.arrays["value"][name].reshape(self.values[name]["shape"])

    def gradient(self, name):
        return self.arrays["gradient"][name].reshape(self.values[name]["shape"])
