-- SPDX-License-Identifier: MIT
-- Gemma (Gemma Team 2024), as transformers stores it. The forward pass is `decoder` (the prelude's): embeddings times
-- sqrt(hidden_size), and normalisations whose scale is 1 + weight, so that their weights start at 0.
-- Defaults and null handling: GemmaConfig of transformers 5.24.0. head_dim is 256 and num_key_value_heads 16 whatever the
-- rest, null is refused; pad_token_id, left out, is 0 and zeroes that row of embed_tokens. hidden_act "gelu" means the
-- tanh form, as in the first release. Classes: GemmaForCausalLM, GemmaModel (no prefix, no head) and the generic heads.
local c = config { "GemmaConfig of transformers 5.24.0",
    unread { max_position_embeddings = integer, use_cache = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), rope_parameters = optional(rope), attention_dropout = fraction },
    vocab_size = size(256000), hidden_size = size(3072), intermediate_size = size(24576), num_hidden_layers = depth(28),
    num_attention_heads = size(16), num_key_value_heads = 16, head_dim = 256, hidden_act = "gelu_pytorch_tanh",
    rms_norm_eps = 1e-6, initializer_range = 0.02, tie_word_embeddings = true, attention_bias = false,
    pad_token_id = nullable(0), use_bidirectional_attention = optional(boolean) }

if c.hidden_act == "gelu" then
    note("hidden_act is \"gelu\": gelu_pytorch_tanh, as GemmaConfig reads it")
end

local _, biased = decoder(c, { class = "Gemma", max_position = 8192,
             kv_heads = c.num_key_value_heads, head_dim = c.head_dim, qkv_bias = c.attention_bias,
             o_bias = c.attention_bias, norm_offset = 1, embedding_scale = sqrt(c.hidden_size),
             causal = not c.use_bidirectional_attention, act = c.hidden_act == "gelu" and "gelu_pytorch_tanh" or nil })

-- ---- Initial values ----

local std = c.initializer_range ~= 0 and c.initializer_range or 0.02 -- the library reads 0 as "not given"
local norms = "the scale is 1 + weight: at 0 a normalisation is the identity"

variant("transformers", "huggingface/transformers, src/transformers/models/gemma/modeling_gemma.py, "
        .. "GemmaPreTrainedModel._init_weights, v5.24.0", function()
    rule("*norm.weight", zeros, norms)
    if biased then
        rule("*.bias", zeros, "a bias starts at 0: the random weights already make the units differ")
    end
    rule("*", normal { std = std }, "a small normal, std = initializer_range, whatever the depth")
end)

variant("deepmind", "google-deepmind/gemma, gemma/modules.py and layers.py: nn.initializers.normal(), whose std is 0.01 "
        .. "(code for inference; how Gemma was trained is not public)", function()
    padding_drawn()
    rule("*norm.weight", zeros, norms)
    if biased then
        rule("*.bias", zeros, "a bias starts at 0: the random weights already make the units differ")
    end
    rule("*", normal { std = 0.01 }, "JAX' default normal, std 0.01")
end)
