/* SPDX-License-Identifier: MIT */
/* sow probe --report: one HTML file with everything, which asks no network for anything, runs no script, and reads well on
 * paper. What comes from outside (names, titles, notes) goes through sow_cli_add_html, the picture is gnuplot's SVG. */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/text/fold.h"
#include "cli/text/message.h"
#include "probe.h"
#include "report_text.h"

#define VALUES_MAX 60 /* rows of a table of values; more are results of layers only */

const struct sow_judgement *sow_cli_report_judgement(const struct sow_cli_run *run)
{
    return run->judgement != NULL ? run->judgement : run->compared;
}

/* ---- Formulas ---------------------------------------------------------------------------------------------- */

static void add_settled(struct sow_cli_text *text, const struct sow_probe_depth *depth)
{
    const struct {
        const char *formula;
        double number;
    } rows[] = {
        {"q* = &sigma;<sub>w</sub><sup>2</sup> E[&phi;(&radic;q* z)<sup>2</sup>] + "
         "&sigma;<sub>b</sub><sup>2</sup>",
         depth->q},
        {"&chi;<sub>&perp;</sub> = &sigma;<sub>w</sub><sup>2</sup> E[&phi;'(&radic;q* "
         "z)<sup>2</sup>] "
         "(the factor of gradients and small distances at each layer)",
         depth->chi_perp},
        {"&chi;<sub>&#8741;</sub> = dq<sub>l+1</sub>/dq<sub>l</sub> (the factor of a small error "
         "of scale at each "
         "layer)",
         depth->chi_par},
        {"c* (where the correlation of two inputs settles)", depth->correlation},
        {"6 &xi;<sub>c</sub> (layers over which inputs are told apart)", 6 * depth->xi_c},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (isfinite(rows[i].number)) {
            sow_cli_add(text, "<p class=f>%s = ", rows[i].formula);
            sow_cli_add_html_number(text, rows[i].number);
            sow_cli_add(text, "</p>\n");
        }
    }
    if (!isfinite(depth->q)) {
        sow_cli_add(text, "<p class=f>q grows without bound</p>\n");
    }
}

static void add_formulas(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    const struct sow_probe_depth *depth = &sow_probe_summary(run->probe)->depth;
    if (depth->layers == 0) {
        sow_cli_add(
            text, "<p>The network repeats no single layer of weights and activation, so each value "
                  "has its own numbers, below. A linear layer: <span class=f>E[h<sup>2</sup>] = "
                  "fan_in E[w<sup>2</sup>] E[x<sup>2</sup>] + E[b<sup>2</sup>]</span></p>\n");
        return;
    }
    sow_cli_add(text, "<p>%llu layers are alike: weights, then &phi; = <code>",
                (unsigned long long)depth->layers);
    sow_cli_add_html(text, depth->activation);
    sow_cli_add(
        text,
        "</code>; z is normal, of mean 0 and std 1; h is what the weights give, q its mean "
        "square.</p>\n<p class=f>&sigma;<sub>w</sub><sup>2</sup> = fan_in E[w<sup>2</sup>] = "
        "%.6g, &sigma;<sub>b</sub><sup>2</sup> = E[b<sup>2</sup>] = %.6g</p>\n"
        "<p class=f>q<sub>l+1</sub> = %.6g E[&phi;(&radic;q<sub>l</sub> z)<sup>2</sup>] + "
        "%.6g</p>\n<p class=h>At infinite depth:</p>\n",
        depth->sigma_w2, depth->sigma_b2, depth->sigma_w2, depth->sigma_b2);
    add_settled(text, depth);
}

/* ---- Tables -------------------------------------------------------------------------------------------------- */

static void add_value_row(struct sow_cli_text *text, const struct sow_cli_point *point, int is_seen,
                          int has_factors)
{
    sow_cli_add(text, "<tr>");
    sow_cli_add_html_cell(text, point->value->name);
    sow_cli_add_html_cell(text, point->value->operation);
    const double powers[] = {point->moment, point->seen_moment, point->gradient,
                             point->seen_gradient};
    for (int i = 0; i < 4; i++) {
        if (is_seen || i % 2 == 0) {
            sow_cli_add(text, "<td>");
            sow_cli_add_html_power(text, powers[i]);
            sow_cli_add(text, "</td>");
        }
    }
    /* of a correlation, what rounding leaves is 0 */
    const double numbers[] = {fabs(point->correlation) < 1e-12 ? 0 : point->correlation,
                              point->value->chi_perp, point->value->chi_par};
    for (int i = 0; i < (has_factors ? 3 : 1); i++) {
        sow_cli_add(text, "<td>");
        sow_cli_add_html_number(text, numbers[i]);
        sow_cli_add(text, "</td>");
    }
    sow_cli_add(text, "</tr>\n");
}

