/* SPDX-License-Identifier: MIT */
/* The operations of the recipe language, each with the way it is walked. A new one that behaves like one of these is one
 * more row. */
#include "model/match/inside.h"

#include "core/activation/quadrature.h"

#include "core/base/error.h"

#include <math.h>
#include <string.h>

static const struct sow_walk_row rows[] = {
    {"tokens", SOW_WALK_SOURCE},
    {"positions", SOW_WALK_SOURCE},
    {"input", SOW_WALK_SOURCE},
    {"segments", SOW_WALK_SOURCE},
    {"learned", SOW_WALK_LEARNED},
    {"embedding", SOW_WALK_LOOKUP},

    {"linear", SOW_WALK_WEIGHT},
    {"bilinear", SOW_WALK_WEIGHT},
    {"conv", SOW_WALK_WEIGHT},
    {"conv_transpose", SOW_WALK_WEIGHT},
    {"layer_norm", SOW_WALK_NORM},
    {"rms_norm", SOW_WALK_NORM},
    {"batch_norm", SOW_WALK_NORM},
    {"group_norm", SOW_WALK_NORM},
    {"layer_scale", SOW_WALK_FEATURE},

    {"activation", SOW_WALK_ACTIVATION},
    {"gated", SOW_WALK_GATED},
    {"add", SOW_WALK_ADD},
    {"multiply", SOW_WALK_MULTIPLY},
    {"scale", SOW_WALK_SCALE},
    {"concat", SOW_WALK_CONCAT},
    {"dropout", SOW_WALK_PASS},
    {"flatten", SOW_WALK_PASS},
    {"to_tokens", SOW_WALK_PASS},
    {"take", SOW_WALK_PASS},
    {"split_heads", SOW_WALK_PASS},
    {"merge_heads", SOW_WALK_PASS},

    {"max_pool", SOW_WALK_MAX_POOL},
    {"average_pool", SOW_WALK_AVERAGE_POOL},
    {"global_pool", SOW_WALK_GLOBAL_POOL},
    {"attention", SOW_WALK_ATTENTION},
    {"route", SOW_WALK_SOFTMAX},
    {"experts", SOW_WALK_EXPERTS},
    {"rnn", SOW_WALK_RECURRENT},
    {"rnn_cell", SOW_WALK_RECURRENT},
    {"lstm", SOW_WALK_RECURRENT},
    {"lstm_cell", SOW_WALK_RECURRENT},
    {"gru", SOW_WALK_RECURRENT},
    {"gru_cell", SOW_WALK_RECURRENT},
};

const struct sow_walk_row *sow_walk_find(const char *kind)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].kind, kind) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *sow_walk_kind(size_t index)
{
    return index < sizeof rows / sizeof rows[0] ? rows[index].kind : NULL;
}

double sow_attribute(const struct sow_operation *operation, const char *name, double fallback)
{
    for (uint32_t i = 0; i < operation->attribute_count; i++) {
        const struct sow_attribute *attribute = &operation->attributes[i];
        if (attribute->text == NULL && strcmp(attribute->name, name) == 0) {
            return attribute->number;
        }
    }
    return fallback;
}

int sow_attribute_is(const struct sow_operation *operation, const char *name, const char *text)
{
    for (uint32_t i = 0; i < operation->attribute_count; i++) {
        const struct sow_attribute *attribute = &operation->attributes[i];
        if (attribute->text != NULL && strcmp(attribute->name, name) == 0) {
            return strcmp(attribute->text, text) == 0;
        }
    }
    return 0;
}

int sow_is_recurrent(const struct sow_parameter *parameter)
{
    return strcmp(parameter->role, "recurrent.hidden") == 0;
}

enum sow_status sow_activation_of(const struct sow_matching *matching,
                                  const struct sow_operation *operation,
                                  struct sow_function *function, struct sow_error *error)
{
    struct sow_argument arguments[SOW_ACTIVATION_PARAMETERS_MAX];
    size_t count = 0;
    const char *name = "";
    for (uint32_t i = 0; i < operation->attribute_count; i++) {
        const struct sow_attribute *attribute = &operation->attributes[i];
        if (strcmp(attribute->name, "name") == 0 && attribute->text != NULL) {
            name = attribute->text;
        } else if (attribute->text == NULL && count < SOW_ACTIVATION_PARAMETERS_MAX) {
            arguments[count++] =
                (struct sow_argument){.name = attribute->name, .number = attribute->number};
        }
    }
    struct sow_error inner;
    if (sow_graph_activation(matching->graph, name, arguments, count, function, &inner) != SOW_OK) {
        return sow_fail_at(error, SOW_E_CONFIG, operation->file, operation->line, 0,
                           "the variant matched cannot follow this activation: %s", inner.message);
    }
    return SOW_OK;
}

int sow_is_homogeneous(const struct sow_function *function)
{
    for (int i = 0; i < 4; i++) {
        double x = (i & 1 ? -1 : 1) * (i & 2 ? 2.0 : 0.75);
        double once = sow_function_value(function, x, NULL);
        double twice = sow_function_value(function, 2 * x, NULL);
        if (fabs(twice - 2 * once) > 1e-12 * fabs(twice)) {
            return 0;
        }
    }
    return 1;
}

static int rises_between_ends(const struct sow_function *function)
{
    double first = sow_function_value(function, -64, NULL),
           last = sow_function_value(function, 64, NULL), before = first;
    double low = first - sow_function_value(function, -128, NULL);
    double high = sow_function_value(function, 128, NULL) - last;
    if (!(low < 0.05 && high < 0.05 && last - first > 0)) {
        return 0;
    }
    for (double x = -63.75; x <= 64; x += 0.25) {
        double value = sow_function_value(function, x, NULL);
        if (!(value >= before)) {
            return 0;
        }
        before = value;
    }
    return 1;
}

static void look_at(struct sow_matching *matching, const struct sow_function *function)
{
    const struct sow_function *last = &matching->looked_at.function;
    if (!matching->looked_at.is_known || !sow_function_same(last, function)) {
        matching->looked_at.function = *function;
        matching->looked_at.is_known = 1;
        matching->looked_at.is_sigmoidal = rises_between_ends(function);
        matching->looked_at.second_moment = sow_second_moment(function);
    }
}

int sow_is_sigmoidal(struct sow_matching *matching, const struct sow_function *function)
{
    look_at(matching, function);
    return matching->looked_at.is_sigmoidal;
}

double sow_kept_second_moment(struct sow_matching *matching, const struct sow_function *function)
{
    look_at(matching, function);
    return matching->looked_at.second_moment;
}

uint32_t sow_self_gate(const struct sow_matching *matching, const struct sow_site *site)
{
    for (uint32_t x = 0; x < 2; x++) {
        uint32_t other = sow_input_of(matching, site, 1 - x);
        const struct sow_site *gate = &matching->sites[other];
        if (gate->walk == SOW_WALK_ACTIVATION &&
            gate->operation->inputs[0] == site->operation->inputs[x]) {
            return x;
        }
    }
    return 2;
}
