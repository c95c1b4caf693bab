# SPDX-License-Identifier: MIT
"""The museum: initialisation bugs that happened, each as a small checkpoint and its repaired twin. The one list.

An exhibit is one function: its docstring says what went wrong, its body spoils the tensors that `sow init` drew, where it
can with the real torch call that was at fault. The row above it says where it happened, the model, and what `sow check`
must find. docs/museum.md follows from here (`museum.py --page` writes its list anew), test_museum.py holds it.

    python tests/python/museum.py NAME FOLDER

writes FOLDER/broken.safetensors, FOLDER/repaired.safetensors and the source, and prints the check. $SOW names the tool.
"""

import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import zlib

import torch
from safetensors.torch import load_file, save_file

SOW = os.environ.get("SOW", "sow")


@dataclasses.dataclass(frozen=True)
class Exhibit:
    name: str
    thread: str  # where it happened; "": a known trap without a thread
    source: object  # a config (dict), a recipe (str), "mlp:..."
    code: str  # of the finding
    where: str  # a part of its tensor's name
    words: tuple  # in its cause, or in its text where `code` alone is the cause
    spoil: object
    options: tuple = ()  # of sow init and sow check
    lint: bool = False  # found without a source

    @property
    def story(self):
        return " ".join(self.spoil.__doc__.split())


MUSEUM = {}


def exhibit(thread, source, code, where, *words, options=(), lint=False):
    def hang(spoil):
        name = spoil.__name__.replace("_", "-")
        MUSEUM[name] = Exhibit(name, thread, source, code, where, words, spoil, options, lint)
        return spoil

    return hang


# ---- Making them -------------------------------------------------------------------------------------------------------


def write_source(of, folder):
    """The source as sow takes it: a file, or the short form."""
    if isinstance(of.source, dict):
        path = folder / "config.json"
        path.write_text(json.dumps(of.source))
    elif of.source.startswith("mlp:"):
        return of.source
    else:
        path = folder / "model.lua"
        path.write_text(of.source)
    return str(path)


def make(of, folder):
    """Writes both checkpoints (without a record, as other tools leave them); gives back the check's arguments after FILE."""
    folder.mkdir(parents=True, exist_ok=True)
    source = write_source(of, folder)
    drawn = folder / "repaired.safetensors"
    subprocess.run([SOW, "init", source, "-o", str(drawn), "--seed", "1", "--force", "-q", *of.options], check=True)
    tensors = load_file(drawn)
    save_file(tensors, drawn)
    torch.manual_seed(zlib.crc32(of.name.encode()))
    with torch.no_grad():
        tensors = of.spoil(tensors) or tensors
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "broken.safetensors")
    return [] if of.lint else ["--source", source, *of.options]


def normal(tensors, end, std):
    """Draws every tensor whose name ends so anew."""
    for name, tensor in tensors.items():
        if name.endswith(end):
            tensor.normal_(0, std)


# ---- Models ------------------------------------------------------------------------------------------------------------

GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 500, "n_positions": 64, "n_embd": 64,
        "n_layer": 4, "n_head": 4}  # fmt: skip
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 500, "hidden_size": 64,
         "intermediate_size": 176, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
GEMMA = LLAMA | {"model_type": "gemma", "architectures": ["GemmaForCausalLM"], "head_dim": 16}
MIXTRAL = LLAMA | {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "num_hidden_layers": 2,
                   "num_local_experts": 4}  # fmt: skip
BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": 500, "hidden_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "pad_token_id": 0}  # fmt: skip


def linear(inputs, outputs, rule, options=""):
    """A recipe of one matrix named w."""
    return f"""local x = input {{ "batch", {inputs} }}
x = x >> linear("", {inputs}, {outputs}, {{ bias = false{options} }})
rule("weight", {rule})
"""


CONV = """local x = input {{ "batch", {inputs}, 8, 8 }}
x = x >> {layer}
rule("*.weight", {rule})
rule("*", zeros)
"""
TABLE = """local x = tokens() >> embedding("wte", 1024, 64{padding})
rule("*", normal {{ std = 0.02 }})
"""

# ---- Depth -------------------------------------------------------------------------------------------------------------


