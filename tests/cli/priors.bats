# SPDX-License-Identifier: MIT
# Biases that say what is known before training: class and binary priors, forget biases. The losses they
# tell are judged by torch in tests/python/test_priors.py.

# shellcheck disable=SC2154 # stderr comes from run
load helper

detector() {
    cat <<'LUA'
local x = input { "batch", 8 }
x = x >> linear("heads.hm", 8, 80) >> linear("cls", 80, 3)
local y = input { "batch", "tokens", 8 } >> lstm("lstm", 8, 64, { layers = 3, bidirectional = true })
rule("*weight*", glorot_uniform)
rule("*", zeros)
LUA
}

@test "F21: -2.19 is the prior of 0.1, and impossible ones are refused" {
    detector >det.lua
    run -0 sow explain det.lua heads.hm.bias --set 'heads.hm.bias=prior{pi=0.1}'
    [[ $output == *"draw      constant -2.197224577336219"* ]]
    [[ $output == *"cross-entropy a logit 0.325083 when a share pi is positive, and a zero bias"* ]]
    [[ $output == *"0.693147; 0.127333 when 0.01 is, and a zero bias 0.693147"* ]]
    run -0 sow explain det.lua heads.hm.bias --set 'heads.hm.bias=prior{0.01}'
    [[ $output == *"constant -4.59511985013459"* && $output == *"cross-entropy a logit 0.0560015"* ]]
    for pi in 0 1 1.5 -0.1 0/0 1/0; do
        run -2 --separate-stderr sow plan det.lua --set "heads.hm.bias=prior{pi=$pi}"
        [[ $stderr == *"pi of prior is "* ]]
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
}

@test "F20: a forget bias reaches every layer and direction, in one bias only" {
    detector >det.lua
    run -0 sow plan det.lua --json --set '*.bias_hh*=forget_bias{3}'
    [ "$(grep -c '"scheme":"forget_bias"' <<<"$output")" -eq 6 ]
    [ "$(grep -c '"begin":64,"end":128,"distribution":"constant","mean":3' <<<"$output")" -eq 6 ]
    [ "$(grep -c 'bias_ih.*"scheme":"zeros"' <<<"$output")" -eq 6 ]
    # Both biases claimed: the first has it.
    run -0 sow plan det.lua --json --set 'lstm.bias*=forget_bias{3}'
    [ "$(grep -c 'bias_ih.*"scheme":"forget_bias"' <<<"$output")" -eq 6 ]
    [ "$(grep -c 'bias_hh.*"scheme":"zeros".*it counts once' <<<"$output")" -eq 6 ]
}

@test "a class prior is drawn, written, recorded and verified" {
    detector >det.lua
    printf '# three classes\n5, 3\n2\n' >counts.txt
    sow init det.lua -q -o det.safetensors --set 'cls.bias=class_prior{counts="counts.txt"}'
    sow verify -q det.safetensors
    run -0 sow plan det.lua --json --set 'cls.bias=class_prior{p={0.5, 0.3, 0.2}}'
    [[ $output == *'"begin":1,"end":2,"distribution":"constant","mean":-1.2039728043259361'* ]]
    sow plan det.lua --json --set 'cls.bias=class_prior{p={0.5, 0.3, 0.2}}' | tail -1 >by_p
    sow plan det.lua --json --set 'cls.bias=class_prior{counts={50, 30, 20}}' | tail -1 >by_counts
    cmp by_p by_counts
}

@test "a prior of 100,000 classes" {
    detector >det.lua
    awk 'BEGIN { for (i = 1; i <= 100000; i++) print 1 + i % 7919 }' >counts.txt
    printf 'linear("head", 2, 100000)\nrule("*", zeros)\n' >head.lua
    sow init head.lua -q -o head.safetensors --set 'head.bias=class_prior{counts="counts.txt"}'
    sow verify -q head.safetensors
    run -0 sow explain head.lua head.bias --set 'head.bias=class_prior{counts="counts.txt"}'
    [[ $output == *"and 99992 more"* ]]
}

@test "a prior that cannot be has one clear error" {
    detector >det.lua
    printf '0.5 0.5\nx' >bad.txt
    : >empty.txt
    while IFS='|' read -r set message; do
        run -2 --separate-stderr sow plan det.lua --set "cls.bias=$set"
        [[ $stderr == *"$message"* ]] || { echo "$set: $stderr"; false; }
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done <<'CASES'
class_prior{p={0.5,0.3,0.3}}|sums to 1.1, not to 1
class_prior{p={0.5,-0.3,0.8}}|class 1 has -0.3
class_prior{p={0.5,0/0,0.5}}|class 1 has nan
class_prior{p={0.5,1/0,0.5}}|class 1 has inf
class_prior{p={0.5,0.5,0}}|would be -infinity; give it a small frequency
class_prior{counts={1,0,2}}|smoothing = 1
class_prior{p={0.5,0.5}}|has 2 frequencies, and the tensor has length 3
class_prior{counts={1,2,3,4}}|has 4 counts, and the tensor has length 3
class_prior|it was given neither
class_prior{p={1},counts={1}}|it was given both
class_prior{p={}}|is a list of numbers
class_prior{p={0.5,"a",0.5}}|entry 2 is a string
class_prior{p="bad.txt"}|line 2 of bad.txt: "x" is no number
class_prior{p="empty.txt"}|there is no number in empty.txt
class_prior{p="none.txt"}|none.txt: No such file
class_prior{p={0.5,0.3,0.2},smoothing=1}|goes with counts
forget_bias|whose gates are known
CASES
    run -2 sow plan det.lua --set 'cls.weight=class_prior{p={0.5,0.3,0.2}}'
    [[ $output == *"is no vector"* ]]
    printf 'linear("a", 2, 2)\nrule("*.bias", class_prior { p = "counts.txt" })\nrule("*", zeros)\n' >recipe.lua
    run -3 sow plan recipe.lua
    [[ $output == *"a recipe reads no file"* ]]
}
