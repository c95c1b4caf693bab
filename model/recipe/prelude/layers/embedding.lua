-- SPDX-License-Identifier: MIT
-- Looking rows up.
local host = ...
local words = host.words

local embedding_options = { padding = false, role = "embedding", key = false }

-- embedding(name, rows, features, { padding = row that starts as zeros })
function words.embedding(name, rows, features, options)
    host.check_text("embedding", name)
    options = host.options("embedding", options, embedding_options)
    local weight = host.declare(name, ".weight", { rows, features }, "embedding", options,
                                options.padding and { padding = options.padding } or nil)
    return host.layer("embedding", host.full_name(name), function(x, from)
        local shape = host.with_last(from, from[#from])
        shape[#shape + 1] = features
        return host.record("embedding", { x }, { weight }, { "rows", rows, "features", features }, shape)
    end)
end
