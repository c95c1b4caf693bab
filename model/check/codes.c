/* SPDX-License-Identifier: MIT */
/* The one list of what can be found: code, severity, meaning and cure. `sow check --codes`, docs/check.md and the tests
 * follow from it. The worst first, as findings are told. */
#include "model/check/codes.h"

#include <string.h>

#include "core/base/error.h"

static const struct sow_check_code codes[SOW_CODE_COUNT + 1] = {
    [SOW_CODE_NAN] =
        {"nan", SOW_SEVERITY_ERROR, 0, "not a number",
         "Memory that nobody filled, a draw that overflowed, or training that diverged. One NaN "
         "reaches every "
         "output.",
         "find the step that wrote it and write the tensor anew (sow init); never train on"},
    [SOW_CODE_INF] = {"inf", SOW_SEVERITY_ERROR, 0, "infinite values",
                      "The logarithm of a zero (a decay drawn in bf16), an overflow of f16, or a "
                      "mask stored as a weight.",
                      "draw in f32 and round once, or keep the zero out of the logarithm"},
    [SOW_CODE_GARBAGE] =
        {"garbage", SOW_SEVERITY_ERROR, 0, "values that no initialisation makes",
         "Memory that nobody filled: pointers, text or old numbers read as weights, so that some "
         "are beyond 1e9 or many below 1e-38.",
         "find the tensor's first write: it was made empty and never filled; write it anew"},
    [SOW_CODE_VARIANCE] = {"variance", SOW_SEVERITY_ERROR, 0,
                           "a running variance that is not above zero",
                           "It is divided by: made and never set to 1, or a count taken for it.",
                           "set it to 1, as every library starts it"},
    [SOW_CODE_PREFIX] =
        {"prefix", SOW_SEVERITY_WARNING, 1, "all names differ by one prefix",
         "Saved from another class (the bare model, without its head), or from a wrapper (module. "
         "of DataParallel, _orig_mod. of torch.compile). Some loaders take the prefix off; others "
         "find no name and draw everything anew. The rest is judged as if the names agreed.",
         "save from the class that the config names, or rename"},
    [SOW_CODE_MISSING] = {"missing-tensor", SOW_SEVERITY_ERROR, 1,
                          "the source has it, the file has not",
                          "A loader fills it from its own defaults, or not at all.",
                          "write the checkpoint again, or name the config it belongs to"},
    [SOW_CODE_EXTRA] =
        {"extra-tensor", SOW_SEVERITY_WARNING, 1, "the file has it, the source has not",
         "The checkpoint belongs to another config or class; a loader drops what it does not know.",
         "name the config it belongs to, or drop the tensors"},
    [SOW_CODE_CONFIG] =
        {"config-field", SOW_SEVERITY_ERROR, 1, "one field of the config explains the shapes",
         "Names or shapes differ, and one field set to another value makes them agree.",
         "set the field to the value found, or take the checkpoint of this config"},
    [SOW_CODE_SHAPE] =
        {"shape", SOW_SEVERITY_ERROR, 1, "a shape that is not the source's",
         "The checkpoint belongs to another config, or a weight is stored transposed.",
         "name the config it belongs to"},
    [SOW_CODE_DTYPE] = {"dtype", SOW_SEVERITY_WARNING, 1, "a dtype that is not the source's",
                        "Saved in another precision than asked for, or only in part.",
                        "give --dtype when it is meant; else save again"},
    [SOW_CODE_TIED] =
        {"tied-differs", SOW_SEVERITY_ERROR, 1,
         "tied in the config, two different tensors in the file",
         "Loaders keep one of the two and drop the other; which one depends on the loader.",
         "store the tensor once, or untie it in the config"},
    [SOW_CODE_CONSTANT_VALUE] =
        {"constant-value", SOW_SEVERITY_ERROR, 1, "a constant that is another one",
         "A bias, norm or prior that did not get its value, or got it in the wrong place.",
         "set it as the recipe says (sow explain shows the value and why)"},
    [SOW_CODE_PADDING] =
        {"padding-row", SOW_SEVERITY_ERROR, 1, "a slice that should be constant is not",
         "The row of padding_idx, the forget gate of a bias: drawn over, or set in another place.",
         "set the slice as the recipe says (sow explain)"},
    [SOW_CODE_ZEROS] =
        {"all-zero", SOW_SEVERITY_ERROR, 0, "all zeros where random values belong",
         "Memory that was never filled, a gain of 0, or a file of which half was copied. Where a "
         "zero "
         "start is meant (LoRA's B, zero-initialised residuals), the source says so.",
         "write the tensor anew; with --source a zero that is meant passes"},
    [SOW_CODE_CONSTANT] =
        {"constant", SOW_SEVERITY_ERROR, 0, "one value throughout a weight matrix",
         "All units compute the same and stay the same: there is no learning beyond one unit.",
         "draw it at random"},
    [SOW_CODE_STD] = {"std", SOW_SEVERITY_ERROR, 1, "another standard deviation than the recipe's",
                      "Another scheme, another fan, a gain or a depth scaling that is missing; the "
                      "cause is named when one "
                      "fits.",
                      "draw with the recipe's std, or name the variant that was meant (--variant)"},
    [SOW_CODE_MEAN] =
        {"mean", SOW_SEVERITY_ERROR, 1, "another mean than the recipe's",
         "An offset: Gemma's norms stored one higher, a uniform on [0, a) instead of [-a, a).",
         "draw with the recipe's mean"},
    [SOW_CODE_LAW] = {"distribution", SOW_SEVERITY_ERROR, 1,
                      "another distribution than the recipe's",
                      "Uniform for normal, a truncation that is missing or not asked for, a tail "
                      "too heavy or too light.",
                      "draw from the recipe's distribution"},
    [SOW_CODE_BOUNDS] = {"bounds", SOW_SEVERITY_ERROR, 1, "values outside the recipe's bounds",
                         "A truncation or a uniform's limit was not kept, or the bounds were "
                         "absolute where multiples of "
                         "the std were meant.",
                         "cut at the recipe's bounds"},
    [SOW_CODE_CLIPPED] = {"clipped", SOW_SEVERITY_ERROR, 1,
                          "a heap of equal values at an end of the range",
                          "Values beyond the bound were set to it instead of being drawn again.",
                          "draw a truncated distribution by redrawing or inversion, not "
                          "by clipping"},
    [SOW_CODE_TWINS] =
        {"twins", SOW_SEVERITY_ERROR, 0, "tensors that are equal bit for bit",
         "One seed for several tensors, a layer copied instead of drawn, or a tied weight stored "
         "twice.",
         "draw each from its own stream (sow keys by name); store a tied tensor once"},
    [SOW_CODE_LAYERS] =
        {"identical-layers", SOW_SEVERITY_ERROR, 0, "layers that are equal in every tensor",
         "A layer was deep-copied (torch.nn.TransformerEncoder does it), or each was seeded alike.",
         "draw every layer anew after copying"},
    [SOW_CODE_PERMUTED] =
        {"permuted-copy", SOW_SEVERITY_ERROR, 0, "the same values in another order",
         "The same stream written in another layout: transposed, shuffled, or sharded another way.",
         "draw each tensor from its own stream"},
    [SOW_CODE_STREAM] =
        {"same-stream", SOW_SEVERITY_ERROR, 0, "the same draws at another scale or length",
         "The generator was seeded anew for each tensor with one seed: their values are those of "
         "one stream, stretched, and not independent.",
         "seed once and draw on, or give each tensor a stream of its own (sow keys by name)"},
    [SOW_CODE_ROWS] = {"equal-rows", SOW_SEVERITY_ERROR, 0, "rows that are copies of one row",
                       "In an embedding the vocabulary was padded by repeating a row: those tokens "
                       "start as one. In a "
                       "layer equal rows are equal units, which stay equal.",
                       "draw the padding rows, or set them to zero and keep the tokens unused"},
    [SOW_CODE_COLUMNS] =
        {"equal-columns", SOW_SEVERITY_ERROR, 0, "columns that are copies of one column",
         "Inputs that are treated alike: a broadcast value, or a block repeated to widen a layer.",
         "draw the columns"},
    [SOW_CODE_PERMUTED_ROWS] =
        {"permuted-rows", SOW_SEVERITY_ERROR, 0,
         "rows or columns of the same values in another order",
         "One row was rolled or shuffled to make the others: the values are not independent.",
         "draw every row"},
    [SOW_CODE_SIBLING] = {"sibling-std", SOW_SEVERITY_WARNING, 0,
                          "one layer's std is not like its siblings'",
                          "A rule that reached some layers only, or one layer initialised again.",
                          "draw the layer as the others are (sow plan shows which rule claims it)"},
    [SOW_CODE_UNIT_STD] =
        {"unit-std", SOW_SEVERITY_WARNING, 0, "a weight matrix at std 1",
         "The default of torch.nn.Embedding, or a scheme called without its std. As an output head "
         "it makes "
         "a first loss of about 100; as a layer it saturates what follows.",
         "normal{std=0.02} or the model's own initializer_range; for a head 1/sqrt(fan_in)"},
    [SOW_CODE_ZERO_ROWS] =
        {"zero-rows", SOW_SEVERITY_WARNING, 0, "rows of zeros",
         "Rows never filled: an embedding that was enlarged, a shard that was "
         "not loaded; after training, units that died or were pruned. One zero row of "
         "an embedding is the padding token's, and only a note.",
         "fill them, or name the padding row in the config (pad_token_id)"},
    [SOW_CODE_NEAR_ROWS] =
        {"near-rows", SOW_SEVERITY_WARNING, 0, "rows that are nearly copies",
         "Two units of a layer, or tokens of an embedding, that start as one but for noise (a "
         "cosine above 1 - 1e-6) and learn nearly the same: a widened layer, rows set to a mean. "
         "A row and a multiple of it are such a pair.",
         "draw the rows"},
    [SOW_CODE_NEAR_COLUMNS] = {"near-columns", SOW_SEVERITY_WARNING, 0,
                               "columns that are nearly copies",
                               "Inputs that are treated alike but for noise: a layer widened by "
                               "copying, with noise added.",
                               "draw the columns"},
    [SOW_CODE_TRAINED] =
        {"trained", SOW_SEVERITY_NOTE, 0, "the checkpoint looks trained",
         "Norm scales start as constants, and batch counters at 0; here they have moved. Check is "
         "for initial weights: no distribution is known after training, and sibling-std, unit-std, "
         "near-rows and zero-rows (units that died or were pruned) are notes.",
         "check the weights that were saved before the first step"},
    [SOW_CODE_LOOSE_FILE] =
        {"loose-shard", SOW_SEVERITY_WARNING, 0, "a shard on disk that the index does not name",
         "Left over from another save, or the index is old; no loader reads it.",
         "remove the file, or write the index anew"},
    [SOW_CODE_TIED_TWICE] = {"tied-twice", SOW_SEVERITY_NOTE, 1,
                             "a tied tensor is stored twice, equal",
                             "Harmless: the file is larger than it must be.",
                             "nothing, or store it once"},
    [SOW_CODE_RECORD] = {"record", SOW_SEVERITY_NOTE, 0, "the record in the file cannot be used",
                         "The file says that sow wrote it, but the record does not fit the file.",
                         "name the model: --source CONFIG"},
    [SOW_CODE_OPAQUE] = {"not-judged", SOW_SEVERITY_NOTE, 1,
                         "the expected distribution cannot be tested",
                         "The type's values are not read or not drawn (c64, below 8 bits, "
                         "integers that hold a quantised weight), or slices lie on several axes.",
                         "nothing"},
};

const struct sow_check_code *sow_check_code(enum sow_code code)
{
    return &codes[code];
}

const struct sow_check_code *sow_check_code_at(size_t index)
{
    return index < SOW_CODE_COUNT ? &codes[index] : NULL;
}

static const char *name_at(const void *unused, size_t index)
{
    (void)unused;
    return index < SOW_CODE_COUNT ? codes[index].code : NULL;
}

const struct sow_check_code *sow_check_code_find(const char *code, struct sow_error *error)
{
    for (size_t i = 0; i < SOW_CODE_COUNT; i++) {
        if (strcmp(codes[i].code, code) == 0) {
            return &codes[i];
        }
    }
    const char *near = sow_nearest(code, name_at, NULL);
    sow_fail(error, SOW_E_ARGUMENT, "there is no code '%.60s'%s%s%s (sow check --codes lists them)",
             code, near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
             near != NULL ? "'?" : "");
    return NULL;
}

const char *sow_severity_name(enum sow_severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[severity];
}
