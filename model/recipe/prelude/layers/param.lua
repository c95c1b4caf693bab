-- SPDX-License-Identifier: MIT
-- Tensors that no layer describes, and tensors that are values.
local host = ...
local words = host.words

-- param(name, { sizes }, { kind = "other", ... }): a tensor of any shape, declared and connected with nothing
words.param = host.param

local learned_options = { kind = "other", role = "", key = false }

-- learned(name, { 1, 1, 768 }): a tensor that is a value itself, as a class token or a table of positions is
function words.learned(name, shape, options)
    host.check_text("learned", name)
    options = host.options("learned", options, learned_options)
    if type(shape) ~= "table" then
        host.failf("learned takes a name and sizes, learned(\"%s\", { 1, 1, 768 }), and got %s", name, host.kind_of(shape))
    end
    local sizes = {}
    for i, size in ipairs(shape) do
        sizes[i] = size
    end
    return host.record("learned", {}, { host.declare(name, "", sizes, options.kind, options) }, {}, sizes)
end

local layer_scale_options = { axis = -1, role = "layer_scale", key = false }

-- layer_scale(name, features, { axis = -1 }): a factor for each feature, one tensor of that very name
function words.layer_scale(name, features, options)
    host.check_text("layer_scale", name)
    options = host.options("layer_scale", options, layer_scale_options)
    local parameter = host.declare(name, "", { features }, "norm", options)
    name = host.full_name(name)
    return host.layer("layer_scale", name, function(x, from)
        local axis = options.axis < 0 and #from + 1 + options.axis or options.axis
        if from[axis] ~= features then
            host.fail_shape(string.format("layer_scale \"%s\" takes %d at axis %d, and gets a value of shape %s", name,
                                          features, axis, host.shape_text(from)))
        end
        return host.record("layer_scale", { x }, { parameter }, { "axis", axis - 1 }, from)
    end)
end
