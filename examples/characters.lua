-- SPDX-License-Identifier: MIT
-- A language model over characters: two layers of LSTM with torch's own start, and units that remember from the beginning.
local characters, d, hidden = 65, 64, 256

local x = tokens() >> embedding("embed", characters, d)
x = x >> lstm("lstm", d, hidden, { layers = 2 })
x = x >> linear("head", hidden, characters)

rule("embed.weight", normal { std = 1 })
rule("lstm.bias_*", forget_bias { value = 1 }, "without it half of a cell is gone after one step")
rule("lstm.weight_*", uniform { low = -1 / sqrt(hidden), high = 1 / sqrt(hidden) })
rule("head.weight", lecun_normal)
rule("*", zeros)