/* Which rows are shown: all of few, else results of layers, of many some. `shown` has one byte a point. */
static int choose_rows(const struct sow_cli_point *points, size_t count, unsigned char *shown)
{
    size_t results = 0, at = 0;
    int has_factors = 0;
    for (size_t i = 0; i < count; i++) {
        results += (size_t)points[i].is_result;
    }
    size_t step = count <= VALUES_MAX ? 1 : (results + VALUES_MAX - 1) / VALUES_MAX;
    for (size_t i = 0; i < count; i++) {
        shown[i] =
            (count <= VALUES_MAX || points[i].is_result) && (at++ % step == 0 || i + 1 == count);
        has_factors |= shown[i] && i + 1 < count && !isnan(points[i].value->chi_perp);
    }
    return has_factors;
}

static void add_values(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    struct sow_cli_point *points;
    size_t count = sow_cli_points(run, &points), rows = 0;
    unsigned char *shown = sow_cli_allocate(NULL, count + 1, 1);
    int has_factors = choose_rows(points, count, shown), is_seen = run->measured != NULL;
    sow_cli_add(text,
                "<table><thead><tr><th class=w>value</th><th class=w>operation</th>"
                "<th>E[x<sup>2</sup>]</th>%s<th>E[grad<sup>2</sup>]</th>%s<th>correlation</th>"
                "%s</tr></thead><tbody>\n",
                is_seen ? "<th>measured</th>" : "", is_seen ? "<th>measured</th>" : "",
                has_factors ? "<th>&chi;<sub>&perp;</sub></th><th>&chi;<sub>&#8741;</sub></th>"
                            : "");
    for (size_t i = 0; i < count; i++) {
        if (shown[i]) {
            add_value_row(text, &points[i], is_seen, has_factors);
            rows++;
        }
    }
    sow_cli_add(text,
                "</tbody></table>\n<p class=s>E[x<sup>2</sup>]: mean square of the value. "
                "E[grad<sup>2</sup>]: of the gradient there. Correlation: of two inputs, or of "
                "two tokens or pixels of one.%s</p>\n",
                has_factors ? " &chi;<sub>&perp;</sub>, &chi;<sub>&#8741;</sub>: what a layer "
                              "multiplies small distances (and gradients) with, and errors of "
                              "scale."
                            : "");
    if (rows < count) {
        sow_cli_add(text,
                    "<p class=s>Of %zu values %zu are shown, results of layers; all are in "
                    "<code>--csv</code>.</p>\n",
                    count, rows);
    }
    free(shown);
    free(points);
}

/* Why, and the formula; the scheme has a column of its own. */
static void add_reason(struct sow_cli_text *text, const struct sow_plan_entry *entry)
{
    struct sow_cli_text words = {0};
    size_t length = strlen(entry->scheme_text);
    const char *at = entry->reason, *found = strstr(at, entry->scheme_text);
    if (found != NULL && strncmp(found + length, ": ", 2) == 0) {
        sow_cli_add_bytes(&words, at, (size_t)(found - at));
        at = found + length + 2;
    }
    sow_cli_add_bytes(&words, at, strlen(at));
    sow_cli_add_html_cell(text, words.bytes);
    sow_cli_text_free(&words);
}

static void add_plan_row(struct sow_cli_text *text, const struct sow_fold *fold,
                         const struct sow_fold_row *row, const struct sow_plan *plan)
{
    const struct sow_plan_entry *entry = sow_plan_at(plan, row->index);
    struct sow_cli_text name = {0};
    double mean, std;
    sow_cli_fold_name(fold, row, 0, strlen(entry->name), &name);
    sow_cli_add(text, "<tr>");
    sow_cli_add_html_cell(text, name.bytes);
    sow_cli_text_free(&name);
    sow_cli_add(text, "<td class=n>");
    for (uint32_t i = 0; i < entry->tensor.rank; i++) {
        sow_cli_add(text, "%s%llu", i > 0 ? " &times; " : "",
                    (unsigned long long)entry->tensor.shape[i]);
    }
    sow_cli_add(text, "</td>");
    sow_cli_add_html_cell(text, entry->scheme_text);
    sow_draw_moments(&entry->draw, &mean, &std);
    sow_cli_add(text, "<td>");
    sow_cli_add_html_number(text, entry->region_count > 0 ? NAN : std);
    sow_cli_add(text, "</td><td>");
    sow_cli_add_html_number(
        text, entry->region_count > 0 ? NAN : entry->fan_in * (std * std + mean * mean));
    sow_cli_add(text, "</td>");
    add_reason(text, entry);
    sow_cli_add(text, "</tr>\n");
}

