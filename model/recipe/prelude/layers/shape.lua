-- SPDX-License-Identifier: MIT
-- What only changes shapes.
local host = ...
local words = host.words

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
