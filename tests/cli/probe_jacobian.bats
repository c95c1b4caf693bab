# SPDX-License-Identifier: MIT
# sow probe --jacobian: what it says, the picture's panel, schemes side by side, what it refuses.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

@test "the Jacobian is told below the table and fits the screen" {
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --activation linear --scheme lecun_normal --jacobian
    has "$output" "Jacobian of layers.3 by input, 64 x 64, at one input: its singular values" "E[s^2]" "(1)" "what wide layers give"
    has "$output" "1 seed of 8 samples"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --to layers.1 --brief
    has "$output" "Jacobian of layers.1 by input"
}

@test "of a language model it is that of one token" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --jacobian --tokens 6
    has "$output" "16 x 16, at token 5 of one input" "E[s^2]"
    for family in llama bert qwen3; do
        tiny "$family" >config.json
        run -0 --separate-stderr sow probe config.json --jacobian --tokens 6 --json
        has "$output" '"jacobian": {"from":' '"whole": true'
    done
}

@test "schemes side by side, and their panel in the picture" {
    run -0 --separate-stderr sow probe mlp:32,32x3,32 --compare lecun_normal he_normal --jacobian --plot two.svg -q
    has "$output" "lecun_normal: Jacobian" "he_normal: Jacobian"
    grep -q "how directions are stretched" two.gp
    grep -q 'values1 << EOD' two.gp
    run -0 --separate-stderr sow probe mlp:32,32x3,32 --compare lecun_normal he_normal --jacobian --json
    [[ $(grep -c '"jacobian"' <<<"$output") == 2 ]]
}

@test "the report has it in words" {
    run -0 --separate-stderr sow probe mlp:32,32x3,32 --jacobian --curves --spectra --report all.html -q
    [[ $(grep -cE '^<p>(Jacobian of|4 pairs of inputs|spectral norms of)' all.html) == 3 ]]
}

@test "no weights survive: all of J is 0" {
    run ! --separate-stderr sow probe mlp:16,16,16 --set '*.weight=zeros' --jacobian --json
    has "$output" '"mean_square": 0' '"largest": 0'
}

@test "values that are not there" {
    run -2 --separate-stderr sow probe mlp:8,8,8 --from nothing
    has "$stderr" "no value is called 'nothing'" "--all"
}
