# SPDX-License-Identifier: MIT
# The short form mlp:IN,W1,W2xN,...,OUT: every verb takes it, and what is none is one clear error.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

# Runs sow plan and expects exit $1, nothing on stdout, one line on stderr that has the words $2.
refuses() {
    local code=$1 words=$2
    shift 2
    run --separate-stderr sow plan "$@"
    ends_with "$code"
    [[ -z $output && ${#stderr_lines[@]} -eq 1 ]]
    has "$stderr" "sow: error: " "$words"
}

@test "init, verify, plan and explain without a file" {
    run -0 sow init mlp:784,256x3,10 --activation tanh --scheme glorot_uniform -o mlp.safetensors
    has "$output" "8 tensors" "repeat: sow init mlp:784,256x3,10 -o mlp.safetensors --seed 0 --activation tanh --scheme glorot_uniform"
    run -0 sow verify mlp.safetensors
    run -0 sow verify mlp.safetensors --source mlp:784,256x3,10 --activation tanh --scheme glorot_uniform
    run sow verify mlp.safetensors --source mlp:784,256x3,10 --activation tanh --scheme glorot_normal
    ends_with 1
    run sow verify mlp.safetensors --scheme glorot_uniform
    ends_with 2
    has "$output" "--scheme needs --source"
    run -0 --separate-stderr sow plan --json mlp:784,256x3,10 --scheme 'normal{std=1/fan_in}'
    [[ $(ask '[(n, e["shape"]) for n, e in t.items()]' <<<"$output") == \
        "[('layers.0.weight', [256, 784]), ('layers.0.bias', [256]), ('layers.1.weight', [256, 256]), ('layers.1.bias', [256]), ('layers.2.weight', [256, 256]), ('layers.2.bias', [256]), ('layers.3.weight', [10, 256]), ('layers.3.bias', [10])]" ]]
    [[ $(ask '[e["std"] for n, e in t.items() if n.endswith("weight")]' <<<"$output") == \
        "[0.0012755102040816326, 0.00390625, 0.00390625, 0.00390625]" ]]
    run -0 --separate-stderr sow explain mlp:784,10 layers.0.weight --scheme he_normal
    has "$output" "your --scheme" "he_normal"
}

@test "without a scheme, the activation decides; the last layer has none behind it" {
    # weights of the first and of the last layer by activation: sqrt(2/16), 1/sqrt(32), sqrt(6/(16+32)), ...
    while read -r activation first last; do
        run -0 --separate-stderr sow plan --json mlp:16,32,8 --activation "$activation"
        local found
        found=$(ask '"%.5g %.5g" % tuple(t[f"layers.{i}.weight"].get("std") or t[f"layers.{i}.weight"]["high"] for i in (0, 1))' \
            <<<"$output")
        [[ $found == "$first $last" ]] || { echo "$activation: $found"; return 1; }
        run -0 --separate-stderr sow plan mlp:16,32,8 --activation "$activation"
        has "$output" "note: the scheme follows the activation"
    done <<'CASES'
relu 0.35355 0.17678
leaky_relu{slope=1} 0.25 0.17678
leaky_relu{slope=0.5} 0.31623 0.17678
gelu 0.38338 0.17678
tanh 0.35355 0.3873
sigmoid 0.35355 0.3873
selu 0.25 0.17678
CASES
    run -0 --separate-stderr sow plan --json mlp:16,8 --activation relu # no hidden layer, no activation
    [[ $(ask 't["layers.0.weight"]["std"]' <<<"$output") == 0.25 ]]
}

@test "the user's rules come before --scheme, and it before the variant" {
    echo 'rule("layers.0.weight", ones)' >own.lua
    run -0 --separate-stderr sow plan --json mlp:4,4x2,2 --scheme 'normal{std=3}' --rules own.lua --set 'layers.1.*=zeros' \
        --set '*.bias=constant{value=2}' --variant torch
    [[ $(ask '[(e["mean"], e.get("std", 0)) for e in t.values()]' <<<"$output") == \
        "[(1, 0), (2, 0), (0, 0), (0, 0), (0, 3), (2, 0)]" ]]
}

@test "the family has a config.json too" {
    echo '{"model_type": "mlp", "widths": [4, 3, 2], "activation": "tanh", "scheme": "ones"}' >config.json
    run -0 --separate-stderr sow plan --json config.json
    local first=$output
    run -0 --separate-stderr sow plan --json mlp:4,3,2 --activation tanh --scheme ones
    [[ $first == "$output" ]]
    for widths in 3 '"a"' '[]' '[4]' '[4, 0]' '[4, 2.5]' '[4, null]' '[4, "5"]' '{"a": 1}' '[4, 1099511627777]'; do
        echo '{"model_type": "mlp", "widths": '"$widths"'}' >config.json
        refuses 3 "config.json:1:23: widths is" config.json
    done
    echo '{"model_type": "mlp", "widths": [4, 3], "activation": "tanhh"}' >config.json
    refuses 3 "did you mean tanh?" config.json
}

@test "what is no network is told in one line, with the place and what was expected" {
    while IFS='|' read -r spec place why; do
        refuses 2 "$why" "$spec"
        has "$stderr" "(at character $place); write mlp:IN,W1,W2xN,...,OUT, such as mlp:784,256x3,10"
    done <<'CASES'
mlp:|5|a width from 1
mlp:784|8|the output is missing
mlp:0,10|5|a width from 1
mlp:00,10|5|a width from 1
mlp:-1,10|5|a width from 1
mlp:+1,10|5|a width from 1
mlp:784,256x,10|13|how often, from 1 to 10000
mlp:784,256x0,10|13|how often, from 1 to 10000
mlp:784,256x-3,10|13|how often, from 1 to 10000
mlp:784,256x1000000,10|13|how often, from 1 to 10000
mlp:784,256x18446744073709551617,10|13|how often, from 1 to 10000
mlp:784,256x5000,256x5001,10|18|at most 10000 layers
mlp:784x2,10|5|the input has one width
mlp:784,10x2|9|the output has one
mlp:784,,10|9|a width from 1
mlp:,784|5|a width from 1
mlp:784,10,|12|a width from 1
mlp:784,10;|11|a comma
mlp:784, 256,10|9|a width from 1
mlp:784.0,10|8|a comma
mlp:0x10,10|5|a width from 1
mlp:1e3,10|6|a comma
mlp:784,256X3,10|12|a comma
mlp:784,256x3x3,10|14|a comma
mlp:784,1099511627777,10|9|a width from 1 to 1099511627776
mlp:784,1152921504606846976,10|9|a width from 1
mlp:99999999999999999999999999999999,2|5|a width from 1
CASES
    refuses 2 '\x1b[31m' $'mlp:784,\e[31m10'
    local long
    printf -v long 'mlp:%0100000d' 0
    refuses 2 "a width from 1" "$long"
    refuses 3 "layers.0.weight has more than 2^56 elements" mlp:1099511627776,1099511627776
}

@test "activations and schemes that are none, and short-form options beside a file" {
    tiny gpt2 >config.json
    while IFS='|' read -r option value words; do
        refuses 2 "$words" mlp:784,16,10 "--$option" "$value"
    done <<'CASES'
activation|tanhh|no activation is called 'tanhh'; did you mean tanh?
activation|leaky_relu{|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope}|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope=}|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope=0.1,}|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope=0.1}}|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope=nan}|is not NAME or NAME{parameter=number}
activation|leaky_relu{slope=1e400}|is not NAME or NAME{parameter=number}
activation|leaky_relu{tilt=0.1}|leaky_relu has no parameter tilt
activation|relu{slope=0.1}|relu has no parameters
activation|swiglu|a gate of two signals
scheme|he_norml|did you mean he_normal?
scheme|{|--scheme '{'
scheme|3|it must give a scheme
scheme|normal|normal needs std
scheme|normal{std=foo}|foo is not defined
scheme|normal{std=-1}|std
CASES
    run sow plan mlp:784,10 --activation ''
    ends_with 2
    has "$output" "--activation: the value is empty"
    refuses 2 "--activation belongs to a short form" config.json --activation relu
    refuses 2 "write --set '*.weight=SCHEME'" config.json --scheme he_normal
}

@test "ten thousand layers, and as few bytes as they should hold" {
    run -0 --separate-stderr sow plan mlp:8,8x9999,8 -q
    has "$output" "layers.{0..9999}." "20,000 tensors, 720,000 parameters"
}
