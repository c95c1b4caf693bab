/* SPDX-License-Identifier: MIT */
/* Network: the graph of a model as signals walk it. Every size is a number ("batch" and "tokens" are what the options
 * say), every operation an enum with its attributes read, every parameter an entry of the plan. Not here: what an
 * operation does to a signal (predict) or to numbers (measure). Built once, then only read. */
#ifndef SOW_SIGNAL_NETWORK_H
#define SOW_SIGNAL_NETWORK_H

#include "sow/signal.h"

enum sow_op {
#define SOW_OP(id, ...) SOW_OP_##id,
#include "model/signal/network/ops.def"
    SOW_OP_COUNT
};

/* The word the recipes record, "linear". */
const char *sow_op_word(enum sow_op op);

/* What is wrong with the rope of rotary attention, and radians a place by which attention turns pair `pair` of a head's features, among `places` places;
 * 0 where it does not turn it (rotary.c). */
struct sow_op_attributes;
const char *sow_rotary_fault(const struct sow_op_attributes *at); /* NULL: it can be */
double sow_rotary_frequency(const struct sow_op_attributes *at, uint64_t pair, uint64_t places);

#define SOW_SPATIAL_MAX 3
#define SOW_NO_INDEX    UINT32_MAX

/* What an operation was given; a field that its row in ops.def does not name is 0. */
struct sow_op_attributes {
    uint64_t inputs, outputs, rows, features; /* linear, embedding */
    int64_t zero_row; /* of the weight: its padding, which no token looks up; -1 for none */
    uint64_t inputs2; /* bilinear: of its second value */
    const char *tied; /* NULL; or the name that the weight has here too */
    const char *gates, *names; /* recurrent: recurrent.h reads them */
    int bidirectional, has_bias;
    struct sow_function function; /* activation, gated */
    const char *first;            /* gated, of one value: its first half, "gate" or "value" */
    /* conv and pools: axes after [batch, channels]; kernel, stride and padding of each */
    uint64_t spatial, groups;
    uint64_t kernel[SOW_SPATIAL_MAX], stride[SOW_SPATIAL_MAX], padding[SOW_SPATIAL_MAX];
    uint64_t output_padding[SOW_SPATIAL_MAX]; /* conv_transpose; shapes have it in them */
    uint64_t axis, index; /* from 0: batch_norm, group_norm, layer_scale, concat, take */
    const char *kind,
        *over;     /* global_pool: "average" or "max", "sizes" or "tokens"; rnn: "tanh" or "relu" */
    uint64_t skip; /* global_pool: places at the start that are left out */
    double eps, offset;                         /* norms; what is added to the scale */
    double p;                                   /* dropout: the share that is dropped */
    double factor;                              /* scale */
    uint64_t heads, kv_heads, head_dim, window; /* attention; window 0: none */
    int causal, rotary;
    struct sow_rope { /* of rotary attention; what is left out is 0 */
        double theta;
        const char *kind; /* NULL: "default" */
        double factor, low, high, original, share;
        int fractions; /* yarn: its ramp begins and ends between two pairs */
    } rope;
    uint64_t experts, top_k; /* route, experts */
    int normalised;          /* route: the weights that are kept add up to 1 */
    double scale; /* of the attention's logits; 1 / sqrt(head_dim) when the recipe says nothing */
    double mean, std, correlation; /* input: of its elements, and between the places of a sample */
    double sample_correlation;     /* input: between samples; not said in a recipe */
};

/* A value: what an operation made. Its number is that of the model's graph. */
struct sow_flow {
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    uint64_t elements;
    uint32_t node; /* that made it */
    uint32_t uses; /* nodes that read it, each as often as it does */
    int is_rows;   /* numbers of rows, for an embedding to look up */
};

struct sow_node {
    enum sow_op op;
    uint32_t input_count, parameter_count;
    const uint32_t *inputs;     /* flows; their nodes come before this one */
    const uint32_t *parameters; /* entries of the plan */
    uint32_t output;            /* flow */
    struct sow_op_attributes at;
    /* unique and for people: the name of its tensors without ".weight", else its scope and word:
     * "transformer.h.0.attn.c_attn", "transformer.h.0.gelu", "transformer.h.0.add.2" */
    const char *name;
    const char *scope; /* "transformer.h.0", "" */
    int32_t layer;     /* of the innermost repeated(); -1 outside */
    const char *file;  /* where the recipe says it */
    uint32_t line;
};

struct sow_network {
    const struct sow_node *nodes; /* in an order in which they can run */
    size_t node_count;
    const struct sow_flow *flows;
    size_t flow_count;
    const uint32_t
        *outputs; /* flows that nobody reads: what the network gives, the last one last */
    size_t output_count;
    uint64_t batch, tokens;
};

/* `plan` must be the model's; `options` may be NULL. The network owns copies and needs neither afterwards, its
 * parameters are numbers of entries of `plan`. SOW_E_ARGUMENT for sizes and statistics that cannot be; SOW_E_SHAPE,
 * with the node, its line and the shapes, where they do not fit; SOW_E_UNSUPPORTED for an operation without a row in
 * ops.def and for a model without a graph; SOW_E_MEMORY. */
enum sow_status sow_network_make(const struct sow_model *model, const struct sow_plan *plan,
                                 const struct sow_signal_options *options,
                                 struct sow_network **network, struct sow_error *error);
void sow_network_free(struct sow_network *network);

/* Of the logits of a classifier: a linear layer of at least 2 outputs, maybe scaled, is the last output. 0: it is none. */
uint64_t sow_network_classes(const struct sow_network *network);

/* Whether a linear layer's weight is (inputs, outputs), either of them maybe a grid of axes. */
int sow_weight_turned(const struct sow_tensor *tensor);

/* Fills *error with the node's name and place before the sentence, and returns `code`. */
enum sow_status sow_node_fail(const struct sow_node *node, enum sow_status code,
                              struct sow_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
