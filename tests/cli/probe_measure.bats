# SPDX-License-Identifier: MIT
# sow probe --measure: the table, the JSON, a checkpoint's weights, the same numbers for any thread count, what it refuses.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

# Of the JSON on stdin, without what time changes.
numbers() {
    python3 -c 'import json, sys; d = json.load(sys.stdin); d.pop("seconds"); d.pop("measured_seconds"); d.pop("memory_bytes"); print(d)'
}

# interrupted WORDS ARGUMENTS...: `sow probe` interrupted once it can say WORDS (a pattern): sooner on a fast machine
# than on a slow one, and long before it would end by itself.
interrupted() {
    local words=$1 after
    shift
    for after in 2 8 32 128; do
        run -124 --separate-stderr timeout --foreground -s INT "$after" "$SOW" probe "$@"
        grep -q -- "$words" <<<"$output" && return
    done
    echo "never said: $words" && return 1
}

@test "the table has measured beside predicted and fits the screen" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --measure
    has "$output" "predicted, and measured" "E[x^2]" "entropy" "1 seed of 8 samples"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:64,64x10,10 --seeds 3
    has "$output" "3 seeds" "dead %" "..."
    fits_100_columns "$output"
    [[ ${#lines[@]} -lt 50 && -z $stderr ]]
}

@test "measured agrees with predicted" {
    run -0 --separate-stderr sow probe mlp:256,256x4,256 --measure --batch 64 --seeds 4 --json
    echo "$output" >probe.json
    python3 - probe.json <<'PYTHON'
import json, sys
values = json.load(open(sys.argv[1]))["values"]
assert len(values) == 10
for v in values:
    # the variance over seeds of ln E[x^2] is at most 5 / width a layer; 4 sd of the mean of 4 seeds
    assert abs(v["measured"]["second_moment"] / v["second_moment"] - 1) < 0.3, v
    assert abs(v["measured"]["gradient_second_moment"] / v["gradient"] - 1) < 0.3, v
    assert abs(v["measured"]["correlation"] - v["sample_correlation"]) < 0.05, v
PYTHON
}

@test "numbers do not depend on threads" {
    tiny llama >config.json
    run -0 --separate-stderr sow probe config.json --measure --json -T 1
    one=$(numbers <<<"$output")
    run -0 --separate-stderr sow probe config.json --measure --json -T 3
    [[ $(numbers <<<"$output") == "$one" ]]
}

@test "CSV gains columns" {
    run -0 --separate-stderr sow probe mlp:8,8,8 --measure --csv
    [[ ${#lines[@]} -eq 5 && ${lines[0]} == *,log2_distance,directions,measured_second_moment,* ]]
    [[ $(tr -cd , <<<"${lines[0]}") == $(tr -cd , <<<"${lines[4]}") ]]
}

@test "weights of a checkpoint" {
    run -0 --separate-stderr sow init mlp:64,64,64 -o w.safetensors -q
    run -0 --separate-stderr sow probe mlp:64,64,64 --measure --json
    drawn=$(numbers <<<"$output")
    run -0 --separate-stderr sow probe mlp:64,64,64 --weights w.safetensors --json
    [[ $(numbers <<<"$output") == "$drawn" ]]
    run ! --separate-stderr sow probe mlp:64,32,64 --weights w.safetensors
    has "$stderr" "layers.0.weight" "[64, 64]" "[32, 64]"
    run ! --separate-stderr sow probe mlp:64,64,64 --weights none.safetensors
    has "$stderr" "none.safetensors"
}

@test "a checkpoint of 100,000 tensors more than the model has, and one for each of 1,000 layers" {
    run -0 --separate-stderr sow init mlp:4x1000 -o few.safetensors -q
    python3 - <<'PYTHON'
import json, struct
data = open("few.safetensors", "rb").read()
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + length])
end = len(data) - 8 - length
for i in range(100_000): # no element, so no bytes
    header[f"other.{i}.weight"] = {"dtype": "F32", "shape": [0], "data_offsets": [end, end]}
text = json.dumps(header).encode()
open("many.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data[8 + length:])
PYTHON
    run --separate-stderr sow probe mlp:4x1000 --batch 2 --json --weights few.safetensors
    has "$output" '"unused_tensors": 0'
    few=$(numbers <<<"$output")
    run --separate-stderr sow probe mlp:4x1000 --batch 2 --json --weights many.safetensors
    has "$stderr" "100000 tensors of many.safetensors are not the model's"
    has "$output" '"unused_tensors": 100000'
    [[ $(numbers <<<"${output/'"unused_tensors": 100000'/'"unused_tensors": 0'}") == "$few" ]]
}

@test "what does not fit is refused before anything is drawn" {
    run ! --separate-stderr sow probe mlp:4096,4096x4,10 --measure --memory 20MB
    has "$stderr" "allowed" "--batch" "--memory"
    [[ -z $output ]]
}

@test "families are measured" {
    for family in llama qwen3 gemma bert mixtral; do
        tiny "$family" >config.json
        run -0 --separate-stderr sow probe config.json --measure --tokens 16 --batch 2
        has "$output" "1 seed of 2 samples" "entropy"
    done
}

@test "numbers that leave float32 are named, and stay what they are to the end" {
    run -1 --separate-stderr sow probe mlp:256,256x30,10 --scheme 'normal{std=1e3}' --measure --batch 16
    has "$output" "4096 not finite" "measured: signals left float32" "measured: gradients left float32"
    lacks "$output" "DEAD" "VANISH" # an exploded network is not quiet
    run -1 --separate-stderr sow probe mlp:256,256x30,10 --scheme 'normal{std=1e3}' --measure --batch 16 --json
    python3 -c 'import json, sys; last = json.load(sys.stdin)["values"][-1]["measured"]; assert last["non_finite"] == 160, last' <<<"$output"
    run -1 --separate-stderr sow probe mlp:256,256x30,10 --scheme 'normal{std=1e-30}' --measure --batch 16
    has "$output" "all exactly 0" "VANISH: starts at layers.1 (59 places)" "least number is 2^-149" "gradients are exactly 0"
    lacks "$output" "DEAD"
    run -0 --separate-stderr sow probe mlp:256,256x30,10 --measure --batch 16
    lacks "$output" "float32" "exactly 0"
}

@test "the first layers alone, stated; the measured first loss beside the predicted" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --layers 1
    has "$output" "the first 1 of 3 repeated layers were measured" "as large as predicted there"
    lacks "$output" "measured first loss"
    run -0 --separate-stderr sow probe config.json --layers 1 --json
    has "$output" '"layers": 1,' '"layers_all": 3,' '"measured_loss": null'
    run -0 --separate-stderr sow probe config.json --layers 3 --json
    python3 -c '
import json, sys
found = json.load(sys.stdin)
assert found["layers"] == 3 and abs(found["measured_loss"] - found["first_loss"]["loss"]) < 0.02, found["measured_loss"]
assert 0 < found["measured_entropy"] < found["first_loss"]["uniform"]' <<<"$output"
}

@test "an interrupted measurement shows what is known, forward, backward and between seeds" {
    for seeds in 2 4096; do
        interrupted "seeds of 256 samples in" mlp:1024,1024x200,10 --batch 256 -T 1 --seeds "$seeds" # 0 of them whole
        has "$stderr" "interrupted: these are the numbers known so far"
        has "$output" "measured" "layers.0.relu"
    done
    interrupted '"seeds": [2-9]' mlp:256,256x3,10 -T 1 --seeds 4096 --json
    python3 -c 'import json, sys; found = json.load(sys.stdin); assert 1 < found["seeds"] < 4096' <<<"$output"
}

@test "of steps that an interruption left out nothing is told, though they were to be of a sample" {
    echo '{"model_type": "gpt2", "n_layer": 4, "n_embd": 64, "n_head": 2, "vocab_size": 999}' >config.json
    interrupted "seed noise" config.json --steps 4096 --measure --seeds 4096 -T 1
    has "$stderr" "interrupted"
    lacks "$output" "steps of learning were taken"
}

@test "2,000 residual blocks are measured in one go, and Ctrl-C shows what is known of them" {
    cat >deep.lua <<'RECIPE'
local x = input { "batch", 16 }
x = repeated("blocks", 2000, x, function(x)
    return x + (x >> layer_norm("norm", 16) >> linear("up", 16, 16) >> activation("tanh") >> linear("down", 16, 16)) * 0.01
end)
x = x >> linear("head", 16, 10)
rule("*.norm.weight", ones)
rule("*.bias", zeros)
rule("*", lecun_normal)
RECIPE
    run -0 --separate-stderr sow probe deep.lua --measure --brief --batch 2
    has "$output" "per layer, over 2000" "1 (predicted 1) forward"
    interrupted "per layer, over 2000" deep.lua --brief --seeds 4096
    has "$stderr" "interrupted: these are the numbers known so far"
}

@test "what is too large is cut down by itself, and every format says so" {
    echo '{"model_type": "llama", "vocab_size": 101, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 6,' \
        '"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": false}' >config.json
    run -0 --separate-stderr sow probe config.json --measure --memory 9MB
    has "$(tr -s '\n ' ' ' <<<"$output")" "not all was measured, for its size: with 8 samples of 256 tokens and all layers" \
        "and the limits are 9.0 MB" "2 samples of 64 tokens and 5 of 6 layers. More: --layers all --tokens 256 --batch 8" \
        "the first 5 of 6 repeated layers" "verdicts on the others are predicted"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe config.json --measure --memory 9MB --brief
    has "$output" "not all was measured"
    run -0 --separate-stderr sow probe config.json --measure --memory 9MB --json
    python3 -c '
import json, sys
found = json.load(sys.stdin)
sample = found["sample"]
assert not sample["whole"] and (sample["batch"], sample["tokens"], sample["layers"], sample["layers_all"]) == (2, 64, 5, 6), sample
assert (sample["batch_asked"], sample["tokens_asked"], found["tokens"], found["layers"]) == (8, 256, 64, 5)
assert sample["cost"]["memory_bytes"] <= sample["limits"]["memory_bytes"] == 9e6 < sample["cost_of_all"]["memory_bytes"]
assert found["memory_bytes"] <= 12e6
seen = [value["layer"] for value in found["values"] if "measured" in value]
assert set(seen) == {-1, 0, 1, 2, 3, 4}, seen' <<<"$output"
    run -0 --separate-stderr sow probe config.json --measure --memory 9MB --csv
    has "$stderr" "note:" "not all was measured" "--layers all"
    python3 -c '
import csv, sys
rows = list(csv.DictReader(sys.stdin))
assert {row["layer"] for row in rows if row["measured"] == "1"} >= {"0", "4"}
assert {row["layer"] for row in rows if row["measured"] == "0"} >= {"5"}
assert {(row["measured_samples"], row["measured_tokens"], row["measured_layers"]) for row in rows} == {("2", "64", "5")}' <<<"$output"
    run -0 --separate-stderr sow probe config.json --measure --memory 9MB --report out.html -q
    grep -q "<li>not all was measured, for its size" out.html
    grep -q "<li>the first 5 of 6 repeated layers were measured" out.html
}

@test "more, or all, on request; what does not fit then is refused with the way out" {
    echo '{"model_type": "llama", "vocab_size": 101, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 6,' \
        '"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": false}' >config.json
    run -0 --separate-stderr sow probe config.json --layers all --tokens 32 --batch 1
    lacks "$output" "not all was measured" "repeated layers were measured"
    run ! --separate-stderr sow probe config.json --layers all --tokens 256 --batch 8 --memory 9MB
    has "$stderr" "are allowed" "--batch, --tokens" "--layers" "--memory"
    run -2 --separate-stderr sow probe config.json --layers some
    has "$stderr" "--layers" "some" "--layers all"
    run -0 --separate-stderr sow probe config.json --measure
    lacks "$output" "not all was measured"
}

@test "tensors that are drawn as a whole: the file's, for any number of threads; Ctrl-C does not wait for them" {
    run -0 --separate-stderr sow init mlp:96,200x2,10 --scheme orthogonal -o w.safetensors -q
    run -0 --separate-stderr sow probe mlp:96,200x2,10 --weights w.safetensors --json -T 1
    stored=$(numbers <<<"$output")
    for threads in 1 3; do
        run -0 --separate-stderr sow probe mlp:96,200x2,10 --scheme orthogonal --measure --json -T "$threads"
        python3 - "$stored" "$(numbers <<<"$output")" <<'PYTHON'
import ast, sys
stored, drawn = (ast.literal_eval(text.replace("nan", "None"))["weights"] for text in sys.argv[1:])
assert len(drawn) == 6 and [w["second_moment"] for w in drawn] == [w["second_moment"] for w in stored]
assert [w["gradient"] for w in drawn] == [w["gradient"] for w in stored]
PYTHON
    done
    # one of them takes longer than the twenty seconds after which it would be killed
    run -124 --separate-stderr timeout --foreground -k 20 -s INT 1 "$SOW" probe mlp:8000,8000x2,10 --scheme orthogonal --measure -T 1
    has "$stderr" "interrupted"
}

@test "a checkpoint that does not fit is refused before any work, and what is not read is named" {
    sow init mlp:16,16,16 -o w.safetensors -q
    cat >change.py <<'EOF'
import json, struct, sys
data = open("w.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, body = json.loads(data[8:8 + size]), bytearray(data[8 + size:])
last = header["layers.1.weight"]
if sys.argv[1] == "nan":
    body[last["data_offsets"][0] + 20:last["data_offsets"][0] + 24] = struct.pack("<f", float("nan"))
elif sys.argv[1] == "int":
    last["dtype"] = "I32"
elif sys.argv[1] == "extra":
    header["of.another"] = {"dtype": "F32", "shape": [2], "data_offsets": [len(body), len(body) + 8]}
    body += bytes(8)
else:
    header["layers.9.weight"] = header.pop("layers.1.weight")
text = json.dumps(header).encode()
open(sys.argv[1] + ".safetensors", "wb").write(struct.pack("<Q", len(text)) + text + body)
EOF
    for change in nan int extra missing; do
        python3 change.py "$change"
    done
    run -0 --separate-stderr sow probe mlp:16,16,16 --weights extra.safetensors
    has "$stderr" "1 tensor of extra.safetensors is not the model's and was not read: of.another"
    run -3 --separate-stderr sow probe mlp:16,16,16 --weights missing.safetensors
    has "$stderr" "no tensor layers.1.weight"
    run ! --separate-stderr sow probe mlp:16,16,16 --weights int.safetensors
    has "$stderr" "layers.1.weight is i32: signals need floating-point numbers"
    run ! --separate-stderr sow probe mlp:16,16,16 --weights nan.safetensors
    has "$stderr" "layers.1.weight, [16, 16], has 1 of its numbers infinite or not a number, the first at element 5"
    [[ -z $output ]]
}
