/* SPDX-License-Identifier: MIT */
/* sow probe --measure: what a random network does, beside what was predicted of it. Running it, the table for people,
 * and its part of the JSON and CSV. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "cli/cmd.h"
#include "cli/text/message.h"
#include "probe.h"
#include "cli/stats.h"
#include "cli/text/table.h"

#define NARROW     100 /* columns */
#define NAME_LEAST 12

enum { NAME, MOMENT, MOMENT_SEEN, SIMILAR, SIMILAR_SEEN, GRADIENT, GRADIENT_SEEN, NOTE, COLUMNS };

#define NAME_ROOM 29

/* ---- Running it ------------------------------------------------------------------------------------ */

int sow_cli_measures(const struct sow_cli_options *options)
{
    int wants = options->seeds > 0 || options->layers != NULL || options->weights != NULL;
    return options->measure || sow_cli_asks(options) || (wants && options->steps == 0);
}

int sow_cli_measure(const struct sow_cli_source *source, const struct sow_signal_options *how,
                    const struct sow_cli_options *options, const struct sow_cli_sample *sample,
                    sow_watch_fn *watch, void *watch_user, struct sow_measurement **measured)
{
    struct sow_error error;
    struct sow_cli_progress progress;
    struct sow_measure_options wanted = sow_cli_asked_how(options, &progress);
    wanted.watch = watch;
    wanted.watch_user = watch_user;
    wanted.layers = sample->chosen.layers;
    wanted.cotangent_std = sample->cotangent_std;
    sow_cli_progress_begin(&progress, "measuring", options->quiet);
    progress.steps = 1;
    enum sow_status status =
        sow_measure(source->model, source->plan, how, &wanted, measured, &error);
    sow_cli_progress_end(&progress);
    return sow_cli_asked_code(status, &error);
}

void sow_cli_stored_note(const struct sow_measurement *measured,
                         const struct sow_cli_options *options)
{
    const struct sow_measurement_report *report =
        measured != NULL ? sow_measurement_report(measured) : NULL;
    struct sow_cli_text text = {0};
    if (report == NULL || report->unused == 0 || options->quiet) {
        return;
    }
    sow_cli_add(&text, "%llu %s of ", (unsigned long long)report->unused,
                report->unused == 1 ? "tensor" : "tensors");
    sow_cli_add_safe(&text, options->weights, strlen(options->weights), 0);
    sow_cli_add(&text, " %s not the model's and %s not read: ", report->unused == 1 ? "is" : "are",
                report->unused == 1 ? "was" : "were");
    sow_cli_add_safe(&text, report->unused_first, strlen(report->unused_first), 0);
    sow_cli_add(&text, report->unused > 1 ? " and others" : "");
    sow_cli_say("note", text.bytes);
    sow_cli_text_free(&text);
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static const struct column {
    const char *name;
    size_t offset; /* of a double */
} columns[] = {
#define COLUMN(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct sow_measured_value, name)                                           \
    }
    COLUMN(second_moment),
    COLUMN(typical),
    COLUMN(log_spread),
    COLUMN(mean),
    COLUMN(std),
    COLUMN(max_abs),
    COLUMN(kurtosis),
    COLUMN(correlation),
    COLUMN(sample_correlation),
    COLUMN(gradient_second_moment),
    COLUMN(gradient_typical),
    COLUMN(gradient_log_spread),
    COLUMN(dead),
    COLUMN(dead_expected),
    COLUMN(saturated),
    COLUMN(saturated_expected),
    COLUMN(entropy),
    COLUMN(entropy_expected),
#undef COLUMN
#define RANK(name)                                                                                 \
    {                                                                                              \
#name, offsetof(struct sow_measured_value, ranks.name)                                     \
    }
    RANK(participation),
    RANK(stable_rank),
    RANK(effective_rank),
    RANK(rank_collapse),
#undef RANK
};
#define NUMBERS (sizeof columns / sizeof columns[0])

static double number_of(const struct sow_measured_value *value, size_t column)
{
    double number;
    memcpy(&number, (const char *)value + columns[column].offset, sizeof number);
    return number;
}

/* Beside the ranks, which the columns end with, under their names and `_expected`: what a correct random network has. */
#define RANKS (sizeof(struct sow_ranks) / sizeof(double))

static const char *rank_name(size_t rank)
{
    return columns[NUMBERS - RANKS + rank].name;
}

