/* SPDX-License-Identifier: MIT */
/* One activation in words and as JSON. What does not exist is "undefined", and null in JSON. */
#include "activation.h"

#include <math.h>
#include <string.h>

#define COLUMNS 12

/* ---- In words -------------------------------------------------------------------------------- */

/* chi to the power of a number of layers. */
static double through(double chi, int layers)
{
    double product = 1;
    for (int i = 0; i < layers; i++) {
        product *= chi;
    }
    return product;
}

static void add_gradients(struct sow_cli_text *words, double chi)
{
    if (fabs(chi - 1) < 1e-9) {
        sow_cli_add(words, "Gradients keep their size at that gain. ");
    } else if (chi < 1) {
        sow_cli_add(
            words,
            "Gradients shrink: at the gain that keeps the signal, their second moment keeps "
            "%.4g of itself a layer, %.2g of it after 50 layers. ",
            chi, through(chi, 50));
    } else {
        sow_cli_add(words,
                    "Gradients grow: at the gain that keeps the signal, their second moment "
                    "grows by a factor of %.4g a layer, %.3g in 50 layers. ",
                    chi, through(chi, 50));
    }
}

static void add_scale(struct sow_cli_text *words, double chi)
{
    if (fabs(chi - 1) < 1e-9) {
        sow_cli_add(words, "A scale error neither heals nor grows. ");
    } else if (fabs(chi) < 1) {
        sow_cli_add(words, "A scale error heals: a layer keeps %.3g of it. ", chi);
    } else {
        sow_cli_add(
            words,
            "A scale error grows with depth, by a factor of %.4g a layer: an error of 1 %% is "
            "one of %.3g %% after 20 layers. ",
            chi, through(chi, 20));
    }
}

static void add_class(struct sow_cli_text *words, const struct sow_cli_activation *activation)
{
    switch (activation->criticality.universality) {
    case SOW_CRITICAL_NONE:
        sow_cli_add(words,
                    activation->numbers.chi_perp < 0.5
                        ? "Gradients die at any gain: no sigma_w and sigma_b keep both signal "
                          "and gradients; centre it or take another activation. "
                        : "No sigma_w and sigma_b keep both signal and gradients. ");
        break;
    case SOW_CRITICAL_HALF_STABLE:
        sow_cli_add(
            words, "At its critical point signals settle from above only; below it they drift away "
                   "and gradients shrink slowly. ");
        break;
    case SOW_CRITICAL_UNSTABLE:
        sow_cli_add(words, "No critical point holds a signal: put a norm around it. ");
        break;
    case SOW_CRITICAL_ZERO:
        sow_cli_add(words, "At its critical point, without biases, signals shrink as 1 / depth. ");
        break;
    case SOW_CRITICAL_SCALE_INVARIANT:
    case SOW_CRITICAL_STABLE:
    case SOW_CRITICAL_UNDEFINED:
        break;
    }
}

/* What the numbers mean, in a few sentences. */
static void add_words(struct sow_cli_text *words, const struct sow_cli_activation *activation)
{
    const struct sow_activation_numbers *numbers = &activation->numbers;
    const struct sow_activation *row = activation->function.activation;
    if (!(numbers->second_moment > 0)) {
        sow_cli_add(words, "It is 0 everywhere: nothing passes.");
        return;
    }
    if (activation->function.jumps) {
        sow_cli_add(words,
                    "It jumps or is infinitely steep somewhere: its derivative says nothing about "
                    "small changes there, so chi_perp and chi_par are undefined. ");
    } else {
        if (row != NULL && row->is_gate) {
            sow_cli_add(words,
                        "A gate multiplies two signals of one layer, so that scale errors and "
                        "gradients both grow: it needs a norm or a residual scaling around it. ");
        }
        add_scale(words, numbers->chi_par);
        add_gradients(words, numbers->chi_perp);
        add_class(words, activation);
    }
    if (activation->sigma_w == activation->sigma_w &&
        activation->point.q - activation->point.q != 0) {
        sow_cli_add(words, "At this sigma_w the signal never settles: it grows without bound. ");
    } else if (activation->sigma_w == activation->sigma_w && activation->point.q == 0) {
        sow_cli_add(words, "At this sigma_w the signal dies out. ");
    }
    if (numbers->c0 > 0.005) {
        sow_cli_add(words, "Unrelated inputs come out with a correlation of %.3g. ", numbers->c0);
    }
    if (row != NULL && row->summary[0] != '\0') {
        sow_cli_add(words, "Note: %s. ", row->summary);
    }
    words->bytes[--words->length] = '\0'; /* the last blank */
}

