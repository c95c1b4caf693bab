# SPDX-License-Identifier: MIT
# sow probe --steps: tables, JSON, rates, what never moves, what it refuses.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

@test "the loss falls and the tables fit the screen" {
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --steps 3
    has "$output" "3 steps of Adam on one batch of 8 samples" "moved after 1" "update/weight" "at once" "healthy"
    fits_100_columns "$output"
    [[ -z $stderr ]]
    run -0 --separate-stderr sow probe mlp:64,64x10,10 --steps 20 --seeds 2 --optimizer sgd --lr 0.1
    has "$output" "20 steps of plain SGD" "means over 2 seeds" "after 10" "after 20" "..."
    lacks "$output" "measured"
    fits_100_columns "$output"
    run -0 --separate-stderr sow probe mlp:64,64,10 --steps 1 --measure --brief
    has "$output" "predicted, and measured beside it" "1 step of Adam"
    lacks "$output" "update/weight"
}

@test "JSON has every step, and the same numbers for any number of threads" {
    run -0 --separate-stderr sow probe mlp:64,64x3,10 --steps 4 --json -T 1
    echo "$output" >one.json
    run -0 --separate-stderr sow probe mlp:64,64x3,10 --steps 4 --json -T 3
    echo "$output" >three.json
    python3 - <<'PYTHON'
import json
one, three = (json.load(open(name))["learning"] for name in ("one.json", "three.json"))
for d in one, three:
    d.pop("seconds"), d.pop("memory_bytes")
assert one == three
assert one["optimizer"] == "adam" and one["steps"] == one["done"] == 4 and one["classes"] == 10
assert len(one["loss"]) == 5 and one["loss"][4] < one["loss"][0]
assert [v["change"][0] for v in one["values"][1:]] == [0] * 7 and one["values"][0]["size"] is None
assert all(v["change"][t] < v["change"][t + 1] for v in one["values"][1:] for t in range(4))
assert [w["name"] for w in one["weights"]][:2] == ["layers.0.weight", "layers.0.bias"]
assert all(w["moves"] == 0 and len(w["ratio"]) == 4 for w in one["weights"])
PYTHON
}

@test "rates by tensor" {
    run -0 --separate-stderr sow probe mlp:32,64,10 --steps 2 --lr 0.01 --lr '*.0.weight=0.1*2/fan_in' --lr '*.bias=0' --json
    echo "$output" >probe.json
    python3 - <<'PYTHON'
import json
rates = {w["name"]: w["rate"] for w in json.load(open("probe.json"))["learning"]["weights"]}
assert rates == {"layers.0.weight": 0.00625, "layers.0.bias": 0, "layers.1.weight": 0.01, "layers.1.bias": 0}, rates
PYTHON
    run -2 --separate-stderr sow probe mlp:32,64,10 --steps 2 --lr 0.1 --lr 0.2
    has "$stderr" "0.1 and 0.2 are both the rate of all tensors"
    run -2 --separate-stderr sow probe mlp:32,64,10 --steps 2 --lr -1
    has "$stderr" "--lr -1: it is a number above 0"
    run -2 --separate-stderr sow probe mlp:32,64,10 --steps 2 --lr 'nothing=1'
    has "$stderr" 'claims no tensor: no name fits' '--lr: the rule'
    run -2 --separate-stderr sow probe mlp:32,64,10 --steps 2 --lr '*=fan_on'
    has "$stderr" "--lr '*=fan_on': fan_on is not defined"
    run -2 --separate-stderr sow probe mlp:32,64,10 --steps 2 --optimizer rmsprop
    has "$stderr" "it is adam or sgd"
}

@test "a loss that is not finite ends the steps with exit code 1" {
    run -1 --separate-stderr sow probe mlp:16,32,10 --steps 9 --optimizer sgd --lr 1e30
    has "$output" "the loss is not finite after step 1: take a smaller --lr"
    run -1 --separate-stderr sow probe mlp:16,32,10 --steps 9 --optimizer sgd --lr 1e30 --json
    has "$output" '"done": 1'
}

@test "several schemes side by side" {
    run -0 --separate-stderr sow probe mlp:64,64x9,10 --steps 5 --compare 'normal{std=0.01}' he_normal
    has "$output" "2.303 to 2.298" "2.835 to 1.368" "before and after 5 steps"
    fits_100_columns "$output"
}

@test "what does not fit into --memory is refused beforehand" {
    run -4 --separate-stderr sow probe mlp:1000,1000x3,10 --steps 1 --memory 1MB
    has "$stderr" "--memory"
}

@test "widths: they agree under muP and do not without" {
    cp "$BATS_TEST_DIRNAME/../../examples/mup.lua" .
    run -0 --separate-stderr sow probe mup.lua --widths 64,128,256 --batch 64 --lr 'h2.weight=0.001*64/fan_in' -q
    has "$output" "3 widths, 3 steps of adam, 4 seeds" "widths agree" "slope at 0"
    lacks "$output" "! "
    fits_100_columns "$output"
    run -1 --separate-stderr sow probe mup.lua --widths 64,128,256 --batch 64 -q
    has "$output" "widths do not agree: h2 and 2 more values: how far 1 step moves it"
    run -0 --separate-stderr sow probe 'mlp:32,{}x2,10' --widths 64,128 --steps 1 --seeds 1 --threshold width=9 --json -q
    is_json "$output"
    has "$output" '"widths": [64, 128]' '"agree": true'
}

