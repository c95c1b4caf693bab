# SPDX-License-Identifier: MIT
# sow explain: one tensor, its formula with numbers and where each came from.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "explain names the rule with its place, the fans, the numbers and the citation" {
    run -0 --separate-stderr sow explain "$BATS_TEST_DIRNAME/../../examples/gpt2/config.json" \
        transformer.h.0.attn.c_proj.weight --seed 42
    has "$output" "transformer.h.0.attn.c_proj.weight" "c_proj.weight" "gpt2.lua:" "768" "0.0040824"
    [[ -z $stderr ]]
}

@test "the first values are those that init writes" {
    tiny gpt2 >config.json
    run -0 sow explain config.json transformer.wte.weight --seed 42
    text=$output
    run -0 sow init config.json --seed 42 -o x.safetensors -q
    first=$(python3 - <<'PY'
import json, struct
data = open("x.safetensors", "rb").read()
length = struct.unpack("<Q", data[:8])[0]
begin = json.loads(data[8 : 8 + length])["transformer.wte.weight"]["data_offsets"][0] + 8 + length
print("%.4g" % struct.unpack("<f", data[begin : begin + 4])[0])
PY
    )
    has "$text" "${first%0}"
}

@test "a folded name stands for its first layer" {
    tiny gpt2 >config.json
    run -0 sow explain config.json transformer.h.0.mlp.c_fc.weight
    plain=$output
    run -0 sow explain config.json 'transformer.h.{0..2}.mlp.c_fc.weight'
    [[ $output == "$plain" ]]
}

@test "a tensor that is not there: the nearest" {
    tiny gpt2 >config.json
    run --separate-stderr sow explain config.json transformer.wte.wieght
    ends_with 2
    has "$stderr" "transformer.wte.wieght" "did you mean" "transformer.wte.weight"
}

@test "explain says where no word is drawn" {
    for scheme in zeros identity zero_hadamard; do
        run -0 --separate-stderr sow explain mlp:4,8 layers.0.weight --set "*.weight=$scheme"
        has "$output" "version 1: no word is drawn"
    done
    run -0 --separate-stderr sow explain mlp:4,8 layers.0.weight --set '*.weight=orthogonal'
    has "$output" "element i is two words"
}
