-- SPDX-License-Identifier: MIT
-- Values, and what connects them: x >> layer, x + y, x * y. A value is a number of the graph and its shape, whose sizes
-- are integers or symbols ("batch", "tokens"). Not here: any layer.
local host = ...
local words, is_value, is_layer, is_bundle = host.words, host.is_value, host.is_layer, host.is_bundle

local value, layer = { __name = "a value" }, { __name = "a layer" }
host.metatables(value, layer)

function host.shape_text(shape)
    local text = "["
    for i, size in ipairs(shape) do
        text = text .. (i > 1 and ", " or "") .. tostring(size)
    end
    return text .. "]"
end

-- ---- x >> layer ----

local function describe(x)
    if not is_layer(x) then
        return host.kind_of(x)
    end
    local kind, name = host.layer_words(x)
    return name and string.format("%s \"%s\"", kind, name) or kind
end

-- What is not a value that goes into a layer.
local function connect_other(x, f)
    if not is_value(x) then
        host.failf("the left side of >> is %s; it must be a value, as tokens() or input{...} give one", describe(x))
    end
    if type(f) == "function" then -- a block: function(x) ... return x end
        local y = f(x)
        if not is_value(y) then
            host.failf("the function on the right of >> returned %s; it must return a value", describe(y))
        end
        return y
    end
    if not is_layer(f) then
        host.failf("the right side of >> is %s; it must be a layer", describe(f))
    end
    host.failf("bundle(...) goes into a layer of several values only (attention, bilinear, gated), not into %s",
               describe(f))
end

value.__shr = host.connecting(connect_other)

function layer.__shr(x, f)
    if is_layer(x) then
        host.failf("%s >> %s has no value to begin with; begin with one: x >> ... >> ...", describe(x), describe(f))
    end
    return value.__shr(x, f)
end

-- ---- x + y, x * y ----

-- The language's one trap: x >> f + y is x >> (f + y).
local function check_operands(sign, x, y)
    for _, operand in ipairs { x, y } do
        if is_layer(operand) then
            host.failf("%s stands beside `%s` without its value: `%s` binds tighter than `>>`; write (x >> layer) %s y, "
                       .. "with the parentheses", describe(operand), sign, sign, sign)
        end
    end
    if not is_value(x) or not is_value(y) or is_bundle(x) or is_bundle(y) then
        host.failf("%s %s %s: both sides must be values", describe(x), sign, describe(y))
    end
end

