-- SPDX-License-Identifier: MIT
-- What only moves values: other shapes, one value of several, a part of one.
local host = ...
local words = host.words

-- [batch, a, b] to [batch, a * b]
function words.flatten()
    return host.layer("flatten", nil, function(x, from)
        local size = 1
        for i = 2, #from do
            if type(from[i]) == "string" then
                host.fail_shape("flatten needs known sizes, and gets " .. host.shape_text(from))
            end
            size = size * from[i]
        end
        return host.record("flatten", { x }, {}, {}, { from[1], size })
    end)
end

local function product(a, b)
    if math.type(a) and math.type(b) then
        return a * b
    end
    return a == 1 and b or b == 1 and a or tostring(a) .. "*" .. tostring(b)
end

-- [batch, features, height, width] to [batch, height * width, features]: pixels become tokens
function words.to_tokens()
    return host.layer("to_tokens", nil, function(x, from)
        if #from < 3 then
            host.fail_shape("to_tokens takes [batch, features, sizes...], and gets a value of shape "
                            .. host.shape_text(from))
        end
        local count = 1
        for i = 3, #from do
            count = product(count, from[i])
        end
        return host.record("to_tokens", { x }, {}, {}, { from[1], count, from[2] })
    end)
end

-- An axis from 1, or from the end when negative, as one from 1.
local function check_axis(what, axis, rank)
    if math.type(axis) ~= "integer" or axis == 0 or axis > rank or axis < -rank then
        host.fail_shape(string.format("%s: a value with %d axes has no axis %s; they count from 1, or from -1 at the end",
                                      what, rank, tostring(axis)))
    end
    return axis < 0 and rank + 1 + axis or axis
end

local function sum(a, b)
    return math.type(a) and math.type(b) and a + b or tostring(a) .. "+" .. tostring(b)
end

local concat_options = { axis = -1 }

-- concat(x, y, ..., { axis = 2 }): side by side along an axis. Other sizes are equal, or 1: such a value is repeated.
function words.concat(...)
    local parts = { ... }
    local options = {}
    if #parts > 0 and not host.is_value(parts[#parts]) then
        options = parts[#parts]
        parts[#parts] = nil
    end
    options = host.options("concat", options, concat_options)
    if #parts == 0 then
        host.fail("concat takes values: concat(x, y, { axis = 2 })")
    end
    local shape, axis
    for number, part in ipairs(parts) do
        local from = host.is_value(part) and host.shape(part)
                     or host.failf("concat takes values, and got %s", host.kind_of(part))
        axis = axis or check_axis("concat", options.axis, #from)
        shape = shape or host.with_last(from, from[#from])
        for i = 1, number == 1 and 0 or math.max(#shape, #from) do
            local a, b = shape[i], from[i]
            if a == nil or b == nil or (i ~= axis and a ~= b and a ~= 1 and b ~= 1) then
                host.fail_shape(string.format("concat along axis %d: the shapes %s and %s do not fit together", axis,
                                              host.shape_text(host.shape(parts[1])), host.shape_text(from)))
            end
            shape[i] = i == axis and sum(a, b) or a == 1 and b or a
        end
    end
    return host.record("concat", parts, {}, { "axis", axis - 1 }, shape)
end

local take_options = { axis = 2 }

-- take(1, { axis = 2 }): one of the places along an axis, which goes away. Both count from 1.
function words.take(index, options)
    options = host.options("take", options, take_options)
    return host.layer("take", nil, function(x, from)
        local axis = check_axis("take", options.axis, #from)
        if math.type(index) ~= "integer" or index < 1 or (math.type(from[axis]) and index > from[axis]) then
            host.fail_shape(string.format("take(%s): axis %d of %s has no such place", tostring(index), axis,
                                          host.shape_text(from)))
        end
        local shape = {}
        for i = 1, #from do
            if i ~= axis then
                shape[#shape + 1] = from[i]
            end
        end
        return host.record("take", { x }, {}, { "axis", axis - 1, "index", index - 1 }, shape)
    end)
end
