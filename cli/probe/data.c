/* SPDX-License-Identifier: MIT */
/* The numbers of sow probe for machines: JSON and CSV of one list of columns. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "probe.h"
#include "slopes.h"
#include "cli/stats.h"

static const struct column {
    const char *name;
    size_t offset; /* of a double */
} columns[] = {
    {"log2_second_moment", offsetof(struct sow_probe_value, log2_second_moment)},
    {"second_moment", offsetof(struct sow_probe_value, second_moment)},
    {"mean", offsetof(struct sow_probe_value, mean)},
    {"sample_correlation", offsetof(struct sow_probe_value, sample_correlation)},
    {"place_correlation", offsetof(struct sow_probe_value, place_correlation)},
    {"feature_correlation", offsetof(struct sow_probe_value, feature_correlation)},
    {"log2_gradient", offsetof(struct sow_probe_value, log2_gradient)},
    {"gradient", offsetof(struct sow_probe_value, gradient)},
    {"chi_perp", offsetof(struct sow_probe_value, chi_perp)},
    {"chi_par", offsetof(struct sow_probe_value, chi_par)},
    {"c0", offsetof(struct sow_probe_value, c0)},
    {"seed_noise", offsetof(struct sow_probe_value, seed_noise)},
    {"scale_response", offsetof(struct sow_probe_value, scale_response)},
    {"log2_distance", offsetof(struct sow_probe_value, log2_distance)},
    {"directions", offsetof(struct sow_probe_value, directions)},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static double number_of(const struct sow_probe_value *value, size_t column)
{
    double number;
    memcpy(&number, (const char *)value + columns[column].offset, sizeof number);
    return number;
}

static void add_value(struct sow_cli_text *text, const struct sow_probe_value *value,
                      const struct sow_measured_value *measured)
{
    sow_cli_add(text, "{\"name\": ");
    sow_cli_add_json(text, value->name);
    sow_cli_add(text, ", \"operation\": ");
    sow_cli_add_json(text, value->operation);
    sow_cli_add(text, ", \"file\": ");
    sow_cli_add_json(text, value->file);
    sow_cli_add(text, ", \"line\": %u, \"layer\": %ld, \"shape\": [", (unsigned)value->line,
                (long)value->layer);
    for (uint32_t i = 0; i < value->rank; i++) {
        sow_cli_add(text, "%s%llu", i > 0 ? ", " : "", (unsigned long long)value->shape[i]);
    }
    sow_cli_add(text, "], \"has_weights\": %s", value->has_weights ? "true" : "false");
    for (size_t i = 0; i < COLUMNS && value->is_signal; i++) {
        sow_cli_add(text, ", \"%s\": ", columns[i].name);
        sow_cli_add_number(text, number_of(value, i));
    }
    if (measured != NULL) {
        sow_cli_add_measured(text, measured, value);
    }
    sow_cli_add(text, "}");
}

static void add_depth(struct sow_cli_text *text, const struct sow_probe_depth *depth)
{
    const struct {
        const char *name;
        double number;
    } rows[] = {{"sigma_w2", depth->sigma_w2},
                {"sigma_b2", depth->sigma_b2},
                {"q", depth->q},
                {"chi_perp", depth->chi_perp},
                {"chi_par", depth->chi_par},
                {"correlation", depth->correlation},
                {"xi_q", depth->xi_q},
                {"xi_c", depth->xi_c},
                {"xi_gradient", depth->xi_gradient}};
    if (depth->layers == 0) {
        sow_cli_add(text, "null");
        return;
    }
    sow_cli_add(text, "{\"layers\": %llu, \"activation\": ", (unsigned long long)depth->layers);
    sow_cli_add_json(text, depth->activation);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sow_cli_add(text, ", \"%s\": ", rows[i].name);
        sow_cli_add_number(text, rows[i].number);
    }
    sow_cli_add(text, "}");
}

