-- SPDX-License-Identifier: MIT
-- What acts on every element alone: activations, dropout.
local host = ...
local words = host.words

-- activation("gelu"), activation("leaky_relu{slope=0.2}")
function words.activation(name)
    host.check_text("activation", name)
    local canonical, parameters = host.activation(name)
    if canonical == nil then
        host.fail(parameters)
    end
    local attributes = { "name", canonical }
    for i, x in ipairs(parameters) do
        attributes[i + 2] = x
    end
    return host.layer("activation", name, function(x, from)
        return host.record("activation", { x }, {}, attributes, from)
    end)
end

function words.dropout(p)
    return host.layer("dropout", nil, function(x, from)
        return host.record("dropout", { x }, {}, { "p", p or 0.5 }, from)
    end)
end
