-- SPDX-License-Identifier: MIT
-- Normalisations: over the last dimension, over the batch, over groups of channels.
local host = ...
local words = host.words

-- The scale that acts is offset + weight: Gemma's weights are what is left of 1.
local function normalisation(kind, has_bias)
    local defaults = { eps = 1e-5, bias = has_bias, offset = 0, role = "norm", key = false }
    words[kind] = function(name, features, options)
        host.check_text(kind, name)
        options = host.options(kind, options, defaults)
        local shape = { features }
        local weight = host.declare(name, ".weight", shape, "norm", options)
        local bias = options.bias and host.declare(name, ".bias", shape, "bias", options) or nil
        local parameters = { weight, bias }
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            host.need_last(kind, name, from, features)
            local attributes = { "eps", options.eps }
            if options.offset ~= 0 then
                attributes[3], attributes[4] = "offset", options.offset
            end
            return host.record(kind, { x }, parameters, attributes, from)
        end)
    end
end

normalisation("layer_norm", true)
normalisation("rms_norm", false)

-- [batch, features, ...]: statistics are a channel's own, or a group's. The axis is the C side's, from 0.
local function need_channels(kind, name, from, features)
    if #from < 2 or from[2] ~= features then
        host.fail_shape(string.format("%s \"%s\" takes [batch, %d, ...], and gets a value of shape %s", kind, name, features,
                                      host.shape_text(from)))
    end
end

-- Weight and bias, or neither.
local function affine(name, features, options)
    if not options.affine then
        return {}
    end
    local shape = { features }
    return { host.declare(name, ".weight", shape, "norm", options), host.declare(name, ".bias", shape, "bias", options) }
end

local batch_norm_options = { eps = 1e-5, affine = true, statistics = true, role = "norm", key = false }

-- The running statistics, which start as torch's and Keras' do without a rule.
local mean_start, variance_start, count_start = { value = 0 }, { value = 1 }, { value = 0, dtype = "i64" }

-- batch_norm(name, features, { eps = 1e-5, affine = true, statistics = true }): the running statistics are buffers
function words.batch_norm(name, features, options)
    host.check_text("batch_norm", name)
    options = host.options("batch_norm", options, batch_norm_options)
    local parameters = affine(name, features, options)
    if options.statistics then
        local function buffer(suffix, shape, role, more)
            local shared = { role = role, key = options.key }
            parameters[#parameters + 1] = host.declare(name, suffix, shape, "buffer", shared, more)
        end
        buffer(".running_mean", { features }, "running mean", mean_start)
        buffer(".running_var", { features }, "running variance", variance_start)
        buffer(".num_batches_tracked", {}, "number of batches seen", count_start)
    end
    name = host.full_name(name)
    return host.layer("batch_norm", name, function(x, from)
        need_channels("batch_norm", name, from, features)
        return host.record("batch_norm", { x }, parameters, { "eps", options.eps, "axis", 1 }, from)
    end)
end

local group_norm_options = { eps = 1e-5, affine = true, role = "norm", key = false }

-- group_norm(name, features, groups, { eps = 1e-5, affine = true }): mean and variance over each group of channels
function words.group_norm(name, features, groups, options)
    host.check_text("group_norm", name)
    options = host.options("group_norm", options, group_norm_options)
    if math.type(groups) ~= "integer" or groups < 1 or features % groups ~= 0 then
        host.fail_shape(string.format("group_norm \"%s\": %s groups do not divide %d features evenly", name,
                                      tostring(groups), features))
    end
    local parameters = affine(name, features, options)
    name = host.full_name(name)
    return host.layer("group_norm", name, function(x, from)
        need_channels("group_norm", name, from, features)
        return host.record("group_norm", { x }, parameters, { "eps", options.eps, "groups", groups, "axis", 1 }, from)
    end)
end
