/* SPDX-License-Identifier: MIT */
/* Model: the parameters of a network in the order of their declaration, and the operations between
 * them. Built once by a source or a recipe, then only read. No reader and no Lua in here: this is the
 * plain data everything below works on. */
#ifndef SOW_GRAPH_MODEL_H
#define SOW_GRAPH_MODEL_H

#include "core/activation/expression.h"
#include "sow/model.h"

/* Consecutive slices of one axis that are initialised as separate matrices (packed QKV). */
struct sow_blocks {
    uint32_t axis;
    uint32_t count;        /* 0: not fused */
    const uint64_t *sizes; /* sum is the axis' size */
    /* what each block is, words between blanks ("i f g o": the gates of a recurrent layer); NULL */
    const char *gates;
};

/* A model may have a million of them: what they can share they share. */
struct sow_parameter {
    const char *name;                /* full, UTF-8 */
    const char *key;                 /* NULL: draws as its name */
    const struct sow_tensor *tensor; /* shared by those that are alike */
    struct sow_blocks blocks;
    int64_t zero_row; /* row of axis 0 that starts as zeros (padding_idx); -1 for none */
    double value;     /* what a buffer starts at when no rule claims it */
    const char *twin; /* full name of the tensor that is added to it before anything else; NULL */
    const char *role; /* "embedding", "attention.query", "residual.output", "head", ... or "" */
    int32_t layer;    /* index in the innermost repeated(); -1 outside */
    int32_t layer_count;
    enum sow_dtype dtype; /* 0: whatever the user asks for */
    uint32_t line;        /* where it was declared */
    const char *file;
};

/* A value that flows: the output of an operation. Sizes may be symbolic: size 0 with a name ("tokens"). */
struct sow_value {
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    const char *symbol[SOW_RANK_MAX]; /* NULL where the size is known */
    uint32_t operation;               /* that made it */
};

struct sow_attribute {
    const char *name;
    const char *text; /* NULL when it is a number */
    double number;
};

struct sow_operation {
    const char *kind;  /* "linear", "layer_norm", "attention", "add", ... */
    const char *scope; /* full name prefix it was recorded under */
    uint32_t input_count, parameter_count, attribute_count;
    const uint32_t *inputs;     /* values */
    const uint32_t *parameters; /* of the model */
    const struct sow_attribute *attributes;
    uint32_t output; /* value */
    int32_t layer;
    const char *file;
    uint32_t line;
};

struct sow_tie {
    const char *name, *to; /* `name` is not stored: it is the tensor `to` */
};

/* An expression that is used as an activation, under the name "expr{...}". */
struct sow_graph_function {
    struct sow_expression_program program;
    struct sow_function function; /* refers to the program */
    const struct sow_graph_function *next;
};

struct sow_graph {
    const struct sow_parameter *parameters;
    size_t parameter_count;
    const struct sow_operation *operations;
    size_t operation_count;
    const struct sow_value *values;
    size_t value_count;
    const struct sow_tie *ties;
    size_t tie_count;
    const struct sow_graph_function *functions; /* each expression once */
};

/* The read-only view of a loaded model. */
const struct sow_graph *sow_model_graph(const struct sow_model *model);
/* The dtype its config names (torch_dtype, dtype), 0 when it names none. */
enum sow_dtype sow_model_dtype(const struct sow_model *model);
/* The expression called "expr{...}"; NULL when there is none. */
const struct sow_function *sow_graph_expression(const struct sow_graph *graph, const char *name);
/* The activation of an operation with this name and these numbers among its attributes; of an expression that of the graph,
 * which it must outlive. SOW_E_ARGUMENT when there is none. */
enum sow_status sow_graph_activation(const struct sow_graph *graph, const char *name,
                                     const struct sow_argument *arguments, size_t count,
                                     struct sow_function *function, struct sow_error *error);

#endif
