# SPDX-License-Identifier: MIT
"""The ctypes copies of C structs in this folder are those of include/sow/: name, place and size of every field, and the size of
the whole, as the system's C compiler lays them out. A field more in C without its copy would read past an object."""
import ctypes
import os
import shutil
import subprocess

import catalogue
import libsow
import libsow_learn
import libsow_model
import pytest

STRUCTS = {
    "sow_error": (libsow.Error,),
    "sow_draw": (libsow.Draw,),
    "sow_key": (libsow.Key,),
    "sow_tensor": (libsow.Tensor,),
    "sow_argument": (catalogue.Argument,),
    "sow_pair_moments": (catalogue.Moments,),
    "sow_plan_options": (libsow_model.PlanOptions,),
    "sow_signal_size": (libsow_model.Size,),
    "sow_signal_input": (libsow_model.Input,),
    "sow_signal_options": (libsow_model.SignalOptions,),
    "sow_measure_options": (libsow_model.MeasureOptions,),
    "sow_measure_cost": (libsow_model.Cost,),
    "sow_measure_sample": (libsow_model.Sample,),
    "sow_measure_work": (libsow_model.Work,),
    "sow_ranks": (libsow_model.Ranks,),
    "sow_measured_value": (libsow_model.Value,),
    "sow_measured_weight": (libsow_model.Weight,),
    "sow_measurement_report": (libsow_model.MeasureReport,),
    "sow_learn_options": (libsow_learn.LearnOptions,),
    "sow_learned_value": (libsow_learn.Value,),
    "sow_learned_weight": (libsow_learn.Weight,),
    "sow_learning_report": (libsow_learn.Report,),
}
PAIRS = [(struct, copy) for struct, copies in STRUCTS.items() for copy in copies]
COMPILER = shutil.which(os.environ.get("CC", "cc"))


def laid_out(copy):
    """Name: (offset, bytes) of each field, and of the whole under an empty name."""
    fields = {name: (getattr(copy, name).offset, getattr(copy, name).size) for name, *_ in copy._fields_}
    return {**fields, "": (0, ctypes.sizeof(copy))}


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
@pytest.mark.parametrize("struct, copy", PAIRS, ids=[f"{copy.__module__}.{copy.__name__}" for _, copy in PAIRS])
def test_copy_is_the_header_s(struct, copy, tmp_path):
    prints = [f'printf(" 0 %zu\\n", sizeof(struct {struct}));']
    prints += [f'printf("{name} %zu %zu\\n", offsetof(struct {struct}, {name}), sizeof x.{name});' for name, *_ in copy._fields_]
    headers = sorted((libsow.ROOT / "include" / "sow").glob("*.h"))
    source = tmp_path / "structs.c"
    source.write_text("#include <stddef.h>\n#include <stdio.h>\n"
                      + "".join(f'#include "sow/{header.name}"\n' for header in headers)
                      + f"int main(void)\n{{\n    static struct {struct} x;\n    (void)x;\n    " + "\n    ".join(prints) + "\n}\n")
    subprocess.run([COMPILER, "-std=c11", "-I", libsow.ROOT / "include", source, "-o", tmp_path / "structs"], check=True)
    lines = subprocess.run([tmp_path / "structs"], check=True, capture_output=True, text=True).stdout.splitlines()
    in_c = {name: (int(offset), int(size)) for name, offset, size in (line.split(" ") for line in lines)}
    assert laid_out(copy) == in_c


def test_no_copy_is_left_out():
    listed = {copy for _, copy in PAIRS}
    for module in (libsow, catalogue, libsow_model, libsow_learn):
        for thing in vars(module).values():
            assert not (isinstance(thing, type) and issubclass(thing, ctypes.Structure)) or thing in listed, thing
