# SPDX-License-Identifier: MIT
# The verdicts of sow probe: planted faults by name, cures that are pasted, healthy networks that stay so.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

codes() { # of the JSON in $output, one line
    python3 -c 'import json, sys; print(*sorted({v["code"] for v in json.load(sys.stdin)["verdicts"] if v["severity"] != "note"}))' \
        <<<"$output"
}

of_code() { # CODE KEY of the first such verdict in $output
    python3 -c 'import json, sys; print([v for v in json.load(sys.stdin)["verdicts"] if v["code"] == "'"$1"'"][0]["'"$2"'"])' <<<"$output"
}

first_loss() { python3 -c 'import json, sys; print(round(json.load(sys.stdin)["first_loss"]["'"$1"'"], 4))' <<<"$output"; }

# The cure of CODE in $output's JSON, pasted: sow probe SOURCE CURE OPTIONS... no longer says CODE.
cured() { # CODE SOURCE OPTIONS...
    local code=$1 source=$2 cure
    shift 2
    cure=$(of_code "$code" cure)
    [[ $cure != None ]]
    eval "set -- $cure \"\$@\""
    run --separate-stderr sow probe "$source" "$@" --json
    [[ $status -le 1 ]]
    lacks "$(codes)" "$code"
}

@test "normal 0.01 on fifty tanh layers vanishes, and the cure heals it" {
    run -1 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --scheme 'normal{std=0.01}' --json
    [[ $(codes) == VANISH && $(of_code VANISH where) == layers.0 ]]
    cured VANISH mlp:784,256x50,10 --activation tanh
    [[ $(codes) == "" ]]
}

@test "zeros and constants are ZERO-GRAD and SYMMETRIC" {
    run -1 --separate-stderr sow probe mlp:784,256x5,10 --set '*.weight=zeros' --json
    has "$(codes)" ZERO-GRAD SYMMETRIC
    cured ZERO-GRAD mlp:784,256x5,10
    run -1 --separate-stderr sow probe mlp:100,50x3,10 --activation tanh --scheme 'constant{0.01}' --json
    has "$(codes)" SYMMETRIC
    [[ $(of_code SYMMETRIC where) == layers.0 && $(of_code SYMMETRIC places) == 3 ]]
    cured SYMMETRIC mlp:100,50x3,10 --activation tanh
    # a head of zeros lets no gradient through at the first step only: a note
    run -0 --separate-stderr sow probe mlp:784,256x5,10 --set 'layers.5.weight=zeros' --json
    [[ $(of_code ZERO-GRAD severity) == note ]]
}

@test "F16 a bracket: SATURATED and EXPLODE at the first layer" {
    local set='*.weight=normal{std = sqrt(2/fan_in + fan_out)}'
    run -1 --separate-stderr sow probe mlp:784,256,10 --activation tanh --set "$set" --json
    [[ $(codes) == "EXPLODE SATURATED" && $(of_code EXPLODE where) == layers.0 && $(of_code SATURATED where) == layers.0.tanh ]]
    cured EXPLODE mlp:784,256,10 --activation tanh
    [[ $(codes) == "" ]]
}

@test "F23 a first loss above ln V is healthy" {
    echo '{"model_type": "llama", "vocab_size": 6400, "hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 16,
           "tie_word_embeddings": true}' >config.json
    run -0 --separate-stderr sow probe config.json --json
    [[ $(codes) == "" && $(first_loss loss) == 8.866* ]]
    echo '{"model_type": "gpt2"}' >config.json
    run -0 --separate-stderr sow probe config.json --json
    [[ $(codes) == "" && $(first_loss loss) == 10.978* ]]
}

@test "F24 an output head at std 1 explodes at the head" {
    cat >head.lua <<'LUA'
local x = tokens() >> embedding("embed", 32128, 768) >> rms_norm("norm", 768)
x = x >> linear("lm_head", 768, 32128, { bias = false })
rule("embed.weight", normal { std = 1 })
rule("norm.weight", ones)
rule("lm_head.weight", normal { std = 1 })
LUA
    run -1 --separate-stderr sow probe head.lua --json
    [[ $(codes) == EXPLODE && $(of_code EXPLODE where) == lm_head && $(of_code EXPLODE cure) == "--set 'lm_head.weight="* ]]
    python3 -c 'import sys; sys.exit(not abs(float(sys.argv[1]) - 114.6) < 0.4)' "$(first_loss loss)"
    cured EXPLODE head.lua
    run -0 --separate-stderr sow probe head.lua --set 'lm_head.weight=normal{std=1/sqrt(fan_in)}' --json
    [[ $(first_loss loss) == 10.877* ]]
}

