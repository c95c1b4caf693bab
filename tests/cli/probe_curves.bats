# SPDX-License-Identifier: MIT
# sow probe --curves and --spectra: what they say, columns of the CSV, panels of the picture, the same for any thread count.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

@test "pairs and scales are told below the table" {
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --curves
    has "$output" "4 pairs of inputs of cosine 0, 0.5, 0.9, 0.99, 0.999 end with" "stay in" "8 samples"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --curves --batch 1 --seeds 2 --brief
    has "$output" "1 pair of inputs a seed"
}

@test "CSV gains columns" {
    run -0 --separate-stderr sow probe mlp:8,8,8 --curves --csv
    has "${lines[0]}" ",pair_0,pair_0_predicted,pair_0_centred,pair_0_distance,pair_0.5," ",scale_2,scale_2_predicted"
    [[ $(tr -cd , <<<"${lines[0]}") == $(tr -cd , <<<"${lines[4]}") ]]
}

@test "two panels in the picture, on a terminal too" {
    run -0 --separate-stderr sow probe mlp:32,32x3,32 --curves --jacobian --plot all.svg -q
    grep -q "what becomes of their cosine" all.gp
    grep -q "of twice their size" all.gp
    run -0 --separate-stderr sow probe mlp:32,32x3,32 --curves --plot term -q
    has "$output" "what becomes of their cosine"
}

@test "numbers do not depend on threads" {
    curves() { sow probe mlp:64,64x3,64 --activation tanh --curves --csv -T "$1"; }
    [[ $(curves 1) == "$(curves 3)" ]]
}

@test "tokens have no angle" {
    tiny gpt2 >config.json
    run ! --separate-stderr sow probe config.json --curves
    has "$stderr" "reads tokens" "an input of numbers"
}

@test "spectra of weights, in a paragraph, the JSON and the CSV" {
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --spectra
    has "$output" "spectral norms of 4 weights" "per layer, over 3: E[x^2] x"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:64,64x3,64 --spectra --csv
    has "${lines[0]}" ",spectral_norm,spectral_norm_expected,orthogonality_error"
    [[ ${lines[2]} == layers.0,* && ${lines[2]} != *,,, && ${lines[3]} == *,,, ]]
    spectra() { sow probe mlp:64,1100,1050 --spectra --csv -T "$1"; }
    [[ $(spectra 1) == "$(spectra 3)" ]]
}
