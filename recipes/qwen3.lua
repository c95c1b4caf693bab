-- SPDX-License-Identifier: MIT
-- Qwen3 (Yang et al. 2025), as transformers stores it. The forward pass is `decoder` (the prelude's).
-- Defaults and null handling: Qwen3Config of transformers 5.24.0: head_dim is 128
-- whatever the heads, and null is refused; num_key_value_heads left out is 32, and null is num_attention_heads.
-- q and k are normalised head by head.
-- Classes: Qwen3ForCausalLM, Qwen3Model (no prefix, no head) and the generic heads. pad_token_id zeroes its row of embed_tokens.
local c = config { "Qwen3Config of transformers 5.24.0",
    unread { max_position_embeddings = integer, use_cache = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), rope_parameters = optional(rope), attention_dropout = fraction,
             use_sliding_window = boolean, sliding_window = optional(integer), max_window_layers = integer,
             layer_types = optional(texts) },
    vocab_size = size(151936), hidden_size = size(4096), intermediate_size = size(22016),
    num_hidden_layers = depth(32), num_attention_heads = size(32),
    num_key_value_heads = nullable(32, "num_attention_heads"), head_dim = 128, hidden_act = "silu", rms_norm_eps = 1e-6,
    initializer_range = 0.02, tie_word_embeddings = false, attention_bias = false, pad_token_id = optional(integer) }

local _, biased = decoder(c, { class = "Qwen3", questions = "transformer", max_position = 32768,
             kv_heads = c.num_key_value_heads or c.num_attention_heads, head_dim = c.head_dim,
             qkv_bias = c.attention_bias, o_bias = c.attention_bias, qk_norm = true })

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
