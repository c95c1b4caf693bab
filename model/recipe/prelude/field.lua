-- SPDX-License-Identifier: MIT
-- config { ... }: what a family reads from its config.json, with the family's own defaults. Absent, null and a value are
-- three things, and each is said by name. Not here: reading JSON (model/source/), and what a field means (recipes/).
local host = ...
local words, open = host.words, host.open

local marker = { __name = "a kind of field" }
local spec = { __name = "a field" }

-- Kinds, for fields without a default: optional(integer). What they are is kind.lua's.
for _, name in ipairs(host.kind_names) do
    words[name] = host.seal({ kind = name }, marker)
end

local function as_spec(x)
    if type(x) == "table" and getmetatable(x) == spec then
        return open(x)
    end
    if type(x) == "table" and getmetatable(x) == marker then
        return { kind = open(x).kind, required = true }
    end
    return { default = x }
end

local function kind_in(what, kind)
    if kind ~= nil and (type(kind) ~= "table" or getmetatable(kind) ~= marker) then
        host.failf("%s takes a kind such as integer, number, boolean or text; and got %s", what, host.kind_of(kind))
    end
    return kind and open(kind).kind
end

-- optional, optional(integer), optional(integer, "4 * n_embd"): absent and null are both nil; the words say what nil means
function spec.__call(_, kind, meaning)
    return host.seal({ optional = true, kind = kind_in("optional", kind), meaning = meaning }, spec)
end
words.optional = host.seal({ optional = true }, spec)

-- nullable(32, "num_attention_heads"): absent is 32, null is nil
function words.nullable(default, meaning)
    return host.seal({ default = default, nullable = true, meaning = meaning }, spec)
end

-- extra(integer, "..."): absent is nil, null is refused - a field that the config class does not know and the model reads
function words.extra(kind, meaning)
    return host.seal({ extra = true, kind = kind_in("extra", kind), meaning = meaning }, spec)
end

-- size(768): an integer of at least 1. depth(12): a number of layers, 0 to 10000.
function words.size(default)
    return host.seal({ default = default, kind = "integer", low = 1, high = 1 << 40 }, spec)
end

function words.depth(default)
    return host.seal({ default = default, kind = "integer", low = 0, high = 10000 }, spec)
end

-- also("hidden_size", size(768)): the field has a second name
function words.also(name, default)
    local copy = { also = name }
    for key, value in next, as_spec(default) do
        copy[key] = value
    end
    return host.seal(copy, spec)
end

for _, meta in ipairs { marker, spec } do
    meta.__newindex = function(_, key)
        host.failf("%s cannot be changed (key %s)", meta.__name, tostring(key))
    end
end

local function kind_of_default(default)
    local kinds = { integer = "integer", float = "number" }
    return kinds[math.type(default)] or ({ boolean = "boolean", string = "text" })[type(default)]
end

-- ---- What is in the file ----

local shown, check_kind = host.shown, host.check_kind

-- A default, whose lists are short.
local function shown_default(value)
    if type(value) ~= "table" then
        return shown(value)
    end
    local text = ""
    for i, x in ipairs(value) do
        text = text .. (i > 1 and ", " or "") .. shown(x)
    end
    return "[" .. text .. "]"
end

-- refuse("hidden_act", "the library has no such activation"): an error at the field's line in the config
function words.refuse(name, why)
    local state, value, form = host.field(name)
    host.fail_field(name, name .. " is " .. (state == "value" and shown(value, form) or state) .. ": " .. why)
end

