/* SPDX-License-Identifier: MIT */
/* What each value feeds, from the outputs back: through normalisations, pools and whatever only changes shapes, to the
 * first thing that says how large the value should be. */
#include "model/match/inside.h"

#include <math.h>

static struct sow_need need_of(enum sow_feeds feeds, uint32_t site)
{
    return (struct sow_need){feeds, site, SOW_NO_SITE, SOW_NO_SITE, 1, 1};
}

/* Of two things that a value feeds the stronger one stays; without a norm before it is stronger. */
static void add_need(struct sow_matching *matching, uint32_t index, struct sow_need need)
{
    struct sow_need *kept = &matching->sites[index].need;
    int kept_normed = kept->norm != SOW_NO_SITE, normed = need.norm != SOW_NO_SITE;
    if (kept->feeds == SOW_FEEDS_UNKNOWN || normed < kept_normed ||
        (normed == kept_normed && need.feeds < kept->feeds)) {
        *kept = need;
    }
}

static enum sow_status through_activation(struct sow_matching *matching, uint32_t index,
                                          const struct sow_need *out, struct sow_error *error)
{
    const struct sow_site *site = &matching->sites[index];
    struct sow_need need = need_of(SOW_FEEDS_ACTIVATION, index);
    if (out->norm == SOW_NO_SITE && out->feeds == SOW_FEEDS_PRODUCT) {
        need.feeds = SOW_FEEDS_GATE;
    } else if (out->norm == SOW_NO_SITE && out->feeds == SOW_FEEDS_OUTPUT) {
        struct sow_function function;
        enum sow_status status = sow_activation_of(matching, site->operation, &function, error);
        if (status != SOW_OK) {
            return status;
        }
        if (sow_is_sigmoidal(matching,
                             &function)) { /* it makes a probability of a logit: that is the head */
            need.feeds = SOW_FEEDS_OUTPUT;
        }
    }
    add_need(matching, sow_input_of(matching, site, 0), need);
    return SOW_OK;
}

static void through_add(struct sow_matching *matching, uint32_t index, const struct sow_need *out)
{
    const struct sow_site *add = &matching->sites[index];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t input = sow_input_of(matching, add, i);
        struct sow_need need = *out;
        if (add->branch != SOW_NO_SITE) {
            need = need_of(i == add->branch ? SOW_FEEDS_BRANCH : SOW_FEEDS_STREAM, index);
        } else {
            need.share *= matching->sites[input].terms / add->terms;
            need.tied = add->tied;
        }
        add_need(matching, input, need);
    }
}

static void through_multiply(struct sow_matching *matching, uint32_t index)
{
    const struct sow_site *site = &matching->sites[index];
    uint32_t x = sow_self_gate(matching, site);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t input = sow_input_of(matching, site, i);
        struct sow_need need = need_of(SOW_FEEDS_PRODUCT, index);
        if (x < 2) { /* x phi(x) is an activation of its own */
            need = need_of(SOW_FEEDS_ACTIVATION, index);
        }
        add_need(matching, input, need);
    }
}

static void through_attention(struct sow_matching *matching, uint32_t index)
{
    const struct sow_site *site = &matching->sites[index];
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        enum sow_feeds feeds = site->operation->input_count == 1 ? SOW_FEEDS_PACKED
                               : i < 2                           ? SOW_FEEDS_SCORES
                                                                 : SOW_FEEDS_VALUES;
        add_need(matching, sow_input_of(matching, site, i), need_of(feeds, index));
    }
}

/* The first input weighs the others. */
static void through_experts(struct sow_matching *matching, uint32_t index,
                            const struct sow_need *out)
{
    const struct sow_site *site = &matching->sites[index];
    add_need(matching, sow_input_of(matching, site, 0), need_of(SOW_FEEDS_LINEAR, index));
    for (uint32_t i = 1; i < site->operation->input_count; i++) {
        add_need(matching, sow_input_of(matching, site, i), *out);
    }
}

/* The gate comes first where there are two. */
static void through_gated(struct sow_matching *matching, uint32_t index)
{
    const struct sow_site *site = &matching->sites[index];
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        add_need(matching, sow_input_of(matching, site, i),
                 need_of(i == 0 ? SOW_FEEDS_GATE : SOW_FEEDS_PRODUCT, index));
    }
}

/* The same need, for all inputs, with what this operation adds to it. */
static void through_others(struct sow_matching *matching, uint32_t index,
                           const struct sow_need *out)
{
    const struct sow_site *site = &matching->sites[index];
    struct sow_need need = *out;
    if (site->walk == SOW_WALK_NORM) {
        need.norm = index;
        need.share = need.factor = 1;
    } else if (site->walk == SOW_WALK_SCALE) {
        need.factor *= fabs(sow_attribute(site->operation, "factor", 1));
    } else if (site->walk == SOW_WALK_SOFTMAX && out->feeds != SOW_FEEDS_OUTPUT) {
        need = need_of(SOW_FEEDS_ROUTER, index);
    } else if (site->walk == SOW_WALK_WEIGHT || site->walk == SOW_WALK_LOOKUP ||
               site->walk == SOW_WALK_RECURRENT || site->walk == SOW_WALK_FEATURE) {
        need = need_of(SOW_FEEDS_LINEAR, index);
    }
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        add_need(matching, sow_input_of(matching, site, i), need);
    }
}

enum sow_status sow_find_needs(struct sow_matching *matching, struct sow_error *error)
{
    size_t count = matching->graph->operation_count;
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < count; i++) {
        matching->sites[i].need = need_of(SOW_FEEDS_UNKNOWN, SOW_NO_SITE);
    }
    for (size_t i = count; i-- > 0 && status == SOW_OK;) {
        struct sow_site *site = &matching->sites[i];
        if (site->need.feeds == SOW_FEEDS_UNKNOWN) {
            site->need = need_of(SOW_FEEDS_OUTPUT, SOW_NO_SITE);
        }
        switch (site->walk) {
        case SOW_WALK_ACTIVATION:
            status = through_activation(matching, (uint32_t)i, &site->need, error);
            break;
        case SOW_WALK_ADD:
            through_add(matching, (uint32_t)i, &site->need);
            break;
        case SOW_WALK_MULTIPLY:
            through_multiply(matching, (uint32_t)i);
            break;
        case SOW_WALK_GATED:
            through_gated(matching, (uint32_t)i);
            break;
        case SOW_WALK_EXPERTS:
            through_experts(matching, (uint32_t)i, &site->need);
            break;
        case SOW_WALK_ATTENTION:
            through_attention(matching, (uint32_t)i);
            break;
        default:
            through_others(matching, (uint32_t)i, &site->need);
        }
    }
    return status;
}
