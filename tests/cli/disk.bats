#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Disks that are full, read-only or odd: the same bytes, or one clear error and nothing that looks like a checkpoint.
# A shim (tests/shims/refuse.c) plays the odd ones; real full disks are tmpfs mounts, which take root.

setup_file() {
    export SHIM="$BATS_FILE_TMPDIR/refuse.so"
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC "$BATS_TEST_DIRNAME/../shims/refuse.c" -o "$SHIM"
    export ASAN_OPTIONS=verify_asan_link_order=0 # where the tool is built with it
    export MODEL="$BATS_FILE_TMPDIR/model.lua"
    cat > "$MODEL" <<'LUA'
param("a.weight", { 2048, 2048 })
param("b.weight", { 1000, 1001 }, { dtype = "bf16" })
rule("*", normal { std = 0.02 })
LUA
    export GOOD="$BATS_FILE_TMPDIR/good.safetensors"
    "$SOW" init "$MODEL" -o "$GOOD" --seed 1 -q
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir out
}

teardown() {
    if mountpoint -q "$BATS_TEST_TMPDIR/disk"; then
        umount "$BATS_TEST_TMPDIR/disk"
    fi
}

# refusing CALLS ERRNO COMMAND...
refusing() {
    local calls=$1 number=$2
    shift 2
    run env LD_PRELOAD="$SHIM" REFUSE="$calls" REFUSE_ERRNO="$number" "$@"
}

# A tmpfs of this size at ./disk.
mount_disk() {
    mkdir disk
    if [[ $(id -u) -ne 0 ]] || ! mount -t tmpfs -o "size=$1" tmpfs disk 2>/dev/null; then
        skip "no tmpfs can be mounted here"
    fi
}

nothing_left() {
    [[ -z $(ls -A "${1:-out}") ]] || {
        ls -A "${1:-out}"
        false
    }
}

has() {
    [[ $output == *"$1"* ]] || {
        echo "wanted: $1"
        echo "got: $output"
        false
    }
}

@test "F08: hints that are refused leave the bytes alone, with a note" {
    for number in 22 38 95; do
        for calls in fallocate fallocate,ftruncate o_direct madvise fchmod renameat2 \
            fallocate,ftruncate,o_direct,madvise,renameat2,fchmod,fsync_folder; do
            refusing "$calls" "$number" "$SOW" init "$MODEL" -o out/x.safetensors --seed 1 -v
            [[ $status -eq 0 ]]
            cmp out/x.safetensors "$GOOD"
            rm out/x.safetensors
            nothing_left
        done
    done
    has "note: fallocate refused"
    has "note: O_DIRECT refused"
    has "note: huge pages refused"
}

@test "without a rename that spares what is there, what is there is spared" {
    refusing renameat2 22 "$SOW" init "$MODEL" -o out/x.safetensors --seed 1 -q
    [[ $status -eq 0 ]]
    refusing renameat2 22 "$SOW" init "$MODEL" -o out/x.safetensors --seed 2 -q
    [[ $status -eq 4 ]]
    cmp out/x.safetensors "$GOOD"
    [[ $(ls -A out) == x.safetensors ]]
}

@test "F08: without rename nothing appears, and the way out is told" {
    for number in 1 38 95; do
        refusing rename "$number" "$SOW" init "$MODEL" -o out/x.safetensors --seed 1
        [[ $status -eq 4 ]]
        has "out/x.safetensors: rename: "
        has "through a pipe with -o -"
        nothing_left
        refusing rename "$number" "$SOW" init "$MODEL" -o out/shards --shard-size 5MB --seed 1
        [[ $status -eq 4 ]]
        has "out/shards: rename: "
        nothing_left
    done
    LD_PRELOAD=$SHIM REFUSE=rename,fallocate,ftruncate "$SOW" init "$MODEL" -o - --seed 1 -q > piped
    cmp piped "$GOOD"
}

