# SPDX-License-Identifier: MIT
# Models by a library's name for them, timm's own config.json, and what is wrong with either.
# shellcheck disable=SC2154 # stderr comes from run
load helper

@test "a library's model by its name, with its arguments" {
    run -0 --separate-stderr sow plan torchvision:resnet50
    has "$output" "320 tensors, 25,557,032 parameters, 53,173 elements of buffers" "variant torchvision: " "layer1.0.downsample.0.weight"
    run -0 --separate-stderr sow plan timm:resnet18,num_classes=10,zero_init_last=false --set 'fc.weight=zeros'
    has "$output" "11,181,642 parameters" "variant timm: "
    run -0 --separate-stderr sow plan timm:vit_tiny_patch16_224,weight_init=jax
    has "$output" "variant timm-jax: " "blocks.{0..11}."
}

@test "timm's config.json has no model_type" {
    cat >config.json <<'JSON'
{"architecture": "vit_tiny_patch16_224", "num_classes": 7, "global_pool": "token", "model_args": {"img_size": [32, 48], "depth": 1,
 "init_values": null, "drop_rate": 0.1}, "pretrained_cfg": {"input_size": [3, 32, 48], "fixed_input_size": true}}
JSON
    run -0 --separate-stderr sow plan config.json --all
    has "$output" "1 x 7 x 192" "7 x 192" "20 tensors"
    run -0 --separate-stderr sow init config.json -o w.safetensors --seed 1
    run -0 --separate-stderr sow verify w.safetensors --source config.json --seed 1
}

@test "model_type is no misspelt layer_type" {
    echo '{"model_type": "resnet"}' >config.json
    run -0 --separate-stderr sow plan config.json
    has "$output" 'layer_type is absent: "bottleneck"' "depths is absent: [3, 4, 6, 3]"
    lacks "$output" "nobody reads"
}

@test "names and arguments that are wrong" {
    run -3 --separate-stderr sow plan timm:resnet51
    has "$stderr" 'timm:resnet51:1:' 'architecture is "resnet51": did you mean resnet50?'
    run -2 --separate-stderr sow plan timm:
    has "$stderr" "'timm:' is not timm:NAME"
    run -2 --separate-stderr sow plan 'torchvision:resnet50,num_classes'
    has "$stderr" "is not torchvision:NAME" "num_classes=10"
    run -2 --separate-stderr sow plan 'torchvision:resnet50,a="b"'
    run -3 --separate-stderr sow plan torchvision:resnet50,num_classes=ten
    has "$stderr" 'num_classes is "ten"; it must be an integer'
    run -3 --separate-stderr sow plan torchvision:resnet50,num_clases=10
    has "$stderr" "num_clases is 10" "reads no such field; did you mean num_classes?"
    run -3 --separate-stderr sow plan timm:vit_tiny_patch16_224,zero_init_last=true
    has "$stderr" "zero_init_last is true" "reads no such field"
    run -3 --separate-stderr sow plan torchvision:resnet18,groups=32
    has "$stderr" "groups is 32" "BasicBlock"
    run -3 --separate-stderr sow plan torchvision:vit_b_16,image_size=100
    has "$stderr" "image_size is 100: it must be a multiple of the patches' size, which is 16"
    run -3 --separate-stderr sow plan timm:vit_tiny_patch16_224,num_heads=5
    has "$stderr" "5 heads do not divide the width 192"
    run -3 --separate-stderr sow plan timm:vit_tiny_patch16_224,img_size=8
    has "$stderr" "a patch is larger than the image"
    echo '{"architecture": "resnet50", "model_args": {"norm_layer": "groupnorm"}}' >config.json
    run -3 --separate-stderr sow plan config.json
    has "$stderr" "config.json:1:" "norm_layer is an argument that the recipe does not know"
    echo '{"architecture": 5}' >config.json
    run -3 --separate-stderr sow plan config.json
    has "$stderr" "no model_type"
}

@test "fields of a config that are wrong, at their line" {
    bad() {
        printf '{"model_type": "%s",\n %s}\n' "$1" "$2" >config.json
        run -3 --separate-stderr sow plan config.json
        has "$stderr" "config.json:2:" "$3"
    }
    bad resnet '"layer_type": "odd"' "it is basic or bottleneck"
    bad resnet '"hidden_sizes": [64, "x"]' "entry 2 must be an integer"
    bad resnet '"hidden_sizes": 64' "a list of integers, one a stage"
    bad resnet '"depths": [1, 2]' "fewer stages than hidden_sizes"
    bad resnet '"depths": [1, -2, 1, 1]' "entry 2 must be an integer of at least 0"
    bad resnet '"architectures": ["ResNetBackbone"]' "which the recipe does not build"
    bad vit '"image_size": [32, 32, 3]' "an integer of at least 1, or a list of two"
    bad vit '"image_size": 8' "larger than the image"
    bad vit '"hidden_act": "gelo"' "no such activation"
    bad vit '"num_labels": -1' "it must be an integer of at least 0"
}
