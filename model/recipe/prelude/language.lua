-- SPDX-License-Identifier: MIT
-- The recipe language's ground: what a recipe sees, and that it cannot change it. Layers, schemes and config fields are
-- in the files beside this one; each adds its words to `host.words`. Not here: anything that knows a model family.
local host = ...

local words = {}          -- what a recipe sees by name
host.words = words

function host.failf(text, ...)
    return host.fail(string.format(text, ...))
end

-- "a, b, c"
function host.listed(list)
    local text = ""
    for i, word in ipairs(list) do
        text = text .. (i > 1 and ", " or "") .. word
    end
    return text
end

-- "; did you mean x?", or "; known are a, b, c" when nothing is near
function host.hint(word, list)
    local near = host.nearest(word, list)
    return near and "; did you mean " .. near .. "?" or "; known are " .. host.listed(list)
end

-- Objects of the language are sealed: what they hold lies under a key that no recipe has, so that it is read and
-- changed here only.
local inside = {}

function host.seal(content, meta)
    return setmetatable({ [inside] = content }, meta)
end

function host.open(object)
    return object[inside]
end

-- A library that recipes read and never write.
function host.frozen(what, content)
    setmetatable(content, {
        __index = function(_, key)
            host.failf("%s.%s is left out of the recipe language", what, tostring(key))
        end,
    })
    return setmetatable({}, {
        __name = what,
        __index = content,
        __newindex = function(_, key)
            host.failf("%s belongs to the recipe language and cannot be changed (key %s)", what, tostring(key))
        end,
    })
end

-- What a word of another type is, for messages.
function host.kind_of(x)
    local meta = type(x) == "table" and getmetatable(x)
    return meta and meta.__name or (x == nil and "nil") or "a " .. type(x)
end

-- The options of a layer over their defaults, to be read only; an unknown one is an error. `defaults`, with false for
-- "none", is one table made once: what was not given is looked up there.
local over = {}

function host.options(what, given, defaults)
    if given == nil then
        return defaults
    end
    if type(given) ~= "table" or getmetatable(given) ~= nil then
        host.failf("%s takes its options in braces, { name = value }, and got %s", what, host.kind_of(given))
    end
    local options, unknown = host.overlay(given, defaults)
    if options == nil then
        local known = {}
        for key in pairs(defaults) do
            known[#known + 1] = key
        end
        host.failf("%s has no option %s%s", what, tostring(unknown), host.hint(tostring(unknown), known))
    end
    over[defaults] = over[defaults] or { __index = defaults }
    return setmetatable(options, over[defaults])
end

-- ---- What is left of Lua's own library ----

local arithmetic = { abs = math.abs, ceil = math.ceil, floor = math.floor, max = math.max, min = math.min,
                     tointeger = math.tointeger, huge = math.huge, pi = math.pi,
                     sqrt = host.sqrt, exp = host.exp, log = host.log, pow = host.pow }
for name, value in pairs(arithmetic) do
    words[name] = value
end
words.math = host.frozen("math", arithmetic)
words.string = host.frozen("string", string)
getmetatable("").__index = words.string -- ("%d"):format(3)
words.assert, words.error, words.type = assert, error, type
words.pairs, words.ipairs, words.select = pairs, ipairs, select
words.tonumber, words.tostring = tonumber, tostring

-- ---- The environment of a recipe ----

local left_out = { io = true, os = true, require = true, load = true, loadstring = true, dofile = true, loadfile = true,
                   debug = true, package = true, coroutine = true, pcall = true, xpcall = true, next = true,
                   setmetatable = true, getmetatable = true, rawset = true, rawget = true, rawequal = true,
                   rawlen = true, collectgarbage = true, print = true, table = true, utf8 = true, _G = true }

function host.unknown(name)
    if left_out[name] then
        host.failf("%s is left out of the recipe language, which reaches nothing outside itself", name)
    end
    if type(name) == "string" and math[name] == nil and host.activation(name) then
        host.failf('%s is an activation; write activation("%s") for the layer, and "%s" in quotes for its gain', name, name, name)
    end
    local known = {}
    for word in pairs(words) do
        known[#known + 1] = word
    end
    local near = type(name) == "string" and host.nearest(name, known)
    host.failf("%s is not defined%s", tostring(name), near and "; did you mean " .. near .. "?" or "")
end

-- A recipe may make globals of its own; the language's words stay as they are.
setmetatable(words, { __index = function(_, name) host.unknown(name) end })
host.environment = setmetatable({}, {
    __index = words,
    __newindex = function(environment, name, value)
        if rawget(words, name) ~= nil or left_out[name] then
            host.failf("%s belongs to the recipe language and cannot be changed; take another name", tostring(name))
        end
        rawset(environment, name, value)
    end,
})
host.set_environment(host.environment)
