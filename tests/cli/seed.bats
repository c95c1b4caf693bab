# SPDX-License-Identifier: MIT
# Seeds: every 64-bit number is one, nothing else is (F13: seed zero).
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "F13: zero is a seed like any other, and the record says so" {
    tiny llama >tiny.json
    run -0 sow init tiny.json --seed 0 -o a.safetensors
    has "$output" "seed 0,"
    run -0 sow init tiny.json --seed 0 -o b.safetensors
    cmp a.safetensors b.safetensors
    run -0 --separate-stderr sow verify a.safetensors
    has "$output" "verified: " "seed 0,"
}

@test "F13: without --seed it is zero, and the reproducibility line says that" {
    tiny llama >tiny.json
    run -0 sow init tiny.json --seed 0 -o a.safetensors
    run -0 sow init tiny.json -o b.safetensors
    has "$output" "seed 0 (no --seed given: the default)" "--seed 0"
    cmp a.safetensors b.safetensors
}

@test "F13: five seeds, five files; no fold to 32 bits" {
    tiny llama >tiny.json
    local seed
    for seed in 0 1 4294967295 4294967296 18446744073709551615; do
        run -0 sow init tiny.json --seed "$seed" -o "$seed.safetensors"
        has "$output" "seed $seed," "--seed $seed"
        run -0 sow verify "$seed.safetensors"
        has "$output" "seed $seed,"
    done
    [[ $(tail -qc +0 ./*.safetensors | wc -c) -gt 0 ]]
    [[ $(for f in ./*.safetensors; do tail -c 4000 "$f" | sha256sum; done | sort -u | wc -l) -eq 5 ]]
}

@test "F13: what is no seed ends with 2 and says why" {
    tiny llama >tiny.json
    local seed
    for seed in -1 18446744073709551616 0x2A 1e3 '' ' 1' '1 ' +1 1.0 one 99999999999999999999999; do
        run --separate-stderr sow init tiny.json -o x.safetensors --seed "$seed"
        ends_with 2
        has "$stderr" "--seed: " "a decimal number from 0 to 18446744073709551615"
        [[ ! -e x.safetensors ]]
    done
    run sow plan tiny.json --seed -1
    has "$output" "negative"
    run sow plan tiny.json --seed 0x2A
    has "$output" "hexadecimal"
    run sow plan tiny.json --seed ''
    has "$output" "empty"
    run sow plan tiny.json --seed 18446744073709551616
    has "$output" "64 bits"
    run sow plan tiny.json --seed 1e3
    has "$output" "digits only"
}