@test "widths that cannot be" {
    run -2 --separate-stderr sow probe mlp:32,64,10 --widths 64,128
    has "$stderr" "64 and 128 give the same network" "{}"
    for widths in 64 "64," 0,64 a -1,2 64,64x; do
        run -2 --separate-stderr sow probe 'mlp:32,{},10' --widths "$widths"
        has "$stderr" "--widths"
    done
    run -2 --separate-stderr sow probe 'mlp:32,{},10' --widths 64,128 --threshold dead=1
    has "$stderr" "with --widths there is one, width=0.15"
    run -4 --separate-stderr sow probe 'gpt2-{}.json' --widths 64,128
    has "$stderr" "gpt2-64.json"
}

@test "CSV has what each step moved, and a row a step" {
    run -0 --separate-stderr sow probe mlp:32,48x2,10 --steps 3 --json
    echo "$output" >probe.json
    sow probe mlp:32,48x2,10 --steps 3 --csv >probe.csv
    python3 - <<'PYTHON'
import csv, json
learned = json.load(open("probe.json"))["learning"]
values, steps = (list(csv.DictReader(block.splitlines())) for block in open("probe.csv").read().split("\n\n"))
number = lambda field: float(field) if field else None
assert [row["name"] for row in values] == [value["name"] for value in learned["values"]]
for row, value in zip(values, learned["values"]):
    assert number(row["size"]) == value["size"]
    assert [number(row[f"moved_after_{t}"]) for t in (1, 2, 3)] == value["change"][1:], row
assert [row["step"] for row in steps] == ["0", "1", "2", "3"]
assert [number(row["loss"]) for row in steps] == learned["loss"]
for weight in learned["weights"]:
    assert [number(row[weight["name"]]) for row in steps] == [None, *weight["ratio"]], weight["name"]
assert None in [number(row["layers.0.bias"]) for row in steps[1:]]  # zeros have no ratio
PYTHON
    run -0 --separate-stderr sow probe mlp:32,48x2,10 --steps 2 --compare he_normal glorot_normal --csv
    has "$output" $'\n\nrun,step,loss\n0,0,' $'\n1,2,'
    run -0 --separate-stderr sow probe mlp:32,48x2,10 --compare he_normal glorot_normal --csv
    lacks "$output" "run,step"
}

@test "pictures and the report have the first steps" {
    command -v gnuplot >/dev/null || skip "no gnuplot"
    sow probe mlp:32,48x6,10 --steps 5 --json >probe.json
    run -0 --separate-stderr sow probe mlp:32,48x6,10 --steps 5 -q --plot out.svg --report out.html
    has "$(cat out.svg)" "Loss on the one random batch" "How fast weights move" "How far values move"
    python3 - <<'PYTHON'
import json, re
learned = json.load(open("probe.json"))["learning"]
script, html = open("out.gp").read(), open("out.html").read().replace("<wbr>", "")
block = lambda name: [[float(x) for x in row.split(",")] for row in re.search(rf"{re.escape(name)} << EOD\n(.*?)\nEOD", script, re.S)[1].splitlines()]
near = lambda a, b: abs(a - b) < 1e-4 * abs(b)
assert all(near(row[1], loss) for row, loss in zip(block("$loss0"), learned["loss"], strict=True))
matrices = [w for w in learned["weights"] if w["name"].endswith(".weight")]
for t, row in enumerate(block("$updates0")):
    assert len(row) == 8 and all(near(10 ** x, w["ratio"][t]) for x, w in zip(row[1:], matrices, strict=True))
assert block("$moved")[-1][0] == 7 and near(10 ** block("$moved")[-1][2], learned["values"][-1]["change"][5] / learned["values"][-1]["size"])
assert "The first steps of learning" in html and "Loss on the one random batch" in html
assert f"<strong>falls</strong> from {learned['loss'][0]:.5g} to {learned['loss'][5]:.5g}" in html
assert all(f"<td class=w>{w['name']}</td>" in html for w in learned["weights"])
PYTHON
    run -0 --separate-stderr sow probe mlp:32,48x6,10 --steps 5 -q --compare he_normal glorot_normal --plot two.svg --report two.html
    has "$(cat two.svg)" "Loss on the one random batch" "(median)"
    lacks "$(cat two.svg)" "How far values move"
    [[ $(grep -c "<h3>The first steps of learning</h3>" two.html) == 2 ]]
    run -1 --separate-stderr sow probe mlp:32,48x6,10 --steps 5 --lr 1e30 -q --plot bad.svg --report bad.html
    has "$(cat bad.html)" "<strong>is not finite</strong>" "Loss on the one random batch"
    run -0 --separate-stderr sow probe mlp:32,48x6,10 -q --plot none.svg
    lacks "$(cat none.svg)" "Loss on"
}
