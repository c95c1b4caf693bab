/* SPDX-License-Identifier: MIT */
/* The rows of ops.def, and reading what the recipe gave an operation by them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "model/signal/network/inside.h"

const struct sow_op_row sow_op_rows[SOW_OP_COUNT] = {
#define SOW_OP(id, word, shape, ...) {word, __VA_ARGS__},
#include "model/signal/network/ops.def"
};

enum attribute_kind { NUMBER, COUNT, FLAG, TEXT, FUNCTION };

static const struct attribute_row {
    const char *name;
    enum attribute_kind kind;
    size_t offset;
} attribute_rows[] = {
#define SOW_ATTRIBUTE(name, kind, field) {name, kind, offsetof(struct sow_op_attributes, field)},
#include "model/signal/network/ops.def"
};

const char *sow_op_word(enum sow_op op)
{
    return sow_op_rows[op].word;
}

enum sow_status sow_node_fail(const struct sow_node *node, enum sow_status code,
                              struct sow_error *error, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return sow_fail_at(error, code, node->file, node->line, 0, "%.150s (%s): %s", node->name,
                       sow_op_rows[node->op].word, text);
}

/* Whether `word` is one of the words of `list`, between blanks. */
static int is_listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) {
            return 1;
        }
    }
    return 0;
}

static const struct attribute_row *attribute_of(const char *name)
{
    for (size_t i = 0; i < sizeof attribute_rows / sizeof attribute_rows[0]; i++) {
        if (strcmp(attribute_rows[i].name, name) == 0) {
            return &attribute_rows[i];
        }
    }
    return NULL;
}

/* Numbers of an activation that are its parameters: slope = 0.2. */
static size_t function_arguments(const struct sow_operation *operation, const char *activation,
                                 struct sow_argument arguments[SOW_ACTIVATION_PARAMETERS_MAX])
{
    const struct sow_activation *row = sow_activation_find(activation, NULL);
    size_t count = 0;
    for (uint32_t i = 0; row != NULL && i < operation->attribute_count; i++) {
        const struct sow_attribute *attribute = &operation->attributes[i];
        for (size_t k = 0; k < row->parameter_count && count < SOW_ACTIVATION_PARAMETERS_MAX; k++) {
            if (strcmp(row->parameters[k].name, attribute->name) == 0) {
                arguments[count++] =
                    (struct sow_argument){.name = attribute->name, .number = attribute->number};
            }
        }
    }
    return count;
}

static int is_function_parameter(const struct sow_node *node, const char *name)
{
    const struct sow_activation *row = node->at.function.activation;
    for (size_t k = 0; row != NULL && k < row->parameter_count; k++) {
        if (strcmp(row->parameters[k].name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

enum sow_status sow_node_attribute(struct sow_node *node, const struct sow_graph *graph,
                                   const struct sow_operation *operation,
                                   const struct sow_attribute *attribute, struct sow_arena *arena,
                                   struct sow_error *error)
{
    const struct attribute_row *row = attribute_of(attribute->name);
    double number = attribute->number;
    if (row == NULL || !is_listed(sow_op_rows[node->op].attributes, attribute->name)) {
        return is_function_parameter(node, attribute->name)
                   ? SOW_OK
                   : sow_node_fail(node, SOW_E_UNSUPPORTED, error,
                                   "its attribute %.60s is not one that signals are followed with",
                                   attribute->name);
    }
    void *field = (char *)&node->at + row->offset;
    if ((row->kind == TEXT || row->kind == FUNCTION) != (attribute->text != NULL)) {
        return sow_node_fail(node, SOW_E_ARGUMENT, error, "%s must be a %s", row->name,
                             row->kind == TEXT || row->kind == FUNCTION ? "text" : "number");
    }
    switch (row->kind) {
    case NUMBER:
    case FLAG:
        if (!(number - number == 0)) {
            return sow_node_fail(node, SOW_E_ARGUMENT, error, "%s is not finite", row->name);
        }
        if (row->kind == FLAG) {
            *(int *)field = number != 0;
        } else {
            *(double *)field = number;
        }
        return SOW_OK;
    case COUNT:
        if (!(number >= 0 && number <= (double)SOW_SIZE_MAX) ||
            (double)(uint64_t)number != number) {
            return sow_node_fail(node, SOW_E_ARGUMENT, error,
                                 "%s is %.17g; it must be a whole number from 0 to 2^40", row->name,
                                 number);
        }
        *(uint64_t *)field = (uint64_t)number;
        return SOW_OK;
    case TEXT:
        *(const char **)field = sow_arena_copy(arena, attribute->text, strlen(attribute->text));
        return *(const char **)field != NULL ? SOW_OK
                                             : sow_fail(error, SOW_E_MEMORY, "out of memory");
    case FUNCTION:
        break;
    }
    struct sow_argument arguments[SOW_ACTIVATION_PARAMETERS_MAX];
    size_t count = function_arguments(operation, attribute->text, arguments);
    struct sow_error inner;
    if (sow_graph_activation(graph, attribute->text, arguments, count, field, &inner) != SOW_OK) {
        return sow_node_fail(node, SOW_E_ARGUMENT, error, "%.400s", inner.message);
    }
    return SOW_OK;
}
