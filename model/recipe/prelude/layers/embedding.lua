-- SPDX-License-Identifier: MIT
-- Looking rows up.
local host = ...
local words = host.words

-- embedding(name, rows, features, { padding = row that starts as zeros })
function words.embedding(name, rows, features, options)
    host.check_text("embedding", name)
    options = host.options("embedding", options, { padding = false, role = "embedding", key = false })
    local weight = host.declare(name, ".weight", { rows, features }, "embedding", options, { padding = options.padding })
    return host.layer("embedding", host.full_name(name), function(x, from)
        local shape = host.with_last(from, from[#from])
        shape[#shape + 1] = features
        return host.record("embedding", { x }, { weight }, { "rows", rows, "features", features }, shape)
    end)
end
