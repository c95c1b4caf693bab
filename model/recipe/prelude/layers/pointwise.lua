-- SPDX-License-Identifier: MIT
-- What acts on every element alone: activations, dropout.
local host = ...
local words = host.words

function words.activation(name)
    host.check_text("activation", name)
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
