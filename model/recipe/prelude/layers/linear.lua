-- SPDX-License-Identifier: MIT
-- Projections, and the head that is an embedding again.
local host = ...
local words = host.words

-- linear(name, inputs, outputs, { bias = true, layout = "out-in", blocks = { sizes of the outputs } })
function words.linear(name, inputs, outputs, options)
    host.check_text("linear", name)
    options = host.options("linear", options, { bias = true, layout = "out-in", blocks = false, role = "", key = false })
    local blocks = options.blocks
    local in_out = options.layout == "in-out"
    local parameters = { host.declare(name, ".weight", in_out and { inputs, outputs } or { outputs, inputs }, "linear", options,
                                 { layout = options.layout, blocks = blocks }) }
    if options.bias then
        parameters[2] = host.declare(name, ".bias", { outputs }, "bias", options, { blocks = blocks })
    end
    name = host.full_name(name)
    return host.layer("linear", name, function(x, from)
        host.need_last("linear", name, from, inputs)
        return host.record("linear", { x }, parameters, { "inputs", inputs, "outputs", outputs },
                           host.with_last(from, outputs))
    end)
end

-- tied(name, to): `name` is the tensor `to` and is not stored. Full names, whatever the scope. As a layer it is a linear
-- one without bias whose weight, (out, in), is that tensor: the head of a language model.
function words.tied(name, to)
    host.check_text("tied", name)
    host.check_text("tied", to)
    local parameter, shape = host.tie(name, to)
    return host.layer("tied", name, function(x, from)
        if #shape ~= 2 then
            host.fail_shape("tied as a layer needs a matrix, and " .. to .. " is " .. host.shape_text(shape))
        end
        host.need_last("tied", name, from, shape[2])
        return host.record("linear", { x }, { parameter }, { "inputs", shape[2], "outputs", shape[1], "tied", name },
                           host.with_last(from, shape[1]))
    end)
end
