/* SPDX-License-Identifier: MIT */
/* Gains by name: the factor 1 / sqrt(E[phi(z)^2]), z ~ N(0, 1), that keeps the second moment of
 * a signal (He et al. 2015, eq. 10, for any activation). Not torch's calculate_gain, whose 5/3
 * for tanh and 3/4 for selu are empirical. */
#include "core/activation/gain.h"

#include <stdio.h>
#include <string.h>

#include "core/activation/quadrature.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#define SLOPE_DEFAULT 0.01

/* Name or alias number `index` of the whole table, rows in order. */
static const char *word_at(const void *context, size_t index)
{
    (void)context;
    for (size_t i = 0; sow_activation_at(i) != NULL; i++) {
        const struct sow_activation *row = sow_activation_at(i);
        if (index-- == 0) {
            return row->name;
        }
        for (size_t j = 0; row->aliases[j] != NULL; j++) {
            if (index-- == 0) {
                return row->aliases[j];
            }
        }
    }
    return NULL;
}

/* "linear, relu, ..."; what does not fit is left out. */
static void list_names(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; sow_activation_at(i) != NULL && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 sow_activation_at(i)->name);
    }
}

const struct sow_activation *sow_activation_find(const char *name, struct sow_error *error)
{
    for (size_t i = 0; sow_activation_at(i) != NULL; i++) {
        const struct sow_activation *row = sow_activation_at(i);
        int found = strcmp(name, row->name) == 0;
        for (size_t j = 0; row->aliases[j] != NULL; j++) {
            found |= strcmp(name, row->aliases[j]) == 0;
        }
        if (found) {
            return row;
        }
    }
    const char *nearest = sow_nearest(name, word_at, NULL);
    char names[512];
    list_names(names, sizeof names);
    sow_fail(error, SOW_E_ARGUMENT, "no activation is called '%.40s'; %s%s%s", name,
             nearest ? "did you mean " : "sow knows ", nearest ? nearest : names,
             nearest ? "?" : "");
    return NULL;
}

struct phi {
    const struct sow_activation *activation;
    double slope;
};

static double squared(double z, const void *context)
{
    const struct phi *phi = context;
    const struct sow_activation *activation = phi->activation;
    double y = activation->value != NULL ? activation->value(z) : activation->sloped(z, phi->slope);
    return y * y;
}

double sow_activation_second_moment_by_quadrature(const struct sow_activation *activation,
                                                  double slope)
{
    struct phi phi = {activation, slope};
    return sow_gaussian_mean(squared, &phi, activation->kinks, activation->kink_count);
}

double sow_activation_second_moment(const struct sow_activation *activation, double slope)
{
    return activation->second_moment != NULL
               ? activation->second_moment(slope)
               : sow_activation_second_moment_by_quadrature(activation, slope);
}

enum sow_status sow_gain(const char *activation, double slope, double *gain,
                         struct sow_error *error)
{
    const struct sow_activation *row = sow_activation_find(activation, error);
    if (row == NULL) {
        return SOW_E_ARGUMENT;
    }
    int given = slope == slope;
    if (given && row->sloped == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT, "%s has no slope; leaky_relu has one", row->name);
    }
    if (given && !(slope > -1e100 && slope < 1e100)) {
        return sow_fail(error, SOW_E_ARGUMENT, "slope of %s must be a finite number", row->name);
    }
    *gain = sow_sqrt(1 / sow_activation_second_moment(row, given ? slope : SLOPE_DEFAULT));
    return SOW_OK;
}

const char *sow_gain_name(size_t index)
{
    const struct sow_activation *row = sow_activation_at(index);
    return row != NULL ? row->name : NULL;
}
