-- SPDX-License-Identifier: MIT
-- Pools.
local host = ...
local words = host.words

-- max_pool(2), average_pool(2, { stride = 2 }): over all sizes after [batch, channels]
local pool_options = { stride = false, padding = 0 } -- without a stride it is the kernel

local function pool(kind)
    words[kind] = function(kernel, options)
        options = host.options(kind, options, pool_options)
        local stride = options.stride or kernel
        host.need_count("the kernel of " .. kind, kernel, 1)
        host.need_count("stride of " .. kind, stride, 1)
        host.need_count("padding of " .. kind, options.padding, 0)
        return host.layer(kind, nil, function(x, from)
            local out = { from[1], from[2] }
            for i = 3, #from do
                out[i] = host.slid(kind, from, i, kernel, stride, options.padding)
            end
            return host.record(kind, { x }, {}, { "kernel", kernel, "stride", stride, "padding", options.padding },
                               out)
        end)
    end
end

pool("max_pool")
pool("average_pool")

local global_pool_options = { kind = "average", over = "sizes", skip = 0 }

-- global_pool { kind = "average", over = "sizes" }: one number a feature. Over all sizes of [batch, features, sizes...],
-- or over the tokens of [batch, tokens, features] but for the first `skip` (a class token).
function words.global_pool(options)
    options = host.options("global_pool", options, global_pool_options)
    local kind, over = options.kind, options.over
    if (kind ~= "average" and kind ~= "max") or (over ~= "sizes" and over ~= "tokens") then
        host.fail("global_pool takes kind = \"average\" or \"max\", and over = \"sizes\" or \"tokens\"")
    end
    local skip = host.need_count("skip of global_pool", options.skip, 0)
    return host.layer("global_pool", nil, function(x, from)
        if #from < 3 then
            host.fail_shape("global_pool takes [batch, features, sizes...], and gets a value of shape "
                            .. host.shape_text(from))
        end
        local attributes = { "kind", kind, "over", over }
        if skip > 0 then
            attributes[5], attributes[6] = "skip", skip
        end
        return host.record("global_pool", { x }, {}, attributes,
                           { from[1], over == "sizes" and from[2] or from[#from] })
    end)
end
