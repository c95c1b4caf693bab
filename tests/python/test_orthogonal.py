# SPDX-License-Identifier: MIT
"""Draws of whole tensors: libsow's bits against stream_v1_whole.py (written from docs/stream.md alone), and the
matrices against their law, scipy's ortho_group, torch's initialisers and the Jacobians of torch's convolutions.
Acceptance cases A21 (Haar) and A22 (delta-orthogonal)."""

import math
import os
import re
import subprocess

import libsow
import numpy as np
import pytest
import stream_v1 as stream
import torch
from libsow import DELTA_ORTHOGONAL, IDENTITY, ORTHOGONAL, SowError, Tensor, fill_whole
from safetensors.numpy import load_file
from scipy import stats
from stream_cases import GOLDEN
from stream_v1_whole import Weight, whole_values

SOW = os.environ.get("SOW", str(libsow.ROOT / "build/sow"))


# ---- Bits ----------------------------------------------------------------------------------------


def weight_of(kind, layout, shape, groups, packed):
    """Of a golden line's words."""
    shape = tuple(map(int, shape.split("x")))
    words = layout.split("-")
    if len(words) < len(shape):  # out-in and in-out of a convolution
        words = words + ["kernel"] * (len(shape) - 2) if words[0] == "out" else ["kernel"] * (len(shape) - 2) + words
    letters = "".join(word[0] for word in words)
    if kind == "conv_transpose":
        letters = letters.translate(str.maketrans("oi", "io"))
    return Weight(shape, letters, int(groups), () if packed == "-" else tuple(map(int, packed.split("x"))))


def whole_lines():
    line = r'(\w+) (\S+) (\w+) (\d+) "([^"]*)" whole (\S+) (\S+) (\S+) (\d+) (\S+) ([0-9a-f]{16})'
    for row in GOLDEN.read_text("utf-8").splitlines():
        if " whole " in row:
            yield re.fullmatch(line, row).groups()


def golden_digest(distribution, gain, dtype, seed, name, kind, layout, shape, groups, packed):
    """By the page: no C."""
    weight = weight_of(kind, layout, shape, groups, packed)
    codes = whole_values(distribution, float(gain), weight, dtype, int(seed), stream.tensor_of(name))
    size = stream.FORMATS[dtype].bits // 8
    return stream.fnv1a64(b"".join(b"\xa5" * size if c is None else c.to_bytes(size, "little") for c in codes))


@pytest.mark.parametrize("dtype", stream.FORMATS)
def test_golden(dtype):
    # Which elements are which does not depend on the dtype: of the slow ones, a third for each.
    rows = [row for row in whole_lines() if row[2] == dtype]
    chosen = [row for i, row in enumerate(rows) if row[0] in ("identity", "hadamard") or (i + list(stream.FORMATS).index(dtype)) % 3 == 0]
    assert len(rows) >= 25 and len(chosen) >= 15
    for row in chosen:
        assert f"{golden_digest(*row[:-1]):016x}" == row[-1], row