-- Sizes from the right must be equal, or 1, or missing (as NumPy broadcasts).
local function broadcast(kind, x, y)
    local a, b = host.shape(x), host.shape(y)
    local rank, shape = math.max(#a, #b), {}
    for i = 1, rank do
        local p, q = a[#a - rank + i], b[#b - rank + i]
        if p ~= nil and q ~= nil and p ~= q and p ~= 1 and q ~= 1 then
            host.fail_shape(string.format("%s: the shapes %s and %s do not fit together", kind, host.shape_text(a),
                                          host.shape_text(b)))
        end
        shape[i] = (p == nil or p == 1) and q or p
        shape[i] = shape[i] or p
    end
    return shape
end

function value.__add(x, y)
    check_operands("+", x, y)
    return host.record("add", { x, y }, {}, {}, broadcast("add", x, y))
end

function value.__mul(x, y)
    if type(x) == "number" then
        x, y = y, x
    end
    if type(y) == "number" and is_value(x) and not is_bundle(x) then
        return host.record("scale", { x }, {}, { "factor", y }, host.shape(x))
    end
    check_operands("*", x, y)
    return host.record("multiply", { x, y }, {}, {}, broadcast("multiply", x, y))
end

layer.__add, layer.__mul = value.__add, value.__mul
for _, meta in ipairs { value, layer } do
    meta.__newindex = function(x, key)
        host.failf("%s cannot be changed (key %s)", describe(x), tostring(key))
    end
end

-- ---- Where values begin ----

function words.tokens()
    return host.record("tokens", {}, {}, {}, { "batch", "tokens" })
end

function words.positions()
    return host.record("positions", {}, {}, {}, { "tokens" })
end

-- Which segment each token belongs to, from 0: BERT's token types. All are 0 where nobody says otherwise.
function words.segments()
    return host.record("segments", {}, {}, {}, { "batch", "tokens" })
end

local statistics = { "mean", "std", "correlation" }

local function check_statistic(name, x)
    if math.type(x) == nil or x ~= x or x == math.huge or x == -math.huge then
        host.failf("%s of an input is %s; it must be a number", name, x ~= x and "NaN" or math.type(x) and tostring(x) or host.kind_of(x))
    end
    if name == "std" and x < 0 then
        host.failf("std of an input is %s; it cannot be negative", tostring(x))
    end
    if name == "correlation" and (x < -1 or x > 1) then
        host.failf("correlation of an input is %s; it is between -1 and 1", tostring(x))
    end
end

-- input { "batch", 784, mean = 0, std = 1, correlation = 0 }: the statistics are those of one element; correlation is
-- that between two positions (tokens, pixels) of one sample.
function words.input(shape)
    if type(shape) ~= "table" or getmetatable(shape) ~= nil or #shape == 0 then
        host.fail("input takes the sizes of a value: input { \"batch\", 784 }")
    end
    local copy, attributes = {}, {}
    for i, size in ipairs(shape) do
        copy[i] = size
    end
    for _, name in ipairs(statistics) do
        if shape[name] ~= nil then
            check_statistic(name, shape[name])
            attributes[#attributes + 1], attributes[#attributes + 2] = name, shape[name]
        end
    end
    for key in pairs(shape) do
        if math.type(key) ~= "integer" and key ~= "mean" and key ~= "std" and key ~= "correlation" then
            host.failf("input has no statistic %s%s", tostring(key), host.hint(tostring(key), statistics))
        end
    end
    return host.record("input", {}, {}, attributes, copy)
end

-- bundle(q, k, v) >> attention { ... }
function words.bundle(...)
    local parts = { ... }
    for _, part in ipairs(parts) do
        if not is_value(part) or is_bundle(part) then
            host.failf("bundle takes values, and got %s", describe(part))
        end
    end
    return host.bundle_of(parts)
end

-- ---- Scopes ----

function words.scope(name, body)
    if type(body) ~= "function" then
        host.fail("scope takes a name and a function: scope(\"transformer\", function() ... end)")
    end
    host.enter(name or "")
    local result = body()
    host.leave()
    return result
end

-- What stands before and after the number: "h" is h.0, h.1, ...; "layer_%d" is layer_0, layer_1, ...
local function around_number(name)
    for at = 1, #name - 1 do
        if string.sub(name, at, at + 1) == "%d" then
            return string.sub(name, 1, at - 1), string.sub(name, at + 2)
        end
    end
    return name .. ".", ""
end

-- repeated("h", 12, x, function(x, i) ... return x end), i from 0; without x: repeated("h", 12, function(i) ... end)
function words.repeated(name, count, x, body)
    if body == nil then
        x, body = nil, x
    end
    if math.type(count) ~= "integer" or count < 0 or count > 1 << 24 or type(body) ~= "function" then
        host.fail("repeated takes a name, a count from 0, a value and a function: repeated(\"h\", 12, x, function(x, i) "
                  .. "... return x end)")
    end
    local before, after = around_number(name)
    for i = 0, count - 1 do
        host.enter(before .. i .. after, i, count)
        if x == nil then
            body(i)
        else
            local y = body(x, i)
            if not is_value(y) then
                host.failf("the function of repeated(\"%s\") returned %s; it must return the value that goes on", name,
                           describe(y))
            end
            x = y
        end
        host.leave()
    end
    return x
end
