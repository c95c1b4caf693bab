# SPDX-License-Identifier: MIT
# sow plan: the table for people, the JSON for machines, and the user's own rules.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "GPT-2: repeated layers folded, totals, rules, within 100 columns" {
    run -0 --separate-stderr sow plan "$BATS_TEST_DIRNAME/../../examples/gpt2/config.json"
    has "$output" "transformer.wte.weight" "50257 x 768" "transformer.h.{0..11}." "  attn.c_attn.weight" \
        "148 tensors, 124,439,808 parameters" "497,759,232 bytes in f32" "variant transformers: " "other variants: " "plan "
    lacks "$output" "transformer.h.3."
    has "$output" "  attn.c_proj.weight"
    [[ ${#lines[@]} -lt 40 ]]
    fits_100_columns "$output"
}

@test "a Llama of 32 layers fits 100 columns too" {
    cat >config.json <<'JSON'
{"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
 "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": false}
JSON
    run -0 --separate-stderr sow plan config.json --dtype bf16
    has "$output" "model.layers.{0..31}." "  post_attention_layernorm.weight" "8,030,261,248 parameters" "in bf16"
    fits_100_columns "$output"
}

@test "--all shows every tensor by its full name" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow plan config.json --all
    [[ $(grep -c '^transformer\.h\.1\.' <<<"$output") -eq 12 ]]
    lacks "$output" "{0.."
}

@test "layers that differ are not folded into one row" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow plan config.json --set '*.h.1.mlp.c_fc.weight=ones'
    has "$output" "h.0.mlp.c_fc.weight" "h.1.mlp.c_fc.weight" "h.2.mlp.c_fc.weight" "transformer.h.{0..2}."
}

@test "--json is the canonical plan" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow plan config.json --json --seed 18446744073709551615 --dtype bf16
    [[ -z $stderr ]]
    is_json "$output"
    [[ $(ask 'plan["stream"], plan["seed"]' <<<"$output") == "1 18446744073709551615" ]]
    [[ $(ask 'plan["totals"]["tensors"] == len(t)' <<<"$output") == True ]]
    [[ $(ask 't["transformer.wte.weight"]["shape"], t["transformer.wte.weight"]["dtype"]' <<<"$output") == "[100, 16] bf16" ]]
    [[ $(ask 't["transformer.wte.weight"]["std"]' <<<"$output") == 0.02 ]]
    [[ $(ask '"std" in t["transformer.ln_f.bias"]' <<<"$output") == False ]]
}

@test "a plan is the same whatever the environment" {
    tiny gpt2 >config.json
    run -0 sow plan config.json --json
    first=$output
    LC_ALL=de_DE.UTF-8 LANG=C HOME=/ run -0 sow plan config.json --json
    [[ $output == "$first" ]]
}

@test "the user's rules come first: --set, then --rules, then the variant" {
    tiny gpt2 >config.json
    printf 'rule("*.c_fc.weight", constant { value = 3 })\nrule("*.c_fc.bias", ones)\n' >my.lua
    run -0 --separate-stderr sow plan config.json --json --rules my.lua --set '*.h.0.mlp.c_fc.weight=constant{value=4}'
    [[ $(ask 't["transformer.h.0.mlp.c_fc.weight"]["mean"]' <<<"$output") == 4 ]]
    [[ $(ask 't["transformer.h.1.mlp.c_fc.weight"]["mean"]' <<<"$output") == 3 ]]
    [[ $(ask 't["transformer.h.1.mlp.c_fc.bias"]["mean"]' <<<"$output") == 1 ]]
    [[ $(ask 't["transformer.h.1.mlp.c_proj.bias"]["mean"]' <<<"$output") == 0 ]]
    run -0 --separate-stderr sow plan config.json --rules my.lua --set '*.h.0.mlp.c_fc.weight=constant{value=4}'
    has "$(grep -A4 '^rule' <<<"$output" | tr -s ' \n' ' ')" "1 *.h.0.mlp.c_fc.weight 1 --set" "2 *.c_fc.weight 2 my.lua:1" \
        "3 *.c_fc.bias 3 my.lua:2"
}

@test "--set sees fans, layers and the config's fields" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow plan config.json --json --set '*.c_fc.weight=normal{std=sqrt(2/(fan_in+fan_out))}' \
        --set '*.attn.c_proj.weight=normal{std=initializer_range/sqrt(2*n_layer)}' \
        --set '*.mlp.c_proj.weight=normal{std=0.1/(layer+1)}'
    [[ $(ask 't["transformer.h.0.mlp.c_fc.weight"]["std"] == (2/80)**.5' <<<"$output") == True ]]
    [[ $(ask 't["transformer.h.2.attn.c_proj.weight"]["std"]*6**.5' <<<"$output") == 0.02* ]]
    [[ $(ask 't["transformer.h.1.mlp.c_proj.weight"]["std"]' <<<"$output") == 0.05 ]]
}

@test "F12: a parameter nobody reads ends with 2, names those there are, and writes nothing" {
    tiny gpt2 >tiny.json
    run --separate-stderr sow plan tiny.json --set '*.weight=normal{weight_std=0.01}'
    ends_with 2
    [[ -z $output ]]
    has "$stderr" "weight_std" "mean" "did you mean std?"
    run --separate-stderr sow init tiny.json -o x.safetensors --set '*.weight=normal{weight_std=0.01}'
    ends_with 2
    [[ ! -e x.safetensors ]]
}

