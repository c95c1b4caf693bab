# SPDX-License-Identifier: MIT
# Odd tensors and wrong words: float8, integer, empty and 0-d tensors in every verb; activations, schemes, fans and variants
# that do not exist. Each has one clear answer.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_TEST_DIRNAME/../../examples" examples
}

odd_file() {
    python3 - <<'PY'
import json, struct
header, data = {}, b""
for name, dtype, shape, raw in [("f8", "F8_E4M3", [4], b"\x38\x7f\x00\x81"), ("int", "I64", [2], struct.pack("<2q", 1, -2)),
                                ("none", "F32", [0, 3], b""), ("scalar", "F32", [], struct.pack("<f", 2.5))]:
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
open("odd.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
}

@test "float8, integer, empty and 0-d tensors: stats, diff, plan, init, verify and explain" {
    odd_file
    run -0 sow stats odd.safetensors
    [[ $output == *"1 NaN (element 1)"* && $output == *"0 x 3"*"empty"* && $output == *"scalar"*"all 2.5"* ]]
    run -0 sow diff odd.safetensors odd.safetensors
    run -0 sow init odd.safetensors --set '*=zeros' -o zeros.safetensors
    run -0 sow verify zeros.safetensors
    run -0 sow explain odd.safetensors none --set '*=zeros'
    [[ $output == *"0 elements"* ]]
    run -0 sow explain odd.safetensors scalar --set '*=zeros'
    run -3 sow plan odd.safetensors --set '*=normal{std=1}'
    [[ $output == *"is i64, which takes constants only"* ]]
}

@test "words that do not exist: the nearest one is named" {
    run -2 sow plan examples/gpt2/config.json --set '*=norml{std=1}'
    [[ $output == *"did you mean normal?"* ]]
    run -2 sow plan examples/gpt2/config.json --set '*.c_fc.weight=he_normal{activation="geluu"}'
    [[ $output == *"did you mean gelu?"* ]]
    run -2 sow plan examples/gpt2/config.json --set '*.c_fc.weight=he_normal{fan="trch"}'
    [[ $output == *"did you mean torch?"* ]]
    run -2 sow plan examples/gpt2/config.json --set '*.c_fc.weight=he_normal{gain=0/0}'
    [[ $output == *"NaN"* ]]
    run -2 sow plan examples/gpt2/config.json --variant matchd
    [[ $output == *"did you mean matched?"* ]]
}

@test "numbers that a dtype does not reach are refused: no weight starts infinite" {
    printf 'param("a", { 4 })\n' > one.lua
    while IFS='|' read -r scheme dtype words; do
        if [ "$words" = fine ]; then
            run -0 sow init one.lua --set "a=$scheme" --dtype "$dtype" -o out.safetensors --force -q
            run -0 sow verify out.safetensors -q
        else
            run -3 sow init one.lua --set "a=$scheme" --dtype "$dtype" -o no.safetensors
            [[ "$output" == *"\`a\` would start with infinities: "*" reaches $words"* ]]
            [ ! -e no.safetensors ]
        fi
    done <<'CASES'
constant{value=65519}|f16|fine
constant{value=-65520}|f16|6.55e+04, and f16 ends at 65504
constant{value=1e39}|bf16|1e+39, and bf16 ends at 3.39e38
constant{value=1e39}|f64|fine
constant{value=1e39}|f8_e4m3fn|fine
normal{std=9800}|f16|fine
normal{std=1e38}|f32|6.66e+38, and f32 ends at 3.4e38
uniform{low=-7e4,high=1}|f16|7e+04, and f16 ends at 65504
trunc_normal{std=1e5,low_absolute=-5,high_absolute=6e4}|f16|fine
log_uniform{low=1,high=1e6}|f16|1e+06, and f16 ends at 65504
CASES
}

@test "matched needs a graph" {
    odd_file
    run -2 sow plan odd.safetensors --variant matched
    [[ $output == *"this source has none"* ]]
}
