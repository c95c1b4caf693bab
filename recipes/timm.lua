-- SPDX-License-Identifier: MIT
-- timm 1.0.31 by the name of its model: timm:resnet50, timm:vit_tiny_patch16_224,num_classes=10, or the config.json that
-- timm writes beside its weights: { "architecture": "resnet50", "num_classes": 1000, "model_args": { ... } }.
-- What is in model_args goes before what is beside it, and pretrained_cfg.input_size is the images' size, as in timm.
-- timm's own file has no model_type, and fields that nobody needs to read.
local by_name = config { "timm 1.0.31", model_type = extra(text) }.model_type ~= nil
local c = config { "timm 1.0.31", architecture = text, model_args = extra(), pretrained_cfg = extra() }
local model_args, pretrained = c.model_args or {}, c.pretrained_cfg or {}
if type(model_args) ~= "table" or type(pretrained) ~= "table" then
    refuse(type(model_args) ~= "table" and "model_args" or "pretrained_cfg", "it must be an object")
end

-- ---- Arguments of timm's classes: in model_args, in the config itself, or what the model's name says ----

local known = {} -- to begin with, those that change no tensor
for _, name in ipairs { "drop_rate", "drop_path_rate", "drop_block_rate", "pos_drop_rate", "patch_drop_rate",
                        "proj_drop_rate", "attn_drop_rate", "dynamic_img_size", "dynamic_img_pad" } do
    known[name] = true
end

-- The value and the config's field that it stands in. Null in model_args is Python's None.
local function find(name)
    known[name] = true
    local value = model_args[name]
    if value ~= nil then
        return type(value) ~= "userdata" and value or nil, "model_args"
    end
    return config { "timm 1.0.31", [name] = extra() }[name], name
end

local function argument(name, default, low)
    local value, field = find(name)
    if model_args[name] == false then
        value, field = false, "model_args"
    end
    if value == nil then
        return default
    end
    local number = type(default) == "number"
    local bad = type(value) ~= type(default)
    if bad or (number and low and (tointeger(value) ~= value or value < low or value > 1 << 30)) then
        refuse(field, name .. " must be " .. (low and "an integer of at least " .. low or number and "a number"
                                              or type(default) == "boolean" and "true or false" or "a text"))
    end
    return value
end

-- The first that is there; images are [channels, height, width] in pretrained_cfg.
local input_size = type(pretrained.input_size) == "table" and #pretrained.input_size == 3 and pretrained.input_size or nil
local channels = argument("in_chans", input_size and tointeger(input_size[1]) or 3, 1)

local function image_size(default)
    local value, field = find("img_size")
    if value == nil and input_size then
        value, field = { input_size[2], input_size[3] }, "pretrained_cfg"
    end
    local list = value == nil and { default, default } or type(value) == "table" and value or { value, value }
    if #list ~= 2 or tointeger(list[1]) ~= list[1] or tointeger(list[2]) ~= list[2] or min(list[1], list[2]) < 1 then
        refuse(field, "img_size must be an integer, or a list of two")
    end
    return list
end

-- What is in model_args and changes what the tensors are.
local function check_unknown()
    for name, value in pairs(model_args) do
        if not known[name] and value ~= false and type(value) ~= "userdata" then
            refuse("model_args", name .. " is an argument that the recipe does not know")
        end
    end
    if by_name then
        no_other_fields()
    end
end

-- ---- ResNets: bottleneck, depths, and what else the class is given ----

local small, deep = { 3, 4, 6, 3 }, { 3, 4, 23, 3 }
local resnets = {
    resnet18 = { false, { 2, 2, 2, 2 } }, resnet34 = { false, small }, resnet26 = { true, { 2, 2, 2, 2 } },
    resnet50 = { true, small }, resnet101 = { true, deep }, resnet152 = { true, { 3, 8, 36, 3 } },
    resnet200 = { true, { 3, 24, 36, 3 } }, wide_resnet50_2 = { true, small, width = 128 },
    wide_resnet101_2 = { true, deep, width = 128 }, resnext50_32x4d = { true, small, groups = 32, width = 4 },
    resnext101_32x4d = { true, deep, groups = 32, width = 4 }, resnext101_32x8d = { true, deep, groups = 32, width = 8 },
    resnext101_32x16d = { true, deep, groups = 32, width = 16 }, resnext101_64x4d = { true, deep, groups = 64, width = 4 },
    resnet50c = { true, small, stem = { 32, 32, 64 } }, resnet101c = { true, deep, stem = { 32, 32, 64 } },
    resnet50s = { true, small, stem = { 64, 64, 128 } }, resnet101s = { true, deep, stem = { 64, 64, 128 } },
    resnet10t = { false, { 1, 1, 1, 1 }, stem = { 24, 32, 64 }, average = true },
    resnet14t = { true, { 1, 1, 1, 1 }, stem = { 24, 32, 64 }, average = true },
    resnet26t = { true, { 2, 2, 2, 2 }, stem = { 24, 32, 64 }, average = true },
    resnet50t = { true, small, stem = { 24, 32, 64 }, average = true },
}
for _, name in ipairs { "resnet18", "resnet34", "resnet26", "resnet50", "resnet101", "resnet152", "resnet200" } do
    local r = resnets[name]
    resnets[name .. "d"] = { r[1], r[2], stem = { 32, 32, 64 }, average = true }
