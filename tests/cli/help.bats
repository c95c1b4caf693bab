# SPDX-License-Identifier: MIT
# Help, version, manual page and completions: all of them made of one table.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "without arguments: short help with two examples and what to do next" {
    run --separate-stderr sow
    ends_with 0
    has "$output" "Examples:" "sow init gpt2/config.json" "sow plan gpt2/config.json" "Next: sow help init"
    [[ -z $stderr ]]
    [[ $(wc -l <<<"$output") -lt 30 ]]
}

@test "-h is short, --help is long, help VERB is --help" {
    run sow -h
    ends_with 0
    short=$output
    run sow --help
    ends_with 0
    has "$output" "Exit codes:" "Environment:" "SOW_ISA"
    [[ ${#output} -gt ${#short} ]]
    for verb in init plan explain verify schemes completion man version help; do
        run sow "$verb" -h
        ends_with 0
        short=$output
        run sow "$verb" --help
        ends_with 0
        long=$output
        [[ ${#long} -gt ${#short} ]]
        run sow help "$verb"
        [[ $output == "$long" ]]
    done
}

@test "help and prose fit a narrower window" {
    run env COLUMNS=72 "$SOW" -h
    [[ $(tail -n +14 <<<"$output" | awk '{ if (length($0) > 72) n++ } END { print n + 0 }') -eq 0 ]]
    run -1 env COLUMNS=72 "$SOW" probe mlp:784,256x50,10 --activation tanh --scheme 'normal{std=0.01}' --brief
    [[ $(grep -v 'cure: ' <<<"$output" | sed 's/[▁▂▃▄▅▆▇█]/./g' | awk '{ if (length($0) > 72) n++ } END { print n + 0 }') -eq 0 ]]
    has "$output" "cure: sow probe mlp:784,256x50,10 --set 'layers.*.weight=lecun_normal' --activation tanh"
}

@test "a verb's help begins with its examples, and fits 100 columns" {
    for verb in init plan explain verify schemes stats check diff probe activations; do
        run sow help "$verb"
        [[ ${lines[1]} == Examples: ]]
        has "${lines[2]}" "  sow $verb"
        fits_100_columns "$output"
    done
}

@test "help is given whatever else is wrong" {
    run sow init --seed -1 --nonsense --help
    ends_with 0
    run sow plan a b c -h
    ends_with 0
    run sow plan -- -h
    ends_with 4 # after "--" it is a file's name
}

@test "help of an unknown verb is a usage error" {
    run sow help nonsense
    ends_with 2
}

@test "version: tool and stream" {
    run sow --version
    ends_with 0
    [[ $output =~ ^sow\ [0-9]+\.[0-9]+\.[0-9]+,\ stream\ 1 ]]
    version=$output
    run sow version
    [[ $output == "$version" ]]
    run sow -V
    [[ $output == "$version" ]]
}

@test "an instruction set that there is not" {
    SOW_ISA=sparc run sow version
    ends_with 2
    has "$output" "SOW_ISA" "sparc" "scalar"
    SOW_ISA=scalar run sow version
    ends_with 0
    has "$output" scalar
}

@test "the manual page is sound roff and tells every option, exit code and variable" {
    run sow man
    ends_with 0
    page=$output
    if command -v groff >/dev/null; then
        run -0 groff -man -ww -z -Tutf8 <<<"$page"
        [[ -z $output ]]
    fi
    for word in seed dtype variant set rules recipes source threads json all force quiet verbose color; do
        has "$page" "\\-\\-$word"
    done
    has "$page" '\-\-shard\-size' '\-\-dry\-run' 'EXIT STATUS' '.B 130' SOW_ISA NO_COLOR
}

# What bash would offer for a command line.
offers() {
    # shellcheck disable=SC2030,SC2031 # the completion's own variables
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _sow
    echo "${COMPREPLY[*]}"
}

@test "bash completion offers verbs, the verb's options, dtypes, schemes and files" {
    run sow completion bash
    ends_with 0
    bash -n <<<"$output"
    eval "$output"
    touch config.json
    has "$(offers sow in)" init
    has "$(offers sow plan --j)" --json
    lacks "$(offers sow plan --)" --shard-size
    has "$(offers sow init --dtype b)" bf16
    has "$(offers sow init -d f8)" f8_e4m3fn f8_e5m2
    has "$(offers sow plan x --color '')" auto always never
    has "$(offers sow plan --color = al)" always
    has "$(offers sow plan --color =)" auto always never
    has "$(offers sow schemes he_)" he_normal
    has "$(offers sow init conf)" config.json
    has "$(offers sow init -o conf)" config.json
    has "$(offers sow completion '')" bash zsh
    has "$(offers sow activations ta)" tanh
    has "$(offers sow probe mlp:4,4 --activation ta)" tanh
    has "$(offers sow probe mlp:4,4 --scheme he_n)" he_normal
    has "$(offers sow check conf)" config.json
}

@test "zsh completion is sound zsh" {
    run sow completion zsh
    ends_with 0
    has "$output" "#compdef sow" "--shard-size=" "he_normal" ":SCHEME:(zeros "
    [[ $(grep -c "'\*:file:_files" <<<"$output") -eq 8 ]] # init plan explain verify stats check diff probe
    if command -v zsh >/dev/null; then
        zsh -n <<<"$output"
    fi
}

@test "completion for another shell" {
    run sow completion tcsh
    ends_with 2
    has "$output" tcsh bash zsh
}
