-- SPDX-License-Identifier: MIT
-- A multilayer perceptron: linear layers with an activation between them, none after the last. The short form
-- mlp:IN,W1,W2xN,...,OUT is a config of this family, { "widths": [...], "activation":, "scheme": }.
-- Names: layers.0.weight (out, in), layers.0.bias, ..., the output too, as torch.nn.ModuleList names them.
local c = config { "the family mlp", activation = "relu", scheme = optional(text) }

local widths = c.widths
local count = type(widths) == "table" and #widths - 1 or 0
if count < 1 or count > 10000 then
    refuse("widths", "it must be a list of 2 to 10001 integers, from the input's width to the output's")
end
for i, width in ipairs(widths) do
    if tointeger(width) ~= width or width < 1 or width > 1 << 40 then
        refuse("widths", "entry " .. i .. " must be an integer from 1 to 1099511627776")
    end
end

local phi = activation_facts("activation", c.activation)
if phi.is_gate then
    refuse("activation", phi.name .. " is a gate of two signals, and a layer here has one")
end
local act = activation(c.activation)

local x = input { "batch", widths[1] }
repeated("layers", count, x, function(x, i)
    local last = i == count - 1
    x = x >> linear("", widths[i + 1], widths[i + 2], { role = last and "head" or "mlp.up" })
    return last and x or x >> act
end)

-- ---- Initial values ----

local hidden, last = count > 1, "layers." .. count - 1 .. ".weight"
local biases = "a bias starts at 0: the random weights already make the units differ"

local rectifiers = { relu = true, leaky_relu = true, prelu = true, rrelu = true, relu6 = true, thresholded_relu = true }
local bounded = { linear = true, tanh = true, sigmoid = true, softsign = true, hardtanh = true, hardsigmoid = true,
                  hardsigmoid_keras = true, arctan = true, erf = true, lecun_tanh = true }

-- scheme of the hidden weights, of the last one, and why
local function fitting()
    local gain = ("%.4g"):format(phi.gain)
    if bounded[phi.name] then
        return glorot_uniform, glorot_uniform, "Glorot: the variance is kept forwards and backwards around 0, where "
                                               .. phi.name .. " is straight"
    elseif phi.name == "selu" then
        return lecun_normal, lecun_normal, "LeCun: selu keeps mean 0 and variance 1 by itself"
    end
    return he_normal { gain = phi.gain }, lecun_normal,
           (rectifiers[phi.name] and "He: gain " or "He's rule with the exact gain of the activation, ") .. gain
           .. ", keeps the second moment through " .. phi.name
end

local scheme, scheme_last, why = fitting()
if c.scheme then
    weights(c.scheme)
end

variant("fitting", "He et al. 2015, eq. 10; Glorot and Bengio 2010, eq. 16; Klambauer et al. 2017 (selu)", function()
    if not c.scheme then
        note("the scheme follows the activation" .. (hidden and ". " .. why or ", and none follows these weights: gain 1"))
    end
    rule(last, scheme_last, scheme_last == scheme and why or "no activation follows: gain 1")
    if hidden then
        rule("*.weight", scheme, why)
    end
    rule("*.bias", zeros, biases)
end)

local function reach(t)
    return 1 / sqrt(widths[t.layer + 1])
end

variant("torch", "pytorch/pytorch, torch/nn/modules/linear.py, Linear.reset_parameters, v2.13.0", function()
    rule("*", uniform { bound = reach }, "U(-b, b), b = 1 / sqrt(fan_in), biases too, whatever the activation")
end)

variant("keras", "keras-team/keras, keras/src/layers/core/dense.py, Dense: glorot_uniform and zeros, v3", function()
    rule("*.weight", glorot_uniform, "Keras' default, whatever the activation")
    rule("*.bias", zeros, biases)
end)

variant("flax", "google/flax, flax/linen/linear.py, Dense: lecun_normal (cut at 2 sigmas) and zeros", function()
    rule("*.weight", lecun_trunc_normal, "Flax' default, whatever the activation")
    rule("*.bias", zeros, biases)
end)
