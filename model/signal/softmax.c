/* SPDX-License-Identifier: MIT */
/* How far a softmax over random logits is from uniform: E[sum p^2] of m normal logits of variance s2, exact at any m:
 *     E[sum p^2] = m Int_0^inf t E[e^(2 l - t e^l)] E[e^(-t e^l)]^(m - 1) dt, for 1 / S^2 = Int t e^(-t S) dt. */
#include <math.h>
#include <stdlib.h>

#include "core/base/elementary.h"
#include "model/signal/predict.h"

#define GRID      96 /* of ln t */
#define GRID_LOW  -30.0
#define GRID_STEP 0.5
#define NORMAL    48 /* of the logits */
#define SIZES_MAX 64
#define CACHE_MAX 64
#define STEP      0.0625 /* of s between cached values */
#define S_MOST    4.0    /* std of the logits; beyond, one key has nearly all */
#define STEPS     66     /* up to there, and one more */

/* E[e^(2 l - t e^l)] t^2 and ln E[e^(-t e^l)] on the grid of t. */
struct transform {
    double first[GRID], log_second[GRID];
};

struct softmax_cache {
    struct transform *rows[STEPS]; /* made when asked for, one a step of s */
    struct {
        uint64_t keys, window;
        int causal, step, used;
        struct sow_softmax value;
    } entries[CACHE_MAX];
    size_t next;
};

static void make_transform(double s, struct transform *transform)
{
    const double width = 7.0 * 2 / NORMAL;
    for (int i = 0; i < GRID; i++) {
        double ln_t = GRID_LOW + GRID_STEP * i, first = 0, second = 0, weights = 0;
        for (int j = 0; j < NORMAL; j++) {
            double z = -7.0 + width * (j + 0.5), weight = sow_exp(-0.5 * z * z), l = s * z;
            double damp = sow_exp(ln_t + l);
            weights += weight;
            first += weight * sow_exp(2 * (l + ln_t) - damp);
            second += weight * (damp < 700 ? -sow_expm1(-damp) : 1);
        }
        transform->first[i] = first / weights;
        double below = second / weights;
        transform->log_second[i] = below < 1 ? sow_log1p(-below) : -1e6;
    }
}

/* E[sum p^2] of m keys. */
static double sum_of_squares(const struct transform *transform, double m)
{
    double sum = 0;
    for (int i = 0; i < GRID; i++) {
        sum += transform->first[i] * sow_exp((m - 1) * transform->log_second[i]);
    }
    double mean = m * sum * GRID_STEP;
    return mean > 1 ? 1 : mean < 1 / m ? 1 / m : mean;
}

/* Sizes from 1 to `most`, and how many rows each stands for, when rows have 1, 2, ... keys. */
static size_t causal_sizes(uint64_t most, double sizes[SIZES_MAX], double weights[SIZES_MAX])
{
    size_t count = 0;
    for (double size = 1; size < (double)most && count < SIZES_MAX - 1;) {
        sizes[count++] = size;
        double next = floor(size * 1.3);
        size = next > size ? next : size + 1;
    }
    sizes[count++] = (double)most;
    for (size_t i = 0; i < count; i++) { /* rows between two sizes are shared by nearness */
        weights[i] = 1;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        double between = sizes[i + 1] - sizes[i] - 1;
        weights[i] += between / 2;
        weights[i + 1] += between / 2;
    }
    return count;
}

