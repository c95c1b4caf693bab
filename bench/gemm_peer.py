# SPDX-License-Identifier: MIT
"""Times torch's matmul on one thread, in the lines of bench/gemm.c."""
import sys
import time

REPEATS = 6

try:
    import torch
except ImportError as missing:
    sys.exit(f"SKIPPED: {missing}")

torch.set_num_threads(1)
for n in (512, 768, 1024, 1536, 2048):
    a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
    torch.mm(a, b, out=c)
    for _ in range(REPEATS):
        begin = time.process_time()
        torch.mm(a, b, out=c)
        print("gemm", "torch", n, f"{time.process_time() - begin:.6f}", sep="\t", flush=True)
