-- SPDX-License-Identifier: MIT
-- The pre-norm decoder with gated MLPs and rotary attention that Llama, Mistral, Mixtral, Qwen2, Qwen3 and Gemma share, as
-- transformers names it (modeling_llama.py and its sisters, 5.24.0). What differs is the recipes' to say.
local host = ...
local words = host.words

-- What the config says, whatever its kind: the class has checked it.
local function given(name)
    local state, value = host.field(name)
    return state == "value" and value or nil
end

local function is_rope_object(name)
    local state, value, form = host.field(name)
    return state == "value" and form == "object" and next(value) ~= nil and value or nil
end

-- How positions turn queries and keys, as modeling_rope_utils.py of transformers 5.24.0 computes it, and by what it
-- multiplies both. rope_scaling goes before rope_parameters, and what stands in either before fields of their own.
local function rope_of(how)
    local object = is_rope_object("rope_scaling") or is_rope_object("rope_parameters") or {}
    local kind, factor = object.rope_type or object.type or "default", object.factor
    local longest = given("max_position_embeddings") or how.max_position
    local rope = { theta = object.rope_theta or given("rope_theta") or how.rope_theta or 10000 }
    local original = object.original_max_position_embeddings or longest
    if kind == "linear" then
        rope.kind, rope.factor = kind, factor
    elseif kind == "dynamic" then
        rope.kind, rope.factor, rope.original = kind, factor, longest
    elseif kind == "llama3" then
        rope.kind, rope.factor, rope.original = kind, factor, original
        rope.low, rope.high = object.low_freq_factor, object.high_freq_factor
    elseif kind == "yarn" then
        rope.kind, rope.factor, rope.original = kind, factor, original
        rope.low, rope.high = object.beta_slow or 1, object.beta_fast or 32
        rope.fractions = object.truncate == false
        local function mscale(m)
            return factor <= 1 and 1 or 0.1 * m * host.log(factor) + 1
        end
        local m, all = object.mscale or 0, object.mscale_all_dim or 0
        return rope, object.attention_factor or (m ~= 0 and all ~= 0 and mscale(m) / mscale(all)) or mscale(1)
    elseif kind == "proportional" then
        rope.kind, rope.factor = kind, factor
        rope.share = object.partial_rotary_factor or given("partial_rotary_factor")
    elseif kind == "longrope" then
        words.note("rope_type is longrope: signals are followed with the angles of the default kind")
    end
    return rope, 1
end

-- The MLP of a layer: down(act(gate(h)) * up(h)).
local function gated_mlp(c, how, act, h)
    local d, ff, bias = c.hidden_size, c.intermediate_size, how.mlp_bias or false
    local gate = h >> words.linear("mlp.gate_proj", d, ff, { bias = bias, role = "mlp.gate" }) >> act
    local up = h >> words.linear("mlp.up_proj", d, ff, { bias = bias, role = "mlp.up" })
    return gate * up >> words.linear("mlp.down_proj", ff, d, { bias = bias, role = "residual.output" })
end

local function block(c, how, act, x)
    local d, heads, kv, hd = c.hidden_size, c.num_attention_heads, how.kv_heads, how.head_dim
    local norm = { eps = c.rms_norm_eps, offset = how.norm_offset or 0 }
    local h = x >> words.rms_norm("input_layernorm", d, norm)
    local q = h >> words.linear("self_attn.q_proj", d, heads * hd, { bias = how.qkv_bias or false, role = "attention.query" })
    local k = h >> words.linear("self_attn.k_proj", d, kv * hd, { bias = how.qkv_bias or false, role = "attention.key" })
    local v = h >> words.linear("self_attn.v_proj", d, kv * hd, { bias = how.qkv_bias or false, role = "attention.value" })
    if how.qk_norm then
        q = q >> words.split_heads(heads) >> words.rms_norm("self_attn.q_norm", hd, norm) >> words.merge_heads()
        k = k >> words.split_heads(kv) >> words.rms_norm("self_attn.k_norm", hd, norm) >> words.merge_heads()
    end
    -- a window below 1, which transformers takes, is none
    local attention = words.attention { heads = heads, kv_heads = kv, head_dim = hd, causal = how.causal ~= false,
                                        rotary = true, rope = how.rope, window = (how.window or 0) > 0 and how.window,
                                        scale = how.rope_size ~= 1 and how.rope_size * how.rope_size / host.sqrt(hd) }
    x = x + (words.bundle(q, k, v) >> attention
               >> words.linear("self_attn.o_proj", heads * hd, d, { bias = how.o_bias or false, role = "residual.output" }))
    return x + (how.mlp or gated_mlp)(c, how, act, x >> words.rms_norm("post_attention_layernorm", d, norm))
