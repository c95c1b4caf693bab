/* SPDX-License-Identifier: MIT */
/* Sources: Chernoff 1952; Bernstein 1924; Hoeffding 1963 (also for unequal chances); Laurent and Massart 2000, lemma 1;
 * Massart 1990. The least of several valid bounds is one. Shares of a mixture are exact, which only narrows a sample. */
#include "model/check/tests.h"

#include <math.h>

#include "core/base/elementary.h"

#define LN2          0.6931471805599453
#define ROUNDED      0.97    /* of n: what rounding may take from the chi square */
#define TOUCH        0x1p-24 /* relative: just beyond a value of float32 */
#define GRID_CHANCE  0x1p-22 /* of one value where a uniform draw comes from 23 or 24 bits */
#define EDGE         1e-6    /* relative: limits that were computed in float32 */
#define VALUES_LOG_2 11.09   /* ln of the values that a heap could stand on, 2^16, */
#define VALUES_LOG_4 22.18   /* or 2^32 */
#define OFTEN_MIN    6       /* elements of a cell that is looked at */

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* ln P(at least k of n), each with chance p: exp(-n KL(k/n, p)). 0 when k is below the mean. */
static double at_least(double k, double n, double p)
{
    double f = k / n;
    if (f <= p || p >= 1) {
        return 0;
    }
    if (p <= 0) {
        return -INFINITY;
    }
    double sum = f * sow_log(f / p);
    if (f < 1) {
        sum += (1 - f) * sow_log((1 - f) / (1 - p));
    }
    return -n * sum;
}

/* ---- Mean and spread ------------------------------------------------------------------------------ */

static double test_mean(double n, double mean, const struct sow_law_moments *law)
{
    double off = mean - law->mean;
    if (law->proxy <= 0) {
        return off == 0 ? 0 : -INFINITY;
    }
    return least(0, LN2 - n * off * off / (2 * law->proxy));
}

/* ln P(spread >= v), v above the law's variance V. */
static double spread_above(double n, double v, const struct sow_law_moments *law)
{
    double bound = 0, more = v - law->variance;
    if (law->is_one_normal && law->is_fine) {
        double ratio = v / law->variance;
        bound = least(bound, -n * ROUNDED / 2 * (ratio - 1 - sow_log(ratio)));
    } else if (law->has_one_mean && law->is_fine && law->square_peak > 0) {
        /* solve 2 sqrt(n a x) + 2 b x = n more for x */
        double a = n * law->square_sum, b = law->square_peak, c = n * more;
        double root = (sow_sqrt(a + 2 * b * c) - sow_sqrt(a)) / (2 * b);
        bound = least(bound, -root * root);
    }
    double peak = law->square_max - law->variance;
    peak = peak > 0 ? peak : 0;
    return least(bound, -n * more * more / (2 * (law->square_variance + peak * more / 3)));
}

static double spread_below(double n, double v, const struct sow_law_moments *law)
{
    double bound = 0, less = law->variance - v;
    if (law->is_one_normal && law->is_fine) {
        double ratio = v / law->variance;
        bound = ratio <= 0 ? -INFINITY : -n * ROUNDED / 2 * (ratio - 1 - sow_log(ratio));
    }
    return least(bound, -n * less * less / (2 * (law->square_variance + law->variance * less / 3)));
}

static double test_spread(double n, double mean, double std, const struct sow_law_moments *law)
{
    double off = mean - law->mean, v = std * std + off * off;
    if (law->variance <= 0) {
        return v <= 0 ? 0 : -INFINITY;
    }
    double chance = v > law->variance ? spread_above(n, v, law) : spread_below(n, v, law);
    return least(0, LN2 + chance);
}

/* ---- Shape and tails ------------------------------------------------------------------------------ */

/* Whether more than its share of n lies in a cell, so that at_least may be below `worst`: it is no less than -chi square,
 * which needs no logarithm. */
static int may_be_worse(double worst, double count, double n, double share)
{
    double over = count - n * share;
    return over > 0 &&
           (share > 0.5 || -1.001 * over * over / (n * share * (1 - share)) < worst + 0.001);
}

/* How far the distribution functions are apart; and the cell that holds most for its law, but for the first, the last and
 * that of zero, which have tests of their own. */
