/* SPDX-License-Identifier: MIT */
/* The activations of a graph's operations: rows of the table, and expressions, which live in the model. What makes
 * them of a text is model/recipe/activation.c. */
#include "model/graph/model.h"

#include <string.h>

const struct sow_function *sow_graph_expression(const struct sow_graph *graph, const char *name)
{
    const struct sow_graph_function *at = graph->functions;
    while (at != NULL && strcmp(at->program.name, name) != 0) {
        at = at->next;
    }
    return at != NULL ? &at->function : NULL;
}

enum sow_status sow_graph_activation(const struct sow_graph *graph, const char *name,
                                     const struct sow_argument *arguments, size_t count,
                                     struct sow_function *function, struct sow_error *error)
{
    const struct sow_function *own = sow_graph_expression(graph, name);
    if (own != NULL) {
        *function = *own;
        return SOW_OK;
    }
    return sow_function_named(name, arguments, count, function, error);
}
