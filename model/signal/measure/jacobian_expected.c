/* SPDX-License-Identifier: MIT */
/* What the singular values of a chain of linear layers and activations are when layers are wide and independent. The
 * second moment of s^2 by free products, a factor at a time (Pennington, Schoenholz and Ganguli 2017, here for any
 * widths); the largest from Voiculescu's S-transforms, which multiply: s^2 = (1 + z) / (z S(z)) is least at the edge.
 * Not here: convolutions, sums and attention, of which only the mean square may be known, from predicted gradients. */
#include <math.h> /* NAN, isfinite: macros */
#include <string.h>

#include "core/activation/expression.h"
#include "core/activation/hermite.h"
#include "core/activation/pair.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "model/signal/measure/jacobian.h"

#define LIMIT    24   /* in std: the widest sow_expand takes */
#define HALVED   6    /* times, of the panels of a quadrature */
#define CLOSE    1e-5 /* relative */
#define SLOPES   401  /* points of the normal law */
#define FACTORS  2048
#define HALVINGS 50
#define STEPS    80

/* A factor of s^2: a matrix of independent elements or with orthonormal rows or columns, or the slopes of an activation. */
struct factor {
    enum { INDEPENDENT, ORTHOGONAL, SLOPE } kind;
    double scale; /* of a matrix: factor of the mean square of a wide one; of slopes 1 */
    const struct sow_function *function;
    double mean, std; /* of what goes into it */
};

/* The mean of s^2 and E[s^4] / E[s^2]^2, over `rows` values. */
struct moments {
    double rows, mean, ratio;
};

struct chain {
    const struct sow_network *network;
    const struct sow_plan *plan;
    const struct sow_probe *probe;
    struct factor factors[FACTORS]; /* from `to` back to `from` */
    double widths[FACTORS];         /* what each gives */
    size_t count;
};

/* ---- Slopes ------------------------------------------------------------------------------------------- */

static double slope_square(const void *of, double x, double *slope)
{
    const struct sow_pointwise *f = of;
    double first;
    f->value(f->of, x, &first);
    *slope = NAN;
    return first * first;
}

/* Twice as many nodes until nothing changes: slopes may go up and down many times within a std. 0: they do too often. */
static int refine(const struct sow_pointwise *f, const struct factor *factor, double *square,
                  double *fourth)
{
    struct sow_hermite_sums sums;
    for (int depth = 1; depth <= HALVED; depth++) {
        sow_hermite_panels(f, factor->mean, factor->std, LIMIT, depth, &sums);
        if (sums.bad) {
            return 1; /* far out it overflows: what there is was taken nearer by */
        }
        double off = sums.mean / *square - 1, off4 = sums.square / *fourth - 1;
        *square = sums.mean;
        *fourth = sums.square;
        if (off < CLOSE && off > -CLOSE && off4 < CLOSE && off4 > -CLOSE) {
            return 1;
        }
    }
    return 0;
}

/* E[phi'^2] and E[phi'^4]; 0 when they are not known. */
static int slope_moments(const struct factor *factor, double *square, double *fourth)
{
    struct sow_pointwise inner = sow_pointwise_of(factor->function);
    struct sow_pointwise f = {slope_square, &inner, inner.kinks, inner.kink_count, 1, NULL, NULL};
    struct sow_expansion expansion;
    struct sow_closed_means closed;
    if (sow_closed_means(factor->function, factor->mean, factor->std, 0, &closed)) {
        *square = closed.slope_square;
        *fourth = closed.slope_fourth;
        return *square > 0;
    }
    if (factor->function->jumps ||
        sow_expand(&f, factor->mean, factor->std, &expansion, NULL) != SOW_OK) {
        return 0;
    }
    *square = expansion.mean;
    *fourth = expansion.square;
    int is_point = factor->std <= 1e-15 * (1 + (factor->mean < 0 ? -factor->mean : factor->mean));
    return *square > 0 && (is_point || refine(&f, factor, square, fourth));
}

/* ---- The edge ------------------------------------------------------------------------------------------- */

/* S(z) of squared slopes d: (1 + z) / z times the inverse of psi(t) = E[t d / (1 - t d)]. */
static double slope_transform(const double *slopes, const double *weights, double most, double z)
{
    double low = 0, high = 1 / most;
    for (int i = 0; i < HALVINGS; i++) {
        double t = (low + high) / 2, psi = 0;
        for (int k = 0; k < SLOPES; k++) {
            psi += weights[k] * t * slopes[k] / (1 - t * slopes[k]);
        }
        *(psi < z ? &low : &high) = t;
    }
    return (1 + z) / z * (low + high) / 2;
}