@exhibit("huggingface/transformers#47458", GPT2, "std", ".c_proj.weight", "the residual scaling 1/sqrt(2*4) is missing")
def gpt2_depth_scaling_lost(t):
    """GPT-2's 1/sqrt(2 n_layer) on residual projections is compared with a relative name and matches nothing."""
    normal(t, "c_proj.weight", 0.02)


@exhibit("karpathy/llama2.c#579", LLAMA, "std", "gate_proj.weight", "scaled by 1/sqrt(2*4) as a residual output is",
         options=("--set", "*{o,down}_proj.weight=normal{std=0.02/sqrt(2*n_layer)}"))  # fmt: skip
def llama_depth_scaling_on_the_wrong_matrix(t):
    """The training script scales w3 and wo where w2 and wo write to the residual stream."""
    normal(t, "gate_proj.weight", 0.02 / math.sqrt(8))
    normal(t, "down_proj.weight", 0.02)


F17 = LLAMA | {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 3, "vocab_size": 64}


@exhibit("tenstorrent/tt-metal#48716", F17, "std", "down_proj.weight", "what fan_in = 256 would give",
         options=("--set", "*{o,down}_proj.weight=normal{std=1/sqrt(fan_in*n_layer)}"))  # fmt: skip
def one_fan_for_both_projections(t):
    """1/sqrt(hidden layers) is given to both residual projections; the MLP's fan-in is the intermediate size."""
    normal(t, "down_proj.weight", 1 / math.sqrt(256 * 3))


@exhibit("openai/CLIP, and transformers' modeling_clip.py", """local L, d = 12, 64
local x = repeated("layers", L, input { "batch", "tokens", d }, function(x)
    return x + (x >> linear("in_proj", d, 3 * d, { bias = false, blocks = { d, d, d } })
                  >> attention { heads = 4 } >> linear("out_proj", d, d, { bias = false }))
end)
rule("*.in_proj.weight", normal { std = 1 / sqrt(d) })
rule("*.out_proj.weight", normal { std = 1 / sqrt(d * 2 * L) })
""", "std", "in_proj.weight", "scaled by 1/sqrt(2*12) as a residual output is")  # fmt: skip
def clip_stds_swapped(t):
    """OpenAI's attention stds of in_proj and out_proj are given to the other one."""
    normal(t, "in_proj.weight", 64**-0.5 * 24**-0.5)
    normal(t, "out_proj.weight", 64**-0.5)


# ---- Fans and gains ----------------------------------------------------------------------------------------------------


@exhibit("pytorch/pytorch#166378", linear(64, 192, "glorot_uniform", ", blocks = { 64, 64, 64 }"), "std", "weight",
         "Glorot by the fans of the whole fused tensor")  # fmt: skip
def packed_qkv_fans(t):
    """torch.nn.MultiheadAttention draws query, key and value as one matrix [3d, d]: sqrt(6/4d) instead of sqrt(6/2d)."""
    t["weight"] = torch.nn.MultiheadAttention(64, 4).in_proj_weight.detach()


DEPTHWISE = CONV.format(inputs=32, layer='depthwise_conv2d("conv", 32, { padding = 1 })', rule='he_normal { mode = "fan_out" }')


@exhibit("pytorch/pytorch#23854", DEPTHWISE, "std", "conv.weight", "groups", "fan_out")
def depthwise_fan_out(t):
    """torch's fan_out of a grouped convolution counts the outputs of all groups."""
    torch.nn.init.kaiming_normal_(t["conv.weight"], mode="fan_out")


GROUPED = CONV.format(inputs=32, layer='conv2d("conv", 32, 64, { groups = 4 })', rule="he_normal")


@exhibit("ml-explore/mlx#4536", GROUPED, "std", "conv.weight", "groups", "fan_in")
def grouped_fan_in(t):
    """fan_in counts the inputs of all groups: too narrow by sqrt(groups)."""
    t["conv.weight"].normal_(0, math.sqrt(2 / (32 * 9)))


TRANSPOSED = CONV.format(inputs=64, layer='conv_transpose2d("conv", 64, 16, { kernel = 4 })', rule="he_uniform { gain = 1 / sqrt(3) }")


@exhibit("tensorflow/tensorflow#31192", TRANSPOSED, "std", "conv.weight", "fan_out", "swapped")
def transposed_convolution_fan(t):
    """torch.nn.ConvTranspose2d takes size(1) for the inputs, which is the outputs."""
    t["conv.weight"] = torch.nn.ConvTranspose2d(64, 16, 4).weight.detach()


