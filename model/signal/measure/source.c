/* SPDX-License-Identifier: MIT */
/* Draws of the stream under names that no tensor bears ("probe input 0"). */
#include "model/signal/measure/source.h"

#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"

struct drawn {
    struct sow_draw draw;
    struct sow_key key;
    float *to;
    uint64_t ids;     /* how many token ids there are; 0: as drawn */
    uint64_t padding; /* which of them is left out */
};

static void draw_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct drawn *job = user;
    (void)scratch;
    sow_fill(job->to + begin, SOW_F32, begin, end - begin, &job->draw, job->key);
    for (uint64_t i = begin; i < end && job->ids > 0; i++) {
        uint64_t id = (uint64_t)job->to[i];
        id = id < job->ids ? id : job->ids - 1;
        job->to[i] = (float)(id < job->padding ? id : id + 1);
    }
}

static struct sow_key key_of(const char *what, uint32_t flow, uint64_t seed)
{
    char name[64];
    snprintf(name, sizeof name, "probe %s %u", what, flow);
    return sow_key(name, seed);
}

int sow_source_is(enum sow_op op)
{
    return op == SOW_OP_INPUT || op == SOW_OP_TOKENS || op == SOW_OP_POSITIONS ||
           op == SOW_OP_SEGMENTS;
}

/* ---- Inputs ------------------------------------------------------------------------------------- */

/* What several elements of a feature have in common, drawn once for each of its copies: one a sample, one a place or one
 * for all of them. */
struct common {
    float factor; /* 0: none */
    struct sow_key key;
    uint64_t by_sample, by_place; /* 1 or 0: which of them tells copies apart */
};

struct inputs {
    struct sow_draw draw;
    struct sow_key key;
    float *to;
    uint64_t places, features, inner; /* of a sample: [places / inner, features, inner] */
    float own, mean;
    struct common common[2];
};

/* to[0 .. count) = the common part of elements from `at` on, all in one row of features, or all of one feature. */
static void fill_common(const struct inputs *job, const struct common *common, uint64_t at,
                        uint64_t count, float *to)
{
    uint64_t sample = at / (job->places * job->features),
             within = at % (job->places * job->features);
    uint64_t row = within / (job->features * job->inner),
             feature = within / job->inner % job->features;
    uint64_t place = row * job->inner + within % job->inner;
    if (job->inner == 1) {
        uint64_t copy = common->by_sample * sample + common->by_place * place;
        sow_fill(to, SOW_F32, copy * job->features + feature, count, &job->draw, common->key);
    } else if (
        common->by_place) { /* the features of an image lie apart: as the first sample has them */
        sow_fill(to, SOW_F32, within, count, &job->draw, common->key);
    } else {
        sow_fill(to, SOW_F32, common->by_sample * sample * job->features + feature, 1, &job->draw,
                 common->key);
        for (uint64_t i = 1; i < count; i++) {
            to[i] = to[0];
        }
    }
}

static void input_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct inputs *job = user;
    uint64_t line = job->inner == 1 ? job->features : job->inner;
    sow_fill(job->to + begin, SOW_F32, begin, end - begin, &job->draw, job->key);
    for (uint64_t i = begin; i < end; i++) {
        job->to[i] = job->to[i] * job->own + job->mean;
    }
    for (uint64_t at = begin; at < end;) {
        uint64_t left = line - at % line, count = left < end - at ? left : end - at;
        for (size_t k = 0; k < 2 && job->common[k].factor > 0; k++) {
            fill_common(job, &job->common[k], at, count, scratch);
            for (uint64_t i = 0; i < count; i++) {
                job->to[at + i] += scratch[i] * job->common[k].factor;
            }
        }
        at += count;
    }
}

/* x = mean + std (sqrt(1 - larger) z + sqrt(larger - smaller) u + sqrt(smaller) v), v drawn once for each feature, u once for
 * each feature of a sample, or of a place where samples are more alike than places: the correlation of two places of a
 * sample is c, that of two samples at a place is s. Negative ones are possible in pairs only, and taken as 0. */
