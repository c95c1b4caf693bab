/* SPDX-License-Identifier: MIT */
/* At most 256 partial sums, each over one run of elements, added in order. */
#include "model/signal/measure/statistics.h"

#include <math.h> /* isfinite, NAN: macros; sqrt is IEEE's own operation */

#include "core/base/elementary.h"
#include "model/signal/measure/loops.h"

#define PARTS          256u
#define PART_MIN       4096u
#define LANES          8u /* parts begin at whole ones */
#define SPECTRUM_MAX   32u
#define SPECTRUM_TURNS 12u

/* ---- Moments ---------------------------------------------------------------------------------- */

struct part {
    double sum[4]; /* of powers 1 to 4 */
    double largest;
    uint64_t non_finite;
};

struct moments {
    const float *x;
    uint64_t size; /* of a part */
    struct part parts[PARTS];
};

static uint64_t part_size(uint64_t elements)
{
    uint64_t size = (elements + PARTS - 1) / PARTS;
    return size < PART_MIN ? PART_MIN : (size + LANES - 1) / LANES * LANES;
}

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

static struct part slow_part(const float *x, uint64_t count)
{
    struct part part = {{0}, 0, 0};
    for (uint64_t i = 0; i < count; i++) {
        double v = (double)x[i], v2 = v * v;
        if (!isfinite(v)) {
            part.non_finite++;
            continue;
        }
        part.sum[0] += v;
        part.sum[1] += v2;
        part.sum[2] += v2 * v;
        part.sum[3] += v2 * v2;
        part.largest = magnitude(v) > part.largest ? magnitude(v) : part.largest;
    }
    return part;
}

static void moments_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct moments *job = user;
    struct part part = {{0}, 0, 0};
    (void)scratch;
    sow_loops_chosen()->powers(job->x + begin, end - begin, part.sum, &part.largest);
    /* The fourth power of a finite float is a finite double. */
    job->parts[begin / job->size] =
        isfinite(part.sum[3]) ? part : slow_part(job->x + begin, end - begin);
}

struct sow_moments sow_moments_of(struct sow_team *team, const float *x, uint64_t elements)
{
    struct moments job = {.x = x, .size = part_size(elements)};
    struct part all = {{0}, 0, 0};
    sow_team_ranges(team, elements, job.size, moments_range, &job);
    for (size_t i = 0; i < PARTS; i++) {
        for (int power = 0; power < 4; power++) {
            all.sum[power] += job.parts[i].sum[power];
        }
        all.non_finite += job.parts[i].non_finite;
        all.largest = job.parts[i].largest > all.largest ? job.parts[i].largest : all.largest;
    }
    double count = (double)(elements - all.non_finite);
    if (count == 0) {
        return (struct sow_moments){NAN, NAN, NAN, NAN, 0, all.non_finite};
    }
    double m = all.sum[0] / count, m2 = all.sum[1] / count, m3 = all.sum[2] / count;
    double m4 = all.sum[3] / count, variance = m2 - m * m;
    variance = variance > 0 ? variance : 0;
    double fourth = m4 - 4 * m * m3 + 6 * m * m * m2 - 3 * m * m * m * m;
    return (struct sow_moments){.mean = m,
                                .second_moment = m2,
                                .std = sqrt(variance),
                                .kurtosis = variance > 0 ? fourth / (variance * variance) : NAN,
                                .max_abs = all.largest,
                                .non_finite = all.non_finite};
}

struct squares {
    const float *x;
    uint64_t size;
    double parts[PARTS];
};

static void squares_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct squares *job = user;
    const float *x = job->x + begin;
    (void)scratch;
    job->parts[begin / job->size] = sow_loops_chosen()->dot(x, x, end - begin);
}

double sow_second_moment_of(struct sow_team *team, const float *x, uint64_t elements)
{
    struct squares job = {.x = x, .size = part_size(elements)};
    double sum = 0;
    sow_team_ranges(team, elements, job.size, squares_range, &job);
    for (size_t i = 0; i < PARTS; i++) {
        sum += job.parts[i];
    }
    return elements > 0 ? sum / (double)elements : NAN;
}