@exhibit("google/flax#1386", linear(64, 256, "he_normal", ', layout = "in-out"'), "std", "weight", "He by fan_out")
def fans_by_the_other_layout(t):
    """Fans are read as (out, in) off a kernel stored (in, out)."""
    torch.nn.init.kaiming_normal_(t["weight"])


@exhibit("NVIDIA-NeMo/Megatron-Bridge#5840", linear(4096, 32, "glorot_normal"), "std", "weight", "divided by 4, as of one shard")
def std_of_a_shard(t):
    """LoRA's A is drawn by the fans of its shard: std 0.0435 at four ranks, 0.0220 at one."""
    shards = [torch.nn.init.xavier_normal_(torch.empty(32, 1024)) for _ in range(4)]
    t["weight"] = torch.cat(shards, 1)


@exhibit("mlverse/torch#555", "mlp:784,256,10", "std", "layers.0.weight", "a bracket is missing",
         options=("--activation", "tanh", "--scheme", "glorot_normal"))  # fmt: skip
def glorot_bracket(t):
    """sqrt(2/fan_in + fan_out) for sqrt(2/(fan_in + fan_out)): hundreds of times too large."""
    normal(t, "layers.0.weight", math.sqrt(2 / 784 + 256))
    normal(t, "layers.1.weight", math.sqrt(2 / 256 + 10))


@exhibit("pytorch/pytorch#54055", "mlp:64,64x3,10", "std", "layers.", "torch's gain for SELU, 3/4",
         options=("--activation", "selu", "--scheme", "lecun_normal"))  # fmt: skip
def selu_gain(t):
    """torch's gain for SELU is 3/4, where self-normalising networks need 1."""
    for name, tensor in t.items():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(tensor, nonlinearity="selu")


@exhibit("huggingface/transformers#43847", LLAMA, "std", "q_proj.weight", "torch's layer default")
def never_applied(t):
    """Under ZeRO-3 the init runs on tensors of size 0: the layers keep torch's default."""
    for name, tensor in t.items():
        if name.endswith("proj.weight"):
            t[name] = torch.nn.Linear(tensor.shape[1], tensor.shape[0]).weight.detach()


@exhibit("LaurentMazare/tch-rs#573", "mlp:128,256,10", "std", "layers.0.weight", "He by fan_in",
         options=("--variant", "torch"))  # fmt: skip
def he_uniform_by_default(t):
    """A linear layer's default is He's uniform with a = 0 where torch has a = sqrt(5): sqrt(6) too wide."""
    for name, tensor in t.items():
        if name.endswith("weight"):
            torch.nn.init.kaiming_uniform_(tensor)


@exhibit("young-geng/EasyLM#114", LLAMA, "std", "embed_tokens.weight", "std 1: the default of torch.nn.Embedding")
def embedding_std_one(t):
    """The embedding is drawn at the library's default, std 1, where initializer_range is 0.02."""
    t["model.embed_tokens.weight"] = torch.nn.Embedding(500, 64).weight.detach()


@exhibit("PiotrNawrot/nanoT5#25", """local x = input { "batch", "tokens", 64 } >> rms_norm("norm", 64)
x = x >> linear("lm_head", 64, 500, { bias = false })
rule("norm.weight", ones)
rule("lm_head.weight", normal { std = function(t) return 1 / sqrt(t.fan_in) end })
""", "std", "lm_head.weight", "std 1:", "without its std")  # fmt: skip
def output_head_std_one(t):
    """T5's untied head is drawn at std 1 where 1/sqrt(d) is meant: the first loss is about 110."""
    normal(t, "lm_head.weight", 1)


@exhibit("sapientinc/HRM#91", linear(64, 64, "trunc_normal { std = 0.02 / 0.8796256610342398 }"), "std", "weight",
         "the truncation's loss of variance is not made up for")  # fmt: skip
def truncation_not_made_up_for(t):
    """Cut at 2 sigma the std is 0.88 of what was asked for; the correction was left out (tensorflow/tensorflow#18706)."""
    torch.nn.init.trunc_normal_(t["weight"], std=0.02, a=-0.04, b=0.04)


# ---- Distributions -----------------------------------------------------------------------------------------------------


