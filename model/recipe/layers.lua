-- SPDX-License-Identifier: MIT
-- The layers. To add one, write one function with host.param (a tensor), host.record (an operation) and host.layer.
-- A layer declares its tensors where it is made, and records an operation each time a value goes through it; so a
-- layer used twice shares its tensors.
local host = ...
local words = host.words

-- Tensor `name .. suffix` with what it shares with its layer: role and key.
local function declare(name, suffix, shape, kind, options, more)
    more = more or {}
    more.role = options.role
    more.key = options.key and options.key .. suffix
    return host.param(name .. suffix, shape, kind, more)
end

local function check_text(what, name)
    if type(name) ~= "string" then
        host.failf("%s takes its name first, a text, and got %s", what, host.kind_of(name))
    end
end

local function need_last(kind, name, shape, size)
    if shape[#shape] ~= size then
        host.fail_shape(string.format("%s \"%s\" takes %s in the last dimension, and gets a value of shape %s", kind, name,
                                      tostring(size), host.shape_text(shape)))
    end
end

local function with_last(shape, size)
    local copy = {}
    for i = 1, #shape - 1 do
        copy[i] = shape[i]
    end
    copy[#shape] = size
    return copy
end

-- A tensor of any shape, for what no layer below describes. Returns nothing: it is declared, not connected.
function words.param(name, shape, options)
    check_text("param", name)
    if options == nil then
        host.param(name, shape, "other")
        return
    end
    options = host.options("param", options, { kind = "other", layout = false, groups = false, blocks = false,
                                               padding = false, role = false, key = false, dtype = false })
    host.param(name, shape, options.kind, options)
end

-- ---- Looking up and projecting ----

-- embedding(name, rows, features, { padding = row that starts as zeros })
function words.embedding(name, rows, features, options)
    check_text("embedding", name)
    options = host.options("embedding", options, { padding = false, role = "embedding", key = false })
    local weight = declare(name, ".weight", { rows, features }, "embedding", options, { padding = options.padding })
    return host.layer("embedding", host.full_name(name), function(x, from)
        local shape = with_last(from, from[#from])
        shape[#shape + 1] = features
        return host.record("embedding", { x }, { weight }, { "rows", rows, "features", features }, shape)
    end)
end

-- linear(name, inputs, outputs, { bias = true, layout = "out-in", blocks = { sizes of the outputs } })
function words.linear(name, inputs, outputs, options)
    check_text("linear", name)
    options = host.options("linear", options, { bias = true, layout = "out-in", blocks = false, role = "", key = false })
    local blocks = options.blocks
    local in_out = options.layout == "in-out"
    local parameters = { declare(name, ".weight", in_out and { inputs, outputs } or { outputs, inputs }, "linear", options,
                                 { layout = options.layout, blocks = blocks }) }
    if options.bias then
        parameters[2] = declare(name, ".bias", { outputs }, "bias", options, { blocks = blocks })
    end
    name = host.full_name(name)
    return host.layer("linear", name, function(x, from)
        need_last("linear", name, from, inputs)
        return host.record("linear", { x }, parameters, { "inputs", inputs, "outputs", outputs },
                           with_last(from, outputs))
    end)
end

-- ---- Convolutions: conv2d(name, inputs, outputs, { kernel = 3 or {3, 3}, stride = 1, padding = 0, groups = 1 }) ----

local function per_axis(what, x, count)
    if type(x) == "table" then
        if #x ~= count then
            host.failf("%s needs %d numbers, and got %d", what, count, #x)
        end
        return x
    end
    local list = {}
    for i = 1, count do
        list[i] = x
    end
    return list
end

local function slid(what, size, kernel, stride, padding)
    if type(size) == "string" then
        if stride == 1 and kernel == 2 * padding + 1 then
            return size
        end
        return string.format("(%s+%d)/%d", size, 2 * padding - kernel + stride, stride)
    end
    local out = (size + 2 * padding - kernel) // stride + 1
    if out < 1 then
        host.fail_shape(string.format("%s: a kernel of %d does not fit into %d", what, kernel, size))
    end
    return out
end

local function convolution(kind, spatial)
    words[kind] = function(name, inputs, outputs, options)
        check_text(kind, name)
        options = host.options(kind, options, { kernel = 3, stride = 1, padding = 0, groups = 1, bias = true,
                                                layout = "out-in", role = "", key = false })
        local groups = options.groups
        local kernel = per_axis("kernel of " .. kind, options.kernel, spatial)
        local stride = per_axis("stride of " .. kind, options.stride, spatial)
        local padding = per_axis("padding of " .. kind, options.padding, spatial)
        if inputs % groups ~= 0 or outputs % groups ~= 0 then
            host.fail_shape(string.format("%s \"%s\": %d groups divide neither %d inputs nor %d outputs evenly", kind, name,
                                          groups, inputs, outputs))
        end
        local shape = options.layout == "in-out" and {} or { outputs, inputs // groups }
        for i = 1, spatial do
            shape[#shape + 1] = kernel[i]
        end
        if options.layout == "in-out" then
            shape[#shape + 1], shape[#shape + 2] = inputs // groups, outputs
        end
        local parameters = { declare(name, ".weight", shape, "conv", options, { layout = options.layout, groups = groups }) }
        if options.bias then
            parameters[2] = declare(name, ".bias", { outputs }, "bias", options)
        end
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            if #from ~= spatial + 2 or from[2] ~= inputs then
                host.fail_shape(string.format("%s \"%s\" takes [batch, %d, %d sizes], and gets %s", kind, name, inputs,
                                              spatial, host.shape_text(from)))
            end
            local out = { from[1], outputs }
            for i = 1, spatial do
                out[i + 2] = slid(kind .. " \"" .. name .. "\"", from[i + 2], kernel[i], stride[i], padding[i])
            end
            local attributes = { "spatial", spatial, "groups", groups }
            for i = 1, spatial do -- the kernel's sizes are the weight's
                for what, list in pairs { stride = stride, padding = padding } do
                    attributes[#attributes + 1], attributes[#attributes + 2] = what .. i, list[i]
                end
            end
            return host.record("conv", { x }, parameters, attributes, out)
        end)
    end
end

convolution("conv1d", 1)
convolution("conv2d", 2)
convolution("conv3d", 3)

-- max_pool(2), average_pool(2, { stride = 2 }): over all sizes after [batch, channels]
local function pool(kind)
    words[kind] = function(kernel, options)
        options = host.options(kind, options, { stride = kernel, padding = 0 })
        return host.layer(kind, nil, function(x, from)
            local out = { from[1], from[2] }
            for i = 3, #from do
                out[i] = slid(kind, from[i], kernel, options.stride, options.padding)
            end
            return host.record(kind, { x }, {}, { "kernel", kernel, "stride", options.stride, "padding", options.padding },
                               out)
        end)
    end
end

pool("max_pool")
pool("average_pool")

-- ---- Normalisations over the last dimension ----

local function normalisation(kind, has_bias)
    words[kind] = function(name, features, options)
        check_text(kind, name)
        options = host.options(kind, options, { eps = 1e-5, bias = has_bias, role = "norm", key = false })
        local parameters = { declare(name, ".weight", { features }, "norm", options) }
        if options.bias then
            parameters[2] = declare(name, ".bias", { features }, "bias", options)
        end
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            need_last(kind, name, from, features)
            return host.record(kind, { x }, parameters, { "eps", options.eps }, from)
        end)
    end
end

normalisation("layer_norm", true)
normalisation("rms_norm", false)

-- ---- Layers without tensors ----

function words.activation(name)
    check_text("activation", name)
    local canonical, why = host.activation(name)
    if canonical == nil then
        host.fail(why)
    end
    return host.layer("activation", name, function(x, from)
        return host.record("activation", { x }, {}, { "name", canonical }, from)
    end)
end

function words.dropout(p)
    return host.layer("dropout", nil, function(x, from)
        return host.record("dropout", { x }, {}, { "p", p or 0.5 }, from)
    end)
end

-- [batch, a, b] to [batch, a * b]
function words.flatten()
    return host.layer("flatten", nil, function(x, from)
        local size = 1
        for i = 2, #from do
            if type(from[i]) == "string" then
                host.fail_shape("flatten needs known sizes, and gets " .. host.shape_text(from))
            end
            size = size * from[i]
        end
        return host.record("flatten", { x }, {}, {}, { from[1], size })
    end)
end

-- [..., heads * size] to [..., heads, size], and back
function words.split_heads(heads)
    return host.layer("split_heads", nil, function(x, from)
        local width = from[#from]
        if type(width) == "string" or width % heads ~= 0 then
            host.fail_shape(string.format("split_heads(%d) cannot split %s", heads, host.shape_text(from)))
        end
        local shape = with_last(from, heads)
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
        local shape = with_last(from, nil)
        shape[rank - 1] = from[rank - 1] * from[rank]
        return host.record("merge_heads", { x }, {}, {}, shape)
    end)
end

-- attention { heads =, kv_heads = heads, head_dim =, causal = false, rotary = false, window = none, scale = none }
-- takes one value with queries, keys and values side by side, or bundle(q, k, v).
function words.attention(options)
    options = host.options("attention", options, { heads = false, kv_heads = false, head_dim = false, causal = false,
                                                   rotary = false, window = false, scale = false })
    local heads = options.heads or host.fail("attention needs the number of heads: attention { heads = 12 }")
    local kv_heads = options.kv_heads or heads
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
        for _, name in ipairs { "window", "scale" } do
            if options[name] then
                attributes[#attributes + 1], attributes[#attributes + 2] = name, options[name]
            end
        end
        return host.record("attention", parts, {}, attributes, with_last(first, q))
    end)
end

-- tied(name, to): `name` is the tensor `to` and is not stored. Full names, whatever the scope. As a layer it is a linear
-- one without bias whose weight, (out, in), is that tensor: the head of a language model.
function words.tied(name, to)
    check_text("tied", name)
    check_text("tied", to)
    local parameter, shape = host.tie(name, to)
    return host.layer("tied", name, function(x, from)
        if #shape ~= 2 then
            host.fail_shape("tied as a layer needs a matrix, and " .. to .. " is " .. host.shape_text(shape))
        end
        need_last("tied", name, from, shape[2])
        return host.record("linear", { x }, { parameter }, { "inputs", shape[2], "outputs", shape[1], "tied", name },
                           with_last(from, shape[1]))
    end)
end
