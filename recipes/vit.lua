-- SPDX-License-Identifier: MIT
-- ViT (Dosovitskiy et al. 2020). As transformers stores it when read from its config.json; with torchvision's and timm's
-- names when torchvision.lua or timm.lua include it, which pack queries, keys and values into one weight.
-- Defaults and null handling: ViTConfig of transformers 5.24.0; pooler_output_size null (or 0) is hidden_size. Names are
-- those on disk (vit.encoder.layer.N...), not the modules'. Classes: ViTForImageClassification, ViTModel (no prefix, and a
-- pooler).
local net = ...

-- A size or a list of two: height, width.
local function pair(field, value)
    local list = type(value) == "table" and value or { value, value }
    if #list ~= 2 or tointeger(list[1]) ~= list[1] or tointeger(list[2]) ~= list[2] or min(list[1], list[2]) < 1 then
        refuse(field, "it must be an integer of at least 1, or a list of two")
    end
    return list
end

local function from_transformers()
    local c = config { "ViTConfig of transformers 5.24.0",
        unread { hidden_dropout_prob = fraction, attention_probs_dropout_prob = fraction, encoder_stride = integer },
        hidden_size = size(768), num_hidden_layers = depth(12), num_attention_heads = size(12),
        intermediate_size = size(3072),
        hidden_act = "gelu", initializer_range = 0.02, layer_norm_eps = 1e-12, num_channels = size(3), qkv_bias = true,
        pooler_output_size = optional(integer), pooler_act = "tanh", head_dim = extra(integer),
        image_size = { 224, 224 }, patch_size = { 16, 16 } }
    local bare = architecture("ViT", { "ViTForImageClassification", "ViTModel" }) == "ViTModel"
    local pooled = c.pooler_output_size ~= nil and c.pooler_output_size ~= 0 and c.pooler_output_size or c.hidden_size
    return { style = "transformers", prefix = bare and "" or "vit", image = pair("image_size", c.image_size),
             patch = pair("patch_size", c.patch_size), channels = c.num_channels, depth = c.num_hidden_layers,
             heads = c.num_attention_heads, head_dim = c.head_dim, width = c.hidden_size, mlp = c.intermediate_size,
             classes = bare and 0 or labels(0), qkv_bias = c.qkv_bias, eps = c.layer_norm_eps, pooler = bare and pooled,
             act = transformers_activation("hidden_act", c.hidden_act), std = c.initializer_range,
             pooler_act = bare and transformers_activation("pooler_act", c.pooler_act) }
end

net = net or from_transformers()
local d, heads = net.width, net.heads
local head_dim = net.head_dim or d // heads
local inner = heads * head_dim
if head_dim < 1 then
    refuse("num_attention_heads", "it is more than the width, which is " .. d)
