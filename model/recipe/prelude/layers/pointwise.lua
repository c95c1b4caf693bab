-- SPDX-License-Identifier: MIT
-- What acts on every element alone: activations, dropout.
local host = ...
local words = host.words

-- expr "max(x, 0) - 0.5": an activation of one's own, wherever the name of one goes
function words.expr(text)
    host.check_text("expr", text)
    local name, why = host.activation("expr{" .. text .. "}")
    if name == nil then
        host.fail(why)
    end
    return name
end

-- activation("gelu"), activation("leaky_relu{slope=0.2}"), activation(expr "max(x, 0) - 0.5")
function words.activation(name)
    host.check_text("activation", name)
    local canonical, parameters, is_gate = host.activation(name)
    if canonical == nil then
        host.fail(parameters)
    end
    if is_gate then
        host.failf("activation(\"%s\"): %s is a gate, which takes two values; write gated(\"%s\")", name, canonical, name)
    end
    local attributes = { "name", canonical }
    for i, x in ipairs(parameters) do
        attributes[i + 2] = x
    end
    return host.layer("activation", name, function(x, from)
        return host.record("activation", { x }, {}, attributes, from)
    end)
end

local gated_options = { first = "gate" }

-- gated("swiglu"): a * phi(b). From bundle(b, a), the gate first, or from both side by side in one value of a packed
-- weight: { first = "gate" } (Llama's gate_up) or "value" (torch's GLU).
function words.gated(name, options)
    host.check_text("gated", name)
    options = host.options("gated", options, gated_options)
    local canonical, why = host.activation(name)
    if canonical == nil then
        host.fail(why)
    end
    if options.first ~= "gate" and options.first ~= "value" then
        host.failf("first of gated is \"gate\" or \"value\", not %s", tostring(options.first))
    end
    return host.layer("gated", name, function(x, from)
        local parts = from and { x } or x
        local shape = host.shape(parts[1])
        local width = shape[#shape]
        if from then
            if math.type(width) ~= "integer" or width % 2 ~= 0 then
                host.fail_shape(string.format("gated(\"%s\") cannot halve %s", name, host.shape_text(shape)))
            end
            width = width // 2
        elseif #parts ~= 2 then
            host.failf("gated takes one value or bundle(gate, value), and gets %d values", #parts)
        else
            host.need_last("gated", name, host.shape(parts[2]), width)
        end
        return host.record("gated", parts, {}, { "name", canonical, "first", options.first }, host.with_last(shape, width))
    end, true)
end

function words.dropout(p)
    return host.layer("dropout", nil, function(x, from)
        return host.record("dropout", { x }, {}, { "p", p or 0.5 }, from)
    end)
end