@test "F07: errors of fsync and close are failures" {
    for calls in fsync close fsync_folder; do
        refusing "$calls" 28 "$SOW" init "$MODEL" -o out/x.safetensors --seed 1
        [[ $status -eq 4 ]]
        has "No space left on device"
        nothing_left
        refusing "$calls" 5 "$SOW" init "$MODEL" -o out/shards --shard-size 5MB --seed 1
        [[ $status -eq 4 ]]
        has "Input/output error"
        nothing_left
    done
}

@test "F07: a disk that fills up at any byte ends with file and byte, and nothing left" {
    for bytes in 0 1 4095 4096 1048577 5000000 18783311; do
        run env LD_PRELOAD="$SHIM" REFUSE=fallocate,ftruncate REFUSE_AFTER=$bytes \
            "$SOW" init "$MODEL" -o out/x.safetensors --seed 1
        [[ $status -eq 4 ]]
        has "out/x.safetensors: write: No space left on device, byte "
        has "the file needs 18783312 bytes"
        nothing_left
        run env LD_PRELOAD="$SHIM" REFUSE=fallocate REFUSE_AFTER=$bytes \
            "$SOW" init "$MODEL" -o out/shards --shard-size 5MB --seed 1
        [[ $status -eq 4 ]]
        has "out/shards/model-0000"
        nothing_left
    done
}

@test "F07: too little space is refused before writing, with needed and free bytes" {
    mount_disk 10m
    for extra in "" --dry-run; do
        run "$SOW" init "$MODEL" -o disk/x.safetensors --seed 1 $extra
        [[ $status -eq 4 ]]
        has "too little space: 18783312 bytes are needed, 10485760 are free"
        run "$SOW" init "$MODEL" -o disk/out --shard-size 5MB --seed 1 $extra
        [[ $status -eq 4 ]]
        has "too little space"
        nothing_left disk
    done
}

@test "F07: a disk that others fill meanwhile" {
    mount_disk 10m # the shim tells of endless space, so that the check beforehand passes
    refusing statvfs 0 "$SOW" init "$MODEL" -o disk/x.safetensors --seed 1
    [[ $status -eq 4 ]]
    has "disk/x.safetensors: fallocate: No space left on device"
    nothing_left disk
    refusing statvfs,fallocate 0 "$SOW" init "$MODEL" -o disk/x.safetensors --seed 1
    [[ $status -eq 4 ]]
    has "disk/x.safetensors: write: No space left on device, byte "
    nothing_left disk
    refusing statvfs,fallocate 0 "$SOW" init "$MODEL" -o disk/out --shard-size 5MB --seed 1
    [[ $status -eq 4 ]]
    has "disk/out/model-0000"
    nothing_left disk
}

@test "a read-only folder" {
    if [[ $(id -u) -eq 0 ]]; then
        mount_disk 64m
        mount -o remount,ro disk
    else
        mkdir disk
        chmod a-w disk
    fi
    run "$SOW" init "$MODEL" -o disk/x.safetensors --seed 1
    [[ $status -eq 4 ]]
    has "disk/x.safetensors: create a file in its folder: "
    run "$SOW" init "$MODEL" -o disk/out --shard-size 5MB --seed 1
    [[ $status -eq 4 ]]
    has "disk/out: mkdir: "
}

@test "a full device at the pipe's end" {
    run bash -c '"$SOW" init "$MODEL" -o - --seed 1 > /dev/full'
    [[ $status -eq 4 ]]
    has "write: No space left on device, byte 0"
    run bash -c 'set -o pipefail; "$SOW" init "$MODEL" -o - --seed 1 | head -c 100 > /dev/null'
    [[ $status -eq 4 ]]
    has "write: Broken pipe"
}

@test "a limit on the size of files is an error with its byte, not a death" {
    run bash -c 'ulimit -f 64; "$SOW" init "$MODEL" -o - --seed 1 -q > limited'
    [[ $status -eq 4 ]]
    has "-: write: File too large, byte 65536"
    run bash -c 'ulimit -f 64; "$SOW" init "$MODEL" -o out/m.safetensors --seed 1 -q'
    [[ $status -eq 4 ]]
    has "File too large"
    nothing_left
}
