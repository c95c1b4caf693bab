/* SPDX-License-Identifier: MIT */
/* Standard deviations by which weights are drawn, meant or by mistake: what the search for a cause tries. */
#ifndef SOW_CHECK_FORMULAS_H
#define SOW_CHECK_FORMULAS_H

#include <stddef.h>

/* What a formula may depend on. */
struct sow_fit {
    double std;             /* expected, of what is stored */
    double before_cut;      /* that of a truncated normal before the cut; else NAN */
    double fan_in, fan_out; /* of a block where the tensor is fused */
    double all_in, all_out; /* of the tensor as stored */
};

struct sow_formula {
    const char *words;
    double (*std)(const struct sow_fit *fit);
    int is_bound; /* of a uniform: the bound is sqrt(3) std */
};

/* NULL past the end. */
const struct sow_formula *sow_formula_at(size_t index);
/* Glorot's, gain 1. */
double sow_glorot_std(double fan_in, double fan_out);

#define SOW_SQRT3        1.7320508075688772
#define SOW_CORRECTION_2 0.8796256610342398 /* std of N(0, 1) cut at 2 */

#endif
