/* SPDX-License-Identifier: MIT */
/* The short form: a network told on the command line, without a file.
 *
 *     mlp:IN,W1,W2xN,...,OUT      widths from the input to the output; WxN is N layers of width W
 *     mlp:WxN                     N layers of width W, from an input of width W
 *
 * It becomes a config with the fields widths, activation and scheme, and recipes/mlp.lua does the rest. */
#include "model/source/source.h"

#include "core/base/error.h"
#include "model/recipe/activation.h"
#include "model/recipe/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START      "mlp:"
#define LAYERS_MAX 10000u
#define WIDTH_MAX  (UINT64_C(1) << 40)

int sow_source_is_short(const char *source)
{
    return strncmp(source, START, strlen(START)) == 0;
}

/* ---- Reading the widths ------------------------------------------------------------------------ */

struct spec {
    const char *source, *at;
    json_t *widths; /* from the input to the output */
    struct sow_error *error;
};

static enum sow_status bad_spec(const struct spec *spec, const char *why)
{
    return sow_fail(spec->error, SOW_E_ARGUMENT,
                    "'%.200s' is no network: %s (at character %zu); write mlp:IN,W1,W2xN,...,OUT, "
                    "such as mlp:784,256x3,10",
                    spec->source, why, (size_t)(spec->at - spec->source) + 1);
}

/* Digits, from 1 to `high`; `why` when they are none. */
static enum sow_status read_number(struct spec *spec, uint64_t high, const char *why,
                                   uint64_t *number)
{
    const char *at = spec->at;
    *number = 0;
    for (; *at >= '0' && *at <= '9' && *number <= high; at++) {
        *number = *number * 10 + (uint64_t)(*at - '0'); /* high is far below 2^60 */
    }
    if (*number == 0 || *number > high) {
        return bad_spec(spec, why);
    }
    spec->at = at;
    return SOW_OK;
}

/* W or WxN. */
static enum sow_status read_width(struct spec *spec, uint64_t *width, uint64_t *times)
{
    enum sow_status status =
        read_number(spec, WIDTH_MAX, "a width from 1 to 1099511627776 is expected", width);
    *times = 0; /* not written */
    if (status == SOW_OK && *spec->at == 'x') {
        spec->at++;
        status = read_number(spec, LAYERS_MAX,
                             "how often, from 1 to 10000, is expected after the x", times);
    }
    if (status == SOW_OK && *spec->at != ',' && *spec->at != '\0') {
        return bad_spec(spec, "a comma is expected");
    }
    return status;
}

static enum sow_status read_spec(struct spec *spec)
{
    uint64_t width, times;
    do {
        const char *begin = ++spec->at;
        size_t before = json_array_size(spec->widths);
        enum sow_status status = read_width(spec, &width, &times);
        if (status != SOW_OK) {
            return status;
        }
        if (times > 0 && before == 0 && *spec->at == '\0') {
            times++; /* all widths are one: that of the input too */
        } else if (times > 0 && (before == 0 || *spec->at == '\0')) {
            spec->at = begin;
            return bad_spec(spec, before == 0 ? "the input has one width" : "the output has one");
        }
        times += times == 0;
        if (before + times > LAYERS_MAX + 1) {
            spec->at = begin;
            return bad_spec(spec, "at most 10000 layers are possible");
        }
        for (uint64_t i = 0; i < times; i++) {
            if (json_array_append_new(spec->widths, json_integer((json_int_t)width)) != 0) {
                return sow_fail(spec->error, SOW_E_MEMORY, "out of memory while reading %.200s",
                                spec->source);
            }
        }
    } while (*spec->at == ',');
    return json_array_size(spec->widths) >= 2 ? SOW_OK : bad_spec(spec, "the output is missing");
}

/* ---- The config -------------------------------------------------------------------------------- */

static int set_text(json_t *object, const char *name, const char *text)
{
    return text == NULL ? 0 : json_object_set_new(object, name, json_string(text));
}

/* The activation as one text, NULL for none; `braced` has room for an expression. */
static enum sow_status take_activation(struct sow_model *model,
                                       const struct sow_model_options *options,
                                       char braced[SOW_EXPRESSION_TEXT_MAX + 8], const char **text,
                                       struct sow_error *error)
{
    struct sow_function function;
    struct sow_error cause;
    const char *option = options->expression != NULL ? "--activation-expr" : "--activation";
    *text = options->activation;
    if (options->activation != NULL && options->expression != NULL) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "--activation and --activation-expr say the same thing twice; give one");
    }
    if (options->expression != NULL) {
        snprintf(braced, SOW_EXPRESSION_TEXT_MAX + 8, "expr{%.*s}", SOW_EXPRESSION_TEXT_MAX + 1,
                 options->expression);
        *text = braced;
    }
    if (*text == NULL) {
        return SOW_OK;
    }
    if (sow_model_activation(model, *text, &function, &cause) != SOW_OK) {
        return sow_fail(error, cause.code, "%s: %s", option, cause.message);
    }
    return function.activation != NULL && function.activation->is_gate
               ? sow_fail(error, SOW_E_ARGUMENT,
                          "--activation: %s is a gate of two signals, and a layer here has one",
                          function.activation->name)
               : SOW_OK;
}

static enum sow_status make_config(struct sow_model *model, const char *source,
                                   const struct sow_model_options *options,
                                   struct sow_config **config, struct sow_error *error)
{
    char braced[SOW_EXPRESSION_TEXT_MAX + 8];
    const char *activation = NULL;
    struct sow_config *made = calloc(1, sizeof *made);
    struct spec spec = {source, source + strlen(START) - 1, json_array(), error};
    enum sow_status status =
        sow_fail(error, SOW_E_MEMORY, "out of memory while reading %.200s", source);
    if (made == NULL) {
        json_decref(spec.widths);
        return status;
    }
    made->path = strdup(source);
    made->root = json_object();
    if (spec.widths == NULL || made->path == NULL ||
        json_object_set(made->root, "widths", spec.widths) != 0 ||
        set_text(made->root, "model_type", "mlp") != 0) {
        goto give_up;
    }
    status = read_spec(&spec);
    if (status == SOW_OK && options != NULL) {
        status = take_activation(model, options, braced, &activation, error);
        if (status == SOW_OK && (set_text(made->root, "activation", activation) != 0 ||
                                 set_text(made->root, "scheme", options->scheme) != 0)) {
            status =
                sow_fail(error, SOW_E_ARGUMENT, "--activation and --scheme are texts in UTF-8");
        }
    }
give_up:
    json_decref(spec.widths);
    if (status != SOW_OK) {
        sow_config_free(made);
        return status;
    }
    *config = made;
    return SOW_OK;
}

enum sow_status sow_source_short(struct sow_model *model, const char *source,
                                 const struct sow_model_options *options, struct sow_error *error)
{
    struct sow_config *config = NULL;
    enum sow_status status = make_config(model, source, options, &config, error);
    return status == SOW_OK ? sow_source_family(model, config, "mlp", NULL, error) : status;
}