static void fill_input(const struct sow_node *node, const struct sow_network *network,
                       struct sow_team *team, uint64_t seed, int channels_first, float *to)
{
    const struct sow_flow *flow = &network->flows[node->output];
    const struct sow_op_attributes *at = &node->at;
    uint64_t samples = flow->rank > 1 ? flow->shape[0] : 1;
    struct inputs job = {.key = key_of("input", node->output, seed), .to = to, .inner = 1};
    sow_draw_normal(0, 1, &job.draw, NULL);
    job.features = sow_step_last(flow);
    for (uint32_t i = 2; i < flow->rank && channels_first; i++) {
        job.features = flow->shape[1];
        job.inner *= flow->shape[i];
    }
    if (flow->elements == 0) {
        return;
    }
    job.places = flow->elements / (samples * job.features);
    double s = at->sample_correlation > 0 ? at->sample_correlation : 0;
    double c = at->correlation > 0 ? at->correlation : 0;
    c = job.places > 1 ? c : s;
    double larger = c > s ? c : s, smaller = c > s ? s : c;
    job.own = (float)(at->std * sow_sqrt(1 - larger));
    job.mean = (float)at->mean;
    struct common part = {.factor = (float)(at->std * sow_sqrt(larger - smaller)),
                          .key = key_of("shared input", node->output, seed),
                          .by_sample = c > s,
                          .by_place = c < s};
    struct common all = {.factor = (float)(at->std * sow_sqrt(smaller)),
                         .key = key_of("common input", node->output, seed)};
    job.common[0] = part.factor > 0 ? part : all;
    job.common[1] = part.factor > 0 ? all : (struct common){0};
    sow_team_ranges(team, flow->elements, SOW_STEP_BLOCK, input_range, &job);
}

/* Uniform over the ids that are tokens: a padding row is all zeros, and a norm behind it divides by almost nothing. */
static void fill_tokens(const struct sow_node *node, const struct sow_flow *flow,
                        struct sow_team *team, uint64_t seed, const struct sow_tokens *tokens,
                        float *to)
{
    struct drawn job = {.key = key_of("tokens", node->output, seed),
                        .to = to,
                        .ids = tokens->rows,
                        .padding = tokens->rows};
    if (tokens->rows > 1 && tokens->padding >= 0 && (uint64_t)tokens->padding < tokens->rows) {
        job.ids = tokens->rows - 1;
        job.padding = (uint64_t)tokens->padding;
    }
    sow_draw_uniform(0, (double)job.ids, &job.draw, NULL);
    sow_team_ranges(team, flow->elements, SOW_STEP_BLOCK, draw_range, &job);
}

void sow_source_fill(const struct sow_node *node, const struct sow_network *network,
                     struct sow_team *team, uint64_t seed, int channels_first,
                     const struct sow_tokens *tokens, float *to)
{
    const struct sow_flow *flow = &network->flows[node->output];
    if (node->op == SOW_OP_INPUT) {
        fill_input(node, network, team, seed, channels_first, to);
        return;
    }
    if (node->op == SOW_OP_SEGMENTS) { /* one text: all of it is segment 0 */
        memset(to, 0, flow->elements * sizeof *to);
        return;
    }
    if (node->op == SOW_OP_POSITIONS) {
        for (uint64_t i = 0; i < flow->elements; i++) {
            to[i] = (float)(i % sow_step_last(flow));
        }
        return;
    }
    fill_tokens(node, flow, team, seed, tokens, to);
}

void sow_source_cotangent(const struct sow_network *network, struct sow_team *team, uint32_t flow,
                          uint64_t seed, double std, float *to)
{
    struct drawn job = {.key = key_of("cotangent", flow, seed), .to = to};
    sow_draw_normal(0, std, &job.draw, NULL);
    sow_team_ranges(team, network->flows[flow].elements, SOW_STEP_BLOCK, draw_range, &job);
}

void sow_source_labels(struct sow_team *team, uint32_t flow, uint64_t seed, uint64_t classes,
                       uint64_t count, float *to)
{
    struct drawn job = {
        .key = key_of("label", flow, seed), .to = to, .ids = classes, .padding = classes};
    if (classes > 0) {
        sow_draw_uniform(0, (double)classes, &job.draw, NULL);
    } else {
        sow_draw_normal(0, 1, &job.draw, NULL);
    }
    sow_team_ranges(team, count, SOW_STEP_BLOCK, draw_range, &job);
}
