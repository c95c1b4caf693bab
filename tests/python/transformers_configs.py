# SPDX-License-Identifier: MIT
"""Grids of small configs of the families of transformers, and the library's answer to one of them. No tests here."""
import pytest

torch = pytest.importorskip("torch", reason="torch runs the models")
transformers = pytest.importorskip("transformers", reason="transformers is the judge")
ABSENT = object()

LLAMA_LIKE = {
    "vocab_size": [97, 128],
    "hidden_size": [32, 48, 64, 36, 66],
    "intermediate_size": [40, 128],
    "num_hidden_layers": [1, 2, 3, 0],
    "num_attention_heads": [4, 2, 6, 8],
    "num_key_value_heads": [2, ABSENT, None, 1, 4, 3],
    "head_dim": [ABSENT, None, 8, 16, 20, 5],
    "tie_word_embeddings": [ABSENT, True, False, True, False, None],
    "attention_bias": [ABSENT, True, False],
    "mlp_bias": [ABSENT, True, False],
    "hidden_act": [ABSENT, "silu", "gelu", "relu2", "gelu_pytorch_tanh", "quick_gelu", "siluu"],
    "pad_token_id": [ABSENT, None, 0, 5, -1, -3, 200],
    "initializer_range": [ABSENT, 0.01, 0.0],
    "rms_norm_eps": [ABSENT, 1e-5],
    "layer_types": [ABSENT, ABSENT, ABSENT, "full", "short", "foreign"],
    "architectures": [
        ABSENT, ABSENT, "ForCausalLM", "Model", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
    ],
    "dtype": [ABSENT, "bfloat16", None],
}
GPT2 = {
    "vocab_size": [97, 128],
    "n_positions": [ABSENT, 16, 32],
    "n_embd": [32, 48, 36, 66],
    "n_layer": [1, 2, 3, 0],
    "n_head": [4, 2, 6],
    "n_inner": [ABSENT, None, 40, 130],
    "activation_function": [ABSENT, "gelu_new", "relu", "tanh", "gelu_neu"],
    "tie_word_embeddings": [ABSENT, True, False, None],
    "pad_token_id": [ABSENT, None, 5, -1],
    "initializer_range": [ABSENT, 0.01, 0.0],
    "hidden_size": [ABSENT, ABSENT, ABSENT, 24],
    "architectures": [
        ABSENT, ABSENT, "LMHeadModel", "Model", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
    ],
    "dtype": [ABSENT, "float16"],
}
MIXTRAL = LLAMA_LIKE | {"num_local_experts": [3, ABSENT, 1, 4], "num_experts_per_tok": [2, ABSENT, 1, 3, 5]}
GEMMA = LLAMA_LIKE | {"use_bidirectional_attention": [ABSENT, None, True, False]}
BERT = {
    "vocab_size": [97, 128],
    "hidden_size": [32, 48, 36, 66],
    "num_hidden_layers": [1, 2, 3, 0],
    "num_attention_heads": [4, 2, 6],
    "intermediate_size": [40, 128],
    "hidden_act": [ABSENT, "gelu", "relu", "gelu_neu", "prelu"],
    "max_position_embeddings": [16, 32],
    "type_vocab_size": [ABSENT, 1, 3],
    "initializer_range": [ABSENT, 0.01, 0.0],
    "layer_norm_eps": [ABSENT, 1e-5],
    "pad_token_id": [ABSENT, None, 0, 5, -1, 200],
    "is_decoder": [ABSENT, False, True, None],
    "tie_word_embeddings": [ABSENT, True, False, None],
    "num_labels": [ABSENT, ABSENT, 1, 5, 2.0, None],
    "id2label": [ABSENT, ABSENT, {"0": "a", "1": "b", "2": "c"}, None, {"a": "b"}, ["a", "b"], {"0": "a", "00": "b"}],
    "architectures": [
        ABSENT, "ForMaskedLM", "ForPreTraining", "Model", "LMHeadModel", "ForSequenceClassification", "ForTokenClassification",
        "ForNextSentencePrediction", "ForMultipleChoice", "ForQuestionAnswering", "Pooler",
    ],
    "dtype": [ABSENT, "float16"],
}  # fmt: skip
GRIDS = {"gpt2": GPT2, "bert": BERT, "gemma": GEMMA, "mixtral": MIXTRAL}
CLASS = {"bert": "Bert", "gemma": "Gemma", "mixtral": "Mixtral", "gpt2": "GPT2", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def on_disk(name, shape):
    """The tensors that save_pretrained makes of one: it splits Mixtral's stacked experts (test_saved_names... holds it)."""
    stem, _, last = name.rpartition(".mlp.experts.")
    if ".mlp.gate." in name:
        return {name.replace(".mlp.", ".block_sparse_moe."): shape}
    if not stem:
        return {name: shape}
    half = [shape[1] // 2, shape[2]] if last == "gate_up_proj" else shape[1:]
    parts = ("w1", "w3") if last == "gate_up_proj" else ("w2",)
    return {f"{stem}.block_sparse_moe.experts.{i}.{w}.weight": half for i in range(shape[0]) for w in parts}


def judge(config):
    """(names to shapes, padding row or None), or a text that says why the library refuses."""
    family = config["model_type"]
    try:
        made = transformers.CONFIG_MAPPING[family].from_dict(dict(config))
        made._experts_implementation = "batched_mm"  # the one that runs on the meta device in float32
        names = config.get("architectures") or []
        auto = transformers.AutoModelForMaskedLM if family == "bert" else transformers.AutoModelForCausalLM
        kind = getattr(transformers, names[0]) if names else auto
        with torch.device("meta"):
            model = kind(made) if names else kind.from_config(made)
            model.config.pad_token_id = None  # built in already; in a run it would look at the tokens' values
            shape = (1, 2, 3) if "ForMultipleChoice" in str(names) else (1, 3)
            model(torch.zeros(shape, dtype=torch.long))
    except ImportError:
        raise  # a judge that is not there
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    shapes = {}
    for name, tensor in model.named_parameters():
        shapes |= on_disk(name, list(tensor.shape))
    return shapes, model.get_input_embeddings().padding_idx
