/* SPDX-License-Identifier: MIT */
/* The parts of a report that say in plain words what was found: the verdict with its cure, what becomes of signal and
 * gradient, how much seeds differ; then what was asked for besides. Formulas and tables are in report.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "report.h"
#include "report_text.h"
#include "slopes.h"

/* ---- The verdict ------------------------------------------------------------------------------------------- */

static void add_cure(struct sow_cli_text *text, const struct sow_cli_run *run, const char *cure)
{
    sow_cli_add(text, "<code class=c>");
    if (run->options != NULL) {
        struct sow_cli_text command = {0};
        sow_cli_add_cure(&command, cure, run->options);
        sow_cli_add_html(text, command.bytes);
        sow_cli_text_free(&command);
    } else {
        sow_cli_add_html(text, cure);
    }
    sow_cli_add(text, "</code>");
}

static void add_one(struct sow_cli_text *text, const struct sow_cli_run *run,
                    const struct sow_verdict *verdict, int is_first)
{
    const struct sow_verdict_code *code = verdict->code;
    sow_cli_add(text, "<p>%s<strong>%s</strong>: ",
                verdict->severity == SOW_SEVERITY_NOTE ? "Note: " : "", code->code);
    sow_cli_add_html(text, code->title);
    sow_cli_add(text, ", from <code>");
    sow_cli_add_html(text, verdict->where);
    sow_cli_add(text, "</code> on");
    if (verdict->places > 1) {
        sow_cli_add(text, " (%llu places)", (unsigned long long)verdict->places);
    }
    sow_cli_add(text, ".<br>%s: ", verdict->measured ? "Measured" : "Predicted");
    sow_cli_add_html_powers(text, verdict->reason);
    sow_cli_add(text, ".");
    if (is_first) {
        sow_cli_add(text, "<br>Why: ");
        sow_cli_add_html(text, code->meaning);
        sow_cli_add(text, "<br>Cure: ");
        sow_cli_add_html(text, code->cure);
        sow_cli_add(text, ".");
    }
    if (verdict->cure != NULL) {
        sow_cli_add(text, "<br>Try: ");
        add_cure(text, run, verdict->cure);
    }
    if (verdict->leaves != NULL) {
        sow_cli_add(text, "<br>With it %s stays, another fault.", verdict->leaves);
    }
    sow_cli_add(text, "</p>\n");
}

void sow_cli_add_report_verdict(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    const struct sow_judgement *judgement = sow_cli_report_judgement(run);
    const struct sow_first_loss *loss = sow_first_loss(judgement);
    const struct sow_verdict *verdict;
    if (sow_judgement_healthy(judgement)) {
        sow_cli_add(text, "<p><strong>Healthy</strong>: signals and gradients survive the "
                          "depth.</p>\n");
    }
    for (size_t i = 0; (verdict = sow_verdict_at(judgement, i)) != NULL; i++) {
        int is_first = i == 0 || sow_verdict_at(judgement, i - 1)->code != verdict->code;
        add_one(text, run, verdict, is_first);
    }
    if (sow_judgement_cure(judgement) != NULL) {
        sow_cli_add(text, "<p>To cure all of it, try: ");
        add_cure(text, run, sow_judgement_cure(judgement));
        sow_cli_add(text, "</p>\n");
    }
    if (loss->classes > 0) {
        sow_cli_add(text,
                    "<p>If the %llu outputs stand for classes, the loss before the first step is "
                    "%.4f. Guessing costs ln(%llu) = %.4f; the rest is what outputs of std %.3g "
                    "add.</p>\n",
                    (unsigned long long)loss->classes, loss->loss,
                    (unsigned long long)loss->classes, loss->uniform, loss->logit_std);
    }
}

/* ---- Trends -------------------------------------------------------------------------------------------------- */

struct way {
    const char *what, *way;
    const char *shrinks, *grows; /* what follows from it */
};

static const struct way forward = {"The signal", "forward",
                                   "The last layers see next to nothing of the input.",
                                   "The last layers get numbers too large to work with."};
static const struct way backward = {
    "The gradient", "backward", "The first layers get next to no gradient and hardly learn.",
    "The first layers get gradients so large that one step throws their weights far off."};

/* Sizes over the depth: a factor of 100 in all and 5 % a layer are a trend. What follows from one is said of networks only
 * that are judged ill: in front of norms a trend may do no harm. */
