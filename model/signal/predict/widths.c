/* SPDX-License-Identifier: MIT */
/* What finite width does to the mean gradient behind a norm. A norm divides by the size s^2 that this seed and sample have, and
 * E[1 / s^2] > 1 / E[s^2]: over n normal values it is n / (n - 3) and not n / (n - 1) (mean of an inverse chi-squared variable),
 * 3 % a norm at 64, which 10 norms multiply. What the fluctuations of s^2 have in common with the slopes that the gradient meets
 * next, and the direction that the norm has taken from it, are of the same order 1 / n and are counted too. No other term of
 * finite width is: the first order of each, derived below, for networks wider than deep. */
#include "model/signal/predict/widths.h"

#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

#define STEP  0.2 /* in standard deviations; a kink at the mean lies between two nodes */
#define HALF  40  /* nodes on one side */
#define NODES (2 * HALF)

/* Largest share of fluctuations that is taken at its word: beyond, the mean is that of rare seeds, held by eps alone. */
#define OWN_MOST  0.75
#define PULL_MOST 1.0

struct nodes {
    double z[NODES], weight[NODES], y[NODES], slope[NODES];
};

static void take_nodes(const struct sow_function *function, int times_x, double mean, double std,
                       struct nodes *nodes)
{
    double total = 0;
    for (int j = 0; j < NODES; j++) {
        double z = (j - HALF + 0.5) * STEP, x = mean + std * z, slope;
        double y = sow_function_value(function, x, &slope);
        nodes->slope[j] = (times_x ? y + x * slope : slope) * std;
        nodes->y[j] = times_x ? x * y : y;
        nodes->z[j] = z;
        nodes->weight[j] = sow_exp(-0.5 * z * z);
        total += nodes->weight[j];
    }
    for (int j = 0; j < NODES; j++) {
        nodes->weight[j] /= total;
    }
}

/* f and slope d at standard normal z, with A = f^2 / E[f^2], B = d^2 / E[d^2]; sums over z. */
struct sums {
    double f, ff, dd;
};

/* n times the mean of what a norm over f(z) - base and the slopes below it do to a squared gradient, of independent z:
 * E[1/s^2] adds Var(A); slopes and sizes that go together take E[A B] - 1, and so does the direction of f, which the norm has
 * taken from the gradient and which is counted as one of n like any other. */
static double independent(const struct nodes *nodes, const struct sums *s, double base)
{
    double aa = 0, ab = 0, size = s->ff - 2 * base * s->f + base * base;
    for (int j = 0; j < NODES; j++) {
        double h = nodes->y[j] - base, a = h * h / size;
        aa += nodes->weight[j] * a * a;
        ab += nodes->weight[j] * a * nodes->slope[j] * nodes->slope[j] / s->dd;
    }
    return size > 1e-12 * s->ff ? aa - 1 - 2 * (ab - 1) : 2;
}

/* The same where z has just left a norm, so that its mean square (and its mean, level = 1) are fixed: A and B keep what is
 * orthogonal to z^2 - 1 (and z), and the directions which that norm takes from the gradient, 1 and z, are not any two of n: the
 * gradient reaches it as d v with v orthogonal to f. */
static double fixed_size(const struct nodes *nodes, const struct sums *s, double level)
{
    double aa = 0, ab = 0, a1 = 0, b1 = 0, a2 = 0, b2 = 0;
    double fd = 0, fdz = 0, ddzz = 0;
    for (int j = 0; j < NODES; j++) {
        double z = nodes->z[j], w = nodes->weight[j], f = nodes->y[j], d = nodes->slope[j];
        double a = f * f / s->ff, b = d * d / s->dd, second = (z * z - 1) * sow_sqrt(0.5);
        aa += w * a * a;
        ab += w * a * b;
        a1 += w * a * z;
        b1 += w * b * z;
        a2 += w * a * second;
        b2 += w * b * second;
        fd += w * f * d;
        fdz += w * f * d * z;
        ddzz += w * b * z * z;
    }
    double spread = aa - 1 - a2 * a2 - level * a1 * a1;
    double common = ab - 1 - a2 * b2 - level * a1 * b1;
    double along_z = ddzz - fdz * fdz / (s->ff * s->dd);
    double along_1 = 1 - fd * fd / (s->ff * s->dd);
    return spread - common - ab + (1 - along_z) + level * (1 - along_1);
}

void sow_width_plain(struct sow_state *state)
{
    state->kurtosis = 3;
    state->kept = state->level = 0;
    state->toll = state->toll_centred = 2;
    state->unit = state->thin = 0;
}

/* E[g(z)] over E of normal z: the first term of Edgeworth's series, e4 = E[g He_4] / E[g]. */
static double thinned(const struct sow_state *in, double e4)
{
    double factor = 1 - in->thin / 24 * e4;
    return factor < 0.5 ? 0.5 : factor < 2 ? factor : 2;
}

