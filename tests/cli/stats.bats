# SPDX-License-Identifier: MIT
# sow stats and sow diff: what is in a checkpoint, and what differs between two.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

@test "a table that folds layers which are alike, with totals" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors --seed 42 -q
    run --separate-stderr sow stats m.safetensors
    ends_with 0
    has "$output" "transformer.h.{0..2}." "attn.c_attn.weight" "all 1" "all 0" "40 tensors, " " 0 NaN, 0 Inf" "▁"
    fits_100_columns "$output"
    [[ -z $stderr ]]
    run -0 sow stats m.safetensors --all
    has "$output" "transformer.h.2.attn.c_attn.weight"
}

@test "one layer that is not like the others stands alone" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors -q --set '*.h.1.mlp.c_fc.weight=normal{std=0.5}'
    run -0 sow stats m.safetensors '*.c_fc.weight'
    has "$output" "transformer.h.1.mlp.c_fc.weight" "transformer.h.0.mlp.c_fc.weight" "3 tensors, "
}

@test "globs choose; one that matches nothing is an error of usage" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors -q
    run -0 sow stats m.safetensors '*.wte.*' '*.wpe.*' --json
    is_json "$output"
    has "$output" '"transformer.wte.weight"' '"transformer.wpe.weight"'
    lacks "$output" "ln_f"
    run sow stats m.safetensors '*.lm_haed.*'
    ends_with 2
    has "$output" "no tensor matches '*.lm_haed.*'"
}

@test "colours only on a terminal" {
    tiny gpt2 >config.json
    run -0 sow init config.json -o m.safetensors -q
    run -0 sow stats m.safetensors
    lacks "$output" $'\e['
    run -0 on_terminal "$SOW" stats m.safetensors
    has "$output" $'\e['
}

@test "the answer does not depend on threads" {
    tiny llama >config.json
    run -0 sow init config.json -o m.safetensors -q
    sow stats m.safetensors --json -T 1 >one
    sow stats m.safetensors --json -T 7 >seven
    cmp one seven
}

@test "F04: metadata that is null or empty is none; what is no string is refused; metadata differs" {
    python3 - <<'PY'
import json, struct
def write(name, metadata):
    text = '{"__metadata__":%s,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' % metadata
    text = text.encode()
    open(name, "wb").write(struct.pack("<Q", len(text)) + text + struct.pack("<2f", 1, 2))
write("null.safetensors", "null")
write("empty.safetensors", "{}")
write("number.safetensors", '{"a":0}')
write("deep.safetensors", '{"a":{"b":"c"}}')
write("text.safetensors", '{"a":"b"}')
PY
    run -0 sow stats null.safetensors
    has "$output" "1 tensor, 2 elements, 8 bytes in f32"
    run -0 sow stats empty.safetensors
    run sow stats number.safetensors
    ends_with 3
    has "$output" "metadata" "integer" "byte"
    run sow stats deep.safetensors
    ends_with 3
    run -0 sow diff null.safetensors empty.safetensors
    has "$output" "equal: 1 of 1"
    run sow diff null.safetensors text.safetensors
    ends_with 1
    has "$output" 'metadata a: (none) -> "b"' "1 of 1 tensors are equal bit for bit, 1 of metadata differs"
    run -0 sow diff null.safetensors text.safetensors '*'
}

@test "F05: missing shards are told before any statistics; strangers are a warning" {
    tiny llama >config.json
    run -0 sow init config.json -o out --shard-size 8KB -q
    run -0 sow stats out
    cp out/model-00001-of-*.safetensors out/stranger.safetensors
    run --separate-stderr sow stats out
    ends_with 0
    has "$stderr" "warning: stranger.safetensors is not named by the index"
    rm out/model-00002-of-*.safetensors
    for path in out out/model.safetensors.index.json; do
        run --separate-stderr sow stats "$path"
        ends_with 3
        [[ -z $output ]]
        has "$stderr" "1 of " "model-00002-of-"
    done
}

@test "F06: half a file" {
    tiny llama >config.json
    run -0 sow init config.json -o m.safetensors -q
    head -c 20000 m.safetensors >cut.safetensors
    run --separate-stderr sow stats cut.safetensors
    ends_with 3
    [[ -z $output ]]
    has "$stderr" "missing"
}

@test "F13: seed 0 twice is equal, seed 4294967296 is not seed 0" {
    tiny llama >config.json
    run -0 sow init config.json --seed 0 -o a.safetensors -q
    run -0 sow init config.json --seed 0 -o b.safetensors -q
    run -0 sow init config.json --seed 4294967296 -o c.safetensors -q
    run -0 sow diff a.safetensors b.safetensors
    has "$output" "equal: 21 of 21 tensors are equal bit for bit"
    run sow diff a.safetensors c.safetensors
    ends_with 1
    has "$output" "different: 5 of 21" "lm_head.weight" 'metadata sow.seed: "0" -> "4294967296"'
}

@test "F18: rows that are copies do not hide in the numbers" {
    python3 - <<'PY'
import random, struct
text = b'{"emb":{"dtype":"F32","shape":[64,4],"data_offsets":[0,1024]}}'
rows = [[random.gauss(0, 0.02) for _ in range(4)] for _ in range(40)]
rows += [rows[-1]] * 24
data = b"".join(struct.pack("<4f", *row) for row in rows)
open("emb.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
    run -0 sow stats emb.safetensors
    has "$output" "64 x 4" "256 elements"
}

@test "diff: a sharded folder and a file of the same tensors" {
    tiny llama >config.json
    run -0 sow init config.json -o m.safetensors -q
    run -0 sow init config.json -o out --shard-size 8KB -q
    run -0 sow diff m.safetensors out
    has "$output" "equal: 21 of 21"
    run -0 sow diff out/model.safetensors.index.json m.safetensors
}

@test "diff: names, shapes and dtypes" {
    tiny llama >config.json
    run -0 sow init config.json -o a.safetensors -q
    sed 's/"vocab_size": 100/"vocab_size": 101/' config.json >wide.json
    run -0 sow init wide.json -o b.safetensors -q
    run sow diff a.safetensors b.safetensors
    ends_with 1
    has "$output" "shape 100 x 16 -> 101 x 16"
    run -0 sow init config.json -o c.safetensors -q --dtype bf16
    run sow diff a.safetensors c.safetensors --json
    ends_with 1
    is_json "$output"
    has "$output" '"kind": "dtype"' '"std_ratio": '
    tiny gpt2 >gpt2.json
    run -0 sow init gpt2.json -o g.safetensors -q
    run sow diff a.safetensors g.safetensors
    ends_with 1
    has "$output" "only in A: " "only in B: " "21 only in A, 40 only in B"
    fits_100_columns "$output"
}

@test "what is no checkpoint" {
    run sow stats nothing.safetensors
    ends_with 4
    run sow diff nothing.safetensors nothing.safetensors
    ends_with 4
    : >empty.safetensors
    run sow stats empty.safetensors
    ends_with 3
    has "$output" "empty"
    run sow stats
    ends_with 2
    run sow diff empty.safetensors
    ends_with 2
}
