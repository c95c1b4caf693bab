-- SPDX-License-Identifier: MIT
-- Tensors that no layer describes.
local host = ...
local words = host.words

-- A tensor of any shape, for what no layer below describes. Returns nothing: it is declared, not connected.
function words.param(name, shape, options)
    host.check_text("param", name)
    if options == nil then
        host.param(name, shape, "other")
        return
    end
    options = host.options("param", options, { kind = "other", layout = false, groups = false, blocks = false,
                                               padding = false, role = false, key = false, dtype = false })
    host.param(name, shape, options.kind, options)
end
