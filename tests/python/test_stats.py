# SPDX-License-Identifier: MIT
"""sow stats and sow diff against numpy and torch, on random checkpoints that the real safetensors writes."""
import json
import math
import os
import random
import subprocess

import pytest

np = pytest.importorskip("numpy", reason="numpy is the judge")
torch = pytest.importorskip("torch", reason="torch has the narrow types")
save_file = pytest.importorskip("safetensors.torch", reason="the real writer").save_file
SOW = os.environ.get("SOW", "")
if not os.path.exists(SOW):
    pytest.skip("SOW does not name the built tool", allow_module_level=True)

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]
SHAPES = [(), (0,), (3, 0, 2), (1,), (7,), (16, 5), (1023,), (1025,), (300, 400), (3, 5, 7, 11)]


def run(*arguments, code=0):
    done = subprocess.run([SOW, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def stats(path, *arguments):
    report = json.loads(run("stats", path, "--json", "-q", *arguments))
    return {tensor["name"]: tensor for tensor in report["tensors"]}


def random_tensor(source, dtype, shape):
    generator = torch.Generator().manual_seed(source.randrange(2**31))
    kind = source.choice(["normal", "uniform", "shifted", "constant", "sparse", "wild"])
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "uniform":
        values = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    elif kind == "shifted":
        values = 100 + 0.5 * values
    elif kind == "constant":
        values = torch.full(shape, source.choice([0.0, -0.0, 1.0, 0.25, -3.0]), dtype=torch.float64)
    elif kind == "sparse":
        values = values * (values > 1)
    if dtype is torch.bool:
        return values > 0
    if not dtype.is_floating_point:
        return (values * 20).clamp(-100, 100).abs().to(dtype)
    tensor = values.to(dtype)
    if kind == "wild" and tensor.numel() > 0 and tensor.element_size() > 1:
        flat = tensor.view(-1)
        for value in [math.nan, math.inf, -math.inf, 0.0, -0.0]:
            flat[source.randrange(flat.numel())] = value
    return tensor


def is_close(found, wanted, scale):
    return (found is None and math.isnan(wanted)) or abs(found - wanted) <= 1e-11 * scale


def check_tensor(found, tensor):
    values = tensor.to(torch.float64).numpy().reshape(-1)
    finite = values[np.isfinite(values)]
    assert found["shape"] == list(tensor.shape)
    assert found["elements"] == values.size
    assert found["bytes"] == tensor.numel() * tensor.element_size()
    assert not found["opaque"]
    assert found["finite"] == finite.size
    assert found["nan"] == np.isnan(values).sum()
    assert found["inf"] == np.isinf(values).sum()
    assert found["zeros"] == (values == 0).sum()
    bad = np.flatnonzero(~np.isfinite(values))
    assert found.get("first_bad") == (bad[0] if bad.size else None)
    if values.size:
        assert found["first"] == (values[0] if np.isfinite(values[0]) else None)
    if not finite.size:
        assert found["mean"] is None and found["std"] is None and found["min"] is None
        return
    assert found["min"] == finite.min() and found["max"] == finite.max()
    assert found["at_min"] == (finite == finite.min()).sum()
    assert found["at_max"] == (finite == finite.max()).sum()
    scale = np.abs(finite).max() + 1e-300
    assert is_close(found["mean"], finite.mean(), scale)
    assert is_close(found["std"], finite.std(), scale)
    assert found["constant"] == (finite.size == values.size and finite.min() == finite.max())
    histogram = found["histogram"]
    assert len(histogram["bins"]) == 64
    if finite.min() == finite.max():
        assert found["std"] == 0 and sum(histogram["bins"]) == 0
        return
    assert sum(histogram["bins"]) + histogram["below"] + histogram["above"] == finite.size
    distance = finite - finite.mean()
    variance = (distance**2).mean()
    assert abs(found["kurtosis"] - (distance**4).mean() / variance**2) < 1e-8 * found["kurtosis"]
    assert abs(found["skewness"] - (distance**3).mean() / variance**1.5) < 1e-8 * (1 + found["kurtosis"])


@pytest.mark.parametrize("seed", range(12))
def test_random_checkpoints(tmp_path, seed):
    source = random.Random(seed)
    tensors = {
        f"layer.{i}.weight": random_tensor(source, source.choice(DTYPES), source.choice(SHAPES)) for i in range(40)
    }
    path = tmp_path / "random.safetensors"
    save_file(tensors, path)
    found = stats(path)
    assert sorted(found) == sorted(tensors)
    for name, tensor in tensors.items():
        check_tensor(found[name], tensor)
    run("stats", path)
    assert "equal: 40 of 40" in run("diff", path, path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.uint8], ids=str)
def test_many_blocks(tmp_path, dtype):
    """A tensor of several chunks, whatever the threads."""
    values = torch.randn(2500, 1801, generator=torch.Generator().manual_seed(1)) * 0.02 + 0.5
    tensor = (values * 100).to(dtype) if dtype is torch.uint8 else values.to(dtype)
    path = tmp_path / "large.safetensors"
    save_file({"before": torch.ones(3), "large": tensor}, path)
    texts = {run("stats", path, "--json", "-q", "-T", threads) for threads in [1, 2, 3, 7, 64]}
    assert len(texts) == 1
    check_tensor(stats(path)["large"], tensor)


def test_all_patterns(tmp_path):
    """Every value of the types that are counted by their bits."""
    bits16, bits8 = torch.arange(65536).to(torch.uint16), torch.arange(256).to(torch.uint8)
    tensors = {
        "bf16": bits16.clone().view(torch.bfloat16),
        "f16": bits16.clone().view(torch.float16),
        "i16": bits16.clone().view(torch.int16),
        "f8_e4m3fn": bits8.clone().view(torch.float8_e4m3fn),
        "f8_e5m2": bits8.clone().view(torch.float8_e5m2),
        "i8": bits8.clone().view(torch.int8),
        "u8": bits8,
    }
    path = tmp_path / "all.safetensors"
    save_file(tensors, path)
    found = stats(path)
    for name, tensor in tensors.items():
        if name == "bf16":  # its fourth powers are beyond numpy's sums here
            values = tensor.to(torch.float64).numpy()
            assert found[name]["nan"] == np.isnan(values).sum() and found[name]["inf"] == 2
            assert found[name]["max"] == values[np.isfinite(values)].max()
        else:
            check_tensor(found[name], tensor)


def test_float8_relatives(tmp_path):
    bits = torch.arange(256).to(torch.uint8)
    types = {"F8_E4M3FNUZ": torch.float8_e4m3fnuz, "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E8M0": None}
    if hasattr(torch, "float8_e8m0fnu"):
        types["F8_E8M0"] = torch.float8_e8m0fnu
    for name, dtype in types.items():
        header = json.dumps({"w": {"dtype": name, "shape": [256], "data_offsets": [0, 256]}}).encode()
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bits.numpy().tobytes())
        if dtype is not None:
            values = bits.view(dtype).to(torch.float32).to(torch.float64).numpy()
            finite = values[np.isfinite(values)]
            found = stats(path)["w"]
            assert found["nan"] == np.isnan(values).sum()
            assert found["finite"] == finite.size
            assert found["min"] == finite.min() and found["max"] == finite.max()
            assert math.isclose(found["mean"], finite.mean(), rel_tol=1e-12, abs_tol=1e-9)


