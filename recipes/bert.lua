-- SPDX-License-Identifier: MIT
-- BERT (Devlin et al. 2018) as transformers stores it: a post-norm encoder, its pooler and its heads.
-- Defaults and null handling: BertConfig of transformers 5.24.0. pad_token_id, left out, is 0: that row of the word
-- embeddings is zero. position_ids and token_type_ids are buffers that are not saved.
-- Tied (the default): the decoder's weight is the word embeddings', its bias cls.predictions.bias. Untied, both are
-- tensors of their own, and cls.predictions.bias is saved though nothing reads it.
local c = config { "BertConfig of transformers 5.24.0",
    unread { hidden_dropout_prob = fraction, attention_probs_dropout_prob = fraction, classifier_dropout = optional(real),
             use_cache = boolean, add_cross_attention = boolean, bos_token_id = optional(integer),
             eos_token_id = optional(integers), chunk_size_feed_forward = integer },
    vocab_size = size(30522), hidden_size = size(768), num_hidden_layers = depth(12), num_attention_heads = size(12),
    intermediate_size = size(3072), hidden_act = "gelu", max_position_embeddings = size(512), type_vocab_size = size(2),
    initializer_range = 0.02, layer_norm_eps = 1e-12, pad_token_id = nullable(0), is_decoder = false,
    tie_word_embeddings = true }

local d = c.hidden_size
if d % c.num_attention_heads ~= 0 then
    refuse("hidden_size", "it must be a multiple of num_attention_heads, which is " .. c.num_attention_heads)
end

check_padding("pad_token_id", c.vocab_size)

local class = architecture("Bert", { "BertForMaskedLM", "BertForPreTraining", "BertModel", "BertLMHeadModel",
                                     "BertForNextSentencePrediction", "BertForSequenceClassification",
                                     "BertForTokenClassification", "BertForMultipleChoice", "BertForQuestionAnswering" })
local act = transformers_activation("hidden_act", c.hidden_act)
local eps = { eps = c.layer_norm_eps }

-- What the classes have: a pooler, and a head.
local pooled = { BertModel = true, BertForPreTraining = true, BertForNextSentencePrediction = true,
                 BertForSequenceClassification = true, BertForMultipleChoice = true }
local predicts = { BertForMaskedLM = true, BertForPreTraining = true, BertLMHeadModel = true }
local sentences = { BertForPreTraining = true, BertForNextSentencePrediction = true }
local classes = labels()
local classifies = { BertForSequenceClassification = classes, BertForTokenClassification = classes, BertForMultipleChoice = 1 }

-- ---- The encoder ----

local function block(x)
    local q = x >> linear("attention.self.query", d, d, { role = "attention.query" })
    local k = x >> linear("attention.self.key", d, d, { role = "attention.key" })
    local v = x >> linear("attention.self.value", d, d, { role = "attention.value" })
    x = x + (bundle(q, k, v) >> attention { heads = c.num_attention_heads, causal = c.is_decoder }
               >> linear("attention.output.dense", d, d, { role = "residual.output" }))
    x = x >> layer_norm("attention.output.LayerNorm", d, eps)
    x = x + (x >> linear("intermediate.dense", d, c.intermediate_size, { role = "mlp.up" }) >> act
               >> linear("output.dense", c.intermediate_size, d, { role = "residual.output" }))
    return x >> layer_norm("output.LayerNorm", d, eps)
end

local x, sentence
scope(class == "BertModel" and "" or "bert", function()
    scope("embeddings", function()
        x = (tokens() >> embedding("word_embeddings", c.vocab_size, d, { padding = c.pad_token_id }))
            + (segments() >> embedding("token_type_embeddings", c.type_vocab_size, d))
            + (positions() >> embedding("position_embeddings", c.max_position_embeddings, d))
        x = x >> layer_norm("LayerNorm", d, eps)
    end)
    x = repeated("encoder.layer", c.num_hidden_layers, x, block)
    if pooled[class] then
        sentence = x >> take(1) >> linear("pooler.dense", d, d, { role = "pooler" }) >> activation("tanh")
    end
end)

-- ---- The heads ----

if predicts[class] then
    local y = x >> linear("cls.predictions.transform.dense", d, d, { role = "head.transform" }) >> act
                >> layer_norm("cls.predictions.transform.LayerNorm", d, eps)
    if c.tie_word_embeddings then
        y = y >> tied("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight",
                      { bias = "cls.predictions.bias", role = "head" })
        tied("cls.predictions.decoder.bias", "cls.predictions.bias")
    else
        y = y >> linear("cls.predictions.decoder", d, c.vocab_size, { role = "head" })
        param("cls.predictions.bias", { c.vocab_size }, { kind = "bias" })
    end
end
if sentences[class] then
    sentence = sentence >> linear("cls.seq_relationship", d, 2, { role = "head" })
elseif classifies[class] then
    sentence = (sentence or x) >> linear("classifier", d, classifies[class], { role = "head" })
elseif class == "BertForQuestionAnswering" then
    if classes ~= 2 then
        refuse("num_labels", "BertForQuestionAnswering marks a start and an end: it must be 2")
    end
    x = x >> linear("qa_outputs", d, 2, { role = "head" })
end

-- ---- Initial values ----

local std = c.initializer_range ~= 0 and c.initializer_range or 0.02 -- the library reads 0 as "not given"
local norms = "a normalisation starts as the identity: scale 1"
local biases = "a bias starts at 0: the random weights already make the units differ"

variant("transformers", "huggingface/transformers, src/transformers/modeling_utils.py, PreTrainedModel._init_weights, and "
        .. "models/bert/modeling_bert.py, v5.24.0", function()
    rule("*LayerNorm.weight", ones, norms)
    rule("*bias", zeros, biases)
    rule("*", normal { std = std }, "a small normal, std = initializer_range, whatever the depth")
end)

variant("google", "google-research/bert, modeling.py, create_initializer and its calls (the authors' code, no release)",
        function()
    padding_drawn()
    rule("*LayerNorm.weight", ones, norms)
    rule("*bias", zeros, biases)
    rule("*", trunc_normal { std = c.initializer_range }, "a small normal of std initializer_range, cut at 2 sigmas, which "
         .. "leaves 0.88 of it")
end)
