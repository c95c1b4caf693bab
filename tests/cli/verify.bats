# SPDX-License-Identifier: MIT
# sow verify: proof, difference, and what cannot be verified.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

# Flips the lowest bit of the byte at OFFSET from the end of FILE.
flip() {
    python3 - "$1" "$2" <<'PY'
import sys
path, back = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, "rb").read())
data[-back] ^= 1
open(path, "wb").write(data)
PY
}

@test "what init wrote is verified" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors --seed 42 -q
    run --separate-stderr sow verify m.safetensors
    ends_with 0
    [[ $output =~ ^verified:\ 40\ tensors,\ [0-9,]+\ bytes,\ seed\ 42,\ plan\ hash\ [0-9a-f]{32},\ output\ [0-9a-f]{32}, ]]
    [[ -z $stderr ]]
}

@test "one flipped bit: exit 1 with tensor, element, both bit patterns" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors --seed 42 -q --dtype f32
    flip m.safetensors 4
    run --separate-stderr sow verify m.safetensors
    ends_with 1
    has "$output" "different: tensor " ", element " "expected 0x" "found 0x" "1 of 40 tensors differ"
    [[ -z $stderr ]]
}

@test "with --source: a file that has no record, and the wrong seed" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors --seed 42 -q
    python3 - <<'PY'
import json, struct
data = open("m.safetensors", "rb").read()
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + length])
del header["__metadata__"]
text = json.dumps(header).encode()
open("bare.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data[8 + length :])
PY
    run --separate-stderr sow verify bare.safetensors
    ends_with 3
    has "$stderr" "--source" "--seed"
    run -0 sow verify bare.safetensors --source config.json --seed 42
    has "$output" "verified: 40 tensors"
    run sow verify bare.safetensors --source config.json --seed 43
    ends_with 1
    has "$output" "different: tensor "
    run sow verify bare.safetensors --source config.json --seed 42 --set '*.wpe.weight=zeros'
    ends_with 1
    has "$output" "transformer.wpe.weight"
}

@test "another shape or another set of tensors than the source's is a no with words" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors --seed 42 -q
    sed 's/"n_layer": 3/"n_layer": 4/' config.json >other.json
    run sow verify m.safetensors --source other.json --seed 42
    ends_with 1
    has "$output" "transformer.h.3."
    sed 's/"vocab_size": 100/"vocab_size": 101/' config.json >other.json
    run sow verify m.safetensors --source other.json --seed 42
    ends_with 1
    has "$output" "\`transformer.wte.weight\` has shape [100, 16], the plan says [101, 16]; 1 of 40 tensors differ so"
}

@test "F02: what is no safetensors file is named for what it is" {
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 548105171\n' 1 >model.safetensors
    for verb in verify plan; do
        run --separate-stderr sow "$verb" model.safetensors
        ends_with 3
        [[ -z $output ]]
        has "$stderr" "Git LFS pointer" "548105171" "git lfs pull"
    done
    printf '<!DOCTYPE html><html>' >page.safetensors
    run sow verify page.safetensors
    ends_with 3
    has "$output" HTML
    printf 'PK\003\004aaaaaaaaaaaaaaaa' >zip.safetensors
    run sow verify zip.safetensors
    ends_with 3
    has "$output" zip
    : >empty.safetensors
    run sow verify empty.safetensors
    ends_with 3
    has "$output" empty
    mkdir folder.safetensors
    run sow verify folder.safetensors
    ends_with 3
}

@test "F05: missing shards end with 3 at once, a stray shard is a warning" {
    tiny llama >config.json
    run -0 sow init config.json -o out --shard-size 5KB -q
    cp out/model-00001-of-*.safetensors out/model-00099-of-00099.safetensors
    run --separate-stderr sow verify out
    ends_with 0
    has "$stderr" "warning: " "model-00099-of-00099.safetensors"
    rm out/model-00099-of-00099.safetensors out/model-00002-of-*.safetensors
    run --separate-stderr sow verify out
    ends_with 3
    has "$stderr" "1 of " "model-00002-of-"
}

@test "a file that is not there" {
    run --separate-stderr sow verify nosuch.safetensors
    ends_with 4
    has "$stderr" "nosuch.safetensors"
}