static void test_cells(const struct sow_sample *sample, const struct sow_law *law,
                       struct sow_verdict *verdict)
{
    double n = (double)sample->row->finite, worst = 0, below = 0; /* the cell's lower end */
    uint64_t seen = 0;
    for (size_t i = 0; i + 1 < sample->count; i++) {
        const struct sow_cell *cell = &sample->cells[i];
        double count = (double)cell->count, end = sow_law_below(law, cell->high);
        double share = end - below + GRID_CHANCE;
        int is_tested = i > 0 && cell->count >= OFTEN_MIN && !(cell->low <= 0 && cell->high >= 0);
        if (is_tested && may_be_worse(worst, count, n, share)) {
            double chance = at_least(count, n, share);
            if (chance < worst) {
                worst = chance;
                verdict->often_at = (cell->low + cell->high) / 2;
                verdict->often_found = count;
                verdict->often_expected = n * share;
            }
        }
        seen += cell->count;
        /* between two cells the law may have nothing or much: both ends of the gap are tried */
        below = cell[1].low == cell->high ? end : sow_law_below(law, cell[1].low);
        double a = (double)seen / n - end, b = below - (double)seen / n;
        if (a > verdict->distance || b > verdict->distance) {
            verdict->distance = a > b ? a : b;
            verdict->distance_at = cell->high;
        }
    }
    double first = sow_law_below(law, sample->cells[0].low);
    double last = sow_law_above(law, sample->cells[sample->count - 1].high);
    verdict->distance = verdict->distance < first ? first : verdict->distance;
    verdict->distance = verdict->distance < last ? last : verdict->distance;
    verdict->chance_log[SOW_TEST_SHAPE] =
        least(0, LN2 - 2 * n * verdict->distance * verdict->distance);
    verdict->chance_log[SOW_TEST_OFTEN] = least(0, worst + VALUES_LOG_2);
}

/* Elements beyond `k` std. A cell across the threshold is taken for neither side: both bounds hold. */
static double test_tail(const struct sow_sample *sample, const struct sow_law *law,
                        const struct sow_law_moments *moments, double k)
{
    double std = sow_sqrt(moments->variance), n = (double)sample->row->finite;
    double low = moments->mean - k * std, high = moments->mean + k * std;
    double chance = sow_law_below(law, low) + sow_law_above(law, high);
    uint64_t sure = 0, inside = 0;
    for (size_t i = 0; i < sample->count; i++) {
        const struct sow_cell *cell = &sample->cells[i];
        sure += cell->high <= low || cell->low >= high ? cell->count : 0;
        inside += cell->low >= low && cell->high <= high ? cell->count : 0;
    }
    chance = chance > 1 ? 1 : chance;
    return least(
        0, LN2 + least(at_least((double)sure, n, chance), at_least((double)inside, n, 1 - chance)));
}

/* ---- Ends of the range ---------------------------------------------------------------------------- */

/* Libraries round a bound to the type before they draw: of 16 bits, the range may end a cell earlier. */
static double play_of(const struct sow_sample *sample, const struct sow_cell *cell)
{
    return sample->type->width == 2 ? cell->high - cell->low : 0;
}

static void test_ends(const struct sow_sample *sample, const struct sow_law *law,
                      struct sow_verdict *verdict)
{
    double n = (double)sample->row->finite, low, high;
    const struct sow_cell *first = &sample->cells[0], *last = &sample->cells[sample->count - 1];
    int narrow = sow_value_narrow(sample->type);
    double least_value = sample->row->min, most = sample->row->max;
    sow_law_bounds(law, &low, &high);
    double below_touch = fabs(least_value) * TOUCH + 0x1p-150,
           above_touch = fabs(most) * TOUCH + 0x1p-150;
    double slack = EDGE * (fabs(low) > fabs(high) ? fabs(low) : fabs(high));
    slack = isfinite(slack) ? slack : 0;
    /* a narrow value stands for its cell */
    double inner_low = narrow ? first->high : least_value + slack + below_touch,
           inner_high = narrow ? last->low : most - slack - above_touch;
    verdict->outside = inner_low < low || inner_high > high;
    verdict->chance_log[SOW_TEST_LOW] = least(0, sow_log(n * sow_law_below(law, inner_low)));
    verdict->chance_log[SOW_TEST_HIGH] = least(0, sow_log(n * sow_law_above(law, inner_high)));
    /* nothing below the smallest value */
    double below = sow_law_below(law, narrow ? first->low - play_of(sample, first)
                                             : least_value - below_touch),
           above =
               sow_law_above(law, narrow ? last->high + play_of(sample, last) : most + above_touch);
    verdict->chance_log[SOW_TEST_LOW_SHORT] = below >= 1 ? -INFINITY : n * sow_log1p(-below);
    verdict->chance_log[SOW_TEST_HIGH_SHORT] = above >= 1 ? -INFINITY : n * sow_log1p(-above);
}