static void add_plan(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    struct sow_fold fold = sow_cli_fold_plan(run->source.plan, 1);
    sow_cli_add(text,
                "<table><thead><tr><th class=w>tensor</th><th>shape</th><th class=w>scheme</th>"
                "<th>std</th><th>fan_in E[w<sup>2</sup>]</th><th class=w>why</th></tr></thead>"
                "<tbody>\n");
    for (size_t i = 0; i < fold.count; i++) {
        add_plan_row(text, &fold, &fold.rows[i], run->source.plan);
    }
    sow_cli_add(text, "</tbody></table>\n");
    sow_cli_fold_free(&fold);
}

/* What was left out, in a list. */
static void add_sample(struct sow_cli_text *text, const struct sow_cli_sample *sample)
{
    struct sow_cli_text words = {0};
    sow_cli_add_sample_words(&words, sample);
    sow_cli_add_html_lines(text, words.bytes, "li");
    sow_cli_text_free(&words);
}

static void add_assumed(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    const struct sow_probe_summary *summary = sow_probe_summary(run->probe);
    const char *note;
    sow_cli_add(text, "<ul>\n<li>%llu samples", (unsigned long long)summary->batch);
    if (summary->tokens > 0) {
        sow_cli_add(text, ", of %llu tokens where there are sequences",
                    (unsigned long long)summary->tokens);
    }
    sow_cli_add(
        text, "; inputs as the recipe says, else independent, of mean 0 and std 1</li>\n"
              "<li>the gradient at the output: each element times a random normal number of std 1; "
              "no loss, no labels</li>\n<li>as in training: dropout is on, batch norms see the "
              "batch</li>\n<li>predictions are means over seeds, for wide layers whose "
              "pre-activations are normal</li>\n");
    for (size_t i = 0; (note = sow_model_note(run->source.model, i)) != NULL; i++) {
        if (i > 0 && strcmp(note, sow_model_note(run->source.model, i - 1)) == 0) {
            continue;
        }
        sow_cli_add(text, "<li>");
        sow_cli_add_html(text, note);
        sow_cli_add(text, "</li>\n");
    }
    if (run->measured != NULL) {
        const struct sow_measurement_report *report = sow_measurement_report(run->measured);
        sow_cli_add(text, "<li>measured with %u %s of %llu samples", report->seeds,
                    report->seeds == 1 ? "seed" : "seeds", (unsigned long long)report->batch);
        if (run->options != NULL && run->options->weights != NULL) {
            sow_cli_add(text, ", with the weights of <code>");
            sow_cli_add_html(text, run->options->weights);
            sow_cli_add(text, "</code>; predictions are of the description");
        }
        sow_cli_add(text, "</li>\n");
        add_sample(text, &run->sample);
    }
    sow_cli_add(text, "</ul>\n");
}

/* ---- The page -------------------------------------------------------------------------------------------------- */

