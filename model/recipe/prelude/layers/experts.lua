-- SPDX-License-Identifier: MIT
-- Mixtures of experts: a router sends each token to the few experts that score highest, and their outputs are added,
-- weighted. Two operations: "route" makes the weights from the scores, "experts" adds up; the experts between them are
-- ordinary layers. Not here: experts stacked into one tensor.
local host = ...
local words = host.words

local route_options = { experts = false, top_k = 2, normalised = true }

-- route { experts = 8, top_k = 2, normalised = true }: scores [..., experts] to weights of the same shape: a softmax over
-- all, the top_k largest kept, the others 0, and their sum made 1 (normalised)
function words.route(options)
    options = host.options("route", options, route_options)
    local count, top_k = options.experts, options.top_k
    if math.type(count) ~= "integer" or math.type(top_k) ~= "integer" or top_k < 1 or top_k > count then
        host.fail_shape(string.format("route takes whole numbers: 1 to experts for top_k; and got experts = %s, top_k = %s",
                                      tostring(count), tostring(top_k)))
    end
    return host.layer("route", nil, function(x, from)
        if from[#from] ~= count then
            host.fail_shape(string.format("route takes a score for each of %d experts, and gets a value of shape %s", count,
                                          host.shape_text(from)))
        end
        return host.record("route", { x }, {}, { "experts", count, "top_k", top_k, "normalised", options.normalised }, from)
    end)
end

local experts_options = { router = false, experts = false, top_k = 2, normalised = true, name = "experts", expert = false }

-- experts { router = layer, experts = 8, top_k = 2, name = "experts", expert = function(x, i) ... return y end }: i from 0,
-- under name.i; the layers of an expert are declared inside
function words.experts(options)
    options = host.options("experts", options, experts_options)
    local count = host.need_count("the number of experts", options.experts, 1)
    local route = words.route { experts = count, top_k = options.top_k, normalised = options.normalised }
    if count > 4095 then
        host.fail_shape(string.format("experts: %d experts; at most 4095 are possible", count))
    end
    if type(options.expert) ~= "function" or not options.router then
        host.fail("experts takes a router and a function: experts { router = linear(\"gate\", 64, 8), experts = 8, "
                  .. "expert = function(x, i) ... return y end }")
    end
    return host.layer("experts", nil, function(x)
        local parts = { x >> options.router >> route }
        for i = 0, count - 1 do
            host.enter(options.name .. "." .. i)
            local y = options.expert(x, i)
            if not host.is_value(y) then
                host.failf("the function of experts returned %s for expert %d; it must return the value that it makes",
                           host.kind_of(y), i)
            end
            host.leave()
            parts[i + 2] = y
        end
        return host.record("experts", parts, {}, { "experts", count, "top_k", options.top_k }, host.shape(parts[2]))
    end)
end
