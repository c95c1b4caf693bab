/* SPDX-License-Identifier: MIT */
/* The part of libsow that knows activations: the table, functions of one variable, their means over normal numbers, where
 * signals settle and whether gradients can be kept. sow/sow.h brings it, and the promises made there hold here. */
#ifndef SOW_ACTIVATION_H
#define SOW_ACTIVATION_H

#include "sow/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SOW_ACTIVATION_PARAMETERS_MAX 4
#define SOW_KINKS_MAX                 16

/* A parameter of an activation, with its default and the ends of its range. */
struct sow_activation_parameter {
    const char *name;
    double value, low, high;
    const char *summary;
};

/* A gain that a framework ships for it, not computed here. */
struct sow_activation_constant {
    const char *framework; /* "torch": a factor of weights; "nfnet": 1 / std(phi), centred */
    double gain;           /* NAN: the exact one, whatever the parameters */
    const char *source;
};

/* A row of the table. A gate is y = a phi(b) of two signals; the row tells phi. */
struct sow_activation {
    const char *name;
    const char *const *aliases; /* the words of the frameworks; NULL-terminated */
    const struct sow_activation_parameter *parameters;
    size_t parameter_count;
    const struct sow_activation_constant *constants; /* ends with framework NULL; NULL for none */
    const char *formula;
    const char *source;
    const char *summary; /* what is worth knowing; "" when nothing is */
    int is_gate;
    int jumps; /* discontinuous: what needs a derivative is undefined */
};

/* Row `index` of the table, NULL past its end. */
SOW_API const struct sow_activation *sow_activation_at(size_t index);
/* By name or alias; NULL with SOW_E_ARGUMENT and the nearest name when unknown. */
SOW_API const struct sow_activation *sow_activation_find(const char *name, struct sow_error *error);

/* A function phi of one variable, made below: a row with its parameters, or the caller's own. */
struct sow_function {
    const struct sow_activation *activation; /* NULL: the caller's own, an expression too */
    double parameters[SOW_ACTIVATION_PARAMETERS_MAX];
    double (*value)(void *user, double x);                          /* own */
    double (*value_and_slope)(void *user, double x, double *slope); /* own; NULL: numerically */
    void *user;
    const char *name;            /* own, such as "expr{max(x, 0) - 0.5}"; NULL: it has none */
    double kinks[SOW_KINKS_MAX]; /* where phi or phi' jumps, ascending */
    size_t kink_count;
    int jumps;
};

/* `arguments` are numbers, each the name of a parameter of the row; what is not given is at its default. */
SOW_API enum sow_status sow_function_named(const char *activation,
                                           const struct sow_argument *arguments, size_t count,
                                           struct sow_function *function, struct sow_error *error);
/* `kinks` where they are known, else NULL: then they are found, to 1e-12, for |x| <= 8.
 * SOW_E_ARGUMENT when phi is not finite on the line or has no second moment. */
SOW_API enum sow_status sow_function_own(double (*value)(void *user, double x), void *user,
                                         const double *kinks, size_t kink_count,
                                         struct sow_function *function, struct sow_error *error);
/* phi(x), and phi'(x) when `slope` is not NULL (NAN of own functions without value_and_slope). */
SOW_API double sow_function_value(const struct sow_function *function, double x, double *slope);
/* The row's name, its own, or "the function". */
SOW_API const char *sow_function_name(const struct sow_function *function);

/* Means over z ~ N(0, 1), error <= 1e-10 (docs/activations.md). NAN stands for undefined: where phi
 * jumps, whatever needs a derivative; where phi is 0, whatever divides by it.
 * Of a gate y = a phi(b), a and b independent: derivative_second_moment is E[|grad y|^2] =
 * E[phi^2] + E[phi'^2], and both chis see the two signals scaled alike. */
struct sow_activation_numbers {
    double mean, second_moment;      /* E[y], E[y^2] */
    double gain, variance_gain;      /* 1 / sqrt(E[y^2]), 1 / std(y) */
    double derivative_second_moment; /* E[phi'(z)^2] */
    double chi_perp; /* the gradient's second moment, from layer to layer, at that gain */
    double chi_par;  /* a small error of scale, from layer to layer, at that gain */
    double c0;       /* correlation of what unrelated inputs give: E[y]^2 / E[y^2] */
};
SOW_API enum sow_status sow_function_numbers(const struct sow_function *function,
                                             struct sow_activation_numbers *numbers,
                                             struct sow_error *error);

/* Means over x and y, jointly normal with one mean and variance and this correlation. NAN stands for undefined:
 * slopes where phi jumps. Own functions give no slopes. Errors below 1e-9, relative to the value at correlation 1, however
 * steep or kinked phi is for such inputs: where a series of 48 terms (microseconds) does not do, an integral over the
 * plane (milliseconds), and that fails only for functions too wild for either, which the series then tells as it can.
 * Source: Mehler's formula; Cho and Saul 2009. SOW_E_ARGUMENT where there is no such mean. */
struct sow_pair_moments {
    double mean, second_moment, product;       /* E[phi(x)], E[phi(x)^2], E[phi(x) phi(y)] */
    double slope_second_moment, slope_product; /* E[phi'(x)^2], E[phi'(x) phi'(y)] */
};
SOW_API enum sow_status sow_function_pair(const struct sow_function *function, double mean,
                                          double variance, double correlation,
                                          struct sow_pair_moments *moments,
                                          struct sow_error *error);

/* Where the signal settles: q = sigma_w2 E[phi(sqrt(q) z)^2] + sigma_b2, with sigma_w2 = fan_in Var(W) and
 * sigma_b2 = Var(b), from q = 1 on (Poole et al. 2016, eq. 3). */
struct sow_fixed_point {
    double q;                 /* 0: the signal dies out; INFINITY: it grows without bound */
    double chi_perp, chi_par; /* at q; NAN where undefined */
    double sigma_w2,
        sigma_b2; /* of the critical line (chi_perp = 1) at this q; NAN where it has none */
};
SOW_API enum sow_status sow_function_fixed_point(const struct sow_function *function,
                                                 double sigma_w2, double sigma_b2,
                                                 struct sow_fixed_point *point,
                                                 struct sow_error *error);

/* How an activation behaves where gradients neither die nor explode (chi_perp = 1, sigma_b2 >= 0). */
enum sow_universality {
    SOW_CRITICAL_NONE = 0,        /* no such point with q up to 20 */
    SOW_CRITICAL_SCALE_INVARIANT, /* one (sigma_w2, 0) for every q: the ReLU family */
    SOW_CRITICAL_ZERO,   /* at q = 0, where signals settle slowly: tanh and other odd functions */
    SOW_CRITICAL_STABLE, /* a line on which a scale error heals: ELU, SELU */
    SOW_CRITICAL_HALF_STABLE, /* heals only above one q: GELU, SiLU, Mish */
    SOW_CRITICAL_UNSTABLE,    /* a line on which a scale error grows: square, exp, gates */
    SOW_CRITICAL_UNDEFINED,   /* phi jumps */
};
/* The class, and the point that `gain = "critical"` stands for: gain = sqrt(sigma_w2). NAN without one. */
struct sow_criticality {
    enum sow_universality universality;
    double q, sigma_w2, sigma_b2, chi_par;
};
SOW_API enum sow_status sow_function_criticality(const struct sow_function *function,
                                                 struct sow_criticality *criticality,
                                                 struct sow_error *error);
/* "scale-invariant", "K*=0", "stable line", "half-stable", "unstable line", "none", "undefined". */
SOW_API const char *sow_universality_name(enum sow_universality universality);

#ifdef __cplusplus
}
#endif
#endif
