/* SPDX-License-Identifier: MIT */
/* How far a softmax over random logits is from uniform: E[sum p^2] of m normal logits of variance s2, exact at any m:
 *     E[sum p^2] = m Int_0^inf t E[e^(2 l - t e^l)] E[e^(-t e^l)]^(m - 1) dt, for 1 / S^2 = Int t e^(-t S) dt.
 * E[sum p^3] and E[(sum p^2)^2] likewise: through the derivative p (g - sum p g) of independent g comes
 * E[sum p^2 - 2 sum p^3 + (sum p^2)^2]. */
#include <math.h>
#include <stdlib.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

#define GRID      96 /* of ln t, up to a std of WIDE; more in proportion beyond */
#define GRID_LOW  -30.0
#define GRID_STEP 0.5
#define NORMAL    48 /* of the logits, likewise */
#define WIDE      4.0
#define GRID_MOST (2 * GRID)
#define SIZES_MAX 64
#define CACHE_MAX 64
#define STEP      0.0625 /* of s between cached values */
#define S_MOST    8.0    /* std of the logits; beyond, one key has nearly all */
#define STEPS     130    /* up to there, and one more */
#define ROWS      64     /* of one s, by their number of keys */

/* t^k E[e^(k l - t e^l)], k = 2, 3, 4, and ln E[e^(-t e^l)] on the grid of t; and rows that were asked for. */
struct transform {
    double power[3][GRID_MOST], log_second[GRID_MOST];
    int grid;
    struct sow_softmax_row rows[ROWS];
    double keys[ROWS];
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
    double wide = s > WIDE ? s / WIDE : 1, nodes = ceil(NORMAL * wide), width = 14.0 / nodes;
    transform->grid = (int)(GRID * wide) < GRID_MOST ? (int)(GRID * wide) : GRID_MOST;
    for (int i = 0; i < transform->grid; i++) {
        double ln_t = GRID_LOW * wide + GRID_STEP * i, power[3] = {0, 0, 0}, second = 0,
               weights = 0;
        for (double j = 0; j < nodes; j++) {
            double z = -7.0 + width * (j + 0.5), weight = sow_exp(-0.5 * z * z);
            double e = ln_t + s * z < 6.5 ? sow_exp(ln_t + s * z) : 665;
            double damped = weight * sow_exp(-e), square = damped * e * e;
            weights += weight;
            power[0] += square;
            power[1] += square * e;
            power[2] += square * e * e;
            second += e > 1e-3 ? weight - damped : weight * e * (1 - e / 2 + e * e / 6);
        }
        for (int k = 0; k < 3; k++) {
            transform->power[k][i] = power[k] / weights;
        }
        double below = second / weights;
        transform->log_second[i] = below < 1 ? sow_log1p(-below) : -1e6;
    }
    for (int i = 0; i < ROWS; i++) {
        transform->keys[i] = 0;
    }
}

static struct sow_softmax_row uniform(double m)
{
    return (struct sow_softmax_row){1 / m, 1 / m - 1 / (m * m)};
}

/* Of m keys. */
static struct sow_softmax_row row_of(const struct transform *transform, double m)
{
    double square = 0, cube = 0, own = 0, pair = 0;
    if (!(m > 1)) {
        return uniform(1);
    }
    for (int i = 0; i < transform->grid; i++) {
        double rest = sow_exp((m - 2) * transform->log_second[i]), two = transform->power[0][i];
        double others = rest * sow_exp(transform->log_second[i]);
        square += two * others;
        cube += transform->power[1][i] * others;
        own += transform->power[2][i] * others;
        pair += two * two * rest;
    }
    square *= m * GRID_STEP;
    double moved = square - m * GRID_STEP * cube + m * GRID_STEP * (own + (m - 1) * pair) / 6;
    square = square > 1 ? 1 : square < 1 / m ? 1 / m : square;
    return (struct sow_softmax_row){square, moved > 0 ? moved : 0};
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
    struct sow_softmax softmax = {0, 0, 0, 0, 0};
    double n = (double)keys;
    uint64_t most = window > 0 && window < keys ? window : keys;
    make_transform(s, &transform);
    if (!causal) {
        double m = (double)most;
        struct sow_softmax_row row = s > 0 ? row_of(&transform, m) : uniform(m);
        return (struct sow_softmax){row.same, 1 / n, 1 / n, 1 / m, row.moved};
    }
    double sizes[SIZES_MAX], weights[SIZES_MAX], rows = 0;
    size_t count = causal_sizes(most, sizes, weights);
    weights[count - 1] += n - (double)most; /* rows that see a whole window */
    for (size_t i = 0; i < count; i++) {
        rows += weights[i];
        struct sow_softmax_row row = s > 0 ? row_of(&transform, sizes[i]) : uniform(sizes[i]);
        softmax.same += weights[i] * row.same;
        softmax.moved += weights[i] * row.moved;
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

static struct sow_softmax_row row_at(struct sow_predictor *p, int step, double keys)
{
    struct transform **made = &p->softmax->rows[step];
    if (step > 0 && *made == NULL) {
        *made = sow_arena_take(&p->arena, sizeof **made);
        if (*made != NULL) {
            make_transform(step * STEP, *made);
        }
    }
    if (step == 0 || *made == NULL) {
        return uniform(keys);
    }
    size_t at = (size_t)(keys < 1e9 ? keys * 2 : 0) % ROWS;
    if ((*made)->keys[at] != keys) {
        (*made)->rows[at] = row_of(*made, keys);
        (*made)->keys[at] = keys;
    }
    return (*made)->rows[at];
}

struct sow_softmax_row sow_softmax_row(struct sow_predictor *p, double s2, double keys)
{
    double s = sow_sqrt(s2),
           beyond = s > S_MOST ? S_MOST / s : 1; /* two that are large, by chance */
    s = s < S_MOST ? s : S_MOST;
    if (keys <= 1 || !has_cache(p)) {
        return uniform(keys > 1 ? keys : 1);
    }
    int step = (int)(s / STEP);
    double a = step * STEP, b = a + STEP, share = (s * s - a * a) / (b * b - a * a);
    struct sow_softmax_row low = row_at(p, step, keys),
                           high = share > 0 ? row_at(p, step + 1, keys) : low;
    double same = low.same * sow_exp(share * sow_log(high.same / low.same));
    return (struct sow_softmax_row){1 - (1 - same) * beyond,
                                    beyond * (low.moved + share * (high.moved - low.moved))};
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
    struct sow_softmax made = {same, low.cross, low.cross, low.alone, moved};
    /* rows whose queries are alike choose alike */
    double alike = query_correlation > 0 ? query_correlation : 0;
    made.cross *= 1 + alike * (same / low.alone - 1);
    return made;
}
