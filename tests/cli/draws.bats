# SPDX-License-Identifier: MIT
# Field cases of scales and bounds: what is drawn, what explain says of it, and what check makes of the
# checkpoint that has the bug.
# shellcheck disable=SC2154 # output and stderr come from run
load helper

# Statistics of the first tensor: number FILE KEY
number() {
    sow stats "$1" --json | grep -o "\"$2\": [^,]*" | head -1 | cut -d' ' -f2
}

# |A - B| <= C
near() {
    awk -v a="$1" -v b="$2" -v c="$3" 'BEGIN { d = a - b; exit !((d < 0 ? -d : d) <= c) }'
}

@test "F15: cut at three sigmas, or at an absolute three that cuts nothing" {
    cat >linear.lua <<'LUA'
linear("w", 512, 1344, { bias = false })
rule("*", trunc_normal { std = function(t) return sqrt(2 / (t.fan_in + t.fan_out)) end, bounds = 3 })
LUA
    sow init linear.lua -q -o cut.safetensors
    sow init linear.lua -q -o plain.safetensors \
        --set '*=trunc_normal{std=sqrt(2/(fan_in+fan_out)), low_absolute=-3, high_absolute=3}'
    run -0 sow explain linear.lua w.weight
    has "$output" "0.0984798246" "std 0.032386 after the cut"
    near "$(number cut.safetensors std)" 0.0323860 0.00015
    near "$(number plain.safetensors std)" 0.0328266 0.00015
    near "$(number cut.safetensors max)" 0.0984798 0.0005
    near "$(number plain.safetensors max)" 0.158 0.02
    run -0 sow check cut.safetensors --source linear.lua
    run -1 sow check plain.safetensors --source linear.lua
    has "$output" "plain normal" "the truncation at 3 sigma is missing"
}

@test "F16: a bracket that is missing in 2 / (fan_in + fan_out)" {
    printf 'linear("w", 256, 512, { bias = false })\nrule("*", glorot_normal)\n' >net.lua
    sow init net.lua -q -o bug.safetensors --set '*=normal{std=sqrt(2/fan_in + fan_out)}'
    run -0 sow explain net.lua w.weight --set '*=normal{std=sqrt(2/fan_in + fan_out)}'
    has "$output" "fan_in = 256, fan_out = 512" "std 22.6275896"
    run -0 sow explain net.lua w.weight
    has "$output" "= 0.051031"
    run -1 sow check bug.safetensors --source net.lua
    has "$output" "w.weight" "expected 0.051031" "sqrt(fan_out)"
}

@test "F17: one scale for two fan-ins" {
    cat >block.lua <<'LUA'
repeated("layers", 22, function(i)
    if i == 21 then
        linear("o_proj", 2048, 2048, { bias = false })
        linear("down_proj", 5632, 2048, { bias = false })
    end
end)
rule("*", normal { std = function(t) return 1 / sqrt(t.fan_in * t.n_layer) end })
LUA
    sow init block.lua -q -o bug.safetensors --set '*=normal{std=1/sqrt(2048*n_layer)}'
    run -0 sow explain block.lua layers.21.down_proj.weight
    has "$output" "fan_in = 5632, n_layer = 22" "std 0.0028409090"
    run -1 sow check bug.safetensors --source block.lua
    has "$output" "layers.21.down_proj.weight" "factor 1.65" "what fan_in = 2048 would give"
    lacks "$output" "error std: layers.21.o_proj.weight"
}

@test "F19: a uniform from 0 gives no 0, in bf16 neither" {
    printf 'param("A", { 4000000 })\nrule("*", uniform { 0, 16 })\n' >a.lua
    for dtype in f32 f16 bf16; do
        sow init a.lua -q -o "$dtype.safetensors" --dtype "$dtype"
        [[ $(number "$dtype.safetensors" zeros) -eq 0 ]]
        near "$(number "$dtype.safetensors" mean)" 8 0.02
    done
    # Half of the smallest subnormal, 2^-10, is reached once in 2^14.
    sow init a.lua -q -o f8.safetensors --dtype f8_e4m3fn
    near "$(number f8.safetensors zeros)" 244 80
}
