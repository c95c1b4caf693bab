-- SPDX-License-Identifier: MIT
-- Kinds of a config's values: in words, and whether a value is of one. An empty list and an empty object look alike in Lua,
-- so each test sees the form too ("list", "object"). Not here: which field has which kind (recipes/).
local host = ...

-- A value of the config, for messages.
function host.shown(value, form)
    if type(value) == "string" then
        return '"' .. value .. '"'
    end
    if math.type(value) == "float" then
        return string.format("%.14g", value) .. (value == math.floor(value) and value < 1e14 and ".0" or "")
    end
    return type(value) == "table" and ((form == "list" or #value > 0) and "a list" or "an object") or tostring(value)
end

local function all(list, test)
    for _, x in ipairs(list) do
        if not test(x) then
            return false
        end
    end
    return true
end

local function is_integer(x)
    return math.type(x) == "integer"
end

-- What each type of rotary embedding needs: numbers, or lists (longrope). modeling_rope_utils.py, 5.24.0.
local rope_types = { default = {}, linear = { "factor" }, dynamic = { "factor" }, yarn = { "factor" }, proportional = {},
                     llama3 = { "factor", "low_freq_factor", "high_freq_factor" },
                     longrope = { "short_factor", "long_factor" } }

local function is_rope(x, form)
    if form ~= "object" then
        return false
    end
    local needed = rope_types[x.rope_type or x.type or "default"]
    return needed and (x.rope_theta == nil or math.type(x.rope_theta)) and all(needed, function(name)
        return type(x[name]) == (needed[1] == "short_factor" and "table" or "number")
    end)
end

-- How many classes id2label names: entries whose keys are different integers; nil when it names none.
function host.count_classes(x, form)
    local seen, count = {}, 0
    for key in pairs(form == "object" and x or {}) do
        local number = math.tointeger(tonumber(key))
        if number == nil then
            return nil
        end
        count = count + (seen[number] and 0 or 1)
        seen[number] = true
    end
    return form == "object" and count or nil
end

-- What a value must be, in words, and whether it is.
local kinds = {
    integer = { "an integer", is_integer },
    number = { "a number", function(x) return math.type(x) == "float" end },
    boolean = { "true or false", function(x) return type(x) == "boolean" end },
    text = { "a text", function(x) return type(x) == "string" end },
    real = { "a number", math.type },
    fraction = { "a number from 0 to 1", function(x) return math.type(x) and x >= 0 and x <= 1 end },
    integers = { "an integer or a list of integers", function(x, form)
        return is_integer(x) or (form == "list" and all(x, is_integer))
    end },
    texts = { "a list of texts", function(x, form)
        return form == "list" and all(x, function(y) return type(y) == "string" end)
    end },
    object = { "an object", function(_, form) return form == "object" end },
    classes = { "an object whose keys are the numbers of the classes: { \"0\": \"cat\", \"1\": \"dog\" }", host.count_classes },
    rope = { "an object whose rope_type is default, linear, dynamic, yarn, llama3, longrope or proportional, with the numbers "
             .. "that it needs", is_rope },
}

host.kind_names = {}
for name in pairs(kinds) do
    host.kind_names[#host.kind_names + 1] = name
end

-- The value of a field, which is of this kind or an error at its line; nil is any kind.
function host.check_kind(name, value, kind)
    local _, _, form = host.field(name)
    if kind == nil or kinds[kind][2](value, form) then
        return value
    end
    if kind == "number" and is_integer(value) then
        host.note(string.format("%s is the integer %d: read as a number (its class insists on %d.0)", name, value, value))
        return value + 0.0
    end
    host.fail_field(name, string.format("%s is %s; it must be %s%s", name, host.shown(value, form), kinds[kind][1],
                                        kind == "integer" and math.type(value) == "float"
                                        and " (in JSON 12.0 and 1e3 are no integers)" or ""))
end
