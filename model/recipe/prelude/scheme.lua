-- SPDX-License-Identifier: MIT
-- Schemes as words (every row of the catalogue and its aliases), rules and variants. What a rule's arguments are for one
-- tensor is worked out here; which rule claims a tensor is rule.c's. Not here: what a scheme does (core/scheme/).
local host = ...
local words, open = host.words, host.open

-- ---- Schemes: normal { std = 0.02 }, zeros ----

local scheme = { __name = "a scheme" }

local function is_scheme(x)
    return type(x) == "table" and getmetatable(x) == scheme
end

local function example(row)
    local text = ""
    for i, name in ipairs(row.parameters) do
        text = text .. (i > 1 and ", " or "") .. name .. " = ..."
    end
    return row.word .. (#row.parameters > 0 and " { " .. text .. " }" or "")
end

local function has(list, name)
    for _, known in ipairs(list) do
        if known == name then
            return true
        end
    end
    return false
end

local function check_list(row, name, list)
    local count = 0
    for key, x in pairs(list) do
        count = count + 1
        if key ~= count or type(x) ~= "number" then
            host.fail_rule(string.format("%s of %s is a list of numbers, and entry %s is %s", name, row.word, tostring(key),
                                         host.kind_of(x)))
        end
    end
end

local function check_argument(row, name, value)
    if type(name) ~= "string" then
        host.fail_rule(string.format("%s takes its arguments by name: %s", row.word, example(row)))
    end
    local known = false
    for _, parameter in ipairs(row.parameters) do
        known = known or parameter == name
    end
    if not known then
        local near = host.nearest(name, row.parameters)
        host.fail_rule(string.format("%s has no parameter %s; it takes %s%s", row.word, name,
                                     #row.parameters > 0 and host.listed(row.parameters) or "none",
                                     near and "; did you mean " .. near .. "?" or ""))
    end
    if type(value) == "table" and getmetatable(value) == nil and has(row.lists, name) then
        return check_list(row, name, value)
    end
    if type(value) ~= "number" and type(value) ~= "string" and type(value) ~= "function" then
        host.fail_rule(string.format("%s of %s is %s; it must be a number, a word or a function of the tensor", name,
                                     row.word, host.kind_of(value)))
    end
end

function scheme.__call(self, arguments)
    local row = open(self).row
    if open(self).arguments ~= nil then
        host.fail_rule(row.word .. " got its arguments twice")
    end
    if type(arguments) ~= "table" or getmetatable(arguments) ~= nil then
        host.fail_rule(string.format("%s takes its arguments by name and in braces: %s", row.word, example(row)))
    end
    local list = {}
    for name, value in pairs(arguments) do -- in order, so that plans are alike
        name = math.type(name) == "integer" and row.positional[name] or name
        check_argument(row, name, value)
        list[#list + 1], list[#list + 2] = name, value
    end
    return host.seal({ row = row, arguments = list }, scheme)
end

function scheme.__newindex(self, key)
    host.failf("%s cannot be changed (key %s)", open(self).row.word, tostring(key))
end

for _, row in ipairs(host.schemes()) do
    for _, word in ipairs(row.words) do
        if rawget(words, word) ~= nil then
            host.failf("the scheme %s has the name of another word of the recipe language", word)
        end
        words[word] = host.seal({ row = { word = word, parameters = row.parameters, positional = row.positional,
                                          lists = row.lists } }, scheme)
    end
end

-- ---- Rules ----

local collecting        -- the list that rule() adds to; nil while a recipe's own lines run
local own = {}          -- rules outside any variant
local closed = false    -- whether the recipe has run
local variants = {}

function words.rule(glob, what, reason)
    if type(glob) ~= "string" or glob == "" then
        host.fail_rule("rule takes a glob first, a text such as \"*.weight\", and got " .. host.kind_of(glob))
    end
    if not is_scheme(what) then
        host.fail_rule(string.format("rule(\"%s\") takes a scheme such as normal { std = 0.02 }, and got %s", glob,
                                     host.kind_of(what)))
    end
    if reason ~= nil and type(reason) ~= "string" then
        host.fail_rule("the reason of a rule is a text")
    end
    if closed and not collecting then
        host.fail_rule("rule(...) has no place here")
    end
    local file, line = host.where()
    local rules = collecting or own
    rules[#rules + 1] = { glob = glob, scheme = what, reason = reason or "", file = file, line = line }
end

-- weights("glorot_uniform{gain=2}"): a scheme that came as text, for every *.weight; after the user's rules, before the
-- variant's
function words.weights(text)
    if type(text) ~= "string" then
        host.fail("weights takes a scheme as a text, and got " .. host.kind_of(text))
    end
    host.weights(text)
end

-- variant(name, where its numbers come from, function() rule(...) ... end); the first is the default
function words.variant(name, source, body)
    if type(name) ~= "string" or type(source) ~= "string" or type(body) ~= "function" then
        host.fail("variant takes a name, a source and a function: variant(\"paper\", \"Author 2020, section 3\", function() "
                  .. "rule(...) end)")
    end
    for _, other in ipairs(variants) do
        if other.name == name then
            host.failf("there already is a variant %s", name)
        end
    end
    if closed then
        host.fail("variant(...) has no place here")
    end
    variants[#variants + 1] = { name = name, body = body }
    host.variant(name, source)
end

-- padding_drawn(), in a variant: the rows that the library's padding_idx zeroes are drawn like the others
function words.padding_drawn()
    if not closed or not collecting then
        host.fail_rule("padding_drawn() has no place here; it belongs into a variant")
    end
    collecting.padding_drawn = true
end

-- Called when a recipe has run: rule(...) lines outside a variant are one.
function host.finish()
    closed = true
    if #own > 0 and #variants > 0 then
        host.fail_at(own[1].file, own[1].line, "rule(...) stands outside the variants; put it into one")
    end
    if #own > 0 then
        host.variant("rules", "the rule(...) lines of " .. own[1].file)
        variants[1] = { name = "rules", body = function() return own end }
    end
end

local function collect(body, ...)
    collecting = {}
    local result = body(...)
    local rules = collecting
    collecting = nil
    return result, rules
end

function host.rules_of_variant(index)
    local variant = variants[index]
    local result, rules = collect(variant.body)
    return result == own and own or rules
end

function host.rules_of_file(chunk)
    local _, rules = collect(chunk)
    return rules
end

-- ---- A tensor as rules see it ----

local tensor, sizes = { __name = "a tensor" }, { __name = "a shape" }

function tensor.__index(self, key)
    local view = open(self)
    if view[key] ~= nil and key ~= "why_no_fans" then
        return view[key]
    end
    if key == "layer" or key == "n_layer" then
        host.fail_rule(string.format("%s is in no layer: it stands outside repeated()", view.name))
    end
    if key == "fan_in" or key == "fan_out" then
        host.fail_rule(string.format("%s has no %s: %s", view.name, key, view.why_no_fans))
    end
    host.fail_rule(string.format("a tensor has no field %s; it has name, shape, elements, fan_in, fan_out, layer, n_layer, "
                                 .. "kind, role", tostring(key)))
end

function sizes.__index(self, axis)
    local shape = open(self)
    return shape[axis] or host.fail_rule(string.format("the tensor has %d dimensions, and no shape[%s]", #shape,
                                                       tostring(axis)))
end

function sizes.__len(self)
    return #open(self)
end

for _, meta in ipairs { tensor, sizes } do
    meta.__newindex = function(_, key)
        host.fail_rule(meta.__name .. " cannot be changed (key " .. tostring(key) .. ")")
    end
end

local tensor_fields = { name = true, shape = true, elements = true, fan_in = true, fan_out = true, layer = true,
                        n_layer = true, kind = true, role = true }

-- ---- --set: an expression with the tensor and the config in sight ----

local seen, touched

host.set_scope = setmetatable({}, {
    __index = function(_, name)
        if tensor_fields[name] and open(seen)[name] ~= nil then
            touched = true
            return seen[name]
        end
        local found, value = host.config_value(name)
        if found then
            return value
        end
        if tensor_fields[name] then
            return seen[name] -- says why there is none
        end
        if rawget(words, name) ~= nil then
            return words[name]
        end
        host.unknown(name)
    end,
    __newindex = function(_, name)
        host.fail_rule("an expression cannot make globals (" .. tostring(name) .. ")")
    end,
})

-- The same for a rules file, which has the config in sight but no tensor outside functions.
host.file_scope = setmetatable({}, {
    __index = function(_, name)
        local found, value = host.config_value(name)
        if found then
            return value
        end
        return host.environment[name]
    end,
    __newindex = function(scope, name, value)
        if rawget(words, name) ~= nil then
            host.failf("%s belongs to the recipe language and cannot be changed; take another name", tostring(name))
        end
        rawset(scope, name, value)
    end,
})

-- ---- What a rule's scheme is for one tensor ----

-- evaluate(rule, tensor) -> scheme's word, {name, value, ...}, whether it is the same for every tensor
function host.evaluate(rule, view)
    view.shape = host.seal(view.shape, sizes)
    view = host.seal(view, tensor)
    seen, touched = view, false
    local what = rule.scheme
    if rule.expression then
        what = rule.expression()
        if not is_scheme(what) then
            host.fail_rule("the expression gives " .. host.kind_of(what) .. "; it must give a scheme such as "
                           .. "normal { std = 0.02 }")
        end
    end
    what = open(what)
    local list, constant = {}, true
    for i, argument in ipairs(what.arguments or {}) do
        if type(argument) == "function" then
            argument, constant = argument(view), false
            if type(argument) ~= "number" and type(argument) ~= "string" then
                host.fail_rule(string.format("%s of %s gave %s for %s; it must give a number or a word",
                                             what.arguments[i - 1], what.row.word, host.kind_of(argument), view.name))
            end
        end
        list[i] = argument
    end
    return what.row.word, list, constant and not touched
end