end

local function resnet(r)
    local sizes, widths = {}, {}
    local groups, width = argument("cardinality", r.groups or 1, 1), argument("base_width", r.width or 64, 1)
    if not r[1] and (groups ~= 1 or width ~= 64) then
        refuse("architecture", "timm's BasicBlock takes cardinality 1 and base_width 64 only")
    end
    for stage = 1, 4 do
        local planes = 64 << stage - 1
        sizes[stage], widths[stage] = planes * (r[1] and 4 or 1), planes * width // 64 * groups
    end
    if argument("global_pool", "avg") ~= "avg" then
        refuse(model_args.global_pool and "model_args" or "global_pool", "the recipe's ResNet has global_pool avg")
    end
    local zero, classes = argument("zero_init_last", true), argument("num_classes", 1000, 0)
    check_unknown()
    include("resnet", { style = "timm", bottleneck = r[1], channels = channels, classes = classes,
                        stem = r.stem and r.stem[3] or 64, deep = r.stem, average_down = r.average, depths = r[2],
                        sizes = sizes, widths = widths, groups = groups, first_stride = 1, image = 224,
                        zero_init_last = zero })
end

-- ---- ViTs: patch, image, width, layers, heads ----

local vits = {}
local widths = { tiny = { 192, 12, 3 }, small = { 384, 12, 6 }, medium = { 512, 12, 8 }, base = { 768, 12, 12 },
                 large = { 1024, 24, 16 }, huge = { 1280, 32, 16 }, giant = { 1408, 40, 16, 48 / 11 } }
local function add(family, word, patch, image, more)
    local w = widths[word]
    vits[family .. "_" .. word .. "_patch" .. patch .. "_" .. image] = { patch, image, w[1], w[2], w[3], w[4], more or {} }
end
for _, image in ipairs { 224, 384 } do
    for _, word in ipairs { "tiny", "small", "base", "large" } do
        add("vit", word, 16, image)
    end
    for _, word in ipairs { "small", "base", "large" } do
        add("vit", word, 32, image)
        add("deit3", word, 16, image, { scale = 1e-6, no_class = true })
    end
end
for _, word in ipairs { "small", "base" } do
    add("vit", word, 8, 224)
end
for _, word in ipairs { "large", "huge", "giant" } do
    add("vit", word, 14, 224)
end
for _, word in ipairs { "tiny", "small", "base" } do
    add("deit", word, 16, 224)
end
add("deit", "base", 16, 384)
add("deit3", "medium", 16, 224, { scale = 1e-6, no_class = true })
add("deit3", "huge", 14, 224, { scale = 1e-6, no_class = true })

-- Their published weights are features only.
local headless = { vit_huge_patch14_224 = true, vit_large_patch32_224 = true, vit_small_patch8_224 = true }

local function vit(v)
    local d, heads, patch = argument("embed_dim", v[3], 1), argument("num_heads", v[5], 1), argument("patch_size", v[1], 1)
    if d % heads ~= 0 then
        refuse(model_args.num_heads and "model_args" or "num_heads", heads .. " heads do not divide the width " .. d)
    end
    local pool, scale = argument("global_pool", "token"), argument("init_values", v[7].scale or 0.0)
    if pool ~= "token" and pool ~= "avg" then
        refuse(model_args.global_pool and "model_args" or "global_pool", "the recipe's ViT has global_pool token or avg")
    end
    if not argument("class_token", true) then
        refuse("model_args", "the recipe's ViT has a class token")
    end
    local mode = argument("weight_init", "")
    if mode ~= "" and mode ~= "jax" and mode ~= "jax_nlhb" and mode ~= "moco" then
        refuse(model_args.weight_init and "model_args" or "weight_init", "timm's modes are jax, jax_nlhb and moco")
    end
    local net = { style = "timm", patch = { patch, patch }, image = image_size(v[2]), channels = channels,
                  depth = argument("depth", v[4], 0), heads = heads, width = d,
                  mlp = tointeger(floor(d * argument("mlp_ratio", v[6] or 4.0))),
                  classes = argument("num_classes", headless[c.architecture] and 0 or 1000, 0),
                  qkv_bias = argument("qkv_bias", true), eps = 1e-6, pool = pool,
                  layer_scale = scale ~= 0 and scale, mode = mode, fix_init = argument("fix_init", false),
                  no_class_position = argument("no_embed_class", v[7].no_class or false) }
    check_unknown()
    include("vit", net)
end

local all = {}
for name, r in pairs(resnets) do
    all[name] = { resnet, r }
end
for name, v in pairs(vits) do
    all[name] = { vit, v }
end
local chosen = choose("architecture", all)
chosen[1](chosen[2])
