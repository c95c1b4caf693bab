-- SPDX-License-Identifier: MIT
-- torchvision 0.28.0 by the name of its function: torchvision:resnet50, torchvision:vit_b_16,num_classes=10, or a config
-- { "model_type": "torchvision", "architecture": "resnet50", ... } with the function's own arguments.
local c = config { "torchvision 0.28.0", architecture = text, num_classes = size(1000) }

local resnets = { -- bottleneck, depths, groups, width of a group
    resnet18 = { false, { 2, 2, 2, 2 } }, resnet34 = { false, { 3, 4, 6, 3 } }, resnet50 = { true, { 3, 4, 6, 3 } },
    resnet101 = { true, { 3, 4, 23, 3 } }, resnet152 = { true, { 3, 8, 36, 3 } },
    wide_resnet50_2 = { true, { 3, 4, 6, 3 }, 1, 128 }, wide_resnet101_2 = { true, { 3, 4, 23, 3 }, 1, 128 },
    resnext50_32x4d = { true, { 3, 4, 6, 3 }, 32, 4 }, resnext101_32x8d = { true, { 3, 4, 23, 3 }, 32, 8 },
    resnext101_64x4d = { true, { 3, 4, 23, 3 }, 64, 4 },
}
local vits = { -- patch, layers, heads, width, width of the MLP
    vit_b_16 = { 16, 12, 12, 768, 3072 }, vit_b_32 = { 32, 12, 12, 768, 3072 }, vit_l_16 = { 16, 24, 16, 1024, 4096 },
    vit_l_32 = { 32, 24, 16, 1024, 4096 }, vit_h_14 = { 14, 32, 16, 1280, 5120 },
}

local all = {}
for _, list in ipairs { resnets, vits } do
    for name, numbers in pairs(list) do
        all[name] = numbers
    end
end
local _, name = choose("architecture", all)
local resnet, vit = resnets[name], vits[name]
if resnet then
    local r = config { "torchvision's ResNet", zero_init_residual = extra(boolean), groups = extra(integer),
                       width_per_group = extra(integer) }
    local groups, width = resnet[3] or r.groups or 1, resnet[4] or r.width_per_group or 64
    if not resnet[1] and (groups ~= 1 or width ~= 64) then
        refuse(groups ~= 1 and "groups" or "width_per_group", "torchvision's BasicBlock takes 1 group of width 64 only")
    end
    if groups < 1 or width < 1 or groups > 1 << 20 or width > 1 << 20 then
        refuse(groups < 1 and "groups" or "width_per_group", "it must be 1 to 1048576")
    end
    no_other_fields()
    local sizes, widths = {}, {}
    for stage = 1, 4 do
        local planes = 64 << stage - 1
        sizes[stage] = planes * (resnet[1] and 4 or 1)
        widths[stage] = planes * width // 64 * groups
    end
    include("resnet", { style = "torchvision", bottleneck = resnet[1], channels = 3, stem = 64, depths = resnet[2],
                        sizes = sizes, widths = widths, groups = groups, first_stride = 1, classes = c.num_classes,
                        image = 224, zero_init_residual = r.zero_init_residual })
else
    local v = config { "torchvision's VisionTransformer", image_size = size(224), representation_size = optional(integer) }
    no_other_fields()
    if v.image_size % vit[1] ~= 0 then
        refuse("image_size", "it must be a multiple of the patches' size, which is " .. vit[1])
    end
    include("vit", { style = "torchvision", patch = { vit[1], vit[1] }, image = { v.image_size, v.image_size }, channels = 3,
                     depth = vit[2], heads = vit[3], width = vit[4], mlp = vit[5], classes = c.num_classes, qkv_bias = true,
                     eps = 1e-6, representation = v.representation_size })
end
