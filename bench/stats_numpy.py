# SPDX-License-Identifier: MIT
"""bench/stats_numpy.py FILE: mean, std, min, max, zeros and NaN of every bf16 or f32 tensor of a safetensors file, as one
writes it with numpy. The measure of `sow stats`; prints nothing."""

import json
import sys

import numpy as np

data = np.memmap(sys.argv[1], dtype=np.uint8, mode="r")
length = int(data[:8].view(np.uint64)[0])
header = json.loads(bytes(data[8 : 8 + length]))
header.pop("__metadata__", None)
for tensor in header.values():
    begin, end = (8 + length + offset for offset in tensor["data_offsets"])
    raw = data[begin:end]
    if tensor["dtype"] == "BF16":
        values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        values = raw.view(np.float32)
    finite = np.isfinite(values)
    kept = values if finite.all() else values[finite]
    numbers = kept.mean(dtype=np.float64), kept.std(dtype=np.float64), kept.min(), kept.max()
    counts = np.isnan(values).sum(), (values == 0).sum()