static double rank_expected(const struct sow_ranks *ranks, size_t rank)
{
    struct sow_measured_value value = {.ranks = *ranks};
    return number_of(&value, NUMBERS - RANKS + rank);
}

void sow_cli_add_measured(struct sow_cli_text *text, const struct sow_measured_value *value,
                          const struct sow_probe_value *predicted)
{
    struct sow_ranks ranks = sow_expected_ranks(predicted);
    int any = 0;
    for (size_t i = 0; i < NUMBERS; i++) {
        double number = number_of(value, i);
        if (!isnan(number)) {
            sow_cli_add(text, "%s\"%s\": ", any++ ? ", " : ", \"measured\": {", columns[i].name);
            sow_cli_add_number(text, number);
        }
    }
    for (size_t i = 0; i < RANKS && any; i++) {
        double number = rank_expected(&ranks, i);
        if (!isnan(number)) {
            sow_cli_add(text, ", \"%s_expected\": ", rank_name(i));
            sow_cli_add_number(text, number);
        }
    }
    if (any) {
        sow_cli_add(text, ", \"non_finite\": %llu, \"gradient_non_finite\": %llu}",
                    (unsigned long long)value->non_finite,
                    (unsigned long long)value->gradient_non_finite);
    }
}

void sow_cli_add_measurement(struct sow_cli_text *text, const struct sow_measurement *measured,
                             const struct sow_cli_sample *sample)
{
    const struct sow_measurement_report *report = sow_measurement_report(measured);
    const struct sow_measured_weight *weight;
    sow_cli_add(text, "  \"seeds\": %u,\n  \"memory_bytes\": %llu,\n  \"measured_seconds\": ",
                report->seeds, (unsigned long long)report->memory_bytes);
    sow_cli_add_number(text, report->seconds);
    sow_cli_add(text, ",\n  \"layers\": %u,\n  \"layers_all\": %u,\n  \"measured_loss\": ",
                report->layers, report->layers_all);
    sow_cli_add_number(text, report->first_loss);
    sow_cli_add(text, ",\n  \"measured_entropy\": ");
    sow_cli_add_number(text, report->entropy);
    sow_cli_add(text, ",\n  \"unused_tensors\": %llu,\n", (unsigned long long)report->unused);
    sow_cli_add_sample(text, sample);
    sow_cli_add(text, "  \"weights\": [");
    for (size_t i = 0; (weight = sow_measured_weight_at(measured, i)) != NULL; i++) {
        sow_cli_add(text, "%s\n    {\"name\": ", i > 0 ? "," : "");
        sow_cli_add_json(text, weight->name);
        sow_cli_add_key_number(text, "second_moment", weight->second_moment);
        sow_cli_add_key_number(text, "gradient", weight->gradient_second_moment);
        sow_cli_add_key_number(text, "ratio", weight->ratio);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "\n  ],\n");
}

void sow_cli_measured_titles(void)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        printf(",measured_%s", columns[i].name);
    }
    for (size_t i = 0; i < RANKS; i++) {
        printf(",measured_%s_expected", rank_name(i));
    }
    fputs(",measured,measured_samples,measured_tokens,measured_layers", stdout);
}

void sow_cli_add_measured_csv(struct sow_cli_text *text, const struct sow_measured_value *value,
                              const struct sow_probe_value *predicted,
                              const struct sow_cli_sample *sample)
{
    struct sow_ranks ranks = sow_expected_ranks(predicted);
    for (size_t i = 0; i < NUMBERS; i++) {
        double number = number_of(value, i);
        sow_cli_add(text, isnan(number) ? "," : ",%.17g", number);
    }
    for (size_t i = 0; i < RANKS; i++) {
        double number = isnan(value->second_moment) ? NAN : rank_expected(&ranks, i);
        sow_cli_add(text, isnan(number) ? "," : ",%.17g", number);
    }
    sow_cli_add(text, ",%d,%llu,%llu,%u", !isnan(value->second_moment),
                (unsigned long long)sample->chosen.batch, (unsigned long long)sample->chosen.tokens,
                sample->chosen.layers);
}

/* ---- For people ------------------------------------------------------------------------------------ */

struct view {
    const struct sow_probe *probe;
    const struct sow_measurement *measured;
    struct sow_table table;
};

static void add_number(struct sow_cli_text *text, double number, const char *format)
{
    if (!isnan(number)) {
        sow_cli_add(text, format, number);
    }
}

