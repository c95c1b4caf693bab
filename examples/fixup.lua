-- SPDX-License-Identifier: MIT
-- A ResNet of 110 layers without norms, started as Fixup says (Zhang et al. 2019): scalars beside each convolution, the second
-- convolution of each branch and the last layer at zero, the first ones scaled down by the number of branches.
local blocks, branches = 18, 54

local function bias(x, name)
    return x + learned(name, { 1, 1, 1, 1 })
end

local function block(x, inputs, outputs, stride)
    local short = x
    if stride > 1 then -- as in the authors' code: pooled, and the new channels are zeros
        short = x >> average_pool(1, { stride = stride })
        short = concat(short, short * 0, { axis = 2 })
    end
    x = bias(x, "bias1a") >> conv2d("conv1", inputs, outputs, { stride = stride, padding = 1, bias = false })
    x = bias(x, "bias1b") >> activation("relu")
    x = bias(x, "bias2a") >> conv2d("conv2", outputs, outputs, { padding = 1, bias = false })
    x = x * learned("scale", { 1, 1, 1, 1 })
    return (bias(x, "bias2b") + short) >> activation("relu")
end

local x = input { "batch", 3, 32, 32, correlation = 0.3 } >> conv2d("conv1", 3, 16, { padding = 1, bias = false })
x = bias(x, "bias1") >> activation("relu")
for stage, width in ipairs { 16, 32, 64 } do
    x = repeated("layer" .. stage, blocks, x, function(x, i)
        local first = i == 0 and stage > 1
        return block(x, first and width // 2 or width, width, first and 2 or 1)
    end)
end
x = bias(x >> global_pool(), "bias2") >> linear("fc", 64, 10)

rule("fc.*", zeros, "the first loss is ln 10")
rule("*.conv2.weight", zeros, "each branch begins as nothing")
rule("*.scale", ones)
rule("*bias*", zeros)
rule("conv1.weight", normal { std = function(t) return sqrt(2 / t.fan_out) end })
rule("*.conv1.weight", normal { std = function(t) return sqrt(2 / (9 * t.shape[1])) / sqrt(branches) end },
     "He by fan out, times L^(-1/(2m - 2)) for branches of m = 2 layers")
