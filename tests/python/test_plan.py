# SPDX-License-Identifier: MIT
"""docs/plan.md against the tool: its hash and its record are what another program makes of the page. XXH3
comes from libxxhash itself, through ctypes."""

import ctypes
import ctypes.util
import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOW = os.path.abspath(os.environ.get("SOW", ROOT / "build/sow"))
XXHASH = ctypes.util.find_library("xxhash")
pytestmark = [
    pytest.mark.skipif(not os.path.exists(SOW), reason="SKIPPED: docs/plan.md because there is no sow"),
    pytest.mark.skipif(XXHASH is None, reason="SKIPPED: docs/plan.md because there is no libxxhash"),
]

MODEL = """
param("wte.weight", {10, 4}, {kind = "embedding", padding = 3})
param("qkv.weight", {12, 4}, {kind = "linear", blocks = {8, 2, 2}})
param("up.weight", {4, 12}, {kind = "linear", key = "an older name"})
param("down.weight", {12, 4}, {kind = "linear"})
param("norm.weight", {4}, {kind = "norm"})
param("ids", {3}, {dtype = "i64"})
rule("wte.weight", normal { std = 0.02 })
rule("qkv.weight", glorot_uniform)
rule("up.weight", trunc_normal { std = 1 / 3, low = -1 / 0, high = 1.5 })
rule("down.weight", he_normal)
rule("norm.weight", ones)
rule("*", constant { value = 7 })
"""


def sow(*arguments, cwd):
    run = subprocess.run([SOW, *arguments], cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


class Xxh128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def xxh3(data):
    function = ctypes.CDLL(XXHASH).XXH3_128bits
    function.restype, function.argtypes = Xxh128, [ctypes.c_char_p, ctypes.c_size_t]
    digest = function(data, len(data))
    return digest.high << 64 | digest.low


# ---- The page's words ----


def u64(x):
    return struct.pack("<Q", x)


def f64(x):
    return struct.pack("<d", x)


def text(s):
    return u64(len(s.encode())) + s.encode()


def draw_bytes(d):
    """d: ("normal", mean, std), with None for an infinite bound."""
    names = ["constant", "uniform", "normal", "trunc_normal"]
    numbers = list(d[1:5])
    if d[0] == "trunc_normal":
        numbers[2] = -float("inf") if numbers[2] is None else numbers[2]
        numbers[3] = float("inf") if numbers[3] is None else numbers[3]
    return u64(names.index(d[0])) + b"".join(f64(x) for x in numbers)


def dtype_number(name):
    rows = re.findall(r'SOW_DTYPE\(\w+, "(\w+)", (\d+), \d+, "(\w+)"', (ROOT / "include/sow/dtype.def").read_text())
    return next(int(number) for own, number, container in rows if name in (own, container))


def tensor_bytes(name, key, dtype, shape, draw, regions):
    out = text(name) + text(key) + u64(dtype_number(dtype)) + u64(len(shape)) + b"".join(map(u64, shape))
    out += draw_bytes(draw) + u64(len(regions))
    for axis, begin, end, region in regions:
        out += u64(axis) + u64(begin) + u64(end) + draw_bytes(region)
    return out


def plan_hash(stream, seed, tensors):
    total = sum(xxh3(tensor_bytes(*tensor)) for tensor in tensors) % 2**128
    numbers = (stream, seed, len(tensors), total % 2**64, total >> 64)
    return f"{xxh3(b'sow plan' + b''.join(map(u64, numbers))):032x}"


def draw_of(fields):
    wanted = {"constant": ["mean"], "uniform": ["low", "high"], "normal": ["mean", "std"]}
    names = wanted.get(fields["distribution"], ["mean", "std", "low", "high"])
    return (fields["distribution"], *(fields.get(name) for name in names))


def tensors_of_plan(plan):
    return [
        (
            t["name"],
            t.get("key", t["name"]),
            t["dtype"],
            t["shape"],
            draw_of(t),
            [(r["axis"], r["begin"], r["end"], draw_of(r)) for r in t.get("regions", [])],
        )
        for t in plan["tensors"]
    ]


def read_header(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return header.pop("__metadata__"), header


def tensors_of_record(metadata, header):
    record = json.loads(metadata["sow.plan"])
    names = sorted(header, key=lambda name: (header[name]["data_offsets"], name))
    draws = [draw for draw, count in record["runs"] for _ in range(count)]
    keys = dict(record.get("keys", []))
    assert len(draws) == len(names)
    for i, (name, number) in enumerate(zip(names, draws, strict=True)):
        draw = record["draws"][number]
        regions = draw[-1] if isinstance(draw[-1], list) else []
        numbers = draw[:-1] if regions else draw
        yield name, keys.get(i, name), header[name]["dtype"], header[name]["shape"], numbers, regions


# ---- Tests ----


@pytest.mark.parametrize("seed", [0, 42, 2**64 - 1])
@pytest.mark.parametrize("shards", [[], ["--shard-size", "200B"]])
def test_hash_and_record_by_the_page(tmp_path, seed, shards):
    (tmp_path / "model.lua").write_text(MODEL)
    plan = json.loads(sow("plan", "model.lua", "--json", "--seed", str(seed), "--dtype", "bf16", cwd=tmp_path))
    assert plan["seed"] == seed
    wanted = tensors_of_plan(plan)
    assert plan["hash"] == plan_hash(plan["stream"], seed, wanted)

    output = "out" if shards else "out.safetensors"
    sow("init", "model.lua", "-o", output, "--seed", str(seed), "--dtype", "bf16", *shards, "-q", cwd=tmp_path)
    files = sorted(tmp_path.glob("out/*.safetensors")) if shards else [tmp_path / output]
    assert len(files) > 1 or not shards
    found = []
    for file in files:
        metadata, header = read_header(file)
        assert metadata["format"] == "pt"
        assert (metadata["sow.stream"], metadata["sow.seed"]) == ("1", str(seed))
        assert metadata["sow.plan_hash"] == plan["hash"]
        found += tensors_of_record(metadata, header)
    assert plan_hash(1, seed, found) == plan["hash"]

    def plain(tensor):
        name, key, dtype, shape, draw, regions = tensor
        return name, key, dtype_number(dtype), shape, tuple(draw), [(a, b, e, tuple(d)) for a, b, e, d in regions]

    assert sorted(map(plain, found)) == sorted(map(plain, wanted))
