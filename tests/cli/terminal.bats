# SPDX-License-Identifier: MIT
# Streams: colours only where they belong, a progress bar on terminals alone, full and closed outputs.
# shellcheck disable=SC2030,SC2031,SC2154 # output, stderr and stderr_lines come from run
load helper

escape=$'\e'

@test "no colours in pipes, colours on a terminal, NO_COLOR, TERM=dumb and --color" {
    command -v script >/dev/null || skip "there is no script(1)"
    tiny gpt2 >config.json
    run -0 sow plan config.json
    lacks "$output" "$escape"
    run -0 sow plan config.json --color always
    has "$output" "${escape}[1m"
    run -0 on_terminal "'$SOW' plan config.json"
    has "$output" "${escape}[1m"
    NO_COLOR=1 run -0 on_terminal "'$SOW' plan config.json"
    lacks "$output" "$escape"
    NO_COLOR='' run -0 on_terminal "'$SOW' plan config.json"
    has "$output" "${escape}[1m"
    run -0 on_terminal "TERM=dumb '$SOW' plan config.json"
    lacks "$output" "$escape"
    run -0 on_terminal "'$SOW' plan config.json --color=never"
    lacks "$output" "$escape"
    NO_COLOR=1 run -0 sow plan config.json --color=always
    has "$output" "${escape}[1m"
    run sow plan nosuch --color always
    has "$output" "${escape}[1;31m" "error"
}

@test "a progress bar on a terminal's stderr, none in a pipe, none with -q" {
    command -v script >/dev/null || skip "there is no script(1)"
    tiny llama | sed 's/"hidden_size": 16/"hidden_size": 2048/; s/"intermediate_size": 32/"intermediate_size": 8192/' >config.json
    run -0 on_terminal "'$SOW' init config.json -o a.safetensors"
    has "$output" $'\r'"${escape}[K" "writing a.safetensors" "%" "GB/s"
    run -0 on_terminal "'$SOW' init config.json -o b.safetensors -q"
    [[ -z $output ]]
    run -0 sow init config.json -o c.safetensors
    lacks "$output" "$escape" $'\r' "["
}

@test "a checkpoint is not written to a terminal" {
    command -v script >/dev/null || skip "there is no script(1)"
    tiny gpt2 >config.json
    run on_terminal "'$SOW' init config.json -o -"
    ends_with 2
    has "$output" "no text for a terminal"
}

@test "a full or closed standard output is exit 4" {
    tiny gpt2 >config.json
    local arguments
    for arguments in "plan config.json" "plan config.json --json" "schemes" "version" "help" "man" \
        "explain config.json transformer.wte.weight" "init config.json -o x.safetensors -n"; do
        # shellcheck disable=SC2086 # words
        run bash -c "'$SOW' $arguments >/dev/full"
        ends_with 4
        has "$output" "sow: error: standard output"
        run bash -c "'$SOW' $arguments >&-"
        ends_with 4
    done
}

@test "with closed streams nothing strays into the checkpoint" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o a.safetensors -q
    bash -c "'$SOW' init config.json -o b.safetensors <&- >&- 2>&-"
    cmp a.safetensors b.safetensors
}

@test "a reader that leaves early is no error message" {
    tiny gpt2 >config.json
    run bash -c "'$SOW' plan config.json --all 2>&1 | head -n 1"
    ends_with 0
    [[ ${#lines[@]} -eq 1 ]]
}

@test "bars are blocks in pipes and UTF-8 terminals, ASCII on a terminal that is not" {
    command -v script >/dev/null || skip "there is no script(1)"
    local ascii='signal    @#*+=-:...' blocks='signal    █▇▆▅▄▃▂▁▁▁'
    local probe="'$SOW' probe mlp:64,64x9,10 --scheme glorot_normal --brief"
    LC_ALL=C run -1 on_terminal "$probe"
    has "$output" "$ascii"
    lacks "$output" █
    LC_ALL='' LC_CTYPE='' LANG=en_US.ISO-8859-1 run -1 on_terminal "$probe"
    has "$output" "$ascii"
    LC_ALL=C.utf8 LANG=C run -1 on_terminal "$probe"
    has "$output" "$blocks"
    LC_ALL='' LC_CTYPE='' LANG='' run -1 on_terminal "$probe"
    has "$output" "$blocks"
    LC_ALL=C run -1 sow probe mlp:64,64x9,10 --scheme glorot_normal --brief
    has "$output" "$blocks"
    LC_ALL=C sow init mlp:64,64,10 -o a.safetensors -q
    LC_ALL=C run -0 on_terminal "'$SOW' stats a.safetensors"
    has "$output" "@"
    lacks "$output" █
    LC_ALL=C run -0 on_terminal "'$SOW' probe mlp:64,64x9,10 --compare he_normal glorot_normal --steps 2"
    has "$output" "@*+="
    lacks "$output" █
}

@test "the table of values fits 80 columns, with the ends of long names" {
    tiny gpt2 >config.json
    COLUMNS=80 run -0 sow probe config.json
    local line
    for line in "${lines[@]}"; do
        [[ ${#line} -le 80 || $line == *"cure: "* ]] || { echo "$line" && return 1; }
    done
    has "$output" "h.0.attn.c_attn"
    COLUMNS=40 run -0 sow probe config.json
    has "$output" "attn.c_attn"
}

# fits 80|100 ARGUMENTS...: no line of what `sow` prints is wider, but for cures, which can be pasted whole.
fits() {
    local columns=$1 line
    shift
    COLUMNS=$columns run -0 --separate-stderr sow "$@"
    while IFS= read -r line; do
        [[ ${#line} -le $columns || $line == *"cure: "* ]] || { echo "$* at $columns: ${#line}: $line" && return 1; }
    done <<<"$output"
}

@test "plan, measured values and schemes side by side fit 80 and 100 columns, whatever their names" {
    echo '{"model_type": "gpt2", "n_layer": 2, "n_embd": 1280, "n_head": 2, "vocab_size": 99}' >config.json
    local columns tanh="mlp:64,64x30,10 --activation tanh" long='trunc_normal{std=0.02,low=-2,high=2}'
    for columns in 80 100; do
        fits "$columns" plan config.json
        has "$output" "attn.c_attn.weight" "0.01"
        fits "$columns" probe config.json --measure --tokens 8 --batch 2
        has "$output" "entropy" "measured"
        # shellcheck disable=SC2086 # words
        fits "$columns" probe $tanh --compare "$long" glorot_normal he_normal
        has "$output" "low=-2,high=2} █" "glorot_normal: healthy"
        # shellcheck disable=SC2086 # words
        fits "$columns" probe $tanh --compare "$long" glorot_normal he_normal --steps 2
        has "$output" " to " "loss: before and after 2 steps"
    done
    COLUMNS=80 run -0 sow probe mlp:64,64x30,10 --compare he_normal glorot_normal --steps 2
    lacks "$output" "chi_perp" # a spare column
    COLUMNS=100 run -0 sow probe mlp:64,64x30,10 --compare he_normal glorot_normal --steps 2
    has "$output" "chi_perp"
}
