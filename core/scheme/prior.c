/* SPDX-License-Identifier: MIT */
/* Biases that say what is known before any training: how often each class comes, how rare a positive
 * is. Each tells the first loss it gives, for logits that are
 * otherwise near zero. */
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"

#define CLASSES_MAX (UINT32_C(1) << 18)
#define SUM_ERROR   1e-5 /* what rounded frequencies may miss one by */

/* ---- One class against the rest ------------------------------------------------------------- */

/* A probability strictly between 0 and 1. */
static enum sow_status read_share(const struct sow_call *call, const char *name, double *share)
{
    enum sow_status status = sow_call_number(call, name, share);
    if (status == SOW_OK && !(*share > 0 && *share < 1)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s of %s is %s; it is a probability, above 0 and below 1", name,
                        call->scheme->name, sow_number_text(*share).text);
    }
    return status;
}

static enum sow_status draw_logit(const struct sow_call *call, double pi)
{
    double bias = -(sow_log1p(-pi) - sow_log(pi));
    sow_call_explain(call, "b = -ln((1 - pi) / pi) = -ln((1 - %s) / %s) = %s",
                     sow_number_text(pi).text, sow_number_text(pi).text,
                     sow_number_text(bias).text);
    return sow_draw_constant(bias, call->draw, call->error);
}

/* Of the two terms of the loss; gamma 0 and weights of 1 make it the cross-entropy. */
struct focus {
    double gamma, positive, negative;
};

/* Lin et al.'s alpha-balanced focal loss, eq. 5, of a logit that says `pi` where a share `share` is
 * positive. */
static double loss_of(double pi, double share, struct focus focus)
{
    double positive = focus.positive * sow_pow(1 - pi, focus.gamma) * -sow_log(pi);
    double negative = focus.negative * sow_pow(pi, focus.gamma) * -sow_log1p(-pi);
    return share * positive + (1 - share) * negative;
}

/* At a share of pi, which is what the bias expects, and at `positives`. */
static void tell_losses(const struct sow_call *call, const char *name, double pi, double positives,
                        struct focus focus)
{
    char also[160] = "";
    if (pi != positives) {
        snprintf(also, sizeof also, "; %s when %s is, and a zero bias %s",
                 sow_number_text(loss_of(pi, positives, focus)).text,
                 sow_number_text(positives).text,
                 sow_number_text(loss_of(0.5, positives, focus)).text);
    }
    sow_call_tell_loss(call, "%s a logit %s when a share pi is positive, and a zero bias %s%s",
                       name, sow_number_text(loss_of(pi, pi, focus)).text,
                       sow_number_text(loss_of(0.5, pi, focus)).text, also);
}

static enum sow_status prior(const struct sow_call *call)
{
    double pi = 0, positives = 0;
    enum sow_status status = read_share(call, "pi", &pi);
    status = status == SOW_OK ? read_share(call, "positives", &positives) : status;
    if (status != SOW_OK) {
        return status;
    }
    tell_losses(call, "binary cross-entropy", pi, positives, (struct focus){0, 1, 1});
    return draw_logit(call, pi);
}

static enum sow_status focal_prior(const struct sow_call *call)
{
    double pi = 0, positives = 0, alpha = 0, gamma = 0;
    char name[80];
    enum sow_status status = read_share(call, "pi", &pi);
    status = status == SOW_OK ? read_share(call, "positives", &positives) : status;
    status = status == SOW_OK ? read_share(call, "alpha", &alpha) : status;
    status = status == SOW_OK ? sow_call_size(call, "gamma", &gamma) : status;
    if (status != SOW_OK) {
        return status;
    }
    snprintf(name, sizeof name, "focal loss (gamma %s, alpha %s)", sow_number_text(gamma).text,
             sow_number_text(alpha).text);
    tell_losses(call, name, pi, positives, (struct focus){gamma, alpha, 1 - alpha});
    return draw_logit(call, pi);
}

/* ---- Many classes --------------------------------------------------------------------------- */

double sow_scheme_row(const struct sow_scheme_detail *detail, size_t row)
{
    return sow_log((detail->weights[row] + detail->weight_more) / detail->weight_sum);
}

/* The list that was given, `p` or `counts`. */
static enum sow_status find_list(const struct sow_call *call, const struct sow_argument **list)
{
    const struct sow_argument *p = sow_call_find(call, "p"),
                              *counts = sow_call_find(call, "counts");
    const char *scheme = call->scheme->name;
    *list = p != NULL ? p : counts;
    if ((p == NULL) == (counts == NULL)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s takes p, frequencies that sum to one, or counts; %s", scheme,
                        p == NULL ? "it was given neither" : "it was given both");
    }
    if ((*list)->list == NULL || (*list)->list_count == 0) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s of %s is a list of numbers, one a class: { 0.9, 0.1 }", (*list)->name,
                        scheme);
    }
    const struct sow_tensor *tensor = call->tensor;
    size_t rows = tensor != NULL && tensor->rank == 1 ? (size_t)tensor->shape[0] : 0;
    if (rows != (*list)->list_count) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s has %zu %s, and the tensor %s %zu; one a class is needed, and a vector",
                        scheme, (*list)->list_count, p != NULL ? "frequencies" : "counts",
                        tensor != NULL && tensor->rank == 1 ? "has length" : "is no vector:", rows);
    }
    if (rows > CLASSES_MAX) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s takes at most %u classes, not %zu", scheme,
                        CLASSES_MAX, rows);
    }
    return SOW_OK;
}