@test "F12: its siblings" {
    tiny gpt2 >tiny.json
    local set
    for set in 'normal{sd=0.01}' 'normal{std="0.01"}' 'normal{0.01}' 'he_normal{mode="fanin"}' 'Normal{std=0.01}' \
        'normal' 'normal{}' 'normal{std=-1}' 'normal{std=1/0}' 'normla{std=1}' 'normal{std=0.01' 'normal{std=nosuch}' ''; do
        run --separate-stderr sow plan tiny.json --set "*.weight=$set"
        ends_with 2
        [[ -z $output ]]
        has "$stderr" "sow: error: "
            [[ ${#stderr_lines[@]} -eq 1 ]]
    done
}

@test "a --set without a tensor, a glob without a scheme" {
    tiny gpt2 >tiny.json
    run sow plan tiny.json --set '*.wieght=zeros'
    ends_with 2
    has "$output" "--set" "*.wieght"
    run sow plan tiny.json --set 'zeros'
    ends_with 2
    run sow plan tiny.json --variant nosuch
    ends_with 2
    has "$output" nosuch
}

@test "the same mistakes in a rules file are input, with its line" {
    tiny gpt2 >tiny.json
    printf '\nrule("*.weight", normal { weight_std = 0.01 })\n' >bad.lua
    run --separate-stderr sow plan tiny.json --rules bad.lua
    ends_with 3
    has "$stderr" "sow: error: bad.lua:2" "weight_std"
    echo 'rule("*.wieght", zeros)' >bad.lua
    run --separate-stderr sow plan tiny.json --rules bad.lua
    ends_with 3
    has "$stderr" "bad.lua:1" "wieght"
    run sow plan tiny.json --rules nosuch.lua
    ends_with 4
}

@test "what cannot be read: missing, a folder without a config, not JSON, an unknown family" {
    run --separate-stderr sow plan nosuch.json
    ends_with 4
    has "$stderr" "sow: error: " "nosuch.json"
    mkdir empty
    run sow plan empty
    [[ $status -eq 3 || $status -eq 4 ]]
    echo '{"model_type": "gpt2",}' >bad.json
    run --separate-stderr sow plan bad.json
    ends_with 3
    has "$stderr" "bad.json:1:"
    echo '{"model_type": "gpt3"}' >bad.json
    run --separate-stderr sow plan bad.json
    ends_with 3
    has "$stderr" "gpt3" "gpt2" "llama"
}

@test "control characters in names do not reach the terminal" {
    python3 - <<'PY'
import json, struct
names = ["a\x1b[31m", "b\u202e", "c\nd"]
header = {n: {"dtype": "F32", "shape": [2, 2], "data_offsets": [16 * i, 16 * i + 16]} for i, n in enumerate(names)}
text = json.dumps(header).encode()
open("odd.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + bytes(48))
PY
    run --separate-stderr sow plan odd.safetensors --set '*=zeros'
    ends_with 0
    has "$output" 'a\x1b[31m' 'b\xe2\x80\xae' 'c\x0ad'
    run --separate-stderr sow plan odd.safetensors --set $'\e[31m*=zeros'
    [[ $status -ne 0 ]]
    lacks "$stderr" $'\e'
}

@test "what the reader assumed stands under the table" {
    echo '{"model_type": "qwen3", "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}' >config.json
    run -0 --separate-stderr sow plan config.json
    has "$output" "note: " "head_dim" "128"
}

@test "--recipes: a family of the user's own, and --variant among the built-in ones" {
    mkdir families
    cat >families/wee.lua <<'LUA'
local c = config { "the wee family's own default", width = 8 }
local x = input { "batch", c.width } >> linear("fc", c.width, 2)
variant("plain", "this file", function()
    rule("*.weight", lecun_normal)
    rule("*.bias", zeros)
end)
LUA
    echo '{"model_type": "wee"}' >wee.json
    run --separate-stderr sow plan wee.json
    ends_with 3
    has "$stderr" "wee" "known are " "gpt2, llama, mistral" "--recipes"
    run -0 --separate-stderr sow plan wee.json --recipes families
    has "$output" "fc.weight" "lecun_normal" "0.353553" "variant plain: this file" "families/wee.lua:4"
    run sow plan wee.json --recipes nosuch
    ends_with 4
    has "$output" nosuch
    tiny gpt2 >config.json
    run -0 --separate-stderr sow plan config.json --json --variant openai
    [[ $(ask 't["transformer.wpe.weight"]["std"]' <<<"$output") == 0.01 ]]
}

@test "dtypes that differ stand beside the shapes" {
    python3 - <<'PY'
import json, struct
header = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]}}
text = json.dumps(header).encode()
open("two.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + bytes(12))
PY
    run -0 --separate-stderr sow plan two.safetensors --set '*=zeros'
    has "$output" "2 f32" "2 bf16" "12 bytes in mixed dtypes"
}

@test "fused blocks and zeroed rows: every set of numbers of a tensor is shown" {
    tiny llama | sed 's/}$/, "pad_token_id": 3}/' >config.json
    run -0 --separate-stderr sow plan config.json
    has "$output" "model.embed_tokens.weight" "indices 3 to 3 of axis 0: 0"
}
