# SPDX-License-Identifier: MIT
# sow check: healthy checkpoints pass, planted faults are named with their cause; the field cases by their numbers.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

# edit FILE NEW CODE: runs CODE (Python) with `t`, a dict from name to [dtype, shape, bytearray]; rows(t, name) gives the
# bytes of each row. Metadata is dropped.
edit() {
    python3 - "$@" <<'PY'
import json, math, struct, sys
data = open(sys.argv[1], "rb").read()
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + length])
header.pop("__metadata__", None)
t = {}
for name, h in header.items():
    begin, end = (8 + length + offset for offset in h["data_offsets"])
    t[name] = [h["dtype"], h["shape"], bytearray(data[begin:end])]
def f32(shape, values):
    return ["F32", shape, bytearray(struct.pack(f"<{len(values)}f", *values))]
exec(sys.argv[3])
header, at, body = {}, 0, b""
for name, (dtype, shape, raw) in t.items():
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
    at += len(raw)
    body += bytes(raw)
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + body)
PY
}

# A gpt2 with matrices large enough to be judged, as gpt2.json and m.safetensors.
small_gpt2() {
    echo '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 1000, "n_positions": 64,' \
        '"n_embd": 64, "n_layer": 4, "n_head": 4}' >gpt2.json
    sow init gpt2.json -o m.safetensors --seed 1 -q "$@"
}

@test "what init writes passes: by the record, by the source, by itself; in every dtype" {
    small_gpt2
    for dtype in f32 bf16 f16 f64 f8_e4m3fn f8_e5m2; do
        sow init gpt2.json -o "$dtype.safetensors" --dtype $dtype -q
        run -0 --separate-stderr sow check "$dtype.safetensors"
        has "$output" "passed: 0 errors, 0 warnings, 0 notes in 52 tensors" "52 judged by the record in the file"
        run -0 sow check "$dtype.safetensors" --source gpt2.json
        has "$output" "52 judged by gpt2.json, variant transformers"
        run -0 sow check "$dtype.safetensors" --no-record
        has "$output" "without a source: lint alone"
    done
    tiny llama >llama.json
    run -0 sow init llama.json -o l.safetensors -q
    run -0 sow check l.safetensors --source llama.json
}

@test "the lost residual scaling is named, folded over layers, and the variant that fits" {
    small_gpt2 --set '*.c_proj.weight=normal{std=0.02}'
    run --separate-stderr sow check m.safetensors --source gpt2.json
    ends_with 1
    has "$output" "error std: transformer.h.{0..3}.mlp.c_proj.weight (all of layers 0-3)" \
        "= 0.02/sqrt(2*4)" "cause: the residual scaling 1/sqrt(2*4) is missing"
    fits_100_columns "$output"
    run sow check m.safetensors --source gpt2.json --json
    ends_with 1
    is_json "$output"
    has "$output" '"passed": false' '"code": "std"' '"scope": "all of layers 0-3"'
    run -0 sow check m.safetensors # its own record says 0.02
}

@test "lint alone: NaN, infinities, zeros, constants, std 1, a layer unlike the others" {
    small_gpt2 --set '*.h.2.mlp.c_fc.weight=normal{std=0.3}' --set '*.wpe.weight=normal{std=1}'
    edit m.safetensors bad.safetensors '
for i in (5, 9): struct.pack_into("<f", t["transformer.wte.weight"][2], 4 * i, math.nan)
struct.pack_into("<f", t["transformer.h.0.attn.c_attn.weight"][2], 4 * 7, -math.inf)
t["transformer.h.1.attn.c_attn.weight"][2][:] = bytes(len(t["transformer.h.1.attn.c_attn.weight"][2]))
t["transformer.h.3.attn.c_proj.weight"] = f32([64, 64], [0.25] * 4096)'
    run sow check bad.safetensors
    ends_with 1
    has "$output" "error nan: transformer.wte.weight" "2 of 64000 elements are NaN, the first bad one is 5" \
        "error inf: transformer.h.0.attn.c_attn.weight" "error all-zero: transformer.h.1.attn.c_attn.weight" \
        "error constant: transformer.h.3.attn.c_proj.weight" "all 4096 elements are 0.25" \
        "warning sibling-std: transformer.h.2.mlp.c_fc.weight" "warning unit-std: transformer.wpe.weight" \
        "torch.nn.Embedding's default"
    run sow check bad.safetensors --only nan --ignore inf
    ends_with 1
    lacks "$output" "error inf" "error constant"
    run sow check bad.safetensors --only nna
    ends_with 2
    has "$output" "did you mean 'nan'?"
}

