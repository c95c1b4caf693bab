-- SPDX-License-Identifier: MIT
-- Projections, and the head that is an embedding again.
local host = ...
local words = host.words

-- The shape of a weight, and of its bias. "in-out-out" and "in-in-out" are the kernels of attention in Keras and Flax:
-- [inputs, heads, size] and [heads, size, outputs]; values still flow with the heads side by side.
local function shapes(name, inputs, outputs, options)
    local layout, heads = options.layout, options.heads
    local headed = layout == "in-out-out" and outputs or layout == "in-in-out" and inputs
    if not headed then
        if heads then
            host.failf("linear \"%s\": heads need a layout that has them, \"in-out-out\" or \"in-in-out\"", name)
        end
        if layout == "in-out" then
            return { inputs, outputs }, { outputs }
        end
        return { outputs, inputs }, { outputs }
    end
    if math.type(heads) ~= "integer" or heads < 1 or headed % heads ~= 0 then
        host.fail_shape(string.format("linear \"%s\": the layout %s needs heads, and as many as divide %d: heads = %s", name,
                                      layout, headed, tostring(heads)))
    end
    if layout == "in-out-out" then
        return { inputs, heads, outputs // heads }, { heads, outputs // heads }
    end
    return { heads, inputs // heads, outputs }, { outputs }
end

local linear_options = { bias = true, layout = "out-in", blocks = false, heads = false, join = ".", role = "", key = false }

-- linear(name, inputs, outputs, { bias = true, layout = "out-in", blocks = { sizes of the outputs }, heads = none,
-- join = "." }); join is what stands between the name and `weight`
function words.linear(name, inputs, outputs, options)
    host.check_text("linear", name)
    options = host.options("linear", options, linear_options)
    local blocks, join, layout = options.blocks, options.join, options.layout
    local shape, bias_shape = shapes(name, inputs, outputs, options)
    local is_plain = layout == "out-in" and not blocks
    local weight = host.declare(name, join .. "weight", shape, "linear", options,
                                not is_plain and { layout = layout, blocks = blocks } or nil)
    local bias = options.bias and host.declare(name, join .. "bias", bias_shape, "bias", options,
                                               blocks and { blocks = blocks } or nil) or nil
    local parameters = { weight, bias }
    name = host.full_name(name)
    return host.layer("linear", name, function(x, from)
        host.need_last("linear", name, from, inputs)
        return host.record("linear", { x }, parameters, { "inputs", inputs, "outputs", outputs },
                           host.with_last(from, outputs))
    end)
end

local bilinear_options = { bias = true, role = "", key = false }

-- bundle(x, y) >> bilinear(name, inputs1, inputs2, outputs, { bias = true }): y_o = sum of x_i w_oij y_j
function words.bilinear(name, inputs1, inputs2, outputs, options)
    host.check_text("bilinear", name)
    options = host.options("bilinear", options, bilinear_options)
    local parameters = { host.declare(name, ".weight", { outputs, inputs1, inputs2 }, "bilinear", options) }
    if options.bias then
        parameters[2] = host.declare(name, ".bias", { outputs }, "bias", options)
    end
    name = host.full_name(name)
    return host.layer("bilinear", name, function(x, from)
        if from or #x ~= 2 then
            host.failf("bilinear \"%s\" takes bundle(x, y), and gets %s", name, from and "one value" or #x .. " values")
        end
        host.need_last("bilinear", name, host.shape(x[1]), inputs1)
        host.need_last("bilinear", name, host.shape(x[2]), inputs2)
        return host.record("bilinear", x, parameters, { "inputs1", inputs1, "inputs2", inputs2, "outputs", outputs },
                           host.with_last(host.shape(x[1]), outputs))
    end, true)
end

local tied_options = { bias = false, role = "", key = false }

-- tied(name, to, { bias = none }): `name` is the tensor `to` and is not stored. Full names, whatever the scope. As a layer
-- it is a linear one whose weight, (out, in), is that tensor: the head of a language model. `bias` names one of its own.
function words.tied(name, to, options)
    host.check_text("tied", name)
    host.check_text("tied", to)
    options = host.options("tied", options, tied_options)
    local parameter, shape = host.tie(name, to)
    local parameters = { parameter }
    if options.bias then
        parameters[2] = host.declare(options.bias, "", { shape[1] }, "bias", options)
    end
    return host.layer("tied", name, function(x, from)
        if #shape ~= 2 then
            host.fail_shape("tied as a layer needs a matrix, and " .. to .. " is " .. host.shape_text(shape))
        end
        host.need_last("tied", name, from, shape[2])
        return host.record("linear", { x }, parameters, { "inputs", shape[2], "outputs", shape[1], "tied", name },
                           host.with_last(from, shape[1]))
    end)
end