/* ---- For people ------------------------------------------------------------------------------ */

/* A name, and words beside it. */
static void add_entry(struct sow_cli_text *text, const char *name, const char *words)
{
    size_t begin = text->length, length = strlen(name);
    sow_cli_add_paragraph(text, words, COLUMNS, sow_cli_prose_width());
    memcpy(text->bytes + begin, name, length < COLUMNS ? length : COLUMNS - 1);
}

static void add_number(struct sow_cli_text *text, double x)
{
    if (x == x) {
        sow_cli_add(text, "%.11g", x);
    } else {
        sow_cli_add(text, "undefined");
    }
}

static void add_head(struct sow_cli_text *text, const struct sow_cli_activation *activation)
{
    const struct sow_function *function = &activation->function;
    const struct sow_activation *row = function->activation;
    struct sow_cli_text words = {0};
    if (row == NULL) {
        sow_cli_add_safe(&words, activation->expression, strlen(activation->expression), 0);
        add_entry(text, "expression", words.bytes);
    } else {
        add_entry(text, "name", row->name);
        for (size_t i = 0; row->aliases[i] != NULL; i++) {
            sow_cli_add(&words, "%s%s", i > 0 ? ", " : "", row->aliases[i]);
        }
        if (words.length > 0) {
            add_entry(text, "also", words.bytes);
        }
        add_entry(text, "formula", row->formula);
        add_entry(text, "source", row->source);
        for (size_t i = 0; i < row->parameter_count; i++) {
            sow_cli_text_clear(&words);
            sow_cli_add(&words, "%s = %.10g: %s", row->parameters[i].name, function->parameters[i],
                        row->parameters[i].summary);
            add_entry(text, i == 0 ? "parameters" : "", words.bytes);
        }
    }
    sow_cli_text_clear(&words);
    for (size_t i = 0; i < function->kink_count; i++) {
        sow_cli_add(&words, "%s%.12g", i > 0 ? ", " : "", function->kinks[i]);
    }
    sow_cli_add(&words, "%s%s", function->kink_count > 0 ? "" : "none",
                function->jumps ? " (jumps)" : "");
    add_entry(text, "kinks", words.bytes);
    sow_cli_text_free(&words);
}

static void add_numbers(struct sow_cli_text *text, const struct sow_activation_numbers *numbers)
{
    const struct {
        const char *name, *is;
        double number;
    } rows[] = {
        {"mean", "E[phi(z)]", numbers->mean},
        {"second moment", "E[phi(z)^2]", numbers->second_moment},
        {"gain", "1 / sqrt(E[phi^2]): keeps the second moment", numbers->gain},
        {"variance gain", "1 / std(phi): for centred weights", numbers->variance_gain},
        {"derivative", "E[phi'(z)^2]", numbers->derivative_second_moment},
        {"chi_perp", "gradients' second moment, a layer at that gain", numbers->chi_perp},
        {"chi_par", "a scale error, a layer at that gain", numbers->chi_par},
        {"c0", "correlation that unrelated inputs get", numbers->c0},
    };
    sow_cli_add(text, "\nz ~ N(0, 1)\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_cli_text words = {0};
        add_number(&words, rows[i].number);
        sow_cli_add(text, "  %-15s %-17s %s\n", rows[i].name, words.bytes, rows[i].is);
        sow_cli_text_free(&words);
    }
}

