# SPDX-License-Identifier: MIT
"""sow check on checkpoints that the real libraries made: transformers' from_config passes under the right variant, in each
dtype it draws in, and fails under a wrong one, which names the right; what torch itself gets wrong is named."""

import pytest

torch = pytest.importorskip("torch", reason="torch makes the checkpoints")
save_file = pytest.importorskip("safetensors.torch", reason="safetensors writes the checkpoints").save_file
from tool import check  # noqa: E402

TINY = {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256}
CONFIGS = {
    "gpt2": {"vocab_size": 1000, "n_positions": 128, "n_embd": 64, "n_layer": 4, "n_head": 4},
    "llama": {**TINY, "tie_word_embeddings": False, "pad_token_id": 3},
    "mistral": {**TINY, "attention_bias": False},
    "qwen2": {**TINY, "tie_word_embeddings": True},
    "qwen3": {**TINY, "head_dim": 32},
    "mixtral": {**TINY, "num_local_experts": 4},
    "gemma": {**TINY, "head_dim": 16},
    "bert": {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4},
}


def codes(report):
    return {finding["code"] for finding in report["findings"]}


def found(report, code):
    return next(finding for finding in report["findings"] if finding["code"] == code)


def made_by_transformers(family, folder, dtype=torch.float32):
    transformers = pytest.importorskip("transformers", reason="transformers makes the checkpoints")
    config = transformers.AutoConfig.for_model(family, **CONFIGS[family])
    auto = transformers.AutoModelForMaskedLM if family == "bert" else transformers.AutoModelForCausalLM
    torch.manual_seed(0)
    auto.from_config(config, dtype=dtype).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", CONFIGS)
def test_what_transformers_draws_passes(family, dtype, tmp_path):
    made_by_transformers(family, tmp_path, getattr(torch, dtype))
    for options in (["--source", tmp_path], []):
        report = check(tmp_path, *options)
        assert report["passed"] and codes(report) <= ({"zero-rows"} if not options else set()), report["findings"]
    assert check(tmp_path, "--source", tmp_path)["judged"] == report["tensors"]


@pytest.mark.parametrize(("family", "variant", "right"), [("gpt2", "openai", "transformers"), ("bert", "google", "transformers"),
                                                          ("gemma", "deepmind", "transformers")])
def test_a_wrong_variant_fails_and_names_the_right_one(family, variant, right, tmp_path):
    made_by_transformers(family, tmp_path)
    report = check(tmp_path, "--source", tmp_path, "--variant", variant)
    assert not report["passed"]
    assert any(f"--variant {right}" in (finding["cause"] or "") for finding in report["findings"])


def test_lost_residual_scaling(tmp_path):
    """huggingface/transformers#47458: c_proj at 0.02 instead of 0.02 / sqrt(2 * 4)."""
    made_by_transformers("gpt2", tmp_path)
    from safetensors.torch import load_file
    tensors = load_file(tmp_path / "model.safetensors")
    for name, tensor in tensors.items():
        if name.endswith("c_proj.weight"):
            tensor.normal_(0, 0.02)
    save_file(tensors, tmp_path / "lost.safetensors")
    report = check(tmp_path / "lost.safetensors", "--source", tmp_path / "config.json")
    finding = found(report, "std")
    assert finding["scope"] == "all of layers 0-3" and "= 0.02/sqrt(2*4)" in finding["text"]
    assert "the residual scaling 1/sqrt(2*4) is missing" in finding["cause"]
    assert codes(report) == {"std"}