-- choose("architecture", { resnet50 = ... , ... }): what the table has under the field's text, and the text
function words.choose(name, choices)
    local _, value = host.field(name)
    if type(choices) ~= "table" then
        host.fail("choose takes a field and a table: choose(\"architecture\", { resnet50 = ..., resnet101 = ... })")
    end
    if type(value) == "string" and choices[value] ~= nil then
        return choices[value], value
    end
    local names, first = {}, {}
    for key in pairs(choices) do
        names[#names + 1] = key
        first[#first + 1] = #first < 12 and key or nil
    end
    local near = type(value) == "string" and host.nearest(value, names)
    words.refuse(name, near and "did you mean " .. near .. "?" or "known are " .. host.listed(first)
                       .. (#names > #first and string.format(" and %d more", #names - #first) or ""))
end

-- note("..."): what was assumed; `sow plan` tells it
words.note = host.note

-- State and value of a field under its name or its second one.
local function look(name, field)
    local state, value = host.field(name)
    if field.also then
        local other_state, other = host.field(field.also)
        if other_state ~= "absent" and state ~= "absent" and other ~= value then
            host.fail_field(field.also, string.format("%s is %s and %s is %s; they are two names of one field", name,
                                                      shown(value), field.also, shown(other)))
        end
        if other_state ~= "absent" then
            return other_state, other, field.also
        end
    end
    return state, value, name
end

-- "; the file has n_layers, which nobody reads", when a field is absent and one of nearly its name is there
local function misspelt(name, known)
    local unknown = {}
    for _, other in ipairs(host.field_names()) do
        if not known[other] and other ~= "model_type" then -- that one chose the recipe
            unknown[#unknown + 1] = other
        end
    end
    local near = host.nearest(name, unknown)
    return near and "; the file has " .. near .. ", which nobody reads" or ""
end

local function fail_null(name, field, source)
    host.fail_field(name, string.format("%s is null; %s needs a value (leave the field out for its default%s)", name, source,
                                        field.default ~= nil and ", " .. shown(field.default) or ""))
end

local function resolve(name, field, source, path, known)
    local state, value, found_as = look(name, field)
    if state == "value" then
        value = check_kind(found_as, value, field.kind or kind_of_default(field.default))
        if field.low and (value < field.low or value > field.high) then
            host.fail_field(found_as, string.format("%s is %d; it must be %d to %d", found_as, value, field.low, field.high))
        end
        return value
    end
    if state == "null" and not field.optional and not field.nullable then
        fail_null(found_as, field, source)
    end
    if state == "absent" and field.required then
        host.failf("%s has no field %s, which this line needs%s", path or "the recipe's config", name,
                   misspelt(name, known))
    end
    local default
    if state == "absent" then
        default = field.default
    end
    if path and default ~= nil then
        host.note(string.format("%s is absent: %s, the default of %s%s", name, shown_default(default), source,
                                misspelt(name, known)))
    elseif path and field.meaning then
        host.note(string.format("%s is %s: %s", name, state, field.meaning))
    end
    return default
end

-- ---- Fields that no recipe reads, and that change what the tensors are ----

local function is_set(value)
    return value ~= false and value ~= 0 and not (type(value) == "table" and #value == 0 and next(value) == nil)
end

local composite = "this is a model made of several, and the recipe reads one; write the inner config into a file of its own"
local experts = "the recipe has no experts; take a family that has"
local not_honoured = {
    quantization_config = "sow draws plain weights; remove the field, and quantise what comes out",
    add_cross_attention = "the recipe has no cross-attention",
    per_layer_config = "the recipe makes all layers alike",
    pruned_heads = "the recipe makes all heads",
    text_config = composite, vision_config = composite, audio_config = composite, encoder = composite, decoder = composite,
    num_local_experts = experts, num_experts = experts, n_routed_experts = experts, moe_intermediate_size = experts,
}

local function check_not_honoured(fields)
    local declared = {}
    for name, field in pairs(fields) do
        declared[name] = true
        declared[type(name) == "string" and as_spec(field).also or name] = true
    end
    for name, why in pairs(not_honoured) do
        local state, value = host.field(name)
        if not declared[name] and state == "value" and is_set(value) then
            words.refuse(name, why)
        end
    end
end

-- ---- Fields that no recipe reads, and whose kind the library checks all the same ----

local unread = { __name = "unread fields" }

-- The second entry of config: unread { use_cache = boolean, eos_token_id = optional(integers) }, the fields of a config class
-- of transformers that concern no tensor. Its null and its wrong kinds are refused here as there. What all its classes
-- check comes by itself.
function words.unread(fields)
    local copy = { num_labels = words.extra(words.integer), id2label = words.optional(words.classes),
                   per_layer_config = words.optional(words.object), output_hidden_states = words.optional(words.boolean) }
    for name, field in pairs(fields) do
        copy[name] = field
    end
    if fields.rope_parameters then
        copy.rope_theta, copy.partial_rotary_factor = words.extra(words.real), words.optional(words.real)
    end
    local state, value = host.field("rope_scaling")
    if state == "value" and value ~= "" and is_set(value) then -- what counts as false is as good as null
        copy.rope_scaling = fields.rope_parameters and words.rope or words.object
    end
    return host.seal(copy, unread)
end

local function check_unread(fields, source)
    for name, field in pairs(fields) do
        field = as_spec(field)
        local state, value = host.field(name)
        if state == "value" then
            check_kind(name, value, field.kind)
        elseif state == "null" and not field.optional then
            fail_null(name, field, source)
        end
    end
end

-- ---- config ----

local resolved = {}
local declared = { model_type = true, dtype = true, torch_dtype = true } -- by any config { ... }

-- config { "GPT2Config of transformers 5.24.0", unread { ... }, n_embd = 768, n_inner = optional(integer), ... }
function words.config(fields)
    local path = host.config_path()
    local source = type(fields) == "table" and fields[1] or "the recipe"
    local others = type(fields) == "table" and type(fields[2]) == "table" and getmetatable(fields[2]) == unread
                   and open(fields[2]) or {}
    local known = {}
    for _, list in ipairs { fields, others } do
        for name in pairs(list) do
            known[name], declared[name] = true, true
        end
    end
    for name, field in pairs(fields) do
        if type(name) ~= "number" then
            resolved[name] = resolve(name, as_spec(field), source, path, known)
        end
    end
    check_not_honoured(fields)
    check_unread(others, source)
    return setmetatable({}, {
        __name = "a config",
        __index = function(_, name)
            if resolved[name] ~= nil or fields[name] ~= nil then
                return resolved[name]
            end
            local state, value = host.field(name)
            if state == "null" then
                host.fail_field(name, name .. " is null, and the recipe needs a value")
            elseif state == "absent" then
                host.failf("%s has no field %s, which this line needs%s", path or "the recipe's config", tostring(name),
                           misspelt(tostring(name), known))
            end
            return value
        end,
        __newindex = function(_, name)
            host.failf("the config cannot be changed (field %s)", tostring(name))
        end,
    })
end

-- no_other_fields(): refuses the first field that no config { ... } has named
function words.no_other_fields()
    for _, name in ipairs(host.field_names()) do
        if not declared[name] then
            local names = {}
            for known in pairs(declared) do
                names[#names + 1] = type(known) == "string" and known or nil
            end
            local near = host.nearest(name, names)
            words.refuse(name, "the recipe reads no such field" .. (near and "; did you mean " .. near .. "?" or ""))
        end
    end
end

-- For --set and rules files: found, value.
function host.config_value(name)
    if type(name) ~= "string" then
        return false
    end
    if resolved[name] ~= nil then
        return true, resolved[name]
    end
    local state, value = host.field(name)
    return state == "value" and type(value) ~= "table", value
end

-- ---- What the families of transformers share ----

-- architecture("GPT2", { "GPT2LMHeadModel", "GPT2Model" }): the class that `architectures` names; the first is the default
function words.architecture(prefix, classes)
    local state, value = host.field("architectures")
    local name = value
    if type(value) == "table" then
        name = value[1]
    end
    if state ~= "value" or name == nil then
        if host.config_path() then
            host.note("architectures is " .. (state == "value" and "empty" or state) .. ": " .. classes[1])
        end
        return classes[1]
    end
    if type(name) ~= "string" then
        words.refuse("architectures", "it must be a list of class names")
    end
    for _, class in ipairs(classes) do
        if class == name then
            return class
        end
    end
    if string.sub(name, 1, #prefix) == prefix then
        host.fail_field("architectures", string.format("architectures names %s, which the recipe does not build; name one of "
                                                       .. "those it builds: %s", name, host.listed(classes)))
    end
    host.note(string.format("architectures names %s, which is no class of this family: %s", name, classes[1]))
    return classes[1]
end

-- activation_facts("activation", c.activation): name, is_gate and exact gain of an activation that a field names
function words.activation_facts(field, text)
    local name, why, is_gate = host.activation(text)
    if name == nil then
        words.refuse(field, why)
    end
    return { name = name, is_gate = is_gate, gain = host.gain(text) }
end

-- The names in transformers.activations.ACT2FN (5.24.0). Those that are false bring tensors of their own.
local transformers_activations = {
    gelu = true, gelu_10 = true, gelu_fast = true, gelu_new = true, gelu_python = true, gelu_pytorch_tanh = true,
    gelu_python_tanh = true, gelu_accurate = true, hardswish = true, laplace = true, leaky_relu = true, linear = true,
    mish = true, quick_gelu = true, relu = true, relu2 = true, relu6 = true, sigmoid = true, silu = true,
    sqrtsoftplus = true, swish = true, tanh = true, prelu = false, xielu = false,
}

-- transformers_activation("hidden_act", c.hidden_act): an activation layer, or an error at the config's line
function words.transformers_activation(field, name)
    local known = transformers_activations[name]
    if known == nil then
        local names = {}
        for word in pairs(transformers_activations) do
            names[#names + 1] = word
        end
        words.refuse(field, "transformers has no such activation" .. host.hint(name, names))
    elseif known == false then
        words.refuse(field, "it brings tensors of its own, which the recipe does not build")
    end
    local canonical = host.activation(name) or name
    return host.layer("activation", name, function(x, from)
        return host.record("activation", { x }, {}, { "name", canonical }, from)
    end)
end

-- check_padding("pad_token_id", rows): refuses a row that the table of tokens has not; torch counts negative ones from the end
function words.check_padding(field, rows)
    local state, row = host.field(field)
    if state == "value" and math.type(row) == "integer" and (row >= rows or row < -rows) then
        words.refuse(field, string.format("the vocabulary has the rows 0 to %d (its library refuses it too); null is none",
                                          rows - 1))
    end
end

-- labels(), labels(0): the classes of a classifier, as transformers counts them: num_labels, else id2label, else 2. The
-- argument is the fewest that the model can have; 1 when it is left out.
function words.labels(fewest)
    fewest = fewest or 1
    local state, names, form = host.field("id2label")
    local other, count = host.field("num_labels")
    if other == "null" or (other == "value" and (math.type(count) ~= "integer" or count < fewest)) then
        words.refuse("num_labels", "it must be an integer of at least " .. fewest)
    end
    if state ~= "value" then
        if other ~= "value" and host.config_path() then
            host.note("id2label is " .. state .. ": 2 labels, the default of transformers")
        end
        return other == "value" and count or 2
    end
    check_kind("id2label", names, "classes")
    local length = host.count_classes(names, form)
    if length < fewest and other ~= "value" then
        words.refuse("id2label", "it names no class")
    end
    if other == "value" and count ~= length then
        host.note(string.format("num_labels is %d and id2label has %d: %d labels, as transformers counts them", count, length,
                                count))
        return count
    end
    return length
end

-- include("resnet", { ... }): the library's recipe of that name, with its argument: `local given = ...`
function words.include(family, given)
    if type(family) ~= "string" then
        host.fail("include takes the name of a family: include(\"resnet\", { ... })")
    end
    host.include(family, given)
end
