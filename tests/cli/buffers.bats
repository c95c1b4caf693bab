# SPDX-License-Identifier: MIT
# Buffers (running statistics, counters): their layers start them, wildcard rules leave them alone, a rule that names
# them has them, and files carry them through init and verify.
# shellcheck disable=SC2154 # stderr comes from run
load helper

net() {
    cat >net.lua <<'LUA'
local x = input { "batch", 3, 8, 8 }
x = x >> conv2d("conv", 3, 4, { bias = false, padding = 1 }) >> batch_norm("bn", 4) >> activation("relu")
x = x >> global_pool() >> linear("fc", 4, 2)
param("steps", {}, { kind = "buffer", value = 7, dtype = "i32" })
rule("conv.weight", he_normal)
rule("*", normal { std = 0.02 })
LUA
}

# The scheme, the number and the reason of a tensor.
of() {
    sow plan net.lua --json -q "${@:2}" |
        python3 -c 'import json,sys; t = {x["name"]: x for x in json.load(sys.stdin)["tensors"]}[sys.argv[1]]
print(t["dtype"], t["scheme"], t.get("mean"), t["rule"], "|", t["reason"])' "$1"
}

@test "a wildcard claims weights and no buffer; the layer starts it and says so" {
    net
    [[ $(of bn.weight) == "f32 normal 0 * | "* ]]
    [[ $(of bn.running_mean) == "f32 zeros 0 buffer | buffer: running mean starts at 0; zeros: every element = 0" ]]
    [[ $(of bn.running_var) == "f32 ones 1 buffer | buffer: running variance starts at 1; ones: every element = 1" ]]
    [[ $(of bn.num_batches_tracked) == "i64 zeros 0 buffer | buffer: number of batches seen starts at 0; "* ]]
    [[ $(of steps) == "i32 constant 7 buffer | buffer: steps starts at 7; "* ]]
    [[ $(of bn.running_var --set '*running_va?=zeros' 2>&1) == *"claims no tensor"*"*.running_var"* ]]
}

@test "a rule whose last part is written out claims buffers" {
    net
    [[ $(of bn.running_var --set '*.running_var=constant{value=2}') == "f32 constant 2 *.running_var | "* ]]
    [[ $(of bn.running_mean --set '*.{running_mean,running_var}=constant{value=3}') == "f32 constant 3 "* ]]
    [[ $(of steps --set 'steps=constant{value=9}') == "i32 constant 9 steps | "* ]]
    run -3 --separate-stderr sow plan net.lua --set 'steps=normal{std=1}'
    has "$stderr" "steps" "constants only"
    run -2 --separate-stderr sow plan net.lua --set '*.running_var=he_normal'
    has "$stderr" "bn.running_var" "zeros, ones or constant"
}

@test "buffers are counted apart, and the counter keeps its dtype" {
    net
    run -0 --separate-stderr sow plan net.lua --dtype bf16
    has "$output" "9 tensors, 126 parameters, 10 elements of buffers" "scalar i64" "buffer"
    run -0 --separate-stderr sow explain net.lua bn.running_var
    has "$output" "buffer, running variance" "its layer" "running variance starts at 1"
}

@test "init, verify and stats of a checkpoint with buffers" {
    net
    for dtype in f32 bf16 f64 f8_e5m2; do
        run -0 --separate-stderr sow init net.lua -o $dtype.safetensors --dtype $dtype --seed 3 -q
        run -0 --separate-stderr sow verify $dtype.safetensors
        run -0 --separate-stderr sow verify $dtype.safetensors --source net.lua --seed 3 --dtype $dtype
    done
    run -0 --separate-stderr sow stats f32.safetensors
    has "$output" "bn.num_batches_tracked"
}
