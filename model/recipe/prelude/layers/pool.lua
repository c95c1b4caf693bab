-- SPDX-License-Identifier: MIT
-- Pools.
local host = ...
local words = host.words

-- max_pool(2), average_pool(2, { stride = 2 }): over all sizes after [batch, channels]
local function pool(kind)
    words[kind] = function(kernel, options)
        options = host.options(kind, options, { stride = kernel, padding = 0 })
        return host.layer(kind, nil, function(x, from)
            local out = { from[1], from[2] }
            for i = 3, #from do
                out[i] = host.slid(kind, from[i], kernel, options.stride, options.padding)
            end
            return host.record(kind, { x }, {}, { "kernel", kernel, "stride", options.stride, "padding", options.padding },
                               out)
        end)
    end
end

pool("max_pool")
pool("average_pool")
