/* SPDX-License-Identifier: MIT */
/* Biases of recurrent layers, which decide how long a state is kept. The gates of a packed bias are blocks, and each is
 * resolved for itself; of two biases that are added (torch, cuDNN), only the first should have them. */
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"

/* ---- Gates ---------------------------------------------------------------------------------- */

/* Word `index` of the gates: its one letter; 0 past the end. */
static char gate_letter(const char *gates, uint32_t index)
{
    for (; *gates != '\0'; gates++) {
        if (*gates != ' ' && index-- == 0) {
            return *gates;
        }
    }
    return 0;
}

static enum sow_status forget_bias(const struct sow_call *call)
{
    double value;
    enum sow_status status = sow_call_number(call, "value", &value);
    if (status != SOW_OK) {
        return status;
    }
    const char *gates = call->tensor != NULL ? call->tensor->gates : "";
    /* An LSTM forgets by f; a GRU, which has r, keeps its state by z. */
    char keeps = strchr(gates, 'f') != NULL ? 'f' : strchr(gates, 'r') != NULL ? 'z' : 0;
    if (keeps == 0 || strchr(gates, keeps) == NULL) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "forget_bias is for the biases of an lstm or a gru, whose gates are known; "
                        "this tensor's are not: give it blocks and gates = \"i f g o\"");
    }
    int here = gate_letter(gates, call->tensor->gate) == keeps;
    double start = 1 / (1 + sow_exp(-value));
    if (here) {
        sow_call_explain(call, "gate %c of (%s) = %s: it starts open by %s", keeps, gates,
                         sow_number_text(value).text, sow_number_text(start).text);
    } else {
        sow_call_explain(call, "gate %c of (%s) = 0", gate_letter(gates, call->tensor->gate),
                         gates);
    }
    sow_call_tell_loss(
        call, "no loss of its own; of a state %s is left after 30 steps, and %s with a zero bias",
        sow_number_text(sow_pow(start, 30)).text, sow_number_text(sow_pow(0.5, 30)).text);
    return sow_draw_constant(here ? value : 0, call->draw, call->error);
}

/* ---- Chrono --------------------------------------------------------------------------------- */

/* Place of gate `letter` among the words; -1 when it is none of them. */
static int64_t gate_place(const char *gates, char letter)
{
    for (uint32_t i = 0; gate_letter(gates, i) != 0; i++) {
        if (gate_letter(gates, i) == letter) {
            return i;
        }
    }
    return -1;
}

static enum sow_status chrono(const struct sow_call *call)
{
    double steps;
    enum sow_status status = sow_call_number(call, "steps", &steps);
    if (status != SOW_OK) {
        return status;
    }
    if (!(steps > 2)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "steps of chrono is %s; it is the longest time to remember, above 2 steps",
                        sow_number_text(steps).text);
    }
    const struct sow_tensor *tensor = call->tensor;
    const char *gates = tensor != NULL ? tensor->gates : "";
    int64_t forget = gate_place(gates, 'f'), input = gate_place(gates, 'i');
    if (forget < 0 || input < 0 || tensor->rank != 1) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "chrono is for the bias of an lstm, a vector with gates i and f; this "
                        "tensor's are not known: give it blocks and gates = \"i f g o\"");
    }
    sow_call_tell_loss(call,
                       "no loss of its own; memories last from 2 to %s steps, where a zero bias "
                       "gives 2",
                       sow_number_text(steps).text);
    if (tensor->gate == (uint32_t)forget) {
        sow_call_explain(call, "gate f of (%s) = ln u, u uniform on [1, %s]", gates,
                         sow_number_text(steps - 1).text);
        return sow_draw_of_uniform(SOW_LN_UNIFORM, 1, steps - 1, 0, call->draw, call->error);
    }
    if (tensor->gate == (uint32_t)input) {
        double shift = (double)(forget - input) * (double)tensor->shape[0];
        sow_call_explain(call, "gate i of (%s) = -ln u, with the u of gate f", gates);
        return sow_draw_of_uniform(SOW_MINUS_LN_UNIFORM, 1, steps - 1, shift, call->draw,
                                   call->error);
    }
    sow_call_explain(call, "gate %c of (%s) = 0", gate_letter(gates, tensor->gate), gates);
    return sow_draw_constant(0, call->draw, call->error);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct sow_scheme_parameter forget_bias_parameters[] = {
    {"value", "1", "of the gate that keeps the state"},
};

static const struct sow_scheme_parameter chrono_parameters[] = {
    {"steps", NULL, "the longest time to remember, T"},
};

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "forget_bias",
                .aliases = (const char *const[]){"unit_forget_bias", NULL}, /* Keras */
                .parameters = forget_bias_parameters,
                .parameter_count = COUNT(forget_bias_parameters),
                .sets_gates = 1,
                .positional = (const char *const[]){"value", NULL},
                .formula = "b = value in the gate that keeps the state (LSTM: f, GRU: z), 0 in the "
                           "others",
                .source = "Gers, Schmidhuber and Cummins 2000; Jozefowicz, Zaremba and Sutskever "
                          "2015",
                .summary = "a recurrent layer that starts by remembering; of two biases that are "
                           "added, only the first has it",
            },
        .resolve = forget_bias,
    },
    {
        .scheme =
            {
                .name = "chrono",
                .aliases = (const char *const[]){"chrono_init", NULL},
                .parameters = chrono_parameters,
                .parameter_count = COUNT(chrono_parameters),
                .sets_gates = 1,
                .positional = (const char *const[]){"steps", NULL},
                .formula = "b_f = ln u with u ~ U(1, steps - 1), b_i = -b_f, 0 in the other gates",
                .source = "Tallec and Ollivier 2018, eq. 16",
                .summary = "an LSTM whose units remember for times between 2 and so many steps",
            },
        .resolve = chrono,
    },
};

const struct sow_scheme_family sow_scheme_recurrent = {rows, COUNT(rows)};