static struct sow_softmax compute(double s, uint64_t keys, int causal, uint64_t window)
{
    struct transform transform;
    struct sow_softmax softmax = {0, 0, 0, 0};
    double n = (double)keys;
    uint64_t most = window > 0 && window < keys ? window : keys;
    make_transform(s, &transform);
    if (!causal) {
        double same = s > 0 ? sum_of_squares(&transform, (double)most) : 1 / (double)most;
        return (struct sow_softmax){same, 1 / n, 1 / (double)most, same * (1 - same)};
    }
    double sizes[SIZES_MAX], weights[SIZES_MAX], rows = 0;
    size_t count = causal_sizes(most, sizes, weights);
    weights[count - 1] += n - (double)most; /* rows that see a whole window */
    for (size_t i = 0; i < count; i++) {
        rows += weights[i];
        double same = s > 0 ? sum_of_squares(&transform, sizes[i]) : 1 / sizes[i];
        softmax.same += weights[i] * same;
        softmax.moved += weights[i] * same * (1 - same);
        softmax.alone += weights[i] / sizes[i];
    }
    softmax.same /= rows;
    softmax.moved /= rows;
    softmax.alone /= rows;
    if (most == keys) { /* pairs of rows of a < b keys meet in a of b: 1 / b */
        double harmonic = softmax.alone * rows;
        softmax.cross = keys > 1 ? 2 * (n - harmonic) / (n * (n - 1)) : 1;
    } else {
        softmax.cross = 1 / n;
    }
    return softmax;
}

static const struct sow_softmax *cached(struct softmax_cache *cache, int step, uint64_t keys,
                                        int causal, uint64_t window)
{
    for (size_t i = 0; i < CACHE_MAX; i++) {
        if (cache->entries[i].used && cache->entries[i].step == step &&
            cache->entries[i].keys == keys && cache->entries[i].causal == causal &&
            cache->entries[i].window == window) {
            return &cache->entries[i].value;
        }
    }
    size_t at = cache->next++ % CACHE_MAX;
    cache->entries[at].used = 1;
    cache->entries[at].step = step;
    cache->entries[at].keys = keys;
    cache->entries[at].causal = causal;
    cache->entries[at].window = window;
    cache->entries[at].value = compute(step * STEP, keys, causal, window);
    return &cache->entries[at].value;
}

static int has_cache(struct sow_predictor *p)
{
    if (p->softmax == NULL) {
        p->softmax = sow_arena_take(&p->arena, sizeof *p->softmax);
    }
    return p->softmax != NULL;
}

static double row_at(struct sow_predictor *p, int step, double keys)
{
    struct transform **made = &p->softmax->rows[step];
    if (step > 0 && *made == NULL) {
        *made = sow_arena_take(&p->arena, sizeof **made);
        if (*made != NULL) {
            make_transform(step * STEP, *made);
        }
    }
    return step > 0 && *made != NULL ? sum_of_squares(*made, keys) : 1 / keys;
}

double sow_softmax_row(struct sow_predictor *p, double s2, double keys)
{
    double s = sow_sqrt(s2);
    s = s < S_MOST ? s : S_MOST;
    if (keys <= 1 || !has_cache(p)) {
        return 1 / (keys > 1 ? keys : 1);
    }
    int step = (int)(s / STEP);
    double a = step * STEP, b = a + STEP, share = (s * s - a * a) / (b * b - a * a);
    double low = row_at(p, step, keys), high = share > 0 ? row_at(p, step + 1, keys) : low;
    return low * sow_exp(share * sow_log(high / low));
}

struct sow_softmax sow_softmax_of(struct sow_predictor *p, double s2, double query_correlation,
                                  uint64_t keys, int causal, uint64_t window)
{
    double s = sow_sqrt(s2);
    s = s < S_MOST ? s : S_MOST;
    if (!has_cache(p)) {
        return compute(s, keys, causal, window);
    }
    int step = (int)(s / STEP);
    double part = s / STEP - step;
    struct sow_softmax low = *cached(p->softmax, step, keys, causal, window);
    struct sow_softmax high = part > 0 ? *cached(p->softmax, step + 1, keys, causal, window) : low;
    /* between two steps by s^2, in which it is nearly exponential */
    double a = step * STEP, b = a + STEP, share = (s * s - a * a) / (b * b - a * a);
    double same = low.same * sow_exp(share * sow_log(high.same / low.same));
    double moved = low.moved + share * (high.moved - low.moved);
    struct sow_softmax made = {same, low.cross, low.alone, moved};
    /* rows whose queries are alike choose alike */
    double alike = query_correlation > 0 ? query_correlation : 0;
    made.cross *= 1 + alike * (same / low.alone - 1);
    return made;
}