/* Every number is one, and none is zero: its logarithm would be infinite. */
static enum sow_status check_list(const struct sow_call *call, const struct sow_argument *list,
                                  double more, double *sum)
{
    *sum = 0;
    for (size_t i = 0; i < list->list_count; i++) {
        double x = list->list[i];
        if (!(x >= 0) || x - x != 0) {
            return sow_fail(call->error, SOW_E_ARGUMENT,
                            "%s of %s: class %zu has %s; it must be a number of at least 0",
                            list->name, call->scheme->name, i, sow_number_text(x).text);
        }
        if (x + more == 0) {
            return sow_fail(call->error, SOW_E_ARGUMENT,
                            "%s of %s: class %zu has 0, and its bias would be -infinity; %s",
                            list->name, call->scheme->name, i,
                            list->name[0] == 'p'
                                ? "give it a small frequency"
                                : "add something to every count with smoothing = 1");
        }
        *sum += x + more;
    }
    return SOW_OK;
}

static enum sow_status class_prior(const struct sow_call *call)
{
    const struct sow_argument *list;
    double more, sum = 0;
    enum sow_status status = find_list(call, &list);
    status = status == SOW_OK ? sow_call_size(call, "smoothing", &more) : status;
    if (status == SOW_OK && list->name[0] == 'p' && more != 0) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "smoothing of class_prior goes with counts, not with p");
    }
    status = status == SOW_OK ? check_list(call, list, more, &sum) : status;
    if (status != SOW_OK) {
        return status;
    }
    if (list->name[0] == 'p' && !(sum > 1 - SUM_ERROR && sum < 1 + SUM_ERROR)) {
        return sow_fail(
            call->error, SOW_E_ARGUMENT,
            "p of class_prior sums to %s, not to 1; give counts = to have them divided by "
            "their sum",
            sow_number_text(sum).text);
    }
    struct sow_scheme_detail *detail = call->detail;
    detail->weights = list->list;
    detail->rows = list->list_count;
    detail->weight_more = more;
    detail->weight_sum = sum;
    double entropy = 0, count = (double)detail->rows;
    for (size_t i = 0; i < detail->rows; i++) {
        entropy -= (list->list[i] + more) / sum * sow_scheme_row(detail, i);
    }
    sow_call_explain(call, "b_k = ln p_k: b_0 = ln %s = %s, ... for %zu classes",
                     sow_number_text((list->list[0] + more) / sum).text,
                     sow_number_text(sow_scheme_row(detail, 0)).text, detail->rows);
    sow_call_tell_loss(
        call,
        "cross-entropy %s when classes come so often (the entropy of p); a zero bias costs ln "
        "%zu = %s",
        sow_number_text(entropy).text, detail->rows, sow_number_text(sow_log(count)).text);
    return sow_draw_constant(sow_scheme_row(detail, 0), call->draw, call->error);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct sow_scheme_parameter prior_parameters[] = {
    {"pi", NULL, "the probability that a positive is expected with"},
    {"positives", "0.01", "the share that really is positive: for the loss it tells"},
};

static const struct sow_scheme_parameter focal_prior_parameters[] = {
    {"pi", "0.01", "the probability that a positive is expected with"},
    {"gamma", "2", "of the loss"},
    {"alpha", "0.25", "of the loss: the weight of positives"},
    {"positives", "0.01", "the share that really is positive: for the loss it tells"},
};

static const struct sow_scheme_parameter class_prior_parameters[] = {
    {"p", "none", "a frequency for each class, summing to one: a list, or a file of numbers"},
    {"counts", "none", "instead of p: how often each came, divided by their sum"},
    {"smoothing", "0", "added to every count"},
};

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "prior",
                .aliases = (const char *const[]){"binary_prior", NULL},
                .parameters = prior_parameters,
                .parameter_count = COUNT(prior_parameters),
                .positional = (const char *const[]){"pi", NULL},
                .formula = "b = -ln((1 - pi) / pi)",
                .source = "Lin, Goyal, Girshick, He and Dollar 2017, section 4.1",
                .summary = "biases of logits that are rarely positive: detection, multi-label",
            },
        .resolve = prior,
    },
    {
        .scheme =
            {
                .name = "focal_prior",
                .aliases = (const char *const[]){NULL},
                .parameters = focal_prior_parameters,
                .parameter_count = COUNT(focal_prior_parameters),
                .positional = (const char *const[]){"pi", NULL},
                .formula = "b = -ln((1 - pi) / pi)",
                .source = "Lin, Goyal, Girshick, He and Dollar 2017, section 4.1",
                .summary = "the same bias, with the first value of the focal loss",
            },
        .resolve = focal_prior,
    },
    {
        .scheme =
            {
                .name = "class_prior",
                .aliases = (const char *const[]){NULL},
                .parameters = class_prior_parameters,
                .parameter_count = COUNT(class_prior_parameters),
                .lists = (const char *const[]){"p", "counts", NULL},
                .formula = "b_k = ln p_k",
                .source = "the bias for which softmax(b) = p; Karpathy 2019, A Recipe for Training "
                          "Neural Networks",
                .summary = "bias of a classifier that knows how often each class comes",
            },
        .resolve = class_prior,
    },
};

const struct sow_scheme_family sow_scheme_prior = {rows, COUNT(rows)};