def test_narrow_dtypes_are_the_rounded_f64():
    tensor = Tensor.make((40, 24))
    wide = fill_whole(ORTHOGONAL, tensor, 1.7, dtype="f64", seed=3)
    single = torch.from_numpy(wide).float()
    assert np.array_equal(fill_whole(ORTHOGONAL, tensor, 1.7, seed=3), single.numpy())
    for dtype, theirs in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        ours = fill_whole(ORTHOGONAL, tensor, 1.7, dtype=dtype, seed=3)
        assert np.array_equal(ours.view(np.int16), single.to(theirs).view(torch.int16).numpy())
    for dtype, theirs in (("f8_e4m3fn", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        ours = fill_whole(ORTHOGONAL, tensor, 1.7, dtype=dtype, seed=3)
        assert np.array_equal(ours, single.to(theirs).view(torch.uint8).numpy())


def test_a_range_of_a_whole_draw_is_nan_in_every_dtype():
    draw = libsow.whole_draw(ORTHOGONAL, Tensor.make((8, 8)))
    for dtype, kind in (("f64", torch.float64), ("f32", torch.float32), ("bf16", torch.bfloat16),
                        ("f16", torch.float16), ("f8_e4m3fn", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        raw = torch.from_numpy(libsow.fill(draw, 33, dtype=dtype).view(np.uint8))
        assert raw.view(kind).float().isnan().all(), dtype


# ---- A21: Haar -----------------------------------------------------------------------------------


def error_of(W, gain=1.0):
    W = W.astype(np.float64)
    product = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    return abs(product / gain**2 - np.eye(len(product))).max()


@pytest.mark.parametrize("shape", [(256, 256), (700, 33), (33, 700), (1, 50), (50, 1), (1024, 512)])
def test_a21_orthonormal(shape):
    tensor = Tensor.make(shape)
    assert error_of(fill_whole(ORTHOGONAL, tensor, dtype="f64")) < 1e-12
    assert error_of(fill_whole(ORTHOGONAL, tensor)) < 5e-6
    assert error_of(fill_whole(ORTHOGONAL, tensor, math.sqrt(2), dtype="f64"), math.sqrt(2)) < 1e-12


def test_a21_haar_fourth_moment():
    n = 256
    W = fill_whole(ORTHOGONAL, Tensor.make((n, n)), dtype="f64", seed=5)
    expected = 3 / (n * (n + 2))
    assert abs((W**4).mean() - expected) < 0.05 * expected  # 4 standard errors


def test_a21_haar_determinants_have_either_sign():
    signs = [np.linalg.det(fill_whole(ORTHOGONAL, Tensor.make((6, 6)), dtype="f64", seed=s)) for s in range(400)]
    assert np.allclose(np.abs(signs), 1)
    assert abs(sum(np.sign(signs))) < 80  # 4 sigma


@pytest.mark.parametrize("entry", [(0, 0), (2, 1), (3, 4)])
def test_a21_haar_entries_are_those_of_ortho_group(entry):
    ours = [fill_whole(ORTHOGONAL, Tensor.make((4, 5)), dtype="f64", seed=s)[entry] for s in range(1500)]
    theirs = stats.ortho_group.rvs(5, size=1500, random_state=1)[(slice(None), *entry)]
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4
    # w^2 of a unit vector in 5 dimensions is Beta(1/2, 2)
    assert stats.kstest(np.square(ours), stats.beta(0.5, 2).cdf).pvalue > 1e-4


def test_eigenphases_are_those_of_ortho_group():
    def phases(W):
        return np.concatenate([(a := np.angle(np.linalg.eigvals(w)))[a > 1e-9] for w in W])

    ours = phases([fill_whole(ORTHOGONAL, Tensor.make((8, 8)), dtype="f64", seed=s) for s in range(500)])
    theirs = phases(stats.ortho_group.rvs(8, size=500, random_state=2))
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4


def test_other_seeds_and_names_are_unrelated():
    tensor = Tensor.make((64, 64))
    a, b, c = (fill_whole(ORTHOGONAL, tensor, dtype="f64", seed=s, name=n).ravel() for s, n in ((1, "a"), (2, "a"), (1, "b")))
    for x, y in ((a, b), (a, c), (b, c)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 5 / 64


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (16, 4, 3, 3), (4, 16, 3, 3), (5, 2, 3), (6, 7, 1, 2, 3)])
def test_flattened_as_torch_does(shape):
    theirs = torch.nn.init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain=1.3).flatten(1).numpy()
    kind = "conv" if len(shape) > 2 else "linear"
    ours = fill_whole(ORTHOGONAL, Tensor.make(shape, kind), 1.3, dtype="f64").reshape(shape[0], -1)
    assert error_of(ours, 1.3) < 1e-12 and error_of(theirs, 1.3) < 1e-12
    assert np.isclose((ours**2).mean(), (theirs**2).mean(), rtol=1e-12)
    std = libsow.whole_draw(ORTHOGONAL, Tensor.make(shape, kind), 1.3).std
    assert np.isclose(std, math.sqrt((theirs**2).mean()), rtol=1e-12)


def test_layouts_groups_and_blocks():
    keras = fill_whole(ORTHOGONAL, Tensor.make((3, 3, 4, 50), "conv", "in-out"), dtype="f64").reshape(-1, 50)
    assert error_of(keras) < 1e-12
    grouped = fill_whole(ORTHOGONAL, Tensor.make((12, 2, 3), "conv", groups=4), dtype="f64").reshape(4, 3, 6)
    assert max(error_of(w) for w in grouped) < 1e-12
    experts = fill_whole(ORTHOGONAL, Tensor.make((5, 8, 6), layout="each-in-out"), dtype="f64")
    assert max(error_of(w) for w in experts) < 1e-12
    assert min(abs(experts[i] - experts[j]).max() for i in range(5) for j in range(i)) > 0.1
    heads = fill_whole(ORTHOGONAL, Tensor.make((8, 2, 3), layout="in-out-out"), dtype="f64")
    assert error_of(heads.reshape(8, 6)) < 1e-12
    transposed = fill_whole(ORTHOGONAL, Tensor.make((6, 2, 3), "conv_transpose", "in-out-kernel"), dtype="f64")
    assert error_of(transposed.reshape(6, 6)) < 1e-12
    for axis, shape in ((0, (7, 7)), (1, (7, 7))):
        blocks = []
        for begin in (0, 7, 14):
            tensor = Tensor.make(shape, packed=(axis, 21, begin))
            whole = np.moveaxis(fill_whole(ORTHOGONAL, tensor, dtype="f64"), axis, 0)
            blocks.append(whole[begin : begin + 7])
            assert error_of(blocks[-1]) < 1e-12
            rest = np.delete(whole, range(begin, begin + 7), axis=0)
            assert (np.ascontiguousarray(rest).view(np.uint8) == 0xA5).all()
        assert min(abs(blocks[i] - blocks[j]).max() for i in range(3) for j in range(i)) > 0.1


# ---- A22: convolutions ---------------------------------------------------------------------------


def jacobian(weight, size, circular, groups=1):
    """Of a convolution of stride 1 that keeps the size, as a matrix."""
    pad = weight.shape[-1] // 2
    channels = weight.shape[1] * groups
    x = torch.eye(channels * size * size, dtype=torch.float64).reshape(-1, channels, size, size)
    x = torch.nn.functional.pad(x, (pad,) * 4, mode="circular" if circular else "constant")
    return torch.nn.functional.conv2d(x, torch.from_numpy(weight), groups=groups).flatten(1).T.numpy()


@pytest.mark.parametrize("circular", [True, False])
def test_a22_xiao_2018_delta_orthogonal_is_an_isometry(circular):
    delta = fill_whole(DELTA_ORTHOGONAL, Tensor.make((8, 8, 3, 3), "conv"), dtype="f64", seed=1)
    assert abs(np.linalg.svd(jacobian(delta, 6, circular), compute_uv=False) - 1).max() < 1e-12
    outside = delta.copy()
    outside[:, :, 1, 1] = 0
    assert not outside.any() and not np.signbit(outside).any()
    assert error_of(delta[:, :, 1, 1]) < 1e-12


def test_a22_flattened_orthogonal_is_no_isometry():
    flat = fill_whole(ORTHOGONAL, Tensor.make((8, 8, 3, 3), "conv"), gain=1.0, dtype="f64", seed=1)
    s = np.linalg.svd(jacobian(flat, 6, True), compute_uv=False)
    assert abs((s**2).mean() - 1) < 1e-12 and s.min() < 0.1 and s.max() > 1.5
    normal = libsow.fill(libsow.Draw.normal(0, 1 / math.sqrt(72)), 576, dtype="f64", seed=1).reshape(8, 8, 3, 3)
    s = np.linalg.svd(jacobian(normal, 6, True), compute_uv=False)
    assert s.min() < 0.2 and s.max() > 1.6


def test_delta_orthogonal_of_more_outputs_and_of_groups():
    more = fill_whole(DELTA_ORTHOGONAL, Tensor.make((12, 5, 5, 5), "conv"), 2.0, dtype="f64")
    assert abs(np.linalg.svd(jacobian(more, 6, False), compute_uv=False) - 2).max() < 1e-12
    grouped = fill_whole(DELTA_ORTHOGONAL, Tensor.make((12, 3, 3, 3), "conv", groups=3), dtype="f64")
    assert abs(np.linalg.svd(jacobian(grouped, 5, True, 3), compute_uv=False) - 1).max() < 1e-12


@pytest.mark.parametrize(
    ("shape", "groups", "words"),
    [
        ((4, 8, 3, 3), 1, "8 inputs go to 4 outputs"),
        ((6, 4, 3, 3), 3, "4 inputs go to 2 outputs in each group"),
        ((8, 8, 4, 3), 1, "odd kernel sizes"),
    ],
)
def test_delta_orthogonal_refuses(shape, groups, words):
    with pytest.raises(SowError, match=words):
        libsow.whole_draw(DELTA_ORTHOGONAL, Tensor.make(shape, "conv", groups=groups))
    with pytest.raises(SowError, match="no kernel"):
        libsow.whole_draw(DELTA_ORTHOGONAL, Tensor.make((8, 8)))


# ---- Identity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (9, 5)])
def test_identity_is_eye(shape):
    theirs = torch.nn.init.eye_(torch.empty(shape)).numpy()
    assert np.array_equal(fill_whole(IDENTITY, Tensor.make(shape)), theirs)
    assert np.array_equal(fill_whole(IDENTITY, Tensor.make(shape), -0.3), theirs * np.float32(-0.3))


@pytest.mark.parametrize(("shape", "groups"), [((6, 4, 3), 1), ((4, 6, 3, 3), 1), ((12, 2, 3, 2), 4), ((6, 6, 1, 3, 4), 2)])
def test_identity_of_a_convolution_is_dirac(shape, groups):
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups=groups).numpy()
    assert np.array_equal(fill_whole(IDENTITY, Tensor.make(shape, "conv", groups=groups)), theirs)


# ---- What cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((8,), "two axes or more"),
        ((4, 0), "no size may be 0"),
        ((200000, 200000), "about .* hours of one core"),
    ],
)
def test_orthogonal_refuses(shape, words):
    tensor = Tensor(rank=len(shape), kind=1)
    tensor.shape[: len(shape)] = shape
    with pytest.raises(SowError, match=words):
        libsow.whole_draw(ORTHOGONAL, tensor)