void sow_width_function(const struct sow_function *function, int times_x, double mean, double std,
                        const struct sow_state *in, struct sow_state *out, struct sow_local *local)
{
    struct nodes nodes;
    struct sums s = {0, 0, 0};
    double tilt = 0, fixed = 0.5 * in->kept, h = 0, hz = 0, hh = 0, f4 = 0, d4 = 0;
    take_nodes(function, times_x, mean, std, &nodes);
    for (int j = 0; j < NODES; j++) {
        double w = nodes.weight[j], f = nodes.y[j], d = nodes.slope[j];
        s.f += w * f;
        s.ff += w * f * f;
        s.dd += w * d * d;
        tilt += w * f * f * nodes.z[j];
        double z2 = nodes.z[j] * nodes.z[j], fourth = z2 * z2 - 6 * z2 + 3;
        f4 += w * f * f * fourth;
        d4 += w * d * d * fourth;
        h += w * d * nodes.z[j];
        hz += w * d * nodes.z[j] * nodes.z[j];
        hh += w * d * d * nodes.z[j] * nodes.z[j];
    }
    out->toll = out->toll_centred = 2;
    out->level = 0;
    if (!(s.ff > 0 && s.dd > 0 && s.ff - s.ff == 0 && s.dd - s.dd == 0)) {
        return;
    }
    local->turn[0] = h * h / s.dd;
    local->turn[1] = hz * hz / s.dd;
    local->turn[2] = hh / s.dd - local->turn[0] - local->turn[1];
    out->log += sow_log_of(thinned(in, f4 / s.ff), 0);
    local->slope_square *= thinned(in, d4 / s.dd);
    out->kept += in->level * (tilt / s.ff) * (tilt / s.ff); /* the mean does not move it either */
    double behind_norm = fixed > 0 ? 1 + fixed_size(&nodes, &s, in->level > 0.5) : 0;
    out->toll = fixed * behind_norm + (1 - fixed) * independent(&nodes, &s, 0);
    out->toll_centred = fixed * behind_norm + (1 - fixed) * independent(&nodes, &s, s.f);
}

/* Of a gamma variable of relative variance v, as a sum of squares is one, the mean inverse is 1 / (1 - v). */
double sow_width_norm(const struct sow_state *in, int centred, double count)
{
    double toll = centred ? in->toll_centred : in->toll, free = count - centred, pull = in->pull;
    double own = toll / (free > 1 ? free : 1);
    own = own < OWN_MOST ? own : OWN_MOST;
    pull = pull < PULL_MOST ? pull : PULL_MOST;
    pull = pull > -PULL_MOST ? pull : -PULL_MOST;
    return pull - sow_log_of(1 - own, 0);
}

/* A unit z = W_c a of a batch of N samples, given what is below, is normal with the samples' products G = (a^T a, the mean over
 * samples taken away) for its covariance, so that s^2 = |z|^2 / N has the relative variance 2 p, p = tr G^2 / (tr G)^2:
 * 1 / (N - 1) were G the same for all samples, and more by the variance of its elements, `crowd`: 1 / n after n independent
 * features, which every layer adds to what the layers before have left. E[1 / s^2] is 1 / (1 - 2 p): at infinite width and
 * with the direction of z taken from the gradient that is (N - 2) / (N - 3), which Yang et al., A mean field theory of batch
 * normalization (2019), have for linear layers; pi / (pi - 1) a layer of relu is the sizes' and slopes' own.
 * On the way back through W the squares |W_c|^2 / s^2 count, both large where W_c is, and products of units whose W_c are
 * alike, which the norms above have made negative where z are alike: together they take back what the weights had added (all
 * but a fifth of it, in simulated chains of relu and tanh), which is the loan. */
double sow_width_batch_norm(const struct sow_state *in, double count, double *loan)
{
    double free = count > 2 ? count - 1 : 1, weights = 2 * in->crowd * in->unit * in->unit;
    double own = in->toll_centred / free + weights;
    own = own < OWN_MOST ? own : OWN_MOST;
    weights = weights < own ? weights : own;
    *loan = sow_log_of(1 - own + weights, 0) - sow_log_of(1 - own, 0);
    return -sow_log_of(1 - own, 0);
}

/* Every unit is divided by its size, so that directions of the batch which are large count less: lambda (1 - 2 lambda + 2 p)
 * of an eigenvalue lambda of G / tr G, to first order; the square of the crowd, which is next, is fitted to
 * simulated chains of 16 to 256 units. */
double sow_width_crowd(double crowd, double count)
{
    double left = 1 - 4 / (count > 4 ? count - 1 : 4) - crowd;
    return left > 0 ? crowd * left : 0;
}
