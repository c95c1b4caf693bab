-- SPDX-License-Identifier: MIT
-- muP (Yang et al. 2022, table 8): a multilayer perceptron whose values move alike at every width. The width is 64 unless
-- sow probe --widths gives another; the base width, at which muP is the same as without, is 64.
local c = config { "the network mup.lua", width = size(64) }
local base = 64

local x = input { "batch", 32 }
x = x >> linear("h1", 32, c.width, { bias = false }) >> activation("relu")
x = x >> linear("h2", c.width, c.width, { bias = false }) >> activation("relu")
x = (x >> linear("out", c.width, 10, { bias = false })) * (base / c.width)

rule("h?.weight", normal { std = function(t) return 1 / sqrt(t.fan_in) end }, "variance 1 / fan_in")
rule("out.weight", normal { std = sqrt(1 / 128) }, "the same at every width; the multiplier above brings 1 / width")