@exhibit("foundation-model-stack/foundation-model-stack#289", linear(256, 256, "trunc_normal { std = 0.02 }"), "std", "weight",
         "the truncation at 2 sigma is missing", "absolute")  # fmt: skip
def absolute_bounds(t):
    """torch's trunc_normal_ cuts at -2 and 2, not at 2 sigma: at std 0.02 nothing is cut."""
    torch.nn.init.trunc_normal_(t["weight"], std=0.02)


F15 = linear(512, 1344, "trunc_normal { std = sqrt(2 / (512 + 1344)), bounds = 3 }")


@exhibit("Stanford CS336 assignment 1, MarkMrLi/assignment1-basics", F15, "std", "weight", "the truncation at 3 sigma is missing")
def cut_at_three(t):
    """The bounds were passed as -3 and 3 instead of 3 sigma."""
    std = math.sqrt(2 / (512 + 1344))
    torch.nn.init.trunc_normal_(t["weight"], std=std, a=-3, b=3)


@exhibit("pytorch/pytorch#145498", linear(256, 256, "trunc_normal_absolute { std = 0.02 }"), "clipped", "weight", "100 std out",
         "infinities of the inverse normal")  # fmt: skip
def mass_at_the_bounds(t):
    """trunc_normal_ in bf16: the uniform is -1 once in 256, its erfinv is -infinity, and clamping makes that -2."""
    drawn = torch.randint(0, 256, (256, 256)) / 128 - 1
    t["weight"] = (drawn.erfinv() * math.sqrt(2) * 0.02).clamp(-2, 2)


@exhibit("", linear(256, 256, "trunc_normal { std = 0.02 }"), "clipped", "weight", "clipped", "not drawn again")
def clipped_not_redrawn(t):
    """What lies beyond the bound is set to it instead of being drawn again."""
    t["weight"].normal_(0, 0.02).clamp_(-0.04, 0.04)


@exhibit("NVIDIA-NeMo/Automodel#2450", linear(256, 256, "normal { std = 0.02 }"), "distribution", "weight", "low precision", "lattice")
def drawn_in_low_precision(t):
    """The draw itself is made in bf16 and not in f32 and rounded: 256 uniforms, so 256 normals and no tails."""
    drawn = (torch.randint(0, 256, (256, 256)) + 0.5) / 128 - 1
    t["weight"] = drawn.erfinv() * math.sqrt(2) * 0.02


@exhibit("", linear(256, 256, "normal { std = 0.000001 }"), "distribution", "weight", "too small for the type")
def underflow_of_f16(t):
    """A std below the type's resolution: in f16 values come in steps of 6e-8, and many are 0."""
    t["weight"] = t["weight"].half().float()


@exhibit("yfzhang114/SliME#8", linear(256, 256, "trunc_normal { std = 0.02 }"), "std", "weight",
         "without the inverse error function")  # fmt: skip
def erfinv_deleted(t):
    """erfinv did not run in half precision, so its line was deleted: a uniform is left."""
    t["weight"].uniform_(-1, 1).mul_(math.sqrt(2) * 0.02)


@exhibit("", linear(128, 128, "normal { std = 0.02 }"), "distribution", "weight", "uniform")
def uniform_for_normal(t):
    """The std is right and the distribution another one."""
    bound = 0.02 * math.sqrt(3)
    t["weight"].uniform_(-bound, bound)


@exhibit("", linear(128, 128, "uniform { low = -0.05, high = 0.05 }"), "mean", "weight", "one-sided")
def one_sided_uniform(t):
    """JAX's uniform(scale) is drawn on [0, scale), not on [-scale, scale)."""
    t["weight"].uniform_(0, 0.05)


# ---- Seeds -------------------------------------------------------------------------------------------------------------


@exhibit("pytorch/pytorch#86274", LLAMA, "identical-layers", "layers.", "layers 0, 1, 2, 3 are equal", lint=True)
def deep_copied_layers(t):
    """A layer is made once and deep-copied, as torch.nn.TransformerEncoder does: all layers start as one."""
    for name in t:
        if ".layers." in name:
            first = ".".join(["model.layers.0", *name.split(".")[3:]])
            t[name] = t[first].clone()


