-- SPDX-License-Identifier: MIT
-- Mixtral (Jiang et al. 2024), as transformers saves it: Mistral's decoder with a mixture of experts for each MLP. In
-- memory the library stacks the experts into two tensors; on disk each has its own w1 (gate), w3 (up) and w2 (down), in
-- (out, in), and that is what stands here.
-- Defaults and null handling: MixtralConfig of transformers 5.24.0; num_key_value_heads left out is 8, and null is
-- refused; head_dim null (or 0) is hidden_size // num_attention_heads.
-- Classes: MixtralForCausalLM, MixtralModel (no prefix, no head) and the generic heads. pad_token_id zeroes its row of embed_tokens.
local c = config { "MixtralConfig of transformers 5.24.0",
    unread { max_position_embeddings = integer, use_cache = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), rope_parameters = optional(rope), attention_dropout = fraction,
             output_router_logits = boolean, router_aux_loss_coef = number, router_jitter_noise = number },
    vocab_size = size(32000), hidden_size = size(4096), intermediate_size = size(14336), num_hidden_layers = depth(32),
    num_attention_heads = size(32), num_key_value_heads = 8,
    head_dim = optional(integer, "hidden_size // num_attention_heads"), hidden_act = "silu", rms_norm_eps = 1e-5,
    initializer_range = 0.02, tie_word_embeddings = false, pad_token_id = optional(integer),
    sliding_window = optional(integer), num_local_experts = also("num_experts", size(8)), num_experts_per_tok = size(2) }

local count, top_k = c.num_local_experts, c.num_experts_per_tok
if count > 4095 then
    refuse("num_local_experts", "at most 4095 are possible")
end
if top_k > count then
    refuse("num_experts_per_tok", "a token cannot go to more than the " .. count .. " experts there are")
end

local function mixture(c, how, act, h)
    local d, ff = c.hidden_size, c.intermediate_size
    local function expert(x)
        local gate = x >> linear("w1", d, ff, { bias = false, role = "mlp.gate" }) >> act
        local up = x >> linear("w3", d, ff, { bias = false, role = "mlp.up" })
        return gate * up >> linear("w2", ff, d, { bias = false, role = "residual.output" })
    end
    return scope("block_sparse_moe", function()
        return h >> experts { router = linear("gate", d, count, { bias = false, role = "router" }), experts = count,
                              top_k = top_k, expert = expert }
    end)
end

local _, biased = decoder(c, { class = "Mixtral", questions = "model", max_position = 131072, rope_theta = 1000000,
             kv_heads = c.num_key_value_heads, window = c.sliding_window, mlp = mixture,
             head_dim = c.head_dim and c.head_dim ~= 0 and c.head_dim or c.hidden_size // c.num_attention_heads })

-- ---- Initial values ----

local std = c.initializer_range ~= 0 and c.initializer_range or 0.02 -- the library reads 0 as "not given"

variant("transformers", "huggingface/transformers, src/transformers/models/mixtral/modeling_mixtral.py, "
        .. "MixtralPreTrainedModel._init_weights, v5.24.0", function()
    rule("*norm.weight", ones, "a normalisation starts as the identity: scale 1")
    if c.num_hidden_layers > 0 then
        rule("*.block_sparse_moe.*", normal { std = c.initializer_range }, "experts and router: a small normal, std = "
             .. "initializer_range, also when that is 0")
    end
    if biased then
        rule("*.bias", zeros, "a bias starts at 0: the random weights already make the units differ")
    end
    rule("*", normal { std = std }, "a small normal, std = initializer_range, whatever the depth")
end)
