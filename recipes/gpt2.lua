-- SPDX-License-Identifier: MIT
-- GPT-2 (Radford et al. 2019) as transformers stores it: projections are Conv1D, whose weights are (in, out).
-- Defaults and null handling: GPT2Config of transformers 5.24.0. GPT2Model has no prefix and no head.
-- pad_token_id zeroes no row here: GPT2Model gives its embeddings no padding_idx.
local c = config { "GPT2Config of transformers 5.24.0",
    unread { resid_pdrop = fraction, embd_pdrop = fraction, attn_pdrop = fraction, summary_type = text,
             summary_use_proj = boolean, summary_activation = optional(text), summary_proj_to_labels = boolean,
             summary_first_dropout = real, scale_attn_weights = boolean, use_cache = boolean,
             bos_token_id = optional(integer), eos_token_id = optional(integers), pad_token_id = optional(integer),
             scale_attn_by_inverse_layer_idx = boolean, reorder_and_upcast_attn = boolean,
             add_cross_attention = boolean },
    vocab_size = size(50257), n_positions = also("max_position_embeddings", size(1024)),
    n_embd = also("hidden_size", size(768)), n_layer = also("num_hidden_layers", depth(12)),
    n_head = also("num_attention_heads", size(12)), n_inner = optional(integer, "4 * n_embd"),
    activation_function = "gelu_new", layer_norm_epsilon = 1e-5, initializer_range = 0.02, tie_word_embeddings = true }

local d = c.n_embd
local ff = c.n_inner or 4 * d
local class = architecture("GPT2", { "GPT2LMHeadModel", "GPT2Model", "GPT2ForSequenceClassification",
                                     "GPT2ForTokenClassification", "GPT2ForQuestionAnswering" })
local bare = class == "GPT2Model"
local act = transformers_activation("activation_function", c.activation_function)

if d % c.n_head ~= 0 then
    refuse("n_head", "it must divide n_embd, which is " .. d)
end

local function block(x)
    local eps = { eps = c.layer_norm_epsilon }
    local qkv = x >> layer_norm("ln_1", d, eps)
                  >> linear("attn.c_attn", d, 3 * d, { layout = "in-out", blocks = { d, d, d }, role = "attention.qkv" })
    x = x + (qkv >> attention { heads = c.n_head, causal = true }
                 >> linear("attn.c_proj", d, d, { layout = "in-out", role = "residual.output" }))
    return x + (x >> layer_norm("ln_2", d, eps)
                  >> linear("mlp.c_fc", d, ff, { layout = "in-out", role = "mlp.up" }) >> act
                  >> linear("mlp.c_proj", ff, d, { layout = "in-out", role = "residual.output" }))
end

local x
scope(bare and "" or "transformer", function()
    x = (tokens() >> embedding("wte", c.vocab_size, d)) + (positions() >> embedding("wpe", c.n_positions, d))
    x = repeated("h", c.n_layer, x, block)
    x = x >> layer_norm("ln_f", d, { eps = c.layer_norm_epsilon })
end)
if class == "GPT2LMHeadModel" and c.tie_word_embeddings then
    x = x >> tied("lm_head.weight", "transformer.wte.weight")
elseif class == "GPT2LMHeadModel" then
    x = x >> linear("lm_head", d, c.vocab_size, { bias = false, role = "head" })
elseif class == "GPT2ForSequenceClassification" then
    x = x >> linear("score", d, labels(), { bias = false, role = "head" })
elseif class == "GPT2ForTokenClassification" then
    x = x >> linear("classifier", d, labels(), { role = "head" })
elseif class == "GPT2ForQuestionAnswering" then
    x = x >> linear("qa_outputs", d, 2, { role = "head" })
end

-- ---- Initial values ----

local deep = c.n_layer > 0
local std_or = c.initializer_range ~= 0 and c.initializer_range or 0.02 -- the library's generic rule reads 0 as "not given"

local norms = "a normalisation starts as the identity: scale 1"
local biases = "a bias starts at 0: the random weights already make the units differ"
local residual = "residual output projection: / sqrt(2 * " .. c.n_layer .. " layers), so that the sum of all branches "
                 .. "keeps the residual stream's scale independent of depth"

variant("transformers", "huggingface/transformers, src/transformers/models/gpt2/modeling_gpt2.py, "
        .. "GPT2PreTrainedModel._init_weights, v5.24.0 (v4 alike)", function()
    if deep then
        rule("*.c_proj.weight", normal { std = c.initializer_range / sqrt(2 * c.n_layer) }, residual)
        rule("*h.*.c_*.weight", normal { std = c.initializer_range }, "a small normal, std = initializer_range")
    end
    rule("*ln_*.weight", ones, norms)
    rule("*.bias", zeros, biases)
    rule("*", normal { std = std_or }, "a small normal, std = initializer_range")
end)

variant("openai", "openai/gpt-2, src/model.py (the authors' public code, no release): w_init_stdev 0.02, wpe 0.01, "
        .. "no scaling of residual projections", function()
    rule("*wpe.weight", normal { std = 0.01 }, "positions are drawn at half the tokens' spread")
    rule("*ln_*.weight", ones, norms)
    rule("*.bias", zeros, biases)
    rule("*", normal { std = 0.02 }, "a small normal, std 0.02, residual projections too")
end)

variant("nanogpt", "karpathy/nanoGPT, model.py, GPT._init_weights and GPT.__init__ (master; no release)", function()
    if deep then
        rule("*.c_proj.weight", normal { std = 0.02 / sqrt(2 * c.n_layer) }, residual)
    end
    rule("*ln_*.weight", ones, norms)
    rule("*.bias", zeros, biases)
    rule("*", normal { std = 0.02 }, "a small normal, std 0.02")
end)
