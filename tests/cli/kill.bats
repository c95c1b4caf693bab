#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A run that is killed or interrupted at any moment leaves nothing that looks complete and is not.

setup_file() {
    export MODEL="$BATS_FILE_TMPDIR/model.lua"
    cat > "$MODEL" <<'LUA'
for i = 1, 12 do
    param("layers." .. i .. ".weight", { 1024, 1024 })
end
rule("*", normal { std = 0.02 })
LUA
    # How long a whole run takes here, in milliseconds: the least of three, for a machine that was
    # busy meanwhile would have all signals come too late.
    local begin end try
    export WHOLE_MS=100000
    for try in 1 2 3; do
        begin=$(date +%s%N)
        "$SOW" init "$MODEL" --dtype bf16 -o "$BATS_FILE_TMPDIR/$try.safetensors" --seed 1 -q
        end=$(date +%s%N)
        rm "$BATS_FILE_TMPDIR/$try.safetensors"
        ((WHOLE_MS = (end - begin) / 1000000 < WHOLE_MS ? (end - begin) / 1000000 + 1 : WHOLE_MS))
    done
    RANDOM=1
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# Starts `sow init ARGUMENTS`, sends the signal after a random part of a whole run, waits.
run_and_send() {
    local signal=$1 milliseconds
    shift
    milliseconds=$((RANDOM % (WHOLE_MS * 3 / 2 + 1)))
    # A shell's background jobs ignore SIGINT; this one shall not.
    env --default-signal=INT "$SOW" init "$MODEL" --dtype bf16 --seed 1 -q "$@" 2> errors 3>&- &
    local child=$!
    sleep "$((milliseconds / 1000)).$(printf %03d $((milliseconds % 1000)))"
    kill -s "$signal" "$child" 2> /dev/null || true
    code=0
    wait "$child" || code=$?
}

@test "60 kills of a run that writes one file" {
    local cut=0 whole=0
    for ((i = 0; i < 60; i++)); do
        run_and_send KILL -o x.safetensors
        if [[ -e x.safetensors ]]; then
            "$SOW" verify -q x.safetensors
            whole=$((whole + 1))
        elif [[ -n $(ls x.safetensors.tmp-* 2> /dev/null) ]]; then
            cut=$((cut + 1))
        fi
        rm -f x.safetensors x.safetensors.tmp-* .sow.tmp-*
    done
    echo "# $cut cut in the middle, $whole whole" >&3
    [[ $cut -gt 0 ]]
}

@test "60 kills of a run that overwrites one: the old one or the new one, whole" {
    local old=0 new=0
    "$SOW" init "$MODEL" --dtype bf16 -o old.safetensors --seed 2 -q
    for ((i = 0; i < 60; i++)); do
        ln -f old.safetensors x.safetensors
        run_and_send KILL -o x.safetensors --force
        if cmp -s x.safetensors old.safetensors; then
            old=$((old + 1))
        else
            "$SOW" verify -q x.safetensors
            new=$((new + 1))
        fi
        rm -f x.safetensors x.safetensors.tmp-* .sow.tmp-*
    done
    echo "# $old times the old one, $new times the new one" >&3
    [[ $old -gt 0 ]]
}

@test "60 kills of a run that writes shards: no index, or all of it" {
    local none=0 whole=0
    for ((i = 0; i < 60; i++)); do
        run_and_send KILL -o out --shard-size 5MB
        if [[ -e out/model.safetensors.index.json ]]; then
            "$SOW" verify -q out
            whole=$((whole + 1))
        else
            [[ ! -e out/model.safetensors ]]
            none=$((none + 1))
        fi
        rm -rf out
    done
    echo "# $none without an index, $whole whole" >&3
    [[ $none -gt 0 ]]
}

@test "20 interruptions: exit 130 and nothing left, or done" {
    local interrupted=0
    for ((i = 0; i < 20; i++)); do
        run_and_send INT -o x.safetensors
        if [[ $code -eq 130 ]]; then
            interrupted=$((interrupted + 1))
            rm errors
            [[ -z $(ls -A) ]]
        else
            [[ $code -eq 0 ]]
            "$SOW" verify -q x.safetensors
        fi
        rm -f x.safetensors
    done
    echo "# $interrupted interrupted" >&3
    [[ $interrupted -gt 0 ]]
}

@test "an interruption does not wait for an orthogonal tensor, which takes a minute" {
    mkdir one
    cd one
    cat >big.lua <<'EOF'
local x = input { "batch", 8000 }
x = x >> linear("a", 8000, 8000)
rule("*.weight", orthogonal)
rule("*.bias", zeros)
EOF
    # --foreground: to sow alone and once; a second signal ends it on the spot
    run timeout --foreground --signal INT --kill-after 20 1 "$SOW" init big.lua -o big.safetensors --threads 1 -q
    [[ $status -eq 124 ]] # of timeout; 137 where it had to be killed
    [[ $(ls) == big.lua ]]
}
