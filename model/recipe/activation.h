/* SPDX-License-Identifier: MIT */
/* Activations as texts, for a model that keeps what they need. */
#ifndef SOW_RECIPE_ACTIVATION_H
#define SOW_RECIPE_ACTIVATION_H

#include "model/graph/build.h"

/* The activation that a text means: NAME, NAME{parameter=number,...}, or expr{EXPRESSION}, which the model keeps then.
 * SOW_E_ARGUMENT when it is none, or an expression that has no derivative at 0. */
enum sow_status sow_model_activation(struct sow_model *model, const char *text,
                                     struct sow_function *function, struct sow_error *error);

#endif