def test_deep_copied_layers(tmp_path):
    """torch.nn.TransformerEncoder copies one layer (pytorch/pytorch#86274)."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    save_file({name: value.contiguous().clone() for name, value in encoder.state_dict().items()}, tmp_path / "e.safetensors")
    finding = found(check(tmp_path / "e.safetensors"), "identical-layers")
    assert finding["where"] == "layers.{0..2}" and finding["scope"] == "layers 0-2"
    torch.manual_seed(0)
    for parameter in encoder.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
        else:
            torch.nn.init.uniform_(parameter)
    save_file({name: value.contiguous().clone() for name, value in encoder.state_dict().items()}, tmp_path / "r.safetensors")
    assert not codes(check(tmp_path / "r.safetensors")) - {"unit-std"}


def test_a_trained_checkpoint_has_notes_alone(tmp_path):
    """Some steps of AdamW; then a layer that grew and units that died, as training has it. Before training they are warnings."""
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(50, 32)
            torch.nn.init.normal_(self.embed.weight, 0, 0.02)
            self.layers = torch.nn.ModuleList(
                torch.nn.TransformerEncoderLayer(32, 2, 64, dropout=0, batch_first=True) for _ in range(4))
            self.head = torch.nn.Linear(32, 50)

        def forward(self, x):
            x = self.embed(x)
            for layer in self.layers:
                x = layer(x)
            return self.head(x)

    def told(name):
        with torch.no_grad():
            layer = net.layers[1]
            saved = layer.linear1.weight.clone(), layer.linear2.weight.clone()
            layer.linear1.weight *= 3
            layer.linear2.weight[5:8] = 0
            save_file({key: value.contiguous().clone() for key, value in net.state_dict().items()}, tmp_path / name)
            layer.linear1.weight.copy_(saved[0])
            layer.linear2.weight.copy_(saved[1])
        return check(tmp_path / name)

    net = Net()
    report = told("before.safetensors")
    assert {(f["code"], f["severity"]) for f in report["findings"]} == {("sibling-std", "warning"), ("zero-rows", "warning")}
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(10):
        x = torch.randint(0, 50, (4, 9))
        loss = torch.nn.functional.cross_entropy(net(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    report = told("after.safetensors")
    assert report["passed"], report["findings"]
    assert codes(report) == {"trained", "sibling-std", "zero-rows"}
    assert "8 of 8 norm scales have left their constant" in found(report, "trained")["text"]


# What torch.nn.init draws, the scheme that is expected, and a word of the cause; None: it is the expected one.
CAUSES = [
    (lambda w: torch.nn.init.normal_(w, 0, 0.02), "normal { std=0.02 }", None),
    (lambda w: torch.nn.init.xavier_uniform_(w), "glorot_uniform", None),
    (lambda w: torch.nn.init.xavier_normal_(w), "glorot_normal", None),
    (lambda w: torch.nn.init.kaiming_uniform_(w, a=5 ** 0.5), "lecun_uniform { gain = 1 / sqrt(3) }", None),
    (lambda w: torch.nn.init.trunc_normal_(w, 0, 0.02, -0.04, 0.04), "trunc_normal { std=0.02 }", None),
    (lambda w: torch.nn.init.trunc_normal_(w, 0, 0.02), "trunc_normal { std=0.02 }", "the truncation at 2 sigma is missing"),
    (lambda w: torch.nn.init.normal_(w), "normal { std=0.02 }", "the default of torch.nn.Embedding"),
    (lambda w: torch.nn.init.kaiming_uniform_(w, a=5 ** 0.5), "normal { std=0.02 }", "torch's layer default"),
    (lambda w: torch.nn.init.xavier_uniform_(w), "normal { std=0.02 }", "Glorot"),
    (lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu"), "glorot_normal", "He by fan_in"),
    (lambda w: torch.nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"), "he_normal", "He by fan_out"),
    (lambda w: torch.nn.init.normal_(w, 0, 0.02 ** 2), "normal { std=0.02 }", "the variance was given where the std is wanted"),
    (lambda w: torch.nn.init.uniform_(w, -0.02, 0.02), "normal { std=0.02 }", "the std was taken for the bound of a uniform"),
    (lambda w: torch.nn.init.uniform_(w, -0.02 * 3 ** 0.5, 0.02 * 3 ** 0.5), "normal { std=0.02 }", "uniform, std 0.02"),
    (lambda w: torch.nn.init.normal_(w, 0, (2 / 192 + 320) ** 0.5), "glorot_normal", "a bracket is missing"),
    (lambda w: torch.nn.init.zeros_(w), "normal { std=0.02 }", "all-zero"),
]


@pytest.mark.parametrize("row", range(len(CAUSES)))
def test_the_cause_is_named(row, tmp_path):
    draw, expected, cause = CAUSES[row]
    torch.manual_seed(row)
    weight = torch.empty(320, 192)
    draw(weight)
    save_file({"fc.weight": weight}, tmp_path / "w.safetensors")
    (tmp_path / "w.lua").write_text(f'local x = input {{ "batch", 192 }}\nx = x >> linear("fc", 192, 320, {{ bias = false }})\n'
                                    f'rule("*", {expected})\n')
    report = check(tmp_path / "w.safetensors", "--source", tmp_path / "w.lua")
    if cause is None:
        assert report["passed"], report["findings"]
    else:
        assert any(cause in f"{finding['code']} {finding['cause']}" for finding in report["findings"]), report["findings"]
