-- SPDX-License-Identifier: MIT
-- Rules for --rules: sow plan examples/gpt2/config.json --rules examples/rules.lua. The config's fields are in sight.
rule("*.c_fc.weight", he_normal { gain = "gelu" }, "the gain of the activation that follows")
rule("*.c_proj.weight", normal { std = function(t) return 1 / sqrt(2 * n_layer * t.fan_in) end },
     "1 / sqrt(fan_in), and the residual stream kept level over 2 n_layer branches")