end

-- configuration_utils.ALLOWED_LAYER_TYPES of transformers 5.24.0, and its older words. They change no tensor here.
local layer_types = {}
for _, kind in ipairs { "full_attention", "sliding_attention", "chunked_attention", "window_attention", "indexed_attention",
                        "compressed_sparse_attention", "heavily_compressed_attention", "minimax_m3_sparse", "conv", "moe",
                        "hybrid", "hybrid_sliding", "reference_sliding_attention", "linear_attention", "mamba", "attention",
                        "deepseek_sparse_attention", "qwen_sparse_attention" } do
    layer_types[kind] = true
end

-- What transformers refuses when it builds or first runs such a model.
local function check(c, how)
    local heads, kv = c.num_attention_heads, how.kv_heads
    if kv < 1 or (heads % kv ~= 0 and c.num_hidden_layers > 0) then
        words.refuse("num_key_value_heads", string.format("%d attention heads cannot share %d key-value heads evenly", heads,
                                                          kv))
    end
    if how.head_dim < 1 or how.head_dim % 2 ~= 0 then
        words.refuse("head_dim", string.format("rotary attention needs an even head_dim, and this is %d", how.head_dim))
    end
    words.check_padding("pad_token_id", c.vocab_size)
    local state, types = host.field("layer_types")
    if state ~= "value" then
        return
    end
    if type(types) ~= "table" or #types ~= c.num_hidden_layers then
        words.refuse("layer_types", string.format("it must be a list of %d entries, one a layer", c.num_hidden_layers))
    end
    for i, kind in ipairs(types) do
        if not layer_types[kind] then
            words.refuse("layer_types", string.format("entry %d, %s, is no kind of layer of transformers", i, tostring(kind)))
        end
    end
end

-- What modeling_layers.py of transformers 5.24.0 puts on every token's vector, by the class' ending: a matrix, and a bias
-- where there is one.
local function generic_head(c, ending, x)
    if ending == "ForQuestionAnswering" then
        return x >> words.linear("qa_outputs", c.hidden_size, 2, { role = "head" })
    end
    local bias = ending == "ForTokenClassification"
    return x >> words.linear("score", c.hidden_size, words.labels(), { bias = bias, role = "head" })
end

-- The class' ending, and the prefix of its body.
local function class_of(how)
    local prefixes = { ForCausalLM = "model", Model = "", ForSequenceClassification = "model",
                       ForTokenClassification = "model", ForQuestionAnswering = how.questions }
    local classes = {}
    for _, ending in ipairs { "ForCausalLM", "Model", "ForSequenceClassification", "ForTokenClassification",
                              "ForQuestionAnswering" } do
        classes[#classes + 1] = prefixes[ending] and how.class .. ending
    end
    local ending = string.sub(words.architecture(how.class, classes), #how.class + 1)
    return ending, prefixes[ending]
end

-- decoder(c, { class = "Llama", kv_heads =, head_dim =, max_position =, rope_theta = 10000, qkv_bias = false, o_bias = false,
--              mlp_bias = false, qk_norm = false, questions = the body's prefix in ...ForQuestionAnswering, which is not
--              there without,
--              window = none, causal = true, norm_offset = 0, embedding_scale = 1, act = c.hidden_act, mlp = function(c, how, act, x) })
-- Returns its output, and whether it has biases.
function words.decoder(c, how)
    check(c, how)
    how.rope, how.rope_size = rope_of(how)
    local ending, prefix = class_of(how)
    local act = words.transformers_activation("hidden_act", how.act or c.hidden_act)
    local biased = c.num_hidden_layers > 0 and (how.qkv_bias or how.o_bias or how.mlp_bias) or false
    local x
    words.scope(prefix, function()
        x = words.tokens() >> words.embedding("embed_tokens", c.vocab_size, c.hidden_size, { padding = c.pad_token_id })
        if how.embedding_scale then
            x = x * how.embedding_scale
        end
        x = words.repeated("layers", c.num_hidden_layers, x, function(y)
            return block(c, how, act, y)
        end)
        x = x >> words.rms_norm("norm", c.hidden_size, { eps = c.rms_norm_eps, offset = how.norm_offset or 0 })
    end)
    if ending == "Model" then
        return x, biased
    elseif ending ~= "ForCausalLM" then
        return generic_head(c, ending, x), biased or ending ~= "ForSequenceClassification"
    elseif c.tie_word_embeddings then
        return x >> words.tied("lm_head.weight", "model.embed_tokens.weight"), biased
    end
    return x >> words.linear("lm_head", c.hidden_size, c.vocab_size, { bias = false, role = "head" }), biased
end
