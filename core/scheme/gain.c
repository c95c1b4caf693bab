/* SPDX-License-Identifier: MIT */
/* The parameters `gain`, `activation` and `slope` that schemes of variance gain^2 / n share:
 *
 *     gain = 2            a number
 *     gain = "tanh"       the exact gain of an activation
 *     gain = "torch"      a rule (exact, torch, nfnet, critical) for the activation that is named apart:
 *     activation = "tanh" and alone: the exact one */
#include "core/scheme/row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/activation/gain.h"
#include "core/base/error.h"

/* The rule of this name, SOW_GAIN_RULES when it is none. */
static enum sow_gain_rule find_rule(const char *word)
{
    size_t rule = 0;
    while (rule < SOW_GAIN_RULES && strcmp(word, sow_gain_rule_name(rule)) != 0) {
        rule++;
    }
    return (enum sow_gain_rule)rule;
}

/* What was asked for, before any gain is computed. */
struct request {
    const char *word; /* of `gain`; NULL for a number */
    const char *activation;
    double slope;
};

static enum sow_status read_request(const struct sow_call *call, struct request *request)
{
    const struct sow_argument *gain = sow_call_find(call, "gain");
    const struct sow_argument *activation = sow_call_find(call, "activation");
    *request = (struct request){gain != NULL ? gain->text : sow_call_default(call, "gain"),
                                sow_call_default(call, "activation"), NAN};
    if (activation != NULL) {
        if (activation->text == NULL) {
            return sow_fail(call->error, SOW_E_ARGUMENT,
                            "activation of %s is a word such as \"tanh\", not a number",
                            call->scheme->name);
        }
        request->activation = activation->text;
        request->word = gain == NULL ? sow_gain_rule_name(SOW_GAIN_EXACT) : request->word;
    } else if (gain == NULL && request->word[0] >= '0' && request->word[0] <= '9') {
        request->word = NULL;
    }
    return sow_call_find(call, "slope") != NULL ? sow_call_number(call, "slope", &request->slope)
                                                : SOW_OK;
}

/* Nonzero when the words fit together. */
static enum sow_status check_request(const struct sow_call *call, const struct request *request)
{
    int named = sow_call_find(call, "activation") != NULL;
    int is_rule = request->word != NULL && find_rule(request->word) != SOW_GAIN_RULES;
    const char *scheme = call->scheme->name;
    if (request->word == NULL && request->slope == request->slope && !named) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "slope of %s belongs to an activation; write gain = \"leaky_relu\" with it",
                        scheme);
    }
    if (is_rule && strcmp(request->activation, "none") == 0) {
        return sow_fail(
            call->error, SOW_E_ARGUMENT,
            "gain of %s is \"%s\", of which activation? write activation = \"tanh\" with it",
            scheme, request->word);
    }
    if (named && !is_rule) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s was given both an activation and a gain that needs none; gain with an "
                        "activation is exact, torch, nfnet or critical",
                        scheme);
    }
    return SOW_OK;
}

enum sow_status sow_call_gain(const struct sow_call *call, double *gain)
{
    struct request request;
    enum sow_status status = read_request(call, &request);
    if (status == SOW_OK) {
        status = check_request(call, &request);
    }
    if (status == SOW_OK && request.word == NULL) {
        status = sow_call_size(call, "gain", gain);
    } else if (status == SOW_OK) {
        enum sow_gain_rule rule = find_rule(request.word);
        const char *activation = rule != SOW_GAIN_RULES ? request.activation : request.word;
        status = sow_gain_by_rule(rule, activation, request.slope, gain, call->error);
        int fits = strlen(activation) < sizeof call->detail->activation;
        snprintf(call->detail->activation, sizeof call->detail->activation, "%s",
                 fits ? activation : "its expression");
        if (rule != SOW_GAIN_RULES && rule != SOW_GAIN_EXACT) {
            call->detail->gain_rule = sow_gain_rule_name(rule);
        }
    }
    if (status == SOW_OK) {
        call->detail->gain = *gain;
    }
    return status;
}
