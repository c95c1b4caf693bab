-- SPDX-License-Identifier: MIT
-- A decoder of one's own: grouped queries, a tied head, and branches scaled with their depth.
local vocabulary, d, heads, kv_heads, layers = 8000, 256, 8, 2, 6
local hd, ff = d // heads, 4 * d

local function attend(x)
    local q = x >> linear("q", d, heads * hd, { bias = false })
    local k = x >> linear("k", d, kv_heads * hd, { bias = false })
    local v = x >> linear("v", d, kv_heads * hd, { bias = false })
    return bundle(q, k, v) >> attention { heads = heads, kv_heads = kv_heads, head_dim = hd, causal = true, rotary = true }
                           >> linear("out", heads * hd, d, { bias = false, role = "residual.output" })
end

local x = tokens() >> embedding("embed", vocabulary, d)
x = repeated("layers", layers, x, function(x)
    x = x + (x >> rms_norm("norm1", d) >> attend)
    return x + (x >> rms_norm("norm2", d) >> linear("up", d, ff) >> activation("gelu")
                  >> linear("down", ff, d, { role = "residual.output" }))
end)
x = x >> rms_norm("norm", d) >> tied("head.weight", "embed.weight")

-- Later branches start smaller: the sum over all layers stays of one size.
local function by_depth(t)
    return 0.02 / sqrt(2 * (t.layer + 1))
end

rule("*.{out,down}.weight", normal { std = by_depth }, "a branch of layer i starts with 0.02 / sqrt(2 (i + 1))")
rule("*norm*.weight", ones)
rule("*.bias", zeros)
rule("*", normal { std = 0.02 })