@exhibit("modelscope/ms-swift#7944", MIXTRAL, "twins", "experts.", "experts", lint=True)
def experts_of_two_ranks(t):
    """Each expert-parallel rank seeds its generator alike: the experts of rank 1 are those of rank 0."""
    for name in t:
        if ".experts." in name:
            head, tail = name.split(".experts.")
            number, rest = tail.split(".", 1)
            t[name] = t[f"{head}.experts.{int(number) % 2}.{rest}"].clone()


@exhibit("nntile/nntile#21", "mlp:64,64x3,10", "twins", "layers.", "bit for bit", lint=True)
def one_seed_for_all(t):
    """Every layer is drawn from one seed: layers of one shape are equal."""
    for name in ("layers.1.weight", "layers.2.weight"):
        t[name] = t["layers.0.weight"].clone()


@exhibit("keras-team/keras#15586", "mlp:64,96,32,10", "same-stream", "layers.", "the same stream", lint=True)
def one_seed_for_all_shapes(t):
    """One seed for every initialiser: layers of other shapes and scales are the same numbers, stretched."""
    for name, tensor in t.items():
        if name.endswith("weight"):
            torch.manual_seed(42)
            tensor.copy_(torch.nn.init.normal_(tensor) / math.sqrt(tensor.shape[1]))


@exhibit("Comfy-Org/ComfyUI#15020", LLAMA, "twins", "proj.weight", "bit for bit", lint=True)
def seed_of_16_bits(t):
    """A tensor's seed is a hash of its name folded to 16 bits: two names meet."""
    t["model.layers.3.mlp.up_proj.weight"] = t["model.layers.1.mlp.gate_proj.weight"].clone()


@exhibit("modelscope/ms-swift#7944", linear(128, 128, "normal { std = 0.02 }"), "equal-rows", "weight", "one seed for every shard", lint=True)
def shards_of_one_seed(t):
    """Every rank draws its shard from the same seed: the lower half repeats the upper one."""
    t["weight"][64:] = t["weight"][:64]


@exhibit("", "mlp:64,64x2,10", "permuted-copy", "layers.1.weight", "another order", lint=True)
def transposed_copy(t):
    """One layer is the other one transposed: the same values written in another layout."""
    t["layers.1.weight"] = t["layers.0.weight"].T.clone()


@exhibit("", GPT2, "tied-differs", "lm_head.weight", "other values")
def tied_but_drawn_twice(t):
    """Tied in the config, and a later pass drew the head again."""
    t["lm_head.weight"] = torch.randn(500, 64) * 0.02


# ---- Memory ------------------------------------------------------------------------------------------------------------


@exhibit("TransformerLensOrg/TransformerLens#902", LLAMA, "nan", "down_proj.weight", "elements are NaN", lint=True)
def nan_block(t):
    """Memory from empty() that nobody filled: a block of NaN."""
    t["model.layers.2.mlp.down_proj.weight"][16:32, 8:40] = math.nan


@exhibit("ByteDance-Seed/VeOmni#163", LLAMA, "all-zero", "q_proj.weight", "are 0", lint=True)
def all_zeros(t):
    """The from-scratch model is all zeros: meta tensors were made real and not filled."""
    for tensor in t.values():
        tensor.zero_()


@exhibit("mosaicml/llm-foundry, param_init_fns.py", linear(64, 64, "glorot_normal"), "all-zero", "weight", "a gain of 0")
def gain_zero(t):
    """The xavier functions' gain is 0 unless init_gain is set."""
    torch.nn.init.xavier_normal_(t["weight"], gain=0)