static double share_of(const struct sow_sample *sample, const struct sow_law *law, double value,
                       const struct sow_cell *cell)
{
    double play = play_of(sample, cell) / 2; /* and its last cell be whole where half is meant */
    double low = cell->low - play, high = cell->high + play;
    if (!sow_value_narrow(sample->type)) {
        double half = fabs(value) * 0x1p-23 + 0x1p-149;
        low = value - half;
        high = value + half;
        if (sample->type->width == 8) {
            return sow_law_below(law, high) -
                   sow_law_below(law, low); /* wide enough for any grid */
        }
    }
    double share = sow_law_below(law, high) - sow_law_below(law, low);
    return share > GRID_CHANCE ? share : GRID_CHANCE;
}

static double test_heap(const struct sow_sample *sample, const struct sow_law *law)
{
    const struct sow_tensor_statistics *row = sample->row;
    double n = (double)row->finite;
    double values = sow_value_narrow(sample->type) ? VALUES_LOG_2 : VALUES_LOG_4;
    double low =
        at_least((double)row->at_min, n, share_of(sample, law, row->min, &sample->cells[0]));
    double high = at_least((double)row->at_max, n,
                           share_of(sample, law, row->max, &sample->cells[sample->count - 1]));
    return least(0, least(low, high) + values);
}

static double test_zeros(const struct sow_sample *sample, const struct sow_law *law)
{
    double n = (double)sample->row->finite, share = 0;
    if (sample->row->zeros == 0) {
        return 0;
    }
    for (size_t i = 0; i < sample->count; i++) {
        const struct sow_cell *cell = &sample->cells[i];
        if (cell->low <= 0 && cell->high >= 0 && sow_value_narrow(sample->type)) {
            share = sow_law_below(law, cell->high) - sow_law_below(law, cell->low);
        }
    }
    if (!sow_value_narrow(sample->type)) {
        share = sow_law_below(law, 0x1p-149) - sow_law_below(law, -0x1p-149);
    }
    return at_least((double)sample->row->zeros, n, share > GRID_CHANCE ? share : GRID_CHANCE);
}

struct sow_verdict sow_tests_run(const struct sow_sample *sample, const struct sow_law *law)
{
    struct sow_verdict verdict = {.moments = sow_law_moments(law, sample->type)};
    const struct sow_law_moments *moments = &verdict.moments;
    double n = (double)sample->row->finite;
    double *chance = verdict.chance_log;
    if (sample->count == 0) {
        return verdict;
    }
    chance[SOW_TEST_MEAN] = test_mean(n, sample->row->mean, moments);
    chance[SOW_TEST_SPREAD] = test_spread(n, sample->row->mean, sample->row->std, moments);
    test_cells(sample, law, &verdict);
    for (int k = 2; k <= 4; k++) {
        chance[SOW_TEST_TAIL_2 + k - 2] = test_tail(sample, law, moments, k);
    }
    test_ends(sample, law, &verdict);
    chance[SOW_TEST_ZEROS] = test_zeros(sample, law);
    chance[SOW_TEST_HEAP] = test_heap(sample, law);
    return verdict;
}

double sow_tests_quick(const struct sow_sample *sample, const struct sow_law *law)
{
    const struct sow_law_moments moments = sow_law_moments(law, sample->type);
    double n = (double)sample->row->finite;
    return sample->count == 0
               ? 0
               : least(test_mean(n, sample->row->mean, &moments),
                       test_spread(n, sample->row->mean, sample->row->std, &moments));
}

int sow_verdict_fails(const struct sow_verdict *verdict, enum sow_test test)
{
    return verdict->chance_log[test] < SOW_TEST_ALPHA_LOG;
}

double sow_verdict_worst(const struct sow_verdict *verdict)
{
    double worst = 0;
    for (int i = 0; i < SOW_TEST_COUNT; i++) {
        worst = least(worst, verdict->chance_log[i]);
    }
    return worst;
}