/* ---- Spectra ------------------------------------------------------------------------------------ */

/* Feature j of taken place i lies at start + j * view->inner. */
static uint64_t start_of(const struct sow_view *view, uint64_t places, uint64_t taken, uint64_t i)
{
    uint64_t place = i * places / taken;
    return place / view->inner * view->features * view->inner + place % view->inner;
}

struct gram {
    const struct sow_view *view;
    uint64_t places, taken;
    double g[SPECTRUM_MAX][SPECTRUM_MAX];
};

static void gram_row(void *user, uint64_t i, float *scratch)
{
    struct gram *job = user;
    const struct sow_view *view = job->view;
    const float *a = view->x + start_of(view, job->places, job->taken, i);
    (void)scratch;
    for (uint64_t k = 0; k <= i; k++) {
        const float *b = view->x + start_of(view, job->places, job->taken, k);
        double sum = view->inner == 1 ? sow_loops_chosen()->dot(a, b, view->features) : 0;
        for (uint64_t j = 0; j < view->features && view->inner != 1; j++) {
            sum += (double)a[j * view->inner] * (double)b[j * view->inner];
        }
        job->g[i][k] = sum;
    }
}

/* One rotation of Jacobi's: rows and columns p and q, so that g[p][q] becomes 0. */
static void rotate(double g[SPECTRUM_MAX][SPECTRUM_MAX], uint64_t n, uint64_t p, uint64_t q)
{
    double theta = (g[q][q] - g[p][p]) / (2 * g[p][q]);
    double t = 1 / (magnitude(theta) + sqrt(theta * theta + 1));
    t = theta < 0 ? -t : t;
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (uint64_t k = 0; k < n; k++) {
        double x = g[k][p], y = g[k][q];
        g[k][p] = c * x - s * y;
        g[k][q] = s * x + c * y;
    }
    for (uint64_t k = 0; k < n; k++) {
        double x = g[p][k], y = g[q][k];
        g[p][k] = c * x - s * y;
        g[q][k] = s * x + c * y;
    }
}

static void diagonalise(double g[SPECTRUM_MAX][SPECTRUM_MAX], uint64_t n, double trace)
{
    for (unsigned turn = 0; turn < SPECTRUM_TURNS; turn++) {
        double off = 0;
        for (uint64_t p = 0; p < n; p++) {
            for (uint64_t q = p + 1; q < n; q++) {
                off = magnitude(g[p][q]) > off ? magnitude(g[p][q]) : off;
                if (magnitude(g[p][q]) > 1e-15 * trace) {
                    rotate(g, n, p, q);
                }
            }
        }
        if (off <= 1e-12 * trace) {
            return;
        }
    }
}

struct sow_ranks sow_ranks_of(struct sow_team *team, const struct sow_view *view)
{
    struct gram job = {.view = view, .places = view->outer * view->inner};
    struct sow_ranks ranks = {NAN, NAN, NAN, NAN};
    job.taken = job.places < SPECTRUM_MAX ? job.places : SPECTRUM_MAX;
    double trace = 0, squares = 0;
    if (job.taken < 2 || view->features == 0) {
        return ranks;
    }
    sow_team_run(team, job.taken, gram_row, &job);
    for (uint64_t i = 0; i < job.taken; i++) {
        trace += job.g[i][i];
        for (uint64_t k = 0; k < i; k++) {
            job.g[k][i] = job.g[i][k];
        }
    }
    if (!(trace > 0) || !isfinite(trace)) {
        return ranks;
    }
    diagonalise(job.g, job.taken, trace);
    double largest = 0, sum = 0, entropy = 0, values[SPECTRUM_MAX];
    for (uint64_t i = 0; i < job.taken; i++) {
        double l = job.g[i][i] > 0 ? job.g[i][i] : 0;
        squares += l * l;
        largest = l > largest ? l : largest;
        values[i] = sqrt(l);
        sum += values[i];
    }
    for (uint64_t i = 0; i < job.taken; i++) {
        double p = values[i] / sum;
        entropy -= p > 0 ? p * sow_log(p) : 0;
    }
    return (struct sow_ranks){trace * trace / squares, trace / largest, sow_exp(entropy), NAN};
}