@test "twins, identical layers, permuted copies; norms, biases and constants are none" {
    small_gpt2
    run -0 sow check m.safetensors --no-record
    edit m.safetensors twins.safetensors '
t["transformer.h.2.attn.c_proj.weight"][2][:] = t["transformer.h.0.attn.c_proj.weight"][2]'
    run sow check twins.safetensors
    ends_with 1
    has "$output" "error twins: transformer.h.{0,2}.attn.c_proj.weight (layers 0, 2)" "are equal bit for bit"
    edit m.safetensors layers.safetensors '
for name in t:
    if ".h.3." in name or ".h.1." in name:
        t[name][2][:] = t[name.replace(".h.3.", ".h.0.").replace(".h.1.", ".h.0.")][2]'
    run sow check layers.safetensors
    ends_with 1
    has "$output" "error identical-layers: transformer.h.{0,1,3} (layers 0, 1, 3)" "in all 4 tensors that are drawn"
    lacks "$output" "error twins"
    edit m.safetensors turned.safetensors '
a = t["transformer.h.0.attn.c_proj.weight"][2]
for r in range(64):
    for c in range(64):
        t["transformer.h.1.attn.c_proj.weight"][2][4 * (64 * c + r) : 4 * (64 * c + r) + 4] = a[4 * (64 * r + c) : 4 * (64 * r + c) + 4]'
    run sow check turned.safetensors
    ends_with 1
    has "$output" "error permuted-copy: transformer.h.{0..1}.attn.c_proj.weight" "hold the same values"
}

@test "equal rows, equal columns, permuted rows, zero rows" {
    small_gpt2
    edit m.safetensors bad.safetensors '
def put(name, to, of, width):
    raw = t[name][2]
    raw[to * width : (to + 1) * width] = raw[of * width : (of + 1) * width]
put("transformer.h.0.attn.c_attn.weight", 7, 3, 4 * 192)
for r in range(64):
    put("transformer.h.1.attn.c_attn.weight", 192 * r + 11, 192 * r + 100, 4)
raw = t["transformer.h.2.attn.c_attn.weight"][2]
raw[768:1536] = raw[4:768] + raw[0:4]
t["transformer.h.3.attn.c_attn.weight"][2][0:2304] = bytes(2304)'
    run sow check bad.safetensors
    ends_with 1
    has "$output" "error equal-rows: transformer.h.0.attn.c_attn.weight" "2 rows (3, 7) are identical, 1 copy" \
        "error equal-columns: transformer.h.1.attn.c_attn.weight" "2 columns (11, 100) are identical" \
        "error permuted-rows: transformer.h.2.attn.c_attn.weight" "2 rows (0-1) hold the same values in another order" \
        "warning zero-rows: transformer.h.3.attn.c_attn.weight" "rows 0 to 2: 3 are all zero"
}

