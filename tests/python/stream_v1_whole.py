# SPDX-License-Identifier: MIT
"""Section 11 of docs/stream.md, written from the page alone: draws of whole tensors. Python's own + - * / and sqrt in
double are IEEE 754's, and the page asks for nothing else beyond the normal values of stream_v1.py."""

import math
from typing import NamedTuple

from stream_v1 import F32, F64, FORMATS, Draw, normal, word_of


class Weight(NamedTuple):
    shape: tuple  # of the block, where it is one
    axes: str  # a letter an axis: o(ut), i(n), k(ernel), e(ach); `out` of a transposed convolution is i
    groups: int = 1
    packed: tuple = ()  # (axis, its whole size, begin)


def whole_values(distribution, gain, weight, dtype, seed, tensor):
    """The bits of all elements of the tensor, that is of the packed weight; None outside of the block."""
    shape, before = list(weight.shape), 0
    if weight.packed:
        axis, size, begin = weight.packed
        before = begin * math.prod(shape) // shape[axis]
        shape[axis] = size
    found = [None] * math.prod(shape)
    for index in indices(weight.shape):
        found[place(index, shape, weight)] = 0.0
    for t, W in enumerate(matrices(distribution, weight, shape)):
        rows, columns = len(W), len(W[0])
        placed = distribution == "identity" or (distribution == "hadamard" and rows <= columns)
        if distribution == "hadamard" and rows > columns:
            Q = sylvester(rows, columns)
        elif placed:
            Q = [[float(i == j) for j in range(columns)] for i in range(rows)]
        else:
            m, n = max(rows, columns), min(rows, columns)
            Q = orthonormal(m, n, before + t * m * n, seed, tensor)
            Q = Q if rows >= columns else [list(row) for row in zip(*Q, strict=True)]
        for i, j in indices((rows, columns)):
            found[W[i][j]] = gain * Q[i][j] if not placed or i == j else 0.0
    store, middle = FORMATS[dtype], F64 if dtype == "f64" else F32
    return [x if x is None else store.encode(store.nearest(middle.nearest(x))) for x in found]


def indices(shape):
    return [()] if not shape else [(i, *rest) for i in range(shape[0]) for rest in indices(shape[1:])]


def place(index, shape, weight):
    """The number of the element of a block in the stored tensor."""
    offset = 0
    for axis, (i, size) in enumerate(zip(index, shape, strict=True)):
        begin = weight.packed[2] if weight.packed and weight.packed[0] == axis else 0
        offset = offset * size + begin + i
    return offset


def matrices(distribution, weight, shape):
    """W after W, each a list of rows of elements' numbers."""
    sorted_axes = {letter: [a for a, is_ in enumerate(weight.axes) if is_ == letter] for letter in "oike"}
    centred = [] if distribution == "orthogonal" else sorted_axes["k"]
    across = [a for a, is_ in enumerate(weight.axes) if is_ in "ik" and a not in centred]
    all_rows = indices([weight.shape[a] for a in sorted_axes["o"]])
    share = len(all_rows) // weight.groups
    for each in indices([weight.shape[a] for a in sorted_axes["e"]]):
        for group in range(weight.groups):
            yield [
                [
                    place(index_of(weight, sorted_axes, each, row, centred, across, column), shape, weight)
                    for column in indices([weight.shape[a] for a in across])
                ]
                for row in all_rows[group * share : (group + 1) * share]
            ]


def index_of(weight, sorted_axes, each, row, centred, across, column):
    index = dict(zip(sorted_axes["e"], each, strict=True)) | dict(zip(sorted_axes["o"], row, strict=True))
    index |= dict(zip(across, column, strict=True)) | {a: weight.shape[a] // 2 for a in centred}
    return tuple(index[a] for a in range(len(weight.shape)))


def sylvester(rows, columns):
    k = 0
    while 2**k < rows:
        k += 1
    s = 2.0 ** -(k // 2) * (float.fromhex("0x1.6a09e667f3bcdp-1") if k % 2 else 1.0)
    return [[-s if bin(i & j).count("1") % 2 else s for j in range(columns)] for i in range(rows)]


def orthonormal(m, n, first, seed, tensor):
    """Q, m x n, as rows."""
    value = normal(Draw("normal", 0.0, 1.0), F64, lambda element: word_of(seed, tensor, element, 64))
    vectors = []
    for k in range(n):
        g = [0.0] * k + [value(first + k * m + i) for i in range(k, m)]
        total = 0.0
        for x in g[k:]:
            total = total + x * x
        r = math.sqrt(total)
        h = math.sqrt(r * (r + abs(g[k])))
        vectors.append([x / h for x in g])
        vectors[k][k] = ((g[k] + r) if g[k] > 0 else (g[k] - r)) / h
    columns = []
    for j in range(n):
        q = [0.0] * m
        q[j] = -1.0 if vectors[j][j] > 0 else 1.0
        for k in range(j, -1, -1):
            w, s = vectors[k], 0.0
            for i in range(k, m):
                s = s + w[i] * q[i]
            for i in range(k, m):
                q[i] = q[i] - w[i] * s
        columns.append(q)
    return [list(row) for row in zip(*columns, strict=True)]
