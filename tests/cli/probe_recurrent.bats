#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# sow probe of recurrent layers: verdicts over time, and what is refused. The numbers: tests/python/test_recurrent.py.
load helper

recipe() { # LAYER [LINE...]: tokens, an embedding, the layer of 32 units, a head
    printf '%s\n' "local x = tokens() >> embedding(\"embed\", 65, 64) >> $1 >> linear(\"head\", 32, 65)" "${@:2}" >r.lua
}

@test "a relu network whose state grows in each step explodes" {
    recipe 'rnn("r", 64, 32, { nonlinearity = "relu" })'
    run -1 sow probe r.lua --set '*=normal{std=0.5}'
    has "$output" "EXPLODE: starts at r"
    has "$output" "in each step of"
    has "$output" "cure: sow probe r.lua"
    run -0 sow probe r.lua --set '*=normal{std=0.1}'
    has "$output" healthy
}

@test "an lstm of zeros never learns, and one of equal units stays so" {
    recipe 'lstm("r", 64, 32)'
    run -1 sow probe r.lua --set '*=zeros'
    has "$output" "ZERO-GRAD: starts at embed.weight"
    has "$output" "for ever"
    run -1 sow probe r.lua --set 'embed.weight=normal{std=1}' --set '*=constant{0.1}'
    has "$output" "SYMMETRIC: starts at r"
    run -1 sow probe r.lua --set 'r.bias_*=forget_bias{1}' --set 'r.weight*=constant{0.1}' \
        --set 'head.weight=constant{0.1}' --set '*=normal{std=1}'
    has "$output" "SYMMETRIC: starts at r"
    run -0 sow probe r.lua --set 'r.*=zeros' --set '*=normal{std=0.1}'
    has "$output" "at the first step only"
}

@test "one step has no use for the weights of the state, which is no fault" {
    recipe 'gru_cell("r", 64, 32, { names = "keras" })'
    run -0 sow probe r.lua --set '*=normal{std=0.1}' --measure
    lacks "$output" ZERO-GRAD
}

@test "a sequence that does not fit is refused before anything is drawn" {
    printf '%s\n' 'local x = input { "batch", 100000000, 64 } >> lstm("r", 64, 256)' \
        'rule("*", normal { std = 0.1 })' >long.lua
    run sow probe long.lua --measure
    [ "$status" -ne 0 ]
    has "$output" "are allowed: send fewer samples or tokens"
}
