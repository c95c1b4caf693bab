/* SPDX-License-Identifier: MIT */
/* The part of a report on --steps: the loss in words, how far values move, how fast weights do. */
#include <math.h>
#include <string.h>

#include "report.h"
#include "report_text.h"

#define ROWS_MAX 60 /* of a table; more are the first and the last layer's, and what is in none */

static void add_loss(struct sow_cli_text *text, const struct sow_learning *learned)
{
    const struct sow_learning_report *report = sow_learning_report(learned);
    double first = report->loss[0], last = report->loss[report->done];
    sow_cli_add(text, "<p>%u %s on one batch of %llu samples with random %s%s. The loss ",
                report->done, report->done == 1 ? "step" : "steps",
                (unsigned long long)report->batch,
                report->classes > 0 ? "labels (cross-entropy)" : "targets (mean square)",
                report->seeds > 1 ? ", means over seeds" : "");
    if (!isfinite(last)) {
        sow_cli_add(text,
                    "<strong>is not finite</strong> after %.5g at the beginning: the "
                    "learning rate is too large",
                    first);
    } else {
        sow_cli_add(text, "<strong>%s</strong> from %.5g to %.5g",
                    last < first ? "falls" : "does not fall: it goes", first, last);
    }
    sow_cli_add(text, ".</p>\n");
}

/* Whether a row of layer `layer` is shown. */
static int shows(int32_t layer, int32_t last, size_t count)
{
    return count <= ROWS_MAX || layer <= 0 || layer == last;
}

static void add_values(struct sow_cli_text *text, const struct sow_learning *learned)
{
    const struct sow_learned_value *value;
    uint32_t done = sow_learning_report(learned)->done;
    int32_t last = -1;
    size_t count = 0;
    for (; (value = sow_learned_value_at(learned, count)) != NULL; count++) {
        last = value->layer > last ? value->layer : last;
    }
    sow_cli_add(text,
                "<table><thead><tr><th class=w>value</th><th>mean |x|</th><th>moved after 1</th>"
                "<th>after %u</th></tr></thead><tbody>\n",
                done);
    for (size_t i = 0; (value = sow_learned_value_at(learned, i)) != NULL; i++) {
        if (!isnan(value->size) && shows(value->layer, last, count)) {
            const double numbers[] = {value->size, done > 0 ? value->change[1] : NAN,
                                      value->change[done]};
            sow_cli_add(text, "<tr>");
            sow_cli_add_html_cell(text, value->name);
            for (int k = 0; k < 3; k++) {
                sow_cli_add(text, "<td>");
                sow_cli_add_html_number(text, numbers[k]);
                sow_cli_add(text, "</td>");
            }
            sow_cli_add(text, "</tr>\n");
        }
    }
    sow_cli_add(text, "</tbody></table>\n");
}

static void add_weight_row(struct sow_cli_text *text, const struct sow_learned_weight *weight,
                           uint32_t done)
{
    const double numbers[] = {weight->rms, weight->rate, done > 0 ? weight->ratio[0] : NAN,
                              done > 0 ? weight->ratio[done - 1] : NAN};
    sow_cli_add(text, "<tr>");
    sow_cli_add_html_cell(text, weight->name);
    for (int k = 0; k < 4; k++) {
        sow_cli_add(text, "<td>");
        sow_cli_add_html_number(text, numbers[k]);
        sow_cli_add(text, "</td>");
    }
    if (weight->moves > 0) {
        sow_cli_add(text, "<td class=w>from step %ld on</td></tr>\n", (long)weight->moves);
    } else {
        sow_cli_add(text, "<td class=w>%s</td></tr>\n",
                    weight->moves == 0 ? "at once" : "<strong>never</strong>");
    }
}

static void add_weights(struct sow_cli_text *text, const struct sow_learning *learned)
{
    const struct sow_learned_weight *weight;
    uint32_t done = sow_learning_report(learned)->done;
    int32_t last = -1;
    size_t count = 0, shown = 0;
    for (; (weight = sow_learned_weight_at(learned, count)) != NULL; count++) {
        last = weight->layer > last ? weight->layer : last;
    }
    sow_cli_add(text, "<table><thead><tr><th class=w>weight</th><th>rms</th><th>rate</th>"
                      "<th>update/weight</th><th>at last</th><th class=w>moves</th></tr></thead>"
                      "<tbody>\n");
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        if (shows(weight->layer, last, count)) {
            add_weight_row(text, weight, done);
            shown++;
        }
    }
    sow_cli_add(text, "</tbody></table>\n");
    if (shown < count) {
        sow_cli_add(
            text,
            "<p class=s>Of %zu weights those of the first and of the last layer; all are in "
            "<code>--json</code>.</p>\n",
            count);
    }
}

void sow_cli_add_report_learned(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    add_loss(text, run->learned);
    add_values(text, run->learned);
    add_weights(text, run->learned);
    sow_cli_add(text,
                "<p class=s>Mean |x|: size of a value before the first step; moved: mean distance "
                "from there after so many steps. Rms: size of a weight; update/weight: what one "
                "step adds to it, over its size, at the first and at the last step; moves: from "
                "when on it has a gradient.</p>\n");
}
