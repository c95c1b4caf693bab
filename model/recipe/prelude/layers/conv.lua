-- SPDX-License-Identifier: MIT
-- Convolutions: plain, depthwise, transposed. Their weights know groups and stride, which the fans need.
local host = ...
local words = host.words

local function product(list)
    local all = 1
    for _, size in ipairs(list) do
        all = all * size
    end
    return all
end

local function append(list, more)
    for _, item in ipairs(more) do
        list[#list + 1] = item
    end
    return list
end

local function times(word, count)
    local text = ""
    for _ = 1, count do
        text = text .. word
    end
    return text
end

local least = { kernel = 1, stride = 1, padding = 0, output_padding = 0 }

-- Options that are one number an axis, as lists.
local function per_axis(kind, layer, options, names, spatial)
    local lists = {}
    for _, name in ipairs(names) do
        local what = string.format("%s of %s \"%s\"", name, kind, layer)
        lists[name] = host.per_axis(what, options[name], spatial)
        for _, x in ipairs(lists[name]) do
            host.need_count(what, x, least[name])
        end
    end
    return lists
end

local function check_groups(kind, name, inputs, outputs, groups)
    host.need_count(string.format("groups of %s \"%s\"", kind, name), groups, 1)
    for what, size in pairs { inputs = inputs, outputs = outputs } do
        host.need_count(string.format("%s of %s \"%s\"", what, kind, name), size, 1)
    end
    if inputs % groups ~= 0 or outputs % groups ~= 0 then
        host.fail_shape(string.format("%s \"%s\": %d groups must divide its %d inputs and its %d outputs evenly", kind, name,
                                      groups, inputs, outputs))
    end
end

local function check_input(kind, name, from, inputs, spatial)
    if #from ~= spatial + 2 or from[2] ~= inputs then
        host.fail_shape(string.format("%s \"%s\" takes [batch, %d, %d sizes], and gets %s", kind, name, inputs, spatial,
                                      host.shape_text(from)))
    end
end

-- "stride1", stride[1], ...: the kernel's sizes are the weight's
local function window_attributes(attributes, lists, names, spatial)
    for i = 1, spatial do
        for _, name in ipairs(names) do
            attributes[#attributes + 1], attributes[#attributes + 2] = name .. i, lists[name][i]
        end
    end
    return attributes
end

local function declare(name, shape, kind, outputs, options, more)
    local parameters = { host.declare(name, ".weight", shape, kind, options, more) }
    if options.bias then
        parameters[2] = host.declare(name, ".bias", { outputs }, "bias", options)
    end
    return parameters
end

-- The layer of a weight that is declared.
local function sliding(kind, name, inputs, outputs, spatial, groups, lists, parameters)
    name = host.full_name(name)
    return host.layer(kind, name, function(x, from)
        check_input(kind, name, from, inputs, spatial)
        local out = { from[1], outputs }
        for i = 1, spatial do
            out[i + 2] = host.slid(kind .. " \"" .. name .. "\"", from, i + 2, lists.kernel[i], lists.stride[i],
                                   lists.padding[i])
        end
        local attributes = window_attributes({ "spatial", spatial, "groups", groups }, lists, { "padding", "stride" }, spatial)
        return host.record("conv", { x }, parameters, attributes, out)
    end)
end

-- conv2d(name, inputs, outputs, { kernel = 3 or {3, 3}, stride = 1, padding = 0, groups = 1 })
local function convolution(kind, spatial)
    local defaults = { kernel = 3, stride = 1, padding = 0, groups = 1, bias = true, layout = "out-in", role = "", key = false }
    words[kind] = function(name, inputs, outputs, options)
        host.check_text(kind, name)
        options = host.options(kind, options, defaults)
        local groups = options.groups
        local lists = per_axis(kind, name, options, { "kernel", "stride", "padding" }, spatial)
        check_groups(kind, name, inputs, outputs, groups)
        local shape = options.layout == "in-out" and append(append({}, lists.kernel), { inputs // groups, outputs })
                      or append({ outputs, inputs // groups }, lists.kernel)
        local parameters = declare(name, shape, "conv", outputs, options, { layout = options.layout, groups = groups,
                                                                            stride = product(lists.stride) })
        return sliding(kind, name, inputs, outputs, spatial, groups, lists, parameters)
    end
end

-- depthwise_conv2d(name, channels, { multiplier = 1, kernel = 3, ... }): a kernel for every channel, `multiplier` outputs
-- of each. Layout "out-in" is torch's [channels * multiplier, 1, k, k]; "kernel-kernel-each-out" is Keras'
-- [k, k, channels, multiplier].
local function depthwise(kind, spatial)
    local keras = times("kernel-", spatial) .. "each-out"
    local defaults = { multiplier = 1, kernel = 3, stride = 1, padding = 0, bias = true, layout = "out-in", role = "",
                       key = false }
    words[kind] = function(name, channels, options)
        host.check_text(kind, name)
        options = host.options(kind, options, defaults)
        local lists = per_axis(kind, name, options, { "kernel", "stride", "padding" }, spatial)
        host.need_count(string.format("channels of %s \"%s\"", kind, name), channels, 1)
        host.need_count(string.format("multiplier of %s \"%s\"", kind, name), options.multiplier, 1)
        local outputs, more = channels * options.multiplier, { layout = options.layout, stride = product(lists.stride) }
        local shape
        if options.layout == keras then
            shape = append(append({}, lists.kernel), { channels, options.multiplier })
        elseif options.layout == "out-in" then
            shape, more.groups = append({ outputs, 1 }, lists.kernel), channels
        else
            host.fail_shape(string.format("%s \"%s\" is stored \"out-in\" (torch) or \"%s\" (Keras), not \"%s\"", kind, name,
                                          keras, tostring(options.layout)))
        end
        return sliding(kind, name, channels, outputs, spatial, channels, lists,
                       declare(name, shape, "conv", outputs, options, more))
    end
end

-- What a transposed window makes of an axis; symbols stay symbols.
local function spread(what, size, kernel, stride, padding, more)
    if type(size) == "string" then
        return string.format("%s*%d%+d", size, stride, kernel + more - 2 * padding - stride)
    end
    local out = (size - 1) * stride - 2 * padding + kernel + more
    if out < 1 then
        host.fail_shape(string.format("%s: a padding of %d leaves nothing of %d", what, padding, size))
    end
    return out
end

-- conv_transpose2d(name, inputs, outputs, { kernel = 3, stride = 1, padding = 0, output_padding = 0, groups = 1 }).
-- Layout "in-out-kernel-kernel" is torch's, "kernel-kernel-out-in" Keras', "kernel-kernel-in-out" Flax'.
local function transposed(kind, spatial)
    local kernels = times("-kernel", spatial)
    local torch, keras, flax = "in-out" .. kernels, kernels:sub(2) .. "-out-in", kernels:sub(2) .. "-in-out"
    local defaults = { kernel = 3, stride = 1, padding = 0, output_padding = 0, groups = 1, bias = true, layout = torch,
                       role = "", key = false }
    words[kind] = function(name, inputs, outputs, options)
        host.check_text(kind, name)
        options = host.options(kind, options, defaults)
        local groups, layout = options.groups, options.layout
        local lists = per_axis(kind, name, options, { "kernel", "stride", "padding", "output_padding" }, spatial)
        for i = 1, spatial do
            if lists.output_padding[i] >= lists.stride[i] and lists.output_padding[i] > 0 then
                host.failf("output_padding of %s \"%s\" is %d; it must be less than the stride, %d", kind, name,
                           lists.output_padding[i], lists.stride[i])
            end
        end
        check_groups(kind, name, inputs, outputs, groups)
        local shape
        if layout == torch then
            shape = append({ inputs, outputs // groups }, lists.kernel)
        elseif layout == keras then
            shape = append(append({}, lists.kernel), { outputs // groups, inputs })
        elseif layout == flax then
            shape = append(append({}, lists.kernel), { inputs, outputs // groups })
        else
            host.fail_shape(string.format("%s \"%s\" is stored \"%s\" (torch), \"%s\" (Keras) or \"%s\" (Flax), not \"%s\"",
                                          kind, name, torch, keras, flax, tostring(layout)))
        end
        local parameters = declare(name, shape, "conv_transpose", outputs, options,
                                   { layout = layout, groups = groups, stride = product(lists.stride) })
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            check_input(kind, name, from, inputs, spatial)
            local out = { from[1], outputs }
            for i = 1, spatial do
                out[i + 2] = spread(kind .. " \"" .. name .. "\"", from[i + 2], lists.kernel[i], lists.stride[i],
                                    lists.padding[i], lists.output_padding[i])
            end
            local attributes = window_attributes({ "spatial", spatial, "groups", groups }, lists,
                                                 { "padding", "stride", "output_padding" }, spatial)
            return host.record("conv_transpose", { x }, parameters, attributes, out)
        end)
    end
end

for spatial = 1, 3 do
    convolution("conv" .. spatial .. "d", spatial)
    depthwise("depthwise_conv" .. spatial .. "d", spatial)
    transposed("conv_transpose" .. spatial .. "d", spatial)
end