static void add_constants(struct sow_cli_text *text, const struct sow_cli_activation *activation)
{
    const struct sow_activation *row = activation->function.activation;
    const struct sow_activation_constant *constant = row != NULL ? row->constants : NULL;
    const char *head = "\nwhat frameworks ship\n";
    for (; constant != NULL && constant->framework != NULL; constant++) {
        int variance = strcmp(constant->framework, "nfnet") == 0;
        double exact = variance ? activation->numbers.variance_gain : activation->numbers.gain;
        double gain = constant->gain == constant->gain ? constant->gain : exact;
        sow_cli_add(text, "%s  %-15s %-17.11g ", head, constant->framework, gain);
        head = "";
        if (fabs(gain / exact - 1) < 1e-12) {
            sow_cli_add(text, "the %sgain", variance ? "variance " : "");
        } else {
            sow_cli_add(text, "%+.2g %% from the %sgain", 100 * (gain / exact - 1),
                        variance ? "variance " : "");
        }
        sow_cli_add(text, "\n");
        sow_cli_add_paragraph(text, constant->source, 18, sow_cli_prose_width());
    }
}

static void add_pair(struct sow_cli_text *text, const char *name, double sigma_w2, double sigma_b2)
{
    sow_cli_add(text, "  %-15s sigma_w^2 = %.10g, sigma_b^2 = %.10g\n", name, sigma_w2, sigma_b2);
}

static void add_stability(struct sow_cli_text *text, const struct sow_cli_activation *activation)
{
    const struct sow_fixed_point *point = &activation->point;
    const struct sow_criticality *criticality = &activation->criticality;
    struct sow_cli_text words = {0};
    if (activation->sigma_w == activation->sigma_w) {
        sow_cli_add(text, "\nsigma_w = %.10g, sigma_b = %.10g, from q = 1 on\n",
                    activation->sigma_w, activation->sigma_b);
        const char *how = point->q == 0               ? ": the signal dies out"
                          : point->chi_par > 1 + 1e-9 ? ", an unstable balance"
                                                      : "";
        if (point->q - point->q == 0) {
            sow_cli_add(text, "  %-15s %.11g%s\n", "settles at q", point->q, how);
        } else {
            sow_cli_add(text, "  %-15s never: it grows without bound\n", "settles at q");
        }
        if (point->q - point->q == 0) {
            add_number(&words, point->chi_perp);
            sow_cli_add(text, "  %-15s %-17s %s\n", "chi_perp", words.bytes, "of gradients there");
            sow_cli_text_clear(&words);
            add_number(&words, point->chi_par);
            sow_cli_add(text, "  %-15s %-17s %s\n", "chi_par", words.bytes,
                        "of a scale error there");
        }
        if (point->sigma_w2 == point->sigma_w2) {
            add_pair(text, "critical there", point->sigma_w2, point->sigma_b2);
        }
    }
    sow_cli_add(text, "\ncriticality: %s\n", sow_universality_name(criticality->universality));
    if (criticality->q == criticality->q) {
        sow_cli_add(text, "  %-15s %.11g\n", "at q", criticality->q);
        add_pair(text, "gain = critical", criticality->sigma_w2, criticality->sigma_b2);
    }
    sow_cli_text_free(&words);
}

