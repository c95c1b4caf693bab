/* SPDX-License-Identifier: MIT */
/* Rotary positions (Su et al. 2021): pair i of a head turns by theta^(-2 i / head_dim) radians a place, and the kinds of
 * scaling that reach longer texts: linear (Chen et al. 2023), dynamic, yarn (Peng et al. 2023), llama3 (Llama 3.1) and
 * proportional, as modeling_rope_utils.py of transformers 5.24.0 has them. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/network/network.h"

static const double two_pi = 0x1.921fb54442d18p+2;

static int is_kind(const struct sow_rope *rope, const char *kind)
{
    return rope->kind != NULL && strcmp(rope->kind, kind) == 0;
}

/* Turns longer than original / low places are factor times slower, those shorter than original / high as they are. */
static double llama3(const struct sow_rope *rope, double frequency)
{
    double turns = rope->original * frequency / two_pi; /* over the original length */
    if (turns < rope->low) {
        return frequency / rope->factor;
    }
    if (turns > rope->high) {
        return frequency;
    }
    double share = (turns - rope->low) / (rope->high - rope->low);
    return ((1 - share) / rope->factor + share) * frequency;
}

/* The pair, not a whole one, that turns `turns` times over the original length. */
static double pair_of_turns(const struct sow_rope *rope, double turns, double dim)
{
    return dim * sow_log(rope->original / (turns * two_pi)) / (2 * sow_log(rope->theta));
}

/* A ramp from as they are to factor times slower, between the pairs of `high` and of `low` turns. */
static double yarn(const struct sow_rope *rope, double frequency, double pair, double dim)
{
    double first = pair_of_turns(rope, rope->high, dim), last = pair_of_turns(rope, rope->low, dim);
    first = rope->fractions ? first : floor(first);
    last = rope->fractions ? last : ceil(last);
    first = first > 0 ? first : 0;
    last = last < dim - 1 ? last : dim - 1;
    last = last == first ? last + 0.001 : last;
    double slow = (pair - first) / (last - first);
    slow = slow < 0 ? 0 : slow > 1 ? 1 : slow;
    return frequency * (slow / rope->factor + 1 - slow);
}

const char *sow_rotary_fault(const struct sow_op_attributes *at)
{
    static const char *const kinds[] = {"default", "linear", "dynamic",
                                        "llama3",  "yarn",   "proportional"};
    const struct sow_rope *rope = &at->rope;
    int known = rope->kind == NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        known |= is_kind(rope, kinds[i]);
    }
    if (at->head_dim % 2 != 0) {
        return "rotary positions turn pairs of features, and its head_dim is odd";
    }
    int ramps = is_kind(rope, "llama3") || is_kind(rope, "yarn");
    if (!known) {
        return "its rope kind is none of default, linear, dynamic, llama3, yarn, proportional";
    }
    if (!(rope->theta >= 0 && rope->factor >= 0 && rope->share >= 0)) {
        return "its rope has a negative theta, factor or share";
    }
    if ((ramps || is_kind(rope, "dynamic")) && !(rope->original > 0)) {
        return "its rope needs original, the number of places it was made for";
    }
    return ramps && !(rope->low > 0 && rope->high > 0)
               ? "its rope needs low and high, numbers of turns above 0"
               : NULL;
}

double sow_rotary_frequency(const struct sow_op_attributes *at, uint64_t pair, uint64_t places)
{
    const struct sow_rope *rope = &at->rope;
    double theta = rope->theta > 0 ? rope->theta : 10000, dim = (double)at->head_dim;
    double factor = rope->factor > 0 ? rope->factor : 1;
    if (is_kind(rope, "dynamic") && (double)places > rope->original) {
        double stretch = factor * (double)places / rope->original - (factor - 1);
        theta *= sow_pow(stretch, dim / (dim - 2));
    }
    double frequency = sow_pow(theta, -2 * (double)pair / dim);
    if (is_kind(rope, "linear")) {
        return frequency / factor;
    }
    if (is_kind(rope, "llama3")) {
        return llama3(rope, frequency);
    }
    if (is_kind(rope, "yarn")) {
        return yarn(rope, frequency, (double)pair, dim);
    }
    if (is_kind(rope, "proportional")) {
        double share = rope->share > 0 ? rope->share : 1;
        return (double)pair < floor(share * dim / 2) ? frequency / factor : 0;
    }
    return frequency;
}