@test "F25 the sigmoid network of the book vanishes, and no gain heals it" {
    run -1 --separate-stderr sow probe mlp:784,30x4,10 --activation sigmoid --scheme lecun_normal --set '*.bias=normal{std=1}' --json
    has "$(codes)" VANISH
    [[ $(of_code VANISH cure) == None ]]
    has "$(of_code VANISH advice)" sigmoid
    has "$(of_code VANISH reason)" "the slope of sigmoid is 0.25 at most" "whatever the gain" "at each of 4 layers"
}

@test "an expression of one's own is judged and matched as the activation that it is" {
    run -1 --separate-stderr sow probe mlp:784,30x4,10 --activation-expr '1/(1+exp(-x))' --scheme lecun_normal --json
    has "$(of_code VANISH reason)" "is 0.25 at most"
    run -0 --separate-stderr sow probe mlp:256,256x50,10 --activation-expr 'tanh(x)' --variant matched --json
    [[ $(codes) == "" ]]
    # two of them in one network
    printf '%s\n' 'local x = input { "batch", 64 }' 'for i = 1, 30 do' \
        '    x = x >> linear("l" .. i, 64, 64) >> activation(expr(i % 2 == 0 and "tanh(x)" or "x / (1 + abs(x))"))' 'end' >two.lua
    run -0 --separate-stderr sow plan two.lua --variant matched --json
    python3 -c 'import json, sys; std = {t["name"]: t["std"] for t in json.load(sys.stdin)["tensors"] if "std" in t}
assert std["l5.weight"] > 1.05 * std["l6.weight"], (std["l5.weight"], std["l6.weight"])' <<<"$output"
}

@test "He on deep tanh is CHAOS, a dead layer DEAD, a narrow one SEED-NOISE, GELU without norms UNSTABLE-SCALE" {
    run -1 --separate-stderr sow probe mlp:784,256x100,10 --activation tanh --scheme he_normal --json
    has "$(codes)" CHAOS
    run -1 --separate-stderr sow probe mlp:784,256x5,10 --set 'layers.2.bias=constant{-9}' --json
    has "$(codes)" DEAD
    [[ $(of_code DEAD where) == layers.2.relu ]]
    cured DEAD mlp:784,256x5,10
    run -1 --separate-stderr sow probe mlp:784,64x60,10 --json
    [[ $(codes) == SEED-NOISE ]]
    run -1 --separate-stderr sow probe mlp:512,512x40,10 --activation gelu --set 'layers.0.weight=lecun_normal' \
        --set '*.weight=lecun_normal{activation="gelu"}' --json
    has "$(codes)" UNSTABLE-SCALE
    cured UNSTABLE-SCALE mlp:512,512x40,10 --activation gelu
    # off for half of any input is what a rectifier is
    run -0 --separate-stderr sow probe mlp:512,512x10,10 --activation relu6 --json
    run -1 --separate-stderr sow probe mlp:512,512x10,10 --activation relu6 --scheme 'normal{std=1}' --json
    has "$(codes)" SATURATED
}

@test "a comparison ends with 0 whatever it finds" {
    run -0 --separate-stderr sow probe mlp:256,256x50,10 --activation tanh --compare he_normal matched
    has "$output" "he_normal: CHAOS" "matched: healthy"
    run -0 sow help probe
    has "$output" "The exit code is 0 whatever is wrong with some of them"
}

@test "branches of one's own model without 1/sqrt(2L) are named, and the cure heals it" {
    cat >own.lua <<'LUA'
local d = 128
local x = tokens() >> embedding("embed", 1000, d)
x = repeated("h", 12, x, function(x)
    x = x + (x >> layer_norm("norm1", d) >> linear("qkv", d, 3 * d) >> attention { heads = 4, causal = true } >> linear("out", d, d))
    return x + (x >> layer_norm("norm2", d) >> linear("up", d, 4 * d) >> activation("gelu") >> linear("down", 4 * d, d))
end)
x = x >> layer_norm("norm", d) >> linear("head", d, 1000)
rule("*norm*.weight", ones)
rule("*bias", zeros)
rule("*", normal { std = 0.02 })
LUA
    # behind norms it is no harm: a note, with exit code 0
    run -0 --separate-stderr sow probe own.lua --json
    [[ $(of_code EXPLODE severity) == note && $(of_code EXPLODE where) == h.0.add ]]
    has "$(of_code EXPLODE reason)" "h.0.out.weight" "their number, 24" "1/sqrt(24)"
    cured EXPLODE own.lua
    lacks "$output" EXPLODE
    run -0 sow probe own.lua
    has "$output" "--set 'h.*.out.weight=normal{std=0.004082}' --set 'h.*.down.weight=normal{std=0.004082}'"
    # one kind of the two
    run -0 --separate-stderr sow probe own.lua --set '*.out.weight=normal{std=0.02/sqrt(24)}' --json
    has "$(of_code EXPLODE reason)" "h.0.down.weight" "those like h.0.out.weight are"
    # without norms each branch multiplies the stream
    sed -i 's/ >> layer_norm("norm[12]", d)//; s/std = 0.02/std = 0.1/' own.lua
    run -1 --separate-stderr sow probe own.lua --json
    has "$(of_code EXPLODE cure)" "--set 'h.*.out.weight=normal"
    cured EXPLODE own.lua
}

