-- SPDX-License-Identifier: MIT
-- Attention, and heads split from features.
local host = ...
local words = host.words

-- [..., heads * size] to [..., heads, size], and back
function words.split_heads(heads)
    host.need_count("the number of split_heads", heads, 1)
    return host.layer("split_heads", nil, function(x, from)
        local width = from[#from]
        if type(width) == "string" or width % heads ~= 0 then
            host.fail_shape(string.format("split_heads(%d) cannot split %s", heads, host.shape_text(from)))
        end
        local shape = host.with_last(from, heads)
        shape[#shape + 1] = width // heads
        return host.record("split_heads", { x }, {}, { "heads", heads }, shape)
    end)
end

function words.merge_heads()
    return host.layer("merge_heads", nil, function(x, from)
        local rank = #from
        if rank < 2 or type(from[rank]) == "string" or type(from[rank - 1]) == "string" then
            host.fail_shape("merge_heads cannot merge " .. host.shape_text(from))
        end
        local shape = host.with_last(from, nil)
        shape[rank - 1] = from[rank - 1] * from[rank]
        return host.record("merge_heads", { x }, {}, {}, shape)
    end)
end

-- Of rotary positions: rope = { theta = 10000, kind = "default", ... }, read by model/signal/predict/rotary.c. theta: pair i of a
-- head turns by 1 / pow(theta, 2 i / head_dim) a place. kind "linear": factor times slower; "dynamic": from `original` places on;
-- "llama3", "yarn": slower where a turn is longer than original / high, or / low, places; "proportional": only a share.
local rope_names = { "theta", "kind", "factor", "low", "high", "original", "share", "fractions" }

local rope_options = {}
for _, name in ipairs(rope_names) do
    rope_options[name] = false
end

local function add_rope(attributes, given)
    local rope = host.options("rope", given, rope_options)
    for _, name in ipairs(rope_names) do
        if rope[name] then
            attributes[#attributes + 1], attributes[#attributes + 2] = "rope_" .. name, rope[name]
        end
    end
end

local attention_options = { heads = false, kv_heads = false, head_dim = false, causal = false, rotary = false, rope = false,
                            window = false, scale = false }

-- attention { heads =, kv_heads = heads, head_dim =, causal = false, rotary = false, rope = none, window = none, scale = none }
-- takes one value with queries, keys and values side by side, or bundle(q, k, v).
function words.attention(options)
    options = host.options("attention", options, attention_options)
    local heads = options.heads or host.fail("attention needs the number of heads: attention { heads = 12 }")
    local kv_heads = options.kv_heads or heads
    for name, x in pairs { heads = heads, kv_heads = kv_heads, head_dim = options.head_dim or nil,
                           window = options.window or nil } do
        host.need_count(name .. " of attention", x, 1)
    end
    if heads % kv_heads ~= 0 then
        host.fail_shape(string.format("attention: %d heads cannot share %d key-value heads evenly", heads, kv_heads))
    end
    return host.layer("attention", nil, function(x, from)
        local parts = from and { x } or x -- one value, or a bundle's list
        local first = host.shape(parts[1])
        local head_dim = options.head_dim or first[#first] // (from and heads + 2 * kv_heads or heads)
        local q, kv = heads * head_dim, kv_heads * head_dim
        local wanted = from and { q + 2 * kv } or { q, kv, kv }
        if #parts ~= #wanted then
            host.failf("attention takes one value or bundle(q, k, v), and gets %d values", #parts)
        end
        for i, part in ipairs(parts) do
            local shape = host.shape(part)
            if shape[#shape] ~= wanted[i] then
                host.fail_shape(string.format("attention with %d heads, %d key-value heads and head_dim %d takes %s in the "
                                              .. "last dimension, and gets a value of shape %s", heads, kv_heads, head_dim,
                                              wanted[i], host.shape_text(shape)))
            end
        end
        local attributes = { "heads", heads, "kv_heads", kv_heads, "head_dim", head_dim, "causal", options.causal,
                             "rotary", options.rotary }
        if options.rope then
            add_rope(attributes, options.rope)
        end
        for _, name in ipairs { "window", "scale" } do
            if options[name] then
                attributes[#attributes + 1], attributes[#attributes + 2] = name, options[name]
            end
        end
        return host.record("attention", parts, {}, attributes, host.with_last(first, q))
    end, true)
end
