-- SPDX-License-Identifier: MIT
-- A small VGG-like network for images of 3 x 32 x 32 (Simonyan and Zisserman 2014).
local relu = activation("relu")

local function stage(name, x, inputs, outputs)
    return scope(name, function()
        return x >> conv2d("conv1", inputs, outputs, { kernel = 3, padding = 1 }) >> relu
                 >> conv2d("conv2", outputs, outputs, { kernel = 3, padding = 1 }) >> relu
                 >> max_pool(2)
    end)
end

local x = input { "batch", 3, 32, 32 }
x = stage("stage1", x, 3, 32)
x = stage("stage2", x, 32, 64)
x = stage("stage3", x, 64, 128)
x = x >> flatten() >> linear("classifier", 128 * 4 * 4, 10)

variant("he", "He et al. 2015, equation 10: every ReLU halves the second moment", function()
    rule("classifier.weight", lecun_normal, "nothing follows the classifier")
    rule("*.weight", he_normal { mode = "fan_out" }, "a ReLU follows; fan_out keeps the gradient's scale")
    rule("*.bias", zeros)
end)

variant("vgg", "Simonyan and Zisserman 2014, section 3.1: N(0, 0.01), zero biases", function()
    rule("*.weight", normal { std = 0.01 })
    rule("*.bias", zeros)
end)
