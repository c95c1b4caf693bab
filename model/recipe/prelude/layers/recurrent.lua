-- SPDX-License-Identifier: MIT
-- Recurrent layers and cells with torch's names, or Keras' where asked. Gates lie side by side in one weight, as blocks:
-- each is a matrix of its own. What a gate is called stands in the option `gates` of the tensors: a forget bias needs it.
local host = ...
local words = host.words

-- The gates of a kind in the order in which each framework stacks them.
local gates = {
    rnn = { count = 1, torch = "h", keras = "h" },
    lstm = { count = 4, torch = "i f g o", keras = "i f g o" }, -- Keras calls g c
    gru = { count = 3, torch = "r z n", keras = "z r n" },      -- Keras calls n h
}

local function gate_blocks(kind, hidden)
    local blocks = {}
    for i = 1, gates[kind].count do
        blocks[i] = hidden
    end
    return blocks
end

local function check_sizes(kind, name, inputs, hidden)
    host.check_text(kind, name)
    for what, size in pairs { inputs = inputs, hidden = hidden } do
        if math.type(size) ~= "integer" or size < 1 then
            host.fail_shape(string.format("%s of %s \"%s\" is %s; it must be an integer of at least 1", what, kind, name,
                                          tostring(size)))
        end
    end
end

-- The four tensors of one direction of one layer, as torch names them.
local function declare_torch(kind, name, suffix, inputs, hidden, options)
    local blocks, order = gate_blocks(kind, hidden), gates[kind].torch
    local function tensor(what, shape, tensor_kind, role, more)
        more.blocks, more.gates = blocks, order
        return host.declare(name, what .. suffix, shape, tensor_kind, { role = role, key = options.key and options.key .. "." }, more)
    end
    local rows = #blocks * hidden
    local list = { tensor("weight_ih", { rows, inputs }, "linear", "recurrent.input", {}),
                   tensor("weight_hh", { rows, hidden }, "linear", "recurrent.hidden", {}) }
    if options.bias then
        list[3] = tensor("bias_ih", { rows }, "bias", "recurrent.input", {})
        list[4] = tensor("bias_hh", { rows }, "bias", "recurrent.hidden",
                         { twin = name .. "bias_ih" .. suffix })
    end
    return list
end

-- kernel [in, gates * hidden], recurrent_kernel [hidden, gates * hidden], bias; a GRU has a row of biases for each of them.
local function declare_keras(kind, name, inputs, hidden, options)
    local blocks, order = gate_blocks(kind, hidden), gates[kind].keras
    local columns = #blocks * hidden
    local function tensor(what, shape, tensor_kind, role, layout)
        return host.declare(name, what, shape, tensor_kind, { role = role, key = options.key and options.key .. "." },
                            { blocks = blocks, gates = order, layout = layout })
    end
    local list = { tensor("kernel", { inputs, columns }, "linear", "recurrent.input", "in-out"),
                   tensor("recurrent_kernel", { hidden, columns }, "linear", "recurrent.hidden", "in-out") }
    if options.bias then
        list[3] = kind == "gru" and tensor("bias", { 2, columns }, "bias", "recurrent.input", "each-out")
                  or tensor("bias", { columns }, "bias", "recurrent.input", "out")
    end
    return list
end

local function operation(kind, order, inputs, hidden, options, bidirectional)
    local list = { "inputs", inputs, "hidden", hidden, "gates", order, "bidirectional", bidirectional,
                   "bias", options.bias, "names", options.names }
    if kind == "rnn" then
        list[#list + 1], list[#list + 2] = "nonlinearity", options.nonlinearity
    end
    return list
end

local function read_options(kind, given, defaults)
    local options = host.options(kind, given, defaults)
    if options.names ~= "torch" and options.names ~= "keras" then
        host.failf("names of %s are \"torch\" or \"keras\", not %s", kind, tostring(options.names))
    end
    if options.nonlinearity and options.nonlinearity ~= "tanh" and options.nonlinearity ~= "relu" then
        host.failf("nonlinearity of %s is \"tanh\" or \"relu\", not %s", kind, tostring(options.nonlinearity))
    end
    return options
end

-- lstm(name, inputs, hidden, { layers = 1, bidirectional = false, bias = true, names = "torch" or "keras" }) over
-- [batch, tokens, inputs]; each layer of the stack is one operation, with the tensors of both directions.
local function recurrent(kind)
    local defaults = { layers = 1, bidirectional = false, bias = true, names = "torch", key = false,
                       nonlinearity = kind == "rnn" and "tanh" or nil }
    words[kind] = function(name, inputs, hidden, options)
        check_sizes(kind, name, inputs, hidden)
        options = read_options(kind, options, defaults)
        local order, directions = gates[kind][options.names], options.bidirectional and 2 or 1
        if math.type(options.layers) ~= "integer" or options.layers < 1 or options.layers > 10000 then
            host.failf("layers of %s \"%s\" is %s; it must be an integer of 1 to 10000", kind, name, tostring(options.layers))
        end
        if options.names == "keras" and (options.layers > 1 or options.bidirectional) then
            host.failf("%s \"%s\": a layer of Keras is one layer of one direction; write one for each", kind, name)
        end
        local stack, width = {}, inputs
        for i = 1, options.layers do
            local list = {}
            for direction = 1, directions do
                local suffix = "_l" .. (i - 1) .. (direction == 2 and "_reverse" or "")
                local tensors = options.names == "torch"
                                and declare_torch(kind, name .. ".", suffix, width, hidden, options)
                                or declare_keras(kind, name .. ".", width, hidden, options)
                for _, tensor in ipairs(tensors) do
                    list[#list + 1] = tensor
                end
            end
            stack[i], width = { inputs = width, parameters = list }, hidden * directions
        end
        name = host.full_name(name)
        return host.layer(kind, name, function(x, from)
            if #from ~= 3 then
                host.fail_shape(string.format("%s \"%s\" takes [batch, tokens, %d], and gets %s", kind, name, inputs,
                                              host.shape_text(from)))
            end
            host.need_last(kind, name, from, inputs)
            for _, one in ipairs(stack) do
                x = host.record(kind, { x }, one.parameters,
                                operation(kind, order, one.inputs, hidden, options, options.bidirectional),
                                host.with_last(from, width))
            end
            return x
        end)
    end
end

-- lstm_cell(name, inputs, hidden, { bias = true }): one step from a state of zeros, over [batch, inputs]
local function cell(kind)
    local word = kind .. "_cell"
    local defaults = { bias = true, names = "torch", key = false, nonlinearity = kind == "rnn" and "tanh" or nil }
    words[word] = function(name, inputs, hidden, options)
        check_sizes(word, name, inputs, hidden)
        options = read_options(word, options, defaults)
        local order = gates[kind][options.names]
        local tensors = options.names == "torch" and declare_torch(kind, name .. ".", "", inputs, hidden, options)
                        or declare_keras(kind, name .. ".", inputs, hidden, options)
        name = host.full_name(name)
        return host.layer(word, name, function(x, from)
            host.need_last(word, name, from, inputs)
            return host.record(word, { x }, tensors, operation(kind, order, inputs, hidden, options, false),
                               host.with_last(from, hidden))
        end)
    end
end

for _, kind in ipairs { "rnn", "lstm", "gru" } do
    recurrent(kind)
    cell(kind)
end