static void add_run(struct sow_cli_text *text, const struct sow_cli_runs *runs, size_t index)
{
    static const struct {
        const char *title;
        void (*add)(struct sow_cli_text *text, const struct sow_cli_run *run);
    } parts[] = {
        {"The verdict", sow_cli_add_report_verdict},
        {"In plain words", sow_cli_add_report_words},
        {"Measured besides", sow_cli_add_report_asked},
        {"Formulas, with their numbers", add_formulas},
        {"Value by value", add_values},
        {"What is drawn", add_plan},
        {"What was assumed", add_assumed},
    };
    const struct sow_cli_run *run = &runs->items[index];
    int level = runs->count > 1 ? 3 : 2;
    if (runs->count > 1) {
        sow_cli_add(text, "<h2>");
        sow_cli_add_html(text, run->title);
        sow_cli_add(text, "</h2>\n");
    }
    int is_asked =
        run->asked.jacobian != NULL || run->asked.curves != NULL || run->asked.spectra != NULL;
    for (size_t i = sow_cli_report_judgement(run) == NULL; i < sizeof parts / sizeof parts[0];
         i++) {
        if (parts[i].add == sow_cli_add_report_asked && !is_asked) {
            continue;
        }
        sow_cli_add(text, "<h%d>%s</h%d>\n", level, parts[i].title, level);
        parts[i].add(text, run);
        if (parts[i].add == sow_cli_add_report_words && run->learned != NULL) {
            sow_cli_add(text, "<h%d>The first steps of learning</h%d>\n", level, level);
            sow_cli_add_report_learned(text, run);
        }
        if (i == 0 && runs->count == 1) {
            sow_cli_add(text, "<h2>Pictures</h2>\n");
            sow_cli_add_report_picture(text, runs);
        }
    }
}

/* Of several networks, which is good. */
static void add_codes(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    sow_cli_add(text, "<h2>The verdicts</h2>\n<ul>\n");
    for (size_t i = 0; i < runs->count; i++) {
        struct sow_cli_text codes = {0};
        if (sow_cli_report_judgement(&runs->items[i]) != NULL) {
            sow_cli_add_codes(&codes, sow_cli_report_judgement(&runs->items[i]));
            sow_cli_add(text, "<li><code>");
            sow_cli_add_html(text, runs->items[i].title);
            sow_cli_add(text, "</code>: ");
            sow_cli_add_html(text, codes.bytes);
            sow_cli_add(text, "</li>\n");
        }
        sow_cli_text_free(&codes);
    }
    sow_cli_add(text, "</ul>\n");
}

static void add_page(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    sow_cli_add(text, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "style-src 'unsafe-inline'\">\n<meta name=\"viewport\" "
                      "content=\"width=device-width\">\n<title>Will the signal survive? ");
    sow_cli_add_html(text, runs->title);
    sow_cli_add(text,
                "</title>\n<style>\n%s</style>\n</head>\n<body>\n"
                "<h1>Will the signal survive?</h1>\n<p><code>",
                sow_cli_report_style);
    sow_cli_add_html(text, runs->title);
    sow_cli_add(text, "</code></p>\n");
    if (runs->count > 1) {
        add_codes(text, runs);
        sow_cli_add(text, "<h2>Pictures</h2>\n");
        sow_cli_add_report_picture(text, runs);
    }
    for (size_t i = 0; i < runs->count; i++) {
        add_run(text, runs, i);
    }
    sow_cli_add(text,
                "<p class=s>sow %s, stream %d. Formulas and their sources: docs/probe.md.</p>\n"
                "</body>\n</html>\n",
                SOW_VERSION, SOW_STREAM_VERSION);
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static int fail(enum sow_status code, const char *file, const char *message)
{
    struct sow_error error = {.code = code};
    snprintf(error.file, sizeof error.file, "%s", file);
    snprintf(error.message, sizeof error.message, "%s", message);
    return sow_cli_fail(&error);
}

int sow_cli_check_report(const struct sow_cli_options *options)
{
    struct stat state;
    const char *dot = options->report != NULL ? strrchr(options->report, '.') : NULL;
    if (options->report != NULL &&
        (dot == NULL || (strcasecmp(dot, ".html") != 0 && strcasecmp(dot, ".htm") != 0))) {
        return sow_cli_usage(options->verb, "--report: '%.200s' is no HTML file: write NAME.html",
                             options->report);
    }
    if (options->report != NULL && !options->force && lstat(options->report, &state) == 0) {
        return fail(SOW_E_EXISTS, options->report,
                    "exists already; --force overwrites it, or choose another name for --report");
    }
    return SOW_EXIT_DONE;
}

int sow_cli_report(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    const volatile int *stop = sow_cli_interrupts();
    struct sow_cli_text text = {0};
    int code = SOW_EXIT_DONE, before = *stop;
    add_page(&text, runs);
    if (*stop != before) { /* while its picture was drawn */
        code = sow_cli_interrupted_code();
    } else if (sow_cli_write_file(options->report, text.bytes, text.length) != 0) {
        code = fail(SOW_E_IO, options->report, strerror(errno));
    } else if (!options->quiet) {
        sow_cli_say("wrote", options->report);
    }
    sow_cli_text_free(&text);
    return code;
}
