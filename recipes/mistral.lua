-- SPDX-License-Identifier: MIT
-- Mistral (Jiang et al. 2023), as transformers stores it. The forward pass is `decoder` (the prelude's).
-- Defaults and null handling: MistralConfig of transformers 5.24.0: num_key_value_heads
-- left out is 8, and null is refused; head_dim null (or 0) is hidden_size // num_attention_heads. No biases anywhere.
-- Classes: MistralForCausalLM, MistralModel (no prefix, no head) and the generic heads. pad_token_id zeroes its row of embed_tokens.
local c = config { "MistralConfig of transformers 5.24.0",
    unread { max_position_embeddings = integer, use_cache = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), rope_parameters = optional(rope), attention_dropout = fraction },
    vocab_size = size(32000), hidden_size = size(4096), intermediate_size = size(14336),
    num_hidden_layers = depth(32), num_attention_heads = size(32),
    num_key_value_heads = 8, head_dim = optional(integer, "hidden_size // num_attention_heads"), hidden_act = "silu",
    rms_norm_eps = 1e-6, initializer_range = 0.02, tie_word_embeddings = false, pad_token_id = optional(integer),
    sliding_window = nullable(4096) }

local heads = c.num_attention_heads
local head_dim = c.head_dim ~= 0 and c.head_dim or c.hidden_size // heads

local _, biased = decoder(c, { class = "Mistral", questions = "model", max_position = 131072,
             kv_heads = c.num_key_value_heads, head_dim = head_dim,
             window = c.sliding_window })

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