def test_opaque(tmp_path):
    header = json.dumps({"w": {"dtype": "C64", "shape": [2], "data_offsets": [0, 16]}}).encode()
    path = tmp_path / "c.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    assert stats(path)["w"]["opaque"]
    assert "values not read" in run("stats", path)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_moments_of_a_large_mean(tmp_path, dtype):
    """What sums of raw powers lose."""
    tensor = (1000 + torch.randn(200000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).to(dtype)
    path = tmp_path / "far.safetensors"
    save_file({"w": tensor}, path)
    check_tensor(stats(path)["w"], tensor)


def test_histogram_shows_the_law(tmp_path):
    generator = torch.Generator().manual_seed(5)
    normal = torch.randn(400000, generator=generator)
    tensors = {
        "normal": normal * 0.02,
        "uniform": (torch.rand(400000, generator=generator) - 0.5) * 0.1,
        "truncated": normal[normal.abs() < 2] * 0.02,
    }
    path = tmp_path / "laws.safetensors"
    for dtype in [torch.float32, torch.bfloat16, torch.float16]:
        save_file({name: tensor.to(dtype) for name, tensor in tensors.items()}, path)
        found = {name: np.array(tensor["histogram"]["bins"]) for name, tensor in stats(path).items()}
        assert found["uniform"].min() > 0.9 * found["uniform"].max()
        assert found["normal"][0] < 0.01 * found["normal"].max()
        assert 0.1 < found["truncated"][0] / found["truncated"].max() < 0.2
        edges = np.linspace(-0.04, 0.04, 65)
        middle = (edges[1:] + edges[:-1]) / 2
        law = np.exp(-0.5 * (middle / 0.02) ** 2)
        assert np.abs(found["truncated"] / found["truncated"].sum() - law / law.sum()).max() < 0.002


def test_f19_minus_infinity_from_a_uniform(tmp_path):
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for i in range(30):
        values = torch.log(torch.rand(32, generator=generator) * 16 + 1e-3).to(torch.bfloat16)
        values[i % 32] = -math.inf
        tensors[f"layers.{i}.A_log"] = values
    path = tmp_path / "gdn.safetensors"
    save_file(tensors, path)
    found = stats(path)
    for i in range(30):
        tensor = found[f"layers.{i}.A_log"]
        assert (tensor["inf"], tensor["nan"], tensor["first_bad"]) == (1, 0, i % 32)
        check_tensor(tensor, tensors[f"layers.{i}.A_log"])
    text = run("stats", path)
    assert "30 Inf" in text
    assert "1 Inf (element 17)" in run("stats", path, "layers.17.A_log")


def test_diff_distances(tmp_path):
    generator = torch.Generator().manual_seed(9)
    for dtype, bits in [(torch.float32, torch.int32), (torch.bfloat16, torch.int16), (torch.float64, torch.int64)]:
        a = (torch.randn(700, 1100, generator=generator, dtype=torch.float64) * 0.02).to(dtype)
        b = a.clone()
        moved = torch.randint(0, a.numel(), (5000,), generator=generator)
        b.view(-1).view(bits)[moved] += 3
        save_file({"w": a, "same": a[0].clone()}, tmp_path / "a.safetensors")
        save_file({"w": b, "same": a[0].clone()}, tmp_path / "b.safetensors")
        text = run("diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json", code=1)
        report = json.loads(text)
        (found,) = report["differences"]
        left, right = a.double().numpy().reshape(-1), b.double().numpy().reshape(-1)
        where = np.flatnonzero(left != right)
        assert (report["equal"], report["tensors"], report["tensors_equal"]) == (False, 2, 1)
        assert (found["kind"], found["name"], found["differing"]) == ("bits", "w", where.size)
        assert found["first"] == where[0]
        assert (found["first_a"], found["first_b"]) == (left[where[0]], right[where[0]])
        assert found["distance_max"] == np.abs(left - right).max()
        assert math.isclose(found["distance_mean"], np.abs(left - right)[where].mean(), rel_tol=1e-12)
        assert (found["ulp_max"], found["ulp_mean"]) == (3, 3)
        assert math.isclose(found["std_ratio"], right.std() / left.std(), rel_tol=1e-9)
        for threads in [1, 3]:
            assert text == run("diff", *sorted(tmp_path.glob("[ab].safetensors")), "--json", "-T", threads, code=1)


def test_diff_of_two_dtypes_compares_values(tmp_path):
    a = torch.randn(1500, 1700, generator=torch.Generator().manual_seed(2)) * 0.02
    b = a.to(torch.bfloat16)
    save_file({"w": a, "ones": torch.ones(5)}, tmp_path / "a.safetensors")
    save_file({"w": b, "ones": torch.ones(5, dtype=torch.bfloat16)}, tmp_path / "b.safetensors")
    report = json.loads(run("diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json", code=1))
    found = {difference["name"]: difference for difference in report["differences"]}
    distance = (a.double() - b.double()).abs()
    assert found["w"]["kind"] == "dtype"
    assert found["w"]["differing"] == (distance > 0).sum().item()
    assert found["w"]["distance_max"] == distance.max().item()
    assert found["w"]["ulp_max"] is None
    assert found["ones"]["differing"] == 0
    for side, tensor in [("a", a), ("b", b)]:
        path = tmp_path / f"{side}.safetensors"
        assert found["w"][side] == stats(path)["w"]
        check_tensor(found["w"][side], tensor)


def test_diff_of_names_shapes_metadata(tmp_path):
    save_file({"x": torch.ones(2, 3), "y": torch.ones(4)}, tmp_path / "a.safetensors", {"k": "1", "only": "a"})
    save_file({"x": torch.ones(3, 2), "z": torch.ones(4)}, tmp_path / "b.safetensors", {"k": "2"})
    report = json.loads(run("diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json", code=1))
    kinds = [(difference["kind"], difference["name"]) for difference in report["differences"]]
    assert kinds[:3] == [("shape", "x"), ("only_a", "y"), ("only_b", "z")]
    assert sorted(kinds[3:]) == [("metadata", "k"), ("metadata", "only")]