void sow_cli_probe_json(const struct sow_probe *probe, const struct sow_measurement *measured,
                        const struct sow_cli_sample *sample, const struct sow_judgement *judgement,
                        const struct sow_cli_asked *asked, const struct sow_learning *learned,
                        const char *variant, const struct sow_cli_options *options)
{
    const struct sow_probe_summary *summary = sow_probe_summary(probe);
    const struct sow_probe_value *value;
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "{\n  \"how\": \"%s\",\n  \"variant\": ",
                measured != NULL ? "predicted and measured" : "predicted");
    if (variant != NULL) {
        sow_cli_add_json(&text, variant);
    } else {
        sow_cli_add(&text, "null");
    }
    sow_cli_add(
        &text,
        ",\n  \"batch\": %llu,\n  \"tokens\": %llu,\n  \"layers\": %llu,\n  \"seed_noise\": ",
        (unsigned long long)summary->batch, (unsigned long long)summary->tokens,
        (unsigned long long)summary->layers);
    sow_cli_add_number(&text, summary->seed_noise);
    sow_cli_add(&text, ",\n  \"seconds\": ");
    sow_cli_add_number(&text, summary->seconds);
    sow_cli_add(&text, ",\n  \"repeated\": ");
    add_depth(&text, &summary->depth);
    sow_cli_add(&text, ",\n");
    if (judgement != NULL) {
        sow_cli_add_verdicts(&text, judgement);
    }
    if (measured != NULL) {
        sow_cli_add_measurement(&text, measured, sample);
    }
    sow_cli_add_slopes(&text, probe, measured);
    sow_cli_add_asked(&text, asked);
    if (learned != NULL) {
        sow_cli_add(&text, "  \"learning\": ");
        sow_cli_add_learning(&text, learned, options);
        sow_cli_add(&text, ",\n");
    }
    sow_cli_add(&text, "  \"values\": [");
    for (size_t i = 0; (value = sow_probe_at(probe, i)) != NULL; i++) {
        sow_cli_add(&text, "%s\n    ", i > 0 ? "," : "");
        add_value(&text, value, measured != NULL ? sow_measured_value_at(measured, i) : NULL);
        fputs(text.bytes, stdout);
        sow_cli_text_clear(&text);
    }
    puts("\n  ]\n}");
    sow_cli_text_free(&text);
}

/* Names of values come from recipes: quoted as RFC 4180 says where they must be. */
void sow_cli_add_csv_word(struct sow_cli_text *text, const char *word)
{
    int plain = strpbrk(word, ",\"\r\n") == NULL;
    sow_cli_add(text, plain ? "" : "\"");
    for (; *word != '\0'; word++) {
        sow_cli_add_bytes(text, word, 1);
        if (*word == '"') {
            sow_cli_add_bytes(text, word, 1);
        }
    }
    sow_cli_add(text, plain ? "" : "\"");
}

void sow_cli_probe_csv(const struct sow_probe *probe, const struct sow_measurement *measured,
                       const struct sow_cli_sample *sample, const struct sow_cli_asked *asked,
                       const struct sow_learning *learned)
{
    const struct sow_probe_value *value;
    struct sow_cli_text text = {0};
    fputs("name,operation,layer", stdout);
    for (size_t i = 0; i < COLUMNS; i++) {
        printf(",%s", columns[i].name);
    }
    if (measured != NULL) {
        sow_cli_measured_titles();
    }
    sow_cli_add_asked_titles(&text, asked);
    if (learned != NULL) {
        sow_cli_add_learned_titles(&text, learned);
    }
    puts(text.length > 0 ? text.bytes : "");
    for (size_t i = 0; (value = sow_probe_at(probe, i)) != NULL; i++) {
        sow_cli_text_clear(&text);
        sow_cli_add_csv_word(&text, value->name);
        sow_cli_add(&text, ",%s,%ld", value->operation, (long)value->layer);
        for (size_t k = 0; k < COLUMNS; k++) {
            double number = value->is_signal ? number_of(value, k) : NAN;
            sow_cli_add(&text, isnan(number) ? "," : ",%.17g", number);
        }
        if (measured != NULL) {
            sow_cli_add_measured_csv(&text, sow_measured_value_at(measured, i), value, sample);
        }
        sow_cli_add_asked_csv(&text, asked, i, value->name);
        if (learned != NULL) {
            sow_cli_add_learned_csv(&text, learned, i);
        }
        puts(text.bytes);
    }
    if (learned != NULL) {
        sow_cli_text_clear(&text);
        sow_cli_add_learned_block(&text, learned);
        fputs(text.bytes, stdout);
    }
    sow_cli_text_free(&text);
}
