# SPDX-License-Identifier: MIT
# Tensors that are drawn as a whole, from the plan to the verified file. The matrices themselves are judged by
# tests/python/test_orthogonal.py.

# shellcheck disable=SC2154 # stderr comes from run
load helper

@test "an orthogonal file is the same for any threads and chunks, and verifies" {
    for run in "1 4096" "2 65536" "5 1M" "3 300k"; do
        # shellcheck disable=SC2086 # two numbers
        set -- $run
        run -0 sow init mlp:300,200x5,10 --scheme orthogonal --seed 3 --threads "$1" --chunk-size "$2" -o "$1.safetensors"
        cmp 1.safetensors "$1.safetensors"
        run -0 sow verify "$1.safetensors" --threads "$1"
    done
    run -0 sow init mlp:300,200x5,10 --scheme orthogonal --seed 3 --shard-size 200k -o shards
    run -0 sow verify shards
    run -0 sow init mlp:300,200x5,10 --scheme orthogonal --seed 3 -o -
    run -0 --separate-stderr sow check 1.safetensors
    [[ $output == *"it is drawn as a whole"*"passed: 0 errors, 0 warnings"* ]]
}

@test "verify names the element of an orthogonal tensor that was changed" {
    run -0 sow init mlp:30,20x2,10 --scheme orthogonal --dtype bf16 -o w.safetensors
    run -0 sow verify w.safetensors
    size=$(stat -c %s w.safetensors)
    printf '\x01' | dd of=w.safetensors bs=1 seek=$((size - 21)) conv=notrunc status=none
    run -1 --separate-stderr sow verify w.safetensors
    [[ $output$stderr == *"tensor layers.2.weight, element 199: expected "* && $output$stderr == *"1 of 6 tensors differ"* ]]
}

@test "the plan has gain and std, explain the values that the file has" {
    run -0 sow plan mlp:30,20x2,10 --json --scheme 'orthogonal{gain="relu"}'
    [[ $output == *'"scheme":"orthogonal","distribution":"orthogonal","gain":1.4142135623730951,"std":0.2581988897471611,'* ]]
    run -0 sow plan mlp:30,20x2,10 --scheme 'orthogonal{gain=2}'
    [[ $output == *"20 x 30"*"0.365148, gain 2"* ]]
    run -0 sow explain mlp:30,20x2,10 layers.0.weight --scheme orthogonal
    [[ $output == *"W of 20 x 30: rows are orthogonal vectors of length 1; std of an element = 0.182574"* ]]
    run -0 sow explain mlp:9000,9000x2,10 layers.0.weight --scheme orthogonal
    [[ $output == *"not shown: all of the tensor would have to be drawn"* ]]
}

@test "every block of a packed weight is a matrix of its own" {
    tiny gpt2 >config.json
    run -0 sow plan config.json --json --set '*.c_attn.weight=orthogonal'
    [ "$(grep -c '"begin":16,"end":32,"distribution":"orthogonal","gain":1,"std":0.25' <<<"$output")" -eq 3 ]
    run -0 sow init config.json --set '*.c_attn.weight=orthogonal' -o w.safetensors
    run -0 sow verify w.safetensors
    run -0 sow explain config.json transformer.h.0.attn.c_attn.weight --set '*.c_attn.weight=orthogonal'
    [[ $output == *"block 2: W of 16 x 16"*"block 1, from element 16:"* ]]
}

@test "a padding row is zeros over an orthogonal embedding" {
    tiny llama | sed 's/^{/{"pad_token_id": 3, /' >config.json
    run -0 sow init config.json --set '*embed_tokens.weight=orthogonal' --dtype f32 -o w.safetensors
    run -0 sow verify w.safetensors
    run -0 sow stats w.safetensors --json
    [[ $output == *'"zeros":16,'* || $output == *'"zeros": 16,'* ]]
}

@test "delta_orthogonal and dirac are for convolutions that they fit" {
    cat >conv.lua <<'LUA'
local x = input { "batch", 3, 8, 8 }
x = x >> conv2d("a", 3, 8, { padding = 1 }) >> conv2d("b", 8, 8, { padding = 1 }) >> conv2d("c", 8, 4)
rule("*.bias", zeros)
rule("*", he_normal)
LUA
    run -0 sow init conv.lua --set 'a.weight=delta_orthogonal' --set 'b.weight=delta_orthogonal' --set 'c.weight=dirac{0.5}' -o w.safetensors
    run -0 sow verify w.safetensors
    run -0 sow stats w.safetensors --json a.weight c.weight
    run -2 --separate-stderr sow plan conv.lua --set 'c.weight=delta_orthogonal'
    [[ $stderr == *"8 inputs go to 4 outputs"*"for tensor \`c.weight\`"* ]]
    run -2 --separate-stderr sow plan mlp:30,20,10 --set '*.weight=dirac'
    [[ $stderr == *"this weight has no kernel; use identity"* ]]
    run -2 --separate-stderr sow plan mlp:30,20,10 --set '*.bias=orthogonal'
    [[ $stderr == *"a matrix needs two axes or more"* ]]
}

@test "what would take hours is refused with an estimate, and memory is told before" {
    run -2 --separate-stderr sow plan mlp:40000,40000x2,10 --scheme orthogonal
    [[ $stderr == *"hours of one core"*"normal{std=0.005}"* ]]
    run -0 sow init mlp:3000,3000x2,10 --scheme orthogonal --dry-run --threads 2 -o w.safetensors
    [[ $output == *"tensors drawn as a whole take up to 216,804,288"*" bytes of memory"* ]]
    run -0 sow init mlp:3000,3000x2,10 --dry-run -o w.safetensors
    [[ $output != *"as a whole"* ]]
}

@test "an orthogonal linear network has no seed noise, and every direction keeps its length" {
    run -0 sow probe mlp:64,64x49,64 --activation linear --scheme orthogonal --jacobian
    [[ $output == *"seed noise 0:"*"condition number 1;"* ]]
    run sow probe mlp:64,64x49,64 --activation linear --scheme lecun_normal
    [[ $output == *"seed noise 1.53"* ]]
    run sow probe mlp:64,64x21,64 --activation relu --scheme 'orthogonal{gain="relu"}'
    [[ $output == *"seed noise 0.984"* ]] # 3 / n a layer, 21 of them
}
