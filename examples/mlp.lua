-- SPDX-License-Identifier: MIT
-- A multi-layer perceptron for images of 28 x 28, the smallest model.lua: sow plan examples/mlp.lua
local width, depth = 256, 4

local x = input { "batch", 784 }
x = x >> linear("first", 784, width) >> activation("relu")
x = repeated("hidden", depth, x, function(x)
    return x >> linear("fc", width, width) >> activation("relu")
end)
x = x >> linear("last", width, 10)

rule("last.weight", glorot_uniform, "nothing follows the last layer")
rule("*.weight", he_normal, "a ReLU follows, and halves the second moment")
rule("*.bias", zeros)