@test "against a source: missing, extra, transposed, dtype, constants" {
    small_gpt2
    edit m.safetensors bad.safetensors '
del t["transformer.h.1.ln_1.bias"]
t["extra.weight"] = f32([4], [1, 2, 3, 4])
t["transformer.h.0.mlp.c_fc.weight"][1] = [256, 64]
t["transformer.ln_f.weight"] = f32([64], [0.0] * 64)
struct.pack_into("<f", t["transformer.h.2.mlp.c_fc.bias"][2], 4 * 3, 0.5)'
    run sow check bad.safetensors --source gpt2.json
    ends_with 1
    has "$output" "error missing-tensor: transformer.h.1.ln_1.bias" "warning extra-tensor: extra.weight" \
        "error shape: transformer.h.0.mlp.c_fc.weight" "stored transposed" \
        "error constant-value: transformer.ln_f.weight" "all 64 elements are 0, expected 1" \
        "error constant-value: transformer.h.2.mlp.c_fc.bias" "1 of 256 elements are not 0" "the first is 3"
    run sow check m.safetensors --source gpt2.json --dtype bf16
    ends_with 1
    has "$output" "warning dtype:" "stored as f32, expected bf16"
}

@test "shapes that point to one field of the config are one finding" {
    small_gpt2
    for change in 's/"n_embd": 64/"n_embd": 96/;n_embd looks like 64, the config says 96' \
        's/"n_layer": 4/"n_layer": 6/;n_layer looks like 4, the config says 6' \
        's/"vocab_size": 1000/"vocab_size": 997/;vocab_size looks like 1000, the config says 997' \
        's/"n_head": 4/"n_head": 4, "n_inner": 128/;n_inner looks like 256, the config says 128'; do
        sed "${change%%;*}" gpt2.json >wrong.json
        run sow check m.safetensors --source wrong.json
        ends_with 1
        has "$output" "error config-field: " "${change#*;}" "not passed: 1 error, "
        lacks "$output" "missing-tensor" "error shape"
    done
}

@test "a tied head that is stored twice: a note when equal, an error when not" {
    small_gpt2
    edit m.safetensors equal.safetensors 't["lm_head.weight"] = list(t["transformer.wte.weight"])'
    run -0 sow check equal.safetensors --source gpt2.json
    has "$output" "note tied-twice: lm_head.weight"
    run -0 sow check equal.safetensors
    has "$output" "note twins: " "a tied tensor stored under both names"
    edit equal.safetensors apart.safetensors '
t["lm_head.weight"] = ["F32", [1000, 64], bytearray(reversed(t["lm_head.weight"][2]))]
struct.pack_into("<64000f", t["lm_head.weight"][2], 0, *[0.02 * (i * 2654435761 % 1000003 / 1000003 - 0.5) for i in range(64000)])'
    run sow check apart.safetensors --source gpt2.json
    ends_with 1
    has "$output" "error tied-differs: lm_head.weight" "tied to transformer.wte.weight"
}

@test "empty, scalar, integer and bool tensors: one clear answer each" {
    small_gpt2
    edit m.safetensors odd.safetensors '
t.clear()
t["empty"] = ["F32", [0, 5], bytearray()]
t["scalar"] = f32([], [1.0])
t["counter"] = ["I64", [], bytearray(8)]
t["mask"] = ["BOOL", [2, 8], bytearray(16)]
t["packed.weight"] = ["U8", [4, 16], bytearray(64)]
t["complex"] = ["C64", [2], bytearray(16)]'
    run -0 sow check odd.safetensors
    has "$output" "0 errors, 0 warnings, 0 notes in 6 tensors"
    edit odd.safetensors plain.safetensors 'del t["complex"]'
    run -0 sow check plain.safetensors --source plain.safetensors --set 'scalar=ones' --set '*=zeros'
    has "$output" "4 judged by plain.safetensors"
}

