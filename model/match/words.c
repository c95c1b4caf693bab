/* SPDX-License-Identifier: MIT */
/* Why a parameter starts as it does, in words: what its output feeds, what its input is like, and the variance that
 * follows. */
#include "model/match/inside.h"

#include "core/activation/quadrature.h"
#include "core/base/elementary.h"
#include "core/base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text of fixed room; what does not fit is cut. */
struct words {
    char *text;
    size_t length, size;
};

static void say(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wrote =
        vsnprintf(words->text + words->length, words->size - words->length, format, arguments);
    va_end(arguments);
    words->length += wrote < 0 ? 0 : (size_t)wrote;
    words->length = words->length < words->size ? words->length : words->size - 1;
}

static const char *activation_name(const struct sow_site *site)
{
    for (uint32_t i = 0; i < site->operation->attribute_count; i++) {
        if (strcmp(site->operation->attributes[i].name, "name") == 0) {
            return site->operation->attributes[i].text;
        }
    }
    return site->operation->kind;
}

/* ---- What comes in ---------------------------------------------------------------------------------- */

static void say_product(struct words *words, const struct sow_matching *matching,
                        const struct sow_site *product)
{
    uint32_t self = sow_self_gate(matching, product);
    for (uint32_t i = 0; i < 2; i++) {
        const struct sow_site *side = &matching->sites[sow_input_of(matching, product, i)];
        if (side->walk == SOW_WALK_ACTIVATION) {
            say(words, self < 2 ? "comes out of x %s(x)" : "is a gated product, a %s(b)",
                activation_name(side));
            return;
        }
    }
    say(words, "is a product");
}

static void say_input(struct words *words, const struct sow_matching *matching,
                      const struct sow_choice *choice)
{
    const struct sow_site *site = &matching->sites[choice->site];
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
    if (choice->input == 1 || site->operation->input_count == 0) {
        return;
    }
    say(words, "; its input ");
    const struct sow_site *cause = in->cause == SOW_NO_SITE ? in : &matching->sites[in->cause];
    switch (cause->walk) {
    case SOW_WALK_ACTIVATION:
        say(words, "comes out of %s", activation_name(cause));
        break;
    case SOW_WALK_MULTIPLY:
        say_product(words, matching, cause);
        break;
    case SOW_WALK_MAX_POOL:
        say(words, "is the largest of a window");
        break;
    case SOW_WALK_AVERAGE_POOL:
        say(words, "is the mean of a window");
        break;
    case SOW_WALK_ADD:
        say(words, "is a sum");
        break;
    case SOW_WALK_GATED:
        say(words, "is a gated product, %s", activation_name(cause));
        break;
    case SOW_WALK_GLOBAL_POOL:
        say(words, "is a pool over all places");
        break;
    case SOW_WALK_RECURRENT:
        say(words, "is the state of %s", cause->operation->kind);
        break;
    default:
        say(words, "is not at unit scale");
    }
    say(words, ", second moment %s", sow_number_text(choice->input).text);
}

/* ---- What is fed -------------------------------------------------------------------------------------- */

/* Why not at unit scale, in a long run. */
static void say_point(struct words *words, const struct sow_matching *matching,
                      const struct sow_choice *choice)
{
    const struct sow_point *point = &choice->point;
    say(words, ", one of %" PRIu32 " in a row", matching->sites[choice->site].run);
    if (point->kind == SOW_POINT_SMALLER) {
        say(words, ": gain %s, at which signals settle at second moment %s and squared gradients",
            sow_number_text(sow_sqrt(point->square)).text, sow_number_text(point->second).text);
        say(words, " change tenfold over all of them (at unit scale %s times a layer)",
            sow_number_text(point->chi_perp).text);
    } else {
        say(words, ": its critical point, second moment %s", sow_number_text(point->second).text);
        if (point->bias > 0) {
            say(words, " of which %s from biases", sow_number_text(point->bias).text);
        }
        say(words, ", where gradients and errors of scale stay as they are");
    }
    if (choice->law == SOW_LAW_GLOROT) {
        say(words, "; Glorot, between fan_in and fan_out");
    }
}

