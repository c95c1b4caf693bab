/* SPDX-License-Identifier: MIT */
/* Gains by activation and by rule, for the schemes. sow_gain in sow/sow.h is the rule "exact". */
#ifndef SOW_ACTIVATION_GAIN_H
#define SOW_ACTIVATION_GAIN_H

#include "sow/sow.h"

/* How the gain of an activation is taken:
 *   exact     1 / sqrt(E[phi(z)^2]), z ~ N(0, 1)
 *   torch     torch.nn.init.calculate_gain's
 *   nfnet     the published constant 1 / std(phi), for centred weights
 *   critical  sqrt(sigma_w2) at sow_function_criticality's point */
enum sow_gain_rule {
    SOW_GAIN_EXACT,
    SOW_GAIN_TORCH,
    SOW_GAIN_NFNET,
    SOW_GAIN_CRITICAL,
    SOW_GAIN_RULES,
};

/* "exact", ...; NULL past the end. */
const char *sow_gain_rule_name(size_t rule);

/* `slope` as for sow_gain. SOW_E_ARGUMENT when the framework has no constant, or there is no critical point. */
enum sow_status sow_gain_by_rule(enum sow_gain_rule rule, const char *activation, double slope,
                                 double *gain, struct sow_error *error);

#endif
