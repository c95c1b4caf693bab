# SPDX-License-Identifier: MIT
"""The real safetensors package as the judge: sow takes and refuses the files it does (but where sow says it is
stricter), and its own files go through the package unchanged."""
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

safetensors = pytest.importorskip("safetensors", reason="safetensors is the judge")
from safetensors import safe_open  # noqa: E402

SOW = os.environ.get("SOW", "")
if not os.path.exists(SOW):
    pytest.skip("SOW does not name the built tool", allow_module_level=True)
ROOT = Path(__file__).resolve().parents[2]

# What sow refuses and the package reads; every other case has one answer.
STRICTER = {"space first", "unknown field", "nine dimensions", "same tensor twice", "NUL in a name",
            "metadata key twice", "NUL in metadata"}


def unescape(text):
    """%NN is a byte."""
    parts = re.findall(r"%[0-9a-f]{2}|[^%]+", text)
    return b"".join(bytes.fromhex(part[1:]) if part.startswith("%") else part.encode() for part in parts)


def read_cases():
    cases = []
    for line in (ROOT / "tests/hostile/safetensors/cases.txt").read_text().splitlines():
        if line.startswith("["):
            cases.append({"name": line[1:-1]})
        elif line and not line.startswith("#"):
            key, value = line.split(":", 1)
            cases[-1][key] = value.removeprefix(" ")
    return cases


def file_of(case):
    if "file" in case:
        return unescape(case["file"])
    header = unescape(case["header"])
    return struct.pack("<Q", int(case.get("length", len(header)))) + header + b"x" * int(case.get("data", 8))


def reference_reads(path):
    try:
        with safe_open(path, "np") as file:
            file.keys()
        return True
    except (safetensors.SafetensorError, OSError):
        return False


def sow_reads(path):
    """A file that is well-formed but not sow's gets another answer than a malformed one; both are exit 3."""
    done = subprocess.run([SOW, "verify", path], capture_output=True, text=True, check=False, errors="replace")
    assert done.returncode == 3, done.stderr
    return "holds no record of sow" in done.stderr


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case["name"])
def test_takes_and_refuses_what_the_package_does(case, tmp_path):
    path = tmp_path / "case.safetensors"
    path.write_bytes(file_of(case))
    takes = sow_reads(path)
    assert takes == (case["sow"] == "ok")
    if safetensors.__version__ == "0.8.0":
        assert reference_reads(path) == (case["reference"] == "ok")
    assert takes == reference_reads(path) or case["name"] in STRICTER


def test_takes_what_the_package_writes(tmp_path):
    np = pytest.importorskip("numpy")
    from safetensors.numpy import save_file
    path = tmp_path / "numpy.safetensors"
    dtypes = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
              "bool", "complex64")
    tensors = {f"layer.{i}": np.zeros((i, 3), dtype) for i, dtype in enumerate(dtypes)}
    save_file(tensors, path, {"format": "np", "note": "Grüße \"quoted\" \\ \n 🌱"})
    assert sow_reads(path)


MODEL = """
param("z.weight", { 70, 31 }, { dtype = "f64" })
param("a.weight", { 300, 1024 }, { dtype = "bf16" })
param("Grüße \\"quoted\\" \\\\ 🌱", { 5 })
param("b.scalar", {})
param("c.weight", { 1003 }, { dtype = "f16" })
param("d.ids", { 17 }, { dtype = "i64" })
rule("d.ids", constant { value = 7 })
rule("*", normal { std = 0.02 })
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.lua"
    path.write_text(MODEL)
    return path


def init(model, *arguments):
    subprocess.run([SOW, "init", str(model), "--seed", "42", "-q", *map(str, arguments)], check=True)


def shapes_of(model):
    """Name to shape, in the plan's order."""
    done = subprocess.run([SOW, "plan", str(model), "--json"], check=True, capture_output=True)
    return {row["name"]: row["shape"] for row in json.loads(done.stdout)["tensors"]}


def test_its_files_go_through_the_package(model, tmp_path):
    """Loaded and saved again by the package: the same tensors, byte for byte, and sow verifies the copy."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file
    init(model, "-o", tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        metadata = file.metadata()
    loaded = load_file(tmp_path / "m.safetensors")
    assert shapes_of(model) == {name: list(tensor.shape) for name, tensor in loaded.items()}
    assert (loaded["d.ids"] == 7).all() and loaded["b.scalar"].shape == torch.Size([])
    assert metadata["format"] == "pt" and metadata["sow.seed"] == "42"
    again = tmp_path / "again.safetensors"
    save_file(loaded, again, {"format": "pt"})
    assert sow_reads(again)  # and finds no record in it
    subprocess.run([SOW, "verify", str(again), "--source", str(model), "--seed", "42", "-q"], check=True)


def test_shards_go_through_huggingface_hub(model, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    torch = pytest.importorskip("torch")
    init(model, "-o", tmp_path / "m.safetensors")
    init(model, "-o", tmp_path / "out", "--shard-size", "18KB")
    from safetensors.torch import load_file
    whole = load_file(tmp_path / "m.safetensors")
    index_text = (tmp_path / "out/model.safetensors.index.json").read_text()
    index = json.loads(index_text)
    assert index_text == json.dumps(index, indent=2, sort_keys=True) + "\n"
    state = {name: torch.empty(shape, dtype=whole[name].dtype) for name, shape in shapes_of(model).items()}
    split = hub.split_torch_state_dict_into_shards(
        state, filename_pattern="model{suffix}.safetensors", max_shard_size="18KB")
    assert split.is_sharded and len(split.filename_to_tensors) > 2
    assert index["weight_map"] == split.tensor_to_filename
    assert index["metadata"]["total_size"] == split.metadata["total_size"]
    for name in split.filename_to_tensors:
        for key, tensor in load_file(tmp_path / "out" / name).items():
            assert torch.equal(tensor, whole[key])


def test_memory_does_not_grow_with_the_model(tmp_path):
    """A model of 7e9 parameters, 14 GB in bf16, through a pipe that nobody keeps: below 256 MiB."""
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32000, "hidden_size": 4096,
              "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 32, "max_position_embeddings": 2048}
    (tmp_path / "config.json").write_text(json.dumps(config))
    code = ("import resource, subprocess, sys\n"
            "with open('/dev/null', 'wb') as null:\n"
            "    subprocess.run(sys.argv[1:], check=True, stdout=null)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n")
    command = [SOW, "init", str(tmp_path / "config.json"), "-o", "-", "--dtype", "bf16", "-q"]
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    peak_kib = int(done.stdout)
    print(f"peak {peak_kib / 1024:.0f} MiB")
    assert peak_kib < 256 * 1024