def test_an_unnamed_tensor_of_three_axes_is_refused():
    tensor = Tensor(rank=3, kind=0)
    tensor.shape[:3] = (3, 4, 5)
    with pytest.raises(SowError, match="read in several ways"):
        libsow.whole_draw(ORTHOGONAL, tensor)
    with pytest.raises(SowError, match="finite"):
        libsow.whole_draw(ORTHOGONAL, Tensor.make((3, 4)), math.inf)


# ---- Files ---------------------------------------------------------------------------------------


def test_a_file_holds_what_the_library_draws(tmp_path):
    path = tmp_path / "w.safetensors"
    command = [SOW, "init", "mlp:60,90x3,10", "--scheme", 'orthogonal{gain="relu"}', "--dtype", "f64", "--seed", "9", "-q", "-o"]
    subprocess.run([*command, path], check=True, capture_output=True)
    tensors = load_file(path)
    assert len(tensors) == 8
    for name, found in tensors.items():
        if name.endswith(".weight"):
            assert error_of(found, math.sqrt(2)) < 1e-12
            wanted = fill_whole(ORTHOGONAL, Tensor.make(found.shape), math.sqrt(2), name, 9, "f64")
            assert np.array_equal(found, wanted)


def test_packed_query_key_value_are_three_matrices(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50, "n_positions": 16,'
                      ' "n_embd": 24, "n_layer": 2, "n_head": 2}')
    path = tmp_path / "w.safetensors"
    command = [SOW, "init", config, "--set", "*.c_attn.weight=orthogonal", "-q", "-o", path]
    subprocess.run(command, check=True, capture_output=True)
    packed = load_file(path)["transformer.h.1.attn.c_attn.weight"]
    assert packed.shape == (24, 72)
    q, k, v = np.split(packed, 3, axis=1)
    assert max(map(error_of, (q, k, v))) < 5e-6
    assert min(abs(q - k).max(), abs(q - v).max(), abs(k - v).max()) > 0.1
