/* SPDX-License-Identifier: MIT */
/* From what comes in and what is fed to the scheme of each parameter:
 *
 *     variance = target / (fan_in * second moment of the input)
 *
 * The target is the second moment that the output should have: 2 before ReLU (He), 1 before others, 1 / N of the stream at
 * the end of each of N residual branches, 1 / fan_in at the output; in a long run of weights and activations what depth.c
 * says. Before tanh and its kin fan_in is Glorot's mean. */
#include "model/match/inside.h"

#include "core/activation/quadrature.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#include <math.h>

/* What the output of these weights should have as its second moment, and the law that follows from it. */
static enum sow_status find_target(struct sow_matching *matching, const struct sow_site *weights,
                                   struct sow_choice *choice, struct sow_error *error)
{
    const struct sow_need *need = &weights->need;
    const struct sow_site *site = need->site == SOW_NO_SITE ? NULL : &matching->sites[need->site];
    struct sow_function function;
    enum sow_status status = SOW_OK;
    choice->law = SOW_LAW_FAN_IN;
    choice->target = 1;
    if (need->norm != SOW_NO_SITE) { /* the plain rule: the scale does not matter */
        choice->input = 1;
    }
    switch (need->feeds) {
    case SOW_FEEDS_OUTPUT:
        choice->target = choice->tied ? 1 : 1 / choice->fan_in;
        break;
    case SOW_FEEDS_BRANCH:
        if (need->norm != SOW_NO_SITE) {
            break;
        }
        choice->target = sow_base_of(matching, site) / matching->sites[site->stream].branches;
        break;
    case SOW_FEEDS_ACTIVATION:
        if (site->walk == SOW_WALK_MULTIPLY) {
            break;
        }
        status = sow_activation_of(matching, site->operation, &function, error);
        if (status == SOW_OK && sow_is_homogeneous(&function)) {
            choice->law = SOW_LAW_HE;
            choice->left = sow_kept_second_moment(matching, &function);
            choice->target = 1 / choice->left;
        } else if (status == SOW_OK) {
            choice->point = sow_point_of(matching, &function, weights);
            choice->target = choice->point.kind == SOW_POINT_SMALLER
                                 ? choice->point.square
                                 : choice->point.second - choice->point.bias;
            choice->law = sow_is_sigmoidal(matching, &function) ? SOW_LAW_GLOROT : SOW_LAW_FAN_IN;
        }
        break;
    case SOW_FEEDS_SCORES: {
        double head_dim = sow_attribute(site->operation, "head_dim", 1);
        double scale = fabs(sow_attribute(site->operation, "scale", 0));
        choice->target = scale > 0 ? 1 / (scale * sow_sqrt(head_dim)) : 1;
        break;
    }
    default:
        break;
    }
    double part = need->share / (need->factor > 0 ? need->factor * need->factor : 1);
    choice->target *= part;
    choice->point.bias *= part;
    return status;
}

/* ---- Weights --------------------------------------------------------------------------------------- */

static enum sow_status choose_weight(struct sow_matching *matching, uint32_t index,
                                     struct sow_choice *choice,
                                     const struct sow_parameter *parameter, struct sow_error *error)
{
    const struct sow_site *site = &matching->sites[index];
    struct sow_fans fans;
    struct sow_error inner;
    struct sow_tensor tensor = *parameter->tensor;
    if (parameter->blocks.count > 0 && site->walk == SOW_WALK_RECURRENT) { /* a gate by itself */
        tensor.shape[parameter->blocks.axis] = parameter->blocks.sizes[0];
    }
    if (sow_tensor_fans(&tensor, &fans, &inner) != SOW_OK) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "the variant matched needs the fans of %.300s: %s", parameter->name,
                           inner.message);
    }
    choice->fan_in = fans.in;
    choice->fan_out = fans.out;
    if (parameter->tensor->kind ==
        SOW_KIND_EMBEDDING) { /* looked up, and here a matrix (out, in) */
        choice->fan_in = (double)parameter->tensor->shape[1];
        choice->fan_out = (double)parameter->tensor->shape[0];
    }
    choice->input = 1;
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        choice->input *= matching->sites[sow_input_of(matching, site, i)].second;
    }
    choice->site = index;
    enum sow_status status = SOW_OK;
    if (site->walk == SOW_WALK_RECURRENT) {
        choice->law = SOW_LAW_GLOROT;
        choice->target = 1;
        choice->input = 1;
    } else {
        status = find_target(matching, site, choice, error);
    }
    double square = choice->input > 0 ? choice->target / choice->input : 1;
    if (choice->point.kind == SOW_POINT_SMALLER) { /* as written: alike in all layers */
        square = choice->target * (sow_after_activation(matching, site) / choice->input);
    }
    choice->number = fabs(square - 1) < 1e-12 ? 1 : sow_sqrt(square);
    return status;
}

/* Second moment of what these weights give for what they are given here. */
static double given(const struct sow_matching *matching, const struct sow_site *site,
                    const struct sow_choice *choice)
{
    double input = 1;
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        input *= matching->sites[sow_input_of(matching, site, i)].second;
    }
    if (choice->law == SOW_LAW_STD) {
        return choice->number * choice->number * choice->fan_in * input;
    }
    return choice->number * choice->number * input;
}