static void say_activation(struct words *words, const struct sow_matching *matching,
                           const struct sow_choice *choice, const struct sow_site *site)
{
    if (site->walk == SOW_WALK_MULTIPLY) {
        say(words, "feeds a signal that gates itself, at unit scale");
        return;
    }
    say(words, "feeds %s", activation_name(site));
    if (choice->point.kind != SOW_POINT_UNIT) {
        say_point(words, matching, choice);
    } else if (choice->law == SOW_LAW_GLOROT) {
        say(words, ", which saturates: Glorot, between fan_in and fan_out");
    } else if (choice->law == SOW_LAW_HE) {
        if (choice->left == 0.5) {
            say(words, ", which halves the second moment: He");
        } else if (choice->left == 1) {
            say(words, ", which keeps the second moment");
        } else {
            say(words, ", which multiplies the second moment by %s: He",
                sow_number_text(choice->left).text);
        }
    } else {
        say(words, " at unit scale; its exact gain is taken by the layer behind it");
    }
}

static void say_scores(struct words *words, const struct sow_site *site)
{
    double head_dim = sow_attribute(site->operation, "head_dim", 1);
    double scale = sow_attribute(site->operation, "scale", 0);
    say(words, "feeds attention scores, q k ");
    if (scale != 0) {
        say(words, "* %s over %s features", sow_number_text(scale).text,
            sow_number_text(head_dim).text);
    } else {
        say(words, "/ sqrt(%s)", sow_number_text(head_dim).text);
    }
    say(words, ": they start with unit variance");
}

static void say_branch(struct words *words, const struct sow_matching *matching,
                       const struct sow_site *add)
{
    uint32_t count = matching->sites[add->stream].branches;
    if (count == 1) {
        say(words, "ends the only residual branch of its stream: as large as the stream began");
    } else {
        say(words,
            "ends one of %" PRIu32 " residual branches on its stream: / sqrt(%" PRIu32
            "), so that together they add second moment %s",
            count, count, sow_number_text(sow_base_of(matching, add)).text);
    }
}

static void say_fed(struct words *words, const struct sow_matching *matching,
                    const struct sow_choice *choice, const struct sow_need *need)
{
    const struct sow_site *site = need->site == SOW_NO_SITE ? NULL : &matching->sites[need->site];
    switch (need->feeds) {
    case SOW_FEEDS_OUTPUT:
        say(words, "the output: variance 1 / fan_in^2, so that the first outputs are near 0 (loss "
                   "ln C) and nearer the wider the model (Yang et al. 2022)");
        break;
    case SOW_FEEDS_BRANCH:
        if (need->norm != SOW_NO_SITE) {
            say(words, "ends a residual branch: unit variance");
            break;
        }
        say_branch(words, matching, site);
        break;
    case SOW_FEEDS_STREAM:
        say(words, "begins a residual stream, at unit variance");
        break;
    case SOW_FEEDS_GATE:
        if (site->walk == SOW_WALK_GATED) {
            say(words, "goes into the gated unit %s: unit variance", activation_name(site));
            break;
        }
        say(words, "goes through %s and gates another signal: unit variance",
            activation_name(site));
        break;
    case SOW_FEEDS_PRODUCT:
        say(words, "is multiplied by another signal: unit variance");
        break;
    case SOW_FEEDS_ACTIVATION:
        say_activation(words, matching, choice, site);
        break;
    case SOW_FEEDS_SCORES:
        say_scores(words, site);
        break;
    case SOW_FEEDS_PACKED:
        say(words, "gives queries, keys and values: with unit variance the attention scores have "
                   "it too");
        break;
    case SOW_FEEDS_VALUES:
        say(words, "gives the values that attention averages: unit variance");
        break;
    case SOW_FEEDS_ROUTER:
        say(words, "feeds a softmax: logits of unit variance");
        break;
    case SOW_FEEDS_LINEAR:
    case SOW_FEEDS_UNKNOWN:
        say(words, "feeds the next weights without an activation: unit variance");
    }
    if (need->share != 1) {
        say(words, ", of which this term of a sum is %s", sow_number_text(need->share).text);
    }
    if (need->factor != 1) {
        say(words, "; a factor %s follows", sow_number_text(need->factor).text);
    }
    if (need->norm != SOW_NO_SITE) {
        say(words, "; a normalisation comes first, so that the scale does not matter");
    }
}

