# SPDX-License-Identifier: MIT
# sow probe: the table, JSON and CSV, and what it refuses.
# shellcheck disable=SC2154 # stderr and output come from run
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