/* ---- Rows that are looked up ------------------------------------------------------------------------ */

/* An embedding that is the head too, with d features, a factor f behind the lookup and g behind the head. Logits have the
 * variance g^2 d v; and as the stream still holds the token's own row, its own logit is near g f d v when the branches
 * add 1 to the stream. Both are to be at most 1. */
static double tied_variance(const struct sow_matching *matching, const struct sow_choice *choice,
                            double d, double f)
{
    double g = matching->sites[choice->head].need.factor;
    double variance = 1 / (d * g * g), own = 1 / (d * f * g);
    return own < variance ? own : variance;
}

static enum sow_status choose_rows(struct sow_matching *matching, uint32_t index,
                                   struct sow_choice *choice, const struct sow_parameter *parameter,
                                   struct sow_error *error)
{
    const struct sow_site *site = &matching->sites[index];
    const struct sow_need *need = &site->need;
    const struct sow_tensor *tensor = parameter->tensor;
    choice->fan_in = tensor->rank > 0 ? (double)tensor->shape[tensor->rank - 1] : 1;
    choice->site = index;
    choice->input = 1;
    choice->law = SOW_LAW_STD;
    choice->target = need->share / (need->factor > 0 ? need->factor * need->factor : 1);
    uint32_t tied = choice->tied ? (uint32_t)(choice - matching->choices) : need->tied;
    if (tied != SOW_NO_SITE) {
        choice->target =
            tied_variance(matching, &matching->choices[tied], choice->fan_in, need->factor);
    }
    choice->number = sow_sqrt(choice->target);
    (void)error;
    return SOW_OK;
}

/* ---- Scales of norms ---------------------------------------------------------------------------------- */

/* 1, and at the end of a residual branch what makes it a share of the stream: there the scale is the last weight. */
static void choose_scale(struct sow_matching *matching, uint32_t index, struct sow_choice *choice)
{
    const struct sow_site *site = &matching->sites[index];
    double identity = 1 - sow_attribute(site->operation, "offset", 0);
    double second = site->walk == SOW_WALK_FEATURE && site->second > 0 ? site->second : 1;
    choice->law = SOW_LAW_VALUE;
    choice->site = index;
    choice->number = identity;
    choice->target = 1;
    if (site->need.feeds == SOW_FEEDS_BRANCH && site->need.norm == SOW_NO_SITE) {
        const struct sow_site *add = &matching->sites[site->need.site];
        choice->target =
            site->need.share * sow_base_of(matching, add) / matching->sites[add->stream].branches;
        choice->number = sow_sqrt(choice->target / second) - (1 - identity);
    } else if (site->walk == SOW_WALK_FEATURE) {
        choice->target = second;
    }
}

/* ---- Biases ------------------------------------------------------------------------------------------- */

/* 0, but at a critical point that has some. `weight`: what was chosen for the weights beside it, NULL for none. */
static void choose_bias(uint32_t index, struct sow_choice *choice, const struct sow_choice *weight)
{
    if (weight != NULL && weight->point.bias > 0) {
        choice->law = SOW_LAW_BIAS;
        choice->site = index;
        choice->target = weight->point.bias;
        choice->number = sow_sqrt(choice->target);
    }
}

/* ---- One operation -------------------------------------------------------------------------------------- */

enum sow_status sow_choose(struct sow_matching *matching, uint32_t index, struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_operation *operation = site->operation;
    const struct sow_choice *weight = NULL;
    enum sow_status status = SOW_OK;
    for (uint32_t i = 0; i < operation->parameter_count && status == SOW_OK; i++) {
        uint32_t number = operation->parameters[i];
        const struct sow_parameter *parameter = &matching->graph->parameters[number];
        struct sow_choice *choice = &matching->choices[number];
        int used = choice->law != SOW_LAW_NONE;
        if (site->walk == SOW_WALK_LEARNED) {
            status = used ? SOW_OK : choose_rows(matching, index, choice, parameter, error);
            site->second = choice->target;
            continue;
        }
        switch (parameter->tensor->kind) {
        case SOW_KIND_LINEAR:
        case SOW_KIND_CONV:
        case SOW_KIND_CONV_TRANSPOSE:
        case SOW_KIND_BILINEAR:
        case SOW_KIND_EMBEDDING:
            if (!used && site->walk == SOW_WALK_LOOKUP) {
                status = choose_rows(matching, index, choice, parameter, error);
            } else if (!used) {
                status = choose_weight(matching, index, choice, parameter, error);
            }
            if (site->walk == SOW_WALK_LOOKUP) {
                site->second = choice->target;
            } else if (site->walk == SOW_WALK_WEIGHT) {
                site->second = given(matching, site, choice) + choice->point.bias;
                weight = choice;
            }
            break;
        case SOW_KIND_BIAS:
            if (!used) {
                choose_bias(index, choice, weight);
            }
            break;
        case SOW_KIND_NORM:
            if (!used) {
                choose_scale(matching, index, choice);
            }
            site->second = choice->target;
            break;
        default:
            break;
        }
    }
    return status;
}
