# SPDX-License-Identifier: MIT
# sow activations: the table, one with its numbers, and expressions of the user's own.
# shellcheck disable=SC2154 # stderr and stderr_lines come from run
load helper

# KEY of the JSON in $output.
key() {
    python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<<"$output"
}

# KEY of the JSON in $output is VALUE to 1e-9.
key_is() {
    python3 -c '
import json, sys
found = json.load(sys.stdin)[sys.argv[1]]
sys.exit(abs(found - float(sys.argv[2])) > 1e-9 and f"{sys.argv[1]} is {found}")' "$1" "$2" <<<"$output"
}

@test "the table names every activation in 100 columns" {
    run -0 --separate-stderr sow activations
    has "$output" linear relu leaky_relu prelu rrelu relu6 relu_squared elu selu celu gelu gelu_tanh quick_gelu silu \
        mish softplus logsigmoid sigmoid tanh lecun_tanh hardtanh hardsigmoid hardswish softsign arctan asinh sin cos \
        erf abs square gaussian tanhshrink softshrink hardshrink exp glu reglu geglu swiglu bilinear undefined
    fits_100_columns "$output"
}

@test "one activation: numbers, what frameworks ship, stability, words" {
    run -0 sow activations tanh
    has "$output" "1.5925374197" "torch           1.6666666667" "+4.7 %" "K*=0" "A scale error heals"
    fits_100_columns "$output"
    run -0 sow activations sigmoid
    has "$output" "Gradients die at" "criticality: none"
    run -0 sow activations gelu_new
    has "$output" "name        gelu_tanh" "A scale error grows with depth"
    run -0 sow activations hardshrink
    has "$output" "undefined" "(jumps)"
    run -0 sow activations swiglu
    has "$output" "A gate multiplies two signals"
}

@test "JSON of every activation" {
    run -0 --separate-stderr sow activations --json
    is_json "$output"
    [[ $(grep -c '"gain":' <<<"$output") -ge 36 ]]
    run -0 --separate-stderr sow activations selu --json
    key_is mean 0
    key_is second_moment 1
    key_is gain 1
    key_is variance_gain 1
    key_is derivative_second_moment 1.0715749925
    key_is chi_perp 1.0715749925
    key_is chi_par 0.7826478832
    key_is c0 0
    run -0 --separate-stderr sow activations hardshrink --json
    [[ $(key chi_perp) == None && $(key undefined) == *chi_perp* ]]
}

@test "parameters, sigma_w and sigma_b" {
    run -0 --separate-stderr sow activations 'leaky_relu{slope=0.2}' --json
    key_is gain 1.3867504906
    run -0 sow activations tanh --sigma-w 1 --sigma-b 0.22360679775 # sqrt 0.05
    has "$output" "0.193592" "0.759031"
    run -0 sow activations relu --sigma-w 2
    has "$output" "never: it grows without bound"
}

@test "F22: a ReLU moved by hand" {
    run -0 --separate-stderr sow activations --expr 'max(x,0) - (sqrt(2.85)-1)' --json
    key_is mean -0.2892520212
    key_is second_moment 0.4245117887
    key_is gain 1.5348117751
    key_is variance_gain 1.7128585504
    key_is derivative_second_moment 0.5
    key_is chi_perp 1.1778235925
    run -0 sow activations --expr 'max(x,0) - (sqrt(2.85)-1)' --sigma-w 1.7320508
    has "$output" "never: it grows without bound" "kinks       0"
}

@test "an expression has the numbers of its row, kinks found or given" {
    run -0 --separate-stderr sow activations mish --json
    local gain
    gain=$(key gain)
    run -0 --separate-stderr sow activations --expr 'x * tanh(log(1 + exp(x)))' --json
    key_is gain "$gain"
    run -0 --separate-stderr sow activations --expr 'max(x, 0)^2' --json
    key_is second_moment 1.5
    run -0 sow activations --expr 'abs(x - 0.3)'
    has "$output" "kinks       0.3"
    run -0 sow activations --expr 'x > 0.3 and x or 0' --kinks 0.3
    has "$output" "0.3 (jumps)"
}

@test "expressions that cannot be: one clear error, exit 2" {
    local expression
    for expression in 'log(x)' '1/x' 'exp(x^2)' 'x +' 'foo(x)' '"a"' 'nil' 'y' '(function() while true do end end)()' \
        'x = 1' 'os.exit()'; do
        run --separate-stderr sow activations --expr "$expression"
        ends_with 2
        has "$stderr" "sow: error: "
        [[ -z $output && $(grep -c error <<<"$stderr") -eq 1 ]]
    done
    has "$stderr" "os is not defined"
}

@test "names and options that cannot be" {
    run sow activations gellu
    ends_with 2
    has "$output" "did you mean gelu?"
    local arguments
    for arguments in "relu --expr x" "relu --kinks 0" "--sigma-w 1" "relu --sigma-w -1" "relu --sigma-w nan" \
        "relu{slope=1}" "leaky_relu{slope}" "--expr x --kinks 1,0" "--expr x --kinks a"; do
        # shellcheck disable=SC2086 # split into words on purpose
        run sow activations $arguments
        ends_with 2
    done
}

@test "docs/activations.md lists what the table holds" {
    "$BATS_TEST_DIRNAME/../../scripts/gen-activations-doc" --check "$(dirname "$SOW")"
}