/* Squared slopes of a wave over many periods: most cos^2 of any angle, of which E[t d / (1 - t d)] is
 * 1 / sqrt(1 - t most) - 1. */
static int is_wave(const struct sow_closed_means *means)
{
    double kurtosis = means->slope_fourth / (means->slope_square * means->slope_square);
    return kurtosis > 1.5 - 1e-9 && kurtosis < 1.5 + 1e-9;
}

static double arcsine_transform(double most, double z)
{
    return (1 + z) / z * (1 - 1 / ((1 + z) * (1 + z))) / most;
}

static double log_slope_transform(const struct factor *factor, double z)
{
    struct sow_pointwise f = sow_pointwise_of(factor->function);
    struct sow_closed_means closed;
    double slopes[SLOPES], weights[SLOPES], most = 0, total = 0;
    if (sow_closed_means(factor->function, factor->mean, factor->std, 0, &closed) &&
        is_wave(&closed)) {
        return sow_log(arcsine_transform(2 * closed.slope_square, z));
    }
    for (int k = 0; k < SLOPES; k++) {
        double u = 12.0 * (k + 0.5) / SLOPES - 6;
        f.value(f.of, factor->mean + factor->std * u, &slopes[k]);
        slopes[k] *= slopes[k];
        weights[k] = sow_exp(-u * u / 2);
        total += weights[k];
        most = slopes[k] > most ? slopes[k] : most;
    }
    for (int k = 0; k < SLOPES; k++) {
        weights[k] /= total;
    }
    return sow_log(slope_transform(slopes, weights, most, z));
}

/* Layers that repeat have the same slopes. */
static int same_slopes(const struct factor *a, const struct factor *b)
{
    return a != NULL && a->mean == b->mean && a->std == b->std &&
           sow_function_same(a->function, b->function);
}

/* ln of S(z) of all factors at once. */
static double log_transform(const struct chain *chain, double z)
{
    const struct factor *last = NULL;
    double sum = 0, last_sum = 0;
    for (size_t i = 0; i < chain->count; i++) {
        const struct factor *factor = &chain->factors[i];
        if (factor->kind != SLOPE) {
            sum -= sow_log(factor->scale) + (factor->kind == INDEPENDENT ? sow_log1p(z) : 0);
            continue;
        }
        last_sum = same_slopes(last, factor) ? last_sum : log_slope_transform(factor, z);
        last = factor;
        sum += last_sum;
    }
    return sum;
}

/* s^2 = (1 + z) / (z S(z)), least over z > 0, which golden section finds on the axis of ln z. */
static double largest_of(const struct chain *chain)
{
    const double golden = 0.61803398874989484820;
    double low = -14, high = 14, at[2], f[2];
    for (int step = 0; step < STEPS && high - low > 1e-7; step++) {
        for (int i = 0; i < 2; i++) {
            at[i] = i == 0 ? high - golden * (high - low) : low + golden * (high - low);
            double z = sow_exp(at[i]);
            f[i] = sow_log1p(z) - at[i] - log_transform(chain, z);
        }
        *(f[0] < f[1] ? &high : &low) = f[0] < f[1] ? at[1] : at[0];
    }
    return sow_sqrt(sow_exp(f[0] < f[1] ? f[0] : f[1]));
}

/* ---- The chain ---------------------------------------------------------------------------------------------- */

/* Weights that are drawn each for itself around 0, or as an orthogonal matrix. 0: neither. */
static int matrix_factor(const struct chain *chain, const struct sow_node *node,
                         struct factor *factor)
{
    const struct sow_plan_entry *entry = sow_plan_at(chain->plan, node->parameters[0]);
    double mean, std, in = (double)node->at.inputs, out = (double)node->at.outputs;
    sow_draw_moments(&entry->draw, &mean, &std);
    *factor = (struct factor){.kind = INDEPENDENT, .scale = in * std * std};
    if (entry->draw.distribution == SOW_ORTHOGONAL) {
        factor->kind = ORTHOGONAL;
        factor->scale = (in > out ? in : out) * std * std;
    }
    int is_known = factor->kind == ORTHOGONAL || !sow_draw_is_whole(&entry->draw);
    return is_known && entry->region_count == 0 && mean == 0 && std > 0 && isfinite(std);
}

