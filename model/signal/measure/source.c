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
    uint64_t rows; /* of token ids; 0: as drawn */
    /* a part that is the same at every place: to = own to + common, by feature */
    const float *common;
    uint64_t features, inner;
    float own, shift;
};

static void draw_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct drawn *job = user;
    (void)scratch;
    sow_fill(job->to + begin, SOW_F32, begin, end - begin, &job->draw, job->key);
    for (uint64_t i = begin; i < end && job->rows > 0; i++) {
        uint64_t id = (uint64_t)job->to[i];
        job->to[i] = (float)(id < job->rows ? id : job->rows - 1);
    }
    for (uint64_t i = begin; i < end && job->features > 0; i++) {
        float shared = job->common != NULL ? job->common[i / job->inner % job->features] : 0;
        job->to[i] = job->to[i] * job->own + (shared + job->shift);
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

/* x = mean + std (sqrt(1 - c) z + sqrt(c) s), s drawn once for each feature: the correlation between the elements of one
 * feature at two places is c. A negative one is that between neighbours only in pairs, and taken as 0. */
static void fill_input(const struct sow_node *node, const struct sow_network *network,
                       struct sow_team *team, uint64_t seed, int channels_first, float *to)
{
    const struct sow_flow *flow = &network->flows[node->output];
    const struct sow_op_attributes *at = &node->at;
    double c = at->correlation > 0 ? at->correlation : 0;
    float common[4096]; /* features beyond repeat its draws */
    struct drawn job = {.key = key_of("input", node->output, seed), .to = to, .inner = 1};
    sow_draw_normal(0, 1, &job.draw, NULL);
    job.features = sow_step_last(flow);
    for (uint32_t i = 2; i < flow->rank && channels_first; i++) {
        job.features = flow->shape[1];
        job.inner *= flow->shape[i];
    }
    job.features = job.features < 4096 ? job.features : 4096;
    job.own = (float)(at->std * sow_sqrt(1 - c));
    job.shift = (float)at->mean;
    if (c > 0) {
        sow_fill(common, SOW_F32, 0, job.features, &job.draw,
                 key_of("shared input", node->output, seed));
        for (uint64_t i = 0; i < job.features; i++) {
            common[i] *= (float)(at->std * sow_sqrt(c));
        }
        job.common = common;
    }
    sow_team_ranges(team, flow->elements, SOW_STEP_BLOCK, draw_range, &job);
}

void sow_source_fill(const struct sow_node *node, const struct sow_network *network,
                     struct sow_team *team, uint64_t seed, int channels_first, uint64_t rows,
                     float *to)
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
    struct drawn job = {.key = key_of("tokens", node->output, seed), .to = to, .rows = rows};
    sow_draw_uniform(0, (double)rows, &job.draw, NULL);
    sow_team_ranges(team, flow->elements, SOW_STEP_BLOCK, draw_range, &job);
}

void sow_source_cotangent(const struct sow_network *network, struct sow_team *team, uint32_t flow,
                          uint64_t seed, float *to)
{
    struct drawn job = {.key = key_of("cotangent", flow, seed), .to = to};
    sow_draw_normal(0, 1, &job.draw, NULL);
    sow_team_ranges(team, network->flows[flow].elements, SOW_STEP_BLOCK, draw_range, &job);
}