static void add_trend(struct sow_cli_text *text, const struct way *way, double from, double to,
                      size_t layers, int is_ill)
{
    double factor = pow(10, (to - from) / (double)layers);
    int is_trend = fabs(to - from) >= 2 && fabs(log(factor)) >= log(1.05);
    sow_cli_add(text, "<p>%s ", way->what);
    if (to == -INFINITY || from == -INFINITY) {
        sow_cli_add(text, "<strong>is exactly 0</strong> %s of the way %s.</p>\n",
                    from == to        ? "at both ends"
                    : to == -INFINITY ? "at the end"
                                      : "at the beginning",
                    way->way);
        return;
    }
    if (fabs(to - from) < 0.5) {
        sow_cli_add(text, "<strong>keeps its size</strong> %s", way->way);
    } else {
        sow_cli_add(text, "<strong>%s%s</strong> %s", to < from ? "shrinks" : "grows",
                    is_trend ? "" : " a little", way->way);
    }
    if (is_trend) {
        sow_cli_add(text, ", by a factor of %.3g at each layer", factor);
    }
    sow_cli_add(text, ": its mean square goes from ");
    sow_cli_add_html_power(text, from);
    sow_cli_add(text, " to ");
    sow_cli_add_html_power(text, to);
    sow_cli_add(text, ".");
    if (is_trend && is_ill) {
        sow_cli_add(text, " %s", to < from ? way->shrinks : way->grows);
    }
    sow_cli_add(text, "</p>\n");
}

static void add_noise(struct sow_cli_text *text, double noise)
{
    if (!(noise >= 0)) {
        return;
    }
    if (noise < 1e-12) {
        sow_cli_add(text, "<p>The output is as large with any other seed (seed noise 0).</p>\n");
        return;
    }
    if (noise < 1e-3) {
        sow_cli_add(text,
                    "<p>With another seed the output is as large as with this one, within "
                    "%.2g %% (seed noise ",
                    200 * sqrt(noise));
        sow_cli_add_html_number(text, noise);
        sow_cli_add(text, ").</p>\n");
        return;
    }
    sow_cli_add(text,
                "<p>With another seed the output is of another size: of 20 networks 19 have a mean "
                "square between %.3g and %.3g times the average (seed noise %.3g, the variance of "
                "its logarithm)%s.</p>\n",
                exp(-noise / 2 - 2 * sqrt(noise)), exp(-noise / 2 + 2 * sqrt(noise)), noise,
                noise > 1 ? "; <strong>one seed tells little of the next</strong>" : "");
}

/* Whether a value ends a layer; without layers, whether it has weights. */
static int ends_layer(const struct sow_cli_point *points, size_t count, size_t i, int in_layers)
{
    int32_t layer = points[i].value->layer;
    return in_layers ? layer >= 0 && (i + 1 == count || points[i + 1].value->layer != layer)
                     : layer < 0 && points[i].value->has_weights;
}

/* The end of the first layer and of the last before the output, which has a scale of its own; of networks that repeat none,
 * the first and the last layer of weights. Returns how many layers lie between them. */
static size_t find_ends(const struct sow_cli_point *points, size_t count,
                        const struct sow_cli_point *ends[2])
{
    size_t found = 0;
    for (int in_layers = 1; in_layers >= 0 && found < 2; in_layers--) {
        found = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            if (ends_layer(points, count, i, in_layers)) {
                ends[found > 0] = &points[i];
                found++;
            }
        }
    }
    return found > 0 ? found - 1 : 0;
}

static void add_trends(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    const struct sow_cli_point *ends[2] = {NULL, NULL};
    const struct sow_judgement *judgement = sow_cli_report_judgement(run);
    int is_ill = judgement != NULL && !sow_judgement_healthy(judgement);
    struct sow_cli_point *points;
    size_t count = sow_cli_points(run, &points), layers = find_ends(points, count, ends);
    if (layers > 0) {
        sow_cli_add(text, "<p>From <code>");
        sow_cli_add_html(text, ends[0]->value->name);
        sow_cli_add(text, "</code> to <code>");
        sow_cli_add_html(text, ends[1]->value->name);
        sow_cli_add(text, "</code>, %zu layer%s further:</p>\n", layers, layers > 1 ? "s" : "");
        add_trend(text, &forward, ends[0]->moment, ends[1]->moment, layers, is_ill);
        add_trend(text, &backward, ends[1]->gradient, ends[0]->gradient, layers, is_ill);
        if (ends[1]->correlation > 0.99) {
            sow_cli_add(text,
                        "<p>Different %s <strong>look alike</strong> at the end: their "
                        "correlation is %.4f.</p>\n",
                        isnan(ends[1]->value->place_correlation) ? "inputs" : "tokens or pixels",
                        ends[1]->correlation);
        }
    }
    free(points);
}

void sow_cli_add_report_words(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    struct sow_cli_text slopes = {0};
    add_trends(text, run);
    sow_cli_add_slopes_words(&slopes, run->probe, run->measured);
    if (slopes.length > 0) {
        sow_cli_add(text, "<p>Measured ");
        sow_cli_add_html_powers(text, slopes.bytes);
        sow_cli_add(text, ".</p>\n");
    }
    sow_cli_text_free(&slopes);
    add_noise(text, sow_probe_summary(run->probe)->seed_noise);
}

/* ---- Asked for besides ----------------------------------------------------------------------------------------- */

void sow_cli_add_report_asked(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    struct sow_cli_text words = {0};
    sow_cli_add_asked_words(&words, &run->asked);
    sow_cli_add_html_lines(text, words.bytes, "p");
    sow_cli_text_free(&words);
}