@test "buffers: a variance of zero, counters, what forward passes moved; with a source and without" {
    run -0 sow init torchvision:resnet18 -o r.safetensors -q
    for options in "--source torchvision:resnet18" "--no-record"; do
        # shellcheck disable=SC2086 # two words
        run -0 sow check r.safetensors $options
        has "$output" "0 errors, 0 warnings, 0 notes in 122 tensors"
    done
    edit r.safetensors bad.safetensors '
t["layer1.0.bn1.running_var"][2][:] = bytes(256)
t["bn1.num_batches_tracked"][2][0] = 7
struct.pack_into("<f", t["layer2.0.bn1.running_mean"][2], 0, math.nan)
struct.pack_into("<f", t["layer3.0.bn1.running_var"][2], 0, -1)'
    run sow check bad.safetensors --source torchvision:resnet18
    ends_with 1
    has "$output" "not passed: 4 errors" "error nan: layer2.0.bn1.running_mean" \
        "a running variance of 0, which is divided by" "a count of 7 batches: the model ran in training mode" \
        "1 of 256 elements are not 1" "moved by forward passes"
    lacks "$output" "drawn at random"
    run sow check bad.safetensors --no-record
    ends_with 1
    has "$output" "not passed: 3 errors" "error variance: layer1.0.bn1.running_var" "64 of 64 are 0" \
        "error variance: layer3.0.bn1.running_var" "values from -1 to 1"
}

@test "names that differ by one prefix are one finding, and the rest is judged" {
    small_gpt2 --set '*.h.2.mlp.c_fc.weight=normal{std=0.3}'
    edit m.safetensors bare.safetensors 't = {n.removeprefix("transformer."): v for n, v in t.items()}'
    run sow check bare.safetensors --source gpt2.json
    ends_with 1
    has "$output" "warning prefix: transformer." "52 of 52 names lack the prefix transformer." \
        "saved from GPT2Model; the config names GPT2LMHeadModel" "error std: h.2.mlp.c_fc.weight" \
        "not passed: 1 error, 1 warning, 0 notes" "52 judged"
    edit m.safetensors module.safetensors 't = {"module." + n: v for n, v in t.items()}'
    run sow check module.safetensors --source gpt2.json
    ends_with 1
    has "$output" "52 of 52 names begin with module., the source" "DistributedDataParallel" "not passed: 1 error, 1 warning"
    sed 's/"n_embd": 64/"n_embd": 96/' gpt2.json >wrong.json
    run sow check bare.safetensors --source wrong.json
    ends_with 1
    has "$output" "n_embd looks like 64, the config says 96" "not passed: 2 errors, 1 warning"
}

@test "a tensor and its rounding to bf16 are one stream" {
    small_gpt2
    edit m.safetensors two.safetensors '
a, b = (t[f"transformer.h.{i}.attn.c_proj.weight"] for i in (0, 1))
words = struct.unpack("<4096I", a[2])
b[0], b[2] = "BF16", bytearray(struct.pack("<4096H", *[(u + 0x7fff + (u >> 16 & 1)) >> 16 for u in words]))'
    run sow check two.safetensors
    ends_with 1
    has "$output" "the same draws as transformer.h.0.attn.c_proj.weight, in bf16 where that one is in f32"
}