end
if min(net.image[1] // net.patch[1], net.image[2] // net.patch[2]) < 1 then
    refuse("image_size", "a patch is larger than the image")
end
local patches = (net.image[1] // net.patch[1]) * (net.image[2] // net.patch[2])
local act = net.act or activation("gelu")
local norm_options = { eps = net.eps }

local all_names = {
    transformers = { class = "embeddings.cls_token", patch = "embeddings.patch_embeddings.projection",
                     position = "embeddings.position_embeddings", layers = "encoder.layer", norm1 = "layernorm_before",
                     norm2 = "layernorm_after", out = "attention.output.dense", fc1 = "intermediate.dense",
                     fc2 = "output.dense", norm = "layernorm", head = "classifier" },
    torchvision = { class = "class_token", patch = "conv_proj", position = "encoder.pos_embedding",
                    layers = "encoder.layers.encoder_layer_%d", norm1 = "ln_1", norm2 = "ln_2",
                    qkv = "self_attention.in_proj", out = "self_attention.out_proj",
                    fc1 = "mlp.0", fc2 = "mlp.3", norm = "encoder.ln", head = "heads.head" },
    timm = { class = "cls_token", patch = "patch_embed.proj", position = "pos_embed", layers = "blocks", norm1 = "norm1",
             norm2 = "norm2", qkv = "attn.qkv", out = "attn.proj", fc1 = "mlp.fc1", fc2 = "mlp.fc2", norm = "norm",
             head = "head" },
}
local name = all_names[net.style]
local hf = net.style == "transformers"

-- ---- The network ----

-- torch.nn.MultiheadAttention has bare tensors where a Linear has .weight and .bias.
local function packed_qkv(x)
    return x >> linear(name.qkv, d, 3 * inner, { blocks = { inner, inner, inner }, bias = net.qkv_bias,
                                                 role = "attention.qkv", join = net.style == "torchvision" and "_" or "." })
end

local function attend(x)
    local function one(which)
        return x >> linear("attention.attention." .. which, d, inner, { bias = net.qkv_bias, role = "attention." .. which })
    end
    local heads_of = attention { heads = heads, head_dim = head_dim }
    local y = hf and bundle(one("query"), one("key"), one("value")) >> heads_of or packed_qkv(x) >> heads_of
    return y >> linear(name.out, inner, d, { role = "residual.output" })
end

local function block(x)
    local function scaled(y, which)
        return net.layer_scale and y >> layer_scale(which .. ".gamma", d) or y
    end
    x = x + scaled(attend(x >> layer_norm(name.norm1, d, norm_options)), "ls1")
    return x + scaled(x >> layer_norm(name.norm2, d, norm_options)
                        >> linear(name.fc1, d, net.mlp, { role = "mlp.up" }) >> act
                        >> linear(name.fc2, net.mlp, d, { role = "residual.output" }), "ls2")
end

local x
scope(net.prefix or "", function()
    local class = learned(name.class, { 1, 1, d }, { role = "class_token" })
    x = input { "batch", net.channels, net.image[1], net.image[2] }
        >> conv2d(name.patch, net.channels, d, { kernel = net.patch, stride = net.patch, role = "patch" }) >> to_tokens()
    local position = learned(name.position, { 1, patches + (net.no_class_position and 0 or 1), d }, { role = "position" })
    x = net.no_class_position and concat(class, x + position, { axis = 2 }) or concat(class, x, { axis = 2 }) + position
    x = repeated(name.layers, net.depth, x, block)
    if net.pool == "avg" then
        x = x >> global_pool { over = "tokens", skip = 1 } >> layer_norm("fc_norm", d, norm_options)
    else
        x = x >> layer_norm(name.norm, d, norm_options) >> take(1)
    end
    if net.pooler then
        x = x >> linear("pooler.dense", d, net.pooler, { role = "pooler" }) >> net.pooler_act
    end
end)
local features = d
if net.representation then
    x = x >> linear("heads.pre_logits", d, net.representation) >> activation("tanh")
    features = net.representation
end
if net.classes > 0 then
    x = x >> linear(name.head, features, net.classes, { role = "head" })
end

-- ---- Initial values ----

local std = net.std ~= 0 and net.std or 0.02 -- transformers reads 0 as "not given"
local small = trunc_normal_absolute { std = 0.02 }
local small_why = "a normal of std 0.02: the library cuts at -2 and 2, which is 100 sigmas"
local glorot_why = "Glorot: variance 2 / (fan_in + fan_out)"
local each_why = "Glorot for queries, keys and values, each a matrix of its own: +-sqrt(6 / 2d)"
local fused = hf and uniform { bound = sqrt(6 / (d + 3 * inner)) } or glorot_uniform { fan = "torch" }
local fused_why = "Glorot on queries, keys and values as one matrix, fan_out 3d: +-sqrt(6 / 4d), which is 1/sqrt(2) of "
                  .. "what each of the three needs"
local almost_zero = normal { std = 1e-6 }
local head_why = "a head of zeros: every class is as likely at the start, and the first loss is ln(classes)"

local zero_bias = "a bias starts at 0: the random weights already make the units differ"

local zero_class = { zeros, "the class token starts at 0" }
local positions = { normal { std = 0.02 }, "positions: a normal of std 0.02" }

local function torch_default(inputs)
    return { uniform { bound = 1 / sqrt(inputs) }, "torch's default: +-1 / sqrt(inputs), the bias too" }
end

local function lecun(reason)
    return { lecun_trunc_normal, reason }
end

local queries = hf and "*attention.attention.{query,key,value}.weight"
                or "*" .. name.qkv .. (net.style == "torchvision" and "_weight" or ".weight")
local mlp = "*.{" .. name.fc1 .. "," .. name.fc2 .. "}."

-- The rules of one way to start: { scheme, reason } for each part.
local function rules(way)
    rule("*" .. name.class, way.class[1], way.class[2])
    rule("*" .. name.position, way.position[1], way.position[2])
    rule("*" .. name.patch .. ".weight", way.patch[1], way.patch[2])
    if way.patch_bias then
        rule("*" .. name.patch .. ".bias", way.patch_bias[1], way.patch_bias[2])
    end
    if net.depth > 0 then
        rule(queries, way.qkv[1], way.qkv[2])
        rule("*" .. name.out .. ".weight", way.out[1], way.out[2])
        if way.mlp_bias then -- before the MLP's, whose glob fits it too under transformers' names
            rule("*" .. name.out .. ".bias", zeros, zero_bias)
        end
        if way.fc2 then
            rule("*." .. name.fc2 .. ".weight", way.fc2[1], way.fc2[2])
        end
        rule(mlp .. "weight", way.mlp[1], way.mlp[2])
        if way.mlp_bias then
            rule(mlp .. "bias", way.mlp_bias[1], way.mlp_bias[2])
        end
        if net.layer_scale then
            rule("*.gamma", constant { value = net.layer_scale }, "layer scale: every branch starts almost closed")
        end
    end
    if net.classes > 0 then
        rule(name.head .. ".weight", way.head[1], way.head[2])
        if way.head_bias then
            rule(name.head .. ".bias", way.head_bias[1], way.head_bias[2])
        end
    end
    if net.pooler or net.representation then
        rule(net.pooler and "pooler.dense.weight" or "heads.pre_logits.weight", way.dense[1], way.dense[2])
    end
    rule("*{.,_}bias", zeros, zero_bias)
    rule("*.weight", ones, "a normalisation starts as the identity: scale 1")
end

local function transformers()
    local matrix = { normal { std = std }, "a small normal, std = initializer_range" }
    local token = { trunc_normal_absolute { std = std },
                    "a small normal, std = initializer_range; the library cuts at -2 and 2" }
    variant("transformers", "huggingface/transformers, src/transformers/models/vit/modeling_vit.py, "
            .. "ViTPreTrainedModel._init_weights, v5.24.0", function()
        rules { class = token, position = token, patch = matrix, qkv = matrix, out = matrix, mlp = matrix, head = matrix,
                dense = matrix }
    end)
end

local function jax()
    local glorot = { glorot_uniform, glorot_why }
    variant("jax", "google-research/vision_transformer, vit_jax/models_vit.py (the authors' code, no release), with Flax' "
            .. "initialisers", function()
        rules { class = zero_class, position = positions,
                patch = lecun("Flax' default for convolutions: LeCun, cut at 2 sigmas"), qkv = { glorot_uniform, each_why },
                out = glorot, mlp = glorot, mlp_bias = { almost_zero, "the authors draw MLP biases, of std 1e-6" },
                head = { zeros, head_why }, dense = lecun("Flax' default for dense layers: LeCun, cut at 2 sigmas") }
    end)
end

local function torchvision()
    local glorot, inputs = { glorot_uniform, glorot_why }, net.channels * net.patch[1] * net.patch[2]
    local cut = "LeCun's variance; torch cuts at -2 and 2, far outside"
    variant("torchvision", "pytorch/vision, torchvision/models/vision_transformer.py, v0.28.0; attention is "
            .. "torch.nn.MultiheadAttention's own reset", function()
        rules { class = zero_class, position = positions,
                patch = { trunc_normal_absolute { std = sqrt(1 / inputs) }, cut }, qkv = { fused, fused_why },
                out = torch_default(inner), mlp = glorot, mlp_bias = { almost_zero, "MLP biases are drawn, of std 1e-6" },
                head = { zeros, head_why }, dense = { trunc_normal_absolute { std = sqrt(1 / d) }, cut } }
    end)
end

-- timm's four modes of weight_init. Its convolution keeps torch's default but for the two that follow JAX.
local function timm()
    local source = "huggingface/pytorch-image-models, timm/models/vision_transformer.py, v1.0.31, "
    local class, position = { almost_zero, "the class token starts almost at 0" }, { small, small_why }
    local conv = torch_default(net.channels * net.patch[1] * net.patch[2])
    local glorot = { glorot_uniform, glorot_why }
    local function default()
        local matrix, residual = { small, small_why }, { small, small_why }
        if net.fix_init then
            residual = { normal { std = function(t) return 0.02 / sqrt(2 * (t.layer + 1)) end },
                         "fix_init: / sqrt(2 (layer + 1)), so that the residual stream keeps its scale" }
        end
        rules { class = class, position = position, patch = conv, patch_bias = conv, qkv = matrix, out = residual,
                mlp = matrix, fc2 = net.fix_init and residual, head = matrix, dense = matrix }
    end
    local function jax_mode(bias)
        return function()
            rules { class = class, position = position, patch = lecun("LeCun, cut at 2 sigmas"), qkv = { fused, fused_why },
                    out = glorot, mlp = glorot, mlp_bias = { almost_zero, "as JAX: MLP biases of std 1e-6" },
                    head = { zeros, head_why }, head_bias = bias, dense = glorot }
        end
    end
    local function moco()
        rules { class = class, position = position, patch = conv, patch_bias = conv, qkv = { glorot_uniform, each_why },
                out = glorot, mlp = glorot, head = glorot, dense = glorot }
    end
    local share = net.classes > 0
                  and { constant { value = -log(net.classes) }, "-ln(classes): each class starts at its share" } or nil
    local modes = { { "", "timm", "init_weights_vit_timm", default },
                    { "jax", "timm-jax", "init_weights_vit_jax", jax_mode() },
                    { "jax_nlhb", "timm-jax-nlhb", "init_weights_vit_jax with head_bias -ln(classes)", jax_mode(share) },
                    { "moco", "timm-moco", "init_weights_vit_moco", moco } }
    for pass = 1, 2 do -- the one that the config's weight_init names is the first, and so the default
        for _, mode in ipairs(modes) do
            if (mode[1] == (net.mode or "")) == (pass == 1) then
                variant(mode[2], source .. mode[3], mode[4])
            end
        end
    end
end

if hf then
    transformers() jax() timm() torchvision()
elseif net.style == "timm" then
    timm() jax() torchvision()
else
    torchvision() jax() timm()
end
