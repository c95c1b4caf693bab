-- SPDX-License-Identifier: MIT
-- Convolutions.
local host = ...
local words = host.words

-- conv2d(name, inputs, outputs, { kernel = 3 or {3, 3}, stride = 1, padding = 0, groups = 1 })

local function convolution(kind, spatial)
    words[kind] = function(name, inputs, outputs, options)
        host.check_text(kind, name)
        options = host.options(kind, options, { kernel = 3, stride = 1, padding = 0, groups = 1, bias = true,
                                                layout = "out-in", role = "", key = false })
        local groups = options.groups
        local kernel = host.per_axis("kernel of " .. kind, options.kernel, spatial)
        local stride = host.per_axis("stride of " .. kind, options.stride, spatial)
        local padding = host.per_axis("padding of " .. kind, options.padding, spatial)
        if inputs % groups ~= 0 or outputs % groups ~= 0 then
            host.fail_shape(string.format("%s \"%s\": %d groups divide neither %d inputs nor %d outputs evenly", kind, name,
                                          groups, inputs, outputs))
        end
        local shape = options.layout == "in-out" and {} or { outputs, inputs // groups }
        for i = 1, spatial do
            shape[#shape + 1] = kernel[i]
        end
        if options.layout == "in-out" then
            shape[#shape + 1], shape[#shape + 2] = inputs // groups, outputs
        end
        local parameters = { host.declare(name, ".weight", shape, "conv", options, { layout = options.layout, groups = groups }) }
        if options.bias then
            parameters[2] = host.declare(name, ".bias", { outputs }, "bias", options)
        end
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            if #from ~= spatial + 2 or from[2] ~= inputs then
                host.fail_shape(string.format("%s \"%s\" takes [batch, %d, %d sizes], and gets %s", kind, name, inputs,
                                              spatial, host.shape_text(from)))
            end
            local out = { from[1], outputs }
            for i = 1, spatial do
                out[i + 2] = host.slid(kind .. " \"" .. name .. "\"", from[i + 2], kernel[i], stride[i], padding[i])
            end
            local attributes = { "spatial", spatial, "groups", groups }
            for i = 1, spatial do -- the kernel's sizes are the weight's
                for what, list in pairs { stride = stride, padding = padding } do
                    attributes[#attributes + 1], attributes[#attributes + 2] = what .. i, list[i]
                end
            end
            return host.record("conv", { x }, parameters, attributes, out)
        end)
    end
end

convolution("conv1d", 1)
convolution("conv2d", 2)
convolution("conv3d", 3)
