-- SPDX-License-Identifier: MIT
-- ResNet (He et al. 2015, with the stride in the 3x3 convolution: "v1.5"), ResNeXt and wide ResNets. As transformers stores
-- it when read from its config.json; with torchvision's and timm's names when torchvision.lua or timm.lua include it.
-- Defaults: ResNetConfig of transformers 5.24.0. Classes: ResNetForImageClassification, ResNetModel (no prefix, no head).
local net = ...

local function from_transformers()
    local c = config { "ResNetConfig of transformers 5.24.0", unread {},
        num_channels = size(3), embedding_size = size(64), hidden_sizes = { 256, 512, 1024, 2048 }, depths = { 3, 4, 6, 3 },
        layer_type = "bottleneck", hidden_act = "relu", downsample_in_first_stage = false, downsample_in_bottleneck = false }
    if c.layer_type ~= "basic" and c.layer_type ~= "bottleneck" then
        refuse("layer_type", "it is basic or bottleneck")
    end
    for _, field in ipairs { "hidden_sizes", "depths" } do
        local list = c[field]
        if type(list) ~= "table" or #list == 0 or #list > 1000 then
            refuse(field, "it must be a list of integers, one a stage")
        end
        for i, number in ipairs(list) do
            if tointeger(number) ~= number or number < (field == "depths" and 0 or 1) or number > 1 << 30 then
                refuse(field, "entry " .. i .. " must be an integer of at least " .. (field == "depths" and 0 or 1))
            end
        end
    end
    if #c.depths < #c.hidden_sizes then
        refuse("depths", "it has fewer stages than hidden_sizes, which has " .. #c.hidden_sizes)
    end
    local bare = architecture("ResNet", { "ResNetForImageClassification", "ResNetModel" }) == "ResNetModel"
    return { style = "transformers", prefix = bare and "" or "resnet", bottleneck = c.layer_type == "bottleneck",
             channels = c.num_channels, stem = c.embedding_size, depths = c.depths, sizes = c.hidden_sizes, groups = 1,
             first_stride = c.downsample_in_first_stage and 2 or 1, stride_in_first = c.downsample_in_bottleneck,
             classes = bare and 0 or labels(0), act = transformers_activation("hidden_act", c.hidden_act) }
end

net = net or from_transformers()
local hf = net.style == "transformers"
local relu = activation("relu")
local act = net.act or relu

-- ---- The network ----

local function conv_norm(x, conv, norm, inputs, outputs, kernel, stride, groups, role)
    return x >> conv2d(conv, inputs, outputs, { kernel = kernel, stride = stride, padding = kernel // 2,
                                                groups = groups or 1, bias = false, role = role })
             >> batch_norm(norm, outputs)
end

-- The names of a block's i-th convolution and its norm, from 1.
local function names(i)
    if hf then
        return "layer." .. i - 1 .. ".convolution", "layer." .. i - 1 .. ".normalization"
    end
    return "conv" .. i, "bn" .. i
end

local function shortcut(x, inputs, outputs, stride)
    if inputs == outputs and stride == 1 then
        return x
    end
    if net.average_down then -- ResNet-D
        x = stride == 1 and x or x >> average_pool(stride)
        return conv_norm(x, "downsample.1", "downsample.2", inputs, outputs, 1, 1, 1, "shortcut")
    end
    return conv_norm(x, hf and "shortcut.convolution" or "downsample.0", hf and "shortcut.normalization" or "downsample.1",
                     inputs, outputs, 1, stride, 1, "shortcut")
end

-- In transformers the inner activations are ReLUs whatever hidden_act says; the stem's and the last are hidden_act.
local function block(x, inputs, outputs, stride, width)
    local other = shortcut(x, inputs, outputs, stride)
    local function layer(y, i, from, to, kernel, step, groups, role)
        local conv, norm = names(i)
        return conv_norm(y, conv, norm, from, to, kernel, step, groups, role)
    end
    local y
    if net.bottleneck then
        y = layer(x, 1, inputs, width, 1, net.stride_in_first and stride or 1) >> relu
        y = layer(y, 2, width, width, 3, net.stride_in_first and 1 or stride, net.groups) >> relu
        y = layer(y, 3, width, outputs, 1, 1, 1, "residual.output")
    else
        y = layer(x, 1, inputs, outputs, 3, stride) >> relu
        y = layer(y, 2, outputs, outputs, 3, 1, 1, "residual.output")
    end
    return other + y >> act
end

local function stem(x)
    if net.deep then -- three 3x3 convolutions in a Sequential
        local a, b = net.deep[1], net.deep[2]
        x = conv_norm(x, "conv1.0", "conv1.1", net.channels, a, 3, 2) >> relu
        x = conv_norm(x, "conv1.3", "conv1.4", a, b, 3, 1) >> relu
        return conv_norm(x, "conv1.6", "bn1", b, net.stem, 3, 1) >> relu
    end
    return conv_norm(x, hf and "embedder.embedder.convolution" or "conv1", hf and "embedder.embedder.normalization" or "bn1",
                     net.channels, net.stem, 7, 2) >> act
end

local x
local features = net.stem
scope(net.prefix or "", function()
    x = stem(input { "batch", net.channels, net.image or "height", net.image or "width" })
        >> max_pool(3, { stride = 2, padding = 1 })
    for stage, outputs in ipairs(net.sizes) do
        local width = net.widths and net.widths[stage] or outputs // 4
        x = repeated(hf and "encoder.stages." .. stage - 1 .. ".layers" or "layer" .. stage, max(net.depths[stage], 1), x,
                     function(y, i)
            local from = i == 0 and features or outputs
            return block(y, from, outputs, i == 0 and (stage == 1 and net.first_stride or 2) or 1, width)
        end)
        features = outputs
    end
    x = x >> global_pool()
end)
local head = hf and "classifier.1" or "fc"
if net.classes > 0 then
    x = x >> linear(head, features, net.classes, { role = "head" })
end

-- ---- Initial values ----

local convolutions = hf and "*convolution.weight"
                     or "{" .. (net.deep and "conv1.[036]" or "conv1") .. ",*.conv?,*.downsample."
                     .. (net.average_down and 1 or 0) .. "}.weight"
local last_norms = hf and "*.layer." .. (net.bottleneck and 2 or 1) .. ".normalization.weight"
                   or "*.bn" .. (net.bottleneck and 3 or 2) .. ".weight"

local forward = "a ReLU follows: variance 2 / fan_out keeps the gradient's scale on its way back"
local grouped = "a ReLU follows: variance 2 / fan_out, where torch leaves out the groups, so that a grouped convolution "
                .. "starts sqrt(groups) too small on the gradient's way back"
local identity = "the last normalisation of a block starts at 0, so that every block starts as its shortcut"

-- What the three libraries share. torch's kaiming_normal_(mode="fan_out") counts all outputs, whatever the groups.
local function rules(zero_last)
    rule(convolutions, he_normal { mode = "fan_out", fan = "torch" }, net.groups > 1 and grouped or forward)
    if zero_last then
        rule(last_norms, zeros, identity)
    end
    if net.classes > 0 then
        rule(head .. ".*", uniform { bound = 1 / sqrt(features) },
             "torch's default for Linear: +-1 / sqrt(inputs), the bias too")
    end
    rule("*.bias", zeros, "a normalisation starts as the identity: shift 0")
    rule("*.weight", ones, "a normalisation starts as the identity: scale 1")
end

local function transformers()
    variant("transformers", "huggingface/transformers, src/transformers/models/resnet/modeling_resnet.py, "
            .. "ResNetPreTrainedModel._init_weights, v5.24.0", function() rules(false) end)
end

local function torchvision()
    variant("torchvision", "pytorch/vision, torchvision/models/resnet.py, ResNet.__init__, v0.28.0 (zero_init_residual "
            .. "zeroes the last normalisation of each block)", function() rules(net.zero_init_residual) end)
end

local function timm()
    variant("timm", "huggingface/pytorch-image-models, timm/models/resnet.py, ResNet.init_weights, v1.0.31 (zero_init_last "
            .. "is on)", function() rules(net.zero_init_last ~= false) end)
end

if hf then
    transformers() torchvision() timm()
elseif net.style == "timm" then
    timm() torchvision()
else
    torchvision() timm()
end
