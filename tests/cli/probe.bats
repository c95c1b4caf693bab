# SPDX-License-Identifier: MIT
# sow probe: the table, JSON and CSV, and what it refuses.
# shellcheck disable=SC2154,SC2030,SC2031 # stderr and output come from run
load helper

value() { # NAME KEY of the JSON on stdin
    python3 -c 'import json, sys; print([v for v in json.load(sys.stdin)["values"] if v["name"] == "'"$1"'"][0]["'"$2"'"])'
}

@test "the table says that it is predicted and fits the screen" {
    tiny gpt2 >config.json
    for source in config.json "mlp:784,256x50,10"; do
        run -0 --separate-stderr sow probe "$source"
        has "$output" "predicted" "signal" "gradient" "E[x^2]" "chi_perp" "seed noise"
        fits_100_columns "$output"
        [[ ${#lines[@]} -lt 50 ]]
    done
    has "$output" "..." "layers.0.relu" "layers.50" "at infinite depth (relu, sigma_w^2 2"
    lacks "$output" "layers.23.relu"
    run -0 --separate-stderr sow probe mlp:784,256x50,10 --all
    has "$output" "layers.23.relu"
}

@test "numbers follow the rules that are given" {
    run -0 --separate-stderr sow probe mlp:256,256x4,256 --json
    is_json "$output"
    [[ $(value layers.4 second_moment <<<"$output") == 1.0000000000000* || $(value layers.4 second_moment <<<"$output") == 0.99999999* ]]
    run --separate-stderr sow probe mlp:256,256x4,256 --scheme 'normal{std=0.125}' --json
    # 256 / 64 / 2 = 2 a layer, and 4 for the first
    [[ $(value layers.4 log2_second_moment <<<"$output") == 6* || $(value layers.4 log2_second_moment <<<"$output") == 5.99999* ]]
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --set '*.c_proj.weight=zeros' --json
    [[ $(value transformer.h.0.mlp.c_proj second_moment <<<"$output") == 0* ]]
    [[ $(value transformer.h.2.ln_2 log2_gradient <<<"$output") == None ]]
}

@test "JSON and CSV at once are a usage error" {
    run --separate-stderr sow probe mlp:8,8 --json --csv
    ends_with 2
    has "$stderr" "--json and --csv cannot both be printed"
}

@test "CSV has a row a value" {
    run -0 --separate-stderr sow probe mlp:8,8,8 --csv
    [[ ${#lines[@]} -eq 5 && ${lines[0]} == name,operation,layer,log2_second_moment,* ]]
    [[ ${lines[2]} == layers.0,linear,0,* ]]
}

@test "what cannot be probed is one clear error" {
    tiny gpt2 >config.json
    run --separate-stderr sow probe config.json --tokens 64
    ends_with 2
    has "$stderr" "64 tokens are more than the 32 positions"
    run -0 sow init mlp:8,8 -o m.safetensors -q
    run --separate-stderr sow probe m.safetensors --set '*=zeros'
    [[ $status -eq 2 || $status -eq 3 ]]
    has "$stderr" "no graph"
    printf 'local x = input { "batch", "depth" }\nparam("w", { 2 })\nrule("*", zeros)\n' >m.lua
    run --separate-stderr sow probe m.lua
    ends_with 3
    has "$stderr" "m.lua:1" "no size was given for depth"
}

@test "families of several kinds are followed from end to end" {
    local model
    for model in '{"model_type": "bert", "num_hidden_layers": 2}' '{"model_type": "gemma", "num_hidden_layers": 2}' \
        '{"model_type": "mixtral", "num_hidden_layers": 1}' '{"model_type": "vit"}' '{"model_type": "resnet"}' '{"model_type": "qwen3", "num_hidden_layers": 2}'; do
        echo "$model" >config.json
        run -0 --separate-stderr sow probe config.json
        has "$output" "predicted" "seed noise"
        lacks "$output" "nan" "inf"
        fits_100_columns "$output"
    done
}

@test "sizes and the inputs' statistics are taken from the command line" {
    printf 'local x = input { "batch", 3, "height", "width" } >> conv2d("c", 3, 8, { padding = 1 })\nrule("*.bias", zeros)\nrule("*", he_normal)\n' >m.lua
    run -0 --separate-stderr sow probe m.lua --size height=6 --size width=5 --input mean=3,std=2,correlation=0.1 --measure --json
    [[ $(value c shape <<<"$output") == "[8, 8, 6, 5]" ]]
    python3 -c 'import json, sys; m = json.load(sys.stdin)["values"][0]; assert abs(m["second_moment"] - 13) < 1e-9 and abs(m["place_correlation"] - 9.4 / 13) < 1e-9, m' <<<"$output"
    python3 -c 'import json, sys; m = json.load(sys.stdin)["values"][0]["measured"]; assert 2 < m["mean"] < 4 and 1.6 < m["std"] < 2.4, m' <<<"$output"
    run --separate-stderr sow probe m.lua --size height
    ends_with 2
    has "$stderr" "--size: 'height' is not of the form SYMBOL=N"
    run --separate-stderr sow probe m.lua --size height=x
    ends_with 2
    has "$stderr" "--size height=x"
    run --separate-stderr sow probe m.lua --size depth=3
    ends_with 2
    has "$stderr" "the model leaves no size open that is called depth"
    run --separate-stderr sow probe m.lua --input mean=1,spread=2
    ends_with 2
    has "$stderr" "--input: 'spread=2' is none of mean=X"
    run --separate-stderr sow probe m.lua --input std=-1
    ends_with 2
    has "$stderr" "not negative"
}

# The recipe of x, with all that rules need; probed, it is refused with these words.
refused() {
    printf '%s\nrule("*.weight", normal { std = 0.1 })\nrule("*", zeros)\n' "$1" >odd.lua
    run --separate-stderr sow probe odd.lua
    ends_with 3
    has "$stderr" "odd.lua:" "${@:2}"
    [[ -z $output && ${#stderr_lines[@]} -eq 1 ]]
}

@test "what no graph can be is told with the node, its line and the shapes" {
    local e='>> embedding("e", 10, 4)'
    refused "local x = input { \"batch\", 7 } >> linear(\"g\", 7, 7) $e" "e (embedding)" "the value g (linear) of shape [8, 7]"
    e+=' >> linear("f", 4, 4)'
    refused "local x = (tokens() * 2) $e" "scale (scale)" "the numbers of rows tokens (tokens) of shape [8, 256]"
    refused "local x = (tokens() >> dropout(0.1)) $e" "dropout (dropout)" "only an embedding takes them"
    refused 'local x = input { "batch", "tokens", 9 } >> linear("q", 9, 27) >> attention { heads = 3, rotary = true }' "its head_dim is odd"
    refused 'local x = input { "batch", 5, 4 } >> global_pool { over = "tokens", skip = 5 } >> linear("f", 4, 4)' \
        "skip = 5 leaves none of the 5 places of [8, 5, 4]"
    refused 'local x = input { "batch", "tokens", 8 } >> experts { router = linear("r", 8, 4), experts = 4,
                                   expert = function(x, i) return x >> linear("e", 8, 7 + i) end }' \
        "expert 1 makes [8, 256, 8] and expert 0 [8, 256, 7]"
    refused 'local x = input { "batch", 12 } >> rms_norm("n", 12, { eps = 0/0 }) >> linear("f", 12, 4)' "n (rms_norm): eps is not finite"
    refused 'local x = input { "batch", 12, std = 0/0 } >> linear("n", 12, 4)' "std of an input is NaN"
}

@test "a mean over the tokens but the class token, as timm's avg has it" {
    run -0 --separate-stderr sow probe timm:vit_tiny_patch16_224,global_pool=avg
    has "$output" "global_pool"
    printf 'local x = input { "batch", 10, 64, correlation = 0.3 } >> global_pool { over = "tokens", skip = 3 } >> linear("f", 64, 8)
rule("*.bias", zeros)\nrule("*", he_normal)\n' >m.lua
    run -0 --separate-stderr sow probe m.lua --json
    python3 -c '
import json, sys
x, pool = json.load(sys.stdin)["values"][:2]
assert abs(pool["second_moment"] - (1 + 6 * 0.3) / 7) < 1e-12, pool # 7 tokens are left
assert abs(x["gradient"] / pool["gradient"] - 7 / 10 / 49) < 1e-12, x # a seventh to each of them, none to the others' <<<"$output"
}

usage() {
    run --separate-stderr sow probe mlp:8,8x3,4 "${@:2}"
    ends_with 2
    has "$stderr" "$1"
    [[ -z $output ]]
}

@test "values that options cannot have" {
    local option
    for option in seeds steps layers; do
        usage "--$option: '0' is no number from 1 to 4096" --"$option" 0
    done
    usage "--batch: '0' is no number from 1 to" --batch 0
    usage "--tokens: '0' is no number from 1 to" --tokens 0
    usage "'x.txt' is no HTML file" --report x.txt
    usage "--lr is of the steps" --lr 0.1
    usage "--optimizer is of the steps" --optimizer sgd
    usage "'std=-1': std is a number that is not negative" --input std=-1
    usage "'mean=0x': mean is a number" --input mean=0x
    usage "'correlation=2': correlation is a number from -1 to 1" --input correlation=2
    usage "std stands twice" --input std=1,std=2
    usage "'--compare' needs a value, and '--brief' is an option" --compare --brief
    run -0 --separate-stderr sow probe mlp:8,8x3,4 --layers 99 --brief
    has "$stderr" "note: --layers 99: the model repeats 4 layers; all are measured"
    run -0 --separate-stderr sow probe mlp:8,8x3,4 --tokens 100000 --batch 5000 --brief # more than any count of threads
}
