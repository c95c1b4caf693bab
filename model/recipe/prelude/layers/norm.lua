-- SPDX-License-Identifier: MIT
-- Normalisations over the last dimension.
local host = ...
local words = host.words

local function normalisation(kind, has_bias)
    words[kind] = function(name, features, options)
        host.check_text(kind, name)
        options = host.options(kind, options, { eps = 1e-5, bias = has_bias, role = "norm", key = false })
        local parameters = { host.declare(name, ".weight", { features }, "norm", options) }
        if options.bias then
            parameters[2] = host.declare(name, ".bias", { features }, "bias", options)
        end
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            host.need_last(kind, name, from, features)
            return host.record(kind, { x }, parameters, { "eps", options.eps }, from)
        end)
    end
end

normalisation("layer_norm", true)
normalisation("rms_norm", false)