static int slope_factor(const struct chain *chain, const struct sow_node *node,
                        struct factor *factor)
{
    const struct sow_probe_value *in =
        sow_probe_at(chain->probe, chain->network->flows[node->inputs[0]].node);
    double variance = in->second_moment - in->mean * in->mean;
    *factor = (struct factor){.kind = SLOPE,
                              .scale = 1,
                              .function = &node->at.function,
                              .mean = in->mean,
                              .std = sow_sqrt(variance > 0 ? variance : 0)};
    return isfinite(variance) && isfinite(in->mean);
}

/* Walks from `to` to `from`. 0: something else stands between them. */
static int collect(struct chain *chain, const struct sow_jacobian_ends *ends)
{
    const struct sow_network *network = chain->network;
    for (uint32_t flow = ends->to.flow; flow != ends->from.flow;) {
        const struct sow_node *node = &network->nodes[network->flows[flow].node];
        struct factor *factor = &chain->factors[chain->count];
        int known = chain->count < FACTORS;
        chain->widths[chain->count] = (double)(network->flows[flow].elements / network->batch);
        if (known && node->op == SOW_OP_LINEAR && network->flows[flow].rank == 2) {
            known = matrix_factor(chain, node, factor);
            chain->count++;
        } else if (known && node->op == SOW_OP_ACTIVATION) {
            known = slope_factor(chain, node, factor);
            chain->count++;
        } else {
            known = known && node->op == SOW_OP_FLATTEN;
        }
        if (!known || node->input_count != 1) {
            return 0;
        }
        flow = node->inputs[0];
    }
    return chain->count > 0;
}

static int follow(const struct chain *chain, struct moments *m)
{
    const struct factor *last = NULL;
    double square = 0, fourth = 0;
    for (size_t i = chain->count; i-- > 0;) {
        const struct factor *factor = &chain->factors[i];
        double wide = chain->widths[i] / m->rows;
        if (factor->kind == SLOPE) {
            if (!same_slopes(last, factor) && !slope_moments(factor, &square, &fourth)) {
                return 0;
            }
            last = factor;
            m->mean *= square;
            m->ratio += fourth / (square * square) - 1;
            continue;
        }
        m->mean *= factor->scale;
        if (factor->kind == INDEPENDENT) {
            m->ratio = wide * m->ratio + 1;
        } else if (wide <= 1) {
            m->ratio = 1 + wide * (m->ratio - 1);
        } else {
            m->mean /= wide;
            m->ratio *= wide;
        }
        m->rows = chain->widths[i];
    }
    return isfinite(m->mean) && m->mean > 0;
}

/* From the gradients that were predicted: the mean square of all elements of J, between input and output of the whole. */
static double mean_by_gradient(const struct sow_network *network, const struct sow_probe *probe,
                               const struct sow_jacobian_ends *ends, double least)
{
    int is_end = ends->to.flow == network->outputs[network->output_count - 1];
    const struct sow_probe_value *from = sow_probe_at(probe, network->flows[ends->from.flow].node);
    if (!is_end || ends->token >= 0 || ends->is_tied || !from->is_signal) {
        return NAN;
    }
    return from->gradient * (double)ends->from.count / least;
}

enum sow_status sow_jacobian_expect(const struct sow_model *model, const struct sow_plan *plan,
                                    const struct sow_signal_options *signal,
                                    const struct sow_network *network,
                                    const struct sow_jacobian_ends *ends,
                                    struct sow_jacobian_numbers *expected, struct sow_error *error)
{
    struct chain chain = {.network = network, .plan = plan};
    struct sow_probe *probe = NULL;
    enum sow_status status = sow_probe_predict(model, plan, signal, &probe, error);
    if (status != SOW_OK) {
        return status;
    }
    double in = (double)ends->from.count, out = (double)ends->to.count;
    double least = in < out ? in : out;
    struct moments m = {in, 1, 1};
    chain.probe = probe;
    expected->mean_square = mean_by_gradient(network, probe, ends, least);
    if (ends->token < 0 && collect(&chain, ends) && follow(&chain, &m)) {
        /* of the smaller side: the others are zeros */
        double mean = m.mean * m.rows / least, ratio = m.ratio * least / m.rows;
        int is_square = 1;
        for (size_t i = 0; i < chain.count; i++) {
            is_square &= chain.widths[i] == in;
        }
        expected->mean_square = mean;
        expected->spread = ratio > 1 ? ratio - 1 : 0;
        expected->variance = expected->spread * mean * mean;
        expected->largest = is_square ? largest_of(&chain) : NAN;
    }
    sow_probe_free(probe);
    return SOW_OK;
}
