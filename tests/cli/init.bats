# SPDX-License-Identifier: MIT
# sow init: files, the reproducibility line, refusals.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

# Line "KIND: ..." of stderr.
line() {
    sed -n "s/^$1: //p" <<<"$stderr"
}

@test "init writes, and tells how to repeat and what to do next" {
    tiny gpt2 >config.json
    run --separate-stderr sow init config.json --seed 42 --dtype bf16 -o m.safetensors
    ends_with 0
    [[ -z $output ]]
    has "$(line wrote)" "m.safetensors" "1 file, 40 tensors"
    [[ $(line reproducible) =~ ^sow\ [0-9.]+,\ stream\ 1,\ seed\ 42,\ plan\ [0-9a-f]{32},\ output\ [0-9a-f]{32},\ [0-9.]+\ s,\ [0-9.]+\ GB/s$ ]]
    [[ $(line repeat) == "sow init config.json -o m.safetensors --seed 42 --dtype bf16" ]]
    [[ $(line next) == "sow verify m.safetensors" ]]
}

@test "the command that it says repeats the bytes" {
    tiny gpt2 >'my config.json'
    echo 'rule("*.c_fc.weight", he_normal)' >'r$.lua'
    run --separate-stderr -0 sow init 'my config.json' -o "it's.safetensors" --set '*.wpe.weight=normal{std = "x" and 1}' \
        --rules 'r$.lua' --variant transformers --seed 5
    mv "it's.safetensors" first.safetensors
    run bash -c "$(line repeat | sed "s,^sow,'$SOW',")"
    ends_with 0
    cmp first.safetensors "it's.safetensors"
    mv first.safetensors again.safetensors
    run bash -c "$(line next | sed "s,^sow,'$SOW',")"
    ends_with 0
}

@test "an existing file stays without --force" {
    tiny gpt2 >config.json
    echo precious >m.safetensors
    run --separate-stderr sow init config.json -o m.safetensors
    ends_with 4
    has "$stderr" "m.safetensors" "--force"
    [[ $(cat m.safetensors) == precious ]]
    run -0 sow init config.json -o m.safetensors -f
    run -0 sow verify m.safetensors
}

@test "--dry-run: bytes, free space, nothing written" {
    tiny gpt2 >config.json
    run --separate-stderr sow init config.json -o m.safetensors --dry-run
    ends_with 0
    has "$output" "would write m.safetensors: 1 file, 40 tensors, " " bytes are free there" "nothing was written"
    [[ $(ls) == config.json ]]
    run -0 --separate-stderr sow init config.json -o m.safetensors -q
    run -0 --separate-stderr sow init config.json -o other.safetensors -n
    has "$output" "$(stat -c %s m.safetensors | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta')"
}

@test "-q says nothing, -v no less than usual" {
    tiny gpt2 >config.json
    run --separate-stderr -0 sow init config.json -o a.safetensors -q
    [[ -z $output$stderr ]]
    run --separate-stderr -0 sow init config.json -o b.safetensors -v
    has "$stderr" "reproducible: "
}

@test "shards: decimal and binary sizes, an index, verified" {
    tiny gpt2 >config.json
    local size
    for size in 30K 30KB 30kb 0.03MB 30000 30000B; do
        run -0 sow init config.json -o "out-$size" --shard-size "$size" --seed 3 -q
        diff -r out-30K "out-$size"
    done
    [[ -e out-30K/model.safetensors.index.json ]]
    run -0 sow init config.json -o out-30KiB --shard-size 30KiB --seed 3 -q
    run -0 --separate-stderr sow verify out-30K
    run -0 --separate-stderr sow verify out-30KiB/model.safetensors.index.json
    is_json "$(cat out-30K/model.safetensors.index.json)"
}

@test "into a pipe: the same bytes, nothing else on stdout" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o a.safetensors --seed 9
    sow init config.json -o - --seed 9 2>log | cat >b.safetensors
    cmp a.safetensors b.safetensors
    has "$(cat log)" "reproducible: "
    lacks "$(cat log)" "next: "
}

@test "a pipe that breaks is exit 4 with a message" {
    tiny gpt2 | sed 's/"n_embd": 16/"n_embd": 512/' >config.json
    { sow init config.json -o - 2>log || echo $? >code; } | head -c 10 >/dev/null
    [[ $(cat code) -eq 4 ]]
    has "$(cat log)" "sow: error: "
}

@test "the same bytes for any threads and chunk size" {
    tiny llama >config.json
    run -0 sow init config.json -o a.safetensors -q
    local threads chunk
    for threads in 1 2 3 7; do
        for chunk in 1KiB 4097 1MB; do
            run -0 sow init config.json -o b.safetensors -q -f -T "$threads" --chunk-size "$chunk"
            cmp a.safetensors b.safetensors
        done
    done
}

@test "F14: two processes in different environments write the same file" {
    tiny llama >config.json
    run -0 env LC_ALL=C PYTHONHASHSEED=1 "$SOW" init config.json --seed 7 -o a.safetensors -q
    run -0 env -i LC_ALL=de_DE.UTF-8 PYTHONHASHSEED=2 setarch -R "$SOW" init config.json --seed 7 -o b.safetensors -q
    cmp a.safetensors b.safetensors
}

@test "every instruction set writes the same file" {
    tiny llama >config.json
    SOW_ISA=scalar run -0 sow init config.json -o scalar.safetensors -q
    local isa
    for isa in sse41 avx2 avx512 neon; do
        if SOW_ISA=$isa sow version >/dev/null 2>&1; then
            SOW_ISA=$isa run -0 sow init config.json -o "$isa.safetensors" -q
            cmp scalar.safetensors "$isa.safetensors"
        fi
    done
}

@test "folders that are not there or cannot be written" {
    tiny gpt2 >config.json
    run --separate-stderr sow init config.json -o nosuch/m.safetensors
    ends_with 4
    has "$stderr" "nosuch"
    run --separate-stderr sow init config.json -o nosuch/
    ends_with 4
    has "$stderr" "names a folder; name a file in it"
    run --separate-stderr sow init config.json -o "$(printf 'x%.0s' {1..300})"
    ends_with 4
    has "$stderr" "the path is too long: at most "
    mkdir folder
    run --separate-stderr sow init config.json -o folder
    [[ $status -eq 4 || $status -eq 2 ]]
    [[ -z $(ls folder) ]]
}

@test "Ctrl-C removes the temporary files and exits 130, SIGTERM 143" {
    tiny llama | sed 's/"num_hidden_layers": 2/"num_hidden_layers": 40/; s/"hidden_size": 16/"hidden_size": 2048/;
        s/"intermediate_size": 32/"intermediate_size": 8192/' >config.json
    local pair
    for pair in INT:130 TERM:143 HUP:129; do
        # A subshell of its own, so that SIGINT is not ignored as it is in background jobs.
        run python3 - "$SOW" "${pair%:*}" <<'PY'
import os, signal, subprocess, sys, time
tool, name = sys.argv[1:]
run = subprocess.Popen([tool, "init", "config.json", "-o", "m.safetensors", "-T", "1"], stderr=subprocess.PIPE)
while len(os.listdir(".")) < 2 and run.poll() is None:
    time.sleep(0.01)  # until it writes
run.send_signal(getattr(signal, "SIG" + name))
text = run.communicate(timeout=60)[1].decode()
print(text)
sys.exit(run.returncode if run.returncode >= 0 else 1)
PY
        ends_with "${pair#*:}"
        has "$output" "sow: error: "
        [[ $(ls) == config.json ]]
    done
}
