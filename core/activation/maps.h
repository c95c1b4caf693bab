/* SPDX-License-Identifier: MIT */
/* What one layer does to second moments, as functions of q, before sigma_w2 and sigma_b2. */
#ifndef SOW_ACTIVATION_MAPS_H
#define SOW_ACTIVATION_MAPS_H

#include "core/activation/quadrature.h"

struct sow_maps {
    double square; /* E[y^2] */
    double slope;  /* E[|grad y|^2]; NAN where phi jumps, as is the next */
    double growth; /* d E[y^2] / d q */
};
enum sow_status sow_maps(const struct sow_function *function, double q, struct sow_maps *maps,
                         struct sow_error *error);

/* What sow_function_fixed_point and sow_function_criticality find, to about 1e-12 and in a tenth of their time: for what is
 * told to people. Nothing that is drawn may depend on it. */
enum sow_status sow_fixed_point_quick(const struct sow_function *function, double sigma_w2,
                                      double sigma_b2, struct sow_fixed_point *point,
                                      struct sow_error *error);
enum sow_status sow_criticality_quick(const struct sow_function *function,
                                      struct sow_criticality *criticality, struct sow_error *error);

#endif