static void add_pair(struct sow_cli_text *text, const char *what, double seen, double expected,
                     double unit)
{
    if (!isnan(seen)) {
        sow_cli_add(text, "%s %.3g", what, seen * unit);
        if (!isnan(expected)) {
            sow_cli_add(text, " (%.3g)", expected * unit);
        }
    }
}

static void make_cells(struct view *view, size_t index)
{
    const struct sow_probe_value *value = sow_probe_at(view->probe, index);
    const struct sow_measured_value *seen = sow_measured_value_at(view->measured, index);
    struct sow_cli_text *cells = view->table.cells;
    double similar =
        isnan(value->place_correlation) ? value->sample_correlation : value->place_correlation;
    sow_cli_add_tail(&cells[NAME], value->name, NAME_ROOM);
    add_number(&cells[MOMENT], value->second_moment, "%.3g");
    add_number(&cells[MOMENT_SEEN], seen->non_finite > 0 ? NAN : seen->second_moment, "%.3g");
    add_number(&cells[SIMILAR], similar, "%.2f");
    add_number(&cells[SIMILAR_SEEN], seen->correlation, "%.2f");
    add_number(&cells[GRADIENT], value->gradient, "%.3g");
    add_number(&cells[GRADIENT_SEEN],
               seen->gradient_non_finite > 0 ? NAN : seen->gradient_second_moment, "%.3g");
    struct sow_cli_text *note = &cells[NOTE];
    if (seen->non_finite > 0) {
        sow_cli_add(note, "%llu not finite", (unsigned long long)seen->non_finite);
    } else if (seen->gradient_non_finite > 0) {
        sow_cli_add(note, "gradient: %llu not finite",
                    (unsigned long long)seen->gradient_non_finite);
    } else if (seen->second_moment == 0 && value->log2_second_moment > -INFINITY) {
        sow_cli_add(note, "all exactly 0");
    } else if (seen->dead > 0 || seen->dead_expected > 0.001) {
        add_pair(note, "dead %", seen->dead, seen->dead_expected, 100);
    } else if (isnan(seen->entropy)) {
        add_pair(note, "flat %", seen->saturated, seen->saturated_expected, 100);
    } else {
        add_pair(note, "entropy", seen->entropy, seen->entropy_expected, 1);
    }
}

static void print_foot(const struct view *view)
{
    const struct sow_measurement_report *report = sow_measurement_report(view->measured);
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "%u %s of %llu samples", report->seeds,
                report->seeds == 1 ? "seed" : "seeds", (unsigned long long)report->batch);
    sow_cli_add(&text, " in %.2f s, ", report->seconds);
    sow_cli_add_size(&text, report->memory_bytes);
    sow_cli_add(&text,
                "; in brackets what a random network gives. dead: units that no sample wakes; "
                "flat: slope below 5 %% of the steepest; entropy of attention in nats");
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_clear(&text);
    if (!isnan(report->first_loss)) {
        sow_cli_add(
            &text,
            "measured first loss %.6g, over labels drawn at random; the prediction's entropy "
            "is %.6g",
            report->first_loss, report->entropy);
        sow_cli_print_paragraph(text.bytes);
    }
    sow_cli_text_free(&text);
}

void sow_cli_measured_table(const struct sow_probe *probe, const struct sow_measurement *measured,
                            const unsigned char *shown, const struct sow_cli_options *options)
{
    struct view view = {
        .probe = probe,
        .measured = measured,
        .table = {.columns = COLUMNS,
                  .titles = {"value", "E[x^2]", "measured", "corr",
                             sow_cli_width() < NARROW ? "seen" : "measured", "E[grad^2]",
                             "measured", "units"},
                  .spare = 1u << SIMILAR | 1u << SIMILAR_SEEN,
                  .least = NAME_LEAST,
                  .right = 1u << MOMENT | 1u << MOMENT_SEEN | 1u << SIMILAR | 1u << SIMILAR_SEEN |
                           1u << GRADIENT | 1u << GRADIENT_SEEN,
                  .colored = sow_cli_colored(stdout, options->color)},
    };
    while (sow_cli_table_pass(&view.table)) {
        for (size_t i = 0; sow_probe_at(probe, i) != NULL; i++) {
            if (shown[i] == 0) {
                continue;
            }
            make_cells(&view, i);
            if (shown[i] > 1) {
                sow_cli_table_leave_out(&view.table);
            }
            sow_cli_table_row(&view.table);
        }
    }
    putchar('\n');
    print_foot(&view);
}
