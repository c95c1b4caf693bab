# SPDX-License-Identifier: MIT
"""Times torch's forward and backward pass in the lines of bench/probe: gpt2 (transformers' GPT2LMHeadModel, 1 x 256 tokens)
or mlp (50 layers of 512 with tanh, 8 seeds of 64 samples, weights drawn each time). Argument: which, and the number of threads."""
import pathlib
import sys
import time

which, threads = sys.argv[1], int(sys.argv[2])
try:
    import torch
except ImportError as missing:
    sys.exit(f"SKIPPED: {missing}")
torch.set_num_threads(threads)


def gpt2():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/python"))
    import conftest  # noqa: F401 - declares what torchvision asks for when transformers imports it
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0))
    ids, cotangent = torch.randint(0, 50257, (1, 256)), torch.randn(1, 256, 50257)
    for _ in range(3):
        model.zero_grad()
        begin = time.perf_counter()
        model(ids).logits.backward(cotangent)
        yield time.perf_counter() - begin


def mlp():
    for _ in range(2):
        begin = time.perf_counter()
        for _ in range(8):
            layers = []
            for _ in range(50):
                linear = torch.nn.Linear(512, 512)
                torch.nn.init.normal_(linear.weight, std=512 ** -0.5)
                layers += [linear, torch.nn.Tanh()]
            x = torch.randn(64, 512, requires_grad=True)
            y = torch.nn.Sequential(*layers)(x)
            y.backward(torch.randn_like(y))
        yield time.perf_counter() - begin


for seconds in {"gpt2": gpt2, "mlp": mlp}[which]():
    print(which, "torch", threads, f"{seconds:.4f}", flush=True)