@test "blocks of a fused weight are judged one by one; what cannot be is a note" {
    for layout in out-in in-out; do
        echo "linear('qkv', 128, 384, { layout = '$layout', blocks = { 256, 64, 64 }, bias = false }) rule('*', glorot_uniform)" >qkv.lua
        for dtype in f32 bf16; do
            run -0 sow init qkv.lua -o right.safetensors -q -f --dtype $dtype
            run -0 sow check right.safetensors --source qkv.lua
            run -0 sow init qkv.lua -o whole.safetensors -q -f --dtype $dtype --set '*=uniform{-sqrt(6/512),sqrt(6/512)}'
            run sow check whole.safetensors --source qkv.lua
            ends_with 1
            has "$output" "error std: qkv.weight" "block [0, 256) of axis $([[ $layout = in-out ]] && echo 1 || echo 0), the first of 3" \
                "Glorot by the fans of the whole fused tensor" "not passed: 1 error"
        done
    done
    echo 'linear("qkv", 128, 384, { blocks = { 256, 64, 64 }, bias = false }) rule("*", glorot_uniform)' >qkv.lua
    run -0 sow init qkv.lua -o right.safetensors -q -f
    # one block 8 % too wide: 0.6 % of the whole tensor's std, which a mixture would hide
    edit right.safetensors wide.safetensors '
raw = t["qkv.weight"][2]
for at in range(4 * 320 * 128, len(raw), 4):
    struct.pack_into("<f", raw, at, 1.08 * struct.unpack_from("<f", raw, at)[0])'
    run sow check wide.safetensors --source qkv.lua
    ends_with 1
    has "$output" "block [320, 384) of axis 0: std" "expected 0.10206 (factor 1.0"
    edit right.safetensors zero.safetensors 't["qkv.weight"][2][4 * 320 * 128 :] = bytes(4 * 64 * 128)'
    run sow check zero.safetensors --source qkv.lua
    ends_with 1
    has "$output" "error all-zero: qkv.weight" "block [320, 384) of axis 0: all 8192 elements are 0"
    edit right.safetensors packed.safetensors 't["qkv.weight"] = ["U8", [384, 128], bytearray(384 * 128)]'
    run -0 sow check packed.safetensors --source qkv.lua
    has "$output" "note not-judged: qkv.weight" "stored as u8, expected glorot_uniform" "0 judged"
    awk 'BEGIN { for (i = 1; i <= 1000; i++) print 1 + i % 97 }' >counts.txt
    echo 'linear("head", 4, 1000) rule("*weight", glorot_uniform) rule("*", zeros)' >head.lua
    run -0 sow init head.lua -o head.safetensors -q --set 'head.bias=class_prior{counts="counts.txt"}'
    run -0 sow check head.safetensors
    has "$output" "note not-judged: head.bias" "more than can be told apart" "1 judged"
}

@test "the list of codes, and the page that is made of it" {
    for verb in check probe; do # a file beside it would be looked at by none
        run --separate-stderr sow "$verb" --codes x
        ends_with 2
        has "$stderr" "--codes lists all codes" "leave 'x' out"
    done
    run -0 sow check --codes
    has "$output" "twins" "identical-layers" "config-field"
    run -0 sow check --codes --json
    is_json "$output"
    "$BATS_TEST_DIRNAME/../../scripts/gen-check-doc" --check "$(dirname "$SOW")"
    run sow check
    ends_with 2
    run sow check x --variant y
    ends_with 2
    has "$output" "--variant needs --source"
}

@test "the findings do not depend on threads" {
    small_gpt2 --set '*.c_proj.weight=normal{std=0.02}'
    sow check m.safetensors --source gpt2.json --json -T 1 >one || true
    sow check m.safetensors --source gpt2.json --json -T 7 >seven || true
    cmp one seven
}

@test "F05: missing shards end it at once; a shard that the index does not name is a warning; a path is refused" {
    small_gpt2
    run -0 sow init gpt2.json --shard-size 200KB -o out -q
    cp out/model-00001-of-*.safetensors keep
    cp keep out/model-00099-of-00099.safetensors
    run sow check out/model.safetensors.index.json
    ends_with 1
    has "$output" "warning loose-shard: model-00099-of-00099.safetensors" "not passed: 0 errors, 1 warning"
    rm out/model-00099-of-00099.safetensors out/model-00002-of-*.safetensors
    run --separate-stderr sow check out
    ends_with 3
    [[ -z $output ]]
    has "$stderr" "1 of " "shards" "model-00002-of-" "bytes)"
    sed -i 's#"model-00001-of#"../model-00001-of#' out/model.safetensors.index.json
    run sow check out
    ends_with 3
    has "$output" "only a plain file name"
}

