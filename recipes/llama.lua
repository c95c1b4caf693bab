-- SPDX-License-Identifier: MIT
-- Llama (Touvron et al. 2023), Llama 2 and 3, as transformers stores it. The forward pass is `decoder` (the prelude's).
-- Defaults and null handling: LlamaConfig of transformers 5.24.0; head_dim and num_key_value_heads may be null.
-- The config class refuses a hidden_size that the heads do not divide, even beside an explicit head_dim.
-- Classes: LlamaForCausalLM, LlamaModel (no prefix, no head) and the generic heads. pad_token_id zeroes its row of embed_tokens.
local c = config { "LlamaConfig of transformers 5.24.0",
    unread { max_position_embeddings = integer, use_cache = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), pretraining_tp = optional(integer), rope_parameters = optional(rope),
             attention_dropout = fraction },
    vocab_size = size(32000), hidden_size = size(4096), intermediate_size = size(11008),
    num_hidden_layers = depth(32), num_attention_heads = size(32),
    num_key_value_heads = optional(integer, "num_attention_heads"),
    head_dim = optional(integer, "hidden_size / num_attention_heads"), hidden_act = "silu", rms_norm_eps = 1e-6,
    initializer_range = 0.02, tie_word_embeddings = false, attention_bias = false, mlp_bias = false,
    pad_token_id = optional(integer) }

local heads = c.num_attention_heads
if c.hidden_size % heads ~= 0 then
    refuse("hidden_size", "it must be a multiple of num_attention_heads, which is " .. heads)
end
if c.initializer_range < 0 or c.initializer_range > 1 then
    refuse("initializer_range", "LlamaConfig takes 0 to 1")
end

local _, biased = decoder(c, { class = "Llama", questions = "transformer", max_position = 2048,
             kv_heads = c.num_key_value_heads or heads,
             head_dim = c.head_dim or c.hidden_size // heads, qkv_bias = c.attention_bias, o_bias = c.attention_bias,
             mlp_bias = c.mlp_bias })

-- ---- Initial values ----

local std = c.initializer_range ~= 0 and c.initializer_range or 0.02 -- the library reads 0 as "not given"

variant("transformers", "huggingface/transformers, src/transformers/modeling_utils.py, PreTrainedModel._init_weights, "
        .. "v5.24.0", function()
    rule("*norm.weight", ones, "a normalisation starts as the identity: scale 1")
    if biased then
        rule("*.bias", zeros, "a bias starts at 0: the random weights already make the units differ")
    end
    rule("*", normal { std = std }, "a small normal, std = initializer_range, whatever the depth")
end)
