# SPDX-License-Identifier: MIT
# What the tests of the command line share: a scratch folder, tiny models, and checks that say what they saw.
# shellcheck disable=SC2154 # status, output and stderr come from run
bats_require_minimum_version 1.5.0

setup() {
    SOW=${SOW:-$BATS_TEST_DIRNAME/../../build/sow}
    export SOW
    unset NO_COLOR COLUMNS SOW_ISA
    mkdir "$BATS_TEST_TMPDIR/work" # bats keeps files of its own beside it
    cd "$BATS_TEST_TMPDIR/work" || return 1
}

sow() {
    "$SOW" "$@"
}

# Writes a tiny model: tiny gpt2|llama|qwen2|... > config.json
tiny() {
    case $1 in
        gpt2)
            echo '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 100,' \
                '"n_positions": 32, "n_embd": 16, "n_layer": 3, "n_head": 2}'
            ;;
        *)
            echo '{"model_type": "'"$1"'", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 32,' \
                '"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,' \
                '"max_position_embeddings": 64, "tie_word_embeddings": false}'
            ;;
    esac
}

# The last run ended with this code; else shows what it said.
ends_with() {
    if [[ $status -ne $1 ]]; then
        echo "exit $status instead of $1; stdout: $output; stderr: ${stderr-}"
        return 1
    fi
}

# TEXT contains each of the words.
has() {
    local text=$1 word
    shift
    for word in "$@"; do
        if [[ $text != *"$word"* ]]; then
            echo "no '$word' in: $text"
            return 1
        fi
    done
}

# TEXT contains none of the words.
lacks() {
    local text=$1 word
    shift
    for word in "$@"; do
        if [[ $text == *"$word"* ]]; then
            echo "'$word' in: $text"
            return 1
        fi
    done
}

# No line is wider than 100 columns.
fits_100_columns() {
    local line
    while IFS= read -r line; do
        if [[ ${#line} -gt 100 ]]; then
            echo "${#line} columns: $line"
            return 1
        fi
    done <<<"$1"
}

# Evaluates a Python expression over the plan's JSON, as `plan`, on stdin.
ask() {
    python3 -c 'import json,sys; plan = json.load(sys.stdin); t = {x["name"]: x for x in plan["tensors"]}; print('"$1"')'
}

is_json() {
    python3 -m json.tool <<<"$1" >/dev/null
}

# Runs a command with a terminal as its three streams; what it shows goes to stdout.
on_terminal() {
    TERM=xterm script -qefc "$*" /dev/null </dev/null
}