@test "F06: a file that is cut is an error; one that is complete and zero is told in folded findings" {
    echo '{"model_type": "llama", "vocab_size": 200, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 30,' \
        '"num_attention_heads": 4, "tie_word_embeddings": false}' >llama.json
    run -0 sow init llama.json -o zeros.safetensors -q --set '*layers.*proj.weight=zeros' --set '*embed*=zeros'
    run sow check zeros.safetensors --no-record
    ends_with 1
    has "$output" "error all-zero: model.layers.{0..29}.mlp.up_proj.weight (all of layers 0-29)" \
        "error all-zero: model.embed_tokens.weight" "not passed: 8 errors, 0 warnings"
    [[ ${#lines[@]} -lt 40 ]]
    run sow check zeros.safetensors --source llama.json
    ends_with 1
    has "$output" "expected normal{std=0.02}"
    truncate -s 50000 zeros.safetensors
    run --separate-stderr sow check zeros.safetensors
    ends_with 3
    [[ -z $output ]]
    has "$stderr" "the file is cut: it needs" "are missing (" "the first tensor that is cut is"
}

@test "F14: streams of 16 bits make twins, sow's make none among many" {
    echo 'for i = 0, 9999 do param("layers." .. i .. ".w", { 4, 8 }) end rule("*", normal { std = 0.02 })' >many.lua
    run -0 sow init many.lua -o many.safetensors --seed 7 -q
    run -0 sow check many.safetensors
    has "$output" "0 errors, 0 warnings, 0 notes in 10,000 tensors"
    edit many.safetensors folded.safetensors '
first = {}
for name in t: # as if the stream were the name folded to 16 bits
    key = (int(name.split(".")[1]) * 40503 ^ 12345) * 2654435761 % 2**32 >> 16
    t[name][2][:] = first.setdefault(key, bytes(t[name][2]))
print(len(t) - len(first), file=open("twins", "w"))'
    run sow check folded.safetensors --no-record
    ends_with 1
    has "$output" "error twins: layers." "are equal bit for bit"
    [[ $(cat twins) -gt 0 ]]
}

@test "F15: cut at three, not at three sigma: told in words, both ways" {
    printf '%s\n' 'linear("w", 512, 1344, { bias = false })' \
        'rule("*", trunc_normal { std = function(t) return sqrt(2 / (t.fan_in + t.fan_out)) end, bounds = 3 })' >linear.lua
    local plain='*=normal{std=sqrt(2/(fan_in+fan_out))}'
    run -0 sow init linear.lua -o cut.safetensors -q
    run -0 sow init linear.lua -o plain.safetensors -q --set "$plain"
    run -0 sow check cut.safetensors --source linear.lua
    run -0 sow check plain.safetensors --source linear.lua --set "$plain"
    run sow check plain.safetensors --source linear.lua
    ends_with 1
    has "$output" "error std: w.weight" "expected 0.032386" "plain normal of std 0.03283; the truncation at 3 sigma is missing"
    run sow check cut.safetensors --source linear.lua --set "$plain"
    ends_with 1
    has "$output" "expected 0.032827" "normal truncated at 3 sigma, its std before the cut"
}

@test "F16: a bracket: the factor, and the bug's signature" {
    printf '%s\n' 'local x = input { "batch", 256 }' 'x = x >> linear("fc", 256, 512, { bias = false })' \
        'rule("*", glorot_normal)' >net.lua
    run -0 sow init net.lua -o w.safetensors -q --set '*=normal{std=sqrt(2/fan_in + fan_out)}'
    run sow check w.safetensors --source net.lua
    ends_with 1
    has "$output" "error std: fc.weight" "expected 0.051031" "(factor 44" \
        "sqrt(2/fan_in + fan_out), about sqrt(fan_out): a bracket is missing"
    run -0 sow init net.lua -o right.safetensors -q
    run -0 sow check right.safetensors --source net.lua
}

@test "F18: padding rows that are copies of one row, in f32 and bf16; zero rows are another finding" {
    echo 'param("emb.weight", { 50304, 64 }) param("ln.bias", { 64 }) rule("ln.*", constant { value = 0.5 }) rule("*", normal { std = 0.02 })' >emb.lua
    for dtype in f32 bf16; do
        run -0 sow init emb.lua -o emb.safetensors -q -f --dtype $dtype
        run -0 sow check emb.safetensors --no-record
        edit emb.safetensors copies.safetensors '
raw = t["emb.weight"][2]
width = len(raw) // 50304
raw[50257 * width :] = raw[50256 * width : 50257 * width] * 47'
        run sow check copies.safetensors
        ends_with 1
        has "$output" "error equal-rows: emb.weight" "48 rows (50256-50303) are identical, 47 copies" "vocabulary padding"
        lacks "$output" "ln.bias" "zero-rows"
    done
    edit emb.safetensors zero.safetensors '
raw = t["emb.weight"][2]
raw[50257 * len(raw) // 50304 :] = bytes(47 * len(raw) // 50304)'
    run sow check zero.safetensors
    ends_with 1
    has "$output" "warning zero-rows: emb.weight" "rows 50257 to 50303: 47 are all zero"
    lacks "$output" "equal-rows"
    sed -n 's/50304/50257/p' emb.lua >config.lua
    run sow check copies.safetensors --source config.lua
    ends_with 1
    has "$output" "shape [50304, 64], expected [50257, 64]" "padded to a multiple of 64 or 128"
}

@test "F20: one layer of three has the forget bias, or both biases have it" {
    printf '%s\n' 'local y = input { "batch", "tokens", 8 }' \
        'y = y >> lstm("lstm", 8, 64, { layers = 3, bidirectional = true })' \
        'rule("*weight*", glorot_uniform) rule("*", zeros)' >lstm.lua
    local rule='*.bias_hh*=forget_bias{3}'
    run -0 sow init lstm.lua -o right.safetensors -q --set "$rule"
    run -0 sow check right.safetensors --source lstm.lua --set "$rule"
    edit right.safetensors bug.safetensors '
for name in t:
    if "bias_hh" in name and name != "lstm.bias_hh_l0":
        t[name][2][:] = bytes(1024)'
    run sow check bug.safetensors --source lstm.lua --set "$rule"
    ends_with 1
    for name in l0_reverse l1 l1_reverse l2 l2_reverse; do
        has "$output" "error constant-value: lstm.bias_hh_$name"
    done
    has "$output" "64 of 256 elements are not the constant of their slice (forget_bias{value=3}; the first is 64)" \
        "left at 0" "not passed: 5 errors, 0 warnings"
    edit right.safetensors both.safetensors '
for name in t:
    if "bias_ih" in name:
        t[name][2][:] = t[name.replace("_ih", "_hh")][2]'
    run sow check both.safetensors --source lstm.lua --set "$rule"
    ends_with 1
    has "$output" "two values, 0 and 3: a slice was set" "not passed: 6 errors"
    lacks "$output" "drawn at random"
}

@test "F21: a bias of -2.19 is no finding by itself, against a prior it is" {
    echo 'linear("hm", 64, 80) rule("*weight", lecun_normal) rule("*", zeros)' >det.lua
    run -0 sow init det.lua -o det.safetensors -q --set 'hm.bias=constant{-2.19}'
    run -0 sow check det.safetensors --no-record
    has "$output" "passed: 0 errors, 0 warnings, 0 notes"
    run sow check det.safetensors --source det.lua --set 'hm.bias=prior{pi=0.1}'
    ends_with 1
    has "$output" "all 80 elements are -2.19, expected -2.19722"
}

@test "F24: an output head at std 1" {
    echo 'local x = input { "batch", 768 } x = x >> linear("lm_head", 768, 4096, { bias = false })' \
        'rule("*", lecun_normal)' >head.lua
    run -0 sow init head.lua -o head.safetensors -q --set '*=normal{std=1}'
    run sow check head.safetensors --no-record
    ends_with 1
    has "$output" "warning unit-std: lm_head.weight" "for a head 1/sqrt(fan_in)"
    run sow check head.safetensors --source head.lua
    ends_with 1
    has "$output" "error std: lm_head.weight" "expected 0.036084" "std 1: the default of torch.nn.Embedding"
    run -0 sow init head.lua -o right.safetensors -q
    run -0 sow check right.safetensors --no-record
    run -0 sow check right.safetensors --source head.lua
}