@test "GPT-2 at std 1 explodes and its attention is saturated" {
    echo '{"model_type": "gpt2"}' >config.json
    run -1 --separate-stderr sow probe config.json --set '*.c_*.weight=normal{std=1}' --json
    [[ $(codes) == "EXPLODE SATURATED" ]]
    cured SATURATED config.json
}

@test "families as they are shipped, and matched, are healthy" {
    local model variant
    for model in gpt2 bert gemma llama mixtral qwen3 vit resnet; do
        echo '{"model_type": "'$model'"}' >config.json
        for variant in "" "--variant=matched"; do
            run --separate-stderr sow probe config.json ${variant:+"$variant"} --json
            [[ $status -eq 0 && $(codes) == "" ]] || { echo "$model $variant: $(codes)"; false; }
        done
    done
    run -0 --separate-stderr sow probe mlp:784,256x50,10
    has "$output" "healthy: " "first loss"
    fits_100_columns "$output"
}

@test "thresholds are set by name, and wrong ones refused" {
    run -0 --separate-stderr sow probe mlp:784,64x60,10 --threshold seed-noise=5
    run --separate-stderr sow probe mlp:8,8,8 --threshold nonsense=5
    ends_with 2
    has "$stderr" "no threshold nonsense"
    run --separate-stderr sow probe mlp:8,8,8 --threshold vanish
    ends_with 2
    has "$stderr" "NAME=NUMBER"
}

@test "the lists of docs/probe.md are the tables'" {
    "$BATS_TEST_DIRNAME/../../scripts/gen-verdicts-doc" --check "$(dirname "$SOW")"
    run -0 sow probe --codes
    has "$output" VANISH SYMMETRIC vanish=10
    is_json "$(sow probe --codes --json)"
}

@test "He on fifty tanh layers is named as a warning, and GPT-2 without its 1 over sqrt(2L)" {
    run -1 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --scheme he_normal --json
    [[ $(codes) == CHAOS && $(of_code CHAOS severity) == warning && $(of_code CHAOS cure) == "--set 'layers.*.weight=lecun_normal'" ]]
    cured CHAOS mlp:784,256x50,10 --activation tanh
    run -0 --separate-stderr sow probe mlp:784,256x20,10 --activation tanh --scheme he_normal --json
    [[ $(of_code CHAOS severity) == note ]]
    echo '{"model_type": "gpt2"}' >config.json
    run -1 --separate-stderr sow probe config.json --set '*.c_proj.weight=normal{std=0.02}' --json
    [[ $(codes) == EXPLODE && $(of_code EXPLODE places) == 24 ]]
    has "$(of_code EXPLODE reason)" "1/sqrt(24)"
    cured EXPLODE config.json
    # a variant that never had it is its authors' choice
    run -0 --separate-stderr sow probe config.json --variant openai
    run -1 --separate-stderr sow probe config.json --set '*.h.5.mlp.c_fc.weight=normal{std=0.2}' --json
    [[ $(of_code EXPLODE where) == transformer.h.5.mlp.c_fc ]]
    [[ $(of_code EXPLODE cure) == "--set 'transformer.h.5.mlp.c_fc.weight=normal{std=0.02}'" ]]
}

@test "--compare tells the verdict of each scheme" {
    run -0 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --compare 'normal{std=0.01}' glorot_normal he_normal
    has "$output" "normal{std=0.01}: VANISH at layers.0, VANISH at layers.48.tanh" "glorot_normal: healthy" "he_normal: CHAOS at layers.24"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --compare 'normal{std=0.01}' glorot_normal --json
    [[ $(python3 -c 'import json, sys; print([c["probe"]["healthy"] for c in json.load(sys.stdin)["compared"]])' <<<"$output") == "[False, True]" ]]
}