void sow_cli_activation_text(const struct sow_cli_activation *activation, struct sow_cli_text *text)
{
    struct sow_cli_text words = {0};
    add_head(text, activation);
    add_numbers(text, &activation->numbers);
    add_constants(text, activation);
    add_stability(text, activation);
    add_words(&words, activation);
    sow_cli_add(text, "\n");
    sow_cli_add_paragraph(text, words.bytes, 0, sow_cli_prose_width());
    sow_cli_text_free(&words);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* ,"name":number; null where there is none. */
static void add_field(struct sow_cli_text *text, const char *name, double x)
{
    sow_cli_add(text, x - x == 0 ? ",\"%s\":%.17g" : ",\"%s\":null", name, x);
}

static void add_word(struct sow_cli_text *text, const char *name, const char *word)
{
    sow_cli_add(text, ",\"%s\":", name);
    sow_cli_add_json(text, word);
}

static void add_json_row(struct sow_cli_text *text, const struct sow_cli_activation *activation)
{
    const struct sow_activation *row = activation->function.activation;
    sow_cli_add(text, "{\"name\":");
    sow_cli_add_json(text, row->name);
    sow_cli_add(text, ",\"aliases\":[");
    for (size_t i = 0; row->aliases[i] != NULL; i++) {
        sow_cli_add(text, i > 0 ? "," : "");
        sow_cli_add_json(text, row->aliases[i]);
    }
    sow_cli_add(text, "]");
    add_word(text, "formula", row->formula);
    add_word(text, "source", row->source);
    sow_cli_add(text, ",\"gate\":%s,\"parameters\":{", row->is_gate ? "true" : "false");
    for (size_t i = 0; i < row->parameter_count; i++) {
        sow_cli_add(text, "%s\"%s\":%.17g", i > 0 ? "," : "", row->parameters[i].name,
                    activation->function.parameters[i]);
    }
    sow_cli_add(text, "},\"frameworks\":{");
    const struct sow_activation_constant *constant = row->constants;
    for (; constant != NULL && constant->framework != NULL; constant++) {
        double exact = activation->numbers.gain;
        sow_cli_add(text, "%s\"%s\":{\"gain\":%.17g", constant == row->constants ? "" : ",",
                    constant->framework, constant->gain == constant->gain ? constant->gain : exact);
        add_word(text, "source", constant->source);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "}");
}

static void add_json_stability(struct sow_cli_text *text,
                               const struct sow_cli_activation *activation)
{
    const struct sow_fixed_point *point = &activation->point;
    const struct sow_criticality *criticality = &activation->criticality;
    if (activation->sigma_w == activation->sigma_w) {
        sow_cli_add(text, ",\"fixed_point\":{\"sigma_w\":%.17g,\"sigma_b\":%.17g,\"diverges\":%s",
                    activation->sigma_w, activation->sigma_b,
                    point->q - point->q == 0 ? "false" : "true");
        add_field(text, "q", point->q);
        add_field(text, "chi_perp", point->chi_perp);
        add_field(text, "chi_par", point->chi_par);
        add_field(text, "critical_sigma_w2", point->sigma_w2);
        add_field(text, "critical_sigma_b2", point->sigma_b2);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, ",\"criticality\":{\"class\":\"%s\"",
                sow_universality_name(criticality->universality));
    add_field(text, "q", criticality->q);
    add_field(text, "sigma_w2", criticality->sigma_w2);
    add_field(text, "sigma_b2", criticality->sigma_b2);
    add_field(text, "chi_par", criticality->chi_par);
    sow_cli_add(text, "}");
}

void sow_cli_activation_json(const struct sow_cli_activation *activation, struct sow_cli_text *text)
{
    const struct sow_activation_numbers *numbers = &activation->numbers;
    const struct {
        const char *name;
        double number;
    } rows[] = {
        {"mean", numbers->mean},
        {"second_moment", numbers->second_moment},
        {"gain", numbers->gain},
        {"variance_gain", numbers->variance_gain},
        {"derivative_second_moment", numbers->derivative_second_moment},
        {"chi_perp", numbers->chi_perp},
        {"chi_par", numbers->chi_par},
        {"c0", numbers->c0},
    };
    struct sow_cli_text words = {0};
    const char *before = "";
    if (activation->function.activation != NULL) {
        add_json_row(text, activation);
    } else {
        sow_cli_add(text, "{\"expression\":");
        sow_cli_add_json(text, activation->expression);
    }
    sow_cli_add(text, ",\"kinks\":[");
    for (size_t i = 0; i < activation->function.kink_count; i++) {
        sow_cli_add(text, "%s%.17g", i > 0 ? "," : "", activation->function.kinks[i]);
    }
    sow_cli_add(text, "],\"jumps\":%s", activation->function.jumps ? "true" : "false");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add_field(text, rows[i].name, rows[i].number);
    }
    sow_cli_add(text, ",\"undefined\":[");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!(rows[i].number - rows[i].number == 0)) {
            sow_cli_add(text, "%s\"%s\"", before, rows[i].name);
            before = ",";
        }
    }
    sow_cli_add(text, "]");
    add_json_stability(text, activation);
    add_words(&words, activation);
    add_word(text, "words", words.bytes);
    sow_cli_add(text, "}");
    sow_cli_text_free(&words);
}
