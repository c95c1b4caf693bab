# SPDX-License-Identifier: MIT
# sow schemes: the catalogue, as a table, one by one, and as JSON.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "the table names every scheme" {
    run -0 --separate-stderr sow schemes
    has "$output" zeros ones constant uniform normal trunc_normal glorot_uniform he_normal lecun_normal
    has "$output" "relu 1.414" "tanh"
    fits_100_columns "$output"
}

@test "one scheme: formula, source, parameters with defaults" {
    run -0 sow schemes he_normal
    has "$output" "formula" "gain / sqrt(n)" "He, Zhang, Ren and Sun 2015" "kaiming_normal_" "default: relu"
    run -0 sow schemes normal
    has "$output" "(required)" "--set '*.weight=normal{std=...}'"
}

@test "the frameworks' words find their scheme" {
    local word
    for word in kaiming_normal_ xavier_uniform_ lecun_normal glorot_uniform HeUniform; do
        run -0 sow schemes "$word"
    done
}

@test "every scheme that the JSON names can be told, with formula and source" {
    run -0 --separate-stderr sow schemes --json
    is_json "$output"
    names=$(python3 -c 'import json,sys; print(*(s["name"] for s in json.load(sys.stdin)["schemes"]))' <<<"$output")
    [[ $(wc -w <<<"$names") -ge 15 ]]
    for name in $names; do
        run -0 sow schemes "$name"
        has "$output" "formula   " "source    "
        run -0 --separate-stderr sow schemes "$name" --json
        is_json "$output"
    done
}

@test "an unknown scheme is a usage error with the nearest" {
    run sow schemes he_normla
    ends_with 2
    has "$output" "he_normla" "did you mean he"
}
