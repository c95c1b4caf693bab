/* SPDX-License-Identifier: MIT */
/* Building a Model: what sources and recipes call. Readers of a finished model need model.h only. */
#ifndef SOW_GRAPH_BUILD_H
#define SOW_GRAPH_BUILD_H

#include "model/graph/arena.h"
#include "model/graph/model.h"

#define SOW_MODEL_PARAMETERS_MAX UINT32_C(1500000) /* tensors of one model */
#define SOW_MODEL_OPERATIONS_MAX (UINT32_C(1) << 22)
#define SOW_MODEL_NAME_MAX       1024u               /* bytes of a tensor's name */
#define SOW_MODEL_BYTES_MAX      (UINT64_C(1) << 30) /* strings and small arrays of one model */
#define SOW_MODEL_ELEMENTS_MAX   (UINT64_C(1) << 56) /* of one tensor: what the stream can number */

/* An open-addressing table from a name to its index; capacity is a power of two, 0 is an empty slot. */
struct sow_names {
    struct sow_name_slot {
        uint32_t index; /* index + 1 */
        uint32_t
            hash; /* of the name: tells most other names apart, and where it goes in a larger table */
    } * slots;
    size_t capacity;
};

#define SOW_MODEL_ALIKE 64u

struct sow_model {
    struct sow_graph graph; /* points into the arrays below */
    struct sow_parameter *parameters;
    struct sow_operation *operations;
    struct sow_value *values;
    struct sow_tie *ties;
    size_t parameter_capacity, operation_capacity, value_capacity, tie_capacity;
    struct sow_names names;                          /* of parameters */
    const struct sow_tensor *alike[SOW_MODEL_ALIKE]; /* kept lately, by hash */

    struct sow_variant *variants;
    size_t variant_count, variant_capacity;
    const char **notes;
    size_t note_count, note_capacity;
    const char *family;
    enum sow_dtype dtype;
    const char *
        scheme; /* of all weights, an expression as in --set, after the user's rules; NULL for none */

    void *
        host; /* what made the model and still has its rules; freed with host_free, before the rest */
    void (*host_free)(void *host);
    struct sow_arena arena;
};

/* An empty model; NULL when out of memory. Freed with sow_model_free. */
struct sow_model *sow_model_new(void);

/* All pointers inside what is added must live as long as the model: strings and arrays from model->arena, or static.
 * SOW_E_CONFIG when the name is taken. */
enum sow_status sow_model_add_parameter(struct sow_model *model,
                                        const struct sow_parameter *parameter, uint32_t *index,
                                        struct sow_error *error);
/* The operation and the value it makes; `operation->output` and `value->operation` are filled in. */
enum sow_status sow_model_add_operation(struct sow_model *model, struct sow_operation *operation,
                                        struct sow_value *value, struct sow_error *error);
/* A tensor like that one, kept for parameters; NULL when out of memory. */
const struct sow_tensor *sow_model_keep_tensor(struct sow_model *model,
                                               const struct sow_tensor *tensor);
enum sow_status sow_model_add_tie(struct sow_model *model, const char *name, const char *to,
                                  struct sow_error *error);
/* The first one is the default if it may be. */
enum sow_status sow_model_add_variant(struct sow_model *model, const char *name, const char *source,
                                      int may_be_default, struct sow_error *error);
enum sow_status sow_model_add_note(struct sow_model *model, const char *text, size_t length,
                                   struct sow_error *error);

/* Index of a parameter or UINT32_MAX. */
uint32_t sow_model_find(const struct sow_model *model, const char *name);

#endif
