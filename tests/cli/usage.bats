# SPDX-License-Identifier: MIT
# Usage errors: exit 2, one line that says what is wrong, one that says where to read on; nothing is written.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

# Runs sow and expects exit 2, an error of one line that has the words, and the way to the help.
refuses() {
    local words=$1
    shift
    run --separate-stderr sow "$@"
    ends_with 2
    [[ -z $output ]]
    [[ ${#stderr_lines[@]} -le 2 ]]
    has "$stderr" "sow: error: " "$words"
}

@test "unknown verbs, with the nearest" {
    refuses "did you mean 'sow plan'?" plam config.json
    refuses "did you mean 'sow init'?" initt
    refuses "did you mean 'sow probe'?" help prob
    refuses "did you mean 'sow verify'?" verfy
    refuses "unknown verb 'xyzzy'" xyzzy
    refuses "unknown verb ''" ''
}

@test "a file where a verb belongs" {
    tiny gpt2 >config.json
    refuses "did you mean 'sow plan config.json'?" config.json
}

@test "an option before the verb" {
    refuses "stands before the verb" --json plan
}

@test "unknown options, with the nearest" {
    refuses "did you mean '--seed'?" init x --sed 1
    refuses "did you mean '--shard-size'?" init x --shardsize 1
    refuses "unknown option '--nonsense'" plan x --nonsense=1
    refuses "unknown option '-z'" plan x -z
    refuses "sow plan has no option '--force'" plan x --force
}

@test "options are not abbreviated" {
    refuses "write '--dry-run' for '--dry'" init x --dry
    refuses "write '--seed' for '--see=1'" init x --see=1
}

@test "values: missing, superfluous, empty, twice" {
    refuses "'--seed' needs a value" init x --seed
    refuses "'--output' needs a value" init x -o
    refuses "'--json' takes no value" plan x --json=1
    refuses "--variant: the value is empty" plan x --variant ''
    refuses "--output: the value is empty" init x -o ''
    refuses "'--seed' stands twice" init x --seed 1 --seed 1
    refuses "'--seed' stands twice" init x -s1 --seed=2
}

@test "arguments: missing, superfluous, empty" {
    refuses "sow plan SOURCE" plan
    refuses "sow explain SOURCE TENSOR" explain config.json
    refuses "'b' is one argument too many" plan a b
    refuses "'c' is one argument too many" explain a b -- c
    refuses "empty" plan ''
    refuses "too many" version x
}

@test "init needs an output, and shards need a folder" {
    tiny gpt2 >config.json
    refuses "needs -o OUT" init config.json
    refuses "not into a pipe" init config.json -o - --shard-size 5GB
}

@test "sizes, counts, dtypes and colours that are none" {
    local size
    for size in 0 -5 5XB 5BB 5iB GB 1e9 '5 GB' 0.0001K 99999999999999999999 20000000TB; do
        refuses "--shard-size: '$size'" init x -o y --shard-size "$size"
    done
    refuses "--threads: '-1'" init x -o y --threads -1
    refuses "--threads: 'all'" init x -o y -T all
    refuses "--dtype: " init x -o y --dtype fp17
    refuses "did you mean bf16" init x -o y --dtype bf18
    refuses "weights are not drawn in i32" init x -o y --dtype i32
    refuses "--color: 'maybe'" plan x --color maybe
}

@test "options that say what to draw need --source in verify" {
    refuses "--seed needs --source" verify x --seed 1
    refuses "--set needs --source" verify x --set '*=zeros'
}

@test "options stand anywhere after the verb, also under POSIXLY_CORRECT; -- ends them" {
    tiny gpt2 >config.json
    run -0 sow plan --json config.json --seed 7
    json=$output
    run -0 sow plan --seed=7 config.json --json
    [[ $output == "$json" ]]
    run -0 sow plan config.json -s7 --json
    [[ $output == "$json" ]]
    POSIXLY_CORRECT=1 run -0 sow plan config.json --json -s 7
    [[ $output == "$json" ]]
    cp config.json ./--json
    run -0 sow plan -s 7 --json -- --json
    [[ $output == "$json" ]]
}