@exhibit("huggingface/transformers#48932", LLAMA, "garbage", "up_proj.weight", "never filled", lint=True)
def pointers_for_weights(t):
    """Memory that nobody filled, with pointers in it: every second word is 0x7f.., the others anything."""
    weight = t["model.layers.1.mlp.up_proj.weight"]
    words = 0x7F0000000000 + torch.randint(0, 2**36, (weight.numel() // 2,)) * 16
    weight.copy_(words.view(torch.float32).view(weight.shape).nan_to_num(0, 0, 0))


@exhibit("huggingface/torchMoji#11", LLAMA, "garbage", "embed_tokens.weight", "never filled", lint=True)
def values_up_to_1e38(t):
    """New embedding rows are left as memory had them: values up to 1e38."""
    t["model.embed_tokens.weight"][480:] = torch.randint(0, 2**31 - 2**24, (20, 64), dtype=torch.int32).view(torch.float32)


@exhibit("pytorch/pytorch#17898", linear(64, 1024, "normal { std = 0.02 }"), "zero-rows", "weight", "the tail was never filled", "from element 49152", "2^31")
def tail_not_filled(t):
    """A count of elements overflows: what lies beyond it stays zero (here 3/4 of a small tensor, there 2^31)."""
    t["weight"].view(-1)[49152:] = 0


@exhibit("tensorflow/tensorflow#19473", linear(64, 1024, "normal { std = 0.02 }"), "equal-rows", "weight", "rows", lint=True)
def tail_repeated(t):
    """The generator's counter wraps: the tail is the beginning once more."""
    t["weight"][768:] = t["weight"][:256]


@exhibit("hiyouga/LlamaFactory#10547", LLAMA, "zero-rows", "embed_tokens.weight", "all zero", lint=True)
def rows_added_and_not_filled(t):
    """The embedding is enlarged to a multiple of 64 and the new rows missed."""
    t["model.embed_tokens.weight"][490:] = 0


@exhibit("NVIDIA/Megatron-LM#6799", LLAMA, "zero-rows", "o_proj.weight", "columns 32 to 63", "a shard that was not loaded", lint=True)
def shard_along_inputs_not_filled(t):
    """A tensor-parallel shard keeps what its memory had: half of the columns of a row-parallel weight are zero."""
    t["model.layers.1.self_attn.o_proj.weight"][:, 32:] = 0


@exhibit("", GPT2, "same-stream", "c_fc.weight", "the same stream", lint=True)
def mirrored_draws(t):
    """Antithetic draws by mistake: one layer's values are another's with the sign turned, at another scale."""
    t["transformer.h.2.mlp.c_fc.weight"] = t["transformer.h.1.mlp.c_fc.weight"] * -1.5


# ---- Constants ---------------------------------------------------------------------------------------------------------


@exhibit("google-research/flood-forecasting#289", """local x = input { "batch", "time", 16 }
x = x >> lstm("lstm", 16, 64, { layers = 3, bidirectional = true })
rule("*.bias_hh*", forget_bias { value = 3 })
rule("*.bias_ih*", zeros)
rule("*", glorot_uniform)
""", "constant-value", "lstm.bias_hh_l", "left at 0", "forget gate")  # fmt: skip
def forget_bias_of_one_layer(t):
    """The forget bias reaches the first layer only; deeper layers and reverse directions keep zero."""
    for name, tensor in t.items():
        if ".bias_hh" in name and not name.endswith("_l0"):
            tensor.zero_()


@exhibit("swiss-ai/Megatron-LM#115", TABLE.format(padding=""), "equal-rows", "wte.weight", "vocabulary padding", lint=True)
def padding_rows_are_copies(t):
    """The vocabulary is padded by repeating the last row: those tokens start as one."""
    t["wte.weight"][1000:] = t["wte.weight"][999]


@exhibit("", BERT, "padding-row", "word_embeddings.weight", "the whole tensor was drawn", "padding")
def padding_row_drawn_over(t):
    """normal_ over the whole embedding also draws the row of padding_idx."""
    t["bert.embeddings.word_embeddings.weight"][0].normal_(0, 0.02)


@exhibit("", GEMMA, "constant-value", "layernorm.weight",
         "1 + weight")  # fmt: skip
def gemma_norms_of_one(t):
    """Gemma multiplies by 1 + weight; a generic pass sets norms to 1, and the scale is 2."""
    for name, tensor in t.items():
        if name.endswith("norm.weight"):
            tensor.fill_(1)


@exhibit("", LLAMA, "constant-value", "layernorm.weight", "drawn")
def norms_drawn(t):
    """Dummy values are drawn for every tensor, norm weights too: they start near 0."""
    for name, tensor in t.items():
        if name.endswith("norm.weight"):
            tensor.uniform_(-1e-3, 1e-3)


@exhibit("allenai/allennlp#199", BERT, "constant-value", "query.bias", "drawn")
def biases_drawn(t):
    """A rule for everything comes first: biases are drawn where zero is meant."""
    normal(t, "query.bias", 0.02)


BATCH_NORM = """local x = input { "batch", 3, 8, 8 }
x = x >> conv2d("conv", 3, 64, { bias = false }) >> batch_norm("bn", 64) >> activation("relu")
rule("conv.weight", he_normal { mode = "fan_out" })
rule("bn.weight", ones)
rule("*", zeros)
"""


@exhibit("", BATCH_NORM, "constant-value", "bn.running_var", "variance of 0")
def running_variance_zero(t):
    """A running variance made by empty or zeros: the first evaluation divides by sqrt(eps)."""
    t["bn.running_var"].zero_()


@exhibit("", """local x = repeated("layer", 2, input { "batch", 16, 8, 8 }, function(x)
    local o = { bias = false, padding = 1 }
    return x + (x >> conv2d("conv1", 16, 16, o) >> batch_norm("bn1", 16) >> activation("relu")
                  >> conv2d("conv2", 16, 16, o) >> batch_norm("bn2", 16))
end)
rule("*.conv?.weight", he_normal { mode = "fan_out" })
rule("*.bn2.weight", zeros, "zero_init_residual")
rule("*.bn1.weight", ones)
rule("*", zeros)
""", "constant-value", "bn2.weight", "residual")  # fmt: skip
def zero_init_residual_lost(t):
    """The last norm of each block should start at zero; a loop over all norms sets it to one."""
    for name, tensor in t.items():
        if name.endswith("bn2.weight"):
            tensor.fill_(1)


LORA = """local x = input { "batch", 64 }
x = x >> linear("lora_A", 64, 8, { bias = false }) >> linear("lora_B", 8, 64, { bias = false })
rule("lora_A.weight", he_uniform { gain = 1 / sqrt(3) })
rule("lora_B.weight", zeros)
"""


@exhibit("ggml-org/llama.cpp#4082", LORA, "constant-value", "lora_B.weight", "drawn")
def lora_both_random(t):
    """LoRA's B is drawn too: the adapter changes the model before it has learned."""
    normal(t, "lora_B.weight", 0.02)


@exhibit("", LORA, "all-zero", "lora_A.weight", "never filled, or a gain of 0")
def lora_both_zero(t):
    """A is zero as well as B: no gradient ever flows."""
    t["lora_A.weight"].zero_()


A_LOG = """param("A_log", { 32 }, { kind = "other" })
param("proj.weight", { 32, 64 }, { kind = "linear" })
rule("A_log", uniform { low = -2, high = 2.77 })
rule("*", normal { std = 0.02 })
"""


@exhibit("huggingface/transformers#47831", A_LOG, "inf", "A_log", "logarithm of a zero", lint=True)
def logarithm_of_zero(t):
    """log(uniform(0, 16)) in bf16: the uniform is 0 once in 512, and that head is dead."""
    t["A_log"][7] = -math.inf


@exhibit("", LLAMA, "sibling-std", "layers.2.mlp.up_proj.weight", "std", lint=True)
def one_layer_again(t):
    """One layer was initialised again by another rule."""
    normal(t, "layers.2.mlp.up_proj.weight", 0.2)


# ---- The page ----------------------------------------------------------------------------------------------------------

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "museum.md"


def page():
    """docs/museum.md with its list as it is here."""
    head, _, rest = PAGE.read_text().partition("<!-- list exhibits -->\n")
    lines = ["| exhibit | what went wrong | where | the finding | its cause, in words |", "| --- | --- | --- | --- | --- |"]
    for of in MUSEUM.values():
        code = f"`{of.code}`" + ("" if of.lint else " *with a source*")
        words = " ... ".join(of.words).replace("|", "\\|")
        lines.append(f"| `{of.name}` | {of.story} | {of.thread or '-'} | {code} | {words} |")
    return head + "<!-- list exhibits -->\n" + "\n".join(lines) + "\n<!-- end -->" + rest.partition("<!-- end -->")[2]


def main():
    if sys.argv[1:] == ["--page"]:
        PAGE.write_text(page())
        return 0
    if len(sys.argv) != 3 or sys.argv[1] not in MUSEUM:
        print("usage: museum.py NAME FOLDER; NAME is one of:", *MUSEUM, sep="\n    ")
        return 2
    of, folder = MUSEUM[sys.argv[1]], pathlib.Path(sys.argv[2])
    rest = make(of, folder)
    print(of.story, f"({of.thread})")
    print(" ".join(["sow check", str(folder / "broken.safetensors"), *(f"'{word}'" if "*" in word else word for word in rest)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