static void say_variance(struct words *words, const struct sow_choice *choice)
{
    double square = choice->number * choice->number;
    if (choice->law == SOW_LAW_GLOROT) {
        say(words, "; variance %s/(fan_in + fan_out)", sow_number_text(2 * square).text);
        say(words, ", fan_in = %s", sow_number_text(choice->fan_in).text);
        say(words, ", fan_out = %s", sow_number_text(choice->fan_out).text);
    } else {
        say(words, "; variance %s/fan_in", sow_number_text(square).text);
        say(words, ", fan_in = %s", sow_number_text(choice->fan_in).text);
    }
}

static void say_rows(struct words *words, const struct sow_choice *choice,
                     const struct sow_site *site)
{
    const struct sow_need *need = &site->need;
    if (choice->tied) {
        say(words,
            "embedding and output head in one, a compromise: as an embedding it would have "
            "variance 1, but as the head 1/%s, for logits of unit variance (loss ln C + 1/2) and a "
            "token's own logit no larger; the residual branches outgrow it",
            sow_number_text(1 / choice->target).text);
    } else if (need->tied != SOW_NO_SITE) {
        say(words,
            "looked up and added to an embedding that is also the head: the same variance, "
            "1/%s",
            sow_number_text(1 / choice->target).text);
    } else {
        say(words, site->walk == SOW_WALK_LEARNED ? "a learned value, as it is: unit variance"
                                                  : "looked up, one row at a time: no fan; unit "
                                                    "variance");
        if (need->share != 1) {
            say(words, " for the sum, of which this term is %s", sow_number_text(need->share).text);
        }
        if (need->factor != 1) {
            say(words, " behind the factor %s", sow_number_text(need->factor).text);
        }
        if (need->norm != SOW_NO_SITE) {
            say(words, "; a normalisation follows, so that only the shares matter");
        }
    }
}

void sow_match_words(const struct sow_matching *matching, size_t parameter, char *text, size_t size)
{
    const struct sow_choice *choice = &matching->choices[parameter];
    struct words words = {text, 0, size};
    const struct sow_site *site =
        choice->site == SOW_NO_SITE ? NULL : &matching->sites[choice->site];
    text[0] = '\0';
    switch (choice->law) {
    case SOW_LAW_NONE:
        say(&words, "a bias starts at 0: the random weights already make the units differ");
        break;
    case SOW_LAW_BIAS:
        say(&words,
            "a bias of variance %s, which the critical point of the activation behind it has",
            sow_number_text(choice->target).text);
        break;
    case SOW_LAW_VALUE:
        if (site->need.feeds == SOW_FEEDS_BRANCH && site->need.norm == SOW_NO_SITE) {
            say(&words, "the scale that ");
            say_branch(&words, matching, &matching->sites[site->need.site]);
        } else {
            say(&words, site->walk == SOW_WALK_FEATURE
                            ? "a factor for each feature starts as the identity"
                            : "a normalisation starts as the identity");
        }
        break;
    case SOW_LAW_STD:
        say_rows(&words, choice, site);
        break;
    case SOW_LAW_FAN_IN:
    case SOW_LAW_HE:
    case SOW_LAW_GLOROT:
        if (site->walk == SOW_WALK_RECURRENT) {
            say(&words, sow_is_recurrent(&matching->graph->parameters[parameter])
                            ? "carries the state from step to step: Glorot, which for a square "
                              "matrix is 1/fan_in, so that it neither dies nor explodes"
                            : "feeds a recurrent layer, whose units saturate: Glorot, "
                              "each gate by itself");
        } else {
            say_fed(&words, matching, choice, &site->need);
        }
        say_input(&words, matching, choice);
        say_variance(&words, choice);
        break;
    }
}
