#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An activation of the user's own wherever the name of one goes. What its numbers are judges tests/python/test_expressions.py.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

F22='max(x,0) - (sqrt(2.85)-1)'

@test "every verb takes --activation-expr, and the file's record is enough to verify" {
    run -0 --separate-stderr sow init mlp:16,8x2,4 --activation-expr "$F22" -o e.safetensors --seed 3
    has "$stderr" "repeat: sow init mlp:16,8x2,4 -o e.safetensors --seed 3 --activation-expr '$F22'"
    run -0 sow verify e.safetensors
    run -0 sow verify e.safetensors --source mlp:16,8x2,4 --activation-expr "$F22" --seed 3
    run -1 sow verify e.safetensors --source mlp:16,8x2,4 --activation-expr "$F22 / 2" --seed 3
    run -0 sow check e.safetensors --source mlp:16,8x2,4 --activation-expr "$F22"
    run -0 sow explain mlp:16,8x2,4 layers.1.weight --activation-expr "$F22"
    has "$output" "exact gain of the activation, 1.535" "expr{$F22}" "gain=1.5348117750961"
    run -0 sow explain mlp:16,8x2,4 layers.1.weight --activation-expr "$F22" --variant matched
    has "$output" "expr{$F22}"
    run -0 sow probe mlp:16,8x2,4 --activation-expr "$F22" --steps 2
    has "$output" "loss"
}

@test "the same in a config, in a recipe, in a gain and by the name expr{...}" {
    local plan
    run -0 --separate-stderr sow plan --json mlp:16,8,4 --activation-expr "$F22"
    plan=$output
    run -0 --separate-stderr sow plan --json mlp:16,8,4 --activation "expr{$F22}"
    [[ $output == "$plan" ]]
    echo '{"model_type": "mlp", "widths": [16, 8, 4], "activation": "expr{'"$F22"'}"}' >config.json
    run -0 --separate-stderr sow plan --json config.json
    [[ $output == "$plan" ]]
    cat >model.lua <<'LUA'
local mine = expr "max(x, 0) - 0.4"
local x = input { "batch", 9 } >> linear("a", 9, 9) >> activation(mine) >> linear("b", 9, 9)
rule("a.weight", he_normal { activation = mine })
rule("b.weight", he_normal { gain = "critical", activation = mine })
rule("*", zeros)
LUA
    run -0 sow explain model.lua a.weight
    has "$output" "1.71286, the gain of expr{max(x, 0) - 0.4}"
    run -0 sow probe model.lua
    has "$output" "expression"
}

@test "mlp:WxN is N layers of one width" {
    run -0 --separate-stderr sow plan --json mlp:8x3
    local plan=$output
    run -0 --separate-stderr sow plan --json mlp:8,8x2,8
    [[ $output == "$plan" ]]
    run -2 sow plan mlp:8x3,4
    has "$output" "the input has one width"
}

@test "what is no expression is one clear error with its place" {
    while IFS='|' read -r text words; do
        run --separate-stderr sow probe mlp:4,4,4 --activation-expr "$text"
        ends_with 2
        has "$stderr" "--activation-expr: " "$words"
        [[ -z $output && $(grep -c error <<<"$stderr") -eq 1 ]]
    done <<'CASES'
max(x,0|')' is expected, and it ends (at character 8)
maxx(x,0)|maxx is not defined; did you mean max? (at character 1)
x > 0|it gives true or false, not a number
log(x)|is not finite at x = -
max(x,0)^0.5|the derivative of expr{max(x,0)^0.5} is not finite at x = 0
0 * x|expr{0 * x} is 0 everywhere: nothing passes
exp(x*x)|has no mean that can be computed
(function() while true do end end)()|function has no place in one expression
CASES
    run -2 sow probe mlp:4,4,4 --activation-expr x --activation relu
    has "$output" "say the same thing twice"
    run -2 sow activations 'expr{x}'
    has "$output" "here a name is expected; \`sow activations --expr\` takes one"
    tiny gpt2 >config.json
    run -2 sow probe config.json --activation-expr x
    has "$output" "--activation-expr belongs to a short form"
    echo 'local x = input { "batch", 4 } >> activation(expr "x + y")' >model.lua
    run -3 sow probe model.lua
    has "$output" "model.lua:1" "y is not defined" "(at character 5)"
    printf 'local x = input { "batch", 4 }\nrule("*", he_normal { activation = "expr{x +}" })\nx = x >> linear("a", 4, 4)' >model.lua
    run sow plan model.lua
    has "$output" "it ends (at character 4)"
}
