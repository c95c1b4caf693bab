# SPDX-License-Identifier: MIT
# What the recipes of BERT, Gemma and Mixtral say that shapes alone do not: variants, padding rows, experts, and refusals.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

bert='{"model_type": "bert", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
 "intermediate_size": 24, "max_position_embeddings": 8'
gemma='{"model_type": "gemma", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 24'
mixtral='{"model_type": "mixtral", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 1, "intermediate_size": 24, "num_local_experts": 3'

refuses() {
    echo "$1" >config.json
    run --separate-stderr sow plan config.json
    ends_with 3
    [[ -z $output && ${#stderr_lines[@]} -eq 1 ]]
    has "$stderr" "config.json:$2: $3"
}

@test "BERT: transformers draws a normal and zeroes the padding row, the authors cut at two sigmas and do not" {
    echo "$bert, \"initializer_range\": 0.5}" >config.json
    run -0 --separate-stderr sow plan --json config.json
    [[ $(ask '[(e["distribution"], e["std"], [(r["begin"], r["end"], r["mean"]) for r in e["regions"]]) for e in [t["bert.embeddings.word_embeddings.weight"]]]' \
        <<<"$output") == "[('normal', 0.5, [(0, 1, 0)])]" ]]
    run -0 --separate-stderr sow plan --json config.json --variant google
    [[ $(ask '[(e["distribution"], e["low"], e["high"], e.get("regions")) for e in [t["bert.embeddings.word_embeddings.weight"]]]' \
        <<<"$output") == "[('trunc_normal', -1, 1, None)]" ]]
    run -0 sow init config.json --variant google -o google.safetensors
    run -0 sow verify google.safetensors
    run -0 sow plan config.json --variant google # and the other one afterwards is as before
    lacks "$output" "indices 0 to 0"
    echo 'variant("v", "s", function() rule("*", zeros) end) padding_drawn()' >bad.lua
    echo 'local x = input { "batch", 4 } >> linear("a", 4, 2)' >>bad.lua
    run sow plan bad.lua
    ends_with 3
    has "$output" "padding_drawn() has no place here; it belongs into a variant"
}

@test "BERT: labels as transformers counts them" {
    while IFS='|' read -r fields classes; do
        echo "$bert, \"architectures\": [\"BertForSequenceClassification\"]$fields}" >config.json
        run -0 --separate-stderr sow plan --json config.json
        [[ $(ask 't["classifier.weight"]["shape"]' <<<"$output") == "[$classes, 16]" ]]
    done <<'CASES'
|2
, "num_labels": 5|5
, "id2label": {"0": "a", "1": "b", "2": "c"}|3
, "id2label": {"0": "a", "1": "b", "2": "c"}, "num_labels": 5|5
, "id2label": {"0": "a", "00": "b"}|1
, "id2label": null|2
CASES
    refuses "$bert, \"num_labels\": null}" 2:57 "num_labels is null"
    refuses "$bert, \"num_labels\": 2.5}" 2:57 "num_labels is 2.5"
    refuses "$bert, \"id2label\": [\"a\"]}" 2:57 "id2label is a list"
    refuses "$bert, \"architectures\": [\"BertForQuestionAnswering\"], \"num_labels\": 3}" 2:104 "num_labels is 3"
    refuses "$bert, \"architectures\": [\"BertForNothing\"]}" 2:57 "architectures names BertForNothing"
}

@test "Gemma: norms start at zero, gelu is its tanh form, the authors' own std" {
    echo "$gemma, \"hidden_act\": \"gelu\"}" >config.json
    run -0 --separate-stderr sow plan config.json
    has "$output" 'note: hidden_act is "gelu": gelu_pytorch_tanh' "indices 0 to 0 of axis 0: 0"
    run -0 --separate-stderr sow plan --json config.json
    [[ $(ask '{(e["scheme"]) for n, e in t.items() if n.endswith("norm.weight")}' <<<"$output") == "{'zeros'}" ]]
    run -0 --separate-stderr sow plan --json config.json --variant deepmind
    [[ $(ask '{e.get("std") for n, e in t.items() if not n.endswith("norm.weight")}' <<<"$output") == "{0.01}" ]]
    refuses "${gemma/\"num_key_value_heads\": 1/\"num_key_value_heads\": null}}" 2:2 "num_key_value_heads is null"
}

@test "Mixtral: experts and router with their own zero, and counts that cannot be" {
    echo "$mixtral, \"initializer_range\": 0.0}" >config.json
    run -0 --separate-stderr sow plan --json config.json
    [[ $(ask 't["model.layers.0.block_sparse_moe.experts.2.w2.weight"]["shape"], t["model.layers.0.block_sparse_moe.gate.weight"].get("std", 0), t["lm_head.weight"]["std"]' \
        <<<"$output") == "[16, 24] 0 0.02" ]]
    refuses "$mixtral, \"num_experts_per_tok\": 4}" 2:77 "num_experts_per_tok is 4: a token cannot go to more than the 3 experts"
    refuses "$mixtral, \"num_experts_per_tok\": 0}" 2:77 "num_experts_per_tok is 0; it must be 1 to"
    refuses "$mixtral, \"num_experts\": 4}" 2:77 "num_local_experts is 3 and num_experts is 4; they are two names of one field"
    refuses "${mixtral/experts\": 3/experts\": 5000}}" 2:53 "num_local_experts is 5000: at most 4095 are possible"
}
